//! Dependency edges, read from the manifests.
//!
//! Versions stand once, in the root's `[workspace.dependencies]`; every crate takes them from there, so two
//! crates never use two versions. Sections are read line by line, which is all these manifests need.

use crate::File;

/// Crates of this workspace that each manifest may name.
const EDGES: [(&str, &[&str]); 6] = [
    ("ir/Cargo.toml", &[]),
    ("passes/Cargo.toml", &["regard-ir"]),
    ("codegen/Cargo.toml", &["regard-ir"]),
    ("runtime/Cargo.toml", &["regard-ir"]),
    ("models/Cargo.toml", &["regard-ir"]),
    ("Cargo.toml", &["regard-ir", "regard-passes", "regard-codegen", "regard-runtime", "regard-models"]),
];

/// What is wrong with a manifest.
pub fn faults(file: &File) -> Vec<String> {
    if file.path == "fuzz/Cargo.toml" {
        return Vec::new();
    }
    let Some((_, allowed)) = EDGES.iter().find(|(path, _)| *path == file.path) else {
        return vec![format!("{}: a crate that nobody planned", file.path)];
    };
    let mut faults = Vec::new();
    let mut section = String::new();
    for (i, line) in file.text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']).to_owned();
            continue;
        }
        let takes = section.ends_with("dependencies") && section != "workspace.dependencies";
        let Some((key, value)) = line.split_once('=').filter(|_| takes) else { continue };
        let name = key.trim().trim_end_matches(".workspace");
        let mut fault = |what: String| faults.push(format!("{}:{}: {what}", file.path, i + 1));
        if name.starts_with("regard-") && !allowed.contains(&name) {
            fault(format!("depends on {name}, may depend on {allowed:?}"));
        }
        if !key.trim().ends_with(".workspace") && !value.contains("workspace = true") {
            fault(format!("{name} has a version of its own, expected `{name}.workspace = true`"));
        }
    }
    if !file.text.contains("[lints]\nworkspace = true") {
        faults.push(format!("{}: does not take the workspace's lints", file.path));
    }
    faults
}

#[test]
fn edges_between_siblings_are_found() {
    let of = |path: &str, dependency: &str| {
        let text = format!("[dependencies]\n{dependency}\n\n[lints]\nworkspace = true\n");
        faults(&File { path: path.into(), text })
    };
    assert_eq!(of("passes/Cargo.toml", "regard-ir.workspace = true"), Vec::<String>::new());
    assert_eq!(of("passes/Cargo.toml", "regard-codegen.workspace = true").len(), 1);
    assert_eq!(of("ir/Cargo.toml", "half = \"2\"").len(), 1);
    assert_eq!(of("other/Cargo.toml", "").len(), 1);
}
