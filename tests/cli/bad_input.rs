//! Bad input: one clear error, the right exit code, nothing lost and nothing left behind.

use super::*;

#[test]
fn a_wrong_command_line_exits_with_two() {
    for args in [
        &[][..],
        &["frobnicate"],
        &["run"],
        &["compile", "swin_tiny", "--emit", "dll"],
        &["show", "swin_tiny", "--stage", "nowhere"],
        &["run", "swin_tiny", "--size", "224x"],
        &["run", "swin_tiny", "--threads", "0"],
        &["run", "swin_tiny", "--target", "z80"],
        &["run", "swin_tiny", "--weights", "synth:many"],
        &["run", "swin_tiny", "--size", "230x224"],
        &["run", "swin_tiny", "--batch", "0"],
        &["check"],
        &["check", "swin_tiny", "--trials", "0"],
        &["check", "--rules", "--trials", "0"],
        &["check", "swin_tiny", "--mutate"],
        &["check", "--mutate"],
        &["check", "swim_tiny", "--rules"],
        &["check", "--rules", "--no-rule", "atend"],
        &["check", "--rules", "--device", "interpreter"],
    ] {
        let err = regard(args).fails(2);
        assert!(!err.is_empty(), "{args:?}");
    }
}

#[test]
fn unknown_models_get_the_nearest_names() {
    for command in ["run", "compile", "show", "check", "bench"] {
        let err = regard(&[command, "swim_tiny"]).fails(2);
        assert!(err.contains("`swim_tiny`") && err.contains("did you mean `swin_tiny`"), "{err}");
    }
}

#[test]
fn sizes_that_do_not_divide_are_explained() {
    let err = regard(&["run", "swin_tiny", "--size", "230x224"]).fails(2);
    assert!(err.contains("230x224") && err.contains("multiple of 224"), "{err}");
}

#[test]
fn errors_in_text_are_drawn_at_their_place() {
    let dir = Dir::new();
    let cases = [
        (BLOCK.replace("matmul %q, %t", "matmul %q %t"), "6:", "%s = matmul %q %t"),
        (BLOCK.replace("softmax", "softmx"), "7:", "softmax"),
        (BLOCK.replace("[-1, -2]", "[-1, -7]"), "5:", "order"),
        (BLOCK.replace("weight : f32[32, 32]", "weight : f32[33, 32]"), "4:", "33"),
        (BLOCK.replace("return %y", "return %z"), "9:", "%z"),
        (BLOCK.replace("return %y\n}", "return %y"), "", "}"),
        (String::new(), "1:1", "graph"),
    ];
    for (text, place, mention) in cases {
        let path = dir.file("bad.rg", &text);
        let err = regard(&["check", &path]).fails(1);
        assert!(err.contains(&format!("bad.rg:{place}")), "{err}");
        assert!(err.contains(mention) && err.contains('^') && err.contains("error"), "{err}");
    }
    let binary = dir.file("binary.rg", b"\xff\xfe graph");
    assert!(regard(&["show", &binary]).fails(1).contains("not UTF-8"));
    assert!(regard(&["show", &dir.arg("absent.rg")]).fails(1).contains("absent.rg"));
}

#[test]
fn tensors_that_no_machine_holds_are_refused() {
    let dir = Dir::new();
    let huge =
        dir.file("huge.rg", "graph huge {\n  %x = input : f32[500000, 500000]\n  %y = add %x, %x\n  return %y\n}\n");
    for command in ["run", "check", "bench"] {
        let err = regard(&[command, &huge]).fails(1);
        // The reference of a check is what does not fit first.
        let of_reference = command == "check" && err.contains("the reference would hold 250000000000 elements");
        assert!(of_reference || err.contains("%x is f32[500000, 500000] and takes 1000000000000 bytes"), "{err}");
    }
}

/// Runs the classifier on a checkpoint with these tensors.
fn with_weights(dir: &Dir, bytes: &[u8], more: &[&str]) -> Ran {
    let model = dir.file("tiny.rg", CLASSIFIER);
    let weights = dir.file("w.safetensors", bytes);
    regard(&[&["run", &model, "--weights", &weights], more].concat())
}

#[test]
fn every_wrong_weight_is_named() {
    let dir = Dir::new();
    let mut broken = wave(10, 0.3);
    broken[7] = f32::NAN;
    let bytes = tensors(&[("w", &[10, 192], wave(1920, 0.1)), ("b", &[10], broken), ("c", &[2], wave(2, 0.1))]);
    let err = with_weights(&dir, &bytes, &[]).fails(1);
    assert!(err.contains("shape mismatch w: found [10, 192], expected [192, 10]"), "{err}");
    assert!(err.contains("not finite b: found NaN at position 7"), "{err}");
    assert!(err.contains("unexpected c: found F32[2]"), "{err}");
    assert!(err.contains("3 faults"), "{err}");

    let err = with_weights(&dir, &tensors(&[("w", &[192, 10], wave(1920, 0.1))]), &[]).fails(1);
    assert!(err.contains("missing    b: expected f32[10]"), "{err}");
}

#[test]
fn surplus_weights_can_be_allowed_and_derived_buffers_always_are() {
    let dir = Dir::new();
    let (w, b) = (wave(1920, 0.1), wave(10, 0.3));
    let extra = tensors(&[("w", &[192, 10], w.clone()), ("b", &[10], b.clone()), ("c", &[2], wave(2, 0.1))]);
    assert!(with_weights(&dir, &extra, &[]).fails(1).contains("--allow-extra"));
    let out = with_weights(&dir, &extra, &["--allow-extra"]).ok();
    assert!(out.contains("w.safetensors") && !out.contains("synth"), "{out}");
    let derived = tensors(&[("w", &[192, 10], w), ("b", &[10], b), ("x.relative_position_index", &[2], wave(2, 0.1))]);
    with_weights(&dir, &derived, &[]).ok();
}

#[test]
fn damaged_checkpoints_are_refused() {
    let dir = Dir::new();
    let good = tensors(&[("w", &[192, 10], wave(1920, 0.1)), ("b", &[10], wave(10, 0.3))]);
    assert!(with_weights(&dir, &good[..good.len() - 5], &[]).fails(1).contains("truncated"));
    assert!(with_weights(&dir, b"", &[]).fails(1).contains("it is empty"));
    assert!(with_weights(&dir, &u64::MAX.to_le_bytes(), &[]).fails(1).contains("claims"));
    let hostile = br#"{"w":{"dtype":"F32","shape":[18446744073709551615,2],"data_offsets":[0,8]}}"#;
    let bytes = [&(hostile.len() as u64).to_le_bytes(), &hostile[..], &[0; 8]].concat();
    assert!(with_weights(&dir, &bytes, &[]).fails(1).contains("header is invalid"));
    let model = dir.file("tiny.rg", CLASSIFIER);
    assert!(regard(&["run", &model, "--weights", &dir.arg("absent")]).fails(1).contains("absent"));
}

#[test]
fn bad_images_get_one_sentence() {
    let dir = Dir::new();
    let model = dir.file("tiny.rg", CLASSIFIER);
    let png = include_bytes!("../../regard/src/assets/default.png");
    let image = |name: &str, bytes: &[u8]| {
        let path = dir.file(name, bytes);
        regard(&["run", &model, &path]).fails(1)
    };
    let cut = image("cut.png", &png[..png.len() / 2]);
    assert!(cut.contains("cut.png") && cut.contains("damaged"), "{cut}");
    assert_eq!(cut.trim().lines().count(), 1, "{cut}");
    assert!(image("text.jpg", b"not an image").contains("expected PNG, JPEG, WebP or TIFF"));
    assert!(image("empty.png", b"").contains("it is empty, expected PNG, JPEG, WebP or TIFF"));
    let piped = format!("cat '{model}' | '{}' run '{model}' --weights /dev/stdin", env!("CARGO_BIN_EXE_regard"));
    assert!(ran(Command::new("sh").args(["-c", &piped])).fails(1).contains("is a pipe or a device, expected a file"));
    let other = dir.file("weights.pth", b"PK");
    assert!(regard(&["check", &other]).fails(2).contains("does not end in .rg, expected a model"));
    assert!(image("phone.jpg", b"\0\0\0\x18ftypheic\0\0\0\0").contains("HEIC"));
    assert!(image("moving.png", b"GIF89a\x01\0").contains("it is a GIF image, expected PNG"));
    assert!(image("page.jpg", b"<!doctype html>").contains("a web page"));
    let mut flat = png.to_vec();
    flat[16..24].fill(0);
    assert!(image("flat.png", &flat).contains("flat.png"));
    assert!(regard(&["run", &model, &dir.arg("absent.png")]).fails(1).contains("absent.png"));
    let block = dir.file("block.rg", BLOCK);
    let fish = dir.file("fish.png", png);
    assert!(regard(&["run", &block, &fish]).fails(1).contains("does not take images"));
}

#[test]
fn raw_tensors_must_fit() {
    let dir = Dir::new();
    let block = dir.file("block.rg", BLOCK);
    let run = |bytes: &[u8]| {
        let input = dir.file("in.safetensors", bytes);
        regard(&["run", &block, "--raw", &input, "-o", &dir.arg("out.safetensors")]).fails(1)
    };
    assert!(run(&tensors(&[("y", &[2], wave(2, 1.0))])).contains("no tensor x"));
    assert!(run(&tensors(&[("x", &[2, 3], wave(6, 1.0))])).contains("is [2, 3], expected [2, 49, 32]"));
    assert!(!dir.path("out.safetensors").exists());
}

#[test]
fn an_unwritable_output_leaves_nothing_behind() {
    let dir = Dir::new();
    let block = dir.file("block.rg", BLOCK);
    fs::create_dir(dir.path("taken")).unwrap();
    for emit in ["exe", "obj", "rg", "clif"] {
        let before = dir.names();
        let err = regard(&["compile", &block, "--emit", emit, "-o", &dir.arg("taken")]).fails(1);
        assert!(err.contains("cannot write"), "{emit}: {err}");
        assert_eq!(dir.names(), before, "{emit}");
        let err = regard(&["compile", &block, "--emit", emit, "-o", &dir.arg("no/such/x")]).fails(1);
        assert!(err.contains("cannot write"), "{emit}: {err}");
    }
}

#[test]
fn golden_files_must_be_golden() {
    let dir = Dir::new();
    let plain = dir.file("plain.safetensors", tensors(&[("logits", &[1, 10], wave(10, 1.0))]));
    assert!(regard(&["check", "--golden", &plain]).fails(1).contains("not a golden file"));
    let golden = "tests/golden/swin_tiny_1x224x224_seed0.safetensors";
    let other = dir.file("block.rg", BLOCK);
    assert!(regard(&["check", &other, "--golden", golden]).fails(2).contains("about swin_tiny"));
}
