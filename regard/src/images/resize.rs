//! Resizing: bicubic, bilinear and nearest in the arithmetic of Pillow, and bilinear without antialias.
//!
//! ```text
//!   w(x) = (a+2)|x|³ − (a+3)|x|² + 1        |x| < 1           a = −1/2
//!          a|x|³ − 5a|x|² + 8a|x| − 4a      1 ≤ |x| < 2
//!
//!   bilinear:  w(x) = 1 − |x|  within 1
//!   output pixel i looks at inputs around (i + ½)·s, s = input/output; shrinking (s > 1) widens w by s
//! ```
//!
//! Rows first, then columns; weights are fixed-point numbers of 22 bits, and each pass rounds to 8 bits.
//! Checkpoints were trained on images of this arithmetic, so it is reproduced to the bit (from version 13, Pillow
//! takes columns first where that is cheaper, which moves some bytes by one). Only the window that is
//! wanted is computed, which also bounds the memory whatever the shape of the image.

use super::Picture;

/// Bits after the point of a weight: 8 for a byte and 2 to spare remain of 32.
const POINT: u32 = 32 - 8 - 2;
/// What lies between pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The cubic above.
    Bicubic,
    /// Linear between neighbours.
    Bilinear,
    /// The nearest pixel's value.
    Nearest,
}

impl Interpolation {
    /// All with their names.
    pub(crate) const ALL: [(Interpolation, &'static str); 3] = [
        (Interpolation::Bicubic, "bicubic"),
        (Interpolation::Bilinear, "bilinear"),
        (Interpolation::Nearest, "nearest"),
    ];
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
    /// Where the weights end, in pixels.
    fn support(self) -> f64 {
        if self == Interpolation::Bicubic { 2.0 } else { 1.0 }
    }
    fn weight(self, x: f64) -> f64 {
        if self == Interpolation::Bicubic { cubic(x) } else { (1.0 - x.abs()).max(0.0) }
    }
}

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// First row.
    pub top: usize,
    /// First column.
    pub left: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// The part in `window` of the picture resized to `size` (height, width).
pub(crate) fn resized(picture: &Picture, by: Interpolation, size: (usize, usize), window: Window) -> Picture {
    let across = taps(by, picture.width, size.1, window.left..window.left + window.width);
    let down = taps(by, picture.height, size.0, window.top..window.top + window.height);
    let first = down.iter().map(|t| t.first).min().unwrap_or(0);
    let end = down.iter().map(|t| t.first + t.weights.len()).max().unwrap_or(0);
    // Rows `first..end` of the picture, each resized.
    let mut narrow = Vec::with_capacity((end - first) * window.width * 3);
    for row in picture.rgb.chunks_exact(picture.width * 3).take(end).skip(first) {
        for tap in &across {
            narrow.extend((0..3).map(|c| tap.sum(|x| row[x * 3 + c])));
        }
    }
    let line = window.width * 3;
    let mut rgb = Vec::with_capacity(window.height * line);
    for tap in &down {
        rgb.extend((0..line).map(|x| tap.sum(|y| narrow[(y - first) * line + x])));
    }
    Picture { width: window.width, height: window.height, rgb }
}

/// The inputs of one output and their weights.
struct Tap {
    first: usize,
    weights: Vec<i32>,
}

impl Tap {
    fn sum(&self, byte: impl Fn(usize) -> u8) -> u8 {
        let half = 1 << (POINT - 1);
        let sum = self.weights.iter().zip(self.first..).fold(half, |sum, (w, i)| sum + w * i32::from(byte(i)));
        (sum >> POINT).clamp(0, 255) as u8
    }
}

/// The taps of outputs `wanted` when `inputs` pixels become `outputs`.
fn taps(by: Interpolation, inputs: usize, outputs: usize, wanted: std::ops::Range<usize>) -> Vec<Tap> {
    let step = inputs as f64 / outputs as f64;
    if by == Interpolation::Nearest {
        // Added up as Pillow does: where two pixels are equally near, the rounding of the sum decides.
        let nearest = std::iter::successors(Some(0.5 * step), |place| Some(place + step));
        let nearest = nearest.take(wanted.end).skip(wanted.start).map(|place| (place as usize).min(inputs - 1));
        return nearest.map(|first| Tap { first, weights: vec![1 << POINT] }).collect();
    }
    let stretch = step.max(1.0);
    let reach = by.support() * stretch;
    let tap = |output: usize| {
        let center = (output as f64 + 0.5) * step;
        let first = (center - reach + 0.5).max(0.0) as usize;
        let end = ((center + reach + 0.5) as usize).min(inputs);
        let weights: Vec<f64> = (first..end).map(|i| by.weight((i as f64 - center + 0.5) * (1.0 / stretch))).collect();
        let total: f64 = weights.iter().sum();
        let fixed = |w: f64| (w / total * f64::from(1 << POINT)).round() as i32;
        Tap { first, weights: weights.into_iter().map(fixed).collect() }
    };
    wanted.map(tap).collect()
}

fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    match x {
        _ if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        _ if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        _ => 0.0,
    }
}

/// Two inputs and how an output lies between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sampling {
    /// The nearer one to the beginning.
    pub first: usize,
    /// The next, or the same at a border.
    pub second: usize,
    /// How far the output is from the first, of 1.
    part: f64,
}

impl Sampling {
    /// Output `output` when `inputs` pixels become `outputs`: pixels are areas, whose centers are at half numbers, and
    /// borders go on.
    pub(crate) fn bilinear(output: usize, inputs: usize, outputs: usize) -> Sampling {
        let center = ((output as f64 + 0.5) * inputs as f64 / outputs as f64 - 0.5).clamp(0.0, (inputs - 1) as f64);
        let first = center as usize;
        Sampling { first, second: (first + 1).min(inputs - 1), part: center - first as f64 }
    }
    /// The value between two.
    pub(crate) fn mix(&self, first: f64, second: f64) -> f64 {
        first + (second - first) * self.part
    }
    /// The value between two of a line.
    pub(crate) fn of(&self, line: &[f64]) -> f64 {
        self.mix(line[self.first], line[self.second])
    }
}

/// The picture resized to `size` (height, width) without antialias, rounded to 8 bits: what segmentation
/// checkpoints were trained after.
pub(crate) fn bilinear(picture: &Picture, size: (usize, usize)) -> Picture {
    let across: Vec<Sampling> = (0..size.1).map(|x| Sampling::bilinear(x, picture.width, size.1)).collect();
    let mut rgb = Vec::with_capacity(size.0 * size.1 * 3);
    for y in 0..size.0 {
        let down = Sampling::bilinear(y, picture.height, size.0);
        let byte = |y: usize, x: usize, c: usize| f64::from(picture.rgb[(y * picture.width + x) * 3 + c]);
        for at in &across {
            let line = |y: usize, c: usize| at.mix(byte(y, at.first, c), byte(y, at.second, c));
            rgb.extend((0..3).map(|c| down.mix(line(down.first, c), line(down.second, c)).round() as u8));
        }
    }
    Picture { width: size.1, height: size.0, rgb }
}
