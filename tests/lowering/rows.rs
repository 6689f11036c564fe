//! Row programs: statistics of rows, softmax and layer norms over every axis and odd widths.

use crate::{
    chain::{check, check_with, parse},
    ops::SIZES,
};
use regard_ir::graph::Tensor;

#[test]
fn softmax_over_every_axis() {
    for shape in ["1", "7", "49", "5, 33", "17, 3", "3, 5, 7", "2, 1, 16", "3, 17, 2, 5"] {
        for axis in 0..shape.split(',').count() {
            check(&parse(&format!("%x = input : f32[{shape}]\n%y = softmax %x {{ axis = {axis} }}\nreturn %y")));
        }
    }
}

#[test]
fn softmax_of_infinite_and_large_rows() {
    let infinite = f64::NEG_INFINITY;
    for axis in [0, 1] {
        let graph = parse(&format!("%x = input : f32[9, 9]\n%y = softmax %x {{ axis = {axis} }}\nreturn %y"));
        check_with(&graph, &|_, node| {
            Tensor::from_fn(node.ty.clone(), |i| match (i / 9, i % 9) {
                (3, _) | (_, 4) => infinite,
                (5, 2) => 1e4,
                (6, _) => -1e4,
                (7, j) => 1e4 + j as f64,
                (i, j) if i == j => infinite,
                (i, j) => (i * j) as f64 / 8.0 - 4.0,
            })
        });
    }
}

#[test]
fn layer_norms_of_odd_widths() {
    for n in SIZES.into_iter().chain([64, 70, 96, 97]) {
        for dtype in ["f32", "bf16"] {
            check(&parse(&format!(
                "%x = input : {dtype}[5, {n}]\n%g = weight : {dtype}[{n}]\n%b = weight : {dtype}[{n}]\n\
                 %y = layer_norm %x, %g, %b {{ eps = 1e-5 }}\nreturn %y"
            )));
        }
    }
}

#[test]
fn gelu_of_odd_widths() {
    for n in SIZES {
        check(&parse(&format!("%x = input : f32[3, {n}]\n%y = gelu %x\nreturn %y")));
    }
}

/// Several reductions in one row, one of them inside another's body, along and across the lanes.
#[test]
fn variances() {
    for shape in ["7, 33", "33, 7", "4, 5, 6"] {
        for axis in [-1, -2] {
            check(&parse(&format!(
                "%x = input : f32[{shape}]\n%m = reduce %x {{ op = mean, axis = {axis} }}\n%d = sub %x, %m\n\
                 %q = mul %d, %d\n%v = reduce %q {{ op = mean, axis = {axis} }}\n%e = add %v, 0.001\n%r = rsqrt %e\n\
                 %n = mul %d, %r\n%most = reduce %n {{ op = max, axis = {axis} }}\n%y = sub %n, %most\nreturn %y"
            )));
        }
    }
}

#[test]
fn means_over_two_axes_in_both_orders() {
    for (first, second) in [(-1, -2), (-2, -1), (-3, -1), (-1, -3), (-2, -3)] {
        check(&parse(&format!(
            "%x = input : f32[5, 7, 17]\n%m = reduce %x {{ op = mean, axis = {first} }}\n\
             %s = reduce %m {{ op = sum, axis = {second} }}\n%y = sub %x, %s\nreturn %y, %s, %m"
        )));
    }
}

/// A statistic that is read under views: of its own shape, moved, and broadcast again.
#[test]
fn statistics_under_views() {
    check(&parse(
        "%x = input : f32[6, 35]\n%m = reduce %x { op = max, axis = -1 }\n%r = roll %m { axis = 0, shift = 2 }\n\
         %t = transpose %r { order = [-1, -2] }\n%w = transpose %x { order = [-1, -2] }\n%y = sub %w, %t\n\
         %z = reshape %y { shape = [5, 42] }\n%s = softmax %z { axis = 0 }\nreturn %s",
    ));
}

#[test]
fn long_chains_do_not_exhaust_the_stack() {
    let mut text = String::from("%x = input : f32[2, 3]\n%v0 = transpose %x { order = [-1, -2] }\n");
    for i in 0..3000 {
        let op = if i % 2 == 0 { "neg" } else { "abs" };
        text += &format!("%v{} = {op} %v{i}\n", i + 1);
    }
    text += "%y = transpose %v3000 { order = [-1, -2] }\nreturn %y";
    check(&parse(&text));
}

/// Forty doublings of one value: as a tree it would have 2^40 leaves.
#[test]
fn shared_values_are_computed_once() {
    let mut text = String::from("%x = input : f32[5]\n%v0 = mul %x, 0.0\n");
    for i in 0..40 {
        text += &format!("%v{} = add %v{i}, %v{i}\n", i + 1);
    }
    text += "%t = reshape %v40 { shape = [5, 1] }\n%w = input : f32[1, 3]\n%p = matmul %t, %w\n\
             %c = expand %t { shape = [5, 3] }\n%y = add %p, %c\nreturn %y";
    check(&parse(&text));
}
