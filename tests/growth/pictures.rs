//! Pictures and label maps.

use crate::{grows, peak};
use image::{
    ExtendedColorType, ImageEncoder,
    codecs::{jpeg::JpegEncoder, png::PngEncoder, tiff::TiffEncoder, webp::WebPEncoder},
};
use regard::{
    images::{LabelReader, Picture},
    score::{Rules, compare},
};
use std::io::Cursor;

const WIDTH: usize = 256;

/// Colours without much order, `rows` rows of them.
fn noise(rows: usize) -> Vec<u8> {
    (0..WIDTH * rows * 3).map(|i| ((i * i * 7 + i / 3) % 251) as u8).collect()
}

#[test]
fn pictures_take_what_they_are_large() {
    let size = |rows: usize| (WIDTH as u32, rows as u32, ExtendedColorType::Rgb8);
    let png = |rows: usize| {
        let ((w, h, color), mut out) = (size(rows), Vec::new());
        PngEncoder::new(&mut out).write_image(&noise(rows), w, h, color).unwrap();
        out
    };
    let jpeg = |rows: usize| {
        let ((w, h, color), mut out) = (size(rows), Vec::new());
        JpegEncoder::new(&mut out).write_image(&noise(rows), w, h, color).unwrap();
        out
    };
    let webp = |rows: usize| {
        let ((w, h, color), mut out) = (size(rows), Vec::new());
        WebPEncoder::new_lossless(&mut out).write_image(&noise(rows), w, h, color).unwrap();
        out
    };
    let tiff = |rows: usize| {
        let ((w, h, color), mut out) = (size(rows), Cursor::new(Vec::new()));
        TiffEncoder::new(&mut out).write_image(&noise(rows), w, h, color).unwrap();
        out.into_inner()
    };
    let read = |bytes: &Vec<u8>| assert_eq!(Picture::decode(bytes).unwrap().width, WIDTH);
    grows("PNG", 500, png, read);
    grows("JPEG", 500, jpeg, read);
    grows("WebP", 500, webp, read);
    grows("TIFF", 500, tiff, read);
}

/// A grey PNG image of one value, which compresses a thousandfold.
fn flat(width: usize, height: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let pixels = vec![7; width * height];
    PngEncoder::new(&mut out).write_image(&pixels, width as u32, height as u32, ExtendedColorType::L8).unwrap();
    out
}

#[test]
fn maps_are_scored_row_by_row() {
    let rules = Rules { classes: None, ignore: 255, from_one: false, boundary: Some(3) };
    let map = flat(4096, 4096);
    let score = || {
        let open = || LabelReader::of(map.clone()).unwrap();
        let score = compare(&mut open(), &mut open(), &rules).unwrap();
        assert_eq!(score.all.pixels(), 4096 * 4096);
    };
    let held = peak(score);
    // A quarter of one of the maps.
    assert!(held < 4 << 20, "{held} bytes for two maps of {} bytes", map.len());
    grows(
        "rows of a map",
        500,
        |rows| flat(1024, rows),
        |bytes| {
            let open = || LabelReader::of(bytes.clone()).unwrap();
            drop(compare(&mut open(), &mut open(), &rules).unwrap());
        },
    );
}
