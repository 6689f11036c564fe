//! Decoding: bytes of a file become rows of RGB, upright.
//!
//! ```text
//!   PNG, JPEG, WebP, TIFF ─▶ what the library gives ─▶ RGB, 8 bits ─ EXIF orientation ─▶ upright
//! ```
//!
//! 16 bits and floats become 8 bits, grey becomes three equal channels, transparency is dropped. A file may not ask for
//! more memory than [`MIN_MEMORY`] and a hundred times its own size, and the memory is asked for politely, so a small
//! file that claims a large image is one sentence.

use super::{MAX_PIXELS, Picture, guard::guarded, jpeg};
use image::{
    ColorType, ImageDecoder, ImageError, ImageFormat, Limits,
    codecs::{jpeg::JpegDecoder, png::PngDecoder, tiff::TiffDecoder, webp::WebPDecoder},
    metadata::Orientation,
};
use std::io::Cursor;

/// What any file may take, in bytes.
const MIN_MEMORY: u64 = 64 << 20;
/// What a file may take besides, for each of its bytes.
const MEMORY_PER_BYTE: u64 = 100;

/// A picture, and what was done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Upright.
    pub picture: Picture,
    /// The EXIF orientation that was applied, 2 to 8; nothing where the pixels lay upright.
    pub orientation: Option<u8>,
}

impl Decoded {
    /// What was done, in words; empty for nothing.
    pub fn note(&self) -> String {
        let done = match self.orientation {
            Some(2) => "mirrored",
            Some(3) => "turned by 180°",
            Some(4) => "flipped",
            Some(5) => "mirrored and turned left by 90°",
            Some(6) => "turned right by 90°",
            Some(7) => "mirrored and turned right by 90°",
            Some(8) => "turned left by 90°",
            _ => return String::new(),
        };
        format!("{done}, EXIF orientation {}", self.orientation.unwrap_or(1))
    }
}

/// The most memory that decoding a file of that many bytes may take.
pub(crate) fn memory_limit(bytes: usize) -> u64 {
    MIN_MEMORY + MEMORY_PER_BYTE * bytes as u64
}

/// Decodes the bytes of a file; the error is one sentence.
pub(crate) fn decode(bytes: &[u8]) -> Result<Decoded, String> {
    let (format, name) = match image::guess_format(bytes) {
        Ok(format @ ImageFormat::Png) => (format, "PNG"),
        Ok(format @ ImageFormat::Jpeg) => (format, "JPEG"),
        Ok(format @ ImageFormat::WebP) => (format, "WebP"),
        Ok(format @ ImageFormat::Tiff) => (format, "TIFF"),
        _ => return Err(format!("{}, expected PNG, JPEG, WebP or TIFF", kind(bytes))),
    };
    let limit = memory_limit(bytes.len());
    let mut limits = Limits::default();
    limits.max_alloc = Some(limit);
    let input = || Cursor::new(bytes);
    let file = File { name, bytes: bytes.len(), limit };
    let decoded = guarded(|| match format {
        ImageFormat::Png => file.read(PngDecoder::with_limits(input(), limits), 0),
        ImageFormat::Jpeg => {
            let held = jpeg::check(bytes).map_err(|what| format!("this JPEG image is damaged: {what}"))?;
            file.read(JpegDecoder::new(input()), 128 * held)
        }
        ImageFormat::WebP => file.read(limited(WebPDecoder::new(input()), limits), 0),
        _ => file.read(limited(TiffDecoder::new(input()), limits), 0),
    });
    decoded.unwrap_or_else(|| Err(format!("this {name} image is damaged: its decoder gives up")))
}

/// What a file is that is not read.
fn kind(bytes: &[u8]) -> &'static str {
    let brand = if bytes.get(4..8) == Some(b"ftyp") { bytes.get(8..12) } else { None };
    match (bytes, brand) {
        ([], _) => "it is empty",
        (_, Some(b"avif" | b"avis")) => "it is an AVIF image",
        (_, Some(b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"mif1" | b"msf1")) => {
            "it is a HEIC image, as phones take them"
        }
        (_, Some(_)) => "it is a video",
        ([b'G', b'I', b'F', b'8', ..], _) => "it is a GIF image",
        ([b'B', b'M', ..], _) => "it is a BMP image",
        ([b'P', b'1'..=b'7', b' ' | b'\n' | b'\t' | b'\r', ..], _) => "it is a PNM image",
        ([0, 0, 1, 0, ..], _) => "it is an icon",
        ([0, 0, 0, 12, b'j', b'P', ..] | [0xff, 0x4f, 0xff, 0x51, ..], _) => "it is a JPEG 2000 image",
        ([0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', ..], _) => "it is a JPEG XL image",
        ([b'8', b'B', b'P', b'S', ..], _) => "it is a Photoshop document",
        ([b'%', b'P', b'D', b'F', ..], _) => "it is a PDF document",
        ([0x93, b'N', b'U', b'M', b'P', b'Y', ..], _) => "it is an array of NumPy",
        _ if bytes.trim_ascii_start().starts_with(b"<svg") || bytes.starts_with(b"<?xml") => "it is an SVG drawing",
        _ if bytes.trim_ascii_start().starts_with(b"<") => "it is a web page",
        _ if bytes.starts_with(b"version https://git-lfs") => "it is a pointer of git-lfs",
        _ => "not an image that can be read",
    }
}

fn limited<D: ImageDecoder>(decoder: Result<D, ImageError>, limits: Limits) -> Result<D, ImageError> {
    let mut decoder = decoder?;
    decoder.set_limits(limits)?;
    Ok(decoder)
}

/// What is known of a file before it is decoded.
#[derive(Clone, Copy)]
struct File {
    name: &'static str,
    bytes: usize,
    limit: u64,
}

impl File {
    /// The picture of a decoder that takes `besides` bytes itself.
    fn read<D: ImageDecoder>(self, decoder: Result<D, ImageError>, besides: u64) -> Result<Decoded, String> {
        let mut decoder = decoder.map_err(|error| self.damaged(&error))?;
        let (width, height) = decoder.dimensions();
        if width == 0 || height == 0 {
            return Err(format!("the image is {width}x{height} pixels, expected at least 1x1"));
        }
        let pixels = u64::from(width) * u64::from(height);
        if pixels > MAX_PIXELS {
            return Err(format!("the image is {width}x{height} pixels, expected at most {MAX_PIXELS} in all"));
        }
        let color = decoder.color_type();
        // A JPEG header costs nothing to read twice; other orientations are known by now.
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let copies = u64::from(color != ColorType::Rgb8) + u64::from(orientation != Orientation::NoTransforms);
        let needed = decoder.total_bytes() + 3 * pixels * copies + besides;
        if needed > self.limit {
            let (bytes, limit) = (self.bytes, self.limit);
            return Err(format!(
                "the image is {width}x{height} pixels and takes {needed} bytes to decode, expected at most {limit} for a file of {bytes}"
            ));
        }
        let mut samples = reserved(decoder.total_bytes())?;
        samples.resize(decoder.total_bytes() as usize, 0);
        decoder.read_image(&mut samples).map_err(|error| self.damaged(&error))?;
        let rgb = to_rgb(color, samples)?;
        let picture = Picture { width: width as usize, height: height as usize, rgb };
        let exif = orientation.to_exif();
        match exif {
            1 => Ok(Decoded { picture, orientation: None }),
            _ => Ok(Decoded { picture: upright(&picture, exif)?, orientation: Some(exif) }),
        }
    }

    fn damaged(self, error: &ImageError) -> String {
        let (name, limit) = (self.name, self.limit);
        match error {
            ImageError::Limits(_) => format!("this {name} image takes more than {limit} bytes to decode"),
            ImageError::Unsupported(_) => format!("this {name} image cannot be read: {}", sentence(error)),
            error => format!("this {name} image is damaged: {}", sentence(error)),
        }
    }
}

/// Room for so many bytes, empty.
fn reserved(bytes: u64) -> Result<Vec<u8>, String> {
    let mut room = Vec::new();
    let fits = usize::try_from(bytes).is_ok_and(|bytes| room.try_reserve_exact(bytes).is_ok());
    if fits { Ok(room) } else { Err(format!("the image takes {bytes} bytes, which the system refuses")) }
}

/// Samples as a decoder gives them, in the machine's order of bytes, as RGB of 8 bits.
fn to_rgb(color: ColorType, samples: Vec<u8>) -> Result<Vec<u8>, String> {
    let channels = usize::from(color.channel_count());
    let size = usize::from(color.bytes_per_pixel()) / channels;
    if (channels, size) == (3, 1) {
        return Ok(samples);
    }
    let byte = |sample: &[u8]| match *sample {
        [byte] => byte,
        [a, b] => ((u32::from(u16::from_ne_bytes([a, b])) + 128) / 257) as u8,
        [a, b, c, d] => (f32::from_ne_bytes([a, b, c, d]).clamp(0.0, 1.0) * 255.0).round() as u8,
        _ => 0,
    };
    let mut rgb = reserved((samples.len() / (channels * size) * 3) as u64)?;
    for pixel in samples.chunks_exact(channels * size) {
        match channels {
            1 | 2 => rgb.extend([byte(&pixel[..size]); 3]),
            _ => rgb.extend(pixel.chunks_exact(size).take(3).map(byte)),
        }
    }
    Ok(rgb)
}

/// The picture with an EXIF orientation from 2 to 8 applied.
fn upright(picture: &Picture, exif: u8) -> Result<Picture, String> {
    let (w, h) = (picture.width, picture.height);
    let (width, height) = if exif >= 5 { (h, w) } else { (w, h) };
    let mut rgb = reserved(picture.rgb.len() as u64)?;
    for y in 0..height {
        for x in 0..width {
            let (column, row) = match exif {
                2 => (w - 1 - x, y),
                3 => (w - 1 - x, h - 1 - y),
                4 => (x, h - 1 - y),
                5 => (y, x),
                6 => (y, h - 1 - x),
                7 => (w - 1 - y, h - 1 - x),
                8 => (w - 1 - y, x),
                _ => (x, y),
            };
            rgb.extend_from_slice(&picture.rgb[3 * (row * w + column)..][..3]);
        }
    }
    Ok(Picture { width, height, rgb })
}

/// A decoder's message without its line breaks and full stop.
fn sentence(error: &ImageError) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or("it cannot be decoded").trim_end_matches('.').to_owned()
}
