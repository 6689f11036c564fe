//! Graph IR: what is computed, one node per tensor.
//!
//! Nodes lie in an append-only arena, operands first, so a graph cannot be cyclic and every walk is a
//! loop over ids. A node may carry a label: the name of an input or weight, or of the module whose output
//! it is; labels are unique and are the node's name in text.
//!
//! ```text
//!   graph rows {
//!     %q = input : f32[2, 49, 32]
//!     %k = input : f32[2, 49, 32]
//!     %t = transpose %k { order = [-1, -2] }
//!     %s = matmul %q, %t
//!     return %s
//!   }
//! ```

mod bound;
mod builder;
mod eval;
mod maps;
mod names;
mod rewrite;
mod tensor;
#[cfg(test)]
mod tests;
mod walk;
mod windows;

pub use bound::{WithErrorBound, eval_bounded, eval_bounded_stored};
pub use builder::{Builder, attempt};
pub use eval::{EvalError, eval, eval_nodes};
pub use names::Names;
pub use rewrite::{NodeMap, Rewriter};
pub use tensor::Tensor;
pub use walk::Users;

use crate::{
    count::counted,
    define_id,
    id::{Id, IdVec},
    ops::Op,
    types::{DType, TensorType},
};
use std::collections::{BTreeMap, BTreeSet};

define_id!(
    /// A node of a graph; `%7` in text where it has no label.
    NodeId, "%"
);

/// One op applied to earlier nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// What is done.
    pub op: Op,
    /// To what; smaller ids.
    pub operands: Vec<NodeId>,
    /// Type of the result.
    pub ty: TensorType,
    /// Unique name, for example `layers.0.blocks.0.attn`.
    pub label: Option<String>,
}

/// A computation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Graph {
    /// Name of the model or block.
    pub name: String,
    /// Nodes, operands first.
    pub nodes: IdVec<NodeId, Node>,
    /// What is returned, in order.
    pub outputs: Vec<NodeId>,
}

impl Graph {
    /// An empty graph.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
    /// Appends a node after checking arity and types; the error is one sentence.
    pub fn push(&mut self, op: impl Into<Op>, operands: &[NodeId]) -> Result<NodeId, String> {
        let op = op.into();
        let (least, most) = op.arity();
        if operands.len() < least || operands.len() > most {
            let expected = match most {
                usize::MAX => format!("{least} or more"),
                _ if least == most => least.to_string(),
                _ => format!("{least} to {most}"),
            };
            return Err(format!("{} has {}, expected {expected}", op.name(), counted(operands.len(), "operand")));
        }
        let types: Vec<&TensorType> = operands.iter().map(|&o| &self.nodes[o].ty).collect();
        let ty = op.infer(&types)?;
        Ok(self.nodes.push(Node { op, operands: operands.to_vec(), ty, label: None }))
    }
    /// Names a node. Labels are unique: the verifier reports duplicates.
    pub fn set_label(&mut self, node: NodeId, label: impl Into<String>) {
        self.nodes[node].label = Some(label.into());
    }
    /// The node with that label.
    pub fn labelled(&self, label: &str) -> Option<NodeId> {
        self.nodes.iter().find(|(_, n)| n.label.as_deref() == Some(label)).map(|(id, _)| id)
    }
    /// A node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }
    /// Type of a node.
    pub fn ty(&self, id: NodeId) -> &TensorType {
        &self.nodes[id].ty
    }
    /// Types of a node's operands.
    pub fn operand_types(&self, id: NodeId) -> Vec<&TensorType> {
        self.nodes[id].operands.iter().map(|&o| &self.nodes[o].ty).collect()
    }
    /// The node's name in text, without `%`: its label or its number.
    pub fn text_name(&self, id: NodeId) -> String {
        self.nodes[id].label.clone().unwrap_or_else(|| id.index().to_string())
    }
    /// The names of the outputs, in order and all different: the text names of their nodes. One that is taken already,
    /// because a node is returned twice, gets the first free number after a dot: `y`, `y.1`, `y.2`.
    pub fn output_names(&self) -> Vec<String> {
        let plain: Vec<String> = self.outputs.iter().map(|&output| self.text_name(output)).collect();
        let own: BTreeSet<&String> = plain.iter().collect();
        let (mut taken, mut next) = (BTreeSet::new(), BTreeMap::new());
        let mut names = Vec::with_capacity(plain.len());
        for name in &plain {
            let mut unique = name.clone();
            while taken.contains(&unique) || (unique != *name && own.contains(&unique)) {
                let number = next.entry(name).or_insert(0);
                *number += 1;
                unique = format!("{name}.{number}");
            }
            taken.insert(unique.clone());
            names.push(unique);
        }
        names
    }
    /// The inputs, in order of appearance.
    pub fn inputs(&self) -> Vec<NodeId> {
        self.nodes.iter().filter(|(_, n)| matches!(n.op, Op::Input(_))).map(|(id, _)| id).collect()
    }
    /// The weights, in order of appearance.
    pub fn weights(&self) -> Vec<NodeId> {
        self.nodes.iter().filter(|(_, n)| matches!(n.op, Op::Weight(_))).map(|(id, _)| id).collect()
    }
    /// How many times each node is used, outputs included.
    pub fn use_counts(&self) -> IdVec<NodeId, usize> {
        let mut counts: IdVec<NodeId, usize> = self.nodes.values().map(|_| 0).collect();
        for node in self.nodes.values() {
            node.operands.iter().for_each(|&o| counts[o] += 1);
        }
        self.outputs.iter().for_each(|&o| counts[o] += 1);
        counts
    }
    /// Floating-point operations of the whole graph, 2 per multiply-add.
    pub fn flops(&self) -> u64 {
        self.nodes.iter().map(|(id, n)| n.op.flops(&self.operand_types(id), &n.ty)).sum()
    }
    /// The same without what depends on no input, which is computed once.
    pub fn flops_per_run(&self) -> u64 {
        let constant = self.constants();
        let computed = self.nodes.iter().filter(|(id, _)| !constant[*id]);
        computed.map(|(id, n)| n.op.flops(&self.operand_types(id), &n.ty)).sum()
    }
    /// Number of weight elements that are learned, the model's parameter count: neither integers nor statistics that
    /// batch normalisation recorded.
    pub fn parameters(&self) -> u64 {
        let norms = self.nodes.values().filter(|node| matches!(node.op, Op::BatchNorm(_)));
        let recorded: BTreeSet<NodeId> = norms.flat_map(|node| node.operands[3..].iter().copied()).collect();
        let learned = self.weights().into_iter().filter(|w| !recorded.contains(w) && self.ty(*w).dtype.is_float());
        learned.map(|w| self.ty(w).elements() as u64).sum()
    }
    /// Marks nodes whose value depends on no input: weights, constants and what is made of them alone.
    pub fn constants(&self) -> IdVec<NodeId, bool> {
        let mut constant: IdVec<NodeId, bool> = IdVec::new();
        for node in self.nodes.values() {
            let is = !matches!(node.op, Op::Input(_)) && node.operands.iter().all(|&o| constant[o]);
            constant.push(is);
        }
        constant
    }
    /// The smallest extent that anything gathers or routes by indices made from `input`; 16 where nothing does.
    pub fn index_bound(&self, input: NodeId) -> usize {
        let mut derived: IdVec<NodeId, bool> = IdVec::new();
        let mut bound = 16;
        for (id, node) in self.nodes.iter() {
            let from = |&operand: &NodeId| derived[operand];
            let is = id == input || node.operands.iter().any(from);
            let rows = match (&node.op, &node.operands[..]) {
                (Op::Gather(_), [table, indices]) if from(indices) => self.ty(*table).shape.first(),
                (Op::RoutedAttention(_), [_, keys, _, regions]) if from(regions) => self.ty(*keys).shape.get(1),
                _ => None,
            };
            bound = rows.map_or(bound, |&rows| bound.min(rows));
            derived.push(is && self.ty(id).dtype == DType::I32);
        }
        bound.max(1)
    }
}
