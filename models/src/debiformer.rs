//! DeBiFormer: deformable bi-level routing attention, as a classifier and as a backbone of four maps.
//!
//! ```text
//!   image ─ stem ÷4 ─ blocks ─ ÷2 ─ blocks ─ ÷2 ─ blocks ─ ÷2 ─ blocks ─┬─▶ BN, mean, logits
//!                      └ LN ▶ out0   └ LN ▶ out1   └ LN ▶ out2          └ LN ▶ out3
//!
//!   block: x ← x + DW3(x);  x ← x + attention1(LN x);  x ← x + MLP(LN x)          the same again with attention2
//! ```
//!
//! The first attention is routed in stages 1 to 3 and deformed in stage 4, the second deformed everywhere. A
//! classifier has 7×7 regions, a backbone 8×8; maps that they do not divide are padded.
//!
//! "DeBiFormer: Vision Transformer with Deformable Agent Bi-level Routing Attention", 2024 (arXiv 2410.08582);
//! names and arithmetic are those of maclong01/DeBiFormer with its two crashes mended. Base has the widths and
//! depths of the code, 95.5 M parameters, where the paper prints 77 M.

use crate::{
    Config, Entry,
    layers::Layers,
    routed::{AgentGrid, EPS},
};
use regard_ir::{
    graph::{Graph, NodeId},
    types::TensorType,
};

const SOURCE: &str = "arXiv 2410.08582, maclong01/DeBiFormer";

/// The zoo's rows.
pub const TINY: Entry = Entry {
    name: "debiformer_tiny",
    summary: "DeBiFormer-T: routed and deformable agent attention",
    source: SOURCE,
    size: (224, 224),
    classes: 1000,
    options: &[],
    build: |config| Ok(classifier("debiformer_tiny", &TINY_SHAPE, config)),
};
/// Four maps, 8×8 regions.
pub const TINY_DENSE: Entry = Entry {
    name: "debiformer_tiny_dense",
    summary: "DeBiFormer-T backbone: four maps, any size",
    source: SOURCE,
    size: (512, 512),
    classes: 1000,
    options: &[],
    build: |config| dense("debiformer_tiny_dense", &TINY_SHAPE, config),
};
/// Deeper.
pub const SMALL: Entry = Entry {
    name: "debiformer_small",
    summary: "DeBiFormer-S",
    build: |config| Ok(classifier("debiformer_small", &SMALL_SHAPE, config)),
    ..TINY
};
/// Deeper, four maps.
pub const SMALL_DENSE: Entry = Entry {
    name: "debiformer_small_dense",
    summary: "DeBiFormer-S backbone: four maps, any size",
    build: |config| dense("debiformer_small_dense", &SMALL_SHAPE, config),
    ..TINY_DENSE
};
/// Wider.
pub const BASE: Entry = Entry {
    name: "debiformer_base",
    summary: "DeBiFormer-B",
    build: |config| Ok(classifier("debiformer_base", &BASE_SHAPE, config)),
    ..TINY
};
/// Wider, four maps.
pub const BASE_DENSE: Entry = Entry {
    name: "debiformer_base_dense",
    summary: "DeBiFormer-B backbone: four maps, any size",
    build: |config| dense("debiformer_base_dense", &BASE_SHAPE, config),
    ..TINY_DENSE
};

/// What sets the sizes apart.
struct Shape {
    depths: [usize; 4],
    width: usize,
    groups: [usize; 4],
    ratios: [usize; 4],
    agent_ratios: [usize; 4],
}

const TINY_SHAPE: Shape =
    Shape { depths: [1, 1, 4, 1], width: 64, groups: [1, 2, 4, 8], ratios: [3; 4], agent_ratios: [3; 4] };
const SMALL_SHAPE: Shape =
    Shape { depths: [2, 2, 9, 3], ratios: [3, 3, 3, 2], agent_ratios: [3, 3, 3, 1], ..TINY_SHAPE };
const BASE_SHAPE: Shape = Shape { depths: [2, 2, 9, 2], width: 96, groups: [1, 2, 3, 6], ..TINY_SHAPE };

/// Regions that a region attends to, by stage: first attention, second attention. Stage 4 sees 49.
const CHOICES: [[usize; 2]; 4] = [[1, 4], [4, 8], [16, 16], [49, 49]];
/// Map that the score tables of each stage were made for, agent stride and offset kernel.
const GRIDS: [[usize; 3]; 4] = [[56, 8, 9], [28, 4, 7], [14, 2, 5], [7, 1, 3]];
/// Added to variances by the norms of a backbone's outputs.
const OUTPUT_EPS: f64 = 1e-5;

fn classifier(name: &str, shape: &Shape, config: &Config) -> Graph {
    const SIDE: usize = 7;
    let mut net = Layers::new(name);
    let mut x = image(&mut net, config, TINY.size);
    for stage in 0..4 {
        x = self::stage(&mut net, x, shape, stage, SIDE);
    }
    let logits = net.batch_norm_head(x, config.classes.unwrap_or(TINY.classes));
    net.b.finish(&[logits])
}

fn dense(name: &str, shape: &Shape, config: &Config) -> Result<Graph, String> {
    const SIDE: usize = 8;
    if config.classes.is_some() {
        return Err(format!("{name} has no classes: its outputs are four maps"));
    }
    let mut net = Layers::new(name);
    let mut x = image(&mut net, config, TINY_DENSE.size);
    let mut outputs = Vec::new();
    for stage in 0..4 {
        x = self::stage(&mut net, x, shape, stage, SIDE);
        let normed = net.norm(x, &format!("extra_norms.{stage}.ln"), OUTPUT_EPS);
        let out = net.channels_first(normed);
        outputs.push(net.b.label(out, format!("out{stage}")));
    }
    Ok(net.b.finish(&outputs))
}

/// The image with channels last.
fn image(net: &mut Layers, config: &Config, size: (usize, usize)) -> NodeId {
    let (height, width) = config.size.unwrap_or(size);
    let image = net.b.input("image", TensorType::f32([config.batch, 3, height, width]));
    net.channels_last(image)
}

fn stage(net: &mut Layers, x: NodeId, shape: &Shape, stage: usize, side: usize) -> NodeId {
    let mut x = net.downsample(x, stage, shape.width << stage);
    for block in 0..shape.depths[stage] {
        x = self::block(net, x, shape, stage, &format!("stages.{stage}.{block}"), side);
    }
    net.tap(x, format!("stages.{stage}"));
    x
}

fn block(net: &mut Layers, x: NodeId, shape: &Shape, stage: usize, name: &str, side: usize) -> NodeId {
    let [table, stride, kernel] = GRIDS[stage];
    let (groups, ratio) = (shape.groups[stage], shape.agent_ratios[stage]);
    let grid = AgentGrid { stride, kernel, groups, table, ratio };
    let mut x = x;
    for (half, k) in CHOICES[stage].into_iter().enumerate() {
        let part = |what: &str, number: usize| format!("{name}.{what}{number}");
        let near = net.depthwise(x, &part("pos_embed", half + 1), 3, 1);
        x = net.b.add(x, near);
        let normed = net.norm(x, &part("norm", 2 * half + 1), EPS);
        let attention = part("attn", half + 1);
        let attended = match (stage, half) {
            (0..3, 0) => net.routing_attention(normed, &attention, side, k),
            _ => net.agent_attention(normed, &attention, side, k, grid),
        };
        x = net.b.add(x, attended);
        let normed = net.norm(x, &part("norm", 2 * half + 2), EPS);
        let mlp = part("mlp", half + 1);
        let hidden = net.conv_mlp(normed, &mlp, shape.ratios[stage]);
        net.tap(hidden, mlp);
        x = net.b.add(x, hidden);
    }
    x
}
