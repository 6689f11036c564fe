//! Words: one spelling each in prose, no places of one machine, no dead links.
//!
//! Prose is what comments and documents say outside backticks; names in code follow Rust's customs.

use crate::File;
use std::path::Path;

/// Spellings that do not occur in prose, and what stands for them.
const SPELLINGS: [(&str, &str); 20] = [
    ("attn", "attention"),
    ("reverse attention", "inverse attention"),
    ("neighborhood", "neighbourhood"),
    ("soft-max", "softmax"),
    ("layernorm", "layer norm"),
    ("layer-norm", "layer norm"),
    ("fp32", "f32"),
    ("float32", "f32"),
    ("fp16", "f16"),
    ("fp64", "f64"),
    ("egraph", "e-graph"),
    ("backend", "back end"),
    ("back-end", "back end"),
    ("optimizer", "optimiser"),
    ("normalize", "normalise"),
    ("normalization", "normalisation"),
    ("initialize", "initialise"),
    ("vectorize", "vectorise"),
    ("behavior", "behaviour"),
    ("safe tensors", "safetensors"),
];

/// Places that exist on one machine only.
const PLACES: [&str; 6] = ["/work", "/tmp", "/farm", "/root", "/home", "../shared"];

/// Directories whose files documents name in backticks.
const CODE: [&str; 11] =
    ["regard/", "ir/", "passes/", "codegen/", "runtime/", "models/", "testkit/", "src/", "tests/", "benches/", ".ci/"];

/// The code of a line of Rust, without its comment.
pub(crate) fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// Whether `text` has `word`, with no letter, digit or underscore before or after it, nor a dot before it: names in
/// dots are those of checkpoints.
pub(crate) fn has(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let inside = word.starts_with(part) && text[..at].ends_with(|c: char| part(c) || c == '.');
        let goes_on = word.ends_with(part) && text[at + word.len()..].starts_with(part);
        !inside && !goes_on
    })
}

/// Wrong spellings and places of one machine.
pub(crate) fn faults(file: &File) -> Vec<String> {
    let document = file.path.ends_with(".md");
    file.each_line(|line| {
        if let Some(place) = PLACES.iter().find(|place| is_place(line, place)) {
            return Some(format!("`{place}` is a place of one machine"));
        }
        let prose = match file.is_rust() {
            true => prose(line.split_once("//")?.1),
            false if document => prose(line),
            false => return None,
        };
        let (wrong, right) = SPELLINGS.iter().find(|(wrong, _)| has(&prose, wrong))?;
        Some(format!("`{wrong}` is spelled `{right}`"))
    })
}

/// Whether a path of a line begins at `place`.
fn is_place(line: &str, place: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || "_-.*/)}".contains(c);
    let goes_on = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    line.match_indices(place)
        .any(|(at, _)| !line[..at].ends_with(inside) && !line[at + place.len()..].starts_with(goes_on))
}

/// A line in small letters without what stands in backticks.
fn prose(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Links and file names of a document that lead nowhere.
pub(crate) fn dead_links(file: &File, root: &Path) -> Vec<String> {
    let dir = root.join(&file.path).parent().map(Path::to_path_buf).unwrap_or_default();
    let mut faults = Vec::new();
    for (i, line) in file.text.lines().enumerate() {
        let links = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        let local = links.filter(|link| !link.is_empty() && !link.contains("://"));
        let dead = local.filter(|link| !dir.join(link).exists());
        let named = line.split('`').skip(1).step_by(2).filter(|name| CODE.iter().any(|dir| name.starts_with(dir)));
        let plain = |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
        let missing = named.filter(plain).filter(|name| !root.join(name).exists());
        faults.extend(dead.chain(missing).map(|name| format!("{}:{}: {name} does not exist", file.path, i + 1)));
    }
    faults
}

#[test]
fn words_are_whole() {
    assert!(has("an `unsafe` block", "unsafe") && has("println!(x)", "println!"));
    assert!(!has("unsafely", "unsafe") && !has("eprintln!(x)", "println!"));
    let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
    let wrong = faults(&file("a.rs", "let attn = 1; // reverse attention\n//! `attn` is a name\n"));
    assert_eq!(wrong, ["a.rs:1: `reverse attention` is spelled `inverse attention`"]);
    assert_eq!(faults(&file("a.toml", "path = \"/tmp/x\"\n")).len(), 1);
    assert_eq!(faults(&file("a.sh", "cd target/tmp /temporary\n")).len(), 0);
    let links = dead_links(&file("a.md", "[x](Cargo.toml) [y](gone.md#a) `src/lib.rs` `src/gone.rs`\n"), crate::root());
    assert_eq!(links, ["a.md:1: gone.md does not exist", "a.md:1: src/gone.rs does not exist"]);
}
