//! DAT, tiny: windows in the first stages, deformable attention in the last two.
//!
//! ```text
//!   image ─ 4×4 patches ─ L S ─ ÷2 ─ L S ─ ÷2 ─ L D L D L D ─ ÷2 ─ L D ─▶ LN, mean, logits
//!
//!   L  attention inside 7×7 windows        S  the same, rolled by 4
//!   D  queries of all tokens; keys and values projected from points that offsets have moved, one set per group
//!   block: x ← x + attention(LN x);  x ← x + fc2(gelu(fc1(LN x)))
//! ```
//!
//! The code of 2022 and that of 2023 differ where points start, how far they move and where tokens stand
//! in the sampled bias; the weights are the same. Xia et al., "Vision Transformer with Deformable Attention", 2022
//! (arXiv 2201.00520); names and arithmetic are those of LeapLabTHU/DAT.

use crate::{Config, Entry, ModelOption, layers::Layers};
use regard_ir::{
    graph::{Graph, NodeId},
    ops::{Agents, Align, Conv2d, Limit, OffsetPositions, Reference, SampledBias},
};

/// The conventions of the first code.
pub(crate) const TINY: Entry = Entry {
    name: "dat_tiny",
    summary: "DAT-T: windows and deformable attention",
    source: "arXiv 2201.00520, LeapLabTHU/DAT",
    size: (224, 224),
    classes: 1000,
    aliases: &[],
    options: &[ModelOption { name: "conventions", values: "2022 or 2023: where points and tokens stand" }],
    fit: None,
    build: |config| {
        let later = config.word("conventions", &["2022", "2023"])? == "2023";
        tiny("dat_tiny", if later { Conventions::Of2023 } else { Conventions::Of2022 }, config)
    },
};
/// The conventions of the later code.
pub(crate) const TINY_2023: Entry = Entry {
    name: "dat_tiny_2023",
    summary: "DAT-T with the conventions of 2023",
    options: &[],
    build: |config| tiny("dat_tiny_2023", Conventions::Of2023, config),
    ..TINY
};

/// Where points and tokens stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conventions {
    /// Of the first code.
    Of2022,
    /// Of the later code.
    Of2023,
}

/// Where the keys of one stage come from.
#[derive(Clone, Copy)]
pub(crate) struct Points {
    /// Extent of the offset network's kernel.
    pub kernel: usize,
    /// Groups of channels with points of their own.
    pub groups: usize,
    /// Tokens per point along each axis.
    pub stride: usize,
}

const WINDOW: usize = 7;
const SHIFT: usize = 4;
const PATCH: usize = 4;
const WIDTH: usize = 96;
const DEPTHS: [usize; 4] = [2, 2, 6, 2];
const HEAD_DIM: usize = 32;
const RATIO: usize = 4;
const EPS: f64 = 1e-5;
/// Cells by which a point moves at most.
const RANGE: f64 = 2.0;
/// The stages with deformable attention.
const DEFORMED: [Points; 2] = [Points { kernel: 5, groups: 3, stride: 1 }, Points { kernel: 3, groups: 6, stride: 1 }];

fn tiny(name: &str, conventions: Conventions, config: &Config) -> Result<Graph, String> {
    let why = "patches of 4, three halvings and windows of 7 must divide";
    let size = config.divided_size(name, TINY.size, (PATCH << 3) * WINDOW, why)?;
    let mut net = Layers::new(name);
    let image = net.image(config.batch, size);
    let image = net.channels_last(image);
    let patches = net.any_conv(image, "patch_proj.0", [WIDTH, PATCH], Conv2d::new(PATCH, 0));
    let mut x = net.norm(patches, "patch_proj.1.norm", EPS);
    for (stage, depth) in DEPTHS.into_iter().enumerate() {
        for block in 0..depth {
            x = self::block(&mut net, x, conventions, stage, block);
        }
        net.tap(x, &format!("stages.{stage}"));
        if stage < 3 {
            let first = net.channels_first(x);
            let name = format!("down_projs.{stage}");
            let halved = net.b.conv(first, &format!("{name}.0"), [WIDTH << (stage + 1), 2], Conv2d::new(2, 0));
            let halved = net.channels_last(halved);
            x = net.norm(halved, &format!("{name}.1.norm"), EPS);
        }
    }
    let x = net.norm(x, "cls_norm.norm", EPS);
    let logits = net.classify(x, "cls_head", config.classes.unwrap_or(TINY.classes));
    Ok(net.b.finish(&[logits]))
}

fn block(net: &mut Layers, x: NodeId, conventions: Conventions, stage: usize, block: usize) -> NodeId {
    let name = format!("stages.{stage}");
    let normed = net.norm(x, &format!("{name}.layer_norms.{}.norm", 2 * block), EPS);
    let attention = format!("{name}.attns.{block}");
    let attended = match (stage, block % 2) {
        (_, 0) => window_attention(net, normed, &attention, 0),
        (0 | 1, _) => window_attention(net, normed, &attention, SHIFT),
        _ => deformable_attention(net, normed, &attention, conventions, DEFORMED[stage - 2]),
    };
    let x = net.b.add(x, attended);
    let normed = net.norm(x, &format!("{name}.layer_norms.{}.norm", 2 * block + 1), EPS);
    let names = [1, 2].map(|part| format!("{name}.mlps.{block}.chunk.linear{part}"));
    let out = net.mlp(normed, &names, RATIO);
    net.b.add(x, out)
}

/// Attention inside windows of a map that may be rolled, `[B, H, W, C]` → the same.
fn window_attention(net: &mut Layers, x: NodeId, name: &str, shift: usize) -> NodeId {
    let [batch, h, w, channels] = net.axes(x);
    let heads = channels / HEAD_DIM;
    let windows = net.b.window_partition(x, WINDOW, shift);
    let [q, k, v] = net.qkv(windows, &format!("{name}.proj_qkv"), heads);
    let bias = net.window_bias(name, heads, [batch, h, w], WINDOW, [shift; 2]);
    let attended = net.b.attention(q, k, v, Some(bias), (HEAD_DIM as f64).powf(-0.5));
    let merged = net.b.merge_heads(attended);
    let out = net.linear(merged, &format!("{name}.proj_out"), channels);
    let out = net.b.window_reverse(out, [batch, h, w], WINDOW, shift);
    net.label(out, name)
}

/// All tokens attend to deformed points, `[B, H, W, C]` → the same.
pub(crate) fn deformable_attention(
    net: &mut Layers,
    x: NodeId,
    name: &str,
    conventions: Conventions,
    points: Points,
) -> NodeId {
    let Points { kernel, groups, stride } = points;
    let [batch, h, w, channels] = net.axes(x);
    let heads = channels / HEAD_DIM;
    let q = net.pointwise(x, &format!("{name}.proj_q"), channels);
    let maps = net.maps_of_groups(q, groups);
    let near = net.depthwise(maps, &format!("{name}.conv_offset.0"), kernel, stride);
    let normed = net.norm(near, &format!("{name}.conv_offset.1.norm"), EPS);
    let active = net.b.gelu(normed);
    let offsets = net.pointwise_product(active, &format!("{name}.conv_offset.3"), 2);
    let (reference, query) = match conventions {
        Conventions::Of2022 => (Reference::Centres, Align::Centres),
        Conventions::Of2023 => (Reference::Stretched, Align::Corners),
    };
    let positions = net.b.push(OffsetPositions { reference, limit: Limit::Range, factor: RANGE.into() }, &[offsets]);
    let [_, down, across, _] = net.axes(positions);
    let positions = net.b.reshape(positions, &[batch, groups, down, across, 2]);
    let points = net.b.push(Agents, &[x, positions]);
    let [k, v] = ["proj_k", "proj_v"].map(|part| net.pointwise(points, &format!("{name}.{part}"), channels));
    let table = net.weight(&format!("{name}.rpe_table"), &[heads, 2 * h - 1, 2 * w - 1]);
    let bias = net.b.push(SampledBias { height: h, width: w, query }, &[table, positions]);
    let [q, k, v] = [q, k, v].map(|map| net.heads(map, heads));
    let attended = net.b.attention(q, k, v, Some(bias), (HEAD_DIM as f64).powf(-0.5));
    let merged = net.b.merge_heads(attended);
    let map = net.b.reshape(merged, &[batch, h, w, channels]);
    let out = net.pointwise(map, &format!("{name}.proj_out"), channels);
    net.label(out, name)
}
