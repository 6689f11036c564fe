//! Matrix products at sizes that divide nothing: constant and computed operands, batches, prologues, epilogues.

use crate::chain::{check, check_all, parse};
use proptest::prelude::*;

#[test]
fn weights_on_the_right() {
    let sizes = [(1, 1, 1), (1, 7, 1000), (2, 3, 5), (5, 1, 33), (7, 70, 17), (16, 16, 16), (33, 49, 65), (49, 5, 3)];
    check_all(sizes.map(|(m, k, n)| {
        let graph =
            parse(&format!("%x = input : f32[{m}, {k}]\n%w = weight : f32[{k}, {n}]\n%y = matmul %x, %w\nreturn %y"));
        (format!("{m}x{k}x{n}"), graph)
    }));
}

#[test]
fn weights_of_linear_layers_with_bias_gelu_and_residual() {
    for (m, k, n) in [(1, 5, 3), (7, 17, 33), (33, 7, 49), (50, 33, 70)] {
        check(&parse(&format!(
            "%x = input : f32[2, {m}, {k}]\n%w = weight : f32[{n}, {k}]\n%b = weight : f32[{n}]\n\
             %r = input : f32[2, {m}, {n}]\n%t = transpose %w {{ order = [-1, -2] }}\n%p = matmul %x, %t\n\
             %s = add %p, %b\n%g = gelu %s\n%y = add %g, %r\nreturn %y"
        )));
    }
}

#[test]
fn layer_norm_before_a_product() {
    for (m, k, n) in [(3, 7, 5), (17, 33, 49), (5, 49, 17)] {
        check(&parse(&format!(
            "%x = input : f32[{m}, {k}]\n%g = weight : f32[{k}]\n%b = weight : f32[{k}]\n%w = weight : f32[{k}, {n}]\n\
             %l = layer_norm %x, %g, %b {{ eps = 1e-5 }}\n%y = matmul %l, %w\nreturn %y"
        )));
    }
}

#[test]
fn both_operands_computed() {
    for (m, k, n) in [(1, 1, 1), (3, 5, 7), (17, 2, 33), (33, 49, 5), (2, 70, 1), (38, 33, 40)] {
        check(&parse(&format!(
            "%x = input : f32[{m}, {k}]\n%z = input : f32[{k}, {n}]\n%u = mul %x, 2.0\n%v = sub %z, 1.0\n\
             %y = matmul %u, %v\nreturn %y"
        )));
    }
}

#[test]
fn both_operands_products() {
    check(&parse(
        "%x = input : f32[7, 5]\n%a = weight : f32[5, 17]\n%b = weight : f32[17, 5]\n%p = matmul %x, %a\n\
         %t = transpose %x { order = [-1, -2] }\n%q = matmul %b, %t\n%y = matmul %p, %q\n%z = matmul %y, %y\n\
         return %z, %p",
    ));
}

#[test]
fn batches_that_broadcast() {
    let leads =
        [("2, 3,", "2, 3,"), ("2, 1,", "3,"), ("1,", "4, 1,"), ("", "2, 3,"), ("2, 3,", ""), ("3, 1,", "1, 2,")];
    let sources = [("input", "input"), ("input", "weight"), ("weight", "input")];
    for (a, b) in leads {
        for (left, right) in sources {
            check(&parse(&format!(
                "%a = {left} : f32[{a} 5, 7]\n%b = {right} : f32[{b} 7, 17]\n%y = matmul %a, %b\n%z = mul %y, 0.5\n\
                 return %z"
            )));
        }
    }
}

#[test]
fn operands_of_other_float_types() {
    for dtype in ["bf16", "f16"] {
        for (left, right) in [("input", "input"), ("input", "weight"), ("weight", "input")] {
            check(&parse(&format!(
                "%a = {left} : {dtype}[5, 7]\n%b = {right} : {dtype}[7, 33]\n%y = matmul %a, %b\n\
                 %z = cast %y {{ to = {dtype} }}\nreturn %y, %z"
            )));
        }
    }
}

/// The right operand is a row statistic's tensor, transposed: reductions there go through memory.
#[test]
fn reductions_on_either_side_of_a_product() {
    check(&parse(
        "%x = input : f32[9, 17]\n%s = softmax %x { axis = -1 }\n%c = softmax %x { axis = -2 }\n\
         %t = transpose %s { order = [-1, -2] }\n%y = matmul %c, %t\n%z = softmax %y { axis = 0 }\n\
         %w = matmul %t, %z\nreturn %w, %y",
    ));
}

/// Columns by head: the epilogue's bias is the same for 16 columns, and columns of a partial tile lie after it.
#[test]
fn epilogues_that_cut_columns_into_digits() {
    for heads in [3, 5] {
        let n = heads * 16;
        check(&parse(&format!(
            "%x = input : f32[7, 9]\n%w = weight : f32[9, {n}]\n%b = weight : f32[{heads}, 1]\n%p = matmul %x, %w\n\
             %h = reshape %p {{ shape = [7, {heads}, 16] }}\n%s = add %h, %b\n\
             %y = transpose %s {{ order = [-2, -3, -1] }}\nreturn %y"
        )));
    }
}

#[test]
fn results_that_are_moved_and_summed() {
    for n in [3, 16, 17, 64] {
        check(&parse(&format!(
            "%x = input : f32[2, 6, 5]\n%w = weight : f32[5, {n}]\n%p = matmul %x, %w\n\
             %r = roll %p {{ axis = -2, shift = 2 }}\n%t = transpose %r {{ order = [-1, -2] }}\n\
             %c = roll %p {{ axis = -1, shift = 1 }}\n%q = matmul %c, %t\n%y = add %q, 1.0\nreturn %y, %r"
        )));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn any_product(batch in 1usize..4, m in 1usize..71, k in 1usize..71, n in 1usize..71, computed in any::<bool>(), bias in any::<bool>()) {
        let right = if computed { format!("input : f32[{batch}, {k}, {n}]") } else { format!("weight : f32[{k}, {n}]") };
        let sum = if bias { "%s = add %p, %b\n%y = gelu %s" } else { "%y = abs %p" };
        check(&parse(&format!(
            "%x = input : f32[{batch}, {m}, {k}]\n%w = {right}\n%b = weight : f32[{n}]\n%p = matmul %x, %w\n{sum}\nreturn %y"
        )));
    }
}
