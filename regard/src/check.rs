//! Compiled code against the reference: random inputs, one error per output.
//!
//! ```text
//!   input ─┬─▶ graph, in f64 ────────────▶ expected ┐
//!          └─▶ program, on a device ─────▶ found    ┴─▶ ‖found − expected‖ / ‖expected‖ < 10⁻⁵
//! ```
//!
//! An output of bf16 or f16 is rounded where it is stored, which is not an error: only what lies beyond counts.
//! Devices are the processor and the kernel interpreter, which runs the same launch list.

use crate::{
    errors::Result,
    pipeline::{self, CompileOptions, Trace},
    room,
    tie_breaks::{self, TieReport},
    values,
    weights::{Weights, leaf},
};
use regard_ir::{
    graph::{Graph, eval},
    ops::Op,
};
use regard_runtime::{self as runtime, Session};

/// The contract: what compiled f32 code may differ from the f64 reference, relative to the whole tensor.
pub const TOLERANCE: f64 = 1e-5;

/// What runs the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// The interpreter.
    Interpreter,
    /// This processor.
    Cpu,
}

/// How one output did in one trial.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputError {
    /// Seed of the inputs.
    pub seed: u64,
    /// Name of the output.
    pub output: String,
    /// Relative L2 error beyond what the output's own type rounds; NaN if one side alone is NaN.
    pub error: f64,
    /// Near ties in which the reference then followed the program.
    pub near_ties: usize,
}

impl OutputError {
    /// Whether the contract holds.
    pub fn holds(&self) -> bool {
        self.error < TOLERANCE
    }
}

/// The outputs of a reference for inputs.
pub type Reference<'a> = dyn Fn(&[Vec<f64>]) -> Result<Vec<Vec<f64>>> + 'a;

/// What to check.
pub struct Job<'a> {
    /// The model.
    pub graph: &'a Graph,
    /// Its weights.
    pub weights: &'a dyn Weights,
    /// How it is compiled.
    pub compile_options: CompileOptions<'a>,
    /// What runs it.
    pub device: Device,
    /// Workers, on the processor.
    pub threads: usize,
}

/// Compiles once, then runs inputs of the seeds 0, 1, … on the device and on the reference; one result per
/// output and trial, trial by trial.
///
/// # Errors
/// Where the graph cannot be compiled or run at all, or the reference has no room.
pub fn check(job: &Job, trials: u64, trace: &mut Trace) -> Result<Vec<OutputError>> {
    room::for_reference(job.graph)?;
    let run = prepare(job, trace)?;
    let mut errors = Vec::new();
    for seed in 0..trials {
        let inputs = inputs(job.graph, seed);
        trace.progress().say(&format!(
            "trial {} of {trials}: {}",
            seed + 1,
            if job.device == Device::Cpu { "cpu" } else { "kernel interpreter" }
        ));
        let found = run(&inputs)?;
        trace.progress().say(&format!("trial {} of {trials}: reference", seed + 1));
        let expected = reference(job.graph, job.weights, &inputs)?;
        let pairs = found.iter().zip(&expected);
        let mut trial = errors_of(job.graph, pairs);
        let mut near_ties = 0;
        if !trial.iter().all(|error| *error < TOLERANCE)
            && let Some(ties) = rerun_with_choices(job, tie_breaks::is_choice, &inputs, trace)?
            && ties.is_near()
        {
            trial = errors_of(job.graph, ties.found.iter().zip(&ties.expected));
            near_ties = ties.others.len();
        }
        for (output, error) in job.graph.output_names().into_iter().zip(trial) {
            errors.push(OutputError { seed, output, error, near_ties });
        }
    }
    trace.progress().clear();
    Ok(errors)
}

/// The error of each output.
fn errors_of<'a>(graph: &Graph, pairs: impl Iterator<Item = (&'a Vec<f64>, &'a Vec<f64>)>) -> Vec<f64> {
    let types = graph.outputs.iter().map(|&output| graph.ty(output).dtype);
    types.zip(pairs).map(|(dtype, (found, expected))| values::output_error(dtype, found, expected)).collect()
}

/// Does a job again with the choices that its program makes at some ops.
///
/// # Errors
/// Where the graph cannot be compiled or run.
pub(crate) fn rerun_with_choices(
    job: &Job,
    of: fn(&Op) -> bool,
    inputs: &[Vec<f64>],
    trace: &mut Trace,
) -> Result<Option<TieReport>> {
    tie_breaks::rerun_with_choices(job, of, inputs, &mut |graph, inputs| {
        let job = Job { graph, compile_options: job.compile_options.clone(), ..*job };
        prepare(&job, trace)?(inputs)
    })
}

/// Inputs of a graph for a seed, in order.
pub fn inputs(graph: &Graph, seed: u64) -> Vec<Vec<f64>> {
    graph.inputs().iter().enumerate().map(|(i, &input)| values::random_input(graph, input, i, seed)).collect()
}

/// The outputs of a graph, in f64.
///
/// # Errors
/// Where the graph has no value.
pub fn reference(graph: &Graph, weights: &dyn Weights, inputs: &[Vec<f64>]) -> Result<Vec<Vec<f64>>> {
    let ids = graph.inputs();
    let given = |id, _: &_| ids.iter().position(|&input| input == id).map(|i| inputs[i].clone());
    let outputs = eval(graph, &mut leaf(graph, weights, given))?;
    Ok(outputs.into_iter().map(|tensor| tensor.data).collect())
}

/// Compiles for the device and returns what runs it.
fn prepare<'a>(job: &Job<'a>, trace: &mut Trace) -> Result<Box<Reference<'a>>> {
    let (graph, compile_options, weights, threads) = (job.graph, job.compile_options.clone(), job.weights, job.threads);
    Ok(match job.device {
        Device::Cpu => runner(
            pipeline::session(graph, &pipeline::SessionOptions { compile: compile_options, weights, threads }, trace)?
                .0,
        ),
        Device::Interpreter => runner(pipeline::interpreted(graph, compile_options, weights, trace)?),
    })
}

/// Runs a session on values.
fn runner<'a, D: runtime::Device + 'a>(session: Session<D>) -> Box<Reference<'a>> {
    Box::new(move |inputs| {
        let ports = inputs.iter().zip(&session.program().inputs);
        let inputs: Vec<Vec<u8>> = ports.map(|(values, port)| values::encode(port.ty.dtype, values)).collect();
        let outputs = run_session(&session, &inputs)?;
        let ports = outputs.iter().zip(&session.program().outputs);
        Ok(ports.map(|(bytes, port)| values::decode(port.ty.dtype, bytes)).collect())
    })
}

/// Runs a session on the bytes of its inputs and returns those of its outputs.
///
/// # Errors
/// Where the inputs do not fit.
pub(crate) fn run_session<D: runtime::Device>(session: &Session<D>, inputs: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    let mut outputs: Vec<Vec<u8>> = session.program().outputs.iter().map(|port| vec![0; port.ty.bytes()]).collect();
    session.run(&inputs, &mut outputs.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>())?;
    Ok(outputs)
}
