//! Binding: a program's constants are computed from weights and laid out as its kernels stream them.
//!
//! ```text
//!   weight ──(fold graph: transposes, scales, sums)──▶ [k, n] ──(layout)──▶ panels in the constants
//!              movement alone: streamed, f32 to f32            one panel at a time, in place
//!              anything else:  the f64 interpreter             one value at a time, in place
//! ```
//!
//! A constant that is a weight moved about, as nearly all are, never exists a second time: the part of the
//! weight behind each panel is read, and its elements go where the kernel wants them. Only one worker
//! evaluates arithmetic at a time, so that the peak stays a little above the constants themselves.

mod stream;

use super::Weights;
use crate::{
    errors::{Error, Result},
    values,
};
use rayon::prelude::*;
use regard_ir::{
    graph::{EvalError, Graph, Node, NodeId, Tensor, eval_nodes},
    ops::{Input, Op},
    program::{Layout, Place, Program},
    types::DType,
};
use regard_runtime::memory::Constants;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};
use stream::Movement;

/// The constants of a program, from `weights`, which were [checked](Weights::check) against its graph.
///
/// # Errors
/// Where a weight cannot be read or a constant has no value.
pub fn bind<K: Sync>(program: &Program<K>, weights: &dyn Weights) -> Result<Constants> {
    Constants::build(program.constant_bytes as usize, |bytes| {
        let arithmetic = Mutex::new(());
        slots(program, bytes).into_par_iter().try_for_each(|(output, slots)| {
            let (folds, root) = (&program.folds, program.folds.outputs[output]);
            let movement = Movement::of(folds, root);
            let (streamed, computed): (Vec<Slot>, Vec<Slot>) =
                slots.into_iter().partition(|slot| movement.as_ref().is_some_and(|m| m.suits(slot)));
            if let Some(movement) = movement {
                streamed.into_iter().try_for_each(|slot| movement.stream(slot, weights))?;
            }
            if computed.is_empty() {
                return Ok(());
            }
            let _one_at_a_time = arithmetic.lock().unwrap_or_else(PoisonError::into_inner);
            let values = evaluated(folds, root, weights)?;
            computed.into_iter().for_each(|slot| slot.write(&values));
            Ok(())
        })
    })
}

/// A leaf function for the graph interpreter: weights from their source, inputs from `input`.
pub fn leaf<'a>(
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

/// The bytes of every constant, by fold output.
fn slots<'a, K>(program: &Program<K>, mut bytes: &'a mut [u8]) -> Vec<(usize, Vec<Slot<'a>>)> {
    let mut constants: Vec<_> = program
        .constants
        .iter()
        .map(|constant| {
            let buffer = &program.buffers[constant.buffer];
            let Place::Constant(offset) = buffer.place else { panic!("constant {} lies elsewhere", buffer.name) };
            (offset as usize, buffer.bytes() as usize, buffer.dtype, constant)
        })
        .collect();
    constants.sort_by_key(|c| c.0);
    let mut by_output: Vec<Vec<Slot>> = program.folds.outputs.iter().map(|_| Vec::new()).collect();
    let mut at = 0;
    for (offset, length, dtype, constant) in constants {
        let rest = std::mem::take(&mut bytes).split_at_mut(offset - at).1;
        let (here, behind) = rest.split_at_mut(length);
        by_output[constant.output].push(Slot { bytes: here, dtype, layout: constant.layout });
        (bytes, at) = (behind, offset + length);
    }
    by_output.into_iter().enumerate().filter(|(_, places)| !places.is_empty()).collect()
}

/// The value of any node of the fold graph. Products of a row with a weight that is only moved about, the
/// β of a layer norm times the product behind it, are streamed: the weight is never held as f64.
fn evaluated(folds: &Graph, root: NodeId, weights: &dyn Weights) -> Result<Vec<f64>> {
    // Only what the constant needs is copied: a graph of n constants would be copied n times.
    let mut graph = Graph::new(folds.name.clone());
    let mut moved: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    let mut known = BTreeMap::new();
    for id in needed(folds, root) {
        if let Op::MatMul(_) = folds.node(id).op
            && let [row, matrix] = folds.node(id).operands[..]
            && let Some(movement) = Movement::of(folds, matrix)
            && movement.is_matrix(folds.ty(row).elements())
        {
            let product = movement.row_product(&evaluated(folds, row, weights)?, weights)?;
            let ty = folds.ty(id).clone();
            let input = Node { op: Input { ty: ty.clone() }.into(), operands: Vec::new(), ty, label: None };
            let new = graph.nodes.push(input);
            known.insert(new, product);
            moved.insert(id, new);
        } else {
            let mut node = folds.node(id).clone();
            node.operands.iter_mut().for_each(|operand| *operand = moved[operand]);
            moved.insert(id, graph.nodes.push(node));
        }
    }
    let values = eval_nodes(&graph, &[moved[&root]], &mut leaf(&graph, weights, |id, _| known.remove(&id)))?;
    let values = values.into_iter().next().expect("one node was asked for").data;
    match values.iter().position(|v| v.is_nan()) {
        None => Ok(values),
        Some(at) => Err(Error::Failed(format!("constant {} is no number at position {at}", folds.text_name(root)))),
    }
}

/// The nodes that `root` is made of, itself included.
fn needed(folds: &Graph, root: NodeId) -> BTreeSet<NodeId> {
    let mut needed = BTreeSet::from([root]);
    let mut work = vec![root];
    while let Some(id) = work.pop() {
        work.extend(folds.node(id).operands.iter().filter(|&&operand| needed.insert(operand)));
    }
    needed
}

impl Slot<'_> {
    /// Writes row-major values; padding stays zero.
    fn write(self, values: &[f64]) {
        let (dtype, size) = (self.dtype, self.dtype.bytes());
        match self.layout {
            Layout::Dense => {
                let elements = self.bytes.chunks_exact_mut(size).zip(values);
                elements.for_each(|(to, &value)| values::put(dtype, value, to));
            }
            Layout::Panels { rows, cols, width } => {
                for (panel, block) in self.bytes.chunks_exact_mut(rows * width * size).enumerate() {
                    let left = panel * width;
                    for (row, line) in block.chunks_exact_mut(width * size).enumerate() {
                        let line = line.chunks_exact_mut(size).zip(&values[row * cols + left..(row + 1) * cols]);
                        line.for_each(|(to, &value)| values::put(dtype, value, to));
                    }
                }
            }
        }
    }
}
