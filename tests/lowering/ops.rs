//! Every op alone, at sizes that fill no vector and at sizes that fill several.

use crate::chain::{check, check_with, parse};
use regard_ir::{
    graph::{Node, NodeId, Tensor},
    ops::{BinaryOp, ReduceOp, UnaryOp},
    random::Random,
    types::DType,
};

pub(crate) const SIZES: [usize; 9] = [1, 2, 3, 5, 7, 16, 17, 33, 49];

/// Values with a few digits of either sign, zero, halves and the ends of the types among them.
fn striking(_: NodeId, node: &Node) -> Tensor {
    let mut random = Random::new(node.ty.elements() as u64);
    let halves = |random: &mut Random| random.below(41) as f64 / 2.0 - 10.0;
    Tensor::from_fn(node.ty.clone(), |_| match (node.ty.dtype, random.below(6)) {
        (DType::Bool, _) => random.below(2) as f64,
        (DType::I32, 0) if node.label.as_deref() != Some("small") => {
            random.one(&[i32::MIN, i32::MIN + 1, -1, 1, i32::MAX - 1, i32::MAX]).into()
        }
        (DType::I32, _) => random.below(61) as f64 - 30.0,
        (DType::F32, 0) => random.one(&[0.0, -0.0, 1e-3, 88.0, -88.0, 0.25, 0.75]),
        _ => halves(&mut random),
    })
}

#[test]
fn unary_ops() {
    for (op, name) in UnaryOp::ALL {
        let dtypes: &[DType] = match op {
            UnaryOp::Not => &[DType::Bool],
            UnaryOp::Neg | UnaryOp::Abs => &[DType::F32, DType::Bf16, DType::I32],
            _ => &[DType::F32, DType::F16],
        };
        for dtype in dtypes {
            for n in SIZES {
                let graph = parse(&format!("%x = input : {dtype}[{n}]\n%y = {name} %x\nreturn %y"));
                check_with(&graph, &striking);
            }
        }
    }
}

#[test]
fn binary_ops() {
    for (op, name) in BinaryOp::ALL {
        let dtypes: &[DType] = match op {
            BinaryOp::And | BinaryOp::Or => &[DType::Bool],
            BinaryOp::Pow => &[DType::F32, DType::F16],
            BinaryOp::Eq => &[DType::F32, DType::I32, DType::Bool],
            _ => &[DType::F32, DType::I32],
        };
        for dtype in dtypes {
            for (x, y) in [("33", "33"), ("3, 1, 7", "5, 1"), ("7, 1", "17"), ("", "5"), ("2, 3", "")] {
                let graph = parse(&format!(
                    "%x = input : {dtype}[{x}]\n%y = weight : {dtype}[{y}]\n%z = {name} %x, %y\nreturn %z"
                ));
                check_with(&graph, &|id, node| {
                    let mut values = striking(id, node);
                    let right = node.label.as_deref() == Some("y");
                    let divides = matches!(op, BinaryOp::Div | BinaryOp::Rem) && right;
                    values.data.iter_mut().filter(|v| divides && **v == 0.0).for_each(|v| *v = -3.0);
                    // 88³ and 10⁻⁹ are numbers of f32.
                    values.data.iter_mut().filter(|_| op == BinaryOp::Pow && right).for_each(|v| *v = (*v / 2.0) % 3.0);
                    values
                });
            }
        }
    }
}

#[test]
fn integers_are_divided_by_numbers_and_by_tensors() {
    for divisor in ["1", "2", "7", "-1", "-7", "2147483647", "-2147483648"] {
        for op in ["div", "rem"] {
            let graph = parse(&format!("%x = input : i32[49]\n%y = {op} %x, {divisor}\nreturn %y"));
            check_with(&graph, &striking);
        }
    }
}

#[test]
fn conversions() {
    for from in DType::ALL {
        for to in DType::ALL {
            for n in [1, 7, 33] {
                // 2^31 is beyond f16.
                let x = if to == DType::F16 { "small" } else { "x" };
                let graph = parse(&format!("%{x} = input : {from}[{n}]\n%y = cast %{x} {{ to = {to} }}\nreturn %y"));
                check_with(&graph, &striking);
            }
        }
    }
}

/// What does not fit an integer becomes the nearest that does, and what is not a number becomes zero.
#[test]
fn conversions_saturate() {
    let graph = parse("%x = input : f32[9]\n%y = cast %x { to = i32 }\nreturn %y");
    let values =
        [2147483520.0, 2147483648.0, 3e9, f64::INFINITY, -2147483648.0, -3e9, f64::NEG_INFINITY, f64::NAN, -1.5];
    check_with(&graph, &|_, node| Tensor::new(node.ty.clone(), values.to_vec()));
}

#[test]
fn selections() {
    for dtype in DType::ALL {
        for (c, a, b) in [("33", "33", "33"), ("7, 1", "17", ""), ("", "2, 5", "5"), ("3, 1, 1", "49", "2, 1")] {
            let graph = parse(&format!(
                "%c = input : bool[{c}]\n%a = input : {dtype}[{a}]\n%b = weight : {dtype}[{b}]\n\
                 %y = select %c, %a, %b\nreturn %y"
            ));
            check_with(&graph, &striking);
        }
    }
}

#[test]
fn reductions_over_every_axis() {
    for (op, name) in ReduceOp::ALL {
        for dtype in ["f32", "bf16", "i32", "bool"] {
            let numbers = matches!(op, ReduceOp::Sum | ReduceOp::Mean);
            if (op == ReduceOp::Mean && dtype == "i32") || (numbers && dtype == "bool") {
                continue;
            }
            for shape in ["1", "7", "49", "5, 33", "17, 3", "3, 5, 7", "2, 1, 16", "3, 17, 2, 5"] {
                for axis in 0..shape.split(',').count() {
                    check(&parse(&format!(
                        "%x = input : {dtype}[{shape}]\n%y = reduce %x {{ op = {name}, axis = {axis} }}\nreturn %y"
                    )));
                }
            }
        }
    }
}

/// Whole numbers wrap around in sums as everywhere.
#[test]
fn sums_of_integers_wrap() {
    let graph = parse("%x = input : i32[5, 33]\n%y = reduce %x { op = sum, axis = -1 }\nreturn %y");
    check_with(&graph, &|_, node| Tensor::from_fn(node.ty.clone(), |i| f64::from(i32::MAX - i as i32)));
}

#[test]
fn gathered_rows() {
    for (table, index) in
        [("4", "33"), ("4, 7", "5"), ("4, 16", "3, 2"), ("4, 3, 5", ""), ("5, 1", "7, 1"), ("4, 33", "2")]
    {
        for dtype in DType::ALL {
            for (source, place) in [("input", "input"), ("weight", "input"), ("input", "weight"), ("weight", "weight")]
            {
                check(&parse(&format!(
                    "%t = {source} : {dtype}[{table}]\n%i = {place} : i32[{index}]\n%y = gather %t, %i\nreturn %y"
                )));
            }
        }
    }
}

#[test]
fn gathered_rows_of_computed_tables_and_indices() {
    check(&parse(
        "%t = input : f32[5, 6, 3]\n%u = exp %t\n%v = transpose %u { order = [-2, -3, -1] }\n\
         %i = input : i32[7]\n%j = add %i, 1\n%r = roll %j { axis = 0, shift = 3 }\n\
         %g = gather %v, %r\n%s = transpose %g { order = [-1, -2] }\n%y = mul %s, 2.0\nreturn %y",
    ));
}

#[test]
fn generated_numbers() {
    for n in SIZES {
        check(&parse(&format!(
            "%x = input : i32[3, {n}]\n%i = iota {{ axis = 1 }} : i32[3, {n}]\n%c = const {{ value = 5 }} : i32[{n}]\n\
             %s = add %x, %i\n%y = mul %s, %c\nreturn %y"
        )));
    }
}
