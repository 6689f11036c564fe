//! Work that several groups would do: a reduction or a transcendental function read by two of them.
//!
//! ```text
//!             ┌─▶ mean ─┐                                 the groups share everything below y, and y is all
//!   x ────────┼─▶ var ──┼─▶ · ─▶ y ─┬─▶ group a           that they read of it: y goes to memory, once
//!             └─────────┘           └─▶ group b
//! ```
//!
//! So does a long cheap expression that many groups would compute.
//!
//! Where they read several values of what they share, or one that is larger than what it is made of, the costly
//! node itself goes to memory.

use crate::canonical;
use regard_ir::{
    graph::{Graph, Node, NodeId},
    id::IdVec,
    ops::Op,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

/// The roots of groups, and their anchors.
type Roots = BTreeMap<NodeId, Option<NodeId>>;

/// Most nodes that are looked at for borders, as a multiple of the nodes of the graph.
const MOST_WORK: usize = 256;
/// Most nodes that all groups compute together, as a multiple of the nodes of the graph.
const MOST_REPEATED: usize = 4;
/// Fewest groups that compute a node, and fewest nodes that it is made of, where it then goes to memory.
const MANY: usize = 8;

/// Up to how many groups that compute a node are told apart.
const MOST_TOLD_APART: usize = 64;

/// How many groups compute each node; more than can be told apart count as all.
fn groups_of(graph: &Graph, roots: &Roots, outside: &dyn Fn(NodeId) -> bool) -> IdVec<NodeId, usize> {
    let mut groups: IdVec<NodeId, BTreeSet<NodeId>> = graph.nodes.values().map(|_| BTreeSet::new()).collect();
    let mut counts: IdVec<NodeId, usize> = graph.nodes.values().map(|_| 0).collect();
    for (id, node) in graph.nodes.iter().rev() {
        let mut own = mem::take(&mut groups[id]);
        counts[id] = if own.len() < MOST_TOLD_APART { own.len() } else { roots.len() };
        if roots.contains_key(&id) {
            own.insert(id);
        }
        for &operand in node.operands.iter().filter(|&&operand| !own.is_empty() && !outside(operand)) {
            if groups[operand].len() < MOST_TOLD_APART {
                groups[operand].extend(&own);
            }
        }
    }
    counts
}

/// Long cheap expressions that many groups compute, where these are most of what is computed: with a group for each node
/// above such an expression, kernels would together grow with the square of the graph.
pub(super) fn repeated(
    graph: &Graph,
    constant: &IdVec<NodeId, bool>,
    roots: &Roots,
    forced: &IdVec<NodeId, bool>,
) -> BTreeSet<NodeId> {
    let groups = groups_of(graph, roots, &|id| roots.contains_key(&id) || forced[id] || constant[id]);
    if groups.values().sum::<usize>() <= MOST_REPEATED * graph.nodes.len() {
        return BTreeSet::new();
    }
    let mut made_of: IdVec<NodeId, usize> = graph.nodes.values().map(|_| 0).collect();
    for (id, node) in graph.nodes.iter().filter(|&(id, _)| groups[id] > 0) {
        made_of[id] = node.operands.iter().fold(1usize, |sum, &o| sum.saturating_add(made_of[o]));
    }
    let long = |id: NodeId| groups[id] >= MANY && made_of[id] >= MANY && !matches!(graph.nodes[id].op, Op::ViewOp(_));
    // The uppermost of them: what reads it is computed by few groups.
    let computed = |id: NodeId| groups[id] > 0 || roots.contains_key(&id);
    let users = graph.nodes.iter().filter(|&(id, _)| computed(id) && !long(id));
    users.flat_map(|(_, node)| &node.operands).copied().filter(|&operand| long(operand)).collect()
}

/// Nodes to put in memory, so that no group repeats another's costly work.
pub(super) fn recomputed(
    graph: &Graph,
    constant: &IdVec<NodeId, bool>,
    roots: &Roots,
    forced: &IdVec<NodeId, bool>,
) -> BTreeSet<NodeId> {
    let missing = repeated(graph, constant, roots, forced);
    if !missing.is_empty() {
        return missing;
    }
    let outside = |id: NodeId| roots.contains_key(&id) || forced[id] || constant[id];
    let roots: Vec<NodeId> = roots.keys().copied().collect();
    let inside: Vec<BTreeSet<NodeId>> = roots.iter().map(|&root| graph.inside(root, &outside)).collect();
    let mut owner: BTreeMap<NodeId, usize> = BTreeMap::new();
    let (mut missing, mut work) = (BTreeSet::new(), 0);
    for (index, nodes) in inside.iter().enumerate() {
        for &id in nodes.iter().filter(|&&id| is_costly(&graph.nodes[id])) {
            if let Some(&other) = owner.get(&id) {
                let pair = [(roots[other], &inside[other]), (roots[index], nodes)];
                work += pair[0].1.len() + pair[1].1.len();
                missing.insert(if work <= MOST_WORK * graph.nodes.len() { border(graph, id, pair) } else { id });
            }
            owner.entry(id).or_insert(index);
        }
    }
    missing
}

fn is_costly(node: &Node) -> bool {
    canonical::is_costly(&node.op) || matches!(node.op, Op::Reduce(_))
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
