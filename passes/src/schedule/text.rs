//! The text form of schedules: printing and reading back.

use super::{Schedule, Tiles};
use crate::templates::{Sizes, TEMPLATES};
use regard_ir::{
    diagnostic::SourceError,
    lexer::{Lexer, Token, quote},
};
use std::fmt;

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "schedule {} for {} {{", quote(&self.model), self.target)?;
        for (name, tiles) in &self.groups {
            let number = !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
            let name = if number { name.into() } else { quote(name) };
            writeln!(f, "  %{name} {tiles}")?;
        }
        writeln!(f, "}}")
    }
}

/// Reads a schedule; every error is at the offending text.
pub fn parse(text: &str) -> Result<Schedule, SourceError> {
    let mut lexer = Lexer::new(text)?;
    lexer.expect("schedule")?;
    let (model, _) = lexer.name("the name of a model")?;
    lexer.expect("for")?;
    let start = lexer.span().start;
    while !lexer.sees("{") && !lexer.starts_line() && !lexer.at_end() {
        lexer.advance();
    }
    let target = text[lexer.span_from(start)].to_string();
    lexer.expect("{")?;
    let mut groups = Vec::new();
    while !lexer.eat("}") {
        groups.push((node(&mut lexer)?, tiles(&mut lexer)?));
    }
    if lexer.at_end() {
        return Ok(Schedule { model: model.into_owned(), target, groups });
    }
    Err(lexer.unexpected("the end of the text"))
}

/// `%12` or `%name`, without the `%`.
fn node(lexer: &mut Lexer) -> Result<String, SourceError> {
    lexer.expect("%")?;
    if let Token::Number(digits) = *lexer.peek() {
        lexer.advance();
        return Ok(digits.to_string());
    }
    Ok(lexer.name("the name or number of a node")?.0.into_owned())
}

fn tiles(lexer: &mut Lexer) -> Result<Tiles, SourceError> {
    let Some(index) = TEMPLATES.iter().position(|template| lexer.eat(template.name)) else {
        let names: Vec<String> = TEMPLATES.iter().map(|template| format!("`{}`", template.name)).collect();
        let (last, others) = names.split_last().expect("there are templates");
        return Err(lexer.unexpected(format!("{} or {last}", others.join(", "))));
    };
    let mut sizes = Sizes::default();
    for (place, word) in sizes.iter_mut().zip(TEMPLATES[index].sizes) {
        *place = size(lexer, word)?;
    }
    Ok(Tiles::of(index, sizes))
}

fn size(lexer: &mut Lexer, word: &str) -> Result<usize, SourceError> {
    const EXPECTED: &str = "a number from 1 on";
    lexer.expect(word)?;
    let span = lexer.span();
    match lexer.integer(EXPECTED)? {
        0 => Err(SourceError::new(span, "found `0`").expecting(EXPECTED)),
        size => Ok(size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_read_back(model in any::<String>(), name in "[0-9]{0,3}|.{0,4}") {
            let tiles = Tiles::new("row", &[1, 2]).expect("a template");
            let schedule = Schedule { model, target: "x86-64-v4".into(), groups: vec![(name, tiles)] };
            prop_assert_eq!(parse(&schedule.to_string()), Ok(schedule));
        }
    }
}
