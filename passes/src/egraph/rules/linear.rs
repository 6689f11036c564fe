//! Rows that move factors and terms through what is linear, so that constants meet constants.
//!
//! ```text
//!   (x∘g) W          =  x (diag(g) W)                       the scale of a layer norm, of a batch norm
//!   (x + b) W        =  x W + b W                           its shift
//!   scores(c q, k)   =  c scores(q, k)                      the spellings of attention meet
//!   mean(x W)        =  mean(x) W
//! ```
//!
//! What stands between may be a view that repeats a row, never one that fills: a padded zero is not scaled and
//! shifted with the rest, and no row says it is.

use super::{Rule, Scope, map, rule_with, ty};
use crate::egraph::maps;
use regard_ir::{types::TensorType, view::View};

/// Factors, terms, numbers, means.
pub fn rules() -> Vec<Rule> {
    let mut rules = weights();
    rules.extend(numbers());
    rules.extend(projections());
    rules.extend(means());
    rules.extend(shifts());
    rules
}

/// The view of a column factor `[k, m]` from a view that repeats a row of k.
fn column_factor(s: &Scope, view: &str) -> Option<View> {
    maps::down(&maps::row(&s.map(view)?)?, s.shape("w")?[1])
}

/// The view of a row factor `[k, m]` from a view that repeats a row of m.
fn row_factor(s: &Scope, view: &str) -> Option<View> {
    maps::repeated(&maps::row(&s.map(view)?)?, s.shape("w")?)
}

fn weights() -> Vec<Rule> {
    let before = "x: B n k; const g: G; map r: G -> B n k; const w: k m";
    let after = "x: B n k; const w: k m; const g: G; map r: G -> B n m";
    vec![
        rule_with(
            "factor-into-weights",
            before,
            "(matmul (mul ?x (view ?r ?g)) ?w)",
            "(matmul ?x (mul ?w (view ?c ?g)))",
            |s| Some(vec![map("c", &column_factor(s, "r")?)]),
        ),
        rule_with(
            "term-through-weights",
            before,
            "(matmul (add ?x (view ?r ?g)) ?w)",
            "(add (matmul ?x ?w) (view ?e (matmul (view ?p ?g) ?w)))",
            |s| {
                let row = maps::row(&s.map("r")?)?;
                let spread = View::expand(&[1, s.shape("w")?[1]], &s.root.shape);
                Some(vec![map("p", &row), map("e", &spread)])
            },
        ),
        rule_with(
            "factor-after-weights",
            after,
            "(mul (matmul ?x ?w) (view ?r ?g))",
            "(matmul ?x (mul ?w (view ?c ?g)))",
            |s| Some(vec![map("c", &row_factor(s, "r")?)]),
        ),
        rule_with(
            "factor-through-term",
            "var x: B n; const b: G; map r: G -> B n; const g: H; map o: H -> B n",
            "(mul (add ?x (view ?r ?b)) (view ?o ?g))",
            "(add (mul ?x (view ?o ?g)) (view ?e (mul (view ?p ?b) (view ?q ?g))))",
            |s| {
                let (p, q) = (maps::row(&s.map("r")?)?, maps::row(&s.map("o")?)?);
                let spread = maps::spread(&p, &s.root.shape);
                Some(vec![map("p", &p), map("q", &q), map("e", &spread)])
            },
        ),
    ]
}

/// Numbers leave products, and enter constant weights.
fn numbers() -> Vec<Rule> {
    let outside: super::Compute = |s| Some(vec![ty("u", s.root)]);
    let left = "x: B n k; y: B' k m; number c: 0.5; type t: B n k";
    let right = "x: B n k; var y: B' k m; number c: 0.5; type t: B' k m";
    vec![
        rule_with(
            "number-into-weights",
            "x: B n k; const w: k m; number c: 0.5; type t: B n m",
            "(mul (matmul ?x ?w) (const ?c ?t))",
            "(matmul ?x (mul ?w (const ?c ?u)))",
            |s| Some(vec![ty("u", s.ty("w")?)]),
        ),
        rule_with(
            "number-out-of-left-operand",
            left,
            "(matmul (mul ?x (const ?c ?t)) ?y)",
            "(mul (matmul ?x ?y) (const ?c ?u))",
            outside,
        ),
        rule_with(
            "number-out-of-right-operand",
            right,
            "(matmul ?x (mul ?y (const ?c ?t)))",
            "(mul (matmul ?x ?y) (const ?c ?u))",
            outside,
        ),
        rule_with(
            "number-out-of-queries",
            "x: B n k; y: B' m k; number c: 0.5; type t: B n k",
            "(scores (mul ?x (const ?c ?t)) ?y)",
            "(mul (scores ?x ?y) (const ?c ?u))",
            outside,
        ),
        rule_with(
            "number-out-of-keys",
            "x: B n k; y: B' m k; number c: 0.5; type t: B' m k",
            "(scores ?x (mul ?y (const ?c ?t)))",
            "(mul (scores ?x ?y) (const ?c ?u))",
            outside,
        ),
        rule_with(
            "number-out-of-values",
            "s: B n k; y: B' k m; axis a: B n; number c: 0.5; type t: B' k m",
            "(attend ?a ?s (mul ?y (const ?c ?t)))",
            "(mul (attend ?a ?s ?y) (const ?c ?u))",
            outside,
        ),
        rule_with(
            "number-through-term",
            "var x: S; const b: G; map r: G -> S; number c: 0.5; type t: S",
            "(mul (add ?x (view ?r ?b)) (const ?c ?t))",
            "(add (mul ?x (const ?c ?t)) (view ?r (mul ?b (const ?c ?u))))",
            |s| (!s.map("r")?.has_fill()).then_some(vec![ty("u", s.ty("b")?)]),
        ),
    ]
}

/// Numbers reach the weights of a projection whose heads were split off.
fn projections() -> Vec<Rule> {
    let projected = "x: B n k; const w: k m; map h: B n m -> S; number c: 0.5";
    let inside: super::Compute = |s| {
        let scaled = !s.map("h")?.has_fill();
        scaled.then_some(vec![ty("u", s.ty("w")?)])
    };
    vec![
        rule_with(
            "number-into-projection",
            &format!("{projected}; type t: S"),
            "(mul (view ?h (matmul ?x ?w)) (const ?c ?t))",
            "(view ?h (matmul ?x (mul ?w (const ?c ?u))))",
            inside,
        ),
        rule_with(
            "number-into-queries",
            &format!("{projected}; y: B' l d; type t: T"),
            "(mul (scores (view ?h (matmul ?x ?w)) ?y) (const ?c ?t))",
            "(scores (view ?h (matmul ?x (mul ?w (const ?c ?u)))) ?y)",
            inside,
        ),
        rule_with(
            "number-into-shifted-queries",
            &format!("{projected}; const b: G; map r: G -> S; y: B' l d; type t: T"),
            "(mul (scores (add (view ?h (matmul ?x ?w)) (view ?r ?b)) ?y) (const ?c ?t))",
            "(scores (add (view ?h (matmul ?x (mul ?w (const ?c ?u)))) (view ?r (mul ?b (const ?c ?o)))) ?y)",
            |s| {
                let scaled = !s.map("h")?.has_fill() && !s.map("r")?.has_fill();
                scaled.then_some(vec![ty("u", s.ty("w")?), ty("o", s.ty("b")?)])
            },
        ),
    ]
}

/// Means and sums over rows leave products, factors and terms.
fn means() -> Vec<Rule> {
    let mut rules = Vec::new();
    for op in ["mean", "sum"] {
        rules.push(rule_with(
            format!("{op}-through-weights"),
            "x: B n k; const w: k m; axis a: B n m",
            &format!("(reduce op={op} ?a (matmul ?x ?w))"),
            &format!("(matmul (reduce op={op} ?a ?x) ?w)"),
            |s| {
                let product = TensorType::new(s.root.dtype, s.shape("x")?);
                (s.axis("a", &product)? + 1 < product.rank()).then(Vec::new)
            },
        ));
        rules.push(rule_with(
            format!("{op}-through-factor"),
            "var x: S; const g: G; map r: G -> S; axis a: S",
            &format!("(reduce op={op} ?a (mul ?x (view ?r ?g)))"),
            &format!("(mul (reduce op={op} ?a ?x) (view ?p ?g))"),
            |s| {
                let map_of_row = maps::first_along(&s.map("r")?, s.axis("a", s.ty("x")?)?)?;
                Some(vec![map("p", &map_of_row)])
            },
        ));
        rules.push(rule_with(
            format!("{op}-through-number"),
            "x: S; number c: 0.5; type t: S; axis a: S",
            &format!("(reduce op={op} ?a (mul ?x (const ?c ?t)))"),
            &format!("(mul (reduce op={op} ?a ?x) (const ?c ?u))"),
            |s| s.root.dtype.is_float().then(|| vec![ty("u", s.root)]),
        ));
    }
    rules.push(rule_with(
        "mean-through-term",
        "var x: S; const b: G; map r: G -> S; axis a: S",
        "(reduce op=mean ?a (add ?x (view ?r ?b)))",
        "(add (reduce op=mean ?a ?x) (view ?p ?b))",
        |s| Some(vec![map("p", &maps::first_along(&s.map("r")?, s.axis("a", s.ty("x")?)?)?)]),
    ));
    rules
}

/// A softmax does not see a number added to all its scores.
fn shifts() -> Vec<Rule> {
    let finite: super::Compute = |s| s.number("c")?.is_finite().then(Vec::new);
    vec![
        rule_with(
            "softmax-of-shifted",
            "x: S; axis a: S; number c: 0.5; type t: S",
            "(softmax ?a (add ?x (const ?c ?t)))",
            "(softmax ?a ?x)",
            finite,
        ),
        rule_with(
            "attend-to-shifted",
            "x: B n k; v: B' k m; axis a: B n; number c: 0.5; type t: B n k",
            "(attend ?a (add ?x (const ?c ?t)) ?v)",
            "(attend ?a ?x ?v)",
            finite,
        ),
    ]
}
