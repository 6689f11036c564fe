//! Which files the module trees reach.
//!
//! ```text
//!   src/lib.rs      mod a;  ─▶  src/a.rs or src/a/mod.rs        lib.rs, main.rs, mod.rs and crate roots: beside them
//!   src/a.rs        mod b;  ─▶  src/a/b.rs or src/a/b/mod.rs    other files: in the directory of their name
//! ```

use crate::root;
use std::{collections::BTreeSet, fs, path::Path};

/// Files reached from the crate roots among `rust`.
pub(crate) fn reached(rust: &BTreeSet<String>) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut work: Vec<(String, bool)> =
        rust.iter().filter(|path| is_root(path)).map(|path| (path.clone(), true)).collect();
    while let Some((path, is_root)) = work.pop() {
        if !reached.insert(path.clone()) {
            continue;
        }
        let text = fs::read_to_string(root().join(&path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        let dir = children(&path, is_root);
        for name in declared(&text) {
            let candidates = [format!("{dir}/{name}.rs"), format!("{dir}/{name}/mod.rs")];
            work.extend(candidates.into_iter().filter(|path| rust.contains(path)).map(|path| (path, false)));
        }
    }
    reached
}

/// Whether cargo compiles the file as a crate of its own.
fn is_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["src", "runner.rs"] | [.., "src", "lib.rs" | "main.rs"] => true,
        [.., "tests" | "benches" | "examples", file] => file.ends_with(".rs"),
        [.., "tests" | "benches" | "examples", _, "main.rs"] => !path.contains("/src/") && !path.starts_with("src/"),
        _ => false,
    }
}

/// The directory in which the modules that a file declares lie.
fn children(path: &str, is_root: bool) -> String {
    let path = Path::new(path);
    let dir = path.parent().unwrap_or(Path::new(""));
    let beside = is_root || path.file_name().is_some_and(|name| name == "mod.rs");
    let dir = if beside { dir.to_path_buf() } else { dir.join(path.file_stem().unwrap_or_default()) };
    dir.to_string_lossy().replace('\\', "/")
}

/// Names in lines `mod name;`, whatever their visibility.
fn declared(text: &str) -> Vec<&str> {
    text.lines().filter_map(module).collect()
}

fn module(line: &str) -> Option<&str> {
    let line = line.trim();
    let item = ["pub(crate) ", "pub(super) ", "pub "].iter().find_map(|v| line.strip_prefix(v)).unwrap_or(line);
    item.strip_prefix("mod ")?.strip_suffix(';')
}

#[test]
fn declarations_are_found() {
    assert_eq!(declared("mod a;\npub mod b;\n    pub(crate) mod c;\nmod d {\n// mod e;\n"), ["a", "b", "c"]);
    assert_eq!(children("ir/src/lib.rs", true), "ir/src");
    assert_eq!(children("ir/src/ops/mod.rs", false), "ir/src/ops");
    assert_eq!(children("ir/src/ops.rs", false), "ir/src/ops");
    assert!(is_root("runtime/tests/pool.rs") && is_root("tests/ptx/main.rs") && !is_root("tests/ptx/text.rs"));
    assert!(!is_root("ir/src/graph/tests.rs") && !is_root("tests/common/mod.rs"));
}
