//! Gaussian error linear unit, the exact form.
//!
//!     gelu(x) = x/2 · (1 + erf(x/√2))

/// `gelu %x`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gelu;
