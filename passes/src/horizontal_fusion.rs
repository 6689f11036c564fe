//! Horizontal fusion: several matmuls of one tensor by constant weights become one.
//!
//! ```text
//!        ┌─ · Wq + bq ─▶ q                                   ┌─ columns 0…   ─▶ q
//!     x ─┼─ · Wk + bk ─▶ k        x · [Wq Wk Wv] + [bq bk bv] ─┼─ columns n…   ─▶ k
//!        └─ · Wv + bv ─▶ v                                   └─ columns n+m… ─▶ v
//! ```
//!
//! One launch instead of several, and the left operand is packed once. It happens after extraction, because it is a
//! matter of kernels and not of ops: the multiplications are the same. A product takes part where
//!
//! * its left operand is the same node, so the same tensor under the same view, and not constant;
//! * its right operand is a constant `[k, n]`;
//! * after views that can be undone, at most one constant row added to it and at most one activation, its kernel would
//!   end anyway: what follows reads a tensor from memory. A residual or a gate after it is worth more as its epilogue;
//! * the activation is that of the others: one kernel does the same to all its columns;
//! * readers that found neighbours side by side still find them so in the columns of the whole.
//!
//! Concatenated weights are constants: they are joined and packed before the first run.

#[cfg(test)]
mod tests;

use crate::{
    canonical::{Canonical, is_pointwise},
    egraph::view_queries,
    error::Error,
    plan::lanes_are_contiguous,
    step::RewriteStep,
};
use regard_ir::{
    graph::{Graph, NodeId, Rewriter, Users},
    id::IdVec,
    ops::{self, BinaryOp, Input, Op, Weight},
    target::Target,
    types::{Real, TensorType},
    view::View,
};
use std::collections::BTreeMap;

/// The name of this step.
pub(crate) const RULE: &str = "merge-parallel-products";

/// One of several products.
struct Member {
    /// Columns.
    n: usize,
    /// The constant `[k, n]`.
    weights: NodeId,
    /// The node whose value is taken from the whole: the product, the sum with its row, or the activation.
    value: NodeId,
    /// From the product to that value.
    through: View,
    /// From the sum to that value; the same without a row.
    behind: View,
    term: Option<Row>,
    activation: Option<Op>,
}

/// A row added to a product.
struct Row {
    /// The constant that it is read from.
    constant: NodeId,
    /// From the product to the sum.
    at: View,
    /// As it is added, in the shape of the sum.
    added: View,
    /// As a row `[1, n]` of the product's columns.
    row: View,
}

/// The graph with parallel products merged, and a step for each merger; `graph` is in canonical form, and so is the result.
pub(crate) fn fuse_parallel_matmuls(
    graph: &Canonical,
    target: &Target,
) -> Result<(Canonical, Vec<RewriteStep>), Error> {
    let finder = Finder::new(graph, target.lanes as usize);
    let groups = finder.groups();
    if groups.is_empty() {
        return Ok((graph.clone(), Vec::new()));
    }
    let steps = groups.iter().map(|((x, _), group)| step(graph, *x, group)).collect::<Result<_, String>>();
    let merged = rebuild(graph, &groups).map_err(Error::broken)?;
    Ok((Canonical::sunk(&merged)?, steps.map_err(Error::broken)?))
}

/// Products to merge, by what they have in common: the left operand, and what follows.
type Groups = BTreeMap<(NodeId, Option<Op>), Vec<Member>>;

struct Finder<'a> {
    graph: &'a Graph,
    constant: IdVec<NodeId, bool>,
    users: Users,
    is_output: IdVec<NodeId, bool>,
    lanes: usize,
}

impl<'a> Finder<'a> {
    fn new(graph: &'a Graph, lanes: usize) -> Self {
        Finder { graph, constant: graph.constants(), users: graph.users(), is_output: graph.are_outputs(), lanes }
    }

    fn groups(&self) -> Groups {
        let mut groups = Groups::new();
        for (id, node) in self.graph.nodes.iter().filter(|(_, node)| matches!(node.op, Op::MatMul(_))) {
            let (x, weights) = (node.operands[0], node.operands[1]);
            if !self.constant[x]
                && self.constant[weights]
                && self.graph.ty(weights).rank() == 2
                && let Some(member) = self.member(id, weights)
            {
                groups.entry((x, member.activation.clone())).or_default().push(member);
            }
        }
        groups.retain(|_, group| self.keep_neighbours(group) >= 2);
        groups
    }

    /// The product with the row after it, where its kernel would end there.
    fn member(&self, product: NodeId, weights: NodeId) -> Option<Member> {
        let ty = self.graph.ty(product);
        let here = View::identity(&ty.shape);
        let (mut last, mut view, mut behind) = (product, here.clone(), here.clone());
        let (n, through, term, activation) = (*ty.shape.last()?, here.clone(), None, None);
        let mut member = Member { n, weights, value: product, through, behind: here, term, activation };
        loop {
            if self.is_output[last] {
                return None;
            }
            let [user] = self.users[last][..] else {
                return (!self.users[last].is_empty()).then_some(member);
            };
            let node = &self.graph.nodes[user];
            match &node.op {
                Op::ViewOp(inner) if inner.map.inverse().is_some() => {
                    (view, behind) = (view.then(&inner.map)?, behind.then(&inner.map)?);
                }
                op if member.activation.is_some() && is_pointwise(op) => return None,
                Op::Binary(sum) if sum.op == BinaryOp::Add && member.term.is_none() => {
                    let other = node.operands.iter().copied().find(|&o| o != last)?;
                    member.term = Some(self.row(other, &view, &ty.shape)?);
                    behind = View::identity(&view.shape);
                    (member.value, member.through, member.behind) = (user, view.clone(), behind.clone());
                }
                op @ (Op::Gelu(_) | Op::Unary(_)) => {
                    member.activation = Some(op.clone());
                    (member.value, member.through, member.behind) = (user, view.clone(), behind.clone());
                }
                op if is_pointwise(op) => return None,
                _ => return Some(member),
            }
            last = user;
        }
    }

    /// A constant that is added after a view of a product of that shape, where it is one row repeated.
    fn row(&self, other: NodeId, view: &View, shape: &[usize]) -> Option<Row> {
        if !self.constant[other] {
            return None;
        }
        let node = &self.graph.nodes[other];
        let (constant, added) = match &node.op {
            Op::ViewOp(inner) => (node.operands[0], inner.map.clone()),
            _ => (other, View::identity(&node.ty.shape)),
        };
        let back = view.inverse()?.with_shape(shape)?;
        let undone = added.then(&back)?;
        let row = view_queries::repeats_a_row(&undone).then(|| view_queries::first_row(&undone)).flatten()?;
        Some(Row { constant, at: view.clone(), added, row })
    }

    /// Drops members whose readers would find lanes torn apart; how many are left.
    fn keep_neighbours(&self, group: &mut Vec<Member>) -> usize {
        let whole: usize = group.iter().map(|member| member.n).sum();
        let mut start = 0;
        group.retain(|member| {
            let columns = columns(&self.graph.ty(member.value).shape, member, whole, start);
            start += member.n;
            columns.is_some_and(|columns| self.users[member.value].iter().all(|&user| self.reads(user, &columns)))
        });
        group.len()
    }

    /// Whether a user of a value, which now is `columns` of the whole, reads it lane by lane as before.
    fn reads(&self, user: NodeId, columns: &View) -> bool {
        let (before, after) = match &self.graph.nodes[user].op {
            Op::ViewOp(inner) => (inner.map.clone(), columns.then(&inner.map)),
            _ => (View::identity(&columns.shape), Some(columns.clone())),
        };
        let side_by_side =
            |view: &View| view.shape.is_empty() || lanes_are_contiguous(view, view.shape.len() - 1, self.lanes);
        after.is_some_and(|after| side_by_side(&after) || !side_by_side(&before))
    }
}

/// A member's value as a view of the whole, which has `whole` columns; the member's begin at `start`.
fn columns(value: &[usize], member: &Member, whole: usize, start: usize) -> Option<View> {
    let product: usize = value.iter().product();
    let shape = [product / member.n, whole];
    let slice = View::slice(&shape, 1, start, start + member.n, 1);
    slice.then(&member.through)
}

/// The products one by one, as they were written.
fn apart(out: &mut Graph, x: NodeId, group: &[Moved]) -> Result<Vec<NodeId>, String> {
    let value = |&(member, weights, constant): &Moved| {
        let mut value = out.push(ops::MatMul, &[x, weights])?;
        if let (Some(term), Some(constant)) = (&member.term, constant) {
            value = out.push(ops::ViewOp { map: term.at.clone() }, &[value])?;
            let added = out.push(ops::ViewOp { map: term.added.clone() }, &[constant])?;
            value = out.push(ops::Binary { op: BinaryOp::Add }, &[value, added])?;
        }
        value = out.push(ops::ViewOp { map: member.behind.clone() }, &[value])?;
        match &member.activation {
            Some(activation) => out.push(activation.clone(), &[value]),
            None => Ok(value),
        }
    };
    group.iter().map(value).collect()
}

/// The products as one, and each value as a view of it.
fn together(out: &mut Graph, x: NodeId, group: &[Moved]) -> Result<Vec<NodeId>, String> {
    let weights: Vec<NodeId> = group.iter().map(|&(_, weights, _)| weights).collect();
    let weights = out.push(ops::Concat { axis: -1 }, &weights)?;
    let mut whole = out.push(ops::MatMul, &[x, weights])?;
    let ty = out.ty(whole).clone();
    if group.iter().any(|(member, ..)| member.term.is_some()) {
        let row = |&(member, _, constant): &Moved| match (&member.term, constant) {
            (Some(term), Some(constant)) => out.push(ops::ViewOp { map: term.row.clone() }, &[constant]),
            _ => out.push(ops::Const { ty: TensorType::new(ty.dtype, [1, member.n]), value: Real::new(0.0) }, &[]),
        };
        let rows: Vec<NodeId> = group.iter().map(row).collect::<Result<_, _>>()?;
        let row = out.push(ops::Concat { axis: -1 }, &rows)?;
        let repeated = View::expand(&out.ty(row).shape, &ty.shape);
        let repeated = out.push(ops::ViewOp { map: repeated }, &[row])?;
        whole = out.push(ops::Binary { op: BinaryOp::Add }, &[whole, repeated])?;
    }
    if let Some(activation) = group.iter().find_map(|(member, ..)| member.activation.clone()) {
        whole = out.push(activation, &[whole])?;
    }
    let (axis, mut start) = (ty.rank() - 1, 0);
    let value = |(member, ..): &Moved| {
        let slice = View::slice(&ty.shape, axis, start, start + member.n, 1);
        start += member.n;
        let map = slice.then(&member.through).ok_or("columns of a product do not compose with their view")?;
        out.push(ops::ViewOp { map }, &[whole])
    };
    group.iter().map(value).collect()
}

/// A member with its weights and its row in another graph.
type Moved<'a> = (&'a Member, NodeId, Option<NodeId>);

/// Writes one side of the merger: the value of each member.
type Side = fn(&mut Graph, NodeId, &[Moved]) -> Result<Vec<NodeId>, String>;

/// The merger as a step of its own.
fn step(graph: &Graph, x: NodeId, group: &[Member]) -> Result<RewriteStep, String> {
    let side = |values: Side| {
        let mut out = Graph::new(RULE);
        let mut leaf = |op: Op, name: String| -> Result<NodeId, String> {
            let leaf = out.push(op, &[])?;
            out.set_label(leaf, name);
            Ok(leaf)
        };
        let input = leaf(Input { ty: graph.ty(x).clone() }.into(), "x".into())?;
        let mut members = Vec::new();
        for (i, member) in group.iter().enumerate() {
            let mut constant =
                |id: NodeId, name: &str| leaf(Weight { ty: graph.ty(id).clone() }.into(), format!("{name}{i}"));
            let weights = constant(member.weights, "w")?;
            let row = member.term.as_ref().map(|term| constant(term.constant, "b")).transpose()?;
            members.push((member, weights, row));
        }
        out.outputs = values(&mut out, input, &members)?;
        Ok::<Graph, String>(out)
    };
    Ok(RewriteStep { rule: RULE.into(), backward: false, left: side(apart)?, right: side(together)? })
}

/// The graph with each group in one product, which stands where the first of its values stood.
fn rebuild(graph: &Graph, groups: &Groups) -> Result<Graph, String> {
    let mut home = BTreeMap::new();
    for ((x, _), group) in groups {
        home.extend(group.iter().map(|member| (member.value, (*x, group))));
    }
    let mut rewriter = Rewriter::new(graph);
    for id in graph.nodes.ids() {
        let Some(&(x, group)) = home.get(&id) else {
            if rewriter.get(id).is_none() {
                rewriter.copy(id)?;
            }
            continue;
        };
        if rewriter.get(id).is_some() {
            continue;
        }
        let constants = group.iter().flat_map(|m| [Some(m.weights), m.term.as_ref().map(|term| term.constant)]);
        for constant in graph.needed(constants.flatten()) {
            if rewriter.get(constant).is_none() {
                rewriter.copy(constant)?;
            }
        }
        let at = |id: NodeId| rewriter.get(id).ok_or("an operand comes first");
        let members = group.iter().map(|member| {
            let constant = member.term.as_ref().map(|term| at(term.constant)).transpose()?;
            Ok((member, at(member.weights)?, constant))
        });
        let members: Vec<_> = members.collect::<Result<_, &str>>()?;
        let x = at(x)?;
        let values = together(rewriter.graph_mut(), x, &members)?;
        for (member, value) in group.iter().zip(values) {
            rewriter.replace(member.value, value);
        }
    }
    Ok(rewriter.finish()?.0)
}
