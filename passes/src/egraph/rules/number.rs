//! Rows for numbers and for constants of one op's own shape: what is done with them is done once.
//!
//! Scalar factors move to the outermost right operand, where adjacent scalars are folded:
//!
//! ```text
//!   (0.5·x)·(y·4)   =   ((x·y)·0.5)·4   =   (x·y)·2
//! ```

use super::{Rule, map, number, rule, rule_with, ty};
use crate::egraph::view_queries;

/// Neutral elements, quotients and differences, and constants that merge.
pub(crate) fn rules() -> Vec<Rule> {
    let mut rules = neutral();
    rules.extend(outwards());
    rules.extend(inverses());
    rules.extend(["add", "mul"].into_iter().flat_map(merged));
    rules
}

fn neutral() -> Vec<Rule> {
    vec![
        rule("times-one", "x: S; type t: S", "(mul ?x (const value=1.0 ?t))", "?x"),
        rule("plus-zero", "x: S; type t: S", "(add ?x (const value=0.0 ?t))", "?x"),
        rule("minus-zero", "x: S; type t: S", "(sub ?x (const value=0.0 ?t))", "?x"),
        rule("over-one", "x: S; type t: S", "(div ?x (const value=1.0 ?t))", "?x"),
        rule("power-of-one", "x: S; type t: S", "(pow ?x (const value=1.0 ?t))", "?x"),
        rule("square", "x: S; type t: S", "(pow ?x (const value=2.0 ?t))", "(mul ?x ?x)"),
        rule("negated-twice", "x: S", "(neg (neg ?x))", "?x"),
        // Types decide: the row applies where the cast changes nothing.
        rule("cast-in-place", "x: S; word to: f32 i32", "(cast ?to ?x)", "?x"),
        rule_with(
            "cast-of-cast",
            "x: S; word a: f32 f16 bf16 i32; word b: f32 f16 bf16 i32",
            "(cast ?a (cast ?b ?x))",
            "(cast ?a ?x)",
            |s| {
                // A cast to real numbers keeps the value.
                s.require("b", "is real", s.dtype("b")?.is_float())?;
                Some(Vec::new())
            },
        ),
    ]
}

fn outwards() -> Vec<Rule> {
    let mut rules = Vec::new();
    for op in ["add", "mul"] {
        rules.push(rule(
            format!("{op}-number-right"),
            "x: S; number c: 0.5; type t: S",
            &format!("({op} (const ?c ?t) ?x)"),
            &format!("({op} ?x (const ?c ?t))"),
        ));
        rules.push(rule(
            format!("{op}-constant-right"),
            "const c: S; var x: S",
            &format!("({op} ?c ?x)"),
            &format!("({op} ?x ?c)"),
        ));
    }
    let left = "var x: S; y: S; number c: 0.5; type t: S";
    let right = "x: S; var y: S; number c: 0.5; type t: S";
    let moved: super::Compute = |s| s.may_move("c").map(|()| Vec::new());
    rules.extend([
        rule_with(
            "number-out-of-left-factor",
            left,
            "(mul (mul ?x (const ?c ?t)) ?y)",
            "(mul (mul ?x ?y) (const ?c ?t))",
            moved,
        ),
        rule_with(
            "number-out-of-right-factor",
            right,
            "(mul ?x (mul ?y (const ?c ?t)))",
            "(mul (mul ?x ?y) (const ?c ?t))",
            moved,
        ),
        rule_with(
            "number-out-of-dividend",
            left,
            "(div (mul ?x (const ?c ?t)) ?y)",
            "(mul (div ?x ?y) (const ?c ?t))",
            // A quotient of integers is rounded.
            |s| {
                s.require("x", "is real", s.root.dtype.is_float())?;
                s.may_move("c")?;
                Some(Vec::new())
            },
        ),
        rule_with(
            "mean-from-sum",
            "x: S; axis a: S; number c: 1.0 0.5 0.3333333333333333 0.25 0.2; type t: R",
            "(mul (reduce op=sum ?a ?x) (const ?c ?t))",
            "(reduce op=mean ?a ?x)",
            |s| {
                let x = s.ty("x")?;
                let extent = x.shape[s.axis("a", x)?] as f64;
                s.require("c", "is one over the extent", (s.number("c")? * extent - 1.0).abs() < 1e-15)?;
                Some(Vec::new())
            },
        ),
    ]);
    rules
}

fn inverses() -> Vec<Rule> {
    let filled_by_source: super::Compute = |s| s.filled_by_source("m").map(|_| Vec::new());
    let number_of = "x: S; number c: 0.5 4.0 3.0; type t: S";
    let constant_of = "var x: S; const b: G; map m: G -> S";
    vec![
        rule_with("minus-number", number_of, "(sub ?x (const ?c ?t))", "(add ?x (const ?d ?t))", |s| {
            Some(vec![number("d", -s.number("c")?)])
        }),
        rule_with("over-number", number_of, "(div ?x (const ?c ?t))", "(mul ?x (const ?d ?t))", |s| {
            let c = s.number("c")?;
            s.require("x", "is real", s.root.dtype.is_float())?;
            Some(vec![s.made("c", "d", 1.0 / c)?])
        }),
        rule_with(
            "minus-constant",
            constant_of,
            "(sub ?x (view ?m ?b))",
            "(add ?x (view ?m (neg ?b)))",
            filled_by_source,
        ),
        rule_with(
            "over-constant",
            constant_of,
            "(div ?x (view ?m ?b))",
            "(mul ?x (view ?m (recip ?b)))",
            filled_by_source,
        ),
        rule("times-reciprocal", "x: S; y: S", "(mul ?x (recip ?y))", "(div ?x ?y)"),
        rule("reciprocal-times", "x: S; y: S", "(mul (recip ?y) ?x)", "(div ?x ?y)"),
        rule("plus-negated", "x: S; y: S", "(add ?x (neg ?y))", "(sub ?x ?y)"),
        rule("minus-negated", "x: S; y: S", "(sub ?x (neg ?y))", "(add ?x ?y)"),
    ]
}

/// Two constants applied one after the other with `add` or `mul` are one.
fn merged(op: &str) -> Vec<Rule> {
    let numbers = "x: S; number a: 0.5 -3.0; number b: 4.0 0.25; type t: S";
    let left = format!("({op} ({op} ?x (const ?a ?t)) (const ?b ?t))");
    let right = format!("({op} ?x (const ?c ?t))");
    let both: super::Compute = match op {
        "add" => |s| Some(vec![s.made("a", "c", s.number("a")? + s.number("b")?)?]),
        _ => |s| Some(vec![s.made("a", "c", s.number("a")? * s.number("b")?)?]),
    };
    vec![
        rule_with(format!("{op}-numbers"), numbers, &left, &right, both),
        rule_with(
            format!("{op}-constants-alike"),
            "var x: S; const a: G; const b: H; map m: G -> S",
            &format!("({op} ({op} ?x (view ?m ?a)) (view ?m ?b))"),
            &format!("({op} ?x (view ?m ({op} ?a (view ?r ?b))))"),
            |s| {
                s.filled_by_source("m")?;
                Some(vec![map("r", &view_queries::reshape(s.shape("b")?, s.shape("a")?)?)])
            },
        ),
        rule_with(
            format!("{op}-rows"),
            "var x: B n; const a: G; const b: H; map m: G -> B n; map o: H -> B n",
            &format!("({op} ({op} ?x (view ?m ?a)) (view ?o ?b))"),
            &format!("({op} ?x (view ?r ({op} (view ?p ?a) (view ?q ?b))))"),
            |s| {
                let (p, q) = (s.row("m")?, s.row("o")?);
                let r = view_queries::broadcast_row(&p, &s.root.shape)?;
                Some(vec![map("p", &p), map("q", &q), map("r", &r)])
            },
        ),
        rule_with(
            format!("{op}-row-and-number"),
            "var x: S; const a: G; map m: G -> S; number b: 0.5; type t: S",
            &format!("({op} ({op} ?x (view ?m ?a)) (const ?b ?t))"),
            &format!("({op} ?x (view ?m ({op} ?a (const ?b ?u))))"),
            match op {
                "add" => |s| s.filled_by_source("m").and(Some(vec![ty("u", s.ty("a")?)])),
                _ => |s| {
                    s.filled_by_source("m")?;
                    s.may_move("b")?;
                    Some(vec![ty("u", s.ty("a")?)])
                },
            },
        ),
    ]
}
