//! Residual networks whose 3×3 convolutions may be stand-alone self-attention (SASA), and the convolutional baselines.
//!
//! ```text
//!   image ─ stem ─▶ 56² × 64 ─ group 1 ─▶ 56² × 256 ─ 2 ─▶ 28² × 512 ─ 3 ─▶ 14² × 1024 ─ 4 ─▶ 7² × 2048 ─▶ mean ─▶ logits
//!
//!   block:  y ← relu(bn(conv1 x))                                       1×1
//!           y ← relu(bn(spatial y))        conv 3×3, or attention to k×k neighbours; where a group halves the map,
//!                                          stride 2, or a mean over 2×2 after the attention
//!           x ← relu(bn(conv3 y) + shortcut x)                          1×1
//! ```
//!
//! Ramachandran et al., "Stand-Alone Self-Attention in Vision Models", 2019 (arXiv 1906.05909). There is no official code:
//! parameter names are ours, and where the paper is silent the choice is the one that reproduces its numbers: queries, keys
//! and values are dense, keys and values outside the map are zeros that take part, scores are not scaled, the tables of
//! relative rows and columns are shared by the heads of a layer. The stem is in `stem.rs`.

use crate::{Config, Entry, ModelOption, stem};
use regard_ir::{
    graph::{Builder, Graph, NodeId},
    ops::{AvgPool, Border, Conv2d, MaxPool, NeighbourhoodAttention, Sinusoid},
    types::TensorType,
};

const OPTIONS: &[ModelOption] = &[
    ModelOption {
        name: "stem",
        values: "attention, conv, alone (one value matrix), conv_values (values from a 4x4 convolution)",
    },
    ModelOption { name: "attention", values: "1+2+3+4: groups whose 3x3 convolutions are attention; none" },
    ModelOption { name: "k", values: "7; odd, 3 to 11: rows and columns of a neighbourhood" },
    ModelOption { name: "position", values: "relative, absolute (sinusoids of the keys' rows and columns), none" },
    ModelOption { name: "content", values: "qk+qr, qr: whether scores have q·k" },
    ModelOption { name: "heads", values: "8; of each attention layer" },
    ModelOption { name: "width", values: "1.0; 0.25 to 4: factor of all widths" },
];

/// The zoo's row.
pub(crate) const RESNET50: Entry = Entry {
    name: "resnet50",
    summary: "ResNet-50 v1.5, the convolutional baseline",
    source: "arXiv 1512.03385, torchvision",
    size: (224, 224),
    classes: 1000,
    aliases: &[],
    options: &[ModelOption { name: "width", values: "1.0; 0.25 to 4: factor of all widths" }],
    fit: None,
    build: |config| build("resnet50", &baseline(50, config)?, config),
};
/// The zoo's row.
pub(crate) const RESNET38: Entry = Entry {
    name: "resnet38",
    summary: "ResNet-38, the convolutional baseline",
    build: |config| build("resnet38", &baseline(38, config)?, config),
    ..RESNET50
};
/// The zoo's row.
pub(crate) const RESNET26: Entry = Entry {
    name: "resnet26",
    summary: "ResNet-26, the convolutional baseline",
    build: |config| build("resnet26", &baseline(26, config)?, config),
    ..RESNET50
};

/// The zoo's row.
pub(crate) const SASA50: Entry = Entry {
    name: "sasa_resnet50",
    summary: "ResNet-50, all 3x3 convolutions and the stem are attention",
    source: "arXiv 1906.05909",
    aliases: &["sasa_resnet50_full"],
    options: OPTIONS,
    build: |config| named("sasa_resnet50", 50, config, &[]),
    ..RESNET50
};
/// The zoo's row.
pub(crate) const SASA38: Entry = Entry {
    name: "sasa_resnet38",
    summary: "ResNet-38, all 3x3 convolutions and the stem are attention",
    aliases: &["sasa_resnet38_full"],
    build: |config| named("sasa_resnet38", 38, config, &[]),
    ..SASA50
};
/// The zoo's row.
pub(crate) const SASA26: Entry = Entry {
    name: "sasa_resnet26",
    summary: "ResNet-26, all 3x3 convolutions and the stem are attention",
    aliases: &["sasa_resnet26_full"],
    build: |config| named("sasa_resnet26", 26, config, &[]),
    ..SASA50
};
/// A combination of options that has a name of its own.
pub(crate) const SASA50_CONVSTEM: Entry = Entry {
    name: "sasa_resnet50_convstem",
    summary: "sasa_resnet50 with stem=conv",
    aliases: &[],
    build: |config| named("sasa_resnet50_convstem", 50, config, &[("stem", "conv")]),
    ..SASA50
};
/// A combination of options that has a name of its own.
pub(crate) const SASA50_CONVSTEM_K11: Entry = Entry {
    name: "sasa_resnet50_convstem_k11",
    summary: "sasa_resnet50 with stem=conv k=11",
    build: |config| named("sasa_resnet50_convstem_k11", 50, config, &[("stem", "conv"), ("k", "11")]),
    ..SASA50_CONVSTEM
};
/// A combination of options that has a name of its own.
pub(crate) const SASA50_CONV12_ATTN34: Entry = Entry {
    name: "sasa_resnet50_conv12_attn34",
    summary: "sasa_resnet50 with stem=conv attention=3+4",
    build: |config| named("sasa_resnet50_conv12_attn34", 50, config, &[("stem", "conv"), ("attention", "3+4")]),
    ..SASA50_CONVSTEM
};

/// Channels of the stem and of the first group's bottleneck.
const WIDTH: usize = 64;
/// Ratio of the longest wave of absolute positions to the shortest.
const BASE: f64 = 10000.0;
/// Output channels of a block per channel of its bottleneck.
pub(crate) const EXPANSION: usize = 4;

/// What a residual network is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Blocks of each group.
    pub depths: [usize; 4],
    /// The first layer.
    pub stem: Stem,
    /// Whether the spatial layers of each group are attention.
    pub attention: [bool; 4],
    /// Rows and columns of a neighbourhood.
    pub size: usize,
    /// How scores know where keys are.
    pub position: Position,
    /// Whether scores have q·k.
    pub content: bool,
    /// Heads of attention.
    pub heads: usize,
    /// Channels of the first bottleneck.
    pub width: usize,
}

/// How scores know where keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// By tables of relative rows and columns.
    Relative,
    /// By sinusoids that are added to what keys are projected from.
    Absolute,
    /// Not at all.
    None,
}

/// The first layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stem {
    /// 7×7 convolution, stride 2, then a maximum over 3×3, stride 2.
    Convolution,
    /// Attention in blocks of 4×4 with values that depend on the place in the block.
    Attention,
    /// The same with one value matrix.
    Alone,
    /// The same with values from a 4×4 convolution.
    ConvolutionValues,
}

fn depths(depth: usize) -> [usize; 4] {
    match depth {
        26 => [1, 2, 4, 1],
        38 => [2, 3, 5, 2],
        _ => [3, 4, 6, 3],
    }
}

fn width(config: &Config) -> Result<usize, String> {
    let factor: f64 = config.number("width", 1.0, 0.25, 4.0)?;
    Ok((WIDTH as f64 * factor).round() as usize)
}

fn baseline(depth: usize, config: &Config) -> Result<Layout, String> {
    let layout = Layout {
        depths: depths(depth),
        stem: Stem::Convolution,
        attention: [false; 4],
        size: 7,
        position: Position::Relative,
        content: true,
        heads: 8,
        width: width(config)?,
    };
    Ok(layout)
}

/// The layout that options ask for.
///
/// # Errors
/// Where an option has no such value, or the values do not fit each other.
pub(crate) fn layout(depth: usize, config: &Config) -> Result<Layout, String> {
    let words = ["attention", "conv", "alone", "conv_values"];
    let stem = match config.word("stem", &words)? {
        "conv" => Stem::Convolution,
        "alone" => Stem::Alone,
        "conv_values" => Stem::ConvolutionValues,
        _ => Stem::Attention,
    };
    let groups = config.numbers("attention", &[1, 2, 3, 4], 4)?;
    let size: usize = config.number("k", 7, 3, 11)?;
    let layout = Layout {
        stem,
        attention: [1, 2, 3, 4].map(|group| groups.contains(&group)),
        size,
        position: match config.word("position", &["relative", "absolute", "none"])? {
            "relative" => Position::Relative,
            "absolute" => Position::Absolute,
            _ => Position::None,
        },
        content: config.word("content", &["qk+qr", "qr"])? == "qk+qr",
        heads: config.number("heads", 8, 1, 64)?,
        ..baseline(depth, config)?
    };
    if size.is_multiple_of(2) {
        return Err(format!("option k is {size}, expected an odd number"));
    }
    if !layout.content && layout.position != Position::Relative {
        return Err("scores without q·k (content=qr) need position=relative".into());
    }
    let unit = layout.heads * if layout.position == Position::None { 1 } else { 2 };
    if !layout.width.is_multiple_of(unit) {
        let Layout { width, heads, .. } = layout;
        return Err(format!("{width} channels do not split into {heads} heads, expected a multiple of {unit}"));
    }
    if layout.stem != Stem::Convolution && !layout.width.is_multiple_of(stem::HEADS) {
        let (width, heads) = (layout.width, stem::HEADS);
        return Err(format!("{width} channels do not split into {heads} heads of the stem; stem=conv has none"));
    }
    Ok(layout)
}

/// The layout of the model of that name, a baseline or one with attention.
///
/// # Errors
/// As `layout`, and where there is no such model.
pub fn layout_of(model: &str, config: &Config) -> Result<Layout, String> {
    let depth = |name: &str| [26, 38, 50].into_iter().find(|depth| name == depth.to_string());
    match (model.strip_prefix("resnet").and_then(depth), model.strip_prefix("sasa_resnet").and_then(depth)) {
        (Some(depth), _) => baseline(depth, config),
        (_, Some(depth)) => layout(depth, config),
        _ => Err(format!("{model} is not a residual network")),
    }
}

/// A name that stands for options; what the user says goes first.
fn named(name: &str, depth: usize, config: &Config, preset: &[(&str, &str)]) -> Result<Graph, String> {
    let mut all = config.clone();
    for (option, value) in preset {
        all.options.entry((*option).to_owned()).or_insert((*value).to_owned());
    }
    build(name, &layout(depth, &all)?, config)
}

fn build(name: &str, layout: &Layout, config: &Config) -> Result<Graph, String> {
    const UNIT: usize = 32;
    let [height, width] = config.divided_size(name, RESNET50.size, UNIT, "the map is halved five times")?;
    let mut net = Net { b: Builder::refusing(name), layout };
    let image = net.b.input("image", TensorType::f32([config.batch, 3, height, width]));
    let mut x = net.stem(image);
    for (group, &depth) in layout.depths.iter().enumerate() {
        for block in 0..depth {
            x = net.block(x, group, block);
        }
        x = net.b.label(x, format!("layer{}", group + 1));
    }
    let logits = net.head(x, config.classes.unwrap_or(RESNET50.classes));
    Ok(net.b.finish(&[logits]))
}

struct Net<'a> {
    b: Builder,
    layout: &'a Layout,
}

impl Net<'_> {
    fn normed(&mut self, x: NodeId, name: &str) -> NodeId {
        self.b.batch_norm(x, name, -3)
    }

    /// `[B, 3, H, W]` → `[B, 64, H/4, W/4]`.
    fn stem(&mut self, image: NodeId) -> NodeId {
        let width = self.layout.width;
        if self.layout.stem != Stem::Convolution {
            return stem::attention(&mut self.b, image, width, self.layout.stem);
        }
        let x = self.b.conv(image, "conv1", [width, 7], Conv2d::new(2, 3));
        let x = self.normed(x, "bn1");
        let x = self.b.relu(x);
        self.b.push(MaxPool { kernel: [3, 3], stride: [2, 2], padding: [1, 1] }, &[x])
    }

    fn block(&mut self, x: NodeId, group: usize, block: usize) -> NodeId {
        let name = format!("layer{}.{block}", group + 1);
        let width = self.layout.width << group;
        let stride = if block == 0 && group > 0 { 2 } else { 1 };
        let y = self.b.conv(x, &format!("{name}.conv1"), [width, 1], Conv2d::new(1, 0));
        let y = self.normed(y, &format!("{name}.bn1"));
        let y = self.b.relu(y);
        let y = match self.layout.attention[group] {
            true => self.attention(y, &format!("{name}.attn"), stride),
            false => self.b.conv(y, &format!("{name}.conv2"), [width, 3], Conv2d::new(stride, 1)),
        };
        let y = self.normed(y, &format!("{name}.bn2"));
        let y = self.b.relu(y);
        let y = self.b.conv(y, &format!("{name}.conv3"), [EXPANSION * width, 1], Conv2d::new(1, 0));
        let y = self.normed(y, &format!("{name}.bn3"));
        let shortcut = if block == 0 {
            let down = format!("{name}.downsample");
            let x = self.b.conv(x, &format!("{down}.0"), [EXPANSION * width, 1], Conv2d::new(stride, 0));
            self.normed(x, &format!("{down}.1"))
        } else {
            x
        };
        let sum = self.b.add(y, shortcut);
        self.b.relu(sum)
    }

    /// Attention at the map's own resolution, then a mean over 2×2 where the block halves it.
    fn attention(&mut self, x: NodeId, name: &str, stride: usize) -> NodeId {
        let Layout { heads, size, position, content, .. } = *self.layout;
        let channels = self.b.shape(x)[1];
        let placed = match position {
            Position::Absolute => self.b.push(Sinusoid { base: BASE.into() }, &[x]),
            _ => x,
        };
        let mut project =
            |x: NodeId, part: &str| self.b.conv(x, &format!("{name}.{part}"), [channels, 1], Conv2d::new(1, 0));
        let q = project(x, "q");
        let k = content.then(|| project(placed, "k"));
        let v = project(x, "v");
        let mut operands = vec![q];
        operands.extend(k);
        operands.push(v);
        if position == Position::Relative {
            let table = TensorType::f32([size, channels / heads / 2]);
            for part in ["rel_row", "rel_col"] {
                operands.push(self.b.weight(format!("{name}.{part}"), table.clone()));
            }
        }
        let op = NeighbourhoodAttention { heads, size, scale: 1.0.into(), border: Border::Zero };
        let mut y = self.b.push(op, &operands);
        if stride > 1 {
            let stride = [stride; 2];
            y = self.b.push(AvgPool { kernel: stride, stride, padding: [0; 2], count_padding: false }, &[y]);
        }
        self.b.label(y, name)
    }

    /// Mean over the map, classifier.
    fn head(&mut self, x: NodeId, classes: usize) -> NodeId {
        let [batch, channels, height, width] = self.b.shape(x)[..] else { unreachable!("a map has four axes") };
        let flat = self.b.reshape(x, &[batch, channels, height * width]);
        let mean = self.b.mean(flat, -1);
        let pooled = self.b.reshape(mean, &[batch, channels]);
        let weight = self.b.weight("fc.weight", TensorType::f32([classes, channels]));
        let bias = self.b.weight("fc.bias", TensorType::f32([classes]));
        let logits = self.b.linear(pooled, weight, Some(bias));
        self.b.label(logits, "logits")
    }
}

#[cfg(test)]
mod tests {
    use crate::{Config, build};

    fn parameters(name: &str, options: &[(&str, &str)]) -> u64 {
        let config = options.iter().fold(Config::default(), |config, (name, value)| config.with(name, value));
        build(name, &config).unwrap().parameters()
    }

    /// The paper's Tables 1, 3, 4 and 6, as exact counts.
    #[test]
    fn parameter_counts() {
        assert_eq!(
            ["resnet26", "resnet38", "resnet50"].map(|name| parameters(name, &[])),
            [13_696_552, 19_626_792, 25_557_032]
        );
        let conv_stem = [("stem", "conv")];
        let with_stem = ["sasa_resnet26", "sasa_resnet38", "sasa_resnet50"].map(|name| parameters(name, &conv_stem));
        assert_eq!(with_stem, [10_331_264, 14_173_384, 18_015_504]);
        let full = ["sasa_resnet26", "sasa_resnet38", "sasa_resnet50"].map(|name| parameters(name, &[]));
        assert_eq!(full, [10_323_200, 14_165_320, 18_007_440]);
        assert_eq!(parameters("sasa_resnet50_convstem", &[("k", "3")]), 18_013_616);
        assert_eq!(parameters("sasa_resnet50_convstem_k11", &[]), 18_017_392);
        assert_eq!(parameters("sasa_resnet50_conv12_attn34", &[]), 18_481_832);
        assert_eq!(parameters("sasa_resnet50_convstem", &[("attention", "none")]), 25_557_032);
    }

    #[test]
    fn options_that_do_not_fit_are_refused_with_the_reason() {
        let said = |options: &[(&str, &str)], word: &str| {
            let config = options.iter().fold(Config::default(), |config, (name, value)| config.with(name, value));
            let why = build("sasa_resnet50", &config).unwrap_err().to_string();
            assert!(why.contains(word), "{why}");
        };
        said(&[("k", "4")], "odd");
        said(&[("k", "13")], "3 to 11");
        said(&[("stem", "big")], "attention, conv");
        said(&[("attention", "1+5")], "1 to 4");
        said(&[("content", "qr"), ("position", "none")], "position=relative");
        said(&[("heads", "7")], "multiple of 14");
        let config = Config { size: Some((100, 224)), ..Config::default() };
        assert!(build("resnet50", &config).unwrap_err().to_string().contains("multiple of 32"));
    }
}
