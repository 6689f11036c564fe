//! A composite's own value, type and cost are those of its definition.

use super::*;
use crate::{
    graph::{Graph, eval},
    ops::{
        Activation, ActivationOp, Argmax, Attend, Attention, BatchNorm, Gelu, InverseAttention, LayerNorm, MatMul, Mix,
        Scores, Softmax,
    },
    text,
};

fn definition(op: &Op, operands: &[&Tensor]) -> Graph {
    let types: Vec<&TensorType> = operands.iter().map(|t| &t.ty).collect();
    let source = op.definition(&types).expect("a composite has a definition");
    text::parse(&source).unwrap_or_else(|e| panic!("{}", e.render(&source, op.name())))
}

/// Compares an op with its definition; `clamps` counts the operations that the definition alone needs to give
/// masked rows a value.
pub(super) fn check(op: impl Into<Op>, operands: &[&Tensor], clamps: usize) {
    let op = op.into();
    let graph = definition(&op, operands);
    let inputs = graph.inputs();
    assert_eq!(inputs.len(), operands.len(), "{}", op.name());
    let leaf = |id| operands[inputs.iter().position(|&i| i == id).expect("leaves are inputs")].clone();
    let expected = eval(&graph, &mut |id, _| Ok(leaf(id))).unwrap_or_else(|e| panic!("{e}"));
    let found = run(op.clone(), operands);
    assert_eq!(found.ty, expected[0].ty);
    assert!(found.data.iter().all(|x| x.is_finite()), "{} of finite or masked entries is finite", op.name());
    close(&found.data, &expected[0].data, 1e-12);
    let types: Vec<&TensorType> = operands.iter().map(|t| &t.ty).collect();
    assert_eq!(op.flops(&types, &found.ty) + clamps as u64, graph.flops(), "{}", op.name());
}

/// Scores some of which are masked: −∞ in entries, sometimes in whole lines.
fn masked(shape: &[usize], seed: u64) -> Tensor {
    let mut random = Random::new(!seed);
    let mut scores = tensor(shape, seed);
    let width = shape[shape.len() - 1];
    for row in scores.data.chunks_mut(width) {
        match random.bits() % 4 {
            0 => row.fill(f64::NEG_INFINITY),
            1 => row.iter_mut().for_each(|s| {
                if random.bits().is_multiple_of(2) {
                    *s = f64::NEG_INFINITY;
                }
            }),
            2 => row.iter_mut().for_each(|s| *s *= 2500.0),
            _ => {}
        }
    }
    scores
}

proptest! {
    #[test]
    fn softmax(shape in shapes(), choice: u64) {
        let axis = some_axis(&shape, choice);
        let extent = shape[(shape.len() as i64 + axis) as usize];
        let x = masked(&shape, choice);
        check(Softmax { axis }, &[&x], 2 * x.data.len() / extent);
    }

    #[test]
    fn layer_norm(shape in shapes(), seed: u64) {
        let c = &shape[shape.len() - 1..];
        check(LayerNorm { eps: 1e-5.into() }, &[&tensor(&shape, seed), &tensor(c, !seed), &tensor(c, seed ^ 1)], 0);
    }

    #[test]
    fn batch_norm(shape in shapes(), seed: u64) {
        let axis = some_axis(&shape, seed);
        let c = [shape[(shape.len() as i64 + axis) as usize]];
        let mut variance = tensor(&c, seed ^ 3);
        variance.data.iter_mut().for_each(|v| *v = v.abs());
        let [gamma, beta, mean] = [1, 2, 4].map(|i| tensor(&c, seed ^ i));
        check(BatchNorm { eps: 1e-3.into(), axis }, &[&tensor(&shape, seed), &gamma, &beta, &mean, &variance], 0);
    }

    #[test]
    fn activations(shape in shapes(), seed: u64) {
        for (op, _) in ActivationOp::ALL {
            check(Activation { op }, &[&tensor(&shape, seed)], 0);
        }
    }

    #[test]
    fn argmax(shape in shapes(), seed: u64) {
        let axis = some_axis(&shape, seed);
        let mut x = tensor(&shape, seed);
        // Few values, many ties.
        x.data.iter_mut().for_each(|v| *v = v.round());
        check(Argmax { axis }, &[&x], 0);
    }

    #[test]
    fn gelu(shape in shapes(), seed: u64) {
        check(Gelu, &[&tensor(&shape, seed)], 0);
    }

    #[test]
    fn matmul(lead in prop::collection::vec(1usize..4, 0..3), n in 1usize..6, m in 1usize..6, d in 1usize..6, seed: u64) {
        let matrix = |rows, cols, seed| tensor(&[&shrunk(&lead, seed)[..], &[rows, cols]].concat(), seed);
        check(MatMul, &[&matrix(n, d, seed), &matrix(d, m, !seed)], 0);
    }

    #[test]
    fn scores_and_attend(lead in prop::collection::vec(1usize..4, 0..3), n in 1usize..6, m in 1usize..6, d in 1usize..6, seed: u64, axis in -2i64..0) {
        let matrix = |rows, cols, seed| tensor(&[&shrunk(&lead, seed)[..], &[rows, cols]].concat(), seed);
        check(Scores, &[&matrix(n, d, seed), &matrix(m, d, !seed)], 0);
        let s = masked(&[&shrunk(&lead, seed)[..], &[n, m]].concat(), seed);
        let extent = if axis == -1 { m } else { n };
        check(Attend { axis }, &[&s, &matrix(m, d, seed ^ 1)], 2 * s.data.len() / extent);
    }

    #[test]
    fn attention(lead in prop::collection::vec(1usize..4, 0..3), n in 1usize..6, m in 1usize..6, d in 1usize..6, seed: u64, biased: bool) {
        let matrix = |rows, cols, seed| tensor(&[&shrunk(&lead, seed)[..], &[rows, cols]].concat(), seed);
        let (q, k, v) = (matrix(n, d, seed), matrix(m, d, !seed), matrix(m, d + 1, seed ^ 1));
        let scores = run(Scores, &[&q, &k]);
        let bias = masked(&[&shrunk(&scores.ty.shape[..scores.ty.rank() - 1], seed ^ 2)[..], &[m]].concat(), seed);
        let operands = [&q, &k, &v, &bias];
        check(Attention { scale: 0.375.into() }, &operands[..if biased { 4 } else { 3 }], 0);
    }
    #[test]
    fn inverse_attention(
        lead in prop::collection::vec(1usize..4, 0..3), n in 1usize..6, d in 1usize..4, a in 1usize..4, b in 1usize..4,
        e in 1usize..4, seed: u64, biased: bool,
    ) {
        let matrix = |cols, seed| tensor(&[&shrunk(&lead, seed)[..], &[n, cols]].concat(), seed);
        let (q, k, l, c) = (matrix(d, seed), matrix(d, !seed), matrix(a, seed ^ 1), matrix(e, seed ^ 2));
        let (g, shift) = (tensor(&[a * b, e], seed ^ 3), tensor(&[b, e], seed ^ 4));
        let scores = run(Scores, &[&q, &k]);
        let bias = masked(&[&shrunk(&scores.ty.shape[..scores.ty.rank() - 1], seed ^ 5)[..], &[n]].concat(), seed);
        let operands = [&q, &k, &l, &c, &g, &shift, &bias];
        check(InverseAttention { scale: 0.375.into() }, &operands[..if biased { 7 } else { 6 }], 0);
    }

    #[test]
    fn mix(shape in shapes(), choice: u64) {
        let operand = |shape: &[usize], seed| tensor(&shrunk(shape, seed), seed);
        check(Mix, &[&tensor(&shape, choice), &operand(&shape, !choice), &operand(&shape, choice ^ 1)], 0);
    }
}
