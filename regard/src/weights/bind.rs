//! Binding: a program's constants are filled from weights, as lowering said.
//!
//! ```text
//!   moved      weight ──────────(view)─────▶ [k, n] ──(layout)──▶ panels in the constants
//!                                            streamed, f32 to f32: one block at a time, in place
//!   computed   weights ──(constant graph)──▶ [k, n] ──(layout)──▶ panels in the constants
//!                                            the f64 interpreter: one value at a time, in place
//! ```
//!
//! A constant that is a weight moved about, as nearly all are, never exists a second time: the part of the
//! weight after each block is read, and its elements go where the kernel wants them. Only one worker
//! evaluates arithmetic at a time, so that the peak stays a little above the constants themselves.

mod stream;
#[cfg(test)]
mod tests;

use super::Weights;
use crate::{
    errors::{Error, Result},
    values,
};
use rayon::prelude::*;
use regard_ir::{
    graph::{EvalError, Graph, Node, NodeId, Tensor, eval_nodes},
    ops::{Input, Op},
    program::{Constant, ConstantSource, Layout, Program, Storage},
    types::DType,
    view::View,
};
use regard_runtime::memory::Constants;
use std::{cmp::Reverse, collections::BTreeMap};

/// The constants of a program, from `weights`, which were [checked](Weights::check) against its graph.
///
/// # Errors
/// Where a weight cannot be read or a constant has no value.
pub(crate) fn bind<K: Sync>(program: &Program<K>, weights: &dyn Weights) -> Result<Constants> {
    let graph = &program.constant_graph;
    Constants::build(program.constant_bytes as usize, |bytes| {
        let mut moved = Vec::new();
        // The largest first, while little of the constants is written yet.
        let mut computed: BTreeMap<(Reverse<usize>, NodeId), Vec<Slot>> = BTreeMap::new();
        for (source, slot) in slots(program, bytes) {
            match source {
                ConstantSource::Moved { weight, factor } => moved.push((weight, factor.as_ref(), slot)),
                ConstantSource::Computed { output } => {
                    let node = graph.outputs[*output];
                    computed.entry((Reverse(graph.ty(node).elements()), node)).or_default().push(slot);
                }
            }
        }
        let copy = || moved.into_par_iter().try_for_each(|(w, f, slot)| stream::copy(graph, w, f, slot, weights));
        let evaluate = || {
            computed.into_iter().try_for_each(|((_, node), slots)| {
                let values = evaluated(graph, node, weights)?;
                slots.into_iter().for_each(|slot| slot.write(&values));
                Ok(())
            })
        };
        let (evaluated, copied) = rayon::join(evaluate, copy);
        evaluated.and(copied)
    })
}

/// A leaf function for the graph interpreter: weights from their source, inputs from `input`.
pub(crate) fn leaf<'a>(
    graph: &'a Graph,
    weights: &'a dyn Weights,
    mut input: impl FnMut(NodeId, &Node) -> Option<Vec<f64>> + 'a,
) -> impl FnMut(NodeId, &Node) -> std::result::Result<Tensor, EvalError> + 'a {
    move |id, node| {
        let data = match &node.op {
            Op::Weight(_) => {
                let values = weights.values(&graph.text_name(id), &node.ty, 0..node.ty.elements());
                values.map_err(|error| EvalError::new(graph, id, error.to_string()))?
            }
            _ => input(id, node).ok_or_else(|| EvalError::new(graph, id, "there is no value for this input"))?,
        };
        Ok(Tensor { ty: node.ty.clone(), data })
    }
}

/// Where a constant goes.
struct Slot<'a> {
    bytes: &'a mut [u8],
    dtype: DType,
    layout: Layout,
}

/// Where the values of every constant come from and go to.
fn slots<'a, K>(program: &'a Program<K>, mut bytes: &'a mut [u8]) -> Vec<(&'a ConstantSource, Slot<'a>)> {
    let place = |constant: &'a Constant| {
        let Constant { buffer, source, layout } = constant;
        let buffer = &program.buffers[*buffer];
        let Storage::Constant(offset) = buffer.storage else { panic!("constant {} lies elsewhere", buffer.name) };
        (offset as usize, buffer.bytes() as usize, buffer.dtype, source, *layout)
    };
    let mut constants: Vec<_> = program.constants.iter().map(place).collect();
    constants.sort_by_key(|c| c.0);
    let mut at = 0;
    let slot = |(offset, length, dtype, source, layout)| {
        let rest = std::mem::take(&mut bytes).split_at_mut(offset - at).1;
        let (here, behind) = rest.split_at_mut(length);
        (bytes, at) = (behind, offset + length);
        (source, Slot { bytes: here, dtype, layout })
    };
    constants.into_iter().map(slot).collect()
}

/// The value of any node of the constant graph.
fn evaluated(whole: &Graph, root: NodeId, weights: &dyn Weights) -> Result<Vec<f64>> {
    // Only what the constant needs is copied: a graph of n constants would be copied n times.
    let mut graph = Graph::new(whole.name.clone());
    let mut copied: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    let mut known = BTreeMap::new();
    for id in whole.needed([root]) {
        let mut node = whole.node(id).clone();
        let product = row_product(whole, &node, weights)?;
        match product {
            Some(_) => (node.op, node.operands, node.label) = (Input { ty: node.ty.clone() }.into(), Vec::new(), None),
            None => node.operands.iter_mut().for_each(|operand| *operand = copied[operand]),
        }
        copied.insert(id, graph.nodes.push(node));
        known.extend(product.map(|product| (copied[&id], product)));
    }
    let (origin, root) = (root, copied[&root]);
    let values = eval_nodes(&graph, &[root], &mut leaf(&graph, weights, |id, _| known.get(&id).cloned()))?;
    let values = values.into_iter().next().expect("one node was asked for").data;
    match values.iter().any(|v| v.is_nan()) {
        false => Ok(values),
        true => {
            Err(not_a_number(&graph, weights_of(whole, origin), &mut leaf(&graph, weights, |id, _| known.remove(&id)))?)
        }
    }
}

/// The value of a product of one row with a weight that is only moved about, the β of a layer norm times the product
/// after it: the weight is streamed, never held as f64.
fn row_product(graph: &Graph, node: &Node, weights: &dyn Weights) -> Result<Option<Vec<f64>>> {
    let (Op::MatMul(_), &[row, matrix]) = (&node.op, &node.operands[..]) else { return Ok(None) };
    let shape = &graph.ty(matrix).shape;
    let k = graph.ty(row).elements();
    if k != Layout::dense(shape).rows || k != shape[shape.len() - 2] {
        return Ok(None);
    }
    match ConstantSource::moved(graph, matrix, View::identity(shape)) {
        Some(ConstantSource::Moved { weight, factor: None }) => {
            stream::row_product(graph, &evaluated(graph, row, weights)?, &weight, weights).map(Some)
        }
        _ => Ok(None),
    }
}

/// A source of leaves for the interpreter.
type Leaf<'a> = dyn FnMut(NodeId, &Node) -> std::result::Result<Tensor, EvalError> + 'a;

/// Says where a constant becomes NaN: at the first node that is, and of which weights that is made; those of the whole
/// constant are `all`.
fn not_a_number(graph: &Graph, all: Vec<String>, leaf: &mut Leaf) -> Result<Error> {
    let ids: Vec<NodeId> = graph.nodes.ids().collect();
    let values = eval_nodes(graph, &ids, leaf)?;
    let position = |tensor: &Tensor| tensor.data.iter().position(|v| v.is_nan());
    let first = ids.iter().zip(&values).find_map(|(&id, tensor)| Some((id, position(tensor)?)));
    let (id, at) = first.expect("the constant is NaN somewhere");
    let node = graph.node(id);
    let names = match weights_of(graph, id) {
        names if names.is_empty() => all,
        names => names,
    };
    let named = &names[..names.len().min(NAMED)];
    let of = match (named, names.len() - named.len()) {
        ([one], _) => format!("weight {one}"),
        ([most @ .., last], 0) => format!("weights {} and {last}", most.join(", ")),
        (_, more) => format!("weights {} and {more} more", named.join(", ")),
    };
    let takes = |(tensor, other): (&Tensor, &NodeId)| {
        node.operands.contains(other) && tensor.data.iter().any(|v| v.is_infinite())
    };
    let infinite = if values.iter().zip(&ids).any(takes) { ", of operands that hold infinities" } else { "" };
    let (op, ty) = (node.op.name(), &node.ty);
    Ok(Error::Failed(format!("{op} of {of} is NaN at position {at} of {ty}{infinite}, expected a number")))
}

/// The names of the weights that a node is made of.
fn weights_of(graph: &Graph, id: NodeId) -> Vec<String> {
    let weights = graph.needed([id]).into_iter().filter(|&id| matches!(graph.node(id).op, Op::Weight(_)));
    weights.map(|id| format!("`{}`", graph.text_name(id))).collect()
}

/// Weights that are named in an error.
const NAMED: usize = 4;

impl Slot<'_> {
    /// Writes row-major values; padding stays zero.
    fn write(self, values: &[f64]) {
        let dtype = self.dtype;
        self.layout.pack(values, dtype.bytes(), self.bytes, |value, to| values::put(dtype, value, to));
    }
}
