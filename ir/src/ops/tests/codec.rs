//! Every op survives its own attributes: name and attributes read back to the same op.

use super::*;
use crate::{
    ops::{Attr, AttrReader, Const, Gelu, Iota, Kind, MatMul, Row, Transpose, table},
    random::Random,
    view::View,
};

/// An attribute of that kind, or nothing where the type is written after the colon.
fn attr(kind: Kind, random: &mut Random) -> Option<Attr> {
    let mut int = |below: usize| random.below(below) as i64;
    Some(match kind {
        Kind::Int => Attr::Int(int(9) - 4),
        Kind::Size => Attr::Int(int(9)),
        Kind::Flag => Attr::Int(int(2)),
        Kind::Pair => Attr::Ints(vec![int(9), int(9)]),
        Kind::Real => Attr::Real([0.0, -0.1, 0.17677669529663687, f64::NEG_INFINITY][int(4) as usize].into()),
        Kind::Ints => Attr::Ints((0..int(4)).map(|_| int(9) - 4).collect()),
        Kind::Word(words) => Attr::Word(words[int(words.len()) as usize].to_string()),
        Kind::View => Attr::view(View::roll(&[4, 5], 1, 1 + int(3))),
        Kind::Type => return None,
    })
}

/// Ops of a row with drawn attributes, one where there are none.
fn drawn(row: &Row) -> Vec<Op> {
    let mut random = Random::new(row.name.len() as u64);
    let count = if row.attrs.is_empty() { 1 } else { 30 };
    let mut draw = || {
        let ty = TensorType::new(random.one(&DType::ALL), [2, 3]);
        let attrs = row.attrs.iter().filter_map(|&(name, kind)| Some((name.to_string(), attr(kind, &mut random)?)));
        row.read(&mut AttrReader::new(attrs.collect(), Some(ty))).unwrap_or_else(|e| panic!("{}: {e}", row.name))
    };
    (0..count).map(|_| draw()).collect()
}

/// Ops of every name with drawn attributes.
pub(super) fn samples() -> Vec<Op> {
    table().values().flat_map(drawn).collect()
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
fn every_name_has_one_row() {
    assert_eq!(table().len(), crate::ops::rows().len(), "two ops have one name");
    for (name, row) in table() {
        assert_eq!((row.name, drawn(row)[0].name()), (*name, *name));
        let (least, most) = row.operands.arity();
        assert!(least <= most && row.operands.all.len() >= least, "{name}");
    }
    assert!(Op::from_attrs("convolution", &mut AttrReader::default()).is_none());
}

#[test]
fn bad_attributes_are_explained() {
    let read = |name: &str, attr: &str, value: Attr| {
        let mut attrs = AttrReader::new(vec![(attr.to_string(), value), ("axis".to_string(), Attr::Int(-1))], None);
        Op::from_attrs(name, &mut attrs).expect("the name is known").expect_err("the attribute is wrong")
    };
    let word = |w: &str| Attr::Word(w.to_string());
    assert_eq!(read("reduce", "op", word("prod")), "`prod` is not a reduction, expected sum, mean, max or min");
    assert_eq!(read("cast", "to", word("f64")), "`f64` is not an element type, expected f32, bf16, f16, i32 or bool");
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
    assert_eq!(rejection(const_of(DType::I32, 0.5), &[]), "0.5 is not a value of type i32");
    assert_eq!(rejection(const_of(DType::I32, 3e9), &[]), "3000000000.0 is not a value of type i32");
    assert_eq!(rejection(const_of(DType::Bool, 2.0), &[]), "2.0 is not a value of type bool");
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
