//! Products, reductions and normalisations against sums written out.

use super::*;
use crate::ops::{Attend, Attention, LayerNorm, MatMul, Reduce, ReduceOp, Scores, Softmax};

/// Leading axes and the three extents of a product.
fn problem() -> impl Strategy<Value = (Vec<usize>, usize, usize, usize)> {
    (prop::collection::vec(1usize..4, 0..3), 1usize..7, 1usize..7, 1usize..7)
}

/// Leading axes shrunk by chance, then the matrix.
fn operand(lead: &[usize], choice: u64, rows: usize, cols: usize) -> Tensor {
    tensor(&[&shrunk(lead, choice)[..], &[rows, cols]].concat(), choice)
}

fn split(index: &[usize]) -> (&[usize], usize, usize) {
    let [lead @ .., i, j] = index else { panic!("a matrix has two axes") };
    (lead, *i, *j)
}

/// Element (i, j) of the matrix that a possibly broadcast batch index selects.
fn entry(x: &Tensor, lead: &[usize], i: usize, j: usize) -> f64 {
    at(x, &[lead, &[i, j]].concat())
}

proptest! {
    #[test]
    fn matmul_is_the_sum_of_products((lead, m, k, n) in problem(), choice: (u64, u64)) {
        let (a, b) = (operand(&lead, choice.0, m, k), operand(&lead, choice.1, k, n));
        let y = run(MatMul, &[&a, &b]);
        for (index, &found) in indices(&y.ty.shape).iter().zip(&y.data) {
            let (lead, i, j) = split(index);
            let expected: f64 = (0..k).map(|c| entry(&a, lead, i, c) * entry(&b, lead, c, j)).sum();
            prop_assert_eq!(found, expected);
        }
        prop_assert_eq!(MatMul.flops(&[&a.ty, &b.ty], &y.ty), 2 * (y.data.len() * k) as u64);
    }

    #[test]
    fn scores_are_the_product_with_keys_transposed((lead, n, d, m) in problem(), choice: (u64, u64)) {
        let (q, k) = (operand(&lead, choice.0, n, d), operand(&lead, choice.1, m, d));
        let y = run(Scores, &[&q, &k]);
        for (index, &found) in indices(&y.ty.shape).iter().zip(&y.data) {
            let (lead, i, j) = split(index);
            let expected: f64 = (0..d).map(|c| entry(&q, lead, i, c) * entry(&k, lead, j, c)).sum();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn reductions_meet_every_element(shape in shapes(), choice: u64, which in 0usize..4) {
        let op = ReduceOp::ALL[which].0;
        let axis = some_axis(&shape, choice);
        let a = (shape.len() as i64 + axis) as usize;
        let x = tensor(&shape, choice);
        let y = run(Reduce { op, axis }, &[&x]);
        for (index, &found) in indices(&y.ty.shape).iter().zip(&y.data) {
            let mut index = index.clone();
            let line: Vec<f64> = (0..shape[a]).map(|i| { index[a] = i; at(&x, &index) }).collect();
            let expected = match op {
                ReduceOp::Sum => line.iter().sum(),
                ReduceOp::Mean => line.iter().sum::<f64>() / shape[a] as f64,
                ReduceOp::Max => line.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                ReduceOp::Min => line.iter().copied().fold(f64::INFINITY, f64::min),
            };
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn softmax_spreads_one(shape in shapes(), choice: u64, offset in -1e4f64..1e4) {
        let axis = some_axis(&shape, choice);
        let mut x = tensor(&shape, choice);
        let w = run(Softmax { axis }, &[&x]);
        close(&run(Reduce { op: ReduceOp::Sum, axis }, &[&w]).data, &vec![1.0; w.data.len() / shape[(shape.len() as i64 + axis) as usize]], 1e-14);
        x.data.iter_mut().for_each(|v| *v += offset);
        close(&run(Softmax { axis }, &[&x]).data, &w.data, 1e-11);
    }

    #[test]
    fn attention_is_scores_then_attend((lead, n, d, m) in problem(), c in 1usize..5, choice: (u64, u64, u64, u64), with_bias: bool) {
        let (q, k) = (operand(&lead, choice.0, n, d), operand(&lead, choice.1, m, d));
        let v = operand(&lead, choice.2, m, c);
        let mut s = run(Scores, &[&q, &k]);
        s.data.iter_mut().for_each(|x| *x *= 0.25);
        let bias = tensor(&shrunk(&s.ty.shape, choice.3), choice.3);
        let mut operands = vec![&q, &k, &v];
        if with_bias {
            operands.push(&bias);
            let all = indices(&s.ty.shape);
            s.data.iter_mut().zip(&all).for_each(|(x, index)| *x += at(&bias, index));
        }
        let y = run(Attention { scale: 0.25.into() }, &operands);
        close(&y.data, &run(Attend { axis: -1 }, &[&s, &v]).data, 1e-13);
    }

    #[test]
    fn attend_weighs_values((lead, n, _, m) in problem(), c in 1usize..5, choice: (u64, u64), axis in -2i64..0) {
        let (s, v) = (operand(&lead, choice.0, n, m), operand(&lead, choice.1, m, c));
        let weights = run(Softmax { axis }, &[&s]);
        close(&run(Attend { axis }, &[&s, &v]).data, &run(MatMul, &[&weights, &v]).data, 1e-14);
    }

    #[test]
    fn layer_norm_has_mean_zero_and_variance_one(rows in 1usize..5, c in 2usize..9, seed: u64) {
        let mut x = tensor(&[rows, c], seed);
        (0..rows).for_each(|r| x.data[r * c] += 16.0);
        let one = Tensor::from_fn(TensorType::f32([c]), |_| 1.0);
        let zero = Tensor::from_fn(TensorType::f32([c]), |_| 0.0);
        let y = run(LayerNorm { eps: 0.0.into() }, &[&x, &one, &zero]);
        for row in y.data.chunks(c) {
            close(&[row.iter().sum::<f64>() / c as f64], &[0.0], 1e-13);
            close(&[row.iter().map(|v| v * v).sum::<f64>() / c as f64], &[1.0], 1e-12);
        }
        let (gamma, beta) = (tensor(&[c], seed ^ 1), tensor(&[c], seed ^ 2));
        let z = run(LayerNorm { eps: 0.0.into() }, &[&x, &gamma, &beta]);
        for (i, (&found, normal)) in z.data.iter().zip(&y.data).enumerate() {
            close(&[found], &[normal * gamma.data[i % c] + beta.data[i % c]], 1e-13);
        }
    }
}

#[test]
fn one_weight_serves_a_whole_batch() {
    let (a, b) = (tensor(&[3, 4, 5, 6], 1), tensor(&[6, 7], 2));
    let tall = Tensor::new(TensorType::f32([60, 6]), a.data.clone());
    assert_eq!(run(MatMul, &[&a, &b]).data, run(MatMul, &[&tall, &b]).data);
}

#[test]
fn masked_rows_give_zeros() {
    let mut s = tensor(&[2, 3, 4], 3);
    s.data[4..8].fill(f64::NEG_INFINITY);
    let w = run(Softmax { axis: -1 }, &[&s]);
    assert_eq!(w.data[4..8], [0.0; 4]);
    assert!(w.data.iter().all(|x| x.is_finite()));
    let y = run(Attend { axis: -1 }, &[&s, &tensor(&[4, 5], 4)]);
    assert_eq!(y.data[5..10], [0.0; 5]);
    let columns = Tensor::from_fn(TensorType::f32([2, 2]), |i| if i % 2 == 0 { f64::NEG_INFINITY } else { 1.0 });
    assert_eq!(run(Softmax { axis: -2 }, &[&columns]).data, [0.0, 0.5, 0.0, 0.5]);
}

#[test]
fn wrong_shapes_are_rejected_in_one_sentence() {
    let f = |shape: &[usize]| TensorType::f32(shape);
    assert_eq!(
        rejection(MatMul, &[f(&[2, 3]), f(&[4, 5])]),
        "matmul has f32[2, 3] times f32[4, 5], expected 3 rows on the right, found 4"
    );
    assert_eq!(rejection(MatMul, &[f(&[3]), f(&[3, 5])]), "left operand of matmul is f32[3], expected 2 axes or more");
    assert_eq!(
        rejection(MatMul, &[f(&[2, 1, 3]), f(&[4, 3, 1])]),
        "matmul has leading axes [2] and [4], which do not broadcast"
    );
    assert_eq!(
        rejection(Scores, &[f(&[2, 3]), f(&[2, 4])]),
        "scores has queries f32[2, 3] and keys f32[2, 4], expected 3 channels per key, found 4"
    );
    assert_eq!(
        rejection(Attend { axis: -1 }, &[f(&[2, 3]), f(&[4, 5])]),
        "attend has 3 keys and values f32[4, 5], expected 3 values, found 4"
    );
    assert_eq!(
        rejection(Attend { axis: 0 }, &[f(&[2, 3]), f(&[3, 5])]),
        "attend has axis 0, expected -1 (keys) or -2 (queries)"
    );
    assert_eq!(
        rejection(Attention { scale: 1.0.into() }, &[f(&[2, 3]), f(&[4, 3]), f(&[4, 5]), f(&[3, 4])]),
        "bias of attention is f32[3, 4], which does not broadcast to the scores [2, 4]"
    );
    assert_eq!(
        rejection(LayerNorm { eps: 0.0.into() }, &[f(&[2, 3]), f(&[3]), f(&[2])]),
        "beta of layer_norm is f32[2], expected float[3]"
    );
    assert_eq!(
        rejection(LayerNorm { eps: 0.0.into() }, &[f(&[]), f(&[]), f(&[])]),
        "x of layer_norm is f32[], expected float[…, c]"
    );
}
