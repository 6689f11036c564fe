//! Graphs as terms: the language of the e-graph, which never names an op.
//!
//! A node becomes a term whose children are its attributes, in the codec's order, and then its operands.
//! Attributes are leaves, so that a rule can bind one (`?axis`) and so that equal ops are equal terms. An
//! op without operands also carries its type:
//!
//! ```text
//!   %y = softmax %x { axis = -1 }                 (softmax axis=-1 x)
//!   %h = const { value = 0.5 } : f32[2, 3]        (const value=0.5 f32[2,3])
//!   %a = reduce %x { op = mean, axis = -2 }       (reduce op=mean axis=-2 x)
//! ```
//!
//! What a term stands for is a [`Fact`], computed with the ops' own shape rules; two terms can only become
//! equal where their types are.

use super::{away::Away, matches::Tried};
use egg::{DidMerge, EGraph, FromOp, Id, Language, RecExpr, Symbol};
use regard_ir::{
    graph::{Graph, NodeId},
    ops::{Attr, AttrReader, Op},
    types::{Real, TensorType},
};
use std::{convert::Infallible, fmt};

/// One term; operands are e-classes, or earlier terms of an expression. Ordered by content, so that no
/// choice depends on when a name was first seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Term {
    /// An attribute with its name.
    Attr(&'static str, Attr),
    /// The type of an op without operands.
    Type(TensorType),
    /// A tensor from outside: an index into the [`Leaf`] table.
    Leaf(u32),
    /// An op of that name: attributes, type, operands.
    Op(&'static str, Vec<Id>),
}

/// A tensor that terms use but do not compute.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Leaf {
    /// Its type.
    pub ty: TensorType,
    /// Whether it depends on no input.
    pub constant: bool,
}

/// What is known of every term of an e-class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// It is this attribute.
    Attr(&'static str, Attr),
    /// It is this type.
    Type(TensorType),
    /// It is a tensor.
    Tensor {
        /// Its type.
        ty: TensorType,
        /// Whether it depends on no input.
        constant: bool,
        /// How far numbers that moved took it from written values.
        away: Away,
    },
}

/// The kind of a term, by which egg finds candidates for a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// An attribute of that name.
    Attr(&'static str),
    /// A type.
    Type,
    /// A leaf.
    Leaf,
    /// An op of that name.
    Op(&'static str),
}

impl Language for Term {
    type Discriminant = Kind;

    fn discriminant(&self) -> Kind {
        match self {
            Term::Attr(name, _) => Kind::Attr(name),
            Term::Type(_) => Kind::Type,
            Term::Leaf(_) => Kind::Leaf,
            Term::Op(name, _) => Kind::Op(name),
        }
    }
    fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (Term::Op(a, x), Term::Op(b, y)) => a == b && x.len() == y.len(),
            _ => self == other,
        }
    }
    fn children(&self) -> &[Id] {
        match self {
            Term::Op(_, children) => children,
            _ => &[],
        }
    }
    fn children_mut(&mut self) -> &mut [Id] {
        match self {
            Term::Op(_, children) => children,
            _ => &mut [],
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::Attr(name, value) => write!(f, "{name}={value}"),
            Term::Type(ty) => write!(f, "{ty}"),
            Term::Leaf(index) => write!(f, "leaf{index}"),
            Term::Op(name, _) => f.write_str(name),
        }
    }
}

/// Reads the terms that patterns are written with: `axis=-1`, `value=0.5`, `op=mean`, and ops.
impl FromOp for Term {
    type Error = Infallible;

    fn from_op(text: &str, children: Vec<Id>) -> Result<Self, Infallible> {
        let Some((name, value)) = text.split_once('=') else {
            return Ok(Term::Op(Symbol::from(text).as_str(), children));
        };
        let attr = match (value.parse::<i64>(), value.parse::<f64>()) {
            (Ok(i), _) => Attr::Int(i),
            (_, Ok(x)) => Attr::Real(Real::new(x)),
            _ => Attr::Word(value.to_string()),
        };
        Ok(Term::Attr(Symbol::from(name).as_str(), attr))
    }
}

/// The op that a term is, and its operands; `None` for attributes, types and leaves.
pub(crate) fn op_of<'a>(term: &Term, fact: impl Fn(Id) -> &'a Fact) -> Option<Result<(Op, Vec<Id>), String>> {
    let Term::Op(name, children) = term else { return None };
    let (mut attrs, mut ty, mut operands) = (Vec::new(), None, Vec::new());
    for &child in children {
        match fact(child) {
            Fact::Attr(name, value) => attrs.push((name.to_string(), value.clone())),
            Fact::Type(t) => ty = Some(t.clone()),
            Fact::Tensor { .. } => operands.push(child),
        }
    }
    let unknown = || Err(format!("there is no op called {name}"));
    let op = Op::from_attrs(name, &mut AttrReader::new(attrs, ty)).unwrap_or_else(unknown);
    Some(op.map(|op| (op, operands)))
}

/// What a term stands for, given what its children stand for; one sentence where it is ill-typed.
pub(crate) fn fact_of<'a>(term: &Term, leaves: &[Leaf], fact: impl Fn(Id) -> &'a Fact + Copy) -> Result<Fact, String> {
    match term {
        Term::Attr(name, value) => return Ok(Fact::Attr(name, value.clone())),
        Term::Type(ty) => return Ok(Fact::Type(ty.clone())),
        Term::Leaf(index) => {
            let leaf = leaves.get(*index as usize).ok_or("there is no such leaf")?;
            return Ok(Fact::Tensor { ty: leaf.ty.clone(), constant: leaf.constant, away: Away::NOTHING });
        }
        Term::Op(..) => {}
    }
    let (op, operands) = op_of(term, fact).expect("only ops are left")?;
    let (least, most) = op.arity();
    if operands.len() < least || operands.len() > most {
        return Err(format!("{} has {} operands", op.name(), operands.len()));
    }
    let (mut types, mut constant) = (Vec::new(), true);
    for &operand in &operands {
        if let Fact::Tensor { ty, constant: c, .. } = fact(operand) {
            types.push(ty);
            constant &= c;
        }
    }
    Ok(Fact::Tensor { ty: op.infer(&types)?, constant, away: Away::NOTHING })
}

impl Fact {
    /// The type of a tensor.
    pub(crate) fn tensor(&self) -> Option<&TensorType> {
        match self {
            Fact::Tensor { ty, .. } => Some(ty),
            _ => None,
        }
    }
    /// Whether it is a tensor that depends on no input.
    pub(crate) fn is_constant(&self) -> bool {
        matches!(self, Fact::Tensor { constant: true, .. })
    }
}

/// Computes the facts of e-classes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// What the leaves are.
    pub leaves: Vec<Leaf>,
    /// The matches of rules that were tried.
    pub tried: Tried,
    /// How far terms that are made now are from written values.
    pub(crate) away: Away,
}

impl Facts {
    /// The facts of an e-graph over those leaves.
    pub(crate) fn new(leaves: Vec<Leaf>) -> Facts {
        Facts { leaves, ..Facts::default() }
    }
}

/// The e-graph of one region.
pub(crate) type Egraph = EGraph<Term, Facts>;

impl egg::Analysis<Term> for Facts {
    type Data = Fact;

    fn make(egraph: &mut Egraph, term: &Term, _: Id) -> Fact {
        let egraph = &*egraph;
        let fact = fact_of(term, &egraph.analysis.leaves, |id| &egraph[id].data)
            .unwrap_or_else(|message| panic!("a rule made an ill-typed term {term}: {message}"));
        match fact {
            Fact::Tensor { ty, constant, .. } => Fact::Tensor { ty, constant, away: egraph.analysis.away },
            fact => fact,
        }
    }

    /// A match in which a class holds itself says nothing new: what it gives is a view, say, of a view of itself, and
    /// where such views compose, all powers of one of them.
    fn allow_ematching_cycles(&self) -> bool {
        false
    }

    /// No term's fact follows from how far its operands are from written values: that is not a change to tell.
    fn merge(&mut self, a: &mut Fact, b: Fact) -> DidMerge {
        match (a, b) {
            (Fact::Tensor { ty, constant, away }, Fact::Tensor { ty: other, constant: c, away: nearer }) => {
                assert_eq!(*ty, other, "a rule equated tensors of different types");
                let before = *constant;
                *constant |= c;
                *away = nearer.min(*away);
                self.tried.changes += usize::from(before != c);
                DidMerge(*constant != before, *constant != c)
            }
            (a, b) => {
                assert_eq!(*a, b, "a rule equated different attributes");
                DidMerge(false, false)
            }
        }
    }
}

/// Appends a node to an expression; `operands` are terms of it.
pub(crate) fn encode(expr: &mut RecExpr<Term>, op: &Op, operands: &[Id], ty: &TensorType) -> Id {
    let mut children: Vec<Id> = op.attrs().into_iter().map(|(name, value)| expr.add(Term::Attr(name, value))).collect();
    if op.arity() == (0, 0) {
        children.push(expr.add(Term::Type(ty.clone())));
    }
    children.extend(operands);
    expr.add(Term::Op(op.name(), children))
}

/// Appends every tensor of an expression to a graph and returns where each term went; `leaf` says what the
/// leaves are there.
pub(crate) fn decode(
    terms: &[Term],
    out: &mut Graph,
    leaf: impl Fn(u32) -> NodeId,
) -> Result<Vec<Option<NodeId>>, String> {
    let mut facts: Vec<Fact> = Vec::new();
    let mut nodes: Vec<Option<NodeId>> = Vec::new();
    for term in terms {
        let (fact, node) = match term {
            Term::Attr(name, value) => (Fact::Attr(name, value.clone()), None),
            Term::Type(ty) => (Fact::Type(ty.clone()), None),
            Term::Leaf(index) => (tensor(out, leaf(*index)), Some(leaf(*index))),
            Term::Op(..) => {
                let (op, operands) = op_of(term, |id| &facts[usize::from(id)]).expect("this is an op")?;
                let operands: Option<Vec<NodeId>> = operands.iter().map(|&o| nodes[usize::from(o)]).collect();
                let node = out.push(op, &operands.ok_or("an operand is not a tensor")?)?;
                (tensor(out, node), Some(node))
            }
        };
        facts.push(fact);
        nodes.push(node);
    }
    Ok(nodes)
}

fn tensor(graph: &Graph, node: NodeId) -> Fact {
    Fact::Tensor { ty: graph.ty(node).clone(), constant: false, away: Away::NOTHING }
}
