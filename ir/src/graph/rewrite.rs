//! Writes a graph anew: node by node, operands first, each node copied or replaced.
//!
//! ```text
//!   old  %x ─▶ %a ─▶ %b ─▶ %y          copy(%x), copy(%a), replace(%b, new node), copy(%y)
//!   new  %x ─▶ %a ─▶ %b′ ─▶ %y         operands are looked up; labels move along; what no output needs is dropped
//! ```
//!
//! A pass says only what it replaces. Which new node stands for each old one is a [`NodeMap`], so that passes compose.

use super::{Graph, NodeId};
use crate::{id::IdVec, ops::Op};
use std::collections::BTreeSet;

/// For each node of one graph the node of another that has its value; `None` where the other does not compute it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NodeMap(IdVec<NodeId, Option<NodeId>>);

impl NodeMap {
    /// Each node of a graph to itself.
    pub fn identity(graph: &Graph) -> Self {
        graph.nodes.ids().map(Some).collect()
    }
    /// The new node of an old one.
    pub fn get(&self, old: NodeId) -> Option<NodeId> {
        self.0[old]
    }
    /// This map, then `second`.
    pub fn then(&self, second: &NodeMap) -> NodeMap {
        self.values().map(|new| new.and_then(|new| second.get(new))).collect()
    }
    /// The new nodes in the order of the old ones.
    pub fn values(&self) -> impl Iterator<Item = Option<NodeId>> {
        self.0.values().copied()
    }
}

impl FromIterator<Option<NodeId>> for NodeMap {
    fn from_iter<I: IntoIterator<Item = Option<NodeId>>>(nodes: I) -> Self {
        Self(nodes.into_iter().collect())
    }
}

/// A graph while it is written anew.
pub struct Rewriter<'a> {
    old: &'a Graph,
    new: Graph,
    map: NodeMap,
    /// Labels in use: a label stays unique where one node became several.
    labels: BTreeSet<&'a str>,
}

impl<'a> Rewriter<'a> {
    /// An empty graph of the same name.
    pub fn new(old: &'a Graph) -> Self {
        let map = old.nodes.ids().map(|_| None).collect();
        Self { old, new: Graph::new(old.name.clone()), map, labels: BTreeSet::new() }
    }

    /// The graph written so far.
    pub fn graph(&self) -> &Graph {
        &self.new
    }
    /// The same, to append nodes that no old node stands for.
    pub fn graph_mut(&mut self) -> &mut Graph {
        &mut self.new
    }

    /// The new node of an old one; `None` where it has none yet.
    pub fn get(&self, old: NodeId) -> Option<NodeId> {
        self.map.get(old)
    }

    /// The new operands of an old node; `None` where one has not been written.
    pub fn operands(&self, old: NodeId) -> Option<Vec<NodeId>> {
        self.old.nodes[old].operands.iter().map(|&operand| self.get(operand)).collect()
    }

    /// Writes an old node with another op over its new operands.
    ///
    /// # Errors
    /// Where an operand has not been written, or the op does not take it.
    pub fn push(&mut self, old: NodeId, op: impl Into<Op>) -> Result<NodeId, String> {
        let operands = self.operands(old).ok_or_else(|| format!("an operand of {old} is missing"))?;
        let new = self.new.push(op, &operands)?;
        self.replace(old, new);
        Ok(new)
    }

    /// Writes an old node as it is.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn copy(&mut self, old: NodeId) -> Result<NodeId, String> {
        self.push(old, self.old.nodes[old].op.clone())
    }

    /// Says that `new` has the value of `old`. It takes over the label, unless it has one or the label is taken.
    pub fn replace(&mut self, old: NodeId, new: NodeId) {
        self.map.0[old] = Some(new);
        if let Some(label) = &self.old.nodes[old].label
            && self.new.nodes[new].label.is_none()
            && self.labels.insert(label)
        {
            self.new.set_label(new, label.clone());
        }
    }

    /// The new graph without nodes that no output needs, and where each old node went.
    ///
    /// # Errors
    /// Where an output has not been written.
    pub fn finish(mut self) -> Result<(Graph, NodeMap), String> {
        let new = |&output: &NodeId| self.get(output).ok_or_else(|| format!("output {output} is missing"));
        self.new.outputs = self.old.outputs.iter().map(new).collect::<Result<_, _>>()?;
        let (graph, kept) = self.new.pruned();
        Ok((graph, self.map.then(&kept)))
    }
}

impl Graph {
    /// The graph without nodes that no output needs; inputs stay. Also returns where each node went.
    pub fn pruned(&self) -> (Graph, NodeMap) {
        let live = self.needed(self.inputs().into_iter().chain(self.outputs.iter().copied()));
        let mut graph = Graph::new(self.name.clone());
        let mut moved: IdVec<NodeId, Option<NodeId>> = IdVec::new();
        for (id, node) in self.nodes.iter() {
            let new = live.contains(&id).then(|| {
                let mut node = node.clone();
                node.operands.iter_mut().for_each(|o| *o = moved[*o].expect("operands of live nodes are live"));
                graph.nodes.push(node)
            });
            moved.push(new);
        }
        graph.outputs = self.outputs.iter().map(|&o| moved[o].expect("outputs are live")).collect();
        (graph, NodeMap(moved))
    }
}
