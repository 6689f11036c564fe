//! Bidirectional self-attention (BiSA): attention and inverse attention of the same scores, mixed by one learned
//! scalar per layer. It replaces the attention of layers that exist.
//!
//! ```text
//!   l = gelu(local_proj x),  c = gelu(global_proj x)            split into heads, as q, k and v are
//!   sa  = attention(q, k, v),  isa = inverse_attention(q, k, l, c, G, B)
//!   y = λ·sa + (1 − λ)·isa,    λ = sigmoid(selection_lambda)    heads concatenated, then the layer's own proj
//! ```
//!
//! The norm variant normalises sa and isa over all channels, without scale and shift, before they are mixed.
//!
//! Stoica, Hearn, Devnani, Hoffman, "Bidirectional self-attention", 2022. Both attention blocks of the first stage are
//! replaced, in Swin-T and in LeViT-128S. For LeViT no code was published: l and c are linear layers with batch norm and
//! hardswish, and each branch has a projection with batch norm of its own before the mix; with that, parameters and
//! FLOPs are the printed ones.

use crate::{
    Config, Entry, ModelOption,
    layers::Layers,
    levit::{self, Levit},
    swin,
};
use regard_ir::{
    graph::{Builder, NodeId},
    types::DType,
};

/// Which blocks of a model are bidirectional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bidirectional {
    /// Stage and block, both from 0.
    pub blocks: Vec<(usize, usize)>,
    /// Whether both branches are normalised before they are mixed.
    pub norm: bool,
}

/// Blocks that have another attention than the model they come from.
pub(crate) const BLOCKS: ModelOption =
    ModelOption { name: "blocks", values: "0.0+0.1, or other blocks that are bidirectional, each stage.block from 0" };

/// The zoo's row.
pub(crate) const SWIN: Entry = Entry {
    name: "swin_tiny_bisa",
    summary: "Swin-T, bidirectional attention in the first stage",
    source: "NeurIPS 2022 workshop, Stoica et al.",
    options: &[BLOCKS, swin::RULES],
    build: |config| swin::build("swin_tiny_bisa", config, &chosen(config, false)?),
    ..swin::TINY
};

/// The zoo's row.
pub(crate) const SWIN_NORM: Entry = Entry {
    name: "swin_tiny_bisa_norm",
    summary: "the same, both branches normalised",
    build: |config| swin::build("swin_tiny_bisa_norm", config, &chosen(config, true)?),
    ..SWIN
};

/// The zoo's row.
pub(crate) const LEVIT: Entry = Entry {
    name: "levit_128s_bisa",
    summary: "LeViT-128S, bidirectional attention in the first stage",
    source: "NeurIPS 2022 workshop, Stoica et al.",
    options: &[BLOCKS],
    build: |config| levit::build("levit_128s_bisa", config, &chosen(config, false)?),
    ..levit::SMALL
};

/// The zoo's row.
pub(crate) const LEVIT_NORM: Entry = Entry {
    name: "levit_128s_bisa_norm",
    summary: "the same, both branches normalised",
    build: |config| levit::build("levit_128s_bisa_norm", config, &chosen(config, true)?),
    ..LEVIT
};

const EPS: f64 = 1e-5;

/// The blocks that the option names; both of the first stage where it is absent.
///
/// # Errors
/// Where the option is not a list of blocks.
pub(crate) fn chosen(config: &Config, norm: bool) -> Result<Bidirectional, String> {
    let Some(list) = config.options.get(BLOCKS.name) else {
        return Ok(Bidirectional { blocks: vec![(0, 0), (0, 1)], norm });
    };
    let wrong =
        || format!("option blocks is `{list}`, expected stage.block, counted from 0 and joined by +, as 0.0+0.1");
    let block = |text: &str| {
        let (stage, block) = text.split_once('.')?;
        Some((stage.parse().ok()?, block.parse().ok()?))
    };
    let blocks = list.split('+').map(|text| block(text).ok_or_else(wrong)).collect::<Result<_, _>>()?;
    Ok(Bidirectional { blocks, norm })
}

/// A layer of attention that is replaced: q, k `[B, heads, n, d]`, v `[B, heads, n, c]`, and a bias of the scores.
pub(crate) struct Layer<'a> {
    /// Its name in the checkpoint.
    pub name: &'a str,
    /// Queries, keys and values.
    pub operands: [NodeId; 3],
    /// Added to the scores.
    pub bias: NodeId,
    /// Multiplies the scores.
    pub scale: f64,
    /// Whether both branches are normalised.
    pub norm: bool,
}

impl Layer<'_> {
    /// Heads, and channels of all values together.
    fn extents(&self, b: &Builder) -> (usize, usize) {
        let [_, heads, _, d] = b.shape(self.operands[2])[..] else { unreachable!("values have heads") };
        (heads, heads * d)
    }

    /// Attention and inverse attention, heads concatenated: `[B, n, C]` each; l and c are `[B, n, C]`.
    fn branches(&self, net: &mut Layers, [l, c]: [NodeId; 2]) -> [NodeId; 2] {
        let ([q, k, v], (heads, channels)) = (self.operands, self.extents(&net.b));
        let (bias, d) = (Some(self.bias), channels / heads);
        let [l, c] = [l, c].map(|x| net.b.split_heads(x, heads));
        let weight = net.weight(&format!("{}.G.weight", self.name), &[d * d, d]);
        let shift = net.weight(&format!("{}.bias_generator.weight", self.name), &[d, d]);
        let forward = net.b.attention(q, k, v, bias, self.scale);
        let inverse = net.b.inverse_attention([q, k, l, c, weight, shift], bias, self.scale);
        [forward, inverse].map(|branch| net.b.merge_heads(branch))
    }

    /// λ·first + (1 − λ)·second, normalised before where the layer does that.
    fn mix(&self, net: &mut Layers, branches: [NodeId; 2]) -> NodeId {
        let selection = net.weight(&format!("{}.selection_lambda", self.name), &[]);
        let [first, second] = if self.norm { branches.map(|branch| normalised(&mut net.b, branch)) } else { branches };
        net.b.mix(first, second, selection)
    }
}

/// Bidirectional attention of Swin's windows x `[B, n, C]` → heads concatenated, `[B, n, C]`.
pub(crate) fn window_attention(net: &mut Layers, x: NodeId, layer: &Layer) -> NodeId {
    let (_, channels) = layer.extents(&net.b);
    let active = ["local_proj", "global_proj"].map(|part| {
        let projected = net.linear(x, &format!("{}.{part}", layer.name), channels);
        net.b.gelu(projected)
    });
    let branches = layer.branches(net, active);
    layer.mix(net, branches)
}

/// Bidirectional attention of LeViT's tokens x `[B, n, C]` → heads concatenated, each branch projected.
pub(crate) fn token_attention(net: &mut Levit, x: NodeId, layer: &Layer) -> NodeId {
    let (_, channels) = layer.extents(&net.layers.b);
    let active = ["local_proj", "global_proj"].map(|part| {
        let projected = net.linear(x, &format!("{}.{part}", layer.name), channels);
        net.hardswish(projected)
    });
    let [forward, inverse] = layer.branches(&mut net.layers, active);
    let projected = [("msa_proj", forward), ("misa_proj", inverse)]
        .map(|(part, branch)| net.linear(branch, &format!("{}.{part}", layer.name), channels));
    layer.mix(&mut net.layers, projected)
}

/// Layer norm without scale and shift.
fn normalised(b: &mut Builder, x: NodeId) -> NodeId {
    let channels = b.shape(x)[b.shape(x).len() - 1];
    let [gamma, beta] = [1.0, 0.0].map(|value| {
        let number = b.constant(value, DType::F32);
        b.expand(number, &[channels])
    });
    b.layer_norm(x, gamma, beta, EPS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ModelError, build};
    use regard_ir::graph::Graph;

    #[test]
    fn bidirectional_swin_has_the_published_parameter_count() {
        for name in ["swin_tiny_bisa", "swin_tiny_bisa_norm"] {
            assert_eq!(build(name, &Config::default()).unwrap().parameters(), 28_393_188);
            let hundred = Config { classes: Some(100), ..Config::default() };
            assert_eq!(build(name, &hundred).unwrap().parameters(), 27_701_088);
        }
    }

    #[test]
    fn bidirectional_levit_has_the_published_parameter_count() {
        for name in ["levit_128s_bisa", "levit_128s_bisa_norm"] {
            assert_eq!(build(name, &Config::default()).unwrap().parameters(), 7_977_764);
            let none = build(name, &Config::default().with("blocks", "1.3")).unwrap_err().to_string();
            assert_eq!(
                none,
                format!("{name} has no attention block 3 in stage 1, expected stages of [2, 3, 4] blocks")
            );
        }
    }

    #[test]
    fn any_block_may_be_bidirectional() {
        let plain = build("swin_tiny", &Config::default()).unwrap().parameters();
        let with = |list: &str| build("swin_tiny_bisa", &Config::default().with("blocks", list));
        // Two projections of 768 channels, G, B and λ.
        let added = 2 * (768 * 768 + 768) + 32 * 1024 + 32 * 32 + 1;
        assert_eq!(with("3.1").unwrap().parameters() - plain, added);
        assert_eq!(with("0.0+0.1").unwrap().parameters(), 28_393_188);
        let why = |result: Result<Graph, ModelError>| result.unwrap_err().to_string();
        assert_eq!(
            why(with("0.2")),
            "swin_tiny_bisa has no block 2 in stage 0, expected stages of [2, 2, 6, 2] blocks"
        );
        assert!(why(with("first")).starts_with("option blocks is `first`, expected stage.block"));
        let small = Config { size: Some((224, 200)), ..Config::default() };
        assert!(why(build("swin_tiny_bisa", &small)).starts_with("swin_tiny_bisa cannot take images of 224x200"));
    }
}
