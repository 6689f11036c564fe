//! Work that several groups would do: a reduction or a transcendental function read by two of them.
//!
//! ```text
//!             ┌─▶ mean ─┐                                 the groups share everything below y, and y is all
//!   x ────────┼─▶ var ──┼─▶ · ─▶ y ─┬─▶ group a           that they read of it: y goes to memory, once
//!             └─────────┘           └─▶ group b
//! ```
//!
//! Where they read several values of what they share, or one that is larger than what it is made of, the costly
//! node itself goes to memory.

use super::Group;
use crate::core;
use regard_ir::{
    graph::{Graph, Node, NodeId},
    id::IdVec,
    ops::Op,
};
use std::collections::{BTreeMap, BTreeSet};

/// Nodes to put in memory, so that no group repeats another's costly work.
pub(super) fn recomputed(graph: &Graph, groups: &[Group], forced: &IdVec<NodeId, bool>) -> BTreeSet<NodeId> {
    let roots: BTreeSet<NodeId> = groups.iter().map(|g| g.root).collect();
    let constant = graph.constants();
    let outside = |id: NodeId| roots.contains(&id) || forced[id] || constant[id];
    let inside: Vec<BTreeSet<NodeId>> = groups.iter().map(|group| below(graph, group.root, &outside)).collect();
    let mut owner: BTreeMap<NodeId, usize> = BTreeMap::new();
    let mut cuts = BTreeSet::new();
    for (index, nodes) in inside.iter().enumerate() {
        for &id in nodes.iter().filter(|&&id| is_costly(&graph.nodes[id])) {
            if let Some(&other) = owner.get(&id) {
                let pair = [(groups[other].root, &inside[other]), (groups[index].root, nodes)];
                cuts.insert(border(graph, id, pair));
            }
            owner.entry(id).or_insert(index);
        }
    }
    cuts
}

/// What a group computes but its root.
fn below(graph: &Graph, root: NodeId, outside: &dyn Fn(NodeId) -> bool) -> BTreeSet<NodeId> {
    let mut work = graph.nodes[root].operands.clone();
    let mut seen = BTreeSet::new();
    while let Some(id) = work.pop() {
        if !outside(id) && seen.insert(id) {
            work.extend(&graph.nodes[id].operands);
        }
    }
    seen
}

fn is_costly(node: &Node) -> bool {
    core::is_costly(&node.op) || matches!(node.op, Op::Reduce(_))
}

/// The one value made of `costly` through which both groups read what they share, or else `costly`.
fn border(graph: &Graph, costly: NodeId, pair: [(NodeId, &BTreeSet<NodeId>); 2]) -> NodeId {
    let shared: BTreeSet<NodeId> = pair[0].1.intersection(pair[1].1).copied().collect();
    // Operands come first, so one pass finds what is made of the costly node.
    let mut above = BTreeSet::from([costly]);
    for &id in shared.range(costly..) {
        if graph.nodes[id].operands.iter().any(|o| above.contains(o)) {
            above.insert(id);
        }
    }
    let users = pair.iter().flat_map(|(root, nodes)| nodes.iter().chain([root])).filter(|id| !shared.contains(id));
    let read: BTreeSet<NodeId> =
        users.flat_map(|&user| &graph.nodes[user].operands).filter(|o| above.contains(o)).copied().collect();
    let source = graph.nodes[costly].operands.first().map_or(0, |&o| graph.ty(o).elements());
    let [Some(&border), None] = [read.first(), read.iter().nth(1)] else { return costly };
    let is_view = matches!(graph.nodes[border].op, Op::ViewOp(_));
    if !is_view && graph.ty(border).elements() <= source { border } else { costly }
}
