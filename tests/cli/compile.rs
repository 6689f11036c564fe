//! Executables, objects and text; and executables that were damaged.

use super::*;
use regard::archive::Archive;
use std::os::unix::fs::PermissionsExt;

/// The classifier compiled, and its executable.
fn packaged(dir: &Dir) -> PathBuf {
    let model = dir.file("tiny.rg", CLASSIFIER);
    let out = regard(&["compile", &model, "-o", &dir.arg("tiny")]).ok();
    assert!(out.contains("synth:0"), "{out}");
    dir.path("tiny")
}

#[test]
fn an_executable_runs_alone() {
    let dir = Dir::new();
    let exe = packaged(&dir);
    assert_eq!(dir.names(), ["tiny", "tiny.rg"]);
    let help = start(&exe, &["--help"]).ok();
    assert!(help.contains("photo.jpg") && help.contains("--raw") && help.contains("tiny"), "{help}");
    let out = start(&exe, &[]).ok();
    assert!(out.contains("synth:0") && out.matches("class ").count() == 5 && out.contains("  in "), "{out}");
    // The same through `regard run`.
    let via = regard(&["run", exe.to_str().unwrap()]).ok();
    let classes = |text: &str| text.lines().filter(|l| l.contains('%')).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(classes(&out), classes(&via));
    let image = dir.file("fish.png", include_bytes!("../../regard/src/assets/default.png"));
    assert_eq!(classes(&start(&exe, &[&image, "--threads", "3"]).ok()), classes(&out));
    assert_eq!(start(&exe, &["--nonsense"]).code, 2);
}

#[test]
fn an_executable_computes_what_regard_computes() {
    let dir = Dir::new();
    let exe = packaged(&dir);
    let input = dir.file("in.safetensors", tensors(&[("image", &[1, 3, 32, 32], wave(3072, 0.013))]));
    let (ours, theirs) = (dir.arg("ours.safetensors"), dir.arg("theirs.safetensors"));
    start(&exe, &["--raw", &input, "-o", &theirs]).ok();
    regard(&["run", &dir.arg("tiny.rg"), "--raw", &input, "-o", &ours]).ok();
    let read = |path: &str| Archive::open(Path::new(path)).unwrap().floats("logits").unwrap();
    assert_eq!(read(&ours), read(&theirs));
}

#[test]
fn labels_travel_with_the_executable() {
    let dir = Dir::new();
    let model = dir.file("tiny.rg", CLASSIFIER);
    let labels = dir.file("labels.txt", (0..10).map(|i| format!("sort {i}\n")).collect::<String>());
    regard(&["compile", &model, "-o", &dir.arg("tiny"), "--labels", &labels]).ok();
    assert_eq!(start(&dir.path("tiny"), &["--top", "3"]).ok().matches("sort ").count(), 3);
    let short = dir.file("short.txt", "one\ntwo\n");
    let why = regard(&["compile", &model, "-o", &dir.arg("other"), "--labels", &short]).fails(1);
    assert!(why.contains("2 lines") && why.contains("10 classes"), "{why}");
    assert!(!dir.path("other").exists());
}

#[test]
fn damaged_executables_say_so() {
    let dir = Dir::new();
    let bytes = fs::read(packaged(&dir)).unwrap();
    let run = |name: &str, bytes: &[u8]| {
        let path = dir.file(name, bytes);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        regard(&["run", &path]).fails(1)
    };
    let n = bytes.len();
    assert!(run("cut", &bytes[..n - 1000]).contains("damaged"));
    let mut program = bytes.clone();
    program[n - 400] ^= 1;
    assert!(run("program", &program).contains("checksum"));
    // The weights are just before the program; any byte of them counts.
    let weight = 0.5f32.to_le_bytes();
    let mut weights = bytes.clone();
    let constants = find_constants(&bytes);
    weights[constants..constants + 4].copy_from_slice(&weight);
    assert!(run("weights", &weights).contains("checksum of its constants"));
    assert!(run("none", b"#!/bin/sh\n").contains("neither a .rg file nor an executable"));
    // Run by itself, the damaged executable says the same.
    assert!(start(&dir.path("program"), &[]).fails(1).contains("checksum"));
}

/// Where the first constant of the classifier lies: `w` is packed in panels, its first value is the weight's.
fn find_constants(bytes: &[u8]) -> usize {
    let first = regard::models::synthetic::parameter("w", &[192, 10], 0);
    let row: Vec<u8> = first[..4].iter().flat_map(|v| v.to_le_bytes()).collect();
    bytes.windows(row.len()).position(|w| w == row).expect("the packed weight")
}

#[test]
fn objects_come_with_header_and_weights() {
    let dir = Dir::new();
    let model = dir.file("tiny.rg", CLASSIFIER);
    regard(&["compile", &model, "--emit", "obj", "-o", &dir.arg("net.o")]).ok();
    assert_eq!(dir.names(), ["net.h", "net.o", "net.weights", "tiny.rg"]);
    let header = fs::read_to_string(dir.path("net.h")).unwrap();
    assert!(header.contains("net_run") && header.contains("net_weight_bytes"), "{header}");
    let weights = fs::metadata(dir.path("net.weights")).unwrap().len();
    assert!(header.contains(&format!("UINT64_C({weights})")), "{header}");
    assert_eq!(&fs::read(dir.path("net.o")).unwrap()[..4], b"\x7fELF");
}

#[test]
fn text_is_written_and_reads_back() {
    let dir = Dir::new();
    let block = dir.file("block.rg", BLOCK);
    regard(&["compile", &block, "--emit", "rg", "-o", &dir.arg("copy.rg")]).ok();
    assert_eq!(fs::read_to_string(dir.path("copy.rg")).unwrap(), regard(&["show", &block]).ok());
    regard(&["check", &dir.arg("copy.rg"), "--trials", "1"]).ok();
    regard(&["compile", &block, "--emit", "clif", "-o", &dir.arg("block.clif")]).ok();
    assert!(fs::read_to_string(dir.path("block.clif")).unwrap().contains("function"));
}

#[test]
fn compiling_twice_gives_the_same_bytes() {
    let dir = Dir::new();
    let model = dir.file("tiny.rg", CLASSIFIER);
    for name in ["a", "b"] {
        regard(&["compile", &model, "-o", &dir.arg(name)]).ok();
    }
    assert!(fs::read(dir.path("a")).unwrap() == fs::read(dir.path("b")).unwrap());
}

#[test]
fn stages_that_are_graphs_have_pictures() {
    let dir = Dir::new();
    let block = dir.file("block.rg", BLOCK);
    for (stage, mention) in [("graph", "softmax"), ("optimized", "scores"), ("plan", "attend")] {
        let dot = regard(&["show", &block, "--stage", stage, "--format", "dot"]).ok();
        assert!(dot.starts_with("digraph ") && dot.contains(mention) && dot.contains(" -> "), "{dot}");
    }
    let err = regard(&["show", &block, "--stage", "kernels", "--format", "dot"]).fails(1);
    assert!(err.contains("expected graph, optimized or plan"), "{err}");
}
