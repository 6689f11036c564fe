//! Routing and sampling at sizes that divide nothing: gathered regions, samples, score terms.

use crate::chain::{check, check_with, parse};
use regard_ir::{graph::Tensor, random::Random};

#[test]
fn the_largest_of_rows() {
    for (shape, k) in [("1", 1), ("7", 3), ("3, 17", 5), ("2, 3, 33", 33), ("49, 5", 1)] {
        check(&parse(&format!("%x = input : f32[{shape}]\n%y = top_k %x {{ k = {k} }}\nreturn %y")));
    }
}

/// Ties, infinities and both zeros.
#[test]
fn ties_go_to_the_lower_index() {
    let graph = parse("%x = input : f32[9, 20]\n%y = top_k %x { k = 20 }\nreturn %y");
    check_with(&graph, &|_, node| {
        let mut random = Random::new(7);
        let values = [0.0, -0.0, 1.0, 1.0, f64::INFINITY, f64::NEG_INFINITY, -2.5];
        Tensor::from_fn(node.ty.clone(), |_| random.one(&values))
    });
}

/// Regions of a table that is a view of a tensor in memory, with lanes along channels, across heads and across rows.
#[test]
fn gathered_regions() {
    for (map, side, width, heads) in [(8, 2, 32, 2), (6, 3, 20, 1), (4, 1, 7, 1), (6, 2, 48, 3)] {
        let (inner, regions) = (map / side, side * side);
        let (tokens, channels) = (inner * inner, width * heads);
        for order in ["[-2, -3, -1]", "[-1, -2, -3]", "[-3, -2, -1]"] {
            check(&parse(&format!(
                "%x = input : f32[{map}, {map}, {channels}]\n%i = input : i32[5, 2]\n%low = rem %i, {regions}\n\
                 %c = reshape %x {{ shape = [{side}, {inner}, {side}, {inner}, {channels}] }}\n\
                 %o = transpose %c {{ order = [-5, -3, -4, -2, -1] }}\n\
                 %t = reshape %o {{ shape = [{regions}, {tokens}, {channels}] }}\n%g = gather %t, %low\n\
                 %h = reshape %g {{ shape = [5, {}, {heads}, {width}] }}\n%k = transpose %h {{ order = {order} }}\n\
                 %y = mul %k, 0.5\nreturn %y",
                2 * tokens
            )));
        }
    }
}

#[test]
fn routed_attention() {
    for (b, r, s, n, m, heads, head, t) in
        [(1, 4, 4, 4, 4, 2, 8, 2), (2, 3, 5, 1, 7, 1, 5, 3), (1, 2, 9, 3, 1, 3, 16, 9), (3, 1, 2, 5, 3, 2, 17, 1)]
    {
        let c = heads * head;
        check(&parse(&format!(
            "%q = input : f32[{b}, {r}, {n}, {c}]\n%kv = input : f32[{b}, {s}, {m}, {}]\n%i = input : i32[{b}, {r}, {t}]\n\
             %y = rem %i, {s}\n%k = slice %kv {{ axis = -1, start = 0, stop = {c}, step = 1 }}\n\
             %v = slice %kv {{ axis = -1, start = {c}, stop = {}, step = 1 }}\n\
             %a = routed_attention %q, %k, %v, %y {{ heads = {heads}, scale = 0.375 }}\nreturn %a",
            2 * c,
            2 * c
        )));
    }
}

#[test]
fn samples() {
    for (b, h, w, c, n) in [(1, 5, 7, 16, 9), (2, 1, 3, 5, 4), (3, 4, 2, 33, 1)] {
        for align in ["corners", "centres"] {
            check(&parse(&format!(
                "%m = input : f32[{b}, {h}, {w}, {c}]\n%r = input : f32[{b}, {n}]\n%s = weight : f32[{b}, {n}]\n\
                 %y = grid_sample %m, %r, %s {{ align = {align} }}\nreturn %y"
            )));
        }
    }
}

#[test]
fn agents_and_their_score_terms() {
    for (b, g, h, w, i, j, heads) in [(1, 1, 5, 3, 2, 2, 2), (2, 3, 4, 7, 3, 3, 3), (1, 2, 2, 2, 1, 5, 4)] {
        check(&parse(&format!(
            "%x = input : f32[{b}, {h}, {w}, {}]\n%o = input : f32[{}, {i}, {j}, 1]\n%t = weight : f32[{heads}, 7, 9]\n\
             %p = offset_positions %o {{ reference = centres, limit = clamp, factor = 0.0 }}\n\
             %q = reshape %p {{ shape = [{b}, {g}, {i}, {j}, 2] }}\n%a = agents %x, %q\n\
             %s = sampled_bias %t, %q {{ height = {h}, width = {w}, query = corners }}\nreturn %a, %s",
            4 * g,
            b * g,
        )));
    }
    for limit in ["clamp, factor = 0.0", "tanh, factor = 0.0", "range, factor = 2.0"] {
        for reference in ["centres", "stretched"] {
            check(&parse(&format!(
                "%o = input : f32[2, 3, 5, 2]\n\
                 %p = offset_positions %o {{ reference = {reference}, limit = {limit} }}\nreturn %p"
            )));
        }
    }
}
