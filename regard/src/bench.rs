//! Measuring a model: how long a run takes, and what it needs.

use crate::{
    errors::Result,
    pipeline::{self, Trace},
};
use regard_ir::{graph::Graph, id::Id, kernel::Kernel, program::Program};
use regard_runtime::{Session, cpu};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// The fewest runs measured.
const LEAST_RUNS: usize = 10;
/// Runs go on for this long if [`LEAST_RUNS`] take less.
const MEASURE: Duration = Duration::from_secs(2);
/// Runs before measuring, for caches, clocks and page tables.
const WARM_UP: Duration = Duration::from_millis(300);

/// What was measured; times in seconds.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Name of the model.
    pub model: String,
    /// Images per run.
    pub batch: usize,
    /// Workers.
    pub threads: usize,
    /// What computes: the name of the target.
    pub device: String,
    /// Each run.
    pub runs: Vec<f64>,
    /// Stages of compilation.
    pub stages: Vec<(&'static str, Duration)>,
    /// Floating-point operations of one run.
    pub flops: u64,
    /// Launches of one run.
    pub launches: usize,
    /// Size of the arena.
    pub arena_bytes: u64,
    /// Size of all intermediates together.
    pub intermediate_bytes: u64,
    /// Size of the packed weights.
    pub constant_bytes: u64,
    /// The most memory the process has had; 0 where the system does not tell.
    pub peak_bytes: u64,
    /// What each kernel takes, those first that take longest.
    pub kernels: Vec<KernelTime>,
}

/// What the launches of one kernel take in one run.
#[derive(Clone, Debug)]
pub struct KernelTime {
    /// Name of the kernel.
    pub kernel: String,
    /// What its launches compute, in order: names of groups.
    pub modules: Vec<String>,
    /// Nanoseconds of all launches together, the mean of several runs.
    pub ns: f64,
}

/// Compiles a graph of `batch` images and measures runs of it on the inputs of seed 0.
///
/// # Errors
/// Where the graph cannot be compiled or run.
pub fn measure(graph: &Graph, batch: usize, options: &pipeline::SessionOptions, trace: &mut Trace) -> Result<Measured> {
    let (session, program, names) = pipeline::named_session(graph, options, trace)?;
    let stages = trace.times().to_vec();
    let inputs: Vec<Vec<u8>> = crate::check::inputs(graph, 0)
        .iter()
        .zip(&session.program().inputs)
        .map(|(values, port)| crate::values::encode(port.ty.dtype, values))
        .collect();
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    let mut outputs: Vec<Vec<u8>> = session.program().outputs.iter().map(|port| vec![0; port.ty.bytes()]).collect();
    let mut outputs: Vec<&mut [u8]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    trace.progress().say("warming up");
    let start = Instant::now();
    session.run(&inputs, &mut outputs)?;
    while start.elapsed() < WARM_UP {
        session.run(&inputs, &mut outputs)?;
    }
    trace.progress().say("measuring");
    let mut runs = Vec::new();
    let start = Instant::now();
    while runs.len() < LEAST_RUNS || start.elapsed() < MEASURE {
        let begin = Instant::now();
        session.run(&inputs, &mut outputs)?;
        runs.push(begin.elapsed().as_secs_f64());
    }
    let kernels = kernel_times(&session, (&program, &names), (&inputs, &mut outputs), runs.len().min(20))?;
    trace.progress().clear();
    Ok(Measured {
        model: graph.name.clone(),
        batch,
        threads: session.threads(),
        device: options.compile.target.name.to_owned(),
        runs,
        stages,
        flops: graph.flops(),
        launches: program.launches.len(),
        arena_bytes: program.arena_bytes,
        intermediate_bytes: pipeline::intermediate_bytes(&program),
        constant_bytes: program.constant_bytes,
        peak_bytes: cpu::peak_memory_bytes().unwrap_or(0),
        kernels,
    })
}

/// Mean time per run of each kernel, longest first.
fn kernel_times(
    session: &Session,
    (program, names): (&Program<Kernel>, &[String]),
    (inputs, outputs): (&[&[u8]], &mut [&mut [u8]]),
    runs: usize,
) -> Result<Vec<KernelTime>> {
    let mut totals: BTreeMap<usize, KernelTime> = BTreeMap::new();
    for run in 0..runs {
        let times = session.run_timed(inputs, outputs)?;
        for ((launch, name), nanoseconds) in program.launches.iter().zip(names).zip(times) {
            let kernel = &program.kernels[launch.kernel].name;
            let new = || KernelTime { kernel: kernel.clone(), modules: Vec::new(), ns: 0.0 };
            let total = totals.entry(launch.kernel.index()).or_insert_with(new);
            total.modules.extend((run == 0).then(|| name.clone()));
            total.ns += nanoseconds as f64 / runs as f64;
        }
    }
    let mut rows: Vec<KernelTime> = totals.into_values().collect();
    rows.sort_by(|a, b| b.ns.total_cmp(&a.ns).then_with(|| a.kernel.cmp(&b.kernel)));
    Ok(rows)
}

impl Measured {
    /// The middle run.
    pub fn median(&self) -> f64 {
        let mut sorted = self.runs.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        if sorted.len().is_multiple_of(2) { (sorted[middle - 1] + sorted[middle]) / 2.0 } else { sorted[middle] }
    }
    /// The fastest run.
    pub fn least(&self) -> f64 {
        self.runs.iter().copied().fold(f64::INFINITY, f64::min)
    }
    /// All stages of compilation.
    pub fn compile(&self) -> f64 {
        self.stages.iter().map(|s| s.1.as_secs_f64()).sum()
    }
    /// GFLOP/s of the median run.
    pub fn gflop_per_s(&self) -> f64 {
        self.flops as f64 / 1e9 / self.median()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(runs: &[f64]) -> Measured {
        Measured { runs: runs.to_vec(), ..Measured::default() }
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(measured(&[0.5, 0.1, 0.2]).median(), 0.2);
        assert_eq!(measured(&[0.5, 0.1, 0.25, 0.75]).median(), 0.375);
        assert_eq!(measured(&[0.5, 0.1, 0.2]).least(), 0.1);
    }
}
