//! Drawing ops on maps `[B, C, H, W]`, and the norms and activations between them.

use super::draw::Grower;
use regard_ir::{
    graph::NodeId,
    ops::{AdaptiveAvgPool, AvgPool, BatchNorm, Conv2d, MaxPool, Reshape, Resize, ResizeMode, ResizedConv},
    types::{DType, Real, TensorType},
};

impl Grower {
    /// A map `[b, c, h, w]` made from any tensor of enough axes.
    fn map(&mut self) -> Option<NodeId> {
        let x = self.with_rank(2)?;
        let ty = self.graph.ty(x).clone();
        if ty.dtype != DType::F32 || ty.rank() > 4 {
            return None;
        }
        let mut shape = vec![1; 4 - ty.rank()];
        shape.extend(&ty.shape);
        if ty.rank() == 4 {
            Some(x)
        } else {
            self.keep(Reshape { shape: shape.iter().map(|&d| d as i64).collect() }, &[x])
        }
    }

    pub(super) fn convolution(&mut self) {
        let Some(x) = self.map() else { return };
        let channels = self.graph.ty(x).shape[1];
        let groups = self.random.one(&[1, 1, channels]);
        let each = self.random.one(&[1, 1, 2, 3]);
        let [kh, kw] = [1 + self.random.below(3), 1 + self.random.below(3)];
        let mut pair = |least: usize, n: usize| [least + self.random.below(n), least + self.random.below(n)];
        let op = Conv2d { stride: pair(1, 2), padding: pair(0, 3), dilation: pair(1, 2), groups };
        let out = each * if groups == 1 { 1 + self.random.below(3) } else { groups };
        let mut operands = vec![x, self.leaf(TensorType::f32([out, channels / groups, kh, kw]))];
        if self.random.below(2) == 0 {
            operands.push(self.leaf(TensorType::f32([out])));
        }
        self.keep(op, &operands);
    }

    pub(super) fn batch_norm(&mut self) {
        let Some(x) = self.with_rank(1) else { return };
        let ty = self.graph.ty(x).clone();
        let axis = self.axis(&ty);
        let Ok(at) = ty.axis(axis) else { return };
        if ty.dtype.is_float() {
            let channels = TensorType::new(ty.dtype, [ty.shape[at]]);
            let mut operands = vec![x];
            operands.extend((0..4).map(|_| self.leaf(channels.clone())));
            // Leaves are at least −1.
            self.keep(BatchNorm { eps: Real::new(1.5), axis }, &operands);
        }
    }

    pub(super) fn pool(&mut self) {
        let Some(x) = self.map() else { return };
        let kernel = [1 + self.random.below(3), 1 + self.random.below(3)];
        let stride = [1 + self.random.below(2), 1 + self.random.below(2)];
        let padding = kernel.map(|k| self.random.below(k / 2 + 1));
        let count_padding = self.random.below(2) == 0;
        match self.random.below(3) {
            0 => self.keep(MaxPool { kernel, stride, padding }, &[x]),
            1 => self.keep(AvgPool { kernel, stride, padding, count_padding }, &[x]),
            _ => {
                let size = [self.dim(), self.dim()];
                self.keep(AdaptiveAvgPool { size }, &[x])
            }
        };
    }

    pub(super) fn resize(&mut self) {
        let Some(x) = self.map() else { return };
        let size = [self.dim(), self.dim()];
        let mode = self.random.one(&ResizeMode::ALL).0;
        if self.random.below(4) == 0 {
            let mut pair = |least: usize, most: usize| [0; 2].map(|_| least + self.random.below(most + 1 - least));
            let (kernel, stride, padding, dilation) = (pair(1, 3), pair(1, 2), pair(0, 2), pair(1, 2));
            let w = TensorType::f32([1 + self.random.below(3), self.graph.ty(x).shape[1], kernel[0], kernel[1]]);
            let w = self.leaf(w);
            self.keep(ResizedConv { size, mode, stride, padding, dilation }, &[x, w]);
            return;
        }
        self.keep(Resize { size, mode }, &[x]);
    }
}
