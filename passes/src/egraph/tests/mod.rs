//! Rules against the interpreter, and the optimiser against the graph it was given.

mod dense;
mod extraction;
mod mutants;
mod raises;
mod range;
mod rules;
mod values;

use super::{Optimized, Rules, optimize};
use regard_ir::{
    graph::{Graph, Node, NodeId, Tensor, eval},
    ops::Op,
    target::Target,
    types::DType,
};
use std::collections::BTreeMap;

fn target() -> &'static Target {
    Target::named("x86-64-v4").expect("the first row")
}

/// By rules alone: merging parallel products has its own tests.
fn optimized(graph: &Graph) -> Optimized {
    let rules = Rules { without: vec![crate::horizontal_fusion::RULE.into()], ..Rules::default() };
    optimize(graph, target(), &rules).unwrap_or_else(|e| panic!("{e}\n{graph}"))
}

/// The values of both graphs' outputs, with leaves made from their labels.
fn values(graph: &Graph, leaf: &dyn Fn(&Node) -> Tensor) -> Vec<Tensor> {
    let mut leaf = |_: NodeId, node: &Node| Ok(leaf(node));
    eval(graph, &mut leaf).unwrap_or_else(|e| panic!("{e}\n{graph}"))
}

/// Numbers in −1…1, integers in 0…3, truth values, that depend on the label and the seed.
fn noise(seed: u64) -> impl Fn(&Node) -> Tensor {
    move |node| {
        let label = node.label.as_deref().unwrap_or_default();
        let mut state = label.bytes().fold(seed | 1, |s, b| s.wrapping_mul(0x100_0000_01b3) ^ u64::from(b));
        Tensor::from_fn(node.ty.clone(), |_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let random = state >> 40;
            match node.ty.dtype {
                DType::I32 => (random % 4) as f64,
                DType::Bool => (random % 2) as f64,
                _ => (random % 257) as f64 / 128.0 - 1.0,
            }
        })
    }
}

/// How often each op stands in a graph, leaves and views not counted.
fn ops(graph: &Graph) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    let constant = graph.constants();
    for (id, node) in graph.nodes.iter() {
        if !constant[id] && !matches!(node.op, Op::Input(_) | Op::ViewOp(_)) {
            *counts.entry(node.op.name()).or_insert(0) += 1;
        }
    }
    counts
}

/// Asserts that optimising keeps the values, and returns the result.
fn checked(graph: &Graph, seed: u64) -> Optimized {
    let best = optimized(graph);
    let leaf = noise(seed);
    let (before, after) = (values(graph, &leaf), values(&best.graph, &leaf));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.ty, after.ty, "{graph}\n{}", best.graph);
        for (x, y) in before.data.iter().zip(&after.data) {
            let close = (x.is_nan() && y.is_nan()) || x == y || (x - y).abs() <= 1e-9 * (1.0 + x.abs());
            assert!(close, "{x} became {y}\n{graph}\n{}", best.graph);
        }
    }
    best
}
