//! What replay finds, and what it must not find.

use super::{Leaf, Verdict, replay, replay_in};
use crate::{RewriteStep, Rules, egraph::optimize};
use regard_ir::{
    graph::{Graph, NodeId},
    id::IdVec,
    ops::{Const, Op},
    target::Target,
    text,
    types::{DType, Real},
};
use regard_testkit::graphs;

fn graph(leaves: &str, body: &str) -> Graph {
    let text = format!("graph g {{\n{leaves}\n{body}\n  return %y\n}}\n");
    text::parse(&text).unwrap_or_else(|e| panic!("{}\n{text}", e.message))
}

fn verdict(leaves: &str, before: &str, after: &str) -> Verdict {
    replay(&graph(leaves, before), &graph(leaves, after)).expect("both graphs have values")
}

#[track_caller]
fn holds(leaves: &str, before: &str, after: &str) {
    let verdict = verdict(leaves, before, after);
    assert!(matches!(verdict, Verdict::Holds { elements: 1.., .. }), "{verdict:?}");
}

/// Asserts that a wrong equation breaks on inputs of that kind.
#[track_caller]
fn breaks(leaves: &str, before: &str, after: &str, kind: &str) {
    match verdict(leaves, before, after) {
        Verdict::Broken(how) => assert!(how.contains(&format!("`{kind}`")), "{how}"),
        other => panic!("{other:?}"),
    }
}

const SCORES: &str = "  %x = input : f32[6, 7]";
const SOFTMAX: &str = "  %y = softmax %x { axis = -1 }";
const SHIFTED: &str = "  %m = reduce %x { op = max, axis = -1 }
  %d = sub %x, %m
  %e = exp %d
  %s = reduce %e { op = sum, axis = -1 }
  %y = div %e, %s";

#[test]
fn a_softmax_by_hand_is_a_softmax_where_it_has_a_value() {
    let bare = "  %e = exp %x\n  %s = reduce %e { op = sum, axis = -1 }\n  %y = div %e, %s";
    holds(SCORES, bare, SOFTMAX);
    holds(SCORES, SHIFTED, SOFTMAX);
    breaks(SCORES, SOFTMAX, SHIFTED, "masked");
    breaks(SCORES, SHIFTED, bare, "large");
}

/// Infinite queries make scores that are NaN. The guard hides them, which is not what it is for.
#[test]
fn a_guard_against_nan_claims_nothing_of_scores_that_are_nan() {
    let leaves = "  %q = input : f32[6, 4]\n  %k = input : f32[4, 7]";
    let weights = "  %x = matmul %q, %k\n  %w = softmax %x { axis = -1 }";
    let guarded = format!("{weights}\n  %e = eq %w, %w\n  %n = not %e\n  %y = select %n, 0.0, %w");
    holds(leaves, &guarded, &weights.replace("%w", "%y"));
    holds(SCORES, &guarded[weights.len()..].replace("%w", "%x"), "  %y = mul %x, 1.0");
    breaks(leaves, &guarded, &format!("{weights}\n  %y = add %w, 0.001"), "random");
}

#[test]
fn large_and_equal_numbers_are_told_apart() {
    holds(SCORES, "  %a = add %x, 0.1\n  %y = add %a, 0.2", "  %y = add %x, 0.30000000000000004");
    breaks(SCORES, "  %y = tanh %x", "  %z = min %x, 0.5\n  %y = tanh %z", "random");
    let largest = "  %m = reduce %x { op = max, axis = -1 }\n  %c = eq %x, %m\n  %y = cast %c { to = f32 }";
    let first = "  %m = reduce %x { op = max, axis = -1 }\n  %c = eq %x, %m\n  %z = cast %c { to = f32 }
  %s = reduce %z { op = sum, axis = -1 }\n  %y = div %z, %s";
    breaks(SCORES, largest, first, "masked");
    // Between −1 and 1 nothing is clipped.
    breaks(SCORES, "  %y = mul %x, 2.0", "  %a = min %x, 40.0\n  %y = mul %a, 2.0", "large");
    breaks(SCORES, "  %y = mul %x, 1.0", "  %s = mul %x, %x\n  %y = div %s, %x", "ties");
}

#[test]
fn rounding_is_no_difference_and_a_small_number_is() {
    let leaves = "  %x = input : f32[5, 64]\n  %g = weight : f32[64]\n  %w = weight : f32[64, 3]";
    let before = "  %s = mul %x, %g\n  %y = matmul %s, %w";
    let after =
        |more: &str| format!("  %c = reshape %g {{ shape = [64, 1] }}\n  %v = mul %w, %c{more}\n  %y = matmul %x, %v");
    holds(leaves, before, &after(""));
    let off = after("").replace("%v = mul %w, %c", "%u = mul %w, %c\n  %v = mul %u, 1.000000000001");
    breaks(leaves, before, &off, "random");
}

#[test]
fn other_shapes_and_other_indices_break() {
    let leaves = "  %t = weight : f32[5, 2]\n  %i = input : i32[9]";
    holds(leaves, "  %y = gather %t, %i", "  %a = gather %t, %i\n  %y = add %a, 0.0");
    breaks(leaves, "  %y = gather %t, %i", "  %j = min %i, 3\n  %y = gather %t, %j", "random");
    let other = replay(&graph(SCORES, SOFTMAX), &graph(SCORES, "  %y = reduce %x { op = sum, axis = -1 }"));
    assert!(matches!(other, Ok(Verdict::Broken(how)) if how.contains("f32[6, 1]")));
}

#[test]
fn nothing_is_claimed_where_nothing_has_a_value() {
    let nowhere = verdict(SCORES, "  %a = mul %x, %x\n  %b = neg %a\n  %c = sub %b, 1.0\n  %y = log %c", SOFTMAX);
    assert!(matches!(nowhere, Verdict::Skipped(why) if why.contains("no finite value")));
}

#[test]
fn every_link_of_random_graphs_holds() {
    let target = Target::named("x86-64-v4").expect("the first row");
    let mut steps: Vec<RewriteStep> = Vec::new();
    for seed in 0..60 {
        let graph = graphs::smooth(seed);
        let best = optimize(&graph, target, &Rules::default()).expect("it is optimised");
        let of_forms = best.snapshots.iter().flat_map(|snapshot| &snapshot.steps);
        for step in of_forms.chain(best.regions.iter().flat_map(|region| &region.rules)) {
            if !steps.contains(step) {
                steps.push(step.clone());
            }
        }
        for sides in best.snapshots.windows(2) {
            let verdict = replay(&sides[0].graph, &sides[1].graph).expect("values");
            assert!(
                !matches!(verdict, Verdict::Broken(_)),
                "seed {seed}: {}: {verdict:?}\n{}",
                sides[1].name,
                sides[0].graph
            );
        }
    }
    assert!(steps.len() > 60, "{} kinds of steps", steps.len());
    for step in &steps {
        let (before, after) = step.sides();
        let verdict = replay(before, after).expect("values");
        assert!(!matches!(verdict, Verdict::Broken(_)), "{}: {verdict:?}\n{before}\n{after}", step.rule);
    }
}

/// The fault of constants that are stored in the half type of what they are made of, and of numbers that f32 does not hold.
#[test]
fn constants_are_compared_as_memory_holds_them() {
    let own: fn(&Graph) -> IdVec<NodeId, DType> = |graph| graph.nodes.values().map(|node| node.ty.dtype).collect();
    let scale = 0.17677669529663687;
    for dtype in ["bf16", "f16"] {
        for rows in [4, 40_000] {
            let leaves = format!("  %x = input : {dtype}[{rows}, 64]\n  %w = weight : {dtype}[64, 32]");
            let before = graph(&leaves, &format!("  %m = matmul %x, %w\n  %y = mul %m, {scale}"));
            let after = graph(&leaves, &format!("  %v = mul %w, {scale}\n  %y = matmul %x, %v"));
            let leaf: &Leaf = &|kind, graph, id, node| kind.leaf(graph, id, node);
            let as_held = replay(&before, &after).expect("values");
            assert!(matches!(as_held, Verdict::Holds { .. }), "{as_held:?}");
            let in_half = replay_in(&before, &after, leaf, own).expect("values");
            assert!(matches!(&in_half, Verdict::Broken(how) if how.contains("as memory holds them")), "{in_half:?}");
        }
    }
    let leaves = "  %x = input : f32[4]";
    let tiny = verdict(leaves, "  %a = mul %x, 1e-25\n  %y = mul %a, 1e-25", "  %y = mul %x, 1e-30");
    assert!(matches!(tiny, Verdict::Broken(_)));
    let mut merged = graph(leaves, "  %y = mul %x, 1e-30");
    let number = merged.nodes.ids().find(|&id| matches!(merged.nodes[id].op, Op::Const(_))).expect("a number");
    merged.nodes[number].op = Op::Const(Const { ty: merged.ty(number).clone(), value: Real::new(1e-25 * 1e-25) });
    let before = graph(leaves, "  %a = mul %x, 1e-25\n  %y = mul %a, 1e-25");
    let beyond = replay(&before, &merged).expect("values");
    assert!(matches!(&beyond, Verdict::Broken(how) if how.contains("not one that f32 holds")), "{beyond:?}");
}
