//! The printer: one statement per node, every type written out.

use crate::{
    graph::{Graph, NodeId},
    lexer::quote,
};
use std::fmt::{self, Display, Formatter};

impl Display for Graph {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "graph {} {{", quote(&self.name))?;
        for id in self.nodes.ids() {
            writeln!(f, "  {}", NodeText(self, id))?;
        }
        f.write_str("  return")?;
        for (i, &output) in self.outputs.iter().enumerate() {
            write!(f, "{}{}", if i == 0 { " " } else { ", " }, Name(self, output))?;
        }
        f.write_str("\n}\n")
    }
}

/// One node as its statement. Also prints nodes whose operands do not exist, for messages about broken graphs.
pub struct NodeText<'a>(pub &'a Graph, pub NodeId);

impl Display for NodeText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let NodeText(graph, id) = *self;
        let Some(node) = graph.nodes.get(id) else { return write!(f, "{id}") };
        write!(f, "{} = {}", Name(graph, id), node.op.name())?;
        for (i, &operand) in node.operands.iter().enumerate() {
            write!(f, "{}{}", if i == 0 { " " } else { ", " }, Name(graph, operand))?;
        }
        let attrs = node.op.attrs();
        for (i, (name, value)) in attrs.iter().enumerate() {
            write!(f, "{}{name} = {value}", if i == 0 { " { " } else { ", " })?;
        }
        write!(f, "{} : {}", if attrs.is_empty() { "" } else { " }" }, node.ty)
    }
}

struct Name<'a>(&'a Graph, NodeId);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.nodes.get(self.1).and_then(|n| n.label.as_deref()) {
            Some(label) => write!(f, "%{}", quote(label)),
            None => write!(f, "{}", self.1),
        }
    }
}
