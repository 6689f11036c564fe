//! A learned mix of two branches, as attention and inverse attention are mixed.
//!
//! ```text
//!   λ = sigmoid(selection),   y = λ·a + (1 − λ)·b
//! ```
//!
//! A selection of 0 gives both the same weight.

use super::OpDef;
use crate::types::TensorType;

op! {
    /// `mix %a, %b, %selection`: three operands of one float type that broadcast; the selection is the parameter before
    /// the sigmoid, a scalar where one number serves a whole layer.
    pub struct Mix = "mix"(a: float[..], b: float[..], selection: float[..]);
}

impl OpDef for Mix {
    fn body(&self, _: &[&TensorType]) -> Option<String> {
        Some(
            "  %lambda = sigmoid %selection
  %rest = sub 1.0, %lambda
  %first = mul %a, %lambda
  %second = mul %b, %rest
  %y = add %first, %second"
                .to_string(),
        )
    }
}
