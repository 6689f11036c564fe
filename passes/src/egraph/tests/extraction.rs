//! What is cheapest, and whether extraction finds it.

use super::super::{
    Rules, class_of_each,
    extract::{Tables, extract},
    region::{RegionTerm, regions},
    rules, saturate,
    term::{Egraph, Term},
};
use super::{ops, optimized, target};
use egg::{Id, Language};
use regard_ir::{graph::Builder, types::TensorType};
use regard_testkit::graphs;
use std::collections::BTreeSet;

/// The e-graph of a problem with its root and its terms as written.
fn saturated(problem: &RegionTerm) -> (Egraph, Id, BTreeSet<Term>) {
    let (mut egraph, _) = saturate(problem, rules::rewrites(), &Rules::default());
    let ids = class_of_each(&mut egraph, &problem.expr);
    let terms = problem.expr.as_ref().iter().map(|t| t.clone().map_children(|c| ids[usize::from(c)]));
    let written = terms.collect();
    (egraph, *ids.last().expect("a root"), written)
}

#[test]
fn greedy_extraction_is_close_to_exact() {
    let (mut solved, mut optimal) = (0, 0);
    for seed in 0..120 {
        let graph = crate::canonical::Canonical::of(&graphs::smooth(seed)).expect("canonical form");
        for region in regions(&graph) {
            let (egraph, root, written) = saturated(&region.problem);
            let found = extract(&egraph, root, &written, target()).cost;
            if let Some(least) = Tables::new(&egraph, root, &written, target()).exact(20_000) {
                assert!(found >= least, "extraction found {found}, less than the least {least}");
                assert!(found as f64 <= 1.01 * least as f64, "seed {seed}: {found} against {least}");
                solved += 1;
                optimal += usize::from(found == least);
            }
        }
    }
    assert!(solved >= 100 && optimal * 20 >= solved * 19, "{optimal} of {solved} are optimal");
}

#[test]
fn scores_under_two_softmaxes_are_paid_once() {
    let mut b = Builder::new("bidirectional");
    let [q, k, v] = ["q", "k", "v"].map(|name| b.input(name, TensorType::f32([2, 7, 4])));
    let scores = b.scores(q, k);
    let over_keys = b.attend(scores, v, -1);
    let over_queries = b.attend(scores, v, -2);
    let y = b.add(over_keys, over_queries);
    let graph = b.finish(&[y]);
    let best = optimized(&graph);
    let counts = ops(&best.graph);
    assert_eq!((counts["scores"], counts["attend"], counts.len()), (1, 2, 3), "{}", best.graph);
}

#[test]
fn a_product_that_others_use_is_not_computed_twice_for_a_scale() {
    // Folding 0.5 into the weights of q alone would need a second product for k and v.
    let mut b = Builder::new("shared");
    let x = b.input("x", TensorType::f32([5, 8]));
    let w = b.weight("w", TensorType::f32([24, 8]));
    let qkv = b.linear(x, w, None);
    let [q, k, v] = b.split(qkv, -1, 3)[..] else { panic!("three parts") };
    let q = b.scale(q, 0.5);
    let scores = b.scores(q, k);
    let y = b.attend(scores, v, -1);
    let counts = ops(&optimized(&b.finish(&[y])).graph);
    assert_eq!((counts["matmul"], counts["mul"]), (1, 1));

    let mut b = Builder::new("apart");
    let x = b.input("x", TensorType::f32([5, 8]));
    let [wq, wk, wv] = ["wq", "wk", "wv"].map(|name| b.weight(name, TensorType::f32([8, 8])));
    let bias = b.weight("bias", TensorType::f32([8]));
    let q = b.linear(x, wq, Some(bias));
    let q = b.scale(q, 0.5);
    let [k, v] = [wk, wv].map(|w| b.linear(x, w, None));
    let scores = b.scores(q, k);
    let y = b.attend(scores, v, -1);
    let counts = ops(&super::checked(&b.finish(&[y]), 3).graph);
    let found = (counts["matmul"], counts.get("mul"), counts["add"]);
    assert_eq!(found, (2, None, 1), "the scale is in the weights, which are one product for queries and keys");
}
