//! Attention that passes over tiles of keys which a mask of positions excludes.
//!
//! ```text
//!   keys ──▶                        block (head, queries q0…q0+R)
//!   q ■ ■ · · · ·                     for tile of keys that some query of the block may see: pack it
//!   │ ■ ■ ■ · · ·                     for tile of `mr` queries:
//!   ▼ · ■ ■ ■ · ·                       for tile of keys that some of them may see:  scores, side by side
//!     · · ■ ■ ■ ·                       softmax of the scores that there are
//!                                       the same tiles again:  y += p · values
//! ```
//!
//! Whether a tile is seen is interval arithmetic on the condition of the mask ([`Mask`]), a few scalar instructions; what
//! remains of the mask is computed element by element as ever. A score that is passed over is −∞: its weight would be
//! 0, and a sum is the same without it, in any order. So each sum of a row adds the same numbers in the same order as
//! where nothing is passed over. Tiles before the first and after the last one that the block sees are not asked for.

use super::emit::{Block, Part};
use crate::{
    plan::{
        Attend,
        bounds::{Arithmetic, Mask},
    },
    templates::{
        expression::{
            Scope,
            index::{Point, active_lanes},
        },
        register_tile::{Bases, Operands, active_lanes_at, multiply, vector_start},
    },
};
use regard_ir::kernel::{BinOp, Buf, Builder, CastOp, CmpOp, Const, Val};

impl Attend {
    /// The mask by which keys are passed over, where they are.
    pub(super) fn mask(&self) -> Option<Mask<'_>> {
        self.seen.and_then(|_| Mask::of(&self.scores))
    }
}

/// Emits the body of the block with tile `tile` of the queries.
pub(super) fn emit(b: &mut Builder, block: &Block, mask: &Mask, tile: Val, output: Buf) {
    let (queries, mr) = (block.tiles.queries as i64, block.tiles.mr as i64);
    let tile = alternate(b, tile, block.tiles.grid(block.attend)[1] as i64);
    let start = b.mul_const(tile, queries);
    let bound = b.add_const(start, queries);
    let all = b.i64(block.attend.queries as i64);
    let end = b.bin(BinOp::Min, bound, all);
    let tiles = Tiles { block, mask, width: (block.tiles.keys as i64) * i64::from(b.lanes()) };
    let range = tiles.pack(b, (start, end));
    b.for_loop((start, end), mr, 1, &[], |b, query, _| {
        let bound = b.add_const(query, mr);
        let bound = b.bin(BinOp::Min, bound, end);
        let seen = Seen { tiles: &tiles, range, rows: (query, bound) };
        let columns = seen.score(b);
        block.weigh_tile(b, None, Some(columns));
        seen.apply(b, end, output);
        Vec::new()
    });
}

/// First and last in turn, then what is left: neighbouring blocks, which one worker runs, then see about as much as others
/// where late queries see more than early ones.
fn alternate(b: &mut Builder, block: Val, blocks: i64) -> Val {
    if blocks <= 2 {
        return block;
    }
    let (two, zero) = (b.i64(2), b.i64(0));
    let (half, odd) = (b.bin(BinOp::Div, block, two), b.bin(BinOp::Rem, block, two));
    let last = b.i64(blocks - 1);
    let late = b.sub(last, half);
    let even = b.cmp(CmpOp::Eq, odd, zero);
    b.select(even, half, late)
}

/// Tiles of keys.
struct Tiles<'a> {
    block: &'a Block<'a>,
    mask: &'a Mask<'a>,
    /// Keys in each.
    width: i64,
}

impl Tiles<'_> {
    /// Whether no query of `rows` sees a key of the tile that begins at `key`.
    fn excluded(&self, b: &mut Builder, rows: (Val, Val), key: Val) -> Val {
        let attend = self.block.attend;
        let last = b.add_const(key, self.width - 1);
        let most = b.i64(attend.keys as i64 - 1);
        let last = b.bin(BinOp::Min, last, most);
        let last_row = b.add_const(rows.1, -1);
        let head = self.block.head;
        self.mask.excludes(&mut Scalars(b), &[[head, head], [rows.0, last_row], [key, last]])
    }

    /// Packs the tiles that a block may see; where the first begins, and where the last ends.
    fn pack(&self, b: &mut Builder, rows: (Val, Val)) -> (Val, Val) {
        let (block, padded) = (self.block, self.block.scratch.padded_keys as i64);
        self.clear_padding(b);
        let (first, end) = (b.i64(padded), b.i64(0));
        let range = b.for_const(padded as u64, self.width, &[first, end], |b, key, carried| {
            let excluded = self.excluded(b, rows, key);
            let (first, end) = (carried[0], carried[1]);
            b.if_else(
                excluded,
                |_| vec![first, end],
                |b| {
                    let end = b.add_const(key, self.width);
                    let keys = b.i64(block.attend.keys as i64);
                    let last = b.bin(BinOp::Min, end, keys);
                    block.pack(b, Some(Part { first: key, end, last }));
                    vec![b.bin(BinOp::Min, first, key), end]
                },
            )
        });
        (range[0], range[1])
    }

    /// Values after the last key are zeros, as their weights are.
    fn clear_padding(&self, b: &mut Builder) {
        let (scratch, keys) = (&self.block.scratch, self.block.attend.keys);
        let Some(values) = scratch.values else { return };
        let bounds = [keys, scratch.padded_keys].map(|rows| b.i64((rows * scratch.padded_dim) as i64));
        let zero = b.vf32(0.0);
        b.for_loop((bounds[0], bounds[1]), i64::from(b.lanes()), 1, &[], |b, at, _| {
            b.store(zero, b.addr(values, at));
            Vec::new()
        });
    }
}

/// What one tile of queries sees.
struct Seen<'a> {
    tiles: &'a Tiles<'a>,
    /// First and last key that the block sees.
    range: (Val, Val),
    /// First query and the end.
    rows: (Val, Val),
}

impl Seen<'_> {
    /// Runs `body` for every tile of keys that is seen, with its first key and the column where its scores lie; the
    /// number of columns.
    fn each(&self, b: &mut Builder, body: impl Fn(&mut Builder, Val, Val)) -> Val {
        let none = b.i64(0);
        let columns = b.for_loop(self.range, self.tiles.width, 1, &[none], |b, key, carried| {
            let excluded = self.tiles.excluded(b, self.rows, key);
            let column = carried[0];
            b.if_else(
                excluded,
                |_| vec![column],
                |b| {
                    body(b, key, column);
                    vec![b.add_const(column, self.tiles.width)]
                },
            )
        });
        columns[0]
    }

    /// Finished scores of all that is seen, side by side; the number of columns.
    fn score(&self, b: &mut Builder) -> Val {
        let block = self.tiles.block;
        let shape = (block.tiles.mr, block.tiles.keys);
        let operands = block.pack_queries(b, self.rows.0);
        self.each(b, |b, key, column| {
            if let Some(operands) = &operands {
                let bases = Bases { right: Some(key), ..Bases::default() };
                multiply(b, block.context.fma, operands, bases, shape, block.scratch.tile, false);
            }
            b.for_const(shape.0 as u64, 1, &[], |b, r, _| {
                self.finish(b, r, key, column);
                Vec::new()
            });
        })
    }

    /// Scale, bias and mask of one row of a tile. Keys after the last one are −∞.
    fn finish(&self, b: &mut Builder, r: Val, key: Val, column: Val) {
        let (block, attend) = (self.tiles.block, self.tiles.block.attend);
        let (lanes, width) = (b.lanes() as usize, self.tiles.width);
        let row = block.query(b, self.rows.0, r);
        let line = b.mul_const(r, block.scratch.padded_keys as i64);
        let line = b.add(line, column);
        let from = b.mul_const(r, width);
        for offset in (0..width as usize).step_by(lanes) {
            let active = active_lanes_at(b, key, offset, attend.keys, width as usize);
            let base = vector_start(b, key, offset, attend.keys, width as usize);
            let point = Point::scalars(&[(block.head, attend.batch), (row, attend.queries)]);
            let point = point.with_lanes(base, attend.keys, active);
            let mut here = Scope::new(&attend.scores, point.clone());
            if attend.products.is_some() {
                let raw = b.load(b.addr_off(block.scratch.tile, Some(from), offset as i64));
                here = here.with_anchor(raw);
            }
            let mut value = block.context.root(b, &mut here);
            if active.is_some() {
                let (mask, lowest) = (active_lanes(b, &point), b.vf32(f64::NEG_INFINITY));
                value = b.select(mask, value, lowest);
            }
            b.store(value, b.addr_off(block.scratch.scores, Some(line), offset as i64));
        }
    }

    /// Weights times values of all that is seen, and the epilogue.
    fn apply(&self, b: &mut Builder, end: Val, output: Buf) {
        let block = self.tiles.block;
        let scratch = &block.scratch;
        let Some(values) = scratch.values else { return };
        let shape = (block.tiles.mr, block.tiles.values);
        let operands = Operands {
            left: scratch.scores,
            left_stride: scratch.padded_keys,
            right: values,
            right_stride: scratch.padded_dim,
            k: self.tiles.width as usize,
        };
        let lanes = i64::from(b.lanes());
        block.columns(b, |b, column| {
            let zero = b.vf32(0.0);
            for i in 0..(shape.0 * shape.1) as i64 {
                b.store(zero, b.addr_off(scratch.tile, None, i * lanes));
            }
            self.each(b, |b, key, scores| {
                let line = b.mul_const(key, scratch.padded_dim as i64);
                let right = b.add(line, column);
                let bases = Bases { left: Some(scores), right: Some(right), tile: None };
                multiply(b, block.context.fma, &operands, bases, shape, scratch.tile, true);
            });
            block.finish_rows(b, self.rows.0, end, column, output);
        });
    }
}

/// Calculates in the scalars of a kernel: i64, f32, bool.
struct Scalars<'a>(&'a mut Builder);

impl Arithmetic for Scalars<'_> {
    type Value = Val;
    fn integer(&mut self, value: i64) -> Val {
        self.0.i64(value)
    }
    fn real(&mut self, value: f64) -> Val {
        self.0.f32(value)
    }
    fn truth(&mut self, value: bool) -> Val {
        self.0.constant(Const::Bool(value))
    }
    fn binary(&mut self, op: BinOp, a: Val, b: Val) -> Val {
        self.0.bin(op, a, b)
    }
    fn compare(&mut self, op: CmpOp, a: Val, b: Val) -> Val {
        self.0.cmp(op, a, b)
    }
    fn choose(&mut self, condition: Val, a: Val, b: Val) -> Val {
        self.0.select(condition, a, b)
    }
    fn real_of(&mut self, integer: Val) -> Val {
        let low = self.0.cast(CastOp::I64ToI32, integer);
        self.0.cast(CastOp::I32ToF32, low)
    }
}
