//! Layer normalisation over the last axis.
//!
//!     y = (x − mean) / √(var + ε) · γ + β,   var biased

use crate::types::Real;

/// `layer_norm %x, %gamma, %beta { eps = 1e-5 }`: x `[…, c]`, γ and β `[c]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayerNorm {
    /// Added to the variance.
    pub eps: Real,
}
