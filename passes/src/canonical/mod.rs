//! Canonical form: the few kinds of node that the optimiser and lowering speak about.
//!
//! ```text
//!   layer norm, attention, softmax…   ─inline─▶  their definitions
//!   reshape, transpose, roll, slice…  ─sink───▶  view, in normal form, composed
//!   implicit broadcast                ─sink───▶  view
//!   concat                            ─sink───▶  select over padded views
//!   view(pointwise(a, b))             ─sink───▶  pointwise(view a, view b)
//! ```
//!
//! A map between two convolutions, `[B, C, H, W]` by name, is computed with channels last: `layout` says which pointwise
//! nodes lie in memory in another order than their axes have.
//!
//! Afterwards a pointwise node's operands all have its own shape, and movement stands only directly above
//! a leaf or an anchor (product, reduction, attend, gather). Equal movement is then equal data: rules can
//! ignore it, and a kernel can read any operand through one index map.

mod inline;
mod layout;
mod sink;

pub use inline::{Inlined, inline};
pub(crate) use sink::{sink, sink_traced};

use crate::{error::Error, step::RewriteStep};
use regard_ir::{
    graph::{Graph, NodeId},
    id::IdVec,
    ops::{BinaryOp, Op, UnaryOp},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Deref,
};

/// Whether the op computes each element from the elements at the same position of its operands.
pub(crate) fn is_pointwise(op: &Op) -> bool {
    matches!(op, Op::Unary(_) | Op::Binary(_) | Op::Select(_) | Op::Cast(_) | Op::Gelu(_))
}

/// Whether the op is worth a kernel of its own and must never be computed twice.
pub(crate) fn is_heavy(op: &Op) -> bool {
    matches!(op, Op::MatMul(_) | Op::Scores(_) | Op::Attend(_) | Op::Attention(_))
}

/// Whether the op takes so long per element that no element is computed twice.
pub(crate) fn is_costly(op: &Op) -> bool {
    use UnaryOp::{Cos, Erf, Exp, Log, Sigmoid, Sin, Tanh};
    match op {
        Op::Gelu(_) => true,
        Op::Unary(u) => matches!(u.op, Exp | Log | Erf | Tanh | Sigmoid | Sin | Cos),
        Op::Binary(b) => b.op == BinaryOp::Pow,
        _ => false,
    }
}

/// What rules speak about in addition to primitives.
pub(crate) fn has_rules(op: &Op) -> bool {
    matches!(op, Op::MatMul(_) | Op::Softmax(_) | Op::Scores(_) | Op::Attend(_) | Op::Gelu(_))
}

/// A graph in canonical form; ops that rules speak about, softmax, scores and attend among them, are still nodes. The
/// optimiser gives one, and planning takes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical(Graph);

impl Canonical {
    /// Brings a graph into canonical form.
    ///
    /// # Errors
    /// Where the graph is broken.
    pub fn of(graph: &Graph) -> Result<Self, Error> {
        Self::sunk(&inline(graph, &|id| has_rules(&graph.nodes[id].op), &has_rules)?.graph)
    }
    /// The same for a graph that has no composites left but those that rules speak about.
    pub(crate) fn sunk(graph: &Graph) -> Result<Self, Error> {
        Ok(Self(sink(graph)?))
    }
    /// Names a node.
    pub(crate) fn set_label(&mut self, node: NodeId, label: String) {
        self.0.set_label(node, label);
    }
}

impl Deref for Canonical {
    type Target = Graph;
    fn deref(&self) -> &Graph {
        &self.0
    }
}

impl fmt::Display for Canonical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Canonical> for Graph {
    fn from(canonical: Canonical) -> Graph {
        canonical.0
    }
}

/// Most scores of one head that a kernel keeps: 4 MiB of scratch for each direction.
const MOST_SCORES: usize = 1 << 20;

/// Whether attention has a kernel: a softmax over queries keeps all scores of a head.
fn has_kernel(graph: &Graph, attend: NodeId) -> bool {
    let node = &graph.nodes[attend];
    let per_head = |shape: &[usize]| shape[shape.len() - 2..].iter().product::<usize>();
    match &node.op {
        Op::Attend(a) => a.axis == -1 || per_head(&graph.ty(node.operands[0]).shape) <= MOST_SCORES,
        _ => false,
    }
}

/// The graph as kernels compute it: attend stays where it has one, with the scores below it; all else is inlined. Also
/// returns the definitions that it puts in place of ops.
///
/// # Errors
/// Where the graph is broken.
pub fn for_kernels(graph: &Canonical) -> Result<(Graph, Vec<RewriteStep>), Error> {
    let compared = used_only_in_comparisons(graph);
    let choices = inline(graph, &|id| !compared.contains(&id), &|_| false)?;
    let keep = has_kernels(&choices.graph);
    let inlined = inline(&choices.graph, &keep, &|op| matches!(op, Op::MatMul(_) | Op::Gelu(_)))?;
    Ok((sink(&inlined.graph)?, [choices.steps, inlined.steps].concat()))
}

/// The nodes that [`for_kernels`] leaves as they are.
fn has_kernels(graph: &Graph) -> impl Fn(NodeId) -> bool + use<'_> {
    let fused: BTreeSet<NodeId> = scores_of_attends(graph, &|_| false).into_values().collect();
    move |id: NodeId| match &graph.nodes[id].op {
        Op::Scores(_) => fused.contains(&id),
        Op::Attend(_) => has_kernel(graph, id),
        Op::MatMul(_) | Op::Gelu(_) => true,
        _ => false,
    }
}

/// Fewest rows of a kernel that computes several row programs after one another: fewer would keep other cores idle.
pub(crate) const FEWEST_ROWS: usize = 16;
/// Most elements that all rows of a product read again and again, where it is a row program.
const MOST_COMPARED: usize = 1 << 16;

/// Matmuls whose results are only compared: routing logits. They are small, and as row programs they are part of the one
/// that chooses.
fn used_only_in_comparisons(graph: &Graph) -> BTreeSet<NodeId> {
    let constant = graph.constants();
    let mut only: IdVec<NodeId, bool> = graph.nodes.values().map(|_| true).collect();
    graph.outputs.iter().for_each(|&output| only[output] = false);
    let mut found = BTreeSet::new();
    for (id, node) in graph.nodes.iter().rev() {
        let compares = matches!(&node.op, Op::Binary(b) if matches!(b.op, BinaryOp::Lt | BinaryOp::Le | BinaryOp::Eq));
        let passes = compares || (only[id] && matches!(node.op, Op::ViewOp(_)));
        node.operands.iter().for_each(|&operand| only[operand] &= passes);
        if only[id] && matches!(node.op, Op::Scores(_) | Op::MatMul(_)) && !node.operands.iter().any(|&o| constant[o]) {
            let rows: usize = node.ty.shape[..node.ty.rank() - 1].iter().product();
            let columns: usize = graph.ty(node.operands[1]).shape.iter().rev().take(2).product();
            if rows >= FEWEST_ROWS && columns <= MOST_COMPARED {
                found.insert(id);
            }
        }
    }
    found
}

/// Canonical form by definitions alone: everything is a map, a reduction, a gather or movement, products too.
pub(crate) fn for_rows(graph: &Graph) -> Result<Graph, Error> {
    let keep = |op: &Op| matches!(op, Op::Gelu(_));
    sink(&inline(graph, &|id| keep(&graph.nodes[id].op), &keep)?.graph)
}

/// The `scores` node that each `attend` can compute itself: reached through pointwise nodes that serve attention
/// only and that are not in memory anyway. Where several attends read the same scores, each computes them: that
/// takes less than their way through memory.
pub(crate) fn scores_of_attends(graph: &Graph, in_memory: &dyn Fn(NodeId) -> bool) -> BTreeMap<NodeId, NodeId> {
    let attends: Vec<NodeId> = graph.nodes.ids().filter(|&id| has_kernel(graph, id)).collect();
    if attends.is_empty() {
        return BTreeMap::new();
    }
    let serves = feeds_only_attend(graph);
    let below = |id: NodeId| Some((id, scores_below(graph, id, &|below| serves[below] && !in_memory(below))?));
    attends.into_iter().filter_map(below).collect()
}

/// The scores that an attend reaches through nodes that are not in the way.
fn scores_below(graph: &Graph, attend: NodeId, passes: &dyn Fn(NodeId) -> bool) -> Option<NodeId> {
    let mut found = None;
    let mut seen = BTreeSet::new();
    let mut work = vec![graph.nodes[attend].operands[0]];
    while let Some(id) = work.pop() {
        if !passes(id) || !seen.insert(id) {
            continue;
        }
        match &graph.nodes[id].op {
            Op::Scores(_) if found.is_none_or(|f| f == id) => found = Some(id),
            op if is_pointwise(op) => work.extend(&graph.nodes[id].operands),
            _ => {}
        }
    }
    found
}

/// Nodes whose every use ends in the scores of an attend, each used once on the way to them.
fn feeds_only_attend(graph: &Graph) -> IdVec<NodeId, bool> {
    let uses = graph.use_counts();
    let mut good: IdVec<NodeId, usize> = graph.nodes.values().map(|_| 0).collect();
    for (id, node) in graph.nodes.iter().rev() {
        match &node.op {
            Op::Attend(_) if has_kernel(graph, id) && node.operands[0] != node.operands[1] => {
                good[node.operands[0]] += 1;
            }
            op if is_pointwise(op) && uses[id] > 0 && good[id] == uses[id] => {
                node.operands.iter().for_each(|&o| good[o] += 1);
            }
            _ => {}
        }
    }
    graph.nodes.ids().map(|id| uses[id] > 0 && good[id] == uses[id]).collect()
}
