//! Epilogues: how far up from an anchor one kernel goes.
//!
//! ```text
//!   matmul ─▶ + bias ─▶ view (undo windows) ─▶ view (undo shift) ─▶ + residual        each step has one user
//!      task space ──────── push: task ↦ element of this step ────────▶ root
//! ```
//!
//! The kernel runs in the anchor's own order. A view on the way up is inverted, so that each task knows
//! which element of the root it writes, and the other operands of a step are read at that element. The
//! chain ends where a value has a second user, a view has no inverse, or lanes would not stay together.

use super::{
    Planner,
    cone::{ConeBuilder, Cut},
    expr::Cone,
    lanes_are_contiguous,
};
use crate::core::{is_heavy, is_pointwise};
use regard_ir::{graph::NodeId, ops::Op, view::View};
use std::collections::BTreeSet;

impl Planner<'_> {
    /// The nodes above `anchor` that its kernel computes, in order; the last one is the group's root.
    pub(super) fn chain(&self, anchor: NodeId) -> Vec<NodeId> {
        let mut steps = Vec::new();
        let mut current = anchor;
        while !self.materialized[current]
            && let [user] = self.users[current][..]
            && self.continues(anchor, current, user)
        {
            steps.push(user);
            current = user;
        }
        while !steps.is_empty() && self.build_epilogue(anchor, &steps).is_err() {
            steps.pop();
        }
        steps
    }

    fn continues(&self, anchor: NodeId, current: NodeId, user: NodeId) -> bool {
        let partner = self.partners.get(&anchor).map(|partner| partner.inverse);
        let node = &self.graph.nodes[user];
        match &node.op {
            Op::ViewOp(view) => view.map.inverse().is_some(),
            op if is_pointwise(op) => node.operands.iter().all(|&o| o == current || !self.pending(o, partner)),
            _ => false,
        }
    }

    /// Whether a node's value holds a product or reduction that is not in memory yet, the anchor's partner excepted.
    fn pending(&self, id: NodeId, partner: Option<NodeId>) -> bool {
        let mut work = vec![id];
        let mut seen = BTreeSet::new();
        while let Some(id) = work.pop() {
            if self.materialized[id] || self.constant[id] || partner == Some(id) || !seen.insert(id) {
                continue;
            }
            let node = &self.graph.nodes[id];
            if is_heavy(&node.op) || matches!(node.op, Op::Reduce(_)) {
                return true;
            }
            work.extend(&node.operands);
        }
        false
    }

    /// The epilogue of an anchor whose chain is settled, and where each point of `space` is stored.
    pub(super) fn epilogue(&self, anchor: NodeId, space: &[usize]) -> Result<(Cone, View), Cut> {
        let steps = self.settled_chain(anchor);
        self.build(anchor, &steps, space)
    }

    /// The chain up to the first materialised node.
    fn settled_chain(&self, anchor: NodeId) -> Vec<NodeId> {
        let mut steps = Vec::new();
        let mut current = anchor;
        while !self.materialized[current] {
            current = self.users[current][0];
            steps.push(current);
        }
        steps
    }

    fn build_epilogue(&self, anchor: NodeId, steps: &[NodeId]) -> Result<(Cone, View), Cut> {
        let shape = &self.graph.ty(anchor).shape;
        let n = *shape.last().ok_or(Cut(anchor))?;
        let m = shape[shape.len() - 2];
        let batch = self.graph.ty(anchor).elements() / (m * n).max(1);
        self.build(anchor, steps, &[batch, m, n])
    }

    fn build(&self, anchor: NodeId, steps: &[NodeId], space: &[usize]) -> Result<(Cone, View), Cut> {
        let context = self.context();
        let mut builder = ConeBuilder::new(&context, space, steps.last().copied());
        let mut push = View::reshape(&self.graph.ty(anchor).shape, space);
        let mut value = builder.anchor(anchor, push.clone());
        if let Some(partner) = self.partners.get(&anchor) {
            partner.bind(&mut builder, push.clone());
        }
        for &step in steps {
            let node = &self.graph.nodes[step];
            if let Op::ViewOp(view) = &node.op {
                let back = view.map.inverse().ok_or(Cut(step))?;
                push = back.then(&push).ok_or(Cut(step))?;
                builder.bind(step, push.clone(), value);
            } else {
                value = builder.build(step, push.clone())?;
            }
        }
        let cone = builder.finish(value);
        let last = space.len() - 1;
        let contiguous = lanes_are_contiguous(&push, last, self.lanes)
            || self.graph.ty(anchor).shape[self.graph.ty(anchor).rank() - 1] == 1;
        if cone.reductions().is_empty() && contiguous { Ok((cone, push)) } else { Err(Cut(anchor)) }
    }
}
