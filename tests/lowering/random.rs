//! Random graphs of every op and element type, and whole blocks grown from them.

use crate::chain::check_all;
use regard_ir::graph::random;

#[test]
fn random_graphs() {
    check_all((0..150).map(|seed| (format!("seed {seed}"), random::graph(seed))));
}

#[test]
fn smooth_random_graphs() {
    check_all((1000..1150).map(|seed| (format!("seed {seed}"), random::smooth(seed))));
}
