//! Measuring schedules side by side: one core, in turns, the least time of each launch.
//!
//! ```text
//!   round 1    A  B  C  D      neighbours on the machine and its clock disturb all alike,
//!   round 2    A  B  C  D      and the least of many rounds is disturbed by neither
//! ```

use crate::{
    check,
    errors::Result,
    memory,
    pipeline::{self, CompileOptions, Trace},
    values,
    weights::Weights,
};
use regard_ir::{graph::Graph, kernel::Kernel, program::Program, target::Target};
use regard_runtime::Session;
use std::time::{Duration, Instant};

/// A compiled program with inputs to run it on.
pub struct Timed {
    session: Session,
    inputs: Vec<Vec<u8>>,
    outputs: Vec<Vec<u8>>,
    least: Vec<u64>,
}

impl Timed {
    /// Compiles a graph for one core; inputs are those of seed 0.
    ///
    /// # Errors
    /// Where a pass refuses the graph or the schedule given, a weight cannot be read or a back end refuses a kernel.
    pub fn new(
        graph: &Graph,
        compile_options: CompileOptions,
        weights: &dyn Weights,
        trace: &mut Trace,
    ) -> Result<Timed> {
        let target = compile_options.target;
        let kernels = pipeline::lower_to_kernels(graph, compile_options, trace)?;
        Timed::of_kernels(graph, kernels, target, weights, trace)
    }

    /// The same for kernels that `lower` made of this graph. Nobody else can hand kernels over: what they access is
    /// checked by tests of the lowering, not here.
    pub(super) fn of_kernels(
        graph: &Graph,
        kernels: Program<Kernel>,
        target: &Target,
        weights: &dyn Weights,
        trace: &mut Trace,
    ) -> Result<Timed> {
        memory::afford(graph)?;
        let constants = pipeline::bind_constants(&kernels, weights, trace)?;
        let code = pipeline::emit_code(kernels, target, trace)?;
        let session = pipeline::start(code, constants, target, 1)?;
        let ports = session.program().inputs.iter();
        let values = check::inputs(graph, 0);
        let inputs = values.iter().zip(ports).map(|(values, port)| values::encode(port.ty.dtype, values)).collect();
        let outputs = session.program().outputs.iter().map(|port| vec![0; port.ty.bytes()]).collect();
        Ok(Timed { session, inputs, outputs, least: Vec::new() })
    }

    /// Runs once; the nanoseconds of each launch count if they are the least yet.
    fn run(&mut self) -> Result<()> {
        let inputs: Vec<&[u8]> = self.inputs.iter().map(Vec::as_slice).collect();
        let mut outputs: Vec<&mut [u8]> = self.outputs.iter_mut().map(Vec::as_mut_slice).collect();
        let times = self.session.run_timed(&inputs, &mut outputs)?;
        match self.least.is_empty() {
            true => self.least = times,
            false => self.least.iter_mut().zip(times).for_each(|(least, now)| *least = now.min(*least)),
        }
        Ok(())
    }

    /// The least nanoseconds of each launch so far.
    pub fn least(&self) -> &[u64] {
        &self.least
    }
}

/// Runs all of them in turns for about `time`, and `rounds` times at least. A turn is `runs` runs, of which the
/// first brings the caches into the state that the others find.
///
/// # Errors
/// Where a program cannot be run.
pub fn in_turns(all: &mut [Timed], time: Duration, rounds: usize, runs: usize) -> Result<()> {
    let start = Instant::now();
    let mut done = 0;
    while done < rounds || start.elapsed() < time {
        for timed in all.iter_mut() {
            (0..runs).try_for_each(|_| timed.run())?;
        }
        done += 1;
    }
    Ok(())
}
