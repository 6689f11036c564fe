//! Numbers computed from numbers: `1/√32` written as ops becomes one `const`.
//!
//! A tensor whose elements are all the same is a number. Pointwise ops on numbers, and views of them, are
//! numbers too; their own interpreter says which.

use crate::{
    canonical::is_pointwise,
    error::Error,
    step::{RewriteStep, Steps},
};
use regard_ir::{
    graph::{Graph, Node, NodeId, NodeMap, Rewriter, Tensor},
    ops::{Const, Op},
    types::{Real, TensorType, fits_f32},
};

/// What folding gives.
pub(crate) struct Folded {
    /// The graph.
    pub graph: Graph,
    /// Where each node went.
    pub map: NodeMap,
    /// What was computed, each number once.
    pub steps: Vec<RewriteStep>,
}

/// The graph with every such tensor replaced by its number. Labels move along.
pub(crate) fn fold(graph: &Graph) -> Result<Folded, Error> {
    let mut steps = Steps::default();
    let mut rewriter = Rewriter::new(graph);
    for (id, node) in graph.nodes.iter() {
        let operands = rewriter.operands(id).ok_or_else(|| Error::broken("operands come first"))?;
        match value(rewriter.graph(), node, &operands) {
            Some(value) => {
                steps.add(step(rewriter.graph(), node, &operands, value).map_err(Error::broken)?);
                let number = Const { ty: node.ty.clone(), value };
                let number = rewriter.graph_mut().push(number, &[]).map_err(Error::broken)?;
                rewriter.replace(id, number);
            }
            None => {
                rewriter.copy(id).map_err(Error::broken)?;
            }
        }
    }
    let (graph, map) = rewriter.finish().map_err(Error::broken)?;
    Ok(Folded { graph, map, steps: steps.into_vec() })
}

/// An op on numbers, and its number.
fn step(out: &Graph, node: &Node, operands: &[NodeId], value: Real) -> Result<RewriteStep, String> {
    let (mut left, mut right) = (Graph::new("fold"), Graph::new("fold"));
    let mut numbers = Vec::new();
    for &operand in operands {
        numbers.push(left.push(out.nodes[operand].op.clone(), &[])?);
    }
    left.outputs = vec![left.push(node.op.clone(), &numbers)?];
    right.outputs = vec![right.push(Const { ty: node.ty.clone(), value }, &[])?];
    Ok(RewriteStep { rule: "fold-numbers".into(), backward: false, left, right })
}

fn value(out: &Graph, node: &Node, operands: &[NodeId]) -> Option<Real> {
    let numbers: Vec<Tensor> = operands.iter().map(|&o| number(out.node(o))).collect::<Option<_>>()?;
    match &node.op {
        Op::ViewOp(view) if !view.map.has_fill() => Some(Real::new(numbers[0].data[0])),
        op if is_pointwise(op) => {
            let types: Vec<&TensorType> = numbers.iter().map(|n| &n.ty).collect();
            let ty = op.infer(&types).ok()?;
            let result = op.eval(&numbers.iter().collect::<Vec<_>>(), &ty).ok()?;
            // A number that its own type cannot hold, or the f32 that kernels compute in, stays as it was written.
            let value = Real::new(result.data[0]);
            (fits_f32(value.get()) && Op::from(Const { ty, value }).infer(&[]).is_ok()).then_some(value)
        }
        _ => None,
    }
}

fn number(node: &Node) -> Option<Tensor> {
    match &node.op {
        Op::Const(c) => Some(Tensor::new(TensorType::new(node.ty.dtype, []), vec![c.value.get()])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regard_ir::{graph::Builder, types::DType};

    #[test]
    fn a_scale_written_as_ops_is_one_number() {
        let mut b = Builder::new("scale");
        let x = b.input("x", TensorType::f32([2, 3]));
        let d = b.constant(64.0, DType::F32);
        let root = b.sqrt(d);
        let scale = b.recip(root);
        let wide = b.expand(scale, &[2, 3]);
        let y = b.mul(x, wide);
        let graph = crate::canonical::Canonical::of(&b.finish(&[y])).expect("canonical form");
        let folded = fold(&graph).expect("numbers fold").graph;
        let values: Vec<f64> = folded
            .nodes
            .values()
            .filter_map(|n| match &n.op {
                Op::Const(c) => Some(c.value.get()),
                _ => None,
            })
            .collect();
        assert_eq!((values, folded.nodes.len()), (vec![0.125], 3));
    }

    #[test]
    fn a_number_that_f32_does_not_hold_stays_as_it_was_written() {
        let mut b = Builder::new("tiny");
        let c = b.constant(1e-25, DType::F32);
        let y = b.mul(c, c);
        let graph = b.finish(&[y]);
        assert_eq!(fold(&graph).expect("nothing folds").graph.nodes.len(), graph.nodes.len());
    }

    #[test]
    fn an_integer_divided_by_zero_is_left_to_the_interpreter() {
        let mut b = Builder::new("zero");
        let [a, z] = [3.0, 0.0].map(|v| b.constant(v, DType::I32));
        let y = b.div(a, z);
        let graph = b.finish(&[y]);
        assert_eq!(fold(&graph).expect("nothing folds").graph.nodes.len(), 3);
    }
}
