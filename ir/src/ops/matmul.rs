//! Batched matrix product.
//!
//! ```text
//!   y[…, i, j] = Σ_k a[…, i, k] · b[…, k, j]
//! ```

use super::{
    Attr, AttrReader, OpDef,
    gemm::products,
    shape::{batched, float, matrix, named, same_dtype},
};
use crate::{
    graph::Tensor,
    types::{DType, TensorType},
};

/// `matmul %a, %b`: `[…, m, k]` × `[…, k, n]` → f32 `[…, m, n]`; operands of one float type, leading axes
/// broadcast.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MatMul;

impl OpDef for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }
    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }
    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        Vec::new()
    }
    fn from_attrs(name: &str, _: &mut AttrReader) -> Option<Result<Self, String>> {
        named(name == "matmul", || Ok(Self))
    }
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let [a, b] = [operands[0], operands[1]];
        same_dtype("matmul", operands)?;
        float("matmul", "operand", a)?;
        let (a_lead, m, k) = matrix("matmul", "left operand", a)?;
        let (b_lead, rows, n) = matrix("matmul", "right operand", b)?;
        if rows != k {
            return Err(format!("matmul has {a} times {b}, expected {k} rows on the right, found {rows}"));
        }
        batched("matmul", [a_lead, b_lead], m, n, DType::F32)
    }
    fn flops(&self, operands: &[&TensorType], result: &TensorType) -> u64 {
        2 * result.elements() as u64 * operands[0].shape[operands[0].rank() - 1] as u64
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        Ok(products(operands[0], operands[1], false, result))
    }
}
