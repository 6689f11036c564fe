//! Errors as people read them, and the exit code that belongs to each.
//!
//! ```text
//!   0  fine      1  the job failed (a file, a model, a contract)      2  the command line was wrong
//!
//!   error: found `@`, expected `,`         errors in text are drawn with the offending part underlined
//!    ╭▸ block.rg:2:15
//!   2 │   %a = add %b @ %c
//!     ╰╴              ━ expected `,`
//! ```

use super::screen::{columns, folded_lines, plain, shorten};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use regard::errors::{Error, TextError};
use regard_ir::diagnostic::SourceError;
use std::{io, ops::Range};

/// The most columns of a line of an error: names come from files that anyone may have written.
const LONGEST: usize = 1000;

/// Why the program did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line cannot be read.
    CommandLine(clap::Error),
    /// A command did not do its job.
    Command(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Command(error)
    }
}

impl Failure {
    /// Exit code of the process.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Failure::Command(Error::Usage(_)) | Failure::CommandLine(_) => 2,
            Failure::Command(_) => 1,
        }
    }
    /// The whole message for a person, in lines of at most `width` columns; `color` where it goes to a terminal.
    pub(crate) fn render(&self, color: bool, width: Option<usize>) -> String {
        let text = match self {
            Failure::Command(Error::Text(text)) => return draw(text, color, width),
            Failure::Command(error) => format!("error: {error}"),
            Failure::CommandLine(error) => {
                let text = error.render();
                let plain = text.to_string();
                if color && plain.lines().all(|line| width.is_none_or(|width| columns(line) <= width)) {
                    return text.ansi().to_string();
                }
                plain
            }
        };
        let lines: Vec<String> = text.lines().map(|line| shorten(&plain(line), LONGEST).into_owned()).collect();
        folded_lines(&lines.join("\n"), width)
    }
    /// Whether the reader of standard output went away, which ends a command quietly.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let Failure::Command(error) = self else { return false };
        matches!(error, Error::System(source) | Error::Write { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// File, line and column, the offending text underlined, and what was expected, error by error; of text that is wider than
/// `width` columns, the part around the error.
pub fn draw(error: &TextError, color: bool, width: Option<usize>) -> String {
    let groups: Vec<Group<'_>> = error.errors.iter().map(|each| group(error, each)).collect();
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = width.map_or(renderer.clone(), |width| renderer.term_width(width));
    renderer.render(&groups)
}

fn group<'a>(TextError { file, text, .. }: &'a TextError, error: &'a SourceError) -> Group<'a> {
    let clamp = |span: &Range<usize>| {
        let start = text.floor_char_boundary(span.start);
        start..text.ceil_char_boundary(span.end.min(text.len())).max(start)
    };
    let mut primary = AnnotationKind::Primary.span(clamp(&error.span));
    if let Some(expected) = &error.expected {
        primary = primary.label(format!("expected {expected}"));
    }
    let mut snippet = Snippet::source(text).path(file).annotation(primary);
    for (span, note) in &error.labels {
        snippet = snippet.annotation(AnnotationKind::Context.span(clamp(span)).label(note));
    }
    Level::ERROR.primary_title(plain(&error.message)).element(snippet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text_error(text: &str, span: Range<usize>) -> TextError {
        let error = SourceError::new(span, "found `@`").expecting("`,`").label(0..1, "begins here");
        TextError { file: "block.rg".into(), text: text.into(), errors: vec![error] }
    }

    #[test]
    fn the_place_is_named_and_underlined() {
        let error = text_error("graph g {\n  %a = add %b @ %c\n}\n", 24..25);
        assert_eq!(error.to_string(), "block.rg:2:15: found `@`, expected `,`");
        let rendered = draw(&error, false, None);
        assert!(rendered.contains("block.rg:2:15"), "{rendered}");
        assert!(rendered.contains("%a = add %b @ %c"), "{rendered}");
        assert!(rendered.contains("^ expected `,`"), "{rendered}");
    }

    #[test]
    fn usage_exits_with_two() {
        assert_eq!(Failure::from(Error::Usage("no".into())).exit_code(), 2);
        assert_eq!(Failure::from(Error::Failed("no".into())).exit_code(), 1);
    }

    proptest! {
        #[test]
        fn any_span_of_any_text_renders(text in any::<String>(), start in 0usize..60, len in 0usize..60) {
            let rendered = draw(&text_error(&text, start..start + len), false, None);
            prop_assert!(rendered.contains("found `@`"));
        }
    }
}
