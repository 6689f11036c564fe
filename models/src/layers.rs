//! Layers on maps with channels last, `[B, H, W, C]`, shared by the hierarchical models.
//!
//! Convolutions take channels first by name; the transpositions around them are views that cancel, so a map
//! lies in memory once, channels last. Golden files and users who ask for a module by name want `[B, C, H, W]`:
//! [`Layers::tap`] names such a view, which costs nothing unless it is asked for.

use regard_ir::{
    graph::{Builder, NodeId},
    ops::{Conv2d, RelativeBias},
    types::TensorType,
};

/// A model under construction.
pub(crate) struct Layers {
    /// The graph so far.
    pub b: Builder,
    /// What stands before all names.
    prefix: &'static str,
}

/// Names and views.
impl Layers {
    /// An empty model.
    pub(crate) fn new(name: &str) -> Self {
        Self { b: Builder::refusing(name), prefix: "" }
    }
    /// The same; what comes now has that before its names.
    pub(crate) fn called(self, prefix: &'static str) -> Self {
        Self { prefix, ..self }
    }
    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
    /// The input `[B, 3, H, W]`.
    pub(crate) fn image(&mut self, batch: usize, [height, width]: [usize; 2]) -> NodeId {
        self.b.input("image", TensorType::f32([batch, 3, height, width]))
    }
    /// A parameter.
    pub(crate) fn weight(&mut self, name: &str, shape: &[usize]) -> NodeId {
        self.b.weight(self.full(name), TensorType::f32(shape))
    }
    /// Names a node.
    pub(crate) fn label(&mut self, x: NodeId, name: &str) -> NodeId {
        self.b.label(x, self.full(name))
    }
    /// Extents of a map or another tensor of that many axes.
    pub(crate) fn axes<const N: usize>(&self, x: NodeId) -> [usize; N] {
        let shape = self.b.shape(x);
        shape.try_into().unwrap_or_else(|_| panic!("{} has not {N} axes", self.b.ty(x)))
    }
    /// Names `[B, C, H, W]` of a map.
    pub(crate) fn tap(&mut self, x: NodeId, name: &str) {
        let first = self.channels_first(x);
        self.label(first, name);
    }
    /// Names `[B, H·W, C]` of a map.
    pub(crate) fn tap_tokens(&mut self, x: NodeId, name: &str) {
        let tokens = self.tokens(x);
        self.label(tokens, name);
    }
    /// `[B, H, W, C]` → `[B, H·W, C]`.
    pub(crate) fn tokens(&mut self, x: NodeId) -> NodeId {
        let [b, h, w, c] = self.axes(x);
        self.b.reshape(x, &[b, h * w, c])
    }
    /// `[B, H, W, C]` → `[B, C, H, W]`.
    pub(crate) fn channels_first(&mut self, x: NodeId) -> NodeId {
        self.b.transpose(x, &[-1, -3, -2])
    }
    /// `[B, C, H, W]` → `[B, H, W, C]`.
    pub(crate) fn channels_last(&mut self, x: NodeId) -> NodeId {
        self.b.transpose(x, &[-2, -1, -3])
    }
    /// Extent of the last axis.
    fn channels(&self, x: NodeId) -> usize {
        *self.b.shape(x).last().expect("channels are an axis")
    }
}

/// Norms, products and convolutions.
impl Layers {
    /// Layer norm over channels.
    pub(crate) fn norm(&mut self, x: NodeId, name: &str, eps: f64) -> NodeId {
        let channels = self.channels(x);
        let [gamma, beta] = ["weight", "bias"].map(|part| self.weight(&format!("{name}.{part}"), &[channels]));
        self.b.layer_norm(x, gamma, beta, eps)
    }
    /// Batch norm over channels.
    pub(crate) fn batch_norm(&mut self, x: NodeId, name: &str) -> NodeId {
        self.b.batch_norm(x, &self.full(name), -1)
    }
    /// A product with a weight `[out, in]`.
    pub(crate) fn product(&mut self, x: NodeId, name: &str, out: usize) -> NodeId {
        let weight = self.weight(&format!("{name}.weight"), &[out, self.channels(x)]);
        self.b.linear(x, weight, None)
    }
    /// A linear layer over channels, its weight `[out, in]`.
    pub(crate) fn linear(&mut self, x: NodeId, name: &str, out: usize) -> NodeId {
        let product = self.product(x, name, out);
        let bias = self.weight(&format!("{name}.bias"), &[out]);
        self.b.add(product, bias)
    }
    /// A linear layer over channels that its authors wrote as a 1×1 convolution, its weight `[out, in, 1, 1]`.
    pub(crate) fn pointwise(&mut self, x: NodeId, name: &str, out: usize) -> NodeId {
        let product = self.pointwise_product(x, name, out);
        let bias = self.weight(&format!("{name}.bias"), &[out]);
        self.b.add(product, bias)
    }
    /// The same without bias.
    pub(crate) fn pointwise_product(&mut self, x: NodeId, name: &str, out: usize) -> NodeId {
        let channels = self.channels(x);
        let weight = self.weight(&format!("{name}.weight"), &[out, channels, 1, 1]);
        let weight = self.b.reshape(weight, &[out, channels]);
        self.b.linear(x, weight, None)
    }
    /// A convolution with bias; its zeros keep the extent before it is divided by the stride.
    pub(crate) fn conv(&mut self, x: NodeId, name: &str, out: usize, size: usize, stride: usize) -> NodeId {
        self.any_conv(x, name, [out, size], Conv2d::new(stride, size / 2))
    }
    /// The same for each channel by itself.
    pub(crate) fn depthwise(&mut self, x: NodeId, name: &str, size: usize, stride: usize) -> NodeId {
        let channels = self.channels(x);
        self.any_conv(x, name, [channels, size], Conv2d::new(stride, size / 2).in_groups(channels))
    }
    /// Any convolution with bias of a map with channels last.
    pub(crate) fn any_conv(&mut self, x: NodeId, name: &str, [out, size]: [usize; 2], op: Conv2d) -> NodeId {
        let first = self.channels_first(x);
        let y = self.b.conv_with_bias(first, &self.full(name), [out, size], op);
        self.channels_last(y)
    }
    /// A 3×3 convolution by steps of 2, and its batch norm.
    pub(crate) fn halve(&mut self, x: NodeId, conv: &str, norm: &str, out: usize) -> NodeId {
        let y = self.conv(x, conv, out, 3, 2);
        self.batch_norm(y, norm)
    }
}

/// Borders, regions, windows and heads.
impl Layers {
    /// Zeros below and to the right, so that both extents become multiples of `side`.
    pub(crate) fn pad(&mut self, x: NodeId, side: usize) -> NodeId {
        self.pad_axes(x, [-3, -2], side)
    }
    /// Zeros after two axes, so that both extents become multiples of `unit`.
    pub(crate) fn pad_axes(&mut self, x: NodeId, axes: [i64; 2], unit: usize) -> NodeId {
        axes.into_iter().fold(x, |x, axis| {
            let shape = self.b.shape(x);
            let extent = shape[shape.len() - axis.unsigned_abs() as usize];
            match extent.next_multiple_of(unit) - extent {
                0 => x,
                behind => self.b.pad(x, axis, 0, behind, 0.0),
            }
        })
    }
    /// The first elements of two axes, so that both extents become multiples of `unit`.
    pub(crate) fn cut_axes(&mut self, x: NodeId, axes: [i64; 2], unit: usize) -> NodeId {
        axes.into_iter().fold(x, |x, axis| {
            let shape = self.b.shape(x);
            let extent = shape[shape.len() - axis.unsigned_abs() as usize];
            match extent % unit {
                0 => x,
                rest => self.b.slice(x, axis, 0..extent - rest),
            }
        })
    }
    /// A map rolled up and left by `shifts`, or back.
    pub(crate) fn rolled(&mut self, x: NodeId, shifts: [usize; 2], back: bool) -> NodeId {
        [-3, -2].into_iter().zip(shifts).fold(x, |x, (axis, shift)| match shift as i64 {
            0 => x,
            shift => self.b.roll(x, axis, if back { shift } else { -shift }),
        })
    }
    /// The first rows and columns.
    pub(crate) fn crop(&mut self, x: NodeId, height: usize, width: usize) -> NodeId {
        let [_, h, w, _] = self.axes::<4>(x);
        let x = if h > height { self.b.slice(x, -3, 0..height) } else { x };
        if w > width { self.b.slice(x, -2, 0..width) } else { x }
    }
    /// Cuts a map into side×side regions: `[B, H, W, C]` → `[B, side², tokens, C]`, row-major both.
    pub(crate) fn regions(&mut self, x: NodeId, side: usize) -> NodeId {
        let [b, h, w, c] = self.axes(x);
        let (height, width) = (h / side, w / side);
        let cut = self.b.reshape(x, &[b, side, height, side, width, c]);
        let order = self.b.transpose(cut, &[-5, -3, -4, -2, -1]);
        self.b.reshape(order, &[b, side * side, height * width, c])
    }
    /// The inverse, for a map of that height and width.
    pub(crate) fn map_of_regions(&mut self, x: NodeId, side: usize, height: usize, width: usize) -> NodeId {
        let [b, _, _, c] = self.axes(x);
        let cut = self.b.reshape(x, &[b, side, side, height / side, width / side, c]);
        let order = self.b.transpose(cut, &[-5, -3, -4, -2, -1]);
        self.b.reshape(order, &[b, height, width, c])
    }
    /// Groups of channels as images of their own: `[B, H, W, g·C]` → `[B·g, H, W, C]`.
    pub(crate) fn maps_of_groups(&mut self, x: NodeId, groups: usize) -> NodeId {
        let [b, h, w, c] = self.axes(x);
        let cut = self.b.reshape(x, &[b, h, w, groups, c / groups]);
        let order = self.b.transpose(cut, &[-2, -4, -3, -1]);
        self.b.reshape(order, &[b * groups, h, w, c / groups])
    }
    /// `[B, H, W, heads·d]` → `[B, heads, H·W, d]`.
    pub(crate) fn heads(&mut self, x: NodeId, heads: usize) -> NodeId {
        let tokens = self.tokens(x);
        self.b.split_heads(tokens, heads)
    }
    /// Queries, keys and values `[B, heads, n, d]` from one linear layer of tokens `[B, n, C]`.
    pub(crate) fn qkv(&mut self, x: NodeId, name: &str, heads: usize) -> [NodeId; 3] {
        let qkv = self.linear(x, name, 3 * self.channels(x));
        let parts = self.b.split(qkv, -1, 3);
        [0, 1, 2].map(|i| self.b.split_heads(parts[i], heads))
    }
    /// The score term of attention inside windows of a map `[B, H, W]`, its table called
    /// `name.relative_position_bias_table`: `[heads, w², w²]`, with all windows in front where they are shifted.
    pub(crate) fn window_bias(
        &mut self,
        name: &str,
        heads: usize,
        map: [usize; 3],
        window: usize,
        shifts: [usize; 2],
    ) -> NodeId {
        let table = format!("{name}.relative_position_bias_table");
        let table = self.weight(&table, &[(2 * window - 1).pow(2), heads]);
        let bias = self.b.push(RelativeBias { height: window, width: window }, &[table]);
        match shifts {
            [0, 0] => bias,
            _ => self.b.masked_windows_shifted_by(bias, map, window, shifts),
        }
    }
}

/// Modules that several models have.
impl Layers {
    /// Linear, a depthwise convolution that is added, GELU, linear: names `linear1.0`, `dwc`, `linear2.0`.
    pub(crate) fn conv_mlp(&mut self, x: NodeId, name: &str, ratio: usize) -> NodeId {
        let [.., channels] = self.axes::<4>(x);
        let hidden = self.pointwise(x, &format!("{name}.linear1.0"), ratio * channels);
        let near = self.depthwise(hidden, &format!("{name}.dwc"), 3, 1);
        let hidden = self.b.add(hidden, near);
        let hidden = self.b.gelu(hidden);
        self.pointwise(hidden, &format!("{name}.linear2.0"), channels)
    }
    /// Linear, GELU, linear; the names of both and the hidden channels per channel.
    pub(crate) fn mlp(&mut self, x: NodeId, [first, second]: &[String; 2], ratio: usize) -> NodeId {
        let channels = self.channels(x);
        let hidden = self.linear(x, first, ratio * channels);
        let hidden = self.b.gelu(hidden);
        self.linear(hidden, second, channels)
    }
    /// The stem and the steps between stages of BiFormer and DeBiFormer; the first takes the image.
    pub(crate) fn downsample(&mut self, x: NodeId, stage: usize, out: usize) -> NodeId {
        let name = format!("downsample_layers.{stage}");
        let y = match stage {
            0 => {
                let y = self.halve(x, &format!("{name}.0"), &format!("{name}.1"), out / 2);
                let y = self.b.gelu(y);
                self.halve(y, &format!("{name}.3"), &format!("{name}.4"), out)
            }
            _ => self.halve(x, &format!("{name}.0"), &format!("{name}.1"), out),
        };
        self.tap(y, &name);
        y
    }
    /// Batch norm, mean over the map, classifier.
    pub(crate) fn batch_norm_head(&mut self, x: NodeId, classes: usize) -> NodeId {
        let y = self.batch_norm(x, "norm");
        self.classify(y, "head", classes)
    }
    /// Mean over the map, classifier.
    pub(crate) fn classify(&mut self, x: NodeId, name: &str, classes: usize) -> NodeId {
        let tokens = self.tokens(x);
        let pooled = self.mean_of_tokens(tokens);
        let logits = self.linear(pooled, name, classes);
        self.label(logits, "logits")
    }
    /// `[B, n, C]` → `[B, C]`.
    pub(crate) fn mean_of_tokens(&mut self, x: NodeId) -> NodeId {
        let [batch, _, channels] = self.axes(x);
        let mean = self.b.mean(x, -2);
        self.b.reshape(mean, &[batch, channels])
    }
}
