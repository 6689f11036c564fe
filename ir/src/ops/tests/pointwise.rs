//! Pointwise ops broadcast as indices say, and know their types.

use super::*;
use crate::ops::{Binary, BinaryOp, Cast, Select, Unary, UnaryOp};

fn float_reference(op: BinaryOp, x: f64, y: f64) -> f64 {
    let truth = |t: bool| if t { 1.0 } else { 0.0 };
    match op {
        BinaryOp::Add => x + y,
        BinaryOp::Sub => x - y,
        BinaryOp::Mul => x * y,
        BinaryOp::Div => x / y,
        BinaryOp::Rem => x - y * (x / y).floor(),
        BinaryOp::Pow => x.powf(y),
        BinaryOp::Min => x.min(y),
        BinaryOp::Max => x.max(y),
        BinaryOp::Lt => truth(x < y),
        BinaryOp::Le => truth(x <= y),
        BinaryOp::Eq => truth(x == y),
        BinaryOp::And => truth(x == 1.0 && y == 1.0),
        BinaryOp::Or => truth(x == 1.0 || y == 1.0),
    }
}

fn integer_reference(op: BinaryOp, x: f64, y: f64) -> f64 {
    if op == BinaryOp::Div { (x / y).floor() } else { float_reference(op, x, y) }
}

fn same(found: f64, expected: f64) -> bool {
    found == expected || found.is_nan() && expected.is_nan()
}

proptest! {
    #[test]
    fn binary_ops_broadcast(shape in shapes(), choice: (u64, u64), which in 0usize..13, whole: bool) {
        let op = BinaryOp::ALL[which].0;
        let make = |choice: u64, divisor| match op {
            BinaryOp::And | BinaryOp::Or => truths(&shrunk(&shape, choice), choice),
            _ if whole && op != BinaryOp::Pow => integers(&shrunk(&shape, choice), choice, divisor),
            _ => tensor(&shrunk(&shape, choice), choice),
        };
        let (a, b) = (make(choice.0, false), make(choice.1, true));
        let y = run(Binary { op }, &[&a, &b]);
        let reference = if a.ty.dtype == DType::I32 { integer_reference } else { float_reference };
        for (index, &found) in indices(&y.ty.shape).iter().zip(&y.data) {
            let expected = reference(op, at(&a, index), at(&b, index));
            prop_assert!(same(found, expected), "{op:?} at {index:?} is {found}, expected {expected}");
        }
        prop_assert_eq!(y.ty.dtype == DType::Bool, op.is_logical());
    }

    #[test]
    fn select_broadcasts_all_three(shape in shapes(), choice: (u64, u64, u64)) {
        let c = truths(&shrunk(&shape, choice.0), choice.0);
        let a = tensor(&shrunk(&shape, choice.1), choice.1);
        let b = tensor(&shrunk(&shape, choice.2), choice.2);
        let y = run(Select, &[&c, &a, &b]);
        for (index, &found) in indices(&y.ty.shape).iter().zip(&y.data) {
            prop_assert_eq!(found, at(if at(&c, index) == 1.0 { &a } else { &b }, index));
        }
    }
}

#[test]
fn unary_values() {
    let values = |op, xs: &[f64]| {
        let x = Tensor::new(TensorType::f32([xs.len()]), xs.to_vec());
        run(Unary { op }, &[&x]).data
    };
    assert_eq!(values(UnaryOp::Neg, &[1.5, -2.0]), [-1.5, 2.0]);
    assert_eq!(values(UnaryOp::Abs, &[1.5, -2.0]), [1.5, 2.0]);
    assert_eq!(values(UnaryOp::Exp, &[0.0, f64::NEG_INFINITY, 1.0]), [1.0, 0.0, std::f64::consts::E]);
    assert_eq!(values(UnaryOp::Log, &[1.0, 0.0]), [0.0, f64::NEG_INFINITY]);
    assert_eq!(values(UnaryOp::Sqrt, &[2.25]), [1.5]);
    assert_eq!(values(UnaryOp::Rsqrt, &[4.0]), [0.5]);
    assert_eq!(values(UnaryOp::Recip, &[8.0]), [0.125]);
    assert_eq!(values(UnaryOp::Floor, &[1.5, -1.5]), [1.0, -2.0]);
    assert_eq!(values(UnaryOp::Round, &[0.5, 1.5, 2.5, -0.75]), [0.0, 2.0, 2.0, -1.0]);
    assert_eq!(values(UnaryOp::Erf, &[0.0, 9.0]), [0.0, 1.0]);
    assert_eq!(values(UnaryOp::Tanh, &[0.0, 1e3]), [0.0, 1.0]);
    assert_eq!(values(UnaryOp::Sin, &[0.0, 0.5, f64::INFINITY])[..2], [0.0, 0.479425538604203]);
    assert_eq!(values(UnaryOp::Cos, &[0.0, 0.5]), [1.0, 0.8775825618903728]);
    assert_eq!(values(UnaryOp::Sigmoid, &[0.0, 1e4, -1e4]), [0.5, 1.0, 0.0]);
    let flags = Tensor::new(TensorType::new(DType::Bool, [2]), vec![0.0, 1.0]);
    assert_eq!(run(Unary { op: UnaryOp::Not }, &[&flags]).data, [1.0, 0.0]);
}

#[test]
fn integers_wrap_and_cannot_be_divided_by_zero() {
    let ty = TensorType::new(DType::I32, [2]);
    let extremes = Tensor::new(ty.clone(), vec![i32::MAX as f64, i32::MIN as f64]);
    let minus_one = Tensor::new(ty.clone(), vec![-1.0, -1.0]);
    let [min, max] = [i32::MIN as f64, i32::MAX as f64];
    assert_eq!(run(Binary { op: BinaryOp::Sub }, &[&extremes, &minus_one]).data, [min, min + 1.0]);
    assert_eq!(run(Binary { op: BinaryOp::Mul }, &[&extremes, &extremes]).data, [1.0, 0.0]);
    assert_eq!(run(Binary { op: BinaryOp::Div }, &[&extremes, &minus_one]).data, [-max, min]);
    assert_eq!(run(Unary { op: UnaryOp::Neg }, &[&extremes]).data, [-max, min]);
    let zero = Tensor::new(ty.clone(), vec![1.0, 0.0]);
    let message = Binary { op: BinaryOp::Rem }.eval(&[&extremes, &zero], &ty).expect_err("division by zero");
    assert_eq!(message, "an integer is divided by zero");
}

#[test]
fn casts_truncate_saturate_and_keep_floats() {
    let x = Tensor::new(TensorType::f32([5]), vec![1.75, -1.75, 1e12, f64::NAN, 0.0]);
    assert_eq!(run(Cast { to: DType::I32 }, &[&x]).data, [1.0, -1.0, i32::MAX as f64, 0.0, 0.0]);
    assert_eq!(run(Cast { to: DType::Bool }, &[&x]).data, [1.0, 1.0, 1.0, 1.0, 0.0]);
    assert_eq!(run(Cast { to: DType::Bf16 }, &[&x]).data[..3], x.data[..3]);
}

#[test]
fn wrong_types_are_rejected_in_one_sentence() {
    let f = |shape: &[usize]| TensorType::f32(shape);
    let i = TensorType::new(DType::I32, [2]);
    let b = TensorType::new(DType::Bool, [2]);
    assert_eq!(
        rejection(Binary { op: BinaryOp::Add }, &[f(&[2, 3]), f(&[4])]),
        "add has f32[4] beside [2, 3], which do not broadcast: from the last axis, dimensions must be equal or 1"
    );
    assert_eq!(
        rejection(Binary { op: BinaryOp::Add }, &[f(&[2]), i.clone()]),
        "add has f32[2] and i32[2], expected one element type"
    );
    assert_eq!(
        rejection(Binary { op: BinaryOp::Mul }, &[b.clone(), b.clone()]),
        "operand of mul is bool[2], expected numbers"
    );
    assert_eq!(
        rejection(Binary { op: BinaryOp::Pow }, &[i.clone(), i.clone()]),
        "operand of pow is i32[2], expected f32, bf16 or f16"
    );
    assert_eq!(rejection(Unary { op: UnaryOp::Exp }, &[i]), "operand of exp is i32[2], expected f32, bf16 or f16");
    assert_eq!(rejection(Unary { op: UnaryOp::Not }, &[f(&[2])]), "operand of not is f32[2], expected bool");
    assert_eq!(rejection(Unary { op: UnaryOp::Neg }, &[b]), "operand of neg is bool[2], expected numbers");
    assert_eq!(rejection(Select, &[f(&[2]), f(&[2]), f(&[2])]), "condition of select is f32[2], expected bool");
}

#[test]
fn remainders_and_powers_are_those_of_pytorch() {
    let values = |op, xs: &[f64], ys: &[f64]| {
        let tensor = |data: &[f64]| Tensor::new(TensorType::f32([data.len()]), data.to_vec());
        run(Binary { op }, &[&tensor(xs), &tensor(ys)]).data
    };
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let rem = values(
        BinaryOp::Rem,
        &[-7.0, 7.0, -7.0, 5.0, -5.0, 6.0, 1.0, inf],
        &[3.0, -3.0, -3.0, inf, inf, 3.0, 0.0, 2.0],
    );
    assert_eq!(rem[..6], [2.0, -2.0, -1.0, 5.0, inf, 0.0]);
    assert!(rem[6].is_nan() && rem[7].is_nan());
    let pow = values(
        BinaryOp::Pow,
        &[nan, 1.0, -2.0, -2.0, 0.0, -0.0, -0.0, -1.0, -inf, -8.0, nan],
        &[0.0, nan, 3.0, -2.0, -1.0, -1.0, 2.0, inf, 0.5, 0.5, 1.0],
    );
    assert_eq!(pow[..9], [1.0, 1.0, -8.0, 0.25, inf, -inf, 0.0, 1.0, inf]);
    assert!(pow[9].is_nan() && pow[10].is_nan());
}

#[test]
fn reductions_of_bools_are_any_and_all() {
    use crate::ops::{Reduce, ReduceOp};
    let x = Tensor::new(TensorType::new(DType::Bool, [2, 2]), vec![1.0, 0.0, 0.0, 0.0]);
    assert_eq!(run(Reduce { op: ReduceOp::Max, axis: -1 }, &[&x]).data, [1.0, 0.0]);
    assert_eq!(run(Reduce { op: ReduceOp::Min, axis: 0 }, &[&x]).data, [0.0, 0.0]);
    assert_eq!(run(Reduce { op: ReduceOp::Max, axis: 0 }, &[&x]).ty, TensorType::new(DType::Bool, [1, 2]));
    assert_eq!(
        rejection(Reduce { op: ReduceOp::Sum, axis: 0 }, &[x.ty]),
        "operand of sum is bool[2, 2], expected numbers"
    );
}
