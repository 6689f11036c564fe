//! The chain every test here closes, for one graph and many targets:
//!
//! ```text
//!   graph, f64  ≈  kernels, f64      same mathematics: 1e-9 of the largest value, 2e-6 with an exp in it
//!   graph, f64  ≈  kernels, f32      rounding only: 1e-4, where the graph has no jumps; a half output once more
//!   kernels, f32 = machine code      bit for bit
//! ```
//!
//! Where the kernels are products or attention, the chain is closed once more for maps and reductions alone.
//!
//! Where a real number decides (floor, less than, conversion to an integer) and was not computed exactly, the
//! two sides may decide differently, and only the last link is held; [`decides`] finds such graphs.

use regard_codegen::emit;
use regard_ir::{
    graph::{EvalError, Graph, Node, NodeId, Tensor, eval},
    id::IdVec,
    kernel::{Kernel, Level, verify::verify as verify_kernel},
    ops::{BinaryOp, Op, ReduceOp, UnaryOp},
    program::{Port, Program, Storage, constant_values, interpret},
    target::{Arch, Backend, Target},
    text,
    types::DType,
    verify,
};
use regard_passes::{Canonical, Error, Plan, Schedule, lower, plan, plan::Body, plan_rows};
use regard_runtime::{Device, Session, cpu, memory::Constants};
use regard_testkit::graphs;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Lanes 4 with and without fma, 8, 16, and a warp, which is only interpreted here.
pub(crate) fn targets() -> Vec<Target> {
    let warp = Target { name: "warp", backend: Backend::Ptx, lanes: 32, ..Target::ROWS[0] };
    let cpu = |row: &Target| row.arch == Arch::X86_64;
    Target::ROWS.into_iter().filter(cpu).chain([warp]).collect()
}

/// The graph with these statements.
pub(crate) fn parse(statements: &str) -> Graph {
    let text = format!("graph test {{\n{statements}\n}}");
    text::parse(&text).unwrap_or_else(|e| panic!("{}", e.render(&text, "test")))
}

/// Values for a graph's inputs and weights.
pub(crate) type Leaf<'a> = &'a dyn Fn(NodeId, &Node) -> Tensor;

/// Checks a graph on small random values; panics with the first broken link.
pub(crate) fn check(graph: &Graph) {
    check_with(graph, &|id, node| graphs::leaf(1, id, &node.ty));
}

/// Checks a graph on given values.
pub(crate) fn check_with(graph: &Graph, leaf: Leaf) {
    if let Err(message) = try_check(graph, leaf, &targets()) {
        panic!("{message}\n{graph}");
    }
}

/// Checks a graph on given values whose outputs are known otherwise, as the interpreter refuses them.
pub(crate) fn check_outputs(graph: &Graph, leaf: Leaf, reference: &[Tensor]) {
    let inputs: Vec<Tensor> = graph.inputs().iter().map(|&id| leaf(id, graph.node(id))).collect();
    for target in targets() {
        link(graph, leaf, &target, reference, &inputs).unwrap_or_else(|e| panic!("{}: {e}\n{graph}", target.name));
    }
}

/// Checks many graphs and panics with all that fail, one line each and the first graph as text.
pub(crate) fn check_all(graphs: impl IntoIterator<Item = (String, Graph)>) {
    let targets = targets();
    let leaf = |id: NodeId, node: &Node| graphs::leaf(1, id, &node.ty);
    let mut failures = Vec::new();
    for (name, graph) in graphs {
        let outcome = catch_unwind(AssertUnwindSafe(|| try_check(&graph, &leaf, &targets)));
        let outcome = outcome.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            Err(format!("panic: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("of another kind")))
        });
        if let Err(message) = outcome {
            failures.push((format!("{name}: {message}"), graph));
        }
    }
    if let Some((_, first)) = failures.first() {
        let lines: Vec<&str> = failures.iter().map(|(line, _)| line.as_str()).collect();
        panic!("{} graphs fail:\n{}\n{first}", lines.len(), lines.join("\n"));
    }
}

/// Closes the chain on some targets; `Err` says which link broke where.
pub(crate) fn try_check(graph: &Graph, leaf: Leaf, targets: &[Target]) -> Result<(), String> {
    if let Some(finding) = verify(graph).first() {
        return Err(format!("the graph is not valid: {finding}"));
    }
    let reference = eval(graph, &mut |id, node| Ok(leaf(id, node))).map_err(|e| e.to_string())?;
    let inputs: Vec<Tensor> = graph.inputs().iter().map(|&id| leaf(id, graph.node(id))).collect();
    for target in targets {
        link(graph, leaf, target, &reference, &inputs).map_err(|e| format!("{}: {e}", target.name))?;
    }
    Ok(())
}

/// Plans and lowers a graph for every target without running it: programs are well formed at any size.
pub(crate) fn check_lowered(graph: &Graph) {
    for target in targets() {
        let program = lowered(graph, &target);
        well_formed(graph, &program).unwrap_or_else(|e| panic!("{}: {e}\n{graph}", target.name));
    }
}

/// The plan of a graph that no rule has rewritten.
pub(crate) fn plan_of(graph: &Graph, target: &Target) -> Result<Plan, Error> {
    plan(&Canonical::of(graph)?, target)
}

/// The program of a graph.
pub(crate) fn lowered(graph: &Graph, target: &Target) -> Program<Kernel> {
    let plan = plan_of(graph, target).unwrap_or_else(|e| panic!("{}: {e}\n{graph}", target.name));
    lower(&plan, &Schedule::best(&plan, target), target).unwrap_or_else(|e| panic!("{}: {e}\n{graph}", target.name))
}

/// Closes the chain for one target and a schedule that fits it, on small random values.
pub(crate) fn try_scheduled(graph: &Graph, plan: &Plan, schedule: &Schedule, target: &Target) -> Result<(), String> {
    let program = lower(plan, schedule, target).map_err(|e| e.to_string())?;
    let leaf = |id: NodeId, node: &Node| graphs::leaf(1, id, &node.ty);
    let reference = eval(graph, &mut |id, node| Ok(leaf(id, node))).map_err(|e| e.to_string())?;
    let inputs: Vec<Tensor> = graph.inputs().iter().map(|&id| leaf(id, graph.node(id))).collect();
    hold(graph, &leaf, &program, target, &reference, &inputs, decides(graph))
        .map_err(|e| format!("{}: {e}", target.name))
}

/// The target that also runs what has products by maps and reductions alone.
const ORACLE: &str = "x86-64-v3";

fn link(graph: &Graph, leaf: Leaf, target: &Target, reference: &[Tensor], inputs: &[Tensor]) -> Result<(), String> {
    let held = |plan: Plan| {
        let program = lower(&plan, &Schedule::best(&plan, target), target).map_err(|e| e.to_string())?;
        hold(graph, leaf, &program, target, reference, inputs, decides(graph))
    };
    let plan = plan_of(graph, target).map_err(|e| e.to_string())?;
    let templates = plan.groups.iter().any(|group| !matches!(group.body, Body::Row(_)));
    held(plan)?;
    if !templates || target.name != ORACLE {
        return Ok(());
    }
    let rows = plan_rows(graph, target).map_err(|e| e.to_string())?;
    if let Some(group) = rows.groups.iter().find(|group| !matches!(group.body, Body::Row(_))) {
        return Err(format!("{} is planned as {:?}, expected a row program", group.root, group.body));
    }
    held(rows).map_err(|e| format!("by maps and reductions alone: {e}"))
}

/// The program computes the reference, and its machine code computes what its kernels do. Where rounding decides
/// (`jumps`) only the latter is held.
pub(crate) fn hold(
    graph: &Graph,
    leaf: Leaf,
    program: &Program<Kernel>,
    target: &Target,
    reference: &[Tensor],
    inputs: &[Tensor],
    jumps: bool,
) -> Result<(), String> {
    well_formed(graph, program)?;
    let mut weight = by_label(graph, leaf);
    let exact = interpret(program, &mut weight, inputs).map_err(|e| format!("in f64: {e}"))?;
    let constants = constants(program, &mut weight)?;
    let interpreted = Session::interpreted(program.clone(), constants.clone()).map_err(|e| e.to_string())?;
    let single = run(&interpreted, inputs)?;
    if !jumps {
        let tolerance = if approximates(graph) { 2e-6 } else { 1e-9 };
        for (i, (wanted, found)) in reference.iter().zip(&exact).enumerate() {
            near(wanted, found, tolerance, 0.0).map_err(|e| format!("output {i} in f64: {e}"))?;
        }
        for (i, (wanted, found)) in reference.iter().zip(&single).enumerate() {
            near(wanted, found, 1e-4, rounding(wanted.ty.dtype)).map_err(|e| format!("output {i} in f32: {e}"))?;
        }
    }
    if !cpu::supports(target.name) {
        return Ok(());
    }
    let code = emit(program.clone(), target).map_err(|e| e.to_string())?;
    // SAFETY: the code is what was just emitted for this program.
    let session = unsafe { Session::new(code, constants, 2) }.map_err(|e| e.to_string())?;
    let native = run(&session, inputs)?;
    for (i, (wanted, found)) in single.iter().zip(&native).enumerate() {
        same(wanted, found).map_err(|e| format!("output {i} of the machine code: {e}"))?;
    }
    Ok(())
}

/// The program has the graph's ports, its memory is sound and its kernels pass the verifier.
fn well_formed(graph: &Graph, program: &Program<Kernel>) -> Result<(), String> {
    let types = |ids: &[NodeId]| ids.iter().map(|&id| graph.ty(id).clone()).collect::<Vec<_>>();
    let ports = |ports: &[Port]| ports.iter().map(|p| p.ty.clone()).collect::<Vec<_>>();
    if ports(&program.inputs) != types(&graph.inputs()) || ports(&program.outputs) != types(&graph.outputs) {
        return Err("the program's inputs or outputs are not the graph's".into());
    }
    if let Some(fault) = program.faults().first() {
        return Err(fault.clone());
    }
    for kernel in program.kernels.values() {
        if let Some(finding) = verify_kernel(kernel, &[Level::Core]).first() {
            return Err(format!("kernel {}: {finding}", kernel.name));
        }
    }
    Ok(())
}

/// Weights of a program's constants, which know the graph's weights by their labels.
fn by_label<'a>(graph: &'a Graph, leaf: Leaf<'a>) -> impl FnMut(NodeId, &Node) -> Result<Tensor, EvalError> + 'a {
    move |_, node| {
        let label = node.label.as_deref().expect("leaves have labels");
        let id = graph.labelled(label).expect("the program keeps labels");
        Ok(leaf(id, graph.node(id)))
    }
}

/// The constants of a program.
pub(crate) fn constants(
    program: &Program<Kernel>,
    weight: &mut dyn FnMut(NodeId, &Node) -> Result<Tensor, EvalError>,
) -> Result<Constants, String> {
    let mut constants = vec![0u8; program.constant_bytes as usize];
    for constant in &program.constants {
        let values = constant_values(program, constant, weight).map_err(|e| e.to_string())?;
        let buffer = &program.buffers[constant.buffer];
        let Storage::Constant(at) = buffer.storage else { return Err(format!("{} is not a constant", buffer.name)) };
        let bytes = encode(buffer.dtype, &values);
        constants[at as usize..][..bytes.len()].copy_from_slice(&bytes);
    }
    Constants::copy(&constants).map_err(|e| e.to_string())
}

/// The outputs of a session for these inputs.
pub(crate) fn run<D: Device>(session: &Session<D>, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
    let given: Vec<Vec<u8>> = inputs.iter().map(|t| encode(t.ty.dtype, &t.data)).collect();
    let ports = &session.program().outputs;
    let mut taken: Vec<Vec<u8>> = ports.iter().map(|p| vec![0xA5; p.ty.bytes()]).collect();
    session
        .run(
            &given.iter().map(Vec::as_slice).collect::<Vec<_>>(),
            &mut taken.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>(),
        )
        .map_err(|e| e.to_string())?;
    let value = |(p, bytes): (&Port, Vec<u8>)| Tensor::new(p.ty.clone(), decode(p.ty.dtype, &bytes));
    Ok(ports.iter().zip(taken).map(value).collect())
}

/// Values as memory holds them.
fn encode(dtype: DType, values: &[f64]) -> Vec<u8> {
    let bytes = |v: &f64| match dtype {
        DType::F32 => (*v as f32).to_le_bytes().to_vec(),
        DType::Bf16 => half::bf16::from_f64(*v).to_le_bytes().to_vec(),
        DType::F16 => half::f16::from_f64(*v).to_le_bytes().to_vec(),
        DType::I32 => (*v as i32).to_le_bytes().to_vec(),
        DType::Bool => vec![u8::from(*v != 0.0)],
    };
    values.iter().flat_map(bytes).collect()
}

fn decode(dtype: DType, bytes: &[u8]) -> Vec<f64> {
    let word = |b: &[u8]| [b[0], b[1], b[2], b[3]];
    let value = |b: &[u8]| match dtype {
        DType::F32 => f64::from(f32::from_le_bytes(word(b))),
        DType::Bf16 => half::bf16::from_le_bytes([b[0], b[1]]).to_f64(),
        DType::F16 => half::f16::from_le_bytes([b[0], b[1]]).to_f64(),
        DType::I32 => f64::from(i32::from_le_bytes(word(b))),
        DType::Bool => f64::from(b[0]),
    };
    bytes.chunks(dtype.bytes()).map(value).collect()
}

/// What an output loses where it is stored, relative to its value: half the distance of neighbours in a half type.
fn rounding(dtype: DType) -> f64 {
    match dtype {
        DType::Bf16 => 2f64.powi(-8),
        DType::F16 => 2f64.powi(-11),
        DType::F32 | DType::I32 | DType::Bool => 0.0,
    }
}

/// Whether every element differs by at most `tolerance` of the largest, at least 1, and what it loses where it is stored.
fn near(wanted: &Tensor, found: &Tensor, tolerance: f64, rounding: f64) -> Result<(), String> {
    let tolerance = if wanted.ty.dtype.is_float() { tolerance } else { 0.0 };
    let largest = wanted.data.iter().filter(|x| x.is_finite()).fold(1.0, |m: f64, x| m.max(x.abs()));
    let close = |w: f64, f: f64| {
        w == f || (w.is_nan() && f.is_nan()) || (w - f).abs() <= tolerance * largest + rounding * w.abs()
    };
    differences(wanted, found, close)
}

/// Whether the bits are equal, all NaNs being one.
fn same(wanted: &Tensor, found: &Tensor) -> Result<(), String> {
    differences(wanted, found, |w, f| w.to_bits() == f.to_bits() || (w.is_nan() && f.is_nan()))
}

fn differences(wanted: &Tensor, found: &Tensor, equal: impl Fn(f64, f64) -> bool) -> Result<(), String> {
    if wanted.ty != found.ty {
        return Err(format!("is {}, expected {}", found.ty, wanted.ty));
    }
    let pairs = wanted.data.iter().zip(&found.data).enumerate();
    let wrong: Vec<String> = pairs
        .filter(|(_, (w, f))| !equal(**w, **f))
        .map(|(i, (w, f))| format!("[{i}] is {f:?}, expected {w:?}"))
        .collect();
    match wrong.first() {
        None => Ok(()),
        Some(first) => Err(format!("{first} ({} of {} elements differ)", wrong.len(), wanted.data.len())),
    }
}

/// Whether the graph has functions that kernels compute by polynomials made for f32.
fn approximates(graph: &Graph) -> bool {
    graph.nodes.iter().any(|(id, node)| match &node.op {
        Op::Unary(u) => transcendental(u.op),
        Op::Binary(b) => b.op == BinaryOp::Pow,
        op => match op.defined(&graph.operand_types(id)) {
            Some(definition) => approximates(&definition.expect("operands that fit")),
            None => false,
        },
    })
}

fn transcendental(op: UnaryOp) -> bool {
    use UnaryOp::{Cos, Erf, Exp, Log, Sigmoid, Sin, Tanh};
    matches!(op, Exp | Log | Erf | Tanh | Sigmoid | Sin | Cos)
}

/// Whether a jump (floor, comparison, conversion to an integer) depends on a real number that rounding may move.
pub(crate) fn decides(graph: &Graph) -> bool {
    let mut rounded: IdVec<NodeId, bool> = IdVec::new();
    for node in graph.nodes.values() {
        let below = node.operands.iter().any(|&o| rounded[o]);
        let real = node.operands.iter().any(|&o| graph.ty(o).dtype.is_float());
        let jumps = match &node.op {
            Op::Unary(u) => matches!(u.op, UnaryOp::Floor | UnaryOp::Round),
            Op::Binary(b) => matches!(b.op, BinaryOp::Lt | BinaryOp::Le | BinaryOp::Eq | BinaryOp::Rem),
            Op::Cast(c) => !c.to.is_float(),
            Op::Argmax(_) | Op::TopK(_) => true,
            _ => false,
        };
        if (below && real && jumps) || matches!(node.op, Op::Route(_)) {
            return true;
        }
        let narrow = matches!(node.ty.dtype, DType::Bf16 | DType::F16);
        let rounds = match &node.op {
            Op::Unary(_) | Op::Binary(_) | Op::Reduce(_) if narrow => true,
            Op::Unary(u) => transcendental(u.op) || matches!(u.op, UnaryOp::Rsqrt | UnaryOp::Recip | UnaryOp::Sqrt),
            Op::Binary(b) => real && matches!(b.op, BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem | BinaryOp::Pow),
            Op::Reduce(r) => r.op == ReduceOp::Mean,
            Op::Cast(_) => narrow,
            // Movement and choices keep every bit.
            Op::MaxPool(_) | Op::RelativeBias(_) | Op::DistanceBias(_) => false,
            op if op.is_composite() => true,
            _ => false,
        };
        rounded.push(node.ty.dtype.is_float() && (below || rounds));
    }
    false
}
