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
//! Only views that move the lanes, the last axis, count: others cost a kernel nothing.

use super::{is_heavy, is_pointwise};
use regard_ir::{
    graph::{Graph, NodeId},
    id::IdVec,
    ops::Op,
    view::View,
};

/// Another order of a node's elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
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
    /// Whether neighbours on the node's last axis are no neighbours in memory.
    fn moves_lanes(&self) -> bool {
        let last = self.read.shape.len() - 1;
        let unit =
            |d: &regard_ir::view::Digit, stride: usize| d.axis == last && d.div == 1 && d.mul * stride as i64 == 1;
        self.read.shape[last] > 1 && !self.read.coords.iter().any(|c| c.digits.iter().any(|d| unit(d, c.stride)))
    }
}

/// The layout of every pointwise node that has one.
pub fn layouts(graph: &Graph) -> IdVec<NodeId, Option<Layout>> {
    let constant = graph.constants();
    // How each node lies in memory, also where that costs nothing; none where there is no saying.
    let mut orders: IdVec<NodeId, Option<Layout>> = IdVec::new();
    let mut layouts: IdVec<NodeId, Option<Layout>> = IdVec::new();
    for (id, node) in graph.nodes.iter() {
        let order = if constant[id] { None } else { order(graph, id, &orders) };
        let layout = order.clone().filter(|order| is_pointwise(&node.op) && order.moves_lanes());
        orders.push(if is_pointwise(&node.op) { layout.clone() } else { order });
        layouts.push(layout);
    }
    layouts
}

fn order(graph: &Graph, id: NodeId, orders: &IdVec<NodeId, Option<Layout>>) -> Option<Layout> {
    let node = &graph.nodes[id];
    let shape = &node.ty.shape;
    if is_heavy(&node.op) || matches!(node.op, Op::Reduce(_) | Op::Gather(_)) {
        let whole = View::identity(shape);
        return (!shape.is_empty()).then(|| Layout { read: whole.clone(), write: whole });
    }
    let first = *node.operands.first()?;
    if let Some(view) = View::of_op(&node.op, graph.ty(first)) {
        let below = orders[first].as_ref()?;
        return if shape.is_empty() { None } else { Layout::new(below.read.then(&view)?, &below.write.shape) };
    }
    let fits = |o: &&NodeId| graph.ty(**o).shape == *shape && orders[**o].as_ref().is_some_and(Layout::moves_lanes);
    is_pointwise(&node.op).then(|| node.operands.iter().find(fits)).flatten().and_then(|&o| orders[o].clone())
}
