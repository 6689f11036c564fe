//! Weights from a formula: the same everywhere, without a file.
//!
//! Weights of `i32` are zeros, which are valid indices of every table; those of `bool` are true where the formula for
//! floats of their name and shape is positive.

use super::Weights;
use crate::errors::Result;
use regard_ir::{
    graph::Graph,
    types::{DType, TensorType},
};
use regard_models::synthetic;
use std::ops::Range;

/// `synth:SEED`.
#[derive(Clone, Copy, Debug)]
pub struct Synthetic {
    /// The seed.
    pub seed: u64,
}

impl Weights for Synthetic {
    fn describe(&self) -> String {
        format!("synth:{}", self.seed)
    }
    fn check(&self, _: &Graph) -> Result<()> {
        Ok(())
    }
    fn floats(&self, name: &str, ty: &TensorType, range: Range<usize>) -> Result<Vec<f32>> {
        Ok(synthetic::parameter_range(name, &ty.shape, range, self.seed))
    }
    fn values(&self, name: &str, ty: &TensorType, range: Range<usize>) -> Result<Vec<f64>> {
        if ty.dtype == DType::I32 {
            return Ok(vec![0.0; range.len()]);
        }
        let value = |v: f32| match ty.dtype {
            DType::Bool => f64::from(u8::from(v > 0.0)),
            dtype => dtype.round(f64::from(v)),
        };
        Ok(self.floats(name, ty, range)?.into_iter().map(value).collect())
    }
}
