//! Graphs in files: `.rg` text, and its errors with their places.

use crate::{
    errors::{Error, Result, TextError},
    files,
};
use regard_ir::{graph::Graph, text};
use std::path::Path;

/// The longest `.rg` file read, in bytes.
const MAX_TEXT: u64 = 64 << 20;

/// Reads a graph from a file.
///
/// # Errors
/// Where the file cannot be read, is not a graph, or is one that returns nothing.
pub fn read(path: &Path) -> Result<Graph> {
    let text = files::read_text(path, MAX_TEXT)?;
    let graph = parse(&text, &path.display().to_string())?;
    match graph.outputs.is_empty() {
        true => Err(Error::Failed(format!("{} returns nothing, expected `return %name`", path.display()))),
        false => Ok(graph),
    }
}

/// Reads a graph from text; `file` is where it is from, for users.
///
/// # Errors
/// Where the text is not a graph; the error knows the place.
pub fn parse(text: &str, file: &str) -> Result<Graph> {
    text::parse(text)
        .map_err(|error| Error::Text(TextError { file: file.to_owned(), text: text.to_owned(), errors: vec![error] }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_in_text_carry_their_place() {
        let text = "graph g {\n  %x = input : f32[2]\n  %y = adddd %x, %x\n  return %y\n}\n";
        let error = parse(text, "g.rg").unwrap_err();
        assert!(error.to_string().starts_with("g.rg:3:8: "), "{error}");
        assert!(matches!(error, Error::Text(TextError { text: kept, .. }) if kept == text));
    }
}
