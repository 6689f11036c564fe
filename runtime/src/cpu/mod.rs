//! This processor as a device: kernels are functions, memory is the host's.
//!
//! ```text
//!   launch   kernel ─ k3        buffers ─ [ input 0 │ constants + 4096 │ arena + 128 ]
//!                    │                       │                │             │
//!                    ▼                       ▼                ▼             ▼
//!            function pointer        caller's slice     shared, read only   this run's memory
//! ```
//!
//! Besides its outputs a run writes an arena and one scratch for each worker. With one thread, runs from different callers
//! proceed side by side, each in memory of its own. With several, the pool serves one run at a time.

pub mod code;
pub(crate) mod float;
pub mod pool;
mod processor;

pub use processor::{best, default_threads, peak_memory_bytes, supports, targets};

use std::sync::{Mutex, MutexGuard};

use memmap2::MmapMut;
use regard_ir::{
    id::{Id, IdVec},
    program::{BUFFER_ALIGN, BufferId, Code, Launch, Program, Storage},
};

use crate::{
    device::{Device, Tensors},
    memory::Constants,
    session::{SessionError, lock, refused, reserve},
};
use code::{CodeMap, KernelFn};
use float::Usual;
use pool::Pool;
pub(crate) use processor::thread_time;

/// The processor, with workers of its own.
#[derive(Debug)]
pub struct Cpu {
    /// Nothing where one thread does all.
    pool: Option<Mutex<Pool>>,
    threads: usize,
}

/// Functions, constants, and where buffers lie.
#[derive(Debug)]
pub struct Module {
    code: CodeMap,
    constants: Constants,
    storages: IdVec<BufferId, Storage>,
    arena_bytes: usize,
    /// Bytes from one worker's scratch to the next.
    scratch_stride: usize,
}

/// What a run writes besides its outputs.
#[derive(Debug)]
pub struct Memory {
    arena: MmapMut,
    scratch: MmapMut,
}

impl Cpu {
    /// Starts `threads − 1` workers.
    pub(crate) fn new(threads: usize) -> Cpu {
        let pool = (threads > 1).then(|| Pool::new(threads));
        let threads = pool.as_ref().map_or(1, Pool::threads);
        Cpu { pool: pool.map(Mutex::new), threads }
    }
    /// Workers, the caller included.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }
}

impl Device for Cpu {
    type Code = Code;
    type Module = Module;
    type Memory = Memory;
    type Turn<'a> = Option<MutexGuard<'a, Pool>>;

    unsafe fn load(&self, program: &Program<Code>, constants: Constants) -> Result<Module, SessionError> {
        let blobs: Vec<&[u8]> = program.kernels.values().map(|code| code.bytes.as_slice()).collect();
        let code = CodeMap::new(&blobs).map_err(refused("map executable memory"))?;
        let storages = program.buffers.values().map(|buffer| buffer.storage).collect();
        let scratch_stride = stride(program.scratch_bytes(), self.threads)
            .ok_or_else(|| SessionError::Program(format!("{} bytes of scratch", program.scratch_bytes())))?;
        Ok(Module { code, constants, storages, arena_bytes: program.arena_bytes as usize, scratch_stride })
    }
    fn alloc(&self, module: &Module) -> Result<Memory, SessionError> {
        Ok(Memory { arena: reserve(module.arena_bytes)?, scratch: reserve(module.scratch_stride * self.threads)? })
    }
    fn turn(&self) -> Self::Turn<'_> {
        self.pool.as_ref().map(lock)
    }
    fn upload(&self, _: &mut Memory, _: &Tensors) {}
    unsafe fn launch(
        &self,
        pool: &mut Self::Turn<'_>,
        module: &Module,
        memory: &mut Memory,
        tensors: &mut Tensors,
        launch: &Launch,
    ) -> Result<(), SessionError> {
        let (constants, arena) = (module.constants.bytes().as_ptr(), memory.arena.as_mut_ptr());
        let pointer = |&buffer: &BufferId| match module.storages[buffer] {
            // Kernels do not write inputs or constants.
            Storage::Input(i) => tensors.inputs[i].as_ptr().cast_mut(),
            Storage::Output(i) => tensors.outputs[i].as_mut_ptr(),
            Storage::Constant(offset) => constants.wrapping_add(offset as usize).cast_mut(),
            Storage::Arena(offset) => arena.wrapping_add(offset as usize),
        };
        let buffers: Vec<*mut u8> = launch.buffers.iter().map(pointer).collect();
        let call = Call {
            entry: module.code.entry(launch.kernel.index()),
            buffers: buffers.as_ptr(),
            scratch: memory.scratch.as_mut_ptr(),
            scratch_stride: module.scratch_stride,
        };
        // SAFETY: there is one pointer for each of the launch's buffers; their lengths and those of the memory after them
        // agree by the contracts of `load` and of this function. Workers have numbers below `threads` and so scratch of
        // their own. The code keeps to its buffers, and blocks of one launch write disjoint elements, by `load`'s contract.
        let body = |worker, first, end| unsafe { call.run(worker, first, end) };
        match pool {
            Some(pool) => pool.run(launch.blocks, &body),
            None => body(0, 0, launch.blocks),
        }
        Ok(())
    }
    fn download(&self, _: &Memory, _: &mut Tensors) {}
}

/// One launch with its arguments.
struct Call {
    entry: KernelFn,
    buffers: *const *mut u8,
    scratch: *mut u8,
    scratch_stride: usize,
}

// SAFETY: the pointers are only passed on to kernels; that these may run side by side is what `Call::run`
// asks of its caller.
unsafe impl Sync for Call {}

impl Call {
    /// Runs blocks `first..end` with scratch number `worker`.
    ///
    /// # Safety
    /// The buffers are the kernel's, there is scratch for `worker`, and no other call uses it meanwhile or
    /// writes what these blocks read or write.
    unsafe fn run(&self, worker: usize, first: u64, end: u64) {
        let _usual = Usual::enter();
        // SAFETY: by this function's contract.
        unsafe { (self.entry)(self.buffers, first, end, self.scratch.add(worker * self.scratch_stride)) };
    }
}

/// Bytes from one worker's scratch to the next, unless all of them together are too many to address.
fn stride(scratch_bytes: u64, threads: usize) -> Option<usize> {
    let stride = usize::try_from(scratch_bytes.checked_next_multiple_of(BUFFER_ALIGN)?).ok()?;
    stride.checked_mul(threads).filter(|&all| all <= isize::MAX as usize).map(|_| stride)
}
