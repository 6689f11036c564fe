//! Gaussian error linear unit, the exact form.
//!
//! ```text
//!   gelu(x) = x/2 · (1 + erf(x/√2))
//! ```

use super::{
    Attr, AttrReader, OpDef,
    shape::{float, named},
    special::gelu,
};
use crate::{graph::Tensor, types::TensorType};

/// `gelu %x`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gelu;

impl OpDef for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }
    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }
    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        Vec::new()
    }
    fn from_attrs(name: &str, _: &mut AttrReader) -> Option<Result<Self, String>> {
        named(name == "gelu", || Ok(Self))
    }
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
    fn definition(&self, operands: &[&TensorType]) -> Option<String> {
        let ty = operands[0];
        let root = std::f64::consts::FRAC_1_SQRT_2;
        Some(format!(
            "graph gelu {{
  %x = input : {ty}
  %scaled = mul %x, {root:?}
  %erf = erf %scaled
  %sum = add %erf, 1.0
  %halved = mul %x, 0.5
  %y = mul %halved, %sum
  return %y
}}
"
        ))
    }
}
