//! Layer normalisation over the last axis.
//!
//! ```text
//!   y = (x − mean) / √(var + ε) · γ + β,   var biased
//! ```

use super::{
    Attr, AttrReader, OpDef,
    shape::{common_float, named},
};
use crate::{
    graph::Tensor,
    types::{Real, TensorType},
};

/// `layer_norm %x, %gamma, %beta { eps = 1e-5 }`: x `[…, c]`, γ and β `[c]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayerNorm {
    /// Added to the variance.
    pub eps: Real,
}

impl OpDef for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }
    fn arity(&self) -> (usize, usize) {
        (3, 3)
    }
    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        vec![("eps", Attr::Real(self.eps))]
    }
    fn from_attrs(name: &str, attrs: &mut AttrReader) -> Option<Result<Self, String>> {
        named(name == "layer_norm", || Ok(Self { eps: attrs.real("eps")? }))
    }
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
    fn definition(&self, operands: &[&TensorType]) -> Option<String> {
        let [x, gamma, beta] = [operands[0], operands[1], operands[2]];
        let eps = self.eps;
        Some(format!(
            "graph layer_norm {{
  %x = input : {x}
  %gamma = input : {gamma}
  %beta = input : {beta}
  %mean = reduce %x {{ op = mean, axis = -1 }}
  %centred = sub %x, %mean
  %square = mul %centred, %centred
  %variance = reduce %square {{ op = mean, axis = -1 }}
  %positive = add %variance, {eps}
  %scale = rsqrt %positive
  %normal = mul %centred, %scale
  %scaled = mul %normal, %gamma
  %y = add %scaled, %beta
  return %y
}}
"
        ))
    }
}
