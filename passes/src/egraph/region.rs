//! Regions: the pieces of a graph that are optimised one at a time.
//!
//! The graph is cut at residual sums with several readers, and at a pointwise node with several readers after a sum, so
//! a region is about one block, and equal blocks are one problem:
//!
//! ```text
//!   x ─┬─ LN ─ qkv ─ attend ─ proj ─ (+) ─┬─ LN ─ fc1 ─ gelu ─ fc2 ─ (+) ─┬─
//!      └──────────────────────────────┘   └───────────────────────────┘
//!        ────────── region ──────────────   ──────── region ───────────
//! ```
//!
//! A region computes its one root from leaves: inputs, roots of other regions, constants. A node whose users lie
//! in several regions is a root of its own, unless it is a number or a view, which cost nothing and are in all of
//! them. Computed constants are leaves; their definitions are not part of the region.
//!
//! Before canonical form a region is a convolution with the concat and resize nodes that it reads.

use super::term::{Leaf, Term, encode};
use crate::canonical::is_pointwise;
use egg::{Id, RecExpr};
use regard_ir::{
    graph::{Graph, NodeId},
    id::IdVec,
    ops::{BinaryOp, Op},
};
use std::collections::{BTreeMap, BTreeSet};

/// Most nodes of a region; further ones start regions of their own.
const LARGEST: usize = 200;

/// A piece of a graph.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    /// The node it computes.
    pub root: NodeId,
    /// Its nodes, operands first, in an order that depends on its structure alone; the root is the last.
    pub nodes: Vec<NodeId>,
    /// What it reads, in order of first use.
    pub leaves: Vec<NodeId>,
    /// The same as terms.
    pub problem: RegionTerm,
}

/// What is to be optimised; equal regions have equal problems.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RegionTerm {
    /// The terms; the root is the last.
    pub expr: RecExpr<Term>,
    /// The leaves.
    pub leaves: Vec<Leaf>,
    /// The term of each node.
    pub terms: Vec<Id>,
}

/// The regions of a graph in canonical form, each after those that it reads.
pub(crate) fn regions(graph: &Graph) -> Vec<Region> {
    let constant = graph.constants();
    let homes = homes(graph, &constant);
    let is_root = |id: NodeId| homes[id].len() == 1 && homes[id].contains(&id);
    let outside = |root: NodeId, id: NodeId| match &graph.nodes[id].op {
        Op::Input(_) => true,
        Op::Const(_) | Op::ViewOp(_) => !constant[id] && id != root && is_root(id),
        _ => constant[id] || (id != root && is_root(id)),
    };
    graph.nodes.ids().filter(|&id| is_root(id)).map(|root| region(graph, root, &constant, &outside)).collect()
}

/// The regions of a graph as written in which dense heads meet; each has two nodes at least.
pub(crate) fn dense_regions(graph: &Graph) -> Vec<Region> {
    let constant = graph.constants();
    let inside = |id: NodeId| {
        let dense = matches!(
            graph.nodes[id].op,
            Op::Conv2d(_) | Op::Resize(_) | Op::Concat(_) | Op::Argmax(_) | Op::Softmax(_)
        );
        dense && !constant[id]
    };
    // The node that reads a value; `None` where several do, or an output is read by nobody.
    let mut reader: IdVec<NodeId, Option<NodeId>> = graph.nodes.values().map(|_| None).collect();
    let uses = graph.use_counts();
    graph.nodes.iter().for_each(|(id, node)| node.operands.iter().for_each(|&o| reader[o] = Some(id)));
    let is_output = outputs(graph);
    let is_root = |id: NodeId| {
        let alone = uses[id] == 1 && !is_output[id];
        inside(id) && !(alone && reader[id].is_some_and(inside))
    };
    let outside = |root: NodeId, id: NodeId| !inside(id) || (id != root && is_root(id));
    let roots = graph.nodes.ids().filter(|&id| is_root(id));
    roots.map(|root| region(graph, root, &constant, &outside)).filter(|region| region.nodes.len() > 1).collect()
}

/// Whether each node is an output.
fn outputs(graph: &Graph) -> IdVec<NodeId, bool> {
    graph.are_outputs()
}

/// The roots of the regions that each node is in.
fn homes(graph: &Graph, constant: &IdVec<NodeId, bool>) -> IdVec<NodeId, BTreeSet<NodeId>> {
    let uses = graph.use_counts();
    let mut homes: IdVec<NodeId, BTreeSet<NodeId>> = graph.nodes.values().map(|_| BTreeSet::new()).collect();
    let mut sizes: BTreeMap<NodeId, usize> = BTreeMap::new();
    let is_output = outputs(graph);
    for id in graph.nodes.ids().rev() {
        let node = &graph.nodes[id];
        if constant[id] || matches!(node.op, Op::Input(_)) || (homes[id].is_empty() && !is_output[id]) {
            continue;
        }
        let free = matches!(node.op, Op::ViewOp(_));
        let full = homes[id].iter().any(|root| sizes[root] >= LARGEST);
        let sum = |id: NodeId| {
            let node = &graph.nodes[id];
            matches!(&node.op, Op::Binary(b) if b.op == BinaryOp::Add) && node.operands.iter().all(|&o| !constant[o])
        };
        let after_sum = is_pointwise(&node.op) && node.operands.iter().any(|&o| uses[o] == 1 && sum(o));
        let residual = uses[id] > 1 && (sum(id) || after_sum);
        if is_output[id] || residual || (!free && (full || homes[id].len() > 1)) {
            homes[id] = BTreeSet::from([id]);
        }
        let here = homes[id].clone();
        here.iter().for_each(|&root| *sizes.entry(root).or_insert(0) += 1);
        for &operand in &node.operands {
            homes[operand].extend(&here);
        }
    }
    homes
}

/// The region of a root; `outside` says what is a leaf of it.
fn region(
    graph: &Graph,
    root: NodeId,
    constant: &IdVec<NodeId, bool>,
    outside: &dyn Fn(NodeId, NodeId) -> bool,
) -> Region {
    let mut problem = RegionTerm { expr: RecExpr::default(), leaves: Vec::new(), terms: Vec::new() };
    let (mut nodes, mut leaves) = (Vec::new(), Vec::new());
    let mut placed: BTreeMap<NodeId, Id> = BTreeMap::new();
    let mut work = vec![(root, false)];
    while let Some((id, ready)) = work.pop() {
        if placed.contains_key(&id) {
            continue;
        }
        let node = &graph.nodes[id];
        let term = if outside(root, id) {
            problem.leaves.push(Leaf { ty: node.ty.clone(), constant: constant[id] });
            leaves.push(id);
            problem.expr.add(Term::Leaf(leaves.len() as u32 - 1))
        } else if ready {
            let operands: Vec<Id> = node.operands.iter().map(|o| placed[o]).collect();
            let term = encode(&mut problem.expr, &node.op, &operands, &node.ty);
            problem.terms.push(term);
            nodes.push(id);
            term
        } else {
            work.push((id, true));
            work.extend(node.operands.iter().rev().map(|&o| (o, false)));
            continue;
        };
        placed.insert(id, term);
    }
    Region { root, nodes, leaves, problem }
}
