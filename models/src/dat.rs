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
    ops::{Agents, Align, Conv2d, Limit, OffsetPositions, Reference, RelativeBias, SampledBias},
    types::TensorType,
};

/// The conventions of the first code.
pub const TINY: Entry = Entry {
    name: "dat_tiny",
    summary: "DAT-T: windows and deformable attention",
    source: "arXiv 2201.00520, LeapLabTHU/DAT",
    size: (224, 224),
    classes: 1000,
    options: &[ModelOption { name: "conventions", values: "2022 or 2023: where points and tokens stand" }],
    build: |config| {
        let later = config.word("conventions", &["2022", "2023"])? == "2023";
        tiny("dat_tiny", if later { Conventions::Of2023 } else { Conventions::Of2022 }, config)
    },
};
/// The conventions of the later code.
pub const TINY_2023: Entry = Entry {
    name: "dat_tiny_2023",
    summary: "DAT-T with the conventions of 2023",
    options: &[],
    build: |config| tiny("dat_tiny_2023", Conventions::Of2023, config),
    ..TINY
};

/// Where points and tokens stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Conventions {
    Of2022,
    Of2023,
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
/// Offset kernel and groups of the stages with deformable attention.
const DEFORMED: [[usize; 2]; 2] = [[5, 3], [3, 6]];

fn tiny(name: &str, conventions: Conventions, config: &Config) -> Result<Graph, String> {
    let (height, width) = config.size.unwrap_or(TINY.size);
    let unit = (PATCH << 3) * WINDOW;
    let fits = |side: usize| side > 0 && side.is_multiple_of(unit) && side <= 16 * unit;
    if !fits(height) || !fits(width) {
        return Err(format!(
            "{name} cannot take images of {height}x{width}: patches of 4, three halvings and windows of 7 must divide, so each side must be a multiple of {unit}, at most {}",
            16 * unit
        ));
    }
    let mut net = Layers::new(name);
    let image = net.b.input("image", TensorType::f32([config.batch, 3, height, width]));
    let patches = net.b.conv_with_bias(image, "patch_proj.0", [WIDTH, PATCH], Conv2d::new(PATCH, 0));
    let patches = net.channels_last(patches);
    let mut x = net.norm(patches, "patch_proj.1.norm", EPS);
    for (stage, depth) in DEPTHS.into_iter().enumerate() {
        for block in 0..depth {
            x = self::block(&mut net, x, conventions, stage, block);
        }
        net.tap(x, format!("stages.{stage}"));
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
    let [.., channels] = net.axes::<4>(x);
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
    let hidden = net.linear(normed, &format!("{name}.mlps.{block}.chunk.linear1"), RATIO * channels);
    let hidden = net.b.gelu(hidden);
    let out = net.linear(hidden, &format!("{name}.mlps.{block}.chunk.linear2"), channels);
    net.b.add(x, out)
}

/// Attention inside windows of a map that may be rolled, `[B, H, W, C]` → the same.
fn window_attention(net: &mut Layers, x: NodeId, name: &str, shift: usize) -> NodeId {
    let [batch, h, w, channels] = net.axes(x);
    let heads = channels / HEAD_DIM;
    let tokens = WINDOW * WINDOW;
    let windows = net.b.window_partition(x, WINDOW, shift);
    let qkv = net.linear(windows, &format!("{name}.proj_qkv"), 3 * channels);
    let parts = net.b.split(qkv, -1, 3);
    let [q, k, v] = [0, 1, 2].map(|i| net.b.split_heads(parts[i], heads));
    let table = net.weight(format!("{name}.relative_position_bias_table"), &[(2 * WINDOW - 1).pow(2), heads]);
    let mut bias = net.b.push(RelativeBias { height: WINDOW, width: WINDOW }, &[table]);
    if shift > 0 {
        let count = (h / WINDOW) * (w / WINDOW);
        let mask = net.b.shifted_window_mask(h, w, WINDOW, shift);
        let mask = net.b.reshape(mask, &[1, count, 1, tokens, tokens]);
        let mask = net.b.expand(mask, &[batch, count, 1, tokens, tokens]);
        let mask = net.b.reshape(mask, &[batch * count, 1, tokens, tokens]);
        bias = net.b.add(bias, mask);
    }
    let attended = net.b.attention(q, k, v, Some(bias), (HEAD_DIM as f64).powf(-0.5));
    let merged = net.b.merge_heads(attended);
    let out = net.linear(merged, &format!("{name}.proj_out"), channels);
    let out = net.b.window_reverse(out, [batch, h, w], WINDOW, shift);
    net.b.label(out, name)
}

/// All tokens attend to deformed points, `[B, H, W, C]` → the same.
fn deformable_attention(
    net: &mut Layers,
    x: NodeId,
    name: &str,
    conventions: Conventions,
    [kernel, groups]: [usize; 2],
) -> NodeId {
    let [batch, h, w, channels] = net.axes(x);
    let (heads, width) = (channels / HEAD_DIM, channels / groups);
    let q = net.pointwise(x, &format!("{name}.proj_q"), channels);
    let cut = net.b.reshape(q, &[batch, h, w, groups, width]);
    let first = net.b.transpose(cut, &[-2, -1, -4, -3]);
    let maps = net.b.reshape(first, &[batch * groups, width, h, w]);
    let op = Conv2d::new(1, kernel / 2).in_groups(width);
    let near = net.b.conv_with_bias(maps, &format!("{name}.conv_offset.0"), [width, kernel], op);
    let near = net.channels_last(near);
    let normed = net.norm(near, &format!("{name}.conv_offset.1.norm"), EPS);
    let active = net.b.gelu(normed);
    let weight = net.weight(format!("{name}.conv_offset.3.weight"), &[2, width, 1, 1]);
    let weight = net.b.reshape(weight, &[2, width]);
    let offsets = net.b.linear(active, weight, None);
    let (reference, query) = match conventions {
        Conventions::Of2022 => (Reference::Centres, Align::Centres),
        Conventions::Of2023 => (Reference::Stretched, Align::Corners),
    };
    let positions = net.b.push(OffsetPositions { reference, limit: Limit::Range, factor: RANGE.into() }, &[offsets]);
    let positions = net.b.reshape(positions, &[batch, groups, h, w, 2]);
    let points = net.b.push(Agents, &[x, positions]);
    let [k, v] = ["proj_k", "proj_v"].map(|part| net.pointwise(points, &format!("{name}.{part}"), channels));
    let table = net.weight(format!("{name}.rpe_table"), &[heads, 2 * h - 1, 2 * w - 1]);
    let bias = net.b.push(SampledBias { height: h, width: w, query }, &[table, positions]);
    let [q, k, v] = [q, k, v].map(|map| net.heads(map, heads));
    let attended = net.b.attention(q, k, v, Some(bias), (HEAD_DIM as f64).powf(-0.5));
    let merged = net.b.merge_heads(attended);
    let map = net.b.reshape(merged, &[batch, h, w, channels]);
    let out = net.pointwise(map, &format!("{name}.proj_out"), channels);
    net.b.label(out, name)
}
