//! What an instruction gives when all its operands are constants.
//!
//! The rules are those of the kernel interpreter in f32. A result that a constant cannot carry exactly (a
//! NaN, an infinity, −0) and an operation whose result is unspecified (a shift by the width, an f32 out of
//! i32's range) are left to run time.

use regard_ir::{
    kernel::{BinOp, CastOp, CmpOp, Const, UnOp},
    types::Real,
};

/// The f32 that a constant stands for.
pub(super) fn single(real: Real) -> f32 {
    real.get() as f32
}

fn real(value: f32) -> Option<Const> {
    let exact = value.is_finite() && !(value == 0.0 && value.is_sign_negative());
    exact.then(|| Const::F32(Real::new(f64::from(value))))
}

/// `op a b`, if both are constants of one type and the result is one.
pub(super) fn bin(op: BinOp, a: Const, b: Const) -> Option<Const> {
    match (a, b) {
        (Const::I64(a), Const::I64(b)) => bin_i64(op, a, b).map(Const::I64),
        (Const::I32(a), Const::I32(b)) => bin_i32(op, a, b).map(Const::I32),
        (Const::F32(a), Const::F32(b)) => bin_f32(op, single(a), single(b)),
        (Const::Bool(a), Const::Bool(b)) => bin_bool(op, a, b).map(Const::Bool),
        _ => None,
    }
}

macro_rules! integers {
    ($name:ident, $integer:ty) => {
        fn $name(op: BinOp, a: $integer, b: $integer) -> Option<$integer> {
            let shift = (0..<$integer>::BITS as $integer).contains(&b);
            Some(match op {
                BinOp::Add => a.wrapping_add(b),
                BinOp::Sub => a.wrapping_sub(b),
                BinOp::Mul => a.wrapping_mul(b),
                BinOp::Div if b > 0 => a.div_euclid(b),
                BinOp::Rem if b > 0 => a.rem_euclid(b),
                BinOp::Min => a.min(b),
                BinOp::Max => a.max(b),
                BinOp::Shl if shift => a << b,
                BinOp::Shr if shift => a >> b,
                BinOp::And => a & b,
                BinOp::Or => a | b,
                BinOp::Xor => a ^ b,
                _ => return None,
            })
        }
    };
}
integers!(bin_i64, i64);
integers!(bin_i32, i32);

fn bin_f32(op: BinOp, a: f32, b: f32) -> Option<Const> {
    real(match op {
        BinOp::Add => a + b,
        BinOp::Sub => a - b,
        BinOp::Mul => a * b,
        BinOp::Div => a / b,
        BinOp::Min => {
            if a < b {
                a
            } else {
                b
            }
        }
        BinOp::Max => {
            if a > b {
                a
            } else {
                b
            }
        }
        _ => return None,
    })
}

fn bin_bool(op: BinOp, a: bool, b: bool) -> Option<bool> {
    match op {
        BinOp::And => Some(a & b),
        BinOp::Or => Some(a | b),
        BinOp::Xor => Some(a ^ b),
        _ => None,
    }
}

/// `op a`.
pub(super) fn un(op: UnOp, a: Const) -> Option<Const> {
    match (op, a) {
        (UnOp::Neg, Const::I64(a)) => Some(Const::I64(a.wrapping_neg())),
        (UnOp::Neg, Const::I32(a)) => Some(Const::I32(a.wrapping_neg())),
        (UnOp::Neg, Const::F32(a)) => real(-single(a)),
        (UnOp::Abs, Const::I64(a)) => Some(Const::I64(a.wrapping_abs())),
        (UnOp::Abs, Const::I32(a)) => Some(Const::I32(a.wrapping_abs())),
        (UnOp::Abs, Const::F32(a)) => real(single(a).abs()),
        (UnOp::Sqrt, Const::F32(a)) => real(single(a).sqrt()),
        (UnOp::Floor, Const::F32(a)) => real(single(a).floor()),
        (UnOp::Round, Const::F32(a)) => real(single(a).round_ties_even()),
        (UnOp::Not, Const::Bool(a)) => Some(Const::Bool(!a)),
        _ => None,
    }
}

/// `a·b + c`, rounded once.
pub(super) fn fma(a: Const, b: Const, c: Const) -> Option<Const> {
    match (a, b, c) {
        (Const::F32(a), Const::F32(b), Const::F32(c)) => real(single(a).mul_add(single(b), single(c))),
        _ => None,
    }
}

/// The comparison's truth.
pub(super) fn cmp(op: CmpOp, a: Const, b: Const) -> Option<bool> {
    fn by<T: PartialOrd>(op: CmpOp, a: T, b: T) -> bool {
        match op {
            CmpOp::Eq => a == b,
            CmpOp::Ne => a != b,
            CmpOp::Lt => a < b,
            CmpOp::Le => a <= b,
        }
    }
    match (a, b) {
        (Const::I64(a), Const::I64(b)) => Some(by(op, a, b)),
        (Const::I32(a), Const::I32(b)) => Some(by(op, a, b)),
        (Const::F32(a), Const::F32(b)) => Some(by(op, single(a), single(b))),
        (Const::Bool(a), Const::Bool(b)) => Some(by(op, a, b)),
        _ => None,
    }
}

/// The conversion's result.
pub(super) fn cast(op: CastOp, a: Const) -> Option<Const> {
    match (op, a) {
        (CastOp::I32ToF32, Const::I32(a)) => real(a as f32),
        (CastOp::F32ToI32, Const::F32(a)) => {
            let value = single(a);
            (-2147483648.0..2147483648.0).contains(&value).then_some(Const::I32(value as i32))
        }
        (CastOp::I32ToI64, Const::I32(a)) => Some(Const::I64(i64::from(a))),
        (CastOp::I64ToI32, Const::I64(a)) => Some(Const::I32(a as i32)),
        (CastOp::F32Bits, Const::F32(a)) => Some(Const::I32(single(a).to_bits() as i32)),
        (CastOp::BitsF32, Const::I32(a)) => real(f32::from_bits(a as u32)),
        (CastOp::BoolToI32, Const::Bool(a)) => Some(Const::I32(i32::from(a))),
        _ => None,
    }
}

/// The reciprocal of a power of two whose reciprocal is normal too: dividing by one and multiplying by the
/// other round the same real number.
pub(super) fn exact_reciprocal(divisor: Const) -> Option<Const> {
    let Const::F32(divisor) = divisor else { return None };
    let divisor = single(divisor);
    let power_of_two = divisor.is_normal() && divisor.to_bits() & 0x007f_ffff == 0;
    let reciprocal = 1.0 / divisor;
    (power_of_two && reciprocal.is_normal()).then(|| Const::F32(Real::new(f64::from(reciprocal))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f(value: f64) -> Const {
        Const::F32(Real::new(value))
    }

    #[test]
    fn floats_fold_in_single_precision() {
        assert_eq!(bin(BinOp::Add, f(1.0), f(1e-9)), Some(f(1.0)));
        assert_eq!(bin(BinOp::Mul, f(-1.0), f(0.0)), None, "minus zero has no constant");
        assert_eq!(bin(BinOp::Div, f(1.0), f(0.0)), None);
        assert_eq!(exact_reciprocal(f(8.0)), Some(f(0.125)));
        assert_eq!(exact_reciprocal(f(3.0)), None);
        assert_eq!(un(UnOp::Round, f(2.5)), Some(f(2.0)));
    }
    #[test]
    fn integers_wrap_and_divide_towards_minus_infinity() {
        assert_eq!(bin(BinOp::Add, Const::I32(i32::MAX), Const::I32(1)), Some(Const::I32(i32::MIN)));
        assert_eq!(bin(BinOp::Div, Const::I64(-7), Const::I64(2)), Some(Const::I64(-4)));
        assert_eq!(bin(BinOp::Rem, Const::I32(-7), Const::I32(4)), Some(Const::I32(1)));
        assert_eq!(bin(BinOp::Shl, Const::I32(1), Const::I32(32)), None);
        assert_eq!(cast(CastOp::F32ToI32, f(3e9)), None);
    }
}
