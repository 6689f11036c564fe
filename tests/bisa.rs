//! Bidirectional models, the whole way: golden values of the authors' code, other seeds and batches.

use regard::{
    check::{self, Device, Job},
    golden::{Choice, Golden, Program},
    models::{self, Config},
    pipeline::{self, Trace},
    progress::Progress,
    weights::Synthetic,
};
use std::path::PathBuf;

/// Golden files, and how many modules each has values of.
const MODELS: [(&str, usize); 2] = [("swin_tiny_bisa", 7), ("swin_tiny_bisa_norm", 7)];

fn trace() -> Trace {
    Trace::new(Progress::hidden())
}

fn golden_holds(device: Device, tolerance: f64) {
    for (model, modules) in MODELS {
        let path = PathBuf::from(format!("tests/golden/{model}_1x224x224_seed0.safetensors"));
        let golden = Golden::open(&path).unwrap();
        let target = pipeline::executable_target(None).unwrap();
        let lines = golden.check(device, target, 2, &mut trace()).unwrap();
        assert_eq!(lines.len(), 1 + 2 * modules, "{model}");
        for line in &lines {
            assert!(line.holds() && line.error < tolerance, "{model}: {line:?}");
        }
        assert!(matches!(lines[0].choice, Some(Choice::Same(_))), "{model}: {:?}", lines[0]);
        assert_eq!(lines[0].program == Program::Graph, device == Device::Interpreter);
    }
}

#[test]
fn golden_values_hold_on_the_interpreter() {
    // The file was rounded to f32, nothing else is lost.
    golden_holds(Device::Interpreter, 2e-7);
}

#[test]
fn golden_values_hold_in_machine_code() {
    golden_holds(Device::Cpu, check::TOLERANCE);
}

#[test]
fn other_seeds_batches_and_classes_hold_too() {
    let graph = models::build("swin_tiny_bisa", &Config { batch: 2, classes: Some(11), ..Config::default() }).unwrap();
    let weights = Synthetic { seed: 7 };
    let target = pipeline::executable_target(None).unwrap();
    let job = Job { graph: &graph, weights: &weights, recipe: target.into(), device: Device::Cpu, threads: 2 };
    for error in check::check(&job, 1, &mut trace()).unwrap() {
        assert!(error.holds(), "{error:?}");
    }
}
