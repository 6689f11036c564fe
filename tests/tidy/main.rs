//! The house rules, as tests: who may depend on whom, and how every file looks.
//!
//! ```text
//!   src (command line) ──▶ regard ──▶ passes, codegen, runtime, models ──▶ ir          siblings never see each other
//! ```
//!
//! | rule | test |
//! |---|---|
//! | dependency edges, shared versions, shared lints | [`crates_depend_downwards_only`] |
//! | the profile that fuzz targets share | [`fuzz_targets_share_the_profile`] |
//! | every file begins with a `//!` header and has at most 500 lines | [`files_are_short_and_have_headers`] |
//! | every `.rs` file belongs to a module tree | [`no_file_is_an_orphan`] |
//! | printing and `unsafe` only where they belong | [`printing_and_unsafe_have_their_places`] |
//! | files are written in one place | [`files_are_written_in_one_place`] |
//! | nothing unfinished, ignored or switched off | [`nothing_is_left_for_later`] |
//! | one spelling per word, no place of one machine | [`words_have_one_spelling`] |
//! | links in documents lead somewhere | [`documents_name_files_that_exist`] |
//!
//! A rule that a file breaks is reported with file and line; all of them, not the first.

mod manifest;
mod modules;
mod words;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The most lines a file has.
const MOST_LINES: usize = 500;

/// Files outside of the runtime that may be unsafe: a matrix product of others, and those that vouch for code that was
/// just emitted, or that the user asks to run.
const MAY_BE_UNSAFE: [&str; 6] = [
    "ir/src/ops/gemm.rs",
    "regard/src/pipeline/start.rs",
    "src/cli/packaged.rs",
    "tests/common/mod.rs",
    "tests/lowering/chain.rs",
    "benches/common/mod.rs",
];

/// A file of the project.
struct File {
    /// Path from the root, with slashes.
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
    fn below(&self, dirs: &[&str]) -> bool {
        dirs.iter().any(|dir| self.path.starts_with(dir))
    }
    /// The faults of all lines, with their places.
    fn each_line(&self, fault: impl Fn(&str) -> Option<String>) -> Vec<String> {
        let lines = self.text.lines().enumerate();
        lines.filter_map(|(i, line)| Some(format!("{}:{}: {}", self.path, i + 1, fault(line)?))).collect()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file of the project, by path; neither build products nor what the version control keeps.
fn files() -> Vec<File> {
    let mut paths = Vec::new();
    let mut work = vec![root().to_path_buf()];
    while let Some(dir) = work.pop() {
        let entries = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        for path in entries.map(|entry| entry.expect("a directory entry").path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match path.is_dir() {
                // In a linked working tree `.git` is a file.
                // A corpus is data that nobody wrote.
                _ if name == "target" || name == ".git" || name == "corpus" => {}
                true => work.push(path),
                false => paths.push(path),
            }
        }
    }
    paths.sort();
    paths.into_iter().filter_map(read).collect()
}

fn read(path: PathBuf) -> Option<File> {
    let text = String::from_utf8(fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).ok()?;
    let path = path.strip_prefix(root()).expect("the file is in the project").to_string_lossy().replace('\\', "/");
    Some(File { path, text })
}

/// Panics with all faults.
fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn crates_depend_downwards_only() {
    let manifests = files().into_iter().filter(|file| file.path.ends_with("Cargo.toml"));
    none(manifests.flat_map(|file| manifest::faults(&file)).collect());
}

#[test]
fn fuzz_targets_share_the_profile() {
    let files = files();
    let manifest = |path: &str| files.iter().find(|file| file.path == path).expect("it is a manifest");
    none(manifest::profile_faults(manifest("Cargo.toml"), manifest("fuzz/Cargo.toml")));
}

#[test]
fn files_are_short_and_have_headers() {
    let faults = |file: File| {
        let lines = file.text.lines().count();
        let header = file.text.starts_with("//! ");
        let long = (lines > MOST_LINES).then(|| format!("{}: {lines} lines, at most {MOST_LINES}", file.path));
        let bare = (!header).then(|| format!("{}: does not begin with a `//!` header", file.path));
        long.into_iter().chain(bare)
    };
    none(files().into_iter().filter(File::is_rust).flat_map(faults).collect());
}

#[test]
fn no_file_is_an_orphan() {
    let rust: BTreeSet<String> = files().into_iter().filter(File::is_rust).map(|file| file.path).collect();
    let reached = modules::reached(&rust);
    none(rust.difference(&reached).map(|path| format!("{path}: no module declares it")).collect());
}

#[test]
fn printing_and_unsafe_have_their_places() {
    let rust: Vec<File> = files().into_iter().filter(File::is_rust).collect();
    let faults = |file: &File| {
        let may_print = file.below(&["src/", "benches/", "examples/"]) || file.path.contains("tests/");
        let may_be_unsafe = file.below(&["runtime/"]) || MAY_BE_UNSAFE.contains(&file.path.as_str());
        file.each_line(|line| {
            let code = words::code(line);
            let prints = words::has(code, "println!") || words::has(code, "eprintln!") || words::has(code, "dbg!");
            let is_unsafe = words::has(code, "unsafe") && !line.contains("\"");
            match () {
                () if prints && !may_print => Some("prints, which only the command line does".to_owned()),
                () if is_unsafe && !may_be_unsafe => Some("is unsafe outside the runtime".to_owned()),
                () => None,
            }
        })
    };
    none(rust.iter().flat_map(faults).collect());
    let unsound = |file: &File| {
        let lines: Vec<&str> = file.text.lines().collect();
        let opens = |line: &str| {
            words::code(line).contains(concat!("unsafe", " {")) || words::code(line).contains("unsafe impl")
        };
        let places: Vec<usize> = (0..lines.len()).filter(|&i| opens(lines[i])).collect();
        let explained = |&i: &usize| lines[i.saturating_sub(6)..=i].iter().any(|line| line.contains("SAFETY:"));
        let unexplained = places.into_iter().filter(|i| !explained(i));
        unexplained
            .map(|i| format!("{}:{}: no `SAFETY:` says what makes it sound", file.path, i + 1))
            .collect::<Vec<_>>()
    };
    none(rust.iter().filter(|file| file.path != "tests/tidy/main.rs").flat_map(unsound).collect());
}

#[test]
fn files_are_written_in_one_place() {
    let calls = ["fs::write", "File::create", "OpenOptions", "fs::rename", "fs::copy"];
    let faults = |file: File| {
        // `own.rs` asks whether it may write.
        let is_exempt =
            file.below(&["runtime/src/files/", "benches/", "examples/", "fuzz/", "runtime/src/package/own.rs"]);
        // Tests write what they like.
        let text = file.text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
        let found = File { path: file.path, text }.each_line(|line| {
            let call = calls.into_iter().find(|call| words::has(words::code(line), call))?;
            Some(format!("`{call}`: files are written by `runtime/src/files`, so that none is lost or left by half"))
        });
        if is_exempt { Vec::new() } else { found }
    };
    let rust = files().into_iter().filter(|file| file.is_rust() && !file.path.contains("tests"));
    none(rust.flat_map(faults).collect());
}

#[test]
fn nothing_is_left_for_later() {
    let unfinished = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("todo", "!"),
        concat!("unimplemented", "!"),
        concat!("#[ig", "nore"),
        concat!("should_", "panic"),
    ];
    let faults = |file: File| {
        file.each_line(|line| {
            let found = unfinished.into_iter().find(|word| words::has(line, word));
            found.map(|word| format!("`{word}`: finish it or leave it out"))
        })
    };
    let unreasoned = |file: File| {
        file.each_line(|line| {
            let allows = line.contains("#[allow(") || line.contains("#![allow(");
            let reasoned = line.contains("//") || line.contains("reason");
            (allows && !reasoned && !line.contains('"')).then(|| "`allow` without a reason".to_owned())
        })
    };
    none(files().into_iter().flat_map(faults).collect());
    none(files().into_iter().filter(File::is_rust).flat_map(unreasoned).collect());
}

#[test]
fn words_have_one_spelling() {
    let read =
        files().into_iter().filter(|file| !file.path.ends_with("Cargo.lock") && file.path != "tests/tidy/words.rs");
    none(read.flat_map(|file| words::faults(&file)).collect());
}

#[test]
fn documents_name_files_that_exist() {
    let documents = files().into_iter().filter(|file| file.path.ends_with(".md"));
    none(documents.flat_map(|file| words::dead_links(&file, root())).collect());
}
