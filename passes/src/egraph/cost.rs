//! What a term costs, in femtoseconds of one core of the target.
//!
//! ```text
//!   anchor     flops / rate + (operands + result in bytes) / bandwidth
//!   pointwise  a thousand: it rides along with an anchor, in registers
//!   view       a hundred, two where neighbours are not neighbours in memory; a concatenation is read where it lies
//!   constant   one: it is computed before the first run
//! ```
//!
//! Only anchors matter; the rest orders terms whose anchors cost the same. Costs are integers, so sums do not
//! depend on their order.

use super::{
    maps,
    term::{Fact, Term, op_of},
};
use crate::core::is_pointwise;
use egg::Id;
use regard_ir::{
    graph::Graph,
    ops::{Op, OpDef},
    target::Target,
    types::TensorType,
};

const POINTWISE: u64 = 1000;
const VIEW: u64 = 100;

/// What one term costs, and where it ranks among terms of equal cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Price {
    /// Femtoseconds, operands not included.
    pub cost: u64,
    /// What follows an anchor is better than what precedes one, and one sum that several views read is better than
    /// a sum for each: lower is better.
    pub rank: u8,
}

/// The price of a term whose children are `fact`.
pub fn price<'a>(term: &Term, result: &Fact, fact: impl Fn(Id) -> &'a Fact + Copy, target: &Target) -> Price {
    let (Some(Ok((op, operands))), Fact::Tensor { ty, constant }) = (op_of(term, fact), result) else {
        return Price { cost: 0, rank: 0 };
    };
    let types: Vec<&TensorType> = operands.iter().filter_map(|&o| fact(o).tensor()).collect();
    of_op(&op, &types, ty, *constant, target)
}

fn of_op(op: &Op, operands: &[&TensorType], result: &TensorType, constant: bool, target: &Target) -> Price {
    let (cost, rank) = match op {
        _ if constant => (1, 0),
        Op::ViewOp(view) => (if maps::reads_in_order(&view.map) { VIEW } else { 2 * VIEW }, 0),
        Op::Concat(_) => (VIEW, 0),
        op if is_pointwise(op) => (POINTWISE, 1),
        op => (anchor(op, operands, result, target), 2),
    };
    Price { cost, rank }
}

/// What a graph costs, in femtoseconds: the sum of its nodes.
pub fn cost_of(graph: &Graph, target: &Target) -> u64 {
    let constant = graph.constants();
    let computed = graph.nodes.iter().filter(|(_, node)| !matches!(node.op, Op::Input(_) | Op::Weight(_)));
    computed.map(|(id, node)| of_op(&node.op, &graph.operand_types(id), &node.ty, constant[id], target).cost).sum()
}

fn anchor(op: &Op, operands: &[&TensorType], result: &TensorType, target: &Target) -> u64 {
    // A bias rides along with its product.
    let operands = if let Op::Conv2d(_) = op { &operands[..2] } else { operands };
    // What a composite's own product leaves in memory is written and read.
    let between = if let Op::ResizedConv(conv) = op { 2 * conv.product(operands).bytes() } else { 0 };
    let bytes: usize = operands.iter().map(|ty| ty.bytes()).sum::<usize>() + result.bytes() + between;
    let compute = op.flops(operands, result) as f64 / target.core_gflops;
    let memory = bytes as f64 / target.memory_gbps;
    ((compute + memory) * 1e6) as u64 + POINTWISE
}
