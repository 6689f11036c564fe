//! Movement ops move elements where index arithmetic says, and agree with their views.

use super::*;
use crate::{
    ops::{Concat, Expand, Gather, Iota, Pad, Reshape, Roll, Slice, Transpose, ViewOp},
    view::View,
};

fn signed(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|&d| d as i64).collect()
}

/// Checks each element of a result against the operand index that `from` names, or the fill value; then that
/// the view of the op gives the same tensor.
fn check(op: impl Into<Op>, x: &Tensor, fill: f64, from: impl Fn(&[usize]) -> Option<Vec<usize>>) -> Tensor {
    let op = op.into();
    let y = run(op.clone(), &[x]);
    for (index, &found) in indices(&y.ty.shape).iter().zip(&y.data) {
        let expected = from(index).map_or(fill, |source| at(x, &source));
        assert_eq!(found, expected, "{op:?} of {} at {index:?}", x.ty);
    }
    let map = View::of_op(&op, &x.ty).expect("movement has a view");
    assert_eq!(run(ViewOp { map }, &[x]), y, "the view of {op:?}");
    y
}

/// The index with one entry replaced.
fn with(index: &[usize], axis: usize, value: usize) -> Vec<usize> {
    let mut index = index.to_vec();
    index[axis] = value;
    index
}

proptest! {
    #[test]
    fn reshape_keeps_the_order(shape in shapes(), seed: u64) {
        let x = tensor(&shape, seed);
        let flat = check(Reshape { shape: vec![x.data.len() as i64] }, &x, 0.0, |i| {
            Some(indices(&shape)[i[0]].clone())
        });
        prop_assert_eq!(&run(Reshape { shape: signed(&shape) }, &[&flat]), &x);
    }

    #[test]
    fn transpose_permutes_axes(shape in shapes(), seed: u64, keys in prop::collection::vec(any::<u32>(), 4), last in 1usize..5) {
        let rank = shape.len();
        let last = last.min(rank);
        let mut order: Vec<i64> = (1..=last as i64).map(|a| -a).collect();
        order.sort_by_key(|a| keys[(-a - 1) as usize]);
        let x = tensor(&shape, seed);
        check(Transpose { order: order.clone() }, &x, 0.0, |index| {
            let mut source = index.to_vec();
            for (position, &axis) in order.iter().enumerate() {
                source[(rank as i64 + axis) as usize] = index[rank - last + position];
            }
            Some(source)
        });
    }

    #[test]
    fn expand_repeats(shape in shapes(), choice: u64) {
        let x = tensor(&shrunk(&shape, choice), choice);
        check(Expand { shape: signed(&shape) }, &x, 0.0, |index| Some(index.to_vec()));
    }

    #[test]
    fn slice_takes_every_step(shape in shapes(), choice: (u64, u64, u64), step in 1usize..4) {
        let axis = some_axis(&shape, choice.0);
        let a = (shape.len() as i64 + axis) as usize;
        let start = (choice.1 % shape[a] as u64) as usize;
        let stop = start + 1 + (choice.2 % (shape[a] - start) as u64) as usize;
        let x = tensor(&shape, choice.0);
        check(Slice { axis, start, stop, step }, &x, 0.0, |i| Some(with(i, a, start + i[a] * step)));
    }

    #[test]
    fn pad_surrounds(shape in shapes(), choice: u64, low in 0usize..3, high in 0usize..3) {
        let axis = some_axis(&shape, choice);
        let a = (shape.len() as i64 + axis) as usize;
        let x = tensor(&shape, choice);
        check(Pad { axis, low, high, value: 7.5.into() }, &x, 7.5, |i| {
            (low..low + shape[a]).contains(&i[a]).then(|| with(i, a, i[a] - low))
        });
    }

    #[test]
    fn roll_is_cyclic(shape in shapes(), choice: u64, shift in -7i64..8) {
        let axis = some_axis(&shape, choice);
        let a = (shape.len() as i64 + axis) as usize;
        let x = tensor(&shape, choice);
        check(Roll { axis, shift }, &x, 0.0, |i| {
            Some(with(i, a, (i[a] as i64 - shift).rem_euclid(shape[a] as i64) as usize))
        });
    }

    #[test]
    fn chains_of_views_are_read_alike(shape in shapes(), choice: (u64, u64), shift in -3i64..4) {
        let x = tensor(&shape, choice.0);
        let ops: [Op; 3] = [
            Roll { axis: some_axis(&shape, choice.0), shift }.into(),
            Pad { axis: some_axis(&shape, choice.1), low: 1, high: 2, value: 0.5.into() }.into(),
            Transpose { order: (1..=shape.len() as i64).map(|a| -a).collect() }.into(),
        ];
        let (mut value, mut map) = (x.clone(), None::<View>);
        for op in ops {
            let view = View::of_op(&op, &value.ty).expect("movement has a view");
            value = run(op, &[&value]);
            map = match map {
                None => Some(view),
                Some(before) => before.then(&view),
            };
            let Some(map) = &map else { return Ok(()) };
            prop_assert_eq!(&run(ViewOp { map: map.clone() }, &[&x]), &value);
        }
    }

    #[test]
    fn concat_is_undone_by_slices(shape in shapes(), choice: u64, extents in prop::collection::vec(1usize..4, 2..4)) {
        let axis = some_axis(&shape, choice);
        let a = (shape.len() as i64 + axis) as usize;
        let parts: Vec<Tensor> =
            extents.iter().enumerate().map(|(i, &e)| tensor(&with(&shape, a, e), choice ^ i as u64)).collect();
        let whole = run(Concat { axis }, &parts.iter().collect::<Vec<_>>());
        let mut start = 0;
        for (part, &extent) in parts.iter().zip(&extents) {
            let back = run(Slice { axis, start, stop: start + extent, step: 1 }, &[&whole]);
            prop_assert_eq!(&back, part);
            start += extent;
        }
    }

    #[test]
    fn gather_picks_rows(shape in shapes(), picks in shapes(), seed: u64) {
        let table = tensor(&shape, seed);
        let mut index = integers(&picks, seed, false);
        index.data.iter_mut().for_each(|i| *i = i.rem_euclid(shape[0] as f64));
        let y = run(Gather, &[&table, &index]);
        for (at_y, &found) in indices(&y.ty.shape).iter().zip(&y.data) {
            let (pick, row) = at_y.split_at(picks.len());
            prop_assert_eq!(found, at(&table, &[&[at(&index, pick) as usize], row].concat()));
        }
    }
}

#[test]
fn gathering_outside_the_table_is_an_error() {
    let table = tensor(&[3, 2], 1);
    for wrong in [-1.0, 3.0, 2e9] {
        let index = Tensor::new(TensorType::new(DType::I32, [1]), vec![wrong]);
        let message = Gather.eval(&[&table, &index], &TensorType::f32([1, 2])).expect_err("outside");
        assert_eq!(message, format!("gather has index {wrong}, expected 0 to 2"));
    }
}

#[test]
fn iota_counts_along_its_axis() {
    let y = run(Iota { ty: TensorType::new(DType::I32, [2, 3]), axis: -1 }, &[]);
    assert_eq!(y.data, [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]);
    let y = run(Iota { ty: TensorType::new(DType::I32, [2, 3]), axis: -2 }, &[]);
    assert_eq!(y.data, [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
}

#[test]
fn wrong_shapes_are_rejected_in_one_sentence() {
    let x = [TensorType::f32([2, 3])];
    assert_eq!(
        rejection(Reshape { shape: vec![4, 2] }, &x),
        "reshape of f32[2, 3] to f32[4, 2] has 8 elements, expected 6"
    );
    assert_eq!(rejection(Reshape { shape: vec![-1] }, &x), "dimension -1 is negative, expected 1 or more");
    assert_eq!(rejection(Reshape { shape: vec![0] }, &x), "f32[0] has extent 0 on axis 0, expected 1 or more");
    let huge = i64::MAX;
    assert_eq!(
        rejection(Expand { shape: vec![huge, huge, 2, 3] }, &x),
        format!("f32[{huge}, {huge}, 2, 3] has more than 2^40 elements")
    );
    assert_eq!(
        rejection(Transpose { order: vec![-1, -1] }, &x),
        "transpose of f32[2, 3]: order [-1, -1] is not a permutation of -1 to -2"
    );
    assert_eq!(
        rejection(Transpose { order: vec![-1, -2, -3] }, &x),
        "transpose of f32[2, 3]: order [-1, -2, -3] has 3 axes, the operand has 2"
    );
    assert_eq!(rejection(Expand { shape: vec![4, 3] }, &x), "f32[2, 3] does not broadcast to [4, 3]");
    assert_eq!(
        rejection(Slice { axis: -1, start: 2, stop: 5, step: 1 }, &x),
        "slice of f32[2, 3] takes 2 to 5 by 1 on axis -1, expected start < stop <= 3 and a step of 1 or more"
    );
    assert_eq!(
        rejection(Pad { axis: -1, low: usize::MAX, high: 1, value: 0.0.into() }, &x),
        format!("f32[2, {}] has more than 2^40 elements", usize::MAX)
    );
    assert_eq!(rejection(Roll { axis: -3, shift: 1 }, &x), "axis -3 does not exist in f32[2, 3], which has 2 axes");
    assert_eq!(
        rejection(Concat { axis: -1 }, &[TensorType::f32([2, 3]), TensorType::f32([4, 3])]),
        "concat has f32[2, 3] and f32[4, 3], which may differ on axis -1 only"
    );
    assert_eq!(
        rejection(Gather, &[TensorType::f32([2, 3]), TensorType::f32([4])]),
        "indices of gather are f32[4], expected i32"
    );
}
