//! Rows for the views that other rows introduce: they compose, and sink through pointwise ops and softmax.
//!
//! Canonical form leaves no view above a pointwise op, so these rows find nothing to do until a row such as `scores`
//! puts one there; then they carry it to where movement may stand again:
//!
//! ```text
//!   q · (Kᵀ + bᵀ)  =  scores(q, swap (Kᵀ + bᵀ))  =  scores(q, K + b)
//! ```

use super::{Bindings, Rule, Scope, axis, map, rule_with, ty};
use crate::egraph::view_queries;
use regard_ir::view::View;

const UNARY: [&str; 15] = [
    "neg", "abs", "exp", "log", "sqrt", "rsqrt", "recip", "floor", "round", "erf", "tanh", "sigmoid", "sin", "cos",
    "gelu",
];
const BINARY: [&str; 10] = ["add", "sub", "mul", "div", "pow", "min", "max", "lt", "le", "eq"];

/// Ops that are not computed again for each repetition of an element.
const COSTLY: [&str; 9] = ["exp", "log", "erf", "tanh", "sigmoid", "sin", "cos", "pow", "gelu"];

/// Ops that make of one value with itself that value, or of one that two types hold the same: a fill stays what it is.
const KEEPS_FILL: [&str; 4] = ["min", "max", "select", "cast"];

/// A view moves through a pointwise op, some operand of which is not constant: constants are computed once anyway.
fn sinks(s: &Scope) -> Option<Bindings> {
    let computed = !["x", "y", "c"].iter().all(|name| s.fact(name).is_none() || s.is_constant(name));
    s.require("x", "or another operand is computed", computed)?;
    Some(Vec::new())
}

/// The same where it fills nothing.
fn sinks_without_fill(s: &Scope) -> Option<Bindings> {
    sinks(s)?;
    s.filled_by_source("m").map(|_| Vec::new())
}

/// The same where it repeats nothing either.
fn once(s: &Scope) -> Option<Bindings> {
    s.require("m", "repeats nothing", s.root.elements() <= s.ty("x").map_or(0, |x| x.elements()))?;
    sinks_without_fill(s)
}

/// Views of views, of numbers, of softmax, and of every pointwise op.
pub(crate) fn rules() -> Vec<Rule> {
    let mut rules = vec![
        rule_with(
            "view-of-view",
            "x: S; map n: S -> T; map m: T -> U",
            "(view ?m (view ?n ?x))",
            "(view ?o ?x)",
            |s| {
                let both = s.map("n")?.then(&s.map("m")?);
                s.require("m", "is one view with the view before", both.is_some())?;
                Some(vec![map("o", &both?)])
            },
        ),
        rule_with("view-in-place", "x: S; map m: S -> S", "(view ?m ?x)", "?x", |s| {
            s.require("m", "moves nothing", s.map("m")? == View::identity(s.shape("x")?))?;
            Some(Vec::new())
        }),
        rule_with(
            "view-of-number",
            "number v: 0.5; type t: S; map m: S -> T",
            "(view ?m (const ?v ?t))",
            "(const ?v ?u)",
            |s| s.filled_by_source("m").map(|_| vec![ty("u", s.root)]),
        ),
        rule_with(
            "view-of-softmax",
            "x: S; axis a: S; map m: S -> T",
            "(view ?m (softmax ?a ?x))",
            "(softmax ?b (view ?m ?x))",
            |s| {
                let x = s.ty("x")?;
                let (map, along) = (s.filled_by_source("m")?, s.axis("a", x)?);
                let carried = view_queries::axis_image(&map, &x.shape, along);
                s.require("m", "reads the axis", carried.is_some())?;
                let carried = carried?;
                s.require("m", "keeps the axis whole and in order", carried.whole)?;
                s.require("m", "keeps the axis apart", carried.apart)?;
                Some(vec![axis("b", carried.axis as i64 - s.root.rank() as i64)])
            },
        ),
    ];
    let through = |op: &str, signature: &str, attrs: &str, operands: &[&str]| {
        let list = |wrap: fn(&&str) -> String| operands.iter().map(wrap).collect::<Vec<_>>().join(" ");
        let left = format!("(view ?m ({op}{attrs} {}))", list(|o| format!("?{o}")));
        let right = format!("({op}{attrs} {})", list(|o| format!("(view ?m ?{o})")));
        let compute = match () {
            () if COSTLY.contains(&op) => once,
            () if KEEPS_FILL.contains(&op) => sinks,
            () => sinks_without_fill,
        };
        rule_with(format!("view-of-{op}"), signature, &left, &right, compute)
    };
    rules.extend(UNARY.map(|op| through(op, "x: S; map m: S -> T", "", &["x"])));
    rules.extend(BINARY.map(|op| through(op, "x: S; y: S; map m: S -> T", "", &["x", "y"])));
    rules.push(through("cast", "x: S; word to: f32 i32 bool; map m: S -> T", " ?to", &["x"]));
    rules.push(through("select", "bool c: S; x: S; y: S; map m: S -> T", "", &["c", "x", "y"]));
    rules
}
