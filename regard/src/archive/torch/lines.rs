//! Numbers, texts and storages as protocols 0 and 1 of pickle write them: as lines of text.
//!
//! ```text
//!   I12          L12L        F0.5        S'fc.weight'        Vfc.weight
//!   I01  true    P('storage', <class 'torch.FloatStorage'>, '0', 'cpu', 6)
//! ```

use super::{names::Name, value::Value};
use std::borrow::Cow;

/// The value of a line after an opcode.
pub(crate) fn value<'a>(code: u8, line: &'a str) -> Result<Value<'a>, String> {
    match code {
        b'I' if line == "01" => Ok(Value::Bool(true)),
        b'I' if line == "00" => Ok(Value::Bool(false)),
        b'I' | b'L' => integer(line.strip_suffix('L').unwrap_or(line)),
        b'F' => match line.trim().parse::<f64>() {
            Ok(_) => Ok(Value::Plain),
            Err(_) => Err("has a number that is not one".into()),
        },
        _ => {
            let quote = line.chars().next().filter(|c| matches!(c, '\'' | '"'));
            let inside = quote.and_then(|quote| line.strip_prefix(quote)?.strip_suffix(quote));
            Ok(Value::Text(unescaped(inside.ok_or("has a text without quotes")?)?))
        }
    }
}

/// The text of a line: a byte is the character of that number, and others are escapes, `\u5c42`. A backslash that begins
/// nothing else stands for itself.
pub(crate) fn characters(line: &[u8]) -> Result<Cow<'_, str>, String> {
    match std::str::from_utf8(line) {
        Ok(text) if text.is_ascii() && !text.contains('\\') => return Ok(Cow::Borrowed(text)),
        _ => {}
    }
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let [byte, after @ ..] = rest {
        let digits = match rest {
            [b'\\', b'u', ..] => 4,
            [b'\\', b'U', ..] => 8,
            _ => {
                out.push(char::from(*byte));
                rest = after;
                continue;
            }
        };
        let number = rest.get(2..2 + digits).and_then(|text| std::str::from_utf8(text).ok());
        let number = number.and_then(|text| u32::from_str_radix(text, 16).ok());
        out.push(number.and_then(char::from_u32).ok_or("has a text with an unknown escape")?);
        rest = &rest[2 + digits..];
    }
    Ok(Cow::Owned(out))
}

fn integer<'a>(digits: &str) -> Result<Value<'a>, String> {
    let digits = digits.trim();
    let bare = digits.strip_prefix('-').unwrap_or(digits);
    match digits.parse() {
        Ok(number) => Ok(Value::Int(number)),
        // Beyond 64 bits: a number of training state.
        Err(_) if !bare.is_empty() && bare.bytes().all(|b| b.is_ascii_digit()) => Ok(Value::Plain),
        Err(_) => Err("has an integer that is not one".into()),
    }
}

/// The number of a line that names a remembered value.
pub(crate) fn slot(line: &str) -> Result<u32, String> {
    line.trim().parse().map_err(|_| "remembers a value under what is not a number".into())
}

/// Class, key and elements of a storage as Python prints its tuple.
pub(crate) fn persistent(line: &str) -> Result<(Name<'_>, &str, i64), String> {
    let parse = || {
        let inside = line.trim().strip_prefix('(')?.strip_suffix(')')?;
        let mut parts = inside.split(", ");
        let [word, class, key, _, elements] = [(); 5].map(|()| parts.next());
        let quoted = |text: &'_ str| text.len() >= 2 && text.starts_with('\'') && text.ends_with('\'');
        let (class, key) = (class?, key?);
        let path = class.strip_prefix("<class '")?.strip_suffix("'>")?;
        let (module, name) = path.rsplit_once('.')?;
        let known = word? == "'storage'" && quoted(key);
        let elements = elements?.trim_end_matches('L').parse().ok()?;
        known.then(|| (Name { module, name }, &key[1..key.len() - 1], elements))
    };
    parse().ok_or_else(|| "has a persistent id that is not a storage".into())
}

/// A text without its escapes.
fn unescaped(text: &str) -> Result<Cow<'_, str>, String> {
    if !text.contains('\\') {
        return Ok(Cow::Borrowed(text));
    }
    let bad = || "has a text with an unknown escape".to_owned();
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let digits = |chars: &mut std::str::Chars, count: usize| {
            let digits: String = chars.by_ref().take(count).collect();
            u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == count).and_then(char::from_u32)
        };
        out.push(match chars.next() {
            Some(same @ ('\\' | '\'' | '"')) => same,
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('x') => digits(&mut chars, 2).ok_or_else(bad)?,
            Some('u') => digits(&mut chars, 4).ok_or_else(bad)?,
            Some('U') => digits(&mut chars, 8).ok_or_else(bad)?,
            _ => return Err(bad()),
        });
    }
    Ok(Cow::Owned(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(code: u8, line: &str) -> String {
        match value(code, line).unwrap() {
            Value::Text(text) => text.into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lines_are_numbers_and_texts() {
        assert!(matches!(value(b'I', "12").unwrap(), Value::Int(12)));
        assert!(matches!(value(b'L', "-7L").unwrap(), Value::Int(-7)));
        assert!(matches!(value(b'L', "119547037146038801333356L").unwrap(), Value::Plain));
        assert!(matches!(value(b'I', "01").unwrap(), Value::Bool(true)));
        assert!(matches!(value(b'F', "0.5").unwrap(), Value::Plain));
        assert_eq!(text(b'S', "'fc.weight'"), "fc.weight");
        assert_eq!(characters(b"a\\u000ab\\n\xe9").unwrap(), "a\nb\\né");
        assert!(matches!(characters(b"fc.weight"), Ok(Cow::Borrowed(_))));
        assert!(characters(b"a\\u00").is_err() && characters(b"\\ud800").is_err());
        for (code, line) in
            [(b'I', "x"), (b'L', ""), (b'F', "one"), (b'S', "a"), (b'S', "'"), (b'S', "'\\q'"), (b'S', "'\\u00'")]
        {
            assert!(value(code, line).is_err(), "{line}");
        }
        assert_eq!(slot("12"), Ok(12));
        assert!(slot("-1").is_err());
    }

    #[test]
    fn storages_are_read_as_python_prints_them() {
        let (class, key, elements) = persistent("('storage', <class 'torch.FloatStorage'>, '94', 'cpu', 6)").unwrap();
        assert_eq!((class.module, class.name, key, elements), ("torch", "FloatStorage", "94", 6));
        for bad in
            ["", "()", "('storage', 'torch', '0', 'cpu', 6)", "('storage', <class 'torch.FloatStorage'>, 0, 'cpu', 6)"]
        {
            assert!(persistent(bad).is_err(), "{bad}");
        }
    }
}
