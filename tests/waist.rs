//! The narrow waist: one builder makes a kernel at any lane count, and every back end computes the same bits.
//!
//! ```text
//!   graph ─plan, lower─▶ kernel of 4, 8, 16, 32 lanes ─┬─ interpreter
//!                                                      ├─ Cranelift, 128 bits at a time    any lanes
//!                                                      └─ wide x86-64                      8 and 16 lanes
//! ```
//!
//! Two kernels that hold most of what attention models do: a product with bias and GELU whose sizes divide
//! nothing, and window attention over 49 tokens with a bias. Random kernels go the same ways in
//! `kernels_native` and `kernels_wide`; all of it goes to warps of 32 lanes as PTX in `ptx`.

mod common;

use common::{agree, cranelift_targets, runs_here, without_fma};
use regard_codegen::native::{cranelift, wide};
use regard_ir::{
    graph::{Graph, Tensor, eval},
    kernel::Kernel,
    program::{Program, interpret},
    target::{Backend, Target},
    text,
};
use regard_passes::{Canonical, Schedule, lower, plan};
use regard_testkit::graphs;

const LANES: [u32; 4] = [4, 8, 16, 32];

fn product() -> Graph {
    text::parse(
        "graph product {
            %x = input : f32[37, 50]
            %w = weight : f32[45, 50]
            %b = weight : f32[45]
            %t = transpose %w { order = [-1, -2] }
            %p = matmul %x, %t
            %s = add %p, %b
            %y = gelu %s
            return %y
        }",
    )
    .expect("a graph")
}

fn window_attention() -> Graph {
    text::parse(
        "graph window_attention {
            %q = input : f32[3, 49, 32]
            %k = input : f32[3, 49, 32]
            %v = input : f32[3, 49, 32]
            %bias = weight : f32[3, 49, 49]
            %y = attention %q, %k, %v, %bias { scale = 0.17677669529663687 }
            return %y
        }",
    )
    .expect("a graph")
}

/// The graph's program for cores of `lanes` lanes.
fn lowered(graph: &Graph, lanes: u32) -> Program<Kernel> {
    let target = Target { lanes, backend: Backend::Cranelift, ..Target::ROWS[0] };
    let plan = plan(&Canonical::of(graph).expect("a canonical form"), &target).expect("the graph can be planned");
    lower(&plan, &Schedule::best(&plan, &target), &target).expect("the plan can be lowered")
}

/// Holds every back end that takes `kernel` to the interpreter; returns how many did.
fn back_ends_agree(kernel: &Kernel) -> usize {
    let targets = cranelift_targets();
    for target in &targets {
        let kernel = if target.fma { kernel.clone() } else { without_fma(kernel.clone()) };
        let code = cranelift::emit(&kernel, target).unwrap_or_else(|e| panic!("{}: {e}", target.name));
        agree(&kernel, &code.bytes, 7).unwrap_or_else(|e| panic!("Cranelift for {}: {e}", target.name));
    }
    let wide = |target: &&Target| target.backend == Backend::WideX86 && target.lanes == kernel.lanes;
    let Some(target) = Target::ROWS.iter().find(wide).filter(|target| runs_here(target)) else {
        return targets.len();
    };
    let code = wide::emit(kernel, target).unwrap_or_else(|e| panic!("{e}"));
    agree(kernel, &code.bytes, 7).unwrap_or_else(|e| panic!("wide, {} lanes: {e}", kernel.lanes));
    targets.len() + 1
}

fn same_bits_everywhere(graph: &Graph) {
    for lanes in LANES {
        let program = lowered(graph, lanes);
        assert!(program.kernels.values().all(|k| k.lanes == lanes));
        let back_ends: Vec<usize> = program.kernels.values().map(back_ends_agree).collect();
        println!("{} at {lanes} lanes: {back_ends:?} back ends agree with the interpreter", graph.name);
        assert!(back_ends.iter().all(|&n| n > 0), "no back end for this machine");
    }
}

/// The kernels of every lane count compute the graph: in f64 up to the polynomial of exp or erf.
fn same_values_everywhere(graph: &Graph) {
    let value = |label: &str| {
        let id = graph.labelled(label).expect("a leaf of the graph");
        graphs::leaf(5, id, graph.ty(id))
    };
    let leaf = |graph: &Graph, id| value(&graph.text_name(id));
    let reference = eval(graph, &mut |id, _| Ok(leaf(graph, id))).expect("the graph has a value");
    let inputs: Vec<Tensor> = graph.inputs().iter().map(|&id| leaf(graph, id)).collect();
    for lanes in LANES {
        let program = lowered(graph, lanes);
        let found = interpret(&program, &mut |id, _| Ok(leaf(&program.constant_graph, id)), &inputs);
        let found = found.unwrap_or_else(|e| panic!("{lanes} lanes: {e}"));
        for (i, (wanted, found)) in reference[0].data.iter().zip(&found[0].data).enumerate() {
            assert!((wanted - found).abs() < 1e-6, "{lanes} lanes: [{i}] is {found}, expected {wanted}");
        }
    }
}

#[test]
fn products_that_divide_nothing_have_the_same_bits_everywhere() {
    same_bits_everywhere(&product());
}
#[test]
fn products_that_divide_nothing_have_the_same_values_everywhere() {
    same_values_everywhere(&product());
}
#[test]
fn window_attention_has_the_same_bits_everywhere() {
    same_bits_everywhere(&window_attention());
}
#[test]
fn window_attention_has_the_same_values_everywhere() {
    same_values_everywhere(&window_attention());
}
