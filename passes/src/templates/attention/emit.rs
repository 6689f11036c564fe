//! Emits attention over keys; the other directions go on from its blocks.

use super::{AttendTiles, bidirectional, seen};
use crate::{
    plan::{Attend, Keys, expr::FusedExpr},
    templates::{
        expression::{
            Context, Scope,
            index::{Point, active_lanes},
            rows::{Chunk, for_chunks, lane_extent, store_at},
        },
        register_tile::{Bases, Operands, active_lanes_at, multiply, vector_start},
    },
};
use regard_ir::{
    kernel::{Addr, BinOp, Buf, Builder, CmpOp, IdAxis, ReduceOp, Unit, Val, math},
    types::DType,
};

/// What a block keeps for itself.
pub(super) struct Scratch {
    pub keys: Option<Buf>,
    pub queries: Option<Buf>,
    pub values: Option<Buf>,
    /// Scores `[rows, keys]` of a tile of queries, or of all where a softmax over queries needs them.
    pub scores: Buf,
    /// 1 / Σ of each row of a tile.
    weights: Buf,
    /// Sums of a register tile.
    pub tile: Buf,
    /// What a softmax over queries keeps.
    pub inverse: Option<bidirectional::Scratch>,
    /// Keys, rounded up to whole register tiles.
    pub padded_keys: usize,
    /// Value length, rounded up likewise.
    pub padded_dim: usize,
}

/// One head, and what its kernel is made of.
pub(super) struct Block<'a> {
    pub context: &'a Context,
    pub attend: &'a Attend,
    pub tiles: AttendTiles,
    pub head: Val,
    pub scratch: Scratch,
}

/// Emits the body.
pub(crate) fn emit(context: &Context, b: &mut Builder, attend: &Attend, output: Buf, tiles: AttendTiles) {
    let scratch = declare(b, attend, tiles);
    let (head, tile) = (b.id(IdAxis::G0), b.id(IdAxis::G1));
    let block = Block { context, attend, tiles, head, scratch };
    if let Some(mask) = attend.mask() {
        return seen::emit(b, &block, &mask, tile, output);
    }
    block.pack(b, None);
    if let (Some(inverse), Some(fused)) = (&block.scratch.inverse, &attend.inverse_values) {
        return bidirectional::emit(b, &block, inverse, fused, output);
    }
    let start = b.mul_const(tile, tiles.queries as i64);
    let bound = b.add_const(start, tiles.queries as i64);
    let all = b.i64(attend.queries as i64);
    let end = b.bin(BinOp::Min, bound, all);
    b.for_loop((start, end), tiles.mr as i64, 1, &[], |b, query, _| {
        block.score(b, query, None);
        block.softmax(b, query);
        block.apply(b, query, end, output, None);
        Vec::new()
    });
}

fn declare(b: &mut Builder, attend: &Attend, tiles: AttendTiles) -> Scratch {
    let lanes = b.lanes() as usize;
    let padded_keys = attend.keys.next_multiple_of(tiles.keys * lanes);
    // Whole tiles of keys are multiplied where some are passed over.
    let rows_of_values = if attend.seen.is_some() { padded_keys } else { attend.keys };
    let padded_dim = attend.value_dim.next_multiple_of(tiles.values * lanes);
    let mut scratch = |name: &str, len: usize| b.scratch(name, DType::F32, len as u64);
    let dim = attend.products.as_ref().map(|p| p.dim);
    let sums = tiles.mr * tiles.keys.max(tiles.values) * lanes;
    let rows = if attend.inverse_values.is_some() { attend.queries.next_multiple_of(tiles.mr) } else { tiles.mr };
    Scratch {
        keys: dim.map(|d| scratch("keys", d * padded_keys)),
        queries: dim.map(|d| scratch("queries", tiles.mr * d)),
        values: attend.values.as_ref().map(|_| scratch("values", rows_of_values * padded_dim)),
        scores: scratch("scores", rows * padded_keys),
        weights: scratch("weights", tiles.mr),
        tile: scratch("tile", sums),
        inverse: attend.inverse_values.as_ref().map(|_| bidirectional::Scratch {
            values: scratch("inverse_values", attend.keys * padded_dim),
            exponentials: scratch("exponentials", rows * padded_keys),
            weights: scratch("inverse_weights", attend.keys.next_multiple_of(lanes)),
            tile: scratch("inverse_tile", sums),
        }),
        padded_keys,
        padded_dim,
    }
}

/// Some of the keys of a head, whole tiles: first, end of those that are packed, end of those that exist.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub first: Val,
    pub end: Val,
    pub last: Val,
}

impl Block<'_> {
    /// Keys and the values that a softmax over keys weighs, all or a part.
    pub(crate) fn pack(&self, b: &mut Builder, part: Option<Part>) {
        if let (Some(keys), Some(products)) = (self.scratch.keys, &self.attend.products) {
            self.pack_keys(b, keys, products, part);
        }
        if let (Some(values), Some(fused)) = (self.scratch.values, &self.attend.values) {
            self.pack_rows(b, fused, values, None, part);
        }
    }

    /// `keysᵀ[d, j]`: L keys are read along d, transposed in registers, written along j. A warp has no
    /// transposition in registers and scatters each key over its column.
    fn pack_keys(&self, b: &mut Builder, to: Buf, products: &Keys, part: Option<Part>) {
        if b.unit() != Unit::Core {
            return self.scatter_keys(b, to, products, part);
        }
        let lanes = b.lanes() as usize;
        let stride = self.scratch.padded_keys;
        let inner = lane_extent(&products.keys, 2, products.dim);
        let last = b.i64(self.attend.keys as i64 - 1);
        let bounds = part.map_or_else(|| (b.i64(0), b.i64(stride as i64)), |part| (part.first, part.end));
        b.for_loop(bounds, lanes as i64, 1, &[], |b, key, _| {
            for_chunks(b, products.dim, inner, &[], &mut |b, chunk: Chunk, _| {
                let rows = (0..lanes)
                    .map(|r| {
                        let wanted = b.add_const(key, r as i64);
                        let row = b.bin(BinOp::Min, wanted, last);
                        let point = Point::scalars(&[(self.head, self.attend.batch), (row, self.attend.keys)]);
                        let point = point.with_axis(chunk.digits.clone(), chunk.active);
                        self.context.root(b, &mut Scope::new(&products.keys, point))
                    })
                    .collect();
                let columns = b.transpose(rows);
                let start = chunk.start(b);
                let line = b.mul_const(start, stride as i64);
                let at = b.add(line, key);
                for (c, &column) in columns.iter().enumerate().take(chunk.count) {
                    b.store(column, b.addr_off(to, Some(at), (c * stride) as i64));
                }
                Vec::new()
            });
            Vec::new()
        });
    }

    fn scatter_keys(&self, b: &mut Builder, to: Buf, products: &Keys, part: Option<Part>) {
        let stride = self.scratch.padded_keys;
        let inner = lane_extent(&products.keys, 2, products.dim);
        let last = b.i64(self.attend.keys as i64 - 1);
        let bounds = part.map_or_else(|| (b.i64(0), b.i64(stride as i64)), |part| (part.first, part.end));
        b.for_loop(bounds, 1, 1, &[], |b, key, _| {
            let row = b.bin(BinOp::Min, key, last);
            let scope =
                Scope::new(&products.keys, Point::scalars(&[(self.head, self.attend.batch), (row, self.attend.keys)]));
            for_chunks(b, products.dim, inner, &[], &mut |b, chunk: Chunk, _| {
                let start = chunk.start(b);
                let line = b.mul_const(start, stride as i64);
                let at = b.add(line, key);
                let mut here = scope.at(scope.point.with_axis(chunk.digits, chunk.active));
                let value = self.context.root(b, &mut here);
                b.store_with(value, b.addr(to, at), chunk.active, stride as i64);
                Vec::new()
            });
            Vec::new()
        });
    }

    /// Rows of values, padded with zeros to whole register tiles, each times its factor where there are factors.
    pub(crate) fn pack_rows(
        &self,
        b: &mut Builder,
        fused: &FusedExpr,
        to: Buf,
        factors: Option<Buf>,
        part: Option<Part>,
    ) {
        let (stride, extent, lanes) = (self.scratch.padded_dim, self.attend.value_dim, b.lanes() as usize);
        let inner = lane_extent(fused, 2, extent);
        let bounds = part.map_or_else(|| (b.i64(0), b.i64(self.attend.keys as i64)), |part| (part.first, part.last));
        b.for_loop(bounds, 1, 1, &[], |b, row, _| {
            let line = b.mul_const(row, stride as i64);
            let zero = b.vf32(0.0);
            for pad in (extent / lanes * lanes..stride).step_by(lanes) {
                b.store(zero, b.addr_off(to, Some(line), pad as i64));
            }
            let factor = factors.map(|factors| b.bcast(b.addr(factors, row)));
            let scope = Scope::new(fused, Point::scalars(&[(self.head, self.attend.batch), (row, self.attend.keys)]));
            for_chunks(b, extent, inner, &[], &mut |b, chunk: Chunk, _| {
                let start = chunk.start(b);
                let at = b.add(line, start);
                let mut here = scope.at(scope.point.with_axis(chunk.digits, chunk.active));
                let mut value = self.context.root(b, &mut here);
                if let Some(factor) = factor {
                    value = b.mul(value, factor);
                }
                b.store_with(value, b.addr(to, at), chunk.active, 1);
                Vec::new()
            });
            Vec::new()
        });
    }

    /// The number of query `query + r`, the last one repeated.
    pub(crate) fn query(&self, b: &mut Builder, query: Val, r: Val) -> Val {
        let wanted = b.add(query, r);
        let last = b.i64(self.attend.queries as i64 - 1);
        b.bin(BinOp::Min, wanted, last)
    }

    /// `scores[r, j] = q·k` for one tile of queries; its rows begin at `base`.
    pub(crate) fn score(&self, b: &mut Builder, query: Val, base: Option<Val>) {
        let Some(operands) = self.pack_queries(b, query) else { return };
        let stride = self.scratch.padded_keys;
        self.tile_product(b, &operands, self.tiles.keys, stride, |b, column, r, from, to| {
            let row = b.mul_const(r, stride as i64);
            let row = base.map_or(row, |base| b.add(base, row));
            let at = b.add(row, column);
            let value = b.load(b.addr_off(self.scratch.tile, Some(from), to));
            b.store(value, b.addr_off(self.scratch.scores, Some(at), to));
        });
    }

    /// Packs one tile of queries: the product that their scores are.
    pub(crate) fn pack_queries(&self, b: &mut Builder, query: Val) -> Option<Operands> {
        let (Some(products), Some(keys), Some(queries)) =
            (&self.attend.products, self.scratch.keys, self.scratch.queries)
        else {
            return None;
        };
        let inner = lane_extent(&products.queries, 2, products.dim);
        b.for_const(self.tiles.mr as u64, 1, &[], |b, r, _| {
            let row = self.query(b, query, r);
            let line = b.mul_const(r, products.dim as i64);
            let scope = Scope::new(
                &products.queries,
                Point::scalars(&[(self.head, self.attend.batch), (row, self.attend.queries)]),
            );
            for_chunks(b, products.dim, inner, &[], &mut |b, chunk: Chunk, _| {
                let start = chunk.start(b);
                let at = b.add(line, start);
                let mut here = scope.at(scope.point.with_axis(chunk.digits, chunk.active));
                let value = self.context.root(b, &mut here);
                b.store_with(value, b.addr(queries, at), chunk.active, 1);
                Vec::new()
            });
            Vec::new()
        });
        let stride = self.scratch.padded_keys;
        Some(Operands { left: queries, left_stride: products.dim, right: keys, right_stride: stride, k: products.dim })
    }

    /// All column tiles of a product of `mr` rows; `finish(column, row, tile row, vector offset)` per vector.
    fn tile_product(
        &self,
        b: &mut Builder,
        operands: &Operands,
        vectors: usize,
        columns: usize,
        finish: impl Fn(&mut Builder, Val, Val, Val, i64),
    ) {
        let lanes = b.lanes() as usize;
        let width = vectors * lanes;
        b.for_const(columns as u64, width as i64, &[], |b, column, _| {
            let bases = Bases { right: Some(column), ..Bases::default() };
            multiply(b, self.context.fma, operands, bases, (self.tiles.mr, vectors), self.scratch.tile, false);
            b.for_const(self.tiles.mr as u64, 1, &[], |b, r, _| {
                let from = b.mul_const(r, width as i64);
                for v in 0..vectors {
                    finish(b, column, r, from, (v * lanes) as i64);
                }
                Vec::new()
            });
            Vec::new()
        });
    }

    /// Scale, bias and mask; then exponentials and the reciprocal of their sum.
    fn softmax(&self, b: &mut Builder, query: Val) {
        let stride = self.scratch.padded_keys;
        b.for_const(self.tiles.mr as u64, 1, &[], |b, r, _| {
            let row = self.query(b, query, r);
            let line = b.mul_const(r, stride as i64);
            let largest = self.finish_scores(b, row, line);
            self.weigh(b, r, line, largest, None);
            Vec::new()
        });
    }

    /// Scale, bias and mask of one row of scores, which begins at `line`; the largest of each lane. Keys after the
    /// last one, up to whole vectors, are −∞.
    fn finish_scores(&self, b: &mut Builder, row: Val, line: Val) -> Val {
        let keys = self.attend.keys;
        let lowest = b.vf32(f64::NEG_INFINITY);
        let scope = Scope::new(
            &self.attend.scores,
            Point::scalars(&[(self.head, self.attend.batch), (row, self.attend.queries)]),
        );
        let largest = for_chunks(b, keys, keys, &[lowest], &mut |b, chunk: Chunk, carried| {
            let start = chunk.start(b);
            let at = b.add(line, start);
            let point = scope.point.with_axis(chunk.digits, chunk.active);
            let mut here = scope.at(point.clone());
            if self.attend.products.is_some() {
                let raw = b.load(b.addr(self.scratch.scores, at));
                here = here.with_anchor(raw);
            }
            let mut value = self.context.root(b, &mut here);
            if chunk.active.is_some() {
                let active = active_lanes(b, &point);
                value = b.select(active, value, lowest);
            }
            b.store(value, b.addr(self.scratch.scores, at));
            vec![b.bin(BinOp::Max, carried[0], value)]
        });
        largest[0]
    }

    /// Scale, bias and mask of one tile of queries, whose rows begin at `base`.
    pub(crate) fn finish_tile(&self, b: &mut Builder, query: Val, base: Val) {
        b.for_const(self.tiles.mr as u64, 1, &[], |b, r, _| {
            let row = self.query(b, query, r);
            let line = b.mul_const(r, self.scratch.padded_keys as i64);
            let line = b.add(base, line);
            self.finish_scores(b, row, line);
            Vec::new()
        });
    }

    /// Softmax of one tile of finished rows, which begin at `base`; of the first `columns` of each where not of all.
    pub(crate) fn weigh_tile(&self, b: &mut Builder, base: Option<Val>, columns: Option<Val>) {
        let lanes = b.lanes() as usize;
        b.for_const(self.tiles.mr as u64, 1, &[], |b, r, _| {
            let line = b.mul_const(r, self.scratch.padded_keys as i64);
            let line = base.map_or(line, |base| b.add(base, line));
            let lowest = b.vf32(f64::NEG_INFINITY);
            let bounds = (b.i64(0), columns.unwrap_or_else(|| b.i64(self.attend.keys.next_multiple_of(lanes) as i64)));
            let largest = b.for_loop(bounds, lanes as i64, 1, &[lowest], |b, j, carried| {
                let at = b.add(line, j);
                let score = b.load(b.addr(self.scratch.scores, at));
                vec![b.bin(BinOp::Max, carried[0], score)]
            });
            self.weigh(b, r, line, largest[0], columns);
            Vec::new()
        });
    }

    /// Exponentials of one row, and the reciprocal of their sum.
    fn weigh(&self, b: &mut Builder, r: Val, line: Val, largest: Val, columns: Option<Val>) {
        let keys = self.attend.keys;
        let largest = b.reduce(ReduceOp::Max, largest);
        let finite = b.f32(f64::from(f32::MIN));
        let largest = b.bin(BinOp::Max, largest, finite);
        let largest = b.splat(largest);
        let lanes = b.lanes() as usize;
        let zero = b.vf32(0.0);
        let bounds = (b.i64(0), columns.unwrap_or_else(|| b.i64(keys.next_multiple_of(lanes) as i64)));
        let sum = b.for_loop(bounds, lanes as i64, 1, &[zero], |b, j, carried| {
            let at = b.add(line, j);
            let score = b.load(b.addr(self.scratch.scores, at));
            let below = b.sub(score, largest);
            let weight = math::exp(b, below, self.context.fma);
            b.store(weight, b.addr(self.scratch.scores, at));
            vec![b.add(carried[0], weight)]
        });
        let sum = b.reduce(ReduceOp::Sum, sum[0]);
        let (one, nothing) = (b.f32(1.0), b.f32(0.0));
        let some = b.cmp(CmpOp::Lt, nothing, sum);
        let inverse = b.bin(BinOp::Div, one, sum);
        let inverse = b.select(some, inverse, nothing);
        b.store_scalar(inverse, b.addr(self.scratch.weights, r));
    }

    /// Weights times values for one tile of queries, whose rows of scores begin at `base`; then the epilogue.
    pub(crate) fn apply(&self, b: &mut Builder, query: Val, end: Val, output: Buf, base: Option<Val>) {
        let Scratch { scores, values, inverse, padded_keys, padded_dim, tile, .. } = &self.scratch;
        self.columns(b, |b, column| {
            let bases = Bases { left: base, right: Some(column), ..Bases::default() };
            let sum = |b: &mut Builder, left: Buf, right: Buf, tile: Buf| {
                let k = self.attend.keys;
                let operands = Operands { left, left_stride: *padded_keys, right, right_stride: *padded_dim, k };
                multiply(b, self.context.fma, &operands, bases, (self.tiles.mr, self.tiles.values), tile, false);
            };
            values.iter().for_each(|&values| sum(b, *scores, values, *tile));
            inverse.iter().for_each(|inverse| sum(b, inverse.exponentials, inverse.values, inverse.tile));
            self.finish_rows(b, query, end, column, output);
        });
    }

    /// Runs `body` for each tile of the columns of values.
    pub(crate) fn columns(&self, b: &mut Builder, body: impl Fn(&mut Builder, Val)) {
        let width = self.tiles.values * b.lanes() as usize;
        b.for_const(self.scratch.padded_dim as u64, width as i64, &[], |b, column, _| {
            body(b, column);
            Vec::new()
        });
    }

    /// The epilogue of one tile of queries at some columns of values, whose sums lie in the tile.
    pub(crate) fn finish_rows(&self, b: &mut Builder, query: Val, end: Val, column: Val, output: Buf) {
        let Scratch { values, tile, inverse, .. } = &self.scratch;
        let lanes = b.lanes() as usize;
        let width = self.tiles.values * lanes;
        let left = b.sub(end, query);
        let most = b.i64(self.tiles.mr as i64);
        let count = b.bin(BinOp::Min, left, most);
        let zero = b.i64(0);
        b.for_loop((zero, count), 1, 1, &[], |b, r, _| {
            let from = b.mul_const(r, width as i64);
            let row = b.add(query, r);
            let weight = values.map(|_| b.bcast(b.addr(self.scratch.weights, r)));
            for v in 0..self.tiles.values {
                let at = |tile: Buf| Addr { buf: tile, index: Some(from), offset: (v * lanes) as i64 };
                let forward = weight.map(|weight| {
                    let sum = b.load(at(*tile));
                    b.mul(sum, weight)
                });
                let backward = inverse.as_ref().map(|inverse| b.load(at(inverse.tile)));
                let value = match (forward, backward) {
                    (Some(forward), Some(backward)) => b.add(forward, backward),
                    (one, other) => one.or(other).expect("one direction at least"),
                };
                self.finish(b, output, row, column, v * lanes, value);
            }
            Vec::new()
        });
    }

    fn finish(&self, b: &mut Builder, output: Buf, row: Val, column: Val, offset: usize, value: Val) {
        let attend = self.attend;
        let width = self.tiles.values * b.lanes() as usize;
        let active = active_lanes_at(b, column, offset, attend.value_dim, width);
        let base = vector_start(b, column, offset, attend.value_dim, width);
        let point = Point::scalars(&[(self.head, attend.batch), (row, attend.queries)]).with_lanes(
            base,
            attend.value_dim,
            active,
        );
        let mut scope = Scope::new(&attend.epilogue, point.clone()).with_anchor(value);
        let value = self.context.root(b, &mut scope);
        store_at(b, output, &attend.store, &point, value);
    }
}
