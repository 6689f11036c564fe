//! In which element type a tensor lies in memory.
//!
//! Arithmetic is in f32 whatever types a graph has, and the half types only say what is handed in and taken out. So what
//! the passes put together themselves is never rounded to half:
//!
//! ```text
//!   input; weight, moved, gathered, selected     its own type       it holds nothing else
//!   output                                       its own type       rounded once, at the end
//!   computed constant, intermediate              f32 for half       γ·W of a bf16 W is not a bf16
//! ```
//!
//! An output that other nodes read, too, is two tensors: what is read, and the rounded copy that is handed out.

use crate::error::Error;
use regard_ir::{
    graph::{Graph, NodeId},
    id::IdVec,
    ops::{BinaryOp, Op, ReduceOp, UnaryOp, ViewOp},
    types::{DType, Real},
    view::{View, is_movement},
};

/// Whether elements of the type are rounded to fewer digits than those of f32.
pub(crate) fn is_half(dtype: DType) -> bool {
    matches!(dtype, DType::Bf16 | DType::F16)
}

/// The element type in which each node would lie in memory.
pub(crate) fn held(graph: &Graph) -> IdVec<NodeId, DType> {
    let mut held = inside(graph);
    graph.outputs.iter().for_each(|&output| held[output] = graph.ty(output).dtype);
    held
}

/// The same in a graph whose outputs others read.
pub(crate) fn inside(graph: &Graph) -> IdVec<NodeId, DType> {
    let mut exact: IdVec<NodeId, bool> = IdVec::new();
    for (id, _) in graph.nodes.iter() {
        exact.push(is_exact(graph, id, &exact));
    }
    let types = graph.nodes.iter().map(|(id, node)| match node.ty.dtype {
        dtype if is_half(dtype) && !exact[id] => DType::F32,
        dtype => dtype,
    });
    types.collect()
}

fn is_exact_leaf(op: &Op) -> bool {
    matches!(op, Op::Input(_) | Op::Weight(_))
}

/// Whether every element is a value of the node's half type without rounding.
fn is_exact(graph: &Graph, id: NodeId, exact: &IdVec<NodeId, bool>) -> bool {
    let node = &graph.nodes[id];
    let dtype = node.ty.dtype;
    let holds = |value: Real| dtype.round(value.get()).to_bits() == value.get().to_bits();
    let operands = |from: usize| node.operands[from..].iter().all(|&o| graph.ty(o).dtype == dtype && exact[o]);
    match &node.op {
        _ if !is_half(dtype) => true,
        op if is_exact_leaf(op) => true,
        Op::Const(c) => holds(c.value),
        Op::ViewOp(view) => operands(0) && (!view.map.has_fill() || holds(view.map.fill)),
        Op::Pad(pad) => operands(0) && holds(pad.value),
        Op::Gather(_) => exact[node.operands[0]],
        Op::Select(_) => operands(1),
        Op::Unary(unary) => operands(0) && matches!(unary.op, UnaryOp::Neg | UnaryOp::Abs),
        Op::Binary(binary) => operands(0) && matches!(binary.op, BinaryOp::Min | BinaryOp::Max),
        Op::Reduce(reduce) => operands(0) && matches!(reduce.op, ReduceOp::Min | ReduceOp::Max),
        Op::Concat(_) | Op::Cast(_) => operands(0),
        op => is_movement(op) && operands(0),
    }
}

/// The graph with a copy in place of each half output that other nodes read: they read what was computed, and the copy is
/// rounded. The name moves to the copy.
///
/// # Errors
/// Where the graph is broken.
pub(crate) fn part_outputs(mut graph: Graph) -> Result<Graph, Error> {
    let mut read: IdVec<NodeId, bool> = graph.nodes.values().map(|_| false).collect();
    graph.nodes.values().flat_map(|node| &node.operands).for_each(|&operand| read[operand] = true);
    for at in 0..graph.outputs.len() {
        let output = graph.outputs[at];
        let node = &graph.nodes[output];
        if !is_half(node.ty.dtype) || is_exact_leaf(&node.op) || !read[output] {
            continue;
        }
        let map = View::identity(&node.ty.shape);
        let copy = graph.push(ViewOp { map }, &[output]).map_err(Error::broken)?;
        if let Some(label) = graph.nodes[output].label.take() {
            graph.set_label(copy, label);
        }
        graph.outputs[at] = copy;
    }
    Ok(graph)
}
