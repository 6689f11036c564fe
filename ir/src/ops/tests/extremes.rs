//! Attributes at the ends of 64 bits: every shape rule gives a type or one sentence, and a type's definition holds.

use super::{codec::samples, *};
use crate::{
    ops::{
        AdaptiveAvgPool, Align, Argmax, Attend, Attr, AttrReader, AvgPool, BatchNorm, Border, Concat, Conv2d,
        DistanceBias, Expand, Iota, MaxPool, NeighbourhoodAttention, Pad, Reduce, ReduceOp, RelativeBias, Reshape,
        Resize, ResizeMode, ResizedConv, Roll, Route, RoutedAttention, SampledBias, Slice, Softmax, TopK, Transpose,
        Unfold,
    },
    view::View,
};
use std::collections::BTreeSet;

const EXTREMES: [i64; 20] = [
    i64::MIN,
    -(1 << 40),
    -1,
    0,
    1,
    2,
    3,
    65535,
    1 << 20,
    1 << 31,
    (1 << 31) + 1,
    1 << 32,
    (1 << 40) - 1,
    1 << 40,
    1 << 53,
    (1 << 62) - 1,
    1 << 62,
    (1 << 62) + 1,
    i64::MAX - 1,
    i64::MAX,
];

/// One op of every kind that has integers among its attributes, and operands that fit it.
fn fitting() -> Vec<(Op, Vec<TensorType>)> {
    let f = |shape: &[usize]| TensorType::f32(shape);
    let i = |shape: &[usize]| TensorType::new(DType::I32, shape);
    let map = || vec![f(&[1, 2, 8, 8])];
    let (kernel, stride, padding) = ([2, 3], [2, 2], [1, 1]);
    vec![
        (Iota { ty: i(&[2, 3]), axis: -2 }.into(), vec![]),
        (Reshape { shape: vec![3, 4] }.into(), vec![f(&[2, 6])]),
        (Transpose { order: vec![-2, -1, -3] }.into(), vec![f(&[2, 3, 4])]),
        (Expand { shape: vec![3, 4] }.into(), vec![f(&[1, 4])]),
        (Slice { axis: -1, start: 2, stop: 9, step: 3 }.into(), vec![f(&[2, 9])]),
        (Pad { axis: -2, low: 1, high: 3, value: 0.25.into() }.into(), vec![f(&[2, 3])]),
        (Roll { axis: -3, shift: -4 }.into(), vec![f(&[2, 3, 4])]),
        (Concat { axis: -2 }.into(), vec![f(&[2, 3]), f(&[2, 3])]),
        (Softmax { axis: -2 }.into(), vec![f(&[2, 3])]),
        (Reduce { op: ReduceOp::Sum, axis: -1 }.into(), vec![f(&[2, 3])]),
        (Attend { axis: -2 }.into(), vec![f(&[4, 5]), f(&[5, 3])]),
        (Unfold { axis: -1, size: 3, stride: 2, dilation: 2 }.into(), vec![f(&[2, 9])]),
        (
            Conv2d { stride: [1, 2], padding: [1, 1], dilation: [1, 2], groups: 2 }.into(),
            vec![f(&[1, 4, 9, 9]), f(&[6, 2, 3, 3])],
        ),
        (BatchNorm { eps: 1e-5.into(), axis: -3 }.into(), [vec![f(&[1, 4, 3, 3])], vec![f(&[4]); 4]].concat()),
        (MaxPool { kernel, stride, padding }.into(), map()),
        (AvgPool { kernel, stride, padding, count_padding: false }.into(), map()),
        (AdaptiveAvgPool { size: [2, 3] }.into(), map()),
        (Resize { size: [3, 5], mode: ResizeMode::ALL[0].0 }.into(), map()),
        (
            ResizedConv { size: [8, 8], mode: ResizeMode::ALL[0].0, stride: [1, 1], padding: [1, 1], dilation: [1, 1] }
                .into(),
            vec![f(&[1, 2, 4, 4]), f(&[3, 2, 3, 3])],
        ),
        (Argmax { axis: -2 }.into(), vec![f(&[2, 3])]),
        (TopK { k: 3 }.into(), vec![f(&[2, 5])]),
        (Route { k: 2 }.into(), vec![f(&[4, 2, 3]), f(&[4, 2, 3])]),
        (
            RoutedAttention { heads: 2, scale: 0.5.into() }.into(),
            vec![f(&[1, 4, 2, 6]), f(&[1, 4, 2, 6]), f(&[1, 4, 2, 6]), i(&[1, 4, 2])],
        ),
        (
            NeighbourhoodAttention { heads: 2, size: 3, scale: 0.5.into(), border: Border::Mask }.into(),
            vec![f(&[1, 4, 5, 5]); 3],
        ),
        (RelativeBias { height: 3, width: 4 }.into(), vec![f(&[35, 2])]),
        (DistanceBias { height: 3, width: 4, stride: 2 }.into(), vec![f(&[2, 12])]),
        (SampledBias { height: 3, width: 4, query: Align::Corners }.into(), vec![f(&[2, 5, 7]), f(&[1, 1, 2, 2, 2])]),
    ]
}

/// Where integers stand in an op's attributes: which attribute, and which of its list.
fn places(op: &Op) -> Vec<(usize, usize)> {
    let all = op.attrs().into_iter().enumerate();
    all.flat_map(|(at, (_, attr))| match attr {
        Attr::Int(_) => vec![(at, 0)],
        Attr::Ints(list) => (0..list.len()).map(|i| (at, i)).collect(),
        _ => Vec::new(),
    })
    .collect()
}

/// The op with other integers in some places, where its codec takes them.
fn changed(op: &Op, changes: &[((usize, usize), i64)]) -> Option<Op> {
    let mut attrs = op.attrs();
    for &((at, i), value) in changes {
        match &mut attrs[at].1 {
            Attr::Int(old) => *old = value,
            Attr::Ints(list) => list[i] = value,
            _ => {}
        }
    }
    let ty = if let Op::Iota(iota) = op { Some(iota.ty.clone()) } else { None };
    let attrs = attrs.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
    Op::from_attrs(op.name(), &mut AttrReader::new(attrs, ty))?.ok()
}

/// A type has a definition of that type, a cost, and no more elements than can be counted.
fn judge(op: &Op, types: &[TensorType]) {
    let types: Vec<&TensorType> = types.iter().collect();
    let about = || format!("{} {:?} of {types:?}", op.name(), op.attrs());
    match op.infer(&types) {
        Err(message) => assert!(!message.is_empty() && !message.contains('\n'), "{}: {message}", about()),
        Ok(ty) => {
            let elements = ty.shape.iter().fold(1u128, |n, &d| n.saturating_mul(d as u128));
            assert!((1..=1 << 40).contains(&elements), "{} is {ty}", about());
            assert!(op.flops(&types, &ty) <= 1 << 62, "{}", about());
            if let Some(text) = op.definition(&types) {
                let graph = crate::text::parse(&text).unwrap_or_else(|e| panic!("{}: {}", about(), e.message));
                assert_eq!(graph.ty(graph.outputs[0]), &ty, "{}", about());
            }
        }
    }
}

#[test]
fn extreme_attributes_have_a_type_or_a_sentence() {
    let all = fitting();
    let named: BTreeSet<&str> = all.iter().map(|(op, _)| op.name()).collect();
    for op in samples().iter().filter(|op| !places(op).is_empty()) {
        assert!(named.contains(op.name()), "{} is not tried", op.name());
    }
    for (op, types) in &all {
        let operands: Vec<&TensorType> = types.iter().collect();
        op.infer(&operands).unwrap_or_else(|message| panic!("{}: {message}", op.name()));
        judge(op, types);
        let places = places(op);
        for (n, &first) in places.iter().enumerate() {
            for value in EXTREMES {
                for &second in &places[n..] {
                    for other in if second == first { &EXTREMES[..1] } else { &EXTREMES[..] } {
                        let changes = [(second, *other), (first, value)];
                        changed(op, &changes).iter().for_each(|op| judge(op, types));
                    }
                }
            }
        }
    }
}

/// The same with operands of up to 2³¹ elements, the most that kernels count.
#[test]
fn extreme_operands_have_a_type_or_a_sentence() {
    for (op, types) in fitting() {
        for (which, ty) in types.iter().enumerate() {
            for axis in 0..ty.rank() {
                let most = (1 << 31) / (ty.elements() / ty.shape[axis]);
                for extent in [1, 1 << 15, 1 << 20, most / 2, most - 1, most] {
                    let mut types = types.clone();
                    // Operands that are alike stay alike.
                    let old = types[which].clone();
                    types.iter_mut().filter(|ty| **ty == old).for_each(|ty| ty.shape[axis] = extent);
                    judge(&op, &types);
                }
            }
        }
    }
}

#[test]
fn extreme_numbers_in_views_are_refused() {
    for text in [
        "[2] of 4: -9223372036854775808 + i0",
        "[2] of 4: 9223372036854775807 + i0",
        "[2] of 4: -9223372036854775808*i0",
        "[2] of 4: (-9223372036854775808 + i0) in 4 * 1",
        "[9223372036854775807, 9223372036854775807] of 4: 0",
    ] {
        assert!(text.parse::<View>().is_err(), "{text}");
    }
    let order = vec![i64::MAX, -1];
    assert_eq!(
        rejection(Transpose { order }, &[TensorType::f32([2, 3])]),
        "transpose of f32[2, 3]: order [9223372036854775807, -1] is not a permutation of -1 to -2"
    );
}
