//! Layers on maps `[B, C, H, W]`, under the names that PyTorch gives their parameters.
//!
//! ```text
//!   conv       name.weight [O, C/groups, k, k]   name.bias [O]
//!   batch norm name.weight, name.bias, name.running_mean, name.running_var   [C]
//! ```

use super::{Builder, NodeId};
use crate::{
    ops::{Activation, ActivationOp, BatchNorm, Conv2d},
    types::TensorType,
};

/// What PyTorch adds to variances.
const EPS: f64 = 1e-5;

/// Convolution and batch normalisation.
impl Builder {
    /// x `[B, C, H, W]`, weight `[O, C/groups, kh, kw]`, bias `[O]` → `[B, O, OH, OW]`.
    pub fn conv2d(&mut self, x: NodeId, weight: NodeId, bias: Option<NodeId>, op: Conv2d) -> NodeId {
        let operands: Vec<NodeId> = [x, weight].into_iter().chain(bias).collect();
        self.push(op, &operands)
    }

    /// A convolution to `out` channels with a kernel of `size` × `size`, its weight called `name.weight`, without bias.
    pub fn conv(&mut self, x: NodeId, name: &str, [out, size]: [usize; 2], op: Conv2d) -> NodeId {
        let weight = self.conv_weight(x, name, [out, size], &op);
        self.conv2d(x, weight, None, op)
    }

    /// The same with a bias called `name.bias`.
    pub fn conv_with_bias(&mut self, x: NodeId, name: &str, [out, size]: [usize; 2], op: Conv2d) -> NodeId {
        let weight = self.conv_weight(x, name, [out, size], &op);
        let bias = self.weight(format!("{name}.bias"), TensorType::f32([out]));
        self.conv2d(x, weight, Some(bias), op)
    }

    fn conv_weight(&mut self, x: NodeId, name: &str, [out, size]: [usize; 2], op: &Conv2d) -> NodeId {
        let channels = self.shape(x)[1] / op.groups;
        self.weight(format!("{name}.weight"), TensorType::f32([out, channels, size, size]))
    }

    /// max(x, 0).
    pub fn relu(&mut self, x: NodeId) -> NodeId {
        self.push(Activation { op: ActivationOp::Relu }, &[x])
    }

    /// Batch normalisation along `axis` with the parameters and statistics recorded under `name`, ε = 1e-5.
    pub fn batch_norm(&mut self, x: NodeId, name: &str, axis: i64) -> NodeId {
        let ty = self.ty(x);
        let axis_index = ty.axis(axis).unwrap_or_else(|message| panic!("batch_norm: {message}"));
        let channels = TensorType::f32([ty.shape[axis_index]]);
        let mut operands = vec![x];
        for part in ["weight", "bias", "running_mean", "running_var"] {
            operands.push(self.weight(format!("{name}.{part}"), channels.clone()));
        }
        self.push(BatchNorm { eps: EPS.into(), axis }, &operands)
    }
}
