//! Swin-T: threads, names of all libraries, and the executable.

use super::{holds, names_of_all_hold, outputs};
use regard::{
    models::{self, Config, names::Style},
    runtime::Package,
    weights::Synthetic,
};
use std::{path::Path, process::Command};

#[test]
fn other_seeds_batches_and_classes_hold_too() {
    holds("swin_tiny", &Config { batch: 2, classes: Some(11), ..Config::default() }, 7);
}

#[test]
fn threads_do_not_change_a_bit() {
    let graph = models::build("swin_tiny", &Config::default()).unwrap();
    let run = |threads| outputs(&graph, &Synthetic::new(3), threads);
    assert_eq!(run(1), run(3));
}

#[test]
fn checkpoints_of_other_libraries_hold_the_same_tensors() {
    let graph = models::build("swin_tiny", &Config::default()).unwrap();
    names_of_all_hold(&graph, &Style::ALL);
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
    assert!(size < weights + 5_500_000, "{size} bytes");
    let image = dir.path().join("fish.png");
    std::fs::write(&image, include_bytes!("../../regard/src/assets/default.png")).unwrap();
    let classes = |text: String| {
        text.lines().filter(|l| l.contains("class ") && l.contains('%')).map(str::to_owned).collect::<Vec<_>>()
    };
    let ours = classes(run(regard, &["run", "swin_tiny"]));
    assert_eq!(ours.len(), 5);
    assert_eq!(classes(run(&exe, &[image.to_str().unwrap()])), ours);
}
