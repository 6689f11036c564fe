//! Kernels through Cranelift: 128-bit vectors on every architecture it knows.
//!
//! A vector of L lanes becomes L/4 values of four lanes, so the same kernel runs at 4, 8, 16 or 32 lanes:
//!
//! ```text
//!   v.f32, L = 16   ▶   F32X4 F32X4 F32X4 F32X4        v.bool ▶ I32X4 masks, 0 or −1 per lane
//!                       0..4  4..8  8..12 12..16
//! ```
//!
//! The function follows the platform's C convention and loops over blocks `first..end`. Everything it
//! needs is in its own bytes (constants lie after the code), which a check of the relocations proves.
//! Whatever Cranelift would do by a library call (`fma` without the instruction, f16) is either spelled
//! out in vector operations or refused.
//!
//! The kernel is simplified before ([`crate::simplify()`]) and emitted in its own order: Cranelift's optimiser is
//! off, because it computes pure values as late as it can, after all loads of a loop, where they no longer
//! fit the registers.
//!
//! Instruction sets follow the target's row, never the host, so the same target gives the same bytes.

mod address;
mod control;
mod count;
mod divide;
mod function;
mod half;
mod inst;
mod lanes;
mod memory;
mod order;
mod rematerialize;
mod scope;

pub(super) use function::signature;

use crate::{Code, EmitError, simplify::simplify};
use cranelift_codegen::{
    Context,
    control::ControlPlane,
    isa::{self, OwnedTargetIsa},
    settings::{self, Configurable},
};
use regard_ir::{
    kernel::Kernel,
    target::{Arch, Target},
};

/// Machine code of `kernel` for `target`, in the platform's C convention; vectors of any multiple of four
/// lanes.
///
/// Errors name the kernel and the instruction or setting that cannot be emitted.
pub fn emit(kernel: &Kernel, target: &Target) -> Result<Code, EmitError> {
    let isa = isa_for(target).map_err(|reason| EmitError::new(&kernel.name, reason))?;
    let function = function::build(&prepare(kernel, target), target, &*isa)?;
    let mut context = Context::for_function(function);
    let compiled = context
        .compile(&*isa, &mut ControlPlane::default())
        .map_err(|e| EmitError::new(&kernel.name, format!("Cranelift refused it: {:?}", e.inner)))?;
    if let Some(relocation) = compiled.buffer.relocs().first() {
        return Err(EmitError::new(&kernel.name, format!("it needs the relocation {:?}", relocation.target)));
    }
    let count = count::count(compiled, is_x86(target));
    Ok(Code {
        name: kernel.name.clone(),
        bytes: compiled.code_buffer().to_vec(),
        instructions: count.instructions,
        spills: count.spills,
    })
}

/// The Cranelift IR of `kernel` for `target` as text.
pub(crate) fn clif(kernel: &Kernel, target: &Target) -> Result<String, EmitError> {
    let isa = isa_for(target).map_err(|reason| EmitError::new(&kernel.name, reason))?;
    Ok(function::build(&prepare(kernel, target), target, &*isa)?.display().to_string())
}

/// The kernel as it is emitted.
fn prepare(kernel: &Kernel, target: &Target) -> Kernel {
    let mut kernel = simplify(kernel);
    if is_x86(target) && target.fma {
        order::fma_order(&mut kernel);
    }
    kernel
}

/// Whether the target is an x86-64 machine; the others are aarch64.
pub(super) fn is_x86(target: &Target) -> bool {
    target.arch == Arch::X86_64
}

/// Cranelift's description of a target, or why there is none.
pub(super) fn isa_for(target: &Target) -> Result<OwnedTargetIsa, String> {
    let mut flags = settings::builder();
    let verify = if cfg!(debug_assertions) { "true" } else { "false" };
    for (name, value) in [
        ("opt_level", "none"),
        ("enable_verifier", verify),
        ("unwind_info", "false"),
        ("machine_code_cfg_info", "true"),
        ("is_pic", "true"),
    ] {
        flags.set(name, value).map_err(|e| format!("setting {name}: {e}"))?;
    }
    let triple = if is_x86(target) { "x86_64-unknown-linux-gnu" } else { "aarch64-unknown-linux-gnu" };
    let mut builder = isa::lookup_by_name(triple)
        .map_err(|e| format!("target {} is not available on this machine ({e})", target.name))?;
    for feature in features(target) {
        builder.enable(feature).map_err(|e| format!("instruction set {feature}: {e}"))?;
    }
    builder.finish(settings::Flags::new(flags)).map_err(|e| format!("target {}: {e}", target.name))
}

/// Instruction sets of a target beyond its architecture's base.
fn features(target: &Target) -> Vec<&'static str> {
    if !is_x86(target) {
        return Vec::new();
    }
    let mut features = vec!["has_cmpxchg16b", "has_sse3", "has_ssse3", "has_sse41", "has_sse42", "has_popcnt"];
    if target.fma {
        features.extend(["has_avx", "has_avx2", "has_fma", "has_bmi1", "has_bmi2", "has_lzcnt"]);
    }
    features
}
