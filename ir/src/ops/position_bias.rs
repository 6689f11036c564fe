//! Score terms that depend on where a key lies relative to its query, read from a table.
//!
//! ```text
//!   relative_bias   β[m, q, k] = table[(q_y − k_y + h−1)·(2w−1) + (q_x − k_x + w−1), m]          signed: Swin, DAT
//!   distance_bias   β[m, q, k] = table[m, |σq_y − k_y|·w + |σq_x − k_x|]                          LeViT
//! ```
//!
//! Tokens are those of an h×w map, row-major; queries of a distance bias may be every σ-th row and column.

use super::{OpDef, shape::sized};
use crate::{graph::Tensor, types::TensorType};

op! {
    /// `relative_bias %table { height = 7, width = 7 }`: table `[(2h−1)·(2w−1), m]` → `[m, h·w, h·w]`.
    pub struct RelativeBias = "relative_bias"(table) {
        /// Rows of the map.
        pub height: usize,
        /// Columns of the map.
        pub width: usize,
    }
}

op! {
    /// `distance_bias %table { height = 14, width = 14, stride = 1 }`: table `[m, h·w]` → `[m, ⌈h/σ⌉·⌈w/σ⌉, h·w]`.
    pub struct DistanceBias = "distance_bias"(table) {
        /// Rows of the keys' map.
        pub height: usize,
        /// Columns of the keys' map.
        pub width: usize,
        /// Distance of neighbouring queries.
        pub stride: usize,
    }
}

/// Largest extent of a map: pairs of positions stay countable.
const MOST: usize = 1 << 12;

fn check_map(name: &str, height: usize, width: usize) -> Result<(), String> {
    match (1..=MOST).contains(&height) && (1..=MOST).contains(&width) {
        true => Ok(()),
        false => Err(format!("{name} has a map of {height}x{width}, expected 1 to {MOST} rows and columns")),
    }
}

impl OpDef for RelativeBias {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let (table, h, w) = (operands[0], self.height, self.width);
        check_map("relative_bias", h, w)?;
        let rows = (2 * h - 1) * (2 * w - 1);
        match table.shape[..] {
            [found, heads] if found == rows => sized(table.dtype, vec![heads, h * w, h * w]),
            _ => Err(format!("table of relative_bias is {table}, expected [{rows}, heads] for a map of {h}x{w}")),
        }
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let (h, w, heads) = (self.height, self.width, result.shape[0]);
        let tokens = h * w;
        Ok(Tensor::from_fn(result.clone(), |i| {
            let (head, q, k) = (i / tokens / tokens, i / tokens % tokens, i % tokens);
            let (row, column) = (q / w + h - 1 - k / w, q % w + w - 1 - k % w);
            operands[0].data[(row * (2 * w - 1) + column) * heads + head]
        }))
    }
    fn body(&self, _: &[&TensorType]) -> Option<String> {
        let (h, w) = (self.height, self.width);
        let (tokens, across) = (h * w, 2 * w - 1);
        let (last_row, last_column) = (h - 1, w - 1);
        Some(format!(
            "  %query_row = iota {{ axis = -4 }} : i32[{h}, 1, 1, 1]
  %key_row = iota {{ axis = -2 }} : i32[{h}, 1]
  %rows = sub %query_row, %key_row
  %row = add %rows, {last_row}
  %query_column = iota {{ axis = -3 }} : i32[{w}, 1, 1]
  %key_column = iota {{ axis = -1 }} : i32[{w}]
  %columns = sub %query_column, %key_column
  %column = add %columns, {last_column}
  %line = mul %row, {across}
  %entry = add %line, %column
  %index = reshape %entry {{ shape = [{tokens}, {tokens}] }}
  %picked = gather %table, %index
  %bias = transpose %picked {{ order = [-1, -3, -2] }}"
        ))
    }
}

impl OpDef for DistanceBias {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let (table, h, w) = (operands[0], self.height, self.width);
        check_map("distance_bias", h, w)?;
        if !(1..=MOST).contains(&self.stride) {
            return Err(format!("distance_bias has stride {}, expected 1 to {MOST}", self.stride));
        }
        let queries = h.div_ceil(self.stride) * w.div_ceil(self.stride);
        match table.shape[..] {
            [heads, found] if found == h * w => sized(table.dtype, vec![heads, queries, h * w]),
            _ => Err(format!("table of distance_bias is {table}, expected [heads, {}] for a map of {h}x{w}", h * w)),
        }
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let (w, stride, keys, queries) = (self.width, self.stride, result.shape[2], result.shape[1]);
        let across = w.div_ceil(stride);
        Ok(Tensor::from_fn(result.clone(), |i| {
            let (head, q, k) = (i / keys / queries, i / keys % queries, i % keys);
            let rows = (q / across * stride).abs_diff(k / w);
            let columns = (q % across * stride).abs_diff(k % w);
            operands[0].data[head * keys + rows * w + columns]
        }))
    }
    fn body(&self, _: &[&TensorType]) -> Option<String> {
        let (h, w, stride) = (self.height, self.width, self.stride);
        let (down, across) = (h.div_ceil(stride), w.div_ceil(stride));
        let (queries, keys) = (down * across, h * w);
        Some(format!(
            "  %query_row = iota {{ axis = -4 }} : i32[{down}, 1, 1, 1]
  %query_y = mul %query_row, {stride}
  %key_y = iota {{ axis = -2 }} : i32[{h}, 1]
  %rows = sub %query_y, %key_y
  %row = abs %rows
  %query_column = iota {{ axis = -3 }} : i32[{across}, 1, 1]
  %query_x = mul %query_column, {stride}
  %key_x = iota {{ axis = -1 }} : i32[{w}]
  %columns = sub %query_x, %key_x
  %column = abs %columns
  %line = mul %row, {w}
  %entry = add %line, %column
  %index = reshape %entry {{ shape = [{queries}, {keys}] }}
  %rows_last = transpose %table {{ order = [-1, -2] }}
  %picked = gather %rows_last, %index
  %bias = transpose %picked {{ order = [-1, -3, -2] }}"
        ))
    }
}
