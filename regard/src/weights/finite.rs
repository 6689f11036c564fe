//! Which weights must be finite: those that a matmul, a convolution or a norm takes, where an infinity becomes NaN.
//!
//! ```text
//!   weight ─ transpose, reshape, slice, cast … ─▶ matmul      finite
//!   weight ─ transpose, reshape, slice, cast … ─▶ add ─▶ softmax     may hold −∞, as masks do
//! ```
//!
//! One pass over the graph: a node that only moves a weight stands for that weight. Where several are concatenated, or
//! arithmetic comes between, nothing is claimed; a NaN that arithmetic on weights gives is found when constants are
//! computed.

use regard_ir::{
    graph::{Graph, NodeId},
    id::IdVec,
    ops::Op,
    view::is_movement,
};
use std::collections::BTreeSet;

/// Names of the weights that are moved about at most before they are multiplied or normalised with.
pub(crate) fn multiplied(graph: &Graph) -> BTreeSet<String> {
    let mut weight: IdVec<NodeId, Option<NodeId>> = IdVec::new();
    let mut names = BTreeSet::new();
    for (id, node) in graph.nodes.iter() {
        weight.push(match (&node.op, &node.operands[..]) {
            (Op::Weight(_), _) => Some(id),
            (op, [moved]) if is_movement(op) || matches!(op, Op::Cast(_)) => weight[*moved],
            _ => None,
        });
        let multiplied = node.operands.iter().enumerate().filter(|(i, _)| multiplies(&node.op, *i));
        names.extend(multiplied.filter_map(|(_, &operand)| Some(graph.text_name(weight[operand]?))));
    }
    names
}

/// Whether an op multiplies with its operand number `i`, or normalises by it.
fn multiplies(op: &Op, i: usize) -> bool {
    match op {
        Op::MatMul(_) | Op::Scores(_) | Op::Conv2d(_) | Op::ResizedConv(_) | Op::LayerNorm(_) | Op::BatchNorm(_) => {
            true
        }
        // Scores may be masked, values may not.
        Op::Attend(_) => i == 1,
        // What follows queries, keys and values is added to their scores.
        Op::Attention(_) | Op::InverseAttention(_) => i < 3,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_added_may_be_infinite() {
        let text = "graph g {
            %x = input : f32[2, 4, 4]
            %mask = weight : f32[4, 4]
            %w = weight : f32[4, 4]
            %t = transpose %w { order = [-1, -2] }
            %y = matmul %x, %t
            %m = reshape %mask { shape = [1, 4, 4] }
            %s = add %y, %m
            %p = softmax %s { axis = -1 }
            return %p
        }";
        assert_eq!(multiplied(&text.parse().unwrap()), BTreeSet::from(["w".to_owned()]));
    }
}
