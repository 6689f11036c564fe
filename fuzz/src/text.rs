//! The languages that users write: graphs, kernels and schedules.

use crate::reading;
use regard::errors::TextError;
use regard_cli::report::errors::draw;
use regard_codegen::{emit, ptx};
use regard_ir::{
    graph::Graph,
    kernel::{self, Level},
    target::{Backend, Target},
    text, verify,
};
use regard_passes::{Plan, Rules, Schedule, lower, optimize, plan, schedule};
use std::sync::OnceLock;

/// Graphs with more nodes are read but not compiled.
const MOST_NODES: usize = 64;
/// Graphs with larger tensors are read but not compiled, in bytes.
const LARGEST_TENSOR: usize = 1 << 20;

/// `.rg` text: read, printed, read again; compiled where it is small. What is wrong with it is drawn.
pub fn graph(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else { return };
    let graph = match reading(data.len(), || text::parse(source)) {
        Ok(graph) => graph,
        Err(error) => {
            assert!(!error.render(source, "input.rg").is_empty());
            let error = TextError { file: "input.rg".into(), text: source.into(), errors: vec![error] };
            assert!(!draw(&error, false, Some(80)).is_empty());
            return;
        }
    };
    assert!(verify(&graph).is_empty(), "the parser gave a graph that is not valid: {:?}", verify(&graph));
    let printed = graph.to_string();
    let again = text::parse(&printed).unwrap_or_else(|e| panic!("{}", e.render(&printed, "printed.rg")));
    assert_eq!(again.to_string(), printed);
    let small = graph.nodes.values().all(|node| node.ty.bytes() <= LARGEST_TENSOR);
    if small && graph.nodes.len() <= MOST_NODES {
        compile(&graph);
    }
}

/// Compiles for the widest and the narrowest vectors; a pass may refuse.
fn compile(graph: &Graph) {
    for name in ["x86-64-v4", "x86-64-v2"] {
        let target = Target::named(name).expect("a row of the table");
        let Ok(optimized) = optimize(graph, target, &Rules::default()) else { continue };
        let Ok(plan) = plan(&optimized.graph, target) else { continue };
        let Ok(program) = lower(&plan, &Schedule::best(&plan, target), target) else { continue };
        assert_eq!(program.faults(), Vec::<String>::new());
        emit(program, target).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

/// Kernel text: read, printed, read again; emitted by every back end where the verifier accepts it.
pub fn kernel(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else { return };
    let parsed = reading(data.len(), || kernel::text::parse(source).ok());
    let Some(kernel) = parsed else { return };
    let printed = kernel.to_string();
    let again = kernel::text::parse(&printed).unwrap_or_else(|e| panic!("{}", e.render(&printed, "printed")));
    assert_eq!(again.to_string(), printed);
    if !kernel::verify::verify(&kernel, &[Level::Core]).is_empty() {
        return;
    }
    for target in Target::ROWS.into_iter().filter(|t| t.lanes == kernel.lanes) {
        match target.backend {
            Backend::Cranelift => drop(regard_codegen::native::cranelift::emit(&kernel, &target)),
            _ => drop(regard_codegen::native::wide::emit(&kernel, &target)),
        }
    }
    Target::GPUS.iter().for_each(|gpu| drop(ptx::emit(&kernel, gpu)));
}

/// A block with a group of each kind, planned for the widest vectors.
fn block() -> &'static (Plan, &'static Target) {
    static BLOCK: OnceLock<(Plan, &Target)> = OnceLock::new();
    BLOCK.get_or_init(|| {
        let target = Target::named("x86-64-v4").expect("a row of the table");
        let graph = text::parse(include_str!("../block.rg")).expect("a graph");
        let graph = optimize(&graph, target, &Rules::default()).expect("a better graph").graph;
        (plan(&graph, target).expect("a plan"), target)
    })
}

/// Schedule text: read, printed, read again; lowered where it fits the block.
pub fn schedule(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else { return };
    let parsed = reading(data.len(), || schedule::parse(source).ok());
    let Some(schedule) = parsed else { return };
    let printed = schedule.to_string();
    assert_eq!(schedule::parse(&printed).as_ref(), Ok(&schedule), "{printed}");
    let (plan, target) = block();
    if schedule.check(plan, target).is_ok() {
        lower(plan, &schedule, target).unwrap_or_else(|e| panic!("{e}\n{schedule}"));
    }
}
