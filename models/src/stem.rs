//! The attention stem: each 4×4 block of the image attends within itself, and the strongest answer of the block is kept.
//!
//! ```text
//!   image ─▶ (H/4 · W/4) blocks of 16 pixels ─ q, k, v: 3 → 64, 4 heads ─ attention ─ bn ─ relu ─ max over the block
//!
//!   v(s) = Σ_m p(s, m) · W_m · x(s)          p(s, ·) = softmax over m of (emb_row[a] + emb_col[b]) · mix[m],  s = (a, b)
//! ```
//!
//! Values know where in the block they are: a mixture of M = 4 matrices, which weights alone decide, so a compiler
//! folds it into 16 matrices. Ramachandran et al. 2019, §3.2 and appendix; M is not printed there, 4 fits its numbers.
//! Variants have one value matrix (*alone*) or a 4×4 convolution for values.

use crate::resnet::Stem;
use regard_ir::{
    graph::{Builder, NodeId},
    ops::Conv2d,
    types::TensorType,
};

/// Rows and columns of a block.
const BLOCK: usize = 4;
const PIXELS: usize = BLOCK * BLOCK;
pub(crate) const HEADS: usize = 4;
/// Matrices that are mixed.
const MIXED: usize = 4;
/// Length of the embedding of a row, a column and a matrix.
const EMBEDDING: usize = 16;

/// `[B, 3, H, W]` → `[B, width, H/4, W/4]`; labelled `stem`.
pub(crate) fn attention(b: &mut Builder, image: NodeId, width: usize, stem: Stem) -> NodeId {
    let [batch, colours, height, columns] = b.shape(image)[..] else { unreachable!("an image has four axes") };
    let (rows, columns) = (height / BLOCK, columns / BLOCK);
    let blocks = batch * rows * columns;
    let x = in_blocks(b, image);
    let mut project = |part: &str| {
        let weight = b.weight(format!("stem.{part}"), TensorType::f32([width, colours]));
        b.linear(x, weight, None)
    };
    let (q, k) = (project("q"), project("k"));
    let v = match stem {
        Stem::Alone => project("v"),
        Stem::ConvolutionValues => {
            let low = b.pad(image, -2, 1, 2, 0.0);
            let padded = b.pad(low, -1, 1, 2, 0.0);
            let weight = b.weight("stem.v", TensorType::f32([width, colours, BLOCK, BLOCK]));
            let map = b.conv2d(padded, weight, None, Conv2d::new(1, 0));
            in_blocks(b, map)
        }
        _ => placed_values(b, x, width, colours),
    };
    let [q, k, v] = [q, k, v].map(|part| b.split_heads(part, HEADS));
    let attended = b.attention(q, k, v, None, 1.0);
    let merged = b.merge_heads(attended);
    let normed = b.batch_norm(merged, "stem.bn", -1);
    let active = b.relu(normed);
    let strongest = b.reduce(regard_ir::ops::ReduceOp::Max, active, -2);
    let map = b.reshape(strongest, &[blocks / (rows * columns), rows, columns, width]);
    let map = b.transpose(map, &[-1, -3, -2]);
    b.label(map, "stem")
}

/// `[B, C, H, W]` → `[B·H/4·W/4, 16, C]`.
fn in_blocks(b: &mut Builder, map: NodeId) -> NodeId {
    let [batch, channels, height, width] = b.shape(map)[..] else { unreachable!("a map has four axes") };
    let (rows, columns) = (height / BLOCK, width / BLOCK);
    let cut = b.reshape(map, &[batch, channels, rows, BLOCK, columns, BLOCK]);
    let last = b.transpose(cut, &[-4, -2, -3, -1, -5]);
    b.reshape(last, &[batch * rows * columns, PIXELS, channels])
}

/// Values by the matrix of each pixel's place in its block.
fn placed_values(b: &mut Builder, x: NodeId, width: usize, colours: usize) -> NodeId {
    let blocks = b.shape(x)[0];
    let mixed = b.weight("stem.v", TensorType::f32([MIXED, width, colours]));
    let table = TensorType::f32([BLOCK, EMBEDDING]);
    let row = b.weight("stem.emb_row", table.clone());
    let column = b.weight("stem.emb_col", table);
    let mix = b.weight("stem.mix", TensorType::f32([MIXED, EMBEDDING]));
    let row = b.reshape(row, &[BLOCK, 1, EMBEDDING]);
    let place = b.add(row, column);
    let place = b.reshape(place, &[PIXELS, EMBEDDING]);
    let logits = b.linear(place, mix, None);
    let shares = b.softmax(logits, -1);
    let flat = b.reshape(mixed, &[MIXED, width * colours]);
    let matrices = b.matmul(shares, flat);
    let matrices = b.reshape(matrices, &[PIXELS, width, colours]);
    let by_place = b.transpose(x, &[-2, -3, -1]);
    let values = b.linear(by_place, matrices, None);
    let values = b.transpose(values, &[-2, -3, -1]);
    b.reshape(values, &[blocks, PIXELS, width])
}
