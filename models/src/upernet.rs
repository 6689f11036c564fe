//! UPerNet on Swin-T: a class for every pixel.
//!
//! ```text
//!   c4 ─ pooled to 1, 2, 3, 6 ─ conv ─ resized ─ concat ─ conv 3×3 ─▶ P4
//!   lateral 1×1 of c3, c2, c1, each plus the level above it resized, then conv 3×3 ─▶ P3, P2, P1
//!   concat of P1 … P4 resized to P1's map ─ conv 3×3 ─ conv 1×1 ─▶ logits at ¼ ─ resized ─ argmax ─▶ classes
//! ```
//!
//! Xiao et al., "Unified Perceptual Parsing", 2018 (arXiv 1807.10221); names and arithmetic are those of the Swin
//! authors' fork of mmsegmentation. Every convolution of the head has no bias, a batch norm and a relu after it, but the
//! last one. The auxiliary head served training; it is built on request.

use crate::{
    Config, Entry, ModelOption,
    bisa::{self, Bidirectional},
    layers::Layers,
    swin,
};
use regard_ir::{
    graph::{Builder, Graph, NodeId},
    ops::{AdaptiveAvgPool, Argmax, Conv2d, Resize, ResizeMode},
};

/// The zoo's row.
pub(crate) const SWIN: Entry = Entry {
    name: "swin_tiny_upernet",
    summary: "UPerNet on Swin-T: a class per pixel, images of any size",
    source: "arXiv 1807.10221, SwinTransformer/Swin-Transformer-Semantic-Segmentation",
    size: (512, 512),
    classes: 150,
    aliases: &[],
    options: &[ModelOption {
        name: "auxiliary",
        values: "no, yes: also the head that served training, as a third output",
    }],
    fit: None,
    build: |config| build("swin_tiny_upernet", config, &Bidirectional::default()),
};

/// The zoo's row.
pub(crate) const SWIN_BISA: Entry = Entry {
    name: "swin_tiny_bisa_upernet",
    summary: "UPerNet on Swin-T with bidirectional attention in the first stage",
    options: &[SWIN.options[0], bisa::BLOCKS],
    build: |config| build("swin_tiny_bisa_upernet", config, &bisa::chosen(config, false)?),
    ..SWIN
};

/// Channels of the head.
const WIDTH: usize = 512;
/// Channels of the auxiliary head.
const AUXILIARY_WIDTH: usize = 256;
/// Bins of the pooled maps.
const POOLED: [usize; 4] = [1, 2, 3, 6];
/// UPerNet on Swin-T with some blocks bidirectional.
///
/// # Errors
/// Where the image is too large, or a block that is named does not exist.
pub(crate) fn build(name: &str, config: &Config, bidirectional: &Bidirectional) -> Result<Graph, String> {
    swin::check_blocks(name, bidirectional)?;
    let size = config.any_size(name, SWIN.size)?;
    let auxiliary = config.word("auxiliary", &["no", "yes"])? == "yes";
    let classes = config.classes.unwrap_or(SWIN.classes);
    let mut layers = Layers::new(name);
    let image = layers.image(config.batch, size);
    let (layers, maps) = swin::dense(layers, image, bidirectional);
    let mut head = Head { b: layers.b };
    let logits = head.decode(maps, classes);
    let whole = head.resized(logits, size);
    let greatest = head.b.push(Argmax { axis: -3 }, &[whole]);
    let greatest = head.b.reshape(greatest, &[config.batch, size[0], size[1]]);
    let classes_of_pixels = head.b.label(greatest, "classes");
    let mut outputs = vec![logits, classes_of_pixels];
    if auxiliary {
        outputs.push(head.auxiliary(maps[2], classes));
    }
    Ok(head.b.finish(&outputs))
}

/// The head under construction.
struct Head {
    b: Builder,
}

impl Head {
    /// Convolution k×k, batch norm, relu.
    fn conv(&mut self, x: NodeId, name: &str, [out, size]: [usize; 2]) -> NodeId {
        let x = self.b.conv(x, &format!("{name}.conv"), [out, size], Conv2d::new(1, size / 2));
        let x = self.b.batch_norm(x, &format!("{name}.bn"), -3);
        self.b.relu(x)
    }

    fn resized(&mut self, x: NodeId, size: [usize; 2]) -> NodeId {
        self.b.push(Resize { size, mode: ResizeMode::Bilinear }, &[x])
    }

    /// Rows and columns of a map.
    fn size(&self, x: NodeId) -> [usize; 2] {
        let [_, _, height, width] = self.b.shape(x)[..] else { panic!("a map has four axes") };
        [height, width]
    }

    /// Logits at the size of the first map.
    fn decode(&mut self, maps: [NodeId; 4], classes: usize) -> NodeId {
        let mut levels =
            [0, 1, 2].map(|i| self.conv(maps[i], &format!("decode_head.lateral_convs.{i}"), [WIDTH, 1])).to_vec();
        levels.push(self.pyramid(maps[3]));
        for i in [2, 1, 0] {
            let size = self.size(levels[i]);
            let above = self.resized(levels[i + 1], size);
            levels[i] = self.b.add(levels[i], above);
        }
        for (i, level) in levels.iter_mut().enumerate().take(3) {
            *level = self.conv(*level, &format!("decode_head.fpn_convs.{i}"), [WIDTH, 3]);
        }
        let size = self.size(levels[0]);
        for level in &mut levels[1..] {
            *level = self.resized(*level, size);
        }
        let all = self.b.concat(&levels, -3);
        let fused = self.conv(all, "decode_head.fpn_bottleneck", [WIDTH, 3]);
        let logits = self.b.conv_with_bias(fused, "decode_head.conv_seg", [classes, 1], Conv2d::new(1, 0));
        self.b.label(logits, "decode_head")
    }

    /// The last map beside its means over few large bins.
    fn pyramid(&mut self, x: NodeId) -> NodeId {
        let size = self.size(x);
        let mut parts = vec![x];
        for (i, bins) in POOLED.into_iter().enumerate() {
            let pooled = self.b.push(AdaptiveAvgPool { size: [bins; 2] }, &[x]);
            let mixed = self.conv(pooled, &format!("decode_head.psp_modules.{i}.1"), [WIDTH, 1]);
            parts.push(self.resized(mixed, size));
        }
        let all = self.b.concat(&parts, -3);
        self.conv(all, "decode_head.bottleneck", [WIDTH, 3])
    }

    fn auxiliary(&mut self, x: NodeId, classes: usize) -> NodeId {
        let x = self.conv(x, "auxiliary_head.convs.0", [AUXILIARY_WIDTH, 3]);
        let logits = self.b.conv_with_bias(x, "auxiliary_head.conv_seg", [classes, 1], Conv2d::new(1, 0));
        self.b.label(logits, "auxiliary_head")
    }
}
