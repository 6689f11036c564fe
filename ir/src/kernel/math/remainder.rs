//! The remainder of a division of f32, with the sign of the divisor, as PyTorch has it.
//!
//! ```text
//!   m = x − y·trunc(x/y), exactly;   remainder = m + y where m ≠ 0 and the signs of m and y differ, else m
//! ```
//!
//! m is always an f32. With a quotient below 2²³ it is one step: q = ⌊|x|/|y|⌋ is right or one off, and |x| − q·|y|
//! is exact with the product in two parts. Larger quotients, up to 2²⁷⁶, are cut down first, 23 bits at a time and as
//! in a written division, by multiples |y|·2^(23·j). A vector does so where one of its lanes needs it.

#[cfg(test)]
mod tests;

use super::{
    super::{BinOp, Builder, CastOp, CmpOp, UnOp, Val},
    exact,
};

/// Bits of a quotient that one step takes off.
const STEP: i64 = 23;
/// The largest quotient is below 2^(128 + 149).
const STEPS: i64 = 12;

/// x mod y with the sign of y; NaN where y is 0 or x infinite; −0 where x is negative and a multiple.
pub fn remainder(b: &mut Builder, x: Val, y: Val, fma: bool) -> Val {
    let (zero, many) = (b.const_like(x, 0.0), b.const_like(x, 2f64.powi(STEP as i32)));
    let (dividend, divisor) = (b.un(UnOp::Abs, x), b.un(UnOp::Abs, y));
    let ratio = b.bin(BinOp::Div, dividend, divisor);
    let far = b.cmp(CmpOp::Le, many, ratio);
    let some = exact::any(b, far);
    let near = b.if_else(some, |b| vec![long_division(b, dividend, divisor, fma)], |_| vec![dividend])[0];
    let rest = step(b, near, divisor, fma);
    // Also where the divisor is infinite.
    let less = b.cmp(CmpOp::Lt, near, divisor);
    let rest = b.select(less, near, rest);
    let negated = b.un(UnOp::Neg, rest);
    let bits = b.cast(CastOp::F32Bits, x);
    let no_bits = b.const_like(bits, 0.0);
    let negative = b.cmp(CmpOp::Lt, bits, no_bits);
    let rest = b.select(negative, negated, rest);
    let sum = b.add(rest, y);
    let one = b.cmp(CmpOp::Lt, rest, zero);
    let other = b.cmp(CmpOp::Lt, y, zero);
    let differ = b.bin(BinOp::Xor, one, other);
    let some = b.cmp(CmpOp::Ne, rest, zero);
    let moved = b.bin(BinOp::And, some, differ);
    b.select(moved, sum, rest)
}

/// a mod d for a < 2²³·d, both not negative.
fn step(b: &mut Builder, a: Val, d: Val, fma: bool) -> Val {
    let q = b.bin(BinOp::Div, a, d);
    let q = b.un(UnOp::Floor, q);
    let (product, error) = exact::product(b, q, d, fma);
    let rest = b.sub(a, product);
    let rest = b.sub(rest, error);
    let zero = b.const_like(a, 0.0);
    let low = b.cmp(CmpOp::Lt, rest, zero);
    let more = b.add(rest, d);
    let rest = b.select(low, more, rest);
    let high = b.cmp(CmpOp::Le, d, rest);
    let less = b.sub(rest, d);
    b.select(high, less, rest)
}

/// a less multiples of d: what is left is below 2²³·d.
fn long_division(b: &mut Builder, a: Val, d: Val, fma: bool) -> Val {
    b.for_const((STEPS - 1) as u64, 1, &[a], |b, index, carried| {
        // j = STEPS − 1, …, 1; 2^(23·j) as two powers of two that are f32.
        let last = b.i64(STEPS - 1);
        let j = b.sub(last, index);
        let bits = b.mul_const(j, STEP);
        let two = b.i64(2);
        let first = b.bin(BinOp::Div, bits, two);
        let second = b.sub(bits, first);
        let mut multiple = d;
        for exponent in [first, second] {
            let power = power_of_two(b, exponent, d);
            multiple = b.mul(multiple, power);
        }
        let rest = step(b, carried[0], multiple, fma);
        let applies = b.cmp(CmpOp::Le, multiple, carried[0]);
        vec![b.select(applies, rest, carried[0])]
    })[0]
}

/// 2^exponent as an f32 like `like`; the exponent an i64 from 0 to 127.
fn power_of_two(b: &mut Builder, exponent: Val, like: Val) -> Val {
    let exponent = b.cast(CastOp::I64ToI32, exponent);
    let biased = b.add_const(exponent, 127);
    let width = b.const_like(biased, 23.0);
    let bits = b.bin(BinOp::Shl, biased, width);
    let power = b.cast(CastOp::BitsF32, bits);
    if matches!(b.ty(like), super::super::Type::Vector(_)) { b.splat(power) } else { power }
}
