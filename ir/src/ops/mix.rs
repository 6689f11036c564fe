//! A learned mix of two branches, as attention and inverse attention are mixed.
//!
//! ```text
//!   λ = sigmoid(selection),   y = λ·a + (1 − λ)·b
//! ```
//!
//! A selection of 0 gives both the same weight.

use super::{
    Attr, AttrReader, OpDef,
    pointwise::UnaryOp,
    shape::{broadcast_all, common_dtype, float, named, sized},
    walk::{Walk, broadcast_strides},
};
use crate::{graph::Tensor, types::TensorType};

/// `mix %a, %b, %selection`: three operands of one float type that broadcast; the selection is the parameter before
/// the sigmoid, a scalar where one number serves a whole layer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mix;

impl OpDef for Mix {
    fn name(&self) -> &'static str {
        "mix"
    }
    fn arity(&self) -> (usize, usize) {
        (3, 3)
    }
    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        Vec::new()
    }
    fn from_attrs(name: &str, _: &mut AttrReader) -> Option<Result<Self, String>> {
        named(name == "mix", || Ok(Self))
    }
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
    fn definition(&self, operands: &[&TensorType]) -> Option<String> {
        let [a, b, selection] = operands else { return None };
        Some(format!(
            "graph mix {{
  %a = input : {a}
  %b = input : {b}
  %selection = input : {selection}
  %lambda = sigmoid %selection
  %rest = sub 1.0, %lambda
  %first = mul %a, %lambda
  %second = mul %b, %rest
  %y = add %first, %second
  return %y
}}
"
        ))
    }
}
