//! Gaussian error linear unit, the exact form.
//!
//! ```text
//!   gelu(x) = x/2 · (1 + erf(x/√2))
//! ```

use super::{OpDef, shape::float, special::gelu};
use crate::{graph::Tensor, types::TensorType};

op! {
    /// `gelu %x`.
    pub struct Gelu = "gelu"(x);
}

impl OpDef for Gelu {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        float("gelu", "operand", operands[0]).map(|()| operands[0].clone())
    }
    /// Two scalings, erf, the added 1 and the product.
    fn flops(&self, _: &[&TensorType], result: &TensorType) -> u64 {
        5 * result.elements() as u64
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        Ok(Tensor::new(result.clone(), operands[0].data.iter().map(|&x| gelu(x)).collect()))
    }
    fn body(&self, _: &[&TensorType]) -> Option<String> {
        let root = std::f64::consts::FRAC_1_SQRT_2;
        Some(format!(
            "  %scaled = mul %x, {root:?}
  %erf = erf %scaled
  %sum = add %erf, 1.0
  %halved = mul %x, 0.5
  %y = mul %halved, %sum"
        ))
    }
}
