//! Bytes as Pillow 11 resizes them, limits and damage.

mod formats;

use super::*;
use image::ImageFormat;
use proptest::prelude::*;
use regard_ir::random::fnv1a;
use std::io::Cursor;

/// A picture whose bytes are a formula, so that another program can make the same one.
fn noise(width: usize, height: usize) -> Picture {
    let byte = |i: usize| {
        let (x, y, c) = ((i / 3 % width) as u64, (i / 3 / width) as u64, (i % 3) as u64);
        ((x * x * 7 + y * y * 13 + x * y * 5 + c * 83 + 11).wrapping_mul(2_654_435_761) >> 13) as u8
    };
    Picture { width, height, rgb: (0..width * height * 3).map(byte).collect() }
}

/// Sizes are (width, height); the window is left, top, width, height; the bytes are Pillow's.
fn case(size: (usize, usize), to: (usize, usize), window: [usize; 4], head: [u8; 6], tail: [u8; 6], hash: u64) {
    let [left, top, width, height] = window;
    let found =
        resized(&noise(size.0, size.1), Interpolation::Bicubic, (to.1, to.0), Window { top, left, height, width });
    assert_eq!((found.width, found.height), (width, height));
    assert_eq!(found.rgb[..6], head, "{size:?} to {to:?}");
    assert_eq!(found.rgb[found.rgb.len() - 6..], tail, "{size:?} to {to:?}");
    assert_eq!(fnv1a(&found.rgb), hash, "{size:?} to {to:?}");
}

/// Halfway between two pixels, as column 26 of 53 is in 300, the rounding of Pillow's sum decides.
#[test]
fn the_nearest_pixel_is_pillows() {
    let picture = Picture { width: 300, height: 1, rgb: (0..300).flat_map(|i| [(i % 256) as u8; 3]).collect() };
    let columns = |left: usize, width: usize| {
        let window = Window { top: 0, left, height: 1, width };
        let rgb = resized(&picture, Interpolation::Nearest, (1, 53), window).rgb;
        rgb.into_iter().step_by(3).collect::<Vec<u8>>()
    };
    assert_eq!(columns(24, 5), [138, 144, 149, 155, 161]);
    assert_eq!(columns(0, 53)[24..29], columns(24, 5));
}

#[test]
fn resizing_is_pillows_to_the_bit() {
    let (a, b) = ([108, 110, 130, 111, 98, 76], [119, 127, 144, 130, 127, 127]);
    case((61, 47), (20, 15), [0, 0, 20, 15], a, b, 0x486d_869a_b652_1a1e);
    let (a, b) = ([9, 225, 193, 73, 149, 102], [92, 196, 181, 24, 225, 225]);
    case((61, 47), (130, 100), [3, 7, 120, 90], a, b, 0x748c_a2ec_3bda_d345);
    let (a, b) = ([118, 122, 133, 139, 131, 129], [128, 127, 121, 112, 99, 136]);
    case((300, 200), (48, 32), [8, 0, 32, 32], a, b, 0xd9ba_f773_2341_8cf8);
    let (a, b) = ([17, 245, 217, 52, 24, 251], [37, 9, 237, 140, 112, 83]);
    case((5, 90), (5, 90), [0, 0, 5, 90], a, b, 0x294a_42ed_3506_3410);
    let (a, b) = ([17, 245, 217, 17, 245, 217], [17, 245, 217, 17, 245, 217]);
    case((1, 1), (7, 9), [0, 0, 7, 9], a, b, 0xc924_e5f2_4d9c_ce34);
    let (a, b) = ([128, 135, 123, 109, 177, 142], [72, 171, 140, 138, 104, 76]);
    case((640, 427), (383, 256), [80, 16, 224, 224], a, b, 0xca56_fe6c_82f8_67f6);
    let (a, b) = ([117, 133, 149, 128, 139, 141], [122, 102, 93, 131, 128, 107]);
    case((17, 1000), (4, 250), [0, 13, 4, 224], a, b, 0xbf1a_11d6_f3ad_ade4);
}

#[test]
fn preparation_is_that_of_the_checkpoints() {
    // (width, height), model size, first two of red, first of green, one of blue, last, Σ|x|; made with Pillow and NumPy.
    let cases = [
        ((640, 427), 224, [0.074_064_63, -0.251_305_82, 0.327_731_2, -0.026_666_59, -0.479_825_62], 83_651.885_880_37),
        ((90, 333), 32, [0.776_179_5, 0.125_438_88, 0.887_955_25, 1.228_235_5, 0.374_204_84], 1_250.918_949_346),
    ];
    for ((width, height), side, expected, sum) in cases {
        let found = Preparation::default().prepared(&noise(width, height), side, side);
        let plane = side * side;
        let picked = [0, 1, plane, 2 * plane + side + 5, 3 * plane - 1].map(|i| found[i]);
        assert!(picked.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-6), "{picked:?} {expected:?}");
        let total: f64 = found.iter().map(|v| f64::from(v.abs())).sum();
        assert!((total - sum).abs() < 1e-6 * sum, "{total} {sum}");
    }
}

#[test]
fn other_model_sizes_keep_the_proportion() {
    let window = |top, left, height, width| Window { top, left, height, width };
    let place = |image, wanted| Preparation::default().placement(image, wanted);
    assert_eq!(place((480, 640), (224, 224)), ((256, 341), window(16, 58, 224, 224)));
    assert_eq!(place((640, 480), (224, 224)), ((341, 256), window(58, 16, 224, 224)));
    assert_eq!(place((500, 500), (448, 448)), ((512, 512), window(32, 32, 448, 448)));
    // A wide model on a square image: the width decides.
    assert_eq!(place((500, 500), (224, 448)), ((512, 512), window(144, 32, 224, 448)));
}

#[test]
fn extreme_shapes_need_little_memory() {
    let wide = Picture { width: 100_000, height: 1, rgb: vec![128; 300_000] };
    assert_eq!(Preparation::default().prepared(&wide, 224, 224).len(), 3 * 224 * 224);
}

#[test]
fn the_default_picture_is_small_and_decodes() {
    let picture = Picture::default_picture();
    assert_eq!((picture.width, picture.height), (320, 256));
    assert!(DEFAULT.len() < 10_000);
}

#[test]
fn bilinear_pixels_lie_between_their_neighbours() {
    let picture = Picture { width: 2, height: 1, rgb: vec![0, 100, 8, 200, 100, 0] };
    assert_eq!(bilinear(&picture, (1, 2)), picture);
    let wide = bilinear(&picture, (2, 4)).rgb;
    // Centers at −¼, ¼, ¾ and 1¼ of the two inputs.
    let line = [0, 100, 8, 50, 100, 6, 150, 100, 2, 200, 100, 0];
    assert_eq!(wide, [line, line].concat());
    assert_eq!(bilinear(&picture, (1, 1)).rgb, [100, 100, 4]);
    let fed = Preparation::default().normalised(&picture.whole(None, 1, 2));
    assert!((fed[1] - (200.0 / 255.0 - 0.485) / 0.229).abs() < 1e-6 && fed.len() == 6);
}

fn encoded(format: ImageFormat) -> Vec<u8> {
    let picture = noise(40, 30);
    let image = image::RgbImage::from_raw(40, 30, picture.rgb).unwrap();
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A PNG whose header names other dimensions, its checksum right.
fn png_claiming(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = encoded(ImageFormat::Png);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = bytes[12..29].iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| (c >> 1) ^ (0xEDB8_8320 & (c & 1).wrapping_neg()))
    });
    bytes[29..33].copy_from_slice(&(!crc).to_be_bytes());
    bytes
}

#[test]
fn bad_images_get_a_sentence() {
    let why = |bytes: &[u8]| Picture::decode(bytes).unwrap_err();
    assert!(why(b"").contains("expected PNG, JPEG, WebP or TIFF"));
    assert!(why(b"GIF89a").contains("expected PNG, JPEG, WebP or TIFF"));
    assert!(why(&png_claiming(0, 0)).contains("image"), "{}", why(&png_claiming(0, 0)));
    assert!(
        why(&png_claiming(60_000, 60_000)).contains("60000x60000 pixels"),
        "{}",
        why(&png_claiming(60_000, 60_000))
    );
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        let bytes = encoded(format);
        assert_eq!(Picture::decode(&bytes).unwrap().width, 40);
        let cut = why(&bytes[..bytes.len() / 2]);
        assert!(cut.contains("damaged") && !cut.contains('\n'), "{cut}");
    }
}

#[test]
fn png_is_lossless() {
    assert_eq!(Picture::decode(&encoded(ImageFormat::Png)).unwrap(), noise(40, 30));
}

proptest! {
    #[test]
    fn damaged_images_never_panic(jpeg in any::<bool>(), at in 0usize..5000, byte in any::<u8>(), cut in 0usize..5000) {
        let mut bytes = encoded(if jpeg { ImageFormat::Jpeg } else { ImageFormat::Png });
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(bytes.len() - cut % bytes.len() / 8);
        if let Ok(picture) = Picture::decode(&bytes) {
            prop_assert_eq!(picture.rgb.len(), picture.width * picture.height * 3);
        }
    }

    #[test]
    fn flat_pictures_stay_flat(width in 1usize..60, height in 1usize..60, byte in any::<u8>(), side in 1usize..40) {
        let picture = Picture { width, height, rgb: vec![byte; width * height * 3] };
        let resized = resized(&picture, Interpolation::Bicubic, (side, side), Window { top: 0, left: 0, height: side, width: side });
        prop_assert!(resized.rgb.iter().all(|&b| b.abs_diff(byte) <= 1));
    }
}
