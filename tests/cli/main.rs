//! The program as users use it: what it prints, what it writes, how it ends.

mod bad_input;
mod checkpoints;
mod commands;
mod compare;
mod compile;
mod executables;
mod explain;
mod outputs;
mod pictures;
mod readme;
mod rules;
mod segmentation;
mod terminal;
mod types;

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// Attention over 49 tokens, as someone would write it.
pub const BLOCK: &str = "graph block {
  %x = input : f32[2, 49, 32]
  %w = weight : f32[32, 32]
  %q = matmul %x, %w
  %t = transpose %x { order = [-1, -2] }
  %s = matmul %q, %t
  %p = softmax %s { axis = -1 }
  %y = matmul %p, %x
  return %y
}
";

/// A classifier of small images: 8×8 patches, mean, ten classes.
pub const CLASSIFIER: &str = "graph tiny {
  %image = input : f32[1, 3, 32, 32]
  %w = weight : f32[192, 10]
  %b = weight : f32[10]
  %1 = reshape %image { shape = [1, 3, 4, 8, 4, 8] }
  %2 = transpose %1 { order = [-4, -2, -5, -3, -1] }
  %3 = reshape %2 { shape = [16, 192] }
  %4 = matmul %3, %w
  %5 = gelu %4
  %6 = reduce %5 { op = mean, axis = -2 }
  %logits = add %6, %b
  return %logits
}
";

/// How a run ended.
pub struct Ran {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// The standard output of a run that must succeed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "stderr: {}", self.err);
        self.out
    }
    /// The standard error of a run that must end with that code, in order and without a panic.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self.err
    }
}

/// Runs a program.
pub fn start(program: &Path, args: &[&str]) -> Ran {
    ran(Command::new(program).args(args))
}

/// Runs a command.
pub fn ran(command: &mut Command) -> Ran {
    // Lines have a hundred columns where nothing says otherwise.
    let command =
        if command.get_envs().any(|(name, _)| name == "COLUMNS") { command } else { command.env_remove("COLUMNS") };
    let Output { status, stdout, stderr } = output(command);
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    Ran { code: status.code().expect("no signal ended it"), out: text(stdout), err: text(stderr) }
}

/// The output of a program. One that was just copied is busy while a child of another test, between fork and exec, still
/// holds the copy open for writing.
fn output(command: &mut Command) -> Output {
    for _ in 0..500 {
        match command.output() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => thread::sleep(Duration::from_millis(10)),
            done => return done.expect("the program starts"),
        }
    }
    panic!("{command:?} is busy for seconds");
}

/// Runs `regard`.
pub fn regard(args: &[&str]) -> Ran {
    start(Path::new(env!("CARGO_BIN_EXE_regard")), args)
}

/// A directory for one test.
pub struct Dir(TempDir);

impl Default for Dir {
    fn default() -> Dir {
        Dir::new()
    }
}

impl Dir {
    /// An empty one.
    pub fn new() -> Dir {
        Dir(tempfile::tempdir().expect("a temporary directory"))
    }
    /// The path of a name in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
    /// The path of a file in the directory, as an argument.
    pub fn arg(&self, name: &str) -> String {
        self.path(name).to_str().expect("temporary paths are UTF-8").to_owned()
    }
    /// Writes a file and returns its path as an argument.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), bytes).expect("the file can be written");
        self.arg(name)
    }
    /// Names of all files.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("the directory can be read");
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// A safetensors file with f32 tensors.
pub fn tensors(tensors: &[(&str, &[usize], Vec<f32>)]) -> Vec<u8> {
    let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let typed: Vec<(&str, &str, &[usize], Vec<u8>)> =
        tensors.iter().map(|(name, shape, values)| (*name, "F32", *shape, bytes(values))).collect();
    typed_tensors(&typed)
}

/// A safetensors file with tensors of name, type, shape and little-endian elements.
pub fn typed_tensors(tensors: &[(&str, &str, &[usize], Vec<u8>)]) -> Vec<u8> {
    let (mut header, mut data) = (Vec::new(), Vec::new());
    for (name, dtype, shape, bytes) in tensors {
        let begin = data.len();
        data.extend(bytes);
        header.push(format!(
            "\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape:?},\"data_offsets\":[{begin},{}]}}",
            data.len()
        ));
    }
    let header = format!("{{{}}}", header.join(","));
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

/// `n` values between −1 and 1.
pub fn wave(n: usize, step: f32) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * step).sin()).collect()
}
