//! Every op survives its own attributes: name and attributes read back to the same op.

use super::*;
use crate::{
    ops::{
        Activation, ActivationOp, AdaptiveAvgPool, Agents, Align, Argmax, Attend, Attention, Attr, AttrReader, AvgPool,
        BatchNorm, Binary, BinaryOp, Border, Cast, Concat, Const, Conv2d, DistanceBias, Expand, Gather, Gelu,
        GridSample, Input, InverseAttention, Iota, LayerNorm, Limit, MatMul, MaxPool, Mix, NeighbourhoodAttention,
        OffsetPositions, Pad, Reduce, ReduceOp, Reference, RelativeBias, Reshape, Resize, ResizeMode, ResizedConv,
        Roll, Route, RoutedAttention, SampledBias, Scores, Select, Sinusoid, Slice, Softmax, TopK, Transpose, Unary,
        UnaryOp, Unfold, ViewOp, Weight,
    },
    view::View,
};
use std::collections::BTreeSet;

/// One op of every variant and every family member, with attributes that differ from each other.
pub(super) fn samples() -> Vec<Op> {
    let ty = TensorType::new(DType::I32, [2, 3]);
    let mut ops: Vec<Op> = vec![
        Input { ty: ty.clone() }.into(),
        Weight { ty: TensorType::f32([]) }.into(),
        Const { ty: TensorType::f32([4]), value: (-0.1).into() }.into(),
        Const { ty: TensorType::f32([]), value: f64::NEG_INFINITY.into() }.into(),
        Iota { ty, axis: -2 }.into(),
        Select.into(),
        MatMul.into(),
        Gather.into(),
        Reshape { shape: vec![3, 4] }.into(),
        Transpose { order: vec![-2, -1, -3] }.into(),
        Expand { shape: vec![] }.into(),
        Slice { axis: -1, start: 2, stop: 9, step: 3 }.into(),
        Pad { axis: -2, low: 1, high: 3, value: 0.25.into() }.into(),
        Roll { axis: -3, shift: -4 }.into(),
        Concat { axis: -2 }.into(),
        ViewOp { map: View::roll(&[4, 5], 1, 2) }.into(),
        Softmax { axis: -2 }.into(),
        LayerNorm { eps: 1e-5.into() }.into(),
        Gelu.into(),
        Attention { scale: 0.17677669529663687.into() }.into(),
        InverseAttention { scale: 0.25.into() }.into(),
        Mix.into(),
        Sinusoid { base: 100.0.into() }.into(),
        NeighbourhoodAttention { heads: 2, size: 3, scale: 0.5.into(), border: Border::Mask }.into(),
        Scores.into(),
        Attend { axis: -2 }.into(),
        Unfold { axis: -1, size: 3, stride: 2, dilation: 4 }.into(),
        Conv2d { stride: [1, 2], padding: [3, 4], dilation: [5, 6], groups: 7 }.into(),
        BatchNorm { eps: 1e-5.into(), axis: -3 }.into(),
        MaxPool { kernel: [1, 2], stride: [3, 4], padding: [5, 6] }.into(),
        AvgPool { kernel: [1, 2], stride: [3, 4], padding: [5, 6], count_padding: true }.into(),
        AdaptiveAvgPool { size: [2, 3] }.into(),
        ResizedConv { size: [1, 2], mode: ResizeMode::Nearest, stride: [9, 8], padding: [3, 4], dilation: [5, 6] }
            .into(),
        Argmax { axis: -2 }.into(),
        TopK { k: 3 }.into(),
        Route { k: 4 }.into(),
        RoutedAttention { heads: 2, scale: 0.125.into() }.into(),
        GridSample { align: Align::Centres }.into(),
        OffsetPositions { reference: Reference::Stretched, limit: Limit::Range, factor: 2.0.into() }.into(),
        OffsetPositions { reference: Reference::Centres, limit: Limit::Tanh, factor: 0.0.into() }.into(),
        Agents.into(),
        RelativeBias { height: 3, width: 4 }.into(),
        DistanceBias { height: 3, width: 4, stride: 2 }.into(),
        SampledBias { height: 3, width: 4, query: Align::Corners }.into(),
    ];
    ops.extend(ResizeMode::ALL.map(|(mode, _)| Resize { size: [3, 5], mode }.into()));
    ops.extend(ActivationOp::ALL.map(|(op, _)| Activation { op }.into()));
    ops.extend(UnaryOp::ALL.map(|(op, _)| Unary { op }.into()));
    ops.extend(BinaryOp::ALL.map(|(op, _)| Binary { op }.into()));
    ops.extend(ReduceOp::ALL.map(|(op, _)| Reduce { op, axis: -1 }.into()));
    ops.extend(DType::ALL.map(|to| Cast { to }.into()));
    ops
}

/// The written type of a leaf.
fn written_type(op: &Op) -> Option<TensorType> {
    match op {
        Op::Input(op) => Some(op.ty.clone()),
        Op::Weight(op) => Some(op.ty.clone()),
        Op::Const(op) => Some(op.ty.clone()),
        Op::Iota(op) => Some(op.ty.clone()),
        _ => None,
    }
}

fn reader(op: &Op) -> AttrReader {
    let attrs = op.attrs().into_iter().map(|(name, value)| (name.to_string(), value));
    AttrReader::new(attrs.collect(), written_type(op))
}

#[test]
fn attributes_read_back() {
    for op in samples() {
        let mut reader = reader(&op);
        let back = Op::from_attrs(op.name(), &mut reader).expect("the name is known").expect("the attributes are");
        assert_eq!(back, op);
        assert_eq!(reader.rest().count(), 0, "{} leaves attributes over", op.name());
    }
}

#[test]
fn a_missing_attribute_is_named() {
    for op in samples().iter().filter(|op| !op.attrs().is_empty()) {
        let mut empty = AttrReader::new(Vec::new(), written_type(op));
        let message = Op::from_attrs(op.name(), &mut empty).expect("the name is known").expect_err("nothing is given");
        assert_eq!(message, format!("expected attribute `{}`", op.attrs()[0].0));
    }
}

#[test]
fn names_are_distinct() {
    let mut names: Vec<&str> = samples().iter().map(|op| op.name()).collect();
    names.dedup();
    let families = ["const", "reduce", "cast"];
    for name in &names {
        assert_eq!(names.iter().filter(|n| n == &name).count(), 1, "{name}");
    }
    assert!(families.iter().all(|f| names.contains(f)));
    assert!(Op::from_attrs("convolution", &mut AttrReader::default()).is_none());
    let suggested: BTreeSet<&str> = crate::text::op_names().collect();
    assert_eq!(names.into_iter().collect::<BTreeSet<&str>>(), suggested, "names of ops in ir/src/text/nearest.rs");
}

#[test]
fn bad_attributes_are_explained() {
    let read = |name: &str, attr: &str, value: Attr| {
        let mut attrs = AttrReader::new(vec![(attr.to_string(), value), ("axis".to_string(), Attr::Int(-1))], None);
        Op::from_attrs(name, &mut attrs).expect("the name is known").expect_err("the attribute is wrong")
    };
    let word = |w: &str| Attr::Word(w.to_string());
    assert_eq!(read("reduce", "op", word("prod")), "`prod` is no reduction, expected sum, mean, max or min");
    assert_eq!(read("cast", "to", word("f64")), "`f64` is no element type, expected f32, bf16, f16, i32 or bool");
    assert_eq!(read("slice", "start", Attr::Int(-1)), "attribute `start` is -1, expected 0 or more");
    assert_eq!(read("layer_norm", "eps", word("small")), "attribute `eps` is small, expected a number");
    let mut untyped = AttrReader::default();
    let message = Op::from_attrs("input", &mut untyped).expect("known").expect_err("no type is written");
    assert_eq!(message, "expected a type, for example `: f32[2, 49, 32]`");
}

#[test]
fn constants_must_have_values_of_their_type() {
    let ty = |dtype| TensorType::new(dtype, []);
    let const_of = |dtype, value: f64| Const { ty: ty(dtype), value: value.into() };
    assert_eq!(rejection(const_of(DType::I32, 0.5), &[]), "0.5 is no value of type i32");
    assert_eq!(rejection(const_of(DType::I32, 3e9), &[]), "3000000000.0 is no value of type i32");
    assert_eq!(rejection(const_of(DType::Bool, 2.0), &[]), "2.0 is no value of type bool");
    assert_eq!(run(const_of(DType::I32, -7.0), &[]).data, [-7.0]);
    assert_eq!(
        rejection(Iota { ty: TensorType::new(DType::Bool, [2]), axis: -1 }, &[]),
        "iota has type bool[2], expected numbers"
    );
}

#[test]
fn a_linear_layer_costs_two_operations_per_multiply_add() {
    let (x, w) = (TensorType::f32([3136, 96]), TensorType::f32([96, 288]));
    let y = MatMul.infer(&[&x, &w]).expect("the shapes fit");
    assert_eq!(MatMul.flops(&[&x, &w], &y), 2 * 3136 * 96 * 288);
    assert_eq!(Transpose { order: vec![-1, -2] }.flops(&[&w], &w), 0);
    assert_eq!(Gelu.flops(&[&x], &x), 5 * 3136 * 96);
}
