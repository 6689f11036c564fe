//! Dependency edges, read from the manifests.
//!
//! Versions stand once, in the root's `[workspace.dependencies]`; every crate takes them from there, so two
//! crates never use two versions. Sections are read line by line, which is all these manifests need.

use crate::File;
use std::collections::BTreeSet;

/// Crates of this workspace that each manifest may name.
const EDGES: [(&str, &[&str]); 8] = [
    ("ir/Cargo.toml", &[]),
    ("passes/Cargo.toml", &["regard-ir"]),
    ("codegen/Cargo.toml", &["regard-ir"]),
    ("runtime/Cargo.toml", &["regard-ir"]),
    ("models/Cargo.toml", &["regard-ir"]),
    ("testkit/Cargo.toml", &["regard-ir"]),
    ("regard/Cargo.toml", &["regard-ir", "regard-passes", "regard-codegen", "regard-runtime", "regard-models"]),
    ("Cargo.toml", &["regard", "regard-ir", "regard-passes", "regard-codegen", "regard-runtime", "regard-models"]),
];

/// Crates for terminals and command lines, which only the root's package may name.
const TERMINAL: [&str; 9] = [
    "annotate-snippets",
    "clap",
    "clap_complete",
    "clap_mangen",
    "comfy-table",
    "console",
    "indicatif",
    "rustix",
    "unicode-width",
];

/// The crate that tests alone may name.
const TESTKIT: &str = "regard-testkit";

/// What is wrong with a manifest.
pub(crate) fn faults(file: &File) -> Vec<String> {
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
        let for_tests = name == TESTKIT && section == "dev-dependencies";
        if is_own(name) && !allowed.contains(&name) && !for_tests {
            fault(format!("depends on {name}, may depend on {allowed:?}"));
        }
        if TERMINAL.contains(&name) && file.path != "Cargo.toml" {
            fault(format!("depends on {name}, which is for the command line alone"));
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

/// Whether a crate is of this project.
fn is_own(name: &str) -> bool {
    name == "regard" || name.starts_with("regard-")
}

/// Where the profile of the fuzz targets differs from the project's: they share the third-party crates that are built, so
/// only options of the project's own crates may differ.
pub(crate) fn profile_faults(project: &File, fuzz: &File) -> Vec<String> {
    let (expected, found) = (profile(project), profile(fuzz));
    let missing = expected.difference(&found).map(|line| format!("{}: lacks `{line}`", fuzz.path));
    let extra = found.difference(&expected).map(|line| format!("{}: `{line}` is not in {}", fuzz.path, project.path));
    missing.chain(extra).collect()
}

/// The lines of the profile's sections that are not about the project's own crates, each with its section.
fn profile(file: &File) -> BTreeSet<String> {
    let mut section = "";
    let mut lines = BTreeSet::new();
    for line in file.text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if section.starts_with("[profile.") && line.contains('=') && !line.starts_with("regard") {
            lines.insert(format!("{section} {line}"));
        }
    }
    lines
}

#[test]
fn differences_of_profiles_are_found() {
    let file =
        |path: &str, lines: &str| File { path: path.into(), text: format!("[profile.release.package]\n{lines}\n") };
    let project = file("Cargo.toml", "egg = { opt-level = \"s\" }\nregard = { opt-level = \"s\" }");
    assert_eq!(profile_faults(&project, &file("fuzz/Cargo.toml", "egg = { opt-level = \"s\" }")), Vec::<String>::new());
    assert_eq!(profile_faults(&project, &file("fuzz/Cargo.toml", "egg = { opt-level = \"z\" }")).len(), 2);
}

#[test]
fn edges_between_siblings_are_found() {
    let of = |path: &str, dependency: &str| {
        let text = format!("[dependencies]\n{dependency}\n\n[lints]\nworkspace = true\n");
        faults(&File { path: path.into(), text })
    };
    assert_eq!(of("passes/Cargo.toml", "regard-ir.workspace = true"), Vec::<String>::new());
    assert_eq!(of("passes/Cargo.toml", "regard-codegen.workspace = true").len(), 1);
    assert_eq!(of("passes/Cargo.toml", "regard-testkit.workspace = true").len(), 1);
    assert_eq!(of("passes/Cargo.toml", "regard.workspace = true").len(), 1);
    assert_eq!(of("Cargo.toml", "clap.workspace = true"), Vec::<String>::new());
    assert_eq!(of("regard/Cargo.toml", "clap.workspace = true").len(), 1);
    assert_eq!(of("ir/Cargo.toml", "half = \"2\"").len(), 1);
    assert_eq!(of("other/Cargo.toml", "").len(), 1);
}
