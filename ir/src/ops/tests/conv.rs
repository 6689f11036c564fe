//! Convolution against seven nested loops, and against its definition.

use super::{composite::check, *};
use crate::ops::Conv2d;

/// The sum written out, one element at a time.
fn direct(op: &Conv2d, x: &Tensor, w: &Tensor, bias: Option<&Tensor>, shape: &[usize]) -> Vec<f64> {
    let (channels, out) = (x.ty.shape[1] / op.groups, w.ty.shape[0] / op.groups);
    let element = |i: Vec<usize>| {
        let mut sum = bias.map_or(0.0, |b| b.data[i[1]]);
        for tap in indices(&w.ty.shape[1..]) {
            let place = |a: usize| (i[2 + a] * op.stride[a] + tap[1 + a] * op.dilation[a]).checked_sub(op.padding[a]);
            let (Some(row), Some(column)) = (place(0), place(1)) else { continue };
            if row < x.ty.shape[2] && column < x.ty.shape[3] {
                let weight = at(w, &[i[1], tap[0], tap[1], tap[2]]);
                sum += weight * at(x, &[i[0], i[1] / out * channels + tap[0], row, column]);
            }
        }
        sum
    };
    indices(shape).into_iter().map(element).collect()
}

/// Extents of a convolution with room for at least one patch.
fn drawn(seed: u64, kind: usize) -> (Conv2d, [usize; 4], [usize; 4]) {
    let mut random = Random::new(seed);
    let mut draw = |least: usize, n: usize| least + random.bits() as usize % n;
    let (groups, seen, each) = match kind {
        0 => (1, draw(1, 4), draw(1, 5)),
        1 => (draw(2, 5), 1, 1),
        _ => (draw(1, 3), draw(1, 3), draw(1, 3)),
    };
    let [kernel, stride, padding, dilation] = [(1, 4), (1, 3), (0, 3), (1, 2)].map(|(l, n)| [draw(l, n), draw(l, n)]);
    let extent =
        |i: usize, more: usize| ((kernel[i] - 1) * dilation[i] + 1 + more).saturating_sub(2 * padding[i]).max(1);
    let map = [extent(0, draw(0, 5)), extent(1, draw(0, 5))];
    let x = [draw(1, 2), groups * seen, map[0], map[1]];
    (Conv2d { stride, padding, dilation, groups }, x, [groups * each, seen, kernel[0], kernel[1]])
}

proptest! {
    #[test]
    fn convolution_is_the_sum_over_taps(seed: u64, kind in 0usize..3, biased: bool) {
        let (op, x, w) = drawn(seed, kind);
        let (x, w, bias) = (tensor(&x, seed), tensor(&w, !seed), tensor(&w[..1], seed ^ 1));
        let operands = [&x, &w, &bias];
        let operands = &operands[..if biased { 3 } else { 2 }];
        let y = run(op.clone(), operands);
        prop_assert_eq!(&y.data, &direct(&op, &x, &w, operands.get(2).copied(), &y.ty.shape));
        check(op, operands, 0);
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let f = |shape: &[usize]| TensorType::f32(shape);
    let op = Conv2d::new(1, 0);
    let says = |op: &Conv2d, types: &[TensorType], part: &str| {
        let message = rejection(op.clone(), types);
        assert!(message.contains(part), "{message}");
    };
    says(&op, &[f(&[1, 4, 8, 8]), f(&[6, 3, 3, 3])], "expected 4 input channels");
    says(&op, &[f(&[1, 4, 8]), f(&[6, 4, 3, 3])], "expected 4 axes");
    says(&op, &[f(&[1, 4, 2, 8]), f(&[6, 4, 3, 3])], "no room for one patch");
    says(&op.clone().in_groups(3), &[f(&[1, 4, 8, 8]), f(&[6, 4, 3, 3])], "3 groups");
    says(&op, &[f(&[1, 4, 8, 8]), f(&[6, 4, 3, 3]), f(&[5])], "expected [6]");
    says(&Conv2d::new(0, 0), &[f(&[1, 4, 8, 8]), f(&[6, 4, 3, 3])], "stride [0, 0]");
}
