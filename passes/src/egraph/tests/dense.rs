//! Dense heads: where products at the size before resizing save work they are taken, and nowhere else.

use super::{checked, target};
use crate::{
    egraph::{Optimized, Rules, optimize},
    horizontal_fusion, replay,
};
use proptest::prelude::*;
use regard_ir::{
    graph::{Builder, Graph},
    ops::{Argmax, Concat, Conv2d, Op, Resize, ResizeMode, Softmax},
    types::TensorType,
};

/// What is concatenated: channels, and the size before resizing where it was.
type Part = (usize, Option<[usize; 2]>);

/// A convolution of concatenated maps of one size.
fn head(parts: &[Part], size: [usize; 2], out: usize, conv: Conv2d, mode: ResizeMode) -> Graph {
    let mut b = Builder::new("head");
    let mut part = |(at, &(channels, before)): (usize, &Part)| {
        let [height, width] = before.unwrap_or(size);
        let x = b.input(format!("x{at}"), TensorType::f32([1, channels, height, width]));
        if before.is_some() { b.push(Resize { size, mode }, &[x]) } else { x }
    };
    let maps: Vec<_> = parts.iter().enumerate().map(&mut part).collect();
    let all = if maps.len() == 1 { maps[0] } else { b.push(Concat { axis: -3 }, &maps) };
    let channels = parts.iter().map(|(channels, _)| channels).sum();
    let w = b.weight("w", TensorType::f32([out, channels, 3, 3]));
    let bias = b.weight("bias", TensorType::f32([out]));
    let y = b.push(conv, &[all, w, bias]);
    b.finish(&[y])
}

/// The form before canonical form, if the head is another than was written.
fn snapshot(best: &Optimized) -> Option<&Graph> {
    best.snapshots.iter().find(|snapshot| snapshot.name == "dense heads").map(|snapshot| &snapshot.graph)
}

fn count(graph: &Graph, name: &str) -> usize {
    graph.nodes.values().filter(|node| node.op.name() == name).count()
}

/// How many resized convolutions, convolutions and concatenations a head becomes; `None` where it stays.
fn became(graph: &Graph) -> Option<[usize; 3]> {
    let best = checked(graph, 3);
    for pair in best.snapshots.windows(2) {
        for step in &pair[1].steps {
            let (before, after) = step.sides();
            let verdict = replay::replay(before, after).expect("steps are graphs");
            assert!(!matches!(verdict, replay::Verdict::Broken(_)), "{}: {verdict:?}", step.rule);
        }
    }
    let head = snapshot(&best)?;
    assert!(head.flops() < graph.flops(), "{} became {}", graph.flops(), head.flops());
    Some(["resized_conv", "conv2d", "concat"].map(|name| count(head, name)))
}

const SAME: Conv2d = Conv2d { stride: [1; 2], padding: [1; 2], dilation: [1; 2], groups: 1 };

#[test]
fn convolutions_of_several_sizes_become_sums() {
    let parts = [(5, None), (33, Some([3, 2])), (40, Some([2, 1])), (40, Some([1, 1]))];
    let graph = head(&parts, [12, 10], 20, SAME, ResizeMode::Bilinear);
    assert_eq!(became(&graph), Some([3, 1, 0]));
}

#[test]
fn maps_that_were_not_resized_stay_together() {
    let parts = [(9, None), (9, None), (40, Some([3, 3]))];
    assert_eq!(became(&head(&parts, [12, 12], 16, SAME, ResizeMode::BilinearCorners)), Some([1, 1, 1]));
}

#[test]
fn what_saves_nothing_stays() {
    let large = |conv: Conv2d, before| head(&[(40, Some(before))], [12, 12], 16, conv, ResizeMode::Bilinear);
    assert_eq!(became(&large(SAME, [3, 3])), Some([1, 0, 0]));
    assert_eq!(became(&large(SAME, [24, 24])), None);
    assert_eq!(became(&large(SAME, [12, 12])), None);
    let two = Conv2d { groups: 2, ..SAME };
    let mut b = Builder::new("groups");
    let x = b.input("x", TensorType::f32([1, 40, 3, 3]));
    let w = b.weight("w", TensorType::f32([16, 20, 3, 3]));
    let resized = b.push(Resize { size: [12, 12], mode: ResizeMode::Bilinear }, &[x]);
    let y = b.push(two, &[resized, w]);
    assert_eq!(became(&b.finish(&[y])), None);
    assert_eq!(became(&head(&[(9, None), (11, None)], [12, 12], 16, SAME, ResizeMode::Nearest)), None);
}

#[test]
fn a_map_that_others_read_is_resized_once() {
    let mut b = Builder::new("shared");
    let x = b.input("x", TensorType::f32([1, 40, 3, 3]));
    let w = b.weight("w", TensorType::f32([16, 40, 3, 3]));
    let resized = b.push(Resize { size: [12, 12], mode: ResizeMode::Bilinear }, &[x]);
    let y = b.push(SAME, &[resized, w]);
    assert_eq!(became(&b.finish(&[y, resized])), None);
}

#[test]
fn rules_are_switched_off_by_name() {
    let graph = head(&[(9, None), (40, Some([3, 3]))], [12, 12], 16, SAME, ResizeMode::Bilinear);
    let best = |without: &[&str]| {
        let without =
            without.iter().map(|name| name.to_string()).chain([horizontal_fusion::RULE.to_string()]).collect();
        optimize(&graph, target(), &Rules { without, ..Rules::default() }).expect("a graph")
    };
    assert!(snapshot(&best(&[])).is_some());
    for rule in ["convolution-of-two-maps", "convolution-before-resize", "bias-behind-convolution"] {
        assert!(snapshot(&best(&[rule])).is_none(), "{rule}");
    }
}

#[test]
fn the_greatest_needs_no_softmax() {
    let graph = |axis: i64| {
        let mut b = Builder::new("greatest");
        let x = b.input("x", TensorType::f32([1, 5, 4, 4]));
        let s = b.push(Softmax { axis }, &[x]);
        let y = b.push(Argmax { axis: -3 }, &[s]);
        b.finish(&[y])
    };
    let softmax = |graph: &Graph| {
        let best = checked(graph, 5);
        best.graph.nodes.values().filter(|node| matches!(node.op, Op::Softmax(_))).count()
    };
    assert_eq!((softmax(&graph(1)), softmax(&graph(2))), (0, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn heads_keep_their_values(
        parts in prop::collection::vec((20usize..40, 0usize..5, 1usize..4), 1..5),
        size in (5usize..9, 5usize..9), k in prop::collection::vec(0usize..3, 5), mode in 0usize..3
    ) {
        let parts: Vec<Part> =
            parts.into_iter().map(|(c, kind, n)| if kind == 0 { (c / 9, None) } else { (c, Some([n, kind])) }).collect();
        let conv = Conv2d { stride: [1 + k[0] % 2, 1 + k[1] / 2], padding: [k[2], k[3]], dilation: [1, 1 + k[4] % 2], groups: 1 };
        checked(&head(&parts, [size.0, size.1], 8, conv, ResizeMode::ALL[mode].0), 7);
    }
}
