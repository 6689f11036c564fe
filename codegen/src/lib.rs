//! From kernels to bytes.
//!
//! ```text
//!                    ┌─ native::cranelift   128-bit vectors, every architecture
//!   Kernel ──emit──▶ ┼─ native::wide        256- and 512-bit vectors, x86-64
//!                    └─ ptx                 warps of 32 lanes, text for NVIDIA drivers
//! ```
//!
//! Emitted code is position independent, has no relocations and calls nothing, so whoever can map bytes
//! can run it; this crate never does. [`native::object`] puts the kernels of a whole program
//! and a driver into a relocatable object.

pub(crate) mod affine;
pub(crate) mod error;
pub mod native;
pub mod ptx;
pub(crate) mod simplify;

pub use error::EmitError;
pub use regard_ir::program::Code;
pub use simplify::simplify;

use rayon::prelude::*;
use regard_ir::{kernel::Kernel, program::Program, target::Target};

/// A program whose kernels are machine code for a CPU `target`, emitted on all cores.
///
/// Errors name the first kernel that cannot be emitted, and why.
pub fn emit(program: Program<Kernel>, target: &Target) -> Result<Program<Code>, EmitError> {
    let kernels: Vec<&Kernel> = program.kernels.values().collect();
    let codes: Vec<Result<Code, EmitError>> = kernels.par_iter().map(|kernel| native::emit(kernel, target)).collect();
    let mut codes = codes.into_iter();
    program.try_map(|_| codes.next().expect("a code for every kernel"))
}
