//! Inputs that once cost a panic, a hang or all memory, each with what it may cost.
//!
//! ```text
//!   input ─▶ sh -c "ulimit -t SECONDS; ulimit -d KILOBYTES; exec regard …" ─▶ exit code, one sentence
//! ```
//!
//! Limits are those of the system: processor seconds, and bytes of private memory, so a run that needs more ends by a
//! signal and the test says which case it was. Limits leave room for a slow machine; how work grows with the input is
//! what `tests/growth` counts. Each case is a kind of fault; fuzzing looks for further members (`fuzz/run list`).

mod archives;
mod graphs;
mod pictures;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What a run may cost, and how it must end.
pub struct Case {
    /// Name of the kind.
    pub name: &'static str,
    /// Files in the directory of the run, by path.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// The command line after `regard`.
    pub args: &'static str,
    /// The exit code.
    pub code: i32,
    /// What standard output or standard error must contain.
    pub says: &'static str,
    /// Processor seconds.
    pub seconds: u32,
    /// Private memory, in MiB.
    pub mebibytes: u32,
}

impl Case {
    /// A case that ends with `code` within five seconds and 300 MiB.
    pub fn new(name: &'static str, args: &'static str, code: i32, says: &'static str) -> Case {
        Case { name, files: Vec::new(), args, code, says, seconds: 5, mebibytes: 300 }
    }
    /// The same with a file.
    pub fn with(mut self, name: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
        self.files.push((name, bytes.into()));
        self
    }
    /// What went wrong.
    fn run(&self) -> Result<(), String> {
        let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
        for (name, bytes) in &self.files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap_or(dir.path())).map_err(|e| e.to_string())?;
            fs::write(path, bytes).map_err(|e| e.to_string())?;
        }
        let before = names(dir.path());
        let script = format!(
            "ulimit -c 0; ulimit -t {}; ulimit -d {}; exec \"$0\" {}",
            self.seconds,
            self.mebibytes * 1024,
            self.args
        );
        let program = env!("CARGO_BIN_EXE_regard");
        let output = Command::new("sh").args(["-c", &script, program]).current_dir(dir.path()).output();
        let output = output.map_err(|e| e.to_string())?;
        let said = [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat();
        let shown: String = said.chars().take(600).collect();
        match output.status.code() {
            None => {
                Err(format!("{}; limits are {} s and {} MiB\n{shown}", output.status, self.seconds, self.mebibytes))
            }
            Some(_) if said.contains("panicked") => Err(format!("a panic\n{shown}")),
            Some(code) if code != self.code => Err(format!("exit code {code}, expected {}\n{shown}", self.code)),
            Some(_) if !said.contains(self.says) => Err(format!("`{}` is not said\n{shown}", self.says)),
            Some(code) if code != 0 && names(dir.path()) != before => Err(format!("left {:?}", names(dir.path()))),
            Some(_) => Ok(()),
        }
    }
}

fn names(dir: &Path) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    names.sort();
    names
}

/// Runs all cases and panics with those that fail.
#[track_caller]
pub fn check(cases: Vec<Case>) {
    let outcome = |case: &Case| case.run().err().map(|why| format!("{}: regard {}\n  {why}", case.name, case.args));
    let failures: Vec<String> = cases.iter().filter_map(outcome).collect();
    assert!(failures.is_empty(), "{} of {} cases fail\n{}", failures.len(), cases.len(), failures.join("\n"));
}
