//! Layers on maps with channels last, `[B, H, W, C]`, shared by the hierarchical models.
//!
//! Convolutions take channels first by name; the transpositions around them are views that cancel, so a map
//! lies in memory once, channels last. Golden files and people who ask for a module by name want `[B, C, H, W]`:
//! [`Layers::tap`] names such a view, which costs nothing unless it is asked for.

use regard_ir::{
    graph::{Builder, NodeId},
    ops::Conv2d,
    types::TensorType,
};

/// A model under construction.
pub struct Layers {
    /// The graph so far.
    pub b: Builder,
}

impl Layers {
    /// An empty model.
    pub fn new(name: &str) -> Self {
        Self { b: Builder::new(name) }
    }
    /// A parameter.
    pub fn weight(&mut self, name: String, shape: &[usize]) -> NodeId {
        self.b.weight(name, TensorType::f32(shape))
    }
    /// Extents of a map or another tensor of that many axes.
    pub fn axes<const N: usize>(&self, x: NodeId) -> [usize; N] {
        let shape = self.b.shape(x);
        shape.try_into().unwrap_or_else(|_| panic!("{} has not {N} axes", self.b.ty(x)))
    }
    /// Names `[B, C, H, W]` of a map.
    pub fn tap(&mut self, x: NodeId, name: String) {
        let first = self.channels_first(x);
        self.b.label(first, name);
    }
    /// `[B, H, W, C]` → `[B, C, H, W]`.
    pub fn channels_first(&mut self, x: NodeId) -> NodeId {
        self.b.transpose(x, &[-1, -3, -2])
    }
    /// `[B, C, H, W]` → `[B, H, W, C]`.
    pub fn channels_last(&mut self, x: NodeId) -> NodeId {
        self.b.transpose(x, &[-2, -1, -3])
    }
    /// Layer norm over channels.
    pub fn norm(&mut self, x: NodeId, name: &str, eps: f64) -> NodeId {
        let channels = self.b.shape(x)[self.b.shape(x).len() - 1];
        let gamma = self.weight(format!("{name}.weight"), &[channels]);
        let beta = self.weight(format!("{name}.bias"), &[channels]);
        self.b.layer_norm(x, gamma, beta, eps)
    }
    /// A linear layer over channels, its weight `[out, in]`.
    pub fn linear(&mut self, x: NodeId, name: &str, out: usize) -> NodeId {
        let channels = self.b.shape(x)[self.b.shape(x).len() - 1];
        let weight = self.weight(format!("{name}.weight"), &[out, channels]);
        let bias = self.weight(format!("{name}.bias"), &[out]);
        self.b.linear(x, weight, Some(bias))
    }
    /// A linear layer over channels that its authors wrote as a 1×1 convolution, its weight `[out, in, 1, 1]`.
    pub fn pointwise(&mut self, x: NodeId, name: &str, out: usize) -> NodeId {
        let channels = self.b.shape(x)[self.b.shape(x).len() - 1];
        let weight = self.weight(format!("{name}.weight"), &[out, channels, 1, 1]);
        let weight = self.b.reshape(weight, &[out, channels]);
        let bias = self.weight(format!("{name}.bias"), &[out]);
        self.b.linear(x, weight, Some(bias))
    }
    /// A convolution with bias; its zeros keep the extent before it is divided by the stride.
    pub fn conv(&mut self, x: NodeId, name: &str, out: usize, size: usize, stride: usize) -> NodeId {
        let first = self.channels_first(x);
        let y = self.b.conv_with_bias(first, name, [out, size], Conv2d::new(stride, size / 2));
        self.channels_last(y)
    }
    /// The same for each channel by itself.
    pub fn depthwise(&mut self, x: NodeId, name: &str, size: usize, stride: usize) -> NodeId {
        let [.., channels] = self.axes::<4>(x);
        let first = self.channels_first(x);
        let op = Conv2d::new(stride, size / 2).in_groups(channels);
        let y = self.b.conv_with_bias(first, name, [channels, size], op);
        self.channels_last(y)
    }
    /// A 3×3 convolution by steps of 2, and its batch norm.
    pub fn halve(&mut self, x: NodeId, conv: &str, norm: &str, out: usize) -> NodeId {
        let y = self.conv(x, conv, out, 3, 2);
        self.b.batch_norm(y, norm, -1)
    }
    /// Zeros below and to the right, so that both extents become multiples of `side`.
    pub fn pad(&mut self, x: NodeId, side: usize) -> NodeId {
        let [_, h, w, _] = self.axes::<4>(x);
        let below = h.next_multiple_of(side) - h;
        let right = w.next_multiple_of(side) - w;
        let x = if below > 0 { self.b.pad(x, -3, 0, below, 0.0) } else { x };
        if right > 0 { self.b.pad(x, -2, 0, right, 0.0) } else { x }
    }
    /// The first rows and columns.
    pub fn crop(&mut self, x: NodeId, height: usize, width: usize) -> NodeId {
        let [_, h, w, _] = self.axes::<4>(x);
        let x = if h > height { self.b.slice(x, -3, 0..height) } else { x };
        if w > width { self.b.slice(x, -2, 0..width) } else { x }
    }
    /// Cuts a map into side×side regions: `[B, H, W, C]` → `[B, side², tokens, C]`, row-major both.
    pub fn regions(&mut self, x: NodeId, side: usize) -> NodeId {
        let [b, h, w, c] = self.axes(x);
        let (height, width) = (h / side, w / side);
        let cut = self.b.reshape(x, &[b, side, height, side, width, c]);
        let order = self.b.transpose(cut, &[-5, -3, -4, -2, -1]);
        self.b.reshape(order, &[b, side * side, height * width, c])
    }
    /// The inverse, for a map of that height and width.
    pub fn map_of_regions(&mut self, x: NodeId, side: usize, height: usize, width: usize) -> NodeId {
        let [b, _, _, c] = self.axes(x);
        let cut = self.b.reshape(x, &[b, side, side, height / side, width / side, c]);
        let order = self.b.transpose(cut, &[-5, -3, -4, -2, -1]);
        self.b.reshape(order, &[b, height, width, c])
    }
    /// `[B, H, W, heads·d]` → `[B, heads, H·W, d]`.
    pub fn heads(&mut self, x: NodeId, heads: usize) -> NodeId {
        let [b, h, w, c] = self.axes(x);
        let tokens = self.b.reshape(x, &[b, h * w, c]);
        self.b.split_heads(tokens, heads)
    }
    /// Linear, a depthwise convolution that is added, GELU, linear: names `linear1.0`, `dwc`, `linear2.0`.
    pub fn conv_mlp(&mut self, x: NodeId, name: &str, ratio: usize) -> NodeId {
        let [.., channels] = self.axes::<4>(x);
        let hidden = self.pointwise(x, &format!("{name}.linear1.0"), ratio * channels);
        let near = self.depthwise(hidden, &format!("{name}.dwc"), 3, 1);
        let hidden = self.b.add(hidden, near);
        let hidden = self.b.gelu(hidden);
        self.pointwise(hidden, &format!("{name}.linear2.0"), channels)
    }
    /// The stem and the steps between stages of BiFormer and DeBiFormer; the first takes the image.
    pub fn downsample(&mut self, x: NodeId, stage: usize, out: usize) -> NodeId {
        let name = format!("downsample_layers.{stage}");
        let y = match stage {
            0 => {
                let y = self.halve(x, &format!("{name}.0"), &format!("{name}.1"), out / 2);
                let y = self.b.gelu(y);
                self.halve(y, &format!("{name}.3"), &format!("{name}.4"), out)
            }
            _ => self.halve(x, &format!("{name}.0"), &format!("{name}.1"), out),
        };
        self.tap(y, name);
        y
    }
    /// Batch norm, mean over the map, classifier.
    pub fn batch_norm_head(&mut self, x: NodeId, classes: usize) -> NodeId {
        let y = self.b.batch_norm(x, "norm", -1);
        self.classify(y, "head", classes)
    }
    /// Mean over the map, classifier.
    pub fn classify(&mut self, x: NodeId, name: &str, classes: usize) -> NodeId {
        let [b, h, w, c] = self.axes(x);
        let tokens = self.b.reshape(x, &[b, h * w, c]);
        let mean = self.b.mean(tokens, -2);
        let pooled = self.b.reshape(mean, &[b, c]);
        let logits = self.linear(pooled, name, classes);
        self.b.label(logits, "logits")
    }
}
