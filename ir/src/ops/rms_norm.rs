//! Normalisation by the root of the mean square, over the last axis.
//!
//! ```text
//!   y = x / √(mean x² + ε) · γ
//! ```
//!
//! Layer normalisation without the mean: Zhang and Sennrich 2019, arXiv 1910.07467. Shape rule, cost,
//! value and kernels follow from the definition.

use super::OpDef;
use crate::types::{Real, TensorType};

op! {
    /// `rms_norm %x, %gamma { eps = 1e-6 }`: x `[…, c]`, γ `[c]`, floats.
    pub struct RmsNorm = "rms_norm"(x: float[.., c], gamma: float[c]) {
        /// Added to the mean square.
        pub eps: Real,
    }
}

impl OpDef for RmsNorm {
    fn body(&self, _: &[&TensorType]) -> Option<String> {
        Some(format!(
            "
  %square = mul %x, %x
  %mean = reduce %square {{ op = mean, axis = -1 }}
  %positive = add %mean, {}
  %scale = rsqrt %positive
  %normal = mul %x, %scale
  %y = mul %normal, %gamma",
            self.eps
        ))
    }
}
