//! What every op must satisfy, on random shapes and values.
//!
//! The reference is always the same: an element of the result, addressed by its index, computed from operand
//! elements addressed by theirs. Values are small multiples of 1/4, so sums and products are exact and most
//! comparisons are for equality.

mod codec;
mod composite;
mod conv;
mod extremes;
mod maps;
mod movement;
mod neighbourhood;
mod numeric;
mod pointwise;
mod product;
mod sampling;

use super::{Op, OpDef};
use crate::{
    graph::Tensor,
    random::Random,
    types::{DType, TensorType, strides},
};
use proptest::prelude::*;

/// The type and value of an op.
fn run(op: impl Into<Op>, operands: &[&Tensor]) -> Tensor {
    let op = op.into();
    let types: Vec<&TensorType> = operands.iter().map(|t| &t.ty).collect();
    let ty = op.infer(&types).unwrap_or_else(|message| panic!("{message}"));
    op.eval(operands, &ty).unwrap_or_else(|message| panic!("{message}"))
}

/// The sentence with which an op rejects operand types.
fn rejection(op: impl Into<Op>, types: &[TensorType]) -> String {
    op.into().infer(&types.iter().collect::<Vec<_>>()).expect_err("these types do not fit")
}

/// All indices of a shape in row-major order.
fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let strides = strides(shape);
    (0..shape.iter().product()).map(|at| strides.iter().zip(shape).map(|(s, d)| at / s % d).collect()).collect()
}

/// The element at an index, which may be longer than the tensor's rank and exceed broadcast axes.
fn at(tensor: &Tensor, index: &[usize]) -> f64 {
    let index = &index[index.len() - tensor.ty.rank()..];
    let strides = strides(&tensor.ty.shape);
    let position = |axis: usize| if tensor.ty.shape[axis] == 1 { 0 } else { index[axis] };
    tensor.data[(0..index.len()).map(|axis| position(axis) * strides[axis]).sum::<usize>()]
}

/// A tensor of multiples of 1/4 between −4 and 4 that depends on `seed` alone.
fn tensor(shape: &[usize], seed: u64) -> Tensor {
    let mut random = Random::new(seed);
    Tensor::from_fn(TensorType::f32(shape), |_| (random.bits() % 33) as f64 / 4.0 - 4.0)
}

/// A tensor of integers between −8 and 8, without 0 where it is a divisor.
fn integers(shape: &[usize], seed: u64, divisor: bool) -> Tensor {
    let mut random = Random::new(seed);
    Tensor::from_fn(TensorType::new(DType::I32, shape), |_| match (random.bits() % 17) as f64 - 8.0 {
        0.0 if divisor => 3.0,
        x => x,
    })
}

/// A tensor of truth values.
fn truths(shape: &[usize], seed: u64) -> Tensor {
    let mut random = Random::new(seed);
    Tensor::from_fn(TensorType::new(DType::Bool, shape), |_| (random.bits() % 2) as f64)
}

/// Shapes of 1 to 4 axes with extents 1 to 5.
fn shapes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1usize..6, 1..5)
}

/// A shape that broadcasts to `shape`: some axes become 1, some leading ones vanish.
fn shrunk(shape: &[usize], choice: u64) -> Vec<usize> {
    let mut random = Random::new(choice);
    let dropped = (random.bits() as usize) % (shape.len() + 1);
    shape[dropped..].iter().map(|&d| if random.bits().is_multiple_of(3) { 1 } else { d }).collect()
}

/// An axis of a shape, counted from the end.
fn some_axis(shape: &[usize], choice: u64) -> i64 {
    -1 - (choice % shape.len() as u64) as i64
}

fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance * e.abs().max(1.0), "element {i} is {f}, expected {e}");
    }
}
