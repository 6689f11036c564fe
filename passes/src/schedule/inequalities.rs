//! Which tiles are allowed: written inequalities between sizes and the target.
//!
//! ```text
//!   registers   mr·nv accumulators + nv columns + 1 broadcast ≤ vector registers
//!   cache       rows, one slice of a panel and waiting sums   ≤ three quarters of the second-level cache
//!   cuts        no size is larger than what it cuts; register tiles and slices divide what they cut
//! ```

use super::{ProductTiles, SlideTiles, Tiles};
use crate::{
    lower::{direct_rows, lane_extent},
    plan::{Attend, Body, Product, expr::Cone, neighbourhood::Neighbourhood},
};
use regard_ir::target::Target;

/// Whether a register tile fits: accumulators, columns and one broadcast.
pub(crate) fn fits_registers(mr: usize, nv: usize, target: &Target) -> bool {
    mr * nv + nv < target.vector_registers as usize
}

/// Whether a row program reduces along its inner axis, which then cannot be split.
pub(crate) fn reduces_rows(cone: &Cone) -> bool {
    !cone.stages.is_empty() || cone.reductions().iter().any(|&r| !cone.uses(r, 1))
}

/// What a part of the inner axis of a row program is a multiple of.
pub(crate) fn inner_unit(cone: &Cone, target: &Target) -> usize {
    let digit = lane_extent(cone, 1, cone.space[1]);
    if digit == cone.space[1] { target.lanes as usize } else { digit }
}

/// What a block may take of the second-level cache.
fn cache_bytes(target: &Target) -> u64 {
    target.l2_bytes / 4 * 3
}

/// Bytes of the rows, the slice of a panel and the waiting sums of one block; rows that are read directly
/// take only their slice.
fn block_bytes(product: &Product, direct: bool, tiles: &ProductTiles, target: &Target) -> u64 {
    let computed = matches!(product.right, crate::plan::Right::Computed(_));
    let rows = tiles.rows.next_multiple_of(tiles.mr);
    let width = tiles.width(target.lanes);
    let left = rows * if direct { tiles.depth } else { ProductTiles::row_stride(product.k) };
    let right = if computed { tiles.panels * product.k * width } else { tiles.depth * width };
    let sums = if tiles.depth < product.k { tiles.panels * rows * width } else { 0 };
    (left + right + sums) as u64 * 4
}

/// Whether a block fits the second-level cache. One register tile is possible however long k is.
pub(crate) fn fits_cache(product: &Product, direct: bool, tiles: &ProductTiles, target: &Target) -> bool {
    let smallest = tiles.rows <= tiles.mr && tiles.panels == 1;
    smallest || block_bytes(product, direct, tiles, target) <= cache_bytes(target)
}

/// The inequality of the second-level cache, and that of the registers.
fn check_product(product: &Product, tiles: &ProductTiles, target: &Target) -> Result<(), String> {
    if !fits_registers(tiles.mr, tiles.nv, target) {
        let (need, have) = (tiles.mr * tiles.nv + tiles.nv + 1, target.vector_registers);
        return Err(format!("mr·nv + nv + 1 = {need} registers, expected at most {have}"));
    }
    let direct = direct_rows(product, tiles.mr).is_some();
    if !fits_cache(product, direct, tiles, target) {
        let (bytes, cache) = (block_bytes(product, direct, tiles, target), cache_bytes(target));
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
        (Body::Attend(attend), Tiles::Slide(t)) => {
            let near = neighbourhood(attend)?;
            vec![("rows", t.rows, near.map[0]), ("sums", t.sums, (registers - 2).min(attend.value_dim))]
        }
        (_, found) => return Err(format!("`{found}` does not fit the group's kind")),
    };
    match sizes.into_iter().find(|&(_, size, most)| !(1..=most).contains(&size)) {
        Some((word, size, most)) => Err(format!("{word} is {size}, expected 1 to {most}")),
        None => Ok(()),
    }
}

fn neighbourhood(attend: &Attend) -> Result<Neighbourhood, String> {
    Neighbourhood::of(attend).ok_or_else(|| "slide asks for keys that are the neighbourhood of a pixel".into())
}

/// Sums of one row of the windows, or of some channels, in registers; all that the windows of a block see in the cache.
pub(crate) fn check_slide(attend: &Attend, tiles: &SlideTiles, target: &Target) -> Result<(), String> {
    let near = neighbourhood(attend)?;
    if !attend.value_dim.is_multiple_of(tiles.sums) {
        return Err(format!("sums {} does not divide the {} channels of a value", tiles.sums, attend.value_dim));
    }
    let (need, have) = (near.size[1] + 2, target.vector_registers as usize);
    if need > have {
        return Err(format!("{need} registers for a row of the windows, expected at most {have}"));
    }
    let room = tiles.room(&near, target.lanes as usize);
    let channels = attend.value_dim + attend.products.as_ref().map_or(0, |products| products.dim);
    let (bytes, cache) = ((channels * room.rows * room.columns) as u64 * 4, cache_bytes(target));
    if bytes > cache && tiles.rows > 1 {
        return Err(format!(
            "keys and values of a block take {bytes} bytes, expected at most {cache}, three quarters of the second-level cache"
        ));
    }
    Ok(())
}

/// The first inequality that tiles break, as a sentence.
pub(crate) fn check(body: &Body, tiles: &Tiles, target: &Target) -> Result<(), String> {
    check_sizes(body, tiles, target)?;
    match (body, tiles) {
        (Body::Row(cone), Tiles::Row(t)) => {
            let unit = inner_unit(cone, target);
            let splits = t.inner < cone.space[1];
            if splits && reduces_rows(cone) {
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
        (Body::Attend(attend), Tiles::Slide(t)) => check_slide(attend, t, target),
        (_, found) => Err(format!("`{found}` does not fit the group's kind")),
    }
}
