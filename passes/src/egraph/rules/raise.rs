//! Rows that recognise an op in what users write out by hand.
//!
//! Attention is found in two steps, whatever stands between them: a product whose left operand is a softmax is
//! `attend`, a product of two computed tensors is `scores`. Around them a few spellings are undone:
//!
//! ```text
//!   V · softmax(s)                 =  (softmax(s)ᵀ · Vᵀ)ᵀ              maps with channels first
//!   (exp(s) · V) / Σ exp(s)        =  softmax(s) · V                  normalised afterwards
//!   exp(d − log Σ exp(d))          =  softmax(d)                      exp of log_softmax
//!   Σ_d q[i, d] k[j, d]            =  q · kᵀ                          einsum as a broadcast product
//!   w = w ? w : 0, w softmax       =  w                               a guard against NaN
//! ```
//!
//! A row of scores that is −∞ throughout gives NaN in the spellings without a clamp and zeros in `softmax`: rows
//! say what holds where the left side has a value.

use super::{Compute, Rule, Scope, axis, map, rule, rule_with};
use crate::egraph::view_queries;
use regard_ir::types::{TensorType, broadcast};
use std::f64::consts::FRAC_1_SQRT_2;

/// Attention's two nodes, products, softmax, gelu, roots.
pub(crate) fn rules() -> Vec<Rule> {
    let mut rules = attention();
    rules.extend(spellings());
    rules.extend(softmax());
    rules.extend(guards());
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
            |s| Some(vec![axis("key", key_axis(s)?)]),
        ),
        rule_with("scores", "q: B n d; var k: B' d m", "(matmul ?q ?k)", "(scores ?q (view ?t ?k))", |s| {
            Some(vec![map("t", &view_queries::swap(s.shape("k")?)?)])
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
                s.require("t", "exchanges the last two axes", s.map("t") == view_queries::swap(&scores))?;
                Some(Vec::new())
            },
        ),
    ]
}

/// The axis of a softmax over scores, counted from the end: keys or queries, nothing else.
fn key_axis(s: &Scope) -> Option<i64> {
    let scores = s.ty("s")?;
    let back = scores.rank() - s.axis("a", scores)?;
    s.require("a", "is one of the last two axes", back <= 2)?;
    Some(if back == 1 { -1 } else { -2 })
}

/// Products that are attention only after something is moved.
fn spellings() -> Vec<Rule> {
    vec![
        rule_with(
            "attend-from-the-left",
            "s: B k n; v: C m k; axis a: B k n",
            "(matmul ?v (softmax ?a ?s))",
            "(view ?z (attend ?key (view ?o ?s) (view ?u ?v)))",
            |s| {
                let turned = view_queries::swap(&s.root.shape)?;
                let [o, u, z] = [s.shape("s")?, s.shape("v")?, &turned.shape].map(view_queries::swap);
                // Rows become columns.
                let key = axis("key", -3 - key_axis(s)?);
                Some(vec![key, map("o", &o?), map("u", &u?), map("z", &z?)])
            },
        ),
        rule_with(
            "attend-in-another-type",
            "var s: B n k; half v: C k m; axis a: B n k; word to: f16 bf16",
            "(matmul (cast ?to (softmax ?a ?s)) ?v)",
            "(attend ?key ?s ?v)",
            |s| Some(vec![axis("key", key_axis(s)?)]),
        ),
        rule_with(
            "scores-of-batches",
            "q: B n d; k: C m d; map h: S -> T",
            "(view ?h (scores ?q ?k))",
            "(scores (view ?x ?q) (view ?y ?k))",
            |s| {
                let ([q @ .., n, d], [k @ .., m, _]) = (s.shape("q")?, s.shape("k")?) else { return None };
                let lead = broadcast(q, k)?;
                s.filled_by_source("h")?;
                let batches = s.of_leading("h", &[&lead[..], &[*n, *m]].concat(), 2)?;
                let operand = |name: &str, rows: usize| {
                    let block = [rows, *d];
                    view_queries::repeat(s.shape(name)?, &[&lead[..], &block].concat())?
                        .then(&batches.of_blocks(&block))
                };
                Some(vec![map("x", &operand("q", *n)?), map("y", &operand("k", *m)?)])
            },
        ),
        rule_with(
            "product-from-sum",
            "x: S; y: T; map m: S -> W; map n: T -> W; axis a: W",
            "(reduce op=sum ?a (mul (view ?m ?x) (view ?n ?y)))",
            "(view ?z (matmul (view ?p ?x) (view ?q ?y)))",
            |s| {
                let [m, n] = [s.map("m")?, s.map("n")?];
                let along = s.axis("a", &TensorType::new(s.root.dtype, m.shape.clone()))?;
                s.require("a", "is summed by a product", view_queries::is_product(&m, &n, along))?;
                let product = view_queries::product(&m, &n, along);
                s.require("m", "has the axes of a product side by side", product.is_some())?;
                let view_queries::Product { left, right, result } = product?;
                Some(vec![map("p", &left), map("q", &right), map("z", &result)])
            },
        ),
        normalised_after("attend-normalised-after", "", "(exp ?s)", |s| {
            is_per_query(s, "m", s.root)?;
            Some(Vec::new())
        }),
        normalised_after(
            "attend-shifted-normalised-after",
            "; map o: B n 1 -> B n k",
            "(exp (sub ?s (view ?o (reduce op=max ?a ?s))))",
            |s| {
                is_per_query(s, "m", s.root)?;
                is_per_query(s, "o", s.ty("s")?)?;
                Some(Vec::new())
            },
        ),
    ]
}

/// `(e V) / Σ e` with e the exponentials of scores s.
fn normalised_after(name: &str, others: &str, e: &str, compute: Compute) -> Rule {
    rule_with(
        name,
        &format!("s: B n k; v: C k m; axis a: B n k; map m: B n 1 -> D n m{others}"),
        &format!("(div (matmul {e} ?v) (view ?m (reduce op=sum ?a {e})))"),
        "(attend axis=-1 ?s ?v)",
        compute,
    )
}

/// Requires a view that repeats a number per query of the scores along the last axis of `whole`, where the softmax
/// is over keys.
fn is_per_query(s: &Scope, view: &'static str, whole: &TensorType) -> Option<()> {
    let scores = s.ty("s")?;
    s.require("a", "is the axis of keys", s.axis("a", scores)? + 1 == scores.rank())?;
    let queries = [&scores.shape[..scores.rank() - 1], &[1]].concat();
    let repeats = view_queries::repeat(&queries, &whole.shape);
    s.require(view, "repeats a number per query", s.map(view) == repeats)
}

/// Requires the view that repeats a reduction over `a` along it.
fn spreads(s: &Scope, view: &'static str) -> Option<()> {
    let whole = s.ty("x")?;
    let mut reduced: TensorType = whole.clone();
    reduced.shape[s.axis("a", whole)?] = 1;
    s.require(view, "repeats along the axis", s.map(view)? == view_queries::repeat(&reduced.shape, &whole.shape)?)
}

fn softmax() -> Vec<Rule> {
    let shifted = "(exp (sub ?x (view ?m (reduce op=max ?a ?x))))";
    let lowest = f64::from(f32::MIN);
    let clamped = format!("(exp (sub ?x (max (view ?m (reduce op=max ?a ?x)) (const value={lowest:?} ?t))))");
    let spread = "x: S; axis a: S; map m: R -> S";
    let only_spread: Compute = |s| spreads(s, "m").map(|()| Vec::new());
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
            "softmax-from-log-sum",
            spread,
            "(exp (sub ?x (view ?m (log (reduce op=sum ?a (exp ?x))))))",
            "(softmax ?a ?x)",
            only_spread,
        ),
        rule_with(
            "softmax-from-log-of-spread-sum",
            spread,
            "(exp (sub ?x (log (view ?m (reduce op=sum ?a (exp ?x))))))",
            "(softmax ?a ?x)",
            only_spread,
        ),
        rule_with(
            "softmax-of-shifted-by-largest",
            spread,
            "(softmax ?a (sub ?x (view ?m (reduce op=max ?a ?x))))",
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

/// Guards against the NaN that a fully masked row has elsewhere: `w ≠ w` asks for it, and a softmax has none. The
/// condition comes as `w = w` or negated, whichever branch holds the weights.
fn guards() -> Vec<Rule> {
    let guarded = |weights: &str| format!("(select (eq {weights} {weights}) ?y ?z)");
    let cast = "(cast ?to (softmax ?a ?x))";
    vec![
        rule("select-by-opposite", "bool c: S; x: S; y: S", "(select (not ?c) ?x ?y)", "(select ?c ?y ?x)"),
        rule("softmax-without-nan", "x: S; axis a: S; y: S; z: S", &guarded("(softmax ?a ?x)"), "?y"),
        rule("softmax-without-nan-cast", "x: S; axis a: S; word to: f16 bf16 f32; y: S; z: S", &guarded(cast), "?y"),
    ]
}

fn pointwise() -> Vec<Rule> {
    let sum = "(add (erf (mul ?x (const ?r ?t))) (const value=1.0 ?t))";
    let root = "x: S; number r: 0.7071067811865476 0.5; type t: S";
    // erf(x/√2), whatever way its last bit was rounded.
    let is_root = |s: &Scope| {
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
