//! Rows that recognise an op in what people write out by hand.

use super::{Rule, axis, map, rule, rule_with};
use crate::egraph::maps;
use regard_ir::types::TensorType;
use std::f64::consts::FRAC_1_SQRT_2;

/// Attention's two nodes, softmax, gelu, roots.
pub fn rules() -> Vec<Rule> {
    let mut rules = attention();
    rules.extend(softmax());
    rules.extend(pointwise());
    rules
}

fn attention() -> Vec<Rule> {
    vec![
        rule_with(
            "attend",
            "s: B n m; v: B' m c; axis a: B n m",
            "(matmul (softmax ?a ?s) ?v)",
            "(attend ?key ?s ?v)",
            |s| {
                let scores = s.ty("s")?;
                let back = scores.rank() - s.axis("a", scores)?;
                s.require("a", "is one of the last two axes", back <= 2)?;
                Some(vec![axis("key", if back == 1 { -1 } else { -2 })])
            },
        ),
        rule_with("scores", "q: B n d; var k: B' d m", "(matmul ?q ?k)", "(scores ?q (view ?t ?k))", |s| {
            Some(vec![map("t", &maps::swap(s.shape("k")?)?)])
        }),
        rule_with(
            "scores-transposed",
            "q: B n d; k: C m d; map t: S -> T",
            "(view ?t (scores ?q ?k))",
            "(scores ?k ?q)",
            |s| {
                let mut scores = s.root.shape.clone();
                if let [.., m, n] = &mut scores[..] {
                    std::mem::swap(m, n);
                }
                s.require("t", "exchanges the last two axes", s.map("t") == maps::swap(&scores))?;
                Some(Vec::new())
            },
        ),
    ]
}

/// Requires the view that repeats a reduction over `a` along it.
fn spreads(s: &super::Scope, view: &'static str) -> Option<()> {
    let whole = s.ty("x")?;
    let mut reduced: TensorType = whole.clone();
    reduced.shape[s.axis("a", whole)?] = 1;
    s.require(view, "repeats along the axis", s.map(view)? == maps::repeat(&reduced.shape, &whole.shape)?)
}

fn softmax() -> Vec<Rule> {
    let shifted = "(exp (sub ?x (view ?m (reduce op=max ?a ?x))))";
    let lowest = f64::from(f32::MIN);
    let clamped = format!("(exp (sub ?x (max (view ?m (reduce op=max ?a ?x)) (const value={lowest:?} ?t))))");
    let spread = "x: S; axis a: S; map m: R -> S";
    let only_spread = |s: &super::Scope| spreads(s, "m").map(|()| Vec::new());
    vec![
        rule_with(
            "softmax-from-exp",
            spread,
            "(div (exp ?x) (view ?m (reduce op=sum ?a (exp ?x))))",
            "(softmax ?a ?x)",
            only_spread,
        ),
        rule_with(
            "softmax-from-shifted-exp",
            spread,
            &format!("(div {shifted} (view ?m (reduce op=sum ?a {shifted})))"),
            "(softmax ?a ?x)",
            only_spread,
        ),
        rule_with(
            "softmax-from-its-definition",
            &format!("{spread}; type t: S"),
            &format!("(div {clamped} (max (view ?m (reduce op=sum ?a {clamped})) (const value=1.0 ?t)))"),
            "(softmax ?a ?x)",
            only_spread,
        ),
    ]
}

fn pointwise() -> Vec<Rule> {
    let sum = "(add (erf (mul ?x (const ?r ?t))) (const value=1.0 ?t))";
    let root = "x: S; number r: 0.7071067811865476 0.5; type t: S";
    // erf(x/√2), whatever way its last bit was rounded.
    let is_root = |s: &super::Scope| {
        s.require("r", "is the root of one half", (s.number("r")? - FRAC_1_SQRT_2).abs() < 1e-15)?;
        Some(Vec::new())
    };
    vec![
        rule_with("gelu", root, &format!("(mul (mul ?x {sum}) (const value=0.5 ?t))"), "(gelu ?x)", is_root),
        rule_with("gelu-swapped", root, &format!("(mul (mul {sum} ?x) (const value=0.5 ?t))"), "(gelu ?x)", is_root),
        rule("rsqrt-from-recip", "x: S", "(recip (sqrt ?x))", "(rsqrt ?x)"),
        rule("rsqrt-from-sqrt", "x: S", "(sqrt (recip ?x))", "(rsqrt ?x)"),
        rule("div-by-sqrt", "x: S; y: S", "(div ?y (sqrt ?x))", "(mul ?y (rsqrt ?x))"),
        rule("one-over", "x: S; type t: S", "(div (const value=1.0 ?t) ?x)", "(recip ?x)"),
        rule("sigmoid", "x: S; type t: S", "(recip (add (exp (neg ?x)) (const value=1.0 ?t)))", "(sigmoid ?x)"),
    ]
}
