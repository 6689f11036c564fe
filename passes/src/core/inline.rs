//! Replaces composites by their definitions.
//!
//! A definition is `.rg` text whose inputs are the operands, so inlining is parsing and copying; nothing
//! here knows any op. Definitions may use other composites; those are inlined in turn. Names inside a
//! definition stay inside: the result alone takes the label of the node that it replaces.

use crate::error::Error;
use regard_ir::{
    graph::{Graph, NodeId},
    id::IdVec,
    ops::{Op, OpDef},
    text,
    types::TensorType,
};

/// The graph with every composite that `keep` does not name replaced by its definition. Nodes inside a
/// definition are kept where `keep_inside` wants their op.
pub fn inline(graph: &Graph, keep: &dyn Fn(NodeId) -> bool, keep_inside: &dyn Fn(&Op) -> bool) -> Result<Graph, Error> {
    let mut out = Graph::new(graph.name.clone());
    let moved = splice(&mut out, graph, None, keep, keep_inside)?;
    out.outputs = graph.outputs.iter().map(|&o| moved[o]).collect();
    Ok(out.pruned().0)
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
        let definition = if keep(id) { None } else { node.op.definition(&types) };
        let new = match definition {
            Some(definition) => {
                let body = text::parse(&definition).map_err(|e| {
                    Error::broken(format!("the definition of {} does not parse: {}", node.op.name(), e.message))
                })?;
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
