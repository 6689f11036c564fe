//! The work of a product.
//!
//! ```text
//!   visits      a register tile (mr rows × nv vectors) for one slice of the reduction: depth steps
//!   finishing   every vector of the result: scale, bias, activation, residual, store
//!   packing     the block's rows, once per block, transposed where lanes run across them; panels too where the right
//!               operand is computed
//!
//!   L1 ─ L2     a slice of a panel stays in L1 while rows pass, or comes again with each visit
//!   L2 ─ L3     panels stay in L2 while blocks of rows pass, or come again with each block
//! ```

use super::{MatmulTiles, direct_rows, pack::packs_across};
use crate::{
    plan::{Matmul, Right},
    templates::{
        Pricing, Sizes,
        cost::{CostContext, Event, L1, L2, Work, share},
        expression::price::{Price, Walk, price},
        unit_of,
    },
};
use regard_ir::target::Target;

/// What the cost depends on apart from tiles.
pub(super) struct MatmulCost<'a> {
    product: &'a Matmul,
    left: Price,
    /// Whether lanes run across rows as the left operand is packed.
    across: bool,
    right: Option<Price>,
    epilogue: Price,
    /// Whether rows can be read from memory as they are, where tiles divide them.
    direct: bool,
    weights_exceed_caches: bool,
    target: &'a Target,
}

impl<'a> MatmulCost<'a> {
    pub(super) fn new(product: &'a Matmul, setting: &CostContext<'a>) -> Self {
        let across = packs_across(product, unit_of(setting.target), setting.target.lanes);
        let (axis, walk) = if across { ((1, product.m), Walk::Straight) } else { ((2, product.k), Walk::Digits) };
        Self {
            product,
            left: price(&product.left, axis, walk, setting),
            across,
            right: match &product.right {
                Right::Constant(_) => None,
                Right::Computed(fused) => Some(price(fused, (2, product.n), Walk::Straight, setting)),
            },
            epilogue: price(&product.epilogue, (2, product.n), Walk::Straight, setting),
            direct: direct_rows(product, 1).is_some(),
            weights_exceed_caches: setting.weights_exceed_caches && matches!(product.right, Right::Constant(_)),
            target: setting.target,
        }
    }

    fn instructions(&self, c: &Counts, target: &Target, work: &mut Work) {
        let (tiles, vector) = (c.tiles, 4.0 * f64::from(target.lanes));
        work.multiply((tiles.mr, tiles.nv), c.visits * self.product.k as f64 / c.slices, target);
        let sums = (tiles.mr * tiles.nv) as f64;
        work.visit(c.visits, c.visits * sums * (2.0 - 1.0 / c.slices), target);
        if c.slices > 1.0 {
            // There and back for each visit but the first, and once more to be finished.
            work.events[Event::PartialSumReload] = 2.0 * c.visits * sums * (1.0 - 1.0 / c.slices) + c.finished;
        }
        work.events[Event::Finish] = c.finished;
        work.events[Event::FinishRow] = c.finished_rows;
        work.cross(L1, c.finished * 2.0 * vector);
        work.express(self.epilogue.vector, c.finished);
        work.express(self.epilogue.row, c.finished_rows);
        work.events[Event::Pack] = c.packed_left + c.packed_right;
        work.events[Event::PackRow] = c.packed_rows;
        work.events[Event::Shuffle] = c.transposed * f64::from(target.lanes.ilog2());
        work.cross(L1, (c.packed_left + c.packed_right) * vector);
        work.express(self.left.vector, c.packed_left);
        work.express(self.left.row, c.packed_rows);
        if let Some(right) = &self.right {
            work.express(right.vector, c.packed_right);
        }
    }

    /// Between L1 and L2: panels, rows, waiting sums, and what is read and written once.
    fn l2_traffic(&self, c: &Counts, target: &Target, work: &mut Work) {
        let (tiles, p) = (c.tiles, self.product);
        let slice = 4.0 * (tiles.depth * c.width) as f64;
        let rows = 4.0 * (tiles.mr * tiles.depth) as f64;
        let panel_stays = slice + rows <= share(target.levels[L1].bytes);
        let rows_stay = slice + 4.0 * (tiles.rows * tiles.depth) as f64 <= share(target.levels[L1].bytes);
        let panel_visits = if panel_stays { c.panel_entries * c.slices } else { c.visits };
        let row_bytes = if rows_stay { c.blocks * 4.0 * (tiles.rows * p.k) as f64 } else { c.visits * rows };
        let sums = if c.slices > 1.0 { c.visits * 8.0 * (tiles.mr * c.width) as f64 } else { 0.0 };
        let packed = 8.0 * (c.packed_left + c.packed_right) * f64::from(target.lanes);
        work.cross(L2, panel_visits * slice + row_bytes + sums + packed + self.written());
    }

    /// L3 and DRAM traffic: operands that the previous block did not leave in L2.
    fn outer_traffic(&self, c: &Counts, target: &Target, work: &mut Work) {
        let (tiles, p) = (c.tiles, self.product);
        let right = 4.0 * (p.k * c.padded) as f64;
        let batches = if self.right.is_some() { p.batch as f64 } else { 1.0 };
        let left = (p.m * p.k) as f64 * if c.direct { 4.0 } else { self.left.streamed.max(4.0) } * p.batch as f64;
        let written = self.written();
        let footprint = right * batches + left + written;
        let block = 4.0 * (tiles.rows * p.k) as f64;
        // What is read and written on the way takes the other half.
        let stays = right + block <= target.levels[L2].bytes as f64 / 2.0;
        let again = if stays { batches } else { p.batch as f64 * c.row_blocks };
        for (level, before) in target.levels_beyond(L2 + 1) {
            let left_again = if c.column_blocks > 1.0 && block > share(before) { c.column_blocks } else { 1.0 };
            let nearest = right * again + left * left_again + written;
            if footprint > share(before) {
                work.cross(level, if level == L2 + 1 { nearest } else { footprint });
            } else if self.weights_exceed_caches {
                work.cross(level, right);
            }
        }
    }

    /// Bytes of the result, and of what its epilogue reads with it.
    fn written(&self) -> f64 {
        (self.product.batch * self.product.m * self.product.n) as f64 * (8.0 + self.epilogue.streamed)
    }
}

impl Pricing for MatmulCost<'_> {
    fn work(&self, sizes: Sizes) -> Work {
        let (tiles, target) = (MatmulTiles::from(sizes), self.target);
        let counts = Counts::new(self, &tiles, target);
        let mut work = Work { blocks: counts.blocks as u64, ..Work::default() };
        self.instructions(&counts, target, &mut work);
        self.l2_traffic(&counts, target, &mut work);
        self.outer_traffic(&counts, target, &mut work);
        work
    }

    fn key(&self) -> Option<Vec<u64>> {
        let Matmul { batch, m, k, n, .. } = *self.product;
        let sizes = [batch, m, k, n].map(|size| size as u64);
        let facts = [self.across, self.direct, self.weights_exceed_caches, self.right.is_some()].map(u64::from);
        let prices = [Some(self.left), self.right, Some(self.epilogue)].into_iter().flatten();
        Some(sizes.into_iter().chain(facts).chain(prices.flat_map(|price| price.key())).collect())
    }
}

/// How often things happen.
struct Counts<'a> {
    tiles: &'a MatmulTiles,
    /// Columns per panel.
    width: usize,
    /// Columns, rounded up to whole panels.
    padded: usize,
    direct: bool,
    blocks: f64,
    row_blocks: f64,
    column_blocks: f64,
    slices: f64,
    /// Register tiles, times slices.
    visits: f64,
    /// Panels, once for each block of rows that meets them.
    panel_entries: f64,
    /// Vectors of the result.
    finished: f64,
    /// Rows of the result, once for each panel.
    finished_rows: f64,
    packed_rows: f64,
    /// Vectors.
    packed_left: f64,
    packed_right: f64,
    /// Vectors of the left operand that are transposed.
    transposed: f64,
}

impl<'a> Counts<'a> {
    fn new(parts: &MatmulCost, tiles: &'a MatmulTiles, target: &Target) -> Self {
        let p = parts.product;
        let width = tiles.width(target.lanes);
        let [batch, row_blocks, column_blocks] = tiles.grid(p, target.lanes).map(|n| n as usize);
        let panels = p.n.div_ceil(width);
        let last = p.m - (row_blocks - 1) * tiles.rows;
        let row_tiles = (row_blocks - 1) * tiles.rows.div_ceil(tiles.mr) + last.div_ceil(tiles.mr);
        let slices = p.k.div_ceil(tiles.depth);
        let direct = parts.direct && p.m.is_multiple_of(tiles.mr);
        let blocks = batch * row_blocks * column_blocks;
        let rows = if direct { 0 } else { blocks * tiles.rows };
        let lanes = target.lanes as usize;
        // Lanes across rows: a vector for each k of L rows, whole squares of them.
        let squares = if parts.across { rows.div_ceil(lanes) * p.k.div_ceil(lanes) } else { 0 };
        let along = if parts.across { 0.0 } else { rows as f64 * parts.left.vectors };
        let packs_right = parts.right.is_some();
        Self {
            tiles,
            width,
            padded: panels * width,
            direct,
            blocks: blocks as f64,
            row_blocks: row_blocks as f64,
            column_blocks: column_blocks as f64,
            slices: slices as f64,
            visits: (batch * row_tiles * panels * slices) as f64,
            panel_entries: (batch * row_blocks * panels) as f64,
            finished: (batch * p.m * panels * tiles.nv) as f64,
            finished_rows: (batch * p.m * panels) as f64,
            packed_rows: if parts.across { squares } else { rows } as f64,
            packed_left: along + (squares * lanes) as f64,
            transposed: (squares * lanes) as f64,
            packed_right: if packs_right { (batch * row_blocks * panels * p.k * tiles.nv) as f64 } else { 0.0 },
        }
    }
}
