//! Packing: operands of a block as its inner loop reads them, computed on the way.
//!
//! ```text
//!   left, along k       for each row:            left[r, k…k+L] ← L neighbours of the row
//!   left, across rows   for L rows, for L k's:   x_k ← k of L rows;   left[r, k…k+L] ← transposed x
//!   right               for each k:              right[k, n…n+L] ← L columns
//! ```
//!
//! Lanes run along k where its neighbours lie side by side, as the channels of a pixel do. A convolution of an image, whose
//! channels are planes, has no more than a row of its window side by side: three lanes of sixteen. There lanes
//! run across rows, which are neighbouring pixels, and registers are transposed.

use super::{MatmulTiles, emit::Block};
use crate::{
    plan::{Matmul, expr::FusedExpr, lanes_are_contiguous},
    templates::{
        expression::{
            Scope,
            index::{DigitAt, Point},
            rows::{Chunk, RowAt, for_chunks, lane_extent},
            value::zero_inactive,
        },
        register_tile::{active_lanes_at, vector_start},
    },
};
use regard_ir::{
    kernel::{BinOp, Buf, Builder, CmpOp, Unit, Val},
    view::View,
};

/// Whether lanes run across rows while the left operand is packed: where every row is computed by itself, vectors along the
/// reduction would be less than half full, and L rows take fewer loads that way, transposition included. Only cores transpose.
pub(super) fn packs_across(product: &Matmul, unit: Unit, lanes: u32) -> bool {
    /// Loads that a gather counts as.
    const GATHER: usize = 4;
    /// Loads that a vector's part of a transposition counts as.
    const TURN: usize = 2;
    let (fused, lanes, k) = (&product.left, lanes as usize, product.k);
    let digit = lane_extent(fused, 2, k);
    let alone = fused.stages.is_empty() && fused.reductions().is_empty();
    if unit != Unit::Core || 2 * digit >= lanes || product.m < lanes || !alone {
        return false;
    }
    let loads = |axis: usize, lanes: usize| -> usize {
        let cost = |(_, view): (_, &View)| if lanes_are_contiguous(view, axis, lanes) { 1 } else { GATHER };
        fused.loads().map(cost).sum()
    };
    let along = lanes * (k / digit) * loads(2, digit);
    let across = k * loads(1, lanes) + TURN * k.next_multiple_of(lanes);
    across < along
}

/// Groups of L rows that hold a block's rows wherever in a group they begin.
pub(super) fn groups(tiles: MatmulTiles, lanes: u32) -> usize {
    let (lanes, rows) = (lanes as usize, tiles.rows.next_multiple_of(tiles.mr));
    let before = if tiles.rows.is_multiple_of(lanes) { 0 } else { lanes - 1 };
    (rows + before).div_ceil(lanes)
}

/// Rows of the first group in front of the block's first row; none where blocks are whole groups.
pub(super) fn skipped(b: &mut Builder, first_row: Val, tiles: MatmulTiles) -> Option<Val> {
    let lanes = b.lanes() as usize;
    (!tiles.rows.is_multiple_of(lanes)).then(|| {
        let lanes = b.i64(lanes as i64);
        b.bin(BinOp::Rem, first_row, lanes)
    })
}

impl Block<'_> {
    /// L rows at once; groups past the last row repeat the last group.
    pub(super) fn pack_across(&self, b: &mut Builder, left: Buf, stride: usize) {
        let (product, lanes) = (self.product, b.lanes() as i64);
        let skipped = skipped(b, self.first_row, self.tiles);
        let start = skipped.map_or(self.first_row, |skipped| b.sub(self.first_row, skipped));
        let last = b.i64((product.m as i64 - 1) / lanes * lanes);
        b.for_const(groups(self.tiles, b.lanes()) as u64, 1, &[], |b, group, _| {
            let before = b.mul_const(group, lanes);
            let wanted = b.add(start, before);
            let row = b.bin(BinOp::Min, wanted, last);
            let active = active_lanes_at(b, row, 0, product.m, lanes as usize);
            let rows = Point::scalars(&[(self.batch, product.batch)]).with_lanes(row, product.m, active);
            let to = b.mul_const(before, stride as i64);
            b.for_const(product.k.div_ceil(lanes as usize) as u64, 1, &[], |b, chunk, _| {
                let k = b.mul_const(chunk, lanes);
                self.pack_square(b, &rows, k, (left, to, stride as i64));
                Vec::new()
            });
            Vec::new()
        });
    }

    /// L rows at `rows`, the L elements from k on of each.
    fn pack_square(&self, b: &mut Builder, rows: &Point, k: Val, (left, line, stride): (Buf, Val, i64)) {
        let (fused, lanes, length) = (&self.product.left, b.lanes() as i64, self.product.k);
        let last = b.i64(length as i64 - 1);
        let at = b.add(line, k);
        let column = |b: &mut Builder, j: i64| {
            let wanted = b.add_const(k, j);
            let k = b.bin(BinOp::Min, wanted, last);
            let digits = vec![DigitAt { div: 1, extent: length, value: k, lanes: false }];
            self.context.root(b, &mut Scope::new(fused, rows.with_axis(digits, rows.active)))
        };
        let used = active_lanes_at(b, k, 0, length, lanes as usize);
        let mut columns: Vec<Val> = (0..lanes.min(length as i64)).map(|j| column(b, j)).collect();
        columns.resize(lanes as usize, columns[0]);
        for (i, &row) in b.transpose(columns).iter().enumerate() {
            b.store_with(row, b.addr_off(left, Some(at), i as i64 * stride), used, 1);
        }
    }

    /// Row by row, lanes along the reduction; rows past the last one repeat it.
    pub(super) fn pack_left(&self, b: &mut Builder, left: Buf, stride: usize, packed_rows: usize) {
        let product = self.product;
        let inner = lane_extent(&product.left, 2, product.k);
        let last = b.i64(product.m as i64 - 1);
        let several = product.left.stages.iter().any(|stage| stage.kept)
            && product.n > self.tiles.panels * self.tiles.width(b.lanes());
        let writes = several.then(|| {
            let zero = b.i64(0);
            b.cmp(CmpOp::Eq, self.first_panel, zero)
        });
        b.for_const(packed_rows as u64, 1, &[], |b, r, _| {
            let wanted = b.add(self.first_row, r);
            let row = b.bin(BinOp::Min, wanted, last);
            let point = Point::scalars(&[(self.batch, product.batch), (row, product.m)]);
            if !product.left.stages.is_empty() {
                let before = b.mul_const(self.batch, product.m as i64);
                let number = b.add(before, row);
                self.context.stages(b, &product.left, RowAt { point: &point, number, writes });
            }
            let mut scope = Scope::new(&product.left, point);
            self.context.row_values(b, &mut scope, 2);
            let line = b.mul_const(r, stride as i64);
            for_chunks(b, product.k, inner, &[], &mut |b, chunk: Chunk, _| {
                let at = chunk.start(b);
                let to = b.add(line, at);
                let mut here = scope.at(scope.point.with_axis(chunk.digits, chunk.active));
                let value = self.context.root(b, &mut here);
                b.store_with(value, b.addr(left, to), chunk.active, 1);
                Vec::new()
            });
            Vec::new()
        });
    }

    /// Fills the block's panels of a computed right operand; columns past the last one are zero.
    pub(super) fn pack_right(&self, b: &mut Builder, right: Buf, fused: &FusedExpr, first_panel: Val, panels: Val) {
        let (k, n, lanes) = (self.product.k, self.product.n, b.lanes() as usize);
        let width = self.tiles.width(b.lanes());
        let zero = b.i64(0);
        b.for_loop((zero, panels), 1, 1, &[], |b, panel, _| {
            let global = b.add(first_panel, panel);
            let column = b.mul_const(global, width as i64);
            let base = b.mul_const(panel, (k * width) as i64);
            b.for_const(k as u64, 1, &[], |b, row, _| {
                let line = b.mul_const(row, width as i64);
                let line = b.add(base, line);
                for v in 0..self.tiles.nv {
                    let active = active_lanes_at(b, column, v * lanes, n, width);
                    let start = vector_start(b, column, v * lanes, n, width);
                    let point =
                        Point::scalars(&[(self.batch, self.product.batch), (row, k)]).with_lanes(start, n, active);
                    let value = self.context.root(b, &mut Scope::new(fused, point.clone()));
                    let value = zero_inactive(b, &point, value);
                    b.store(value, b.addr_off(right, Some(line), (v * lanes) as i64));
                }
                Vec::new()
            });
            Vec::new()
        });
    }
}
