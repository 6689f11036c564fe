//! The text form of schedules: printing and reading back.

use super::{AttendTiles, ProductTiles, RowTiles, Schedule, SlideTiles, Tiles};
use regard_ir::source::{Lexer, SourceError, Token, quote};
use std::fmt;

impl fmt::Display for Tiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tiles::Row(t) => write!(f, "row rows {} inner {}", t.rows, t.inner),
            Tiles::Product(t) => {
                write!(f, "product rows {} panels {} depth {} mr {} nv {}", t.rows, t.panels, t.depth, t.mr, t.nv)
            }
            Tiles::Attend(t) => {
                write!(f, "attend queries {} mr {} keys {} values {}", t.queries, t.mr, t.key_vectors, t.value_vectors)
            }
            Tiles::Slide(t) => write!(f, "slide rows {} sums {}", t.rows, t.sums),
        }
    }
}

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
    if lexer.eat("row") {
        return Ok(Tiles::Row(RowTiles { rows: size(lexer, "rows")?, inner: size(lexer, "inner")? }));
    }
    if lexer.eat("product") {
        return Ok(Tiles::Product(ProductTiles {
            rows: size(lexer, "rows")?,
            panels: size(lexer, "panels")?,
            depth: size(lexer, "depth")?,
            mr: size(lexer, "mr")?,
            nv: size(lexer, "nv")?,
        }));
    }
    if lexer.eat("attend") {
        return Ok(Tiles::Attend(AttendTiles {
            queries: size(lexer, "queries")?,
            mr: size(lexer, "mr")?,
            key_vectors: size(lexer, "keys")?,
            value_vectors: size(lexer, "values")?,
        }));
    }
    if lexer.eat("slide") {
        return Ok(Tiles::Slide(SlideTiles { rows: size(lexer, "rows")?, sums: size(lexer, "sums")? }));
    }
    Err(lexer.unexpected("`row`, `product`, `attend` or `slide`"))
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
            let tiles = Tiles::Row(RowTiles { rows: 1, inner: 2 });
            let schedule = Schedule { model, target: "x86-64-v4".into(), groups: vec![(name, tiles)] };
            prop_assert_eq!(parse(&schedule.to_string()), Ok(schedule));
        }
    }
}
