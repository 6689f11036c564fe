//! Layouts: the order in which the elements of a pointwise node lie in memory, where it is not that of its axes.
//!
//! A convolution writes `[pixels, channels]` and a view names it `[B, C, H, W]`. What follows, a norm, an activation, a
//! residual sum, is computed in the order in which the product writes, or else something transposes:
//!
//! ```text
//!   matmul ─ view ─ + ─ relu ─ pad ─ unfold ─ matmul          written:  each step in [B, C, H, W]
//!   matmul ─ + ─ relu ─ view · pad · unfold ─ matmul          computed: the view moves up until it meets a view
//! ```
//!
//! Reductions follow in the same way. Only views that move the lanes, the last axis, count: others cost a kernel nothing.

use super::{is_heavy, is_pointwise};
use regard_ir::{
    graph::{Graph, NodeId},
    id::IdVec,
    ops::Op,
    view::View,
};

/// Another order of a node's elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The node as a view of its elements in memory.
    pub read: View,
    /// Its elements in memory as a view of the node.
    pub write: View,
}

impl Layout {
    fn new(read: View, stored: &[usize]) -> Option<Layout> {
        let write = read.inverse()?.with_shape(stored)?;
        Some(Layout { read, write })
    }
    /// The order of axes in memory, where that is another one and all there is to the layout.
    fn axes(&self) -> Option<Vec<usize>> {
        if !self.moves_lanes() {
            return None;
        }
        let coord = self.read.plain()?;
        let step = |axis: usize| coord.digits.iter().filter(|d| d.axis == axis).map(|d| d.mul).max().unwrap_or(0);
        let mut axes: Vec<usize> = (0..self.read.shape.len()).collect();
        axes.sort_by_key(|&axis| std::cmp::Reverse(step(axis)));
        self.read.then(&View::transpose(&self.read.shape, &axes))?.is_flat().then_some(axes)
    }
    /// Whether neighbours on the node's last axis are not neighbours in memory.
    fn moves_lanes(&self) -> bool {
        let last = self.read.shape.len() - 1;
        let unit =
            |d: &regard_ir::view::Digit, stride: usize| d.axis == last && d.div == 1 && d.mul * stride as i64 == 1;
        self.read.shape[last] > 1 && !self.read.coords.iter().any(|c| c.digits.iter().any(|d| unit(d, c.stride)))
    }
}

/// How each node of a graph is computed.
pub(crate) struct Layouts {
    /// The layout of every pointwise node that has one.
    pub pointwise: IdVec<NodeId, Option<Layout>>,
    /// For a reduction whose operand lies in memory in another order of axes: that order, by which the operand is
    /// transposed before it is reduced, so that lanes are neighbours.
    pub reductions: IdVec<NodeId, Option<Vec<usize>>>,
}

/// The layouts of all nodes.
pub(crate) fn layouts(graph: &Graph) -> Layouts {
    let constant = graph.constants();
    // Memory order of each node, orders that are free included; `None` where it is unknown.
    let mut orders: IdVec<NodeId, Option<Layout>> = IdVec::new();
    let mut all = Layouts { pointwise: IdVec::new(), reductions: IdVec::new() };
    for (id, node) in graph.nodes.iter() {
        let reduction = match &node.op {
            Op::Reduce(_) if !constant[id] => orders[node.operands[0]].as_ref().and_then(Layout::axes),
            _ => None,
        };
        let order = if constant[id] { None } else { order(graph, id, &orders, reduction.as_deref()) };
        let layout = order.clone().filter(|order| is_pointwise(&node.op) && order.moves_lanes());
        orders.push(if is_pointwise(&node.op) { layout.clone() } else { order });
        all.pointwise.push(layout);
        all.reductions.push(reduction);
    }
    all
}

fn order(
    graph: &Graph,
    id: NodeId,
    orders: &IdVec<NodeId, Option<Layout>>,
    reduction: Option<&[usize]>,
) -> Option<Layout> {
    let node = &graph.nodes[id];
    let shape = &node.ty.shape;
    if shape.is_empty() {
        return None;
    }
    if let Some(axes) = reduction {
        let stored: Vec<usize> = axes.iter().map(|&a| shape[a]).collect();
        return Layout::new(View::transpose(&stored, &inverse(axes)), &stored);
    }
    if is_heavy(&node.op) || matches!(node.op, Op::Reduce(_) | Op::Gather(_)) {
        let whole = View::identity(shape);
        return Some(Layout { read: whole.clone(), write: whole });
    }
    let first = *node.operands.first()?;
    if let Some(view) = View::of_op(&node.op, graph.ty(first)) {
        let below = orders[first].as_ref()?;
        return Layout::new(below.read.then(&view)?, &below.write.shape);
    }
    let fits = |o: &&NodeId| graph.ty(**o).shape == *shape && orders[**o].as_ref().is_some_and(Layout::moves_lanes);
    is_pointwise(&node.op).then(|| node.operands.iter().find(fits)).flatten().and_then(|&o| orders[o].clone())
}

/// The permutation that undoes one.
pub(crate) fn inverse(axes: &[usize]) -> Vec<usize> {
    let mut back = vec![0; axes.len()];
    axes.iter().enumerate().for_each(|(i, &a)| back[a] = i);
    back
}
