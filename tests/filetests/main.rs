//! Text files that test the compiler: commands first, a graph, then what each command must print.
//!
//! ```text
//!   ; test plan target=x86-64-v4           one line per command
//!
//!   graph rows { … }                       the graph, or a text that is none
//!
//!   ; expect plan target=x86-64-v4         one section per command, in the same order
//!   ;   %y = row [1, 12] reading %x
//! ```
//!
//! `BLESS=1 cargo test --release --test filetests` rewrites the sections; read the difference before committing it.
//! Blessing changes expectations only: a command that fails, because values differ or an invariant is
//! broken, fails all the same. [`commands`] lists what a file can ask for.

mod commands;
mod file;

use file::TestFile;
use rayon::prelude::*;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every `.rg` file below `dir`, by name.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a directory entry").path()).collect();
    paths.sort();
    let inside = |path: PathBuf| match path.is_dir() {
        true => files(&path),
        false => Vec::from_iter(path.extension().is_some_and(|e| e == "rg").then_some(path)),
    };
    paths.into_iter().flat_map(inside).collect()
}

/// Runs the commands of one file; `Err` is for users.
fn run(path: &Path, root: &Path, bless: bool) -> Result<(), String> {
    let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
    let text = fs::read_to_string(path).map_err(|e| format!("{name}: {e}"))?;
    let file = TestFile::parse(&name, &text).map_err(|e| format!("{name}: {e}"))?;
    let outcomes: Vec<Result<String, String>> = file.commands.iter().map(|line| commands::run(line, &file)).collect();
    let failures: Vec<String> = file
        .commands
        .iter()
        .zip(&outcomes)
        .filter_map(|(line, outcome)| Some(format!("{name}: {line}: {}", outcome.as_ref().err()?)))
        .collect();
    if !failures.is_empty() {
        return Err(failures.join("\n"));
    }
    let found = file.render(&outcomes.into_iter().flatten().collect::<Vec<_>>());
    match () {
        () if found == text => Ok(()),
        () if bless => fs::write(path, found).map_err(|e| format!("{name}: {e}")),
        () => Err(format!("{name}: not as expected (BLESS=1 accepts what is found)\n{}", difference(&text, &found))),
    }
}

/// The lines that differ, without the common beginning and end.
fn difference(expected: &str, found: &str) -> String {
    let (expected, found): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    let same = |(a, b): &(&&str, &&str)| a == b;
    let head = expected.iter().zip(&found).take_while(same).count();
    let tail = expected[head..].iter().rev().zip(found[head..].iter().rev()).take_while(same).count();
    let side = |lines: &[&str], sign: char| -> String {
        lines[head..lines.len() - tail].iter().map(|line| format!("  {sign} {line}\n")).collect()
    };
    format!("  line {}\n{}{}", head + 1, side(&expected, '-'), side(&found, '+'))
}

#[test]
fn files_do_what_they_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filetests");
    let bless = std::env::var_os("BLESS").is_some_and(|v| v == "1");
    let files = files(&root);
    assert!(!files.is_empty(), "there are no files below {}", root.display());
    let failures: Vec<String> = files.par_iter().filter_map(|path| run(path, &root, bless).err()).collect();
    assert!(failures.is_empty(), "{} of {} files fail\n\n{}", failures.len(), files.len(), failures.join("\n\n"));
}

#[test]
fn spellings_of_attention_are_many_and_checked() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filetests");
    let sites = |folder: &str| -> Vec<usize> {
        let sites = |path: &PathBuf| {
            let text = fs::read_to_string(path).expect("a file that was listed");
            let file = TestFile::parse(folder, &text).expect("a test file");
            assert!(file.commands.iter().any(|c| c == "check"), "{} lacks `check`", path.display());
            let raise = file.commands.iter().find_map(|c| c.strip_prefix("raise sites="));
            raise.and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{} lacks `raise sites=N`", path.display()))
        };
        files(&root.join(folder)).iter().map(sites).collect()
    };
    let (spellings, near) = (sites("raise"), sites("near_misses"));
    assert!(spellings.len() >= 36 && spellings.iter().all(|&n| n > 0), "{} spellings", spellings.len());
    assert!(near.len() >= 34 && near.iter().filter(|&&n| n == 0).count() >= 20, "{} near misses", near.len());
}

#[test]
fn files_without_a_command_are_refused() {
    let refused = |text: &str| TestFile::parse("x.rg", text).map(|file| file.commands).expect_err(text);
    assert!(refused("graph g {\n}\n").contains("`; test COMMAND`"));
    assert!(refused("; test\ngraph g {\n}\n").contains("`; test COMMAND`"));
    let file = TestFile::parse("x.rg", "; test plain\ngraph g {\n}\n").expect("one command");
    assert!(commands::run("plain", &file).expect_err("no such command").contains("`roundtrip`"));
    assert!(commands::run("plan target=z80", &file).is_err());
    assert!(commands::run("eval depth=3", &file).expect_err("no such option").contains("`depth`"));
}

#[test]
fn differences_are_shown_without_what_is_equal() {
    assert_eq!(difference("a\nb\nc\n", "a\nx\ny\nc\n"), "  line 2\n  - b\n  + x\n  + y\n");
}
