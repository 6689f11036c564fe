//! Rows for inverse attention: matrices that tokens generate, and factors that are one number.
//!
//! ```text
//!   l · reshape(G c)          =  (l ⊗ c) · G′                 a d² long row per token, formed where it is read; no matrix is stored
//!   (Σ_j r_ij c_j) B          =  Σ_j r_ij (c_j B)             whichever is cheaper
//!   λ·(Σ_j a_ij v_j + t W)    =  Σ_j a_ij (λ v_j) + t (λW)    a constant scalar reaches weights and values
//! ```
//!
//! With both branches of a mix in the last form their sum is one attention in two directions, which has a kernel.
//! The factor of values stays a factor: they share their product with queries and keys, whose columns must keep
//! theirs, and a kernel scales values while it packs them.

use super::{Rule, Scope, map, rule_with};
use crate::egraph::view_queries;
use regard_ir::view::View;

/// Products with generated matrices, weights after inverse attention, factors.
pub(crate) fn rules() -> Vec<Rule> {
    let mut rules = vec![generated()];
    rules.extend(through_inverse());
    rules.extend(factors());
    rules
}

/// `l_i · reshape(G c_i)` per row i: with `G′[(a, e), b] = G[e, (a, b)]` the left operand is the outer product of l and c.
fn generated() -> Rule {
    rule_with(
        "generated-matrices",
        "l: B n 1 d; var c: B n e; const g: e f; map w: B n f -> B n d m",
        "(matmul ?l (view ?w (matmul ?c ?g)))",
        "(view ?o (matmul (mul (view ?a ?l) (view ?p ?c)) (view ?t ?g)))",
        |s| {
            let [lead @ .., d] = s.shape("l")? else { return None };
            let (e, wide, matrices) = (*s.shape("c")?.last()?, s.shape("g")?[1], s.map("w")?);
            let (rows, m) = (&lead[..lead.len() - 1], *matrices.shape.last()?);
            let [generated, split] = [[rows, &[wide]].concat(), [rows, &[*d, m]].concat()];
            let is_split = Some(matrices) == view_queries::reshape(&generated, &split);
            s.require("w", "makes a matrix of each row", is_split)?;
            // Both factors in [rows, d, e], then side by side in [rows, d·e].
            let outer = [rows, &[*d, e]].concat();
            let flat = View::reshape(&outer, &[rows, &[d * e]].concat());
            let beside = |from: &[usize], spread: [usize; 2]| {
                let spread = [rows, &spread].concat();
                view_queries::reshape(from, &spread)?.then(&View::expand(&spread, &outer))?.then(&flat)
            };
            let columns = view_queries::reshape(&[e, wide], &[e, *d, m])?;
            let turned = columns.then(&View::transpose(&[e, *d, m], &[1, 0, 2]))?;
            Some(vec![
                map("a", &beside(s.shape("l")?, [*d, 1])?),
                map("p", &beside(s.shape("c")?, [1, e])?),
                map("t", &turned.then(&View::reshape(&[*d, e, m], &[d * e, m]))?),
                map("o", &view_queries::reshape(&[rows, &[m]].concat(), &s.root.shape)?),
            ])
        },
    )
}

/// Multiplications of weights before and after the sum over keys.
fn costs(s: &Scope) -> Option<(usize, usize)> {
    let (scores, values, weights) = (s.shape("s")?, s.shape("v")?, s.shape("w")?);
    let [e, f] = *weights else { return None };
    let keys = *scores.last()?;
    let queries = s.root.elements() / f;
    let rows = values.iter().product::<usize>() / e;
    Some((rows * e * f + queries * keys * f, queries * keys * e + queries * e * f))
}

/// Weights after a softmax over queries go before it, to the values, unless that costs more; the other way where it
/// costs less.
fn through_inverse() -> Vec<Rule> {
    vec![
        rule_with(
            "weights-before-inverse",
            "s: B n k; v: B' k m; const w: m l",
            "(matmul (attend axis=-2 ?s ?v) ?w)",
            "(attend axis=-2 ?s (matmul ?v ?w))",
            |s| {
                let (before, behind) = costs(s)?;
                s.require("w", "costs no more before", before <= behind)?;
                Some(Vec::new())
            },
        ),
        rule_with(
            "weights-behind-inverse",
            "s: B n k; var v: B' k m; const w: m l",
            "(attend axis=-2 ?s (matmul ?v ?w))",
            "(matmul (attend axis=-2 ?s ?v) ?w)",
            |s| {
                let (before, behind) = costs(s)?;
                s.require("w", "costs less behind", behind < before)?;
                Some(Vec::new())
            },
        ),
    ]
}

/// A factor that is one constant number for the whole tensor.
fn factors() -> Vec<Rule> {
    vec![
        rule_with(
            "factor-into-sum",
            "var x: S; var y: S; const g: G; map r: G -> S",
            "(mul (add ?x ?y) (view ?r ?g))",
            "(add (mul ?x (view ?r ?g)) (mul ?y (view ?r ?g)))",
            |s| s.one_number("r", &s.root.shape).map(|_| Vec::new()),
        ),
        rule_with(
            "factor-through-view",
            "var x: S; map h: S -> T; const g: G; map r: G -> T",
            "(mul (view ?h ?x) (view ?r ?g))",
            "(view ?h (mul ?x (view ?q ?g)))",
            |s| {
                s.filled_by_source("h")?;
                Some(vec![map("q", &s.one_number("r", s.shape("x")?)?)])
            },
        ),
        rule_with(
            "factor-into-values",
            "s: B n k; v: B' k m; axis a: B n k; const g: G; map r: G -> B n m",
            "(mul (attend ?a ?s ?v) (view ?r ?g))",
            "(attend ?a ?s (mul ?v (view ?q ?g)))",
            |s| Some(vec![map("q", &s.one_number("r", s.shape("v")?)?)]),
        ),
    ]
}
