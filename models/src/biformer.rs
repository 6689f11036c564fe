//! BiFormer: bi-level routing attention in three stages, plain attention in the last.
//!
//! ```text
//!   image ─ stem ÷4 ─ blocks ─ ÷2 ─ blocks ─ ÷2 ─ blocks ─ ÷2 ─ blocks ─▶ BN, mean, logits
//!
//!   block: x ← x + DW3(x);  x ← x + attention(LN x);  x ← x + MLP(LN x)
//! ```
//!
//! Regions are 7×7 of a map; each attends to 1, 4 and 16 of them in stages 1, 2 and 3. The last stage has 8
//! heads whatever the width, and its local term is a convolution of the input, not of the values.
//!
//! Zhu et al., "BiFormer: Vision Transformer with Bi-Level Routing Attention", 2023 (arXiv 2303.08810); names and
//! arithmetic are those of rayleizhu/BiFormer.

use crate::{Config, Entry, layers::Layers, routed::EPS};
use regard_ir::graph::{Graph, NodeId};

/// The zoo's rows.
pub(crate) const TINY: Entry = Entry {
    name: "biformer_tiny",
    summary: "BiFormer-T: bi-level routing attention",
    source: "arXiv 2303.08810, rayleizhu/BiFormer",
    size: (224, 224),
    classes: 1000,
    aliases: &[],
    options: &[],
    fit: None,
    build: |config| classifier("biformer_tiny", [2, 2, 8, 2], 64, config),
};
/// Deeper.
pub(crate) const SMALL: Entry = Entry {
    name: "biformer_small",
    summary: "BiFormer-S",
    build: |config| classifier("biformer_small", [4, 4, 18, 4], 64, config),
    ..TINY
};
/// Wider.
pub(crate) const BASE: Entry = Entry {
    name: "biformer_base",
    summary: "BiFormer-B",
    build: |config| classifier("biformer_base", [4, 4, 18, 4], 96, config),
    ..TINY
};

const SIDE: usize = 7;
const RATIO: usize = 3;
/// Regions that a region attends to in the first three stages.
const CHOICES: [usize; 3] = [1, 4, 16];
/// Heads of the last stage.
const HEADS: usize = 8;

fn classifier(name: &str, depths: [usize; 4], width: usize, config: &Config) -> Result<Graph, String> {
    let size = config.any_size(name, TINY.size)?;
    let mut net = Layers::new(name);
    let image = net.image(config.batch, size);
    let mut x = net.channels_last(image);
    for (stage, depth) in depths.into_iter().enumerate() {
        x = net.downsample(x, stage, width << stage);
        for block in 0..depth {
            x = self::block(&mut net, x, stage, &format!("stages.{stage}.{block}"));
        }
        net.tap(x, &format!("stages.{stage}"));
    }
    let logits = net.batch_norm_head(x, config.classes.unwrap_or(TINY.classes));
    Ok(net.b.finish(&[logits]))
}

fn block(net: &mut Layers, x: NodeId, stage: usize, name: &str) -> NodeId {
    let near = net.depthwise(x, &format!("{name}.pos_embed"), 3, 1);
    let x = net.b.add(x, near);
    let normed = net.norm(x, &format!("{name}.norm1"), EPS);
    let attention = format!("{name}.attn");
    let attended = match CHOICES.get(stage) {
        Some(&k) => net.routing_attention(normed, &attention, SIDE, k),
        None => plain_attention(net, normed, &attention),
    };
    let x = net.b.add(x, attended);
    let normed = net.norm(x, &format!("{name}.norm2"), EPS);
    let names = [0, 3].map(|part| format!("{name}.mlp.{part}"));
    let out = net.mlp(normed, &names, RATIO);
    net.b.add(x, out)
}

/// Attention of all tokens to all, `[B, H, W, C]` → the same.
fn plain_attention(net: &mut Layers, x: NodeId, name: &str) -> NodeId {
    let [batch, h, w, channels] = net.axes(x);
    let qkv = net.product(x, &format!("{name}.qkv"), 3 * channels);
    let parts = net.b.split(qkv, -1, 3);
    let [q, k, v] = [0, 1, 2].map(|i| net.heads(parts[i], HEADS));
    let attended = net.b.attention(q, k, v, None, ((channels / HEADS) as f64).powf(-0.5));
    let merged = net.b.merge_heads(attended);
    let map = net.b.reshape(merged, &[batch, h, w, channels]);
    let local = net.depthwise(x, &format!("{name}.lepe"), 5, 1);
    let sum = net.b.add(map, local);
    let out = net.linear(sum, &format!("{name}.proj"), channels);
    net.b.label(out, name)
}
