//! How "Stand-Alone Self-Attention in Vision Models" counts floating-point operations.
//!
//! ```text
//!   real    2 per multiply-add of convolutions, projections, q·k, α·v; relative terms by rows and columns
//!   fit     the same, but relative terms added to k² unfolded keys, 1 per element; softmax 7 per score,
//!           batch norm 4, relu 1, residual sum 1 per element
//!   both    1 per element for absolute positions
//! ```
//!
//! Both at 224×224 and batch 1; the stem's four value matrices are counted one by one, and so is their mixing; pooling is
//! not. The paper says that a multiplication and an addition are two operations and no more: *fit* is the convention, out
//! of a few natural ones, that rounds to every number it prints; *real* is what a good kernel does.

use crate::resnet::{EXPANSION, Layout, Position, Stem};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// What a good kernel does.
    Real,
    /// What fits the paper's numbers.
    Fit,
}

/// Rows and columns of the image.
const IMAGE: u64 = 224;
/// Rows and columns of the map after the stem.
const MAP: u64 = 56;
const SOFTMAX: u64 = 7;
const BATCH_NORM: u64 = 4;

struct Count<'a> {
    layout: &'a Layout,
    fit: bool,
}

/// Operations of one image of a network with that many classes.
pub fn flops(layout: &Layout, classes: u64, convention: Convention) -> u64 {
    let count = Count { layout, fit: convention == Convention::Fit };
    let mut total = count.stem();
    let (mut map, mut channels) = (MAP, layout.width as u64);
    for (group, &depth) in layout.depths.iter().enumerate() {
        for block in 0..depth {
            let halves = group > 0 && block == 0;
            let out = if halves { map / 2 } else { map };
            total += count.block(group, [map * map, out * out], channels, block == 0);
            channels = ((EXPANSION * layout.width) << group) as u64;
            map = out;
        }
    }
    total + 2 * channels * classes
}

impl Count<'_> {
    /// Batch norm and, where asked, relu of that many elements.
    fn norm(&self, elements: u64, relu: bool) -> u64 {
        if self.fit { elements * (BATCH_NORM + u64::from(relu)) } else { 0 }
    }

    fn stem(&self) -> u64 {
        const MIXED: u64 = 4;
        const BLOCK: u64 = 16;
        const HEADS: u64 = 4;
        let width = self.layout.width as u64;
        if self.layout.stem == Stem::Convolution {
            let elements = (IMAGE / 2) * (IMAGE / 2) * width;
            return 2 * elements * 49 * 3 + self.norm(elements, true);
        }
        let elements = IMAGE * IMAGE * width;
        let projection = 2 * elements * 3;
        let values = match self.layout.stem {
            Stem::Alone => projection,
            Stem::ConvolutionValues => projection * BLOCK,
            _ => MIXED * projection + 2 * MIXED * elements,
        };
        let places = if self.fit { 2 * elements * BLOCK } else { 2 * elements * 4 };
        let softmax = if self.fit { SOFTMAX * IMAGE * IMAGE * BLOCK * HEADS } else { 0 };
        2 * projection + values + 4 * elements * BLOCK + places + softmax + self.norm(elements, true)
    }

    /// A block on a map of `before` pixels that leaves `after`.
    fn block(&self, group: usize, [before, after]: [u64; 2], channels: u64, first: bool) -> u64 {
        let width = (self.layout.width << group) as u64;
        let out = EXPANSION as u64 * width;
        let spatial = match self.layout.attention[group] {
            true => self.attention(before, width),
            false => 2 * after * width * width * 9,
        };
        let shortcut = if first { 2 * after * channels * out + self.norm(after * out, false) } else { 0 };
        let sum = if self.fit { 2 * after * out } else { 0 };
        2 * before * channels * width
            + self.norm(before * width, true)
            + spatial
            + self.norm(after * width, true)
            + 2 * after * width * out
            + self.norm(after * out, false)
            + shortcut
            + sum
    }

    fn attention(&self, pixels: u64, width: u64) -> u64 {
        let Layout { size, position, content, heads, .. } = *self.layout;
        let (k, heads) = (size as u64, heads as u64);
        let product = 2 * pixels * k * k * width;
        let projections = 2 * pixels * width * width * if content { 3 } else { 2 };
        let scores = if content { product } else { 0 };
        let places = match (position, content) {
            (Position::None, _) => 0,
            (Position::Absolute, _) => pixels * width,
            (Position::Relative, true) if self.fit => pixels * k * k * width,
            (Position::Relative, true) => 2 * pixels * k * width,
            (Position::Relative, false) => 2 * pixels * k * width + pixels * k * k * heads,
        };
        let softmax = if self.fit { SOFTMAX * pixels * k * k * heads } else { 0 };
        projections + scores + places + product + softmax
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, resnet::layout};

    /// Both conventions against the specification's three digits.
    #[test]
    fn both_conventions_give_the_known_counts() {
        type Options = &'static [(&'static str, &'static str)];
        let rows: [(usize, Options, f64, f64); 13] = [
            (26, &[("stem", "conv"), ("attention", "none")], 4.719, 4.685),
            (50, &[("stem", "conv"), ("attention", "none")], 8.238, 8.178),
            (26, &[("stem", "conv")], 4.485, 4.387),
            (50, &[("stem", "conv")], 6.979, 6.806),
            (26, &[], 4.733, 4.524),
            (38, &[], 5.980, 5.733),
            (50, &[], 7.227, 6.943),
            (50, &[("stem", "conv"), ("attention", "1+2")], 7.751, 7.605),
            (50, &[("stem", "conv"), ("k", "11")], 7.734, 7.371),
            (50, &[("stem", "conv"), ("content", "qr")], 6.090, 5.984),
            (50, &[("stem", "conv"), ("position", "absolute")], 6.887, 6.781),
            (50, &[("stem", "alone")], 7.144, 6.859),
            (50, &[("stem", "conv_values")], 7.433, 7.148),
        ];
        for (depth, options, fit, real) in rows {
            let config = options.iter().fold(Config::default(), |config, (name, value)| config.with(name, value));
            let layout = layout(depth, &config).unwrap();
            let giga = |convention| flops(&layout, 1000, convention) as f64 / 1e9;
            for (found, expected) in [(giga(Convention::Fit), fit), (giga(Convention::Real), real)] {
                assert!((found - expected).abs() < 6e-4, "{depth} {options:?}: {found}, expected {expected}");
            }
        }
    }
}
