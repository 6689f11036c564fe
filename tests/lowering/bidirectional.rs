//! Both directions of attention: one kernel where they meet, one each where they do not, products where neither fits.

use crate::chain::{check, check_lowered, check_with, parse, plan_of, targets};
use proptest::prelude::*;
use regard_ir::graph::{Graph, Tensor};
use regard_passes::plan::{Body, Right};
use regard_testkit::graphs;

/// The kinds of group that a graph is planned as, in order, products with an own row per batch apart.
fn groups(graph: &Graph) -> Vec<&'static str> {
    let plan = plan_of(graph, &targets()[0]).unwrap_or_else(|e| panic!("{e}\n{graph}"));
    let kind = |body: &Body| match body {
        Body::Row(_) => "row",
        Body::Matmul(p) if matches!(p.right, Right::Constant(_)) => "matmul",
        Body::Matmul(_) => "matmuls",
        Body::Attend(a) => a.name(),
    };
    plan.groups.iter().map(|group| kind(&group.body)).collect()
}

/// Queries, keys, what each direction weighs, and scores `%u` with a scale and a bias.
fn operands(n: usize, m: usize, d: usize, c: usize) -> String {
    format!(
        "%q = input : f32[2, {n}, {d}]\n%k = input : f32[2, {m}, {d}]\n%v = input : f32[2, {m}, {c}]\n\
         %w = input : f32[2, {m}, {c}]\n%bias = weight : f32[{n}, {m}]\n%s = scores %q, %k\n%t = mul %s, 0.5\n\
         %u = add %t, %bias\n"
    )
}

#[test]
fn directions_that_meet_are_one_kernel() {
    for (n, m, d, c) in [(1, 1, 1, 1), (2, 3, 5, 7), (7, 7, 16, 3), (17, 5, 33, 1), (5, 17, 8, 33), (49, 49, 32, 32)] {
        let graph = parse(&format!(
            "{}%a = attend %u, %v {{ axis = -1 }}\n%b = attend %u, %w {{ axis = -2 }}\n%y = add %a, %b\nreturn %y",
            operands(n, m, d, c)
        ));
        assert_eq!(groups(&graph), ["bidirectional"]);
        check(&graph);
    }
}

/// Factors in front of the sum, further terms in it, and heads merged on the way.
#[test]
fn factors_terms_and_movement_stand_between() {
    let graph = parse(
        "%q = input : f32[2, 3, 5, 4]\n%k = input : f32[2, 3, 5, 4]\n%v = input : f32[2, 3, 5, 6]\n\
         %w = input : f32[2, 3, 5, 6]\n%x = input : f32[2, 5, 18]\n%lambda = weight : f32[]\n%s = scores %q, %k\n\
         %rest = sub 1.0, %lambda\n%a = attend %s, %v { axis = -1 }\n%b = attend %s, %w { axis = -2 }\n\
         %ta = transpose %a { order = [-2, -3, -1] }\n%ma = reshape %ta { shape = [2, 5, 18] }\n\
         %tb = transpose %b { order = [-2, -3, -1] }\n%mb = reshape %tb { shape = [2, 5, 18] }\n\
         %fa = mul %ma, %lambda\n%half = mul %mb, 0.5\n%fb = mul %rest, %half\n%t = add %x, %fb\n%y = add %fa, %t\n\
         %z = gelu %y\nreturn %z",
    );
    assert_eq!(groups(&graph), ["bidirectional"]);
    check(&graph);
}

/// Each direction has a kernel of its own where the two do not meet, or something else is in the way.
#[test]
fn directions_apart_have_kernels_of_their_own() {
    let apart = [
        ("%y = mul %a, %b\nreturn %y", ["attend", "inverse"]),
        ("return %a, %b", ["attend", "inverse"]),
        ("%e = exp %a\n%y = add %e, %b\nreturn %y", ["attend", "inverse"]),
        ("%y = add %a, %b\nreturn %y, %b", ["inverse", "attend"]),
        ("%r = reduce %b { op = max, axis = -1 }\n%y = add %a, %r\nreturn %y", ["attend", "inverse"]),
    ];
    for (end, expected) in apart {
        let graph = parse(&format!(
            "{}%a = attend %u, %v {{ axis = -1 }}\n%b = attend %u, %w {{ axis = -2 }}\n{end}",
            operands(7, 9, 6, 5)
        ));
        let found = groups(&graph);
        assert!(expected.iter().all(|kind| found.contains(kind)), "{found:?}\n{graph}");
        assert!(!found.contains(&"matmuls"), "{found:?}\n{graph}");
        check(&graph);
    }
}

/// Two attends over keys and one over queries: one pair and one alone, all from their own scores.
#[test]
fn three_readers_of_the_same_scores() {
    let graph = parse(&format!(
        "{}%a = attend %u, %v {{ axis = -1 }}\n%b = attend %u, %w {{ axis = -2 }}\n%c = attend %u, %w {{ axis = -1 }}\n\
         %p = add %a, %b\n%y = sub %p, %c\nreturn %y",
        operands(6, 9, 4, 5)
    ));
    let mut kinds = groups(&graph);
    kinds.sort_unstable();
    assert_eq!(kinds, ["attend", "bidirectional"]);
    check(&graph);
}

/// Columns and rows that see nothing are zero in either direction.
#[test]
fn keys_that_nobody_sees_weigh_nothing() {
    let graph = parse(
        "%q = input : f32[9, 8]\n%k = input : f32[11, 8]\n%v = input : f32[11, 5]\n%bias = input : f32[9, 11]\n\
         %s = scores %q, %k\n%t = add %s, %bias\n%a = attend %t, %v { axis = -1 }\n%b = attend %t, %v { axis = -2 }\n\
         %y = add %a, %b\nreturn %y",
    );
    assert_eq!(groups(&graph), ["bidirectional"]);
    check_with(&graph, &|id, node| {
        let values = graphs::leaf(3, id, &node.ty);
        Tensor::from_fn(node.ty.clone(), |i| match (node.label.as_deref(), i / 11, i % 11) {
            (Some("bias"), 2 | 8, _) | (Some("bias"), _, 3) => f64::NEG_INFINITY,
            (Some("bias"), 5, _) => 1e4,
            (Some("bias"), 6, _) => -1e4,
            _ => values.data[i],
        })
    });
}

/// Scores that do not fit scratch go through memory; all of a large head still lowers.
#[test]
fn large_heads_go_through_memory() {
    let graph = |n: usize| {
        parse(&format!(
            "%q = input : f32[{n}, 4]\n%k = input : f32[{n}, 4]\n%v = input : f32[{n}, 3]\n%s = scores %q, %k\n\
             %a = attend %s, %v {{ axis = -1 }}\n%b = attend %s, %v {{ axis = -2 }}\n%y = add %a, %b\nreturn %y"
        ))
    };
    assert_eq!(groups(&graph(1024)), ["bidirectional"]);
    assert!(groups(&graph(1025)).contains(&"matmuls"));
    check_lowered(&graph(1024));
    check_lowered(&graph(1025));
}

/// What each token generates is formed where it is read; activations before it are computed once per element.
#[test]
fn activations_are_not_repeated() {
    let graph = parse(
        "%x = input : f32[2, 5, 3]\n%w = weight : f32[3, 4]\n%g = weight : f32[16, 6]\n%p = matmul %x, %w\n\
         %l = gelu %p\n%a = reshape %l { shape = [2, 5, 4, 1] }\n%c = input : f32[2, 5, 1, 4]\n%o = mul %a, %c\n\
         %f = reshape %o { shape = [2, 5, 16] }\n%y = matmul %f, %g\nreturn %y",
    );
    assert_eq!(groups(&graph), ["matmul", "matmul"]);
    check(&graph);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn any_bidirectional(
        batch in 1usize..3, n in 1usize..40, m in 1usize..40, d in 1usize..20, c in 1usize..40, both: bool,
    ) {
        let forward = if both { "%a = attend %t, %v { axis = -1 }\n%y = add %a, %b" } else { "%y = neg %b" };
        check(&parse(&format!(
            "%q = input : f32[{batch}, {n}, {d}]\n%k = input : f32[{batch}, {m}, {d}]\n\
             %v = input : f32[{batch}, {m}, {c}]\n%bias = input : f32[{n}, {m}]\n%s = scores %q, %k\n\
             %t = add %s, %bias\n%b = attend %t, %v {{ axis = -2 }}\n{forward}\nreturn %y"
        )));
    }

    #[test]
    fn any_inverse_attention(n in 1usize..20, d in 1usize..9, a in 1usize..6, b in 1usize..6, e in 1usize..9) {
        check(&parse(&format!(
            "%q = input : f32[2, {n}, {d}]\n%k = input : f32[2, {n}, {d}]\n%l = input : f32[2, {n}, {a}]\n\
             %c = input : f32[2, {n}, {e}]\n%g = weight : f32[{}, {e}]\n%b = weight : f32[{b}, {e}]\n\
             %y = inverse_attention %q, %k, %l, %c, %g, %b {{ scale = 0.25 }}\nreturn %y",
            a * b
        )));
    }
}
