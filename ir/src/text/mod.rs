//! Graphs as text: the `.rg` language.
//!
//! ```text
//!   graph rows {                                  // comments start like this, or with a semicolon
//!     %q = input : f32[2, 49, 32]
//!     %k = input : f32[2, 49, 32]
//!     %t = transpose %k { order = [-1, -2] }      // a type may follow; then it is checked
//!     %s = matmul %q, %t : f32[2, 49, 49]
//!     %1 = mul %s, 0.5                            // a number is a constant of the other operand's element type
//!     return %1
//!   }
//!
//!   statement  %name = op operand, … { attribute = value, … } : type
//!   value      3   0.5   [-1, -2]   word   "quoted words"
//! ```
//!
//! `input`, `weight`, `const` and `iota` need a type. A name that is a word is the node's label; a number only
//! serves this text, and printing counts anew. [`parse`] gives a graph that the op's own rules accept, and
//! `parse(graph.to_string())` is the graph again, node by node. Every error is a [`SourceError`] at the offending text.
//!
//! Text may come from anyone: nothing here recurses, and types beyond 32 axes or 2^40 elements are errors, and so are numbers
//! that f32 does not hold.

mod nearest;
mod parse;
mod print;
#[cfg(test)]
mod tests;

pub(crate) use parse::real_in_f32;
pub(crate) use parse::{MAX_RANK, graph};
pub use print::NodeText;

use crate::{diagnostic::SourceError, graph::Graph, lexer::Lexer};

/// Reads one graph; nothing may follow it.
pub fn parse(text: &str) -> Result<Graph, SourceError> {
    let mut lexer = Lexer::new(text)?;
    let graph = graph(&mut lexer)?;
    if lexer.at_end() { Ok(graph) } else { Err(lexer.unexpected("the end of the text")) }
}

impl std::str::FromStr for Graph {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Graph, SourceError> {
        parse(text)
    }
}
