//! Replaces composites by their definitions.
//!
//! A definition is a graph whose inputs are the operands, so inlining is copying; nothing here knows any op. Definitions may use other composites; those are inlined in turn. Names inside a
//! definition stay inside: the result alone takes the label of the node that it replaces.

use crate::{
    error::Error,
    step::{Moved, Step},
};
use regard_ir::{
    graph::{Graph, NodeId},
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
) -> Result<(Graph, Moved), Error> {
    let mut out = Graph::new(graph.name.clone());
    let moved = splice(&mut out, graph, None, keep, keep_inside)?;
    out.outputs = graph.outputs.iter().map(|&o| moved[o]).collect();
    let (out, kept) = out.pruned();
    Ok((out, moved.values().map(|&new| kept[new]).collect()))
}

/// What inlining puts in the place of composites, each kind once: an op as a node, and its definition.
pub fn definitions(
    graph: &Graph,
    keep: &dyn Fn(NodeId) -> bool,
    keep_inside: &dyn Fn(&Op) -> bool,
) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    collect(graph, keep, keep_inside, &mut BTreeSet::new(), &mut steps)?;
    Ok(steps)
}

fn collect(
    graph: &Graph,
    keep: &dyn Fn(NodeId) -> bool,
    keep_inside: &dyn Fn(&Op) -> bool,
    seen: &mut BTreeSet<(Op, Vec<TensorType>)>,
    steps: &mut Vec<Step>,
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
        steps.push(Step { rule, backward: false, left, right: Arc::unwrap_or_clone(right) });
    }
    Ok(())
}

/// The definition of a composite.
fn definition(op: &Op, types: &[&TensorType]) -> Result<Option<Arc<Graph>>, Error> {
    op.defined(types).transpose().map_err(|message| Error::broken(format!("the definition does not parse: {message}")))
}

/// Copies `graph` into `out`; its inputs become `arguments` where given. Returns where each node went.
fn splice(
    out: &mut Graph,
    graph: &Graph,
    arguments: Option<&[NodeId]>,
    keep: &dyn Fn(NodeId) -> bool,
    keep_inside: &dyn Fn(&Op) -> bool,
) -> Result<IdVec<NodeId, NodeId>, Error> {
    let mut moved: IdVec<NodeId, NodeId> = IdVec::new();
    let mut next_argument = 0;
    for (id, node) in graph.nodes.iter() {
        if let (Op::Input(_), Some(arguments)) = (&node.op, arguments) {
            moved.push(arguments[next_argument]);
            next_argument += 1;
            continue;
        }
        let operands: Vec<NodeId> = node.operands.iter().map(|&o| moved[o]).collect();
        let types: Vec<&TensorType> = operands.iter().map(|&o| out.ty(o)).collect();
        let new = match if keep(id) { None } else { definition(&node.op, &types)? } {
            Some(body) => {
                let kept = |id: NodeId| keep_inside(&body.nodes[id].op);
                let inner = splice(out, &body, Some(&operands), &kept, keep_inside)?;
                inner[body.outputs[0]]
            }
            None => out.push(node.op.clone(), &operands).map_err(Error::broken)?,
        };
        if let Some(label) = &node.label
            && arguments.is_none()
            && out.nodes[new].label.is_none()
        {
            out.set_label(new, label.clone());
        }
        moved.push(new);
    }
    Ok(moved)
}
