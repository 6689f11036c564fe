//! One small backbone, nine patterns of attention: what a pattern costs, all else equal.
//!
//! ```text
//!   image ─ 4×4 patches ─▶ 56² × 64 ─ 1 block ─ ÷2 ─▶ 28² × 128 ─ 1 ─ ÷2 ─▶ 14² × 256 ─ 2 ─ ÷2 ─▶ 7² × 512 ─ 1 ─▶ LN, mean, logits
//!
//!   block: x ← x + pattern(LN x);  x ← x + fc2(gelu(fc1(LN x)))
//!
//!   global         all tokens                      deformable    points that offsets have moved
//!   window         7×7 neighbours in a grid        routed        regions that look alike
//!   shifted_window the same grid, moved by 3       agent         deformed agents ask routed regions, tokens ask agents
//!   grid           every H/7-th row and column     neighbourhood the 7×7 tokens around each one
//!                                                  bidirectional a window, and the window's inverse attention
//! ```
//!
//! The first seven are those of figure 1 of "DeBiFormer", 2024 (arXiv 2410.08582); neighbourhoods are those of Hassani et
//! al., 2023 (arXiv 2204.07143), grids those of "CrossFormer" (arXiv 2108.00154) and "MaxViT" (arXiv 2204.01697). Nobody
//! published weights for these models: they serve `regard compare 'pattern_*'`, which sets patterns side by side.

use crate::{
    Config, Entry,
    bisa::{self, Layer},
    dat::{self, Conventions},
    layers::Layers,
    routed::{AgentGrid, HEAD_DIM},
};
use regard_ir::{
    graph::{Graph, NodeId},
    ops::{Border, Conv2d, NeighbourhoodAttention},
};

/// Who attends to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pattern {
    Agent,
    Bidirectional,
    Deformable,
    Global,
    Grid,
    Neighbourhood,
    Routed,
    ShiftedWindow,
    Window,
}

macro_rules! rows {
    ($($row:ident $pattern:ident $name:literal $summary:literal),* $(,)?) => {
        $(#[doc = "The zoo's row."]
        pub(crate) const $row: Entry = Entry {
            name: $name,
            summary: $summary,
            source: "figure 1 of arXiv 2410.08582",
            size: (224, 224),
            classes: 1000,
            aliases: &[],
            options: &[],
            fit: None,
            build: |config| build($name, Pattern::$pattern, config),
        };)*
        /// All rows, in alphabetical order.
        #[cfg(test)]
        const ALL: &[Entry] = &[$($row),*];
    };
}
rows! {
    AGENT Agent "pattern_agent" "small backbone: deformable agents and routed regions",
    BIDIRECTIONAL Bidirectional "pattern_bidirectional" "small backbone: bidirectional attention in windows",
    DEFORMABLE Deformable "pattern_deformable" "small backbone: attention to deformed points",
    GLOBAL Global "pattern_global" "small backbone: attention of all to all",
    GRID Grid "pattern_grid" "small backbone: attention inside dilated grids",
    NEIGHBOURHOOD Neighbourhood "pattern_neighbourhood" "small backbone: attention to 7×7 neighbours",
    ROUTED Routed "pattern_routed" "small backbone: attention to routed regions",
    SHIFTED_WINDOW ShiftedWindow "pattern_shifted_window" "small backbone: attention inside shifted windows",
    WINDOW Window "pattern_window" "small backbone: attention inside windows",
}

const PATCH: usize = 4;
const WIDTH: usize = 64;
const DEPTHS: [usize; 4] = [1, 1, 2, 1];
const RATIO: usize = 3;
const EPS: f64 = 1e-5;
/// Tokens along a side of a window, a grid and a neighbourhood; regions along a side of the map.
const SIDE: usize = 7;
const SHIFT: usize = 3;
/// Of each stage: tokens per point along each axis, extent of the offset kernel, groups, routed regions.
const POINTS: [[usize; 4]; 4] = [[8, 9, 1, 4], [4, 7, 2, 8], [2, 5, 4, 16], [1, 3, 8, 49]];

fn build(name: &str, pattern: Pattern, config: &Config) -> Result<Graph, String> {
    let why = "patches of 4, three halvings and windows of 7 must divide";
    let size = config.divided_size(name, GLOBAL.size, (PATCH << 3) * SIDE, why)?;
    let mut net = Layers::new(name);
    let image = net.image(config.batch, size);
    let image = net.channels_last(image);
    let mut x = net.any_conv(image, "patches", [WIDTH, PATCH], Conv2d::new(PATCH, 0));
    for (stage, depth) in DEPTHS.into_iter().enumerate() {
        if stage > 0 {
            x = net.any_conv(x, &format!("halve.{stage}"), [WIDTH << stage, 2], Conv2d::new(2, 0));
        }
        x = (0..depth).fold(x, |x, block| self::block(&mut net, x, pattern, stage, &format!("stages.{stage}.{block}")));
        net.tap(x, &format!("stages.{stage}"));
    }
    let x = net.norm(x, "norm", EPS);
    let logits = net.classify(x, "head", config.classes.unwrap_or(GLOBAL.classes));
    Ok(net.b.finish(&[logits]))
}

fn block(net: &mut Layers, x: NodeId, pattern: Pattern, stage: usize, name: &str) -> NodeId {
    let normed = net.norm(x, &format!("{name}.norm1"), EPS);
    let attended = attention(net, normed, pattern, stage, &format!("{name}.attn"));
    let x = net.b.add(x, attended);
    let normed = net.norm(x, &format!("{name}.norm2"), EPS);
    let names = [1, 2].map(|part| format!("{name}.mlp.fc{part}"));
    let out = net.mlp(normed, &names, RATIO);
    net.b.add(x, out)
}

/// Attention of a map `[B, H, W, C]` → the same.
fn attention(net: &mut Layers, x: NodeId, pattern: Pattern, stage: usize, name: &str) -> NodeId {
    let [stride, kernel, groups, routes] = POINTS[stage];
    match pattern {
        Pattern::Global => global(net, x, name),
        Pattern::Window | Pattern::Bidirectional => windows(net, x, pattern, name, 0),
        Pattern::ShiftedWindow => windows(net, x, pattern, name, SHIFT),
        Pattern::Grid => grid(net, x, name),
        Pattern::Neighbourhood => neighbourhood(net, x, name),
        Pattern::Deformable => {
            dat::deformable_attention(net, x, name, Conventions::Of2023, dat::Points { kernel, groups, stride })
        }
        Pattern::Routed => net.routing_attention(x, name, SIDE, routes),
        Pattern::Agent => {
            let [_, height, width, _] = net.axes(x);
            let grid = AgentGrid { stride, kernel, groups, table: height.max(width), ratio: RATIO };
            net.agent_attention(x, name, SIDE, routes, grid)
        }
    }
}

/// Attention of tokens `[B, n, C]` to each other, with a score term or without.
fn tokens(net: &mut Layers, x: NodeId, name: &str, bias: Option<NodeId>) -> NodeId {
    let [.., channels] = net.axes::<3>(x);
    let [q, k, v] = net.qkv(x, &format!("{name}.qkv"), channels / HEAD_DIM);
    let attended = net.b.attention(q, k, v, bias, scale());
    let merged = net.b.merge_heads(attended);
    net.linear(merged, &format!("{name}.proj"), channels)
}

fn scale() -> f64 {
    (HEAD_DIM as f64).powf(-0.5)
}

fn global(net: &mut Layers, x: NodeId, name: &str) -> NodeId {
    let shape: [usize; 4] = net.axes(x);
    let all = net.tokens(x);
    let out = tokens(net, all, name, None);
    net.b.reshape(out, &shape)
}

fn windows(net: &mut Layers, x: NodeId, pattern: Pattern, name: &str, shift: usize) -> NodeId {
    let [batch, height, width, channels] = net.axes(x);
    let (map, heads) = ([batch, height, width], channels / HEAD_DIM);
    // A map that is one window has nothing to shift.
    let shift = if height.min(width) > SIDE { shift } else { 0 };
    let cut = net.b.window_partition(x, SIDE, shift);
    let bias = net.window_bias(name, heads, map, SIDE, [shift; 2]);
    let out = if pattern == Pattern::Bidirectional {
        let operands = net.qkv(cut, &format!("{name}.qkv"), heads);
        let layer = Layer { name, operands, bias, scale: scale(), norm: false };
        let mixed = bisa::window_attention(net, cut, &layer);
        net.linear(mixed, &format!("{name}.proj"), channels)
    } else {
        tokens(net, cut, name, Some(bias))
    };
    net.b.window_reverse(out, map, SIDE, shift)
}

fn grid(net: &mut Layers, x: NodeId, name: &str) -> NodeId {
    let [batch, height, width, channels] = net.axes(x);
    let map = [batch, height, width];
    let cut = net.b.grid_partition(x, SIDE);
    let bias = net.window_bias(name, channels / HEAD_DIM, map, SIDE, [0; 2]);
    let out = tokens(net, cut, name, Some(bias));
    net.b.grid_reverse(out, map, SIDE)
}

fn neighbourhood(net: &mut Layers, x: NodeId, name: &str) -> NodeId {
    let [.., channels] = net.axes::<4>(x);
    let qkv = net.linear(x, &format!("{name}.qkv"), 3 * channels);
    let parts = net.b.split(qkv, -1, 3);
    let parts: Vec<NodeId> = parts.into_iter().map(|part| net.channels_first(part)).collect();
    let heads = channels / HEAD_DIM;
    let op = NeighbourhoodAttention { heads, size: SIDE, scale: scale().into(), border: Border::Clamp };
    let attended = net.b.push(op, &parts);
    let attended = net.channels_last(attended);
    net.linear(attended, &format!("{name}.proj"), channels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ZOO, build};

    /// Widths and depths are the same: patterns differ by less than a sixth in parameters, but for agents, which have
    /// an MLP of their own, and inverse attention, which has two more projections.
    #[test]
    fn patterns_are_of_one_size() {
        let parameters = |entry: &Entry| build(entry.name, &Config::default()).unwrap().parameters() as f64;
        let global = parameters(&GLOBAL);
        for entry in ALL {
            let ratio = parameters(entry) / global;
            let most = if ["pattern_agent", "pattern_bidirectional"].contains(&entry.name) { 2.2 } else { 7.0 / 6.0 };
            assert!((1.0..most).contains(&ratio), "{}: {ratio}", entry.name);
            assert!(ZOO.iter().any(|row| row.name == entry.name), "{}", entry.name);
        }
    }

    #[test]
    fn maps_may_have_two_windows_across() {
        for entry in ALL {
            let config = Config { batch: 2, size: Some((224, 448)), classes: Some(5), ..Config::default() };
            let graph = build(entry.name, &config).unwrap();
            assert_eq!(graph.ty(graph.outputs[0]).shape, [2, 5], "{}", entry.name);
        }
        let config = Config { size: Some((200, 224)), ..Config::default() };
        let why = build("pattern_grid", &config).unwrap_err().to_string();
        assert!(why.contains("200x224") && why.contains("multiple of 224"), "{why}");
    }
}
