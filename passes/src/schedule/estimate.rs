//! What a group's kernel takes with given tiles, without running it: one function for choice and for report.
//!
//! ```text
//!   time = launch + max( roofline, instructions + Σ over levels  bytes · exposed / bandwidth )
//!   roofline  = max( flops / peak, bytes at each level / bandwidth )
//! ```
//!
//! Templates count the work ([`Work`]); here it is priced.

use super::Tiles;
use crate::{
    plan::Body,
    templates::{
        self, Pricing,
        cost::{CostContext, Event, Work},
    },
};
use regard_ir::target::{MOST_LEVELS, Target};

/// What one launch takes on one core.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Floating-point operations, two per multiply-add; lanes and rows past the edges included.
    pub flops: u64,
    /// Bytes at the border in front of each level of memory.
    pub bytes: [u64; MOST_LEVELS],
    /// Blocks.
    pub blocks: u64,
    /// Compute time in nanoseconds, assuming all operands are in L1.
    pub compute_ns: f64,
    /// Nanoseconds that transfers add to them.
    pub memory_ns: f64,
    /// Nanoseconds to start the launch.
    pub launch_ns: f64,
    /// Nanoseconds below which this work cannot be done.
    pub roofline_ns: f64,
    /// Nanoseconds of the whole launch; never below [`Estimate::roofline_ns`].
    pub ns: f64,
}

impl Estimate {
    /// Time on `workers` cores that share the blocks evenly, the longest share.
    pub fn on(&self, workers: u64) -> f64 {
        let longest = self.blocks.div_ceil(workers) as f64 / self.blocks as f64;
        self.launch_ns + (self.ns - self.launch_ns) * longest
    }
    /// Operations per byte of a level; infinite where none crosses.
    pub fn intensity(&self, level: usize) -> f64 {
        self.flops as f64 / self.bytes[level] as f64
    }
}

/// A group's body, prepared for estimates of many tiles.
pub struct Estimator<'a> {
    /// Each template that fits the body, by its place among all.
    pricings: Vec<(usize, Box<dyn Pricing + 'a>)>,
    target: &'a Target,
}

impl<'a> Estimator<'a> {
    /// Prices the expressions of a body.
    pub fn new(body: &'a Body, setting: &CostContext<'a>) -> Self {
        let instances = templates::fitting(body, setting.target).into_iter();
        let pricings = instances.map(|(index, instance)| (index, instance.pricing(setting))).collect();
        Self { pricings, target: setting.target }
    }

    /// All that estimates and allowed tiles depend on, where groups that are equal in it are frequent.
    pub(crate) fn key(&self) -> Option<Vec<u64>> {
        let keys: Option<Vec<Vec<u64>>> = self.pricings.iter().map(|(_, pricing)| pricing.key()).collect();
        keys.map(|keys| keys.concat())
    }

    /// The estimate for tiles of a template that fits the body.
    pub fn estimate(&self, tiles: &Tiles) -> Estimate {
        price(&self.work(tiles), self.target)
    }

    /// What is counted for them.
    pub fn work(&self, tiles: &Tiles) -> Work {
        let pricing = self.pricings.iter().find(|(index, _)| *index == tiles.index());
        let (_, pricing) = pricing.unwrap_or_else(|| panic!("`{tiles}` does not fit the group"));
        let mut work = pricing.work(tiles.sizes());
        work.events[Event::Block] = work.blocks as f64;
        work.events[Event::Launch] = 1.0;
        work
    }
}

/// Nanoseconds of a cycle in which a core does its most multiply-adds: two vectors.
fn cycle_ns(target: &Target) -> f64 {
    let per_cycle = f64::from(target.lanes) * if target.fma { 4.0 } else { 2.0 };
    per_cycle / target.core_gflops()
}

fn price(work: &Work, target: &Target) -> Estimate {
    let cycle = cycle_ns(target);
    let transfers = work.bytes.iter().zip(&target.levels).map(|(bytes, level)| (bytes / level.gbps, level.exposed));
    let compute_ns = work.events.cycles() * cycle;
    let memory_ns: f64 = transfers.clone().map(|(ns, exposed)| ns * exposed).sum();
    let longest = transfers.map(|(ns, _)| ns).fold(0.0, f64::max);
    let roofline_ns = (work.flops / target.core_gflops()).max(longest);
    let launch_ns = Event::Launch.cycles() * cycle;
    Estimate {
        flops: work.flops as u64,
        bytes: work.bytes.map(|bytes| bytes as u64),
        blocks: work.blocks,
        compute_ns,
        memory_ns,
        launch_ns,
        roofline_ns,
        ns: launch_ns + (compute_ns + memory_ns).max(roofline_ns),
    }
}
