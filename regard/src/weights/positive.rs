//! Which weights must be positive: those that a graph takes a root or a logarithm of, divides by, or calls a variance.
//!
//! ```text
//!   var ─ add ε ─ rsqrt ─ mul …                var is positive
//!   x ─ batch_norm … var                       so is the variance of a batch norm
//!   w ─ reshape ─ cast ─ div x …               and a divisor, which must not be near zero either
//!   a ─ mul a ─ sum ─ sqrt …                   a is not asked for anything: squares are positive
//! ```
//!
//! Training gives such weights these values; a formula has to be told. The graph is walked from its readers down. What an op
//! asks of an operand passes on through whatever has the sign of its operands: movement, casts, gathers, sums, products of
//! different tensors, roots, maxima.

use regard_ir::{
    graph::{Graph, Node, NodeId},
    id::IdVec,
    ops::{BinaryOp, Op, UnaryOp},
    view::is_movement,
};
use std::collections::BTreeSet;

/// Names of the weights that must be positive for the graph to have finite values.
pub(crate) fn positive(graph: &Graph) -> BTreeSet<String> {
    let mut asked: IdVec<NodeId, bool> = graph.nodes.values().map(|_| false).collect();
    for (id, node) in graph.nodes.iter().rev() {
        for (i, &operand) in node.operands.iter().enumerate() {
            asked[operand] |= asks(graph, node, i) || (asked[id] && passes(node, i));
        }
    }
    graph.weights().into_iter().filter(|&weight| asked[weight]).map(|weight| graph.text_name(weight)).collect()
}

/// Whether an op has no finite value where its operand number `i` is negative, or near zero.
fn asks(graph: &Graph, node: &Node, i: usize) -> bool {
    match &node.op {
        Op::BatchNorm(_) => i == 4,
        Op::Unary(unary) => matches!(unary.op, UnaryOp::Sqrt | UnaryOp::Rsqrt | UnaryOp::Log | UnaryOp::Recip),
        Op::Binary(binary) => match binary.op {
            BinaryOp::Div | BinaryOp::Rem => i == 1,
            BinaryOp::Pow => i == 0 && !is_whole(graph, node.operands[1]),
            _ => false,
        },
        _ => false,
    }
}

/// Whether a node is a whole number from zero, to the power of which any number can be raised.
fn is_whole(graph: &Graph, id: NodeId) -> bool {
    let node = &graph.nodes[id];
    match &node.op {
        Op::Const(c) => c.value.get() >= 0.0 && c.value.get().fract() == 0.0,
        op if is_movement(op) || matches!(op, Op::Cast(_)) => is_whole(graph, node.operands[0]),
        _ => false,
    }
}

/// Whether the result of an op is positive where its operand number `i` is, as far as that operand has a say.
fn passes(node: &Node, i: usize) -> bool {
    match &node.op {
        Op::Cast(_) | Op::Reduce(_) | Op::Concat(_) => true,
        Op::Unary(unary) => matches!(unary.op, UnaryOp::Sqrt | UnaryOp::Rsqrt | UnaryOp::Recip),
        Op::Binary(binary) => match binary.op {
            // Squares are positive whatever is squared.
            BinaryOp::Mul => node.operands[0] != node.operands[1],
            BinaryOp::Add | BinaryOp::Div | BinaryOp::Min | BinaryOp::Max => true,
            BinaryOp::Sub | BinaryOp::Pow => i == 0,
            _ => false,
        },
        Op::Gather(_) => i == 0,
        Op::Select(_) => i > 0,
        op => is_movement(op),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regard_models::Config;

    fn names(body: &str, shape: &str) -> Vec<String> {
        let weights: String =
            ["a", "b", "c", "d", "e"].map(|name| format!("%{name} = weight : f32[{shape}]\n")).concat();
        let text = format!("graph g {{\n%x = input : f32[2, {shape}]\n{weights}{body}\nreturn %y\n}}");
        positive(&text.parse().unwrap_or_else(|e| panic!("{e:?}"))).into_iter().collect()
    }

    #[test]
    fn variances_divisors_and_what_roots_are_taken_of_are_positive() {
        let norm = "%y = batch_norm %x, %a, %b, %c, %d { eps = 1e-5, axis = -1 }";
        assert_eq!(names(norm, "4"), ["d"]);
        let spelled = "%r = reshape %d { shape = [1, 4] }
            %p = add %r, 1e-5
            %s = rsqrt %p
            %m = sub %x, %c
            %n = mul %m, %s
            %g = mul %n, %a
            %y = add %g, %b";
        assert_eq!(names(spelled, "4"), ["d"]);
        let divided = "%s = sqrt %d
            %q = div %a, %s
            %l = log %q
            %y = div %x, %l";
        // A logarithm may be zero whatever its operand is; what is below it is positive all the same.
        assert_eq!(names(divided, "4"), ["a", "d"]);
    }

    #[test]
    fn squares_and_whole_powers_ask_for_nothing() {
        let square = "%q = mul %a, %a
            %s = reduce %q { op = sum, axis = -1 }
            %r = sqrt %s
            %y = mul %x, %r";
        assert_eq!(names(square, "4"), Vec::<String>::new());
        assert_eq!(names("%p = pow %a, 2.0\n%y = mul %x, %p", "4"), Vec::<String>::new());
        assert_eq!(names("%p = pow %a, 0.5\n%y = mul %x, %p", "4"), ["a"]);
    }

    /// Names alone decide the values of models, which are recorded.
    #[test]
    fn models_ask_for_recorded_variances_alone() {
        for entry in regard_models::ZOO {
            let graph = regard_models::build(entry.name, &Config::default()).expect("it can be built");
            let others: Vec<String> =
                positive(&graph).into_iter().filter(|name| !name.ends_with("running_var")).collect();
            assert_eq!(others, Vec::<String>::new(), "{}", entry.name);
        }
    }
}
