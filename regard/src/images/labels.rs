//! Label maps: PNG images whose values are classes, not colours.
//!
//! Data sets and segmentation programs store one class per pixel, as grey of 8 bits or as an index into a palette.
//! The value in the file counts, whatever colour it is shown in, so decoding stops before the palette. A map is read
//! row by row: maps compress well, and a small file may hold more pixels than memory should.

use super::{MAX_FILE, MAX_PIXELS, decode::memory_limit, guard::guarded};
use crate::{
    errors::{Error, Result},
    files,
};
use image::{ImageEncoder, codecs::png::PngEncoder};
use png::{BitDepth, ColorType, Decoder, Limits, Reader, Transformations};
use std::{io::Cursor, path::Path};

/// A class per pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMap {
    /// Pixels per row, at least 1.
    pub width: usize,
    /// Rows, at least 1.
    pub height: usize,
    /// Classes, row by row.
    pub classes: Vec<u8>,
}

/// A map that is read row by row.
pub struct LabelReader {
    /// Pixels per row, at least 1.
    pub width: usize,
    /// Rows, at least 1.
    pub height: usize,
    rows: Rows,
}

enum Rows {
    /// From the file; bits per pixel.
    File(Box<Reader<Cursor<Vec<u8>>>>, u8),
    /// From memory: classes, and how many were read.
    Held(Vec<u8>, usize),
}

/// What the library says about damage.
fn damaged(error: &png::DecodingError) -> String {
    format!("this PNG image is damaged: {}", error.to_string().trim_end_matches('.'))
}

const PANIC: &str = "this PNG image is damaged: its decoder gives up";

impl LabelReader {
    /// Opens a PNG file of grey values or palette indices of at most 8 bits.
    ///
    /// # Errors
    /// Where the file cannot be read, is damaged, has too many pixels, or holds colours.
    pub fn open(path: &Path) -> Result<LabelReader> {
        let bytes = files::read(path, MAX_FILE)?;
        Self::of(bytes).map_err(|what| Error::Image { path: path.to_owned(), what })
    }
    /// The same, from the bytes of such a file; the error is one sentence.
    pub fn of(bytes: Vec<u8>) -> std::result::Result<LabelReader, String> {
        guarded(|| Self::start(bytes)).unwrap_or_else(|| Err(PANIC.into()))
    }
    fn start(bytes: Vec<u8>) -> std::result::Result<LabelReader, String> {
        if !bytes.starts_with(b"\x89PNG") {
            return Err("not a label map, expected PNG".into());
        }
        let limit = memory_limit(bytes.len());
        let limits = Limits { bytes: usize::try_from(limit).unwrap_or(usize::MAX) };
        let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
        decoder.set_transformations(Transformations::IDENTITY);
        let mut reader = decoder.read_info().map_err(|error| damaged(&error))?;
        let info = reader.info();
        let (width, height, interlaced) = (info.width as usize, info.height as usize, info.interlaced);
        if (width * height) as u64 > MAX_PIXELS {
            return Err(format!("the map is {width}x{height} pixels, expected at most {MAX_PIXELS} in all"));
        }
        let (color, depth) = (info.color_type, info.bit_depth);
        if !matches!(color, ColorType::Grayscale | ColorType::Indexed) || depth == BitDepth::Sixteen {
            let bits = depth as u8;
            return Err(format!("its pixels are {color:?} of {bits} bits, expected labels: grey or palette of 8 bits"));
        }
        if !interlaced {
            return Ok(LabelReader { width, height, rows: Rows::File(Box::new(reader), depth as u8) });
        }
        // Lines of an interlaced map come from all over it.
        if 2 * (width * height) as u64 > limit {
            return Err(format!(
                "the map is {width}x{height} pixels and interlaced, which takes more than {limit} bytes"
            ));
        }
        let mut bytes = vec![0; reader.output_buffer_size().ok_or("the map has too many pixels")?];
        let frame = reader.next_frame(&mut bytes).map_err(|error| damaged(&error))?;
        let lines = bytes.chunks_exact(frame.line_size).take(height);
        let classes = lines.flat_map(|line| unpacked(line, depth as u8).take(width)).collect();
        Ok(LabelReader { width, height, rows: Rows::Held(classes, 0) })
    }
    /// Puts the classes of the next row, of which there are `height`, into `line`.
    pub(crate) fn next(&mut self, line: &mut Vec<u8>) -> std::result::Result<(), String> {
        line.clear();
        match &mut self.rows {
            Rows::Held(classes, at) => {
                line.extend_from_slice(&classes[*at..*at + self.width]);
                *at += self.width;
                Ok(())
            }
            Rows::File(reader, bits) => {
                let row = guarded(|| reader.next_row()).ok_or(PANIC)?;
                let row =
                    row.map_err(|error| damaged(&error))?.ok_or("this PNG image is damaged: its end is missing")?;
                line.extend(unpacked(row.data(), *bits).take(self.width));
                Ok(())
            }
        }
    }
}

impl From<LabelMap> for LabelReader {
    fn from(map: LabelMap) -> LabelReader {
        LabelReader { width: map.width, height: map.height, rows: Rows::Held(map.classes, 0) }
    }
}

impl LabelMap {
    /// Reads a PNG file as [`LabelReader::open`] does.
    ///
    /// # Errors
    /// As there.
    pub fn open(path: &Path) -> Result<LabelMap> {
        let bytes = files::read(path, MAX_FILE)?;
        Self::decode(&bytes).map_err(|what| Error::Image { path: path.to_owned(), what })
    }
    /// Decodes the bytes of such a file; the error is one sentence.
    pub fn decode(bytes: &[u8]) -> std::result::Result<LabelMap, String> {
        let mut reader = LabelReader::of(bytes.to_vec())?;
        let (mut classes, mut line) = (Vec::new(), Vec::new());
        for _ in 0..reader.height {
            reader.next(&mut line)?;
            classes.extend_from_slice(&line);
        }
        Ok(LabelMap { width: reader.width, height: reader.height, classes })
    }
    /// The bytes of a PNG image of 8 bits of grey.
    ///
    /// # Errors
    /// Where it has too many pixels for one.
    pub fn png(&self) -> Result<Vec<u8>> {
        png(&self.classes, (self.width, self.height), image::ExtendedColorType::L8)
    }
}

/// Values of a line with `bits` per pixel, first pixel in the highest bits.
fn unpacked(line: &[u8], bits: u8) -> impl Iterator<Item = u8> {
    let per_byte = 8 / bits;
    let value = move |byte: u8, i: u8| (byte >> (8 - bits * (i + 1))) & (0xff >> (8 - bits));
    line.iter().flat_map(move |&byte| (0..per_byte).map(move |i| value(byte, i)))
}

/// Pixels as the bytes of a PNG image.
pub(super) fn png(pixels: &[u8], (width, height): (usize, usize), color: image::ExtendedColorType) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(pixels, width as u32, height as u32, color)
        .map_err(|error| Error::Failed(format!("cannot encode {width}x{height} pixels: {error}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A PNG image of raw lines.
    fn encoded(size: (u32, u32), color: ColorType, depth: BitDepth, lines: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, size.0, size.1);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == ColorType::Indexed {
            encoder.set_palette([[9, 8, 7]; 256].as_flattened());
        }
        encoder.write_header().unwrap().write_image_data(lines).unwrap();
        bytes
    }

    #[test]
    fn the_value_counts_and_not_the_colour() {
        let lines = [0, 1, 254, 255, 7, 7];
        for color in [ColorType::Grayscale, ColorType::Indexed] {
            let map = LabelMap::decode(&encoded((3, 2), color, BitDepth::Eight, &lines)).unwrap();
            assert_eq!(map, LabelMap { width: 3, height: 2, classes: lines.to_vec() });
        }
        let four = LabelMap::decode(&encoded((3, 2), ColorType::Grayscale, BitDepth::Four, &[0x12, 0x30, 0xf0, 0x50]));
        assert_eq!(four.unwrap().classes, [1, 2, 3, 15, 0, 5]);
        let one = LabelMap::decode(&encoded((3, 1), ColorType::Grayscale, BitDepth::One, &[0b1010_0000]));
        assert_eq!(one.unwrap().classes, [1, 0, 1]);
    }

    #[test]
    fn colours_and_other_files_are_refused() {
        let why = |bytes: &[u8]| LabelMap::decode(bytes).unwrap_err();
        assert!(why(&encoded((1, 1), ColorType::Rgb, BitDepth::Eight, &[1, 2, 3])).contains("Rgb of 8 bits"));
        assert!(why(&encoded((1, 1), ColorType::Grayscale, BitDepth::Sixteen, &[1, 2])).contains("16 bits"));
        assert!(why(b"GIF89a").contains("expected PNG"));
        let good = encoded((30, 20), ColorType::Grayscale, BitDepth::Eight, &[3; 600]);
        assert!(why(&good[..good.len() / 2]).contains("damaged"));
    }

    #[test]
    fn what_is_written_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let map = LabelMap { width: 2, height: 3, classes: vec![0, 149, 255, 3, 4, 5] };
        files::write(&dir.path().join("map.png"), &map.png().unwrap()).unwrap();
        assert_eq!(LabelMap::open(&dir.path().join("map.png")).unwrap(), map);
    }

    proptest! {
        #[test]
        fn damaged_maps_never_panic(at in 0usize..200, byte in any::<u8>(), cut in 0usize..50) {
            let mut bytes = encoded((9, 5), ColorType::Indexed, BitDepth::Eight, &[5; 45]);
            let at = at % bytes.len();
            bytes[at] = byte;
            bytes.truncate(bytes.len() - cut);
            if let Ok(map) = LabelMap::decode(&bytes) {
                prop_assert_eq!(map.classes.len(), map.width * map.height);
            }
        }
    }
}
