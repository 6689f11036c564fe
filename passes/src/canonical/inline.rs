//! Replaces composites by their definitions.
//!
//! A definition is a graph whose inputs are the operands, so inlining is copying; nothing here knows any op. Definitions
//! may use other composites; those are inlined in turn. Names inside a definition stay inside: the result alone takes the
//! label of the node that it replaces.

use crate::{error::Error, step::RewriteStep};
use regard_ir::{
    graph::{Graph, NodeId, NodeMap, Rewriter},
    id::IdVec,
    ops::Op,
    types::TensorType,
};
use std::{collections::HashSet, sync::Arc};

/// A graph without some composites.
pub struct Inlined {
    /// The graph.
    pub graph: Graph,
    /// Where each node went; a composite to the result of its definition.
    pub map: NodeMap,
    /// An op as a node and its definition, for each op and types of operands once, inner definitions first.
    pub steps: Vec<RewriteStep>,
}

/// The graph with every composite that `keep` does not name replaced by its definition. Nodes inside a
/// definition are kept where `keep_inside` wants their op.
///
/// # Errors
/// Where a definition does not parse: the op's tests exclude that.
pub fn inline(
    graph: &Graph,
    keep: &dyn Fn(NodeId) -> bool,
    keep_inside: &dyn Fn(&Op) -> bool,
) -> Result<Inlined, Error> {
    let mut rewriter = Rewriter::new(graph);
    let mut inliner = Inliner { keep_inside, seen: HashSet::new(), steps: Vec::new() };
    for (id, node) in graph.nodes.iter() {
        match if keep(id) { None } else { definition(&node.op, &graph.operand_types(id))? } {
            Some(body) => {
                let operands = rewriter.operands(id).ok_or_else(|| Error::broken("operands come first"))?;
                let value = inliner.expand(rewriter.graph_mut(), &node.op, &body, &operands)?;
                rewriter.replace(id, value);
            }
            None => {
                rewriter.copy(id).map_err(Error::broken)?;
            }
        }
    }
    let (graph, map) = rewriter.finish().map_err(Error::broken)?;
    Ok(Inlined { graph, map, steps: inliner.steps })
}

/// The definition of a composite.
fn definition(op: &Op, types: &[&TensorType]) -> Result<Option<Arc<Graph>>, Error> {
    op.defined(types).transpose().map_err(|message| Error::broken(format!("the definition does not parse: {message}")))
}

struct Inliner<'a> {
    keep_inside: &'a dyn Fn(&Op) -> bool,
    seen: HashSet<(Op, Vec<TensorType>)>,
    steps: Vec<RewriteStep>,
}

impl Inliner<'_> {
    /// Writes a definition to `out`, its inputs replaced by `operands`, and notes the step. Returns the result.
    fn expand(&mut self, out: &mut Graph, op: &Op, body: &Graph, operands: &[NodeId]) -> Result<NodeId, Error> {
        let types = operands.iter().map(|&o| out.ty(o).clone()).collect();
        let is_new = self.seen.insert((op.clone(), types));
        let value = self.splice(out, body, operands)?;
        if is_new {
            self.steps.push(step(op, body).map_err(Error::broken)?);
        }
        Ok(value)
    }

    fn splice(&mut self, out: &mut Graph, body: &Graph, arguments: &[NodeId]) -> Result<NodeId, Error> {
        let mut moved: IdVec<NodeId, NodeId> = IdVec::new();
        let mut arguments = arguments.iter();
        for (id, node) in body.nodes.iter() {
            let operands: Vec<NodeId> = node.operands.iter().map(|&o| moved[o]).collect();
            let new = match &node.op {
                Op::Input(_) => *arguments.next().ok_or_else(|| Error::broken("a definition has too many inputs"))?,
                op => match if (self.keep_inside)(op) { None } else { definition(op, &body.operand_types(id))? } {
                    Some(inner) => self.expand(out, op, &inner, &operands)?,
                    None => out.push(op.clone(), &operands).map_err(Error::broken)?,
                },
            };
            moved.push(new);
        }
        Ok(moved[body.outputs[0]])
    }
}

/// An op on inputs that are called as in its definition, and the definition.
fn step(op: &Op, right: &Graph) -> Result<RewriteStep, String> {
    let mut left = Graph::new(right.name.clone());
    let mut operands = Vec::new();
    for input in right.inputs() {
        let leaf = left.push(right.nodes[input].op.clone(), &[])?;
        left.set_label(leaf, right.text_name(input));
        operands.push(leaf);
    }
    left.outputs = vec![left.push(op.clone(), &operands)?];
    let rule = format!("definition-of-{}", op.name().replace('_', "-"));
    Ok(RewriteStep { rule, backward: false, left, right: right.clone() })
}
