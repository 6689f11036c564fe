//! Batch normalisation with recorded statistics: a scale and a shift per channel.
//!
//! ```text
//!   s = γ / √(var + ε)        y = x · s + (β − mean · s)        along one axis
//! ```
//!
//! The four vectors are constant in a trained network. The definition keeps scale and shift apart from x, so that
//! they are folded once and the optimiser can move them into the product before or after.

use super::{Attr, OpDef, shape::common_float};
use crate::types::{Real, TensorType};

op! {
    /// `batch_norm %x, %gamma, %beta, %mean, %variance { eps = 1e-5, axis = -3 }`: x `[…, c, …]`, the others `[c]`.
    pub struct BatchNorm = "batch_norm"(x, gamma, beta, mean, variance) {
        /// Added to the variance.
        pub eps: Real,
        /// The axis of channels, −1 for the last.
        pub axis: i64,
    }
}

impl OpDef for BatchNorm {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let x = operands[0];
        let dtype = common_float("batch_norm", operands)?;
        let channels = x.shape[x.axis(self.axis)?];
        match operands[1..].iter().find(|ty| ty.shape != [channels]) {
            None => Ok(TensorType::new(dtype, x.shape.clone())),
            Some(ty) => Err(format!("batch_norm of {x} on axis {} is given {ty}, expected [{channels}]", self.axis)),
        }
    }
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let [x, gamma] = [operands[0], operands[1]];
        let axis = x.axis(self.axis).ok()?;
        let (eps, behind) = (self.eps, x.rank() - 1 - axis);
        let mut shape = vec![gamma.shape[0]];
        shape.resize(1 + behind, 1);
        let shape = Attr::sizes(&shape);
        Some(format!(
            "  %positive = add %variance, {eps}
  %root = rsqrt %positive
  %scale = mul %gamma, %root
  %centre = mul %mean, %scale
  %shift = sub %beta, %centre
  %factor = reshape %scale {{ shape = {shape} }}
  %term = reshape %shift {{ shape = {shape} }}
  %scaled = mul %x, %factor
  %y = add %scaled, %term"
        ))
    }
}
