//! The loops of emitted x86-64 code that multiply and add, found by reading the code back.
//!
//! ```text
//!   top:  vmovups      zmm1, [rdi]             an innermost loop: a jump back, no other loop between.
//!         vbroadcastss zmm2, [rsi + rax]       It multiplies if all it does is load, broadcast,
//!         vfmadd231ps  zmm8, zmm1, zmm2        multiply-add and count.
//!         add          rdi, 64
//!         jne          top
//! ```
//!
//! The test knows nothing of the emitter's own count of spills, so each checks the other.

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};
use std::ops::RangeInclusive;

/// The innermost loops that multiply and add and do nothing else.
pub(crate) fn multiplying(code: &[u8]) -> Vec<Vec<Instruction>> {
    let all = decode(code);
    let loops: Vec<RangeInclusive<u64>> = all.iter().filter_map(back).collect();
    let innermost = loops.iter().filter(|l| !loops.iter().any(|other| other != *l && holds(l, other)));
    let body = |l: &RangeInclusive<u64>| all.iter().filter(|i| l.contains(&i.ip())).copied().collect::<Vec<_>>();
    innermost.map(body).filter(|body| multiplies(body)).collect()
}

/// Whether an instruction reads or writes the stack.
pub(crate) fn touches_stack(instruction: &Instruction) -> bool {
    instruction.op_kinds().any(|kind| kind == OpKind::Memory) && instruction.memory_base() == Register::RSP
}

/// Instructions up to the last return, after which only constants lie.
fn decode(code: &[u8]) -> Vec<Instruction> {
    let mut all: Vec<Instruction> = Decoder::new(64, code, DecoderOptions::NONE).into_iter().collect();
    let end = all.iter().position(|i| i.mnemonic() == Mnemonic::Ret).map_or(all.len(), |at| at + 1);
    all.truncate(end);
    all
}

/// The range of a loop that a jump closes.
fn back(jump: &Instruction) -> Option<RangeInclusive<u64>> {
    let jumps = jump.op0_kind() == OpKind::NearBranch64;
    (jumps && jump.near_branch_target() <= jump.ip()).then(|| jump.near_branch_target()..=jump.ip())
}

fn holds(outer: &RangeInclusive<u64>, inner: &RangeInclusive<u64>) -> bool {
    outer.contains(inner.start()) && outer.contains(inner.end())
}

fn multiplies(body: &[Instruction]) -> bool {
    use Mnemonic::*;
    let fma = |m| matches!(m, Vfmadd132ps | Vfmadd213ps | Vfmadd231ps);
    let moves = |m| matches!(m, Vmovups | Vmovaps | Vbroadcastss | Mov | Lea);
    let counts = |m| {
        matches!(m, Add | Sub | Inc | Dec | Cmp | Test | Jb | Jbe | Ja | Jae | Jl | Jle | Jg | Jge | Je | Jne | Jmp)
    };
    let all = body.iter().map(Instruction::mnemonic);
    all.clone().any(fma) && all.clone().all(|m| fma(m) || moves(m) || counts(m))
}

#[test]
fn loops_are_found_and_the_stack_is_seen() {
    use iced_x86::code_asm::*;
    let assemble = |spills: bool| -> Result<Vec<u8>, iced_x86::IcedError> {
        let mut a = CodeAssembler::new(64)?;
        let (mut outer, mut top) = (a.create_label(), a.create_label());
        a.set_label(&mut outer)?;
        a.vaddps(ymm0, ymm0, ymm1)?;
        a.set_label(&mut top)?;
        a.vfmadd231ps(ymm0, ymm1, ymmword_ptr(rdi))?;
        if spills {
            a.vmovups(ymm2, ymmword_ptr(rsp + 32))?;
        }
        a.sub(rcx, 1)?;
        a.jne(top)?;
        a.sub(rdx, 1)?;
        a.jne(outer)?;
        a.ret()?;
        a.assemble(0)
    };
    for spills in [false, true] {
        let loops = multiplying(&assemble(spills).expect("it assembles"));
        assert_eq!(loops.len(), 1);
        assert_eq!(loops[0].iter().any(touches_stack), spills);
    }
}
