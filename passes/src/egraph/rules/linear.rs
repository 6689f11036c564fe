//! Rows that move factors and terms through what is linear, so that constants meet constants.
//!
//! ```text
//!   (x∘g) W          =  x (diag(g) W)                       the scale of a layer norm, of a batch norm
//!   (x + b) W        =  x W + b W                           its shift
//!   scores(c q, k)   =  c scores(q, k)                      the spellings of attention meet
//!   mean(x W)        =  mean(x) W
//!   x W + x V        =  x (W + V)                       classifiers that are averaged
//!   scores(x W, y V) =  scores(x (W Vᵀ), y)             keys shorter than a head: they are not projected at all
//! ```
//!
//! What stands between may be a view that repeats a row, never one that fills: a padded zero is not scaled and
//! shifted with the rest, and no row says it is.

use super::{Rule, Scope, map, rule, rule_with, ty};
use crate::egraph::view_queries;
use regard_ir::view::View;

/// Factors, terms, numbers, means, scalars.
pub(crate) fn rules() -> Vec<Rule> {
    let mut rules = weights();
    rules.extend(numbers());
    rules.extend(projections());
    rules.extend(sums());
    rules.extend(means());
    rules.push(weights_of_keys());
    rules.extend(scalars());
    rules
}

/// The view of a column factor `[k, m]` from a view that repeats a row of k.
fn column_factor(s: &Scope, view: &'static str) -> Option<View> {
    view_queries::as_column(&s.row(view)?, *s.shape("w")?.last()?)
}

/// The view of a row factor `[…, k, m]` from a view that repeats a row of m.
fn row_factor(s: &Scope, view: &'static str) -> Option<View> {
    view_queries::repeated(&s.row(view)?, s.shape("w")?)
}

fn weights() -> Vec<Rule> {
    let before = "x: B n k; const g: G; map r: G -> B n k; const w: k m";
    let after = "x: B n k; const w: B' k m; const g: G; map r: G -> B n m";
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
                let row = s.row("r")?;
                let spread = view_queries::repeat(&[1, *s.shape("w")?.last()?], &s.root.shape)?;
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
                let (p, q) = (s.row("r")?, s.row("o")?);
                let spread = view_queries::broadcast_row(&p, &s.root.shape)?;
                Some(vec![map("p", &p), map("q", &q), map("e", &spread)])
            },
        ),
    ]
}

/// Products of one operand are one product, and the terms beside them one term.
fn sums() -> Vec<Rule> {
    vec![
        rule(
            "sum-of-products",
            "x: B n k; const w: k m; const v: k m",
            "(add (matmul ?x ?w) (matmul ?x ?v))",
            "(matmul ?x (add ?w ?v))",
        ),
        rule_with(
            "terms-of-sum",
            "var x: B n; var y: B n; const b: G; map r: G -> B n; const c: H; map s: H -> B n",
            "(add (add ?x (view ?r ?b)) (add ?y (view ?s ?c)))",
            "(add (add ?x ?y) (view ?e (add (view ?p ?b) (view ?q ?c))))",
            |s| {
                let (p, q) = (s.row("r")?, s.row("s")?);
                let spread = view_queries::broadcast_row(&p, &s.root.shape)?;
                Some(vec![map("p", &p), map("q", &q), map("e", &spread)])
            },
        ),
    ]
}

/// Numbers leave products, and enter constant weights.
fn numbers() -> Vec<Rule> {
    let outside: super::Compute = |s| s.may_move("c").and(Some(vec![ty("u", s.root)]));
    let left = "var x: B n k; y: B' k m; number c: 0.5; type t: B n k";
    let right = "x: B n k; var y: B' k m; number c: 0.5; type t: B' k m";
    vec![
        rule_with(
            "number-into-weights",
            "x: B n k; const w: B' k m; number c: 0.5; type t: B n m",
            "(mul (matmul ?x ?w) (const ?c ?t))",
            "(matmul ?x (mul ?w (const ?c ?u)))",
            |s| s.may_move("c").and(Some(vec![ty("u", s.ty("w")?)])),
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
            "var x: B n k; y: B' m k; number c: 0.5; type t: B n k",
            "(scores (mul ?x (const ?c ?t)) ?y)",
            "(mul (scores ?x ?y) (const ?c ?u))",
            outside,
        ),
        rule_with(
            "number-out-of-keys",
            "x: B n k; var y: B' m k; number c: 0.5; type t: B' m k",
            "(scores ?x (mul ?y (const ?c ?t)))",
            "(mul (scores ?x ?y) (const ?c ?u))",
            outside,
        ),
        rule_with(
            "number-out-of-values",
            "s: B n k; var y: B' k m; axis a: B n; number c: 0.5; type t: B' k m",
            "(attend ?a ?s (mul ?y (const ?c ?t)))",
            "(mul (attend ?a ?s ?y) (const ?c ?u))",
            outside,
        ),
        rule_with(
            "number-through-term",
            "var x: S; const b: G; map r: G -> S; number c: 0.5; type t: S",
            "(mul (add ?x (view ?r ?b)) (const ?c ?t))",
            "(add (mul ?x (const ?c ?t)) (view ?r (mul ?b (const ?c ?u))))",
            |s| {
                s.filled_by_source("r")?;
                s.may_move("c")?;
                Some(vec![ty("u", s.ty("b")?)])
            },
        ),
    ]
}

/// Numbers reach the weights of a projection whose heads were split off.
fn projections() -> Vec<Rule> {
    let projected = "x: B n k; const w: B' k m; map h: B n m -> S; number c: 0.5";
    let inside: super::Compute = |s| {
        // A filled element is a number that no weight makes.
        s.filled_by_source("h")?;
        s.may_move("c")?;
        Some(vec![ty("u", s.ty("w")?)])
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
                s.filled_by_source("h")?;
                s.filled_by_source("r")?;
                s.may_move("c")?;
                Some(vec![ty("u", s.ty("w")?), ty("o", s.ty("b")?)])
            },
        ),
    ]
}

/// Means and sums over rows leave products, factors and terms.
fn means() -> Vec<Rule> {
    let mut rules = Vec::new();
    for op in ["mean", "sum"] {
        rules.push(rule(
            format!("{op}-through-weights"),
            "x: B n k; const w: B' k m; axis a: B n m",
            &format!("(reduce op={op} ?a (matmul ?x ?w))"),
            &format!("(matmul (reduce op={op} ?a ?x) ?w)"),
        ));
        rules.push(rule_with(
            format!("{op}-through-factor"),
            "var x: S; const g: G; map r: G -> S; axis a: S",
            &format!("(reduce op={op} ?a (mul ?x (view ?r ?g)))"),
            &format!("(mul (reduce op={op} ?a ?x) (view ?p ?g))"),
            |s| {
                let row = s.first_along("r", s.axis("a", s.ty("x")?)?)?;
                Some(vec![map("p", &row)])
            },
        ));
        rules.push(rule_with(
            format!("{op}-through-number"),
            "x: S; number c: 0.5; type t: S; axis a: S",
            &format!("(reduce op={op} ?a (mul ?x (const ?c ?t)))"),
            &format!("(mul (reduce op={op} ?a ?x) (const ?c ?u))"),
            |s| s.may_move("c").and(Some(vec![ty("u", s.root)])),
        ));
    }
    rules.push(rule_with(
        "mean-through-term",
        "var x: S; const b: G; map r: G -> S; axis a: S",
        "(reduce op=mean ?a (add ?x (view ?r ?b)))",
        "(add (reduce op=mean ?a ?x) (view ?p ?b))",
        |s| Some(vec![map("p", &s.first_along("r", s.axis("a", s.ty("x")?)?)?)]),
    ));
    rules
}

/// Factors of terms after a view that splits a product's columns in heads, or puts channels first.
fn scalars() -> Vec<Rule> {
    vec![
        rule_with(
            "factor-through-term-alike",
            "var x: S; const b: H; map h: H -> S; const g: H",
            "(mul (add ?x (view ?h ?b)) (view ?h ?g))",
            "(add (mul ?x (view ?h ?g)) (view ?h (mul ?b ?g)))",
            |s| s.filled_by_source("h").map(|_| Vec::new()),
        ),
        rule_with(
            "scalar-through-term",
            "var x: S; const w: H; map h: H -> S; const g: G; map r: G -> S",
            "(mul (add ?x (view ?h ?w)) (view ?r ?g))",
            "(add (mul ?x (view ?r ?g)) (view ?h (mul ?w (view ?u ?g))))",
            |s| {
                s.filled_by_source("h")?;
                Some(vec![map("u", &s.one_number("r", s.shape("w")?)?)])
            },
        ),
    ]
}

/// The view that splits columns into heads in front of the rows, `[B, n, g·d]` → `[B, g, n, d]`, where the head's
/// shape is the last of `[B, g, n, d]`.
fn heads(whole: &[usize], split: &[usize]) -> Option<View> {
    let [lead @ .., n, _] = whole else { return None };
    let [.., g, _, d] = *split else { return None };
    let rank = lead.len();
    let order: Vec<usize> = (0..rank).chain([rank + 1, rank, rank + 2]).collect();
    let columns = [lead, &[*n, g, d]].concat();
    view_queries::reshape(whole, &columns)?.then(&View::transpose(&columns, &order))
}

/// Keys with fewer channels than a head meet queries that their weights have gone into, head by head.
fn weights_of_keys() -> Rule {
    rule_with(
        "weights-of-keys-in-heads",
        "x: B n k; const w: k m; map h: B n m -> B g n d; y: B l j; const v: j m; map o: B l m -> B g l d",
        "(scores (view ?h (matmul ?x ?w)) (view ?o (matmul ?y ?v)))",
        "(scores (view ?i (matmul ?x (view ?c (matmul (view ?p ?w) (view ?q ?v))))) (view ?r ?y))",
        |s| {
            let ([.., k], [lead @ .., l, j]) = (s.shape("x")?, s.shape("y")?) else { return None };
            let (k, l, j, m) = (*k, *l, *j, *s.shape("w")?.last()?);
            let (queries, keys) = (s.map("h")?, s.map("o")?);
            let [.., g, n, d] = queries.shape[..] else { return None };
            let rows = |rows: usize, columns: usize| [lead, &[rows, columns]].concat();
            let is_split = |map: &View, rows: Vec<usize>| heads(&rows, &map.shape).as_ref() == Some(map);
            s.require("h", "splits heads", is_split(&queries, rows(n, m)))?;
            s.require("o", "splits heads", is_split(&keys, rows(l, m)))?;
            s.require("y", "is shorter than a head", j < d)?;
            // Per head W [k, d] and Vᵀ [d, j]; their products [k, j] stand side by side, as heads of the columns.
            let by_head = |rows: usize, order: &[usize]| {
                view_queries::reshape(&[rows, m], &[rows, g, d])?.then(&View::transpose(&[rows, g, d], order))
            };
            let beside = View::transpose(&[g, k, j], &[1, 0, 2]).then(&View::reshape(&[k, g, j], &[k, g * j]))?;
            let (one, split) = ([lead, &[1, l, j]].concat(), [lead, &[g, n, j]].concat());
            let repeated = view_queries::reshape(&rows(l, j), &one)?
                .then(&view_queries::repeat(&one, &[lead, &[g, l, j]].concat())?)?;
            Some(vec![
                map("p", &by_head(k, &[1, 0, 2])?),
                map("q", &by_head(j, &[1, 2, 0])?),
                map("c", &beside),
                map("i", &heads(&rows(n, g * j), &split)?),
                map("r", &repeated),
            ])
        },
    )
}
