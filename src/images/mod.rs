//! Images: decoding, and what turns one into a model's input.
//!
//! ```text
//!   PNG, JPEG ─▶ RGB, 8 bits ─ bicubic ─▶ short side 256 ─ crop ─▶ 224 × 224 ─ (x/255 − mean)/deviation ─▶ [3, 224, 224]
//! ```
//!
//! These are the steps that the published checkpoints were measured with. For another size all lengths
//! grow alike: the short side becomes size · 256/224, rounded. Transparency is dropped, 16 bits become 8,
//! and an EXIF orientation is not applied: the pixels are taken as they are stored.

mod labels;
mod resize;

pub use labels::LabelMap;
pub use resize::Sampling;

use crate::{
    errors::{Error, Result},
    files,
};
use image::{ImageError, ImageFormat, ImageReader, Limits};
use resize::{Window, bicubic, bilinear};
use std::{io::Cursor, path::Path};

/// The largest file read, in bytes.
const MAX_FILE: u64 = 512 << 20;
/// The most pixels decoded.
const MAX_PIXELS: u64 = 1 << 27;
/// The most memory a decoder may take, in bytes.
const MAX_DECODER: u64 = 1 << 30;
/// Mean of ImageNet's channels, of 1.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of ImageNet's channels, of 1.
const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];
/// A fish, for runs without an image. `examples/draw_default_picture.rs` draws it.
const DEFAULT: &[u8] = include_bytes!("../assets/default.png");

/// A decoded image: rows of RGB, 8 bits each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels per row, at least 1.
    pub width: usize,
    /// Rows, at least 1.
    pub height: usize,
    /// Three bytes per pixel.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// Reads a PNG or JPEG file.
    ///
    /// # Errors
    /// Where the file cannot be read, is no such image, is damaged, or has too many pixels.
    pub fn open(path: &Path) -> Result<Picture> {
        let bytes = files::read(path, MAX_FILE)?;
        Self::decode(&bytes).map_err(|what| Error::Image { path: path.to_owned(), what })
    }
    /// The picture that comes with the program.
    pub fn default_picture() -> Picture {
        Self::decode(DEFAULT).expect("the picture in the program is intact")
    }
    /// Decodes the bytes of a PNG or JPEG file; the error is one sentence.
    pub fn decode(bytes: &[u8]) -> std::result::Result<Picture, String> {
        let format = match image::guess_format(bytes) {
            Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)) => format,
            _ => return Err("not an image that can be read, expected PNG or JPEG".into()),
        };
        let name = if format == ImageFormat::Png { "PNG" } else { "JPEG" };
        let damaged = |error: ImageError| match error {
            ImageError::Limits(_) => format!("this {name} image needs more memory than {MAX_DECODER} bytes to decode"),
            error => format!("this {name} image is damaged: {}", sentence(&error)),
        };
        let (width, height) =
            ImageReader::with_format(Cursor::new(bytes), format).into_dimensions().map_err(damaged)?;
        if width == 0 || height == 0 {
            return Err(format!("the image is {width}x{height} pixels, expected at least 1x1"));
        }
        if u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(format!("the image is {width}x{height} pixels, expected at most {MAX_PIXELS} in all"));
        }
        if format == ImageFormat::Jpeg && !ends(bytes) {
            return Err("this JPEG image is damaged: its end is missing".into());
        }
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
        let mut limits = Limits::default();
        limits.max_alloc = Some(MAX_DECODER);
        reader.limits(limits);
        let rgb = reader.decode().map_err(damaged)?.into_rgb8();
        Ok(Picture { width: rgb.width() as usize, height: rgb.height() as usize, rgb: rgb.into_raw() })
    }
    /// The input of a model that takes images of `height` × `width` pixels: `[3, height, width]`, row-major.
    pub fn prepared(&self, height: usize, width: usize) -> Vec<f32> {
        let (size, window) = placement((self.height, self.width), (height, width));
        bicubic(self, size, window).normalised()
    }
    /// The whole picture as the input of a segmentation model of `height` × `width` pixels: `[3, height, width]`.
    pub fn fed(&self, height: usize, width: usize) -> Vec<f32> {
        bilinear(self, (height, width)).normalised()
    }
    /// The bytes of a PNG image.
    ///
    /// # Errors
    /// Where it has too many pixels for one.
    pub fn png(&self) -> Result<Vec<u8>> {
        labels::png(&self.rgb, (self.width, self.height), image::ExtendedColorType::Rgb8)
    }

    /// Channel by channel, as the models were trained on them.
    fn normalised(&self) -> Vec<f32> {
        let channel = |c: usize| self.rgb.iter().skip(c).step_by(3).map(move |&byte| normalised(byte, c));
        (0..3).flat_map(channel).collect()
    }
}

/// A byte of a channel as the models were trained on it.
fn normalised(byte: u8, channel: usize) -> f32 {
    (f32::from(byte) / 255.0 - MEAN[channel]) / DEVIATION[channel]
}

/// Heights and widths that an image is resized to, and the window cut out of that, for a wanted size.
fn placement(image: (usize, usize), wanted: (usize, usize)) -> ((usize, usize), Window) {
    let frame = |side: usize| (side * 256 + 112) / 224;
    let (down, across) = (frame(wanted.0), frame(wanted.1));
    // The side that needs the larger factor gets its length exactly, the other follows.
    let tall = down * image.1 >= across * image.0;
    let (height, width) = if tall { (down, down * image.1 / image.0) } else { (across * image.0 / image.1, across) };
    let (height, width) = (height.max(wanted.0), width.max(wanted.1));
    let window =
        Window { top: middle(height - wanted.0), left: middle(width - wanted.1), height: wanted.0, width: wanted.1 };
    ((height, width), window)
}

/// Half of an excess, halves to even.
fn middle(excess: usize) -> usize {
    let half = excess / 2;
    half + usize::from(excess % 2 == 1 && half % 2 == 1)
}

/// Whether a JPEG file holds its end marker in its last quarter; what was cut off is filled with grey by decoders.
fn ends(bytes: &[u8]) -> bool {
    bytes[bytes.len() / 4 * 3..].windows(2).any(|pair| pair == [0xFF, 0xD9])
}

/// A decoder's message without its line breaks and full stop.
fn sentence(error: &ImageError) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or("it cannot be decoded").trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
