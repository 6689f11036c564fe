//! Small graphs as expressions, one line each.
//!
//! ```text
//!   (add (matmul x w) (view [49, 32] b)) : f32[49, 32]      x f32[49, 32], const w f32[32, 32], const b f32[32]
//! ```
//!
//! A value that is used twice, or that would make a line long, gets a line and a letter of its own. Views show the shape
//! that they give and where they begin, and not where each element comes from: the `.rg` text does that.

use regard_ir::{
    graph::{Graph, NodeId},
    id::IdVec,
    ops::Op,
};
use std::collections::BTreeSet;

/// Most terms of one line.
const LONGEST: usize = 9;

/// The graph's values: named parts first, then a line for each output with its type.
pub(crate) fn lines(graph: &Graph) -> Vec<String> {
    let mut writer = Writer { graph, texts: IdVec::new(), sizes: IdVec::new(), lines: Vec::new() };
    let outputs: BTreeSet<NodeId> = graph.outputs.iter().copied().collect();
    let uses = graph.use_counts();
    for id in graph.nodes.ids() {
        writer.node(id, uses[id], outputs.contains(&id));
    }
    let outputs = graph.outputs.iter().map(|&o| format!("{} : {}", writer.texts[o], graph.ty(o)));
    writer.lines.iter().cloned().chain(outputs.collect::<Vec<_>>()).collect()
}

/// What the leaves are, in one line.
pub(crate) fn leaves(graph: &Graph) -> String {
    let leaf = |(id, node): (NodeId, &regard_ir::graph::Node)| {
        let word = match &node.op {
            Op::Input(_) => "",
            Op::Weight(_) => "const ",
            _ => return None,
        };
        Some(format!("{word}{} {}", graph.text_name(id), node.ty))
    };
    graph.nodes.iter().filter_map(leaf).collect::<Vec<_>>().join(", ")
}

struct Writer<'a> {
    graph: &'a Graph,
    texts: IdVec<NodeId, String>,
    sizes: IdVec<NodeId, usize>,
    lines: Vec<String>,
}

impl Writer<'_> {
    fn node(&mut self, id: NodeId, uses: usize, output: bool) {
        let node = &self.graph.nodes[id];
        let (text, size) = match &node.op {
            Op::Input(_) | Op::Weight(_) => (self.graph.text_name(id), 1),
            Op::Const(number) => (number.value.to_string(), 1),
            op => {
                let attributes: Vec<String> = match op {
                    Op::ViewOp(view) => {
                        let start = view.map.plain().map_or(0, |plain| plain.offset);
                        let from = (start != 0).then(|| format!("from {start}"));
                        [format!("{:?}", view.map.shape)].into_iter().chain(from).collect()
                    }
                    op => op.attrs().into_iter().map(|(_, value)| value.to_string()).collect(),
                };
                let operands = node.operands.iter().map(|&o| self.texts[o].clone());
                let words: Vec<String> = [op.name().to_owned()].into_iter().chain(attributes).chain(operands).collect();
                let size = 1 + node.operands.iter().map(|&o| self.sizes[o]).sum::<usize>();
                (format!("({})", words.join(" ")), size)
            }
        };
        let named = size > 1 && (uses > 1 || size > LONGEST) && !(output && uses == 1);
        let (text, size) = match named {
            false => (text, size),
            true => {
                let name = format!("${}", self.lines.len() + 1);
                self.lines.push(format!("{name} = {text} : {}", node.ty));
                (name, 1)
            }
        };
        self.texts.push(text);
        self.sizes.push(size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regard_ir::{graph::Builder, types::TensorType};

    #[test]
    fn shared_values_have_a_line_of_their_own() {
        let mut b = Builder::new("shared");
        let x = b.input("x", TensorType::f32([2, 3]));
        let w = b.weight("w", TensorType::f32([3, 3]));
        let y = b.matmul(x, w);
        let half = b.scale(y, 0.5);
        let sum = b.add(y, half);
        let z = b.softmax(sum, -1);
        let graph = b.finish(&[z]);
        assert_eq!(lines(&graph), ["$1 = (matmul x w) : f32[2, 3]", "(softmax -1 (add $1 (mul $1 0.5))) : f32[2, 3]"]);
        assert_eq!(leaves(&graph), "x f32[2, 3], const w f32[3, 3]");
    }

    #[test]
    fn long_chains_are_cut_into_lines() {
        let mut b = Builder::new("chain");
        let x = b.input("x", TensorType::f32([4]));
        let y = (0..40).fold(x, |y, _| b.exp(y));
        let lines = lines(&b.finish(&[y]));
        assert!(lines.len() > 3 && lines.iter().all(|line| line.len() < 90), "{lines:?}");
    }
}
