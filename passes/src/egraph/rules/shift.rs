//! Rows for what a softmax does not see, and for weights that sum to one.
//!
//! ```text
//!   softmax_j(q·(k_j + b))     =  softmax_j(q·k_j)                a key's bias adds q·b to a whole row
//!   Σ_j w_ij (v_j + b)         =  Σ_j w_ij v_j + b                a value's bias, as Σ_j w_ij = 1
//! ```
//!
//! A bias is what is the same for every key. It leaves the keys as a term `q·b`, one number per query, which
//! travels outwards through scales, biases and masks until a softmax over keys drops it; where none does, the term
//! costs a product, and the keys keep their bias.
//!
//! Masks decide what is true here. A query that sees no key has weights that sum to zero, so a value's bias
//! leaves only scores that are products, which are finite. A term that may be −∞, from outside or from a table,
//! may mask a whole row, and a softmax sees that: only numbers and products `q·b` are dropped.

use super::{Compute, Rule, Scope, map, rule, rule_with, ty};
use crate::egraph::view_queries;
use regard_ir::view::View;

/// Numbers, key biases, value biases, sums of weights.
pub(crate) fn rules() -> Vec<Rule> {
    let mut rules = numbers();
    rules.extend(key_bias());
    rules.extend(value_bias());
    rules.extend(sums());
    rules
}

/// A softmax does not see a number added to all its scores.
fn numbers() -> Vec<Rule> {
    vec![
        rule(
            "softmax-of-shifted",
            "x: S; axis a: S; number c: 0.5; type t: S",
            "(softmax ?a (add ?x (const ?c ?t)))",
            "(softmax ?a ?x)",
        ),
        rule(
            "attend-to-shifted",
            "x: B n k; v: B' k m; axis a: B n; number c: 0.5; type t: B n k",
            "(attend ?a (add ?x (const ?c ?t)) ?v)",
            "(attend ?a ?x ?v)",
        ),
    ]
}

/// The view of the bias of one key or value, `[…, 1, d]`, where `view` repeats it for all of them. A bias that other
/// columns of the same product share is added anyway.
fn of_one(s: &Scope, view: &'static str) -> Option<View> {
    let map = s.map(view)?;
    s.require(view, "reads the whole bias", view_queries::reads_all(&map))?;
    s.first_along(view, map.shape.len().checked_sub(2)?)
}

/// Requires a view that repeats one number along the last axis.
fn dropped(s: &Scope) -> Option<super::Bindings> {
    s.first_along("e", s.map("e")?.shape.len().checked_sub(1)?).map(|_| Vec::new())
}

/// A row whose sides hold `?E`, the term `q·b` that is spread over scores.
fn outwards(name: &str, others: &str, left: &str, right: &str, compute: Compute) -> Rule {
    let spread = |side: &str| side.replace("?E", "(view ?e (scores ?q ?b))");
    let signature = format!("var x: B n m; q: C i d; const b: D j d; map e: G -> B n m{others}");
    rule_with(name, &signature, &spread(left), &spread(right), compute)
}

fn key_bias() -> Vec<Rule> {
    let always: Compute = |_| Some(Vec::new());
    let masked = "; bool l: B n m; type t: B n m";
    vec![
        rule_with(
            "key-bias-out-of-scores",
            "q: B n d; var k: C m d; const b: G; map r: G -> C m d",
            "(scores ?q (add ?k (view ?r ?b)))",
            "(add (scores ?q ?k) (view ?e (scores ?q (view ?p ?b))))",
            |s| {
                let [lead @ .., n, _] = &s.root.shape[..] else { return None };
                let spread = view_queries::repeat(&[lead, &[*n, 1]].concat(), &s.root.shape)?;
                Some(vec![map("p", &of_one(s, "r")?), map("e", &spread)])
            },
        ),
        outwards(
            "key-bias-through-number",
            "; number c: 0.5; type t: B n m",
            "(mul (add ?x ?E) (const ?c ?t))",
            "(add (mul ?x (const ?c ?t)) (view ?e (scores ?q (mul ?b (const ?c ?u)))))",
            |s| {
                s.filled_by_source("e")?;
                s.may_move("c")?;
                Some(vec![ty("u", s.ty("b")?)])
            },
        ),
        outwards("key-bias-through-term", "; z: B n m", "(add (add ?x ?E) ?z)", "(add (add ?x ?z) ?E)", always),
        outwards("term-through-key-bias", "; z: B n m", "(add ?z (add ?x ?E))", "(add (add ?z ?x) ?E)", always),
        outwards(
            "key-bias-through-mask",
            masked,
            "(select ?l (add ?x ?E) (const value=-inf ?t))",
            "(add (select ?l ?x (const value=-inf ?t)) ?E)",
            always,
        ),
        outwards(
            "key-bias-through-inverted-mask",
            masked,
            "(select ?l (const value=-inf ?t) (add ?x ?E))",
            "(add (select ?l (const value=-inf ?t) ?x) ?E)",
            always,
        ),
        outwards("softmax-without-key-bias", "", "(softmax axis=-1 (add ?x ?E))", "(softmax axis=-1 ?x)", dropped),
        outwards(
            "attend-without-key-bias",
            "; v: E m k",
            "(attend axis=-1 (add ?x ?E) ?v)",
            "(attend axis=-1 ?x ?v)",
            dropped,
        ),
    ]
}

/// Scores as they are, and times a number.
const SCORES: [(&str, &str, &str); 2] =
    [("", "", "(scores ?q ?k)"), ("scaled-", "; number f: 0.5; type t: T", "(mul (scores ?q ?k) (const ?f ?t))")];

fn value_bias() -> Vec<Rule> {
    let row = |(what, others, scores): (&str, &str, &str)| {
        rule_with(
            format!("value-bias-out-of-{what}attend"),
            &format!("q: B n d; k: D m d; var v: C m c; const b: G; map r: G -> C m c{others}"),
            &format!("(attend axis=-1 {scores} (add ?v (view ?r ?b)))"),
            &format!("(add (attend axis=-1 {scores} ?v) (view ?p ?b))"),
            |s| {
                let one = of_one(s, "r")?;
                let spread = view_queries::repeat(&one.shape, &s.root.shape)?;
                Some(vec![map("p", &one.then(&spread)?)])
            },
        )
    };
    SCORES.map(row).into()
}

fn sums() -> Vec<Rule> {
    let row = |(what, others, scores): (&str, &str, &str)| {
        rule_with(
            format!("sum-of-{what}softmax"),
            &format!("q: B n d; k: C m d; axis a: B n m{others}"),
            &format!("(reduce op=sum ?a (softmax ?a {scores}))"),
            "(const value=1.0 ?u)",
            |s| Some(vec![ty("u", s.root)]),
        )
    };
    SCORES.map(row).into()
}
