//! Interval arithmetic on plain numbers: integers, f32, truth values.
//!
//! ```text
//!   ⌊7/2⌋ = 3      ⌊−7/2⌋ = −4      0.1 + 0.2 rounded to f32, as a kernel rounds it
//! ```
//!
//! Sums and products that leave i64 stay at its ends: they have left i32 long before, and nothing is known then.

use super::{Arithmetic, Bounds};
use regard_ir::kernel::{BinOp, CmpOp};

/// A number, for counting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// An integer.
    Integer(i64),
    /// An f32.
    Real(f32),
    /// A truth value.
    Truth(bool),
}

/// Whether both ends are values of their type: i32, finite f32.
pub(super) fn is_in_range(bounds: Bounds<Number>) -> bool {
    bounds.iter().all(|bound| match bound {
        Number::Integer(x) => i32::try_from(*x).is_ok(),
        Number::Real(x) => x.is_finite(),
        Number::Truth(_) => true,
    })
}

/// Calculates with [numbers](Number).
pub struct Numbers;

impl Arithmetic for Numbers {
    type Value = Number;
    fn integer(&mut self, value: i64) -> Number {
        Number::Integer(value)
    }
    fn real(&mut self, value: f64) -> Number {
        Number::Real(value as f32)
    }
    fn truth(&mut self, value: bool) -> Number {
        Number::Truth(value)
    }
    fn binary(&mut self, op: BinOp, a: Number, b: Number) -> Number {
        use Number::{Integer, Real, Truth};
        match (op, a, b) {
            (BinOp::Add, Integer(a), Integer(b)) => Integer(a.saturating_add(b)),
            (BinOp::Sub, Integer(a), Integer(b)) => Integer(a.saturating_sub(b)),
            (BinOp::Mul, Integer(a), Integer(b)) => Integer(a.saturating_mul(b)),
            (BinOp::Div, Integer(a), Integer(b)) => Integer(a.div_euclid(b)),
            (BinOp::Min, Integer(a), Integer(b)) => Integer(a.min(b)),
            (BinOp::Max, Integer(a), Integer(b)) => Integer(a.max(b)),
            (BinOp::Add, Real(a), Real(b)) => Real(a + b),
            (BinOp::Sub, Real(a), Real(b)) => Real(a - b),
            (BinOp::Mul, Real(a), Real(b)) => Real(a * b),
            (BinOp::Div, Real(a), Real(b)) => Real(a / b),
            (BinOp::Min, Real(a), Real(b)) => Real(a.min(b)),
            (BinOp::Max, Real(a), Real(b)) => Real(a.max(b)),
            (BinOp::And, Truth(a), Truth(b)) => Truth(a && b),
            (BinOp::Or, Truth(a), Truth(b)) => Truth(a || b),
            _ => panic!("{op:?} of {a:?} and {b:?}"),
        }
    }
    fn compare(&mut self, op: CmpOp, a: Number, b: Number) -> Number {
        let order = match (a, b) {
            (Number::Integer(a), Number::Integer(b)) => Some(a.cmp(&b)),
            (Number::Real(a), Number::Real(b)) => a.partial_cmp(&b),
            _ => panic!("{op:?} of {a:?} and {b:?}"),
        };
        Number::Truth(match op {
            CmpOp::Eq => order.is_some_and(|order| order.is_eq()),
            CmpOp::Ne => !order.is_some_and(|order| order.is_eq()),
            CmpOp::Lt => order.is_some_and(|order| order.is_lt()),
            CmpOp::Le => order.is_some_and(|order| order.is_le()),
        })
    }
    fn choose(&mut self, condition: Number, a: Number, b: Number) -> Number {
        if condition == Number::Truth(true) { a } else { b }
    }
    fn real_of(&mut self, integer: Number) -> Number {
        match integer {
            Number::Integer(value) => Number::Real(value as f32),
            other => panic!("{other:?} is not an integer"),
        }
    }
}
