//! The kernel instruction set and the kernel itself.
//!
//! Core instructions run on every back end; tile instructions need a matrix unit. A back end lists the
//! [`Level`]s it takes and the verifier rejects the rest. Operand types are written in each variant:
//! *s* scalar, *v* vector, *t* tile. What the rest of the tree asks of any instruction stands below: what it reads, which
//! bodies it has, what it writes, its level and its word.

pub use super::address::Addr;
use crate::{
    define_id,
    id::IdVec,
    types::{DType, Real},
};

define_id!(
    /// A value of a kernel, `v7` in text.
    Val, "v"
);
define_id!(
    /// A buffer of a kernel: parameters first, then scratch; `b2` in text.
    Buf, "b"
);

/// What executes a kernel's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// One CPU core; a block is one unit.
    Core,
    /// One GPU warp of 32 lanes.
    Warp,
    /// Four GPU warps, 128 lanes.
    Warpgroup,
}

/// Element type of a scalar or of a vector's lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Elem {
    /// Index arithmetic; scalar only.
    I64,
    /// 32-bit signed integer; wraps.
    I32,
    /// 32-bit float.
    F32,
    /// Truth value.
    Bool,
}

/// Which operand of a tile product a tile is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileRole {
    /// Left operand, R rows × C reduction columns.
    A,
    /// Right operand, R reduction rows × C columns.
    B,
    /// f32 accumulator, R × C.
    Acc,
}

/// Type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Type {
    /// The same in all lanes.
    Scalar(Elem),
    /// One element per lane; lanes belong to the kernel. Never [`Elem::I64`].
    Vector(Elem),
    /// `rows × cols` elements spread over the unit.
    Tile {
        /// Rows.
        rows: u32,
        /// Columns.
        cols: u32,
        /// Element type in the unit: f32 for accumulators, f32, bf16 or f16 for operands.
        dtype: DType,
        /// Operand position.
        role: TileRole,
    },
}

/// Where a buffer lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// Passed by the launch; shared by all blocks.
    Global,
    /// Belongs to one block; uninitialised when the block starts. 64-byte aligned.
    Scratch,
}

/// A buffer declaration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Buffer {
    /// For users; unique within the kernel.
    pub name: String,
    /// Element type in memory.
    pub dtype: DType,
    /// Where it lives.
    pub space: Space,
    /// Length in elements.
    pub len: u64,
}

/// A typed constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Const {
    /// i64.
    I64(i64),
    /// i32.
    I32(i32),
    /// f32, held as the f64 it was written as; the f32 interpreter and back ends round it once.
    F32(Real),
    /// bool.
    Bool(bool),
}

/// Two operands of one type. `And`, `Or`, `Xor` take i32 or bool; `Shl`, `Shr` (arithmetic) take i32 and
/// i64 and need a shift below the width; `Div`, `Rem` of integers need a positive constant divisor and
/// round towards minus infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the names say it
pub enum BinOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Min,
    Max,
    And,
    Or,
    Xor,
    Shl,
    Shr,
}

/// One operand. `Neg` and `Abs` take numbers, `Sqrt`, `Floor`, `Round` (to nearest even) f32, `Not` bool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the names say it
pub enum UnOp {
    Neg,
    Abs,
    Sqrt,
    Floor,
    Round,
    Not,
}

/// Comparisons; `Ne` is true and the others false where an operand is NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the names say it
pub enum CmpOp {
    Eq,
    Ne,
    Lt,
    Le,
}

/// Horizontal reductions; `Max` and `Min` as in [`BinOp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the names say it
pub enum ReduceOp {
    Sum,
    Max,
    Min,
}

/// Element conversions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CastOp {
    /// i32 → f32, to nearest even.
    I32ToF32,
    /// f32 → i32, towards zero; out of range or NaN is an error in the interpreter and unspecified elsewhere.
    F32ToI32,
    /// i32 → i64, sign extended; scalar.
    I32ToI64,
    /// i64 → i32, low bits; scalar.
    I64ToI32,
    /// The bits of an f32 as i32.
    F32Bits,
    /// An f32 from its bits.
    BitsF32,
    /// bool → i32, 0 or 1.
    BoolToI32,
}

/// Functions whose last bits belong to the target; not available on CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the names say it
pub enum ApproxOp {
    Exp2,
    Rcp,
    Rsqrt,
}

/// Grid coordinates and the unit's number within its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdAxis {
    /// Slowest grid axis: block number = (g0·n1 + g1)·n2 + g2.
    G0,
    /// Middle grid axis.
    G1,
    /// Fastest grid axis.
    G2,
    /// Unit within the block.
    Unit,
}

/// What a back end must be able to do to run an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Every back end.
    Core,
    /// Needs a matrix unit.
    Tile,
}

/// An instruction. Results are in the [`Stmt`] that holds it.
#[allow(missing_docs)] // each variant's line explains its fields
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Inst {
    /// `for index in lo, lo+step, … < hi` carrying `params`, which start as `init` and become the body's
    /// yields; results are the last values. `lo`, `hi`: s.i64; step > 0. `unroll` is how many copies of
    /// the body a back end should make per iteration (1: none).
    For { lo: Val, hi: Val, step: i64, unroll: u32, init: Vec<Val>, index: Val, params: Vec<Val>, body: Body },
    /// Runs one side; results are its yields. `cond`: s.bool.
    If { cond: Val, then: Body, otherwise: Body },
    /// A grid coordinate or unit number → s.i64.
    Id(IdAxis),
    /// Lane number → v.i32.
    Lane,
    /// All units of the block arrive before any leaves; scratch writes become visible.
    Barrier,
    /// A constant → s.
    Const(Const),
    /// s → v, the same in all lanes (i32, f32, bool).
    Splat(Val),
    /// Two numbers → one, both s or both v.
    Bin(BinOp, Val, Val),
    /// One → one.
    Un(UnOp, Val),
    /// `a·b + c` with one rounding; f32.
    Fma(Val, Val, Val),
    /// → bool of the same kind (s or v).
    Cmp(CmpOp, Val, Val),
    /// `cond ? a : b`, lane by lane for vectors.
    Select(Val, Val, Val),
    /// Converts s or v.
    Cast(CastOp, Val),
    /// v.f32 or v.i32 → s: lanes i and i + L/2 are combined, then halves of that, in this fixed order.
    Reduce(ReduceOp, Val),
    /// v → s, the element of one lane.
    Extract(Val, u32),
    /// v → v, lane l takes lane `perm[l]`.
    Shuffle(Val, Vec<u8>),
    /// L vectors → L vectors: result r, lane c = operand c, lane r. Core units only.
    Transpose(Vec<Val>),
    /// The target's own approximation; s or v.
    Approx(ApproxOp, Val),
    /// → v: lane l reads `addr + l·stride`. With `active` (s.i64), lanes ≥ active are not accessed and give
    /// zero. f32, bf16, f16 give v.f32; i32 gives v.i32; bool gives v.bool.
    Load { addr: Addr, active: Option<Val>, stride: i64 },
    /// → v: one element for all lanes.
    Bcast(Addr),
    /// Lane l of a vector is written to `addr + l·stride`; with `active`, lanes ≥ active are not written.
    Store { value: Val, addr: Addr, active: Option<Val>, stride: i64 },
    /// → s: one element.
    LoadScalar(Addr),
    /// s → memory.
    StoreScalar { value: Val, addr: Addr },
    /// → v: lane l reads `addr + idx[l]`, v.i32, where `mask` (v.bool) is set, else gives zero unaccessed.
    Gather { addr: Addr, idx: Val, mask: Val },
    /// → t: zeros, an accumulator.
    TileZero { rows: u32, cols: u32 },
    /// → t: element (r, c) from `addr + r·row_stride + c`, or from `addr + c·row_stride + r` if transposed.
    TileLoad { addr: Addr, row_stride: i64, transposed: bool, rows: u32, cols: u32, dtype: DType, role: TileRole },
    /// Writes an accumulator, element (r, c) to `addr + r·row_stride + c`.
    TileStore { value: Val, addr: Addr, row_stride: i64 },
    /// acc + a·b → acc; f32 accumulation in an unspecified order.
    TileMma { acc: Val, a: Val, b: Val },
}

/// An instruction with the values it defines.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stmt {
    /// Values defined, in order.
    pub results: Vec<Val>,
    /// What is done.
    pub inst: Inst,
}

/// A sequence of statements and the values it hands to the construct around it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Body {
    /// Executed in order.
    pub stmts: Vec<Stmt>,
    /// Values passed on; empty at the top of a kernel.
    pub yields: Vec<Val>,
}

/// The program of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// Unique within a program; letters, digits and underscores.
    pub name: String,
    /// What executes the body.
    pub unit: Unit,
    /// Lanes per vector.
    pub lanes: u32,
    /// Units per block; 1 on CPUs.
    pub units: u32,
    /// Blocks along each axis, slowest first.
    pub grid: [u64; 3],
    /// Parameters (global) first, then scratch.
    pub buffers: IdVec<Buf, Buffer>,
    /// Type of every value.
    pub types: IdVec<Val, Type>,
    /// What a unit does.
    pub body: Body,
}

/// Byte alignment of every scratch buffer within a block's scratch.
pub const SCRATCH_ALIGN: u64 = 64;

impl Kernel {
    /// Number of blocks.
    pub fn blocks(&self) -> u64 {
        self.grid.iter().product()
    }
    /// The global buffers, in launch order.
    pub fn params(&self) -> impl Iterator<Item = (Buf, &Buffer)> {
        self.buffers.iter().filter(|(_, b)| b.space == Space::Global)
    }
    /// Byte offset of each scratch buffer in the block's scratch, and the total size in bytes.
    pub fn scratch_layout(&self) -> (Vec<(Buf, u64)>, u64) {
        let mut end = 0u64;
        let mut at = Vec::new();
        for (id, b) in self.buffers.iter().filter(|(_, b)| b.space == Space::Scratch) {
            at.push((id, end));
            end += (b.len * b.dtype.bytes() as u64).next_multiple_of(SCRATCH_ALIGN);
        }
        (at, end)
    }
    /// Type of a value.
    pub fn ty(&self, v: Val) -> Type {
        self.types[v]
    }
}

/// The operands of an instruction, borrowed as it is: at most three, then a list.
macro_rules! operands {
    ($inst:expr, $as_ref:ident, $iter:ident) => {{
        let none = Default::default;
        let (fixed, list) = match $inst {
            Inst::Id(_) | Inst::Lane | Inst::Barrier | Inst::Const(_) | Inst::TileZero { .. } => {
                ([None, None, None], none())
            }
            Inst::For { lo, hi, init, .. } => ([Some(lo), Some(hi), None], init.$iter()),
            Inst::Transpose(rows) => ([None, None, None], rows.$iter()),
            Inst::If { cond: a, .. }
            | Inst::Splat(a)
            | Inst::Un(_, a)
            | Inst::Cast(_, a)
            | Inst::Reduce(_, a)
            | Inst::Extract(a, _)
            | Inst::Shuffle(a, _)
            | Inst::Approx(_, a) => ([Some(a), None, None], none()),
            Inst::Bin(_, a, b) | Inst::Cmp(_, a, b) => ([Some(a), Some(b), None], none()),
            Inst::Fma(a, b, c) | Inst::Select(a, b, c) | Inst::TileMma { acc: a, a: b, b: c } => {
                ([Some(a), Some(b), Some(c)], none())
            }
            Inst::Bcast(Addr { index, .. })
            | Inst::LoadScalar(Addr { index, .. })
            | Inst::TileLoad { addr: Addr { index, .. }, .. } => ([index.$as_ref(), None, None], none()),
            Inst::Load { addr: Addr { index, .. }, active, .. } => ([index.$as_ref(), active.$as_ref(), None], none()),
            Inst::Store { value, addr: Addr { index, .. }, active, .. } => {
                ([Some(value), index.$as_ref(), active.$as_ref()], none())
            }
            Inst::StoreScalar { value, addr: Addr { index, .. } }
            | Inst::TileStore { value, addr: Addr { index, .. }, .. } => ([Some(value), index.$as_ref(), None], none()),
            Inst::Gather { addr: Addr { index, .. }, idx, mask } => ([index.$as_ref(), Some(idx), Some(mask)], none()),
        };
        fixed.into_iter().flatten().chain(list)
    }};
}

macro_rules! bodies {
    ($inst:expr) => {{
        let bodies = match $inst {
            Inst::For { body, .. } => [Some(body), None],
            Inst::If { then, otherwise, .. } => [Some(then), Some(otherwise)],
            _ => [None, None],
        };
        bodies.into_iter().flatten()
    }};
}

impl Inst {
    /// The values this instruction reads, not counting those used inside bodies.
    pub fn operands(&self) -> impl Iterator<Item = Val> {
        operands!(self, as_ref, iter).copied()
    }
    /// The same, to exchange them.
    pub fn operands_mut(&mut self) -> impl Iterator<Item = &mut Val> {
        operands!(self, as_mut, iter_mut)
    }
    /// The bodies nested in this instruction.
    pub fn bodies(&self) -> impl DoubleEndedIterator<Item = &Body> {
        bodies!(self)
    }
    /// The same, to change them.
    pub fn bodies_mut(&mut self) -> impl Iterator<Item = &mut Body> {
        bodies!(self)
    }
    /// The buffer that this instruction itself writes.
    pub fn written(&self) -> Option<Buf> {
        match self {
            Inst::Store { addr, .. } | Inst::StoreScalar { addr, .. } | Inst::TileStore { addr, .. } => Some(addr.buf),
            _ => None,
        }
    }
    /// What a back end must support to run this instruction itself (not its body).
    pub fn level(&self) -> Level {
        match self {
            Inst::TileZero { .. } | Inst::TileLoad { .. } | Inst::TileStore { .. } | Inst::TileMma { .. } => {
                Level::Tile
            }
            _ => Level::Core,
        }
    }
    /// The instruction's word in kernel text.
    pub fn name(&self) -> &'static str {
        match self {
            Inst::For { .. } => "for",
            Inst::If { .. } => "if",
            Inst::Id(_) => "id",
            Inst::Lane => "lane",
            Inst::Barrier => "barrier",
            Inst::Const(_) => "const",
            Inst::Splat(_) => "splat",
            Inst::Bin(op, ..) => op.name(),
            Inst::Un(op, _) => op.name(),
            Inst::Fma(..) => "fma",
            Inst::Cmp(op, ..) => op.name(),
            Inst::Select(..) => "select",
            Inst::Cast(..) => "cast",
            Inst::Reduce(..) => "reduce",
            Inst::Extract(..) => "extract",
            Inst::Shuffle(..) => "shuffle",
            Inst::Transpose(_) => "transpose",
            Inst::Approx(..) => "approx",
            Inst::Load { .. } => "load",
            Inst::Bcast(_) => "bcast",
            Inst::Store { .. } => "store",
            Inst::LoadScalar(_) => "load_scalar",
            Inst::StoreScalar { .. } => "store_scalar",
            Inst::Gather { .. } => "gather",
            Inst::TileZero { .. } => "tile_zero",
            Inst::TileLoad { .. } => "tile_load",
            Inst::TileStore { .. } => "tile_store",
            Inst::TileMma { .. } => "tile_mma",
        }
    }
}
