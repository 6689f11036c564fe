//! A learned mix of two branches, as attention and inverse attention are mixed.
//!
//! ```text
//!   λ = sigmoid(selection),   y = λ·a + (1 − λ)·b
//! ```
//!
//! A selection of 0 gives both the same weight.

use super::{
    OpDef,
    pointwise::UnaryOp,
    shape::{broadcast_all, common_dtype, float, sized},
    walk::{Walk, broadcast_strides},
};
use crate::{graph::Tensor, types::TensorType};

op! {
    /// `mix %a, %b, %selection`: three operands of one float type that broadcast; the selection is the parameter before
    /// the sigmoid, a scalar where one number serves a whole layer.
    pub struct Mix = "mix"(a, b, selection);
}

impl OpDef for Mix {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let dtype = common_dtype("mix", operands)?;
        float("mix", "operand", operands[0])?;
        sized(dtype, broadcast_all("mix", operands)?)
    }
    /// The sigmoid and its complement, two scalings, the sum.
    fn flops(&self, operands: &[&TensorType], result: &TensorType) -> u64 {
        let [a, b, selection] = operands else { return 0 };
        let scaled = |x: &TensorType| {
            let shape = crate::types::broadcast(&x.shape, &selection.shape);
            shape.map_or(0, |shape| shape.iter().product::<usize>() as u64)
        };
        2 * selection.elements() as u64 + scaled(a) + scaled(b) + result.elements() as u64
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let strides: Vec<_> = operands.iter().map(|o| broadcast_strides(&o.ty.shape, &result.shape)).collect();
        let [a, b, selection] = [0, 1, 2].map(|i| &operands[i].data);
        let mut out = Vec::with_capacity(result.elements());
        Walk::new(&result.shape, [&strides[0], &strides[1], &strides[2]]).rows(|[i, j, s], [di, dj, ds], len| {
            out.extend((0..len).map(|k| {
                let lambda = UnaryOp::Sigmoid.apply(selection[s + k * ds]);
                lambda * a[i + k * di] + (1.0 - lambda) * b[j + k * dj]
            }));
        });
        Ok(Tensor::new(result.clone(), out))
    }
    fn body(&self, _: &[&TensorType]) -> Option<String> {
        Some(
            "  %lambda = sigmoid %selection
  %rest = sub 1.0, %lambda
  %first = mul %a, %lambda
  %second = mul %b, %rest
  %y = add %first, %second"
                .to_string(),
        )
    }
}
