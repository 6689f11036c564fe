//! Pictures of classes, and their scores.

use super::*;
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

/// Three classes from the colour of 4×4 patches: the brightest channel.
const SEGMENTER: &str = "graph patches {
  %image = input : f32[1, 3, 16, 24]
  %1 = reshape %image { shape = [1, 3, 4, 4, 6, 4] }
  %2 = reduce %1 { op = mean, axis = -1 }
  %3 = reduce %2 { op = mean, axis = -3 }
  %logits = reshape %3 { shape = [1, 3, 4, 6] }
  return %logits
}
";

fn png(size: (u32, u32), color: ExtendedColorType, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    PngEncoder::new(&mut out).write_image(bytes, size.0, size.1, color).unwrap();
    out
}

fn grey(width: u32, labels: &[u8]) -> Vec<u8> {
    png((width, labels.len() as u32 / width), ExtendedColorType::L8, labels)
}

/// A picture of 48×32 pixels: red, green and blue stripes of 16 columns.
fn stripes() -> Vec<u8> {
    let pixel = |i: usize| [[250, 10, 10], [10, 250, 10], [10, 10, 250]][i % 48 / 16];
    png((48, 32), ExtendedColorType::Rgb8, &(0..48 * 32).flat_map(pixel).collect::<Vec<u8>>())
}

#[test]
fn an_image_is_segmented_and_its_map_scored() {
    let dir = Dir::new();
    let (graph, image) = (dir.file("net.rg", SEGMENTER), dir.file("stripes.png", stripes()));
    fs::create_dir(dir.path("pred")).unwrap();
    fs::create_dir(dir.path("truth")).unwrap();
    let (overlay, map) = (dir.arg("overlay.png"), dir.arg("pred/a.png"));
    let args = ["segment", &graph, &image, "-o", &overlay, "--map", &map];
    let out = regard(&args).ok();
    assert_eq!(out.matches(" 33.33 %").count(), 3, "{out}");
    let first = fs::read(&overlay).unwrap();
    regard(&args).ok();
    assert_eq!(first, fs::read(&overlay).unwrap());
    let seen = regard::images::Picture::open(Path::new(&overlay)).unwrap();
    assert_eq!((seen.width, seen.height), (48, 32));
    let found = regard::images::LabelMap::open(Path::new(&map)).unwrap();
    let expected: Vec<u8> = (0..48 * 32).map(|i| (i % 48 / 16) as u8).collect();
    assert_eq!(found.classes, expected);
    dir.file("truth/a.png", grey(48, &expected));
    let score = regard(&["score", "--pred", &dir.arg("pred"), "--truth", &dir.arg("truth"), "--boundary", "2"]).ok();
    assert_eq!(score.matches("100.00").count(), 6, "{score}");
    // The same through an executable.
    let program = dir.arg("net");
    regard(&["compile", &graph, "-o", &program]).ok();
    let again = dir.arg("again.png");
    regard(&["segment", &program, &image, "-o", &again]).ok();
    assert_eq!(first, fs::read(&again).unwrap());
}

#[test]
fn programs_that_segment_nothing_are_refused() {
    let dir = Dir::new();
    let image = dir.file("stripes.png", stripes());
    let run = |graph: &str| {
        let graph = dir.file("g.rg", graph);
        regard(&["segment", &graph, &image, "-o", &dir.arg("o.png")]).fails(1)
    };
    let err = run(BLOCK);
    assert!(err.contains("takes (x : f32[2, 49, 32]), expected one image"), "{err}");
    let err = run(CLASSIFIER);
    assert!(err.contains("returns (logits : f32[1, 10])") && err.contains("expected logits"), "{err}");
    let graph = dir.file("net.rg", SEGMENTER);
    regard(&["segment", &graph, &image]).fails(2);
    regard(&["segment", &graph, &image, "-o", &dir.arg("o.png"), "--opacity", "2"]).fails(2);
    let labels = dir.file("labels.txt", "road\n");
    let err = regard(&["segment", &graph, &image, "-o", &dir.arg("o.png"), "--labels", &labels]).fails(1);
    assert!(err.contains("1 line, but class 2 occurs"), "{err}");
    assert!(!dir.path("o.png").exists());
}

/// Two directories with a map each, by hand: see the unit tests of the score for the sums.
fn directories(dir: &Dir) -> [String; 2] {
    fs::create_dir(dir.path("pred")).unwrap();
    fs::create_dir(dir.path("truth")).unwrap();
    dir.file("truth/a.png", grey(4, &[0, 0, 1, 1, 0, 0, 1, 255]));
    dir.file("pred/a.png", grey(4, &[0, 1, 1, 1, 0, 0, 2, 9]));
    [dir.arg("pred"), dir.arg("truth")]
}

#[test]
fn scores_are_those_counted_by_hand() {
    let dir = Dir::new();
    let [pred, truth] = directories(&dir);
    let base = ["score", "--pred", &pred, "--truth", &truth, "--boundary", "0"];
    let table = regard(&[&base[..], &["--per-class"]].concat()).ok();
    assert!(table.contains("1 image, 3 classes") && table.contains("41.67  70.83  71.43        7"), "{table}");
    assert!(table.contains("within 0 of a boundary"), "{table}");
    let json = regard(&[&base[..], &["--json", "--per-class"]].concat()).ok();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let close = |value: &serde_json::Value, expected: f64| assert!((value.as_f64().unwrap() - expected).abs() < 1e-12);
    close(&value["all"]["miou"], 1.25 / 3.0);
    close(&value["all"]["aacc"], 5.0 / 7.0);
    // Edge pixels are the two middle columns: truth 0 1 0 1, predicted 1 1 0 2.
    assert_eq!(value["boundary"]["pixels"], 4);
    close(&value["boundary"]["aacc"], 0.5);
    close(&value["boundary"]["miou"], (0.5 + 1.0 / 3.0 + 0.0) / 3.0);
    assert_eq!(value["per_class"].as_array().unwrap().len(), 3);
    assert!(value["per_class"][2]["acc"].is_null());
}

#[test]
fn directories_that_cannot_be_compared_are_explained() {
    let dir = Dir::new();
    let [pred, truth] = directories(&dir);
    let score = |more: &[&str]| regard(&[&["score", "--pred", &pred, "--truth", &truth], more].concat());
    let err = score(&["--classes", "2"]).fails(1);
    assert!(err.contains("pred/a.png: label 2 at column 2, row 1, expected at most 1"), "{err}");
    score(&["--classes", "0"]).fails(2);
    assert!(score(&["--ignore", "300"]).fails(2).contains("300"));
    dir.file("truth/b.png", grey(2, &[0, 0]));
    assert!(score(&[]).fails(1).contains("has no map b.png"));
    dir.file("pred/b.png", grey(1, &[0, 0]));
    assert!(score(&[]).fails(1).contains("1x2 pixels, expected 2x1"));
    dir.file("pred/b.png", stripes());
    assert!(score(&[]).fails(1).contains("Rgb of 8 bits, expected labels"));
    dir.file("pred/b.png", b"none");
    assert!(score(&[]).fails(1).contains("not a label map"));
    fs::create_dir(dir.path("empty")).unwrap();
    assert!(regard(&["score", "--pred", &dir.arg("empty"), "--truth", &truth]).fails(1).contains("holds no PNG files"));
    assert!(
        regard(&["score", "--pred", &dir.arg("absent"), "--truth", &truth]).fails(1).contains("is not a directory")
    );
}
