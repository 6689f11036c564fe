//! Activations made of a few pointwise steps.
//!
//! ```text
//!   relu(x)      = max(x, 0)
//!   hardswish(x) = x · min(max(x + 3, 0), 6) / 6
//!   gelu_tanh(x) = x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³)))        the approximation of gelu
//! ```

use super::{OpDef, pointwise::greater, shape::float};
use crate::{graph::Tensor, types::TensorType};

words! {
    /// Which function.
    #[allow(missing_docs)] // the names say it
    pub enum ActivationOp = "activation" {
        Relu = "relu",
        Hardswish = "hardswish",
        GeluTanh = "gelu_tanh",
    }
}

op! {
    /// `relu %x`, `hardswish %x`, `gelu_tanh %x`.
    pub struct Activation = family activation(x) {
        /// Which.
        pub op: ActivationOp,
    }
}

/// √(2/π) and the factor of the cube.
const TANH_SCALE: f64 = 0.7978845608028654;
const TANH_CUBE: f64 = 0.044715;

impl ActivationOp {
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
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        float(self.op.name(), "operand", operands[0]).map(|()| operands[0].clone())
    }
    /// One operation per line of the definition.
    fn flops(&self, _: &[&TensorType], result: &TensorType) -> u64 {
        (self.op.lines().lines().count() * result.elements()) as u64
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        Ok(Tensor::new(result.clone(), operands[0].data.iter().map(|&x| self.op.apply(x)).collect()))
    }
    fn body(&self, _: &[&TensorType]) -> Option<String> {
        Some(self.op.lines())
    }
}
