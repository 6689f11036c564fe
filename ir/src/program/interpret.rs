//! Runs a lowered program on the kernel interpreter: the reference for every back end.
//!
//! The launch list is the one that a CPU or GPU runs; only the kernels are interpreted. In f64 every real
//! value is held as f64, so what differs from the graph interpreter by more than 1e-12 or so is an index
//! error of lowering, not rounding.

use super::{Constant, Program};
use crate::{
    graph::{EvalError, Node, NodeId, Tensor, eval_nodes},
    id::IdVec,
    kernel::{Kernel, eval},
    program::BufferId,
    types::TensorType,
};
use thiserror::Error;

/// In which arithmetic kernels are interpreted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// As the machine does, bit for bit.
    F32,
    /// To separate index errors from rounding.
    F64,
}

/// Why a program has no value.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum InterpretError {
    /// A constant could not be folded.
    #[error("{0}")]
    Fold(#[from] EvalError),
    /// A kernel did something it must not.
    #[error("{0}")]
    Fault(#[from] eval::Fault),
}

/// The value of one constant in its layout; `leaf` supplies the weights.
pub fn fold<K>(
    program: &Program<K>,
    constant: &Constant,
    leaf: &mut dyn FnMut(NodeId, &Node) -> Result<Tensor, EvalError>,
) -> Result<Vec<f64>, EvalError> {
    let wanted = program.folds.outputs[constant.output];
    let value = eval_nodes(&program.folds, &[wanted], leaf)?.pop().expect("one node was wanted");
    Ok(constant.layout.pack(&value.data))
}

/// The outputs of a program for these inputs, in order.
pub fn interpret(
    program: &Program<Kernel>,
    leaf: &mut dyn FnMut(NodeId, &Node) -> Result<Tensor, EvalError>,
    inputs: &[Tensor],
    precision: Precision,
) -> Result<Vec<Tensor>, InterpretError> {
    let mut memory: IdVec<BufferId, Vec<f64>> = program.buffers.values().map(|b| vec![0.0; b.len as usize]).collect();
    for constant in &program.constants {
        let mut values = fold(program, constant, leaf)?;
        if precision == Precision::F32 {
            let dtype = program.buffers[constant.buffer].dtype;
            values.iter_mut().for_each(|v| *v = dtype.round(*v));
        }
        memory[constant.buffer] = values;
    }
    for (port, input) in program.inputs.iter().zip(inputs) {
        memory[port.buffer].clone_from(&input.data);
    }
    for launch in &program.launches {
        let kernel = &program.kernels[launch.kernel];
        let taken = launch.buffers.iter().map(|&b| std::mem::take(&mut memory[b]));
        let mut buffers: Vec<Vec<f64>> = taken.collect();
        match precision {
            Precision::F64 => run::<f64>(kernel, &mut buffers)?,
            Precision::F32 => run::<f32>(kernel, &mut buffers)?,
        }
        for (&id, values) in launch.buffers.iter().zip(buffers) {
            memory[id] = values;
        }
    }
    let value = |ty: &TensorType, buffer: BufferId| Tensor::new(ty.clone(), memory[buffer].clone());
    Ok(program.outputs.iter().map(|port| value(&port.ty, port.buffer)).collect())
}

/// One launch; every f32 is exact as f64.
fn run<F: eval::Float>(kernel: &Kernel, buffers: &mut [Vec<f64>]) -> Result<(), eval::Fault> {
    let interpreter = eval::Interpreter::new(kernel)?;
    let cells = kernel.params().zip(buffers.iter()).map(|((_, b), values)| {
        eval::Cells::<F>::from_f64(b.dtype, values)
            .map_err(|e| eval::Fault::before_start(kernel, format!("buffer {}: {e}", b.name)))
    });
    let mut cells = cells.collect::<Result<Vec<_>, _>>()?;
    interpreter.run(&mut cells)?;
    for (cells, values) in cells.into_iter().zip(buffers) {
        *values = cells.into_f64();
    }
    Ok(())
}
