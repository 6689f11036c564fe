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
//! Where windows do not fit the map, libraries that have these weights differ: `swin/rules.rs`.
//!
//! As the backbone of a dense head it takes maps of any size: the image is padded to whole patches, each block pads its
//! normed map to whole windows and crops, and every stage gives a normed map of its own ([`dense`]).
//!
//! Some blocks may have bidirectional attention instead ([`crate::bisa`]).

mod rules;

use crate::{
    Config, Entry, ModelOption,
    bisa::{self, Bidirectional, Layer},
    layers::Layers,
};
use regard_ir::graph::{Graph, NodeId};
use rules::Rules;

/// The zoo's row.
pub(crate) const TINY: Entry = Entry {
    name: "swin_tiny",
    summary: "Swin-T: shifted 7×7 windows, four stages",
    source: "arXiv 2103.14030, microsoft/Swin-Transformer",
    size: (224, 224),
    classes: 1000,
    aliases: &[],
    options: &[RULES],
    fit: Some(rules::fit),
    build: |config| build("swin_tiny", config, &Bidirectional::default()),
};

/// Whose rules apply where windows do not fit the map.
pub(crate) const RULES: ModelOption = rules::OPTION;

const WINDOW: usize = 7;
const PATCH: usize = 4;
const WIDTH: usize = 96;
const DEPTHS: [usize; 4] = [2, 2, 6, 2];
const HEAD_DIM: usize = 32;
const MLP_RATIO: usize = 4;
const EPS: f64 = 1e-5;

/// Swin-T with some of its blocks bidirectional.
///
/// # Errors
/// Where the image cannot be cut into patches and windows, or a block that is named does not exist.
pub(crate) fn build(name: &str, config: &Config, bidirectional: &Bidirectional) -> Result<Graph, String> {
    check_blocks(name, bidirectional)?;
    let rules = Rules::of(config)?;
    let size = rules.size(name, config, TINY.size)?;
    let mut net = Swin { layers: Layers::new(name), rules, bidirectional };
    let image = net.layers.image(config.batch, size);
    let mut x = net.patch_embed(image);
    let planned = size.map(|side| side / PATCH);
    let [height, width] = size;
    for stage in 0..DEPTHS.len() {
        x = net
            .blocks(x, stage, planned.map(|side| side >> stage))
            .map_err(|why| format!("{name} cannot take images of {height}x{width}: {why}"))?;
        if stage + 1 < DEPTHS.len() {
            x = net.merge(x, stage);
        }
        net.layers.tap_tokens(x, &format!("layers.{stage}"));
    }
    let x = net.layers.norm(x, "norm", EPS);
    let logits = net.layers.classify(x, "head", config.classes.unwrap_or(TINY.classes));
    Ok(net.layers.b.finish(&[logits]))
}

/// Refuses blocks that Swin-T does not have.
///
/// # Errors
/// Where there is one.
pub(crate) fn check_blocks(name: &str, bidirectional: &Bidirectional) -> Result<(), String> {
    match bidirectional.blocks.iter().find(|&&(stage, block)| DEPTHS.get(stage).is_none_or(|&depth| block >= depth)) {
        Some((stage, block)) => {
            Err(format!("{name} has no block {block} in stage {stage}, expected stages of {DEPTHS:?} blocks"))
        }
        None => Ok(()),
    }
}

/// The backbone of a dense head: from an image `[B, 3, H, W]` of any size four maps `[B, C, H/4…, W/4…]`, each side
/// halved and rounded up from one to the next. Parameters and modules are called `backbone.…`.
pub(crate) fn dense(layers: Layers, image: NodeId, bidirectional: &Bidirectional) -> (Layers, [NodeId; 4]) {
    let mut net = Swin { layers: layers.called("backbone."), rules: Rules::Dense, bidirectional };
    let mut x = net.patch_embed(image);
    let maps = [0, 1, 2, 3].map(|stage| {
        x = net.blocks(x, stage, [0; 2]).expect("a dense head takes maps of any size");
        let normed = net.layers.norm(x, &format!("norm{stage}"), EPS);
        if stage + 1 < DEPTHS.len() {
            x = net.merge(x, stage);
        }
        let map = net.layers.channels_first(normed);
        net.layers.label(map, &format!("out{stage}"))
    });
    (net.layers.called(""), maps)
}

/// Swin under construction; maps are `[B, H, W, C]`.
struct Swin<'a> {
    layers: Layers,
    rules: Rules,
    bidirectional: &'a Bidirectional,
}

impl Swin<'_> {
    /// `[B, 3, H, W]` → `[B, H/4, W/4, 96]`.
    fn patch_embed(&mut self, image: NodeId) -> NodeId {
        let image = match self.rules.pads_image() {
            true => self.layers.pad_axes(image, [-2, -1], PATCH),
            false => self.layers.cut_axes(image, [-2, -1], PATCH),
        };
        let weight = self.layers.weight("patch_embed.proj.weight", &[WIDTH, 3, PATCH, PATCH]);
        let bias = self.layers.weight("patch_embed.proj.bias", &[WIDTH]);
        let patches = self.layers.b.patch_embedding(image, weight, Some(bias));
        let x = self.layers.norm(patches, "patch_embed.norm", EPS);
        self.layers.tap_tokens(x, "patch_embed");
        x
    }

    /// All blocks of a stage, whose map is planned to have those sides.
    fn blocks(&mut self, x: NodeId, stage: usize, planned: [usize; 2]) -> Result<NodeId, String> {
        (0..DEPTHS[stage]).try_fold(x, |x, block| self.block(x, stage, block, planned))
    }

    /// `[B, H, W, C]` → the same.
    fn block(&mut self, x: NodeId, stage: usize, block: usize, planned: [usize; 2]) -> Result<NodeId, String> {
        let [batch, height, width, _] = self.layers.axes(x);
        let name = format!("layers.{stage}.blocks.{block}");
        let cut = self.rules.cut(block % 2 == 1, [height, width], planned)?;
        let (before, after) = if cut.pad_last { (cut.shift, [0; 2]) } else { ([0; 2], cut.shift) };
        let normed = self.layers.norm(x, &format!("{name}.norm1"), EPS);
        let rolled = self.layers.rolled(normed, before, false);
        // Padded after the norm: such tokens are zeros, which attend and are attended to.
        let whole = self.layers.pad(rolled, WINDOW);
        let [_, down, across, _] = self.layers.axes(whole);
        let rolled = self.layers.rolled(whole, after, false);
        let windows = self.layers.b.window_partition(rolled, WINDOW, 0);
        let bidirectional = self.bidirectional.blocks.contains(&(stage, block));
        let map = [batch, down, across];
        let attended = self.attention(windows, &format!("{name}.attn"), bidirectional, map, cut.shift);
        let map = self.layers.b.window_reverse(attended, map, WINDOW, 0);
        let map = self.layers.rolled(map, after, true);
        let map = self.layers.crop(map, height, width);
        let map = self.layers.rolled(map, before, true);
        let x = self.layers.b.add(x, map);
        let normed = self.layers.norm(x, &format!("{name}.norm2"), EPS);
        let names = [format!("{name}.mlp.fc1"), format!("{name}.mlp.fc2")];
        let out = self.layers.mlp(normed, &names, MLP_RATIO);
        let x = self.layers.b.add(x, out);
        self.layers.tap_tokens(x, &name);
        Ok(x)
    }

    /// Window attention, `[B·windows, 49, C]` → the same; the windows are those of a map `[B, H, W]`.
    fn attention(&mut self, x: NodeId, name: &str, bidirectional: bool, map: [usize; 3], shift: [usize; 2]) -> NodeId {
        let [.., channels] = self.layers.axes::<3>(x);
        let heads = channels / HEAD_DIM;
        let operands = self.layers.qkv(x, &format!("{name}.qkv"), heads);
        let bias = self.layers.window_bias(name, heads, map, WINDOW, shift);
        let scale = (HEAD_DIM as f64).powf(-0.5);
        let merged = if bidirectional {
            let norm = self.bidirectional.norm;
            bisa::window_attention(&mut self.layers, x, &Layer { name, operands, bias, scale, norm })
        } else {
            let [q, k, v] = operands;
            let attended = self.layers.b.attention(q, k, v, Some(bias), scale);
            self.layers.b.merge_heads(attended)
        };
        let out = self.layers.linear(merged, &format!("{name}.proj"), channels);
        self.layers.label(out, name)
    }

    /// `[B, H, W, C]` → `[B, H/2, W/2, 2C]`, halves rounded up.
    fn merge(&mut self, x: NodeId, stage: usize) -> NodeId {
        let [.., channels] = self.layers.axes::<4>(x);
        let name = format!("layers.{stage}.downsample");
        let even = self.layers.pad(x, 2);
        let merged = self.layers.b.patch_merging(even);
        let normed = self.layers.norm(merged, &format!("{name}.norm"), EPS);
        self.layers.product(normed, &format!("{name}.reduction"), 2 * channels)
    }
}
