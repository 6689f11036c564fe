//! Binding: a program's constants are computed from weights and laid out as its kernels stream them.
//!
//! ```text
//!   weight ──(fold graph: transposes, scales, sums)──▶ [k, n] ──(layout)──▶ panels in the constants
//!              movement alone: f32 to f32                       one value at a time, in place
//!              anything else:  the f64 interpreter
//! ```
//!
//! A constant that is a weight moved about, as nearly all are, never exists in f64. Workers take constants
//! one by one, and only one of them evaluates arithmetic at a time, so that the peak stays a few tensors
//! above the constants themselves.

use super::Weights;
use crate::{
    errors::{Error, Result},
    values,
};
use half::{bf16, f16};
use rayon::prelude::*;
use regard_ir::{
    graph::{EvalError, Graph, Node, NodeId, Tensor, eval_nodes},
    ops::Op,
    program::{Layout, Place, Program},
    types::DType,
    view::View,
};
use regard_runtime::memory::Constants;
use std::sync::{Mutex, PoisonError};

/// The constants of a program, from `weights`, which were [checked](Weights::check) against its graph.
///
/// # Errors
/// Where a weight cannot be read or a constant has no finite value.
pub fn bind<K: Sync>(program: &Program<K>, weights: &dyn Weights) -> Result<Constants> {
    Constants::build(program.constant_bytes as usize, |bytes| {
        let arithmetic = Mutex::new(());
        places(program, bytes).into_par_iter().try_for_each(|(output, places)| {
            let root = program.folds.outputs[output];
            let values = match moved(&program.folds, root, weights)? {
                Some(values) => Values::F32(values),
                None => {
                    let _one_at_a_time = arithmetic.lock().unwrap_or_else(PoisonError::into_inner);
                    Values::F64(evaluated(&program.folds, root, weights)?)
                }
            };
            check_finite(&program.folds, root, &values)?;
            places.into_iter().for_each(|place| place.write(&values));
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
                let floats = weights.floats(&graph.text_name(id), &node.ty);
                let floats = floats.map_err(|error| EvalError::new(graph, id, error.to_string()))?;
                floats.into_iter().map(|v| rounded(v, node.ty.dtype)).collect()
            }
            _ => input(id, node).ok_or_else(|| EvalError::new(graph, id, "there is no value for this input"))?,
        };
        Ok(Tensor { ty: node.ty.clone(), data })
    }
}

/// A weight as its declared type holds it.
fn rounded(value: f32, dtype: DType) -> f64 {
    match dtype {
        DType::Bf16 => bf16::from_f32(value).to_f64(),
        DType::F16 => f16::from_f32(value).to_f64(),
        _ => f64::from(value),
    }
}

enum Values {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

/// Where a constant goes.
struct Slot<'a> {
    bytes: &'a mut [u8],
    dtype: DType,
    layout: Layout,
}

/// The bytes of every constant, by fold output.
fn places<'a, K>(program: &Program<K>, mut bytes: &'a mut [u8]) -> Vec<(usize, Vec<Slot<'a>>)> {
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

/// The value of a node that is an f32 weight moved about, without arithmetic.
fn moved(folds: &Graph, root: NodeId, weights: &dyn Weights) -> Result<Option<Vec<f32>>> {
    let (mut node, mut maps) = (root, Vec::new());
    while let [operand] = folds.node(node).operands[..] {
        let Some(map) = View::of_op(&folds.node(node).op, folds.ty(operand)) else { return Ok(None) };
        maps.push(map);
        node = operand;
    }
    let weight = folds.node(node);
    if !matches!(weight.op, Op::Weight(_)) || weight.ty.dtype != DType::F32 {
        return Ok(None);
    }
    let mut values = weights.floats(&folds.text_name(node), &weight.ty)?;
    for map in maps.iter().rev().filter(|map| !map.is_flat()) {
        let outside = || Error::Failed(format!("the view {map} leaves weight {}", folds.text_name(node)));
        values = map.gather(&values, map.fill.get() as f32).ok_or_else(outside)?;
    }
    Ok(Some(values))
}

/// The value of any node of the fold graph.
fn evaluated(folds: &Graph, root: NodeId, weights: &dyn Weights) -> Result<Vec<f64>> {
    let values = eval_nodes(folds, &[root], &mut leaf(folds, weights, |_, _| None))?;
    Ok(values.into_iter().next().expect("one node was asked for").data)
}

fn check_finite(folds: &Graph, root: NodeId, values: &Values) -> Result<()> {
    let wrong = match values {
        Values::F32(v) => v.iter().position(|v| !v.is_finite()),
        Values::F64(v) => v.iter().position(|v| v.is_nan()),
    };
    match wrong {
        None => Ok(()),
        Some(at) => Err(Error::Failed(format!("constant {} has no number at position {at}", folds.text_name(root)))),
    }
}

impl Slot<'_> {
    fn write(self, values: &Values) {
        match values {
            Values::F32(v) if self.dtype == DType::F32 => {
                self.scatter(v.len(), |to, i| to.copy_from_slice(&v[i].to_le_bytes()))
            }
            Values::F32(v) => self.store(v.len(), |i| f64::from(v[i])),
            Values::F64(v) => self.store(v.len(), |i| v[i]),
        }
    }
    fn store(self, elements: usize, value: impl Fn(usize) -> f64) {
        let dtype = self.dtype;
        self.scatter(elements, |to, i| values::put(dtype, value(i), to));
    }
    /// Calls `put` with the bytes of each element and its row-major position; padding stays zero.
    fn scatter(self, elements: usize, put: impl Fn(&mut [u8], usize)) {
        let size = self.dtype.bytes();
        match self.layout {
            Layout::Dense => {
                self.bytes.chunks_exact_mut(size).take(elements).enumerate().for_each(|(i, to)| put(to, i))
            }
            Layout::Panels { rows, cols, width } => {
                for (panel, block) in self.bytes.chunks_exact_mut(rows * width * size).enumerate() {
                    let left = panel * width;
                    for (row, line) in block.chunks_exact_mut(width * size).enumerate() {
                        let line = line.chunks_exact_mut(size).take(cols - left).enumerate();
                        line.for_each(|(column, to)| put(to, row * cols + left + column));
                    }
                }
            }
        }
    }
}
