//! Two directions of attention in one kernel.
//!
//! ```text
//!   scores ─┬─ attend over keys ──── ·λ ── view ─ (+) ─── (+) ─ …        y = λ·A v + t + μ·R u
//!           └─ attend over queries ─ ·μ ── view ─ (+) ─────┘             the kernel adds both, t is its epilogue
//!                                            t ────┘
//! ```
//!
//! Where an attend over keys and one over queries read the same scores and meet in a sum, each on its way alone in
//! constant factors, movement and additions, one kernel computes the scores once and both sums. Its anchor is the
//! attend over keys; the other is nothing in its epilogue, since the anchor's value holds it. Factors go to the
//! values, which are packed once.

use super::{Planner, expr_builder::ExprBuilder};
use regard_ir::{
    graph::NodeId,
    ops::{Binary, BinaryOp, Op},
    view::View,
};
use std::collections::BTreeMap;

/// Most attends over queries that are tried for one over keys.
const MOST_TRIED: usize = 8;
/// Most steps from an attend to the sum in which it meets its partner.
const LONGEST_WAY: usize = 64;

/// An attend over queries, and how it meets the attend over keys.
#[derive(Clone, Debug)]
pub(super) struct Partner {
    /// The attend over queries.
    pub inverse: NodeId,
    /// The sum.
    pub meeting: NodeId,
    /// Products with constant factors on the way of either value, each with the operand that is not the factor.
    ways: [Vec<Scaled>; 2],
}

/// A product with a constant number.
#[derive(Clone, Copy, Debug)]
struct Scaled {
    product: NodeId,
    value: NodeId,
    factor: NodeId,
}

/// How a value goes up.
#[derive(Default)]
struct Way {
    scaled: Vec<Scaled>,
    sums: Vec<NodeId>,
}

impl Partner {
    /// Makes the epilogue of the pair see the anchor's value after the factors, and nothing else.
    pub(crate) fn bind(&self, builder: &mut ExprBuilder, anchor: View) {
        builder.bind_zero(self.inverse, anchor);
        for scaled in self.ways.iter().flatten() {
            builder.pass(scaled.product, scaled.value);
        }
    }
    /// The factors of the values that the softmax over queries weighs, or of the others.
    pub(crate) fn factors(&self, inverse: bool) -> Vec<NodeId> {
        self.ways[usize::from(inverse)].iter().map(|scaled| scaled.factor).collect()
    }
}

impl Planner<'_> {
    /// The partner of each attend over keys that has one.
    pub(super) fn partners(&self) -> BTreeMap<NodeId, Partner> {
        let of_axis = |axis: i64| {
            let wanted = move |op: &Op| matches!(op, Op::Attend(a) if a.axis == axis);
            self.graph.nodes.iter().filter(move |(id, node)| wanted(&node.op) && !self.facts.constant[*id])
        };
        // Attends over queries that have no partner yet, by the scores that they read.
        let mut free: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
        of_axis(-2).for_each(|(id, node)| free.entry(node.operands[0]).or_default().push(id));
        let mut partners: BTreeMap<NodeId, Partner> = BTreeMap::new();
        for (keys, node) in of_axis(-1) {
            let Some(free) = free.get_mut(&node.operands[0]) else { continue };
            let alike = |id: NodeId| self.graph.ty(id).shape == node.ty.shape;
            let mut candidates = (0..free.len()).filter(|&at| alike(free[at])).take(MOST_TRIED);
            if let Some((at, partner)) = candidates.find_map(|at| Some((at, self.partner(keys, free[at])?))) {
                free.remove(at);
                partners.insert(keys, partner);
            }
        }
        partners
    }

    fn partner(&self, keys: NodeId, inverse: NodeId) -> Option<Partner> {
        let (forward, backward) = (self.way(keys), self.way(inverse));
        let meeting = backward.sums.iter().copied().find(|id| forward.sums.contains(id))?;
        Some(Partner { inverse, meeting, ways: [forward.scaled, backward.scaled] })
    }

    /// The sums that a value is a term of, moved and scaled perhaps, and not in memory on the way.
    fn way(&self, from: NodeId) -> Way {
        let mut way = Way::default();
        let mut current = from;
        for _ in 0..LONGEST_WAY {
            let [user] = self.facts.users[current][..] else { break };
            if self.materialized[current] {
                break;
            }
            let node = &self.graph.nodes[user];
            match &node.op {
                Op::ViewOp(_) => {}
                Op::Binary(Binary { op: BinaryOp::Add }) if node.operands[0] != node.operands[1] => {
                    way.sums.push(user);
                }
                Op::Binary(Binary { op: BinaryOp::Mul }) if way.sums.is_empty() => {
                    let factor = node.operands[usize::from(node.operands[0] == current)];
                    if self.number(factor).is_none() {
                        break;
                    }
                    way.scaled.push(Scaled { product: user, value: current, factor });
                }
                _ => break,
            }
            current = user;
        }
        way
    }

    /// The constant whose one element a node repeats, and the view that does.
    pub(super) fn number(&self, id: NodeId) -> Option<(NodeId, Option<&View>)> {
        let node = &self.graph.nodes[id];
        match &node.op {
            Op::Const(_) => Some((id, None)),
            Op::ViewOp(view) if self.facts.constant[id] => {
                let one = !view.map.has_fill() && view.map.coords.iter().all(|c| c.digits.is_empty());
                one.then_some((node.operands[0], Some(&view.map)))
            }
            _ => None,
        }
    }
}
