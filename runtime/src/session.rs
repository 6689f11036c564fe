//! A program ready to run on a device.
//!
//! ```text
//!   load ─▶ module          alloc ─▶ memory                         once; memory again where runs overlap
//!
//!   upload inputs ─▶ launch 0, launch 1, … ─▶ download outputs      each run
//! ```
//!
//! A session may be used from several threads. What a run writes besides its outputs is taken from a free list and given
//! back. Blocks write disjoint elements and every launch waits for the one before, so the numbers do not depend
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
    kernel::{Kernel, eval},
    program::{Code, Port, Program},
    types::DType,
};
use thiserror::Error;

use crate::{
    cpu::{self, Cpu},
    device::{Device, Tensors},
    interpreter::Interpreter,
    memory::{self, Constants, f32_bytes, f32_bytes_mut},
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
    /// A kernel did what no kernel may do, on a device that notices.
    #[error("{0}")]
    Fault(#[from] eval::Fault),
    /// The system refused a resource.
    #[error("cannot {what}: {source}")]
    System {
        /// What cannot be done.
        what: String,
        /// The system's reason.
        source: io::Error,
    },
}

/// A program with its kernels loaded and its constants at hand, on this processor unless said otherwise.
#[derive(Debug)]
pub struct Session<D: Device = Cpu> {
    device: D,
    /// What runs, without the kernels.
    program: Program<()>,
    module: D::Module,
    /// Memory that no run is using.
    free: Mutex<Vec<D::Memory>>,
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
        // SAFETY: by this function's contract.
        unsafe { Session::on(|| Cpu::new(threads), program, constants) }
    }
    /// Workers, the caller included.
    pub fn threads(&self) -> usize {
        self.device.threads()
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
        let alone = self.threads() == 1;
        self.execute(Tensors { inputs, outputs }, || {
            let now = if alone { cpu::thread_time() } else { start.elapsed() };
            if let Some(last) = last.replace(now) {
                times.push((now - last).as_nanos() as u64);
            }
        })?;
        Ok(times)
    }
}

impl Session<Interpreter> {
    /// A session of kernels that are interpreted.
    ///
    /// # Errors
    /// Where the program has faults, the constants have another size, or the system refuses memory.
    pub fn interpreted(program: Program<Kernel>, constants: Constants) -> Result<Self, SessionError> {
        // SAFETY: the interpreter checks what kernels do.
        unsafe { Session::on(|| Interpreter, program, constants) }
    }
}

impl<D: Device> Session<D> {
    /// # Safety
    /// As [`Device::load`].
    unsafe fn on(
        device: impl FnOnce() -> D,
        program: Program<D::Code>,
        constants: Constants,
    ) -> Result<Self, SessionError> {
        if let Some(fault) = program.faults().into_iter().next() {
            return Err(SessionError::Program(fault));
        }
        let (needs, given) = (program.constant_bytes, constants.bytes().len() as u64);
        if needs != given {
            return Err(SessionError::Constants { needs, given });
        }
        let device = device();
        // SAFETY: the program has no faults and the constants are of its size; the rest is this function's contract.
        let module = unsafe { device.load(&program, constants)? };
        let Ok(mut program) = program.try_map(|_| Ok::<_, Infallible>(()));
        (program.constant_graph, program.constants) = (Graph::default(), Vec::new());
        let free = Mutex::new(vec![device.alloc(&module)?]);
        Ok(Session { device, program, module, free })
    }
    /// What runs, without the kernels.
    pub fn program(&self) -> &Program<()> {
        &self.program
    }
    /// Runs the program. `inputs` and `outputs` are row-major bytes in the order of the program's ports;
    /// any alignment will do. Outputs are overwritten completely.
    ///
    /// # Errors
    /// Where the number or a length of the tensors differs from the ports, the system refuses memory, or a kernel fails.
    pub fn run(&self, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<(), SessionError> {
        self.execute(Tensors { inputs, outputs }, || {})
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
    fn execute(&self, mut tensors: Tensors, mut tick: impl FnMut()) -> Result<(), SessionError> {
        check("input", &self.program.inputs, tensors.inputs.iter().map(|bytes| bytes.len()))?;
        check("output", &self.program.outputs, tensors.outputs.iter().map(|bytes| bytes.len()))?;
        // The turn comes first: who waits for it holds no memory.
        let mut turn = self.device.turn();
        let free = lock(&self.free).pop();
        let mut memory = free.map_or_else(|| self.device.alloc(&self.module), Ok)?;
        self.device.upload(&mut memory, &tensors);
        for launch in &self.program.launches {
            tick();
            // SAFETY: the module was made for this program and the memory for the module; `check` compared the lengths.
            unsafe { self.device.launch(&mut turn, &self.module, &mut memory, &mut tensors, launch)? };
        }
        tick();
        self.device.download(&memory, &mut tensors);
        lock(&self.free).push(memory);
        Ok(())
    }
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

pub(crate) fn refused(what: impl Into<String>) -> impl FnOnce(io::Error) -> SessionError {
    |source| SessionError::System { what: what.into(), source }
}

/// At least so many zero bytes.
pub(crate) fn reserve(bytes: usize) -> Result<MmapMut, SessionError> {
    memory::anonymous(bytes).map_err(refused(format!("reserve {bytes} bytes of memory")))
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
