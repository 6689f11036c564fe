//! The wide emitter: 8 lanes in AVX2 registers, 16 lanes in AVX-512 registers.
//!
//! ```text
//!   Kernel ─simplify─▶ ─address─▶ ─prune─▶ ─select─▶ X86Inst ─regalloc2─▶ ─encode─▶ bytes
//!            shared     carried     facts:  one x86    virtual   registers,  iced
//!            by all     sums        folds   each       registers moves
//! ```
//!
//! A vector of the kernel is one register, so the instructions are few and the mapping is direct: what is
//! not direct is *which* form of an instruction, and that is decided in `select` with the facts of
//! `facts`. Registers are assigned by regalloc2 and bytes written by iced; neither appears outside.
//!
//! The function follows the System V convention on every system: `(buffers, first, end, scratch)` in rdi,
//! rsi, rdx, rcx. It calls nothing, contains no relocation, and keeps its constants after its code.

mod address;
mod alloc;
mod constants;
mod encode;
mod facts;
mod inst;
mod ops;
mod select;
#[cfg(test)]
mod tests;

use crate::EmitError;
use regard_ir::{
    kernel::{BinOp, Elem, Inst, Kernel, Level, Stmt, Unit, Val},
    program::Code,
    target::{Backend, Target},
};
use std::collections::BTreeSet;

/// Whether a target's vector registers hold that many lanes and this emitter knows them: 8, or 16.
pub(crate) fn takes(lanes: u32, target: &Target) -> bool {
    target.backend == Backend::WideX86 && matches!(lanes, 8 | 16) && lanes <= target.lanes
}

/// Machine code of a kernel with 8 or 16 lanes.
///
/// # Errors
/// Where the kernel has another number of lanes or uses what a core lacks.
pub fn emit(kernel: &Kernel, target: &Target) -> Result<Code, EmitError> {
    let fail = |reason: String| EmitError::new(&kernel.name, reason);
    if kernel.unit != Unit::Core || !takes(kernel.lanes, target) {
        return Err(fail(format!("target {} takes no {} of {} lanes", target.name, kernel.unit, kernel.lanes)));
    }
    let simple = facts::prune(address::reduce(crate::simplify(kernel)));
    check(&simple).map_err(fail)?;
    let (code, pool) = select::select(&simple);
    let listed = alloc::Listed::new(&code, kernel.lanes);
    let environment = alloc::environment(kernel.lanes);
    let output =
        alloc::allocate(&listed, &environment).map_err(|e| fail(format!("no registers can be assigned ({e})")))?;
    let encoded = encode::encode(&code, &listed, &output, &pool, kernel.lanes).map_err(fail)?;
    Ok(Code {
        name: kernel.name.clone(),
        bytes: encoded.bytes,
        instructions: encoded.instructions,
        spills: encoded.spills,
    })
}

/// Whether every statement is one that a core has.
fn check(kernel: &Kernel) -> Result<(), String> {
    let mut constants: BTreeSet<Val> = BTreeSet::new();
    for Stmt { results, inst } in kernel.body.walk() {
        match inst {
            Inst::Approx(op, _) => return Err(format!("{op} is not available on a core")),
            inst if inst.level() != Level::Core => return Err("a core has no tiles".to_string()),
            Inst::Bin(BinOp::Div | BinOp::Rem, a, b)
                if kernel.ty(*a).elem() != Some(Elem::F32) && !constants.contains(b) =>
            {
                return Err(format!("{b} divides integers and is not a constant"));
            }
            Inst::Const(_) => constants.extend(results),
            Inst::Splat(a) if constants.contains(a) => constants.extend(results),
            _ => {}
        }
    }
    Ok(())
}
