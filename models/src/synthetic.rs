//! Synthetic weights and images: every value is a function of seed, name, shape and position.
//!
//! ```text
//!   h = FNV-1a-64("SEED/NAME");   z_i = SplitMix64 finaliser of h + (i + 1)·0x9E3779B97F4A7C15
//!   u_i = 2·(z_i >> 40)/2²⁴ − 1                                      exact in f32, in [−1, 1)
//!
//!   running_var                  1 + u/2            rank 0                             u
//!   running_mean                 u/10               tables of position biases          u/2
//!   weight of rank 1             1 + u/10           other rank 1                       u/10
//!   else                         f32(gain·√(3/fan))·u
//! ```
//!
//! fan is the product of all dimensions but the first; gain is ½ for depthwise kernels, else 1, and a
//! quarter of that for offset convolutions. All arithmetic on values is in f32, so any language that
//! follows the formula gets the same bits.

use regard_ir::random::{fnv1a, number};
use std::ops::Range;

/// The values of parameter `name` with `shape`.
pub fn parameter(name: &str, shape: &[usize], seed: u64) -> Vec<f32> {
    parameter_range(name, shape, 0..shape.iter().product(), seed)
}

/// The values at row-major positions `range` of parameter `name` with `shape`.
pub fn parameter_range(name: &str, shape: &[usize], range: Range<usize>, seed: u64) -> Vec<f32> {
    let (base, factor) = line(name, shape);
    uniform(name, range, seed).map(|u| base + factor * u).collect()
}

/// The same for a parameter that must be positive: 1 + u/2 where its name and shape do not make it positive.
pub fn positive_range(name: &str, shape: &[usize], range: Range<usize>, seed: u64) -> Vec<f32> {
    let (base, factor) = match line(name, shape) {
        (base, factor) if base > factor => (base, factor),
        _ => VARIANCE,
    };
    uniform(name, range, seed).map(|u| base + factor * u).collect()
}

/// Of a recorded variance.
const VARIANCE: (f32, f32) = (1.0, 0.5);

/// Every parameter is base + factor·u.
fn line(name: &str, shape: &[usize]) -> (f32, f32) {
    let last = name.rsplit('.').next().unwrap_or(name);
    match (last, shape.len()) {
        ("running_var", _) => VARIANCE,
        ("running_mean", _) => (0.0, 0.1),
        (_, 0) => (0.0, 1.0),
        ("rpe_table" | "relative_position_bias_table" | "attention_biases", _) => (0.0, 0.5),
        ("weight", 1) => (1.0, 0.1),
        (_, 1) => (0.0, 0.1),
        _ => {
            let fan: usize = shape[1..].iter().product();
            let depthwise = shape.len() == 4 && shape[1] == 1;
            let mut gain = if depthwise { 0.5 } else { 1.0 };
            if name.contains("conv_offset") {
                gain *= 0.25;
            }
            (0.0, (gain * (3.0 / fan as f64).sqrt()) as f32)
        }
    }
}

/// A normalised image of `elements` values, flat `[B, 3, H, W]`.
pub fn image(elements: usize, seed: u64) -> Vec<f32> {
    uniform("input", 0..elements, seed).map(|u| 1.7 * u).collect()
}

fn uniform(name: &str, range: Range<usize>, seed: u64) -> impl Iterator<Item = f32> + use<> {
    const HALF: i32 = 1 << 23;
    let stream = fnv1a(format!("{seed}/{name}").as_bytes());
    // 24 bits about zero: both the integer and the quotient are exact.
    range.map(move |i| ((number(stream, i as u64) >> 40) as i32 - HALF) as f32 / HALF as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_published_formula() {
        assert_eq!(fnv1a(b"0/input"), 0x4cee_832e_cf3f_ab84);
        let near = |found: &[f32], expected: &[f32]| {
            // The published values have eight decimals.
            assert!(
                found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 6e-9 * b.abs().max(1.0) * 10.0),
                "{found:?}"
            );
        };
        near(&image(4, 0), &[0.5081268, 0.26794136, 1.1344917, -1.3110694]);
        let qkv = parameter("layers.0.blocks.0.attn.qkv.weight", &[288, 96], 0);
        near(&qkv[..4], &[-0.12433809, 0.04230768, -0.06707475, -0.06903829]);
        let norm = parameter("layers.0.blocks.0.norm1.weight", &[96], 0);
        near(&norm[..4], &[1.0158995, 1.0336242, 1.0067166, 1.0250982]);
        let variance = parameter("patch_embed.0.bn.running_var", &[16], 0);
        near(&variance[..3], &[0.83182615, 1.3623945, 0.7114173]);
        let depthwise = parameter("stages.0.0.pos_embed1.weight", &[64, 1, 3, 3], 0);
        near(&depthwise[..3], &[0.02605245, -0.12468231, 0.21576096]);
    }
}
