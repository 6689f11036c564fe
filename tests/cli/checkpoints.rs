//! PyTorch checkpoints as weights, and their conversion.

use super::*;
use regard::{
    archive::Archive,
    models::{self, Config, synthetic},
};

const CHECKPOINTS: &str = "tests/golden/checkpoints";

/// Takes the weights in `training.pth`.
const LINEAR: &str = r#"graph linear {
  %x = input : f32[4, 3]
  %"0.weight" = weight : f32[2, 3]
  %"0.bias" = weight : f32[2]
  %1 = transpose %"0.weight" { order = [-1, -2] }
  %2 = matmul %x, %1
  %y = add %2, %"0.bias"
  return %y
}
"#;

#[test]
fn checkpoints_are_weights_as_they_are_and_converted() {
    let dir = Dir::new();
    let graph = dir.file("linear.rg", LINEAR);
    let input = dir.file("in.safetensors", tensors(&[("x", &[4, 3], wave(12, 0.4))]));
    let converted = dir.arg("training.safetensors");
    let said = regard(&["convert", &format!("{CHECKPOINTS}/training.pth"), "-o", &converted]).ok();
    assert!(said.contains("7 tensors"), "{said}");
    let mut results = Vec::new();
    for weights in [&format!("{CHECKPOINTS}/training.pth"), &converted] {
        let output = dir.arg("out.safetensors");
        let args = ["run", &graph, "--weights", weights, "--allow-extra", "--raw", &input, "-o", &output];
        assert!(regard(&args).ok().contains("training."));
        results.push(Archive::open(Path::new(&output)).unwrap().floats("y").unwrap());
    }
    assert_eq!(results[0], results[1]);
    let weight: Vec<f32> = (0..6).map(|i| (7 * i % 32) as f32 / 8.0 - 2.0).collect();
    let bias: Vec<f32> = (0..2).map(|i| (7 * i + 3) as f32 / 8.0 - 2.0).collect();
    let x = wave(12, 0.4);
    for (at, found) in results[0].iter().enumerate() {
        let (row, column) = (at / 2, at % 2);
        let expected: f32 = bias[column] + (0..3).map(|k| x[row * 3 + k] * weight[column * 3 + k]).sum::<f32>();
        assert!((found - expected).abs() < 1e-5, "{at}: {found} {expected}");
    }
    regard(&["check", &graph, "--weights", &format!("{CHECKPOINTS}/training.pth"), "--allow-extra"]).ok();
}

#[test]
fn arrays_in_pickles_are_weights_and_what_is_left_out_is_named() {
    let dir = Dir::new();
    let model = |name: &str| {
        let text = format!(
            "graph g {{\n  %x = input : f32[2, 3]\n  %{name} = weight : f32[2, 3]\n  %y = add %x, %{name}\n  return %y\n}}\n"
        );
        dir.file("g.rg", text)
    };
    let weights = format!("{CHECKPOINTS}/arrays4.pkl");
    let said = regard(&["check", &model("rows"), "--weights", &weights, "--allow-extra"]).ok();
    assert!(said.contains("from its `model`"), "{said}");
    let err = regard(&["check", &model("text"), "--weights", &weights, "--allow-extra"]).fails(1);
    assert!(err.contains("text: found an array of texts, expected F32"), "{err}");
    let list = regard(&["convert", &weights, "--list"]);
    assert!(list.err.contains("left out: objects, an array of objects") && list.ok().contains("7 tensors"));
    // Shards of which one is missing.
    let part = dir.path("shards");
    fs::create_dir(&part).unwrap();
    fs::write(part.join("model-00001-of-00002.safetensors"), tensors(&[("rows", &[2, 3], vec![0.0; 6])])).unwrap();
    let err = regard(&["check", &model("rows"), "--weights", part.to_str().unwrap()]).fails(1);
    assert!(err.contains("model-00002-of-00002.safetensors is missing"), "{err}");
}

/// A DeBiFormer of another width, depth and number of classes than its name says, its 1×1 convolutions stored as
/// matrices.
#[test]
fn the_structure_of_a_debiformer_is_its_checkpoints() {
    let dir = Dir::new();
    let config = Config { classes: Some(5), ..Config::default() }.with("width", "32").with("depths", "1+1+2+1");
    let graph = models::build("debiformer_tiny", &config).unwrap();
    let stored: Vec<(String, Vec<usize>, Vec<f32>)> = graph
        .weights()
        .iter()
        .map(|&id| {
            let (name, shape) = (graph.text_name(id), &graph.ty(id).shape);
            let values = synthetic::parameter(&name, shape, 0);
            let shape = shape.strip_suffix(&[1, 1]).unwrap_or(shape);
            (name, shape.to_vec(), values)
        })
        .collect();
    let list: Vec<(&str, &[usize], Vec<f32>)> = stored.iter().map(|(n, s, v)| (&n[..], &s[..], v.clone())).collect();
    let weights = dir.file("small.safetensors", tensors(&list));
    let args = ["check", "debiformer_tiny", "--size", "64x64", "--trials", "1", "--weights", &weights];
    assert!(regard(&args).ok().contains("ok"));
    let wrong = regard(&[&args[..], &["--option", "width=64"]].concat()).fails(1);
    assert!(wrong.contains("shape mismatch downsample_layers.0.0.weight: found [16, 3, 3, 3]"), "{wrong}");
}

#[test]
fn a_list_names_types_and_shapes() {
    let list = regard(&["convert", &format!("{CHECKPOINTS}/types.pth"), "--list"]).ok();
    let row = list.lines().find(|line| line.starts_with("bf16")).expect("a row per tensor");
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["bf16", "BF16", "[2,", "3]", "12"]);
    assert!(list.contains("10 tensors"), "{list}");
    let ema = regard(&["convert", &format!("{CHECKPOINTS}/training.pth"), "--list", "--key", "model_ema"]).ok();
    assert!(ema.contains("0.weight") && ema.contains("7 tensors"), "{ema}");
}

#[test]
fn a_safetensors_file_is_copied_and_may_replace_itself() {
    let dir = Dir::new();
    let file = dir.file("a.safetensors", tensors(&[("w", &[2, 3], wave(6, 0.1)), ("b", &[2], wave(2, 0.2))]));
    regard(&["convert", &file, "-o", &file]).ok();
    let archive = Archive::open(Path::new(&file)).unwrap();
    assert_eq!((archive.floats("w").unwrap(), archive.floats("b").unwrap()), (wave(6, 0.1), wave(2, 0.2)));
    assert_eq!(dir.names(), ["a.safetensors"]);
}

#[test]
fn hostile_and_broken_checkpoints_get_one_sentence() {
    let dir = Dir::new();
    let graph = dir.file("linear.rg", LINEAR);
    let refused = |name: &str, bytes: &[u8]| {
        let path = dir.file(name, bytes);
        let converted = regard(&["convert", &path, "-o", &dir.arg("out.safetensors")]).fails(1);
        assert_eq!(converted, regard(&["run", &graph, "--weights", &path]).fails(1));
        assert_eq!(converted.trim().lines().count(), 1, "{converted}");
        converted
    };
    let good = fs::read(format!("{CHECKPOINTS}/legacy.pth")).unwrap();
    // The first class that the checkpoint names becomes a command.
    let at = good.windows(19).position(|w| w == b"ctorch\nFloatStorage").unwrap();
    let hostile = [&good[..at], b"cos\nsystem\n", &good[at + 20..]].concat();
    let why = refused("hostile.pth", &hostile);
    assert!(why.contains("`os.system`") && why.contains("nothing was run"), "{why}");
    assert!(refused("cut.pth", &good[..good.len() - 1]).contains("truncated"));
    assert!(refused("text.pt", b"hello").contains("it begins with \"hello\""));
    assert!(refused("page.pth", b"<!DOCTYPE html>").contains("a web page"));
    assert!(refused("lfs.safetensors", b"version https://git-lfs.example/v1\n").contains("git lfs pull"));
    let module = fs::read(format!("{CHECKPOINTS}/module.pth")).unwrap();
    assert!(refused("module.pth", &module).contains("torch.nn.modules.linear.Linear"));
    assert_eq!(dir.names().iter().filter(|name| name.contains("out")).count(), 0);
    let key = regard(&["convert", &format!("{CHECKPOINTS}/training.pth"), "--list", "--key", "net"]).fails(1);
    assert!(key.contains("no key \"net\""), "{key}");
    assert!(regard(&["convert", &dir.arg("absent.pth"), "--list"]).fails(1).contains("absent.pth"));
    regard(&["convert", &dir.arg("text.pt")]).fails(2);
}

/// [`LINEAR`] with the names that `lightning.ckpt` has after its prefix.
fn bare_linear() -> String {
    LINEAR.replace("%\"0.weight\"", "%weight").replace("%\"0.bias\"", "%bias")
}

#[test]
fn prefixes_and_wrappers_are_found_and_said() {
    let dir = Dir::new();
    let graph = dir.file("linear.rg", bare_linear());
    let check = |more: &[&str]| regard(&[&["check", &graph, "--trials", "1"][..], more].concat());
    for file in ["lightning.ckpt", "deflated.ckpt"] {
        let said = check(&["--weights", &format!("{CHECKPOINTS}/{file}")]).ok();
        assert!(said.contains("from its `state_dict`, all 2 begin with `model.`"), "{said}");
    }
    let both: [(&str, &[usize], Vec<f32>); 4] = [
        ("model.weight", &[2, 3], wave(6, 0.1)),
        ("model.bias", &[2], wave(2, 0.2)),
        ("ema.weight", &[2, 3], wave(6, 0.3)),
        ("ema.bias", &[2], wave(2, 0.4)),
    ];
    let file = dir.file("both.safetensors", tensors(&both));
    let said = check(&["--weights", &file]).ok();
    assert!(said.contains("2 of 4 begin with `model.`") && said.contains("--prefix ema."), "{said}");
    check(&["--weights", &file, "--prefix", "ema."]).ok();
    let why = check(&["--weights", &file, "--prefix", "net."]).fails(1);
    assert!(why.contains("none of its 4 tensors has a name that begins with `net.`"), "{why}");
    assert!(check(&["--weights", &file, "--key", "model"]).fails(1).contains("has no keys"));
    assert!(check(&["--prefix", "model."]).fails(2).contains("--prefix is about a checkpoint"));
    let converted = dir.arg("model.safetensors");
    regard(&["convert", &file, "--prefix", "model.", "-o", &converted]).ok();
    let archive = Archive::open(Path::new(&converted)).unwrap();
    assert!(archive.tensors().keys().eq(["bias", "weight"]));
}

#[test]
fn of_many_faults_ten_are_listed() {
    let dir = Dir::new();
    let file = dir.file("other.safetensors", tensors(&[("x", &[2], wave(2, 0.1))]));
    let why = regard(&["run", "swin_tiny", "--weights", &file]).fails(1);
    assert!(why.contains("174 faults") && why.contains("and 164 more"), "{why}");
    assert_eq!(why.lines().filter(|line| line.starts_with("  ")).count(), 12, "{why}");
}

#[test]
fn another_number_of_classes_is_suggested() {
    let dir = Dir::new();
    let graph =
        models::build("levit_128s", &Config { classes: Some(7), size: Some((32, 32)), ..Config::default() }).unwrap();
    let stored: Vec<(String, Vec<usize>, Vec<f32>)> = graph
        .weights()
        .iter()
        .map(|&id| {
            let (name, shape) = (graph.text_name(id), graph.ty(id).shape.clone());
            let values = synthetic::parameter(&name, &shape, 0);
            (format!("module.{name}"), shape, values)
        })
        .collect();
    let list: Vec<(&str, &[usize], Vec<f32>)> = stored.iter().map(|(n, s, v)| (&n[..], &s[..], v.clone())).collect();
    let weights = dir.file("seven.safetensors", tensors(&list));
    let args = ["check", "levit_128s", "--size", "32x32", "--trials", "1", "--weights", &weights];
    let why = regard(&args).fails(1);
    assert!(why.contains("its head has 7 classes") && why.contains("--classes 7"), "{why}");
    regard(&[&args[..], &["--classes", "7"]].concat()).ok();
}
