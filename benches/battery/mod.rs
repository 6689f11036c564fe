//! A battery of 100 attentions and products as they occur in the models that Regard is for, at batch 1.
//!
//! Each row is a graph of one kernel with the readers and the epilogue that the model gives it: layer norm
//! in front, bias, activation or residual after, heads side by side in the channels. A single row is
//! not among them: it reads its weights once, whatever the tiles. Convolutions of 1×1 are products over pixels; those
//! of 3×3 at stride 2 appear as the products they are after gathering.
//!
//! Sources: Swin-T arXiv 2103.14030, LeViT-128S 2104.01136, DeBiFormer-T 2410.08582, BiFormer-T 2303.08810,
//! DAT 2201.00520, MaxViT 2204.01697, SASA 1906.05909, UPerNet 1807.10221 on 512×512, BiSA (inverse attention).

pub(crate) mod ranks;
mod rows;

pub(crate) use rows::ROWS;

use regard_ir::{
    graph::{Builder, Graph, NodeId},
    ops::{Border, NeighbourhoodAttention},
    types::TensorType,
};

/// What surrounds a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Around {
    /// A bias.
    Bias,
    /// Layer norm in front, a bias after.
    Norm,
    /// Layer norm in front, bias and GELU after.
    NormGelu,
    /// Bias and a residual after.
    Residual,
    /// Nothing; both operands are activations, `batch` times.
    Computed(usize),
}

/// One kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `[m, k] × [k, n]`.
    Product {
        /// Rows.
        m: usize,
        /// Reduction length.
        k: usize,
        /// Columns.
        n: usize,
        /// Readers and epilogue.
        around: Around,
    },
    /// Attention with a bias per head, heads beside each other in the channels.
    Attend {
        /// Windows or regions.
        groups: usize,
        /// Heads of each.
        heads: usize,
        /// Queries per group.
        queries: usize,
        /// Keys per group.
        keys: usize,
        /// Length of a query.
        dim: usize,
        /// Length of a value.
        value_dim: usize,
    },
    /// Attention to the neighbourhood of a pixel, zeros outside, channels side by side.
    Near {
        /// Rows and columns of the map.
        map: usize,
        /// Heads.
        heads: usize,
        /// Rows and columns of a neighbourhood.
        size: usize,
        /// Length of a query and of a value.
        dim: usize,
    },
}

/// A row of the battery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Model and place.
    pub origin: &'static str,
    /// What is computed.
    pub shape: Shape,
}

impl Row {
    /// Kind and extents, `product 3136x96x288`.
    pub(crate) fn name(&self) -> String {
        match self.shape {
            Shape::Product { m, k, n, around: Around::Computed(batch) } => format!("product {batch}x{m}x{k}x{n}"),
            Shape::Product { m, k, n, .. } => format!("product {m}x{k}x{n}"),
            Shape::Attend { groups, heads, queries, keys, dim, value_dim } => {
                format!("attend {groups}x{heads}x{queries}x{keys}x{dim}x{value_dim}")
            }
            Shape::Near { map, heads, size, dim } => format!("attend {heads}x{map}x{map}x{size}x{size}x{dim}"),
        }
    }

    /// The graph of this kernel alone.
    pub(crate) fn graph(&self) -> Graph {
        let mut b = Builder::new("battery");
        let y = match self.shape {
            Shape::Product { m, k, n, around } => product(&mut b, (m, k, n), around),
            Shape::Attend { groups, heads, queries, keys, dim, value_dim } => {
                attend(&mut b, (groups, heads), (queries, keys), (dim, value_dim))
            }
            Shape::Near { map, heads, size, dim } => near(&mut b, map, heads, size, dim),
        };
        b.finish(&[y])
    }
}

fn product(b: &mut Builder, (m, k, n): (usize, usize, usize), around: Around) -> NodeId {
    if let Around::Computed(batch) = around {
        let x = b.input("x", TensorType::f32([batch, m, k]));
        let y = b.input("y", TensorType::f32([batch, k, n]));
        return b.matmul(x, y);
    }
    let mut x = b.input("x", TensorType::f32([m, k]));
    if matches!(around, Around::Norm | Around::NormGelu) {
        let (gamma, beta) = (b.weight("gamma", TensorType::f32([k])), b.weight("beta", TensorType::f32([k])));
        x = b.layer_norm(x, gamma, beta, 1e-5);
    }
    let (weight, bias) = (b.weight("weight", TensorType::f32([n, k])), b.weight("bias", TensorType::f32([n])));
    let y = b.linear(x, weight, Some(bias));
    match around {
        Around::NormGelu => b.gelu(y),
        Around::Residual => {
            let residual = b.input("residual", TensorType::f32([m, n]));
            b.add(residual, y)
        }
        _ => y,
    }
}

fn attend(
    b: &mut Builder,
    (groups, heads): (usize, usize),
    (queries, keys): (usize, usize),
    (dim, value_dim): (usize, usize),
) -> NodeId {
    let mut heads_of = |name: &str, tokens: usize, width: usize| {
        let x = b.input(name, TensorType::f32([groups, tokens, heads * width]));
        b.split_heads(x, heads)
    };
    let (q, k, v) = (heads_of("q", queries, dim), heads_of("k", keys, dim), heads_of("v", keys, value_dim));
    let bias = b.weight("bias", TensorType::f32([heads, queries, keys]));
    let y = b.attention(q, k, v, Some(bias), (dim as f64).powf(-0.5));
    b.merge_heads(y)
}

fn near(b: &mut Builder, map: usize, heads: usize, size: usize, dim: usize) -> NodeId {
    let operands = ["q", "k", "v"].map(|name| {
        let x = b.input(name, TensorType::f32([1, map, map, heads * dim]));
        b.transpose(x, &[-4, -1, -3, -2])
    });
    let y = b.push(NeighbourhoodAttention { heads, size, scale: 1.0.into(), border: Border::Zero }, &operands);
    b.transpose(y, &[-4, -2, -1, -3])
}
