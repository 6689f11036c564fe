//! The verifier: everything that is wrong with a graph, each violation with its node.
//!
//! A graph that [`Graph::push`] and [`crate::text::parse`] made satisfies most of this; passes that build
//! nodes by hand are held to it after every stage. The rules:
//!
//! 1. Operands and outputs exist, and operands come before their users.
//! 2. An op has as many operands as it takes.
//! 3. An op accepts its operands' types, and the stored type is the one it infers.
//! 4. Types have 1 to 2⁴⁰ elements on at most 32 axes, no axis empty.
//! 5. Labels are unique, not empty, and free of control characters; so is the graph's name.
//! 6. Inputs and weights have labels.
//! 7. Attributes survive their text form: name and attributes read back as the same op.
//!
//! Where a rule depends on another that fails at the same node (a type on an operand that does not exist), only the
//! first is reported.

use crate::{
    count::counted,
    graph::{Graph, NodeId},
    id::Id,
    ops::{Attr, AttrReader, Op},
    text::{MAX_RANK, NodeText},
    types::TensorType,
};
use std::{collections::BTreeMap, fmt};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The node, or `None` where the graph as a whole is meant.
    pub node: Option<NodeId>,
    /// The node as text, or the graph's name.
    pub text: String,
    /// One sentence: what was found and what was expected.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.node {
            Some(node) => write!(f, "{node}: {}: {}", self.text, self.message),
            None => write!(f, "graph {}: {}", self.text, self.message),
        }
    }
}

/// All violations, in the order of nodes; empty for a valid graph.
pub fn verify(graph: &Graph) -> Vec<Violation> {
    let mut violations = Vec::new();
    let whole = |message: String| Violation { node: None, text: graph.name.clone(), message };
    violations.extend(name_fault(&graph.name).map(|m| whole(format!("the graph's name {m}"))));
    let mut labels: BTreeMap<&str, NodeId> = BTreeMap::new();
    for (id, node) in graph.nodes.iter() {
        let at = |message| Violation { node: Some(id), text: NodeText(graph, id).to_string(), message };
        violations.extend(operand_faults(graph, id).into_iter().map(at));
        violations.extend(codec_fault(&node.op).map(at));
        match &node.label {
            Some(label) => {
                violations.extend(name_fault(label).map(|m| at(format!("the label {m}"))));
                if let Some(first) = labels.insert(label, id) {
                    violations.push(at(format!("the label {label:?} is also that of node number {}", first.index())));
                }
            }
            None if matches!(node.op, Op::Input(_) | Op::Weight(_)) => {
                violations.push(at(format!("this {} has no label, expected its name", kind(&node.op))));
            }
            None => {}
        }
    }
    let missing = graph.outputs.iter().filter(|&&o| graph.nodes.get(o).is_none());
    violations.extend(missing.map(|o| whole(format!("output {o} does not exist"))));
    violations
}

/// Whether kernels can be made of a graph: its nodes come after their operands and have the types that their ops give. The
/// first violation, if any; names and text forms are [`verify`]'s.
///
/// # Errors
/// The first node that is not so.
pub fn verify_types(graph: &Graph) -> Result<(), Violation> {
    for (id, _) in graph.nodes.iter() {
        if let Some(message) = operand_faults(graph, id).into_iter().next() {
            return Err(Violation { node: Some(id), text: NodeText(graph, id).to_string(), message });
        }
    }
    match graph.outputs.iter().find(|&&o| graph.nodes.get(o).is_none()) {
        None => Ok(()),
        Some(o) => {
            Err(Violation { node: None, text: graph.name.clone(), message: format!("output {o} does not exist") })
        }
    }
}

fn kind(op: &Op) -> &'static str {
    if matches!(op, Op::Input(_)) { "input" } else { "weight" }
}

fn name_fault(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("is empty"),
        _ if name.chars().any(char::is_control) => Some("has control characters"),
        _ => None,
    }
}

/// Rules 1 to 4, each only where those before it hold.
fn operand_faults(graph: &Graph, id: NodeId) -> Vec<String> {
    let node = graph.node(id);
    let late: Vec<String> = node
        .operands
        .iter()
        .filter(|&&o| o >= id)
        .map(|&o| match graph.nodes.get(o) {
            Some(_) => format!("operand {o} does not come before its user"),
            None => format!("operand {o} does not exist"),
        })
        .collect();
    let found = node.operands.len();
    let (least, most) = node.op.arity();
    if !late.is_empty() {
        late
    } else if found < least {
        vec![format!("{} has {}, expected {least} or more", node.op.name(), counted(found, "operand"))]
    } else if found > most {
        vec![format!("{} has {}, expected {most} or fewer", node.op.name(), counted(found, "operand"))]
    } else {
        type_fault(&node.op, &graph.operand_types(id), &node.ty).into_iter().collect()
    }
}

fn type_fault(op: &Op, operands: &[&TensorType], stored: &TensorType) -> Option<String> {
    let elements = stored.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    if stored.rank() > MAX_RANK || elements.is_none_or(|n| n == 0 || n > 1 << 40) {
        return Some(format!("type {stored} has no size, expected 1 to 2^40 elements on at most {MAX_RANK} axes"));
    }
    match op.infer(operands) {
        Ok(inferred) if inferred == *stored => None,
        Ok(inferred) => Some(format!("has type {stored}, expected {inferred}")),
        Err(message) => Some(message),
    }
}

fn codec_fault(op: &Op) -> Option<String> {
    let payload = |x: f64| x.is_nan() && x.to_bits() != f64::NAN.to_bits();
    if let Some((name, _)) = op.attrs().iter().find(|(_, a)| matches!(a, Attr::Real(r) if payload(r.get()))) {
        return Some(format!("attribute {name} is a NaN with a payload, which text does not keep"));
    }
    let text = |value| if let Attr::View(view) = value { Attr::Word(view.to_string()) } else { value };
    let attrs = op.attrs().into_iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let ty = match op {
        Op::Input(crate::ops::Input { ty })
        | Op::Weight(crate::ops::Weight { ty })
        | Op::Const(crate::ops::Const { ty, .. })
        | Op::Iota(crate::ops::Iota { ty, .. }) => Some(ty.clone()),
        _ => None,
    };
    match Op::from_attrs(op.name(), &mut AttrReader::new(attrs, ty)) {
        Some(Ok(back)) if back == *op => None,
        Some(Err(message)) => Some(format!("the attributes cannot be written: {message}")),
        _ => Some("the attributes read back as another op".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        graph::Node,
        ops::{Const, Slice, Softmax, Transpose, ViewOp},
        text,
        types::{DType, Real},
    };

    /// A valid graph, broken by `change`, and the messages of its violations.
    fn broken(change: impl FnOnce(&mut Graph)) -> Vec<String> {
        let text = "graph g {
            %x = input : f32[2, 3]
            %w = weight : f32[3]
            %s = add %x, %w
            %y = softmax %s { axis = -1 }
            return %y
        }";
        let mut graph = text::parse(text).expect("a valid graph");
        assert_eq!(verify(&graph), []);
        change(&mut graph);
        verify(&graph).into_iter().map(|f| f.message).collect()
    }

    fn node(graph: &mut Graph, index: usize) -> &mut Node {
        &mut graph.nodes[NodeId::new(index)]
    }

    #[test]
    fn operands_come_first_and_exist() {
        assert_eq!(broken(|g| node(g, 2).operands[1] = NodeId::new(3)), ["operand %3 does not come before its user"]);
        assert_eq!(broken(|g| node(g, 2).operands[1] = NodeId::new(2)), ["operand %2 does not come before its user"]);
        assert_eq!(broken(|g| node(g, 3).operands[0] = NodeId::new(9)), ["operand %9 does not exist"]);
        assert_eq!(broken(|g| g.outputs.push(NodeId::new(4))), ["output %4 does not exist"]);
    }

    #[test]
    fn arity_is_the_op_s() {
        assert_eq!(broken(|g| node(g, 2).operands.truncate(1)), ["add has 1 operand, expected 2 or more"]);
        assert_eq!(
            broken(|g| node(g, 3).operands.push(NodeId::new(0))),
            ["softmax has 2 operands, expected 1 or fewer"]
        );
    }

    #[test]
    fn types_are_inferred() {
        let retyped = broken(|g| node(g, 3).ty = TensorType::f32([3, 2]));
        assert_eq!(retyped, ["has type f32[3, 2], expected f32[2, 3]"]);
        let rejected = broken(|g| node(g, 3).op = Softmax { axis: 5 }.into());
        assert_eq!(rejected, ["softmax of f32[2, 3]: axis 5 does not exist in f32[2, 3], which has 2 axes"]);
        let huge = broken(|g| node(g, 3).ty.shape = vec![1 << 40, 1 << 40]);
        assert_eq!(huge.len(), 1);
        assert!(huge[0].ends_with("expected 1 to 2^40 elements on at most 32 axes"), "{huge:?}");
        assert_eq!(broken(|g| node(g, 3).ty.shape = vec![1; 33]).len(), 1);
        assert_eq!(broken(|g| node(g, 3).ty.shape = vec![0]).len(), 1);
    }

    #[test]
    fn labels_name_one_node_each() {
        let twice = broken(|g| g.set_label(NodeId::new(3), "x"));
        assert_eq!(twice, ["the label \"x\" is also that of node number 0"]);
        assert_eq!(broken(|g| g.set_label(NodeId::new(3), "")), ["the label is empty"]);
        assert_eq!(broken(|g| g.set_label(NodeId::new(3), "a\u{7}")), ["the label has control characters"]);
        assert_eq!(broken(|g| g.name.clear()), ["the graph's name is empty"]);
    }

    #[test]
    fn leaves_have_labels() {
        assert_eq!(broken(|g| node(g, 0).label = None), ["this input has no label, expected its name"]);
        assert_eq!(broken(|g| node(g, 1).label = None), ["this weight has no label, expected its name"]);
    }

    #[test]
    fn attributes_survive_their_text() {
        let found = broken(|g| {
            let slice = Slice { axis: 0, start: 0, stop: usize::MAX, step: 1 };
            *node(g, 3) = Node { op: slice.into(), ..node(g, 3).clone() };
        });
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().any(|m| m.starts_with("the attributes cannot be written")), "{found:?}");
        let found = broken(|g| {
            let mut map = crate::view::View::identity(&[2, 3]);
            map.fill = Real::new(1.0);
            *node(g, 3) = Node { op: ViewOp { map }.into(), ..node(g, 3).clone() };
        });
        assert_eq!(found, ["the attributes read back as another op"]);
        let found = broken(|g| {
            let value = Real::new(f64::from_bits(f64::NAN.to_bits() + 1));
            let ty = node(g, 3).ty.clone();
            *node(g, 3) = Node { op: Const { ty, value }.into(), operands: Vec::new(), ..node(g, 3).clone() };
        });
        assert_eq!(found, ["attribute value is a NaN with a payload, which text does not keep"]);
    }

    #[test]
    fn everything_is_listed_in_order() {
        let mut graph = Graph::new("g");
        let ty = TensorType::new(DType::I32, [2]);
        let op = Const { ty: ty.clone(), value: Real::new(0.5) };
        graph.nodes.push(Node { op: op.into(), operands: Vec::new(), ty: ty.clone(), label: Some(String::new()) });
        let op = Transpose { order: vec![-2, -1] };
        graph.nodes.push(Node { op: op.into(), operands: vec![NodeId::new(0)], ty, label: None });
        graph.outputs = vec![NodeId::new(1), NodeId::new(2)];
        let found: Vec<String> = verify(&graph).iter().map(Violation::to_string).collect();
        let expected = [
            "%0: %\"\" = const { value = 0.5 } : i32[2]: 0.5 is not a value of type i32",
            "%0: %\"\" = const { value = 0.5 } : i32[2]: the label is empty",
            "%1: %1 = transpose %\"\" { order = [-2, -1] } : i32[2]: \
             transpose of i32[2]: order [-2, -1] has 2 axes, the operand has 1",
            "graph g: output %2 does not exist",
        ];
        assert_eq!(found, expected);
    }
}
