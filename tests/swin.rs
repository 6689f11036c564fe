//! Swin-T, the whole way: other seeds, batches and classes, other libraries' names, and the executable.

use regard::{
    archive::{self, Tensor},
    check::{self, Device, Job},
    ir::graph::Graph,
    models::{self, Config, names::Style},
    pipeline::{self, Trace},
    progress::Progress,
    runtime::Package,
    weights::{Checkpoint, Synthetic, Weights},
};
use std::{path::Path, process::Command};

fn trace() -> Trace {
    Trace::new(Progress::hidden())
}

#[test]
fn other_seeds_batches_and_classes_hold_too() {
    let graph = models::build("swin_tiny", &Config { batch: 2, classes: Some(11), ..Config::default() }).unwrap();
    let weights = Synthetic { seed: 7 };
    let target = pipeline::executable_target(None).unwrap();
    let job = Job { graph: &graph, weights: &weights, recipe: target.into(), device: Device::Cpu, threads: 2 };
    for error in check::check(&job, 1, &mut trace()).unwrap() {
        assert!(error.holds(), "{error:?}");
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let graph = models::build("swin_tiny", &Config::default()).unwrap();
    let weights = Synthetic { seed: 3 };
    let image = models::synthetic::image(3 * 224 * 224, 5);
    let target = pipeline::executable_target(None).unwrap();
    let run = |threads| {
        let options = pipeline::Options { recipe: target.into(), weights: &weights, threads };
        let (session, _) = pipeline::session(&graph, &options, &mut trace()).unwrap();
        session.run_f32(&[&image]).unwrap().swap_remove(0)
    };
    assert_eq!(run(1), run(3));
}

/// The logits of one image with some weights.
fn logits(graph: &Graph, weights: &dyn Weights) -> Vec<f32> {
    let target = pipeline::executable_target(None).unwrap();
    let options = pipeline::Options { recipe: target.into(), weights, threads: 2 };
    let (session, _) = pipeline::session(graph, &options, &mut trace()).unwrap();
    session.run_f32(&[&models::synthetic::image(3 * 224 * 224, 5)]).unwrap().swap_remove(0)
}

#[test]
fn checkpoints_of_other_libraries_hold_the_same_tensors() {
    let graph = models::build("swin_tiny", &Config::default()).unwrap();
    let expected = logits(&graph, &Synthetic { seed: 4 });
    let dir = tempfile::tempdir().unwrap();
    for style in [Style::Authors, Style::Timm, Style::Torchvision] {
        let stored: Vec<(String, Vec<usize>, Vec<f32>)> = graph
            .weights()
            .iter()
            .map(|&id| {
                let (name, shape) = (graph.text_name(id), graph.ty(id).shape.clone());
                let values = models::synthetic::parameter(&name, &shape, 4);
                (style.translate(&name), shape, values)
            })
            .collect();
        let tensors: Vec<Tensor> = stored.iter().map(|(name, shape, values)| Tensor { name, shape, values }).collect();
        let path = dir.path().join("swin.safetensors");
        archive::write(&path, &tensors, "swin_tiny").unwrap();
        let checkpoint = Checkpoint::open(&path, false).unwrap();
        assert!(logits(&graph, &checkpoint) == expected, "{style:?}");
    }
}

#[test]
fn the_executable_is_small_and_classifies() {
    let dir = tempfile::tempdir().unwrap();
    let exe = dir.path().join("swin");
    let run = |program: &Path, args: &[&str]| {
        let output = Command::new(program).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let regard = Path::new(env!("CARGO_BIN_EXE_regard"));
    run(regard, &["compile", "swin_tiny", "-o", exe.to_str().unwrap()]);
    let weights = Package::open(&exe).unwrap().expect("a package").constants.bytes().len() as u64;
    let size = std::fs::metadata(&exe).unwrap().len();
    assert!(size < weights + 12_000_000, "{size} bytes");
    let image = dir.path().join("fish.png");
    std::fs::write(&image, include_bytes!("../src/assets/default.png")).unwrap();
    let classes = |text: String| {
        text.lines().filter(|l| l.contains("class ") && l.contains('%')).map(str::to_owned).collect::<Vec<_>>()
    };
    let ours = classes(run(regard, &["run", "swin_tiny"]));
    assert_eq!(ours.len(), 5);
    assert_eq!(classes(run(&exe, &[image.to_str().unwrap()])), ours);
}
