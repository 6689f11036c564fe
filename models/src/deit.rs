//! DeiT-Ti: a vision transformer, 12 equal blocks on tokens of 16×16 pixels and one token for the class.
//!
//! ```text
//!   image ─ conv 16×16, stride 16 ─▶ 196 × 192 ─ class token in front, + positions ─▶ 12 blocks ─ norm ─▶ class token ─▶ logits
//!
//!   block   x ← x + proj(attention(qkv(norm1 x)))         3 heads of 64 channels
//!           x ← x + fc2(gelu(fc1(norm2 x)))               4 hidden channels per channel
//! ```
//!
//! Touvron et al., "Training data-efficient image transformers", 2021 (arXiv 2012.12877); names and arithmetic are those of
//! facebookresearch/deit, whose model is timm's `deit_tiny_patch16_224`.

use crate::{Config, Entry, layers::Layers};
use regard_ir::{
    graph::{Graph, NodeId},
    ops::Conv2d,
};

/// The zoo's row.
pub(crate) const TINY: Entry = Entry {
    name: "deit_tiny",
    summary: "DeiT-Ti: a plain vision transformer with a class token",
    source: "arXiv 2012.12877, facebookresearch/deit",
    size: (224, 224),
    classes: 1000,
    aliases: &["deit_tiny_patch16_224"],
    options: &[],
    fit: None,
    build,
};

/// Pixels of a token's side.
const PATCH: usize = 16;
const CHANNELS: usize = 192;
const HEADS: usize = 3;
const DEPTH: usize = 12;
const MLP_RATIO: usize = 4;
const EPS: f64 = 1e-6;

fn build(config: &Config) -> Result<Graph, String> {
    let size = config.divided_size(TINY.name, TINY.size, PATCH, "tokens are 16x16 pixels")?;
    let mut net = Layers::new(TINY.name);
    let image = net.image(config.batch, size);
    let mut x = tokens(&mut net, image);
    for block in 0..DEPTH {
        x = attention(&mut net, x, &format!("blocks.{block}"));
        x = mlp(&mut net, x, &format!("blocks.{block}"));
    }
    let x = net.norm(x, "norm", EPS);
    let class = net.b.slice(x, -2, 0..1);
    let class = net.b.reshape(class, &[config.batch, CHANNELS]);
    let logits = net.linear(class, "head", config.classes.unwrap_or(TINY.classes));
    let logits = net.label(logits, "logits");
    Ok(net.b.finish(&[logits]))
}

/// `[B, 3, H, W]` → `[B, 1 + H/16·W/16, C]`: the class token, then patches row by row, each with its position.
fn tokens(net: &mut Layers, image: NodeId) -> NodeId {
    let map = net.b.conv_with_bias(image, "patch_embed.proj", [CHANNELS, PATCH], Conv2d::new(PATCH, 0));
    let map = net.channels_last(map);
    let patches = net.tokens(map);
    let [batch, count, _] = net.axes(patches);
    net.label(patches, "patch_embed");
    let class = net.weight("cls_token", &[1, 1, CHANNELS]);
    let class = net.b.expand(class, &[batch, 1, CHANNELS]);
    let all = net.b.concat(&[class, patches], -2);
    let positions = net.weight("pos_embed", &[1, 1 + count, CHANNELS]);
    net.b.add(all, positions)
}

fn attention(net: &mut Layers, x: NodeId, name: &str) -> NodeId {
    let normed = net.norm(x, &format!("{name}.norm1"), EPS);
    let [q, k, v] = net.qkv(normed, &format!("{name}.attn.qkv"), HEADS);
    let y = net.b.attention(q, k, v, None, ((CHANNELS / HEADS) as f64).powf(-0.5));
    let y = net.b.merge_heads(y);
    let y = net.linear(y, &format!("{name}.attn.proj"), CHANNELS);
    let y = net.label(y, &format!("{name}.attn"));
    net.b.add(x, y)
}

fn mlp(net: &mut Layers, x: NodeId, name: &str) -> NodeId {
    let normed = net.norm(x, &format!("{name}.norm2"), EPS);
    let y = net.mlp(normed, &["fc1", "fc2"].map(|layer| format!("{name}.mlp.{layer}")), MLP_RATIO);
    let y = net.b.add(x, y);
    net.label(y, name)
}
