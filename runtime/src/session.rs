//! A program ready to run.
//!
//! ```text
//!   launch   kernel ─ k3        buffers ─ [ input 0 │ constants + 4096 │ arena + 128 ]
//!                    │                       │                │             │
//!                    ▼                       ▼                ▼             ▼
//!            function pointer        caller's slice     shared, read only   this run's workspace
//! ```
//!
//! A session may be used from several threads. What a run writes besides its outputs is a *workspace*: the
//! arena and one scratch per worker, taken from a free list and given back. With one thread, runs from
//! different callers proceed side by side, each in a workspace of its own. With several, the pool serves
//! one run at a time, so one workspace serves all.
//!
//! Blocks write disjoint elements and every launch waits for the one before, so the numbers do not depend
//! on the number of threads.

use std::{
    convert::Infallible,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use memmap2::MmapMut;
use regard_ir::{
    graph::Graph,
    id::Id,
    program::{BUFFER_ALIGN, Code, Place, Port, Program},
    types::DType,
};
use thiserror::Error;

use crate::{
    code::{CodeMap, KernelFn},
    cpu,
    float::Usual,
    memory::{self, Constants, f32_bytes, f32_bytes_mut},
    pool::Pool,
};

/// Why a session cannot be made or cannot run.
#[derive(Debug, Error)]
pub enum SessionError {
    /// A broken program.
    #[error("the program cannot run: {0}")]
    Program(String),
    /// Constants of another size.
    #[error("the program has {needs} bytes of constants but {given} were given")]
    Constants {
        /// Bytes the program has.
        needs: u64,
        /// Bytes given.
        given: u64,
    },
    /// Too few or too many tensors.
    #[error("the program has {needs} {what}s but {given} were given")]
    Count {
        /// `input` or `output`.
        what: &'static str,
        /// Tensors the program has.
        needs: usize,
        /// Tensors given.
        given: usize,
    },
    /// A tensor of another size.
    #[error("{what} {index} ({name}) is {ty} and has {needs} bytes but {given} were given")]
    Length {
        /// `input` or `output`.
        what: &'static str,
        /// Its number.
        index: usize,
        /// Its name.
        name: String,
        /// Its type.
        ty: String,
        /// Bytes it has.
        needs: usize,
        /// Bytes given.
        given: usize,
    },
    /// Floats were given for a tensor of another type.
    #[error("{what} {index} ({name}) is {ty}, not f32")]
    NotFloat {
        /// `input` or `output`.
        what: &'static str,
        /// Its number.
        index: usize,
        /// Its name.
        name: String,
        /// Its type.
        ty: String,
    },
    /// The system refused a resource.
    #[error("cannot {what}: {source}")]
    System {
        /// What cannot be done.
        what: String,
        /// The system's reason.
        source: io::Error,
    },
}

/// A program with its code mapped, its constants at hand and its workers waiting.
#[derive(Debug)]
pub struct Session {
    /// The program; of each kernel the name alone.
    program: Program<String>,
    /// Keeps the functions in `entries` mapped.
    _code: CodeMap,
    entries: Vec<KernelFn>,
    constants: Constants,
    /// Nothing where one thread does all.
    pool: Option<Mutex<Pool>>,
    threads: usize,
    /// Bytes from one worker's scratch to the next.
    scratch_stride: usize,
    workspaces: Mutex<Vec<Workspace>>,
}

/// What a run writes besides its outputs.
#[derive(Debug)]
struct Workspace {
    arena: MmapMut,
    scratch: MmapMut,
}

impl Session {
    /// Maps the program's code and starts `threads − 1` workers.
    ///
    /// # Safety
    /// The code of each kernel must be what a back end emitted for it: machine code of this processor's instruction set
    /// that keeps to the buffers and the scratch of its launches, whose blocks write disjoint elements. Running
    /// any other bytes is running any other program.
    ///
    /// ```compile_fail,E0133
    /// # fn session(program: regard_ir::program::Program<regard_ir::program::Code>) {
    /// let constants = regard_runtime::memory::Constants::copy(&[]).unwrap();
    /// let session = regard_runtime::Session::new(program, constants, 1);
    /// # }
    /// ```
    ///
    /// # Errors
    /// Where the program has faults, the constants have another size, or the system refuses memory.
    pub unsafe fn new(program: Program<Code>, constants: Constants, threads: usize) -> Result<Session, SessionError> {
        if let Some(fault) = program.faults().into_iter().next() {
            return Err(SessionError::Program(fault));
        }
        let (needs, given) = (program.constant_bytes, constants.bytes().len() as u64);
        if needs != given {
            return Err(SessionError::Constants { needs, given });
        }
        let blobs: Vec<&[u8]> = program.kernels.values().map(|code| code.bytes.as_slice()).collect();
        let code = CodeMap::new(&blobs).map_err(refused("map executable memory"))?;
        let entries = (0..blobs.len()).map(|kernel| code.entry(kernel)).collect();
        let pool = match threads {
            0 | 1 => None,
            _ => Some(Pool::new(threads)),
        };
        let threads = pool.as_ref().map_or(1, Pool::threads);
        let scratch_stride = stride(program.scratch_bytes(), threads)
            .ok_or_else(|| SessionError::Program(format!("{} bytes of scratch", program.scratch_bytes())))?;
        let Ok(mut program) = program.try_map(|code| Ok::<_, Infallible>(code.name));
        program.folds = Graph::default();
        let (pool, workspaces) = (pool.map(Mutex::new), Mutex::default());
        let session = Session { program, _code: code, entries, constants, pool, threads, scratch_stride, workspaces };
        session.give_back(session.workspace()?);
        Ok(session)
    }
    /// Workers, the caller included.
    pub fn threads(&self) -> usize {
        self.threads
    }
    /// What runs; of each kernel the name alone.
    pub fn program(&self) -> &Program<String> {
        &self.program
    }
    /// Runs the program. `inputs` and `outputs` are row-major bytes in the order of the program's ports;
    /// any alignment will do. Outputs are overwritten completely.
    ///
    /// # Errors
    /// Where the number or a length of the tensors differs from the ports, or the system refuses memory.
    pub fn run(&self, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<(), SessionError> {
        self.execute(inputs, outputs, || {})
    }
    /// [`run`](Session::run), and how long each launch took, in nanoseconds. With one worker that is the time it
    /// computed, not counting what other programs had its core for.
    ///
    /// # Errors
    /// As [`run`](Session::run).
    pub fn run_timed(&self, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<Vec<u64>, SessionError> {
        let mut times = Vec::with_capacity(self.program.launches.len());
        let mut last = None;
        let start = Instant::now();
        let alone = self.threads == 1;
        self.execute(inputs, outputs, || {
            let now = if alone { cpu::thread_time() } else { start.elapsed() };
            if let Some(last) = last.replace(now) {
                times.push((now - last).as_nanos() as u64);
            }
        })?;
        Ok(times)
    }
    /// Runs a program all of whose inputs and outputs are f32.
    ///
    /// # Errors
    /// As [`run`](Session::run), and where a port is not f32.
    pub fn run_f32(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>, SessionError> {
        float_ports("input", &self.program.inputs)?;
        float_ports("output", &self.program.outputs)?;
        let inputs: Vec<&[u8]> = inputs.iter().map(|values| f32_bytes(values)).collect();
        let mut results: Vec<Vec<f32>> = self.program.outputs.iter().map(|p| vec![0.0; p.ty.elements()]).collect();
        let mut outputs: Vec<&mut [u8]> = results.iter_mut().map(|values| f32_bytes_mut(values)).collect();
        self.run(&inputs, &mut outputs)?;
        Ok(results)
    }

    /// Calls `tick` before each launch and once more after the last.
    fn execute(&self, inputs: &[&[u8]], outputs: &mut [&mut [u8]], mut tick: impl FnMut()) -> Result<(), SessionError> {
        check("input", &self.program.inputs, inputs.iter().map(|bytes| bytes.len()))?;
        check("output", &self.program.outputs, outputs.iter().map(|bytes| bytes.len()))?;
        // The pool comes first: who waits for it holds no workspace.
        let mut pool = self.pool.as_ref().map(lock);
        let mut workspace = self.workspace()?;
        let table = self.pointers(inputs, outputs, &mut workspace);
        let scratch = workspace.scratch.as_mut_ptr();
        let mut next = 0;
        for launch in &self.program.launches {
            tick();
            let entry = self.entries[launch.kernel.index()];
            let call = Call { entry, buffers: table[next..].as_ptr(), scratch, scratch_stride: self.scratch_stride };
            next += launch.buffers.len();
            // SAFETY: `pointers` made one pointer for each of this launch's buffers; their lengths and those
            // of the memory behind them were compared by `Program::faults` and `check`. Workers have numbers
            // below `threads` and so scratch of their own. The code keeps to its buffers by `Session::new`'s
            // contract, and blocks of one launch write disjoint elements.
            let body = |worker, first, end| unsafe { call.run(worker, first, end) };
            match &mut pool {
                Some(pool) => pool.run(launch.blocks, &body),
                None => body(0, 0, launch.blocks),
            }
        }
        tick();
        self.give_back(workspace);
        Ok(())
    }
    /// The arguments of all launches, one after the other.
    fn pointers(&self, inputs: &[&[u8]], outputs: &mut [&mut [u8]], workspace: &mut Workspace) -> Vec<*mut u8> {
        let outputs: Vec<*mut u8> = outputs.iter_mut().map(|bytes| bytes.as_mut_ptr()).collect();
        let (constants, arena) = (self.constants.bytes().as_ptr(), workspace.arena.as_mut_ptr());
        let pointer = |place: Place| match place {
            // Kernels do not write inputs or constants.
            Place::Input(i) => inputs[i].as_ptr().cast_mut(),
            Place::Output(i) => outputs[i],
            Place::Constant(offset) => constants.wrapping_add(offset as usize).cast_mut(),
            Place::Arena(offset) => arena.wrapping_add(offset as usize),
        };
        let buffers = self.program.launches.iter().flat_map(|launch| &launch.buffers);
        buffers.map(|&buffer| pointer(self.program.buffers[buffer].place)).collect()
    }
    fn workspace(&self) -> Result<Workspace, SessionError> {
        if let Some(workspace) = lock(&self.workspaces).pop() {
            return Ok(workspace);
        }
        let new = |bytes: usize| memory::anonymous(bytes).map_err(refused(format!("reserve {bytes} bytes of memory")));
        Ok(Workspace {
            arena: new(self.program.arena_bytes as usize)?,
            scratch: new(self.scratch_stride * self.threads)?,
        })
    }
    fn give_back(&self, workspace: Workspace) {
        lock(&self.workspaces).push(workspace);
    }
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

fn check(what: &'static str, ports: &[Port], given: impl ExactSizeIterator<Item = usize>) -> Result<(), SessionError> {
    if ports.len() != given.len() {
        return Err(SessionError::Count { what, needs: ports.len(), given: given.len() });
    }
    match ports.iter().zip(given).enumerate().find(|(_, (port, given))| port.ty.bytes() != *given) {
        None => Ok(()),
        Some((index, (port, given))) => {
            let (name, ty, needs) = (port.name.clone(), port.ty.to_string(), port.ty.bytes());
            Err(SessionError::Length { what, index, name, ty, needs, given })
        }
    }
}

fn float_ports(what: &'static str, ports: &[Port]) -> Result<(), SessionError> {
    match ports.iter().enumerate().find(|(_, port)| port.ty.dtype != DType::F32) {
        None => Ok(()),
        Some((index, p)) => Err(SessionError::NotFloat { what, index, name: p.name.clone(), ty: p.ty.to_string() }),
    }
}

fn refused(what: impl Into<String>) -> impl FnOnce(io::Error) -> SessionError {
    |source| SessionError::System { what: what.into(), source }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
