//! Optimising keeps values, labels and order, and does what it says on blocks that models have.

use super::super::{
    region::regions,
    term::{decode, encode},
};
use super::{checked, noise, ops, optimized, values};
use crate::egraph::Stop;
use egg::{Id, RecExpr};
use proptest::prelude::*;
use regard_ir::{
    graph::{Builder, Graph, NodeId},
    id::Id as _,
    ops::{Op, RelativeBias},
    types::{DType, TensorType},
};
use regard_testkit::graphs;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_graphs_keep_their_values(seed: u64) {
        checked(&graphs::smooth(seed), seed);
    }

    #[test]
    fn graphs_are_terms_and_back(seed: u64) {
        let graph = graphs::any(seed);
        let mut expr = RecExpr::default();
        let mut placed: Vec<Id> = Vec::new();
        for (id, node) in graph.nodes.iter() {
            let operands: Vec<Id> = node.operands.iter().map(|o| placed[o.index()]).collect();
            placed.push(match &node.op {
                Op::Input(_) | Op::Weight(_) => expr.add(super::super::term::Term::Leaf(id.index() as u32)),
                op => encode(&mut expr, op, &operands, &node.ty),
            });
        }
        let mut out = Graph::new("back");
        let mut leaves = Vec::new();
        for (_, node) in graph.nodes.iter() {
            let leaf = matches!(node.op, Op::Input(_) | Op::Weight(_));
            leaves.push(if leaf { out.push(node.op.clone(), &[]).expect("a leaf") } else { NodeId::new(0) });
        }
        let nodes = decode(expr.as_ref(), &mut out, |i| leaves[i as usize]).expect("terms are well-typed");
        for (id, node) in graph.nodes.iter() {
            let back = nodes[usize::from(placed[id.index()])].expect("a tensor");
            prop_assert_eq!(&out.node(back).op, &node.op);
            prop_assert_eq!(out.ty(back), &node.ty);
            let operands: Vec<NodeId> =
                node.operands.iter().map(|o| nodes[usize::from(placed[o.index()])].expect("a tensor")).collect();
            prop_assert_eq!(&out.node(back).operands, &operands);
        }
    }
}

/// Window blocks of a transformer, one attention and one MLP each.
fn blocks(count: usize, window: usize, channels: usize, heads: usize) -> Graph {
    let side = 2 * window;
    let mut b = Builder::new("blocks");
    let mut x = b.input("x", TensorType::f32([1, side * side, channels]));
    for block in 0..count {
        let weight =
            |b: &mut Builder, name: &str, shape: &[usize]| b.weight(format!("{block}.{name}"), TensorType::f32(shape));
        let vector = |b: &mut Builder, name: &str, n: usize| b.weight(format!("{block}.{name}"), TensorType::f32([n]));
        let (gamma, beta) = (vector(&mut b, "norm1.weight", channels), vector(&mut b, "norm1.bias", channels));
        let normal = b.layer_norm(x, gamma, beta, 1e-5);
        let map = b.reshape(normal, &[1, side, side, channels]);
        let shift = if block % 2 == 1 { window / 2 } else { 0 };
        let windows = b.window_partition(map, window, shift);
        let (w, bias) =
            (weight(&mut b, "qkv.weight", &[3 * channels, channels]), vector(&mut b, "qkv.bias", 3 * channels));
        let qkv = b.linear(windows, w, Some(bias));
        let parts: Vec<NodeId> = b.split(qkv, -1, 3).into_iter().map(|part| b.split_heads(part, heads)).collect();
        let table = weight(&mut b, "table", &[(2 * window - 1).pow(2), heads]);
        let mut bias = b.push(RelativeBias { height: window, width: window }, &[table]);
        if shift > 0 {
            bias = b.masked_shifted_windows(bias, [1, side, side], window, shift);
        }
        let y = b.attention(parts[0], parts[1], parts[2], Some(bias), 0.5);
        let y = b.merge_heads(y);
        let (w, bias) = (weight(&mut b, "proj.weight", &[channels, channels]), vector(&mut b, "proj.bias", channels));
        let y = b.linear(y, w, Some(bias));
        let y = b.label(y, format!("{block}.attn"));
        let y = b.window_reverse(y, [1, side, side], window, shift);
        let y = b.reshape(y, &[1, side * side, channels]);
        x = b.add(x, y);
        let (gamma, beta) = (vector(&mut b, "norm2.weight", channels), vector(&mut b, "norm2.bias", channels));
        let normal = b.layer_norm(x, gamma, beta, 1e-5);
        let (w, bias) =
            (weight(&mut b, "fc1.weight", &[4 * channels, channels]), vector(&mut b, "fc1.bias", 4 * channels));
        let hidden = b.linear(normal, w, Some(bias));
        let hidden = b.gelu(hidden);
        let (w, bias) = (weight(&mut b, "fc2.weight", &[channels, 4 * channels]), vector(&mut b, "fc2.bias", channels));
        let y = b.linear(hidden, w, Some(bias));
        x = b.add(x, y);
        x = b.label(x, block.to_string());
    }
    let (gamma, beta) =
        (b.weight("norm.weight", TensorType::f32([channels])), b.weight("norm.bias", TensorType::f32([channels])));
    let normal = b.layer_norm(x, gamma, beta, 1e-5);
    let mean = b.mean(normal, -2);
    let pooled = b.reshape(mean, &[1, channels]);
    let w = b.weight("head.weight", TensorType::f32([10, channels]));
    let bias = b.weight("head.bias", TensorType::f32([10]));
    let logits = b.linear(pooled, w, Some(bias));
    let logits = b.label(logits, "logits");
    b.finish(&[logits])
}

#[test]
fn a_window_block_loses_the_affine_half_of_its_norms() {
    let graph = blocks(2, 2, 4, 2);
    let best = checked(&graph, 11);
    let counts = ops(&best.graph);
    // Left: per norm the scaling by 1/σ and the square, per block the scale of the scores.
    assert_eq!(counts["mul"], 5 * 2 + 2, "{}", best.graph);
    assert_eq!((counts["matmul"], counts["scores"], counts["attend"], counts["gelu"]), (9, 2, 2, 2));
    let core = crate::canonical::Canonical::of(&graph).expect("canonical form");
    assert!(counts["add"] < ops(&core)["add"], "{core}\n{}\n{:?}", best.graph, best.regions);
    assert!(best.regions.iter().all(|r| r.stop == Stop::Saturated), "{:?}", best.regions);
    let used = |name: &str| best.regions.iter().any(|r| r.rules.iter().any(|step| step.rule == name));
    assert!(used("factor-into-weights") && used("term-through-weights") && used("add-rows"));
    for label in core.nodes.values().filter_map(|n| n.label.as_deref()) {
        assert!(best.graph.labelled(label).is_some(), "{label} is gone\n{}", best.graph);
    }
    assert!(["x", "0", "1", "logits"].iter().all(|label| core.labelled(label).is_some()));
}

#[test]
fn every_step_can_be_replayed() {
    let best = optimized(&blocks(2, 2, 4, 2));
    let steps: Vec<_> = best.regions.iter().flat_map(|r| &r.rules).collect();
    assert!(steps.len() > 20);
    for step in steps {
        let sides = [&step.left, &step.right];
        let names = sides.map(|side| side.nodes.values().map_while(|n| n.label.clone()).collect::<Vec<_>>());
        assert_eq!(names[0], names[1], "{}", step.rule);
        let [left, right] = sides.map(|side| values(side, &noise(17)).remove(0));
        assert_eq!(left.ty, right.ty);
        let close = left.data.iter().zip(&right.data).all(|(x, y)| (x - y).abs() <= 1e-12 * (1.0 + x.abs()));
        assert!(close, "{}\n{}\n{}", step.rule, step.left, step.right);
    }
    let lines: Vec<String> = best.regions.iter().map(|r| r.to_string()).collect();
    assert!(
        lines[1].starts_with("%0, 2 regions alike: ") && lines[1].contains("iterations, saturated; term-"),
        "{}",
        lines[1]
    );
}

#[test]
fn equal_blocks_are_solved_once() {
    let best = optimized(&blocks(12, 7, 96, 3));
    let copies: Vec<usize> = best.regions.iter().map(|r| r.copies).collect();
    assert_eq!(copies, [6, 12, 6, 1], "plain attention, MLP, shifted attention, head");
}

#[test]
fn results_do_not_depend_on_the_run() {
    let graph = blocks(2, 2, 4, 2);
    let first = optimized(&graph);
    for _ in 0..20 {
        let again = optimized(&graph);
        assert_eq!((&again.graph, &again.regions), (&first.graph, &first.regions));
    }
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn({
                let graph = graph.clone();
                move || optimized(&graph)
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().expect("the thread ends").graph, first.graph);
    }
}

#[test]
fn what_is_best_stays() {
    for graph in [blocks(1, 2, 4, 2), blocks(2, 3, 8, 2)] {
        let once = optimized(&graph);
        let twice = optimized(&once.graph);
        assert_eq!(ops(&twice.graph), ops(&once.graph), "{}\n{}", once.graph, twice.graph);
        assert!(twice.regions.iter().all(|r| r.cost.0 == r.cost.1), "{:?}", twice.regions);
    }
}

#[test]
fn padding_keeps_a_norm_from_moving_into_weights() {
    // The padded tokens are zeros, not the norm's shift.
    let mut b = Builder::new("padded");
    let x = b.input("x", TensorType::f32([1, 5, 4]));
    let [gamma, beta] = ["gamma", "beta"].map(|name| b.weight(name, TensorType::f32([4])));
    let normal = b.layer_norm(x, gamma, beta, 1e-5);
    let padded = b.pad(normal, -2, 0, 3, 0.0);
    let w = b.weight("w", TensorType::f32([6, 4]));
    let bias = b.weight("bias", TensorType::f32([6]));
    let y = b.linear(padded, w, Some(bias));
    let graph = b.finish(&[y]);
    let best = checked(&graph, 9);
    assert_eq!(ops(&best.graph), ops(&crate::canonical::Canonical::of(&graph).expect("canonical form")));
}

#[test]
fn a_batch_norm_after_a_product_disappears() {
    let mut b = Builder::new("batch_norm");
    let x = b.input("x", TensorType::f32([3, 5, 4]));
    let w = b.weight("w", TensorType::f32([6, 4]));
    let [gamma, beta, mean, variance] =
        ["gamma", "beta", "mean", "variance"].map(|name| b.weight(name, TensorType::f32([6])));
    let y = b.linear(x, w, None);
    let centred = b.sub(y, mean);
    let positive = b.mul(variance, variance);
    let positive = b.shift(positive, 1e-3);
    let deviation = b.sqrt(positive);
    let normal = b.div(centred, deviation);
    let scaled = b.mul(gamma, normal);
    let y = b.add(scaled, beta);
    let best = checked(&b.finish(&[y]), 13);
    assert_eq!(ops(&best.graph).into_iter().collect::<Vec<_>>(), [("add", 1), ("matmul", 1)], "{}", best.graph);
}

#[test]
fn an_output_that_is_an_input_keeps_its_name() {
    let mut b = Builder::new("nothing");
    let x = b.input("x", TensorType::f32([3]));
    let unused = b.input("unused", TensorType::new(DType::I32, [2]));
    let y = b.scale(x, 1.0);
    let y = b.label(y, "y");
    let z = b.neg(x);
    let z = b.neg(z);
    let w = b.weight("w", TensorType::f32([3]));
    let best = checked(&b.finish(&[y, z, x, w]), 1);
    let names: Vec<String> = best.graph.inputs().iter().map(|&i| best.graph.text_name(i)).collect();
    assert_eq!(names, ["x", "unused"]);
    assert_eq!(best.graph.outputs.len(), 4);
    assert_eq!(best.graph.labelled("y"), Some(best.graph.outputs[0]), "{}", best.graph);
    assert!(ops(&best.graph).is_empty(), "{}", best.graph);
    let _ = unused;
}

#[test]
fn every_node_that_is_computed_has_one_region() {
    for seed in 0..300 {
        let graph = crate::canonical::Canonical::of(&graphs::any(seed)).expect("canonical form");
        let regions = regions(&graph);
        let constant = graph.constants();
        for (id, node) in graph.nodes.iter() {
            let homes = regions.iter().filter(|r| r.nodes.contains(&id)).count();
            let free = constant[id] || matches!(node.op, Op::Input(_) | Op::ViewOp(_));
            assert!(free || homes == 1, "seed {seed}: {id} is in {homes} regions\n{graph}");
        }
        for region in &regions {
            assert_eq!(region.nodes.last(), Some(&region.root));
            assert!(region.leaves.iter().all(|&l| l < region.root));
        }
    }
}

/// A convolution and its batch norm, as one op and in the pieces that exporters write.
fn normed(norm: &str) -> Graph {
    let text = format!(
        "graph normed {{
            %x = input : f32[1, 8, 6, 6]
            %w = weight : f32[16, 8, 3, 3]
            %c = conv2d %x, %w {{ stride = 1, padding = 1, dilation = 1, groups = 1 }}
            %g = weight : f32[16]
            %b = weight : f32[16]
            %m = weight : f32[16]
            %v = weight : f32[16]
            {norm}
            %z = relu %y
            return %z
        }}"
    );
    text.parse().unwrap_or_else(|e| panic!("{e:?}"))
}

#[test]
fn a_batch_norm_in_pieces_takes_no_more_terms_than_the_op() {
    let whole = optimized(&normed("%y = batch_norm %c, %g, %b, %m, %v { eps = 1e-5, axis = -3 }"));
    let map = |name: &str| format!("%{name}s = reshape %{name} {{ shape = [16, 1, 1] }}");
    let maps = [map("g"), map("b"), map("m"), map("v")].join("\n");
    for pieces in [
        "%d = sub %c, %ms\n%p = add %vs, 1e-5\n%r = rsqrt %p\n%n = mul %d, %r\n%f = mul %n, %gs\n%y = add %f, %bs",
        "%p = add %vs, 1e-5\n%r = sqrt %p\n%d = sub %c, %ms\n%n = div %d, %r\n%f = mul %gs, %n\n%y = add %bs, %f",
    ] {
        let best = optimized(&normed(&format!("{maps}\n{pieces}")));
        let [found, expected] = [&best, &whole].map(|best| &best.regions[0]);
        assert_eq!(ops(&best.graph), ops(&whole.graph));
        assert_eq!((found.nodes, found.stop, found.cost.1), (expected.nodes, Stop::Saturated, expected.cost.1));
    }
}
