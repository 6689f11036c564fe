//! What stands between a host and the kernels: two functions that only machine code can say.
//!
//! ```text
//!   NAME_supports() ─▶ 1 where the processor, and the system for its wide registers, has all that the kernels use
//!   NAME_call(buffers, first, end, scratch, kernel)
//!       host's floating-point control ─▶ saved; the usual one ─▶ kernel ─▶ the host's comes back, flags and all
//! ```
//!
//! A host may trap divisions by zero, flush subnormals or round otherwise. Kernels divide by zero on purpose and
//! promise bits, so each call of one sets the environment for itself, on whichever thread it runs.

use iced_x86::code_asm::{CodeAssembler, dword_ptr, eax, ebx, ecx, r8, rbx, rsp};
use regard_ir::target::Target;

/// Round to nearest even, subnormals kept, all exceptions masked, no flag set.
const MXCSR: u32 = 0x1F80;

/// Features of one instruction set: bits of the registers that tell of them.
struct Level {
    /// Leaf 1, `ecx`.
    basic: u32,
    /// Leaf 7, `ebx`.
    extended: u32,
    /// Leaf 0x80000001, `ecx`.
    amd: u32,
    /// Registers that the system saves.
    saved: u32,
}

/// SSE3, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, POPCNT.
const V2: Level = Level { basic: 1 | 1 << 9 | 1 << 13 | 1 << 19 | 1 << 20 | 1 << 23, extended: 0, amd: 0, saved: 0 };
/// And FMA, OSXSAVE, AVX, F16C; BMI1, AVX2, BMI2; LZCNT; 256-bit registers.
const V3: Level = Level {
    basic: V2.basic | 1 << 12 | 1 << 27 | 1 << 28 | 1 << 29,
    extended: 1 << 3 | 1 << 5 | 1 << 8,
    amd: 1 << 5,
    saved: 0x6,
};
/// And AVX-512 F, DQ, BW, VL; 512-bit registers and masks.
const V4: Level = Level { extended: V3.extended | 1 << 16 | 1 << 17 | 1 << 30 | 1 << 31, saved: 0xE6, ..V3 };

/// What code for a target needs: its name as users know it, and how it is found out.
fn level(target: &Target) -> Option<(Level, &'static str)> {
    match target.name {
        "x86-64-v2" => Some((V2, "x86-64 with SSE4.2")),
        "x86-64-v3" | "x86-64-v3-128" => Some((V3, "x86-64 with AVX2, FMA, F16C, BMI1, BMI2 and LZCNT")),
        "x86-64-v4" => Some((V4, "x86-64 with AVX-512 F, DQ, BW and VL, and all of AVX2")),
        _ => None,
    }
}

/// The processor that code for `target` needs, for users.
pub(super) fn processor(target: &Target) -> String {
    level(target).map_or_else(|| format!("any {}", target.name), |(_, words)| words.to_owned())
}

/// The code of `NAME_supports`; nothing where every processor of the architecture has what is needed.
pub(super) fn supports(target: &Target) -> Option<Vec<u8>> {
    let (level, _) = level(target)?;
    Some(assembled(|a| {
        let mut no = a.create_label();
        a.push(rbx)?;
        a.mov(eax, 1)?;
        a.xor(ecx, ecx)?;
        a.cpuid()?;
        a.and(ecx, level.basic)?;
        a.cmp(ecx, level.basic)?;
        a.jne(no)?;
        if level.saved != 0 {
            a.xor(ecx, ecx)?;
            a.xgetbv()?;
            a.and(eax, level.saved)?;
            a.cmp(eax, level.saved)?;
            a.jne(no)?;
            a.xor(eax, eax)?;
            a.cpuid()?;
            a.cmp(eax, 7)?;
            a.jb(no)?;
            a.mov(eax, 7)?;
            a.xor(ecx, ecx)?;
            a.cpuid()?;
            a.and(ebx, level.extended)?;
            a.cmp(ebx, level.extended)?;
            a.jne(no)?;
            a.mov(eax, 0x8000_0001u32)?;
            a.cpuid()?;
            a.and(ecx, level.amd)?;
            a.cmp(ecx, level.amd)?;
            a.jne(no)?;
        }
        a.mov(eax, 1)?;
        a.pop(rbx)?;
        a.ret()?;
        a.set_label(&mut no)?;
        a.xor(eax, eax)?;
        a.pop(rbx)?;
        a.ret()
    }))
}

/// The code of `NAME_call`.
pub(super) fn call(target: &Target) -> Vec<u8> {
    if level(target).is_none() {
        return AARCH64_CALL.iter().flat_map(|word| word.to_le_bytes()).collect();
    }
    assembled(|a| {
        // The stack is aligned to 16 bytes at the inner call.
        a.sub(rsp, 24)?;
        a.stmxcsr(dword_ptr(rsp))?;
        a.mov(dword_ptr(rsp + 4), MXCSR)?;
        a.ldmxcsr(dword_ptr(rsp + 4))?;
        a.call(r8)?;
        a.ldmxcsr(dword_ptr(rsp))?;
        a.add(rsp, 24)?;
        a.ret()
    })
}

/// The same for aarch64, where FPCR controls and FPSR holds the flags.
const AARCH64_CALL: [u32; 12] = [
    0xA9BE_7BFD, // stp x29, x30, [sp, #-32]!
    0x9100_03FD, // mov x29, sp
    0xD53B_4409, // mrs x9, fpcr
    0xD53B_442A, // mrs x10, fpsr
    0xA901_2BE9, // stp x9, x10, [sp, #16]
    0xD51B_441F, // msr fpcr, xzr
    0xD63F_0080, // blr x4
    0xA941_2BE9, // ldp x9, x10, [sp, #16]
    0xD51B_4409, // msr fpcr, x9
    0xD51B_442A, // msr fpsr, x10
    0xA8C2_7BFD, // ldp x29, x30, [sp], #32
    0xD65F_03C0, // ret
];

fn assembled(write: impl FnOnce(&mut CodeAssembler) -> Result<(), iced_x86::IcedError>) -> Vec<u8> {
    let mut assembler = CodeAssembler::new(64).expect("64 bits is a mode");
    write(&mut assembler).expect("all operands fit");
    assembler.assemble(0).expect("all branches are short")
}

#[cfg(test)]
mod tests {
    use super::*;
    use regard_ir::target::{Arch, Backend};

    #[test]
    fn every_processor_has_its_guard() {
        for target in Target::ROWS.iter().filter(|target| target.backend != Backend::Ptx) {
            let is_x86 = target.arch == Arch::X86_64;
            assert_eq!(supports(target).is_some(), is_x86, "{}", target.name);
            assert!(call(target).len() > 30 && !processor(target).is_empty());
        }
    }
}
