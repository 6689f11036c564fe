//! Running a program on the kernel interpreter: the same launch list, without a line of machine code.
//!
//! Slow by three orders of magnitude, and strict: an access outside a buffer, a race between blocks or a
//! read of what was never written is an error here, where compiled code would go on.

use crate::errors::{Error, Result};
use regard_ir::{
    id::IdVec,
    kernel::{Kernel, eval},
    program::{BufferId, Place, Program},
};

/// Runs all launches, in f32. `inputs` are the bytes of the inputs, `constants` those of all constants;
/// returns the bytes of the outputs.
///
/// # Errors
/// Where a kernel does what no kernel may do.
pub fn run(program: &Program<Kernel>, inputs: &[Vec<u8>], constants: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut memory: IdVec<BufferId, Vec<u8>> = IdVec::new();
    for (_, buffer) in program.buffers.iter() {
        memory.push(match buffer.place {
            Place::Input(i) => inputs[i].clone(),
            Place::Constant(offset) => constants[offset as usize..][..buffer.bytes() as usize].to_vec(),
            Place::Arena(_) | Place::Output(_) => vec![0; buffer.bytes() as usize],
        });
    }
    for launch in &program.launches {
        let mut buffers: Vec<Vec<u8>> = launch.buffers.iter().map(|&id| std::mem::take(&mut memory[id])).collect();
        let outcome = eval::run(&program.kernels[launch.kernel], &mut buffers);
        launch.buffers.iter().zip(buffers).for_each(|(&id, bytes)| memory[id] = bytes);
        outcome.map_err(|fault| Error::Failed(fault.to_string()))?;
    }
    Ok(program.outputs.iter().map(|port| std::mem::take(&mut memory[port.buffer])).collect())
}
