//! What can go wrong, as values: one clear sentence each.
//!
//! Errors in `.rg` text carry the text and their places in it, so that the command line can underline what is wrong.

use regard_ir::{diagnostic::SourceError, graph::EvalError};
use regard_runtime::PackageError;
use std::{
    fmt, io,
    path::{Path, PathBuf},
};
use thiserror::Error as ThisError;

use crate::weights::Faults;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something was not done.
#[derive(Debug, ThisError)]
pub enum Error {
    /// What was asked for does not exist.
    #[error("{0}")]
    Usage(String),
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

/// A line for each: file, line and column, what was found and what was expected.
impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.errors.iter().map(|error| error.render(&self.text, &self.file)).collect();
        f.write_str(&lines.join("\n"))
    }
}
