//! Attention in all its forms: bias, mask and scale or none, queries and keys of different number, inverse, infinite rows.

use crate::chain::{check, check_with, parse};
use proptest::prelude::*;
use regard_ir::graph::Tensor;
use regard_testkit::graphs;

#[test]
fn with_and_without_bias() {
    for (n, m, d, c) in [(1, 1, 1, 1), (2, 3, 5, 7), (7, 7, 16, 3), (17, 5, 33, 1), (5, 49, 8, 17), (49, 49, 32, 32)] {
        let operands =
            format!("%q = input : f32[2, {n}, {d}]\n%k = input : f32[2, {m}, {d}]\n%v = input : f32[2, {m}, {c}]");
        check(&parse(&format!("{operands}\n%y = attention %q, %k, %v {{ scale = 0.25 }}\nreturn %y")));
        for bias in [format!("{n}, {m}"), format!("2, 1, {m}"), format!("2, {n}, 1"), String::new()] {
            check(&parse(&format!(
                "{operands}\n%b = weight : f32[{bias}]\n%y = attention %q, %k, %v, %b {{ scale = 1.0 }}\nreturn %y"
            )));
        }
    }
}

#[test]
fn masks_scales_and_terms_between_scores_and_softmax() {
    for (n, m) in [(5, 7), (17, 9), (16, 33)] {
        check(&parse(&format!(
            "%q = input : f32[2, 3, {n}, 8]\n%k = input : f32[2, 3, {m}, 8]\n%v = input : f32[2, 3, {m}, 5]\n\
             %mask = input : bool[2, 1, {n}, {m}]\n%bias = weight : f32[3, {n}, {m}]\n%s = scores %q, %k\n\
             %u = mul %s, 0.5\n%w = add %u, %bias\n%low = const {{ value = -100.0 }} : f32[]\n\
             %x = select %mask, %w, %low\n%y = attend %x, %v {{ axis = -1 }}\n%z = mul %y, 3.0\nreturn %z"
        )));
    }
}

/// Every border, with and without relative terms and q·k, on maps that no lane count divides.
#[test]
fn neighbourhoods() {
    for (heads, d, c, map, size) in [(1, 2, 1, "3, 5", 3), (2, 4, 3, "7, 5", 5), (3, 6, 8, "9, 17", 3)] {
        for (border, rows) in [("zero", size), ("mask", size), ("clamp", 2 * size - 1)] {
            for (k, tables) in [("%k, ", ""), ("%k, ", ", %r, %c"), ("", ", %r, %c")] {
                check(&parse(&format!(
                    "%q = input : f32[2, {0}, {map}]\n%k = input : f32[2, {0}, {map}]\n%v = input : f32[2, {1}, {map}]\n\
                     %r = weight : f32[{rows}, {2}]\n%c = weight : f32[{rows}, {2}]\n%y = neighbourhood_attention \
                     %q, {k}%v{tables} {{ heads = {heads}, size = {size}, scale = 0.5, border = {border} }}\nreturn %y",
                    heads * d,
                    heads * c,
                    d / 2
                )));
            }
        }
    }
}

/// Rows without any key that is seen are zeros, whatever else they hold.
#[test]
fn rows_that_see_nothing_are_zero() {
    let graph = parse(
        "%q = input : f32[9, 8]\n%k = input : f32[11, 8]\n%v = input : f32[11, 5]\n%b = input : f32[9, 11]\n\
         %y = attention %q, %k, %v, %b { scale = 1.0 }\n%s = scores %q, %k\n%t = add %s, %b\n\
         %z = attend %t, %v { axis = -2 }\nreturn %y, %z",
    );
    check_with(&graph, &|id, node| {
        let label = node.label.as_deref();
        let values = graphs::leaf(3, id, &node.ty);
        Tensor::from_fn(node.ty.clone(), |i| match (label, i / 11, i % 11) {
            (Some("b"), 2 | 8, _) | (Some("b"), _, 3) => f64::NEG_INFINITY,
            (Some("b"), 4, j) => {
                if j == 5 {
                    0.0
                } else {
                    f64::NEG_INFINITY
                }
            }
            (Some("b"), 5, _) => 1e4,
            (Some("b"), 6, _) => -1e4,
            _ => values.data[i],
        })
    });
}

#[test]
fn inverse_attention() {
    for (n, m, c) in [(1, 1, 1), (7, 5, 3), (17, 33, 16), (33, 17, 5)] {
        check(&parse(&format!(
            "%q = input : f32[2, {n}, 6]\n%k = input : f32[2, {m}, 6]\n%v = input : f32[2, {m}, {c}]\n\
             %s = scores %q, %k\n%u = mul %s, 0.5\n%y = attend %u, %v {{ axis = -2 }}\nreturn %y"
        )));
    }
}

/// One `scores` node under two softmaxes, and once more as an output.
#[test]
fn both_directions_share_their_scores() {
    check(&parse(
        "%q = input : f32[2, 7, 6]\n%k = input : f32[2, 9, 6]\n%v = input : f32[2, 9, 5]\n%s = scores %q, %k\n\
         %u = mul %s, 0.5\n%a = attend %u, %v { axis = -1 }\n%b = attend %u, %v { axis = -2 }\n%c = mul %b, 0.25\n\
         %y = add %a, %c\nreturn %y",
    ));
    check(&parse(
        "%q = input : f32[7, 6]\n%k = input : f32[9, 6]\n%v = input : f32[9, 5]\n%s = scores %q, %k\n\
         %a = attend %s, %v { axis = -1 }\nreturn %a, %s",
    ));
    check(&parse(
        "%q = input : f32[7, 6]\n%k = input : f32[9, 6]\n%v = input : f32[9, 5]\n%s = scores %q, %k\n\
         %t = scores %q, %k\n%a = attend %s, %v { axis = -1 }\n%u = mul %t, 2.0\n%b = attend %u, %v { axis = -1 }\n\
         %y = sub %a, %b\nreturn %y",
    ));
}

/// Scores that are computed elsewhere: a matrix given, a sum of two products, one with a reduction, one padded.
#[test]
fn scores_from_elsewhere() {
    check(&parse("%s = input : f32[2, 7, 9]\n%v = input : f32[9, 5]\n%y = attend %s, %v { axis = -1 }\nreturn %y"));
    check(&parse(
        "%q = input : f32[7, 6]\n%k = input : f32[9, 6]\n%r = input : f32[9, 6]\n%v = input : f32[9, 5]\n\
         %s = scores %q, %k\n%t = scores %q, %r\n%u = add %s, %t\n%y = attend %u, %v { axis = -1 }\nreturn %y",
    ));
    check(&parse(
        "%q = input : f32[7, 6]\n%k = input : f32[9, 6]\n%v = input : f32[9, 5]\n%s = scores %q, %k\n\
         %m = reduce %s { op = max, axis = 0 }\n%u = sub %s, %m\n%y = attend %u, %v { axis = -1 }\nreturn %y",
    ));
    check(&parse(
        "%q = input : f32[7, 6]\n%k = input : f32[9, 6]\n%v = input : f32[12, 5]\n%s = scores %q, %k\n\
         %p = pad %s { axis = -1, low = 1, high = 2, value = -3.0 }\n%y = attend %p, %v { axis = -1 }\nreturn %y",
    ));
    check(&parse(
        "%q = input : f32[7, 6]\n%k = input : f32[9, 6]\n%b = input : f32[7, 9]\n%v = input : f32[9, 5]\n\
         %s = scores %q, %k\n%c = softmax %b { axis = 0 }\n%u = add %s, %c\n%y = attend %u, %v { axis = -1 }\nreturn %y",
    ));
}

/// Queries, keys and values out of one projection, heads split and merged, as in every transformer.
#[test]
fn heads_of_one_projection() {
    for (tokens, heads, dim) in [(5, 2, 3), (9, 3, 16), (17, 2, 8)] {
        let (channels, wide) = (heads * dim, 3 * heads * dim);
        check(&parse(&format!(
            "%x = input : f32[2, {tokens}, {channels}]\n%w = weight : f32[{channels}, {wide}]\n\
             %o = weight : f32[{channels}, {channels}]\n%bias = weight : f32[{heads}, {tokens}, {tokens}]\n\
             %p = matmul %x, %w\n%h = reshape %p {{ shape = [2, {tokens}, 3, {heads}, {dim}] }}\n\
             %t = transpose %h {{ order = [-3, -5, -2, -4, -1] }}\n\
             %q0 = slice %t {{ axis = 0, start = 0, stop = 1, step = 1 }}\n\
             %k0 = slice %t {{ axis = 0, start = 1, stop = 2, step = 1 }}\n\
             %v0 = slice %t {{ axis = 0, start = 2, stop = 3, step = 1 }}\n\
             %q = reshape %q0 {{ shape = [2, {heads}, {tokens}, {dim}] }}\n\
             %k = reshape %k0 {{ shape = [2, {heads}, {tokens}, {dim}] }}\n\
             %v = reshape %v0 {{ shape = [2, {heads}, {tokens}, {dim}] }}\n\
             %a = attention %q, %k, %v, %bias {{ scale = 0.5 }}\n%m = transpose %a {{ order = [-2, -3, -1] }}\n\
             %c = reshape %m {{ shape = [2, {tokens}, {channels}] }}\n%y = matmul %c, %o\n%z = add %y, %x\nreturn %z"
        )));
    }
}

#[test]
fn leading_axes_that_broadcast() {
    for (q, k, v) in [("2, 1,", "3,", ""), ("", "2,", "3, 1,"), ("2, 3,", "", "1, 3,"), ("1,", "1,", "4,")] {
        check(&parse(&format!(
            "%q = input : f32[{q} 5, 4]\n%k = input : f32[{k} 7, 4]\n%v = input : f32[{v} 7, 3]\n\
             %y = attention %q, %k, %v {{ scale = 0.5 }}\nreturn %y"
        )));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn any_attention(batch in 1usize..4, n in 1usize..71, m in 1usize..71, d in 1usize..71, c in 1usize..71, bias in any::<bool>()) {
        let (declared, used) = if bias { (format!("%b = input : f32[{n}, {m}]\n"), ", %b") } else { (String::new(), "") };
        check(&parse(&format!(
            "%q = input : f32[{batch}, {n}, {d}]\n%k = input : f32[{batch}, {m}, {d}]\n%v = input : f32[{batch}, {m}, {c}]\n\
             {declared}%y = attention %q, %k, %v{used} {{ scale = 0.125 }}\nreturn %y"
        )));
    }
}
