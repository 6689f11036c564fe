//! A program: kernels, buffers and the launch list, the same before and after emission.
//!
//! ```text
//!   Program<Kernel> ──codegen::emit──▶ Program<Code>
//!        │ Session<Interpreter>            │ Session<Cpu>
//!        ▼                                 ▼
//!     numbers            =              numbers
//! ```
//!
//! What a kernel is belongs to the device that runs it, and so does the memory that buffers lie in. Buffers are placed
//! once: inputs and outputs belong to the caller, constants (folded, packed weights) lie in one block of bytes, everything
//! else in one arena. Where a constant's values come from is data too: a weight that is moved, or an output of a graph over
//! the weights. So binding weights copies and evaluates, and decides nothing.

mod constant;
mod interpret;

pub use constant::{Block, Constant, ConstantSource, Layout, MAX_FACTOR, MovedWeight};
pub use interpret::{InterpretError, constant_values, interpret};

use crate::{
    define_id,
    graph::Graph,
    id::IdVec,
    types::{DType, TensorType},
};

define_id!(
    /// A buffer of a program.
    BufferId, "m"
);
define_id!(
    /// A kernel of a program.
    KernelId, "k"
);

/// Byte alignment of every constant and arena buffer.
pub const BUFFER_ALIGN: u64 = 64;

/// Where a program's buffer is, on every device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Storage {
    /// The caller's input tensor of that number.
    Input(usize),
    /// The caller's output tensor of that number.
    Output(usize),
    /// Byte offset in the constants.
    Constant(u64),
    /// Byte offset in the arena.
    Arena(u64),
}

/// A buffer: dense, row-major unless the kernels that use it agreed otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BufferDecl {
    /// For users.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Length in elements.
    pub len: u64,
    /// Where it lies.
    pub storage: Storage,
}

impl BufferDecl {
    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        self.len * self.dtype.bytes() as u64
    }
}

/// One kernel over its whole grid. Launches run in order, each sees all writes of those before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Launch {
    /// What runs.
    pub kernel: KernelId,
    /// The kernel's parameters, in order.
    pub buffers: Vec<BufferId>,
    /// Number of blocks.
    pub blocks: u64,
    /// Scratch bytes per block.
    pub scratch_bytes: u64,
}

/// A named input or output.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Port {
    /// Name in the graph.
    pub name: String,
    /// Type of the tensor.
    pub ty: TensorType,
    /// The buffer that holds it.
    pub buffer: BufferId,
}

/// Kernels (or their code), buffers and launches.
#[derive(Clone, Debug, PartialEq)]
pub struct Program<K> {
    /// Name of the model.
    pub name: String,
    /// Distinct kernels.
    pub kernels: IdVec<KernelId, K>,
    /// All buffers.
    pub buffers: IdVec<BufferId, BufferDecl>,
    /// What runs, in order.
    pub launches: Vec<Launch>,
    /// Inputs, in the graph's order.
    pub inputs: Vec<Port>,
    /// Outputs, in the graph's order.
    pub outputs: Vec<Port>,
    /// Graph over weights only: those that constants move, and one output per value that is computed. Empty where the
    /// constants' values are at hand, as in a package.
    pub constant_graph: Graph,
    /// How the constants are filled from weights; empty with the constant graph.
    pub constants: Vec<Constant>,
    /// Size of the arena in bytes.
    pub arena_bytes: u64,
    /// Size of the constants in bytes.
    pub constant_bytes: u64,
}

impl<K> Program<K> {
    /// The largest scratch any launch needs, in bytes per worker.
    pub fn scratch_bytes(&self) -> u64 {
        self.launches.iter().map(|l| l.scratch_bytes).max().unwrap_or(0)
    }
    /// The same program with every kernel replaced.
    pub fn try_map<J, E>(self, f: impl FnMut(K) -> Result<J, E>) -> Result<Program<J>, E> {
        let kernels = self.kernels.into_values().map(f).collect::<Result<IdVec<_, _>, E>>()?;
        let Program {
            name,
            buffers,
            launches,
            inputs,
            outputs,
            constant_graph,
            constants,
            arena_bytes,
            constant_bytes,
            ..
        } = self;
        Ok(Program {
            name,
            kernels,
            buffers,
            launches,
            inputs,
            outputs,
            constant_graph,
            constants,
            arena_bytes,
            constant_bytes,
        })
    }
    /// Everything that a loaded program must satisfy before it may run: ids exist, buffers lie inside
    /// their memory and are aligned, sizes agree with the ports and with the constants' values. One sentence per fault.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (id, b) in self.buffers.iter() {
            let fits = |offset: u64, size: u64| {
                offset.is_multiple_of(BUFFER_ALIGN)
                    && b.len < 1 << 48
                    && offset.checked_add(b.bytes()).is_some_and(|end| end <= size)
            };
            let is_port = |port: Option<&Port>| {
                port.is_some_and(|p| p.buffer == id && p.ty.dtype == b.dtype && p.ty.elements() as u64 == b.len)
            };
            let ok = match b.storage {
                Storage::Input(i) => is_port(self.inputs.get(i)),
                Storage::Output(i) => is_port(self.outputs.get(i)),
                Storage::Constant(offset) => fits(offset, self.constant_bytes),
                Storage::Arena(offset) => fits(offset, self.arena_bytes),
            };
            if !ok {
                let BufferDecl { name, dtype, len, storage } = b;
                faults.push(format!("buffer {id} ({name}) of {len} {dtype} does not fit its storage {storage:?}"));
            }
        }
        let inputs = self.inputs.iter().enumerate().map(|(i, p)| ("input", i, p, Storage::Input(i)));
        let outputs = self.outputs.iter().enumerate().map(|(i, p)| ("output", i, p, Storage::Output(i)));
        for (word, i, p, storage) in inputs.chain(outputs) {
            if self.buffers.get(p.buffer).is_none_or(|b| b.storage != storage) {
                faults.push(format!("{word} {i} ({}) has no buffer", p.name));
            }
        }
        faults.extend(self.constants.iter().filter_map(|constant| constant.fault(self)));
        for (i, l) in self.launches.iter().enumerate() {
            if self.kernels.get(l.kernel).is_none() {
                faults.push(format!("launch {i} names kernel {}, which does not exist", l.kernel));
            }
            if let Some(b) = l.buffers.iter().find(|b| self.buffers.get(**b).is_none()) {
                faults.push(format!("launch {i} names buffer {b}, which does not exist"));
            }
        }
        faults
    }
}

/// Machine code of one kernel, which a processor runs: position independent, without relocations, entered as
/// `fn(buffers: *const *mut u8, first: u64, end: u64, scratch: *mut u8)`, which runs blocks `first..end`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Code {
    /// Name of the kernel.
    pub name: String,
    /// What is mapped.
    pub bytes: Vec<u8>,
    /// Machine instructions.
    pub instructions: u32,
    /// Spill or reload instructions inside innermost loops.
    pub spills: u32,
}
