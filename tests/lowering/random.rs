//! Random graphs of every op and element type, and whole blocks grown from them.

use crate::{chain::check_all, drawn::try_drawn};
use regard_testkit::graphs;

#[test]
fn random_graphs() {
    check_all((0..150).map(|seed| (format!("seed {seed}"), graphs::any(seed))));
}

#[test]
fn smooth_random_graphs() {
    check_all((1000..1150).map(|seed| (format!("seed {seed}"), graphs::smooth(seed))));
}

#[test]
fn random_graphs_under_random_rules_and_tiles() {
    let failures: Vec<String> =
        (0..300).filter_map(|seed| try_drawn(seed).err().map(|why| format!("seed {seed}: {why}"))).collect();
    assert!(failures.is_empty(), "{} of 300 fail\n{}", failures.len(), failures.join("\n"));
}
