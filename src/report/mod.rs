//! What the library finds out as people and programs read it: text in lines that fit the terminal, tables, JSON, a page.
//!
//! ```text
//!   Comparison, Explanation, Measured …  ─▶  text that fits the terminal     screen, table
//!       structs of the library            ─▶  JSON                            one object on one line
//!                                         ─▶  a page, a picture               HTML, the language of Graphviz
//! ```

pub mod buffers;
pub(crate) mod classes;
pub(crate) mod comparison;
pub(crate) mod dot;
pub mod errors;
pub(crate) mod explanation;
pub(crate) mod measured;
pub(crate) mod papers;
pub mod screen;
pub(crate) mod status;
mod table;

pub(crate) use table::{Column, Table};

use std::borrow::Cow;

/// The most parts of names that are listed.
const LISTED: usize = 4;

/// Text from a file as a terminal may see it: control characters are written out as `\u{1b}`, but for line ends.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| c.is_control() && c != '\n';
    match text.contains(harmful) {
        false => Cow::Borrowed(text),
        true => text.chars().map(|c| if harmful(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect(),
    }
}

/// Several names as one: what they differ by is listed in braces, or where there is too much of it a star.
pub(crate) fn pattern(names: &[&str]) -> String {
    let split: Vec<Vec<&str>> = names.iter().map(|name| name.split('.').collect()).collect();
    let first = &split[0];
    if split.iter().any(|other| other.len() != first.len()) {
        return format!("{} and {} more", names[0], names.len() - 1);
    }
    let place = |at: usize| -> Cow<str> {
        let mut words: Vec<&str> = Vec::new();
        split.iter().map(|name| name[at]).for_each(|word| words.extend((!words.contains(&word)).then_some(word)));
        let numbers: Option<Vec<usize>> = words.iter().map(|word| word.parse().ok()).collect();
        let run = numbers.is_some_and(|numbers| numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        match words[..] {
            [word] => word.into(),
            [first, _, .., last] if run && words.len() > 2 => format!("{{{first}-{last}}}").into(),
            _ if words.len() <= LISTED => format!("{{{}}}", words.join(",")).into(),
            _ => "*".into(),
        }
    };
    (0..first.len()).map(place).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_but_line_ends_become_visible() {
        assert_eq!(printable("a\u{1b}[31mb\u{9b}\r"), "a\\u{1b}[31mb\\u{9b}\\u{d}");
        assert_eq!(printable("two\nlines, é"), "two\nlines, é");
    }

    #[test]
    fn names_that_differ_are_listed() {
        let blocks = ["layers.2.blocks.0.mlp.fc1", "layers.2.blocks.5.mlp.fc1"];
        assert_eq!(pattern(&blocks), "layers.2.blocks.{0,5}.mlp.fc1");
        assert_eq!(pattern(&blocks[..1]), blocks[0]);
        assert_eq!(pattern(&["a.1.b", "a.2.b", "a.3.b"]), "a.{1-3}.b");
        assert_eq!(pattern(&["a.1.b", "a.3.c", "a.5.b"]), "a.{1,3,5}.{b,c}");
        assert_eq!(pattern(&["a.1", "a.3", "a.5", "a.7", "a.9"]), "a.*");
        assert_eq!(pattern(&["a.b", "c", "d"]), "a.b and 2 more");
    }
}
