//! Draws the picture that `regard run` uses when it is given none: a fish, from circles and triangles.
//!
//! ```text
//!   cargo run --release --example draw_default_picture -- regard/src/assets/default.png
//! ```
//!
//! Every pixel is the mean of 4×4 samples of shapes painted one over the other.

use image::{
    ExtendedColorType, ImageEncoder, Rgb, RgbImage,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};
use std::fs::File;

const WIDTH: u32 = 320;
const HEIGHT: u32 = 256;
/// Samples per pixel side.
const SAMPLES: u32 = 4;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: draw_default_picture OUT.png")?;
    let encoder = PngEncoder::new_with_quality(File::create(path)?, CompressionType::Best, FilterType::NoFilter);
    Ok(encoder.write_image(&draw(), WIDTH, HEIGHT, ExtendedColorType::Rgb8)?)
}

/// The picture.
pub(crate) fn draw() -> RgbImage {
    RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let mut sum = [0u32; 3];
        for i in 0..SAMPLES * SAMPLES {
            let at = |pixel: u32, sample: u32| pixel as f64 + (sample as f64 + 0.5) / f64::from(SAMPLES);
            let color = color(at(x, i % SAMPLES), at(y, i / SAMPLES), y);
            (0..3).for_each(|c| sum[c] += u32::from(color[c]));
        }
        let n = SAMPLES * SAMPLES;
        Rgb(sum.map(|s| ((s + n / 2) / n) as u8))
    })
}

/// The colour at a point; the water darkens downwards, row by row.
fn color(x: f64, y: f64, row: u32) -> [u8; 3] {
    let depth = (row * 90 / HEIGHT) as u8;
    let mut color = [70 - depth / 2, 160 - depth, 200 - depth];
    if y > 222.0 + 6.0 * ((x / 40.0) % 2.0 - 1.0).abs() {
        color = [196, 178, 128];
    }
    let weed = |root: f64, top: f64| y > top && ((x - root) - 7.0 * triangle_wave(y / 26.0)).abs() < 4.0;
    if weed(38.0, 110.0) || weed(56.0, 150.0) || weed(286.0, 128.0) {
        color = [44, 122, 60];
    }
    let bubbles = [(248.0, 62.0, 9.0), (262.0, 38.0, 6.0), (252.0, 18.0, 4.0)];
    if bubbles.iter().any(|&(cx, cy, r)| ring(x, y, cx, cy, r)) {
        color = [222, 240, 246];
    }
    let fins = [
        [(92.0, 128.0), (44.0, 84.0), (44.0, 172.0)],
        [(128.0, 92.0), (196.0, 88.0), (150.0, 56.0)],
        [(140.0, 168.0), (190.0, 168.0), (150.0, 196.0)],
    ];
    if fins.iter().any(|fin| inside_triangle((x, y), *fin)) {
        color = [214, 84, 20];
    }
    if ellipse(x, y, 158.0, 128.0, 78.0, 46.0) {
        color = if y < 116.0 { [240, 124, 30] } else { [250, 152, 56] };
        let stripe = (x - 150.0) / 26.0;
        if x < 190.0 && (stripe - stripe.round()).abs() < 0.14 {
            color = [252, 222, 190];
        }
    }
    if ellipse(x, y, 206.0, 116.0, 11.0, 11.0) {
        color = [250, 250, 244];
    }
    if ellipse(x, y, 209.0, 116.0, 5.0, 5.0) {
        color = [22, 22, 30];
    }
    color
}

/// −1 to 1 and back, period 2.
fn triangle_wave(t: f64) -> f64 {
    2.0 * ((t % 2.0) - 1.0).abs() - 1.0
}

fn ellipse(x: f64, y: f64, cx: f64, cy: f64, rx: f64, ry: f64) -> bool {
    ((x - cx) / rx).powi(2) + ((y - cy) / ry).powi(2) < 1.0
}

fn ring(x: f64, y: f64, cx: f64, cy: f64, r: f64) -> bool {
    ellipse(x, y, cx, cy, r, r) && !ellipse(x, y, cx, cy, r - 2.0, r - 2.0)
}

fn inside_triangle(p: (f64, f64), [a, b, c]: [(f64, f64); 3]) -> bool {
    let side = |u: (f64, f64), v: (f64, f64)| (v.0 - u.0) * (p.1 - u.1) - (v.1 - u.1) * (p.0 - u.0) > 0.0;
    side(a, b) == side(b, c) && side(b, c) == side(c, a)
}
