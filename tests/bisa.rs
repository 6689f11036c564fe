//! Bidirectional models, the whole way: other seeds, batches and classes.

use regard::{
    check::{self, Device, Job},
    models::{self, Config},
    pipeline::{self, Trace},
    progress::Progress,
    weights::Synthetic,
};

fn trace() -> Trace {
    Trace::new(Progress::hidden())
}

#[test]
fn other_seeds_batches_and_classes_hold_too() {
    for model in ["swin_tiny_bisa", "levit_128s_bisa_norm"] {
        holds(model);
    }
}

fn holds(model: &str) {
    let graph = models::build(model, &Config { batch: 2, classes: Some(11), ..Config::default() }).unwrap();
    let weights = Synthetic { seed: 7 };
    let target = pipeline::executable_target(None).unwrap();
    let job = Job { graph: &graph, weights: &weights, recipe: target.into(), device: Device::Cpu, threads: 2 };
    for error in check::check(&job, 1, &mut trace()).unwrap() {
        assert!(error.holds(), "{model}: {error:?}");
    }
}
