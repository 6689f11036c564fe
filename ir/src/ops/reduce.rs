//! Reduction over one axis, which stays with extent 1.

use super::{
    OpDef,
    pointwise::{greater, lesser},
    shape::float,
    walk::around,
};
use crate::{
    graph::Tensor,
    types::{DType, TensorType},
};

words! {
    /// How elements are combined.
    #[allow(missing_docs)] // the names say it
    pub enum ReduceOp = "reduction" {
        Sum = "sum",
        Mean = "mean",
        Max = "max",
        Min = "min",
    }
}

op! {
    /// `reduce %x { op = mean, axis = -1 }`. `max` and `min` are NaN where one of the elements is. Of bools, `max` says whether any is true and `min` whether all are.
    pub struct Reduce = "reduce"(x) {
        /// How.
        pub op: ReduceOp,
        /// Over which axis, −1 for the last; its extent becomes 1.
        pub axis: i64,
    }
}

impl ReduceOp {}

impl OpDef for Reduce {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let mut ty = operands[0].clone();
        match (self.op, ty.dtype) {
            (ReduceOp::Mean, _) => float("mean", "operand", &ty)?,
            (ReduceOp::Sum, DType::Bool) => return Err(format!("operand of sum is {ty}, expected numbers")),
            _ => {}
        }
        let axis = ty.axis(self.axis)?;
        ty.shape[axis] = 1;
        Ok(ty)
    }
    fn flops(&self, operands: &[&TensorType], _: &TensorType) -> u64 {
        if operands[0].dtype.is_float() { operands[0].elements() as u64 } else { 0 }
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let (_, extent, inner) = around(&operands[0].ty.shape, result.axis(self.axis)?);
        let fold = |f: fn(f64, f64) -> f64| fold(&operands[0].data, extent, inner, f);
        let mut data = match self.op {
            ReduceOp::Sum | ReduceOp::Mean => fold(|x, y| x + y),
            ReduceOp::Max => fold(greater),
            ReduceOp::Min => fold(lesser),
        };
        match (self.op, result.dtype) {
            (ReduceOp::Mean, _) => data.iter_mut().for_each(|x| *x /= extent as f64),
            (_, DType::I32) => data.iter_mut().for_each(|x| *x = f64::from(*x as i64 as i32)),
            _ => {}
        }
        Ok(Tensor::new(result.clone(), data))
    }
}

/// Combines the lines of every `extent × inner` block into one line.
fn fold(data: &[f64], extent: usize, inner: usize, f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let mut out = Vec::with_capacity(data.len() / extent);
    for block in data.chunks(extent * inner) {
        if inner == 1 {
            out.push(block[1..].iter().fold(block[0], |x, &y| f(x, y)));
            continue;
        }
        let start = out.len();
        out.extend_from_slice(&block[..inner]);
        for line in block[inner..].chunks(inner) {
            out[start..].iter_mut().zip(line).for_each(|(x, &y)| *x = f(*x, y));
        }
    }
    out
}
