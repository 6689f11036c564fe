//! The work of attention.
//!
//! ```text
//!   block       keys are transposed and values copied, once
//!   tile        mr queries: scores, softmax, weighted sums
//!   L1 ─ L2     keys and values of a head stay in L1, or come again with each tile
//! ```
//!
//! Of tiles that a mask of positions excludes, nothing is counted but their packing: a block may see what a tile does not.

use super::AttendTiles;
use crate::{
    plan::Attend,
    templates::{
        Pricing, Sizes,
        cost::{CostContext, Event, L1, L2, Work, share},
        expression::price::{Cost, Price, Walk, function_cost, price},
    },
};
use regard_ir::{kernel::math, target::Target};

/// What the cost depends on apart from tiles.
pub(super) struct AttendCost<'a> {
    attend: &'a Attend,
    queries: Option<Price>,
    keys: Option<Price>,
    /// What each direction weighs.
    values: Vec<Price>,
    scores: Price,
    epilogue: Price,
    /// Of a vector of scores.
    exponential: Cost,
    target: &'a Target,
}

impl<'a> AttendCost<'a> {
    pub(super) fn new(attend: &'a Attend, setting: &CostContext<'a>) -> Self {
        let products = attend.products.as_ref();
        Self {
            attend,
            queries: products.map(|p| price(&p.queries, (2, p.dim), Walk::Digits, setting)),
            keys: products.map(|p| price(&p.keys, (2, p.dim), Walk::Digits, setting)),
            values: attend
                .values
                .iter()
                .chain(&attend.inverse_values)
                .map(|values| price(values, (2, attend.value_dim), Walk::Digits, setting))
                .collect(),
            scores: price(&attend.scores, (2, attend.keys), Walk::Straight, setting),
            epilogue: price(&attend.epilogue, (2, attend.value_dim), Walk::Straight, setting),
            exponential: function_cost(&|b, x| math::exp(b, x, setting.target.fma), setting.target),
            target: setting.target,
        }
    }

    fn packing(&self, c: &Counts, target: &Target, work: &mut Work) {
        let (lanes, keys) = (f64::from(target.lanes), self.attend.keys as f64);
        let mut pack = |price: &Price, rows: f64| {
            let vectors = rows * price.vectors;
            work.events[Event::Pack] += vectors;
            work.events[Event::PackRow] += rows;
            work.cross(L1, vectors * 4.0 * lanes);
            work.express(price.vector, vectors);
            work.express(price.row, rows);
        };
        self.values.iter().for_each(|values| pack(values, c.blocks * keys));
        if let (Some(queries), Some(keys)) = (&self.queries, &self.keys) {
            pack(queries, c.visits * c.mr);
            pack(keys, c.blocks * c.padded_keys as f64);
            // A square of lanes × lanes takes log₂ lanes shuffles for each of its vectors.
            let vectors = c.blocks * c.padded_keys as f64 * keys.vectors;
            work.events[Event::Shuffle] = vectors * f64::from(target.lanes.ilog2());
        }
    }

    fn softmax(&self, c: &Counts, target: &Target, work: &mut Work) {
        let lanes = f64::from(target.lanes);
        let rows = c.visits * c.mr;
        let vectors = rows * c.seen * (self.attend.keys as f64 / lanes).ceil();
        work.express(self.scores.vector, vectors);
        work.express(self.scores.row, rows);
        // Maximum, difference, exponential and sum of each score, once for each direction.
        let directions = self.values.len() as f64;
        work.express(self.exponential, directions * vectors);
        work.flops += directions * vectors * 3.0 * lanes;
        work.events[Event::Softmax] = directions * vectors;
        work.cross(L1, directions * vectors * 6.0 * 4.0 * lanes);
        if self.attend.values.is_some() {
            // Two reductions across lanes and a division of each row; lanes that run along keys need none.
            work.flops += rows * (2.0 * lanes - 1.0);
            work.events[Event::SoftmaxRow] = rows;
        }
    }

    fn traffic(&self, c: &Counts, target: &Target, work: &mut Work) {
        let a = self.attend;
        let kept = if a.inverse_values.is_some() { 2 * a.queries * c.padded_keys } else { 0 };
        let values = self.values.len() * a.keys * c.padded_values;
        let head = 4.0 * (c.dim * c.padded_keys + values + kept) as f64;
        let stays = head + 4.0 * c.mr * a.keys as f64 <= share(target.levels[L1].bytes);
        let again = if stays { c.blocks } else { c.visits };
        let per_query = a.value_dim as f64 * (8.0 + self.epilogue.streamed)
            + a.keys as f64 * self.scores.streamed
            + 4.0 * c.dim as f64;
        let moved = (a.batch * a.queries) as f64 * per_query;
        work.cross(L2, again * head + 2.0 * c.blocks * head + moved);
        let footprint = moved + a.batch as f64 * head;
        for (level, before) in target.levels_beyond(L2 + 1).filter(|&(_, before)| footprint > share(before)) {
            let heads = if head > share(before) { c.visits } else { c.blocks };
            work.cross(level, if level == L2 + 1 { moved + heads * head } else { footprint });
        }
    }
}

impl Pricing for AttendCost<'_> {
    fn work(&self, sizes: Sizes) -> Work {
        let (tiles, target) = (AttendTiles::from(sizes), self.target);
        let c = Counts::new(self.attend, &tiles, target);
        let mut work = Work { blocks: c.blocks as u64, ..Work::default() };
        self.packing(&c, target, &mut work);
        for (steps, columns, nv) in
            [(c.dim, c.padded_keys, tiles.keys), (self.attend.keys, c.padded_values, tiles.values)]
        {
            let products = c.visits * c.seen * (columns / (nv * target.lanes as usize)) as f64;
            if steps > 0 {
                work.multiply((tiles.mr, nv), products * steps as f64, target);
                work.visit(products, 2.0 * products * (tiles.mr * nv) as f64, target);
            }
        }
        self.softmax(&c, target, &mut work);
        let vector = 4.0 * f64::from(target.lanes);
        let rows = (self.attend.batch * self.attend.queries) as f64;
        let finished = rows * (c.padded_values / target.lanes as usize) as f64;
        work.events[Event::Finish] = finished;
        work.events[Event::FinishRow] = rows;
        work.cross(L1, finished * 2.0 * vector);
        work.express(self.epilogue.vector, finished);
        work.express(self.epilogue.row, rows);
        self.traffic(&c, target, &mut work);
        work
    }
}

/// How often things happen.
struct Counts {
    /// Queries per register tile.
    mr: f64,
    blocks: f64,
    /// Register tiles of queries.
    visits: f64,
    /// The share of tiles of keys that they see.
    seen: f64,
    /// Length of a query; 0 where scores are given.
    dim: usize,
    /// Keys, rounded up to whole register tiles.
    padded_keys: usize,
    /// Length of a value, rounded up likewise.
    padded_values: usize,
}

impl Counts {
    fn new(a: &Attend, tiles: &AttendTiles, target: &Target) -> Self {
        let lanes = target.lanes as usize;
        let [heads, query_blocks, _] = tiles.grid(a).map(|n| n as usize);
        let last = a.queries - (query_blocks - 1) * tiles.queries;
        let per_head = (query_blocks - 1) * tiles.queries.div_ceil(tiles.mr) + last.div_ceil(tiles.mr);
        Self {
            mr: tiles.mr as f64,
            blocks: (heads * query_blocks) as f64,
            visits: (heads * per_head) as f64,
            seen: a.seen.unwrap_or(1.0),
            dim: a.products.as_ref().map_or(0, |p| p.dim),
            padded_keys: a.keys.next_multiple_of(tiles.keys * lanes),
            padded_values: a.value_dim.next_multiple_of(tiles.values * lanes),
        }
    }
}
