//! Images: decoding, and what turns one into a model's input.
//!
//! ```text
//!   PNG, JPEG, WebP, TIFF ─▶ RGB, 8 bits, upright ─ resize ─ crop ─▶ 224 × 224 ─ normalise ─▶ [3, 224, 224]
//! ```
//!
//! Resizing, cropping and normalising are the steps that the published checkpoints were measured with, unless options
//! say otherwise.

mod decode;
mod guard;
mod jpeg;
mod labels;
pub mod prepare;
mod resize;

pub use decode::Decoded;
pub use labels::{LabelMap, LabelReader};
pub use prepare::Preparation;
pub use resize::Interpolation;
pub(crate) use resize::Sampling;

use crate::{
    errors::{Error, Result},
    files,
};
use resize::{Window, bilinear, resized};
use std::path::Path;

/// The largest file read, in bytes.
const MAX_FILE: u64 = 512 << 20;
/// The most pixels decoded.
const MAX_PIXELS: u64 = 1 << 27;
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
    /// Reads a PNG, JPEG, WebP or TIFF file, upright as its EXIF orientation says.
    ///
    /// # Errors
    /// Where the file cannot be read, is no such image, is damaged, has too many pixels, or takes more memory than a file
    /// of its size may.
    pub fn open(path: &Path) -> Result<Picture> {
        Ok(Self::open_noting(path)?.picture)
    }
    /// The same, with what was done to it.
    ///
    /// # Errors
    /// As [`open`](Picture::open).
    pub fn open_noting(path: &Path) -> Result<Decoded> {
        let bytes = files::read(path, MAX_FILE)?;
        decode::decode(&bytes).map_err(|what| Error::Image { path: path.to_owned(), what })
    }
    /// The picture that comes with the program.
    pub fn default_picture() -> Picture {
        Self::decode(DEFAULT).expect("the picture in the program is intact")
    }
    /// Decodes the bytes of a file; the error is one sentence.
    pub fn decode(bytes: &[u8]) -> std::result::Result<Picture, String> {
        decode::decode(bytes).map(|decoded| decoded.picture)
    }
    /// The whole picture resized to `height` × `width` pixels, as segmentation models are fed, unless `by` is given
    /// without antialias.
    pub(crate) fn whole(&self, by: Option<Interpolation>, height: usize, width: usize) -> Picture {
        match by {
            None => bilinear(self, (height, width)),
            Some(by) => resized(self, by, (height, width), Window { top: 0, left: 0, height, width }),
        }
    }
    /// The bytes of a PNG image.
    ///
    /// # Errors
    /// Where it has too many pixels for one.
    pub fn png(&self) -> Result<Vec<u8>> {
        labels::png(&self.rgb, (self.width, self.height), image::ExtendedColorType::Rgb8)
    }
}

#[cfg(test)]
mod tests;
