//! Pictures and label maps: decoded, or refused in one sentence.

use super::{Case, check};
use image::{ExtendedColorType, ImageEncoder, codecs::jpeg::JpegEncoder, codecs::png::PngEncoder};

const CLASSIFIER: &str = "graph tiny {
  %image = input : f32[1, 3, 32, 32]
  %w = weight : f32[3072, 10]
  %1 = reshape %image { shape = [1, 3072] }
  %y = matmul %1, %w
  return %y
}
";

/// A PNG chunk.
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [kind, data].concat();
    let crc = crc32fast::hash(&body);
    [&(data.len() as u32).to_be_bytes(), &body[..], &crc.to_be_bytes()].concat()
}

/// A PNG file of a palette with `palette` bytes, one pixel.
fn palette(palette: usize) -> Vec<u8> {
    let header = [0, 0, 0, 1, 0, 0, 0, 1, 8, 3, 0, 0, 0];
    // A stored deflate block with the filter byte and one index.
    let data = [0x78, 0x01, 1, 2, 0, 0xfd, 0xff, 0, 0, 0, 2, 0, 1];
    let chunks =
        [chunk(b"IHDR", &header), chunk(b"PLTE", &vec![7; palette]), chunk(b"IDAT", &data), chunk(b"IEND", &[])];
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunks.concat()].concat()
}

fn jpeg() -> Vec<u8> {
    let mut bytes = Vec::new();
    let pixels: Vec<u8> = (0..16 * 16 * 3).map(|i| (i * 7 % 251) as u8).collect();
    JpegEncoder::new(&mut bytes).write_image(&pixels, 16, 16, ExtendedColorType::Rgb8).expect("a picture");
    bytes
}

/// The same picture, said to be of another size.
fn claiming(mut jpeg: Vec<u8>, height: u16, width: u16) -> Vec<u8> {
    let at = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame header");
    jpeg[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
    jpeg[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
    jpeg
}

#[test]
fn pictures_are_decoded_or_refused() {
    let case = |name, code, says, file, bytes: Vec<u8>| {
        let args = if file == "x.png" { "run tiny.rg x.png" } else { "run tiny.rg x.jpg" };
        Case::new(name, args, code, says).with("tiny.rg", CLASSIFIER).with(file, bytes)
    };
    check(vec![
        case("a palette that is not of triples", 1, "x.png", "x.png", palette(4)),
        case("an empty palette", 1, "x.png", "x.png", palette(0)),
        case("a picture that claims millions of pixels", 1, "x.jpg", "x.jpg", claiming(jpeg(), 11_000, 12_000)),
        case("zeros after the end", 0, "class", "x.jpg", [jpeg(), vec![0; 4000]].concat()),
        case("a picture without its end", 1, "x.jpg", "x.jpg", jpeg()[..400].to_vec()),
    ]);
}

#[test]
fn label_maps_cost_what_they_show() {
    let (width, height) = (8192, 8192);
    let mut bytes = Vec::new();
    let pixels = vec![0; width * height];
    PngEncoder::new(&mut bytes)
        .write_image(&pixels, width as u32, height as u32, ExtendedColorType::L8)
        .expect("a map");
    let case = Case::new("boundary of a large map", "score --pred pred --truth truth --boundary 3", 0, "mIoU");
    check(vec![Case {
        seconds: 6,
        mebibytes: 600,
        ..case.with("pred/x.png", bytes.clone()).with("truth/x.png", bytes)
    }]);
}
