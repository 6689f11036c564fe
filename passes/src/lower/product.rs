//! The product template: pack, multiply, finish.
//!
//! ```text
//!   block (batch, rows i0…i0+R, panels p0…p0+P)
//!     pack    scratch[r, k] ← left(i0 + r, k)             stages, layer norm, gather, im2col happen here, once
//!     for slice of `depth` of k, for panel p, for tile of `mr` rows:
//!       acc[mr × nv] (+)= Σ_k scratch[r, k] · right[p][k, nv·L]   one broadcast, nv loads, mr·nv fma per k
//!       tile ← acc;  after the last slice: root ← epilogue(tile)
//! ```
//!
//! Packing ([`pack`]) is the only prologue, so the inner loop is always the same code. It is skipped where the left
//! operand already lies in memory as the loop wants it ([`direct_rows`]). The right operand comes in
//! panels of nv·L columns: packed once where it is constant, by the block itself where it is computed.
//! A long reduction is cut into slices, so that a slice of all rows stays in the second-level cache and
//! the rows that are broadcast stay in the first; sums then wait in scratch for all of the block's panels. Rows behind the last one repeat it and are not written.

mod pack;

pub(crate) use pack::packs_across;

use super::{
    index::{DigitAt, Point},
    row::store_at,
    value::{Context, Scope},
};
use crate::plan::{Product, Right};
use regard_ir::{
    kernel::{BinOp, Buf, Builder, IdAxis, Val},
    types::DType,
};

/// How a product is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProductTiles {
    /// Rows per block.
    pub rows: usize,
    /// Panels per block.
    pub panels: usize,
    /// Rows per register tile.
    pub mr: usize,
    /// Vectors per register tile.
    pub nv: usize,
    /// Steps of the reduction between visits to a register tile; divides its length.
    pub depth: usize,
}

impl ProductTiles {
    /// Columns per panel.
    pub(crate) fn width(&self, lanes: u32) -> usize {
        self.nv * lanes as usize
    }
    /// Blocks along batch, rows and panels.
    pub(crate) fn grid(&self, product: &Product, lanes: u32) -> [u64; 3] {
        let panels = product.n.div_ceil(self.width(lanes));
        [product.batch as u64, product.m.div_ceil(self.rows) as u64, panels.div_ceil(self.panels) as u64]
    }
    /// Distance of packed rows: rows a multiple of 4 KiB apart would share one set of the first-level cache.
    pub(crate) fn row_stride(k: usize) -> usize {
        if k.is_multiple_of(1024) { k + 16 } else { k }
    }
}

/// A tile product's operands in scratch or memory.
pub(crate) struct Operands {
    /// Rows to broadcast from.
    pub left: Buf,
    /// Distance of those rows.
    pub left_stride: usize,
    /// Columns to load.
    pub right: Buf,
    /// Distance of consecutive k.
    pub right_stride: usize,
    /// Length of the reduction.
    pub k: usize,
}

/// The distance of rows, where the left operand is a tensor in memory whose rows the inner loop can
/// broadcast from as they are: neighbours along k, whole register tiles, not all rows in one cache set.
pub(crate) fn direct_rows(product: &Product, mr: usize) -> Option<usize> {
    const SET_STRIDE: i64 = 1024;
    if !product.left.stages.is_empty() {
        return None;
    }
    let (_, view) = product.left.plain_load()?;
    let [coord] = &view.coords[..] else { return None };
    let whole =
        |axis: usize, extent: usize| coord.digits.iter().find(|d| d.axis == axis && d.div == 1 && d.extent == extent);
    let (row, k) = (whole(1, product.m)?, whole(2, product.k)?);
    let plain = coord.is_plain() && coord.offset == 0 && coord.digits.len() == 2 && k.mul == 1;
    let fits = product.m.is_multiple_of(mr) && row.mul % SET_STRIDE != 0;
    (plain && fits && product.batch == 1).then_some(row.mul as usize)
}

/// Where a register tile reads and writes, in elements from the start of each buffer.
#[derive(Clone, Copy, Default)]
pub(crate) struct Bases {
    /// First row, first k of the left operand.
    pub left: Option<Val>,
    /// First k of the panel.
    pub right: Option<Val>,
    /// The sums.
    pub tile: Option<Val>,
}

/// `tile[mr][nv·L] = start + Σ_k left[r, k] · right[k, v·L]`; `start` is the tile itself where `continues`.
pub(crate) fn multiply(
    b: &mut Builder,
    fma: bool,
    at: &Operands,
    bases: Bases,
    (mr, nv): (usize, usize),
    tile: Buf,
    continues: bool,
) {
    let lanes = b.lanes() as usize;
    let place = |i: usize| (i * lanes) as i64;
    let start: Vec<Val> = if continues {
        (0..mr * nv).map(|i| b.load(b.addr_off(tile, bases.tile, place(i)))).collect()
    } else {
        vec![b.vf32(0.0); mr * nv]
    };
    let bounds = (b.i64(0), b.i64(at.k as i64));
    let unroll = if at.k.is_multiple_of(4) { 4 } else { 1 };
    let sums = b.for_loop(bounds, 1, unroll, &start, |b, k, sums| {
        let mut sums = sums.to_vec();
        let line = b.mul_const(k, at.right_stride as i64);
        let line = bases.right.map_or(line, |base| b.add(base, line));
        let columns: Vec<Val> = (0..nv).map(|v| b.load(b.addr_off(at.right, Some(line), place(v)))).collect();
        let row = bases.left.map_or(k, |base| b.add(base, k));
        for r in 0..mr {
            let left = b.bcast(b.addr_off(at.left, Some(row), (r * at.left_stride) as i64));
            for (v, &column) in columns.iter().enumerate() {
                sums[r * nv + v] = multiply_add(b, fma, left, column, sums[r * nv + v]);
            }
        }
        sums
    });
    for (i, &sum) in sums.iter().enumerate() {
        b.store(sum, b.addr_off(tile, bases.tile, place(i)));
    }
}

/// x·y + z, fused where that is one instruction.
pub(crate) fn multiply_add(b: &mut Builder, fma: bool, x: Val, y: Val, z: Val) -> Val {
    if fma {
        return b.fma(x, y, z);
    }
    let product = b.mul(x, y);
    b.add(product, z)
}

/// Emits the body; `constant` is the packed right operand where it is one.
pub(crate) fn emit(
    context: &Context,
    b: &mut Builder,
    product: &Product,
    constant: Option<Buf>,
    output: Buf,
    tiles: ProductTiles,
) {
    let width = tiles.width(b.lanes());
    let packed_rows = tiles.rows.next_multiple_of(tiles.mr);
    let direct = direct_rows(product, tiles.mr);
    let across = direct.is_none() && packs_across(product, b.unit(), b.lanes());
    let left_rows = if across { pack::groups(tiles, b.lanes()) * b.lanes() as usize } else { packed_rows };
    let stride = direct.unwrap_or(ProductTiles::row_stride(product.k));
    let left = match product.left.plain_load() {
        Some((node, _)) if direct.is_some() => context.buffers[&node],
        _ => b.scratch("left", DType::F32, (left_rows * stride) as u64),
    };
    let sliced = tiles.depth < product.k;
    let tile =
        b.scratch("tile", DType::F32, (if sliced { tiles.panels * packed_rows } else { tiles.mr } * width) as u64);
    let computed = match product.right {
        Right::Constant(_) => None,
        Right::Computed(_) => Some(b.scratch("right", DType::F32, (tiles.panels * product.k * width) as u64)),
    };
    let [batch, row_block, panel_block] = [IdAxis::G0, IdAxis::G1, IdAxis::G2].map(|axis| b.id(axis));
    let first_row = b.mul_const(row_block, tiles.rows as i64);
    let first_panel = b.mul_const(panel_block, tiles.panels as i64);
    let rows = bounded(b, first_row, tiles.rows, product.m);
    let right = constant.or(computed).expect("a right operand");
    let operands = Operands { left, left_stride: stride, right, right_stride: width, k: tiles.depth };
    let before = match direct {
        Some(_) => Some(first_row),
        None if across => pack::skipped(b, first_row, tiles),
        None => None,
    };
    let origin = before.map(|rows| b.mul_const(rows, stride as i64));
    let block = Block { context, product, tiles, batch, first_row, first_panel, rows, operands, origin, tile, output };
    if across {
        block.pack_across(b, left, stride);
    } else if direct.is_none() {
        block.pack_left(b, left, stride, packed_rows);
    }
    let panels = bounded(b, first_panel, tiles.panels, product.n.div_ceil(width));
    if let (Some(right), Right::Computed(cone)) = (computed, &product.right) {
        block.pack_right(b, right, cone, first_panel, panels);
    }
    let block = Panels { block, first: first_panel, count: panels, packed: computed.is_some() };
    if sliced { block.sliced(b) } else { block.whole(b) }
}

/// `min(tile, all − start)`, without arithmetic where tiles divide.
fn bounded(b: &mut Builder, start: Val, tile: usize, all: usize) -> Val {
    let tile_val = b.i64(tile as i64);
    if all.is_multiple_of(tile) {
        return tile_val;
    }
    let all = b.i64(all as i64);
    let left = b.sub(all, start);
    b.bin(BinOp::Min, left, tile_val)
}

struct Block<'a> {
    context: &'a Context,
    product: &'a Product,
    tiles: ProductTiles,
    batch: Val,
    first_row: Val,
    first_panel: Val,
    /// Rows of this block that exist.
    rows: Val,
    operands: Operands,
    /// Where this block's rows begin in the left operand, if not at its start.
    origin: Option<Val>,
    tile: Buf,
    output: Buf,
}

impl Block<'_> {
    fn register_tile(&self, b: &mut Builder, bases: Bases, continues: bool) {
        multiply(b, self.context.fma, &self.operands, bases, (self.tiles.mr, self.tiles.nv), self.tile, continues);
    }

    /// Where a row of the block begins in the left operand.
    fn left_row(&self, b: &mut Builder, row: Val) -> Val {
        let line = b.mul_const(row, self.operands.left_stride as i64);
        self.origin.map_or(line, |origin| b.add(origin, line))
    }

    /// The epilogue of `count` rows from `row` on, which lie in the tile from `tile` on.
    fn finish_rows(&self, b: &mut Builder, (row, count): (Val, Val), column: Val, tile: Option<Val>) {
        let lanes = b.lanes() as usize;
        let width = self.tiles.width(b.lanes());
        let zero = b.i64(0);
        b.for_loop((zero, count), 1, 1, &[], |b, r, _| {
            let in_block = b.add(row, r);
            let global_row = b.add(self.first_row, in_block);
            let line = b.mul_const(r, width as i64);
            let from = tile.map_or(line, |tile| b.add(tile, line));
            for v in 0..self.tiles.nv {
                let value = b.load(b.addr_off(self.tile, Some(from), (v * lanes) as i64));
                self.finish(b, global_row, column, v * lanes, value);
            }
            Vec::new()
        });
    }

    /// The epilogue of one vector, and its store.
    fn finish(&self, b: &mut Builder, row: Val, column: Val, offset: usize, value: Val) {
        let product = self.product;
        let width = self.tiles.width(b.lanes());
        let first = remaining(b, column, offset, product.n, width);
        let base = vector_start(b, column, offset, product.n, width);
        let mut point = Point::scalars(&[(self.batch, product.batch), (row, product.m)]);
        point.axes.push(vec![DigitAt { div: 1, extent: product.n, value: base, lanes: true }]);
        point.first = first;
        let mut scope = Scope::new(&product.epilogue, point.clone()).with_anchor(value);
        let value = self.context.root(b, &mut scope);
        store_at(b, self.output, &product.store, &point, value);
    }
}

/// The panels of a block.
struct Panels<'a> {
    block: Block<'a>,
    /// First panel of the block.
    first: Val,
    /// Panels of this block that exist.
    count: Val,
    /// Whether the right operand holds this block's panels only.
    packed: bool,
}

impl Panels<'_> {
    /// Where a panel of the block starts in the right operand, and its first column.
    fn place(&self, b: &mut Builder, panel: Val) -> (Val, Val) {
        let width = self.block.tiles.width(b.lanes());
        let global = b.add(self.first, panel);
        let source = if self.packed { panel } else { global };
        let right = b.mul_const(source, (self.block.product.k * width) as i64);
        (right, b.mul_const(global, width as i64))
    }

    /// Each register tile is finished while it is warm.
    fn whole(&self, b: &mut Builder) {
        let (block, mr) = (&self.block, self.block.tiles.mr as i64);
        let zero = b.i64(0);
        b.for_loop((zero, self.count), 1, 1, &[], |b, panel, _| {
            let (right, column) = self.place(b, panel);
            b.for_loop((zero, block.rows), mr, 1, &[], |b, row, _| {
                let left = block.left_row(b, row);
                block.register_tile(b, Bases { left: Some(left), right: Some(right), tile: None }, false);
                let rest = b.sub(block.rows, row);
                let most = b.i64(mr);
                let count = b.bin(BinOp::Min, rest, most);
                block.finish_rows(b, (row, count), column, None);
                Vec::new()
            });
            Vec::new()
        });
    }

    /// The reduction in slices; sums wait in the tile between them.
    fn sliced(&self, b: &mut Builder) {
        let block = &self.block;
        let (depth, width) = (block.tiles.depth as i64, block.tiles.width(b.lanes()) as i64);
        let tile_stride = block.tiles.rows.next_multiple_of(block.tiles.mr) as i64 * width;
        let zero = b.i64(0);
        let slice = |b: &mut Builder, k: Option<Val>| {
            b.for_loop((zero, self.count), 1, 1, &[], |b, panel, _| {
                let (start, _) = self.place(b, panel);
                let right = k.map_or(start, |k| {
                    let skipped = b.mul_const(k, width);
                    b.add(start, skipped)
                });
                let sums = b.mul_const(panel, tile_stride);
                b.for_loop((zero, block.rows), block.tiles.mr as i64, 1, &[], |b, row, _| {
                    let line = block.left_row(b, row);
                    let left = k.map_or(line, |k| b.add(line, k));
                    let row = b.mul_const(row, width);
                    let tile = b.add(sums, row);
                    block.register_tile(
                        b,
                        Bases { left: Some(left), right: Some(right), tile: Some(tile) },
                        k.is_some(),
                    );
                    Vec::new()
                });
                Vec::new()
            });
        };
        slice(b, None);
        let bounds = (b.i64(depth), b.i64(block.product.k as i64));
        b.for_loop(bounds, depth, 1, &[], |b, k, _| {
            slice(b, Some(k));
            Vec::new()
        });
        b.for_loop((zero, self.count), 1, 1, &[], |b, panel, _| {
            let (_, column) = self.place(b, panel);
            let sums = b.mul_const(panel, tile_stride);
            block.finish_rows(b, (zero, block.rows), column, Some(sums));
            Vec::new()
        });
    }
}

/// Where the vector at `column + offset` begins. One behind the last column has no active lanes, but what is the
/// same for all lanes is read all the same, so it begins where the last one does.
pub(crate) fn vector_start(b: &mut Builder, column: Val, offset: usize, n: usize, width: usize) -> Val {
    let start = b.add_const(column, offset as i64);
    if n.is_multiple_of(width) {
        return start;
    }
    let lanes = b.lanes() as usize;
    let last = b.i64(((n - 1) / lanes * lanes) as i64);
    b.bin(BinOp::Min, start, last)
}

/// How many of the lanes at `column + offset` lie below `n`; nothing where panels of `width` divide `n`.
pub(crate) fn remaining(b: &mut Builder, column: Val, offset: usize, n: usize, width: usize) -> Option<Val> {
    if n.is_multiple_of(width) {
        return None;
    }
    let lanes = b.lanes() as i64;
    let from = b.add_const(column, offset as i64);
    let all = b.i64(n as i64);
    let left = b.sub(all, from);
    let (zero, most) = (b.i64(0), b.i64(lanes));
    let left = b.bin(BinOp::Min, left, most);
    Some(b.bin(BinOp::Max, left, zero))
}
