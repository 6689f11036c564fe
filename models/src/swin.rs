//! Swin Transformer, tiny: attention inside 7×7 windows, shifted by 3 in every second block.
//!
//! ```text
//!   image ─ 4×4 patches ─▶ 56² × 96 ─ 2 blocks ─ merge ─▶ 28² × 192 ─ 2 ─ merge ─▶ 14² × 384 ─ 6 ─ merge ─▶ 7² × 768 ─ 2 ─▶ mean ─▶ logits
//!
//!   block: x ← x + proj(attention(windows(LN x)))          windows shifted by 3 where the map is larger than one
//!          x ← x + fc2(gelu(fc1(LN x)))
//! ```
//!
//! Liu et al., "Swin Transformer", 2021 (arXiv 2103.14030); names and arithmetic are those of
//! microsoft/Swin-Transformer: q is scaled by 32^(−1/2) before the product, the relative-position bias is
//! added to the scores, and pairs of tokens that the cyclic shift brought together get −100.
//!
//! As the backbone of a dense head it takes maps of any size: the image is padded to whole patches, each block pads its
//! normed map to whole windows and crops, and every stage gives a normed map of its own ([`Swin::dense`]).
//!
//! Some blocks may have bidirectional attention instead ([`crate::bisa`]).

use crate::{
    Config, Entry,
    bisa::{self, Bidirectional, Layer},
};
use regard_ir::{
    graph::{Builder, Graph, NodeId},
    types::TensorType,
};

/// The zoo's row.
pub const TINY: Entry = Entry {
    name: "swin_tiny",
    summary: "Swin-T: shifted 7×7 windows, four stages",
    source: "arXiv 2103.14030, microsoft/Swin-Transformer",
    size: (224, 224),
    classes: 1000,
    options: &[],
    build: tiny,
};

const WINDOW: usize = 7;
const PATCH: usize = 4;
const WIDTH: usize = 96;
const DEPTHS: [usize; 4] = [2, 2, 6, 2];
const HEADS: [usize; 4] = [3, 6, 12, 24];
const HEAD_DIM: usize = 32;
const MLP_RATIO: usize = 4;
const EPS: f64 = 1e-5;

fn tiny(config: &Config) -> Result<Graph, String> {
    build("swin_tiny", config, &Bidirectional::default())
}

/// Swin-T with some of its blocks bidirectional.
///
/// # Errors
/// Where the image cannot be cut into patches and windows, or a block that is named does not exist.
pub fn build(name: &str, config: &Config, bidirectional: &Bidirectional) -> Result<Graph, String> {
    if let Some((stage, block)) = bidirectional.blocks.iter().find(|&&(s, b)| DEPTHS.get(s).is_none_or(|&d| b >= d)) {
        return Err(format!("{name} has no block {block} in stage {stage}, expected stages of {DEPTHS:?} blocks"));
    }
    let (height, width) = config.size.unwrap_or(TINY.size);
    // Patches of 4, three halvings and windows of 7: 4 · 8 · 7.
    let unit = PATCH << (DEPTHS.len() - 1);
    let unit = unit * WINDOW;
    let fits = |side: usize| side > 0 && side.is_multiple_of(unit) && side <= 16 * unit;
    if !fits(height) || !fits(width) {
        return Err(format!(
            "{name} cannot take images of {height}x{width}: patches of 4, three mergings by 2 and windows of 7 must divide, so each side must be a multiple of {unit}, at most {}",
            16 * unit
        ));
    }
    let mut net = Swin { b: Builder::new(name), prefix: "", dense: false, bidirectional };
    let image = net.b.input("image", TensorType::f32([config.batch, 3, height, width]));
    let mut x = net.patch_embed(image);
    let mut map = Map { batch: config.batch, height: height / PATCH, width: width / PATCH };
    for stage in 0..DEPTHS.len() {
        x = net.blocks(x, stage, map);
        if stage + 1 < DEPTHS.len() {
            x = net.merge(x, stage, &mut map);
        }
        net.b.label(x, format!("layers.{stage}"));
    }
    let logits = net.head(x, config.classes.unwrap_or(TINY.classes));
    Ok(net.b.finish(&[logits]))
}

/// Extent of the feature map.
#[derive(Clone, Copy)]
struct Map {
    batch: usize,
    height: usize,
    width: usize,
}

/// Swin under construction.
pub struct Swin<'a> {
    /// Where nodes go.
    pub b: Builder,
    /// What stands before the names of parameters and modules.
    prefix: &'static str,
    /// Whether maps may have any size.
    dense: bool,
    bidirectional: &'a Bidirectional,
}

impl<'a> Swin<'a> {
    /// The backbone of a dense head: from an image `[B, 3, H, W]` of any size four maps `[B, C, H/4…, W/4…]`, each side
    /// halved and rounded up from one to the next. Parameters and modules are called `backbone.…`.
    pub fn dense(b: Builder, image: NodeId, bidirectional: &'a Bidirectional) -> (Builder, [NodeId; 4]) {
        let mut net = Swin { b, prefix: "backbone.", dense: true, bidirectional };
        let [batch, _, height, width] = net.b.shape(image)[..] else { panic!("an image has four axes") };
        let mut x = net.patch_embed(image);
        let mut map = Map { batch, height: height.div_ceil(PATCH), width: width.div_ceil(PATCH) };
        let outputs = [0, 1, 2, 3].map(|stage| {
            x = net.blocks(x, stage, map);
            let channels = WIDTH << stage;
            let normed = net.norm(x, &format!("norm{stage}"), channels);
            let grid = net.b.reshape(normed, &[map.batch, map.height, map.width, channels]);
            if stage + 1 < DEPTHS.len() {
                x = net.merge(x, stage, &mut map);
            }
            let map = net.b.transpose(grid, &[-1, -3, -2]);
            net.label(map, format!("out{stage}"))
        });
        (net.b, outputs)
    }

    fn weight(&mut self, name: &str, shape: &[usize]) -> NodeId {
        self.b.weight(format!("{}{name}", self.prefix), TensorType::f32(shape))
    }

    fn label(&mut self, node: NodeId, name: String) -> NodeId {
        self.b.label(node, format!("{}{name}", self.prefix))
    }

    /// Zeros behind rows and columns of `[…, rows, columns, …]` at axes `axis` and `axis` + 1, up to multiples.
    fn padded(&mut self, x: NodeId, axis: i64, [height, width]: [usize; 2], unit: usize) -> NodeId {
        let missing = |extent: usize| extent.next_multiple_of(unit) - extent;
        let mut x = x;
        for (axis, behind) in [(axis, missing(height)), (axis + 1, missing(width))] {
            if behind > 0 {
                x = self.b.pad(x, axis, 0, behind, 0.0);
            }
        }
        x
    }

    /// All blocks of a stage.
    fn blocks(&mut self, mut x: NodeId, stage: usize, map: Map) -> NodeId {
        for block in 0..DEPTHS[stage] {
            x = self.block(x, stage, block, map);
        }
        x
    }

    fn norm(&mut self, x: NodeId, name: &str, channels: usize) -> NodeId {
        let gamma = self.weight(&format!("{name}.weight"), &[channels]);
        let beta = self.weight(&format!("{name}.bias"), &[channels]);
        self.b.layer_norm(x, gamma, beta, EPS)
    }

    /// x `[…, inputs]` times `name.weight` plus `name.bias`.
    pub fn linear(&mut self, x: NodeId, name: &str, inputs: usize, outputs: usize) -> NodeId {
        let weight = self.weight(&format!("{name}.weight"), &[outputs, inputs]);
        let bias = self.weight(&format!("{name}.bias"), &[outputs]);
        self.b.linear(x, weight, Some(bias))
    }

    /// `[B, 3, H, W]` → `[B, H/4·W/4, 96]`.
    fn patch_embed(&mut self, image: NodeId) -> NodeId {
        let [_, _, height, width] = self.b.shape(image)[..] else { panic!("an image has four axes") };
        let image = self.padded(image, -2, [height, width], PATCH);
        let weight = self.weight("patch_embed.proj.weight", &[WIDTH, 3, PATCH, PATCH]);
        let bias = self.weight("patch_embed.proj.bias", &[WIDTH]);
        let grid = self.b.patch_embedding(image, weight, Some(bias));
        let [batch, height, width, _] = self.b.shape(grid)[..] else { unreachable!("patches form a map") };
        let x = self.b.reshape(grid, &[batch, height * width, WIDTH]);
        let x = self.norm(x, "patch_embed.norm", WIDTH);
        self.label(x, "patch_embed".to_string())
    }

    /// `[B, H·W, C]` → the same.
    fn block(&mut self, x: NodeId, stage: usize, block: usize, map: Map) -> NodeId {
        let channels = WIDTH << stage;
        let name = format!("layers.{stage}.blocks.{block}");
        let shifted = block % 2 == 1 && (self.dense || map.height.min(map.width) > WINDOW);
        let shift = if shifted { WINDOW / 2 } else { 0 };
        let normed = self.norm(x, &format!("{name}.norm1"), channels);
        let grid = self.b.reshape(normed, &[map.batch, map.height, map.width, channels]);
        // Padded behind the norm: such tokens are zeros, which attend and are attended to.
        let grid = self.padded(grid, -3, [map.height, map.width], WINDOW);
        let whole =
            Map { height: map.height.next_multiple_of(WINDOW), width: map.width.next_multiple_of(WINDOW), ..map };
        let windows = self.b.window_partition(grid, WINDOW, shift);
        let attended = self.attention(windows, &format!("{name}.attn"), (stage, block), whole, shift);
        let mut grid = self.b.window_reverse(attended, [map.batch, whole.height, whole.width], WINDOW, shift);
        for (axis, kept, extent) in [(-3, map.height, whole.height), (-2, map.width, whole.width)] {
            if kept < extent {
                grid = self.b.slice(grid, axis, 0..kept);
            }
        }
        let tokens = self.b.reshape(grid, &[map.batch, map.height * map.width, channels]);
        let x = self.b.add(x, tokens);
        let normed = self.norm(x, &format!("{name}.norm2"), channels);
        let hidden = self.linear(normed, &format!("{name}.mlp.fc1"), channels, MLP_RATIO * channels);
        let hidden = self.b.gelu(hidden);
        let out = self.linear(hidden, &format!("{name}.mlp.fc2"), MLP_RATIO * channels, channels);
        let x = self.b.add(x, out);
        self.label(x, name)
    }

    /// Window attention, `[B·windows, 49, C]` → the same.
    fn attention(&mut self, x: NodeId, name: &str, (stage, block): (usize, usize), map: Map, shift: usize) -> NodeId {
        let (channels, heads) = (WIDTH << stage, HEADS[stage]);
        let qkv = self.linear(x, &format!("{name}.qkv"), channels, 3 * channels);
        let parts = self.b.split(qkv, -1, 3);
        let [q, k, v] = [0, 1, 2].map(|i| self.b.split_heads(parts[i], heads));
        let bias = self.bias(name, heads, map, shift);
        let scale = (HEAD_DIM as f64).powf(-0.5);
        let merged = if self.bidirectional.blocks.contains(&(stage, block)) {
            let norm = self.bidirectional.norm;
            bisa::window_attention(
                self,
                x,
                &Layer { prefix: self.prefix, name, operands: [q, k, v], bias, scale, norm },
            )
        } else {
            let attended = self.b.attention(q, k, v, Some(bias), scale);
            self.b.merge_heads(attended)
        };
        let out = self.linear(merged, &format!("{name}.proj"), channels, channels);
        self.label(out, name.to_string())
    }

    /// Relative position bias of a layer, and in shifted windows the mask: `[heads, 49, 49]`, with all windows in
    /// front where there is a mask.
    fn bias(&mut self, name: &str, heads: usize, map: Map, shift: usize) -> NodeId {
        let tokens = WINDOW * WINDOW;
        let table = self.weight(&format!("{name}.relative_position_bias_table"), &[(2 * WINDOW - 1).pow(2), heads]);
        let bias = self.b.relative_position_bias(table, WINDOW);
        if shift == 0 {
            return bias;
        }
        // [windows, 1, 49, 49] + [heads, 49, 49], the windows of every image alike.
        let windows = (map.height / WINDOW) * (map.width / WINDOW);
        let mask = self.b.shifted_window_mask(map.height, map.width, WINDOW, shift);
        let mask = self.b.reshape(mask, &[1, windows, 1, tokens, tokens]);
        let all = self.b.expand(mask, &[map.batch, windows, 1, tokens, tokens]);
        let mask = self.b.reshape(all, &[map.batch * windows, 1, tokens, tokens]);
        self.b.add(bias, mask)
    }

    /// `[B, H·W, C]` → `[B, H/2·W/2, 2C]`, halves rounded up.
    fn merge(&mut self, x: NodeId, stage: usize, map: &mut Map) -> NodeId {
        let channels = WIDTH << stage;
        let name = format!("layers.{stage}.downsample");
        let grid = self.b.reshape(x, &[map.batch, map.height, map.width, channels]);
        let grid = self.padded(grid, -3, [map.height, map.width], 2);
        let merged = self.b.patch_merging(grid);
        (map.height, map.width) = (map.height.div_ceil(2), map.width.div_ceil(2));
        let tokens = self.b.reshape(merged, &[map.batch, map.height * map.width, 4 * channels]);
        let normed = self.norm(tokens, &format!("{name}.norm"), 4 * channels);
        let weight = self.weight(&format!("{name}.reduction.weight"), &[2 * channels, 4 * channels]);
        self.b.linear(normed, weight, None)
    }

    /// Norm, mean over tokens, classifier.
    fn head(&mut self, x: NodeId, classes: usize) -> NodeId {
        let channels = WIDTH << (DEPTHS.len() - 1);
        let normed = self.norm(x, "norm", channels);
        let mean = self.b.mean(normed, -2);
        let batch = self.b.shape(mean)[0];
        let pooled = self.b.reshape(mean, &[batch, channels]);
        let logits = self.linear(pooled, "head", channels, classes);
        self.b.label(logits, "logits")
    }
}
