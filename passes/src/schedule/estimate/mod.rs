//! What a group's kernel takes with given tiles, without running it: one function for choice and for report.
//!
//! ```text
//!   time = launch + max( roofline, instructions + Σ over levels  bytes · exposed / bandwidth )
//!   roofline  = max( flops / peak, bytes at each level / bandwidth )
//! ```
//!
//! Everything is about one core. Instructions are vectors' worth of work, counted from the tiles by the same
//! arithmetic that the templates loop by (`product.rs`, `attend.rs`, `slide.rs`, `row.rs`), expressions from the instructions
//! they become (`expression.rs`). Bytes are counted at each border of the memory; what does not fit a level is
//! read again from the next. Prefetching hides a part of each transfer: what remains is *exposed*.
//!
//! Bandwidths and peak are data of the [`Target`], with their source there. Constants in these files are
//! cycles and shares. Those of single instructions are latencies and throughputs of a server core of 2019 with two
//! 512-bit units; cycles of events and exposed shares were fitted by least squares, held near a first guess, to
//! the even rows of the battery (`cargo bench --bench schedules`), whose odd rows tell how well they hold. The
//! price of waiting is that of Swin-T as a whole (`regard compare swin_tiny --measure`).

mod attend;
mod expression;
mod product;
mod row;
mod slide;

use super::Tiles;
use crate::plan::{Body, Plan};
use expression::Cost;
use regard_ir::{graph::NodeId, id::IdVec, ops::Op, target::Target};
use std::ops::{Index, IndexMut};

/// A border of the memory, named after what lies behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// Between registers and the first-level cache.
    L1,
    /// Between first- and second-level cache.
    L2,
    /// Between second- and third-level cache.
    L3,
    /// Between the caches and memory.
    Memory,
}

impl Level {
    /// All of them, nearest first.
    pub const ALL: [Level; 4] = [Level::L1, Level::L2, Level::L3, Level::Memory];
    /// For people.
    pub fn name(self) -> &'static str {
        ["L1", "L2", "L3", "memory"][self as usize]
    }
}

/// Bytes that cross each border.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic([u64; 4]);

impl Index<Level> for Traffic {
    type Output = u64;
    fn index(&self, level: Level) -> &u64 {
        &self.0[level as usize]
    }
}

/// What one launch takes on one core.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Floating-point operations, two per multiply-add; lanes and rows behind the edges included.
    pub flops: u64,
    /// Bytes at each border.
    pub bytes: Traffic,
    /// Blocks.
    pub blocks: u64,
    /// Nanoseconds of instructions, were all data at hand.
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
    pub fn intensity(&self, level: Level) -> f64 {
        self.flops as f64 / self.bytes[level] as f64
    }
}

/// Something that takes cycles, and that kernels do a countable number of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Cycles of multiply-adds at two vectors per cycle.
    Arithmetic,
    /// A load of the innermost loop of a product.
    Load,
    /// Entering and leaving that loop.
    Visit,
    /// A register of sums stored or loaded around that loop.
    Move,
    /// A register of sums that waits in the second level between slices, there or back.
    Wait,
    /// A vector finished: loaded, addressed, stored; its expression not included.
    Finish,
    /// A row of vectors finished.
    FinishRow,
    /// A vector packed; its expression not included.
    Pack,
    /// A row of vectors packed.
    PackRow,
    /// Cycles of expressions, by the instructions they become.
    Expression,
    /// A vector transposed with its neighbours: one shuffle of log₂ L.
    Shuffle,
    /// A vector of scores turned into weights; scale, bias and exponential not included.
    Softmax,
    /// A row of scores turned into weights.
    SoftmaxRow,
    /// A vector stored by a row program.
    Store,
    /// A row or chunk of rows begun by a row program.
    Begin,
    /// A block entered.
    Block,
    /// A kernel called, and the call timed.
    Launch,
}

impl Event {
    /// All of them.
    pub const ALL: [Event; 17] = [
        Event::Arithmetic,
        Event::Load,
        Event::Visit,
        Event::Move,
        Event::Wait,
        Event::Finish,
        Event::FinishRow,
        Event::Pack,
        Event::PackRow,
        Event::Expression,
        Event::Shuffle,
        Event::Softmax,
        Event::SoftmaxRow,
        Event::Store,
        Event::Begin,
        Event::Block,
        Event::Launch,
    ];

    /// Cycles of one.
    pub(crate) fn cycles(self) -> f64 {
        match self {
            Event::Arithmetic => 1.0,
            Event::Load => 0.16,
            Event::Visit => 5.0,
            Event::Move => 1.25,
            Event::Wait => 2.5,
            Event::Finish => 1.75,
            Event::FinishRow => 7.0,
            Event::Pack => 1.45,
            Event::PackRow => 4.5,
            Event::Expression => 1.0,
            Event::Shuffle => 0.85,
            Event::Softmax => 8.5,
            Event::SoftmaxRow => 105.0,
            Event::Store => 1.5,
            Event::Begin => 12.0,
            Event::Block => 20.0,
            Event::Launch => 300.0,
        }
    }
}

/// How often each event happens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Events([f64; Event::ALL.len()]);

impl Events {
    /// Cycles of all events but the launch itself.
    fn cycles(&self) -> f64 {
        let inside = Event::ALL.iter().filter(|&&event| event != Event::Launch);
        inside.map(|&event| self[event] * event.cycles()).sum()
    }
}
impl Index<Event> for Events {
    type Output = f64;
    fn index(&self, event: Event) -> &f64 {
        &self.0[event as usize]
    }
}
impl IndexMut<Event> for Events {
    fn index_mut(&mut self, event: Event) -> &mut f64 {
        &mut self.0[event as usize]
    }
}

/// Counted work, before it is priced.
#[derive(Clone, Copy, Debug, Default)]
pub struct Work {
    /// Floating-point operations.
    pub flops: f64,
    /// What the core does.
    pub events: Events,
    /// What crosses the borders.
    pub bytes: [f64; 4],
    /// Blocks.
    pub blocks: u64,
}

impl Work {
    /// Evaluates an expression for a number of vectors or rows.
    fn express(&mut self, cost: Cost, times: f64) {
        self.flops += times * cost.flops;
        self.events[Event::Expression] += times * cost.cycles;
        self.bytes[Level::L1 as usize] += times * cost.bytes;
    }
    /// Steps of the innermost loop of a product, for a register tile.
    fn multiply(&mut self, tile: (usize, usize), steps: f64, target: &Target) {
        self.multiply_loading(tile, 1.0, steps, target);
    }
    /// The same where the load of a vector counts as several.
    fn multiply_loading(&mut self, (mr, nv): (usize, usize), per_vector: f64, steps: f64, target: &Target) {
        // As many independent sums as hide a latency of four cycles, twice per cycle.
        const HIDDEN: f64 = 8.0;
        let (sums, loads, lanes) = ((mr * nv) as f64, mr as f64 + per_vector * nv as f64, f64::from(target.lanes));
        let operations = sums * if target.fma { 1.0 } else { 2.0 };
        self.flops += steps * 2.0 * sums * lanes;
        self.events[Event::Arithmetic] += steps * operations.max(loads).max(HIDDEN) / 2.0;
        self.events[Event::Load] += steps * loads;
        self.bytes[Level::L1 as usize] += steps * 4.0 * (mr as f64 + lanes * nv as f64);
    }
    /// Begins and ends that loop, with so many registers stored and loaded.
    fn visit(&mut self, visits: f64, moved: f64, target: &Target) {
        self.events[Event::Visit] += visits;
        self.events[Event::Move] += moved;
        self.bytes[Level::L1 as usize] += moved * 4.0 * f64::from(target.lanes);
    }
    fn cross(&mut self, level: Level, bytes: f64) {
        self.bytes[level as usize] += bytes;
    }
}

/// Share of a level that its contents can count on; the rest goes to what passes through.
const SHARE: f64 = 0.75;

impl Level {
    /// Share of each transfer that neither prefetching nor reordering hides.
    fn exposed(self) -> f64 {
        [0.0, 0.2, 0.6, 1.0][self as usize]
    }
}

/// What an estimate depends on besides a group and its tiles.
#[derive(Clone, Debug)]
pub struct Setting<'a> {
    /// The machine.
    pub target: &'a Target,
    /// Which nodes are constants: their layout is settled before the first run.
    pub constant: IdVec<NodeId, bool>,
    /// Whether constants come from memory in every run, as they do where all of them exceed the third-level cache.
    pub cold: bool,
}

impl<'a> Setting<'a> {
    /// The setting of a plan's groups.
    pub fn new(plan: &Plan, target: &'a Target) -> Self {
        let graph = &plan.graph;
        let weights = graph.nodes.iter().filter(|(_, node)| matches!(node.op, Op::Weight(_)));
        let bytes: u64 = weights.map(|(id, _)| graph.ty(id).bytes() as u64).sum();
        Self { target, constant: graph.constants(), cold: bytes > target.l3_bytes }
    }
}

/// A group's body, prepared for estimates of many tiles.
pub struct Estimator<'a> {
    parts: Parts<'a>,
    target: &'a Target,
}

enum Parts<'a> {
    Row(row::Parts<'a>),
    Product(product::Parts<'a>),
    Attend(attend::Parts<'a>, Option<Box<slide::Parts<'a>>>),
}

impl<'a> Estimator<'a> {
    /// Prices the expressions of a body.
    pub fn new(body: &'a Body, setting: &Setting<'a>) -> Self {
        let parts = match body {
            Body::Row(cone) => Parts::Row(row::Parts::new(cone, setting)),
            Body::Product(product) => Parts::Product(product::Parts::new(product, setting)),
            Body::Attend(attend) => {
                Parts::Attend(attend::Parts::new(attend, setting), slide::Parts::new(attend, setting).map(Box::new))
            }
        };
        Self { parts, target: setting.target }
    }

    /// Whether both estimate every tile alike, and allow the same ones. Only products are compared: they alone have so
    /// many tiles that it pays.
    pub(crate) fn agrees_with(&self, other: &Estimator) -> bool {
        match (&self.parts, &other.parts) {
            (Parts::Product(a), Parts::Product(b)) => a.agrees_with(b),
            _ => false,
        }
    }

    /// The estimate for tiles of the body's own kind.
    pub fn estimate(&self, tiles: &Tiles) -> Estimate {
        price(&self.work(tiles), self.target)
    }

    /// What is counted for them.
    pub fn work(&self, tiles: &Tiles) -> Work {
        let mut work = match (&self.parts, tiles) {
            (Parts::Row(parts), Tiles::Row(t)) => parts.work(t, self.target),
            (Parts::Product(parts), Tiles::Product(t)) => parts.work(t, self.target),
            (Parts::Attend(parts, _), Tiles::Attend(t)) => parts.work(t, self.target),
            (Parts::Attend(_, Some(parts)), Tiles::Slide(t)) => parts.work(t, self.target),
            (_, found) => panic!("`{found}` does not fit the group's kind"),
        };
        work.events[Event::Block] = work.blocks as f64;
        work.events[Event::Launch] = 1.0;
        work
    }
}

/// Nanoseconds of a cycle in which a core does its most multiply-adds: two vectors.
fn cycle_ns(target: &Target) -> f64 {
    let per_cycle = f64::from(target.lanes) * if target.fma { 4.0 } else { 2.0 };
    per_cycle / target.core_gflops
}

fn price(work: &Work, target: &Target) -> Estimate {
    let cycle = cycle_ns(target);
    let transfer = |level: Level| work.bytes[level as usize] / target.level_gbps[level as usize];
    let compute_ns = work.events.cycles() * cycle;
    let memory_ns: f64 = Level::ALL.iter().map(|&level| transfer(level) * level.exposed()).sum();
    let longest = Level::ALL.iter().map(|&level| transfer(level)).fold(0.0, f64::max);
    let roofline_ns = (work.flops / target.core_gflops).max(longest);
    let launch_ns = Event::Launch.cycles() * cycle;
    Estimate {
        flops: work.flops as u64,
        bytes: Traffic(work.bytes.map(|bytes| bytes as u64)),
        blocks: work.blocks,
        compute_ns,
        memory_ns,
        launch_ns,
        roofline_ns,
        ns: launch_ns + (compute_ns + memory_ns).max(roofline_ns),
    }
}

/// The part of a cache that contents can count on.
fn share(bytes: u64) -> f64 {
    bytes as f64 * SHARE
}
