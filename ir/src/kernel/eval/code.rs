//! Flat code: what a kernel's body is compiled to.
//!
//! A [`Slot`] is the number of a value's first lane in its register [`File`]. `n` is how many lanes (or tile
//! elements) an operation works on. Jump targets are positions in [`Code::ops`].

use crate::{
    kernel::{ApproxOp, BinOp, CastOp, CmpOp, IdAxis, Kernel, ReduceOp, Stmt, UnOp},
    types::DType,
};

/// Number of a value's first lane within its file.
pub(super) type Slot = u32;

/// Lanes of the widest unit, a warpgroup.
pub(super) const MOST_LANES: usize = 128;

/// No value: an index of zero, a tail that ends at the last lane.
pub(super) const NONE: Slot = Slot::MAX;

/// A register file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum File {
    Float,
    Int,
    Long,
    Truth,
}

/// `buffer[index + offset]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) buffer: u32,
    /// In the file of longs, or [`NONE`].
    pub(super) index: Slot,
    pub(super) offset: i64,
}

/// A tile in memory: element (r, c) lies `r·row + c·col` after its address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub(super) rows: u32,
    pub(super) cols: u32,
    pub(super) row: i64,
    pub(super) col: i64,
}

/// One step of the machine. `d` is the destination; `a`, `b`, `c` are operands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    LoopStart {
        index: Slot,
        lo: Slot,
        hi: Slot,
        exit: u32,
    },
    LoopNext {
        index: Slot,
        step: i64,
        hi: Slot,
        body: u32,
    },
    Branch {
        cond: Slot,
        otherwise: u32,
    },
    Jump {
        to: u32,
    },
    Barrier,
    Id {
        axis: IdAxis,
        d: Slot,
    },
    Move {
        file: File,
        d: Slot,
        a: Slot,
        n: u32,
    },
    Splat {
        file: File,
        d: Slot,
        a: Slot,
    },
    Bin {
        file: File,
        op: BinOp,
        d: Slot,
        a: Slot,
        b: Slot,
        n: u32,
    },
    Un {
        file: File,
        op: UnOp,
        d: Slot,
        a: Slot,
        n: u32,
    },
    Fma {
        d: Slot,
        a: Slot,
        b: Slot,
        c: Slot,
        n: u32,
    },
    Cmp {
        file: File,
        op: CmpOp,
        d: Slot,
        a: Slot,
        b: Slot,
        n: u32,
    },
    Select {
        file: File,
        d: Slot,
        cond: Slot,
        a: Slot,
        b: Slot,
        n: u32,
    },
    Cast {
        op: CastOp,
        d: Slot,
        a: Slot,
        n: u32,
    },
    Approx {
        op: ApproxOp,
        d: Slot,
        a: Slot,
        n: u32,
    },
    Reduce {
        file: File,
        op: ReduceOp,
        d: Slot,
        a: Slot,
    },
    /// `lanes` is a row of [`Code::lists`]: the lane that each lane takes.
    Shuffle {
        file: File,
        d: Slot,
        a: Slot,
        lanes: u32,
    },
    /// `rows` is a row of [`Code::lists`]: the slots of the operands. Results lie side by side.
    Transpose {
        file: File,
        d: Slot,
        rows: u32,
    },
    Load {
        d: Slot,
        at: At,
        active: Slot,
        stride: i64,
    },
    /// One element into `n` lanes.
    Read {
        d: Slot,
        at: At,
        n: u32,
    },
    Gather {
        d: Slot,
        at: At,
        idx: Slot,
        mask: Slot,
    },
    Store {
        a: Slot,
        at: At,
        active: Slot,
        stride: i64,
    },
    Write {
        a: Slot,
        at: At,
    },
    Zero {
        d: Slot,
        n: u32,
    },
    TileLoad {
        d: Slot,
        at: At,
        grid: Grid,
    },
    TileStore {
        a: Slot,
        at: At,
        grid: Grid,
    },
    Mma {
        d: Slot,
        acc: Slot,
        a: Slot,
        b: Slot,
        rows: u32,
        cols: u32,
        depth: u32,
    },
}

/// A constant and the lanes it fills.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fill<T> {
    pub(super) slot: Slot,
    pub(super) n: u32,
    pub(super) value: T,
}

/// Sizes of the register files and the constants they start with.
#[derive(Default)]
pub(super) struct Image {
    pub(super) floats: u32,
    pub(super) ints: u32,
    pub(super) longs: u32,
    pub(super) truths: u32,
    pub(super) float_fills: Vec<Fill<f64>>,
    pub(super) int_fills: Vec<Fill<i32>>,
    pub(super) long_fills: Vec<Fill<i64>>,
    pub(super) truth_fills: Vec<Fill<bool>>,
}

/// A buffer as the machine needs it.
pub(super) struct BufferInfo {
    pub(super) name: String,
    pub(super) dtype: DType,
    pub(super) len: usize,
    pub(super) scratch: bool,
    /// Whether any statement writes to it; others need no record of who read them.
    pub(super) written: bool,
}

/// A compiled kernel.
pub(super) struct Code<'k> {
    pub(super) kernel: &'k Kernel,
    pub(super) ops: Vec<Op>,
    /// The statement each op came from.
    pub(super) places: Vec<&'k Stmt>,
    pub(super) lists: Vec<Vec<u32>>,
    pub(super) image: Image,
    pub(super) buffers: Vec<BufferInfo>,
    pub(super) lanes: usize,
    pub(super) units: u32,
    pub(super) grid: [u64; 3],
}
