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
    Config, Entry,
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

/// The zoo's row.
pub const SWIN: Entry = Entry {
    name: "swin_tiny_bisa",
    summary: "Swin-T, bidirectional attention in the first stage",
    source: "NeurIPS 2022 workshop, Stoica et al.",
    build: |config| with_first_stage("swin_tiny_bisa", config, false),
    ..swin::TINY
};

/// The zoo's row.
pub const SWIN_NORM: Entry = Entry {
    name: "swin_tiny_bisa_norm",
    summary: "the same, both branches normalised",
    build: |config| with_first_stage("swin_tiny_bisa_norm", config, true),
    ..SWIN
};

const EPS: f64 = 1e-5;

fn with_first_stage(name: &str, config: &Config, norm: bool) -> Result<Graph, String> {
    swin::build(name, config, &Bidirectional { blocks: vec![(0, 0), (0, 1)], norm })
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
        let one = Bidirectional { blocks: vec![(3, 1)], norm: false };
        let graph = swin::build("swin", &Config::default(), &one).unwrap();
        // Two projections of 768 channels, G, B and λ.
        assert_eq!(graph.parameters() - plain, 2 * (768 * 768 + 768) + 32 * 1024 + 32 * 32 + 1);
        let none = Bidirectional { blocks: vec![(0, 2)], norm: false };
        let why = swin::build("swin", &Config::default(), &none).unwrap_err();
        assert_eq!(why, "swin has no block 2 in stage 0, expected stages of [2, 2, 6, 2] blocks");
        let small = Config { size: Some((224, 200)), ..Config::default() };
        let why = build("swin_tiny_bisa", &small).unwrap_err();
        assert!(
            matches!(why, ModelError::Config(why) if why.starts_with("swin_tiny_bisa cannot take images of 224x200"))
        );
    }
}
