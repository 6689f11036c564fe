//! Sizes of real models and far beyond: programs are well formed, without being run.

use crate::chain::{check_lowered, parse};

#[test]
fn products_of_any_size() {
    for (m, k, n) in [(1, 1 << 20, 3), (1 << 20, 1, 1 << 10), (3, 5, 1 << 20), (100_003, 97, 1009), (4096, 4096, 4096)]
    {
        for right in ["weight", "input"] {
            check_lowered(&parse(&format!(
                "%x = input : f32[{m}, {k}]\n%w = {right} : f32[{k}, {n}]\n%y = matmul %x, %w\n%z = gelu %y\nreturn %z"
            )));
        }
    }
}

#[test]
fn attention_of_any_size() {
    for (n, m, d, c) in [(1, 1 << 20, 64, 64), (1 << 14, 1 << 14, 1, 1), (7, 3, 1 << 20, 5), (4096, 4096, 128, 128)] {
        check_lowered(&parse(&format!(
            "%q = input : f32[{n}, {d}]\n%k = input : f32[{m}, {d}]\n%v = input : f32[{m}, {c}]\n\
             %y = attention %q, %k, %v {{ scale = 0.125 }}\n%s = scores %q, %k\n\
             %z = attend %s, %v {{ axis = -2 }}\nreturn %y, %z"
        )));
    }
}

#[test]
fn rows_of_any_size() {
    for (rows, inner) in [(1, 2_000_000_000), (2_000_000_000, 1), (1 << 15, 1 << 15), (1, 1), (1_000_003, 1009)] {
        for axis in [0, 1] {
            check_lowered(&parse(&format!(
                "%x = input : f32[{rows}, {inner}]\n%y = softmax %x {{ axis = {axis} }}\n\
                 %r = roll %y {{ axis = {axis}, shift = 1 }}\nreturn %r"
            )));
        }
    }
}
