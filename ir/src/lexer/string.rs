//! Quoted strings of both languages, with the escapes that Rust writes: `"a\u{202e}b"`.
//!
//! Printers write strings as Rust's `{:?}` does, so everything that it escapes must be read: quotes and backslashes, `\n`, `\r`,
//! `\t`, `\0`, and by number what has no picture of its own or changes the order of others.

use super::Token;
use crate::diagnostic::SourceError;
use std::borrow::Cow;

/// The string whose opening quote is at `start`, and where it ends.
pub(super) fn at(text: &str, start: usize) -> Result<(Token<'_>, usize), SourceError> {
    let (first, mut plain) = (start + 1, String::new());
    let mut at = first;
    while let Some(c) = text[at..].chars().next() {
        match c {
            '"' if plain.len() == at - first => return Ok((Token::Str(Cow::Borrowed(&text[first..at])), at + 1)),
            '"' => return Ok((Token::Str(Cow::Owned(plain)), at + 1)),
            '\n' => return Err(SourceError::new(start..at, "this string does not end on its line").expecting("`\"`")),
            '\\' => {
                let Some((c, length)) = escaped(&text[at + 1..]) else {
                    let end = at + 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8);
                    let known = "`\\\"`, `\\\\`, `\\n`, `\\r`, `\\t`, `\\0` or a character's number such as `\\u{e9}`";
                    return Err(SourceError::new(at..end, "unknown escape in a string").expecting(known));
                };
                plain.push(c);
                at += 1 + length;
            }
            c => {
                plain.push(c);
                at += c.len_utf8();
            }
        }
    }
    Err(SourceError::new(start..text.len(), "this string does not end").expecting("`\"`"))
}

/// The character that an escape means, and how long its text is after the backslash.
fn escaped(text: &str) -> Option<(char, usize)> {
    match text.chars().next()? {
        c @ ('"' | '\\') => Some((c, 1)),
        'n' => Some(('\n', 1)),
        'r' => Some(('\r', 1)),
        't' => Some(('\t', 1)),
        '0' => Some(('\0', 1)),
        'u' => {
            // Six digits hold every character.
            let end = text.bytes().take(9).position(|b| b == b'}')?;
            let digits = text.get(1..end)?.strip_prefix('{')?;
            let number =
                digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())??;
            Some((char::from_u32(number)?, end + 1))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<(String, usize), String> {
        match at(text, 0) {
            Ok((Token::Str(plain), end)) => Ok((plain.into_owned(), end)),
            Ok(_) => panic!("a string is a string"),
            Err(error) => Err(error.message),
        }
    }

    proptest! {
        #[test]
        fn what_rust_prints_is_read(text in any::<String>()) {
            let printed = format!("{text:?}");
            prop_assert_eq!(read(&format!("{printed} and more")), Ok((text, printed.len())));
        }
    }

    #[test]
    fn escapes_that_mean_nothing_are_errors() {
        for text in [
            r#""\x""#,
            r#""\u""#,
            r#""\u{}""#,
            r#""\u{d800}""#,
            r#""\u{110000}""#,
            r#""\u{+1}""#,
            r#""\u{1""#,
            r#""\ué""#,
        ] {
            assert_eq!(read(text), Err("unknown escape in a string".into()), "{text}");
        }
        for text in ["\"", "\"abc", r#""\""#] {
            assert_eq!(read(text), Err("this string does not end".into()), "{text}");
        }
        assert_eq!(read(r#""\u{202E}\u{e9}\0\r""#), Ok(("\u{202e}é\0\r".into(), 20)));
    }
}
