//! LeViT-128S: a convolutional stem, then attention and MLPs on three shrinking maps of tokens.
//!
//! ```text
//!   image ─ 4 × conv 3×3, stride 2 ─▶ 14² × 128 ─ 2 × (attention, MLP) ─ shrink ─▶ 7² × 256 ─ 3 × ─ shrink ─▶ 4² × 384 ─ 4 × ─▶ mean
//!
//!   attention   x ← x + proj(hardswish(attention(qkv x)))      with a bias by distance per head
//!   MLP         x ← x + down(hardswish(up x))
//!   shrink      x ← proj(hardswish(attention(q of every second row and column, k, v of all)))
//! ```
//!
//! Graham et al., "LeViT", 2021 (arXiv 2104.01136); names and arithmetic are those of facebookresearch/LeViT. Every linear
//! layer is bias-free with a batch norm behind it, but for the two classifiers, whose norm comes first and whose logits
//! are averaged. Some attention blocks may be bidirectional instead ([`crate::bisa`]).

use crate::{
    Config, Entry,
    bisa::{self, Bidirectional, Layer},
};
use regard_ir::{
    graph::{Builder, Graph, NodeId},
    ops::{Activation, ActivationOp, Conv2d, Slice},
    types::TensorType,
};

/// The zoo's row.
pub const SMALL: Entry = Entry {
    name: "levit_128s",
    summary: "LeViT-128S: convolutional stem, attention on shrinking maps",
    source: "arXiv 2104.01136, facebookresearch/LeViT",
    size: (224, 224),
    classes: 1000,
    options: &[],
    build: small,
};

/// One stage of equal tokens.
struct Stage {
    /// Channels of a token.
    channels: usize,
    /// Heads of its attention.
    heads: usize,
    /// Pairs of attention and MLP.
    depth: usize,
}

const STAGES: [Stage; 3] = [
    Stage { channels: 128, heads: 4, depth: 2 },
    Stage { channels: 256, heads: 6, depth: 3 },
    Stage { channels: 384, heads: 8, depth: 4 },
];
/// Pixels of a token's side.
const PATCH: usize = 16;
const STEM: [usize; 4] = [16, 32, 64, 128];
/// Channels of a query and of a key.
pub const KEY_DIM: usize = 16;
/// Channels of a value, and of one where the map shrinks.
const VALUE_DIM: usize = 32;
const SHRINKING_VALUE_DIM: usize = 64;

fn small(config: &Config) -> Result<Graph, String> {
    build("levit_128s", config, &Bidirectional::default())
}

/// LeViT-128S with some of its attention blocks bidirectional; blocks count attention alone, by stage.
///
/// # Errors
/// Where the image cannot be cut into tokens, or a block that is named does not exist.
pub fn build(name: &str, config: &Config, bidirectional: &Bidirectional) -> Result<Graph, String> {
    let depths = STAGES.each_ref().map(|stage| stage.depth);
    if let Some((stage, block)) = bidirectional.blocks.iter().find(|&&(s, b)| depths.get(s).is_none_or(|&d| b >= d)) {
        return Err(format!(
            "{name} has no attention block {block} in stage {stage}, expected stages of {depths:?} blocks"
        ));
    }
    let (height, width) = config.size.unwrap_or(SMALL.size);
    let fits = |side: usize| side > 0 && side.is_multiple_of(PATCH) && side <= 64 * PATCH;
    if !fits(height) || !fits(width) {
        return Err(format!(
            "{name} cannot take images of {height}x{width}: four convolutions halve them, so each side must be a \
             multiple of {PATCH}, at most {}",
            64 * PATCH
        ));
    }
    let mut net = Levit { b: Builder::new(name), map: [height / PATCH, width / PATCH], bidirectional };
    let image = net.b.input("image", TensorType::f32([config.batch, 3, height, width]));
    let mut x = net.stem(image);
    let mut block = 0;
    for (i, stage) in STAGES.iter().enumerate() {
        if let Some(before) = i.checked_sub(1) {
            x = net.shrink(x, block, &STAGES[before], stage);
            x = net.mlp(x, block + 1, stage.channels);
            block += 2;
        }
        for attention in 0..stage.depth {
            x = net.attention(x, block, stage, bidirectional.blocks.contains(&(i, attention)));
            x = net.mlp(x, block + 1, stage.channels);
            block += 2;
        }
    }
    let logits = net.head(x, config.classes.unwrap_or(SMALL.classes));
    Ok(net.b.finish(&[logits]))
}

/// LeViT under construction.
pub struct Levit<'a> {
    /// Where nodes go.
    pub b: Builder,
    /// Rows and columns of the tokens' map.
    map: [usize; 2],
    bidirectional: &'a Bidirectional,
}

/// Multiplies the scores.
fn scale() -> f64 {
    (KEY_DIM as f64).powf(-0.5)
}

/// Queries, keys and values `[B, heads, tokens, dim]` of one attention, and its score term.
struct Operands {
    q: NodeId,
    k: NodeId,
    v: NodeId,
    bias: NodeId,
}

impl Levit<'_> {
    /// Batch norm of `name.c` times x: `[…, in]` → `[…, out]`.
    pub fn linear(&mut self, x: NodeId, name: &str, out: usize) -> NodeId {
        let inputs = self.b.shape(x)[self.b.shape(x).len() - 1];
        let weight = self.b.weight(format!("{name}.c.weight"), TensorType::f32([out, inputs]));
        let product = self.b.linear(x, weight, None);
        self.b.batch_norm(product, &format!("{name}.bn"), -1)
    }

    /// x · clip(x + 3, 0, 6) / 6.
    pub fn hardswish(&mut self, x: NodeId) -> NodeId {
        self.b.push(Activation { op: ActivationOp::Hardswish }, &[x])
    }

    /// `[B, 3, H, W]` → `[B, H/16·W/16, 128]`.
    fn stem(&mut self, image: NodeId) -> NodeId {
        let mut x = image;
        for (i, channels) in STEM.into_iter().enumerate() {
            let name = format!("patch_embed.{}", 2 * i);
            x = self.b.conv(x, &format!("{name}.c"), [channels, 3], Conv2d::new(2, 1));
            x = self.b.batch_norm(x, &format!("{name}.bn"), -3);
            if i + 1 < STEM.len() {
                x = self.hardswish(x);
            }
        }
        self.b.label(x, "patch_embed");
        let [batch, channels, height, width] = self.b.shape(x)[..] else { unreachable!("a stem gives a map") };
        let tokens = self.b.reshape(x, &[batch, channels, height * width]);
        self.b.swap_last(tokens)
    }

    /// Parts of the given widths of every head: `[B, N, heads·Σ]` → `[B, heads, N, part]` each.
    fn heads(&mut self, x: NodeId, heads: usize, parts: &[usize]) -> Vec<NodeId> {
        let split = self.b.split_heads(x, heads);
        let mut start = 0;
        let mut part = |width: usize| {
            start += width;
            self.b.slice(split, -1, start - width..start)
        };
        parts.iter().map(|&width| part(width)).collect()
    }

    fn bias(&mut self, name: &str, heads: usize, stride: usize) -> NodeId {
        let [height, width] = self.map;
        let table = self.b.weight(format!("{name}.attention_biases"), TensorType::f32([heads, height * width]));
        self.b.distance_bias(table, self.map, stride)
    }

    /// Attention, heads concatenated.
    fn attended(&mut self, operands: Operands) -> NodeId {
        let Operands { q, k, v, bias } = operands;
        let y = self.b.attention(q, k, v, Some(bias), scale());
        self.b.merge_heads(y)
    }

    /// What follows attention: → `[B, queries, out]`.
    fn projected(&mut self, y: NodeId, name: &str, out: usize) -> NodeId {
        let y = self.hardswish(y);
        self.linear(y, &format!("{name}.proj.1"), out)
    }

    fn attention(&mut self, x: NodeId, block: usize, stage: &Stage, bidirectional: bool) -> NodeId {
        let (name, heads) = (format!("blocks.{block}.m"), stage.heads);
        let qkv = self.linear(x, &format!("{name}.qkv"), heads * (2 * KEY_DIM + VALUE_DIM));
        let [q, k, v] = self.heads(qkv, heads, &[KEY_DIM, KEY_DIM, VALUE_DIM])[..] else { unreachable!("three parts") };
        let bias = self.bias(&name, heads, 1);
        let y = if bidirectional {
            let norm = self.bidirectional.norm;
            let layer = Layer { prefix: "", name: &name, operands: [q, k, v], bias, scale: scale(), norm };
            bisa::token_attention(self, x, &layer)
        } else {
            self.attended(Operands { q, k, v, bias })
        };
        let y = self.projected(y, &name, stage.channels);
        let sum = self.b.add(x, y);
        self.b.label(sum, format!("blocks.{block}"))
    }

    fn mlp(&mut self, x: NodeId, block: usize, channels: usize) -> NodeId {
        let up = self.linear(x, &format!("blocks.{block}.m.0"), 2 * channels);
        let up = self.hardswish(up);
        let down = self.linear(up, &format!("blocks.{block}.m.2"), channels);
        let sum = self.b.add(x, down);
        // One pair of blocks per depth, and one to enter each stage but the first.
        let last = block + 3 == 2 * STAGES.iter().map(|s| s.depth + 1).sum::<usize>();
        self.b.label(sum, if last { "blocks".to_string() } else { format!("blocks.{block}") })
    }

    /// Attention from every second row and column to all tokens; no residual.
    fn shrink(&mut self, x: NodeId, block: usize, from: &Stage, to: &Stage) -> NodeId {
        let (name, heads) = (format!("blocks.{block}"), from.channels / KEY_DIM);
        let kv = self.linear(x, &format!("{name}.kv"), heads * (KEY_DIM + SHRINKING_VALUE_DIM));
        let [k, v] = self.heads(kv, heads, &[KEY_DIM, SHRINKING_VALUE_DIM])[..] else { unreachable!("two parts") };
        let kept = self.every_second(x, from.channels);
        let q = self.linear(kept, &format!("{name}.q.1"), heads * KEY_DIM);
        let q = self.b.split_heads(q, heads);
        let bias = self.bias(&name, heads, 2);
        self.map = self.map.map(|n| n.div_ceil(2));
        let y = self.attended(Operands { q, k, v, bias });
        let y = self.projected(y, &name, to.channels);
        self.b.label(y, name)
    }

    /// Tokens of rows and columns 0, 2, 4…
    fn every_second(&mut self, x: NodeId, channels: usize) -> NodeId {
        let batch = self.b.shape(x)[0];
        let [height, width] = self.map;
        let mut map = self.b.reshape(x, &[batch, height, width, channels]);
        for (axis, stop) in [(-3, height), (-2, width)] {
            map = self.b.push(Slice { axis, start: 0, stop, step: 2 }, &[map]);
        }
        self.b.reshape(map, &[batch, height.div_ceil(2) * width.div_ceil(2), channels])
    }

    /// Mean over tokens, then the average of two classifiers.
    fn head(&mut self, x: NodeId, classes: usize) -> NodeId {
        let [batch, _, channels] = self.b.shape(x)[..] else { unreachable!("tokens have three axes") };
        let mean = self.b.mean(x, -2);
        let pooled = self.b.reshape(mean, &[batch, channels]);
        let [first, second] = ["head", "head_dist"].map(|name| {
            let normed = self.b.batch_norm(pooled, &format!("{name}.bn"), -1);
            let weight = self.b.weight(format!("{name}.l.weight"), TensorType::f32([classes, channels]));
            let bias = self.b.weight(format!("{name}.l.bias"), TensorType::f32([classes]));
            self.b.linear(normed, weight, Some(bias))
        });
        let sum = self.b.add(first, second);
        let logits = self.b.scale(sum, 0.5);
        self.b.label(logits, "logits")
    }
}
