//! The kernel interpreter: what a kernel means, on a simulated grid.
//!
//! ```text
//!   Kernel ──compile──▶ flat code over slots ──machine──▶ block 0, block 1, …      (one after the other)
//!                                               │ unit 0 ▷ barrier, unit 1 ▷ barrier, … then on
//!                                               ▼
//!                                            memory: every element knows who wrote and read it
//! ```
//!
//! The body is compiled once: every value gets a slot in one of four register files (floats, 32-bit
//! integers, indices, truth values), its lanes side by side, and control flow becomes jumps. Slots grow in
//! the order of definition, so a result always lies after its operands and lanes run as slices.
//!
//! **Arithmetic** is f32 or f64. In f32 every instruction rounds as the instruction set says, so compiled
//! code must agree bit for bit (the payload and sign of a NaN excepted, and tile products, whose order of
//! summation is unspecified). In f64 nothing rounds to f32, bf16 or f16, neither values nor memory, so
//! that index errors stand out from rounding. Only the bit casts pass through f32 there: a function made
//! of bit operations keeps its value, to 2⁻²⁴ where bits of a mantissa matter.
//!
//! **Errors** are [`Fault`]s, found whatever the order of blocks: an access outside its buffer; scratch
//! read before it is written; an element that two blocks write, or one writes and another reads; an element
//! exchanged between units of a block without a barrier; a barrier that not all units reach; a float that
//! does not fit the integer it becomes; a shift or divisor outside its range.

mod arith;
mod code;
mod compile;
mod exec;
mod machine;
mod memory;
#[cfg(test)]
mod tests;

pub(crate) use arith::Float;
pub(crate) use memory::Cells;

use super::{Kernel, Space};
use crate::id::Id;

/// A kernel that did something no kernel may do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    /// Name of the kernel.
    pub kernel: String,
    /// Grid coordinates of the block and the unit within it; nothing where the kernel never started.
    pub block: Option<([u64; 3], u32)>,
    /// The statement as it stands in the kernel's text; empty where the kernel never started.
    pub statement: String,
    /// What happened, in one sentence.
    pub message: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "kernel {}", self.kernel)?;
        if let Some(([g0, g1, g2], unit)) = self.block {
            write!(f, ", block [{g0}, {g1}, {g2}], unit {unit}")?;
        }
        if !self.statement.is_empty() {
            write!(f, ", `{}`", self.statement)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl Fault {
    pub(crate) fn before_start(kernel: &Kernel, message: String) -> Self {
        Fault { kernel: kernel.name.clone(), block: None, statement: String::new(), message }
    }
}

/// A kernel made ready to run.
pub(crate) struct Interpreter<'k> {
    code: code::Code<'k>,
}

impl<'k> Interpreter<'k> {
    /// Compiles a kernel; fails where a statement is ill-typed, so that running never panics.
    pub(crate) fn new(kernel: &'k Kernel) -> Result<Self, Fault> {
        Ok(Interpreter { code: compile::compile(kernel)? })
    }
    /// Runs all blocks. `params` are the global buffers in order, each exactly as long as declared; after a
    /// fault they hold what was written before it.
    pub(crate) fn run<F: Float>(&self, params: &mut [Cells<F>]) -> Result<(), Fault> {
        machine::run(&self.code, params)
    }
}

/// Runs a kernel in f32 over the bytes of its global buffers, little-endian as their element types say.
pub fn run(kernel: &Kernel, buffers: &mut [Vec<u8>]) -> Result<(), Fault> {
    let interpreter = Interpreter::new(kernel)?;
    check_count(kernel, buffers.len())?;
    let cells = kernel.params().zip(buffers.iter()).map(|((_, buffer), bytes)| {
        Cells::from_bytes(buffer.dtype, bytes)
            .map_err(|e| Fault::before_start(kernel, format!("buffer {}: {e}", buffer.name)))
    });
    let mut cells = cells.collect::<Result<Vec<Cells<f32>>, Fault>>()?;
    let outcome = interpreter.run(&mut cells);
    for (((id, buffer), cells), bytes) in kernel.params().zip(&cells).zip(buffers) {
        if interpreter.code.buffers[id.index()].written {
            cells.write_bytes(buffer.dtype, bytes);
        }
    }
    outcome
}

/// Runs a kernel in f64. Integers and truth values are given, and come back, as whole numbers.
pub fn run_f64(kernel: &Kernel, buffers: &mut [Vec<f64>]) -> Result<(), Fault> {
    let interpreter = Interpreter::new(kernel)?;
    check_count(kernel, buffers.len())?;
    let cells = kernel.params().zip(buffers.iter()).map(|((_, buffer), values)| {
        Cells::from_f64(buffer.dtype, values)
            .map_err(|e| Fault::before_start(kernel, format!("buffer {}: {e}", buffer.name)))
    });
    let mut cells = cells.collect::<Result<Vec<Cells<f64>>, Fault>>()?;
    let outcome = interpreter.run(&mut cells);
    for (cells, values) in cells.into_iter().zip(buffers) {
        *values = cells.into_f64();
    }
    outcome
}

fn check_count(kernel: &Kernel, given: usize) -> Result<(), Fault> {
    let declared = kernel.buffers.values().filter(|b| b.space == Space::Global).count();
    if declared == given {
        return Ok(());
    }
    Err(Fault::before_start(kernel, format!("{declared} parameters are declared but {given} buffers were given")))
}
