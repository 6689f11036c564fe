//! The x86 instruction list: virtual registers in, one x86 instruction each.
//!
//! An instruction is an opcode of iced (which fixes encoding and operand width) and its arguments in the
//! order of the Intel manual. Arguments say how they treat their register, so the allocator's view and the
//! encoder's view are read off the same list:
//!
//! ```text
//!   vfmadd231ps zmm1, zmm2, [rdi+rax*4+64]      Tied(new, old)  Use(b)  Mem{base, index, 4, 64}
//!                                               └ one register: `old` goes in, `new` comes out
//! ```
//!
//! A register is seen through a [`View`]: an f32 scalar and the vector whose lane 0 it is are the same
//! virtual register, seen as xmm and as zmm.

use super::constants::Constant;
use iced_x86::Code;
use regalloc2::{PReg, RegClass, VReg};

/// How wide an instruction sees a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// Low byte of a general register.
    R8,
    /// Low half of a general register.
    R32,
    /// A general register.
    R64,
    /// 128 bits.
    X,
    /// 256 bits.
    Y,
    /// 512 bits.
    Z,
    /// A mask register.
    K,
}

/// A virtual register and how it is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reg {
    /// The register the allocator knows.
    pub vreg: VReg,
    /// The width that an instruction names.
    pub view: View,
}

impl Reg {
    /// The same register seen with another width.
    pub(crate) fn seen(self, view: View) -> Reg {
        Reg { view, ..self }
    }
    /// Low byte.
    pub(crate) fn r8(self) -> Reg {
        self.seen(View::R8)
    }
    /// 32 bits of a general register.
    pub(crate) fn r32(self) -> Reg {
        self.seen(View::R32)
    }
    /// 64 bits of a general register.
    pub(crate) fn r64(self) -> Reg {
        self.seen(View::R64)
    }
    /// xmm.
    pub(crate) fn x(self) -> Reg {
        self.seen(View::X)
    }
    /// ymm.
    pub(crate) fn y(self) -> Reg {
        self.seen(View::Y)
    }
}

/// Where an address starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// A general register.
    Reg(VReg),
    /// A constant after the code, relative to the instruction pointer.
    Constant(Constant),
    /// The stack pointer; negative displacements lie in the red zone.
    Stack,
}

/// `[base + index·scale + displacement]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mem {
    /// Where it starts.
    pub base: Base,
    /// A general register, or a vector of 32-bit lanes for gathers and scatters.
    pub index: Option<Reg>,
    /// 1, 2, 4 or 8.
    pub scale: u8,
    /// Constant part in bytes.
    pub displacement: i32,
    /// One 32-bit element is read and used in all lanes (EVEX `{1to16}`).
    pub broadcast: bool,
}

impl Mem {
    /// A constant.
    pub(crate) fn constant(constant: Constant, broadcast: bool) -> Mem {
        Mem { base: Base::Constant(constant), index: None, scale: 1, displacement: 0, broadcast }
    }
    /// `[base + displacement]`.
    pub(crate) fn at(base: Reg, displacement: i32) -> Mem {
        Mem { base: Base::Reg(base.vreg), index: None, scale: 1, displacement, broadcast: false }
    }
    /// `[rsp + displacement]`.
    pub(crate) fn stack(displacement: i32) -> Mem {
        Mem { base: Base::Stack, index: None, scale: 1, displacement, broadcast: false }
    }
}

/// One argument of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arg {
    /// Written.
    Def(Reg),
    /// Read.
    Use(Reg),
    /// Read where it is, in a register or spilled; the instruction must take memory there.
    Any(Reg),
    /// Read as the second, written as the first, in one register.
    Tied(Reg, Reg),
    /// Memory.
    Mem(Mem),
    /// An 8-bit immediate.
    Imm8(u8),
    /// A 32-bit immediate, sign extended where the first argument has 64 bits.
    Imm32(i32),
    /// A 64-bit immediate.
    Imm64(i64),
    /// Lanes whose mask bit is clear keep the destination.
    Merge(Reg),
    /// Lanes whose mask bit is clear become zero.
    Zero(Reg),
    /// The write mask that a gather or scatter reads and clears: (written, read).
    Consumed(Reg, Reg),
    /// The register of an earlier argument once more.
    Same(u8),
    /// Written in a fixed register that the encoding does not name.
    FixedDef(Reg, PReg),
    /// Read in a fixed register that the encoding does not name.
    FixedUse(Reg, PReg),
}

/// What an instruction does to control flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Nothing.
    Next,
    /// Defines registers without being encoded (the function's arguments).
    Silent,
    /// Ends its block towards its successors: one, or taken and not taken.
    Branch,
    /// Leaves the function.
    Return,
}

/// An instruction; its arguments are a range of [`Code86::args`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct X86Inst {
    /// iced's opcode; for branches the taken condition.
    pub code: Code,
    /// Control flow.
    pub flow: Flow,
    first: u32,
    count: u8,
}

/// Number of a block, in the order in which blocks were named until [`Code86::finish`], then in layout order.
pub(crate) type BlockId = usize;

/// A basic block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    /// Instructions, as a range of [`Code86::insts`].
    pub insts: std::ops::Range<usize>,
    /// Values that predecessors pass.
    pub params: Vec<VReg>,
    /// Successors: taken, then not taken.
    pub succs: Vec<regalloc2::Block>,
    /// Predecessors.
    pub preds: Vec<regalloc2::Block>,
    /// What each successor gets.
    pub args: Vec<Vec<VReg>>,
    /// Whether a loop starts here.
    pub header: bool,
}

/// A function before register allocation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Code86 {
    /// All instructions, block after block.
    pub insts: Vec<X86Inst>,
    /// Arguments of all instructions.
    pub args: Vec<Arg>,
    /// Blocks; the first is the entry.
    pub blocks: Vec<Block>,
    /// Number of virtual registers.
    pub vregs: usize,
    order: Vec<BlockId>,
}

impl Code86 {
    /// Arguments of one instruction.
    pub(crate) fn args_of(&self, inst: &X86Inst) -> &[Arg] {
        &self.args[inst.first as usize..inst.first as usize + inst.count as usize]
    }
    /// A fresh register.
    pub(crate) fn fresh(&mut self, view: View) -> Reg {
        let class = match view {
            View::R8 | View::R32 | View::R64 => RegClass::Int,
            View::X | View::Y | View::Z => RegClass::Float,
            View::K => RegClass::Vector,
        };
        self.vregs += 1;
        Reg { vreg: VReg::new(self.vregs - 1, class), view }
    }
    /// Appends an instruction to the block that was started last.
    pub(crate) fn push(&mut self, code: Code, flow: Flow, args: &[Arg]) {
        let first = u32::try_from(self.args.len()).expect("fewer than 2^32 arguments");
        self.args.extend_from_slice(args);
        self.insts.push(X86Inst { code, flow, first, count: args.len() as u8 });
        if let Some(&block) = self.order.last() {
            self.blocks[block].insts.end = self.insts.len();
        }
    }
    /// Names a block that starts later.
    pub(crate) fn block(&mut self) -> BlockId {
        self.blocks.push(Block::default());
        self.blocks.len() - 1
    }
    /// From here on instructions belong to `block`; `header` says that a loop starts with it.
    pub(crate) fn start(&mut self, block: BlockId, params: &[Reg], header: bool) {
        let at = self.insts.len();
        let b = &mut self.blocks[block];
        *b = Block { insts: at..at, params: params.iter().map(|r| r.vreg).collect(), header, ..Block::default() };
        self.order.push(block);
    }
    /// Ends the current block with a jump.
    pub(crate) fn jump(&mut self, to: BlockId, args: &[Reg]) {
        self.end(Code::Jmp_rel32_64, &[to], vec![args.iter().map(|r| r.vreg).collect()]);
    }
    /// Ends the current block: to `taken` under the condition of the jump `code`, else to `other`.
    pub(crate) fn branch(&mut self, code: Code, taken: BlockId, other: BlockId) {
        self.end(code, &[taken, other], vec![Vec::new(), Vec::new()]);
    }
    fn end(&mut self, code: Code, succs: &[BlockId], args: Vec<Vec<VReg>>) {
        self.push(code, Flow::Branch, &[]);
        let block = &mut self.blocks[*self.order.last().expect("a started block")];
        block.succs = succs.iter().map(|&s| regalloc2::Block::new(s)).collect();
        block.args = args;
    }
    /// Puts the blocks into layout order and connects them. No block may be missing its end.
    pub(crate) fn finish(&mut self) {
        assert_eq!(self.order.len(), self.blocks.len(), "every named block starts once");
        let mut place = vec![0; self.blocks.len()];
        for (at, &block) in self.order.iter().enumerate() {
            place[block] = at;
        }
        let mut old: Vec<Option<Block>> = std::mem::take(&mut self.blocks).into_iter().map(Some).collect();
        self.blocks = self.order.iter().map(|&b| old[b].take().expect("each block once")).collect();
        for at in 0..self.blocks.len() {
            for s in 0..self.blocks[at].succs.len() {
                let to = place[self.blocks[at].succs[s].index()];
                self.blocks[at].succs[s] = regalloc2::Block::new(to);
                self.blocks[to].preds.push(regalloc2::Block::new(at));
            }
        }
        self.order = (0..self.blocks.len()).collect();
    }
}
