//! Emits a product.

use super::{MatmulTiles, direct_rows, pack, pack::packs_across};
use crate::{
    plan::{Matmul, Right},
    templates::{
        Parameters,
        expression::{
            Context, Scope,
            index::{DigitAt, Point},
            rows::store_at,
        },
        register_tile::{Bases, Operands, active_lanes_at, multiply, vector_start},
    },
};
use regard_ir::{
    kernel::{BinOp, Buf, Builder, IdAxis, Val},
    types::DType,
};

/// Emits the body.
pub(super) fn emit(
    context: &Context,
    b: &mut Builder,
    product: &Matmul,
    Parameters { panels: constant, output }: Parameters,
    tiles: MatmulTiles,
) {
    let width = tiles.width(b.lanes());
    let packed_rows = tiles.rows.next_multiple_of(tiles.mr);
    let direct = direct_rows(product, tiles.mr);
    let across = direct.is_none() && packs_across(product, b.unit(), b.lanes());
    let left_rows = if across { pack::groups(tiles, b.lanes()) * b.lanes() as usize } else { packed_rows };
    let stride = direct.unwrap_or(MatmulTiles::row_stride(product.k));
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
    if let (Some(right), Right::Computed(fused)) = (computed, &product.right) {
        block.pack_right(b, right, fused, first_panel, panels);
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

/// Rows times panels of one batch, and what its kernel is made of.
pub(super) struct Block<'a> {
    pub(super) context: &'a Context,
    pub(super) product: &'a Matmul,
    pub(super) tiles: MatmulTiles,
    pub(super) batch: Val,
    pub(super) first_row: Val,
    pub(super) first_panel: Val,
    /// Rows of this block that exist.
    pub(super) rows: Val,
    pub(super) operands: Operands,
    /// Where this block's rows begin in the left operand, if not at its start.
    pub(super) origin: Option<Val>,
    pub(super) tile: Buf,
    pub(super) output: Buf,
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
        let active = active_lanes_at(b, column, offset, product.n, width);
        let base = vector_start(b, column, offset, product.n, width);
        let mut point = Point::scalars(&[(self.batch, product.batch), (row, product.m)]);
        point.axes.push(vec![DigitAt { div: 1, extent: product.n, value: base, lanes: true }]);
        point.active = active;
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

    /// The epilogue runs on each register tile right after its k-loop.
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
