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
//! epilogues, which would be recomputed for each copy. Equal nodes are merged on the way.
//!
//! Views stop where many of them would meet. Before anything sinks, one pass from the outputs down finds the views through
//! which each node is read, and by how many ways each of them comes:
//!
//! ```text
//!   s′ = s + roll s         the same two views, the ways double with every step
//!   t′ = t + roll exp t     one view more with every step
//! ```
//!
//! Both count. The same pass says which nodes are read as they are: only those are computed as they are.
//!
//! A pointwise node is computed in the [layout](super::layout) that its operands have, and a view stands above it:
//! so maps between convolutions keep their channels last.

use super::{
    is_costly, is_heavy, is_pointwise,
    layout::{Layouts, inverse, layouts},
};
use crate::error::Error;
use regard_ir::{
    graph::{Graph, NodeId, NodeMap},
    id::IdVec,
    ops::{self, BinaryOp, Op},
    types::{DType, Real, TensorType},
    view::{View, is_movement},
};
use std::{
    collections::{HashMap, HashSet},
    mem,
};

/// Most views that sink through a node, each counted as often as it comes: each makes another copy of it, and of all
/// that is below.
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
    let read_plainly = sink.bar_many_views();
    for (id, node) in graph.nodes.iter().filter(|&(id, _)| read_plainly[id]) {
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
    view_barriers
}

/// Nodes that only pointwise ops and movement separate from a product.
fn products(graph: &Graph) -> IdVec<NodeId, bool> {
    let mut above: IdVec<NodeId, bool> = IdVec::new();
    for (_, node) in graph.nodes.iter() {
        let passes = is_pointwise(&node.op) || is_movement(&node.op);
        let below = passes && node.operands.iter().any(|&o| above[o]);
        above.push(is_heavy(&node.op) || below);
    }
    above
}

/// Adds a view to those of a node, which are told apart as far as their number matters.
fn add_read(reads: &mut Vec<Read>, view: Option<View>, count: usize, moves: bool) {
    let at = match reads.iter().position(|read| read.view == view) {
        Some(at) => at,
        None if reads.len() > MOST_VIEWS => MOST_VIEWS,
        None => {
            reads.push(Read { view, moved: 0, shared: 0 });
            reads.len() - 1
        }
    };
    let read = &mut reads[at];
    if moves {
        read.moved = read.moved.saturating_add(count);
    } else {
        read.shared = read.shared.max(count);
    }
}

/// The views of a concatenation's operands in its shape.
fn pads(graph: &Graph, concat: &ops::Concat, id: NodeId) -> Vec<View> {
    let node = &graph.nodes[id];
    let axis = node.ty.axis(concat.axis).unwrap_or(0);
    let mut start = 0;
    let pad = |&operand: &NodeId| {
        let shape = &graph.ty(operand).shape;
        let behind = node.ty.shape[axis] - start - shape[axis];
        let pad = View::pad(shape, axis, start, behind, Real::new(0.0));
        start += shape[axis];
        pad
    };
    node.operands.iter().map(pad).collect()
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

/// One view through which a node is read; none where it is read as it is.
struct Read {
    view: Option<View>,
    /// By how many ways the view comes through what moves the node.
    moved: usize,
    /// The same through pointwise nodes: the most of them, as they share what they read.
    shared: usize,
}

impl Read {
    fn count(&self) -> usize {
        self.moved.saturating_add(self.shared)
    }
}

impl Sink<'_> {
    /// Makes view barriers of the nodes that too many views would sink to, and says which nodes are asked for as they are:
    /// the others are needed under views alone.
    fn bar_many_views(&mut self) -> IdVec<NodeId, bool> {
        let graph = self.graph;
        let mut plainly: IdVec<NodeId, bool> = graph.nodes.values().map(|n| n.operands.is_empty()).collect();
        let mut reads: IdVec<NodeId, Vec<Read>> = graph.nodes.values().map(|_| Vec::new()).collect();
        graph.outputs.iter().for_each(|&output| reads[output] = vec![Read { view: None, moved: 0, shared: 1 }]);
        for (id, node) in graph.nodes.iter().rev() {
            let views = mem::take(&mut reads[id]);
            let total = views.iter().map(Read::count).fold(0, usize::saturating_add);
            self.view_barriers[id] |= total > MOST_VIEWS && is_pointwise(&node.op);
            let moves = is_movement(&node.op) || matches!(node.op, Op::Concat(_));
            let mut below = Vec::new();
            let mut own = None;
            for read in &views {
                match read.view.as_ref().map(|view| self.through(id, view)) {
                    Some(Some(operands)) => below.push((read.count(), operands)),
                    Some(None) => own = own.max(Some(1)),
                    None => own = own.max(Some(read.count())),
                }
            }
            plainly[id] |= own.is_some();
            if let Some(count) = own.filter(|_| !node.operands.is_empty()) {
                let count = if self.view_barriers[id] || !(moves || is_pointwise(&node.op)) { 1 } else { count };
                below.push((count, self.own_reads(id)));
            }
            for (count, operands) in below {
                for (&operand, view) in node.operands.iter().zip(operands) {
                    let view = view.filter(|view| *view != View::identity(&graph.ty(operand).shape));
                    add_read(&mut reads[operand], view, count, moves);
                }
            }
        }
        plainly
    }

    /// The views through which a node reads its operands where it is computed as it is.
    fn own_reads(&self, id: NodeId) -> Vec<Option<View>> {
        let node = &self.graph.nodes[id];
        match &node.op {
            Op::Concat(concat) => pads(self.graph, concat, id).into_iter().map(Some).collect(),
            op if is_pointwise(op) => self.broadcasts(id).collect(),
            _ => match self.movement(id) {
                Some(map) => vec![Some(map)],
                None => vec![None; node.operands.len()],
            },
        }
    }

    /// The views by which a pointwise node's operands are broadcast to its shape, where they have another.
    fn broadcasts(&self, id: NodeId) -> impl Iterator<Item = Option<View>> {
        let node = &self.graph.nodes[id];
        let shapes = node.operands.iter().map(|&operand| &self.graph.ty(operand).shape);
        shapes.map(|shape| (*shape != node.ty.shape).then(|| View::expand(shape, &node.ty.shape)))
    }

    /// The views through which a node reads its operands where it is read through `map`, which sinks; `None` where that stops.
    fn through(&self, id: NodeId, map: &View) -> Option<Vec<Option<View>>> {
        let node = &self.graph.nodes[id];
        if self.view_barriers[id] {
            return None;
        }
        if let Some(both) = self.movement(id).and_then(|inner| inner.then(map)) {
            return Some(vec![Some(both)]);
        }
        let expensive = is_costly(&node.op) || self.products[id];
        let repeats = expensive && map.elements() > node.ty.elements();
        if !is_pointwise(&node.op) || map.has_fill() || repeats {
            return None;
        }
        self.within(id, map)
    }

    /// The views through which a pointwise node under a view reads its operands. `None` also where the view cuts across the
    /// node's axes, as a slice of what was put together from windows does: the node is then computed before it is cut.
    fn within(&self, id: NodeId, map: &View) -> Option<Vec<Option<View>>> {
        let shape = &self.graph.nodes[id].ty.shape;
        let along = |widen: Option<View>| widen.unwrap_or_else(|| View::identity(shape)).then(map).map(Some);
        self.broadcasts(id).map(along).collect()
    }

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
            Some(map) => self.at(node.operands[0], Some(map))?,
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
        if let Some(layout) = self.layouts.pointwise[id].clone()
            && let Some(views) = self.within(id, &layout.write)
        {
            let inside = self.pointwise(id, views)?;
            return self.view(inside, layout.read);
        }
        let views = self.broadcasts(id).collect();
        self.pointwise(id, views)
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
        let stored = self.at(operand, Some(View::transpose(&self.graph.ty(operand).shape, &axes)))?;
        let axis = place as i64 - axes.len() as i64;
        let inside = self.push(ops::Reduce { op: reduce.op, axis }, &[stored])?;
        let shape: Vec<usize> = axes.iter().map(|&a| node.ty.shape[a]).collect();
        self.view(inside, View::transpose(&shape, &inverse(&axes)))
    }

    /// A pointwise node whose operands are read through those views.
    fn pointwise(&mut self, id: NodeId, views: Vec<Option<View>>) -> Result<NodeId, Error> {
        let node = &self.graph.nodes[id];
        let operands = node.operands.iter().zip(views).map(|(&operand, view)| self.at(operand, view));
        let operands = operands.collect::<Result<Vec<_>, _>>()?;
        self.push(node.op.clone(), &operands)
    }

    /// A node read through a view, or as it is.
    fn at(&mut self, id: NodeId, map: Option<View>) -> Result<NodeId, Error> {
        let Some(map) = map.filter(|map| *map != View::identity(&self.graph.ty(id).shape)) else {
            return self.plain(id);
        };
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
        let Some(mut views) = self.through(id, &map) else {
            let source = self.plain(id)?;
            return self.view(source, map);
        };
        if is_pointwise(&node.op) { self.pointwise(id, views) } else { self.at(node.operands[0], views.remove(0)) }
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
        for (operand, pad) in operands.into_iter().zip(pads(self.graph, concat, id)) {
            let padded = match &self.graph.nodes[operand].op {
                // A number is the same in every shape.
                Op::Const(c) => self.push(ops::Const { ty: ty.clone(), value: c.value }, &[])?,
                _ => self.at(operand, Some(pad))?,
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
            start += self.graph.ty(operand).shape[axis];
        }
        whole.ok_or_else(|| Error::broken("a concatenation of nothing"))
    }
}
