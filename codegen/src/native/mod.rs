//! Machine code for CPUs.
//!
//! Two emitters read the same kernels and agree bit for bit: [`cranelift`] splits vectors into 128-bit
//! pieces and runs everywhere, the wide emitter keeps 8 or 16 lanes in one x86-64 register. The target
//! says which; a kernel whose lanes the wide emitter does not know goes through Cranelift.

pub mod cranelift;
pub mod object;
pub mod wide;

use crate::{Code, EmitError};
use regard_ir::{
    kernel::Kernel,
    target::{Backend, Target},
};

/// Machine code of `kernel` for `target`.
///
/// Errors name the kernel and what it uses that the target lacks.
pub fn emit(kernel: &Kernel, target: &Target) -> Result<Code, EmitError> {
    match target.backend {
        Backend::WideX86 if wide::takes(kernel.lanes, target) => wide::emit(kernel, target),
        Backend::Cranelift | Backend::WideX86 => cranelift::emit(kernel, target),
        Backend::Ptx => Err(EmitError::new(&kernel.name, format!("target {} is not a CPU", target.name))),
    }
}

/// The Cranelift IR of `kernel` for `target`, as text.
pub fn clif(kernel: &Kernel, target: &Target) -> Result<String, EmitError> {
    cranelift::clif(kernel, target)
}
