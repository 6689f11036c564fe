//! Why a kernel could not become code.

use std::fmt;

/// A kernel that a back end cannot emit, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmitError {
    /// Name of the kernel (or program).
    pub kernel: String,
    /// What stands in the way, as the end of a sentence.
    pub reason: String,
}

impl EmitError {
    /// An error about `kernel`.
    pub(crate) fn new(kernel: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { kernel: kernel.into(), reason: reason.into() }
    }
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot emit {}: {}", self.kernel, self.reason)
    }
}

impl std::error::Error for EmitError {}
