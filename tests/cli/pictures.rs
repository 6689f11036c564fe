//! Pictures on the command line: every format, upright, prepared as options and executables say.

use super::*;
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use regard::archive::Archive;

const PICTURES: &str = "tests/pictures";

/// Returns the means of the three channels of an 8×8 image.
const MEANS: &str = "graph means {
  %image = input : f32[1, 3, 8, 8]
  %1 = reshape %image { shape = [1, 3, 64] }
  %2 = reduce %1 { op = mean, axis = -1 }
  %logits = reshape %2 { shape = [1, 3] }
  return %logits
}
";

/// Three classes per pixel: the channels themselves.
const CHANNELS: &str = "graph channels {
  %image = input : f32[1, 3, 8, 8]
  %logits = mul %image, 1.0
  return %logits
}
";

/// EXIF data that says nothing but an orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let entry = [0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0];
    [&b"MM\0\x2a\0\0\0\x08\0\x01"[..], &entry, &[0; 4]].concat()
}

/// 16 columns by 8 rows: the left half red, the right half blue; green grows downwards.
fn halves(orientation: u8) -> Vec<u8> {
    let pixel = |i: usize| {
        let (red, blue) = if i % 16 < 8 { (200, 0) } else { (0, 200) };
        [red, (i / 16 * 10) as u8, blue]
    };
    let bytes: Vec<u8> = (0..16 * 8).flat_map(pixel).collect();
    let mut out = Vec::new();
    let mut encoder = PngEncoder::new(&mut out);
    encoder.set_exif_metadata(exif(orientation)).unwrap();
    encoder.write_image(&bytes, 16, 8, ExtendedColorType::Rgb8).unwrap();
    out
}

fn logits(path: &str) -> Vec<f32> {
    Archive::open(Path::new(path)).unwrap().floats("logits").unwrap()
}

#[test]
fn every_format_is_read_and_orientation_is_said() {
    let dir = Dir::new();
    let model = dir.file("means.rg", MEANS);
    for name in ["cmyk.jpg", "grey16.tif", "lossy.webp", "palette.png", "progressive.jpg", "rgb_lzw.tif"] {
        let out = regard(&["run", &model, &format!("{PICTURES}/{name}")]).ok();
        assert!(out.contains(name) && !out.contains("EXIF"), "{out}");
    }
    let output = dir.arg("out.safetensors");
    let mut all = Vec::new();
    for orientation in [1, 6] {
        let image = dir.file("halves.png", halves(orientation));
        let out = regard(&["run", &model, &image, "--resize", "16x16", "-o", &output]).ok();
        assert_eq!(out.contains("halves.png (turned right by 90°, EXIF orientation 6)"), orientation == 6, "{out}");
        all.push(logits(&output));
    }
    // Turned, the middle holds as much of both halves as before.
    assert!(all[0].iter().zip(&all[1]).all(|(a, b)| (a - b).abs() < 0.05), "{all:?}");
    let err = regard(&["run", &model, &format!("{PICTURES}/short_palette.png")]).fails(1);
    assert!(err.contains("short_palette.png") && err.trim().lines().count() == 1, "{err}");
}

#[test]
fn options_prepare_pictures_and_executables_carry_them() {
    let dir = Dir::new();
    let model = dir.file("means.rg", MEANS);
    let image = dir.file("halves.png", halves(1));
    let output = dir.arg("out.safetensors");
    let run = |options: &[&str]| {
        let out = regard(&[&["run", &model, &image, "-o", &output], options].concat()).ok();
        (out, logits(&output))
    };
    let (out, usual) = run(&[]);
    assert!(!out.contains("pictures:"), "{out}");
    // (x/255 − m)/s is undone by other means and deviations.
    let (out, plain) = run(&["--mean", "0", "--std", "1"]);
    assert!(out.contains("pictures: mean 0,0,0, std 1,1,1"), "{out}");
    let (mean, deviation) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    assert!((0..3).all(|c| (plain[c] - (usual[c] * deviation[c] + mean[c])).abs() < 1e-5), "{plain:?} {usual:?}");
    // The middle 8 of 16 columns, exactly: four red and four blue ones.
    let exact = ["--mean", "0", "--std", "1", "--resize", "8x16", "--crop", "8", "--interpolation", "nearest"];
    let (_, exact_values) = run(&exact);
    assert!((exact_values[0] - 100.0 / 255.0).abs() < 1e-6 && (exact_values[2] - 100.0 / 255.0).abs() < 1e-6);
    assert!((exact_values[1] - 35.0 / 255.0).abs() < 1e-6);
    let program = dir.arg("means");
    regard(&[&["compile", &model, "-o", &program][..], &exact].concat()).ok();
    let again = start(Path::new(&program), &[&image, "-o", &output]).ok();
    assert!(again.contains("interpolation nearest"), "{again}");
    assert_eq!(logits(&output), exact_values);
    // What the command line says counts before what the executable carries.
    start(Path::new(&program), &[&image, "-o", &output, "--mean", "0.5"]).ok();
    assert!((logits(&output)[1] - (exact_values[1] - 0.5)).abs() < 1e-6);

    for wrong in [
        &["--mean", "123.675,116.28,103.53"][..],
        &["--std", "0"],
        &["--crop", "16"],
        &["--crop", "2.5"],
        &["--resize", "4"],
        &["--resize", "16", "--crop", "0.9"],
        &["--interpolation", "cubic"],
    ] {
        let err = regard(&[&["run", &model, &image], wrong].concat()).fails(2);
        assert!(err.contains(wrong[0]), "{wrong:?}: {err}");
    }
    let raw = dir.file("in.safetensors", tensors(&[("image", &[1, 3, 8, 8], wave(192, 0.1))]));
    let err = regard(&["run", &model, "--raw", &raw, "-o", &output, "--mean", "0"]).fails(2);
    assert!(err.contains("--mean is about images"), "{err}");
    regard(&["compile", &model, "--emit", "obj", "-o", &dir.arg("m.o"), "--mean", "0"]).fails(2);
}

#[test]
fn segmentation_takes_the_same_options() {
    let dir = Dir::new();
    let model = dir.file("channels.rg", CHANNELS);
    let image = dir.file("halves.png", halves(3));
    let map = dir.arg("map.png");
    let out = regard(&["segment", &model, &image, "--map", &map]).ok();
    assert!(out.contains("(turned by 180°, EXIF orientation 3)"), "{out}");
    let read = || regard::images::LabelMap::open(Path::new(&map)).unwrap();
    // Upside down blue is on the left; the map is as large as the picture.
    let whole = read();
    assert_eq!((whole.width, whole.height, whole.classes[0], whole.classes[15]), (16, 8, 2, 0));
    // A mean that is never reached, but for green.
    regard(&["segment", &model, &image, "--map", &map, "--mean", "1,0,1", "--std", "1"]).ok();
    assert!(read().classes.iter().all(|&class| class == 1));
    let crop = ["--resize", "8x16", "--crop", "8", "--interpolation", "nearest"];
    regard(&[&["segment", &model, &image, "--map", &map][..], &crop].concat()).ok();
    let cropped = read();
    assert_eq!((cropped.width, cropped.height), (8, 8));
    assert_eq!(cropped.classes[..8], [2, 2, 2, 2, 0, 0, 0, 0]);
    let err = regard(&["segment", &model, &image, "--map", &map, "--resize", "16"]).fails(2);
    assert!(err.contains("--resize"), "{err}");
}

#[test]
fn labels_may_begin_with_a_mark_and_never_reach_the_terminal_raw() {
    let dir = Dir::new();
    let model = dir.file("means.rg", MEANS);
    let labels = dir.file("labels.txt", "\u{feff}red\ngr\u{1b}[2Jeen\nblue\u{7}\n");
    let image = dir.file("halves.png", halves(1));
    let program = dir.arg("means");
    regard(&["compile", &model, "-o", &program, "--labels", &labels]).ok();
    for out in [regard(&["run", &model, &image, "--labels", &labels]).ok(), start(Path::new(&program), &[&image]).ok()]
    {
        assert!(out.contains("  red\n") && out.contains(r"gr\u{1b}[2Jeen") && out.contains(r"blue\u{7}"), "{out}");
        assert!(!out.contains('\u{1b}') && !out.contains('\u{feff}'), "{out:?}");
    }
    let marked = dir.file("marked.rg", format!("\u{feff}{MEANS}"));
    regard(&["check", &marked, "--trials", "1"]).ok();
}
