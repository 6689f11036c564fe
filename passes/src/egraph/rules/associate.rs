//! Rows for products of products: which is computed first is a matter of cost.
//!
//! ```text
//!   (x V) W               =  x (V W)                    constants meet constants
//!   q · (x W)ᵀ            =  (q Wᵀ) · xᵀ                few queries, many keys: no key is projected
//!   w (x W)               =  (w x) W                    few queries: only what is attended is projected
//!   P(x) W                =  P(x W)                     rows that a view repeats are projected once
//!   P(x W)                =  P(x) W                     rows that a view drops are not projected
//! ```
//!
//! With heads, W is cut in as many blocks `[k, d]` as there are heads, and each of them reads the same x:
//!
//! ```text
//!   x [B, n, k]   W [k, h·d]   x W in heads [B, h, n, d]        x as [B, 1, n, k]   W as [h, k, d]
//! ```
//!
//! Neither direction is better by itself, so both are here where both are found in models; the price decides.

use super::{Compute, Rule, Scope, map, rule, rule_with};
use crate::egraph::view_queries;
use regard_ir::view::View;

/// Attention around projections, weights, rows.
pub(crate) fn rules() -> Vec<Rule> {
    let mut rules = around_attention();
    rules.extend(of_heads());
    rules.extend(rows());
    rules.push(rule(
        "product-of-weights",
        "var x: B n k; const v: k l; const w: l m",
        "(matmul (matmul ?x ?v) ?w)",
        "(matmul ?x (matmul ?v ?w))",
    ));
    rules
}

fn around_attention() -> Vec<Rule> {
    let turned: Compute = |s| {
        let &[k, d] = s.shape("w")? else { return None };
        Some(vec![map("t", &View::transpose(&[k, d], &[1, 0]))])
    };
    vec![
        rule_with(
            "queries-take-key-weights",
            "q: B n d; var x: C m k; const w: k d",
            "(scores ?q (matmul ?x ?w))",
            "(scores (matmul ?q (view ?t ?w)) ?x)",
            turned,
        ),
        rule_with(
            "keys-take-query-weights",
            "var x: B n k; const w: k d; y: C m d",
            "(scores (matmul ?x ?w) ?y)",
            "(scores ?x (matmul ?y (view ?t ?w)))",
            turned,
        ),
        rule(
            "project-what-is-attended",
            "s: B n k; var x: C k l; const w: l m",
            "(attend axis=-1 ?s (matmul ?x ?w))",
            "(matmul (attend axis=-1 ?s ?x) ?w)",
        ),
        rule(
            "attend-to-projected",
            "s: B n k; x: C k l; const w: l m",
            "(matmul (attend axis=-1 ?s ?x) ?w)",
            "(attend axis=-1 ?s (matmul ?x ?w))",
        ),
    ]
}

/// Views of `x W` in heads: of the weights as `[heads, k, d]`, of x as `[…, 1, n, k]`.
struct Heads {
    weights: View,
    /// The weights as `[heads, d, k]`.
    turned: View,
    rows: View,
}

/// What the view `h` of `x [B, n, k] · w [k, heads·d]` is, where it cuts the columns in heads: `[B, heads, n, d]`.
fn heads(s: &Scope) -> Option<Heads> {
    let (view, [lead @ .., n, k], &[_, columns]) = (s.map("h")?, s.shape("x")?, s.shape("w")?) else { return None };
    let [.., heads, _, d] = view.shape[..] else { return None };
    let split = [lead, &[*n, heads, d]].concat();
    let rank = split.len();
    let order: Vec<usize> = (0..rank - 3).chain([rank - 2, rank - 3, rank - 1]).collect();
    let apart = view_queries::reshape(&[lead, &[*n, columns]].concat(), &split)?.then(&View::transpose(&split, &order));
    s.require("h", "cuts columns in heads", Some(view) == apart)?;
    let cut = view_queries::reshape(&[*k, columns], &[*k, heads, d])?;
    Some(Heads {
        weights: cut.then(&View::transpose(&cut.shape, &[1, 0, 2]))?,
        turned: cut.then(&View::transpose(&cut.shape, &[1, 2, 0]))?,
        rows: View::reshape(s.shape("x")?, &[lead, &[1, *n, *k]].concat()),
    })
}

fn of_heads() -> Vec<Rule> {
    vec![
        rule_with(
            "queries-take-key-weights-of-heads",
            "q: C i n d; map h: B m h*d -> B h m d; var x: B m k; const w: k h*d",
            "(scores ?q (view ?h (matmul ?x ?w)))",
            "(scores (matmul ?q (view ?t ?w)) (view ?e ?x))",
            |s| {
                let heads = heads(s)?;
                Some(vec![map("t", &heads.turned), map("e", &heads.rows)])
            },
        ),
        rule_with(
            "project-what-is-attended-of-heads",
            "s: C i n m; map h: B m h*d -> B h m d; var x: B m k; const w: k h*d; axis a: C i n m",
            "(attend ?a ?s (view ?h (matmul ?x ?w)))",
            "(matmul (attend ?a ?s (view ?e ?x)) (view ?c ?w))",
            |s| {
                let heads = heads(s)?;
                Some(vec![map("c", &heads.weights), map("e", &heads.rows)])
            },
        ),
    ]
}

/// What the view `h` does with the rows of `x · w`; it leaves columns alone.
fn rows_of_product(s: &Scope) -> Option<View> {
    let ([rows @ .., _], &[_, m]) = (s.shape("x")?, s.shape("w")?) else { return None };
    s.of_leading("h", &[rows, &[m]].concat(), 1)
}

/// Products move before or after a movement of rows.
fn rows() -> Vec<Rule> {
    vec![
        rule_with(
            "repeated-rows-through-weights",
            "var x: B n k; const w: k m; map h: B n k -> C k",
            "(matmul (view ?h ?x) ?w)",
            "(view ?o (matmul ?x ?w))",
            |s| {
                let rows = s.of_leading("h", s.shape("x")?, 1)?;
                // A little padding is not a reason to part a product from what follows it.
                s.require("h", "repeats rows", rows.elements() >= 2 * rows.len)?;
                s.require("h", "fills with zeros", rows.fill.get() == 0.0)?;
                Some(vec![map("o", &rows.of_blocks(&s.shape("w")?[1..]))])
            },
        ),
        rule_with(
            "kept-rows-through-weights",
            "var x: B n k; const w: k m; map h: B n m -> B r m",
            "(view ?h (matmul ?x ?w))",
            "(matmul (view ?i ?x) ?w)",
            |s| {
                s.filled_by_source("h")?;
                let rows = rows_of_product(s)?;
                s.require("h", "drops rows", rows.elements() < rows.len)?;
                // A stride would climb from product to product, through every residual.
                s.require("h", "keeps one row of a batch", rows.shape.last() == Some(&1))?;
                Some(vec![map("i", &rows.of_blocks(&s.shape("w")?[..1]))])
            },
        ),
        rule_with(
            "mean-through-rows",
            "var x: B n k; const w: k m; map h: B n m -> C m; axis a: C m",
            "(reduce op=mean ?a (view ?h (matmul ?x ?w)))",
            "(matmul (reduce op=mean ?a (view ?i ?x)) ?w)",
            |s| {
                let rows = rows_of_product(s)?;
                s.require("h", "fills with zeros", rows.fill.get() == 0.0)?;
                Some(vec![map("i", &rows.of_blocks(&s.shape("w")?[..1]))])
            },
        ),
    ]
}
