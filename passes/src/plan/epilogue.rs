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
    cone::{ConeBuilder, Cut},
    expr::Cone,
    lanes_are_contiguous,
};
use crate::canonical::{is_heavy, is_pointwise};
use regard_ir::{graph::NodeId, ops::Op, view::View};
use std::collections::BTreeSet;

/// Most steps of an epilogue.
const MOST_STEPS: usize = 64;
/// Most nodes that are looked at for a product or reduction below the operand of a step.
const MOST_BELOW: usize = 512;

impl Planner<'_> {
    /// The nodes above `anchor` that its kernel computes, in order; the last one is the group's root.
    pub(super) fn chain(&self, anchor: NodeId) -> Vec<NodeId> {
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
        const WIDEST: usize = 16;
        let partner = self.partners.get(&anchor).map(|partner| partner.inverse);
        if let [user] = self.facts.users[current][..]
            && let Op::ViewOp(view) = &self.graph.nodes[user].op
        {
            return view.map.inverse().map(|_| user);
        }
        let mut inside = BTreeSet::from([current]);
        let mut open: BTreeSet<NodeId> = self.facts.users[current].iter().copied().collect();
        // Operands come first, so the least open node is used by no other open one's operands.
        while let Some(user) = open.pop_first() {
            let node = &self.graph.nodes[user];
            let fits = |&o: &NodeId| inside.contains(&o) || !self.pending(o, partner);
            if !is_pointwise(&node.op) || !node.operands.iter().all(fits) || inside.len() > WIDEST {
                return None;
            }
            if open.is_empty() {
                return Some(user);
            }
            if self.materialized[user] || self.facts.users[user].is_empty() {
                return None;
            }
            inside.insert(user);
            open.extend(&self.facts.users[user]);
        }
        None
    }

    /// Whether a node's value holds a product or reduction that is not in memory yet, the anchor's partner excepted.
    fn pending(&self, id: NodeId, partner: Option<NodeId>) -> bool {
        let mut work = vec![id];
        let mut seen = BTreeSet::new();
        while let Some(id) = work.pop() {
            if self.materialized[id] || self.facts.constant[id] || partner == Some(id) || !seen.insert(id) {
                continue;
            }
            let node = &self.graph.nodes[id];
            if is_heavy(&node.op) || matches!(node.op, Op::Reduce(_)) || seen.len() > MOST_BELOW {
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
        while !self.materialized[current]
            && let Some(next) = self.next(anchor, current)
        {
            current = next;
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
