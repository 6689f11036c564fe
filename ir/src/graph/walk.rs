//! A graph as petgraph walks it: an edge goes from a node to each of its operands.
//!
//! ```text
//!   %y = add %x, %a        %y ─▶ %x,  %y ─▶ %a           what is reached from %y is what %y is made of
//! ```
//!
//! Operands come before their users in the arena, so the order of ids is a topological one and no cycle exists.

use super::{Graph, NodeId};
use crate::id::IdVec;
use petgraph::visit::{Dfs, GraphBase, IntoNeighbors, NodeFiltered, VisitMap, Visitable};
use std::{
    collections::{BTreeSet, HashSet},
    iter::Copied,
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

impl Graph {
    /// The nodes that read each node, each once and in order.
    pub fn users(&self) -> IdVec<NodeId, Vec<NodeId>> {
        let mut users: IdVec<NodeId, Vec<NodeId>> = self.nodes.values().map(|_| Vec::new()).collect();
        for (id, node) in self.nodes.iter() {
            for &operand in &node.operands {
                if users[operand].last() != Some(&id) {
                    users[operand].push(id);
                }
            }
        }
        users
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
        let within = NodeFiltered::from_fn(self, |id| id == root || !outside(id));
        // A walk of a part takes memory for that part alone.
        let mut walk = Dfs::from_parts(vec![root], HashSet::new());
        std::iter::from_fn(|| walk.next(&within)).skip(1).collect()
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
}
