//! Graphs: work and memory in proportion to what is written.

use super::{Case, check};
use std::fmt::Write;

/// A graph of these statements.
fn graph(statements: &str) -> String {
    format!("graph g {{\n{statements}\n}}\n")
}

/// One line per index.
fn lines(n: usize, line: impl Fn(usize) -> String) -> String {
    (0..n).fold(String::new(), |mut text, i| {
        writeln!(text, "{}", line(i)).expect("a string takes all text");
        text
    })
}

#[test]
fn text_is_read_in_proportion_to_its_length() {
    let name = "x".repeat(50_000);
    let attributes = format!("{{ {} }}", (0..100_000).map(|i| format!("a{i} = 1")).collect::<Vec<_>>().join(", "));
    let weights = lines(40_000, |i| format!("%w{i} = weight : f32[1, 2, 3, 4, 5]"));
    check(vec![
        Case::new("op name", "check x.rg", 1, "error")
            .with("x.rg", graph(&format!("%x = input : f32[2]\n%y = {name} %x\nreturn %y"))),
        Case::new("value name", "check x.rg", 0, "ok")
            .with("x.rg", graph(&format!("%{name} = input : f32[2]\n%y = neg %{name}\nreturn %y"))),
        Case::new("unknown value name", "check x.rg", 1, "error")
            .with("x.rg", graph(&format!("%x = input : f32[2]\n%y = neg %{name}\nreturn %y"))),
        Case::new("unknown model", "check nosuch", 2, "nosuch"),
        Case::new("attributes", "check x.rg", 1, "error")
            .with("x.rg", graph(&format!("%x = input : f32[2]\n%y = neg %x {attributes}\nreturn %y"))),
        Case::new("many statements", "show x.rg --stage graph", 0, "%w39999")
            .with("x.rg", graph(&format!("{weights}return %w7"))),
        Case::new("nested brackets", "check x.rg", 1, "error").with("x.rg", "[".repeat(200_000)),
        Case::new("a digit string", "check x.rg", 1, "error")
            .with("x.rg", graph(&format!("%x = input : f32[{}]\nreturn %x", "9".repeat(100_000)))),
    ]);
}

#[test]
fn compilation_is_bounded() {
    let outputs = vec!["%y"; 20_000].join(", ");
    let doubled = lines(10, |i| format!("%c{} = concat %c{i}, %c{i} {{ axis = 0 }}", i + 1));
    let dense = lines(12, |i| {
        let all: Vec<String> = (0..=i).map(|j| format!("%d{j}")).collect();
        let all = if i == 0 { "%d0, %d0".into() } else { all.join(", ") };
        format!(
            "%k{i} = concat {all} {{ axis = 0 }}\n%r{i} = reduce %k{i} {{ op = mean, axis = 0 }}\n\
                 %e{i} = exp %r{i}\n%d{} = reshape %e{i} {{ shape = [1, 8] }}",
            i + 1
        )
    });
    let softmaxes = lines(500, |i| format!("%x{} = softmax %x{i} {{ axis = -1 }}", i + 1));
    let sums = lines(64, |i| {
        let shift = 1 << (i % 20);
        format!("%r{i} = roll %s{i} {{ axis = 0, shift = {shift} }}\n%s{} = add %r{i}, %s{i}", i + 1)
    });
    let rolls = |rows: usize| {
        graph(&format!(
            "%x = input : f32[{rows}, 8]\n%g = weight : f32[8]\n%n = layer_norm %x, %g, %g {{ eps = 1e-5 }}\n\
             %m = layer_norm %n, %g, %g {{ eps = 1e-5 }}\n%y = roll %m {{ axis = 0, shift = 3 }}\nreturn %y"
        ))
    };
    // A launch per output: memory in proportion to what is made.
    let large = |case: Case| Case { mebibytes: 700, seconds: 10, ..case };
    check(vec![
        Case::new("roll of norms, 128 rows", "show x.rg --stage kernels", 0, "kernel").with("x.rg", rolls(128)),
        Case::new("roll of norms, 3136 rows", "show x.rg --stage kernels", 0, "kernel").with("x.rg", rolls(3136)),
        Case::new("sums of rolled sums", "show x.rg --stage kernels", 0, "kernel")
            .with("x.rg", graph(&format!("%s0 = input : f32[1048576, 2]\n{sums}return %s64"))),
        large(Case::new("equal outputs", "show x.rg --stage optimized", 0, "return"))
            .with("x.rg", graph(&format!("%x = input : f32[2]\n%y = neg %x\nreturn {outputs}"))),
        Case::new("nested doubled concatenations", "show x.rg --stage kernels", 0, "kernel")
            .with("x.rg", graph(&format!("%c0 = input : f32[2, 4]\n{doubled}%y = neg %c10\nreturn %y"))),
        Case::new("dense concatenations", "show x.rg --stage kernels", 0, "kernel")
            .with("x.rg", graph(&format!("%d0 = input : f32[1, 8]\n{dense}return %d12"))),
        Case::new("many softmaxes", "show x.rg --stage kernels", 0, "kernel")
            .with("x.rg", graph(&format!("%x0 = input : f32[16, 16]\n{softmaxes}return %x500"))),
    ]);
}

#[test]
fn tensors_that_memory_does_not_hold_are_named() {
    check(vec![
        Case::new("large input", "run x.rg", 1, "x")
            .with("x.rg", graph("%x = input : f32[1000000000]\n%y = neg %x\nreturn %y")),
        Case::new("large weight", "run x.rg", 1, "w")
            .with("x.rg", graph("%x = input : f32[1]\n%w = weight : f32[1000000000]\n%y = add %x, %w\nreturn %y")),
        Case::new("large output", "run x.rg", 1, "y")
            .with("x.rg", graph("%x = input : f32[100000, 1]\n%z = input : f32[1, 10000]\n%y = add %x, %z\nreturn %y")),
        Case::new("large reference", "check x.rg", 1, "the reference")
            .with("x.rg", graph("%x = input : f32[1000000000]\n%y = neg %x\nreturn %y")),
    ]);
}

#[test]
fn options_of_models_are_checked() {
    check(vec![
        Case::new(
            "groups that do not divide",
            "show debiformer_tiny --option groups=24+2+3+4 --stage graph",
            2,
            "group",
        ),
        Case::new("huge depth", "show debiformer_tiny --option depths=99999999+1+1+1 --stage graph", 2, "depths"),
        Case::new("width of nothing", "show sasa_resnet50 --option width=0.0001 --stage graph", 2, "width"),
        Case::new("many classes", "show swin_tiny --classes 18446744073709551615 --stage graph", 2, "classes"),
        Case::new("many images", "show swin_tiny --batch 18446744073709551615 --stage graph", 2, "batch is"),
        Case::new("large images", "show swin_tiny --size 4294967296x4294967296 --stage graph", 2, "4294967296"),
    ]);
}
