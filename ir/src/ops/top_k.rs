//! The indices of the largest elements of each row, the largest first, ties to the lowest index.
//!
//! ```text
//!   rank_i   = #{ j : x_j > x_i, or x_j = x_i and j < i }         a permutation of 0…n−1; NaN > all numbers, NaN = NaN
//!   y_r      = Σ_i i · [rank_i = r]                               r = 0…k−1
//! ```
//!
//! Ranks need no sort and no loop over k: comparing and counting is what row programs do, n² steps per row
//! in vectors. A NaN is ahead of every number, and of a NaN with a higher index; comparisons see neither, so both are
//! said with the truth of x = x.

use super::{
    OpDef,
    shape::{countable, float, sized},
};
use crate::{
    graph::Tensor,
    types::{DType, ShapeText, TensorType},
};

op! {
    /// `top_k %x { k = 4 }`: x `[…, n]` of floats → i32 `[…, k]`, 1 ≤ k ≤ n.
    pub struct TopK = "top_k"(x) {
        /// How many of each row.
        pub k: usize,
    }
}

/// The indices of the `k` largest of a row, as numbers.
pub(crate) fn largest(row: &[f64], k: usize) -> impl Iterator<Item = f64> + use<> {
    // Adding zero makes both zeros one; there is one NaN, ahead of all numbers.
    let keys: Vec<f64> = row.iter().map(|x| if x.is_nan() { f64::NAN.abs() } else { x + 0.0 }).collect();
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|&i, &j| keys[j].total_cmp(&keys[i]));
    order.into_iter().take(k).map(|i| i as f64)
}

impl OpDef for TopK {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let x = operands[0];
        float("top_k", "operand", x)?;
        let axis = x.axis(-1)?;
        if self.k == 0 || self.k > x.shape[axis] {
            return Err(format!("top_k of {x} has k = {}, expected 1 to {}", self.k, x.shape[axis]));
        }
        countable("top_k", x, &[&x.shape[..], &x.shape[axis..]].concat())?;
        sized(DType::I32, [&x.shape[..axis], &[self.k]].concat())
    }
    /// Two comparisons of each pair, and each element with itself on either side.
    fn flops(&self, operands: &[&TensorType], _: &TensorType) -> u64 {
        let n = operands[0].shape.last().copied().unwrap_or(0);
        2 * operands[0].elements() as u64 * (n as u64 + 1)
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let n = operands[0].ty.shape[operands[0].ty.rank() - 1];
        let data = operands[0].data.chunks(n).flat_map(|row| largest(row, self.k)).collect();
        Ok(Tensor::new(result.clone(), data))
    }
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let (x, k) = (operands[0], self.k);
        let [lead @ .., n] = &x.shape[..] else { return None };
        let [column, row, kept] = [[*n, 1], [1, *n], [1, k]].map(|last| [lead, &last].concat());
        let result = [lead, &[k]].concat();
        let (column, row, kept, result) = (ShapeText(&column), ShapeText(&row), ShapeText(&kept), ShapeText(&result));
        Some(format!(
            "  %one = reshape %x {{ shape = {column} }}
  %other = reshape %x {{ shape = {row} }}
  %smaller = lt %one, %other
  %equal = eq %one, %other
  %i = iota {{ axis = -2 }} : i32[{n}, 1]
  %j = iota {{ axis = -1 }} : i32[1, {n}]
  %before = lt %j, %i
  %tied = and %equal, %before
  %either = or %smaller, %tied
  %self = eq %one, %one
  %number = eq %other, %other
  %nan = not %number
  %first = or %before, %self
  %above = and %nan, %first
  %ahead = or %either, %above
  %count = cast %ahead {{ to = i32 }}
  %rank = reduce %count {{ op = sum, axis = -1 }}
  %place = iota {{ axis = -1 }} : i32[1, {k}]
  %hit = eq %rank, %place
  %chosen = cast %hit {{ to = i32 }}
  %index = mul %chosen, %i
  %sum = reduce %index {{ op = sum, axis = -2 }} : i32{kept}
  %y = reshape %sum {{ shape = {result} }}"
        ))
    }
}
