//! Measuring a model: how long a run takes, and what it needs.

use crate::{
    errors::Result,
    pipeline::{self, Trace},
};
use regard_ir::{graph::Graph, id::Id};
use regard_runtime::{Session, cpu};
use std::{
    collections::BTreeMap,
    fmt::Write,
    time::{Duration, Instant},
};

/// The fewest runs measured.
const LEAST_RUNS: usize = 10;
/// Runs go on for this long if [`LEAST_RUNS`] take less.
const MEASURE: Duration = Duration::from_secs(2);
/// Runs before measuring, for caches, clocks and page tables.
const WARM_UP: Duration = Duration::from_millis(300);

/// What was measured; times in seconds.
#[derive(Clone, Debug)]
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
    /// Nanoseconds of each kernel over one run, with its number of launches.
    pub kernels: Vec<(String, usize, f64)>,
}

/// Compiles a graph of `batch` images and measures runs of it on the inputs of seed 0.
///
/// # Errors
/// Where the graph cannot be compiled or run.
pub fn measure(graph: &Graph, batch: usize, options: &pipeline::Options, trace: &mut Trace) -> Result<Measured> {
    let (session, program) = pipeline::session(graph, options, trace)?;
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
    let kernels = kernel_times(&session, &inputs, &mut outputs, runs.len().min(20))?;
    trace.progress().clear();
    Ok(Measured {
        model: graph.name.clone(),
        batch,
        threads: session.threads(),
        device: options.recipe.target.name.to_owned(),
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
    inputs: &[&[u8]],
    outputs: &mut [&mut [u8]],
    runs: usize,
) -> Result<Vec<(String, usize, f64)>> {
    let program = session.program();
    let mut totals: BTreeMap<usize, (usize, f64)> = BTreeMap::new();
    for run in 0..runs {
        for (launch, nanoseconds) in program.launches.iter().zip(session.run_timed(inputs, outputs)?) {
            let total = totals.entry(launch.kernel.index()).or_default();
            total.0 += usize::from(run == 0);
            total.1 += nanoseconds as f64 / runs as f64;
        }
    }
    let name = |index: usize| program.kernels[Id::new(index)].clone();
    let mut rows: Vec<_> =
        totals.into_iter().map(|(kernel, (launches, time))| (name(kernel), launches, time)).collect();
    rows.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)));
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
    /// One JSON object on one line.
    pub fn json(&self) -> String {
        let mut out = String::from("{");
        let mut field = |key: &str, value: String| {
            let comma = if out.len() == 1 { "" } else { ", " };
            write!(out, "{comma}\"{key}\": {value}").expect("a string takes all text");
        };
        field("model", serde_json::Value::from(self.model.as_str()).to_string());
        field("batch", self.batch.to_string());
        field("threads", self.threads.to_string());
        field("dtype", "\"f32\"".into());
        field("device", serde_json::Value::from(self.device.as_str()).to_string());
        field("median_ms", format!("{:.4}", self.median() * 1e3));
        field("min_ms", format!("{:.4}", self.least() * 1e3));
        field("compile_ms", format!("{:.1}", self.compile() * 1e3));
        field("gflop", format!("{:.6}", self.flops as f64 / 1e9));
        field("gflop_per_s", format!("{:.3}", self.gflop_per_s()));
        field("launches", self.launches.to_string());
        field("arena_bytes", self.arena_bytes.to_string());
        field("peak_bytes", self.peak_bytes.to_string());
        out.push('}');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(runs: &[f64]) -> Measured {
        Measured {
            model: "a \"b\"".into(),
            batch: 2,
            threads: 1,
            device: "x86-64-v2".into(),
            runs: runs.to_vec(),
            stages: vec![("plan", Duration::from_millis(5)), ("code", Duration::from_millis(7))],
            flops: 3_000_000_000,
            launches: 4,
            arena_bytes: 5,
            intermediate_bytes: 9,
            constant_bytes: 6,
            peak_bytes: 7,
            kernels: Vec::new(),
        }
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(measured(&[0.5, 0.1, 0.2]).median(), 0.2);
        assert_eq!(measured(&[0.5, 0.1, 0.25, 0.75]).median(), 0.375);
        assert_eq!(measured(&[0.5, 0.1, 0.2]).least(), 0.1);
    }

    #[test]
    fn json_has_exactly_its_keys() {
        let value: serde_json::Value = serde_json::from_str(&measured(&[0.5, 0.1, 0.2]).json()).unwrap();
        let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        let mut expected = [
            "model",
            "batch",
            "threads",
            "dtype",
            "device",
            "median_ms",
            "min_ms",
            "compile_ms",
            "gflop",
            "gflop_per_s",
            "launches",
            "arena_bytes",
            "peak_bytes",
        ];
        expected.sort_unstable();
        assert_eq!(keys, expected);
        assert_eq!(value["median_ms"], 200.0);
        assert_eq!(value["compile_ms"], 12.0);
        assert_eq!(value["gflop_per_s"], 15.0);
        assert_eq!(value["model"], "a \"b\"");
    }
}
