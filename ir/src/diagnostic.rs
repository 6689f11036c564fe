//! Errors in a text, with their places.
//!
//! ```text
//!     block.rg:3:14: found `@`, expected `,`          one line; the command line also draws the text around it
//! ```

use std::{fmt, ops::Range};

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    /// One clause without a full stop: what was found.
    pub message: String,
    /// Bytes of the text that are wrong; empty at the end of the text.
    pub span: Range<usize>,
    /// What would have been right there.
    pub expected: Option<String>,
    /// Other places that matter, each with what it is.
    pub labels: Vec<(Range<usize>, String)>,
}

impl SourceError {
    /// An error at a place.
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { message: message.into(), span, expected: None, labels: Vec::new() }
    }
    /// Adds what would have been right.
    pub fn expecting(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }
    /// Adds another place that matters.
    pub fn label(mut self, span: Range<usize>, note: impl Into<String>) -> Self {
        self.labels.push((span, note.into()));
        self
    }
    /// The error in one line, after its place: `FILE:LINE:COLUMN: found …, expected …`. The command line draws the text.
    pub fn render(&self, text: &str, file_name: &str) -> String {
        let (line, column) = line_col(text, self.span.start);
        format!("{file_name}:{line}:{column}: {self}")
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.expected {
            Some(expected) => write!(f, ", expected {expected}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SourceError {}

impl From<SourceError> for String {
    fn from(error: SourceError) -> String {
        error.to_string()
    }
}

/// Line and column, both from 1, of a byte offset; columns count characters. Offsets past the end name the end.
pub(crate) fn line_col(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let begin = before.rfind('\n').map_or(0, |i| i + 1);
    (before.matches('\n').count() + 1, before[begin..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_point_at_the_text() {
        let text = "a = add b\n\tc = é @ d\n";
        let span = text.find('@').unwrap()..text.find('@').unwrap() + 1;
        let rendered = SourceError::new(span, "found `@`").expecting("`,`").render(text, "f");
        assert_eq!(rendered, "f:2:8: found `@`, expected `,`");
        assert_eq!(line_col(text, 10_000), (3, 1));
    }
}
