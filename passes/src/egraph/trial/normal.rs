//! Terms in a form in which what is obviously equal is the same text.
//!
//! Sums and products are lists in order (x + y = y + x), a difference is a sum with a negative, a real quotient a
//! product with a reciprocal, views compose, a reduction along one element and a cast to the same type do nothing, one element is the greatest, axes
//! count from the end, and constness is not seen. Two claims with equal
//! texts say the same about the same operands: this is how a mutant is shown to be no mutant at all.

use crate::egraph::term::{Fact, Leaf, Term, op_of};
use egg::RecExpr;
use regard_ir::{
    ops::{Attr, BinaryOp, MatMul, Op, UnaryOp},
    types::TensorType,
    view::View,
};

/// A term's text, and what it is made of where an outer term may merge with it.
#[derive(Clone)]
enum Normal {
    /// A list of operands in order, for `add`, `mul`, `min`, `max`.
    List(BinaryOp, Vec<String>),
    /// A view of something.
    Moved(View, String),
    /// −x
    Negative(String),
    /// A number.
    Number(f64, TensorType),
    /// Anything else.
    Other(String),
}

impl Normal {
    fn text(&self) -> String {
        match self {
            Normal::List(op, list) => format!("{op:?}({})", list.join(", ")),
            Normal::Moved(view, inner) => format!("view({view}, {inner})"),
            Normal::Negative(inner) => format!("neg({inner})"),
            Normal::Number(value, ty) => format!("number({value:?}, {ty})"),
            Normal::Other(text) => text.clone(),
        }
    }
}

/// The text of every term.
pub(crate) fn texts(expr: &RecExpr<Term>, leaves: &[Leaf], facts: &[Fact]) -> Vec<String> {
    let mut normals: Vec<Normal> = Vec::new();
    for (at, term) in expr.as_ref().iter().enumerate() {
        let normal = match op_of(term, |id| &facts[usize::from(id)]) {
            Some(Ok((op, operands))) => {
                let operands: Vec<usize> = operands.into_iter().map(usize::from).collect();
                of_op(&op, &operands, at, facts, &normals)
            }
            _ => match term {
                Term::Leaf(i) => Normal::Other(format!("leaf{i}: {}", leaves[*i as usize].ty)),
                term => Normal::Other(term.to_string()),
            },
        };
        normals.push(normal);
    }
    normals.iter().map(Normal::text).collect()
}

fn of_op(op: &Op, operands: &[usize], at: usize, facts: &[Fact], normals: &[Normal]) -> Normal {
    let inner = |i: usize| &normals[operands[i]];
    let along = |axis: i64| facts[operands[0]].tensor().and_then(|ty| Some(ty.shape[ty.axis(axis).ok()?]));
    let is_float = facts[at].tensor().is_some_and(|ty| ty.dtype.is_float());
    match op {
        // Transposing one number does nothing.
        Op::Scores(_) if facts[operands[1]].tensor().is_some_and(|ty| ty.shape.ends_with(&[1, 1])) => {
            of_op(&Op::MatMul(MatMul), operands, at, facts, normals)
        }
        Op::Const(c) => Normal::Number(c.value.get(), c.ty.clone()),
        Op::ViewOp(view) => moved(&view.map, inner(0), facts[operands[0]].tensor().map(|ty| &ty.shape[..])),
        Op::Unary(u) if u.op == UnaryOp::Neg => negative(inner(0)),
        Op::Unary(u) if u.op == UnaryOp::Recip => reciprocal(inner(0)),
        Op::Cast(cast) if facts[operands[0]].tensor().is_some_and(|ty| ty.dtype == cast.to) => inner(0).clone(),
        Op::Reduce(reduce) if along(reduce.axis) == Some(1) => inner(0).clone(),
        Op::Argmax(argmax) if along(argmax.axis) == Some(1) => {
            facts[at].tensor().map_or(Normal::Other("0".into()), |ty| Normal::Number(0.0, ty.clone()))
        }
        Op::Binary(b) => match b.op {
            BinaryOp::Add | BinaryOp::Mul | BinaryOp::Min | BinaryOp::Max => list(b.op, [inner(0), inner(1)]),
            BinaryOp::Sub => list(BinaryOp::Add, [inner(0), &negative(inner(1))]),
            BinaryOp::Div if is_float || is_one(inner(1)) => list(BinaryOp::Mul, [inner(0), &reciprocal(inner(1))]),
            BinaryOp::Eq => {
                let mut pair = [inner(0).text(), inner(1).text()];
                pair.sort();
                Normal::Other(format!("eq({})", pair.join(", ")))
            }
            op => Normal::Other(format!("{op:?}({}, {})", inner(0).text(), inner(1).text())),
        },
        op => {
            let rank = operands.first().and_then(|&o| facts[o].tensor()).map_or(0, |ty| ty.rank()) as i64;
            let mut parts: Vec<String> = op
                .attrs()
                .into_iter()
                .map(|(name, value)| match value {
                    Attr::Int(axis) if name == "axis" && axis >= 0 => format!("axis={}", axis - rank),
                    value => format!("{name}={value}"),
                })
                .collect();
            parts.extend(operands.iter().map(|&o| normals[o].text()));
            Normal::Other(format!("{}({})", op.name(), parts.join(", ")))
        }
    }
}

fn is_one(x: &Normal) -> bool {
    matches!(x, Normal::Number(value, _) if *value == 1.0)
}

fn negative(x: &Normal) -> Normal {
    match x {
        Normal::Negative(inner) => Normal::Other(inner.clone()),
        // Plus zero: there is one zero among real numbers.
        Normal::Number(value, ty) => Normal::Number(0.0 - value, ty.clone()),
        x => Normal::Negative(x.text()),
    }
}

fn reciprocal(x: &Normal) -> Normal {
    match x {
        Normal::Number(value, ty) if *value != 0.0 => Normal::Number(1.0 / value, ty.clone()),
        x => Normal::Other(format!("recip({})", x.text())),
    }
}

fn list(op: BinaryOp, operands: [&Normal; 2]) -> Normal {
    let mut all: Vec<String> = operands
        .into_iter()
        .flat_map(|x| match x {
            Normal::List(inner, list) if *inner == op => list.clone(),
            x => vec![x.text()],
        })
        .collect();
    all.sort();
    Normal::List(op, all)
}

fn moved(map: &View, inner: &Normal, shape: Option<&[usize]>) -> Normal {
    if shape.is_some_and(|shape| *map == View::identity(shape)) {
        return inner.clone();
    }
    match inner {
        Normal::Moved(before, source) => match before.then(map) {
            Some(both) => Normal::Moved(both, source.clone()),
            None => Normal::Moved(map.clone(), inner.text()),
        },
        Normal::Number(value, ty) if !map.has_fill() => {
            Normal::Number(*value, TensorType::new(ty.dtype, map.shape.clone()))
        }
        inner => Normal::Moved(map.clone(), inner.text()),
    }
}
