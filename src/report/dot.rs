//! Graphs and plans as pictures, in the language of Graphviz.
//!
//! ```text
//!   regard show block.rg --stage plan --format dot | dot -Tsvg > block.svg
//!
//!   graph   a box per node: its name, op and type;      an arrow from each operand
//!   plan    a box per kernel and input;                 an arrow per tensor that a kernel reads from memory, with its type
//! ```

use petgraph::{
    dot::{Config, Dot},
    graph::{DiGraph, NodeIndex},
};
use regard_ir::{
    graph::{Graph, NodeId},
    ops::Op,
};
use regard_passes::plan::Plan;
use std::collections::BTreeMap;

/// A picture under construction: texts of boxes and arrows.
type Picture = DiGraph<String, String>;

/// The nodes of a graph.
pub(crate) fn graph(graph: &Graph) -> String {
    let mut picture = Picture::new();
    let mut boxes: BTreeMap<NodeId, NodeIndex> = BTreeMap::new();
    for (id, node) in graph.nodes.iter() {
        let name = node.label.as_ref().map(|name| format!("{name}\n")).unwrap_or_default();
        let new = picture.add_node(format!("{name}{}\n{}\n", node.op.name(), node.ty));
        for operand in &node.operands {
            picture.add_edge(boxes[operand], new, String::new());
        }
        boxes.insert(id, new);
    }
    text(&graph.name, &picture)
}

/// The kernels of a plan.
pub(crate) fn plan(plan: &Plan) -> String {
    let graph = &plan.graph;
    let mut picture = Picture::new();
    let input = |id: NodeId| {
        let kind = match &graph.node(id).op {
            op @ (Op::Input(_) | Op::Weight(_)) => op.name(),
            _ => "constant",
        };
        format!("{}\n{kind}\n{}\n", graph.text_name(id), graph.ty(id))
    };
    let inputs = graph.inputs().into_iter();
    let mut boxes: BTreeMap<NodeId, NodeIndex> = inputs.map(|id| (id, picture.add_node(input(id)))).collect();
    for (group, name) in plan.groups.iter().zip(&plan.names) {
        let new = picture.add_node(format!("{name}\n{}\n", group.body.kind()));
        for read in group.reads() {
            let constant = !boxes.contains_key(&read);
            let from = *boxes.entry(read).or_insert_with(|| picture.add_node(input(read)));
            let label = if constant || matches!(graph.node(read).op, Op::Input(_)) {
                String::new()
            } else {
                graph.ty(read).to_string()
            };
            picture.add_edge(from, new, label);
        }
        boxes.insert(group.root, new);
    }
    text(&graph.name, &picture)
}

fn text(name: &str, picture: &Picture) -> String {
    let of_edge = |_: &Picture, _| String::new();
    let of_node = |_: &Picture, _| "shape = box".to_string();
    let config = [Config::GraphContentOnly];
    let content = Dot::with_attr_getters(picture, &config, &of_edge, &of_node);
    format!("digraph {name:?} {{\n{content}}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use regard_ir::{target::Target, text};

    #[test]
    fn every_node_and_kernel_has_a_box() {
        let source = "graph block {
            %x = input : f32[49, 32]
            %w = weight : f32[32, 32]
            %q = matmul %x, %w
            %a = attention %q, %x, %x { scale = 0.177 }
            %y = add %x, %a
            return %y
        }";
        let parsed = text::parse(source).expect("a graph");
        let drawn = graph(&parsed);
        assert_eq!(drawn.matches("shape = box").count(), 5, "{drawn}");
        assert_eq!(drawn.matches("->").count(), 7, "{drawn}");
        assert!(drawn.contains(r#"label = "q\lmatmul\lf32[49, 32]\l""#), "{drawn}");
        let target = Target::named("x86-64-v4").expect("a target");
        let canonical = regard_passes::Canonical::of(&parsed).expect("a canonical form");
        let kernels = regard_passes::plan(&canonical, target).expect("a plan");
        let drawn = plan(&kernels);
        assert!(drawn.contains(r#"label = "y\lattend\l""#) && drawn.contains(r#"label = "f32[49, 32]""#), "{drawn}");
    }
}
