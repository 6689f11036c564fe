//! Which tiles: written inequalities bound the space, an analytic cost ranks it.
//!
//! ```text
//!   registers   mr·nv accumulators + nv columns + 1 broadcast ≤ vector registers
//!   cache       rows, one slice of a panel and waiting sums   ≤ three quarters of the second-level cache
//!   parallel    blocks split evenly over GRAIN workers lose   ⌈blocks/GRAIN⌉·GRAIN / blocks
//! ```
//!
//! The cost of a product is cycles of one core: register tiles (arithmetic or loads, whichever is slower),
//! packing the left operand once per column block, streaming the right operand once per row block.

use super::{AttendTiles, ProductTiles, RowTiles, Tiles};
use crate::{
    lower::{direct_rows, lane_extent},
    plan::{Attend, Body, Product, expr::Cone},
};
use regard_ir::target::Target;

/// Workers that an even split is aimed at; choices must not depend on the machine's own number.
const GRAIN: usize = 4;
/// Blocks a launch should have where there is enough work.
const BLOCKS: usize = 16;
/// Elements of a map that one block computes.
const MAP_ELEMENTS: usize = 16 << 10;

/// Tiles of a row program.
pub fn row(cone: &Cone, target: &Target) -> RowTiles {
    let [rows, inner] = cone.space[..] else { panic!("a row program's space has two axes") };
    let lanes = target.lanes as usize;
    let reductions = cone.reductions();
    let hoisted = reductions.iter().any(|&r| !cone.uses(r, 1));
    let work: usize = cone.terms.values().map(reduction_extent).sum::<usize>() + inner;
    let block_rows = (MAP_ELEMENTS / work.max(1)).clamp(1, rows.div_ceil(BLOCKS).max(1));
    if hoisted || rows >= BLOCKS {
        return RowTiles { rows: block_rows, inner };
    }
    let digit = lane_extent(cone, 1, inner);
    let unit = if digit == inner { lanes } else { digit };
    let per_element = (work / inner.max(1)).max(1);
    let wanted = (MAP_ELEMENTS / per_element).min(inner.div_ceil(BLOCKS)).max(1);
    RowTiles { rows: 1, inner: wanted.next_multiple_of(unit).min(inner.next_multiple_of(unit)) }
}

fn reduction_extent(term: &crate::plan::expr::Term) -> usize {
    match term.expr {
        crate::plan::expr::Expr::Reduce { extent, .. } => extent,
        _ => 0,
    }
}

/// Whether a register tile fits: accumulators, columns and one broadcast.
fn fits_registers(mr: usize, nv: usize, target: &Target) -> bool {
    mr * nv + nv < target.vector_registers as usize
}

/// Cycles of one step of k for a register tile: two arithmetic operations per cycle, at least as many
/// independent sums as hide their latency, and a little for each load, which only the reorder buffer hides.
fn tile_cycles(mr: usize, nv: usize, target: &Target) -> f64 {
    const HIDDEN: f64 = 8.0;
    const LOAD: f64 = 0.1;
    let arithmetic = (mr * nv) as f64 * if target.fma { 1.0 } else { 2.0 };
    arithmetic.max((mr + nv) as f64).max(HIDDEN) / 2.0 + LOAD * (mr + nv) as f64
}

/// Tiles of a product: rows in few blocks where they fit the cache, else blocks of few rows.
pub fn product(product: &Product, target: &Target) -> ProductTiles {
    const MOST: usize = 64;
    let few_blocks = |tiles_of_rows: usize| (1..=MOST.min(tiles_of_rows)).map(|n| tiles_of_rows.div_ceil(n)).collect();
    let few_rows = |tiles_of_rows: usize| (1..=MOST.min(tiles_of_rows)).collect();
    let smallest = ProductTiles { rows: 1, panels: 1, mr: 1, nv: 1, depth: product.k };
    let best = cheapest(product, target, &few_blocks).or_else(|| cheapest(product, target, &few_rows));
    best.unwrap_or(smallest)
}

/// The cheapest tiles that fit, among blocks of as many register tiles of rows as `heights` offers.
fn cheapest(product: &Product, target: &Target, heights: &dyn Fn(usize) -> Vec<usize>) -> Option<ProductTiles> {
    let lanes = target.lanes as usize;
    let mut best: Option<(f64, ProductTiles)> = None;
    for (mr, nv) in register_tiles(product.m, product.n, target) {
        let panels = product.n.div_ceil(nv * lanes);
        let depth = depth(product.k, mr, nv * lanes, target);
        for height in heights(product.m.div_ceil(mr)) {
            for column_blocks in 1..=panels.min(32) {
                let tiles = ProductTiles { rows: height * mr, panels: panels.div_ceil(column_blocks), mr, nv, depth };
                let cost = product_cycles(product, &tiles, target);
                if best.is_none_or(|(least, _)| cost < least) && check_product(product, &tiles, target).is_ok() {
                    best = Some((cost, tiles));
                }
            }
        }
    }
    best.map(|(_, tiles)| tiles)
}

/// The longest slice of the reduction that divides it, whose rows fit the first-level cache and whose
/// part of a panel fits a quarter of the second.
fn depth(k: usize, mr: usize, width: usize, target: &Target) -> usize {
    let most = (target.l1_bytes / (mr as u64 * 4)).min(target.l2_bytes / (width as u64 * 16)) as usize;
    const LEAST: usize = 128;
    (LEAST..=most).rev().find(|&d| k.is_multiple_of(d)).filter(|_| k > most).unwrap_or(k)
}

/// Register tiles that are nearly the best at covering `m × n`, edges included.
fn register_tiles(m: usize, n: usize, target: &Target) -> Vec<(usize, usize)> {
    const NEARLY: f64 = 1.06;
    let lanes = target.lanes as usize;
    let cycles = |mr: usize, nv: usize| (m.div_ceil(mr) * n.div_ceil(nv * lanes)) as f64 * tile_cycles(mr, nv, target);
    let fitting = |nv: usize| (1..=14).filter(move |&mr| fits_registers(mr, nv, target)).map(move |mr| (mr, nv));
    let all: Vec<(usize, usize)> = (1..=4).flat_map(fitting).collect();
    let least = all.iter().map(|&(mr, nv)| cycles(mr, nv)).fold(f64::INFINITY, f64::min);
    all.into_iter().filter(|&(mr, nv)| cycles(mr, nv) <= NEARLY * least).collect()
}

/// Estimated cycles of one core for the whole product, uneven splits included.
pub fn product_cycles(product: &Product, tiles: &ProductTiles, target: &Target) -> f64 {
    let lanes = target.lanes as f64;
    let [batch, row_blocks, column_blocks] = tiles.grid(product, target.lanes).map(|n| n as f64);
    let width = tiles.nv as f64 * lanes;
    let register_tiles = batch * (product.m as f64 / tiles.mr as f64).ceil() * (product.n as f64 / width).ceil();
    let arithmetic = register_tiles * product.k as f64 * tile_cycles(tiles.mr, tiles.nv, target);
    // Reading, normalising and writing one packed vector takes about three cycles.
    let direct = direct_rows(product, tiles.mr).is_some();
    let packing = if direct { 0.0 } else { 1.0 } * batch * column_blocks * (product.m * product.k) as f64 * 3.0 / lanes;
    // Bytes per cycle from beyond the second-level cache, and from inside it.
    let right_bytes = (product.k * product.n * 4) as f64;
    let per_cycle = if right_bytes > target.l2_bytes as f64 / 2.0 { 4.0 } else { 32.0 };
    let streaming = batch * row_blocks * right_bytes / per_cycle;
    let blocks = (batch * row_blocks * column_blocks) as usize;
    let uneven = (blocks.div_ceil(GRAIN) * GRAIN) as f64 / blocks as f64;
    // Entering a block costs a few hundred cycles of set-up.
    (arithmetic + packing + streaming) * uneven + blocks as f64 * 300.0
}

/// Tiles of attention.
pub fn attend(attend: &Attend, target: &Target) -> AttendTiles {
    let lanes = target.lanes as usize;
    let (key_vectors, value_vectors) = (attend.keys.div_ceil(lanes), attend.value_dim.div_ceil(lanes));
    let mut best = (f64::INFINITY, AttendTiles { queries: 1, mr: 1, key_vectors: 1, value_vectors: 1 });
    for mr in 1..=8 {
        for keys in (1..=key_vectors.min(4)).filter(|&nv| fits_registers(mr, nv, target)) {
            for values in (1..=value_vectors.min(4)).filter(|&nv| fits_registers(mr, nv, target)) {
                let dim = attend.products.as_ref().map_or(0, |p| p.dim);
                let scores = (key_vectors.div_ceil(keys) * dim) as f64 * tile_cycles(mr, keys, target);
                let sums = (value_vectors.div_ceil(values) * attend.keys) as f64 * tile_cycles(mr, values, target);
                let cycles = attend.queries.div_ceil(mr) as f64 * (scores + sums);
                if cycles < best.0 {
                    best = (cycles, AttendTiles { queries: 0, mr, key_vectors: keys, value_vectors: values });
                }
            }
        }
    }
    let mut tiles = best.1;
    if attend.inverse_values.is_some() {
        // Columns are normalised as a whole.
        tiles.queries = attend.queries.next_multiple_of(tiles.mr);
        return tiles;
    }
    let blocks_per_head = BLOCKS.div_ceil(attend.batch.max(1));
    tiles.queries = attend.queries.div_ceil(blocks_per_head).next_multiple_of(tiles.mr);
    tiles
}

fn check_product(product: &Product, tiles: &ProductTiles, target: &Target) -> Result<(), String> {
    if !fits_registers(tiles.mr, tiles.nv, target) {
        let (need, have) = (tiles.mr * tiles.nv + tiles.nv + 1, target.vector_registers);
        return Err(format!("mr·nv + nv + 1 = {need} registers, expected at most {have}"));
    }
    let computed = matches!(product.right, crate::plan::Right::Computed(_));
    let rows = tiles.rows.next_multiple_of(tiles.mr);
    let width = tiles.width(target.lanes);
    let direct = direct_rows(product, tiles.mr).is_some();
    let left = rows * if direct { tiles.depth } else { ProductTiles::row_stride(product.k) };
    let right = if computed { tiles.panels * product.k * width } else { tiles.depth * width };
    let sums = if tiles.depth < product.k { tiles.panels * rows * width } else { 0 };
    let (bytes, cache) = ((left + right + sums) as u64 * 4, target.l2_bytes / 4 * 3);
    // One register tile must be possible however long k is.
    let smallest = tiles.rows <= tiles.mr && tiles.panels == 1;
    if bytes > cache && !smallest {
        return Err(format!(
            "operands and sums of a block take {bytes} bytes, expected at most {cache}, three quarters of the second-level cache"
        ));
    }
    Ok(())
}

/// No size is larger than what it cuts, rounded up to whole tiles; so products of sizes stay small, too.
fn check_sizes(body: &Body, tiles: &Tiles, target: &Target) -> Result<(), String> {
    let (lanes, registers) = (target.lanes as usize, target.vector_registers as usize);
    let sizes = match (body, tiles) {
        (Body::Row(cone), Tiles::Row(t)) => {
            let [rows, inner] = cone.space[..] else { panic!("a row program's space has two axes") };
            vec![("rows", t.rows, rows), ("inner", t.inner, inner.next_multiple_of(lanes))]
        }
        (Body::Product(product), Tiles::Product(t)) => vec![
            ("mr", t.mr, registers),
            ("nv", t.nv, registers),
            ("rows", t.rows, product.m + registers),
            ("panels", t.panels, product.n),
            ("depth", t.depth, product.k),
        ],
        (Body::Attend(attend), Tiles::Attend(t)) => vec![
            ("mr", t.mr, registers),
            ("keys", t.key_vectors, registers),
            ("values", t.value_vectors, registers),
            ("queries", t.queries, attend.queries + registers),
        ],
        (_, found) => return Err(format!("`{found}` does not fit the group's kind")),
    };
    match sizes.into_iter().find(|&(_, size, most)| !(1..=most).contains(&size)) {
        Some((word, size, most)) => Err(format!("{word} is {size}, expected 1 to {most}")),
        None => Ok(()),
    }
}

/// The first inequality that tiles break, as a sentence.
pub fn check(body: &Body, tiles: &Tiles, target: &Target) -> Result<(), String> {
    check_sizes(body, tiles, target)?;
    match (body, tiles) {
        (Body::Row(cone), Tiles::Row(t)) => {
            let digit = lane_extent(cone, 1, cone.space[1]);
            let unit = if digit == cone.space[1] { target.lanes as usize } else { digit };
            let splits = t.inner < cone.space[1];
            if splits && cone.reductions().iter().any(|&r| !cone.uses(r, 1)) {
                return Err(format!(
                    "inner {} splits a row that is reduced as a whole, expected {}",
                    t.inner, cone.space[1]
                ));
            }
            if splits && t.inner % unit != 0 {
                return Err(format!("inner {} is not a multiple of {unit}", t.inner));
            }
            Ok(())
        }
        (Body::Product(product), Tiles::Product(t)) => {
            if t.rows % t.mr != 0 {
                return Err(format!("rows {} is not a multiple of mr {}", t.rows, t.mr));
            }
            if product.k % t.depth != 0 {
                return Err(format!("depth {} does not divide k = {}", t.depth, product.k));
            }
            check_product(product, t, target)
        }
        (Body::Attend(attend), Tiles::Attend(t)) => {
            if attend.inverse_values.is_some() && t.queries < attend.queries {
                let (found, all) = (t.queries, attend.queries);
                return Err(format!("queries {found} splits columns that are normalised as a whole, expected {all}"));
            }
            let widest = t.key_vectors.max(t.value_vectors);
            if !fits_registers(t.mr, widest, target) {
                let (need, have) = (t.mr * widest + widest + 1, target.vector_registers);
                return Err(format!("mr·nv + nv + 1 = {need} registers, expected at most {have}"));
            }
            if t.queries % t.mr != 0 {
                return Err(format!("queries {} is not a multiple of mr {}", t.queries, t.mr));
            }
            Ok(())
        }
        (_, found) => Err(format!("`{found}` does not fit the group's kind")),
    }
}
