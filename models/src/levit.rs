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
//! layer is bias-free with a batch norm after it, but for the two classifiers, whose norm comes first and whose logits
//! are averaged. Some attention blocks may be bidirectional instead ([`crate::bisa`]).

use crate::{
    Config, Entry,
    bisa::{self, Bidirectional, Layer},
    layers::Layers,
};
use regard_ir::{
    graph::{Graph, NodeId},
    ops::{Activation, ActivationOp, Conv2d, DistanceBias, Slice},
};

/// The zoo's row.
pub(crate) const SMALL: Entry = Entry {
    name: "levit_128s",
    summary: "LeViT-128S: convolutional stem, attention on shrinking maps",
    source: "arXiv 2104.01136, facebookresearch/LeViT",
    size: (224, 224),
    classes: 1000,
    aliases: &[],
    options: &[],
    fit: None,
    build: |config| build("levit_128s", config, &Bidirectional::default()),
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
pub(crate) const KEY_DIM: usize = 16;
/// Channels of a value, and of one where the map shrinks.
const VALUE_DIM: usize = 32;
const SHRINKING_VALUE_DIM: usize = 64;

/// LeViT-128S with some of its attention blocks bidirectional; blocks count attention alone, by stage.
///
/// # Errors
/// Where the image cannot be cut into tokens, or a block that is named does not exist.
pub(crate) fn build(name: &str, config: &Config, bidirectional: &Bidirectional) -> Result<Graph, String> {
    let depths = STAGES.each_ref().map(|stage| stage.depth);
    if let Some((stage, block)) = bidirectional.blocks.iter().find(|&&(s, b)| depths.get(s).is_none_or(|&d| b >= d)) {
        return Err(format!(
            "{name} has no attention block {block} in stage {stage}, expected stages of {depths:?} blocks"
        ));
    }
    let size = config.divided_size(name, SMALL.size, PATCH, "four convolutions halve them")?;
    let mut net = Levit { layers: Layers::new(name), map: size.map(|side| side / PATCH), bidirectional };
    let image = net.layers.image(config.batch, size);
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
    Ok(net.layers.b.finish(&[logits]))
}

/// LeViT under construction.
pub(crate) struct Levit<'a> {
    /// Where nodes go.
    pub layers: Layers,
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
    pub(crate) fn linear(&mut self, x: NodeId, name: &str, out: usize) -> NodeId {
        let product = self.layers.product(x, &format!("{name}.c"), out);
        self.layers.batch_norm(product, &format!("{name}.bn"))
    }

    /// x · clip(x + 3, 0, 6) / 6.
    pub(crate) fn hardswish(&mut self, x: NodeId) -> NodeId {
        self.layers.b.push(Activation { op: ActivationOp::Hardswish }, &[x])
    }

    /// `[B, 3, H, W]` → `[B, H/16·W/16, 128]`.
    fn stem(&mut self, image: NodeId) -> NodeId {
        let mut x = image;
        for (i, channels) in STEM.into_iter().enumerate() {
            let name = format!("patch_embed.{}", 2 * i);
            x = self.layers.b.conv(x, &format!("{name}.c"), [channels, 3], Conv2d::new(2, 1));
            x = self.layers.b.batch_norm(x, &format!("{name}.bn"), -3);
            if i + 1 < STEM.len() {
                x = self.hardswish(x);
            }
        }
        self.layers.b.label(x, "patch_embed");
        let [batch, channels, height, width] = self.layers.b.shape(x)[..] else { unreachable!("a stem gives a map") };
        let tokens = self.layers.b.reshape(x, &[batch, channels, height * width]);
        self.layers.b.swap_last(tokens)
    }

    /// Parts of the given widths of every head: `[B, N, heads·Σ]` → `[B, heads, N, part]` each.
    fn heads(&mut self, x: NodeId, heads: usize, parts: &[usize]) -> Vec<NodeId> {
        let split = self.layers.b.split_heads(x, heads);
        let mut start = 0;
        let mut part = |width: usize| {
            start += width;
            self.layers.b.slice(split, -1, start - width..start)
        };
        parts.iter().map(|&width| part(width)).collect()
    }

    fn bias(&mut self, name: &str, heads: usize, stride: usize) -> NodeId {
        let [height, width] = self.map;
        let table = self.layers.weight(&format!("{name}.attention_biases"), &[heads, height * width]);
        self.layers.b.push(DistanceBias { height, width, stride }, &[table])
    }

    /// Attention, heads concatenated.
    fn attended(&mut self, operands: Operands) -> NodeId {
        let Operands { q, k, v, bias } = operands;
        let y = self.layers.b.attention(q, k, v, Some(bias), scale());
        self.layers.b.merge_heads(y)
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
            let layer = Layer { name: &name, operands: [q, k, v], bias, scale: scale(), norm };
            bisa::token_attention(self, x, &layer)
        } else {
            self.attended(Operands { q, k, v, bias })
        };
        let y = self.projected(y, &name, stage.channels);
        let sum = self.layers.b.add(x, y);
        self.layers.b.label(sum, format!("blocks.{block}"))
    }

    fn mlp(&mut self, x: NodeId, block: usize, channels: usize) -> NodeId {
        let up = self.linear(x, &format!("blocks.{block}.m.0"), 2 * channels);
        let up = self.hardswish(up);
        let down = self.linear(up, &format!("blocks.{block}.m.2"), channels);
        let sum = self.layers.b.add(x, down);
        // One pair of blocks per depth, and one to enter each stage but the first.
        let last = block + 3 == 2 * STAGES.iter().map(|s| s.depth + 1).sum::<usize>();
        self.layers.b.label(sum, if last { "blocks".to_string() } else { format!("blocks.{block}") })
    }

    /// Attention from every second row and column to all tokens; no residual.
    fn shrink(&mut self, x: NodeId, block: usize, from: &Stage, to: &Stage) -> NodeId {
        let (name, heads) = (format!("blocks.{block}"), from.channels / KEY_DIM);
        let kv = self.linear(x, &format!("{name}.kv"), heads * (KEY_DIM + SHRINKING_VALUE_DIM));
        let [k, v] = self.heads(kv, heads, &[KEY_DIM, SHRINKING_VALUE_DIM])[..] else { unreachable!("two parts") };
        let kept = self.every_second(x, from.channels);
        let q = self.linear(kept, &format!("{name}.q.1"), heads * KEY_DIM);
        let q = self.layers.b.split_heads(q, heads);
        let bias = self.bias(&name, heads, 2);
        self.map = self.map.map(|n| n.div_ceil(2));
        let y = self.attended(Operands { q, k, v, bias });
        let y = self.projected(y, &name, to.channels);
        self.layers.b.label(y, name)
    }

    /// Tokens of rows and columns 0, 2, 4…
    fn every_second(&mut self, x: NodeId, channels: usize) -> NodeId {
        let batch = self.layers.b.shape(x)[0];
        let [height, width] = self.map;
        let mut map = self.layers.b.reshape(x, &[batch, height, width, channels]);
        for (axis, stop) in [(-3, height), (-2, width)] {
            map = self.layers.b.push(Slice { axis, start: 0, stop, step: 2 }, &[map]);
        }
        self.layers.b.reshape(map, &[batch, height.div_ceil(2) * width.div_ceil(2), channels])
    }

    /// Mean over tokens, then the average of two classifiers.
    fn head(&mut self, x: NodeId, classes: usize) -> NodeId {
        let pooled = self.layers.mean_of_tokens(x);
        let [first, second] = ["head", "head_dist"].map(|name| {
            let normed = self.layers.batch_norm(pooled, &format!("{name}.bn"));
            self.layers.linear(normed, &format!("{name}.l"), classes)
        });
        let sum = self.layers.b.add(first, second);
        let logits = self.layers.b.scale(sum, 0.5);
        self.layers.b.label(logits, "logits")
    }
}
