//! Files of every format, as Pillow and the encoders here write them: colours, orientation, damage and claims.

use super::*;
use image::{
    ExtendedColorType, ImageEncoder,
    codecs::{jpeg::JpegEncoder, png::PngEncoder, tiff::TiffEncoder, webp::WebPEncoder},
};

macro_rules! picture {
    ($name:literal) => {
        (&include_bytes!(concat!("../../../../tests/pictures/", $name))[..], $name)
    };
}

/// The JPEG files.
fn jpegs() -> [(&'static [u8], &'static str); 4] {
    [picture!("progressive.jpg"), picture!("restarts.jpg"), picture!("grey.jpg"), picture!("cmyk.jpg")]
}

fn pixel(picture: &Picture, x: usize, y: usize) -> [u8; 3] {
    picture.rgb[3 * (y * picture.width + x)..][..3].try_into().unwrap()
}

#[test]
fn colours_are_those_that_pillow_sees() {
    // Columns 0, 20 and 23 of rows 0, 3 and 15; how far decoders may differ.
    let cases = [
        (picture!("rgb_lzw.tif"), [[0, 0, 0], [200, 45, 115], [230, 225, 190]], 0),
        (picture!("cmyk.tif"), [[0, 0, 0], [176, 40, 101], [203, 199, 168]], 2),
        (picture!("grey16.tif"), [[0; 3], [200; 3], [230; 3]], 0),
        (picture!("palette.png"), [[50, 45, 40], [170, 68, 108], [170, 195, 150]], 0),
        (picture!("lossy.webp"), [[3, 0, 7], [202, 42, 114], [227, 226, 192]], 6),
        (picture!("progressive.jpg"), [[1, 1, 3], [199, 46, 113], [229, 225, 188]], 3),
        (picture!("cmyk.jpg"), [[0, 0, 0], [176, 40, 101], [203, 199, 168]], 3),
    ];
    for ((bytes, name), expected, tolerance) in cases {
        let found = Picture::decode(bytes).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!((found.width, found.height), (24, 16), "{name}");
        let found = [(0, 0), (20, 3), (23, 15)].map(|(x, y)| pixel(&found, x, y));
        let near = found.as_flattened().iter().zip(expected.as_flattened()).all(|(a, b)| a.abs_diff(*b) <= tolerance);
        assert!(near, "{name}: {found:?}, expected {expected:?}");
    }
}

#[test]
fn sixteen_bits_grey_and_transparency_become_rgb() {
    let png = |color, bytes: &[u8]| {
        let mut out = Vec::new();
        PngEncoder::new(&mut out).write_image(bytes, 2, 1, color).unwrap();
        Picture::decode(&out).unwrap().rgb
    };
    assert_eq!(png(ExtendedColorType::L8, &[7, 200]), [7, 7, 7, 200, 200, 200]);
    assert_eq!(png(ExtendedColorType::La8, &[7, 0, 200, 255]), [7, 7, 7, 200, 200, 200]);
    assert_eq!(png(ExtendedColorType::Rgba8, &[1, 2, 3, 0, 4, 5, 6, 9]), [1, 2, 3, 4, 5, 6]);
    let words = |words: &[u16]| words.iter().flat_map(|w| w.to_ne_bytes()).collect::<Vec<u8>>();
    // 257 is one step of 8 bits; halves round to the nearest.
    assert_eq!(png(ExtendedColorType::L16, &words(&[128, 129])), [0, 0, 0, 1, 1, 1]);
    let wide = words(&[0, 257, 65535, 514, 771, 25700]);
    assert_eq!(png(ExtendedColorType::Rgb16, &wide), [0, 1, 255, 2, 3, 100]);
}

/// EXIF data that says nothing but an orientation, in both orders of bytes.
fn exif(orientation: u8, big: bool) -> Vec<u8> {
    let short = |value: u16| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let long = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let magic: &[u8] = if big { b"MM" } else { b"II" };
    let entry = [&short(0x112)[..], &short(3), &long(1), &short(orientation.into()), &[0; 2]].concat();
    [magic, &short(42), &long(8), &short(1), &entry, &long(0)].concat()
}

/// Three pixels by two, each of its own colour, as a camera sees them that is held in one of eight ways.
#[test]
fn all_eight_orientations_are_set_upright() {
    let names = ["abc/def", "cba/fed", "fed/cba", "def/abc", "ad/be/cf", "da/eb/fc", "fc/eb/da", "cf/be/ad"];
    let colors: [u8; 18] = std::array::from_fn(|i| (i / 3 * 40 + i % 3 * 9) as u8);
    let expected = |name: &str| -> Vec<u8> {
        name.bytes().filter(|&b| b != b'/').flat_map(|b| &colors[3 * usize::from(b - b'a')..][..3]).copied().collect()
    };
    for (orientation, name) in (1u8..).zip(names) {
        let mut png = Vec::new();
        let mut encoder = PngEncoder::new(&mut png);
        encoder.set_exif_metadata(exif(orientation, true)).unwrap();
        encoder.write_image(&colors, 3, 2, ExtendedColorType::Rgb8).unwrap();
        let mut webp = Vec::new();
        let mut encoder = WebPEncoder::new_lossless(&mut webp);
        encoder.set_exif_metadata(exif(orientation, false)).unwrap();
        encoder.write_image(&colors, 3, 2, ExtendedColorType::Rgb8).unwrap();
        for bytes in [&png, &webp] {
            let decoded = decode::decode(bytes).unwrap();
            assert_eq!(decoded.picture.rgb, expected(name), "orientation {orientation}");
            assert_eq!(decoded.picture.height, name.split('/').count());
            assert_eq!(decoded.orientation, (orientation > 1).then_some(orientation));
            let note = decoded.note();
            assert!(note.contains(&format!("EXIF orientation {orientation}")) || orientation == 1 && note.is_empty());
        }
        // In a JPEG the six colours are flat areas of 16×16.
        let large: Vec<u8> = (0..48 * 32)
            .flat_map(|i| {
                let (x, y) = (i % 48 / 16, i / 48 / 16);
                colors[3 * (3 * y + x)..][..3].to_vec()
            })
            .collect();
        let mut jpeg = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 95);
        encoder.set_exif_metadata(exif(orientation, true)).unwrap();
        encoder.write_image(&large, 48, 32, ExtendedColorType::Rgb8).unwrap();
        let found = Picture::decode(&jpeg).unwrap();
        let (columns, rows) = (found.width / 16, found.height / 16);
        let middles = (0..columns * rows).flat_map(|i| pixel(&found, 16 * (i % columns) + 8, 16 * (i / columns) + 8));
        let near = middles.zip(expected(name)).all(|(a, b)| a.abs_diff(b) <= 4);
        assert!(near && rows == name.split('/').count(), "orientation {orientation}");
    }
    // A TIFF file says it in a tag of its own, which this encoder does not write.
    let mut tiff = Cursor::new(Vec::new());
    TiffEncoder::new(&mut tiff).write_image(&colors, 3, 2, ExtendedColorType::Rgb8).unwrap();
    assert_eq!(Picture::decode(tiff.get_ref()).unwrap().rgb, colors);
}

#[test]
fn what_follows_the_end_of_a_jpeg_does_not_matter() {
    for (bytes, name) in jpegs() {
        let expected = Picture::decode(bytes).unwrap_or_else(|why| panic!("{name}: {why}"));
        for tail in [vec![0; 3 * bytes.len()], vec![0xff; 100], bytes.to_vec(), b"GIF89a".repeat(500)] {
            assert_eq!(Picture::decode(&[bytes, &tail].concat()).as_ref(), Ok(&expected), "{name}");
        }
    }
}

#[test]
fn jpegs_cut_off_anywhere_are_refused() {
    for (bytes, name) in jpegs() {
        for end in 2..bytes.len() - 1 {
            let cut = &bytes[..end];
            let zeros = [cut, &[0; 4096]].concat();
            let ended = [cut, &[0xff, 0xd9]].concat();
            for damaged in [cut, &zeros] {
                assert!(Picture::decode(damaged).is_err(), "{name} cut at {end}");
            }
            // A refining scan that is short makes a coarser picture; of all others an end put on does not help.
            if name != "progressive.jpg" && end < bytes.len() - 4 {
                assert!(Picture::decode(&ended).is_err(), "{name} cut at {end} and ended");
            }
        }
    }
}

/// The file with other dimensions in its header.
fn claiming(bytes: &[u8], width: u16, height: u16) -> Vec<u8> {
    let at = bytes.windows(2).position(|pair| matches!(pair, [0xff, 0xc0 | 0xc2])).unwrap();
    let mut bytes = bytes.to_vec();
    bytes[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
    bytes[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

#[test]
fn jpegs_that_claim_more_than_they_hold_are_refused() {
    for (bytes, name) in jpegs() {
        for (width, height) in [(24, 64), (64, 48), (400, 300), (11_585, 11_585), (65_500, 2_000)] {
            let why = Picture::decode(&claiming(bytes, width, height)).unwrap_err();
            assert!(why.contains("its data ends after"), "{name} {width}x{height}: {why}");
        }
    }
}

#[test]
fn small_files_may_not_ask_for_much_memory() {
    // Flat pictures compress a thousandfold.
    let mut png = Vec::new();
    PngEncoder::new(&mut png).write_image(&vec![0; 11_000 * 11_000], 11_000, 11_000, ExtendedColorType::L8).unwrap();
    let why = Picture::decode(&png).unwrap_err();
    assert!(why.contains("11000x11000 pixels and takes 484000000 bytes to decode"), "{why}");
    let mut png = Vec::new();
    PngEncoder::new(&mut png).write_image(&vec![9; 4000 * 3000], 4000, 3000, ExtendedColorType::L8).unwrap();
    assert_eq!(Picture::decode(&png).unwrap().width, 4000);
}

#[test]
fn a_decoder_that_panics_is_one_sentence() {
    let (bytes, _) = picture!("short_palette.png");
    let why = Picture::decode(bytes).unwrap_err();
    assert!(why.contains("damaged") && !why.contains('\n'), "{why}");
    let map = LabelMap::decode(bytes);
    assert!(map.is_ok() || map.unwrap_err().contains("damaged"));
}

#[test]
fn other_ways_to_resize_are_pillows_to_the_bit() {
    let check = |by, to: (usize, usize), [left, top, width, height]: [usize; 4], hash: u64| {
        let from = if to.0 == 48 { noise(300, 200) } else { noise(61, 47) };
        let found = resized(&from, by, (to.1, to.0), Window { top, left, height, width });
        assert_eq!(fnv1a(&found.rgb), hash, "{by:?} to {to:?}");
    };
    check(Interpolation::Bilinear, (20, 15), [0, 0, 20, 15], 0xa121_0d6a_4565_b991);
    check(Interpolation::Bilinear, (130, 100), [3, 7, 120, 90], 0x7cc1_9ec8_cda9_e2b7);
    check(Interpolation::Bilinear, (48, 32), [8, 0, 32, 32], 0x2595_e145_595f_39b4);
    check(Interpolation::Nearest, (20, 15), [0, 0, 20, 15], 0x08a6_a788_d435_661e);
    check(Interpolation::Nearest, (130, 100), [3, 7, 120, 90], 0x2fd4_83ce_0e98_200c);
    check(Interpolation::Nearest, (48, 32), [8, 0, 32, 32], 0xaa33_1ce4_4d63_6fb1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_files_of_every_format_never_panic(
        which in 0usize..8, at in any::<usize>(), byte in any::<u8>(), cut in any::<usize>(),
    ) {
        let all = [
            picture!("progressive.jpg"), picture!("restarts.jpg"), picture!("cmyk.jpg"), picture!("lossy.webp"),
            picture!("rgb_lzw.tif"), picture!("cmyk.tif"), picture!("grey16.tif"), picture!("palette.png"),
        ];
        let mut bytes = all[which].0.to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(bytes.len() - cut % 8);
        if let Ok(picture) = Picture::decode(&bytes) {
            prop_assert_eq!(picture.rgb.len(), picture.width * picture.height * 3);
        }
        let _ = LabelMap::decode(&bytes);
    }
}
