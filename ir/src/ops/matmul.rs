//! Batched matrix product.
//!
//! ```text
//!   y[…, i, j] = Σ_k a[…, i, k] · b[…, k, j]
//! ```
//!
//! The definition says the same by broadcasting: a row of `a` beside a column of `b`, multiplied and summed. It is what
//! runs where no product kernel is wanted.

use super::{
    OpDef,
    gemm::products,
    shape::{batched, common_float, matrix},
};
use crate::{
    graph::Tensor,
    types::{DType, ShapeText, TensorType},
};

op! {
    /// `matmul %a, %b`: `[…, m, k]` × `[…, k, n]` → f32 `[…, m, n]`; operands of any float types, leading axes
    /// broadcast. The result is what is accumulated; a cast hands it out in half.
    pub struct MatMul = "matmul"(a, b);
}

impl OpDef for MatMul {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let [a, b] = [operands[0], operands[1]];
        common_float("matmul", operands)?;
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
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let [a, b] = [operands[0], operands[1]];
        let (a_lead, m, k) = matrix("matmul", "left operand", a).ok()?;
        let (b_lead, _, n) = matrix("matmul", "right operand", b).ok()?;
        let result = self.infer(operands).ok()?;
        let rows = ShapeText(&[a_lead, &[m, 1, k]].concat()).to_string();
        let columns = ShapeText(&[b_lead, &[1, n, k]].concat()).to_string();
        let (left, right, casts) = match (a.dtype, b.dtype) {
            (DType::F32, DType::F32) => ("r", "c", ""),
            _ => ("left", "right", "\n  %left = cast %r { to = f32 }\n  %right = cast %c { to = f32 }"),
        };
        Some(format!(
            "  %r = reshape %a {{ shape = {rows} }}
  %t = transpose %b {{ order = [-1, -2] }}
  %c = reshape %t {{ shape = {columns} }}{casts}
  %products = mul %{left}, %{right}
  %sum = reduce %products {{ op = sum, axis = -1 }}
  %y = reshape %sum {{ shape = {} }}",
            ShapeText(&result.shape)
        ))
    }
}
