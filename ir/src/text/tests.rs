//! Round trips, and where errors point.

use super::*;
use crate::{
    ops::{Const, Op},
    types::{DType, Real, TensorType},
};
use proptest::prelude::*;

const ROWS: &str = r#"graph rows {
  %q = input : f32[2, 49, 32]
  %k = input : f32[2, 49, 32]
  %"odd \"name\"" = weight : bf16[]
  %t = transpose %k { order = [-1, -2] } : f32[2, 32, 49]
  %4 = matmul %q, %t : f32[2, 49, 49]
  %layers.0.attn = softmax %4 { axis = -1 } : f32[2, 49, 49]
  %6 = const { value = -inf } : f32[3]
  %7 = reduce %4 { op = mean, axis = 1 } : f32[2, 1, 49]
  %8 = view %7 { map = "[49, 2] of 98: 49*i1 + i0" } : f32[49, 2]
  return %layers.0.attn, %8
}
"#;

#[test]
fn printed_text_is_what_was_read() {
    let graph = parse(ROWS).unwrap_or_else(|e| panic!("{}", e.render(ROWS, "rows")));
    assert_eq!(graph.to_string(), ROWS);
    assert_eq!(graph.nodes.len(), 9);
    assert!(crate::verify(&graph).is_empty());
}

#[test]
fn layout_and_comments_do_not_matter() {
    let text = "graph rows{%5=input:f32[4]; five\n%x=// two lines\nadd %5,\n  %5 {}return %x,%5,}";
    let graph = parse(text).unwrap_or_else(|e| panic!("{}", e.render(text, "rows")));
    let printed = "graph rows {\n  %0 = input : f32[4]\n  %x = add %0, %0 : f32[4]\n  return %x, %0\n}\n";
    assert_eq!(graph.to_string(), printed);
}

#[test]
fn numbers_become_constants_of_the_neighbour_type() {
    let text = "graph g {
        %i = iota { axis = 0 } : i32[4]
        %c = lt %i, 2
        %x = select %c, %i, 7
        %y = max 0.5, inf
        return %x, %y
    }";
    let graph = parse(text).unwrap_or_else(|e| panic!("{}", e.render(text, "g")));
    let constants: Vec<(DType, Real)> = graph
        .nodes
        .values()
        .filter_map(|n| match &n.op {
            Op::Const(Const { ty: TensorType { dtype, shape }, value }) if shape.is_empty() => Some((*dtype, *value)),
            _ => None,
        })
        .collect();
    let real = |x: f64| Real::new(x);
    let expected =
        [(DType::I32, real(2.0)), (DType::I32, real(7.0)), (DType::F32, real(0.5)), (DType::F32, real(f64::INFINITY))];
    assert_eq!(constants, expected);
}

/// The statements between two inputs and a return; gives the text that the error underlines and the error.
fn wrong(statements: &str) -> (String, String) {
    let text = format!("graph g {{\n %q = input : f32[2, 3]\n %key = input : f32[2, 3]\n {statements}\n return %q\n}}");
    let error = parse(&text).expect_err(statements);
    for (span, _) in &error.labels {
        assert!(text.get(span.clone()).is_some(), "{error:?}");
    }
    (text[error.span.clone()].to_string(), error.to_string())
}

#[test]
fn errors_underline_the_offending_text() {
    let cases = [
        ("%s = sofmax %q { axis = -1 }", "sofmax", "there is no op `sofmax`, expected `softmax`"),
        ("%s = convolve3d %q", "convolve3d", "there is no op `convolve3d`"),
        ("%s = neg %kay", "%kay", "%kay is not defined above, expected `%key`"),
        ("%s = neg %17", "%17", "%17 is not defined above, expected the name of an earlier node"),
        ("%q = neg %key", "%q", "%q is defined twice, expected a new name"),
        ("%s = softmax %q", "softmax %q", "softmax is incomplete, expected attribute `axis`"),
        ("%s = softmax %q { axis = 0.5 }", "0.5", "attribute `axis` is 0.5, expected an integer"),
        (
            "%s = softmax %q { axis = 7 }",
            "softmax %q { axis = 7 }",
            "softmax of f32[2, 3]: axis 7 does not exist in f32[2, 3], which has 2 axes",
        ),
        ("%s = softmax %q { axis = -1, eps = 1 }", "eps", "softmax has no attribute `eps`, expected `axis`"),
        ("%s = softmax %q { axis = -1, axis = 1 }", "axis", "attribute `axis` is given twice"),
        ("%s = neg %q { axis = 1 }", "axis", "neg has no attribute `axis`, expected none"),
        ("%s = add %q", "add %q", "add has 1 operand, expected 2"),
        ("%s = add %q, %q, %key", "%key", "add has 3 operands, expected 2"),
        ("%s = concat %q { axis = 0 }", "concat %q", "concat has 1 operand, expected 2 or more"),
        ("%s = input %q : f32[2]", "%q", "input has 1 operand, expected none"),
        ("%s = weight", "weight", "weight is incomplete, expected a type, for example `: f32[2, 49, 32]`"),
        ("%s = neg %q : f32[3, 2]", "f32[3, 2]", "found f32[3, 2], expected f32[2, 3]"),
        ("%s = input : f64[2]", "f64", "`f64` is not an element type, expected f32, bf16, f16, i32 or bool"),
        ("%s = input : f32[2, 0]", "0", "a dimension is 0, expected 1 or more"),
        ("%s = input : f32[-1]", "-1", "-1 is out of range, expected a dimension"),
        ("%s = input : f32[1048576, 1048577]", "f32[1048576, 1048577]", "a type of more than 2^40 elements"),
        ("%s = cast %q { to = f64 }", "f64", "`f64` is not an element type, expected f32, bf16, f16, i32 or bool"),
        ("%s = const { value = 0.5 } : i32[]", "const { value = 0.5 }", "0.5 is not a value of type i32"),
        ("%s = lt %q, { axis = 1 }", "{", "found `{`, expected an operand: a name such as `%q` or a number"),
        (
            "%s = roll %q { axis = 0, shift = 99999999999999999999 }",
            "99999999999999999999",
            "99999999999999999999 is out of range, \
             expected a value: a number, a list of integers, a word or a quoted string",
        ),
        (
            "%s = view %q { map = \"[2] of 6: 9*i0\" }",
            "9*i0",
            "this map may leave the source, expected elements 0 to 5",
        ),
        ("%s neg %q", "neg", "found `neg`, expected `=`"),
        ("s = neg %q", "s", "found `s`, expected a statement `%name = op …` or `return`"),
        ("%0x1 = neg %q", "0x1", "found `0x1`, expected a name such as `%q` or `%12`"),
    ];
    for (statements, place, message) in cases {
        assert_eq!(wrong(statements), (place.to_string(), message.to_string()), "{statements}");
    }
    let (place, message) = wrong("%t = transpose %q { order = [-1, -2] }\n %s = add %q, %t");
    assert_eq!(place, "add %q, %t");
    assert!(message.contains("f32[3, 2]") && message.contains("[2, 3]"), "{message}");
}

#[test]
fn errors_at_the_edges() {
    let error = |text: &str| parse(text).expect_err(text).to_string();
    assert_eq!(error(""), "the text ends here, expected `graph`");
    assert_eq!(error("graph g {"), "the text ends here, expected a statement `%name = op …` or `return`");
    assert_eq!(error("graph g { return"), "the text ends here, expected `}`");
    assert_eq!(error("graph g { return } graph"), "found `graph`, expected the end of the text");
    assert!(error("graph g { %x = input : f32[2").contains("the text ends here"));
}

#[test]
fn an_error_points_at_its_operands() {
    let text = "graph g {\n  %a = input : f32[2, 3]\n  %b = input : f32[2]\n  %s = add %a, %b\n  return %s\n}\n";
    let error = parse(text).expect_err("shapes differ");
    assert!(error.render(text, "g.rg").starts_with("g.rg:4:8: "), "{error}");
    assert_eq!(&text[error.span], "add %a, %b");
    let notes = error.labels.into_iter().map(|(span, note)| (text[span].to_string(), note));
    let operand = |name: &str, ty: &str| (name.to_string(), format!("this is {ty}"));
    assert!(notes.eq([operand("%a", "f32[2, 3]"), operand("%b", "f32[2]")]));
}

#[test]
fn hostile_text_is_rejected_quickly() {
    let mut doubling = String::from("graph g {\n%0 = input : f32[1, 1, 1]\n%1 = const { value = 0 } : i32[1, 1, 1]\n");
    for i in 2..80 {
        doubling += &format!("%{i} = gather %{}, %{} \n", i - 1, i - 1);
        doubling += &format!("%x{i} = cast %{i} {{ to = i32 }}\n%{} = gather %x{i}, %x{i}\n", i + 1000);
    }
    assert!(parse(&doubling).is_err());
    let mut ranks = String::from("graph g {\n%t0 = const { value = 0 } : i32[1, 1, 1]\n");
    for i in 1..80 {
        ranks += &format!("%t{i} = gather %t{}, %t{}\n", i - 1, i - 1);
    }
    assert_eq!(parse(&ranks).expect_err("too many axes").to_string(), "gather gives 33 axes, expected 32 at most");
    let nested = format!("graph g {{ %x = reshape %y {{ shape = {} }}", "[".repeat(100_000));
    assert!(parse(&nested).is_err());
    let axes = format!("graph g {{ %x = input : f32[{}]", "1, ".repeat(33));
    assert_eq!(parse(&axes).expect_err("too many axes").to_string(), "a type of 33 axes, expected 32 at most");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn any_text_is_read_without_panic(text in any::<String>()) {
        prop_assert!(parse(&text).is_err());
        let inside = ["graph g { %x = ", &text].concat();
        prop_assert!(parse(&inside).is_err());
    }
}
