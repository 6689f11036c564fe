//! Register allocation: the instruction list as regalloc2 sees it.
//!
//! | class | registers | spill slot |
//! |---|---|---|
//! | Int | all general registers but rsp; rbx, rbp, r12–r15 only when the others are full | 8 bytes |
//! | Float | zmm0–31 with 16 lanes, ymm0–15 with 8 | a whole vector |
//! | Vector | k1–k7 (k0 means "no mask" in an encoding) | 8 bytes |
//!
//! No register is set aside for moves: regalloc2 finds one where a cycle needs it.

use super::inst::{Arg, Base, Code86, Flow, Mem};
use regalloc2::{
    Block, Function, Inst, InstRange, MachineEnv, Operand, Output, PReg, PRegSet, RegAllocError, RegClass,
    RegallocOptions, VReg,
};

/// General registers in the numbering of their encoding.
pub(crate) const RDX: usize = 2;
const RSP: usize = 4;
const CALLER_SAVED: [usize; 9] = [0, 1, RDX, 6, 7, 8, 9, 10, 11];
/// rbx, rbp, r12–r15: restored before returning.
pub(crate) const CALLEE_SAVED: [usize; 6] = [3, 5, 12, 13, 14, 15];

/// The general register with this encoding.
pub(crate) fn general(number: usize) -> PReg {
    assert_ne!(number, RSP, "rsp holds the frame");
    PReg::new(number, RegClass::Int)
}

/// A function with its operands listed for regalloc2.
pub(crate) struct Listed<'a> {
    code: &'a Code86,
    lanes: u32,
    operands: Vec<Operand>,
    starts: Vec<u32>,
}

impl<'a> Listed<'a> {
    /// Lists the operands of every instruction.
    pub(crate) fn new(code: &'a Code86, lanes: u32) -> Self {
        let mut operands = Vec::with_capacity(code.args.len() + code.args.len() / 2);
        let mut starts = Vec::with_capacity(code.insts.len() + 1);
        for inst in &code.insts {
            starts.push(operands.len() as u32);
            let first = operands.len();
            code.args_of(inst).iter().for_each(|arg| list(arg, first, &mut operands));
        }
        starts.push(operands.len() as u32);
        Self { code, lanes, operands, starts }
    }
}

fn list(arg: &Arg, first: usize, out: &mut Vec<Operand>) {
    let tie = |out: &mut Vec<Operand>, def: VReg, used: VReg| {
        out.push(Operand::reg_use(used));
        out.push(Operand::reg_reuse_def(def, out.len() - 1 - first));
    };
    match *arg {
        Arg::Def(r) => out.push(Operand::reg_def(r.vreg)),
        Arg::Use(r) | Arg::Merge(r) | Arg::Zero(r) => out.push(Operand::reg_use(r.vreg)),
        Arg::Any(r) => out.push(Operand::any_use(r.vreg)),
        Arg::Tied(def, used) | Arg::Consumed(def, used) => tie(out, def.vreg, used.vreg),
        Arg::Mem(Mem { base, index, .. }) => {
            if let Base::Reg(base) = base {
                out.push(Operand::reg_use(base));
            }
            out.extend(index.map(|r| Operand::reg_use(r.vreg)));
        }
        Arg::FixedDef(r, p) => out.push(Operand::reg_fixed_def(r.vreg, p)),
        Arg::FixedUse(r, p) => out.push(Operand::reg_fixed_use(r.vreg, p)),
        Arg::Imm8(_) | Arg::Imm32(_) | Arg::Imm64(_) | Arg::Same(_) => {}
    }
}

impl Function for Listed<'_> {
    fn num_insts(&self) -> usize {
        self.code.insts.len()
    }
    fn num_blocks(&self) -> usize {
        self.code.blocks.len()
    }
    fn entry_block(&self) -> Block {
        Block::new(0)
    }
    fn block_insns(&self, block: Block) -> InstRange {
        let insts = &self.code.blocks[block.index()].insts;
        InstRange::new(Inst::new(insts.start), Inst::new(insts.end))
    }
    fn block_succs(&self, block: Block) -> &[Block] {
        &self.code.blocks[block.index()].succs
    }
    fn block_preds(&self, block: Block) -> &[Block] {
        &self.code.blocks[block.index()].preds
    }
    fn block_params(&self, block: Block) -> &[VReg] {
        &self.code.blocks[block.index()].params
    }
    fn is_ret(&self, insn: Inst) -> bool {
        self.code.insts[insn.index()].flow == Flow::Return
    }
    fn is_branch(&self, insn: Inst) -> bool {
        self.code.insts[insn.index()].flow == Flow::Branch
    }
    fn branch_blockparams(&self, block: Block, _: Inst, succ: usize) -> &[VReg] {
        &self.code.blocks[block.index()].args[succ]
    }
    fn inst_operands(&self, insn: Inst) -> &[Operand] {
        let at = insn.index();
        &self.operands[self.starts[at] as usize..self.starts[at + 1] as usize]
    }
    fn inst_clobbers(&self, _: Inst) -> PRegSet {
        PRegSet::empty()
    }
    fn num_vregs(&self) -> usize {
        self.code.vregs
    }
    fn spillslot_size(&self, class: RegClass) -> usize {
        if class == RegClass::Float { self.lanes as usize / 2 } else { 1 }
    }
}

/// The registers of a machine with `lanes` lanes per vector.
pub(crate) fn environment(lanes: u32) -> MachineEnv {
    let set = |class, numbers: &mut dyn Iterator<Item = usize>| {
        let mut set = PRegSet::empty();
        numbers.for_each(|n| set.add(PReg::new(n, class)));
        set
    };
    let none = PRegSet::empty();
    let vectors = if lanes == 16 { 32 } else { 16 };
    let masks = if lanes == 16 { 1..8 } else { 0..0 };
    MachineEnv {
        preferred_regs_by_class: [
            set(RegClass::Int, &mut CALLER_SAVED.into_iter()),
            set(RegClass::Float, &mut (0..vectors)),
            set(RegClass::Vector, &mut masks.into_iter()),
        ],
        non_preferred_regs_by_class: [set(RegClass::Int, &mut CALLEE_SAVED.into_iter()), none, none],
        scratch_by_class: [None; 3],
        fixed_stack_slots: Vec::new(),
    }
}

/// Assigns registers.
pub(crate) fn allocate(listed: &Listed, environment: &MachineEnv) -> Result<Output, RegAllocError> {
    let options = RegallocOptions { validate_ssa: cfg!(test), ..RegallocOptions::default() };
    regalloc2::run(listed, environment, &options)
}
