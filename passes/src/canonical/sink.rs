//! Turns movement into views, composes them and sinks them to leaves and anchors.
//!
//! Each node is asked for under a view: `at(node, view)` is the node's value read through the view.
//!
//! ```text
//!   at(movement m of x, v)   = at(x, view(m) then v)            where the two compose
//!   at(a + b, v)             = at(a, v) + at(b, v)              unless several kernels would compute it
//!   at(constant, v)          = the constant in v's shape
//!   at(anchor, v)            = view v of the anchor
//! ```
//!
//! A view that can fall outside its source (pad) does not sink through arithmetic: its fill is a value of
//! the result, not of the operands. A broadcasting view does not sink through expensive pointwise ops or matmul
//! epilogues, which would be recomputed for each copy. Views stop where many of
//! them would meet, since sums of rolled sums would double with every step. Equal nodes are merged on the way.
//!
//! A pointwise node is computed in the [layout](super::layout) that its operands have, and a view stands above it:
//! so maps between convolutions keep their channels last.

use super::{
    is_costly, is_heavy, is_pointwise,
    layout::{Layouts, inverse, layouts},
};
use crate::error::Error;
use regard_ir::{
    graph::{Graph, Node, NodeId, NodeMap},
    id::IdVec,
    ops::{self, BinaryOp, Op},
    types::{DType, Real, TensorType},
    view::View,
};
use std::collections::{HashMap, HashSet};

/// Most views that sink through a node: each makes another copy of it, and of all that is below.
const MOST_VIEWS: usize = 4;

/// The graph in canonical form; `graph` has no composites left but those that stay nodes.
pub(crate) fn sink(graph: &Graph) -> Result<Graph, Error> {
    Ok(sink_traced(graph)?.0)
}

/// The same, and where each node went that is computed there as it was.
pub(crate) fn sink_traced(graph: &Graph) -> Result<(Graph, NodeMap), Error> {
    let mut sink = Sink {
        graph,
        view_barriers: view_barriers(graph),
        products: products(graph),
        layouts: layouts(graph),
        out: Graph::new(graph.name.clone()),
        made: HashMap::new(),
        seen: HashMap::new(),
    };
    for (id, node) in graph.nodes.iter() {
        let new = sink.plain(id)?;
        if let Some(label) = &node.label
            && sink.out.nodes[new].label.is_none()
        {
            sink.out.set_label(new, label.clone());
        }
    }
    let constant = graph.constants();
    let mut taken = HashSet::new();
    for &output in &graph.outputs {
        let mut new = sink.made[&(output, None)];
        if constant[output] || matches!(sink.out.nodes[new].op, Op::Input(_)) || !taken.insert(new) {
            new = sink.copy(new)?;
        }
        sink.out.outputs.push(new);
    }
    let (out, kept) = sink.out.pruned();
    let moved = graph.nodes.ids().map(|id| sink.made.get(&(id, None)).and_then(|&new| kept.get(new))).collect();
    Ok((out, moved))
}

/// Nodes that views stop at: outputs, values that hold a product or reduction and have several users, real
/// constants, which are computed once in their own shape and then read like leaves, and every so often a node of a
/// long chain, so that the walk below never goes deep.
fn view_barriers(graph: &Graph) -> IdVec<NodeId, bool> {
    const DEEPEST: usize = 100;
    let uses = graph.use_counts();
    let constant = graph.constants();
    let is_output = graph.are_outputs();
    let mut costly: IdVec<NodeId, bool> = IdVec::new();
    let mut depths: IdVec<NodeId, usize> = IdVec::new();
    let mut view_barriers: IdVec<NodeId, bool> = IdVec::new();
    for (id, node) in graph.nodes.iter() {
        let anchor = is_heavy(&node.op) || matches!(node.op, Op::Reduce(_) | Op::Softmax(_));
        let holds = anchor || node.operands.iter().any(|&o| costly[o]);
        let depth = node.operands.iter().map(|&o| depths[o] + 1).max().unwrap_or(0);
        let computed = constant[id] && is_pointwise(&node.op) && node.ty.dtype.is_float();
        let barrier = (holds && uses[id] > 1) || computed || is_output[id] || depth > DEEPEST;
        costly.push(holds && !barrier);
        depths.push(if barrier || anchor { 0 } else { depth });
        view_barriers.push(barrier);
    }
    bar_many_views(graph, &mut view_barriers);
    view_barriers
}

/// Makes view_barriers of the nodes that too many views would sink to.
fn bar_many_views(graph: &Graph, view_barriers: &mut IdVec<NodeId, bool>) {
    // Views through which a node is read: by what moves it, and by pointwise nodes, which hand on their own views.
    let mut moved: IdVec<NodeId, usize> = graph.nodes.values().map(|_| 0).collect();
    let mut handed: IdVec<NodeId, usize> = graph.nodes.values().map(|_| 0).collect();
    graph.outputs.iter().for_each(|&o| handed[o] = 1);
    for (id, node) in graph.nodes.iter().rev() {
        let mut views = moved[id].saturating_add(handed[id]);
        if views > MOST_VIEWS && is_pointwise(&node.op) {
            view_barriers[id] = true;
        }
        if view_barriers[id] {
            views = 1;
        }
        if matches!(node.op, Op::Concat(_)) {
            node.operands.iter().for_each(|&o| moved[o] = moved[o].saturating_add(1));
        } else if let Some(&operand) = node.operands.first().filter(|&&o| moves(graph, node, o)) {
            moved[operand] = moved[operand].saturating_add(views);
        } else {
            let views = if is_pointwise(&node.op) { views } else { 1 };
            node.operands.iter().for_each(|&o| handed[o] = handed[o].max(views));
        }
    }
}

/// Nodes that only pointwise ops and movement separate from a product.
fn products(graph: &Graph) -> IdVec<NodeId, bool> {
    let mut above: IdVec<NodeId, bool> = IdVec::new();
    for (_, node) in graph.nodes.iter() {
        let passes = is_pointwise(&node.op) || node.operands.first().is_some_and(|&o| moves(graph, node, o));
        let below = passes && node.operands.iter().any(|&o| above[o]);
        above.push(is_heavy(&node.op) || below);
    }
    above
}

fn moves(graph: &Graph, node: &Node, operand: NodeId) -> bool {
    View::of_op(&node.op, graph.ty(operand)).is_some()
}

struct Sink<'a> {
    graph: &'a Graph,
    view_barriers: IdVec<NodeId, bool>,
    products: IdVec<NodeId, bool>,
    layouts: Layouts,
    out: Graph,
    made: HashMap<(NodeId, Option<View>), NodeId>,
    seen: HashMap<(Op, Vec<NodeId>), NodeId>,
}

impl Sink<'_> {
    fn push(&mut self, op: impl Into<Op>, operands: &[NodeId]) -> Result<NodeId, Error> {
        let op = op.into();
        let leaf = matches!(op, Op::Input(_) | Op::Weight(_));
        let key = (op, operands.to_vec());
        if !leaf && let Some(&node) = self.seen.get(&key) {
            return Ok(node);
        }
        let node = self.out.push(key.0.clone(), operands).map_err(Error::broken)?;
        self.seen.insert(key, node);
        Ok(node)
    }

    /// A node of its own with the same value, for outputs that are inputs, constants or other outputs.
    fn copy(&mut self, node: NodeId) -> Result<NodeId, Error> {
        let map = View::identity(&self.out.ty(node).shape);
        self.out.push(ops::ViewOp { map }, &[node]).map_err(Error::broken)
    }

    /// The node itself.
    fn plain(&mut self, id: NodeId) -> Result<NodeId, Error> {
        if let Some(&made) = self.made.get(&(id, None)) {
            return Ok(made);
        }
        let node = &self.graph.nodes[id];
        let new = match self.movement(id) {
            Some(map) => self.at(node.operands[0], map)?,
            None if is_pointwise(&node.op) => self.in_layout(id)?,
            None => match &node.op {
                Op::Concat(concat) => self.concat(concat, id)?,
                Op::Reduce(reduce) => self.reduce(reduce, id)?,
                op => {
                    let operands = node.operands.iter().map(|&o| self.plain(o)).collect::<Result<Vec<_>, _>>()?;
                    self.push(op.clone(), &operands)?
                }
            },
        };
        self.made.insert((id, None), new);
        Ok(new)
    }

    /// The view that a movement node is.
    fn movement(&self, id: NodeId) -> Option<View> {
        let node = &self.graph.nodes[id];
        View::of_op(&node.op, self.graph.ty(*node.operands.first()?))
    }

    /// A pointwise node, computed in its layout.
    fn in_layout(&mut self, id: NodeId) -> Result<NodeId, Error> {
        match self.layouts.pointwise[id].clone() {
            Some(layout) if self.sinks(id, &layout.write) => {
                let inside = self.pointwise(id, Some(&layout.write))?;
                self.view(inside, layout.read)
            }
            _ => self.pointwise(id, None),
        }
    }

    /// A reduction of the operand in the order in which it lies in memory.
    fn reduce(&mut self, reduce: &ops::Reduce, id: NodeId) -> Result<NodeId, Error> {
        let node = &self.graph.nodes[id];
        let operand = node.operands[0];
        let Some(axes) = self.layouts.reductions[id].clone() else {
            let operand = self.plain(operand)?;
            return self.push(reduce.clone(), &[operand]);
        };
        let reduced = node.ty.axis(reduce.axis).map_err(Error::broken)?;
        let place = axes.iter().position(|&a| a == reduced).ok_or_else(|| Error::broken("an axis is lost"))?;
        let stored = self.at(operand, View::transpose(&self.graph.ty(operand).shape, &axes))?;
        let axis = place as i64 - axes.len() as i64;
        let inside = self.push(ops::Reduce { op: reduce.op, axis }, &[stored])?;
        let shape: Vec<usize> = axes.iter().map(|&a| node.ty.shape[a]).collect();
        self.view(inside, View::transpose(&shape, &inverse(&axes)))
    }

    /// A pointwise node under a view, its operands broadcast to its shape.
    fn pointwise(&mut self, id: NodeId, map: Option<&View>) -> Result<NodeId, Error> {
        let node = &self.graph.nodes[id];
        let mut operands = Vec::new();
        for &operand in &node.operands {
            let widen = View::expand(&self.graph.ty(operand).shape, &node.ty.shape);
            let through = match map {
                Some(map) => {
                    widen.then(map).ok_or_else(|| Error::broken("a broadcast does not compose with a view"))?
                }
                None => widen,
            };
            operands.push(self.at(operand, through)?);
        }
        self.push(node.op.clone(), &operands)
    }

    /// A node read through a view.
    fn at(&mut self, id: NodeId, map: View) -> Result<NodeId, Error> {
        if map == View::identity(&self.graph.ty(id).shape) {
            return self.plain(id);
        }
        let key = (id, Some(map.clone()));
        if let Some(&made) = self.made.get(&key) {
            return Ok(made);
        }
        let new = self.at_uncached(id, map)?;
        self.made.insert(key, new);
        Ok(new)
    }

    fn at_uncached(&mut self, id: NodeId, map: View) -> Result<NodeId, Error> {
        let node = &self.graph.nodes[id];
        if let Op::Const(c) = &node.op
            && !map.has_fill()
        {
            return self.push(ops::Const { ty: TensorType::new(node.ty.dtype, map.shape), value: c.value }, &[]);
        }
        if !self.view_barriers[id] {
            if let Some(inner) = self.movement(id)
                && let Some(both) = inner.then(&map)
            {
                return self.at(node.operands[0], both);
            }
            let expensive = is_costly(&node.op) || self.products[id];
            let repeats = expensive && map.elements() > node.ty.elements();
            if is_pointwise(&node.op) && !map.has_fill() && !repeats && self.sinks(id, &map) {
                return self.pointwise(id, Some(&map));
            }
        }
        let source = self.plain(id)?;
        self.view(source, map)
    }

    /// Whether every operand's broadcast composes with the view.
    fn sinks(&self, id: NodeId, map: &View) -> bool {
        let node = &self.graph.nodes[id];
        node.operands.iter().all(|&o| View::expand(&self.graph.ty(o).shape, &node.ty.shape).then(map).is_some())
    }

    /// A view above an already translated node, composed with a view that stands there.
    fn view(&mut self, source: NodeId, map: View) -> Result<NodeId, Error> {
        let node = &self.out.nodes[source];
        if let Op::ViewOp(inner) = &node.op
            && let Some(both) = inner.map.then(&map)
        {
            let below = node.operands[0];
            if both == View::identity(&self.out.ty(below).shape) {
                return Ok(below);
            }
            return self.push(ops::ViewOp { map: both }, &[below]);
        }
        self.push(ops::ViewOp { map }, &[source])
    }

    /// Concatenation: each operand padded to the whole, chosen by the position on the axis.
    fn concat(&mut self, concat: &ops::Concat, id: NodeId) -> Result<NodeId, Error> {
        let node = &self.graph.nodes[id];
        let (operands, ty) = (node.operands.clone(), node.ty.clone());
        let axis = ty.axis(concat.axis).map_err(Error::broken)?;
        let position = self.push(
            ops::Iota { ty: TensorType::new(DType::I32, ty.shape.clone()), axis: axis as i64 - ty.rank() as i64 },
            &[],
        )?;
        let mut start = 0;
        let mut whole = None;
        for operand in operands {
            let shape = self.graph.ty(operand).shape.clone();
            let behind = ty.shape[axis] - start - shape[axis];
            let padded = match &self.graph.nodes[operand].op {
                // A number is the same in every shape.
                Op::Const(c) => self.push(ops::Const { ty: ty.clone(), value: c.value }, &[])?,
                _ => self.at(operand, View::pad(&shape, axis, start, behind, Real::new(0.0)))?,
            };
            whole = Some(match whole {
                None => padded,
                Some(before) => {
                    let bound = ops::Const {
                        ty: TensorType::new(DType::I32, ty.shape.clone()),
                        value: Real::new(start as f64),
                    };
                    let bound = self.push(bound, &[])?;
                    let here = self.push(ops::Binary { op: BinaryOp::Le }, &[bound, position])?;
                    self.push(ops::Select, &[here, padded, before])?
                }
            });
            start += shape[axis];
        }
        whole.ok_or_else(|| Error::broken("a concatenation of nothing"))
    }
}
