//! Layer normalisation over the last axis.
//!
//! ```text
//!   y = (x − mean) / √(var + ε) · γ + β,   var biased
//! ```

use super::OpDef;
use crate::{
    graph::Tensor,
    types::{Real, TensorType},
};

op! {
    /// `layer_norm %x, %gamma, %beta { eps = 1e-5 }`: x `[…, c]`, γ and β `[c]`.
    pub struct LayerNorm = "layer_norm"(x: float[.., c], gamma: float[c], beta: float[c]) {
        /// Added to the variance.
        pub eps: Real,
    }
}

impl OpDef for LayerNorm {
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
