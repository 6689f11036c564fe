//! Each command on input that is fine.

use super::*;
use regard::archive::Archive;

#[test]
fn every_command_has_help_with_an_example() {
    for command in [
        "models",
        "table",
        "compile",
        "run",
        "check",
        "show",
        "compare",
        "bench",
        "optimize",
        "explain",
        "convert",
        "score",
        "segment",
        "completions",
        "man",
    ] {
        let help = regard(&[command, "--help"]).ok();
        assert!(help.contains("Example") && help.contains("regard "), "{help}");
    }
    assert!(regard(&["--help"]).ok().contains("compile"));
    assert!(regard(&["--version"]).ok().contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn models_lists_the_zoo() {
    let table = regard(&["models"]).ok();
    let row = table.lines().find(|line| line.starts_with("swin_tiny")).expect("a row for Swin-T");
    assert!(row.contains("28.3 M") && row.contains("3x224x224"), "{row}");
}

#[test]
fn every_stage_is_shown_and_is_the_same_twice() {
    let dir = Dir::new();
    let block = dir.file("block.rg", BLOCK);
    let stages = [
        ("graph", "%s = matmul %q, %t"),
        ("optimized", "graph block"),
        ("plan", "matmul"),
        ("schedule", "schedule block for"),
        ("kernels", "kernel"),
        ("clif", "function"),
        ("buffers", "arena"),
    ];
    for (stage, expected) in stages {
        let shown = regard(&["show", &block, "--stage", stage]).ok();
        assert!(shown.contains(expected), "{stage}: {shown}");
        assert_eq!(shown, regard(&["show", &block, "--stage", stage]).ok(), "{stage}");
    }
    // What is shown can be read back.
    let again = dir.file("again.rg", regard(&["show", &block]).ok());
    assert_eq!(regard(&["show", &again]).ok(), regard(&["show", &block]).ok());
}

#[test]
fn check_compares_with_the_reference_on_both_devices() {
    let dir = Dir::new();
    let block = dir.file("block.rg", BLOCK);
    for device in ["cpu", "interpreter"] {
        let report = regard(&["check", &block, "--trials", "2", "--device", device]).ok();
        assert!(report.contains("worst relative error") && report.contains("ok"), "{report}");
    }
    // Kernels of machines that are not this one are run by the interpreter.
    for target in ["aarch64", "x86-64-v2", "x86-64-v4"] {
        let report = regard(&["check", &block, "--trials", "1", "--device", "interpreter", "--target", target]).ok();
        assert!(report.contains(target) && report.contains("ok"), "{report}");
    }
}

#[test]
fn check_fails_where_f32_cannot_hold_the_contract() {
    let dir = Dir::new();
    // 1 + 1e-9·x is 1 in f32.
    let text = "graph lost {
  %x = input : f32[64]
  %1 = mul %x, 1e-9
  %2 = add %1, 1.0
  %y = log %2
  return %y
}
";
    let lost = dir.file("lost.rg", text);
    let ran = regard(&["check", &lost]);
    assert!(ran.out.contains("BROKEN"), "{}", ran.out);
    assert!(ran.fails(1).contains("1 of 1 output breaks the contract"));
}

#[test]
fn run_evaluates_a_block_and_its_error() {
    let dir = Dir::new();
    let block = dir.file("block.rg", BLOCK);
    let out = regard(&["run", &block, "--check"]).ok();
    assert!(out.contains("synth:0") && out.contains("y : f32[2, 49, 32]"), "{out}");
    assert!(out.contains("against the f64 reference (below 1e-5)"), "{out}");
}

#[test]
fn raw_tensors_go_through() {
    let dir = Dir::new();
    let block = dir.file("double.rg", "graph double {\n  %x = input : f32[2, 3]\n  %y = add %x, %x\n  return %y\n}\n");
    let input = dir.file("in.safetensors", tensors(&[("x", &[2, 3], wave(6, 0.5))]));
    let output = dir.arg("out.safetensors");
    regard(&["run", &block, "--raw", &input, "-o", &output]).ok();
    let archive = Archive::open(Path::new(&output)).unwrap();
    assert_eq!(archive.stored("y").unwrap().shape, [2, 3]);
    assert_eq!(archive.floats("y").unwrap(), wave(6, 0.5).iter().map(|v| 2.0 * v).collect::<Vec<_>>());
    // Without a place for the outputs, what they are is printed.
    let said = regard(&["run", &block, "--raw", &input, "--check"]).ok();
    assert!(said.contains("y : f32[2, 3]  norm") && said.contains("error 0.0e0 against the f64"), "{said}");
}

#[test]
fn images_are_classified_with_labels() {
    let dir = Dir::new();
    let model = dir.file("tiny.rg", CLASSIFIER);
    let out = regard(&["run", &model]).ok();
    assert_eq!(out.matches("class ").count(), 5, "{out}");
    assert_eq!(out.matches('%').count(), 5, "{out}");
    assert!(out.contains("  in "), "{out}");

    let labels: String = (0..10).map(|i| format!("sort {i}\n")).collect();
    let labels = dir.file("labels.txt", labels);
    let image = dir.file("fish.png", include_bytes!("../../regard/src/assets/default.png"));
    let named = regard(&["run", &model, &image, &image, "--labels", &labels, "--top", "2"]).ok();
    assert_eq!(named.matches("sort ").count(), 4, "{named}");
    assert_eq!(named.matches("fish.png").count(), 2, "{named}");
    // The default picture is that very file: the same class comes first.
    let first = |text: &str, word: &str| text.split(word).nth(1).map(|rest| rest.lines().next().unwrap().to_owned());
    assert_eq!(first(&out, "class "), first(&named, "sort "));
}

#[test]
fn bench_prints_json_with_its_keys() {
    let dir = Dir::new();
    let block = dir.file("block.rg", BLOCK);
    let json = regard(&["bench", &block, "--json", "--threads", "1"]).ok();
    let value: serde_json::Value = serde_json::from_str(&json).expect("one JSON object");
    let keys = [
        "model",
        "batch",
        "threads",
        "dtype",
        "device",
        "median_ms",
        "min_ms",
        "compile_ms",
        "gflop",
        "gflop_per_s",
        "launches",
        "arena_bytes",
        "peak_bytes",
    ];
    assert_eq!(value.as_object().unwrap().len(), keys.len());
    assert!(keys.iter().all(|key| value.get(key).is_some()), "{json}");
    assert!(value["median_ms"].as_f64() >= value["min_ms"].as_f64());
    assert_eq!(value["model"], "block");
    let text = regard(&["bench", &block, "--kernels"]).ok();
    assert!(text.contains("median") && text.contains("intermediates") && text.contains("launches"), "{text}");
}

#[test]
fn lower_targets_agree() {
    let dir = Dir::new();
    let block = dir.file("block.rg", BLOCK);
    let input = dir.file("in.safetensors", tensors(&[("x", &[2, 49, 32], wave(2 * 49 * 32, 0.37))]));
    let mut results: Vec<Vec<f32>> = Vec::new();
    for target in regard::runtime::cpu::targets() {
        let output = dir.arg(&format!("{}.safetensors", target.name));
        regard(&["run", &block, "--target", target.name, "--raw", &input, "-o", &output]).ok();
        results.push(Archive::open(Path::new(&output)).unwrap().floats("y").unwrap());
    }
    assert!(!results.is_empty());
    for other in &results[1..] {
        assert!(results[0].iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}

#[test]
fn a_closed_pipe_ends_quietly() {
    use std::process::Stdio;
    let mut child = Command::new(env!("CARGO_BIN_EXE_regard"))
        .args(["show", "swin_tiny", "--stage", "kernels"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}
