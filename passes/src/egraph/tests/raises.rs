//! Attention in the spellings users use, and what only looks like it.

use super::{checked, ops, optimized};
use regard_ir::{
    graph::{Builder, Graph, NodeId},
    ops::ReduceOp,
    types::{DType, TensorType},
};

/// Two heads of attention over 7 tokens of 8 channels; `core` maps q, k, v `[2, 7, 4]` to the result.
fn heads(core: impl Fn(&mut Builder, NodeId, NodeId, NodeId) -> NodeId) -> Graph {
    let mut b = Builder::new("heads");
    let x = b.input("x", TensorType::f32([7, 8]));
    let [q, k, v] = ["q", "k", "v"].map(|name| {
        let w = b.weight(format!("{name}.weight"), TensorType::f32([8, 8]));
        let bias = b.weight(format!("{name}.bias"), TensorType::f32([8]));
        let y = b.linear(x, w, Some(bias));
        b.split_heads(y, 2)
    });
    let y = core(&mut b, q, k, v);
    let y = b.merge_heads(y);
    let y = b.label(y, "y");
    b.finish(&[y])
}

fn bias(b: &mut Builder) -> NodeId {
    b.weight("table", TensorType::f32([2, 7, 7]))
}

fn softmax_by_hand(b: &mut Builder, x: NodeId) -> NodeId {
    let largest = b.reduce(ReduceOp::Max, x, -1);
    let shifted = b.sub(x, largest);
    let e = b.exp(shifted);
    let sum = b.sum(e, -1);
    b.div(e, sum)
}

type Spelling = (&'static str, fn(&mut Builder, NodeId, NodeId, NodeId) -> NodeId);

/// All are softmax(q·kᵀ/2 + bias)·v.
const SPELLINGS: &[Spelling] = &[
    ("composite", |b, q, k, v| {
        let bias = bias(b);
        b.attention(q, k, v, Some(bias), 0.5)
    }),
    ("scale before", |b, q, k, v| {
        let bias = bias(b);
        let q = b.scale(q, 0.5);
        let t = b.swap_last(k);
        let s = b.matmul(q, t);
        let s = b.add(s, bias);
        let w = b.softmax(s, -1);
        b.matmul(w, v)
    }),
    ("scale after, bias first", |b, q, k, v| {
        let bias = bias(b);
        let t = b.swap_last(k);
        let s = b.matmul(q, t);
        let s = b.scale(s, 0.5);
        let s = b.add(bias, s);
        let w = b.softmax(s, -1);
        b.matmul(w, v)
    }),
    ("scale on the key, divided, axis from the start", |b, q, k, v| {
        let bias = bias(b);
        let two = b.constant(2.0, DType::F32);
        let k = b.div(k, two);
        let t = b.swap_last(k);
        let s = b.matmul(q, t);
        let s = b.add(s, bias);
        let w = b.softmax(s, 2);
        b.matmul(w, v)
    }),
    ("half of the scale on each side, softmax by hand", |b, q, k, v| {
        let bias = bias(b);
        let [q, k] = [q, k].map(|x| b.scale(x, std::f64::consts::FRAC_1_SQRT_2));
        let t = b.swap_last(k);
        let s = b.matmul(q, t);
        let s = b.add(s, bias);
        let w = softmax_by_hand(b, s);
        b.matmul(w, v)
    }),
    ("keys times queries", |b, q, k, v| {
        let bias = bias(b);
        let t = b.swap_last(q);
        let s = b.matmul(k, t);
        let s = b.swap_last(s);
        let s = b.scale(s, 0.5);
        let s = b.add(s, bias);
        let w = b.softmax(s, -1);
        b.matmul(w, v)
    }),
    ("softmax over the transposed scores", |b, q, k, v| {
        let bias = bias(b);
        let s = b.scores(q, k);
        let s = b.scale(s, 0.5);
        let s = b.add(s, bias);
        let t = b.swap_last(s);
        let w = b.softmax(t, -2);
        let w = b.swap_last(w);
        b.matmul(w, v)
    }),
    ("heads merged into the batch", |b, q, k, v| {
        let bias = bias(b);
        let [q, k, v] = [q, k, v].map(|x| b.reshape(x, &[1, 2, 7, 4]));
        let t = b.swap_last(k);
        let s = b.matmul(q, t);
        let s = b.scale(s, 0.5);
        let s = b.reshape(s, &[2, 7, 7]);
        let s = b.add(s, bias);
        let w = b.softmax(s, -1);
        let w = b.reshape(w, &[1, 2, 7, 7]);
        let y = b.matmul(w, v);
        b.reshape(y, &[2, 7, 4])
    }),
];

#[test]
fn all_spellings_become_scores_and_attend() {
    for (name, core) in SPELLINGS {
        let best = checked(&heads(core), 5);
        let counts = ops(&best.graph);
        assert_eq!(counts["scores"], 1, "{name}\n{}", best.graph);
        assert_eq!(counts["attend"], 1, "{name}\n{}", best.graph);
        assert_eq!(counts["matmul"], 3, "{name}: the projections\n{}", best.graph);
        assert!(!counts.contains_key("softmax") && !counts.contains_key("mul"), "{name}\n{}", best.graph);
        assert_eq!(counts.values().sum::<usize>(), 8, "{name}: three sums remain, none for keys\n{}", best.graph);
    }
}

#[test]
fn masks_stay_between_scores_and_attend() {
    let graph = heads(|b, q, k, v| {
        let t = b.swap_last(k);
        let s = b.matmul(q, t);
        let [row, column] = [-2, -1].map(|axis| b.iota(&[7, 7], axis));
        let visible = b.le(column, row);
        let hidden = b.constant(f64::NEG_INFINITY, DType::F32);
        let s = b.select(visible, s, hidden);
        let w = b.softmax(s, -1);
        b.matmul(w, v)
    });
    let counts = ops(&checked(&graph, 1).graph);
    assert_eq!((counts["scores"], counts["select"], counts["attend"]), (1, 1, 1));
}

#[test]
fn a_softmax_over_queries_becomes_inverse_attention() {
    let graph = heads(|b, q, k, v| {
        let t = b.swap_last(k);
        let s = b.matmul(q, t);
        let w = b.softmax(s, -2);
        b.matmul(w, v)
    });
    let best = checked(&graph, 2);
    let text = best.graph.to_string();
    assert!(text.contains("axis = -2") && ops(&best.graph)["attend"] == 1, "{text}");
}

#[test]
fn a_softmax_over_another_axis_is_no_attention() {
    let graph = heads(|b, q, k, v| {
        let t = b.swap_last(k);
        let s = b.matmul(q, t);
        let w = b.softmax(s, -3);
        b.matmul(w, v)
    });
    let counts = ops(&checked(&graph, 2).graph);
    assert_eq!((counts.get("attend"), counts["softmax"]), (None, 1));
}

#[test]
fn weights_that_are_returned_are_not_computed_twice() {
    let mut b = Builder::new("weights");
    let [q, k, v] = ["q", "k", "v"].map(|name| b.input(name, TensorType::f32([7, 4])));
    let t = b.swap_last(k);
    let s = b.matmul(q, t);
    let w = b.softmax(s, -1);
    let y = b.matmul(w, v);
    let best = checked(&b.finish(&[w, y]), 4);
    assert_eq!(best.graph.outputs.len(), 2);
    assert_eq!(ops(&best.graph)["softmax"], 1, "{}", best.graph);
    assert!(!ops(&best.graph).contains_key("attend"));
}

#[test]
fn a_product_with_constant_weights_is_no_attention() {
    let mut b = Builder::new("constant");
    let x = b.input("x", TensorType::f32([7, 4]));
    let w = b.weight("w", TensorType::f32([9, 4]));
    let y = b.linear(x, w, None);
    assert!(!ops(&optimized(&b.finish(&[y])).graph).contains_key("scores"));
}

#[test]
fn gelu_is_found_in_its_spellings() {
    let spellings: [fn(&mut Builder, NodeId, NodeId) -> NodeId; 4] = [
        |b, x, s| {
            let h = b.scale(x, 0.5);
            b.mul(h, s)
        },
        |b, x, s| {
            let h = b.scale(s, 0.5);
            b.mul(x, h)
        },
        |b, x, s| {
            let y = b.mul(s, x);
            let half = b.constant(0.5, DType::F32);
            b.mul(half, y)
        },
        |b, x, s| {
            let two = b.constant(2.0, DType::F32);
            let h = b.div(x, two);
            b.mul(s, h)
        },
    ];
    for (i, spelling) in spellings.iter().enumerate() {
        let mut b = Builder::new("gelu");
        let x = b.input("x", TensorType::f32([3, 4]));
        let root = b.constant(std::f64::consts::SQRT_2, DType::F32);
        let scaled = b.div(x, root);
        let erf = b.erf(scaled);
        let one = b.constant(1.0, DType::F32);
        let s = if i % 2 == 0 { b.add(erf, one) } else { b.add(one, erf) };
        let y = spelling(&mut b, x, s);
        let best = checked(&b.finish(&[y]), 6);
        assert_eq!(ops(&best.graph).into_iter().collect::<Vec<_>>(), [("gelu", 1)], "spelling {i}");
    }
    let mut b = Builder::new("near");
    let x = b.input("x", TensorType::f32([3, 4]));
    let scaled = b.scale(x, 0.7);
    let erf = b.erf(scaled);
    let s = b.shift(erf, 1.0);
    let h = b.scale(x, 0.5);
    let y = b.mul(h, s);
    assert!(!ops(&checked(&b.finish(&[y]), 6).graph).contains_key("gelu"));
}
