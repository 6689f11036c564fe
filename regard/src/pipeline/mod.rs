//! The compilation pipeline, from a graph to a session.
//!
//! ```text
//!   graph ─▶ optimized ─▶ plan ─▶ schedule ─▶ kernels ─▶ code ─┬─▶ session
//!                                               weights ─▶ constants ─┘
//! ```
//!
//! Every stage is a function from what the stages before it made to something new. `Trace::stage` is the
//! one place that knows of clocks, progress, the text of an intermediate and the checks between stages, so
//! the stages themselves stay plain.

mod artifact;
mod start;
mod trace;

pub use artifact::{Artifact, intermediate_bytes};
pub(crate) use start::start;
pub use trace::Trace;

use crate::{
    errors::{Error, Result},
    memory,
    weights::{self, Weights},
};
use regard_ir::{
    Violation,
    graph::Graph,
    kernel::Kernel,
    program::{Code, Program},
    target::Target,
    verify_types,
};
use regard_passes::{Optimized, Plan, Rules, Schedule, lower, optimize, plan};
use regard_runtime::{Interpreter, Session, cpu, memory::Constants};

/// What decides which kernels a graph becomes; a target alone means everything else as usual.
#[derive(Clone, Debug)]
pub struct CompileOptions<'a> {
    /// What the code is for.
    pub target: &'a Target,
    /// What the optimiser may do.
    pub rules: Rules,
    /// Tile sizes of each group; `None` lets the cost model choose.
    pub schedule: Option<Schedule>,
}

impl<'a> From<&'a Target> for CompileOptions<'a> {
    fn from(target: &'a Target) -> CompileOptions<'a> {
        CompileOptions { target, rules: Rules::default(), schedule: None }
    }
}

/// Which kernels compute a graph.
///
/// # Errors
/// Where a pass refuses the graph.
pub fn plan_graph<'a>(
    graph: &Graph,
    compile_options: impl Into<CompileOptions<'a>>,
    trace: &mut Trace,
) -> Result<Plan> {
    let compile_options = compile_options.into();
    let target = compile_options.target;
    let optimized = optimize_graph(graph, compile_options, trace)?;
    trace.stage("plan", || Ok(plan(&optimized.graph, target)?))
}

/// The graph that the rules make.
///
/// # Errors
/// Where the graph is not valid, or a pass refuses it.
pub fn optimize_graph<'a>(
    graph: &Graph,
    compile_options: impl Into<CompileOptions<'a>>,
    trace: &mut Trace,
) -> Result<Optimized> {
    let CompileOptions { target, rules, .. } = compile_options.into();
    let graph = trace.stage("graph", || verified(graph).cloned())?;
    trace.stage("optimized", || Ok(optimize(&graph, target, &rules)?))
}

/// The graph, whose nodes anybody may write: kernels trust the types that it states, so they must be those of its ops.
///
/// # Errors
/// Where something is wrong with it; the sentence names the first.
fn verified(graph: &Graph) -> Result<&Graph> {
    let broken = |violation: Violation| {
        Error::Failed(format!("the graph is not valid: {}: {}", violation.text, violation.message))
    };
    verify_types(graph).map(|()| graph).map_err(broken)
}

/// Kernels for a graph.
///
/// # Errors
/// Where a pass refuses the graph, or the schedule given is not one for this graph and target; the sentence
/// names the inequality that fails.
pub fn lower_to_kernels<'a>(
    graph: &Graph,
    compile_options: impl Into<CompileOptions<'a>>,
    trace: &mut Trace,
) -> Result<Program<Kernel>> {
    Ok(lower_with_names(graph, compile_options.into(), trace)?.0)
}

/// Kernels for a graph, and the name of what each launch computes: [`Plan::names`].
///
/// # Errors
/// As [`lower_to_kernels`].
fn lower_with_names(
    graph: &Graph,
    compile_options: CompileOptions,
    trace: &mut Trace,
) -> Result<(Program<Kernel>, Vec<String>)> {
    let target = compile_options.target;
    let plan = plan_graph(graph, compile_options.clone(), trace)?;
    let chosen = || compile_options.schedule.unwrap_or_else(|| Schedule::best(&plan, target));
    let schedule = trace.stage("schedule", || Ok(chosen()))?;
    let program = trace.stage("kernels", || {
        let mut program = lower(&plan, &schedule, target)?;
        // The plan copies outputs that are inputs or repeat; the names are those that the graph was written with.
        program.outputs.iter_mut().zip(graph.output_names()).for_each(|(port, name)| port.name = name);
        Ok(program)
    })?;
    Ok((program, plan.names))
}

/// The largest tensor that a program may hold, in bytes.
const MAX_TENSOR: u64 = 1 << 36;

/// Checks that weights fit the graph and that its tensors are of a size that can be held at all, before
/// anything is allocated.
///
/// # Errors
/// Where they do not, or are not.
pub fn check_leaves(graph: &Graph, weights: &dyn Weights, trace: &mut Trace) -> Result<()> {
    trace.stage("check weights", || {
        let large = graph.nodes.iter().find(|(_, node)| node.ty.bytes() as u64 > MAX_TENSOR);
        match large {
            None => weights.check(graph),
            Some((id, node)) => Err(Error::Failed(format!(
                "%{} is {} and takes {} bytes, expected at most {MAX_TENSOR}",
                graph.names().of(id),
                node.ty,
                node.ty.bytes()
            ))),
        }
    })
}

/// Machine code for every kernel, on all cores.
///
/// # Errors
/// Where the back end refuses a kernel.
pub fn emit_code(program: Program<Kernel>, target: &Target, trace: &mut Trace) -> Result<Program<Code>> {
    trace.stage("code", || Ok(regard_codegen::emit(program, target)?))
}

/// The constants of a program, computed from weights and packed.
///
/// # Errors
/// Where a weight cannot be read.
pub fn bind_constants<K: Sync>(program: &Program<K>, weights: &dyn Weights, trace: &mut Trace) -> Result<Constants> {
    trace.stage("weights", || {
        let bytes = program.constant_bytes;
        match memory::is_given(bytes) {
            true => weights::bind(program, weights),
            false => {
                let buffers = program.constants.iter().map(|constant| &program.buffers[constant.buffer]);
                let largest = buffers.max_by_key(|buffer| buffer.bytes());
                let largest = largest.map_or_else(String::new, |b| format!(", `{}` alone {}", b.name, b.bytes()));
                Err(Error::Failed(format!(
                    "the constants take {bytes} bytes of memory{largest}, which the system refuses"
                )))
            }
        }
    })
}

/// What a session needs besides the graph.
pub struct SessionOptions<'a> {
    /// How it is compiled; this processor must be able to execute code for the target.
    pub compile: CompileOptions<'a>,
    /// Where the weights come from.
    pub weights: &'a dyn Weights,
    /// Workers.
    pub threads: usize,
}

/// Everything at once: a graph becomes a session. The kernels are returned too.
///
/// # Errors
/// Where the weights do not fit the graph, or any stage fails.
pub fn session(graph: &Graph, options: &SessionOptions, trace: &mut Trace) -> Result<(Session, Program<Kernel>)> {
    let (session, kernels, _) = named_session(graph, options, trace)?;
    Ok((session, kernels))
}

/// The same, and the name of what each launch computes: [`Plan::names`].
///
/// # Errors
/// As [`session`].
pub(crate) fn named_session(
    graph: &Graph,
    options: &SessionOptions,
    trace: &mut Trace,
) -> Result<(Session, Program<Kernel>, Vec<String>)> {
    let (kernels, names, constants) = bound(graph, options.compile.clone(), options.weights, trace)?;
    let code = emit_code(kernels.clone(), options.compile.target, trace)?;
    let session = trace.stage("session", || start(code, constants, options.compile.target, options.threads))?;
    Ok((session, kernels, names))
}

/// A session on the kernel interpreter, which takes kernels for any target.
///
/// # Errors
/// As [`session`].
pub fn interpreted(
    graph: &Graph,
    compile_options: CompileOptions,
    weights: &dyn Weights,
    trace: &mut Trace,
) -> Result<Session<Interpreter>> {
    let (kernels, _, constants) = bound(graph, compile_options, weights, trace)?;
    Ok(Session::interpreted(kernels, constants)?)
}

/// What every device needs of a graph: kernels, the name of what each launch computes, and constants.
fn bound(
    graph: &Graph,
    compile_options: CompileOptions,
    weights: &dyn Weights,
    trace: &mut Trace,
) -> Result<(Program<Kernel>, Vec<String>, Constants)> {
    check_leaves(graph, weights, trace)?;
    memory::afford(graph)?;
    let (kernels, names) = lower_with_names(graph, compile_options, trace)?;
    let constants = bind_constants(&kernels, weights, trace)?;
    Ok((kernels, names, constants))
}

/// The target that `--target` names; the best of this processor where it names none.
///
/// # Errors
/// Where there is no such target, or none for this processor.
pub fn target(name: Option<&str>) -> Result<&'static Target> {
    match name {
        Some(name) => Target::named(name).ok_or_else(|| {
            let all: Vec<&str> = Target::ROWS.iter().map(|row| row.name).collect();
            Error::Usage(format!("there is no target called `{name}`, expected {}", all.join(", ")))
        }),
        None => cpu::best().ok_or_else(|| Error::Failed("no target fits this processor; --target names one".into())),
    }
}

/// The same, for code that runs here and now.
///
/// # Errors
/// As [`target`], and where this processor cannot execute it.
pub fn executable_target(name: Option<&str>) -> Result<&'static Target> {
    let target = target(name)?;
    if cpu::supports(target.name) {
        return Ok(target);
    }
    let here: Vec<&str> = cpu::targets().map(|row| row.name).collect();
    Err(Error::Usage(format!("this processor cannot execute {} code, only {}", target.name, here.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::Synthetic;
    use regard_ir::types::TensorType;

    fn started(graph: &Graph, target: &Target) -> String {
        let options = SessionOptions { compile: target.into(), weights: &Synthetic::new(0), threads: 1 };
        let session = session(graph, &options, &mut Trace::new());
        session.err().map_or_else(String::new, |error| error.to_string())
    }

    /// Fields of graphs and targets are public: what users write into them decides what code reads and where.
    #[test]
    fn types_that_are_not_those_of_the_ops_are_no_code() {
        let text = "graph g {\n  %x = input : f32[8]\n  %y = exp %x\n  return %y\n}\n";
        let mut graph = regard_ir::text::parse(text).expect("it is a graph");
        let target = cpu::best().expect("a target fits");
        assert_eq!(started(&graph, target), "");
        let y = graph.outputs[0];
        graph.nodes[y].ty = TensorType::f32([4096]);
        let refused = started(&graph, target);
        assert!(refused.starts_with("the graph is not valid: %y = exp %x"), "{refused}");
    }

    #[test]
    fn a_target_of_another_make_is_not_started() {
        let graph = regard_ir::text::parse("graph g {\n  %x = input : f32[8]\n  %y = exp %x\n  return %y\n}\n");
        let graph = graph.expect("it is a graph");
        let target = cpu::best().expect("a target fits");
        let refused = started(&graph, &Target { block_bytes: 1 << 30, ..target.clone() });
        assert!(refused.contains(&format!("{} is not the target of this name", target.name)), "{refused}");
    }
}
