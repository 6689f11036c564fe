//! What a term costs, in femtoseconds of one core of the target.
//!
//! ```text
//!   anchor     flops / rate + (operands + result in bytes) / bandwidth, and a thousand
//!   scores     the same without the launch: an attend can compute them itself
//!   pointwise  a thousand: it is fused into an anchor's kernel
//!   view       a hundred, two where neighbours are not neighbours in memory; a concatenation is read where it lies
//!   constant   one: it is computed before the first run
//! ```
//!
//! A constant that is computed is f32 in memory, so half weights that take up a factor are read at twice the bytes.
//!
//! Only anchors matter; the rest orders terms whose anchors cost the same. Costs are integers, so sums do not
//! depend on their order.

use super::{
    term::{Egraph, Fact, Term, op_of},
    view_queries,
};
use crate::{
    canonical::is_pointwise,
    memory::{self, is_half},
};
use egg::{Id, Language};
use regard_ir::{
    graph::{Graph, Node, NodeId},
    ops::Op,
    target::Target,
    types::TensorType,
};
use std::collections::BTreeSet;

const POINTWISE: u64 = 1000;
const VIEW: u64 = 100;
const APART: u64 = 1000;

/// What one term costs, and where it ranks among terms of equal cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Price {
    /// Femtoseconds, operands not included.
    pub cost: u64,
    /// What follows an anchor is better than what precedes one, and one sum that several views read is better than
    /// a sum for each: lower is better.
    pub rank: u8,
}

/// What the terms of one e-graph cost.
pub(crate) struct Prices<'a> {
    egraph: &'a Egraph,
    target: &'a Target,
    /// Constants of half precision that lie in memory as they are; those that are computed are f32 there.
    given: BTreeSet<Id>,
    /// Classes that are scores, or pointwise in them.
    of_scores: BTreeSet<Id>,
}

impl<'a> Prices<'a> {
    /// Prices on a target.
    pub(crate) fn new(egraph: &'a Egraph, target: &'a Target) -> Self {
        Self { egraph, target, given: given(egraph), of_scores: of_scores(egraph) }
    }

    /// The price of a term of a class. A view of a class that can be computed from scores in its own shape keeps them
    /// from their attend, which computes scores only where it reads them as they are; so does a product after an attend
    /// over queries.
    pub(crate) fn of(&self, term: &Term, class: Id) -> Price {
        let widened = |c: Id| {
            let fact = &self.egraph[c].data;
            let ty = fact.tensor().filter(|ty| fact.is_constant() && is_half(ty.dtype))?;
            (!self.given.contains(&self.egraph.find(c))).then(|| TensorType::f32(&ty.shape[..]))
        };
        let mut price = price(term, &self.egraph[class].data, |c| &self.egraph[c].data, &widened, self.target);
        let parted = is(term, "view") && self.of_scores.contains(&class);
        if parted || self.behind_inverse(term) {
            price.cost += APART;
        }
        price
    }

    /// Whether it is a product of what an attend over queries gives. Weights before such an attend leave it free to
    /// share scores, in one kernel, with an attend over keys that it meets in a sum.
    fn behind_inverse(&self, term: &Term) -> bool {
        let fact = |id: Id| &self.egraph[id].data;
        let inverse = |term: &Term| matches!(op_of(term, fact), Some(Ok((Op::Attend(a), _))) if a.axis == -2);
        is(term, "matmul") && term.children().iter().any(|&child| self.egraph[child].nodes.iter().any(inverse))
    }
}

fn is(term: &Term, wanted: &str) -> bool {
    matches!(term, Term::Op(name, _) if *name == wanted)
}

/// Half constants that are leaves or movement of leaves.
fn given(egraph: &Egraph) -> BTreeSet<Id> {
    let half = |class: &&egg::EClass<Term, Fact>| {
        class.data.is_constant() && class.data.tensor().is_some_and(|ty| is_half(ty.dtype))
    };
    let classes: Vec<_> = egraph.classes().filter(half).collect();
    let mut found = BTreeSet::new();
    let mut before = None;
    while before != Some(found.len()) {
        before = Some(found.len());
        for class in &classes {
            let moves = |term: &Term| match term {
                Term::Leaf(_) => true,
                Term::Op("view", children) => children.last().is_some_and(|&c| found.contains(&egraph.find(c))),
                _ => false,
            };
            if class.nodes.iter().any(moves) {
                found.insert(egraph.find(class.id));
            }
        }
    }
    found
}

fn of_scores(egraph: &Egraph) -> BTreeSet<Id> {
    let fact = |id: Id| &egraph[id].data;
    let holds = |class: &egg::EClass<Term, Fact>| class.nodes.iter().any(|term| is(term, "scores"));
    let mut found: BTreeSet<Id> = egraph.classes().filter(|class| holds(class)).map(|class| class.id).collect();
    let mut before = 0;
    while found.len() > before {
        before = found.len();
        for class in egraph.classes() {
            let reads = |term: &Term| {
                let over = term.children().iter().any(|&c| found.contains(&egraph.find(c)));
                over && matches!(op_of(term, fact), Some(Ok((op, _))) if is_pointwise(&op))
            };
            if !found.contains(&class.id) && class.nodes.iter().any(reads) {
                found.insert(class.id);
            }
        }
    }
    found
}

/// The price of a term whose children are `fact`; `widened` says which of them memory holds in another type.
fn price<'a>(
    term: &Term,
    result: &Fact,
    fact: impl Fn(Id) -> &'a Fact + Copy,
    widened: &dyn Fn(Id) -> Option<TensorType>,
    target: &Target,
) -> Price {
    let (Some(Ok((op, operands))), Fact::Tensor { ty, constant, .. }) = (op_of(term, fact), result) else {
        return Price { cost: 0, rank: 0 };
    };
    let others: Vec<Option<TensorType>> = operands.iter().map(|&o| widened(o)).collect();
    let types = operands.iter().zip(&others).filter_map(|(&o, other)| other.as_ref().or(fact(o).tensor()));
    of_op(&op, &types.collect::<Vec<_>>(), ty, *constant, target)
}

fn of_op(op: &Op, operands: &[&TensorType], result: &TensorType, constant: bool, target: &Target) -> Price {
    let (cost, rank) = match op {
        _ if constant => (1, 0),
        Op::ViewOp(view) => (if view_queries::reads_in_order(&view.map) { VIEW } else { 2 * VIEW }, 0),
        Op::Concat(_) => (VIEW, 0),
        op if is_pointwise(op) => (POINTWISE, 1),
        Op::Scores(_) => (anchor(op, operands, result, target), 2),
        op => (anchor(op, operands, result, target) + POINTWISE, 2),
    };
    Price { cost, rank }
}

/// What a graph costs, in femtoseconds: the sum of its nodes.
pub fn cost_of(graph: &Graph, target: &Target) -> u64 {
    let (constant, held) = (graph.constants(), memory::inside(graph));
    let ty = |id: NodeId| match constant[id] {
        true => TensorType::new(held[id], graph.ty(id).shape.clone()),
        false => graph.ty(id).clone(),
    };
    let cost = |(id, node): (NodeId, &Node)| {
        let operands: Vec<TensorType> = node.operands.iter().map(|&o| ty(o)).collect();
        of_op(&node.op, &operands.iter().collect::<Vec<_>>(), &node.ty, constant[id], target).cost
    };
    let computed = graph.nodes.iter().filter(|(_, node)| !matches!(node.op, Op::Input(_) | Op::Weight(_)));
    computed.map(cost).sum()
}

fn anchor(op: &Op, operands: &[&TensorType], result: &TensorType, target: &Target) -> u64 {
    // A bias is added in the epilogue of its product.
    let operands = if let Op::Conv2d(_) = op { &operands[..2] } else { operands };
    // What a composite's own product leaves in memory is written and read.
    let between = if let Op::ResizedConv(conv) = op { 2 * conv.product(operands).bytes() } else { 0 };
    let bytes: usize = operands.iter().map(|ty| ty.bytes()).sum::<usize>() + result.bytes() + between;
    let compute = op.flops(operands, result) as f64 / target.core_gflops();
    let memory = bytes as f64 / target.memory_gbps;
    ((compute + memory) * 1e6) as u64
}
