//! Every golden file, on the interpreter and in machine code: a model is held to its authors' own numbers by adding its
//! file to `tests/golden`.

use regard::{
    check::{Device, TOLERANCE},
    golden::{Choice, Golden, Program},
    pipeline::{self, Trace},
};
use std::path::PathBuf;

/// What rounding the recorded values to f32 may cost; the interpreter loses nothing else.
const ROUNDING: f64 = 2e-7;

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("tests/golden").unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == "safetensors")).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Checks all files and panics with every line that does not hold.
fn all_hold(device: Device, tolerance: f64, programs: [Program; 2]) {
    let mut wrong = Vec::new();
    for path in files() {
        let golden = Golden::open(&path).unwrap();
        let target = pipeline::executable_target(None).unwrap();
        let lines = golden.check(device, target, 2, &mut Trace::new()).unwrap();
        let compared = |lines: usize| lines >= (2 * golden.modules().len()).max(1);
        assert!(compared(lines.len()), "{}: a module or the result is not compared", path.display());
        for line in lines {
            let holds = line.holds() && line.error < tolerance;
            let chosen = matches!(line.choice, None | Some(Choice::Same(_)));
            if !holds || !chosen || !programs.contains(&line.program) {
                wrong.push(format!("{}: {line:?}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn golden_files_hold_on_the_interpreter() {
    all_hold(Device::Interpreter, ROUNDING, [Program::Graph; 2]);
}

#[test]
fn golden_files_hold_in_machine_code() {
    all_hold(Device::Cpu, TOLERANCE, [Program::Shipped, Program::Tapped]);
}
