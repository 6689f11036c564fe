//! Products of matrices: pack, multiply, finish.
//!
//! ```text
//!   block (batch, rows i0…i0+R, panels p0…p0+P)
//!     pack    scratch[r, k] ← left(i0 + r, k)             stages, layer norm, gather, im2col happen here, once
//!     for slice of `depth` of k, for panel p, for tile of `mr` rows:
//!       acc[mr × nv] (+)= Σ_k scratch[r, k] · right[p][k, nv·L]   one broadcast, nv loads, mr·nv fma per k
//!       tile ← acc;  after the last slice: root ← epilogue(tile)
//! ```
//!
//! Packing (`pack.rs`) is the only prologue, so the inner loop is always the same code. It is skipped where the left
//! operand already lies in memory as the loop wants it ([`direct_rows`]). The right operand comes in
//! panels of nv·L columns: packed once where it is constant, by the block itself where it is computed.
//! A long reduction is cut into slices, so that a slice of all rows stays in L2 and the rows that are broadcast
//! stay in L1; accumulators then wait in scratch for all of the block's panels. Rows past the end re-read the last
//! row; their results are not stored.
//!
//! ```text
//!   registers   mr·nv accumulators + nv columns + 1 broadcast      ≤ vector registers
//!   cache       rows, one slice of a panel, waiting accumulators   ≤ three quarters of L2
//!   divides     mr divides rows, depth divides k
//! ```

mod cost;
mod emit;
mod pack;

use super::{
    Instance, Parameters, Pricing, Sizes, Template,
    cost::{CostContext, L1, L2},
    expression::Context,
    ladder, parts,
    register_tile::{check_registers, fits_registers},
    tile_sizes,
};
use crate::plan::{Body, Matmul, Right};
use regard_ir::{
    graph::NodeId,
    kernel::Builder,
    target::{Target, UnitKind},
};
use std::collections::BTreeSet;

tile_sizes! {
    /// How a product is tiled.
    MatmulTiles {
        /// Rows per block.
        rows,
        /// Panels per block.
        panels,
        /// Steps of the reduction between visits to a register tile; divides its length.
        depth,
        /// Rows per register tile.
        mr,
        /// Vectors per register tile.
        nv,
    }
}

impl MatmulTiles {
    /// Columns per panel.
    fn width(&self, lanes: u32) -> usize {
        self.nv * lanes as usize
    }
    /// Blocks along batch, rows and panels.
    fn grid(&self, product: &Matmul, lanes: u32) -> [u64; 3] {
        let panels = product.n.div_ceil(self.width(lanes));
        [product.batch as u64, product.m.div_ceil(self.rows) as u64, panels.div_ceil(self.panels) as u64]
    }
    /// Distance of packed rows: rows a multiple of 4 KiB apart would share one set of L1.
    fn row_stride(k: usize) -> usize {
        if k.is_multiple_of(1024) { k + 16 } else { k }
    }
}

/// The template.
pub(super) const TEMPLATE: Template =
    Template { name: "matmul", sizes: MatmulTiles::WORDS, register_tile: 3..5, unit: UnitKind::Vector, fit };

fn fit<'a>(body: &'a Body, target: &'a Target) -> Option<Box<dyn Instance<'a> + 'a>> {
    let Body::Matmul(product) = body else { return None };
    Some(Box::new(Tiled { product, target }))
}

struct Tiled<'a> {
    product: &'a Matmul,
    target: &'a Target,
}

impl Tiled<'_> {
    /// Bytes of the rows, the slice of a panel and the waiting accumulators of one block; rows that are read directly
    /// take only their slice.
    fn block_bytes(&self, direct: bool, tiles: &MatmulTiles) -> u64 {
        let product = self.product;
        let computed = matches!(product.right, Right::Computed(_));
        let rows = tiles.rows.next_multiple_of(tiles.mr);
        let width = tiles.width(self.target.lanes);
        let left = rows * if direct { tiles.depth } else { MatmulTiles::row_stride(product.k) };
        let right = if computed { tiles.panels * product.k * width } else { tiles.depth * width };
        let sums = if tiles.depth < product.k { tiles.panels * rows * width } else { 0 };
        (left + right + sums) as u64 * 4
    }

    /// Whether a block fits L2. One register tile is possible however long k is.
    fn fits_cache(&self, direct: bool, tiles: &MatmulTiles) -> bool {
        let smallest = tiles.rows <= tiles.mr && tiles.panels == 1;
        smallest || self.block_bytes(direct, tiles) <= self.target.block_bytes
    }

    /// The whole reduction, and the longest slices whose rows fit L1 and whose part of a panel fits a quarter of L2,
    /// or both of them L1.
    fn depths(&self, mr: usize, width: usize) -> Vec<usize> {
        const LEAST: usize = 64;
        let (k, target) = (self.product.k, self.target);
        let [l1, l2] = [L1, L2].map(|level| target.levels[level].bytes);
        let rows = l1 / (mr as u64 * 4);
        let second = rows.min(l2 / (width as u64 * 16)) as usize;
        let first = (l1 * 3 / 4 / ((mr + width) as u64 * 4)) as usize;
        let longest = |most: usize| (LEAST..=most.min(k / 2)).rev().find(|&d| k.is_multiple_of(d));
        let mut depths: Vec<usize> = [Some(k), longest(second), longest(first)].into_iter().flatten().collect();
        depths.dedup();
        depths
    }
}

impl<'a> Instance<'a> for Tiled<'a> {
    fn kernel(&self, sizes: Sizes) -> (String, [u64; 3]) {
        let Matmul { batch, m, k, n, .. } = self.product;
        let batch = if *batch == 1 { String::new() } else { format!("{batch}x") };
        (format!("matmul_{batch}{m}x{k}x{n}"), MatmulTiles::from(sizes).grid(self.product, self.target.lanes))
    }

    fn limits(&self) -> Sizes {
        let registers = self.target.vector_registers as usize;
        let Matmul { m, k, n, .. } = *self.product;
        MatmulTiles { rows: m + registers, panels: n, depth: k, mr: registers, nv: registers }.into()
    }

    fn check(&self, sizes: Sizes) -> Result<(), String> {
        let tiles = MatmulTiles::from(sizes);
        if !tiles.rows.is_multiple_of(tiles.mr) {
            return Err(format!("rows {} is not a multiple of mr {}", tiles.rows, tiles.mr));
        }
        if !self.product.k.is_multiple_of(tiles.depth) {
            return Err(format!("depth {} does not divide k = {}", tiles.depth, self.product.k));
        }
        check_registers(tiles.mr, tiles.nv, self.target)?;
        let direct = direct_rows(self.product, tiles.mr).is_some();
        if self.fits_cache(direct, &tiles) {
            return Ok(());
        }
        let (bytes, cache) = (self.block_bytes(direct, &tiles), self.target.block_bytes);
        Err(format!(
            "operands and sums of a block take {bytes} bytes, expected at most {cache}, three quarters of the L2 cache"
        ))
    }

    fn search(&self, found: &mut dyn FnMut(Sizes)) {
        let (product, lanes) = (self.product, self.target.lanes as usize);
        let registers = self.target.vector_registers as usize;
        for nv in (1..=4).filter(|nv| (nv - 1) * lanes < product.n) {
            let widths = parts(product.n.div_ceil(nv * lanes));
            for mr in (1..=product.m.clamp(1, registers)).filter(|&mr| fits_registers(mr, nv, self.target)) {
                let direct = direct_rows(product, mr).is_some();
                let row_tiles = product.m.div_ceil(mr);
                let heights: BTreeSet<usize> = ladder(row_tiles).chain(parts(row_tiles)).collect();
                for depth in self.depths(mr, nv * lanes) {
                    let blocks =
                        heights.iter().flat_map(|height| widths.iter().map(move |&panels| (height * mr, panels)));
                    for (rows, panels) in blocks {
                        let tiles = MatmulTiles { rows, panels, depth, mr, nv };
                        if self.fits_cache(direct, &tiles) {
                            found(tiles.into());
                        }
                    }
                }
            }
        }
    }

    fn pricing(&self, setting: &CostContext<'a>) -> Box<dyn Pricing + 'a> {
        Box::new(cost::MatmulCost::new(self.product, setting))
    }

    fn panels(&self, sizes: Sizes) -> Option<(NodeId, usize)> {
        match self.product.right {
            Right::Constant(node) => Some((node, MatmulTiles::from(sizes).width(self.target.lanes))),
            Right::Computed(_) => None,
        }
    }

    fn emit(&self, context: &Context, b: &mut Builder, parameters: Parameters, sizes: Sizes) {
        emit::emit(context, b, self.product, parameters, sizes.into());
    }
}

/// The distance of rows, where the left operand is a tensor in memory whose rows the inner loop can
/// broadcast from as they are: neighbours along k, whole register tiles, not all rows in one cache set.
fn direct_rows(product: &Matmul, mr: usize) -> Option<usize> {
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
