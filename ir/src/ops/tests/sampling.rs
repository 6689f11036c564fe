//! Routing, routed attention, sampling and score terms: definition, value, shape and cost against each other, and
//! values worked out by hand.

use super::{composite::check, *};
use crate::ops::{
    Agents, Align, DistanceBias, GridSample, Limit, OffsetPositions, Reference, RelativeBias, Route, RoutedAttention,
    SampledBias, TopK,
};

/// Normalised positions: between −1.5 and 1.5, ends and elements among them.
fn positions(shape: &[usize], seed: u64) -> Tensor {
    let mut random = Random::new(seed);
    Tensor::from_fn(TensorType::f32(shape), |_| (random.bits() % 49) as f64 / 16.0 - 1.5)
}

fn chosen(shape: &[usize], below: usize, seed: u64) -> Tensor {
    let mut random = Random::new(seed);
    Tensor::from_fn(TensorType::new(DType::I32, shape), |_| (random.bits() % below as u64) as f64)
}

fn align(choice: u64) -> Align {
    if choice.is_multiple_of(2) { Align::Corners } else { Align::Centres }
}

proptest! {
    #[test]
    fn top_k(shape in shapes(), seed: u64) {
        let n = shape[shape.len() - 1];
        let k = 1 + (seed % n as u64) as usize;
        let x = tensor(&shape, seed);
        check(TopK { k }, &[&x], 0);
        let found = run(TopK { k }, &[&x]);
        for (row, indices) in x.data.chunks(n).zip(found.data.chunks(k)) {
            let ahead = |i: usize| (0..n).filter(|&j| row[j] > row[i] || (row[j] == row[i] && j < i)).count();
            for (rank, &index) in indices.iter().enumerate() {
                prop_assert_eq!(ahead(index as usize), rank);
            }
        }
    }

    #[test]
    fn route(lead in prop::collection::vec(1usize..3, 0..2), r in 1usize..5, s in 1usize..6, n in 1usize..4, m in 1usize..4, c in 1usize..5, seed: u64) {
        let k = 1 + (seed % s as u64) as usize;
        // Means of 1, 2 or 4 quarters are exact, so both sides find the same ties.
        let (n, m) = (n.next_power_of_two(), m.next_power_of_two());
        let q = tensor(&[&lead[..], &[r, n, c]].concat(), seed);
        check(Route { k }, &[&q, &tensor(&[&lead[..], &[s, m, c]].concat(), !seed)], 0);
    }

    #[test]
    fn routed_attention(b in 1usize..3, r in 1usize..4, s in 1usize..5, n in 1usize..4, m in 1usize..4, heads in 1usize..3, seed: u64) {
        let (c, e, t) = (heads * 3, heads * 2, 1 + (seed % s as u64) as usize);
        let op = RoutedAttention { heads, scale: 0.375.into() };
        let [q, k, v] = [[b, r, n, c], [b, s, m, c], [b, s, m, e]].map(|shape| tensor(&shape, seed ^ shape[3] as u64));
        check(op, &[&q, &k, &v, &chosen(&[b, r, t], s, seed)], 0);
    }

    #[test]
    fn grid_sample(b in 1usize..3, h in 1usize..5, w in 1usize..5, c in 1usize..4, n in 1usize..6, seed: u64) {
        let op = GridSample { align: align(seed) };
        let places = [seed, !seed].map(|seed| positions(&[b, n], seed));
        check(op, &[&tensor(&[b, h, w, c], seed), &places[0], &places[1]], 0);
    }

    #[test]
    fn offset_positions(b in 1usize..3, h in 2usize..6, w in 2usize..6, channels in 1usize..3, seed: u64) {
        let reference = if seed & 1 == 0 { Reference::Centres } else { Reference::Stretched };
        for (limit, factor) in [(Limit::Clamp, 0.0), (Limit::Tanh, 0.0), (Limit::Range, 2.0)] {
            let op = OffsetPositions { reference, limit, factor: factor.into() };
            check(op, &[&tensor(&[b, h, w, channels], seed)], 0);
        }
    }

    #[test]
    fn agents(b in 1usize..3, g in 1usize..4, h in 1usize..5, w in 1usize..5, i in 1usize..4, j in 1usize..4, seed: u64) {
        check(Agents, &[&tensor(&[b, h, w, 2 * g], seed), &positions(&[b, g, i, j, 2], !seed)], 0);
    }

    #[test]
    fn sampled_bias(b in 1usize..3, g in 1usize..3, h in 2usize..5, w in 2usize..5, i in 1usize..3, j in 1usize..3, seed: u64) {
        let op = SampledBias { height: h, width: w, query: align(seed) };
        let table = tensor(&[2 * g, 2 * h - 1, 2 * w + 1], seed);
        check(op, &[&table, &positions(&[b, g, i, j, 2], !seed)], 0);
    }

    #[test]
    fn position_biases(h in 1usize..5, w in 1usize..5, heads in 1usize..4, stride in 1usize..4, seed: u64) {
        check(RelativeBias { height: h, width: w }, &[&tensor(&[(2 * h - 1) * (2 * w - 1), heads], seed)], 0);
        check(DistanceBias { height: h, width: w, stride }, &[&tensor(&[heads, h * w], seed)], 0);
    }
}

/// A map whose element (y, x) is 10·y + x is linear, so a sample inside is 10·row + column.
#[test]
fn samples_of_a_slope() {
    let map = Tensor::from_fn(TensorType::f32([1, 3, 5, 1]), |i| (10 * (i / 5) + i % 5) as f64);
    let at = |rows: &[f64], columns: &[f64], align| {
        let tensors = [rows, columns].map(|p| Tensor::new(TensorType::f32([1, p.len()]), p.to_vec()));
        run(GridSample { align }, &[&map, &tensors[0], &tensors[1]]).data
    };
    assert_eq!(at(&[-1.0, 0.0, 1.0, 0.5], &[-1.0, 0.5, 1.0, 0.0], Align::Corners), [0.0, 13.0, 24.0, 17.0]);
    // −1 is the outer border of the first element, so half of the sample is outside along each axis.
    assert_eq!(at(&[0.0, 0.0, -2.0 / 3.0], &[0.0, 0.4, -0.8], Align::Centres)[..2], [12.0, 13.0]);
    assert_eq!(at(&[1.0], &[1.0], Align::Centres), [24.0 / 4.0]);
    assert_eq!(at(&[1.75, -5.0], &[0.0, 0.0], Align::Corners), [22.0 / 4.0, 0.0]);
}

#[test]
fn references_follow_the_conventions() {
    let zero = Tensor::new(TensorType::f32([1, 2, 4, 1]), vec![0.0; 8]);
    let first_row = |reference| {
        let op = OffsetPositions { reference, limit: Limit::Range, factor: 1.0.into() };
        run(op, &[&zero]).data[..8].to_vec()
    };
    assert_eq!(first_row(Reference::Centres), [-0.5, -0.75, -0.5, -0.25, -0.5, 0.25, -0.5, 0.75]);
    let stretched = first_row(Reference::Stretched);
    close(&stretched, &[0.0, -2.0 / 3.0, 0.0, 0.0, 0.0, 2.0 / 3.0, 0.0, 4.0 / 3.0], 1e-15);
}

#[test]
fn a_distance_bias_is_symmetric_and_a_relative_one_is_signed() {
    let table = Tensor::from_fn(TensorType::f32([1, 6]), |i| i as f64);
    let bias = run(DistanceBias { height: 2, width: 3, stride: 1 }, &[&table]);
    assert_eq!(at(&bias, &[0, 1, 5]), 4.0);
    assert_eq!(at(&bias, &[0, 5, 1]), 4.0);
    let table = Tensor::from_fn(TensorType::f32([15, 1]), |i| i as f64);
    let bias = run(RelativeBias { height: 2, width: 3 }, &[&table]);
    // From (0, 1) to (1, 2): row −1 + 1, column −1 + 2 of five.
    assert_eq!((at(&bias, &[0, 1, 5]), at(&bias, &[0, 5, 1])), (1.0, 13.0));
}

#[test]
fn what_does_not_fit_is_said() {
    let f = |shape: &[usize]| TensorType::f32(shape);
    let i = |shape: &[usize]| TensorType::new(DType::I32, shape);
    assert_eq!(rejection(TopK { k: 5 }, &[f(&[2, 4])]), "top_k of f32[2, 4] has k = 5, expected 1 to 4");
    let why = rejection(Route { k: 9 }, &[f(&[4, 2, 8]), f(&[5, 3, 8])]);
    assert_eq!(why, "route has k = 9, expected 1 to 5, the regions of f32[5, 3, 8]");
    let routed = RoutedAttention { heads: 3, scale: 1.0.into() };
    let why = rejection(routed, &[f(&[1, 4, 2, 8]), f(&[1, 4, 2, 8]), f(&[1, 4, 2, 8]), i(&[1, 4, 2])]);
    assert_eq!(why, "routed_attention has 3 heads, expected a divisor of 8 and 8 channels");
    let why = rejection(GridSample { align: Align::Corners }, &[f(&[1, 4, 4, 2]), f(&[1, 3]), f(&[1, 4])]);
    assert_eq!(why, "positions of grid_sample are f32[1, 3] and f32[1, 4], expected both [1, …]");
    let why = rejection(Agents, &[f(&[1, 4, 4, 6]), f(&[1, 4, 2, 2, 2])]);
    assert_eq!(why, "positions of agents are f32[1, 4, 2, 2, 2], expected [1, a divisor of 6, …, …, 2]");
    let why = rejection(RelativeBias { height: 3, width: 3 }, &[f(&[24, 2])]);
    assert_eq!(why, "table of relative_bias is f32[24, 2], expected [25, heads] for a map of 3x3");
}
