//! A graph as petgraph walks it: an edge goes from a node to each of its operands.
//!
//! ```text
//!   %y = add %x, %a        %y ─▶ %x,  %y ─▶ %a           what is reached from %y is what %y is made of
//! ```
//!
//! Operands come before their users in the arena, so the order of ids is a topological one and no cycle exists. [`Users`] is
//! the same graph with its edges reversed, and a node's immediate post-dominator is the first one that all uses of it go
//! through:
//!
//! ```text
//!          ┌─▶ %b ─┐
//!   %a ────┤       ├─▶ %d ─▶ %e        post-dominator of %a: %d         between them: %b, %c
//!          └─▶ %c ─┘
//! ```

use super::{Graph, NodeId};
use crate::id::IdVec;
use petgraph::{
    algo::dominators::simple_fast,
    visit::{Dfs, GraphBase, GraphRef, IntoNeighbors, NodeFiltered, VisitMap, Visitable},
};
use std::{
    collections::{BTreeSet, HashSet},
    iter::{Copied, Map},
    ops::Index,
    slice,
};

/// Which nodes a walk has met.
#[derive(Clone, Debug, Default)]
pub struct Visited(IdVec<NodeId, bool>);

impl VisitMap<NodeId> for Visited {
    fn visit(&mut self, id: NodeId) -> bool {
        !std::mem::replace(&mut self.0[id], true)
    }
    fn is_visited(&self, id: &NodeId) -> bool {
        self.0[*id]
    }
    fn unvisit(&mut self, id: NodeId) -> bool {
        std::mem::replace(&mut self.0[id], false)
    }
}

impl GraphBase for Graph {
    /// A user and the place of an operand.
    type EdgeId = (NodeId, usize);
    type NodeId = NodeId;
}

impl Visitable for Graph {
    type Map = Visited;
    fn visit_map(&self) -> Visited {
        Visited(self.nodes.values().map(|_| false).collect())
    }
    fn reset_map(&self, map: &mut Visited) {
        *map = self.visit_map();
    }
}

impl<'a> IntoNeighbors for &'a Graph {
    type Neighbors = Copied<slice::Iter<'a, NodeId>>;
    fn neighbors(self, id: NodeId) -> Self::Neighbors {
        self.nodes[id].operands.iter().copied()
    }
}

/// The nodes that read each node, each once and in order.
#[derive(Clone, Debug)]
pub struct Users(IdVec<NodeId, Vec<NodeId>>);

impl Index<NodeId> for Users {
    type Output = [NodeId];
    fn index(&self, id: NodeId) -> &[NodeId] {
        &self.0[id]
    }
}

impl GraphBase for Users {
    /// A node and the place of a user.
    type EdgeId = (NodeId, usize);
    type NodeId = NodeId;
}

impl<'a> IntoNeighbors for &'a Users {
    type Neighbors = Copied<slice::Iter<'a, NodeId>>;
    fn neighbors(self, id: NodeId) -> Self::Neighbors {
        self[id].iter().copied()
    }
}

impl Users {
    /// The nodes on the ways from `from` up to `until`, its post-dominator, both left out: in no order, each once.
    pub fn between(&self, from: NodeId, until: NodeId) -> impl Iterator<Item = NodeId> {
        // Nodes above `until` have greater ids.
        let below = NodeFiltered::from_fn(self, move |id| id < until);
        let mut walk = Dfs::from_parts(vec![from], HashSet::new());
        std::iter::from_fn(move || walk.next(&below)).skip(1)
    }
}

/// A graph with one node more, `None`, that reads all outputs.
#[derive(Clone, Copy)]
struct WithExit<'a>(&'a Graph);

impl GraphBase for WithExit<'_> {
    type EdgeId = (Option<NodeId>, usize);
    type NodeId = Option<NodeId>;
}

impl GraphRef for WithExit<'_> {}

impl Visitable for WithExit<'_> {
    type Map = HashSet<Option<NodeId>>;
    fn visit_map(&self) -> Self::Map {
        HashSet::new()
    }
    fn reset_map(&self, map: &mut Self::Map) {
        map.clear();
    }
}

impl<'a> IntoNeighbors for WithExit<'a> {
    type Neighbors = Map<slice::Iter<'a, NodeId>, fn(&NodeId) -> Option<NodeId>>;
    fn neighbors(self, id: Option<NodeId>) -> Self::Neighbors {
        let read = id.map_or(&self.0.outputs, |id| &self.0.nodes[id].operands);
        read.iter().map(|&id| Some(id))
    }
}

impl Graph {
    /// The nodes that read each node.
    pub fn users(&self) -> Users {
        let mut users: IdVec<NodeId, Vec<NodeId>> = self.nodes.values().map(|_| Vec::new()).collect();
        for (id, node) in self.nodes.iter() {
            for &operand in &node.operands {
                if users[operand].last() != Some(&id) {
                    users[operand].push(id);
                }
            }
        }
        Users(users)
    }

    /// The immediate post-dominator of each node: the first node that every way from it to an output goes through. `None`
    /// where there is none, as for outputs and for nodes that no output needs.
    pub fn post_dominators(&self) -> IdVec<NodeId, Option<NodeId>> {
        let dominators = simple_fast(WithExit(self), None);
        self.nodes.ids().map(|id| dominators.immediate_dominator(Some(id)).flatten()).collect()
    }

    /// Whether each node is an output.
    pub fn are_outputs(&self) -> IdVec<NodeId, bool> {
        let outputs: BTreeSet<NodeId> = self.outputs.iter().copied().collect();
        self.nodes.ids().map(|id| outputs.contains(&id)).collect()
    }

    /// `roots` and all that they are made of, operands first.
    pub fn needed(&self, roots: impl IntoIterator<Item = NodeId>) -> BTreeSet<NodeId> {
        let mut walk = Dfs::empty(self);
        let mut met = BTreeSet::new();
        for root in roots {
            walk.move_to(root);
            met.extend(std::iter::from_fn(|| walk.next(self)));
        }
        met
    }

    /// What `root` is made of, itself left out, up to nodes that are `outside`, which are left out too.
    pub fn inside(&self, root: NodeId, outside: &dyn Fn(NodeId) -> bool) -> BTreeSet<NodeId> {
        self.reached(root, outside).skip(1).collect()
    }

    /// The same one after another, `root` first and included.
    pub fn reached(&self, root: NodeId, outside: impl Fn(NodeId) -> bool) -> impl Iterator<Item = NodeId> {
        let within = NodeFiltered::from_fn(self, move |id| id == root || !outside(id));
        // A walk of a part takes memory for that part alone.
        let mut walk = Dfs::from_parts(vec![root], HashSet::new());
        std::iter::from_fn(move || walk.next(&within))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;

    #[test]
    fn walks_end_at_what_is_outside() {
        let text = "graph g { %x = input : f32[2]
            %a = exp %x
            %b = exp %a
            %c = add %b, %x
            return %c }";
        let graph = crate::text::parse(text).expect("a valid graph");
        let [x, a, b, c] = [0, 1, 2, 3].map(NodeId::new);
        assert_eq!(graph.inside(c, &|_| false), [x, a, b].into());
        assert_eq!(graph.inside(c, &|id| id == a), [x, b].into());
        assert_eq!(graph.inside(c, &|id| id == c || id == x), [a, b].into());
        assert_eq!(graph.inside(x, &|_| false), BTreeSet::new());
    }

    #[test]
    fn uses_meet_in_the_post_dominator() {
        let text = "graph g { %x = input : f32[2]
            %a = exp %x
            %b = neg %a
            %c = abs %b
            %d = add %a, %c
            %e = mul %d, %x
            %f = exp %d
            return %e, %f }";
        let graph = crate::text::parse(text).expect("a valid graph");
        let [x, a, b, c, d, e, f] = [0, 1, 2, 3, 4, 5, 6].map(NodeId::new);
        let after = graph.post_dominators();
        assert_eq!([x, a, b, c, d, e, f].map(|id| after[id]), [None, Some(d), Some(c), Some(d), None, None, None]);
        assert_eq!(graph.users().between(a, d).collect::<BTreeSet<_>>(), [b, c].into());
        assert_eq!(graph.users().between(b, c).count(), 0);
    }
}
