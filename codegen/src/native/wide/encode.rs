//! From allocated instructions to bytes.
//!
//! ```text
//!   push used callee-saved          frame, only if something spilled:
//!   mov rax, rsp                      rsp ─▶ [ spill slots … | old rsp ]   64-byte aligned
//!   and rsp, -64; sub rsp, n
//!   mov [rsp+n-8], rax
//!   …blocks in layout order…
//!   vzeroupper; mov rsp, [rsp+n-8]; pop …; ret
//!   constants
//! ```
//!
//! iced encodes one instruction at a time. Branch targets and constants lie ahead of most uses, so both
//! are written as 32-bit distances afterwards. Blocks that only jump on (split edges whose moves the
//! allocator saved) take no bytes: branches go where they lead.

use super::{
    alloc::{self, CALLEE_SAVED, Listed},
    constants::{self, Constant, Pool},
    inst::{Arg, Base, Block, Code86, Flow, Mem, Reg, View, X86Inst},
};
use iced_x86::{Code, Encoder, Instruction, OpKind, Register};
use regalloc2::{Allocation, Edit, InstOrEdit, Output, PReg, RegClass};

/// Innermost loops start at multiples of this many bytes.
const LOOP_ALIGN: usize = 32;

/// Bytes of a kernel and what a report says about them.
pub(crate) struct Encoded {
    /// Code, padding and constants.
    pub bytes: Vec<u8>,
    /// Number of instructions.
    pub instructions: u32,
    /// Spills and reloads inside innermost loops.
    pub spills: u32,
}

/// Encodes `code` with the registers of `output`.
pub(crate) fn encode(
    code: &Code86,
    listed: &Listed,
    output: &Output,
    pool: &Pool,
    lanes: u32,
) -> Result<Encoded, String> {
    let mut writer = Writer::new(output, lanes);
    let innermost = innermost(&code.blocks);
    let lead: Vec<usize> = (0..code.blocks.len()).map(|b| thread_jump(code, listed, output, b)).collect();
    writer.prologue()?;
    for (at, block) in code.blocks.iter().enumerate() {
        if block.header && innermost[at] {
            writer.align(LOOP_ALIGN);
        }
        writer.starts.push(writer.bytes.len());
        if lead[at] != at {
            continue;
        }
        for item in output.block_insts_and_edits(listed, regalloc2::Block::new(at)) {
            match item {
                InstOrEdit::Edit(Edit::Move { from, to }) => writer.transfer(*from, *to, innermost[at])?,
                InstOrEdit::Inst(i) => {
                    let inst = &code.insts[i.index()];
                    match inst.flow {
                        Flow::Next => writer.inst(code, inst, output.inst_allocs(i))?,
                        Flow::Silent => {}
                        Flow::Branch => writer.branch(inst.code, block, &lead, at)?,
                        Flow::Return => writer.epilogue()?,
                    }
                }
            }
        }
    }
    writer.finish(pool)
}

/// Which blocks lie in a loop that holds no other loop.
fn innermost(blocks: &[Block]) -> Vec<bool> {
    let mut inner = vec![false; blocks.len()];
    for (end, block) in blocks.iter().enumerate() {
        for head in block.succs.iter().map(|s| s.index()).filter(|&head| head <= end) {
            let holds_other = blocks[head + 1..=end].iter().any(|b| b.header);
            inner[head..=end].iter_mut().for_each(|b| *b |= !holds_other);
        }
    }
    inner
}

/// The block reached from `block` once jumps through empty blocks are followed.
fn thread_jump(code: &Code86, listed: &Listed, output: &Output, mut block: usize) -> usize {
    loop {
        let b = &code.blocks[block];
        let empty = b.insts.len() == 1
            && b.succs.len() == 1
            && output.block_insts_and_edits(listed, regalloc2::Block::new(block)).all(|item| match item {
                InstOrEdit::Edit(Edit::Move { from, to }) => from == to,
                InstOrEdit::Inst(_) => true,
            });
        if !empty || b.succs[0].index() == block {
            return block;
        }
        block = b.succs[0].index();
    }
}

struct Writer {
    encoder: Encoder,
    lanes: u32,
    bytes: Vec<u8>,
    instructions: u32,
    spills: u32,
    saved: Vec<PReg>,
    frame: usize,
    starts: Vec<usize>,
    branches: Vec<(usize, usize)>,
    constants: Vec<(usize, usize, Constant)>,
}

impl Writer {
    fn new(output: &Output, lanes: u32) -> Self {
        let moved = output.edits.iter().flat_map(|(_, Edit::Move { from, to })| [*from, *to]);
        let used: Vec<PReg> = output.allocs.iter().copied().chain(moved).filter_map(Allocation::as_reg).collect();
        let saved = CALLEE_SAVED.into_iter().map(alloc::general).filter(|r| used.contains(r)).collect();
        let frame = match output.num_spillslots {
            0 => 0,
            slots => (slots * 8 + 8).next_multiple_of(64),
        };
        Self {
            encoder: Encoder::new(64),
            lanes,
            bytes: Vec::new(),
            instructions: 0,
            spills: 0,
            saved,
            frame,
            starts: Vec::new(),
            branches: Vec::new(),
            constants: Vec::new(),
        }
    }

    fn write(&mut self, instruction: &Instruction) -> Result<usize, String> {
        let at = self.bytes.len();
        let length =
            self.encoder.encode(instruction, at as u64).map_err(|e| format!("{e} in {:?}", instruction.code()))?;
        self.bytes.append(&mut self.encoder.take_buffer());
        self.instructions += 1;
        Ok(at + length)
    }

    fn inst(&mut self, code: &Code86, inst: &X86Inst, allocs: &[Allocation]) -> Result<(), String> {
        let mut instruction = Instruction::default();
        instruction.set_code(inst.code);
        let mut constant = None;
        let mut op = 0;
        let mut places = Places(allocs.iter());
        let args = code.args_of(inst);
        for arg in args {
            match *arg {
                Arg::Def(r) | Arg::Use(r) => instruction.set_op_register(op, places.reg(r)),
                Arg::Any(r) => match places.next() {
                    Place::Reg(preg) => instruction.set_op_register(op, register(preg, r.view)),
                    Place::Slot(displacement) => stack(&mut instruction, op, displacement),
                },
                Arg::Tied(def, used) => {
                    places.reg(used);
                    instruction.set_op_register(op, places.reg(def));
                }
                Arg::Same(earlier) => instruction.set_op_register(op, instruction.op_register(earlier.into())),
                Arg::Imm8(value) => {
                    instruction.set_op_kind(op, OpKind::Immediate8);
                    instruction.set_immediate8(value);
                }
                Arg::Imm32(value) => immediate32(&mut instruction, op, value, args[0]),
                Arg::Imm64(value) => {
                    instruction.set_op_kind(op, OpKind::Immediate64);
                    instruction.set_immediate64(value as u64);
                }
                Arg::Mem(mem) => {
                    constant = constant.or(memory(&mut instruction, op, &mem, &mut places));
                }
                Arg::Merge(k) => instruction.set_op_mask(places.reg(k)),
                Arg::Zero(k) => {
                    instruction.set_op_mask(places.reg(k));
                    instruction.set_zeroing_masking(true);
                }
                Arg::Consumed(def, used) => {
                    places.reg(used);
                    instruction.set_op_mask(places.reg(def));
                }
                Arg::FixedDef(r, _) | Arg::FixedUse(r, _) => {
                    places.reg(r);
                }
            }
            let named = !matches!(
                arg,
                Arg::Merge(_) | Arg::Zero(_) | Arg::Consumed(..) | Arg::FixedDef(..) | Arg::FixedUse(..)
            );
            op += u32::from(named);
        }
        if constant.is_some() {
            instruction.set_memory_displacement64(self.bytes.len() as u64);
        }
        let at = self.bytes.len();
        let end = self.write(&instruction)?;
        if let Some(constant) = constant {
            let field = at + self.encoder.get_constant_offsets().displacement_offset();
            self.constants.push((field, end, constant));
        }
        Ok(())
    }

    fn transfer(&mut self, from: Allocation, to: Allocation, inner: bool) -> Result<(), String> {
        if from == to {
            return Ok(());
        }
        let class = from.as_reg().or(to.as_reg()).expect("one side is a register").class();
        let (load, store, view) = match class {
            RegClass::Int => (Code::Mov_r64_rm64, Code::Mov_rm64_r64, View::R64),
            RegClass::Vector => (Code::VEX_Kmovw_kr_km16, Code::VEX_Kmovw_m16_kr, View::K),
            RegClass::Float if self.lanes == 16 => {
                (Code::EVEX_Vmovaps_zmm_k1z_zmmm512, Code::EVEX_Vmovaps_zmmm512_k1z_zmm, View::Z)
            }
            RegClass::Float => (Code::VEX_Vmovaps_ymm_ymmm256, Code::VEX_Vmovaps_ymmm256_ymm, View::Y),
        };
        let mut instruction = Instruction::default();
        instruction.set_code(if to.is_reg() { load } else { store });
        for (op, place) in [(0, to), (1, from)] {
            match place.as_reg() {
                Some(reg) => instruction.set_op_register(op, register(reg, view)),
                None => {
                    let slot = place.as_stack().expect("a register or a slot").index();
                    stack(&mut instruction, op, (slot * 8) as i32);
                    self.spills += u32::from(inner);
                }
            }
        }
        self.write(&instruction).map(drop)
    }

    fn branch(&mut self, code: Code, block: &Block, lead: &[usize], at: usize) -> Result<(), String> {
        let goal = |s: usize| lead[block.succs[s].index()];
        // Blocks between here and the goal that take no bytes do not count as a distance.
        let is_next = |goal: usize| goal > at && (at + 1..goal).all(|b| lead[b] != b);
        if block.succs.len() == 1 {
            return if is_next(goal(0)) { Ok(()) } else { self.jump(Code::Jmp_rel32_64, goal(0)) };
        }
        if is_next(goal(0)) {
            return self.jump(code.negate_condition_code(), goal(1));
        }
        self.jump(code, goal(0))?;
        if is_next(goal(1)) { Ok(()) } else { self.jump(Code::Jmp_rel32_64, goal(1)) }
    }

    fn jump(&mut self, code: Code, goal: usize) -> Result<(), String> {
        let mut instruction = Instruction::default();
        instruction.set_code(code);
        instruction.set_op0_kind(OpKind::NearBranch64);
        instruction.set_near_branch64(self.bytes.len() as u64);
        let end = self.write(&instruction)?;
        self.branches.push((end, goal));
        Ok(())
    }

    fn align(&mut self, to: usize) {
        while !self.bytes.len().is_multiple_of(to) {
            let gap = self.bytes.len().next_multiple_of(to) - self.bytes.len();
            self.bytes.extend_from_slice(NOPS[gap.min(NOPS.len()) - 1]);
        }
    }

    fn simple(&mut self, code: Code, ops: &[Operand]) -> Result<(), String> {
        let mut instruction = Instruction::default();
        instruction.set_code(code);
        for (op, operand) in ops.iter().enumerate() {
            match *operand {
                Operand::Reg(r) => instruction.set_op_register(op as u32, r),
                Operand::Stack(displacement) => stack(&mut instruction, op as u32, displacement),
                Operand::Imm(value) => {
                    instruction.set_op_kind(op as u32, OpKind::Immediate32to64);
                    instruction.set_immediate32to64(value);
                }
            }
        }
        self.write(&instruction).map(drop)
    }

    fn prologue(&mut self) -> Result<(), String> {
        for r in self.saved.clone() {
            self.simple(Code::Push_r64, &[Operand::Reg(register(r, View::R64))])?;
        }
        if self.frame > 0 {
            let (rax, rsp) = (Operand::Reg(Register::RAX), Operand::Reg(Register::RSP));
            self.simple(Code::Mov_r64_rm64, &[rax, rsp])?;
            self.simple(Code::And_rm64_imm32, &[rsp, Operand::Imm(-64)])?;
            self.simple(Code::Sub_rm64_imm32, &[rsp, Operand::Imm(self.frame as i64)])?;
            self.simple(Code::Mov_rm64_r64, &[Operand::Stack(self.frame as i32 - 8), rax])?;
        }
        Ok(())
    }

    fn epilogue(&mut self) -> Result<(), String> {
        self.simple(Code::VEX_Vzeroupper, &[])?;
        if self.frame > 0 {
            let old = Operand::Stack(self.frame as i32 - 8);
            self.simple(Code::Mov_r64_rm64, &[Operand::Reg(Register::RSP), old])?;
        }
        for r in self.saved.clone().into_iter().rev() {
            self.simple(Code::Pop_r64, &[Operand::Reg(register(r, View::R64))])?;
        }
        self.simple(Code::Retnq, &[])
    }

    fn finish(mut self, pool: &Pool) -> Result<Encoded, String> {
        for (end, goal) in std::mem::take(&mut self.branches) {
            self.distance(end - 4, end, self.starts[goal])?;
        }
        let (constants, offset) = pool.layout(self.lanes as usize);
        let base = self.bytes.len().next_multiple_of(constants::ALIGN);
        for (field, end, constant) in std::mem::take(&mut self.constants) {
            self.distance(field, end, base + offset(constant))?;
        }
        if !constants.is_empty() {
            self.bytes.resize(base, 0xcc);
            self.bytes.extend_from_slice(&constants);
        }
        Ok(Encoded { bytes: self.bytes, instructions: self.instructions, spills: self.spills })
    }

    fn distance(&mut self, field: usize, end: usize, goal: usize) -> Result<(), String> {
        let distance = i32::try_from(goal as i64 - end as i64).map_err(|_| "its code exceeds 2 GiB".to_string())?;
        self.bytes[field..field + 4].copy_from_slice(&distance.to_le_bytes());
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Operand {
    Reg(Register),
    Stack(i32),
    Imm(i64),
}

/// The allocations of one instruction's operands, in the order in which they were listed.
struct Places<'a>(std::slice::Iter<'a, Allocation>);

/// Where an operand is: in a register, or that many bytes above the stack pointer.
enum Place {
    Reg(PReg),
    Slot(i32),
}

impl Places<'_> {
    fn next(&mut self) -> Place {
        let place = self.0.next().expect("one allocation per operand");
        match (place.as_reg(), place.as_stack()) {
            (Some(preg), _) => Place::Reg(preg),
            (_, Some(slot)) => Place::Slot(slot.index() as i32 * 8),
            _ => unreachable!("an operand is somewhere"),
        }
    }
    fn reg(&mut self, reg: Reg) -> Register {
        match self.next() {
            Place::Reg(preg) => register(preg, reg.view),
            Place::Slot(_) => unreachable!("only operands that may be spilled are"),
        }
    }
}

fn stack(instruction: &mut Instruction, op: u32, displacement: i32) {
    memory(instruction, op, &Mem::stack(displacement), &mut Places([].iter()));
}

/// Fills in a memory operand; a constant's distance is left to the caller.
fn memory(instruction: &mut Instruction, op: u32, mem: &Mem, places: &mut Places) -> Option<Constant> {
    instruction.set_op_kind(op, OpKind::Memory);
    instruction.set_is_broadcast(mem.broadcast);
    let (base, constant) = match mem.base {
        Base::Reg(vreg) => (places.reg(Reg { vreg, view: View::R64 }), None),
        Base::Stack => (Register::RSP, None),
        Base::Constant(c) => (Register::RIP, Some(c)),
    };
    instruction.set_memory_base(base);
    if constant.is_some() {
        instruction.set_memory_displ_size(8);
        return constant;
    }
    if let Some(index) = mem.index {
        instruction.set_memory_index(places.reg(index));
        instruction.set_memory_index_scale(mem.scale.into());
    }
    instruction.set_memory_displacement64(i64::from(mem.displacement) as u64);
    instruction.set_memory_displ_size(u32::from(mem.displacement != 0));
    None
}

fn immediate32(instruction: &mut Instruction, op: u32, value: i32, first: Arg) {
    let view = match first {
        Arg::Def(r) | Arg::Use(r) | Arg::Tied(r, _) => r.view,
        _ => View::R32,
    };
    if view == View::R64 {
        instruction.set_op_kind(op, OpKind::Immediate32to64);
        instruction.set_immediate32to64(value.into());
    } else {
        instruction.set_op_kind(op, OpKind::Immediate32);
        instruction.set_immediate32(value as u32);
    }
}

fn register(preg: PReg, view: View) -> Register {
    let first = match view {
        View::R8 => return LOW_BYTES[preg.hw_enc()],
        View::R32 => Register::EAX,
        View::R64 => Register::RAX,
        View::X => Register::XMM0,
        View::Y => Register::YMM0,
        View::Z => Register::ZMM0,
        View::K => Register::K0,
    };
    first + preg.hw_enc() as u32
}

const LOW_BYTES: [Register; 16] = [
    Register::AL,
    Register::CL,
    Register::DL,
    Register::BL,
    Register::SPL,
    Register::BPL,
    Register::SIL,
    Register::DIL,
    Register::R8L,
    Register::R9L,
    Register::R10L,
    Register::R11L,
    Register::R12L,
    Register::R13L,
    Register::R14L,
    Register::R15L,
];

/// The recommended no-operations of 1 to 9 bytes.
const NOPS: [&[u8]; 9] = [
    &[0x90],
    &[0x66, 0x90],
    &[0x0f, 0x1f, 0x00],
    &[0x0f, 0x1f, 0x40, 0x00],
    &[0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
    &[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];
