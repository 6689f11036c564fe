//! Element types, names and flags: what goes in and out keeps its type and its name, and no flag is ignored.

use super::*;
use regard::archive::Archive;
use safetensors::Dtype;

/// Outputs of every type, by way of arithmetic on inputs of every type.
const TYPES: &str = "graph types {
  %x = input : f32[2, 3]
  %i = input : i32[3]
  %b = input : bool[3]
  %h = cast %x { to = f16 }
  %g = cast %x { to = bf16 }
  %j = add %i, 1
  %c = not %b
  %y = select %b, %x, 0.0
  return %h, %g, %j, %c, %y
}
";

fn le<const N: usize>(words: impl IntoIterator<Item = [u8; N]>) -> Vec<u8> {
    words.into_iter().flatten().collect()
}

/// Numbers that every float type holds.
fn eighths() -> [f32; 6] {
    [-3.0, -0.125, 0.0, 0.375, 1.0, 7.5]
}

/// Inputs for [`TYPES`]; the types and elements of `i` and `b` as given.
fn inputs(i: (&str, Vec<u8>), b: (&str, Vec<u8>)) -> Vec<u8> {
    let x = le(eighths().map(f32::to_le_bytes));
    typed_tensors(&[("x", "F32", &[2, 3], x), ("i", i.0, &[3], i.1), ("b", b.0, &[3], b.1)])
}

fn bytes_of(archive: &Archive, name: &str) -> (Dtype, Vec<f64>) {
    let stored = archive.stored(name).unwrap();
    let all = 0..stored.elements();
    let ty = match stored.dtype {
        Dtype::BOOL => regard::ir::types::DType::Bool,
        Dtype::I32 => regard::ir::types::DType::I32,
        _ => regard::ir::types::DType::F32,
    };
    (stored.dtype, archive.values(name, ty, all).unwrap())
}

#[test]
fn outputs_keep_their_types_and_inputs_may_come_in_several() {
    let dir = Dir::new();
    let graph = dir.file("types.rg", TYPES);
    let program = dir.arg("types");
    regard(&["compile", &graph, "-o", &program]).ok();
    let wide = |values: [i64; 3]| le(values.map(i64::to_le_bytes));
    let cases = [
        inputs(("I64", wide([-5, 7, 2147483646])), ("BOOL", vec![0, 1, 1])),
        inputs(("I32", le([-5i32, 7, 2147483646].map(i32::to_le_bytes))), ("U8", vec![0, 200, 1])),
    ];
    for (case, input) in cases.iter().enumerate() {
        let input = dir.file("in.safetensors", input);
        let output = dir.arg("out.safetensors");
        let said = regard(&["run", &graph, "--raw", &input, "-o", &output, "--check"]).ok();
        assert_eq!(said.matches("against the f64 reference (below 1e-5)").count(), 5, "{said}");
        let first = fs::read(&output).unwrap();
        start(Path::new(&program), &["--raw", &input, "-o", &output]).ok();
        assert_eq!(first, fs::read(&output).unwrap(), "case {case}");
        let archive = Archive::open(Path::new(&output)).unwrap();
        assert_eq!(bytes_of(&archive, "j"), (Dtype::I32, vec![-4.0, 8.0, 2147483647.0]));
        assert_eq!(bytes_of(&archive, "c"), (Dtype::BOOL, vec![1.0, 0.0, 0.0]));
        let same = eighths().map(f64::from).to_vec();
        assert_eq!(bytes_of(&archive, "h"), (Dtype::F16, same.clone()));
        assert_eq!(bytes_of(&archive, "g"), (Dtype::BF16, same));
    }
}

#[test]
fn inputs_that_do_not_fit_are_named_with_place_and_value() {
    let dir = Dir::new();
    let graph = dir.file("types.rg", TYPES);
    let run = |i: (&str, Vec<u8>), b: (&str, Vec<u8>)| {
        let input = dir.file("in.safetensors", inputs(i, b));
        let err = regard(&["run", &graph, "--raw", &input, "-o", &dir.arg("out.safetensors")]).fails(1);
        assert_eq!(err.trim().lines().count(), 1, "{err}");
        err
    };
    let fine = || ("BOOL", vec![0, 1, 1]);
    let err = run(("I64", le([1i64, 3_000_000_000, 2].map(i64::to_le_bytes))), fine());
    assert!(
        err.contains("tensor i holds 3000000000 at [1], expected an integer from -2147483648 to 2147483647"),
        "{err}"
    );
    let err = run(("U32", le([1u32, 2, u32::MAX].map(u32::to_le_bytes))), fine());
    assert!(err.contains("tensor i holds 4294967295 at [2]"), "{err}");
    let err = run(("F32", vec![0; 12]), fine());
    assert!(err.contains("tensor i is F32, expected I32"), "{err}");
    let err = run(("I32", vec![0; 12]), ("F16", vec![0; 6]));
    assert!(err.contains("tensor b is F16, expected BOOL, U8"), "{err}");
    assert!(!dir.path("out.safetensors").exists());
}

#[test]
fn weights_may_be_integers_truth_values_and_infinite() {
    let dir = Dir::new();
    let graph = dir.file(
        "gathered.rg",
        "graph gathered {
  %table = weight : f32[5, 2]
  %index = weight : i32[3]
  %keep = weight : bool[3, 1]
  %x = input : f32[3, 2]
  %rows = gather %table, %index
  %kept = select %keep, %rows, 0.0
  %y = add %x, %kept
  return %y
}
",
    );
    let table = || ("table", "F32", &[5usize, 2][..], le((0..10).map(|i| (i as f32).to_le_bytes())));
    let x = dir.file("in.safetensors", tensors(&[("x", &[3, 2], vec![0.5; 6])]));
    let output = dir.arg("out.safetensors");
    let index = |ty: &'static str, bytes: Vec<u8>| ("index", ty, &[3usize][..], bytes);
    let keep = || ("keep", "BOOL", &[3usize, 1][..], vec![1, 0, 1]);
    for index in [index("I64", le([4i64, 1, 0].map(i64::to_le_bytes))), index("U8", vec![4, 1, 0])] {
        let weights = dir.file("w.safetensors", typed_tensors(&[table(), index, keep()]));
        regard(&["run", &graph, "--weights", &weights, "--raw", &x, "-o", &output, "--check"]).ok();
        let found = Archive::open(Path::new(&output)).unwrap().floats("y").unwrap();
        assert_eq!(found, [8.5, 9.5, 0.5, 0.5, 0.5, 1.5]);
    }
    let with = |tensors: &[(&str, &str, &[usize], Vec<u8>)]| {
        let weights = dir.file("w.safetensors", typed_tensors(tensors));
        regard(&["check", &graph, "--weights", &weights]).fails(1)
    };
    let err = with(&[table(), index("I64", le([4i64, 1 << 31, 0].map(i64::to_le_bytes))), keep()]);
    assert!(err.contains("index: found 2147483648 at position 1, expected an integer from"), "{err}");
    let err = with(&[table(), index("F32", vec![0; 12]), keep()]);
    assert!(err.contains("dtype mismatch index: found F32[3], expected I32"), "{err}");
    // Without a file every index is 0.
    regard(&["check", &graph, "--trials", "1"]).ok();

    let mask = "graph masked {
  %s = input : f32[2, 4, 4]
  %mask = weight : f32[4, 4]
  %w = weight : f32[4, 4]
  %q = matmul %s, %w
  %m = add %q, %mask
  %y = softmax %m { axis = -1 }
  return %y, %mask
}
";
    let graph = dir.file("masked.rg", mask);
    let causal: Vec<f32> = (0..16).map(|i| if i % 4 > i / 4 { f32::NEG_INFINITY } else { 0.0 }).collect();
    let good = dir.file("w.safetensors", tensors(&[("mask", &[4, 4], causal.clone()), ("w", &[4, 4], wave(16, 0.3))]));
    assert_eq!(regard(&["check", &graph, "--weights", &good]).ok().matches(" ok").count(), 2);
    let multiplied = dir.file("v.safetensors", tensors(&[("mask", &[4, 4], wave(16, 0.3)), ("w", &[4, 4], causal)]));
    let err = regard(&["check", &graph, "--weights", &multiplied]).fails(1);
    assert!(err.contains("not finite w: found -inf at position 1 (6 such values)"), "{err}");
    let mut broken = wave(16, 0.3);
    broken[5] = f32::NAN;
    let nan = dir.file("v.safetensors", tensors(&[("mask", &[4, 4], broken), ("w", &[4, 4], wave(16, 0.3))]));
    assert!(
        regard(&["check", &graph, "--weights", &nan]).fails(1).contains("not finite mask: found NaN at position 5")
    );
}

#[test]
fn outputs_that_are_inputs_weights_or_repeated_keep_their_names_on_every_path() {
    let dir = Dir::new();
    let text = "graph twice {
  %x = input : f32[4, 8]
  %n = input : i32[2]
  %w = weight : f32[3]
  %y = add %x, 1.0
  return %x, %y, %y, %w, %n, %w
}
";
    let graph = dir.file("twice.rg", text);
    let program = dir.arg("twice");
    let names = ["n", "w", "w.1", "x", "y", "y.1"];
    let n = le([3i32, -4].map(i32::to_le_bytes));
    let x = le(wave(32, 0.2).into_iter().map(f32::to_le_bytes));
    let input = dir.file("in.safetensors", typed_tensors(&[("x", "F32", &[4, 8], x), ("n", "I32", &[2], n)]));
    let (first, second) = (dir.arg("first.safetensors"), dir.arg("second.safetensors"));
    regard(&["run", &graph, "--raw", &input, "-o", &first, "--check"]).ok();
    regard(&["compile", &graph, "-o", &program]).ok();
    start(Path::new(&program), &["--raw", &input, "-o", &second]).ok();
    assert_eq!(fs::read(&first).unwrap(), fs::read(&second).unwrap());
    let archive = Archive::open(Path::new(&first)).unwrap();
    assert_eq!(archive.tensors().keys().map(String::as_str).collect::<Vec<_>>(), names);
    assert_eq!(archive.floats("x").unwrap(), wave(32, 0.2));
    assert_eq!(archive.floats("y").unwrap(), archive.floats("y.1").unwrap());
    assert_eq!(archive.integers("n").unwrap(), [3, -4]);
    regard(&["compile", &graph, "--emit", "obj", "-o", &dir.arg("twice.o")]).ok();
    let checked = regard(&["check", &graph]).ok();
    assert!(names.iter().all(|name| checked.contains(&format!("  {name}  "))), "{checked}");
    let synthetic = dir.arg("synthetic.safetensors");
    regard(&["run", &graph, "-o", &synthetic]).ok();
    assert_eq!(Archive::open(Path::new(&synthetic)).unwrap().tensors().len(), 6);
}

#[test]
fn flags_without_effect_are_refused() {
    let dir = Dir::new();
    let (block, tiny) = (dir.file("block.rg", BLOCK), dir.file("tiny.rg", CLASSIFIER));
    let program = dir.arg("block");
    regard(&["compile", &block, "-o", &program]).ok();
    let input = dir.file("in.safetensors", tensors(&[("x", &[2, 49, 32], wave(3136, 0.3))]));
    let labels = dir.file("labels.txt", "a\nb\n");
    let output = dir.arg("out");
    let raw = ["run", &block, "--raw", &input, "-o", &output];
    let golden = "tests/golden/swin_tiny_1x224x224_seed0.safetensors";
    let cases: &[&[&str]] = &[
        &[&raw[..], &["--top", "3"]].concat(),
        &[&raw[..], &["--labels", &labels]].concat(),
        &["run", &block, "--top", "3"],
        &["run", &block, "--labels", &labels],
        &["run", &block, "--allow-extra"],
        &["run", &block, "--weights", "synth:1", "--allow-extra"],
        &["run", &program, "--weights", "synth:1"],
        &["run", &program, "--target", "x86-64-v2"],
        &["run", &program, "--batch", "2"],
        &["run", &program, "--no-rule", "mul-one"],
        &["run", &program, "--check"],
        &["segment", &program, &labels, "-o", &output, "--size", "32x32"],
        &["segment", &tiny, &labels, "--map", &output, "--opacity", "0.3"],
        &["compile", &tiny, "--emit", "obj", "--labels", &labels, "-o", &output],
        &["compile", &tiny, "--emit", "rg", "--target", "x86-64-v2", "-o", &output],
        &["check", "--golden", golden, "--trials", "2"],
        &["check", "--golden", golden, "--weights", "synth:1"],
        &["check", "--golden", golden, "--batch", "2"],
        &["check", "--rules", "--size", "224x224"],
        &["compare", &block, "--weights", "synth:1"],
    ];
    for args in cases {
        let err = regard(args).fails(2);
        assert!(err.contains("--"), "{args:?}: {err}");
    }
    assert!(!dir.path("out").exists());
}

#[test]
fn archives_that_say_two_things_are_refused() {
    let dir = Dir::new();
    let graph = dir.file("block.rg", BLOCK);
    let row = r#"{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
    let header = format!(r#"{{"x":{row},"x":{row}}}"#);
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat();
    let file = dir.file("twice.safetensors", bytes);
    let err = regard(&["run", &graph, "--weights", &file]).fails(1);
    assert!(err.contains("its header names \"x\" twice"), "{err}");
}
