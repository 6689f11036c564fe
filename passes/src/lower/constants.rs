//! Constants of a program: where the values of each come from, and where it lies.
//!
//! ```text
//!   a weight in another order, perhaps times a factor  ─▶ moved: the weight and the view
//!   anything else: γ·W summed, a mask of positions…    ─▶ computed: an output of the constant graph
//! ```
//!
//! What is computed lies there in f32, also where the graph gives it a half type ([`crate::memory`]).
//!
//! Only the part of the graph that constants need is copied to the constant graph; it is evaluated once, when weights
//! are bound.

use super::{Buffers, Source};
use crate::error::Error;
use regard_ir::{
    graph::{Graph, NodeId},
    id::IdVec,
    ops::{Op, ViewOp},
    program::{BUFFER_ALIGN, Constant, ConstantSource, Layout, MovedWeight, Storage},
    types::DType,
    view::View,
};
use std::collections::BTreeMap;

/// The constants collected so far.
pub(crate) struct ConstantGraph<'a> {
    graph: &'a Graph,
    copied: BTreeMap<NodeId, NodeId>,
    /// Which output each computed value is.
    outputs: BTreeMap<NodeId, usize>,
    /// The weights that are moved, and one output per distinct value that is computed.
    pub out: Graph,
    /// What each constant buffer holds.
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

    /// Places a constant and says where its values come from; `held` are the element types in memory.
    pub(crate) fn add(
        &mut self,
        source: &Source,
        held: &IdVec<NodeId, DType>,
        buffers: &mut Buffers,
    ) -> Result<(), Error> {
        let (node, gather) = match source {
            Source::Dense(node) | Source::Panels(node, _) => (*node, None),
            Source::Gathered(node, gather) => (*node, Some(gather)),
        };
        let shape = gather.map_or(&self.graph.ty(node).shape, |gather| &gather.shape);
        let layout = match source {
            Source::Panels(_, width) => Layout::panels(shape, *width),
            _ => Layout::dense(shape),
        };
        let name = self.graph.text_name(node);
        let storage = Storage::Constant(self.bytes);
        let buffer = buffers.push(source.clone(), name, held[node], layout.stored() as u64, storage);
        self.bytes += buffers.rows[buffer].bytes().next_multiple_of(BUFFER_ALIGN);
        let view = gather.cloned().unwrap_or_else(|| View::identity(shape));
        let source = match ConstantSource::moved(self.graph, node, view) {
            Some(ConstantSource::Moved { mut weight, mut factor }) => {
                for MovedWeight { weight, .. } in factor.iter_mut().chain([&mut weight]) {
                    *weight = self.copy(*weight)?;
                }
                ConstantSource::Moved { weight, factor }
            }
            _ => self.computed(node, gather)?,
        };
        self.constants.push(Constant { buffer, source, layout });
        Ok(())
    }

    /// A constant that is evaluated.
    fn computed(&mut self, node: NodeId, gather: Option<&View>) -> Result<ConstantSource, Error> {
        let mut value = self.copy(node)?;
        if let Some(gather) = gather {
            value = self.out.push(ViewOp { map: gather.clone() }, &[value]).map_err(Error::broken)?;
        }
        let output = *self.outputs.entry(value).or_insert_with(|| {
            self.out.outputs.push(value);
            self.out.outputs.len() - 1
        });
        Ok(ConstantSource::Computed { output })
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
