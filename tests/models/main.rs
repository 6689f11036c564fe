//! Models of the zoo, the whole way: other seeds, batches, sizes and classes than those of the golden files, other
//! libraries' names, and what a program may cost in launches and memory.

mod levit;
mod routed;
mod sasa;
mod swin;

use regard::{
    archive::{self, Part, Tensor},
    check::{self, Device, Job},
    ir::{graph::Graph, program::Program},
    models::{
        self, Config,
        names::{Order, Origin, Style},
        synthetic,
    },
    pipeline::{self, Trace},
    weights::{Checkpoint, Synthetic, Weights},
};

fn trace() -> Trace {
    Trace::new()
}

/// Machine code keeps the contract on weights of that seed.
fn holds(model: &str, config: &Config, seed: u64) {
    let graph = models::build(model, config).unwrap();
    let (weights, target) = (Synthetic::new(seed), pipeline::executable_target(None).unwrap());
    let job = Job { graph: &graph, weights: &weights, compile_options: target.into(), device: Device::Cpu, threads: 2 };
    for error in check::check(&job, 1, &mut trace()).unwrap() {
        assert!(error.holds(), "{model}: {error:?}");
    }
}

/// The program of a model at its own size.
fn program(model: &str) -> Program<regard::ir::kernel::Kernel> {
    let graph = models::build(model, &Config::default()).unwrap();
    pipeline::lower_to_kernels(&graph, pipeline::executable_target(None).unwrap(), &mut trace()).unwrap()
}

/// The first output for one image.
fn outputs(graph: &Graph, weights: &dyn Weights, threads: usize) -> Vec<f32> {
    let image = graph.ty(graph.inputs()[0]).elements();
    let options =
        pipeline::SessionOptions { compile: pipeline::executable_target(None).unwrap().into(), weights, threads };
    let (session, _) = pipeline::session(graph, &options, &mut trace()).unwrap();
    session.run_f32(&[&synthetic::image(image, 5)]).unwrap().swap_remove(0)
}

/// The same tensors under the names of each style give the same bits.
fn names_of_all_hold(graph: &Graph, styles: &[Style]) {
    let expected = outputs(graph, &Synthetic::new(4), 2);
    let dir = tempfile::tempdir().unwrap();
    for style in styles {
        let stored = graph.weights().into_iter().flat_map(|id| {
            let (name, shape) = (graph.text_name(id), graph.ty(id).shape.clone());
            parts(style.origin(&name), &shape, synthetic::parameter(&name, &shape, 4))
        });
        let stored: Vec<(String, Vec<usize>, Vec<f32>)> =
            stored.map(|(name, shape, values)| (format!("model.{name}"), shape, values)).collect();
        let tensors: Vec<Tensor> =
            stored.iter().map(|(name, shape, values)| Tensor::f32(name, shape, values)).collect();
        let path = dir.path().join("weights.safetensors");
        archive::write(&path, &tensors, &graph.name).unwrap();
        assert!(outputs(graph, &Checkpoint::open(&path, Part::default(), false).unwrap(), 2) == expected, "{style:?}");
    }
}

/// A weight as another library stores it.
fn parts(origin: Origin, shape: &[usize], values: Vec<f32>) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let mut values = values;
    if origin.order == Order::Unfolded {
        let columns = shape[shape.len() - 1];
        for row in values.chunks_mut(columns) {
            let merged = row.to_vec();
            let (channels, place) = (columns / 4, |c: usize, i: usize, j: usize| (i + 2 * j) * (columns / 4) + c);
            for (at, value) in row.iter_mut().enumerate() {
                *value = merged[place(at / 4, at / 2 % 2, at % 2)];
            }
            assert_eq!(4 * channels, columns);
        }
    }
    let count = origin.parts.len();
    let shape: Vec<usize> = shape.iter().enumerate().map(|(i, &n)| if i == 0 { n / count } else { n }).collect();
    let chunks: Vec<Vec<f32>> = values.chunks(values.len() / count).map(<[f32]>::to_vec).collect();
    origin.parts.into_iter().zip(chunks).map(|(part, values)| (part, shape.clone(), values)).collect()
}

#[test]
fn bidirectional_models_hold_at_other_seeds_batches_and_classes() {
    for model in ["swin_tiny_bisa", "levit_128s_bisa_norm"] {
        holds(model, &Config { batch: 2, classes: Some(11), ..Config::default() }, 7);
    }
}
