//! The kernel interpreter as a device: bytes of its own, one block after the other, and every access checked.
//!
//! It runs what a processor runs: the same launches over the same arena, where buffers take each other's place. So it is
//! the reference of machine code bit for bit, also for processors that this machine is not.

use memmap2::MmapMut;
use regard_ir::{
    kernel::{Kernel, eval},
    program::{BufferDecl, Launch, Port, Program, Storage},
};

use crate::{
    device::{Device, Tensors},
    memory::Constants,
    session::{SessionError, reserve},
};

/// The device that interprets kernels.
#[derive(Debug)]
pub struct Interpreter;

/// Kernels and constants.
#[derive(Debug)]
pub struct Module {
    program: Program<Kernel>,
    constants: Constants,
}

/// What an interpreted run reads and writes, but for the constants.
#[derive(Debug)]
pub struct Memory {
    inputs: Vec<Vec<u8>>,
    outputs: Vec<Vec<u8>>,
    arena: MmapMut,
}

impl Device for Interpreter {
    type Code = Kernel;
    type Module = Module;
    type Memory = Memory;
    type Turn<'a> = ();

    unsafe fn load(&self, program: &Program<Kernel>, constants: Constants) -> Result<Module, SessionError> {
        Ok(Module { program: program.clone(), constants })
    }
    fn alloc(&self, module: &Module) -> Result<Memory, SessionError> {
        let ports = |ports: &[Port]| ports.iter().map(|port| vec![0; port.ty.bytes()]).collect();
        let Program { inputs, outputs, arena_bytes, .. } = &module.program;
        Ok(Memory { inputs: ports(inputs), outputs: ports(outputs), arena: reserve(*arena_bytes as usize)? })
    }
    fn turn(&self) {}
    fn upload(&self, memory: &mut Memory, tensors: &Tensors) {
        memory.inputs.iter_mut().zip(tensors.inputs).for_each(|(own, given)| own.copy_from_slice(given));
    }
    unsafe fn launch(
        &self,
        _: &mut (),
        module: &Module,
        memory: &mut Memory,
        _: &mut Tensors,
        launch: &Launch,
    ) -> Result<(), SessionError> {
        let buffers: Vec<&BufferDecl> = launch.buffers.iter().map(|&buffer| &module.program.buffers[buffer]).collect();
        let mut bytes: Vec<Vec<u8>> = buffers.iter().map(|buffer| module.bytes(memory, buffer).to_vec()).collect();
        let kernel = &module.program.kernels[launch.kernel];
        eval::run(kernel, &mut bytes)?;
        // A result may lie where an operand lies, which is as it was and must not come back.
        let changed = |(buffer, bytes): &(&BufferDecl, Vec<u8>)| module.bytes(memory, buffer) != bytes;
        let changed: Vec<_> = buffers.into_iter().zip(bytes).filter(changed).collect();
        for (buffer, bytes) in changed {
            let fault = || SessionError::Program(format!("kernel {} writes {}, a constant", kernel.name, buffer.name));
            memory.writable(buffer).ok_or_else(fault)?.copy_from_slice(&bytes);
        }
        Ok(())
    }
    fn download(&self, memory: &Memory, tensors: &mut Tensors) {
        tensors.outputs.iter_mut().zip(&memory.outputs).for_each(|(given, own)| given.copy_from_slice(own));
    }
}

impl Module {
    /// What a buffer holds.
    fn bytes<'a>(&'a self, memory: &'a Memory, buffer: &BufferDecl) -> &'a [u8] {
        let bytes = buffer.bytes() as usize;
        match buffer.storage {
            Storage::Input(i) => &memory.inputs[i],
            Storage::Output(i) => &memory.outputs[i],
            Storage::Constant(offset) => &self.constants.bytes()[offset as usize..][..bytes],
            Storage::Arena(offset) => &memory.arena[offset as usize..][..bytes],
        }
    }
}

impl Memory {
    /// Where a buffer lies, unless it is a constant.
    fn writable(&mut self, buffer: &BufferDecl) -> Option<&mut [u8]> {
        match buffer.storage {
            Storage::Input(i) => Some(&mut self.inputs[i]),
            Storage::Output(i) => Some(&mut self.outputs[i]),
            Storage::Constant(_) => None,
            Storage::Arena(offset) => Some(&mut self.arena[offset as usize..][..buffer.bytes() as usize]),
        }
    }
}
