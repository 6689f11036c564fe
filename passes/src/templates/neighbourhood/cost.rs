//! The work of attention that slides over a map.
//!
//! ```text
//!   block       what its windows see is transposed, once
//!   tile        L pixels of a row: queries transposed, k² scores each, k² exponentials, weighted sums
//! ```

use super::SlideTiles;
use crate::{
    plan::{Attend, neighbourhood::Neighbourhood},
    templates::{
        Pricing, Sizes,
        cost::{CostContext, Event, L1, L2, Work, share},
        expression::price::{Cost, Price, Walk, function_cost, price},
    },
};
use regard_ir::{kernel::math, target::Target};

/// What the cost depends on apart from tiles.
pub(super) struct SlideCost<'a> {
    attend: &'a Attend,
    window: Neighbourhood,
    /// Queries and keys.
    products: Option<[Price; 2]>,
    values: Option<Price>,
    scores: Price,
    epilogue: Price,
    exponential: Cost,
    target: &'a Target,
}

impl<'a> SlideCost<'a> {
    pub(super) fn new(attend: &'a Attend, window: Neighbourhood, setting: &CostContext<'a>) -> Self {
        let along_pixels = (0, window.map[1]);
        Self {
            attend,
            window,
            products: attend
                .products
                .as_ref()
                .map(|p| [&p.queries, &p.keys].map(|fused| price(fused, (2, p.dim), Walk::Digits, setting))),
            values: attend.values.as_ref().map(|fused| price(fused, (2, attend.value_dim), Walk::Digits, setting)),
            scores: price(&attend.scores, along_pixels, Walk::Straight, setting),
            epilogue: price(&attend.epilogue, (2, attend.value_dim), Walk::Straight, setting),
            exponential: function_cost(&|b, x| math::exp(b, x, setting.target.fma), setting.target),
            target: setting.target,
        }
    }

    /// So many pixels read along channels, transposed and stored.
    fn pack(&self, price: &Price, pixels: f64, target: &Target, work: &mut Work) {
        let (lanes, vectors) = (f64::from(target.lanes), pixels * price.vectors);
        work.events[Event::Pack] += vectors;
        work.events[Event::PackRow] += pixels;
        work.events[Event::Shuffle] += vectors * f64::from(target.lanes.ilog2());
        work.cross(L1, vectors * 4.0 * lanes);
        work.express(price.vector, vectors);
        work.express(price.row, pixels);
    }

    fn traffic(&self, seen: f64, target: &Target, work: &mut Work) {
        let a = self.attend;
        let dim = a.products.as_ref().map_or(0, |products| products.dim);
        let packed = 4.0 * seen * (dim + a.value_dim) as f64;
        let per_pixel = a.value_dim as f64 * (4.0 + self.epilogue.streamed) + 4.0 * dim as f64;
        let per_key = a.keys as f64 * self.scores.streamed;
        let moved = a.batch as f64 * (per_pixel + per_key);
        // Written once, and read by each row of the windows.
        let again = if 4.0 * (dim + a.value_dim) as f64 * (self.window.size[0] * self.window.map[1]) as f64
            <= share(target.levels[L1].bytes)
        {
            2.0
        } else {
            1.0 + self.window.size[0] as f64
        };
        work.cross(L2, packed * again + moved);
        let tensors = 4.0 * (a.batch * (2 * dim + 2 * a.value_dim)) as f64 + moved;
        for (level, before) in target.levels_beyond(L2 + 1) {
            if tensors > share(before) {
                work.cross(level, tensors);
            }
        }
    }
}

impl Pricing for SlideCost<'_> {
    fn work(&self, sizes: Sizes) -> Work {
        let (tiles, target) = (SlideTiles::from(sizes), self.target);
        let (a, window, lanes) = (self.attend, &self.window, target.lanes as usize);
        let ([rows, columns], vector) = (window.size, 4.0 * lanes as f64);
        let blocks = tiles.grid(a, window).iter().product::<u64>();
        let mut work = Work { blocks, ..Work::default() };
        let blocks = blocks as f64;
        // Vectors of pixels, all rows of the map.
        let visits = (window.maps(a) * window.map[0] * window.map[1].div_ceil(lanes)) as f64;
        let halo = tiles.halo(window, lanes);
        let seen = blocks * (halo.rows * halo.columns) as f64;
        self.values.iter().for_each(|values| self.pack(values, seen, target, &mut work));
        if let (Some([queries, keys]), Some(products)) = (&self.products, &a.products) {
            self.pack(keys, seen, target, &mut work);
            self.pack(queries, visits * lanes as f64, target, &mut work);
            work.multiply_loading((1, columns), split(target), visits * (rows * products.dim) as f64, target);
            work.visit(visits * rows as f64, 0.0, target);
        }
        let scores = visits * a.keys as f64;
        work.express(self.scores.vector, scores);
        work.express(self.scores.row, visits);
        work.express(self.exponential, scores);
        work.flops += scores * 3.0 * lanes as f64;
        work.events[Event::Softmax] = scores;
        work.cross(L1, scores * 3.0 * vector);
        let sums = visits * (a.value_dim / tiles.sums) as f64;
        work.multiply_loading((1, tiles.sums), split(target), sums * a.keys as f64, target);
        work.visit(sums, 0.0, target);
        // Sums are turned back, and finished pixel by pixel.
        let padded = a.value_dim.next_multiple_of(lanes) as f64;
        work.flops += visits * (a.value_dim + 1) as f64 * lanes as f64;
        work.events[Event::Shuffle] += visits * padded * f64::from(target.lanes.ilog2());
        work.events[Event::AccumulatorSpill] += visits * 4.0 * padded;
        work.cross(L1, visits * 4.0 * padded * vector);
        let rows = (window.maps(a) * window.map[0] * window.map[1]) as f64;
        let finished = rows * (padded / lanes as f64);
        work.events[Event::Finish] = finished;
        work.events[Event::FinishRow] = rows;
        work.cross(L1, finished * 2.0 * vector);
        work.express(self.epilogue.vector, finished);
        work.express(self.epilogue.row, rows);
        self.traffic(seen, target, &mut work);
        work
    }
}

/// Loads that a vector at any element counts as: one that crosses the end of a line of the cache takes two.
fn split(target: &Target) -> f64 {
    const LINE: f64 = 64.0;
    1.0 + 4.0 * f64::from(target.lanes - 1) / LINE
}
