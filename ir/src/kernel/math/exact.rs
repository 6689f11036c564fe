//! Sums and products of f32 without error, as the rounded result and what rounding took from it.
//!
//! ```text
//!   a·b = p + e      p = a·b rounded, e = fma(a, b, −p)
//!   a + b = s + e    s = a + b rounded, e = (a − s) + b       where |a| ≥ |b| or a = 0
//! ```
//!
//! Where fma is not one instruction, factors are cut into 12 leading bits and the rest, whose products are exact.

use super::super::{BinOp, Builder, CastOp, UnOp, Val};

/// The leading 12 bits of a number.
pub(super) fn leading(b: &mut Builder, a: Val) -> Val {
    let bits = b.cast(CastOp::F32Bits, a);
    let mask = b.const_like(bits, -4096.0);
    let kept = b.bin(BinOp::And, bits, mask);
    b.cast(CastOp::BitsF32, kept)
}

/// The product and its error, where neither underflows.
pub(super) fn product(b: &mut Builder, x: Val, y: Val, fma: bool) -> (Val, Val) {
    let p = b.mul(x, y);
    if fma {
        let negated = b.un(UnOp::Neg, p);
        return (p, b.fma(x, y, negated));
    }
    let (high, up) = (leading(b, x), leading(b, y));
    let (low, down) = (b.sub(x, high), b.sub(y, up));
    let mut error = b.mul(high, up);
    error = b.sub(error, p);
    for (one, other) in [(high, down), (low, up), (low, down)] {
        let part = b.mul(one, other);
        error = b.add(error, part);
    }
    (p, error)
}

/// The sum and its error, where |x| ≥ |y| or x = 0.
pub(super) fn sum(b: &mut Builder, x: Val, y: Val) -> (Val, Val) {
    let s = b.add(x, y);
    let rest = b.sub(x, s);
    (s, b.add(rest, y))
}

/// Whether any lane of a truth value is set, as a scalar; a scalar is itself.
pub(super) fn any(b: &mut Builder, condition: Val) -> Val {
    use super::super::{CmpOp, Const, ReduceOp, Type};
    if matches!(b.ty(condition), Type::Scalar(_)) {
        return condition;
    }
    let bits = b.cast(CastOp::BoolToI32, condition);
    let most = b.reduce(ReduceOp::Max, bits);
    let zero = b.constant(Const::I32(0));
    b.cmp(CmpOp::Ne, most, zero)
}
