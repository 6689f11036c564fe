//! Activations made of a few pointwise steps.
//!
//! ```text
//!   relu(x)      = max(x, 0)
//!   hardswish(x) = x · min(max(x + 3, 0), 6) / 6
//!   gelu_tanh(x) = x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³)))        the approximation of gelu
//! ```

use super::OpDef;
use crate::types::TensorType;

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
    pub struct Activation = family activation(x: float[..]) {
        /// Which.
        pub op: ActivationOp,
    }
}

/// √(2/π) and the factor of the cube.
const TANH_SCALE: f64 = 0.7978845608028654;
const TANH_CUBE: f64 = 0.044715;

impl ActivationOp {
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
    fn body(&self, _: &[&TensorType]) -> Option<String> {
        Some(self.op.lines())
    }
}
