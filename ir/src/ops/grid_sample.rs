//! Bilinear samples of a map at given positions.
//!
//! ```text
//!   y[b, i, ·] = Σ over the four neighbours (r, s) of position i    weight(r)·weight(s)·map[b, r, s, ·]
//! ```
//!
//! Positions are normalised: −1 and 1 are the ends of the map as `align` says. Neighbours outside the map
//! count as 0. Maps are channels-last, so a neighbour is one run of memory.

use super::{
    OpDef,
    shape::{common_float, sized},
    taps::{Align, corners, lines, taps},
};
use crate::{graph::Tensor, types::TensorType};

op! {
    /// `grid_sample %map, %rows, %columns { align = corners }`: map `[b, h, w, c]`, positions `[b, n]` each → `[b, n, c]`; all
    /// floats, the result of their common type.
    pub struct GridSample = "grid_sample"(map, rows, columns) {
        /// What −1 and 1 mean.
        pub align: Align,
    }
}

/// Most elements of a map per image: f32 counts them exactly.
pub(crate) const MOST: usize = 1 << 24;

impl OpDef for GridSample {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let [map, rows, columns] = [operands[0], operands[1], operands[2]];
        let dtype = common_float("grid_sample", operands)?;
        let [b, h, w, c] = map.shape[..] else {
            return Err(format!("map of grid_sample is {map}, expected axes batch, height, width, channels"));
        };
        if h.saturating_mul(w) > MOST {
            return Err(format!("map of grid_sample is {map}, expected at most 2^24 places"));
        }
        match rows.shape[..] {
            [batch, n] if batch == b && rows == columns => sized(dtype, vec![b, n, c]),
            _ => Err(format!("positions of grid_sample are {rows} and {columns}, expected both [{b}, …]")),
        }
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let [map, rows, columns] = [operands[0], operands[1], operands[2]];
        let [_, h, w, c] = map.ty.shape[..] else { return Err(format!("map of grid_sample is {}", map.ty)) };
        let n = rows.ty.shape[1];
        let mut data = vec![0.0; result.elements()];
        for (at, out) in data.chunks_mut(c).enumerate() {
            for (row, row_weight) in taps(self.align, rows.data[at], h) {
                for (column, column_weight) in taps(self.align, columns.data[at], w) {
                    let source = &map.data[((at / n * h + row) * w + column) * c..][..c];
                    out.iter_mut().zip(source).for_each(|(y, x)| *y += row_weight * column_weight * x);
                }
            }
        }
        Ok(Tensor::new(result.clone(), data))
    }
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let [map, rows] = [operands[0], operands[1]];
        let (&[b, h, w, c], &[_, n]) = (&map.shape[..], &rows.shape[..]) else { return None };
        let (y, x) = (lines("y", "rows", self.align, h), lines("x", "columns", self.align, w));
        let (image, offset) = match b {
            1 => (String::new(), None),
            _ => (
                format!("\n  %image = iota {{ axis = -2 }} : i32[{b}, 1]\n  %before = mul %image, {}", h * w),
                Some("before"),
            ),
        };
        let corners = corners("table", w, offset, Some(&format!("[{b}, {n}, 1]")));
        let places = b * h * w;
        Some(format!(
            "{y}{x}{image}
  %table = reshape %map {{ shape = [{places}, {c}] }}{corners}"
        ))
    }
}
