//! Attention with a softmax over queries: all scores of a head stay in scratch, and both directions read them.
//!
//! ```text
//!   block (head)
//!     s[i, j]  = scale, bias, mask of q·k                     all queries, tile by tile
//!     for vector of keys j:                                   lanes run along keys, loops along queries
//!       m[j]    = max_i s[i, j]
//!       e[i, j] = exp(s[i, j] − m[j]);  w[j] = 1 / Σ_i e
//!     pack   u[j, c] · w[j]                                   the sum of a column is a factor of what it weighs
//!     for tile of `mr` queries:
//!       p[r, j] = softmax of s over keys, as in `emit.rs`, where that direction takes part
//!       y[r, c] = Σ_j p[r, j] · v[j, c] + Σ_j e[r, j] · u[j, c];  root ← epilogue(y)
//! ```
//!
//! Columns are summed up and down, so no lane ever waits for another, and only two copies of the scores of one head
//! exist. A key that no query may see has m = −∞ and weighs nothing, as a fully masked row does.

use super::emit::Block;
use crate::plan::expr::FusedExpr;
use regard_ir::kernel::{BinOp, Buf, Builder, CmpOp, Val, math};

/// What a softmax over queries keeps.
pub(super) struct Scratch {
    /// Packed values, each row times its column's weight.
    pub values: Buf,
    /// e, `[queries, keys]`.
    pub exponentials: Buf,
    /// w, one per key.
    pub weights: Buf,
    /// Sums of a register tile.
    pub tile: Buf,
}

/// Emits what follows the packing of keys and of the values that a softmax over keys weighs; `values` are those that
/// a softmax over queries weighs.
pub(super) fn emit(b: &mut Builder, block: &Block, scratch: &Scratch, values: &FusedExpr, output: Buf) {
    let (mr, stride) = (block.tiles.mr as i64, block.scratch.padded_keys as i64);
    let bounds = (b.i64(0), b.i64(block.attend.queries as i64));
    b.for_loop(bounds, mr, 1, &[], |b, query, _| {
        let base = b.mul_const(query, stride);
        block.score(b, query, Some(base));
        block.finish_tile(b, query, base);
        Vec::new()
    });
    columns(b, block, scratch);
    block.pack_rows(b, values, scratch.values, Some(scratch.weights), None);
    b.for_loop(bounds, mr, 1, &[], |b, query, _| {
        let base = b.mul_const(query, stride);
        if block.attend.values.is_some() {
            block.weigh_tile(b, Some(base), None);
        }
        block.apply(b, query, bounds.1, output, Some(base));
        Vec::new()
    });
}

/// Exponentials of every column and the reciprocal of their sum. Rows past the last query, up to whole tiles, are
/// zero: they are multiplied and not written.
fn columns(b: &mut Builder, block: &Block, scratch: &Scratch) {
    let (queries, stride, lanes) = (block.attend.queries, block.scratch.padded_keys as i64, b.lanes() as usize);
    let scores = block.scratch.scores;
    let keys = block.attend.keys.next_multiple_of(lanes);
    b.for_const(keys as u64, lanes as i64, &[], |b, key, _| {
        let at = |b: &mut Builder, query: Val| {
            let line = b.mul_const(query, stride);
            b.add(line, key)
        };
        let lowest = b.vf32(f64::NEG_INFINITY);
        let largest = b.for_const(queries as u64, 1, &[lowest], |b, query, carried| {
            let at = at(b, query);
            let score = b.load(b.addr(scores, at));
            vec![b.bin(BinOp::Max, carried[0], score)]
        });
        let finite = b.vf32(f64::from(f32::MIN));
        let largest = b.bin(BinOp::Max, largest[0], finite);
        let zero = b.vf32(0.0);
        let sum = b.for_const(queries as u64, 1, &[zero], |b, query, carried| {
            let at = at(b, query);
            let score = b.load(b.addr(scores, at));
            let below = b.sub(score, largest);
            let weight = math::exp(b, below, block.context.fma);
            b.store(weight, b.addr(scratch.exponentials, at));
            vec![b.add(carried[0], weight)]
        });
        for row in queries..queries.next_multiple_of(block.tiles.mr) {
            b.store(zero, b.addr_off(scratch.exponentials, Some(key), row as i64 * stride));
        }
        let one = b.vf32(1.0);
        // A sum that is NaN makes its whole column NaN.
        let masked = b.cmp(CmpOp::Eq, sum[0], zero);
        let inverse = b.bin(BinOp::Div, one, sum[0]);
        let inverse = b.select(masked, zero, inverse);
        b.store(inverse, b.addr(scratch.weights, key));
        Vec::new()
    });
}
