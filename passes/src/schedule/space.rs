//! All tiles that satisfy the inequalities, the least of them, and a varied few to compare.
//!
//! ```text
//!   product   mr × nv that fit the registers, × rows per block, × panels per block, × slices of the reduction
//!   attend    mr × key vectors × value vectors, × queries per block
//!   slide     rows of the map per block, × channels of a value summed at once; where keys are a neighbourhood
//!   row       rows per block, or parts of the inner axis
//! ```
//!
//! Numbers of blocks run through a ladder (1, 2, 3, 4, 6, 8, 12, …), so that the space stays a few thousand
//! points however large the tensors are. Choosing takes the least estimate for [`WORKERS`] cores.

use super::{
    AttendTiles, Estimate, Estimator, ProductTiles, RowTiles, Setting, SlideTiles, Tiles,
    inequalities::{check_slide, fits_cache, fits_registers, inner_unit, reduces_rows},
};
use crate::{
    lower::direct_rows,
    plan::{Attend, Body, Plan, Product, expr::Cone, neighbourhood::Neighbourhood},
};
use regard_ir::target::Target;
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    iter,
};

/// Workers that a choice is made for; it must not depend on the machine's own number.
pub const WORKERS: u64 = 4;
/// Candidates offered where there are as many.
pub(crate) const OFFERED: usize = 24;
/// How much slower than the best the slowest candidate is, where anything is.
const SPREAD: f64 = 4.0;

/// Tiles with what they cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The tiles.
    pub tiles: Tiles,
    /// Their estimate, on one core.
    pub estimate: Estimate,
}

/// For each group of a plan the tiles with the least estimate for [`WORKERS`] cores.
pub(crate) fn chosen(plan: &Plan, setting: &Setting) -> Vec<Tiles> {
    of_groups(plan, setting, |body, estimator| best(body, estimator, setting.target, WORKERS).tiles)
}

/// The candidate with the least estimate for a number of cores, that of the smallest sizes among several.
pub fn least(body: &Body, setting: &Setting, workers: u64) -> Candidate {
    best(body, &Estimator::new(body, setting), setting.target, workers)
}

fn best(body: &Body, estimator: &Estimator, target: &Target, workers: u64) -> Candidate {
    let mut best: Option<(f64, Candidate)> = None;
    visit(body, target, &mut |tiles| {
        let estimate = estimator.estimate(&tiles);
        let time = estimate.on(workers);
        let better = |(least, known): (f64, Candidate)| match time.total_cmp(&least) {
            Ordering::Equal => sizes(&tiles) < sizes(&known.tiles),
            order => order.is_lt(),
        };
        if best.is_none_or(better) {
            best = Some((time, Candidate { tiles, estimate }));
        }
    });
    best.expect("the smallest tiles always fit").1
}

/// What `find` finds for each group; layers that repeat with equal work share one search.
fn of_groups<T: Clone>(plan: &Plan, setting: &Setting, find: impl Fn(&Body, &Estimator) -> T) -> Vec<T> {
    let mut known: Vec<(Estimator, T)> = Vec::new();
    let mut found = Vec::with_capacity(plan.groups.len());
    for group in &plan.groups {
        let estimator = Estimator::new(&group.body, setting);
        // Row programs and attention agree with nothing, so looking through them all would take the square of their number.
        if !matches!(group.body, Body::Product(_)) {
            found.push(find(&group.body, &estimator));
            continue;
        }
        let at = known.iter().position(|(other, _)| estimator.agrees_with(other)).unwrap_or_else(|| {
            let first = find(&group.body, &estimator);
            known.push((estimator, first));
            known.len() - 1
        });
        found.push(known[at].1.clone());
    }
    found
}

/// Every point of the space, best estimate on one core first.
pub fn all(body: &Body, setting: &Setting) -> Vec<Candidate> {
    let estimator = Estimator::new(body, setting);
    let mut found = Vec::new();
    visit(body, setting.target, &mut |tiles| {
        found.push(Candidate { tiles, estimate: estimator.estimate(&tiles) });
    });
    found.sort_by(order);
    found.dedup_by_key(|candidate| candidate.tiles);
    found
}

/// By estimate, then by sizes: an order that does not depend on how the space is walked.
fn order(a: &Candidate, b: &Candidate) -> Ordering {
    a.estimate.ns.total_cmp(&b.estimate.ns).then_with(|| sizes(&a.tiles).cmp(&sizes(&b.tiles)))
}

fn sizes(tiles: &Tiles) -> [usize; 5] {
    match tiles {
        Tiles::Row(t) => [t.rows, t.inner, 0, 0, 0],
        Tiles::Product(t) => [t.rows, t.panels, t.depth, t.mr, t.nv],
        Tiles::Attend(t) => [t.queries, t.mr, t.key_vectors, t.value_vectors, 0],
        Tiles::Slide(t) => [t.rows, t.sums, 0, 0, 0],
    }
}

/// A varied few of the space, best estimate first: what is chosen, the best for one core, the best of each
/// of the best register tiles, and a ladder of times up to four times the least. At least twelve where the
/// space has twelve.
pub fn candidates(body: &Body, setting: &Setting) -> Vec<Candidate> {
    let all = all(body, setting);
    if all.len() <= OFFERED {
        return all;
    }
    let chosen = least(body, setting, WORKERS).tiles;
    let mut taken: BTreeSet<usize> = all.iter().position(|c| c.tiles == chosen).into_iter().collect();
    let mut shapes = BTreeSet::new();
    for (i, candidate) in all.iter().enumerate() {
        if shapes.len() < OFFERED / 3 && shapes.insert(register_tile(&candidate.tiles)) {
            taken.insert(i);
        }
    }
    let (least, most) = (all[0].estimate.ns, all[all.len() - 1].estimate.ns);
    let spread = (most / least).min(SPREAD);
    let steps = OFFERED - taken.len();
    for step in 1..=steps {
        let time = least * (1.0 + (spread - 1.0) * step as f64 / steps as f64);
        let from = all.partition_point(|c| c.estimate.ns < time).min(all.len() - 1);
        let free = (from..all.len()).chain((0..from).rev()).find(|i| !taken.contains(i));
        taken.extend(free);
    }
    taken.into_iter().map(|i| all[i]).collect()
}

/// For each group of a plan what is chosen, and then the best of each other register tile, `count` in
/// all where there are as many.
pub fn ranked(plan: &Plan, setting: &Setting, count: usize) -> Vec<Vec<Tiles>> {
    of_groups(plan, setting, |body, estimator| {
        let chosen = best(body, estimator, setting.target, WORKERS).tiles;
        let mut others: BTreeMap<[usize; 3], Candidate> = BTreeMap::new();
        visit(body, setting.target, &mut |tiles| {
            let found = Candidate { tiles, estimate: estimator.estimate(&tiles) };
            let known = others.entry(register_tile(&tiles)).or_insert(found);
            if order(&found, known).is_lt() {
                *known = found;
            }
        });
        others.remove(&register_tile(&chosen));
        let mut others: Vec<Candidate> = others.into_values().collect();
        others.sort_by(order);
        iter::once(chosen).chain(others.iter().map(|other| other.tiles)).take(count).collect()
    })
}

fn register_tile(tiles: &Tiles) -> [usize; 3] {
    match tiles {
        Tiles::Row(t) => [t.rows, t.inner, 0],
        Tiles::Product(t) => [t.mr, t.nv, 0],
        Tiles::Attend(t) => [t.mr, t.key_vectors, t.value_vectors],
        Tiles::Slide(t) => [t.rows, t.sums, 0],
    }
}

/// Numbers up to `most`: each, then by halves of a doubling.
fn ladder(most: usize) -> impl Iterator<Item = usize> {
    let steps = (0..usize::BITS - 2).flat_map(|power| [1 << power, 3 << power]);
    steps.take_while(move |&n| n <= most.saturating_mul(2)).filter(move |&n| n <= most)
}

/// Sizes of the parts when `whole` is cut into numbers of parts from the ladder, largest first.
fn parts(whole: usize) -> Vec<usize> {
    let mut sizes: Vec<usize> = ladder(whole).map(|parts| whole.div_ceil(parts)).collect();
    sizes.dedup();
    sizes
}

/// Every point of the space; all of them satisfy the inequalities.
fn visit(body: &Body, target: &Target, found: &mut dyn FnMut(Tiles)) {
    match body {
        Body::Row(cone) => rows(cone, target, found),
        Body::Product(product) => products(product, target, found),
        Body::Attend(attend) => {
            attends(attend, target, found);
            slides(attend, target, found);
        }
    }
}

fn rows(cone: &Cone, target: &Target, found: &mut dyn FnMut(Tiles)) {
    let [rows, inner] = cone.space[..] else { panic!("a row program's space has two axes") };
    for rows in parts(rows) {
        found(Tiles::Row(RowTiles { rows, inner }));
    }
    if reduces_rows(cone) {
        return;
    }
    let unit = inner_unit(cone, target);
    for parts in ladder(inner.div_ceil(unit)).skip(1) {
        let inner = inner.div_ceil(parts).next_multiple_of(unit);
        found(Tiles::Row(RowTiles { rows: 1, inner }));
    }
}

fn products(product: &Product, target: &Target, found: &mut dyn FnMut(Tiles)) {
    let lanes = target.lanes as usize;
    let registers = target.vector_registers as usize;
    for nv in (1..=4).filter(|nv| (nv - 1) * lanes < product.n) {
        let widths = parts(product.n.div_ceil(nv * lanes));
        for mr in (1..=product.m.clamp(1, registers)).filter(|&mr| fits_registers(mr, nv, target)) {
            let direct = direct_rows(product, mr).is_some();
            let row_tiles = product.m.div_ceil(mr);
            let heights: BTreeSet<usize> = ladder(row_tiles).chain(parts(row_tiles)).collect();
            for depth in depths(product.k, mr, nv * lanes, target) {
                let blocks = heights.iter().flat_map(|height| widths.iter().map(move |&panels| (height * mr, panels)));
                for (rows, panels) in blocks {
                    let tiles = ProductTiles { rows, panels, mr, nv, depth };
                    if fits_cache(product, direct, &tiles, target) {
                        found(Tiles::Product(tiles));
                    }
                }
            }
        }
    }
}

/// The whole reduction, and the longest slices whose rows fit the first level and whose part of a panel
/// fits a quarter of the second, or both of them the first.
fn depths(k: usize, mr: usize, width: usize, target: &Target) -> Vec<usize> {
    const LEAST: usize = 64;
    let rows = target.l1_bytes / (mr as u64 * 4);
    let second = rows.min(target.l2_bytes / (width as u64 * 16)) as usize;
    let first = (target.l1_bytes * 3 / 4 / ((mr + width) as u64 * 4)) as usize;
    let longest = |most: usize| (LEAST..=most.min(k / 2)).rev().find(|&d| k.is_multiple_of(d));
    let mut depths: Vec<usize> = [Some(k), longest(second), longest(first)].into_iter().flatten().collect();
    depths.dedup();
    depths
}

fn attends(attend: &Attend, target: &Target, found: &mut dyn FnMut(Tiles)) {
    let lanes = target.lanes as usize;
    let (keys, values) = (attend.keys.div_ceil(lanes), attend.value_dim.div_ceil(lanes));
    for mr in 1..=attend.queries.clamp(1, 14) {
        let row_tiles = attend.queries.div_ceil(mr);
        // A softmax over queries needs all of them in one block.
        let cuts = if attend.inverse_values.is_some() { vec![row_tiles] } else { parts(row_tiles) };
        for key_vectors in (1..=keys.min(4)).filter(|&nv| fits_registers(mr, nv, target)) {
            for value_vectors in (1..=values.min(4)).filter(|&nv| fits_registers(mr, nv, target)) {
                for tiles in &cuts {
                    found(Tiles::Attend(AttendTiles { queries: tiles * mr, mr, key_vectors, value_vectors }));
                }
            }
        }
    }
}

fn slides(attend: &Attend, target: &Target, found: &mut dyn FnMut(Tiles)) {
    let Some(near) = Neighbourhood::of(attend) else { return };
    let most = (target.vector_registers as usize - 2).min(attend.value_dim);
    let sums = (1..=most).filter(|&sums| attend.value_dim.is_multiple_of(sums));
    let heights = parts(near.map[0]);
    for (sums, &rows) in sums.flat_map(|sums| heights.iter().map(move |rows| (sums, rows))) {
        let tiles = SlideTiles { rows, sums };
        if check_slide(attend, &tiles, target).is_ok() {
            found(Tiles::Slide(tiles));
        }
    }
}
