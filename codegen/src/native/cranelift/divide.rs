//! Integer division by a constant, rounding towards minus infinity.
//!
//! With `s` = x < 0 ? −1 : 0, `x ⊕ s` is never negative, and `⌊x / d⌋ = ((x ⊕ s) / d) ⊕ s`: for negative x
//! that is −1 − ⌊(−1 − x) / d⌋. So only non-negative numbers are divided. Lanes multiply by a reciprocal:
//!
//! ```text
//!   n = ⌈log2 d⌉,  m = ⌈2^(31+n) / d⌉ < 2^32,   ⌊x / d⌋ = x·m >> (31 + n)      for 0 ≤ x < 2^31
//! ```
//!
//! because m·d exceeds 2^(31+n) by less than 2^n, which adds less than 1/d to x·m / 2^(31+n).

use super::function::Emitter;
use cranelift_codegen::ir::{Endianness, InstBuilder, MemFlagsData, Type, Value, types};
use regard_ir::kernel::BinOp;

impl Emitter<'_, '_> {
    /// Quotient or remainder of a scalar of type `ty` by `d` > 0.
    pub fn floor_scalar(&mut self, op: BinOp, x: Value, d: i64, ty: Type) -> Value {
        if let Some(value) = self.by_power_of_two(op, x, d) {
            return value;
        }
        let sign = self.b.ins().sshr_imm_u(x, i64::from(ty.bits()) - 1);
        let positive = self.b.ins().bxor(x, sign);
        let quotient = self.b.ins().udiv_imm_u(positive, d);
        let quotient = self.b.ins().bxor(quotient, sign);
        self.finish(op, x, quotient, d)
    }

    /// Quotient or remainder of an i32 scalar or four i32 lanes by `d` > 0.
    pub fn floor_i32(&mut self, op: BinOp, x: Value, d: i64) -> Value {
        if !self.b.func.dfg.value_type(x).is_vector() {
            return self.floor_scalar(op, x, d, types::I32);
        }
        if let Some(value) = self.by_power_of_two(op, x, d) {
            return value;
        }
        let sign = self.b.ins().sshr_imm_u(x, 31);
        let positive = self.b.ins().bxor(x, sign);
        let quotient = self.reciprocal(positive, d as u64);
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
    fn finish(&mut self, op: BinOp, x: Value, quotient: Value, d: i64) -> Value {
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

    /// ⌊x / d⌋ of four lanes 0 ≤ x < 2^31, d no power of two.
    fn reciprocal(&mut self, x: Value, d: u64) -> Value {
        let shift = 31 + u64::from(64 - (d - 1).leading_zeros());
        let multiplier = (1u64 << shift).div_ceil(d);
        let multiplier = self.i32x4(multiplier as u32);
        let low = [self.b.ins().uwiden_low(x), self.b.ins().uwiden_low(multiplier)];
        let high = [self.b.ins().uwiden_high(x), self.b.ins().uwiden_high(multiplier)];
        let [low, high] = [low, high].map(|[x, m]| {
            let product = self.b.ins().imul(x, m);
            let quotient = self.b.ins().ushr_imm_u(product, shift as i64);
            let little = MemFlagsData::new().with_endianness(Endianness::Little);
            self.b.ins().bitcast(types::I32X4, little, quotient)
        });
        self.shuffle_two(low, high, [0, 2, 4, 6])
    }
}
