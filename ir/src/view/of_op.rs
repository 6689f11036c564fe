//! Views of movement ops, forwards and backwards.

use super::View;
use crate::{ops::Op, types::TensorType};

/// Whether an op only moves the elements of its one operand, and fills where it leaves it: [`View::of_op`] is its view.
pub fn is_movement(op: &Op) -> bool {
    matches!(
        op,
        Op::Reshape(_)
            | Op::Transpose(_)
            | Op::Expand(_)
            | Op::Slice(_)
            | Op::Pad(_)
            | Op::Roll(_)
            | Op::Unfold(_)
            | Op::ViewOp(_)
    )
}

impl View {
    /// The view of a movement op with that operand; `None` for other ops and where the op does not fit.
    pub fn of_op(op: &Op, operand: &TensorType) -> Option<View> {
        let shape = &operand.shape;
        if !is_movement(op) {
            return None;
        }
        let ty = op.infer(&[operand]).ok()?;
        Some(match op {
            Op::Reshape(_) => View::reshape(shape, &ty.shape),
            Op::Expand(_) => View::expand(shape, &ty.shape),
            Op::Transpose(t) => View::transpose(shape, &permutation(&t.order, shape.len())?),
            Op::Slice(s) => View::slice(shape, operand.axis(s.axis).ok()?, s.start, s.stop, s.step),
            Op::Pad(p) => View::pad(shape, operand.axis(p.axis).ok()?, p.low, p.high, p.value),
            Op::Roll(r) => View::roll(shape, operand.axis(r.axis).ok()?, r.shift),
            Op::Unfold(u) => View::unfold(shape, operand.axis(u.axis).ok()?, u.size, u.stride, u.dilation),
            Op::ViewOp(v) => v.map.clone(),
            _ => return None,
        })
    }

    /// The push view of a movement op: for each operand element the result element it becomes.
    pub fn inverse_of_op(op: &Op, operand: &TensorType) -> Option<View> {
        View::of_op(op, operand)?.inverse()?.with_shape(&operand.shape)
    }
}

/// Axis from which each result axis comes, for an order of the last axes counted from the end.
fn permutation(order: &[i64], rank: usize) -> Option<Vec<usize>> {
    let kept = rank.checked_sub(order.len())?;
    let moved = order.iter().map(|&a| usize::try_from(a + rank as i64).ok());
    (0..kept).map(Some).chain(moved).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        graph::Tensor,
        ops::{Expand, Gelu, Pad, Reshape, Roll, Slice, Transpose, Unfold},
        types::Real,
    };

    fn movements() -> Vec<(Op, TensorType)> {
        let ty = |shape: &[usize]| TensorType::f32(shape);
        let fill = Real::new(7.5);
        vec![
            (Reshape { shape: vec![8, 3] }.into(), ty(&[2, 3, 4])),
            (Transpose { order: vec![-1, -2] }.into(), ty(&[2, 3, 4])),
            (Transpose { order: vec![-2, -1, -3] }.into(), ty(&[2, 3, 4])),
            (Expand { shape: vec![5, 2, 3, 4] }.into(), ty(&[2, 1, 4])),
            (Slice { axis: -2, start: 1, stop: 6, step: 2 }.into(), ty(&[2, 7, 4])),
            (Pad { axis: -3, low: 1, high: 2, value: fill }.into(), ty(&[2, 3, 4])),
            (Roll { axis: -1, shift: -3 }.into(), ty(&[2, 3, 4])),
            (Unfold { axis: -2, size: 3, stride: 2, dilation: 1 }.into(), ty(&[2, 7, 4])),
            (Unfold { axis: -1, size: 2, stride: 1, dilation: 3 }.into(), ty(&[2, 7])),
        ]
    }

    #[test]
    fn views_of_ops_are_what_the_ops_compute() {
        for (op, operand) in movements() {
            let view = View::of_op(&op, &operand).expect("a movement has a view");
            let x = Tensor::from_fn(operand.clone(), |i| i as f64);
            let result = op.infer(&[&operand]).expect("the op fits");
            let value = op.eval(&[&x], &result).expect("movement has values");
            let moved: Vec<f64> = view.table().iter().map(|e| e.map_or(7.5, |e| e as f64)).collect();
            assert_eq!((view.shape, moved), (result.shape, value.data), "{op:?}");
        }
        assert_eq!(View::of_op(&Gelu.into(), &TensorType::f32([2])), None);
        assert_eq!(View::of_op(&Reshape { shape: vec![5] }.into(), &TensorType::f32([2])), None);
    }

    #[test]
    fn what_repeats_or_drops_has_no_inverse() {
        for (op, operand) in movements() {
            let inverse = View::inverse_of_op(&op, &operand);
            let bijective = matches!(op, Op::Reshape(_) | Op::Transpose(_) | Op::Roll(_));
            assert_eq!(inverse.is_some(), bijective, "{op:?}");
            if let Some(inverse) = inverse {
                let forward = View::of_op(&op, &operand).expect("a movement has a view").table();
                let back = inverse.table();
                assert_eq!(inverse.shape, operand.shape);
                assert!(back.iter().enumerate().all(|(x, y)| forward[y.expect("no fill")] == Some(x)), "{op:?}");
            }
        }
    }
}
