//! What fits on a line: how wide the terminal is, and text made to fit it.
//!
//! ```text
//!   a terminal      its own width            layers.2.blocks.3.attn.relative_position_bias_table   52 columns
//!   a pipe, a file  COLUMNS, or 100          layers.2.blocks.…_position_bias_table                 38
//!   --wide          no limit
//! ```
//!
//! A width counts columns of the terminal, not characters: `中` takes two, a combining accent none. Names come from files
//! that anyone may have written, so control characters and marks that turn the direction of writing are shown as escapes.

use rustix::termios::tcgetwinsize;
use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of a line where standard output is not a terminal.
pub(crate) const PIPED: usize = 100;
/// The fewest columns that a table is laid out for.
const LEAST: usize = 20;

/// Columns that a line of standard output may take: the terminal's; [`PIPED`] for pipes and files, unless the variable
/// COLUMNS says otherwise. `None`, no limit, where `wide` asks for it.
pub(crate) fn width(wide: bool) -> Option<usize> {
    if wide {
        return None;
    }
    Some(of(io::stdout()).unwrap_or(PIPED).max(LEAST))
}

/// Columns that a line of standard error may take: the terminal's, or those of the variable COLUMNS. `None`, no limit, in
/// pipes and files, where users search for what an error names.
pub(crate) fn error_width() -> Option<usize> {
    of(io::stderr()).map(|columns| columns.max(LEAST))
}

/// Columns of what a stream is connected to, where that or the variable COLUMNS says.
fn of(stream: impl AsFd) -> Option<usize> {
    // A terminal may know its columns and not its rows, so each counts by itself.
    let terminal = tcgetwinsize(stream).ok().map(|size| usize::from(size.ws_col)).filter(|&columns| columns > 0);
    let variable = || std::env::var("COLUMNS").ok()?.parse::<usize>().ok();
    terminal.or_else(variable).filter(|&columns| columns > 0)
}

/// Whether a stream shows colours: a terminal, where nobody asks for none.
pub(crate) fn is_colored(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|asked| asked.is_empty())
}

/// Columns that a text takes.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// Whether a character changes the terminal's state or the direction of writing instead of showing itself.
fn is_command(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text with escapes in the place of control characters: `\u{1b}[31m` for a switch to red.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    match text.contains(is_command) {
        false => Cow::Borrowed(text),
        true => Cow::Owned(
            text.chars().map(|c| if is_command(c) { c.escape_default().to_string() } else { c.into() }).collect(),
        ),
    }
}

/// A text of at most `width` columns: where it is longer, `…` stands for what is left out of its middle.
pub(crate) fn shorten(text: &str, width: usize) -> Cow<'_, str> {
    // A long text is not measured as a whole: all that can be kept is at its ends.
    if text.len() <= width || (text.len() <= 16 * width.max(1) && columns(text) <= width) {
        return Cow::Borrowed(text);
    }
    let room = width.saturating_sub(1);
    let front = room - room / 2;
    let head = taken(text.chars(), front);
    let tail = taken(text.chars().rev(), room - columns(&head));
    let tail: String = tail.chars().rev().collect();
    Cow::Owned(if width == 0 { String::new() } else { format!("{head}…{tail}") })
}

/// The first characters that take at most `width` columns.
fn taken(characters: impl Iterator<Item = char>, width: usize) -> String {
    let mut left = width;
    let fits = |c: &char| {
        let columns = c.width().unwrap_or(0);
        let fits = columns <= left;
        left = left.saturating_sub(columns);
        fits
    };
    // Marks without a width of their own could go on for ever.
    characters.take(4 * width).take_while(fits).collect()
}

/// A sentence in lines of at most `width` columns, broken at blanks; lines after the first begin with `indent`. A word that
/// is longer than a line loses its middle.
pub(crate) fn wrapped(text: &str, width: Option<usize>, indent: &str) -> String {
    let Some(width) = width.filter(|&width| columns(text) > width) else { return text.to_owned() };
    let room = width.saturating_sub(indent.len()).max(1);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one");
        let blank = if lines_begin(line) { 0 } else { 1 };
        if blank == 1 && columns(line) + 1 + columns(word) > width {
            lines.push(format!("{indent}{}", shorten(word, room)));
        } else {
            line.push_str(&" "[..blank]);
            line.push_str(&shorten(word, width.saturating_sub(columns(line)).max(1)));
            // A blank at the beginning of the text is part of it.
            if word.is_empty() && blank == 0 {
                line.push(' ');
            }
        }
    }
    lines.join("\n")
}

/// Whether nothing but blanks stands in a line.
fn lines_begin(line: &str) -> bool {
    line.bytes().all(|b| b == b' ')
}

/// Every line of a text in lines of at most `width` columns; what is broken off is indented four more than its line.
pub(crate) fn wrapped_lines(text: &str, width: Option<usize>) -> String {
    let line = |line: &str| wrapped(line, width, &" ".repeat(hanging(line, width.unwrap_or(usize::MAX)))) + "\n";
    text.lines().map(line).collect()
}

/// Writes sentences to standard output, in lines that fit it. Names and paths stay whole: a word that is longer than a
/// line goes on in the next one.
pub(crate) fn say(out: &mut dyn Write, text: &str) -> io::Result<()> {
    out.write_all(folded_lines(text, width(false)).as_bytes())
}

/// The same as [`wrapped_lines`], but a word that is longer than a line goes on in the next one.
pub(crate) fn folded_lines(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return wrapped_lines(text, None) };
    let line = |line: &str| {
        let line = &*plain(line);
        if columns(line) <= width {
            return format!("{line}\n");
        }
        let indent = " ".repeat(hanging(line, width));
        let room = width.saturating_sub(indent.len()).max(1);
        let mut lines = vec![String::new()];
        for (i, word) in line.split(' ').enumerate() {
            let last = lines.last_mut().expect("there is one");
            let gap = usize::from(i > 0);
            if columns(last) + gap + columns(word) <= width {
                last.push_str(&" "[..gap]);
                last.push_str(word);
                continue;
            }
            lines.extend(pieces(word, room).map(|piece| format!("{indent}{piece}")));
        }
        // What begins with a word that is longer than a line.
        lines.retain(|line| !lines_begin(line));
        lines.join("\n") + "\n"
    };
    text.lines().map(line).collect()
}

/// A word in pieces of at most `width` columns.
fn pieces(word: &str, width: usize) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let piece = taken(rest.chars(), width).len();
        // A character that is wider than a line stands alone.
        let piece = if piece == 0 { rest.chars().next()?.len_utf8() } else { piece };
        let (piece, after) = rest.split_at(piece);
        rest = after;
        Some(piece)
    })
}

/// Blanks before what is broken off a line: four more than the line has.
fn hanging(line: &str, width: usize) -> usize {
    let indent = line.len() - line.trim_start_matches(' ').len();
    indent.min(width / 2) + 4
}

/// A writer that lets nothing through that would command the terminal: control characters become escapes, as in [`plain`], but
/// for line ends and tabs.
pub(crate) struct Plain<W>(pub W);

impl<W: Write> Write for Plain<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|&byte| is_suspect(byte)) {
            let (before, from) = rest.split_at(at);
            self.0.write_all(before)?;
            let length = from.iter().skip(1).take(2).take_while(|&&byte| byte & 0xc0 == 0x80).count() + 1;
            let (one, after) = from.split_at(length);
            match std::str::from_utf8(one) {
                Ok(text) if text.contains(is_command) && text != "\n" => self.0.write_all(plain(text).as_bytes())?,
                _ => self.0.write_all(one)?,
            }
            rest = after;
        }
        self.0.write_all(rest)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Whether a control character, or a mark that turns the direction of writing, may begin with the byte.
fn is_suspect(byte: u8) -> bool {
    (byte < 0x20 && !b"\n\t".contains(&byte)) || matches!(byte, 0x7f | 0xc2 | 0xe2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_lose_their_middle() {
        assert_eq!(shorten("layers.2.blocks.3.mlp.fc1", 30), "layers.2.blocks.3.mlp.fc1");
        assert_eq!(shorten("layers.2.blocks.3.mlp.fc1", 11), "layer…p.fc1");
        assert_eq!(shorten("中文字符名称", 7), "中…名称");
        assert_eq!((shorten("abc", 1), shorten("abc", 0)), ("…".into(), "".into()));
    }

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(plain("a\u{1b}[31mb\n"), "a\\u{1b}[31mb\\n");
        assert_eq!(plain("abc\u{202e}def"), "abc\\u{202e}def");
        assert!(matches!(plain("ä 中"), Cow::Borrowed(_)));
    }

    #[test]
    fn sentences_break_at_blanks() {
        assert_eq!(wrapped("one two three", Some(8), "  "), "one two\n  three");
        assert_eq!(wrapped("one two three", None, "  "), "one two three");
        assert_eq!(wrapped("unbreakable x", Some(4), ""), "un…e\nx");
        assert_eq!(wrapped("  one two three", Some(10), "    "), "  one two\n    three");
        assert_eq!(wrapped_lines("  one two three\nfour\n", Some(12)), "  one two\n      three\nfour\n");
    }

    #[test]
    fn long_words_go_on_in_the_next_line() {
        assert_eq!(folded_lines("at /usr/share/x is", Some(12)), "at\n    /usr/sha\n    re/x is\n");
        assert_eq!(folded_lines("abcdefghijklmnop", Some(12)), "    abcdefgh\n    ijklmnop\n");
        assert_eq!(folded_lines("one two\n", None), "one two\n");
    }

    fn through(text: &str) -> String {
        let mut out = Vec::new();
        write!(Plain(&mut out), "{text}").unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nothing_commands_the_terminal() {
        assert_eq!(through("a\u{1b}[31mb\tc\r\n"), "a\\u{1b}[31mb\tc\\r\n");
        assert_eq!(through("\u{9b}31m \u{202e}x é 中 ▶ …"), "\\u{9b}31m \\u{202e}x é 中 ▶ …");
    }

    proptest! {
        #[test]
        fn wrapped_text_fits(text in "[a-z中 ]{0,80}", width in 12usize..40) {
            let text = wrapped(&text, Some(width), "    ");
            prop_assert!(text.lines().all(|line| columns(line) <= width), "{text:?}");
        }
        #[test]
        fn folded_text_fits_and_loses_nothing(text in "[a-z中 ]{0,80}", width in 12usize..40) {
            let folded = folded_lines(&text, Some(width));
            prop_assert!(folded.lines().all(|line| columns(line) <= width), "{folded:?}");
            let characters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(characters(&folded), characters(&text));
        }
        #[test]
        fn what_is_written_is_what_plain_makes_of_it(text in any::<String>()) {
            let kept = ['\n', '\t'];
            let plain = |part: &str| match part.strip_suffix(kept) {
                Some(rest) => plain(rest).into_owned() + &part[rest.len()..],
                None => plain(part).into_owned(),
            };
            let expected: String = text.split_inclusive(kept).map(plain).collect();
            prop_assert_eq!(through(&text), expected);
        }
        #[test]
        fn shortened_text_fits(text in any::<String>(), width in 0usize..40) {
            let text = plain(&text);
            let short = shorten(&text, width);
            prop_assert!(columns(&short) <= width, "{short:?}");
            prop_assert!(columns(&text) > width || *short == *text);
        }
    }
}
