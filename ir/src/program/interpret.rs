//! Evaluates a lowered program in f64, where every buffer has memory of its own and every real value is held as f64.
//!
//! What differs from the graph interpreter by more than 1e-12 or so is an index error of lowering, not rounding. What a
//! machine computes, bit for bit, is the business of a session on the kernel interpreter, which has bytes and an arena.

use super::{Constant, ConstantSource, MovedWeight, Program};
use crate::{
    graph::{EvalError, Node, NodeId, Tensor, eval_nodes},
    id::IdVec,
    kernel::{Kernel, eval},
    program::BufferId,
};
use thiserror::Error;

/// Why a program has no value.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum InterpretError {
    /// A constant has no value.
    #[error("{0}")]
    Constant(#[from] EvalError),
    /// A kernel did something it must not.
    #[error("{0}")]
    Fault(#[from] eval::Fault),
}

/// The values of one constant in its layout; `leaf` supplies the weights.
///
/// # Errors
/// Those of `leaf`, or where the constant graph has no value.
pub fn constant_values<K>(
    program: &Program<K>,
    constant: &Constant,
    leaf: &mut dyn FnMut(NodeId, &Node) -> Result<Tensor, EvalError>,
) -> Result<Vec<f64>, EvalError> {
    let graph = &program.constant_graph;
    let values = match &constant.source {
        ConstantSource::Moved { weight, factor } => {
            let mut read = |w: &MovedWeight| {
                let tensor = leaf(w.weight, graph.node(w.weight))?;
                Ok(w.view.gather(&tensor.data, 0.0).expect("the view stays inside"))
            };
            let mut values = read(weight)?;
            if let Some(factor) = factor {
                values.iter_mut().zip(read(factor)?).for_each(|(value, factor)| *value *= factor);
            }
            values
        }
        ConstantSource::Computed { output } => {
            eval_nodes(graph, &[graph.outputs[*output]], leaf)?.pop().expect("one node was wanted").data
        }
    };
    let mut stored = vec![0.0; constant.layout.stored()];
    constant.layout.pack(&values, 1, &mut stored, |value, to| to[0] = value);
    Ok(stored)
}

/// The outputs of a program for these inputs, in order.
pub fn interpret(
    program: &Program<Kernel>,
    leaf: &mut dyn FnMut(NodeId, &Node) -> Result<Tensor, EvalError>,
    inputs: &[Tensor],
) -> Result<Vec<Tensor>, InterpretError> {
    let mut memory: IdVec<BufferId, Vec<f64>> = program.buffers.values().map(|b| vec![0.0; b.len as usize]).collect();
    for constant in &program.constants {
        memory[constant.buffer] = constant_values(program, constant, leaf)?;
    }
    for (port, input) in program.inputs.iter().zip(inputs) {
        memory[port.buffer].clone_from(&input.data);
    }
    for launch in &program.launches {
        let taken = launch.buffers.iter().map(|&b| std::mem::take(&mut memory[b]));
        let mut buffers: Vec<Vec<f64>> = taken.collect();
        eval::run_f64(&program.kernels[launch.kernel], &mut buffers)?;
        for (&id, values) in launch.buffers.iter().zip(buffers) {
            memory[id] = values;
        }
    }
    Ok(program.outputs.iter().map(|port| Tensor::new(port.ty.clone(), memory[port.buffer].clone())).collect())
}
