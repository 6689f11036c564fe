//! What can go wrong, as values: one clear sentence each, and the exit code that belongs to it.
//!
//! ```text
//!   0  fine      1  the job failed (a file, a model, a contract)      2  the command line was wrong
//! ```
//!
//! Errors in `.rg` text carry their places and are drawn with the offending text underlined.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use regard_ir::{graph::EvalError, source::SourceError};
use regard_runtime::PackageError;
use std::{
    fmt, io,
    path::{Path, PathBuf},
};
use thiserror::Error as ThisError;

use crate::{
    report::screen::{columns, folded_lines, plain, shorten},
    weights::Faults,
};

/// The most columns of a line of an error: names come from files that anyone may have written.
const LONGEST: usize = 1000;

/// Shorthand for results of this crate.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Why a command did not do its job.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The command line asks for something that does not exist.
    #[error("{0}")]
    Usage(String),
    /// The command line cannot be read.
    #[error("{}", .0.render())]
    CommandLine(clap::Error),
    /// The job failed; the sentence says how.
    #[error("{0}")]
    Failed(String),
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file cannot be written; what was there before is untouched.
    #[error("cannot write {}: {source}", output_name(path))]
    Write {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file of tensors that is none, or lacks what is needed.
    #[error("{}: {what}", path.display())]
    Archive {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// An image that cannot be used.
    #[error("{}: {what}", path.display())]
    Image {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Weights that do not fit the model.
    #[error(transparent)]
    Weights(#[from] Faults),
    /// Text with errors in it.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A graph that cannot be evaluated.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// A pass refused the graph.
    #[error(transparent)]
    Pass(#[from] regard_passes::Error),
    /// A back end refused a kernel.
    #[error(transparent)]
    Emit(#[from] regard_codegen::EmitError),
    /// A session refused the program or its inputs.
    #[error(transparent)]
    Session(#[from] regard_runtime::SessionError),
    /// An executable that cannot be written or opened.
    #[error(transparent)]
    Package(PackageError),
    /// The system refused memory or output.
    #[error("the system refuses: {0}")]
    System(#[from] io::Error),
}

impl From<PackageError> for Error {
    fn from(error: PackageError) -> Error {
        match error {
            PackageError::Write { path, source } => Error::Write { path, source },
            PackageError::Read { path, source } => Error::Read { path, source },
            error => Error::Package(error),
        }
    }
}

/// What an output is called: `-` is not a name that users know from their directories.
fn output_name(path: &Path) -> String {
    if path == Path::new("-") { "standard output".into() } else { path.display().to_string() }
}

impl Error {
    /// Exit code of the process.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) | Error::CommandLine(_) => 2,
            _ => 1,
        }
    }
    /// The whole message for a person, in lines of at most `width` columns; `color` where it goes to a terminal.
    pub(crate) fn render(&self, color: bool, width: Option<usize>) -> String {
        let text = match self {
            Error::Text(text) => return text.render(color, width),
            Error::CommandLine(error) => {
                let text = error.render();
                let plain = text.to_string();
                if color && plain.lines().all(|line| width.is_none_or(|width| columns(line) <= width)) {
                    return text.ansi().to_string();
                }
                plain
            }
            error => format!("error: {error}"),
        };
        let lines: Vec<String> = text.lines().map(|line| shorten(&plain(line), LONGEST).into_owned()).collect();
        folded_lines(&lines.join("\n"), width)
    }
    /// Whether the reader of standard output went away, which ends a command quietly.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Error::System(source) | Error::Write { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// All errors of one text.
#[derive(Debug)]
pub struct TextError {
    /// Where the text is from, for users.
    pub file: String,
    /// The text.
    pub text: String,
    /// What is wrong, at least one.
    pub errors: Vec<SourceError>,
}

impl std::error::Error for TextError {}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false, None).trim_end())
    }
}

impl TextError {
    /// File, line and column, the offending text underlined, and what was expected, error by error; of text that is wider
    /// than `width` columns, the part around the error.
    pub(crate) fn render(&self, color: bool, width: Option<usize>) -> String {
        let groups: Vec<Group<'_>> = self.errors.iter().map(|error| self.group(error)).collect();
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let renderer = width.map_or(renderer.clone(), |width| renderer.term_width(width));
        renderer.render(&groups)
    }

    fn group<'a>(&'a self, error: &'a SourceError) -> Group<'a> {
        let clamp = |span: &std::ops::Range<usize>| {
            let start = self.text.floor_char_boundary(span.start);
            start..self.text.ceil_char_boundary(span.end.min(self.text.len())).max(start)
        };
        let mut primary = AnnotationKind::Primary.span(clamp(&error.span));
        if let Some(expected) = &error.expected {
            primary = primary.label(format!("expected {expected}"));
        }
        let mut snippet = Snippet::source(&self.text).path(&self.file).annotation(primary);
        for (span, note) in &error.labels {
            snippet = snippet.annotation(AnnotationKind::Context.span(clamp(span)).label(note));
        }
        Level::ERROR.primary_title(plain(&error.message)).element(snippet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text_error(text: &str, span: std::ops::Range<usize>) -> TextError {
        let error = SourceError::new(span, "found `@`").expecting("`,`").label(0..1, "begins here");
        TextError { file: "block.rg".into(), text: text.into(), errors: vec![error] }
    }

    #[test]
    fn the_place_is_named_and_underlined() {
        let rendered = text_error("graph g {\n  %a = add %b @ %c\n}\n", 24..25).render(false, None);
        assert!(rendered.contains("block.rg:2:15"), "{rendered}");
        assert!(rendered.contains("%a = add %b @ %c"), "{rendered}");
        assert!(rendered.contains("^ expected `,`"), "{rendered}");
    }

    #[test]
    fn usage_exits_with_two() {
        assert_eq!(Error::Usage("no".into()).exit_code(), 2);
        assert_eq!(Error::Failed("no".into()).exit_code(), 1);
    }

    proptest! {
        #[test]
        fn any_span_of_any_text_renders(text in any::<String>(), start in 0usize..60, len in 0usize..60) {
            let rendered = text_error(&text, start..start + len).render(false, None);
            prop_assert!(rendered.contains("found `@`"));
        }
    }
}
