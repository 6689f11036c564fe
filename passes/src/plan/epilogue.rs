//! Epilogues: how far up from an anchor one kernel goes.
//!
//! ```text
//!   matmul ─▶ + bias ─▶ view (undo windows) ─▶ view (undo shift) ─▶ + residual        each step has one user
//!      task space ──────── push: task ↦ element of this step ────────▶ root
//! ```
//!
//! A step may be several nodes: x · min(max(x + 3, 0), 6) reads x twice and is one value again in the end.
//!
//! The kernel runs in the anchor's own order. A view on the way up is inverted, so that each task knows
//! which element of the root it writes, and the other operands of a step are read at that element. The
//! chain ends where a value has a second user, a view has no inverse, or lanes would not stay together.

use super::{
    Planner,
    expr::FusedExpr,
    expr_builder::{ExprBuilder, MustMaterialize},
    lanes_are_contiguous,
};
use crate::canonical::{is_heavy, is_pointwise};
use regard_ir::{graph::NodeId, ops::Op, view::View};
use std::collections::BTreeSet;

/// Most steps of an epilogue.
const MOST_STEPS: usize = 64;
/// Nodes between a value and the one in which its uses meet: fewer than so many.
const WIDEST: usize = 16;
/// Most nodes that are looked at for a product or reduction below the operand of a step.
const MOST_BELOW: usize = 512;

impl Planner<'_> {
    /// The nodes above `anchor` that its kernel computes, in order; the last one is the group's root.
    pub(super) fn epilogue_steps(&self, anchor: NodeId) -> Vec<NodeId> {
        let mut steps = Vec::new();
        let mut current = anchor;
        while steps.len() < MOST_STEPS
            && !self.materialized[current]
            && let Some(next) = self.next(anchor, current)
        {
            steps.push(next);
            current = next;
        }
        while !steps.is_empty() && self.build_epilogue(anchor, &steps).is_err() {
            steps.pop();
        }
        steps
    }

    /// The first node further up that every use of `current` goes through, with pointwise nodes between.
    fn next(&self, anchor: NodeId, current: NodeId) -> Option<NodeId> {
        let next = self.facts.post_dominators[current]?;
        if let Op::ViewOp(view) = &self.graph.nodes[next].op {
            let alone = self.facts.users[current] == [next];
            return (alone && view.map.inverse().is_some()).then_some(next);
        }
        let between: BTreeSet<NodeId> = self.facts.users.between(current, next).take(WIDEST).collect();
        let partner = self.partners.get(&anchor).map(|partner| partner.inverse);
        let inside = |o: &NodeId| *o == current || between.contains(o);
        let fits = |&id: &NodeId| {
            let node = &self.graph.nodes[id];
            is_pointwise(&node.op) && node.operands.iter().all(|o| inside(o) || !self.depends_on_anchor(*o, partner))
        };
        let stays = between.iter().all(|id| fits(id) && !self.materialized[*id]);
        (between.len() < WIDEST && stays && fits(&next)).then_some(next)
    }

    /// Whether a node is made of a product or reduction that is not in memory yet, the anchor's partner excepted: a kernel
    /// that reads it cannot compute it.
    fn depends_on_anchor(&self, id: NodeId, partner: Option<NodeId>) -> bool {
        let known = |id: NodeId| self.materialized[id] || self.facts.constant[id] || partner == Some(id);
        let is_anchor = |op: &Op| is_heavy(op) || matches!(op, Op::Reduce(_));
        let mut below = self.graph.reached(id, known).enumerate();
        !known(id) && below.any(|(count, id)| count >= MOST_BELOW || is_anchor(&self.graph.nodes[id].op))
    }

    /// The epilogue of an anchor whose chain is settled, and where each point of `space` is stored.
    pub(super) fn epilogue(&self, anchor: NodeId, space: &[usize]) -> Result<(FusedExpr, View), MustMaterialize> {
        let steps = self.materialized_steps(anchor);
        self.build(anchor, &steps, space)
    }

    /// The chain up to the first materialised node.
    fn materialized_steps(&self, anchor: NodeId) -> Vec<NodeId> {
        let mut steps = Vec::new();
        let mut current = anchor;
        while !self.materialized[current]
            && let Some(next) = self.next(anchor, current)
        {
            current = next;
            steps.push(current);
        }
        steps
    }

    fn build_epilogue(&self, anchor: NodeId, steps: &[NodeId]) -> Result<(FusedExpr, View), MustMaterialize> {
        let shape = &self.graph.ty(anchor).shape;
        let n = *shape.last().ok_or(MustMaterialize(anchor))?;
        let m = shape[shape.len() - 2];
        let batch = self.graph.ty(anchor).elements() / (m * n).max(1);
        self.build(anchor, steps, &[batch, m, n])
    }

    fn build(&self, anchor: NodeId, steps: &[NodeId], space: &[usize]) -> Result<(FusedExpr, View), MustMaterialize> {
        let context = self.context();
        let mut builder = ExprBuilder::new(&context, space, steps.last().copied());
        let mut push = View::reshape(&self.graph.ty(anchor).shape, space);
        let mut value = builder.anchor(anchor, push.clone());
        if let Some(partner) = self.partners.get(&anchor) {
            partner.bind(&mut builder, push.clone());
        }
        for &step in steps {
            let node = &self.graph.nodes[step];
            if let Op::ViewOp(view) = &node.op {
                let back = view.map.inverse().ok_or(MustMaterialize(step))?;
                push = back.then(&push).ok_or(MustMaterialize(step))?;
                builder.bind(step, push.clone(), value);
            } else {
                value = builder.build(step, push.clone())?;
            }
        }
        let fused = builder.finish(value);
        let last = space.len() - 1;
        let contiguous = lanes_are_contiguous(&push, last, self.lanes)
            || self.graph.ty(anchor).shape[self.graph.ty(anchor).rank() - 1] == 1;
        if fused.reductions().is_empty() && contiguous { Ok((fused, push)) } else { Err(MustMaterialize(anchor)) }
    }
}
