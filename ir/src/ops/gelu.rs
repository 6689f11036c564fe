//! Gaussian error linear unit, the exact form.
//!
//! ```text
//!   gelu(x) = x/2 · (1 + erf(x/√2))
//! ```

use super::{OpDef, special::gelu};
use crate::{graph::Tensor, types::TensorType};

op! {
    /// `gelu %x`.
    pub struct Gelu = "gelu"(x: float[..]);
}

impl OpDef for Gelu {
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
