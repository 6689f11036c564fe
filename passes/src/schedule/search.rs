//! All tiles that satisfy the inequalities, the least of them, and a varied few to compare.
//!
//! ```text
//!   matmul    mr × nv that fit the registers, × rows per block, × panels per block, × slices of the reduction
//!   attend    mr × key vectors × value vectors, × queries per block
//!   slide     rows of the map per block, × channels of a value summed at once; where keys are a neighbourhood
//!   row       rows per block, or parts of the inner axis
//! ```
//!
//! Numbers of blocks run through a ladder (1, 2, 3, 4, 6, 8, 12, …), so that the space stays a few thousand
//! points however large the tensors are. Choosing takes the least estimate for the target's number of cores.

use super::{CostContext, Estimate, Estimator, Tiles};
use crate::{
    plan::{Body, Group, Plan},
    templates,
};
use regard_ir::target::Target;
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, HashMap},
    iter,
};

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

/// For each group of a plan the tiles with the least estimate for the target's number of cores.
pub(crate) fn chosen(plan: &Plan, setting: &CostContext) -> Vec<Tiles> {
    of_groups(plan, setting, |body, estimator| best(body, estimator, setting.target, setting.target.workers).tiles)
}

/// The candidate with the least estimate for a number of cores, that of the smallest sizes among several.
pub fn cheapest(body: &Body, setting: &CostContext, workers: u64) -> Candidate {
    best(body, &Estimator::new(body, setting), setting.target, workers)
}

fn best(body: &Body, estimator: &Estimator, target: &Target, workers: u64) -> Candidate {
    let mut best: Option<(f64, Candidate)> = None;
    for_each_tiling(body, target, &mut |tiles| {
        let estimate = estimator.estimate(&tiles);
        let time = estimate.on(workers);
        let better = |(least, known): (f64, Candidate)| match time.total_cmp(&least) {
            Ordering::Equal => tiles.sizes() < known.tiles.sizes(),
            order => order.is_lt(),
        };
        if best.is_none_or(better) {
            best = Some((time, Candidate { tiles, estimate }));
        }
    });
    best.expect("the smallest tiles always fit").1
}

/// What `find` finds for each group; layers that repeat with equal work share one search.
fn of_groups<T: Clone>(plan: &Plan, setting: &CostContext, find: impl Fn(&Body, &Estimator) -> T) -> Vec<T> {
    let mut known: HashMap<Vec<u64>, T> = HashMap::new();
    let of_group = |group: &Group| {
        let estimator = Estimator::new(&group.body, setting);
        match estimator.key() {
            Some(key) => known.entry(key).or_insert_with(|| find(&group.body, &estimator)).clone(),
            None => find(&group.body, &estimator),
        }
    };
    plan.groups.iter().map(of_group).collect()
}

/// Every point of the space, best estimate on one core first.
pub fn all(body: &Body, setting: &CostContext) -> Vec<Candidate> {
    let estimator = Estimator::new(body, setting);
    let mut found = Vec::new();
    for_each_tiling(body, setting.target, &mut |tiles| {
        found.push(Candidate { tiles, estimate: estimator.estimate(&tiles) });
    });
    found.sort_by(order);
    found.dedup_by_key(|candidate| candidate.tiles);
    found
}

/// By estimate, then by sizes: an order that does not depend on how the space is walked.
fn order(a: &Candidate, b: &Candidate) -> Ordering {
    a.estimate.ns.total_cmp(&b.estimate.ns).then_with(|| a.tiles.sizes().cmp(&b.tiles.sizes()))
}

/// A varied few of the space, best estimate first: what is chosen, the best for one core, the best of each
/// of the best register tiles, and a ladder of times up to four times the least. At least twelve where the
/// space has twelve.
pub fn candidates(body: &Body, setting: &CostContext) -> Vec<Candidate> {
    let all = all(body, setting);
    if all.len() <= OFFERED {
        return all;
    }
    let chosen = cheapest(body, setting, setting.target.workers).tiles;
    let mut taken: BTreeSet<usize> = all.iter().position(|c| c.tiles == chosen).into_iter().collect();
    let mut shapes = BTreeSet::new();
    for (i, candidate) in all.iter().enumerate() {
        if shapes.len() < OFFERED / 3 && shapes.insert(candidate.tiles.register_tile()) {
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
pub fn ranked(plan: &Plan, setting: &CostContext, count: usize) -> Vec<Vec<Tiles>> {
    of_groups(plan, setting, |body, estimator| {
        let chosen = best(body, estimator, setting.target, setting.target.workers).tiles;
        let mut others: BTreeMap<(usize, Vec<usize>), Candidate> = BTreeMap::new();
        for_each_tiling(body, setting.target, &mut |tiles| {
            let found = Candidate { tiles, estimate: estimator.estimate(&tiles) };
            let known = others.entry(tiles.register_tile()).or_insert(found);
            if order(&found, known).is_lt() {
                *known = found;
            }
        });
        others.remove(&chosen.register_tile());
        let mut others: Vec<Candidate> = others.into_values().collect();
        others.sort_by(order);
        iter::once(chosen).chain(others.iter().map(|other| other.tiles)).take(count).collect()
    })
}

/// Every point of the space; all of them satisfy the inequalities of their template.
fn for_each_tiling(body: &Body, target: &Target, found: &mut dyn FnMut(Tiles)) {
    for (index, instance) in templates::fitting(body, target) {
        instance.search(&mut |sizes| found(Tiles::of(index, sizes)));
    }
}
