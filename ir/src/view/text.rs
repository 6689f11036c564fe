//! Views on one line.
//!
//! ```text
//!   [64, 49, 96] of 301056: (3 + 7*i0/8 + i1/7) mod 56 * 5376 + (3 + 7*i0%8 + i1%7) mod 56 * 96 + i2
//!   [6, 4] of 16: (-1 + i0) in 4 * 4 + i1 else -inf
//! ```
//!
//! Result shape, source elements, then the coordinates: `mod` is cyclic, `in` bounded, the factor after it
//! the stride; `7*i0/8%8` is 7·(⌊i0/8⌋ mod 8), and without `%` the digit reaches to the end of its axis. What
//! stands after `else` is the fill. Reading normalises, so text need not be in normal form, and rejects maps that
//! could leave the source.

use super::{Coord, Digit, View, normal::Draft};
use crate::{
    diagnostic::SourceError,
    lexer::{Lexer, Token},
    text::real_in_f32,
    types::{Real, ShapeText},
};
use std::{fmt, ops::Range, str::FromStr};

/// No number in a view exceeds this, so that products of two fit an i128 and sums an i64.
const MOST: i64 = 1 << 40;
/// Most axes, and most digits of one coordinate.
const MOST_PARTS: usize = 64;

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}: ", ShapeText(&self.shape), self.len)?;
        for (i, c) in self.coords.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { " + " })?;
            if c.is_plain() {
                self.sum(f, c)?;
            } else {
                f.write_str("(")?;
                self.sum(f, c)?;
                write!(f, ") {} {} * {}", if c.cyclic { "mod" } else { "in" }, c.extent, c.stride)?;
            }
        }
        if self.coords.is_empty() {
            f.write_str("0")?;
        }
        if self.has_fill() { write!(f, " else {}", self.fill) } else { Ok(()) }
    }
}

impl View {
    fn sum(&self, f: &mut fmt::Formatter<'_>, c: &Coord) -> fmt::Result {
        if c.offset != 0 || c.digits.is_empty() {
            write!(f, "{}{}", c.offset, if c.digits.is_empty() { "" } else { " + " })?;
        }
        for (i, d) in c.digits.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { " + " })?;
            if d.mul != 1 {
                write!(f, "{}*", d.mul)?;
            }
            write!(f, "i{}", d.axis)?;
            if d.div != 1 {
                write!(f, "/{}", d.div)?;
            }
            if d.div * d.extent != self.shape[d.axis] {
                write!(f, "%{}", d.extent)?;
            }
        }
        Ok(())
    }
}

impl FromStr for View {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<View, SourceError> {
        let mut lexer = Lexer::new(text)?;
        let view = view(&mut lexer)?;
        if lexer.at_end() { Ok(view) } else { Err(lexer.unexpected("the end of the view")) }
    }
}

fn view(lexer: &mut Lexer) -> Result<View, SourceError> {
    let start = lexer.span();
    let shape = lexer.list("[", "]", |l| size(l, "a dimension"))?;
    let volume = shape.iter().try_fold(1i64, |n, &d| n.checked_mul(d as i64).filter(|&n| n <= MOST));
    if volume.is_none() || shape.len() > MOST_PARTS {
        return Err(SourceError::new(lexer.span_from(start.start), "this shape is too large"));
    }
    lexer.expect("of")?;
    let len = size(lexer, "the number of source elements")?;
    lexer.expect(":")?;
    let mut draft = Draft::new(&shape, len, Real::new(0.0));
    let start = lexer.span();
    loop {
        coord(lexer, &mut draft)?;
        if !lexer.eat("+") {
            break;
        }
    }
    let span = lexer.span_from(start.start);
    if lexer.eat("else") {
        draft.fill = Real::new(real_in_f32(lexer, "the fill value")?);
    }
    let empty = shape.contains(&0);
    let view = draft.finish();
    if empty || view.never() || view.is_inside() {
        Ok(view)
    } else {
        Err(SourceError::new(span, "this map may leave the source")
            .expecting(format!("elements 0 to {}", len as i64 - 1)))
    }
}

impl View {
    fn never(&self) -> bool {
        self.coords.iter().any(|c| c.bounded && c.extent == 0)
    }
    /// Whether no element outside the source is read, taking the coordinates as independent.
    pub(crate) fn is_inside(&self) -> bool {
        let most = |c: &Coord| c.stride as i128 * (c.greatest() as i128);
        let sum: i128 = self.coords.iter().map(most).sum();
        self.plain().is_none_or(|c| c.offset >= 0) && sum < self.len as i128
    }
}

fn size(lexer: &mut Lexer, what: &str) -> Result<usize, SourceError> {
    let span = lexer.span();
    let n: i64 = lexer.integer(what)?;
    if (0..=MOST).contains(&n) {
        Ok(n as usize)
    } else {
        Err(SourceError::new(span, format!("{n} is out of range")).expecting("0 to 2^40"))
    }
}

fn coord(lexer: &mut Lexer, draft: &mut Draft) -> Result<(), SourceError> {
    let start = lexer.span();
    if !lexer.eat("(") {
        let (constant, digit) = term(lexer, &draft.shape)?;
        draft.constant += constant;
        draft.plain.extend(digit);
        return too_many(&draft.plain, draft.constant, start);
    }
    let (mut offset, mut digits) = (0, Vec::new());
    while !lexer.eat(")") {
        let (constant, digit) = term(lexer, &draft.shape)?;
        offset += constant;
        digits.extend(digit);
        too_many(&digits, offset, lexer.span_from(start.start))?;
        if !lexer.eat("+") && !lexer.sees(")") {
            return Err(lexer.unexpected("`+` or `)`"));
        }
    }
    let cyclic = lexer.eat("mod");
    if !cyclic {
        lexer.expect("in").map_err(|e| e.expecting("`mod` or `in`"))?;
    }
    let extent = size(lexer, "the extent")?;
    lexer.expect("*")?;
    let stride = size(lexer, "the stride")?;
    let span = lexer.span_from(start.start);
    let greatest = super::digits::greatest(&digits);
    if cyclic && (offset < 0 || offset >= extent as i64 || greatest >= extent as i64) {
        let error = SourceError::new(span, "this cyclic coordinate turns more than once");
        return Err(error.expecting(format!("offset and digits to lie in 0 to {}", extent as i64 - 1)));
    }
    let reach = stride as i128 * (extent as i128 + offset.unsigned_abs() as i128 + greatest as i128);
    if reach > 4 * MOST as i128 || draft.special.len() >= MOST_PARTS {
        return Err(SourceError::new(span, "this coordinate is too large"));
    }
    draft.special.push(Coord { extent, stride, offset, digits, cyclic, bounded: !cyclic });
    Ok(())
}

fn too_many(digits: &[Digit], constant: i64, span: Range<usize>) -> Result<(), SourceError> {
    let fits = digits.len() <= MOST_PARTS && super::digits::greatest(digits) <= MOST && constant.abs() <= MOST;
    if fits { Ok(()) } else { Err(SourceError::new(span, "this sum is too large")) }
}

/// `12`, `i0`, or `7*i0/8%8`; the digit is absent where it has one value.
fn term(lexer: &mut Lexer, shape: &[usize]) -> Result<(i64, Option<Digit>), SourceError> {
    let start = lexer.span();
    let mut mul = 1i64;
    if let Token::Number(_) = lexer.peek() {
        mul = lexer.integer("a factor")?;
        if mul.unsigned_abs() > MOST as u64 {
            return Err(SourceError::new(start, format!("{mul} is out of range")).expecting("at most 2^40"));
        }
        if !lexer.eat("*") {
            return Ok((mul, None));
        }
        if mul < 1 {
            return Err(SourceError::new(start, format!("the factor is {mul}")).expecting("1 or more"));
        }
    }
    let (name, span) = lexer.ident("a number or an axis such as `i0`")?;
    let axis = name.strip_prefix('i').and_then(|n| n.parse::<usize>().ok()).filter(|&a| a < shape.len());
    let Some(axis) = axis else {
        let error = SourceError::new(span, format!("found `{name}`"));
        return Err(error.expecting(format!("one of the {} axes, counted from `i0`", shape.len())));
    };
    let div = if lexer.eat("/") { size(lexer, "a divisor")? } else { 1 };
    if div == 0 {
        return Err(SourceError::new(lexer.span_from(start.start), "the divisor is 0").expecting("1 or more"));
    }
    let extent = if lexer.eat("%") { size(lexer, "a modulus")? } else { shape[axis].div_ceil(div) };
    let span = lexer.span_from(start.start);
    if shape[axis] > 0 && (extent == 0 || div as i128 * extent as i128 > shape[axis] as i128) {
        let error = SourceError::new(span, format!("this digit does not fit axis {axis} of extent {}", shape[axis]));
        return Err(error.expecting("divisor times modulus to be at most the extent, and the divisor to divide it"));
    }
    let reach = mul as i128 * extent as i128;
    if reach > MOST as i128 {
        return Err(SourceError::new(span, "this term is too large"));
    }
    Ok((0, (extent > 1).then_some(Digit { axis, div, extent, mul })))
}
