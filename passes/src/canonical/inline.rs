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
use std::{collections::BTreeSet, sync::Arc};

/// The graph with every composite that `keep` does not name replaced by its definition. Nodes inside a
/// definition are kept where `keep_inside` wants their op.
pub fn inline(graph: &Graph, keep: &dyn Fn(NodeId) -> bool, keep_inside: &dyn Fn(&Op) -> bool) -> Result<Graph, Error> {
    Ok(inline_traced(graph, keep, keep_inside)?.0)
}

/// The same, and where each node went.
pub(crate) fn inline_traced(
    graph: &Graph,
    keep: &dyn Fn(NodeId) -> bool,
    keep_inside: &dyn Fn(&Op) -> bool,
) -> Result<(Graph, NodeMap), Error> {
    let mut rewriter = Rewriter::new(graph);
    for (id, node) in graph.nodes.iter() {
        match if keep(id) { None } else { definition(&node.op, &graph.operand_types(id))? } {
            Some(body) => {
                let operands = rewriter.operands(id).ok_or_else(|| Error::broken("operands come first"))?;
                let value = splice(rewriter.graph_mut(), &body, &operands, keep_inside)?;
                rewriter.replace(id, value);
            }
            None => {
                rewriter.copy(id).map_err(Error::broken)?;
            }
        }
    }
    rewriter.finish().map_err(Error::broken)
}

/// What inlining puts in the place of composites, each kind once: an op as a node, and its definition.
pub fn definitions(
    graph: &Graph,
    keep: &dyn Fn(NodeId) -> bool,
    keep_inside: &dyn Fn(&Op) -> bool,
) -> Result<Vec<RewriteStep>, Error> {
    let mut steps = Vec::new();
    collect(graph, keep, keep_inside, &mut BTreeSet::new(), &mut steps)?;
    Ok(steps)
}

fn collect(
    graph: &Graph,
    keep: &dyn Fn(NodeId) -> bool,
    keep_inside: &dyn Fn(&Op) -> bool,
    seen: &mut BTreeSet<(Op, Vec<TensorType>)>,
    steps: &mut Vec<RewriteStep>,
) -> Result<(), Error> {
    for (id, node) in graph.nodes.iter().filter(|(id, _)| !keep(*id)) {
        let types: Vec<TensorType> = graph.operand_types(id).into_iter().cloned().collect();
        let Some(right) = definition(&node.op, &types.iter().collect::<Vec<_>>())? else { continue };
        if !seen.insert((node.op.clone(), types)) {
            continue;
        }
        let mut left = Graph::new(right.name.clone());
        let mut operands = Vec::new();
        for input in right.inputs() {
            let leaf = left.push(right.nodes[input].op.clone(), &[]).map_err(Error::broken)?;
            left.set_label(leaf, right.text_name(input));
            operands.push(leaf);
        }
        left.outputs = vec![left.push(node.op.clone(), &operands).map_err(Error::broken)?];
        collect(&right, &|id| keep_inside(&right.nodes[id].op), keep_inside, seen, steps)?;
        let rule = format!("definition-of-{}", node.op.name().replace('_', "-"));
        steps.push(RewriteStep { rule, backward: false, left, right: Arc::unwrap_or_clone(right) });
    }
    Ok(())
}

/// The definition of a composite.
fn definition(op: &Op, types: &[&TensorType]) -> Result<Option<Arc<Graph>>, Error> {
    op.defined(types).transpose().map_err(|message| Error::broken(format!("the definition does not parse: {message}")))
}

/// Copies a definition to `out`, its inputs replaced by `arguments`. Returns its value.
fn splice(out: &mut Graph, body: &Graph, arguments: &[NodeId], keep: &dyn Fn(&Op) -> bool) -> Result<NodeId, Error> {
    let mut moved: IdVec<NodeId, NodeId> = IdVec::new();
    let mut arguments = arguments.iter();
    for node in body.nodes.values() {
        let operands: Vec<NodeId> = node.operands.iter().map(|&o| moved[o]).collect();
        let types: Vec<&TensorType> = operands.iter().map(|&o| out.ty(o)).collect();
        let new = match &node.op {
            Op::Input(_) => *arguments.next().ok_or_else(|| Error::broken("a definition has too many inputs"))?,
            op => match if keep(op) { None } else { definition(op, &types)? } {
                Some(inner) => splice(out, &inner, &operands, keep)?,
                None => out.push(op.clone(), &operands).map_err(Error::broken)?,
            },
        };
        moved.push(new);
    }
    Ok(moved[body.outputs[0]])
}
