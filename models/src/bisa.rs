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
//! Stoica, Hearn, Devnani, Hoffman, "Bidirectional self-attention", 2022. In Swin-T both blocks of the first stage
//! are replaced.

use crate::{
    Config, Entry, ModelOption,
    swin::{self, HEAD_DIM, Swin},
};
use regard_ir::{
    graph::{Builder, Graph, NodeId},
    types::DType,
};

/// Which blocks of a model are bidirectional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bidirectional {
    /// Stage and block, both from 0.
    pub blocks: Vec<(usize, usize)>,
    /// Whether both branches are normalised before they are mixed.
    pub norm: bool,
}

/// Blocks that have another attention than the model they come from.
const BLOCKS: ModelOption =
    ModelOption { name: "blocks", values: "0.0+0.1, or other blocks that are bidirectional, each stage.block from 0" };

/// The zoo's row.
pub const SWIN: Entry = Entry {
    name: "swin_tiny_bisa",
    summary: "Swin-T, bidirectional attention in the first stage",
    source: "NeurIPS 2022 workshop, Stoica et al.",
    options: &[BLOCKS],
    build: |config| swin_with("swin_tiny_bisa", config, false),
    ..swin::TINY
};

/// The zoo's row.
pub const SWIN_NORM: Entry = Entry {
    name: "swin_tiny_bisa_norm",
    summary: "the same, both branches normalised",
    build: |config| swin_with("swin_tiny_bisa_norm", config, true),
    ..SWIN
};

const EPS: f64 = 1e-5;

fn swin_with(name: &str, config: &Config, norm: bool) -> Result<Graph, String> {
    swin::build(name, config, &Bidirectional { blocks: blocks(config)?, norm })
}

/// The blocks that the option names; both of the first stage where it is absent.
fn blocks(config: &Config) -> Result<Vec<(usize, usize)>, String> {
    let Some(list) = config.options.get(BLOCKS.name) else { return Ok(vec![(0, 0), (0, 1)]) };
    let wrong =
        || format!("option blocks is `{list}`, expected stage.block, counted from 0 and joined by +, as 0.0+0.1");
    let block = |text: &str| {
        let (stage, block) = text.split_once('.')?;
        Some((stage.parse().ok()?, block.parse().ok()?))
    };
    list.split('+').map(|text| block(text).ok_or_else(wrong)).collect()
}

/// Bidirectional attention of windows x `[B, n, C]` with q, k, v `[B, heads, n, d]` → heads concatenated, `[B, n, C]`.
pub fn window_attention(
    net: &mut Swin,
    x: NodeId,
    name: &str,
    [q, k, v]: [NodeId; 3],
    bias: NodeId,
    scale: f64,
    norm: bool,
) -> NodeId {
    let [_, heads, _, d] = net.b.shape(q)[..] else { unreachable!("queries have heads") };
    let channels = heads * d;
    let [l, c] = ["local_proj", "global_proj"].map(|part| {
        let projected = net.linear(x, &format!("{name}.{part}"), channels, channels);
        let active = net.b.gelu(projected);
        net.b.split_heads(active, heads)
    });
    let generator = net.weight(&format!("{name}.G.weight"), &[HEAD_DIM * HEAD_DIM, HEAD_DIM]);
    let shift = net.weight(&format!("{name}.bias_generator.weight"), &[HEAD_DIM, HEAD_DIM]);
    let selection = net.weight(&format!("{name}.selection_lambda"), &[]);
    let forward = net.b.attention(q, k, v, Some(bias), scale);
    let inverse = net.b.inverse_attention([q, k, l, c, generator, shift], Some(bias), scale);
    let branches = [forward, inverse].map(|branch| net.b.merge_heads(branch));
    let [forward, inverse] = if norm { branches.map(|branch| normalised(&mut net.b, branch)) } else { branches };
    net.b.mix(forward, inverse, selection)
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

    #[test]
    fn bidirectional_swin_has_the_published_parameter_count() {
        for name in ["swin_tiny_bisa", "swin_tiny_bisa_norm"] {
            assert_eq!(build(name, &Config::default()).unwrap().parameters(), 28_393_188);
            let hundred = Config { classes: Some(100), ..Config::default() };
            assert_eq!(build(name, &hundred).unwrap().parameters(), 27_701_088);
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
