//! Text: graphs, kernels, schedules and views, right and wrong ones.

use crate::{grows, peak};
use regard::{
    ir::{kernel::text as kernel, text, view::View},
    passes::schedule,
};

/// A chain of additions, `n` statements long.
fn chain(n: usize) -> String {
    let statement = |i: usize| format!("  %node.{i} = add %node.{}, %x {{}} : f32[2]\n", i - 1);
    let body: String = (1..n).map(statement).collect();
    format!("graph chain {{\n  %x = input : f32[2]\n  %node.0 = neg %x\n{body}  return %node.{}\n}}\n", n - 1)
}

#[test]
fn graphs_take_what_they_are_long() {
    grows("statements", 5000, chain, |text| assert!(text::parse(text).is_ok()));
    let text = chain(100_000);
    let held = peak(|| drop(text::parse(&text)));
    assert!(held < 20 * text.len() as u64, "{held} bytes for {} of text", text.len());
}

/// A graph of one statement, and then `rest`.
fn graph(rest: &str) -> String {
    format!("graph g {{\n  %x = input : f32[2]\n  {rest}\n}}\n")
}

#[test]
fn long_statements_take_what_they_are_long() {
    let many = |n: usize, item: &dyn Fn(usize) -> String| (0..n).map(item).collect::<Vec<_>>().join(", ");
    let attributes = |n: usize| graph(&format!("%y = neg %x {{ {} }}", many(n, &|i| format!("a{i} = {i}"))));
    grows("attributes", 100_000, attributes, |text| assert!(text::parse(text).is_err()));
    let repeated = |n: usize| graph(&format!("%y = neg %x {{ {}, a0 = 1 }}", many(n, &|i| format!("a{i} = {i}"))));
    grows("a repeated attribute", 100_000, repeated, |text| {
        assert!(text::parse(text).unwrap_err().to_string().contains("given twice"));
    });
    let operands = |n: usize| graph(&format!("%y = concat {} {{ axis = 0 }}\n  return %y", many(n, &|_| "%x".into())));
    grows("operands", 50_000, operands, |text| assert!(text::parse(text).is_ok()));
    let outputs = |n: usize| graph(&format!("return {}", many(n, &|_| "%x".into())));
    grows("outputs", 50_000, outputs, |text| {
        let names = text::parse(text).unwrap().output_names();
        assert_eq!(names[names.len() - 1], format!("x.{}", names.len() - 1));
    });
    let dimensions = |n: usize| graph(&format!("%y = input : f32[{}]", many(n, &|_| "1".into())));
    grows("dimensions", 50_000, dimensions, |text| assert!(text::parse(text).is_err()));
    let comment = |n: usize| graph(&format!("// {}\n  return %x", "é".repeat(n)));
    grows("a comment", 500_000, comment, |text| assert!(text::parse(text).is_ok()));
    let label = |n: usize| graph(&format!("%\"{}\" = neg %x\n  return %x", "\\n".repeat(n)));
    grows("a label", 200_000, label, |text| assert!(text::parse(text).is_ok()));
}

#[test]
fn wrong_names_take_what_they_are_long() {
    let op = |n: usize| graph(&format!("%y = {} %x", "sofmax".repeat(n)));
    grows("the name of an op", 20_000, op, |text| assert!(text::parse(text).is_err()));
    let reference = |n: usize| chain(n).replace("return %", "return %nope.");
    grows("names to suggest", 20_000, reference, |text| assert!(text::parse(text).is_err()));
    let nested = |n: usize| graph(&format!("%y = reshape %x {{ shape = {} }}", "[".repeat(n)));
    grows("brackets", 100_000, nested, |text| assert!(text::parse(text).is_err()));
}

#[test]
fn kernels_take_what_they_are_long() {
    let buffers = |n: usize| {
        let params: String = (0..n).map(|i| format!("  param b{i} : f32[64]\n")).collect();
        let loads: String = (0..n).map(|i| format!("  v{i} : f32 = load_scalar b{i}[0]\n")).collect();
        format!("kernel k core lanes 4 grid [1, 1, 1] {{\n{params}{loads}}}\n")
    };
    grows("buffers of a kernel", 20_000, buffers, |text| drop(kernel::parse(text).unwrap()));
    let gap = |n: usize| {
        format!("kernel k core lanes 4 grid [1, 1, 1] {{\n  // {}\n  v99 = const i64 1\n}}\n", "-".repeat(n))
    };
    grows("a gap", 100_000, gap, |text| assert!(kernel::parse(text).is_err()));
}

#[test]
fn schedules_and_views_take_what_they_are_long() {
    let groups = |n: usize| {
        let rows: String = (0..n).map(|i| format!("  %{i} row rows 4 inner 16\n")).collect();
        format!("schedule s for x86-64-v4 {{\n{rows}}}\n")
    };
    grows("groups", 20_000, groups, |text| assert_eq!(schedule::parse(text).unwrap().groups.len() % 20_000, 0));
    let terms = |n: usize| format!("[8] of 8: {}", vec!["i0"; n].join(" + "));
    grows("terms of a view", 100_000, terms, |text| assert!(text.parse::<View>().is_err()));
    let axes = |n: usize| format!("[{}] of 8: 0", vec!["1"; n].join(", "));
    grows("axes of a view", 100_000, axes, |text| assert!(text.parse::<View>().is_err()));
}
