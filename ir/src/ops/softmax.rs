//! Softmax over one axis.
//!
//!     w[i] = exp(x[i] − max x) / Σ_j exp(x[j] − max x)
//!
//! A row whose entries are all −∞ gives zeros, never NaN.

/// `softmax %x { axis = -1 }`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Softmax {
    /// Normalised axis, −1 for the last.
    pub axis: i64,
}
