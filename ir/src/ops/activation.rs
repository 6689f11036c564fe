//! Activations made of a few pointwise steps.
//!
//! ```text
//!   relu(x)      = max(x, 0)
//!   hardswish(x) = x · min(max(x + 3, 0), 6) / 6
//!   gelu_tanh(x) = x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³)))        the approximation of gelu
//! ```

use super::{
    Attr, AttrReader, OpDef,
    pointwise::greater,
    shape::{float, named},
};
use crate::{graph::Tensor, types::TensorType};

/// Which function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the names say it
pub enum ActivationOp {
    Relu,
    Hardswish,
    GeluTanh,
}

/// `relu %x`, `hardswish %x`, `gelu_tanh %x`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Activation {
    /// Which.
    pub op: ActivationOp,
}

/// √(2/π) and the factor of the cube.
const TANH_SCALE: f64 = 0.7978845608028654;
const TANH_CUBE: f64 = 0.044715;

impl ActivationOp {
    /// Every member with its name.
    pub const ALL: [(ActivationOp, &'static str); 3] =
        [(ActivationOp::Relu, "relu"), (ActivationOp::Hardswish, "hardswish"), (ActivationOp::GeluTanh, "gelu_tanh")];

    fn apply(self, x: f64) -> f64 {
        match self {
            ActivationOp::Relu => greater(x, 0.0),
            ActivationOp::Hardswish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
            ActivationOp::GeluTanh => x / 2.0 * (1.0 + (TANH_SCALE * x * (1.0 + TANH_CUBE * x * x)).tanh()),
        }
    }

    /// The lines that make `%y` of `%x`.
    fn lines(self) -> String {
        match self {
            ActivationOp::Relu => "  %y = max %x, 0.0\n".to_string(),
            ActivationOp::Hardswish => format!(
                "  %shifted = add %x, 3.0
  %positive = max %shifted, 0.0
  %gate = min %positive, 6.0
  %scaled = mul %gate, {:?}
  %y = mul %x, %scaled
",
                1.0 / 6.0
            ),
            ActivationOp::GeluTanh => format!(
                "  %square = mul %x, %x
  %cubic = mul %square, {:?}
  %factor = add %cubic, {TANH_SCALE:?}
  %inner = mul %x, %factor
  %tanh = tanh %inner
  %sum = add %tanh, 1.0
  %halved = mul %x, 0.5
  %y = mul %halved, %sum
",
                TANH_SCALE * TANH_CUBE
            ),
        }
    }
}

impl OpDef for Activation {
    fn name(&self) -> &'static str {
        ActivationOp::ALL[self.op as usize].1
    }
    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }
    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        Vec::new()
    }
    fn from_attrs(name: &str, _: &mut AttrReader) -> Option<Result<Self, String>> {
        let (op, _) = *ActivationOp::ALL.iter().find(|(_, n)| *n == name)?;
        named(true, || Ok(Self { op }))
    }
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        float(self.name(), "operand", operands[0]).map(|()| operands[0].clone())
    }
    /// One operation per line of the definition.
    fn flops(&self, _: &[&TensorType], result: &TensorType) -> u64 {
        (self.op.lines().lines().count() * result.elements()) as u64
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        Ok(Tensor::new(result.clone(), operands[0].data.iter().map(|&x| self.op.apply(x)).collect()))
    }
    fn definition(&self, operands: &[&TensorType]) -> Option<String> {
        let (name, ty, lines) = (self.name(), operands[0], self.op.lines());
        Some(format!("graph {name} {{\n  %x = input : {ty}\n{lines}  return %y\n}}\n"))
    }
}
