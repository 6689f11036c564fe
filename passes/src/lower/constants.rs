//! Constants of a program: what each holds, as a graph over the weights, and where it lies.
//!
//! ```text
//!   weights ─(folded γ·W, gathered bias, mask…)─▶ one output per constant ─layout─▶ bytes
//! ```
//!
//! What is computed lies there in f32, also where the graph gives it a half type ([`crate::memory`]).
//!
//! Only the part of the graph that constants need is copied; it is evaluated once, when weights are bound.

use super::{Buffers, Source, panel_layout};
use crate::error::Error;
use regard_ir::{
    graph::{Graph, NodeId},
    id::IdVec,
    ops::{Op, ViewOp},
    program::{BUFFER_ALIGN, Constant, Layout, Storage},
    types::DType,
};
use std::collections::BTreeMap;

/// The constants collected so far.
pub(crate) struct ConstantGraph<'a> {
    graph: &'a Graph,
    copied: BTreeMap<NodeId, NodeId>,
    /// Which output each value is.
    outputs: BTreeMap<NodeId, usize>,
    /// One output per distinct constant value.
    pub out: Graph,
    /// Which output each constant buffer holds.
    pub constants: Vec<Constant>,
    /// Bytes of all constants so far.
    pub bytes: u64,
}

impl<'a> ConstantGraph<'a> {
    /// No constants yet.
    pub(crate) fn new(graph: &'a Graph) -> Self {
        let out = Graph::new(format!("{}_constants", graph.name));
        Self { graph, copied: BTreeMap::new(), outputs: BTreeMap::new(), out, constants: Vec::new(), bytes: 0 }
    }

    /// Places a constant and says how it is made; `held` are the element types in memory.
    pub(crate) fn add(
        &mut self,
        source: &Source,
        held: &IdVec<NodeId, DType>,
        buffers: &mut Buffers,
    ) -> Result<(), Error> {
        let (node, layout) = match source {
            Source::Dense(node) | Source::Gathered(node, _) => (*node, Layout::Dense),
            Source::Panels(node, width) => {
                let shape = &self.graph.ty(*node).shape;
                (*node, panel_layout(shape[0], shape[1], *width))
            }
        };
        let mut value = self.copy(node)?;
        if let Source::Gathered(_, gather) = source {
            value = self.out.push(ViewOp { map: gather.clone() }, &[value]).map_err(Error::broken)?;
        }
        let len = layout.stored(self.out.ty(value).elements()) as u64;
        let name = self.graph.text_name(node);
        let buffer = buffers.push(source.clone(), name, held[node], len, Storage::Constant(self.bytes));
        self.bytes += buffers.rows[buffer].bytes().next_multiple_of(BUFFER_ALIGN);
        let output = *self.outputs.entry(value).or_insert_with(|| {
            self.out.outputs.push(value);
            self.out.outputs.len() - 1
        });
        self.constants.push(Constant { buffer, output, layout });
        Ok(())
    }

    /// Copies a node and everything it is made of.
    fn copy(&mut self, node: NodeId) -> Result<NodeId, Error> {
        let mut work = vec![node];
        while let Some(&id) = work.last() {
            let source = &self.graph.nodes[id];
            if matches!(source.op, Op::Input(_)) {
                return Err(Error::broken(format!("constant {node} depends on an input")));
            }
            let missing: Vec<NodeId> =
                source.operands.iter().copied().filter(|o| !self.copied.contains_key(o)).collect();
            if missing.is_empty() {
                work.pop();
                if !self.copied.contains_key(&id) {
                    let mut copy = source.clone();
                    copy.operands.iter_mut().for_each(|o| *o = self.copied[o]);
                    let new = self.out.nodes.push(copy);
                    self.copied.insert(id, new);
                }
            } else {
                work.extend(missing);
            }
        }
        Ok(self.copied[&node])
    }
}
