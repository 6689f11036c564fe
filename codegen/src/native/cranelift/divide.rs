//! Integer division by a constant, rounding towards minus infinity.
//!
//! With `s` = x < 0 ? −1 : 0, `x ⊕ s` is never negative, and `⌊x / d⌋ = ((x ⊕ s) / d) ⊕ s`: for negative x
//! that is −1 − ⌊(−1 − x) / d⌋. So only non-negative numbers are divided, by a reciprocal:
//!
//! ```text
//!   n = ⌈log2 d⌉,  m = ⌈2^(w+n) / d⌉ < 2^(w+1),   ⌊x / d⌋ = x·m >> (w + n)     for 0 ≤ x < 2^w
//! ```
//!
//! because m·d exceeds 2^(w+n) by less than 2^n, which adds less than 1/d to x·m / 2^(w+n). For i32,
//! w = 31 and the product fits 64 bits; for i64, w = 63 and the upper half of 128 bits is one instruction.

use super::function::Emitter;
use cranelift_codegen::ir::{Endianness, InstBuilder, MemFlagsData, Value, types};
use regard_ir::kernel::BinOp;

/// `(m, n)` for a divisor that is not a power of two.
fn reciprocal(d: u64, w: u32) -> (u64, u32) {
    let n = 64 - (d - 1).leading_zeros();
    let m = (1u128 << (w + n)).div_ceil(u128::from(d));
    (u64::try_from(m).expect("m < 2^(w+1)"), n)
}

impl Emitter<'_, '_> {
    /// Quotient or remainder of an i64 scalar by `d` > 0.
    pub(crate) fn floor_scalar(&mut self, op: BinOp, x: Value, d: i64) -> Value {
        if let Some(value) = self.by_power_of_two(op, x, d) {
            return value;
        }
        let sign = self.b.ins().sshr_imm_u(x, 63);
        let positive = self.b.ins().bxor(x, sign);
        let quotient = self.quotient(positive, d);
        let quotient = self.b.ins().bxor(quotient, sign);
        self.finish(op, x, quotient, d)
    }

    /// ⌊x / d⌋ of an i64 scalar 0 ≤ x.
    pub(crate) fn quotient(&mut self, x: Value, d: i64) -> Value {
        if (d as u64).is_power_of_two() {
            return self.b.ins().ushr_imm_u(x, i64::from(d.trailing_zeros()));
        }
        let (m, n) = reciprocal(d as u64, 63);
        let m = self.b.ins().iconst(types::I64, m as i64);
        let high = self.b.ins().umulhi(x, m);
        self.b.ins().ushr_imm_u(high, i64::from(n) - 1)
    }

    /// Quotient or remainder of an i32 scalar or four i32 lanes by `d` > 0.
    pub(crate) fn floor_i32(&mut self, op: BinOp, x: Value, d: i64) -> Value {
        if let Some(value) = self.by_power_of_two(op, x, d) {
            return value;
        }
        let sign = self.b.ins().sshr_imm_u(x, 31);
        let positive = self.b.ins().bxor(x, sign);
        let quotient = if self.b.func.dfg.value_type(x).is_vector() {
            self.quotient_lanes(positive, d as u64)
        } else {
            let (m, n) = reciprocal(d as u64, 31);
            let wide = self.b.ins().uextend(types::I64, positive);
            let product = self.b.ins().imul_imm_u(wide, m as i64);
            let quotient = self.b.ins().ushr_imm_u(product, i64::from(31 + n));
            self.b.ins().ireduce(types::I32, quotient)
        };
        let quotient = self.b.ins().bxor(quotient, sign);
        self.finish(op, x, quotient, d)
    }

    fn by_power_of_two(&mut self, op: BinOp, x: Value, d: i64) -> Option<Value> {
        if !(d as u64).is_power_of_two() {
            return None;
        }
        let ty = self.b.func.dfg.value_type(x);
        if op == BinOp::Div {
            return Some(self.b.ins().sshr_imm_u(x, i64::from(d.trailing_zeros())));
        }
        Some(if ty.is_vector() {
            let mask = self.i32x4((d - 1) as u32);
            self.b.ins().band(x, mask)
        } else {
            self.b.ins().band_imm_u(x, d - 1)
        })
    }

    /// The quotient itself, or `x − quotient·d`.
    pub(crate) fn finish(&mut self, op: BinOp, x: Value, quotient: Value, d: i64) -> Value {
        if op == BinOp::Div {
            return quotient;
        }
        let product = if self.b.func.dfg.value_type(x).is_vector() {
            let d = self.i32x4(d as u32);
            self.b.ins().imul(quotient, d)
        } else {
            self.b.ins().imul_imm_s(quotient, d)
        };
        self.b.ins().isub(x, product)
    }

    /// ⌊x / d⌋ of four lanes 0 ≤ x.
    fn quotient_lanes(&mut self, x: Value, d: u64) -> Value {
        let (m, n) = reciprocal(d, 31);
        let m = self.i32x4(m as u32);
        let low = [self.b.ins().uwiden_low(x), self.b.ins().uwiden_low(m)];
        let high = [self.b.ins().uwiden_high(x), self.b.ins().uwiden_high(m)];
        let [low, high] = [low, high].map(|[x, m]| {
            let product = self.b.ins().imul(x, m);
            let quotient = self.b.ins().ushr_imm_u(product, i64::from(31 + n));
            let little = MemFlagsData::new().with_endianness(Endianness::Little);
            self.b.ins().bitcast(types::I32X4, little, quotient)
        });
        self.shuffle_two(low, high, [0, 2, 4, 6])
    }
}
