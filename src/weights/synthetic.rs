//! Weights from a formula: the same everywhere, without a file.

use super::Weights;
use crate::errors::{Error, Result};
use regard_ir::{
    graph::{Graph, NodeId},
    types::TensorType,
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
    fn check(&self, graph: &Graph) -> Result<()> {
        floats_only(graph)
    }
    fn floats(&self, name: &str, ty: &TensorType, range: Range<usize>) -> Result<Vec<f32>> {
        Ok(synthetic::parameter_range(name, &ty.shape, range, self.seed))
    }
}

/// Weights are floats; index tables and masks are written into the graph.
pub(super) fn floats_only(graph: &Graph) -> Result<()> {
    let wrong = |&id: &NodeId| !graph.ty(id).dtype.is_float();
    match graph.weights().into_iter().find(wrong) {
        None => Ok(()),
        Some(id) => {
            let (name, ty) = (graph.text_name(id), graph.ty(id));
            Err(Error::Failed(format!(
                "weight {name} is {ty}, but weights are f32, bf16 or f16; use an input, iota or const"
            )))
        }
    }
}
