//! Tokens of the text that users write, each with its place.
//!
//! Graph text (`.rg`) and kernel text share one lexer. It reads one token ahead and keeps none, so a long text takes no
//! memory besides itself. Every token knows its byte range:
//!
//! ```text
//!     %t = add %a, -0.5   // comments start with two slashes or a semicolon
//!     ─┬──   ─   ─  ────
//!     punctuation, identifiers, numbers, strings; blanks only separate
//! ```
//!
//! * An identifier starts with a letter or `_` and goes on with letters, digits, `_`, and `.` where another of
//!   these follows: `v.f32` and `layers.0.weight` are one token, `a..b` is three.
//! * A number may have a sign, a fraction, an exponent, or the prefix `0x`; `-inf` is a number, `inf` and `nan` are
//!   identifiers that `Lexer::real` accepts.
//! * A string stands between double quotes, with `\"`, `\\`, `\n`, `\t` inside.
//! * Line ends separate like blanks; [`Lexer::starts_line`] tells where one was. A byte order mark at the very
//!   beginning is skipped.

mod string;

use crate::diagnostic::SourceError;
use std::{borrow::Cow, ops::Range};

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub enum Token<'a> {
    /// A word.
    Ident(&'a str),
    /// A number as written.
    Number(&'a str),
    /// A quoted string, without its quotes and escapes.
    Str(Cow<'a, str>),
    /// `->`, `=>`, `..`, or any other single character.
    Punct(&'a str),
    /// The end of the text.
    End,
}

/// What some editors write before a text in UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';

#[derive(Clone, Debug)]
struct Spanned<'a> {
    token: Token<'a>,
    span: Range<usize>,
    starts_line: bool,
}

/// A position in the tokens of a text. A clone is a bookmark.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    text: &'a str,
    next: Spanned<'a>,
    /// Where the token read last ends.
    read: usize,
}

impl<'a> Lexer<'a> {
    /// A lexer at the beginning of a text. The only error is a string that does not end on its line or has an unknown
    /// escape, wherever it stands.
    pub fn new(text: &'a str) -> Result<Self, SourceError> {
        let start = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
        if text.contains('"') {
            let mut token = spanned(text, start)?;
            while token.token != Token::End {
                token = spanned(text, token.span.end)?;
            }
        }
        let next = Spanned { starts_line: true, ..spanned(text, start)? };
        Ok(Self { text, next, read: 0 })
    }
    /// The text.
    pub fn text(&self) -> &'a str {
        self.text
    }
    /// The next token.
    pub fn peek(&self) -> &Token<'a> {
        &self.next.token
    }
    /// Bytes of the next token.
    pub fn span(&self) -> Range<usize> {
        self.next.span.clone()
    }
    /// Bytes from `start` to the end of the token read last.
    pub fn span_from(&self, start: usize) -> Range<usize> {
        start..self.read.max(start)
    }
    /// Whether the next token is the first of its line.
    pub fn starts_line(&self) -> bool {
        self.next.starts_line
    }
    /// Whether all tokens were read.
    pub fn at_end(&self) -> bool {
        *self.peek() == Token::End
    }
    /// Reads a token; at the end, [`Token::End`] again and again.
    pub fn advance(&mut self) -> (Token<'a>, Range<usize>) {
        if self.at_end() {
            return (Token::End, self.span());
        }
        let following = spanned(self.text, self.next.span.end).expect("the strings of this text were read before");
        let Spanned { token, span, .. } = std::mem::replace(&mut self.next, following);
        self.read = span.end;
        (token, span)
    }
    /// Whether the next token is this word or punctuation.
    pub fn sees(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Ident(w) | Token::Punct(w) if *w == word)
    }
    /// Reads this word or punctuation if it comes next.
    pub fn eat(&mut self, word: &str) -> bool {
        let seen = self.sees(word);
        if seen {
            self.advance();
        }
        seen
    }
    /// Reads this word or punctuation.
    pub fn expect(&mut self, word: &str) -> Result<Range<usize>, SourceError> {
        let span = self.span();
        if self.eat(word) { Ok(span) } else { Err(self.unexpected(format!("`{word}`"))) }
    }
    /// Reads an identifier; `what` names it in the error.
    pub(crate) fn ident(&mut self, what: &str) -> Result<(&'a str, Range<usize>), SourceError> {
        match *self.peek() {
            Token::Ident(name) => Ok((name, self.advance().1)),
            _ => Err(self.unexpected(what)),
        }
    }
    /// Reads a name: an identifier or a string.
    pub fn name(&mut self, what: &str) -> Result<(Cow<'a, str>, Range<usize>), SourceError> {
        match self.peek().clone() {
            Token::Ident(name) => Ok((Cow::Borrowed(name), self.advance().1)),
            Token::Str(name) => Ok((name, self.advance().1)),
            _ => Err(self.unexpected(what)),
        }
    }
    /// Reads an integer of any type; `what` names it in the error.
    pub fn integer<T: TryFrom<i128>>(&mut self, what: &str) -> Result<T, SourceError> {
        let Token::Number(digits) = *self.peek() else { return Err(self.unexpected(what)) };
        let Some(value) = whole(digits) else { return Err(self.unexpected(what)) };
        let value = T::try_from(value)
            .map_err(|_| SourceError::new(self.span(), format!("{digits} is out of range")).expecting(what))?;
        self.advance();
        Ok(value)
    }
    /// Reads a real number, `inf` and `nan` included; `what` names it in the error.
    pub(crate) fn real(&mut self, what: &str) -> Result<f64, SourceError> {
        let value = match *self.peek() {
            Token::Number("-inf") => f64::NEG_INFINITY,
            Token::Ident("inf") => f64::INFINITY,
            Token::Ident("nan" | "NaN") => f64::NAN,
            Token::Number(digits) => match digits.parse::<f64>() {
                Ok(value) if value.is_finite() => value,
                _ => return Err(SourceError::new(self.span(), format!("{digits} is out of range")).expecting(what)),
            },
            _ => return Err(self.unexpected(what)),
        };
        self.advance();
        Ok(value)
    }
    /// Reads `open`, items separated by commas (one may follow the last), and `close`.
    pub(crate) fn list<T>(
        &mut self,
        open: &str,
        close: &str,
        mut item: impl FnMut(&mut Self) -> Result<T, SourceError>,
    ) -> Result<Vec<T>, SourceError> {
        self.expect(open)?;
        let mut items = Vec::new();
        while !self.eat(close) {
            items.push(item(self)?);
            if !self.eat(",") && !self.sees(close) {
                return Err(self.unexpected(format!("`,` or `{close}`")));
            }
        }
        Ok(items)
    }
    /// The error that the next token is not what should be there.
    pub fn unexpected(&self, expected: impl Into<String>) -> SourceError {
        let span = self.span();
        let message = match self.peek() {
            Token::End => "the text ends here".to_string(),
            _ => format!("found `{}`", &self.text[span.clone()]),
        };
        SourceError::new(span, message).expecting(expected)
    }
}

/// A name as the lexer reads it back: bare where it is one identifier, else quoted.
pub fn quote(name: &str) -> Cow<'_, str> {
    let bare = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && ident_end(name, 0) == name.len();
    if bare {
        return Cow::Borrowed(name);
    }
    let mut out = String::from("\"");
    for c in name.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    Cow::Owned(out)
}

/// The first token at or after byte `at`.
fn spanned(text: &str, at: usize) -> Result<Spanned<'_>, SourceError> {
    let start = skip_blanks(text, at);
    let (token, end) = token_at(text, start)?;
    Ok(Spanned { token, span: start..end, starts_line: text[at..start].contains('\n') })
}

fn whole(digits: &str) -> Option<i128> {
    match digits.strip_prefix("0x") {
        Some(hex) => i128::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    }
}

fn skip_blanks(text: &str, mut at: usize) -> usize {
    loop {
        let rest = &text[at..];
        let blanks = rest.len() - rest.trim_start().len();
        let rest = &rest[blanks..];
        at += blanks;
        if !rest.starts_with(';') && !rest.starts_with("//") {
            return at;
        }
        at += rest.find('\n').unwrap_or(rest.len());
    }
}

fn token_at(text: &str, start: usize) -> Result<(Token<'_>, usize), SourceError> {
    let rest = &text[start..];
    let Some(first) = rest.chars().next() else { return Ok((Token::End, start)) };
    let digits = rest.strip_prefix('-').unwrap_or(rest);
    if first.is_ascii_alphabetic() || first == '_' {
        let end = ident_end(text, start);
        return Ok((Token::Ident(&text[start..end]), end));
    }
    if digits.starts_with(|c: char| c.is_ascii_digit()) {
        let end = number_end(text, start);
        return Ok((Token::Number(&text[start..end]), end));
    }
    if first == '-' && digits.starts_with("inf") && ident_end(digits, 0) == 3 {
        return Ok((Token::Number(&text[start..start + 4]), start + 4));
    }
    if first == '"' {
        return string::at(text, start);
    }
    let len = ["->", "=>", ".."].iter().find(|p| rest.starts_with(**p)).map_or(first.len_utf8(), |p| p.len());
    Ok((Token::Punct(&rest[..len]), start + len))
}

fn ident_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let word = |i: usize| bytes.get(i).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let mut end = start;
    while word(end) || (bytes.get(end) == Some(&b'.') && word(end + 1)) {
        end += 1;
    }
    end
}

fn number_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let run = |mut i: usize, accept: fn(&u8) -> bool| {
        while bytes.get(i).is_some_and(accept) {
            i += 1;
        }
        i
    };
    let digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    let begin = start + usize::from(bytes[start] == b'-');
    if text[begin..].starts_with("0x") && bytes.get(begin + 2).is_some_and(u8::is_ascii_hexdigit) {
        return run(begin + 2, u8::is_ascii_hexdigit);
    }
    let mut end = run(begin, u8::is_ascii_digit);
    if bytes.get(end) == Some(&b'.') && digit(end + 1) {
        end = run(end + 1, u8::is_ascii_digit);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
        if digit(end + 1 + sign) {
            end = run(end + 1 + sign, u8::is_ascii_digit);
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(text: &str) -> Vec<String> {
        let mut lexer = Lexer::new(text).unwrap();
        std::iter::from_fn(|| match lexer.advance().0 {
            Token::End => None,
            Token::Ident(w) => Some(format!("i:{w}")),
            Token::Number(w) => Some(format!("n:{w}")),
            Token::Punct(w) => Some(format!("p:{w}")),
            Token::Str(w) => Some(format!("s:{w}")),
        })
        .collect()
    }

    #[test]
    fn dots_join_words_but_two_dots_are_a_range() {
        assert_eq!(tokens("v.f32 v1..v2 0..-4"), ["i:v.f32", "i:v1", "p:..", "i:v2", "n:0", "p:..", "n:-4"]);
        assert_eq!(tokens("layers.0.weight."), ["i:layers.0.weight", "p:."]);
    }

    #[test]
    fn numbers_have_signs_fractions_and_exponents() {
        assert_eq!(tokens("-1.5e-7 1e+3 2e 0xff - 3"), ["n:-1.5e-7", "n:1e+3", "n:2", "i:e", "n:0xff", "p:-", "n:3"]);
        let mut lexer = Lexer::new("inf -inf nan 1e400").unwrap();
        assert_eq!(lexer.real("a number").unwrap(), f64::INFINITY);
        assert_eq!(lexer.real("a number").unwrap(), f64::NEG_INFINITY);
        assert!(lexer.real("a number").unwrap().is_nan());
        assert!(lexer.real("a number").is_err());
    }

    #[test]
    fn integers_must_fit_their_type() {
        assert_eq!(Lexer::new("-9223372036854775808").unwrap().integer::<i64>("a length").unwrap(), i64::MIN);
        let error = Lexer::new(" 256").unwrap().integer::<u8>("a byte").unwrap_err();
        assert_eq!((error.span, error.expected.as_deref()), (1..4, Some("a byte")));
        assert!(Lexer::new("1.5").unwrap().integer::<u8>("a byte").is_err());
    }

    #[test]
    fn comments_and_line_starts() {
        let mut lexer = Lexer::new("a ; one\n// two\nb c").unwrap();
        let starts: Vec<bool> = (0..3).map(|_| (lexer.starts_line(), lexer.advance()).0).collect();
        assert_eq!(starts, [true, true, false]);
    }

    #[test]
    fn a_byte_order_mark_is_skipped_and_counted() {
        let mut lexer = Lexer::new("\u{feff}a \u{feff}").unwrap();
        assert_eq!(lexer.advance(), (Token::Ident("a"), 3..4));
        assert_eq!(lexer.advance().0, Token::Punct("\u{feff}"));
        assert_eq!((lexer.advance(), lexer.advance()), ((Token::End, 8..8), (Token::End, 8..8)));
        assert_eq!(lexer.span_from(3), 3..8);
    }

    #[test]
    fn broken_strings_are_errors() {
        for text in ["\"abc", "\"a\nb\"", "\"a\\q\"", "\"\\"] {
            assert!(Lexer::new(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn quoted_names_read_back(name in any::<String>()) {
            let quoted = quote(&name).into_owned();
            prop_assert_eq!(Lexer::new(&quoted).unwrap().name("a name").unwrap().0, name);
        }
        #[test]
        fn any_text_lexes_and_renders(text in any::<String>(), start in 0usize..40, len in 0usize..40) {
            if let Err(error) = Lexer::new(&text) {
                error.render(&text, "f");
            }
            SourceError::new(start..start + len, "m").render(&text, "f");
        }
        #[test]
        fn reals_read_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            let back = Lexer::new(&format!("{value:?}")).unwrap().real("a number").unwrap();
            prop_assert!(back.to_bits() == bits || value.is_nan() && back.is_nan());
        }
    }
}
