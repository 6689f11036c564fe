//! Emits a row program.

use super::RowTiles;
use crate::{
    plan::expr::FusedExpr,
    templates::expression::{
        Context, Scope,
        index::{DigitAt, Point},
        rows::{Chunk, ChunkBody, RowAt, chunks_of_digit, for_chunks, lane_extent, store_at},
    },
};
use regard_ir::{
    kernel::{BinOp, Buf, Builder, IdAxis, Val},
    view::View,
};

/// Emits the body: `space` is `[rows, inner]`.
pub(super) fn emit(context: &Context, b: &mut Builder, fused: &FusedExpr, output: Buf, tiles: RowTiles) {
    let [rows, inner] = fused.space[..] else { panic!("a row program's space has two axes") };
    let row_block = b.id(IdAxis::G0);
    let first_row = b.mul_const(row_block, tiles.rows as i64);
    let bound = b.add_const(first_row, tiles.rows as i64);
    let all = b.i64(rows as i64);
    let end = b.bin(BinOp::Min, bound, all);
    let column_block = b.id(IdAxis::G1);
    let lane_digit = lane_extent(fused, 1, inner);
    b.for_loop((first_row, end), 1, 1, &[], |b, row, _| {
        let start = Point::scalars(&[(row, rows)]);
        context.stages(b, fused, RowAt { point: &start, number: row, writes: None });
        let mut scope = Scope::new(fused, start);
        context.row_values(b, &mut scope, 1);
        let mut store = |b: &mut Builder, chunk: Chunk, _: Vec<Val>| {
            let mut at = scope.at(scope.point.with_axis(chunk.digits, chunk.active));
            let value = context.root(b, &mut at);
            store_at(b, output, &View::reshape(&[rows, inner], &[rows, inner]), &at.point, value);
            Vec::new()
        };
        if tiles.inner >= inner {
            for_chunks(b, inner, lane_digit, &[], &mut store);
        } else {
            split_inner(b, column_block, inner, lane_digit, tiles.inner, &mut store);
        }
        Vec::new()
    });
}

/// The part of the inner axis that one block runs: `tile` elements starting at `block·tile`; both are
/// multiples of the lane digit, or the lane digit is the whole axis.
fn split_inner(b: &mut Builder, block: Val, inner: usize, lane_digit: usize, tile: usize, body: ChunkBody) {
    let lanes = b.lanes() as i64;
    let start = b.mul_const(block, tile as i64);
    let all = b.i64(inner as i64);
    if lane_digit == inner {
        let bound = b.add_const(start, tile as i64);
        let end = b.bin(BinOp::Min, bound, all);
        b.for_loop((start, end), lanes, 1, &[], |b, base, _| {
            let left = b.sub(all, base);
            let width = b.i64(lanes);
            let active = b.bin(BinOp::Min, left, width);
            let active = (!inner.is_multiple_of(lanes as usize)).then_some(active);
            let digits = vec![DigitAt { div: 1, extent: inner, value: base, lanes: true }];
            body(b, Chunk { digits, active, count: lanes as usize }, Vec::new())
        });
        return;
    }
    let (coarse, per_tile) = (inner / lane_digit, tile / lane_digit);
    let start = b.mul_const(block, per_tile as i64);
    let bound = b.add_const(start, per_tile as i64);
    let all = b.i64(coarse as i64);
    let end = b.bin(BinOp::Min, bound, all);
    b.for_loop((start, end), 1, 1, &[], |b, at, _| {
        let digit = DigitAt { div: lane_digit, extent: coarse, value: at, lanes: false };
        chunks_of_digit(b, Some(digit), lane_digit, &[], body);
        Vec::new()
    });
}
