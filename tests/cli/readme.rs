//! README and tour show what the program prints: their samples are run again, but for those that tell times or take long.
//!
//! A line `…` stands for any lines, and `…` at the end of a line for its rest.

use crate::{Dir, Ran, ran, regard};
use regard::pipeline::executable_target;
use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

const README: &str = include_str!("../../README.md");
const TOUR: &str = include_str!("../../docs/tour.md");
/// What the samples are of.
const TARGET: &str = "x86-64-v4";

/// A command and what it printed.
struct Sample<'a> {
    words: Vec<&'a str>,
    lines: Vec<&'a str>,
}

/// Every `$ regard …` in a block of text.
fn samples() -> Vec<Sample<'static>> {
    let blocks_of = |text: &'static str| text.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next());
    let blocks = blocks_of(README).chain(blocks_of(TOUR));
    let commands = blocks.flat_map(|block| block.split("$ regard ").skip(1));
    let sample = |text: &'static str| {
        let mut lines = text.trim_end().lines();
        let words = lines.next().expect("a command").split(' ').map(|word| word.trim_matches('\'')).collect();
        Sample { words, lines: lines.collect() }
    };
    commands.map(sample).collect()
}

/// Whether the sample is the same in every run. Scored pictures are not at hand here, and mutants take a minute.
fn is_lasting(sample: &Sample) -> bool {
    let others = ["--check", "--measure", "bench", "compile", "score", "--mutate"];
    !sample.words.iter().any(|word| others.contains(word))
}

/// The first line that is not as the sample says.
fn difference(lines: &[&str], found: &str) -> Option<String> {
    let mut rest = found.trim_end().lines().map(str::trim_end).collect::<Vec<_>>().into_iter();
    let mut gap = false;
    for line in lines.iter().map(|line| line.trim_end()) {
        if line == "…" {
            gap = true;
            continue;
        }
        let agrees = |found: &&str| match line.strip_suffix('…') {
            Some(start) => found.starts_with(start),
            None => *found == line,
        };
        let next = if gap { rest.find(agrees) } else { rest.next() };
        match next {
            Some(found) if agrees(&found) => gap = false,
            Some(found) => return Some(format!("expected `{line}`, found `{found}`")),
            None => return Some(format!("expected `{line}`, found the end")),
        }
    }
    if gap { None } else { rest.next().map(|found| format!("expected the end, found `{found}`")) }
}

/// The files that the samples read: the README's own graph, one with an operand less, a schedule that does not fit, and
/// the golden files.
fn folder() -> Dir {
    let dir = Dir::new();
    let block = README.split("```text\n").find(|text| text.starts_with("graph block {")).expect("a graph");
    let block = block.split("```").next().expect("it ends");
    dir.file("block.rg", block);
    dir.file("wrong.rg", block.replace("%q, %x, %x", "%q, %x"));
    let schedule = regard(&["show", &dir.arg("block.rg"), "--stage", "schedule"]).ok();
    dir.file("mine.schedule", schedule.replace("queries 14", "queries 6"));
    symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), dir.path("tests")).expect("a link");
    dir
}

fn run(dir: &Dir, words: &[&str]) -> Ran {
    ran(Command::new(env!("CARGO_BIN_EXE_regard")).args(words).current_dir(dir.path("")))
}

#[test]
fn samples_are_what_the_program_prints() {
    if executable_target(None).expect("a target").name != TARGET {
        return;
    }
    let (dir, samples) = (folder(), samples());
    let lasting: Vec<&Sample> = samples.iter().filter(|sample| is_lasting(sample)).collect();
    assert!(lasting.len() >= 15, "{} samples", lasting.len());
    let mut stale = String::new();
    for sample in lasting {
        let ran = run(&dir, &sample.words);
        if let Some(why) = difference(&sample.lines, &(ran.out + &ran.err)) {
            stale += &format!("regard {}: {why}\n", sample.words.join(" "));
        }
    }
    assert!(stale.is_empty(), "README.md or docs/tour.md is out of date\n{stale}");
    assert!(fs::exists(dir.path("better.rg")).is_ok_and(|exists| exists));
}

/// The README's Rust is the front page of the crate's documents, which is compiled and run as one of their tests.
#[test]
fn the_example_is_the_front_page() {
    let front: String = include_str!("../../regard/src/lib.rs")
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line)))
        .collect();
    let example = README.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    assert!(front.contains(example), "the README's example is not that of regard/src/lib.rs");
}

#[test]
fn a_gap_is_filled_and_nothing_else() {
    assert_eq!(difference(&["a", "…", "d"], "a\nb\nc\nd"), None);
    assert_eq!(difference(&["a b…", "…"], "a b c\nd"), None);
    assert!(difference(&["a", "c"], "a\nb\nc").is_some());
    assert!(difference(&["a"], "a\nb").is_some());
    assert!(difference(&["a", "…", "e"], "a\nb").is_some());
}
