//! Kernels as PTX text for NVIDIA GPUs.
//!
//! ```text
//!   kernel IR                     PTX
//!   block (g0, g1, g2)            CTA: ctaid.z, ctaid.y, ctaid.x
//!   unit of 32 lanes              warp; units of a block are the warps of the CTA
//!   scalar                        one register, equal in all lanes, so branches are uniform
//!   vector                        one register per lane
//!   scratch                       shared memory: static up to 48 KB, dynamic beyond
//!   parameter n                   .param .u64 number n, a pointer to global memory
//! ```
//!
//! Every kernel of 32 lanes can be emitted, whether written for a warp or for a core. Arithmetic is exact:
//! multiplications and additions carry `.rn`, which forbids contraction, and quotients and roots are
//! rounded correctly, so results are those of the kernel interpreter bit for bit, approximations excepted.
//!
//! No toolkit is needed: the driver assembles the text when it is loaded.

mod function;
mod hazard;
mod inst;
mod lanes;
mod memory;

use crate::{EmitError, simplify};
use regard_ir::{
    kernel::{Kernel, Level, Unit},
    target::Target,
};

/// Bytes of shared memory that every block gets without asking for more.
pub(crate) const STATIC_SHARED_BYTES: u64 = 48 << 10;

/// The PTX ISA version that introduced the newest generation; drivers since 525 read it.
const VERSION: &str = "8.0";

/// Lanes of a warp.
pub(crate) const LANES: u32 = 32;

/// One kernel as a PTX module. The entry has the kernel's name, takes its global buffers in order, and is
/// launched with a grid of `(n2, n1, n0)` blocks of `32·units` threads and
/// [`dynamic_shared_bytes`] of dynamic shared memory.
pub fn emit(kernel: &Kernel, target: &Target) -> Result<String, EmitError> {
    module(std::iter::once(kernel), target)
}

/// Several kernels, named differently, as one PTX module.
pub fn module<'k>(kernels: impl IntoIterator<Item = &'k Kernel>, target: &Target) -> Result<String, EmitError> {
    let mut text = format!(".version {VERSION}\n.target {}\n.address_size 64\n", target.name);
    let mut entries = String::new();
    let mut dynamic = false;
    for kernel in kernels {
        check(kernel, target)?;
        dynamic |= dynamic_shared_bytes(kernel) > 0;
        entries.push('\n');
        entries.push_str(&function::entry(&simplify(kernel)));
    }
    if dynamic {
        text.push_str(&format!("\n.extern .shared .align 64 .b8 {}[];\n", function::DYNAMIC_SHARED));
    }
    text.push_str(&entries);
    Ok(text)
}

/// Bytes of dynamic shared memory with which the kernel is launched: its scratch if that exceeds
/// `STATIC_SHARED_BYTES`, otherwise none.
pub fn dynamic_shared_bytes(kernel: &Kernel) -> u64 {
    let (_, bytes) = kernel.scratch_layout();
    if bytes > STATIC_SHARED_BYTES { bytes } else { 0 }
}

fn check(kernel: &Kernel, target: &Target) -> Result<(), EmitError> {
    let refuse = |reason: String| Err(EmitError::new(&kernel.name, reason));
    if kernel.unit == Unit::Warpgroup {
        return refuse("its unit is a warpgroup, and PTX is emitted for warps".into());
    }
    if kernel.lanes != LANES {
        return refuse(format!("a warp has {LANES} lanes, but the kernel has {}", kernel.lanes));
    }
    if kernel.units > 32 {
        return refuse(format!("a block has at most 32 warps, but the kernel has {} units", kernel.units));
    }
    let [n0, n1, n2] = kernel.grid;
    if n0 > 65_535 || n1 > 65_535 || n2 >= 1 << 31 {
        return refuse(format!("a grid is at most 65535 × 65535 × 2147483647, but the kernel's is {n0} × {n1} × {n2}"));
    }
    let (_, scratch) = kernel.scratch_layout();
    if scratch > target.block_bytes {
        return refuse(format!("it needs {scratch} bytes of scratch, but a block has {}", target.block_bytes));
    }
    if kernel.body.walk().any(|stmt| stmt.inst.level() == Level::Tile) {
        return refuse("it has tile instructions, and PTX is emitted for the core level".into());
    }
    Ok(())
}
