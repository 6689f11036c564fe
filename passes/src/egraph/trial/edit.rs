//! Patterns that are changed in one place.
//!
//! ```text
//!   (matmul ?x (mul ?w (view ?c ?g)))       written
//!   (matmul ?x (add ?w (view ?c ?g)))       an op becomes its sibling
//!   (matmul ?x ?w)                          an operand stands for its op
//!   (matmul ?w (mul ?x (view ?c ?g)))       two variables are exchanged
//! ```

use crate::egraph::{
    rules::name_of,
    term::{Fact, Leaf, Term, fact_of},
};
use egg::{ENodeOrVar, Id, Language, Pattern, RecExpr};
use regard_ir::{
    ops::Attr,
    types::{Real, TensorType},
    view::View,
};

/// A pattern as a tree.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    /// A variable.
    Var(String),
    /// An attribute as written.
    Attr(&'static str, Attr),
    /// An op with its attributes and operands.
    Op(&'static str, Vec<Tree>),
}

impl Tree {
    /// The tree of a pattern.
    pub(crate) fn of(pattern: &Pattern<Term>) -> Tree {
        let mut trees: Vec<Tree> = Vec::new();
        for node in pattern.ast.as_ref() {
            trees.push(match node {
                ENodeOrVar::Var(var) => Tree::Var(name_of(*var)),
                ENodeOrVar::ENode(Term::Attr(name, value)) => Tree::Attr(name, value.clone()),
                ENodeOrVar::ENode(Term::Op(name, children)) => {
                    Tree::Op(name, children.iter().map(|&c| trees[usize::from(c)].clone()).collect())
                }
                ENodeOrVar::ENode(term) => panic!("patterns hold no {term}"),
            });
        }
        trees.pop().expect("a pattern has a root")
    }

    /// The pattern of the tree.
    pub(crate) fn pattern(&self) -> Pattern<Term> {
        let mut expr = RecExpr::default();
        self.add(&mut expr);
        Pattern::new(expr)
    }

    fn add(&self, expr: &mut RecExpr<ENodeOrVar<Term>>) -> Id {
        let node = match self {
            Tree::Var(name) => ENodeOrVar::Var(format!("?{name}").parse().expect("names are words")),
            Tree::Attr(name, value) => ENodeOrVar::ENode(Term::Attr(name, value.clone())),
            Tree::Op(name, children) => {
                let children = children.iter().map(|child| child.add(expr)).collect();
                ENodeOrVar::ENode(Term::Op(name, children))
            }
        };
        expr.add(node)
    }

    /// Every place, the root first, with what stands there.
    pub(crate) fn places(&self) -> Vec<&Tree> {
        let mut places = vec![self];
        if let Tree::Op(_, children) = self {
            places.extend(children.iter().flat_map(Tree::places));
        }
        places
    }

    /// The tree with another one at a place, counted as in [`Tree::places`].
    pub(crate) fn with(&self, place: usize, new: &Tree) -> Tree {
        match self {
            _ if place == 0 => new.clone(),
            Tree::Op(name, children) => {
                let mut at = 1;
                let child = |child: &Tree| {
                    let size = child.places().len();
                    let inside = (at..at + size).contains(&place);
                    let out = if inside { child.with(place - at, new) } else { child.clone() };
                    at += size;
                    out
                };
                Tree::Op(name, children.iter().map(child).collect())
            }
            leaf => leaf.clone(),
        }
    }

    /// The tree with its variables renamed.
    pub(crate) fn renamed(&self, name: &dyn Fn(&str) -> String) -> Tree {
        match self {
            Tree::Var(old) => Tree::Var(name(old)),
            Tree::Op(op, children) => Tree::Op(op, children.iter().map(|child| child.renamed(name)).collect()),
            attr => attr.clone(),
        }
    }
}

/// Ops that users confuse with an op.
pub(crate) fn siblings(op: &str) -> &'static [&'static str] {
    match op {
        "add" => &["sub", "mul", "max"],
        "sub" => &["add"],
        "mul" => &["div", "add"],
        "div" => &["mul"],
        "min" => &["max", "add"],
        "max" => &["min", "add"],
        "lt" => &["le"],
        "le" => &["lt"],
        "eq" => &["le"],
        "neg" => &["abs"],
        "abs" => &["neg"],
        "exp" => &["log", "abs"],
        "log" => &["exp"],
        "sqrt" => &["rsqrt", "recip"],
        "rsqrt" => &["sqrt", "recip"],
        "recip" => &["rsqrt", "neg"],
        "floor" => &["round"],
        "round" => &["floor"],
        "sin" => &["cos"],
        "cos" => &["sin"],
        "pow" => &["rem"],
        "erf" => &["tanh"],
        "tanh" => &["erf", "sigmoid"],
        "sigmoid" => &["tanh", "gelu"],
        "gelu" => &["sigmoid"],
        "matmul" => &["scores"],
        "scores" => &["matmul"],
        "softmax" => &[UNSAFE_SOFTMAX],
        "attend" => &[UNSAFE_ATTEND],
        _ => &[],
    }
}

/// Other values of an attribute as written.
pub(crate) fn neighbours(name: &'static str, value: &Attr) -> Vec<Attr> {
    match (name, value) {
        ("op", Attr::Word(word)) => {
            let others = ["sum", "mean", "max", "min"].into_iter().filter(|other| other != word);
            others.map(|other| Attr::Word(other.to_string())).collect()
        }
        (_, Attr::Int(value)) => vec![Attr::Int(value - 1), Attr::Int(value + 1)],
        (_, Attr::Real(value)) => vec![Attr::Real(Real::new(value.get() + 0.25))],
        _ => Vec::new(),
    }
}

/// What is done to an attribute that a variable stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Change {
    /// The axis before or after.
    Axis(i64),
    /// A number a quarter larger.
    Number,
    /// The view with its last axis rolled by one.
    RollLast,
    /// The view with its first axis rolled by one.
    RollFirst,
    /// The view with its last two axes exchanged, where they have one extent.
    Exchange,
    /// Another word.
    Word,
    /// One more row.
    Row,
}

impl Change {
    /// The changes of an attribute of that name.
    pub(crate) fn of(name: &str) -> &'static [Change] {
        match name {
            "axis" => &[Change::Axis(-1), Change::Axis(1)],
            "value" => &[Change::Number],
            "map" => &[Change::RollLast, Change::RollFirst, Change::Exchange],
            "to" | "mode" => &[Change::Word],
            "size" | "stride" | "padding" | "dilation" => &[Change::Row],
            _ => &[],
        }
    }

    /// In words.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Change::Axis(-1) => "one axis before",
            Change::Axis(_) => "one axis behind",
            Change::Number => "larger by 0.25",
            Change::RollLast => "rolled along its last axis",
            Change::RollFirst => "rolled along its first axis",
            Change::Exchange => "transposed",
            Change::Word => "another type",
            Change::Row => "one more of rows",
        }
    }

    /// The changed attribute; `None` where there is none.
    pub(crate) fn apply(self, term: &Term) -> Option<Term> {
        let Term::Attr(name, value) = term else { return None };
        let value = match (self, value) {
            (Change::Axis(by), Attr::Int(axis)) => Attr::Int(axis + by),
            (Change::Number, Attr::Real(x)) => Attr::Real(Real::new(x.get() + 0.25)),
            (Change::Word, Attr::Word(word)) => {
                let words = if *name == "mode" { ["bilinear", "bilinear_corners"] } else { ["f32", "i32"] };
                Attr::Word(words[usize::from(word == words[0])].to_string())
            }
            (Change::Row, Attr::Ints(pair)) => Attr::Ints(vec![pair[0] + 1, pair[1]]),
            (_, Attr::View(map)) => Attr::view(self.moved(map)?),
            _ => return None,
        };
        Some(Term::Attr(name, value))
    }

    fn moved(self, map: &View) -> Option<View> {
        let rank = map.shape.len();
        match self {
            Change::RollLast => map.then(&View::roll(&map.shape, rank.checked_sub(1)?, 1)),
            Change::RollFirst if rank > 1 => map.then(&View::roll(&map.shape, 0, 1)),
            Change::Exchange if rank > 1 => {
                let order: Vec<usize> = (0..rank - 2).chain([rank - 1, rank - 2]).collect();
                map.then(&View::transpose(&map.shape, &order))
            }
            _ => None,
        }
    }
}

/// A softmax as exp x / Σ exp x: the maximum is not subtracted. Stands in edited patterns only.
const UNSAFE_SOFTMAX: &str = "unsafe-softmax";
/// The same, times values.
const UNSAFE_ATTEND: &str = "unsafe-attend";

/// Whether the tree is such a softmax.
pub(crate) fn is_unsafe(tree: &Tree) -> bool {
    matches!(tree, Tree::Op(UNSAFE_SOFTMAX | UNSAFE_ATTEND, _))
}

/// Writes such a softmax out; `None` where the expression is ill-typed.
pub(crate) fn expand_unsafe_softmax(expr: RecExpr<Term>, leaves: &[Leaf]) -> Option<RecExpr<Term>> {
    let is_unsafe = |term: &Term| matches!(term, Term::Op(UNSAFE_SOFTMAX | UNSAFE_ATTEND, _));
    if !expr.as_ref().iter().any(is_unsafe) {
        return Some(expr);
    }
    let mut out = Typed { expr: RecExpr::default(), facts: Vec::new(), leaves };
    let mut moved: Vec<Id> = Vec::new();
    for term in expr.as_ref() {
        let term = term.clone().map_children(|c| moved[usize::from(c)]);
        moved.push(match &term {
            Term::Op(UNSAFE_SOFTMAX, children) => out.unsafe_softmax(children[0], children[1])?,
            Term::Op(UNSAFE_ATTEND, children) => {
                let weights = out.unsafe_softmax(children[0], children[1])?;
                out.op("matmul", &[weights, children[2]])?
            }
            _ => out.add(term)?,
        });
    }
    Some(out.expr)
}

struct Typed<'a> {
    expr: RecExpr<Term>,
    facts: Vec<Fact>,
    leaves: &'a [Leaf],
}

impl Typed<'_> {
    fn add(&mut self, term: Term) -> Option<Id> {
        let fact = fact_of(&term, self.leaves, |id| &self.facts[usize::from(id)]).ok()?;
        self.facts.push(fact);
        Some(self.expr.add(term))
    }

    fn op(&mut self, name: &'static str, children: &[Id]) -> Option<Id> {
        self.add(Term::Op(name, children.to_vec()))
    }

    fn unsafe_softmax(&mut self, axis: Id, x: Id) -> Option<Id> {
        let Fact::Attr(_, Attr::Int(along)) = self.facts[usize::from(axis)] else { return None };
        let ty: TensorType = self.facts[usize::from(x)].tensor()?.clone();
        let mut reduced = ty.shape.clone();
        reduced[ty.axis(along).ok()?] = 1;
        let spread = Attr::view(View::expand(&reduced, &ty.shape));
        let e = self.op("exp", &[x])?;
        let op = self.add(Term::Attr("op", Attr::Word("sum".to_string())))?;
        let sum = self.op("reduce", &[op, axis, e])?;
        let map = self.add(Term::Attr("map", spread))?;
        let spread = self.op("view", &[map, sum])?;
        self.op("div", &[e, spread])
    }
}
