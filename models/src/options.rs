//! Options: what distinguishes the variants of a model beyond batch, size and classes.
//!
//! ```text
//!   regard run sasa_resnet50 --option stem=conv --option k=11
//!                              └ name of a row ┘ └ its value ┘
//! ```
//!
//! A model lists its options in its row of the zoo; values are words or numbers. Unknown names and values are
//! refused with what is expected.

use crate::Config;
use std::{fmt::Display, str::FromStr};

/// An option of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelOption {
    /// As given on the command line.
    pub name: &'static str,
    /// What values mean, the one that is taken where none is given first.
    pub values: &'static str,
}

/// Pixels of the longest side of an image.
const LONGEST: usize = 4096;
/// Most pixels of all images of a run: score terms grow with their square.
const MOST_PIXELS: usize = 1 << 27;

impl Config {
    /// Height and width of the image, `default` where none are given.
    ///
    /// # Errors
    /// Where a side is empty or too long, or where all images together have too many pixels.
    pub(crate) fn any_size(&self, model: &str, default: (usize, usize)) -> Result<[usize; 2], String> {
        let (height, width) = self.size.unwrap_or(default);
        let fits = |side: usize| (1..=LONGEST).contains(&side);
        if !fits(height) || !fits(width) {
            return Err(format!(
                "{model} cannot take images of {height}x{width}: each side must lie between 1 and {LONGEST}"
            ));
        }
        let (batch, pixels) = (self.batch, self.batch * height * width);
        match pixels <= MOST_PIXELS {
            true => Ok([height, width]),
            false => Err(format!(
                "{model} cannot take {batch} images of {height}x{width}: they have {pixels} pixels, expected at most {MOST_PIXELS}"
            )),
        }
    }
    /// The same where both sides must be multiples of `unit`; `why` says what must divide.
    ///
    /// # Errors
    /// As [`any_size`](Self::any_size), and where a side is not a multiple.
    pub(crate) fn divided_size(
        &self,
        model: &str,
        default: (usize, usize),
        unit: usize,
        why: &str,
    ) -> Result<[usize; 2], String> {
        let [height, width] = self.any_size(model, default)?;
        match height.is_multiple_of(unit) && width.is_multiple_of(unit) {
            true => Ok([height, width]),
            false => Err(format!(
                "{model} cannot take images of {height}x{width}: {why}, so each side must be a multiple of {unit}"
            )),
        }
    }
    /// The same with an option set.
    pub fn with(mut self, name: &str, value: &str) -> Config {
        self.options.insert(name.to_owned(), value.to_owned());
        self
    }
    /// The value of an option that is one of `words`; the first where none is given.
    ///
    /// # Errors
    /// Where it is another word.
    pub(crate) fn word(&self, name: &str, words: &[&'static str]) -> Result<&'static str, String> {
        let Some(value) = self.options.get(name) else { return Ok(words[0]) };
        let known = words.iter().find(|word| *word == value);
        known.copied().ok_or_else(|| format!("option {name} is `{value}`, expected {}", words.join(", ")))
    }
    /// The value of an option that is a number from `least` to `most`; `default` where none is given.
    ///
    /// # Errors
    /// Where it is not a number, or out of range.
    pub(crate) fn number<T: FromStr + PartialOrd + Display>(
        &self,
        name: &str,
        default: T,
        least: T,
        most: T,
    ) -> Result<T, String> {
        let Some(value) = self.options.get(name) else { return Ok(default) };
        let number = value.parse().ok().filter(|n| *n >= least && *n <= most);
        number.ok_or_else(|| format!("option {name} is `{value}`, expected a number from {least} to {most}"))
    }
    /// The value of an option that is four numbers from 1 to `most`, one for each stage, as `1+1+4+1`.
    ///
    /// # Errors
    /// Where it is something else.
    pub(crate) fn four(&self, name: &str, default: [usize; 4], most: usize) -> Result<[usize; 4], String> {
        let Some(value) = self.options.get(name) else { return Ok(default) };
        let part = |part: &str| part.parse::<usize>().ok().filter(|n| (1..=most).contains(n));
        let numbers: Option<Vec<usize>> = value.split('+').map(part).collect();
        let four = numbers.and_then(|numbers| numbers.try_into().ok());
        four.ok_or_else(|| format!("option {name} is `{value}`, expected four numbers from 1 to {most}, as 1+2+3+4"))
    }
    /// The value of an option that is a list of different numbers from 1 to `most`, as `1+3`, or `none`.
    ///
    /// # Errors
    /// Where it is something else.
    pub(crate) fn numbers(&self, name: &str, default: &[usize], most: usize) -> Result<Vec<usize>, String> {
        let Some(value) = self.options.get(name) else { return Ok(default.to_vec()) };
        if value == "none" {
            return Ok(Vec::new());
        }
        let wrong =
            || format!("option {name} is `{value}`, expected `none` or different numbers from 1 to {most}, as 1+2");
        let mut list = Vec::new();
        for part in value.split('+') {
            let number = part.parse::<usize>().ok().filter(|n| (1..=most).contains(n) && !list.contains(n));
            list.push(number.ok_or_else(wrong)?);
        }
        list.sort_unstable();
        Ok(list)
    }
}

/// Refuses options that the model does not have.
pub(crate) fn check(model: &str, config: &Config, known: &[ModelOption]) -> Result<(), String> {
    let Some(name) = config.options.keys().find(|name| !known.iter().any(|option| option.name == *name)) else {
        return Ok(());
    };
    let names: Vec<&str> = known.iter().map(|option| option.name).collect();
    let expected = if names.is_empty() {
        "this model has no options".to_owned()
    } else {
        format!("expected {}", names.join(", "))
    };
    Err(format!("{model} has no option `{name}`, {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_words_numbers_and_lists() {
        let config = Config::default().with("stem", "conv").with("k", "11").with("groups", "3+1");
        assert_eq!(config.word("stem", &["attention", "conv"]), Ok("conv"));
        assert_eq!(config.word("other", &["attention", "conv"]), Ok("attention"));
        assert_eq!(config.number("k", 7, 3, 11), Ok(11));
        assert_eq!(config.numbers("groups", &[1, 2], 4), Ok(vec![1, 3]));
        assert_eq!(config.numbers("absent", &[1, 2], 4), Ok(vec![1, 2]));
    }

    #[test]
    fn other_values_are_refused_with_what_is_expected() {
        let config = Config::default().with("stem", "cnv").with("k", "99").with("groups", "1+1");
        let said = |result: Result<(), String>, word: &str| assert!(result.unwrap_err().contains(word));
        said(config.word("stem", &["attention", "conv"]).map(|_| ()), "attention, conv");
        said(config.number("k", 7, 3, 11).map(|_| ()), "3 to 11");
        said(config.numbers("groups", &[], 4).map(|_| ()), "1 to 4");
        said(check("m", &config, &[ModelOption { name: "stem", values: "" }]), "no option `groups`, expected stem");
    }
}
