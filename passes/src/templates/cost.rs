//! Counted work: what templates count of their kernels, and what each event costs.
//!
//! Everything is about one core. Instructions are vectors' worth of work, counted from the tiles by the same
//! arithmetic that the templates loop by (`cost.rs` of each), expressions from the instructions they become
//! (`expression/price.rs`). Bytes are counted at each border of the memory; what does not fit a level is
//! read again from the next. Prefetching hides a part of each transfer: what remains is *exposed*.
//!
//! Bandwidths and peak are data of the [`Target`], with their source there. Constants in these files are
//! cycles and shares. Those of single instructions are latencies and throughputs of a server core of 2019 with two
//! 512-bit units; cycles of events and exposed shares were fitted by least squares, held near a first guess, to
//! the even rows of the battery (`cargo bench --bench schedules`), whose odd rows tell how well they hold. The
//! cost of waiting is that of Swin-T as a whole (`regard compare swin_tiny --measure`).

use super::expression::price::Cost;
use crate::plan::Plan;
use regard_ir::{
    graph::NodeId,
    id::IdVec,
    ops::Op,
    target::{MOST_LEVELS, Target},
};
use std::ops::{Index, IndexMut};

/// The border between registers and L1, by the level after it.
pub(crate) const L1: usize = 0;
/// The border between L1 and L2.
pub(crate) const L2: usize = 1;

/// Declares events, and the cycles of one.
macro_rules! events {
    ($($(#[$doc:meta])+ $event:ident = $cycles:literal,)+) => {
        /// Something that takes cycles, and that kernels do a countable number of times.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Event {
            $($(#[$doc])+ $event,)+
        }

        impl Event {
            /// All of them.
            pub const ALL: [Event; [$($cycles),+].len()] = [$(Event::$event),+];

            /// Cycles of one.
            pub(crate) fn cycles(self) -> f64 {
                [$($cycles),+][self as usize]
            }
        }
    };
}

events! {
    /// Cycles of multiply-adds at two vectors per cycle.
    Arithmetic = 1.0,
    /// A load of the innermost loop of a product.
    Load = 0.16,
    /// Entering and leaving that loop.
    TileEntry = 5.0,
    /// An accumulator register stored or loaded around that loop.
    AccumulatorSpill = 1.25,
    /// An accumulator register that waits in L2 between slices of the reduction, there or back.
    PartialSumReload = 2.5,
    /// A vector finished: loaded, addressed, stored; its expression not included.
    Finish = 1.75,
    /// A row of vectors finished.
    FinishRow = 7.0,
    /// A vector packed; its expression not included.
    Pack = 1.45,
    /// A row of vectors packed.
    PackRow = 4.5,
    /// Cycles of expressions, by the instructions they become.
    Expression = 1.0,
    /// A vector transposed with its neighbours: one shuffle of log₂ L.
    Shuffle = 0.85,
    /// A vector of scores turned into weights; scale, bias and exponential not included.
    Softmax = 8.5,
    /// A row of scores turned into weights.
    SoftmaxRow = 105.0,
    /// A vector stored by a row program.
    Store = 1.5,
    /// A row or chunk of rows begun by a row program.
    RowSetup = 12.0,
    /// A block entered.
    Block = 20.0,
    /// A kernel called, and the call timed.
    Launch = 300.0,
}

/// How often each event happens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Events([f64; Event::ALL.len()]);

impl Events {
    /// Cycles of all events but the launch itself.
    pub(crate) fn cycles(&self) -> f64 {
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
    /// What crosses the border in front of each level of memory.
    pub bytes: [f64; MOST_LEVELS],
    /// Blocks.
    pub blocks: u64,
}

impl Work {
    /// Evaluates an expression for a number of vectors or rows.
    pub(crate) fn express(&mut self, cost: Cost, times: f64) {
        self.flops += times * cost.flops;
        self.events[Event::Expression] += times * cost.cycles;
        self.bytes[L1] += times * cost.bytes;
    }
    /// Steps of the innermost loop of a product, for a register tile.
    pub(crate) fn multiply(&mut self, tile: (usize, usize), steps: f64, target: &Target) {
        self.multiply_loading(tile, 1.0, steps, target);
    }
    /// The same where the load of a vector counts as several.
    pub(crate) fn multiply_loading(&mut self, (mr, nv): (usize, usize), per_vector: f64, steps: f64, target: &Target) {
        // As many independent sums as hide a latency of four cycles, twice per cycle.
        const HIDDEN: f64 = 8.0;
        let (sums, loads, lanes) = ((mr * nv) as f64, mr as f64 + per_vector * nv as f64, f64::from(target.lanes));
        let operations = sums * if target.fma { 1.0 } else { 2.0 };
        self.flops += steps * 2.0 * sums * lanes;
        self.events[Event::Arithmetic] += steps * operations.max(loads).max(HIDDEN) / 2.0;
        self.events[Event::Load] += steps * loads;
        self.bytes[L1] += steps * 4.0 * (mr as f64 + lanes * nv as f64);
    }
    /// Begins and ends that loop, with so many registers stored and loaded.
    pub(crate) fn visit(&mut self, visits: f64, moved: f64, target: &Target) {
        self.events[Event::TileEntry] += visits;
        self.events[Event::AccumulatorSpill] += moved;
        self.bytes[L1] += moved * 4.0 * f64::from(target.lanes);
    }
    /// Bytes that cross a border.
    pub(crate) fn cross(&mut self, level: usize, bytes: f64) {
        self.bytes[level] += bytes;
    }
}

/// Share of a level that its contents can count on; the rest goes to what passes through.
const SHARE: f64 = 0.75;

/// What an estimate depends on besides a group and its tiles.
#[derive(Clone, Debug)]
pub struct CostContext<'a> {
    /// The machine.
    pub target: &'a Target,
    /// Which nodes are constants: their layout is settled before the first run.
    pub constant: IdVec<NodeId, bool>,
    /// Whether constants come from memory in every run, as they do where all of them exceed the L3 cache.
    pub weights_exceed_caches: bool,
}

impl<'a> CostContext<'a> {
    /// The setting of a plan's groups.
    pub fn new(plan: &Plan, target: &'a Target) -> Self {
        let graph = &plan.graph;
        let weights = graph.nodes.iter().filter(|(_, node)| matches!(node.op, Op::Weight(_)));
        let bytes: u64 = weights.map(|(id, _)| graph.ty(id).bytes() as u64).sum();
        Self { target, constant: graph.constants(), weights_exceed_caches: bytes > target.cache_bytes() }
    }
}

/// The part of a cache that contents can count on.
pub(crate) fn share(bytes: u64) -> f64 {
    bytes as f64 * SHARE
}
