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
    Config, Entry, ModelOption, Shapes,
    layers::Layers,
    names::Style,
    routed::{AgentGrid, EPS, HEAD_DIM},
};
use regard_ir::graph::{Graph, NodeId};

/// The zoo's rows.
pub(crate) const TINY: Entry = Entry {
    name: "debiformer_tiny",
    summary: "DeBiFormer-T: routed and deformable agent attention",
    source: "arXiv 2410.08582, maclong01/DeBiFormer",
    size: (224, 224),
    classes: 1000,
    aliases: &[],
    options: OPTIONS,
    fit: Some(fit),
    build: |config| classifier("debiformer_tiny", &TINY_SHAPE, config),
};
/// Four maps, 8×8 regions.
pub(crate) const TINY_DENSE: Entry = Entry {
    name: "debiformer_tiny_dense",
    summary: "DeBiFormer-T backbone: four maps, any size",
    size: (512, 512),
    build: |config| dense("debiformer_tiny_dense", &TINY_SHAPE, config),
    ..TINY
};
/// Deeper.
pub(crate) const SMALL: Entry = Entry {
    name: "debiformer_small",
    summary: "DeBiFormer-S",
    build: |config| classifier("debiformer_small", &SMALL_SHAPE, config),
    ..TINY
};
/// Deeper, four maps.
pub(crate) const SMALL_DENSE: Entry = Entry {
    name: "debiformer_small_dense",
    summary: "DeBiFormer-S backbone: four maps, any size",
    build: |config| dense("debiformer_small_dense", &SMALL_SHAPE, config),
    ..TINY_DENSE
};
/// Wider.
pub(crate) const BASE: Entry = Entry {
    name: "debiformer_base",
    summary: "DeBiFormer-B",
    build: |config| classifier("debiformer_base", &BASE_SHAPE, config),
    ..TINY
};
/// Wider, four maps.
pub(crate) const BASE_DENSE: Entry = Entry {
    name: "debiformer_base_dense",
    summary: "DeBiFormer-B backbone: four maps, any size",
    build: |config| dense("debiformer_base_dense", &BASE_SHAPE, config),
    ..TINY_DENSE
};

const OPTIONS: &[ModelOption] = &[
    ModelOption { name: "depths", values: "blocks of each stage, four numbers joined by +" },
    ModelOption { name: "width", values: "channels of the first stage, a multiple of 32; each stage doubles them" },
    ModelOption { name: "groups", values: "of channels with points of their own, by stage" },
    ModelOption { name: "ratios", values: "hidden over other channels of a block's MLPs, by stage" },
    ModelOption { name: "agent_ratios", values: "the same of the agents' MLPs" },
    ModelOption { name: "kernels", values: "9+7+5+3: extents of the offset networks' kernels, odd" },
    ModelOption { name: "tables", values: "56+28+14+7: extents of the maps that score tables were made for" },
    ModelOption { name: "routed", values: "1+2+3: stages whose first attention is routed, not deformed; none" },
];

/// What sets the sizes apart, by stage.
#[derive(Clone)]
struct Shape {
    depths: [usize; 4],
    width: usize,
    groups: [usize; 4],
    ratios: [usize; 4],
    agent_ratios: [usize; 4],
    kernels: [usize; 4],
    tables: [usize; 4],
    routed: [bool; 4],
}

const TINY_SHAPE: Shape = Shape {
    depths: [1, 1, 4, 1],
    width: 64,
    groups: [1, 2, 4, 8],
    ratios: [3; 4],
    agent_ratios: [3; 4],
    kernels: [9, 7, 5, 3],
    tables: [56, 28, 14, 7],
    routed: [true, true, true, false],
};
const SMALL_SHAPE: Shape =
    Shape { depths: [2, 2, 9, 3], ratios: [3, 3, 3, 2], agent_ratios: [3, 3, 3, 1], ..TINY_SHAPE };
const BASE_SHAPE: Shape = Shape { depths: [2, 2, 9, 2], width: 96, groups: [1, 2, 3, 6], ..TINY_SHAPE };

impl Shape {
    /// The same with what options say.
    fn configured(&self, config: &Config) -> Result<Shape, String> {
        const MOST: usize = 4096;
        let width = config.number("width", self.width, HEAD_DIM, MOST)?;
        if !width.is_multiple_of(HEAD_DIM) {
            return Err(format!("option width is {width}, expected a multiple of {HEAD_DIM}"));
        }
        let groups = config.four("groups", self.groups, MOST)?;
        if let Some(stage) = (0..4).find(|&stage| !(width << stage).is_multiple_of(groups[stage])) {
            let (channels, groups) = (width << stage, groups[stage]);
            return Err(format!("{channels} channels of stage {} do not split into {groups} groups", stage + 1));
        }
        if let Some(stage) = (0..4).find(|&stage| !((width << stage) / HEAD_DIM).is_multiple_of(groups[stage])) {
            let (heads, groups) = ((width << stage) / HEAD_DIM, groups[stage]);
            return Err(format!("{heads} heads of stage {} do not split into {groups} groups", stage + 1));
        }
        let kernels = config.four("kernels", self.kernels, 63)?;
        if let Some(even) = kernels.iter().find(|kernel| kernel.is_multiple_of(2)) {
            return Err(format!("option kernels has {even}, expected odd numbers"));
        }
        let routed: Vec<usize> = (1..=4).filter(|stage| self.routed[stage - 1]).collect();
        let routed = config.numbers("routed", &routed, 4)?;
        Ok(Shape {
            depths: config.four("depths", self.depths, 64)?,
            width,
            groups,
            ratios: config.four("ratios", self.ratios, 64)?,
            agent_ratios: config.four("agent_ratios", self.agent_ratios, 64)?,
            kernels,
            tables: config.four("tables", self.tables, MOST)?,
            routed: [1, 2, 3, 4].map(|stage| routed.contains(&stage)),
        })
    }
}

/// The configuration with what a checkpoint's shapes say, where the user has not said otherwise.
fn fit(config: &Config, stored: &Shapes, _: Style) -> Config {
    let mut config = config.clone();
    for (name, value) in structure(stored).unwrap_or_default() {
        config.options.entry(name.to_owned()).or_insert(value);
    }
    if let Some([classes, _]) = stored.get("head.weight").map(Vec::as_slice) {
        config.classes = config.classes.or(Some(*classes));
    }
    config
}

/// The options that a checkpoint was written with; `None` where its names are not those of a DeBiFormer.
fn structure(stored: &Shapes) -> Option<Vec<(&'static str, String)>> {
    let first = |stage: usize, name: &str| stored.get(&format!("stages.{stage}.0.{name}"));
    let channels = |stage: usize| Some(*first(stage, "norm1.weight")?.first()?);
    let by_stage = |of: &dyn Fn(usize) -> Option<usize>| {
        let numbers: Option<Vec<String>> = (0..4).map(|stage| Some(of(stage)?.to_string())).collect();
        Some(numbers?.join("+"))
    };
    let ratio = |stage: usize, name: &str| first(stage, name)?.first()?.checked_div(channels(stage)?);
    let depth = |stage: usize| {
        (0..).take_while(|block| stored.contains_key(&format!("stages.{stage}.{block}.norm1.weight"))).last()
    };
    let routed: Vec<String> =
        (0..4).filter(|&stage| first(stage, "attn1.qkv.qkv.weight").is_some()).map(|s| (s + 1).to_string()).collect();
    Some(vec![
        ("depths", by_stage(&|stage| Some(depth(stage)? + 1))?),
        ("width", channels(0)?.to_string()),
        (
            "groups",
            by_stage(&|stage| {
                channels(stage)?.checked_div(*first(stage, "attn2.conv_offset_q.1.norm.weight")?.first()?)
            })?,
        ),
        ("ratios", by_stage(&|stage| ratio(stage, "mlp1.linear1.0.weight"))?),
        ("agent_ratios", by_stage(&|stage| ratio(stage, "attn2.mlp.linear1.0.weight"))?),
        ("kernels", by_stage(&|stage| first(stage, "attn2.conv_offset_q.0.weight")?.last().copied())?),
        ("tables", by_stage(&|stage| Some(first(stage, "attn2.rpe_table")?.last()?.div_ceil(2)))?),
        ("routed", if routed.is_empty() { "none".to_owned() } else { routed.join("+") }),
    ])
}

/// Regions that a region attends to, by stage: first attention, second attention. Stage 4 sees 49.
const CHOICES: [[usize; 2]; 4] = [[1, 4], [4, 8], [16, 16], [49, 49]];
/// Tokens per agent along each axis, by stage.
const STRIDES: [usize; 4] = [8, 4, 2, 1];
/// Added to variances by the norms of a backbone's outputs.
const OUTPUT_EPS: f64 = 1e-5;

fn classifier(name: &str, shape: &Shape, config: &Config) -> Result<Graph, String> {
    const SIDE: usize = 7;
    let shape = &shape.configured(config)?;
    let mut net = Layers::new(name);
    let mut x = image(&mut net, config.batch, config.any_size(name, TINY.size)?);
    for stage in 0..4 {
        x = self::stage(&mut net, x, shape, stage, SIDE);
    }
    let logits = net.batch_norm_head(x, config.classes.unwrap_or(TINY.classes));
    Ok(net.b.finish(&[logits]))
}

fn dense(name: &str, shape: &Shape, config: &Config) -> Result<Graph, String> {
    const SIDE: usize = 8;
    if config.classes.is_some() {
        return Err(format!("{name} has no classes: its outputs are four maps"));
    }
    let shape = &shape.configured(config)?;
    let mut net = Layers::new(name);
    let mut x = image(&mut net, config.batch, config.any_size(name, TINY_DENSE.size)?);
    let mut outputs = Vec::new();
    for stage in 0..4 {
        x = self::stage(&mut net, x, shape, stage, SIDE);
        let normed = net.norm(x, &format!("extra_norms.{stage}.ln"), OUTPUT_EPS);
        let out = net.channels_first(normed);
        outputs.push(net.label(out, &format!("out{stage}")));
    }
    Ok(net.b.finish(&outputs))
}

/// The image with channels last.
fn image(net: &mut Layers, batch: usize, size: [usize; 2]) -> NodeId {
    let image = net.image(batch, size);
    net.channels_last(image)
}

fn stage(net: &mut Layers, x: NodeId, shape: &Shape, stage: usize, side: usize) -> NodeId {
    let mut x = net.downsample(x, stage, shape.width << stage);
    for block in 0..shape.depths[stage] {
        x = self::block(net, x, shape, stage, &format!("stages.{stage}.{block}"), side);
    }
    net.tap(x, &format!("stages.{stage}"));
    x
}

fn block(net: &mut Layers, x: NodeId, shape: &Shape, stage: usize, name: &str, side: usize) -> NodeId {
    let grid = AgentGrid {
        stride: STRIDES[stage],
        kernel: shape.kernels[stage],
        groups: shape.groups[stage],
        table: shape.tables[stage],
        ratio: shape.agent_ratios[stage],
    };
    let mut x = x;
    for (half, k) in CHOICES[stage].into_iter().enumerate() {
        let part = |what: &str, number: usize| format!("{name}.{what}{number}");
        let near = net.depthwise(x, &part("pos_embed", half + 1), 3, 1);
        x = net.b.add(x, near);
        let normed = net.norm(x, &part("norm", 2 * half + 1), EPS);
        let attention = part("attn", half + 1);
        let attended = match shape.routed[stage] && half == 0 {
            true => net.routing_attention(normed, &attention, side, k),
            false => net.agent_attention(normed, &attention, side, k, grid),
        };
        x = net.b.add(x, attended);
        let normed = net.norm(x, &part("norm", 2 * half + 2), EPS);
        let mlp = part("mlp", half + 1);
        let hidden = net.conv_mlp(normed, &mlp, shape.ratios[stage]);
        net.tap(hidden, &mlp);
        x = net.b.add(x, hidden);
    }
    x
}

#[cfg(test)]
mod tests {
    use crate::{Config, build, fitted, names::Style};

    #[test]
    fn a_checkpoint_tells_the_structure() {
        for name in ["debiformer_tiny", "debiformer_small", "debiformer_base", "debiformer_small_dense"] {
            let graph = build(name, &Config::default()).unwrap();
            let stored = graph.weights().iter().map(|&id| (graph.text_name(id), graph.ty(id).shape.clone())).collect();
            let model = if name.ends_with("dense") { "debiformer_tiny_dense" } else { "debiformer_tiny" };
            let found = build(model, &fitted(model, &Config::default(), &stored, Style::Authors)).unwrap();
            let weights = |graph: &regard_ir::graph::Graph| -> Vec<String> {
                graph.weights().iter().map(|&id| format!("{} {}", graph.text_name(id), graph.ty(id))).collect()
            };
            assert!(weights(&found) == weights(&graph), "{name}");
            let asked = fitted(model, &Config::default().with("width", "32"), &stored, Style::Authors);
            assert_eq!(asked.options["width"], "32", "what the user says goes first");
        }
        let other = [("head.weight".to_owned(), vec![7, 3])].into();
        let config = fitted("debiformer_tiny", &Config::default(), &other, Style::Authors);
        assert_eq!((config.classes, config.options.len()), (Some(7), 0));
    }

    #[test]
    fn options_that_do_not_fit_are_refused_with_the_reason() {
        let why = |option: &str, value: &str| {
            build("debiformer_tiny", &Config::default().with(option, value)).unwrap_err().to_string()
        };
        assert_eq!(why("width", "40"), "option width is 40, expected a multiple of 32");
        assert_eq!(why("groups", "1+1+1+3"), "512 channels of stage 4 do not split into 3 groups");
        assert_eq!(why("kernels", "9+7+4+3"), "option kernels has 4, expected odd numbers");
        assert!(why("depths", "1+1").contains("expected four numbers from 1 to 64, as 1+2+3+4"));
    }
}
