//! What groups are called, in schedules and in profiles: after the module that their anchor belongs to.
//!
//! ```text
//!   matmul by layers.2.blocks.3.mlp.fc1.weight ─ add ─ gelu      %layers.2.blocks.3.mlp.fc1, and it writes ….mlp.gelu
//!   scores ─ softmax ─ values                                    %layers.2.blocks.3.attn.attend
//!   rows, and graphs without modules                             the name of the node that is written
//! ```
//!
//! A kernel is looked for under the layer that takes its time, while the tensor that it writes may well be a sum three nodes on.

use super::{Body, Group, Plan};
use regard_ir::{
    graph::{Graph, Names, NodeId},
    ops::Op,
    view::View,
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    iter,
};

impl Plan {
    /// A plan whose groups and nodes have names.
    pub(super) fn new(mut graph: Graph, groups: Vec<Group>) -> Plan {
        name_copies(&mut graph);
        let of_nodes = graph.names();
        let names = of_groups(&graph, &groups, &of_nodes);
        graph.set_names(&of_nodes);
        Plan { graph, steps: Vec::new(), groups, names }
    }
}

/// Calls outputs that copy an input, a constant or another output after what they copy: `x.copy`, `x.copy.2`.
fn name_copies(graph: &mut Graph) {
    let mut taken: HashSet<String> = graph.nodes.values().filter_map(|node| node.label.clone()).collect();
    let mut counts: HashMap<NodeId, usize> = HashMap::new();
    for output in graph.outputs.clone() {
        let node = &graph.nodes[output];
        let Op::ViewOp(view) = &node.op else { continue };
        let source = node.operands[0];
        let copies = node.label.is_none() && view.map == View::identity(&graph.ty(source).shape);
        let Some(label) = graph.nodes[source].label.clone().filter(|_| copies) else { continue };
        let count = counts.entry(source).or_default();
        let mut next = || {
            *count += 1;
            if *count == 1 { format!("{label}.copy") } else { format!("{label}.copy.{count}") }
        };
        let name = iter::repeat_with(&mut next).find(|name| !taken.contains(name));
        let name = name.expect("fewer labels than numbers");
        taken.insert(name.clone());
        graph.set_label(output, name);
    }
}

/// A name for each group, unique.
fn of_groups(graph: &Graph, groups: &[Group], names: &Names) -> Vec<String> {
    // Where a walk down from a root ends: what is in memory, and what is computed once.
    let constant = graph.constants();
    let mut ends: BTreeSet<NodeId> = graph.nodes.ids().filter(|&id| constant[id]).collect();
    ends.extend(groups.iter().map(|group| group.root));
    let wanted = |group: &Group| {
        let anchor = anchor(graph, group, &ends);
        let of_anchor = |id: NodeId| names.module(id).or(names.is_derived(id).then(|| names.of(id)));
        anchor.and_then(of_anchor).unwrap_or(names.of(group.root)).to_owned()
    };
    let mut taken = BTreeSet::new();
    let unique = |base: String| {
        let mut name = base.clone();
        for count in 2.. {
            if taken.insert(name.clone()) {
                break;
            }
            name = format!("{base}.{count}");
        }
        name
    };
    groups.iter().map(wanted).map(unique).collect()
}

/// The product or attend that a group is built around: the first below its root.
fn anchor(graph: &Graph, group: &Group, ends: &BTreeSet<NodeId>) -> Option<NodeId> {
    if matches!(group.body, Body::Row(_)) {
        return None;
    }
    let is_anchor = |op: &Op| match group.body {
        Body::Attend(_) => matches!(op, Op::Attend(_)),
        _ => matches!(op, Op::MatMul(_) | Op::Scores(_)),
    };
    graph.reached(group.root, |id| ends.contains(&id)).find(|&id| is_anchor(&graph.nodes[id].op))
}
