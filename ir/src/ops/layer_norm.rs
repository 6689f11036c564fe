//! Layer normalisation over the last axis.
//!
//! ```text
//!   y = (x − mean) / √(var + ε) · γ + β,   var biased
//! ```

use super::{OpDef, shape::common_float};
use crate::{
    graph::Tensor,
    types::{Real, TensorType},
};

op! {
    /// `layer_norm %x, %gamma, %beta { eps = 1e-5 }`: x `[…, c]`, γ and β `[c]`.
    pub struct LayerNorm = "layer_norm"(x, gamma, beta) {
        /// Added to the variance.
        pub eps: Real,
    }
}

impl OpDef for LayerNorm {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let x = operands[0];
        let dtype = common_float("layer_norm", operands)?;
        let channels = &x.shape[x.axis(-1)?..];
        match operands[1..].iter().find(|ty| ty.shape != channels) {
            None => Ok(TensorType::new(dtype, x.shape.clone())),
            Some(ty) => Err(format!("layer_norm of {x} is scaled or shifted by {ty}, expected [{}]", channels[0])),
        }
    }
    /// Two means, difference, square, scaling by 1/σ, γ and β: 7 per element; per row 1/√(var + ε).
    fn flops(&self, operands: &[&TensorType], result: &TensorType) -> u64 {
        7 * result.elements() as u64 + 2 * (result.elements() / operands[1].elements()) as u64
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let (gamma, beta) = (&operands[1].data, &operands[2].data);
        let n = gamma.len() as f64;
        let mut data = operands[0].data.clone();
        for row in data.chunks_mut(gamma.len()) {
            let mean = row.iter().sum::<f64>() / n;
            let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
            let scale = 1.0 / (variance + self.eps.get()).sqrt();
            for ((x, g), b) in row.iter_mut().zip(gamma).zip(beta) {
                *x = (*x - mean) * scale * g + b;
            }
        }
        Ok(Tensor::new(result.clone(), data))
    }
    fn body(&self, _: &[&TensorType]) -> Option<String> {
        let eps = self.eps;
        Some(format!(
            "  %mean = reduce %x {{ op = mean, axis = -1 }}
  %centred = sub %x, %mean
  %square = mul %centred, %centred
  %variance = reduce %square {{ op = mean, axis = -1 }}
  %positive = add %variance, {eps}
  %scale = rsqrt %positive
  %normal = mul %centred, %scale
  %scaled = mul %normal, %gamma
  %y = add %scaled, %beta"
        ))
    }
}
