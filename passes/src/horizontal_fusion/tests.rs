//! Merged products against the products they came from.

use super::{RULE, fuse_parallel_matmuls};
use crate::{Canonical, plan, step::RewriteStep};
use proptest::prelude::*;
use regard_ir::{
    graph::{Builder, Graph, NodeId, Tensor, eval},
    id::Id,
    ops::{Op, ReduceOp},
    target::Target,
    types::TensorType,
};
use regard_testkit::graphs;

fn target() -> &'static Target {
    Target::named("x86-64-v4").expect("the first row")
}

fn products(graph: &Graph) -> usize {
    let constant = graph.constants();
    graph.nodes.iter().filter(|(id, node)| matches!(node.op, Op::MatMul(_)) && !constant[*id]).count()
}

/// The outputs on values that depend on the labels of leaves.
fn values(graph: &Graph) -> Vec<Tensor> {
    let mut leaf = |_: NodeId, node: &regard_ir::graph::Node| {
        let label = node.label.as_deref().expect("leaves have labels");
        let seed = label.bytes().fold(7, |seed: u64, byte| seed.wrapping_mul(31) ^ u64::from(byte));
        Ok(graphs::leaf(seed, NodeId::new(0), &node.ty))
    };
    eval(graph, &mut leaf).unwrap_or_else(|e| panic!("{e}\n{graph}"))
}

/// Asserts equality up to the rounding of sums of at most 40 products of numbers below 8.
fn assert_alike(left: &Graph, right: &Graph) {
    for (left_value, right_value) in values(left).iter().zip(values(right)) {
        assert_eq!(left_value.ty, right_value.ty, "{left}\n{right}");
        let close = |(x, y): (&f64, &f64)| (x - y).abs() <= 1e-11 * (1.0 + x.abs());
        assert!(left_value.data.iter().zip(&right_value.data).all(close), "{left}\n{right}");
    }
}

/// The graph in canonical form, merged; values are held against each other, of the whole and of each step.
fn merged(graph: &Graph) -> (Canonical, Canonical, Vec<RewriteStep>) {
    let before = Canonical::of(graph).expect("canonical form");
    let (after, steps) = fuse_parallel_matmuls(&before, target()).expect("merging never fails");
    assert_alike(graph, &after);
    for step in &steps {
        assert_eq!(step.rule, RULE);
        assert_alike(&step.left, &step.right);
    }
    (before, after, steps)
}

/// What reads a product.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reader {
    /// A product with another constant.
    Product,
    /// A mean over rows.
    Mean,
    /// A product, after heads were split off.
    Heads,
    /// Two of them.
    Two,
}

/// Linears of one input `[b, m, k]`, with the columns, the bias and the reader of each.
fn linears(shape: [usize; 3], parts: &[(usize, bool, Reader)]) -> Graph {
    let mut b = Builder::new("linears");
    let x = b.input("x", TensorType::f32(shape));
    let mut outputs = Vec::new();
    for (i, &(n, biased, reader)) in parts.iter().enumerate() {
        let heads = 3;
        let n = if reader == Reader::Heads { n * heads } else { n };
        let w = b.weight(format!("w{i}"), TensorType::f32([n, shape[2]]));
        let bias = biased.then(|| b.weight(format!("b{i}"), TensorType::f32([n])));
        let y = b.linear(x, w, bias);
        let square = |b: &mut Builder, y: NodeId, n: usize| {
            let v = b.weight(format!("v{i}"), TensorType::f32([n, 2]));
            b.matmul(y, v)
        };
        match reader {
            Reader::Product => outputs.push(square(&mut b, y, n)),
            Reader::Mean => outputs.push(b.reduce(ReduceOp::Mean, y, -2)),
            Reader::Heads => {
                let y = b.split_heads(y, heads);
                outputs.push(square(&mut b, y, n / heads));
            }
            Reader::Two => {
                outputs.push(square(&mut b, y, n));
                outputs.push(b.reduce(ReduceOp::Max, y, -1));
            }
        }
    }
    b.finish(&outputs)
}

fn reader() -> impl Strategy<Value = Reader> {
    prop::sample::select(vec![Reader::Product, Reader::Mean, Reader::Heads, Reader::Two])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn parallel_products_become_one_and_keep_their_values(
        shape in [1..3usize, 1..8usize, 1..14usize],
        parts in prop::collection::vec((1..10usize, any::<bool>(), reader()), 2..6),
    ) {
        let graph = linears(shape, &parts);
        let (before, after, steps) = merged(&graph);
        let readers = parts.iter().filter(|part| part.2 != Reader::Mean).count();
        prop_assert_eq!(steps.len(), 1, "{}", before);
        prop_assert_eq!(products(&before) - products(&after), parts.len() - 1, "{}\n{}", before, after);
        prop_assert_eq!(products(&after), 1 + readers);
        let groups = |graph: &Canonical| plan(graph, target()).expect("a plan").groups.len();
        prop_assert!(groups(&after) < groups(&before), "{}\n{}", before, after);
        let (again, none) = fuse_parallel_matmuls(&after, target()).expect("merging never fails");
        prop_assert!(none.is_empty() && again == after);
    }
}

/// The graph of two products of x, made by `build` from both.
fn pair(build: impl Fn(&mut Builder, NodeId, NodeId) -> Vec<NodeId>) -> Graph {
    let mut b = Builder::new("pair");
    let x = b.input("x", TensorType::f32([6, 5]));
    let [u, v] = ["u", "v"].map(|name| {
        let w = b.weight(name, TensorType::f32([7, 5]));
        b.linear(x, w, None)
    });
    let outputs = build(&mut b, u, v);
    b.finish(&outputs)
}

#[test]
fn products_with_something_better_to_do_stay_apart() {
    let softmax = |b: &mut Builder, x: NodeId| b.softmax(x, -1);
    assert_eq!(merged(&pair(|b, u, v| vec![softmax(b, u), softmax(b, v)])).2.len(), 1, "the pair itself is merged");
    let apart: [(&str, Graph); 5] = [
        ("gelu is an epilogue", pair(|b, u, v| vec![b.gelu(u), softmax(b, v)])),
        ("a gate is an epilogue", pair(|b, u, v| vec![b.mul(u, v)])),
        ("a square is an epilogue", pair(|b, u, v| vec![b.mul(u, u), softmax(b, v)])),
        ("outputs are tensors of their own", pair(|b, u, v| vec![u, softmax(b, v)])),
        (
            "a residual is an epilogue",
            pair(|b, u, v| {
                let other = b.input("other", TensorType::f32([6, 7]));
                let sum = b.add(u, other);
                vec![softmax(b, sum), softmax(b, v)]
            }),
        ),
    ];
    for (why, graph) in &apart {
        let (before, after, steps) = merged(graph);
        assert!(steps.is_empty() && before == after, "{why}\n{after}");
    }
}

#[test]
fn products_with_the_same_activation_are_merged_with_it() {
    let mut b = Builder::new("activated");
    let x = b.input("x", TensorType::f32([2, 6, 5]));
    let mut outputs = Vec::new();
    for (i, active) in [true, true, false, false, false].into_iter().enumerate() {
        let w = b.weight(format!("w{i}"), TensorType::f32([6, 5]));
        let bias = b.weight(format!("b{i}"), TensorType::f32([6]));
        let y = b.linear(x, w, Some(bias));
        // Views between the sum and its activation are as good as views after it.
        let y = if i == 1 { b.split_heads(y, 2) } else { y };
        let y = if active { b.gelu(y) } else { y };
        let y = if i == 0 { b.split_heads(y, 2) } else { y };
        outputs.push(b.softmax(y, -1));
    }
    let (before, after, steps) = merged(&b.finish(&outputs));
    assert_eq!((steps.len(), products(&before), products(&after)), (2, 5, 2), "{after}");
    let count = |op: &str| after.nodes.values().filter(|node| node.op.name() == op).count();
    assert_eq!(count("gelu"), 1, "{after}");
}

#[test]
fn other_inputs_and_other_views_stay_apart() {
    let mut b = Builder::new("others");
    let x = b.input("x", TensorType::f32([4, 6, 5]));
    let y = b.input("y", TensorType::f32([4, 6, 5]));
    let rolled = b.roll(x, 1, 1);
    let computed = b.input("computed", TensorType::f32([5, 7]));
    let mut outputs: Vec<NodeId> = Vec::new();
    for (i, input) in [x, y, rolled].into_iter().enumerate() {
        let w = b.weight(format!("w{i}"), TensorType::f32([7, 5]));
        let y = b.linear(input, w, None);
        outputs.push(b.softmax(y, -1));
    }
    let product = b.matmul(x, computed);
    outputs.push(b.softmax(product, -1));
    assert!(merged(&b.finish(&outputs)).2.is_empty());
}

#[test]
fn rows_across_a_product_are_no_reason_to_merge() {
    // A term for each token is not a row of the columns.
    let mut b = Builder::new("positions");
    let x = b.input("x", TensorType::f32([6, 5]));
    let mut outputs = Vec::new();
    for i in 0..2 {
        let w = b.weight(format!("w{i}"), TensorType::f32([7, 5]));
        let positions = b.weight(format!("p{i}"), TensorType::f32([6, 7]));
        let y = b.linear(x, w, None);
        let y = b.add(y, positions);
        outputs.push(b.softmax(y, -1));
    }
    let (before, after, steps) = merged(&b.finish(&outputs));
    assert!(steps.is_empty() && before == after);
    assert_eq!(after.nodes.values().filter(|node| node.op.name() == "add").count(), 2);
}

#[test]
fn labels_and_order_of_ports_survive() {
    let mut graph = pair(|b, u, v| {
        let u = b.label(u, "first");
        vec![b.softmax(v, -1), b.softmax(u, -2)]
    });
    let last = graph.outputs[1];
    graph.set_label(last, "down");
    let (_, after, steps) = merged(&graph);
    assert_eq!(steps.len(), 1);
    assert_eq!(after.outputs[1], after.labelled("down").expect("the output keeps its name"));
    assert!(after.labelled("first").is_some(), "{after}");
}
