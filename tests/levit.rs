//! LeViT-128S, the whole way: other sizes, batches and classes, other libraries' names, and how few kernels it takes.

use regard::{
    archive::{self, Tensor},
    check::{self, Device, Job},
    models::{self, Config, names::Style, synthetic},
    pipeline::{self, Trace},
    progress::Progress,
    weights::{Checkpoint, Synthetic, Weights},
};

fn trace() -> Trace {
    Trace::new(Progress::hidden())
}

#[test]
fn other_sizes_batches_and_classes_hold() {
    let graph = models::build(
        "levit_128s",
        &Config { batch: 2, size: Some((80, 112)), classes: Some(11), ..Config::default() },
    )
    .unwrap();
    let target = pipeline::executable_target(None).unwrap();
    let job =
        Job { graph: &graph, weights: &Synthetic { seed: 7 }, recipe: target.into(), device: Device::Cpu, threads: 2 };
    for error in check::check(&job, 1, &mut trace()).unwrap() {
        assert!(error.holds(), "{error:?}");
    }
}

#[test]
fn checkpoints_of_both_libraries_hold_the_same_tensors() {
    let graph = models::build("levit_128s", &Config { size: Some((32, 32)), ..Config::default() }).unwrap();
    let target = pipeline::executable_target(None).unwrap();
    let logits = |weights: &dyn Weights| {
        let options = pipeline::Options { recipe: target.into(), weights, threads: 1 };
        let (session, _) = pipeline::session(&graph, &options, &mut trace()).unwrap();
        session.run_f32(&[&synthetic::image(3 * 32 * 32, 5)]).unwrap().swap_remove(0)
    };
    let expected = logits(&Synthetic { seed: 4 });
    let dir = tempfile::tempdir().unwrap();
    for style in [Style::Authors, Style::Timm] {
        let stored: Vec<(String, Vec<usize>, Vec<f32>)> = graph
            .weights()
            .iter()
            .map(|&id| {
                let (name, shape) = (graph.text_name(id), graph.ty(id).shape.clone());
                let values = synthetic::parameter(&name, &shape, 4);
                (style.translate(&name), shape, values)
            })
            .collect();
        let tensors: Vec<Tensor> = stored.iter().map(|(name, shape, values)| Tensor { name, shape, values }).collect();
        let path = dir.path().join("levit.safetensors");
        archive::write(&path, &tensors, "levit_128s").unwrap();
        assert!(logits(&Checkpoint::open(&path, false).unwrap()) == expected, "{style:?}");
    }
}

/// Frameworks launch 174 kernels. Here norms are folded, both classifiers are one product, and no map is transposed.
#[test]
fn one_image_takes_few_launches() {
    let graph = models::build("levit_128s", &Config::default()).unwrap();
    let target = pipeline::executable_target(None).unwrap();
    let program = pipeline::kernels(&graph, target, &mut trace()).unwrap();
    assert!(program.launches.len() <= 64, "{} launches", program.launches.len());
}
