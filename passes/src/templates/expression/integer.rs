//! Division of integers by what is not a positive constant, which no vector unit does.
//!
//! Schoolbook division, one bit of the quotient per step, on magnitudes read as unsigned numbers:
//!
//! ```text
//!   r ← 2r + next bit of |x|;   r ≥ |y| ?  r ← r − |y|, bit 1  :  bit 0          32 steps
//! ```
//!
//! The quotient is rounded towards minus infinity, so the remainder has the sign of the divisor. Division by
//! zero gives some number and never traps.

use regard_ir::kernel::{BinOp, Builder, CastOp, CmpOp, UnOp, Val};

/// Quotient and remainder of two i32 vectors; sums wrap around.
pub(crate) fn divide(b: &mut Builder, x: Val, y: Val) -> (Val, Val) {
    let zero = b.vi32(0);
    let (magnitude, divisor) = (b.un(UnOp::Abs, x), b.un(UnOp::Abs, y));
    let divided = b.for_const(32, 1, &[magnitude, zero, zero], |b, _, carried| {
        let [digits, rest, quotient] = carried[..] else { panic!("three values are carried") };
        let (one, top) = (b.vi32(1), b.vi32(31));
        let bit = b.bin(BinOp::Shr, digits, top);
        let bit = b.bin(BinOp::And, bit, one);
        let rest = b.bin(BinOp::Shl, rest, one);
        let rest = b.bin(BinOp::Or, rest, bit);
        let less = less_unsigned(b, rest, divisor);
        let reduced = b.sub(rest, divisor);
        let rest = b.select(less, rest, reduced);
        let quotient = b.bin(BinOp::Shl, quotient, one);
        let enough = b.un(UnOp::Not, less);
        let bit = b.cast(CastOp::BoolToI32, enough);
        vec![b.bin(BinOp::Shl, digits, one), rest, b.bin(BinOp::Or, quotient, bit)]
    });
    let signs = b.bin(BinOp::Xor, x, y);
    let negative = b.cmp(CmpOp::Lt, signs, zero);
    let inexact = b.cmp(CmpOp::Ne, divided[1], zero);
    let more = b.cast(CastOp::BoolToI32, inexact);
    let rounded_up = b.add(divided[2], more);
    let below = b.un(UnOp::Neg, rounded_up);
    let quotient = b.select(negative, below, divided[2]);
    let product = b.mul(quotient, y);
    (quotient, b.sub(x, product))
}

/// Comparison with the highest bit as a digit: flipping it maps unsigned order to signed order.
fn less_unsigned(b: &mut Builder, x: Val, y: Val) -> Val {
    let highest = b.vi32(i32::MIN);
    let (x, y) = (b.bin(BinOp::Xor, x, highest), b.bin(BinOp::Xor, y, highest));
    b.cmp(CmpOp::Lt, x, y)
}
