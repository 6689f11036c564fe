//! Weights from a formula: the same everywhere, without a file.
//!
//! A weight that its graph divides by, takes a root or a logarithm of, or calls a variance is positive, where the formula for
//! its name does not make it so: 1 + u/2. Weights of `i32` are zeros, which are valid indices of every table, and ones where
//! something is divided by them; those of `bool` are true where the formula for floats of their name and shape is positive.

use super::{Weights, positive::positive};
use crate::errors::Result;
use regard_ir::{
    graph::Graph,
    types::{DType, TensorType},
};
use regard_models::synthetic;
use std::{collections::BTreeSet, ops::Range};

/// `synth:SEED`.
#[derive(Clone, Debug, Default)]
pub struct Synthetic {
    seed: u64,
    /// Names of the weights that must be positive.
    positive: BTreeSet<String>,
}

impl Synthetic {
    /// Weights whose values follow from their names alone.
    pub fn new(seed: u64) -> Synthetic {
        Synthetic { seed, positive: BTreeSet::new() }
    }
    /// Weights for a graph, whatever it calls them.
    pub fn of(seed: u64, graph: &Graph) -> Synthetic {
        Synthetic { seed, positive: positive(graph) }
    }
}

impl Weights for Synthetic {
    fn describe(&self) -> String {
        format!("synth:{}", self.seed)
    }
    fn prepare(&mut self, graph: &Graph) {
        self.positive = positive(graph);
    }
    fn check(&self, _: &Graph) -> Result<()> {
        Ok(())
    }
    fn floats(&self, name: &str, ty: &TensorType, range: Range<usize>) -> Result<Vec<f32>> {
        Ok(match self.positive.contains(name) {
            true => synthetic::positive_range(name, &ty.shape, range, self.seed),
            false => synthetic::parameter_range(name, &ty.shape, range, self.seed),
        })
    }
    fn values(&self, name: &str, ty: &TensorType, range: Range<usize>) -> Result<Vec<f64>> {
        if ty.dtype == DType::I32 {
            return Ok(vec![f64::from(u8::from(self.positive.contains(name))); range.len()]);
        }
        let value = |v: f32| match ty.dtype {
            DType::Bool => f64::from(u8::from(v > 0.0)),
            dtype => dtype.round(f64::from(v)),
        };
        Ok(self.floats(name, ty, range)?.into_iter().map(value).collect())
    }
}
