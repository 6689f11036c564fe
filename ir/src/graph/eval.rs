//! The graph interpreter: the meaning of a graph, in f64.
//!
//! Nodes run in order, each exactly once, and only those that the wanted nodes need; a tensor is dropped
//! after its last reader. What inputs and weights hold is asked from the caller, node by node:
//!
//! ```text
//!   leaf(%x) ─▶ [x] ──▶ op.eval ──▶ [tensor] ──▶ op.eval ──▶ …  ──▶ wanted
//! ```

use super::{Graph, Node, NodeId, Tensor};
use crate::count::counted;
use crate::{id::IdVec, ops::Op, text::NodeText};

/// Tensors that take so many bytes are asked for before they are computed.
const LARGE: usize = 64 << 20;

/// Why a graph has no value: a leaf without one, or an op that cannot compute on what it was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}: {message}")]
pub struct EvalError {
    /// The node.
    pub node: NodeId,
    /// The node as text.
    pub text: String,
    /// One sentence.
    pub message: String,
}

impl EvalError {
    /// An error at a node of `graph`.
    pub fn new(graph: &Graph, node: NodeId, message: impl Into<String>) -> Self {
        Self { node, text: NodeText(graph, node).to_string(), message: message.into() }
    }
}

/// The values of the graph's outputs; `leaf` supplies inputs and weights.
pub fn eval(
    graph: &Graph,
    leaf: &mut dyn FnMut(NodeId, &Node) -> Result<Tensor, EvalError>,
) -> Result<Vec<Tensor>, EvalError> {
    eval_nodes(graph, &graph.outputs, leaf)
}

/// The values of any nodes, in the order asked for; nothing else is computed than they need.
pub fn eval_nodes(
    graph: &Graph,
    wanted: &[NodeId],
    leaf: &mut dyn FnMut(NodeId, &Node) -> Result<Tensor, EvalError>,
) -> Result<Vec<Tensor>, EvalError> {
    let mut readers = readers(graph, wanted);
    let mut values: IdVec<NodeId, Option<Tensor>> = graph.nodes.values().map(|_| None).collect();
    for (id, node) in graph.nodes.iter() {
        if readers[id] == 0 {
            continue;
        }
        values[id] = Some(value(graph, id, node, &values, leaf)?);
        for &operand in &node.operands {
            readers[operand] -= 1;
            if readers[operand] == 0 {
                values[operand] = None;
            }
        }
    }
    let result = |&id: &NodeId| {
        readers[id] -= 1;
        let last = readers[id] == 0;
        let value = if last { values[id].take() } else { values[id].clone() };
        value.expect("wanted nodes are computed and kept")
    };
    Ok(wanted.iter().map(result).collect())
}

/// How many reads of each node are ahead: by nodes that `wanted` needs, and by the caller.
fn readers(graph: &Graph, wanted: &[NodeId]) -> IdVec<NodeId, usize> {
    let mut readers: IdVec<NodeId, usize> = graph.nodes.values().map(|_| 0).collect();
    wanted.iter().for_each(|&id| readers[id] += 1);
    for id in graph.nodes.ids().rev() {
        if readers[id] > 0 {
            graph.nodes[id].operands.iter().for_each(|&operand| readers[operand] += 1);
        }
    }
    readers
}

fn value(
    graph: &Graph,
    id: NodeId,
    node: &Node,
    values: &IdVec<NodeId, Option<Tensor>>,
    leaf: &mut dyn FnMut(NodeId, &Node) -> Result<Tensor, EvalError>,
) -> Result<Tensor, EvalError> {
    // A tensor, and what its op computes it by.
    let bytes = node.ty.elements().saturating_mul(2 * size_of::<f64>());
    if bytes >= LARGE && Vec::<u8>::new().try_reserve_exact(bytes).is_err() {
        let message = format!("takes {bytes} bytes to be computed as f64, which the system refuses");
        return Err(EvalError::new(graph, id, message));
    }
    if matches!(node.op, Op::Input(_) | Op::Weight(_)) {
        let tensor = leaf(id, node)?;
        return match tensor.ty == node.ty && tensor.data.len() == node.ty.elements() {
            true => Ok(tensor),
            false => {
                let found = format!(
                    "was given {} with {}, expected {}",
                    tensor.ty,
                    counted(tensor.data.len(), "value"),
                    node.ty
                );
                Err(EvalError::new(graph, id, found))
            }
        };
    }
    let operands: Vec<&Tensor> =
        node.operands.iter().map(|&o| values[o].as_ref().expect("operands come first and are kept")).collect();
    node.op.eval(&operands, &node.ty).map_err(|message| EvalError::new(graph, id, message))
}
