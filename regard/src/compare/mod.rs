//! Schedules side by side: what each group does with its tiles, what that is estimated to take, what it takes.
//!
//! ```text
//!   graph ─▶ plan ─┬─ chosen schedule ───────────┐
//!                  ├─ next best matmuls          ├─▶ estimate each group ─▶ measure in turns
//!                  ├─ next best attention, rows  │
//!                  └─ or schedules from files ───┘
//! ```
//!
//! Everything is about one core: an estimate is compared with what it estimates.

pub mod lines;
pub mod measure;

use crate::{
    errors::{Error, Result, TextError},
    files,
    pipeline::{self, CompileOptions, Trace},
    weights::Weights,
};
use measure::{Timed, in_turns};
use regard_ir::{
    graph::Graph,
    kernel::{Kernel, Space},
    program::{Launch, Program, Storage},
    target::{MOST_LEVELS, Target},
};
use regard_passes::{
    Plan, Schedule, lower,
    plan::{
        Body, Group,
        expr::{Expr, FusedExpr},
    },
    schedule::{self, CostContext, Estimate, Estimator, Tiles, search},
};
use std::{path::Path, time::Duration};

/// The longest schedule file read, in bytes.
const MAX_TEXT: u64 = 16 << 20;
/// Time for measuring, and the least number of rounds.
const TIME: Duration = Duration::from_secs(3);
const ROUNDS: usize = 5;

/// Several schedules of one plan.
pub struct Comparison<'a> {
    graph: Graph,
    plan: Plan,
    target: &'a Target,
    entries: Vec<Entry>,
}

/// A schedule and what is known about it.
pub struct Entry {
    /// What to call it.
    pub title: String,
    /// Whether it takes the next best tiles instead of the best or those of a file.
    pub is_next_best: bool,
    /// The schedule.
    pub schedule: Schedule,
    /// Its groups, in launch order.
    pub parts: Vec<Part>,
    // What is measured, so nobody else changes it.
    program: Program<Kernel>,
}

/// A group with its tiles.
#[derive(Clone, Debug)]
pub struct Part {
    /// Name of the kernel.
    pub kernel: String,
    /// The tiles.
    pub tiles: Tiles,
    /// The estimate of its launch.
    pub estimate: Estimate,
    /// The least measured nanoseconds of its launch.
    pub measured: Option<u64>,
    /// Where its intermediates live.
    pub living: Living,
}

/// Where the values that a group touches live, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Living {
    /// Values per point that never leave registers.
    pub registers: usize,
    /// Buffers of the block's own, by name.
    pub scratch: Vec<(String, u64)>,
    /// Packed weights and tables.
    pub constants: u64,
    /// Intermediates of the program that it reads.
    pub read: u64,
    /// Intermediates of the program that it writes.
    pub written: u64,
    /// Inputs and outputs of the program.
    pub caller: u64,
}

impl Entry {
    /// Estimates and lowers a schedule that fits the plan.
    fn new(title: String, schedule: Schedule, plan: &Plan, target: &Target) -> Result<Entry> {
        let program = lower(plan, &schedule, target)?;
        let setting = CostContext::new(plan, target);
        let groups = plan.groups.iter().zip(&schedule.groups).zip(&program.launches);
        let part = |((group, (_, tiles)), launch): ((&Group, &(String, Tiles)), &Launch)| Part {
            kernel: program.kernels[launch.kernel].name.clone(),
            tiles: *tiles,
            estimate: Estimator::new(&group.body, &setting).estimate(tiles),
            measured: None,
            living: living(&group.body, launch, &program),
        };
        let parts = groups.map(part).collect();
        Ok(Entry { title, is_next_best: false, schedule, parts, program })
    }
    /// Its kernels and memory.
    pub fn program(&self) -> &Program<Kernel> {
        &self.program
    }
    /// Sum of the estimates, in nanoseconds.
    pub fn estimate(&self) -> f64 {
        self.parts.iter().map(|part| part.estimate.ns).sum()
    }
    /// Sum of what was measured, in nanoseconds.
    pub fn measured(&self) -> Option<f64> {
        self.parts.iter().map(|part| part.measured.map(|ns| ns as f64)).sum()
    }
    /// Whether its time is another than this one's by more than noise.
    pub fn differs(&self, other: &Entry) -> bool {
        let ratio = match self.measured().zip(other.measured()) {
            Some((this, other)) => other / this,
            None => other.estimate() / self.estimate(),
        };
        (ratio - 1.0).abs() > lines::NOISE
    }
    /// Sum of the operations.
    pub fn flops(&self) -> u64 {
        self.parts.iter().map(|part| part.estimate.flops).sum()
    }
    /// Sums of the bytes at each border.
    pub fn bytes(&self) -> [u64; MOST_LEVELS] {
        std::array::from_fn(|level| self.parts.iter().map(|part| part.estimate.bytes[level]).sum())
    }
}

fn living(body: &Body, launch: &Launch, program: &Program<Kernel>) -> Living {
    let kernel = &program.kernels[launch.kernel];
    let scratch = kernel.buffers.values().filter(|b| b.space == Space::Scratch);
    let exprs: Vec<&FusedExpr> = body.exprs().into_iter().flat_map(with_stages).collect();
    let mut living = Living {
        registers: exprs.iter().map(|fused| computed(fused)).sum(),
        scratch: scratch.map(|b| (b.name.clone(), b.len * b.dtype.bytes() as u64)).collect(),
        ..Living::default()
    };
    let kept = body.exprs().into_iter().flat_map(|fused| &fused.stages).filter(|stage| stage.kept).count();
    // What a kernel writes comes last.
    let last = launch.buffers.len().saturating_sub(1 + kept);
    for (i, &buffer) in launch.buffers.iter().enumerate() {
        let buffer = &program.buffers[buffer];
        *match buffer.storage {
            Storage::Constant(_) => &mut living.constants,
            Storage::Arena(_) if i >= last => &mut living.written,
            Storage::Arena(_) => &mut living.read,
            Storage::Input(_) | Storage::Output(_) => &mut living.caller,
        } += buffer.bytes();
    }
    living
}

/// A fused expression and those of its stages.
fn with_stages(fused: &FusedExpr) -> impl Iterator<Item = &FusedExpr> {
    fused.stages.iter().map(|stage| &stage.fused).chain([fused])
}

/// Values that an expression computes, those that it reads not counted.
fn computed(fused: &FusedExpr) -> usize {
    let read = |expr: &Expr| matches!(expr, Expr::Load { .. } | Expr::Const(_) | Expr::Anchor);
    fused.terms.values().filter(|term| !read(&term.expr)).count()
}

/// The chosen schedule, and for each kind of kernel the schedules that take the next best register tiles of
/// all its groups, `top` of them.
///
/// # Errors
/// Where a pass refuses the graph.
pub fn candidates<'a>(
    graph: &Graph,
    compile_options: CompileOptions<'a>,
    top: usize,
    trace: &mut Trace,
) -> Result<Comparison<'a>> {
    let target = compile_options.target;
    let plan = pipeline::plan_graph(graph, compile_options, trace)?;
    let setting = CostContext::new(&plan, target);
    let ranked: Vec<Vec<Tiles>> = search::ranked(&plan, &setting, top + 1);
    let chosen = Schedule::of(&plan, target, ranked.iter().map(|tiles| tiles[0]));
    let mut entries = vec![Entry::new("chosen".into(), chosen.clone(), &plan, target)?];
    for (kind, word) in [("matmul", "matmuls"), ("attend", "attention"), ("row", "rows")] {
        for rank in 1..=top {
            let pick = |(group, all): (&Group, &Vec<Tiles>)| {
                if group.body.kind() == kind { all[rank.min(all.len() - 1)] } else { all[0] }
            };
            let schedule = Schedule::of(&plan, target, plan.groups.iter().zip(&ranked).map(pick));
            if entries.iter().all(|entry| entry.schedule != schedule) {
                let title = if top == 1 { format!("{word}: next best") } else { format!("{word}: next best {rank}") };
                let entry = Entry::new(title, schedule, &plan, target)?;
                entries.push(Entry { is_next_best: true, ..entry });
            }
        }
    }
    Ok(Comparison { graph: graph.clone(), plan, target, entries })
}

/// Schedules from files, with the chosen one in front where there is only one.
///
/// # Errors
/// Where a file is not a schedule, or not one for this graph and target; the sentence names the inequality that
/// fails.
pub fn files<'a>(
    graph: &Graph,
    compile_options: CompileOptions<'a>,
    paths: &[&Path],
    trace: &mut Trace,
) -> Result<Comparison<'a>> {
    let target = compile_options.target;
    let plan = pipeline::plan_graph(graph, compile_options, trace)?;
    let mut entries = Vec::new();
    if paths.len() < 2 {
        entries.push(Entry::new("chosen".into(), Schedule::best(&plan, target), &plan, target)?);
    }
    for path in paths {
        let schedule = read(path)?;
        schedule.check(&plan, target).map_err(|why| Error::Failed(format!("{}: {why}", path.display())))?;
        entries.push(Entry::new(path.display().to_string(), schedule, &plan, target)?);
    }
    Ok(Comparison { graph: graph.clone(), plan, target, entries })
}

/// A schedule from a file.
///
/// # Errors
/// Where it cannot be read or is not a schedule; the error draws the place.
pub fn read(path: &Path) -> Result<Schedule> {
    let text = files::read_text(path, MAX_TEXT)?;
    schedule::parse(&text)
        .map_err(|error| Error::Text(TextError { file: path.display().to_string(), text, errors: vec![error] }))
}

impl Comparison<'_> {
    /// What was asked to be computed.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
    /// Which kernels compute it.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
    /// What the code is for.
    pub fn target(&self) -> &Target {
        self.target
    }
    /// The schedules; others are compared with the first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
    /// Measures all schedules, on one core and in turns.
    ///
    /// # Errors
    /// Where one cannot be compiled or run.
    pub fn measure(&mut self, weights: &dyn Weights, trace: &mut Trace) -> Result<()> {
        pipeline::check_leaves(&self.graph, weights, trace)?;
        let mut timed = Vec::new();
        for entry in &self.entries {
            timed.push(Timed::of_kernels(&self.graph, entry.program.clone(), self.target, weights, trace)?);
        }
        trace.progress().say("measuring");
        in_turns(&mut timed, TIME, ROUNDS, 2)?;
        for (entry, timed) in self.entries.iter_mut().zip(&timed) {
            entry.parts.iter_mut().zip(timed.least()).for_each(|(part, &ns)| part.measured = Some(ns));
        }
        Ok(())
    }
}
