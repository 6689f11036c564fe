//! What can go wrong between a graph and its kernels.

use thiserror::Error as ThisError;

/// A pass could not do its work.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum Error {
    /// The user's graph asks for something no kernel can do; the sentence says what and where.
    #[error("{0}")]
    Unsupported(String),
    /// An invariant between passes does not hold: a mistake in Regard.
    #[error("internal error: {0}; this is a mistake in Regard, please report it with the graph")]
    Broken(String),
}

impl Error {
    /// A broken invariant.
    pub(crate) fn broken(message: impl Into<String>) -> Self {
        Error::Broken(message.into())
    }
    /// Something no kernel can do.
    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Error::Unsupported(message.into())
    }
}
