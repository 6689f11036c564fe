//! Rows picked by index.
//!
//! ```text
//!   y[i…, c…] = table[idx[i…], c…]
//! ```

use super::{OpDef, shape::sized};
use crate::{
    graph::Tensor,
    types::{DType, TensorType},
};

op! {
    /// `gather %table, %idx`: table `[n, c…]`, idx i32 `[i…]` → `[i…, c…]`.
    ///
    /// An index outside 0…n−1, a negative one too, is an error of the interpreter, and so of `regard check`. Compiled code
    /// takes the nearest row, 0 or n−1, and never reads outside the table. Where table and indices are weights, the interpreter
    /// computes the result once, when weights are bound, and the error is said there.
    pub struct Gather = "gather"(table, index);
}

impl OpDef for Gather {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let [table, index] = [operands[0], operands[1]];
        if index.dtype != DType::I32 {
            return Err(format!("indices of gather are {index}, expected i32"));
        }
        let [_, row @ ..] = table.shape.as_slice() else {
            return Err(format!("table of gather is {table}, expected 1 axis or more"));
        };
        sized(table.dtype, [&index.shape, row].concat())
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let [table, index] = [operands[0], operands[1]];
        let rows = table.ty.shape[0];
        let width = table.data.len() / rows;
        let mut data = Vec::with_capacity(result.elements());
        for &i in &index.data {
            if !(0.0..rows as f64).contains(&i) {
                return Err(format!("gather has index {i}, expected 0 to {}", rows - 1));
            }
            data.extend_from_slice(&table.data[i as usize * width..][..width]);
        }
        Ok(Tensor::new(result.clone(), data))
    }
}
