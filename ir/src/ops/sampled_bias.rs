//! A score term read between the entries of a table: where a token lies relative to a moved point.
//!
//! ```text
//!   δ  = ½ · (position of token (y, x) − position of point a)                        both in −1…1
//!   β[b, m, (y, x), a] = bilinear sample of table[m] at δ                            0 outside the table
//! ```
//!
//! Heads share the points of their group. A token's row and a point's row alone decide the rows of the
//! table that are read, likewise the columns, so the taps are separable and only their product is per score.

use super::{
    OpDef,
    grid_sample::MOST,
    shape::{float, sized},
    taps::{Align, corners, lines, taps},
};
use crate::{
    graph::Tensor,
    types::{DType, TensorType},
};

op! {
    /// `sampled_bias %table, %positions { height = 14, width = 14, query = corners }`: table `[m, r, s]` for m heads,
    /// positions `[b, g, i, j, 2]` with g dividing m → f32 `[b, m, height·width, i·j]`. Tokens stand on
    /// corners or centres of their cells.
    pub struct SampledBias = "sampled_bias"(table, positions) {
        /// Rows of the map of tokens.
        pub height: usize,
        /// Columns of the map of tokens.
        pub width: usize,
        /// Where tokens stand.
        pub query: Align,
    }
}

impl OpDef for SampledBias {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let [table, positions] = [operands[0], operands[1]];
        operands.iter().try_for_each(|ty| float("sampled_bias", "operand", ty))?;
        let [heads, _, _] = table.shape[..] else {
            return Err(format!("table of sampled_bias is {table}, expected axes heads, rows, columns"));
        };
        if table.elements() > MOST {
            return Err(format!("table of sampled_bias is {table}, expected at most 2^24 entries"));
        }
        let least = if self.query == Align::Corners { 2 } else { 1 };
        if self.height < least || self.width < least {
            let [h, w] = [self.height, self.width];
            return Err(format!("sampled_bias has tokens on {h}x{w}, expected {least} rows and columns or more"));
        }
        match positions.shape[..] {
            [b, g, i, j, 2] if heads.is_multiple_of(g) => {
                sized(DType::F32, vec![b, heads, self.height.saturating_mul(self.width), i.saturating_mul(j)])
            }
            _ => Err(format!("positions of sampled_bias are {positions}, expected […, a divisor of {heads}, …, …, 2]")),
        }
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let [table, positions] = [operands[0], operands[1]];
        let &[heads, rows, columns] = &table.ty.shape[..] else { return Err(format!("table is {}", table.ty)) };
        let (groups, points) = (positions.ty.shape[1], result.shape[3]);
        let place = |index: usize, extent: usize| self.query.position(index as f64, extent);
        let mut data = Vec::with_capacity(result.elements());
        for (image, head) in (0..result.shape[0]).flat_map(|b| (0..heads).map(move |m| (b, m))) {
            let group = (image * groups + head / (heads / groups)) * points;
            for (y, x) in (0..self.height).flat_map(|y| (0..self.width).map(move |x| (y, x))) {
                let (y, x) = (place(y, self.height), place(x, self.width));
                for point in positions.data[group * 2..(group + points) * 2].chunks(2) {
                    let mut sum = 0.0;
                    for (row, row_weight) in taps(Align::Corners, 0.5 * (y - point[0]), rows) {
                        for (column, column_weight) in taps(Align::Corners, 0.5 * (x - point[1]), columns) {
                            sum += row_weight * column_weight * table.data[(head * rows + row) * columns + column];
                        }
                    }
                    data.push(sum);
                }
            }
        }
        Ok(Tensor::new(result.clone(), data))
    }
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let [table, positions] = [operands[0], operands[1]];
        let (&[heads, rows, columns], &[b, g, i, j, _]) = (&table.shape[..], &positions.shape[..]) else { return None };
        let (points, per_group, tokens) = (i * j, heads / g, self.height * self.width);
        let mut places = String::new();
        for (axis, at, extent, shape) in [
            ("y", 0, self.height, format!("{}, 1, 1", self.height)),
            ("x", 1, self.width, format!("{}, 1", self.width)),
        ] {
            let (first, last) = (self.query.position(0.0, extent), self.query.position(extent as f64 - 1.0, extent));
            let step = (last - first) / (extent.max(2) - 1) as f64;
            let (stop, place) = (at + 1, if axis == "y" { -3 } else { -2 });
            places += &format!(
                "
  %{axis}_cell = iota {{ axis = {place} }} : f32[{shape}]
  %{axis}_distance = mul %{axis}_cell, {step:?}
  %{axis}_grid = add %{axis}_distance, {first:?}
  %{axis}_slice = slice %positions {{ axis = -1, start = {at}, stop = {stop}, step = 1 }}
  %{axis}_points = reshape %{axis}_slice {{ shape = [{b}, {g}, 1, 1, 1, {points}] }}
  %{axis}_apart = sub %{axis}_grid, %{axis}_points
  %{axis}_delta = mul %{axis}_apart, 0.5"
            );
        }
        let taps = lines("y", "y_delta", Align::Corners, rows) + &lines("x", "x_delta", Align::Corners, columns);
        let corners = corners("entries", columns, Some("before"), None);
        let (entries, size) = (table.elements(), rows * columns);
        Some(format!(
            "{places}{taps}
  %head = iota {{ axis = 0 }} : i32[{heads}]
  %first = mul %head, {size}
  %before = reshape %first {{ shape = [{g}, {per_group}, 1, 1, 1] }}
  %entries = reshape %table {{ shape = [{entries}] }}{corners}
  %y = reshape %sampled {{ shape = [{b}, {heads}, {tokens}, {points}] }}"
        ))
    }
}
