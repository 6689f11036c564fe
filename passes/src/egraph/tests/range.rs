//! Numbers that change places leave values in the range of f32.
//!
//! Chains of products, quotients, means and sums of positive operands with magnitudes up to 10^±30, with numbers up to 10^±6 in
//! between: where every written value is 2⁸ within what f32 holds in full, every value of the chosen graph is held in full.

use super::{optimized, values};
use proptest::prelude::*;
use regard_ir::{
    graph::{Builder, Graph, NodeId, Tensor},
    types::TensorType,
};

/// The largest and smallest magnitude of all nodes, where `size` says the magnitude of each input.
fn magnitudes(graph: &Graph, size: &dyn Fn(&str) -> f64) -> (f64, f64) {
    let mut whole = graph.clone();
    whole.outputs = whole.nodes.ids().collect();
    let all = values(&whole, &|node| {
        let size = size(node.label.as_deref().unwrap_or_default());
        Tensor::from_fn(node.ty.clone(), |i| size * (1.0 + (i % 5) as f64 / 8.0))
    });
    let sizes = all.iter().flat_map(|tensor| &tensor.data).map(|x| x.abs());
    sizes.fold((0.0, f64::INFINITY), |(most, least), x| (x.max(most), x.min(least)))
}

/// A chain over inputs whose labels are the exponents of their magnitudes.
fn chain(steps: &[(usize, usize, i32, bool)]) -> Graph {
    let mut b = Builder::new("chain");
    let exponents = [30, 8, -20, 1, -8, 25];
    let mut nodes: Vec<(NodeId, i32)> = Vec::new();
    for (at, exponent) in exponents.into_iter().enumerate() {
        nodes.push((b.input(format!("{at}e{exponent}"), TensorType::f32([3, 3])), exponent));
    }
    let mut last = nodes[0];
    for &(op, other, power, first) in steps {
        let other = nodes[other % nodes.len()];
        let ([x, y], sum) =
            if first { ([last.0, other.0], last.1 + other.1) } else { ([other.0, last.0], last.1 + other.1) };
        let fits = |exponent: i32| exponent.abs() < 35;
        last = match op {
            0 if fits(sum) => (b.mul(x, y), sum),
            1 if fits(sum) => (b.matmul(x, y), sum),
            2 if fits(sum) => {
                let turned = b.transpose(y, &[-1, -2]);
                (b.matmul(x, turned), sum)
            }
            3 if fits(last.1 - other.1) => (b.div(last.0, other.0), last.1 - other.1),
            4 => {
                let mean = b.mean(last.0, -1);
                (b.mul(last.0, mean), 2 * last.1)
            }
            _ => (b.scale(last.0, 10f64.powi(power) * 1.7), last.1 + power),
        };
        if !fits(last.1) {
            last = (b.scale(last.0, 10f64.powi(-last.1)), 0);
        }
        nodes.push(last);
    }
    b.finish(&[last.0])
}

fn size(label: &str) -> f64 {
    let exponent = label.split_once('e').map_or("0", |(_, exponent)| exponent);
    10f64.powi(exponent.parse().expect("labels end in exponents"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn moved_numbers_leave_values_that_f32_holds(
        steps in prop::collection::vec((0..8usize, 0..14usize, -6..7i32, any::<bool>()), 2..9),
    ) {
        let graph = chain(&steps);
        let (most, least) = magnitudes(&graph, &size);
        prop_assume!(most < 2f64.powi(120) && least >= 2f64.powi(-118));
        let best = optimized(&graph).graph;
        let (most, least) = magnitudes(&best, &size);
        prop_assert!((most as f32).is_finite() && (least as f32).is_normal(), "{least} to {most}\n{graph}\n{best}");
    }
}

#[test]
fn a_small_factor_stays_before_a_product_that_would_overflow() {
    for number in [1e-5, 0.0] {
        let mut b = Builder::new("late");
        let [x, y, z] = ["0e30", "1e8", "2e0"].map(|label| b.input(label, TensorType::f32([3, 3])));
        let small = b.scale(x, number);
        let product = b.mul(small, y);
        let out = b.matmul(product, z);
        let graph = b.finish(&[out]);
        let (most, _) = magnitudes(&optimized(&graph).graph, &size);
        assert!(most < 1e36 || number == 0.0 && most < 1e31, "{most}");
    }
}

#[test]
fn factors_count_together() {
    let mut b = Builder::new("together");
    let mut product = b.input("0e30", TensorType::f32([3, 3]));
    for at in 0..5 {
        let y = b.input(format!("{}e2", at + 1), TensorType::f32([3, 3]));
        let small = b.scale(product, 0.01 + f64::from(at) * 1e-3);
        product = b.mul(small, y);
    }
    let graph = b.finish(&[product]);
    let (most, _) = magnitudes(&optimized(&graph).graph, &size);
    assert!((most as f32).is_finite() && most < 1e34, "{most}");
}

#[test]
fn scales_of_attention_move_on() {
    for scale in [0.125, 0.17, 0.0625, 1.0 / 255.0] {
        let mut b = Builder::new("scaled");
        let x = b.input("0e0", TensorType::f32([7, 8]));
        let y = b.input("1e0", TensorType::f32([7, 8]));
        let w = b.weight("2e0", TensorType::f32([8, 8]));
        let queries = b.matmul(x, w);
        let small = b.scale(queries, scale);
        let turned = b.transpose(y, &[-1, -2]);
        let scores = b.matmul(small, turned);
        let out = b.softmax(scores, -1);
        let best = optimized(&b.finish(&[out]));
        assert_eq!(super::ops(&best.graph).get("mul"), None, "{}", best.graph);
    }
}
