//! bf16 and f16 in memory, f32 in registers.
//!
//! Elements arrive and leave as i32 lanes that hold 16 bits. bf16 is the upper half of an f32:
//!
//! ```text
//!   widen   bits << 16
//!   narrow  (bits + 0x7fff + (bits >> 16 & 1)) >> 16                  a tie goes to the even neighbour
//! ```
//!
//! f16 has 5 exponent bits around 15 where f32 has 8 around 127. Read as an f32, `bits << 13` is 2^112 times
//! too small, subnormals included, so one exact product widens. Narrowing rounds normal numbers like bf16;
//! a number below 2^−14 is added to 0.5, whose last bit is 2^−24, and the adder rounds to the f16 subnormal.

use super::function::Emitter;
use cranelift_codegen::ir::{
    InstBuilder, Value,
    condcodes::{FloatCC, IntCC},
    types,
};
use regard_ir::types::DType;

const INFINITY: u32 = 0x7f80_0000;
const QUIET: u32 = 0x0040_0000;
const HALF: u32 = 0x3f00_0000;

impl Emitter<'_, '_> {
    /// Four lanes as memory holds them, to four lanes of the kernel: f32, i32 or masks.
    pub(crate) fn widen(&mut self, dtype: DType, raw: Value) -> Value {
        match dtype {
            DType::F32 | DType::I32 => raw,
            DType::Bool => {
                let none = self.i32x4(0);
                self.b.ins().icmp(IntCC::NotEqual, raw, none)
            }
            DType::Bf16 => {
                let bits = self.b.ins().ishl_imm_u(raw, 16);
                self.cast(types::F32X4, bits)
            }
            DType::F16 => self.widen_f16(raw),
        }
    }

    /// The inverse of [`widen`](Self::widen), rounding to nearest even.
    pub(crate) fn narrow(&mut self, dtype: DType, value: Value) -> Value {
        match dtype {
            DType::F32 | DType::I32 => value,
            DType::Bool => self.b.ins().ineg(value),
            DType::Bf16 => self.narrow_bf16(value),
            DType::F16 => self.narrow_f16(value),
        }
    }

    fn widen_f16(&mut self, raw: Value) -> Value {
        let magnitude = self.masked(raw, 0x7fff);
        let sign = self.masked(raw, 0x8000);
        let sign = self.b.ins().ishl_imm_u(sign, 16);
        let small = self.b.ins().ishl_imm_u(magnitude, 13);
        let small = self.cast(types::F32X4, small);
        let scale = self.lanes_const(types::F32X4, [(2f32).powi(112).to_bits(); 4]);
        let finite = self.b.ins().fmul(small, scale);
        let finite = self.cast(types::I32X4, finite);
        // Exponent 31 means infinity or NaN; a NaN becomes quiet.
        let special = self.above(magnitude, 0x7bff);
        let not_a_number = self.above(magnitude, 0x7c00);
        let exponent = self.masked(special, INFINITY);
        let quiet = self.masked(not_a_number, QUIET);
        let bits = [exponent, quiet, sign].into_iter().fold(finite, |bits, more| self.b.ins().bor(bits, more));
        self.cast(types::F32X4, bits)
    }

    fn narrow_bf16(&mut self, value: Value) -> Value {
        let bits = self.cast(types::I32X4, value);
        let rounded = self.round_off(bits, 16, 0);
        let upper = self.b.ins().ushr_imm_u(bits, 16);
        let quiet = self.i32x4(QUIET >> 16);
        let quiet = self.b.ins().bor(upper, quiet);
        let nan = self.b.ins().fcmp(FloatCC::NotEqual, value, value);
        self.choose(nan, quiet, rounded)
    }

    fn narrow_f16(&mut self, value: Value) -> Value {
        let bits = self.cast(types::I32X4, value);
        let magnitude = self.masked(bits, 0x7fff_ffff);
        let normal = self.round_off(magnitude, 13, (112u32 << 23).wrapping_neg());
        let subnormal = {
            let (half, half_bits) = (self.lanes_const(types::F32X4, [HALF; 4]), self.i32x4(HALF));
            let x = self.cast(types::F32X4, magnitude);
            let sum = self.b.ins().fadd(x, half);
            let sum = self.cast(types::I32X4, sum);
            self.b.ins().isub(sum, half_bits)
        };
        let is_normal = self.above(magnitude, (113 << 23) - 1);
        let finite = self.choose(is_normal, normal, subnormal);
        // From 2^16 on everything is infinite; NaNs keep the upper bits of their payload and become quiet.
        let is_special = self.above(magnitude, (143 << 23) - 1);
        let nan = self.above(magnitude, INFINITY);
        let payload = self.b.ins().ushr_imm_u(magnitude, 13);
        let payload = self.masked(payload, 0x3ff);
        let quiet = self.i32x4(QUIET >> 13);
        let payload = self.b.ins().bor(payload, quiet);
        let payload = self.b.ins().band(payload, nan);
        let infinity = self.i32x4(0x7c00);
        let special = self.b.ins().bor(infinity, payload);
        let unsigned = self.choose(is_special, special, finite);
        let sign = self.b.ins().ushr_imm_u(bits, 16);
        let sign = self.masked(sign, 0x8000);
        self.b.ins().bor(unsigned, sign)
    }

    /// `(bits + bias) >> shift`, rounded to nearest even.
    fn round_off(&mut self, bits: Value, shift: i64, bias: u32) -> Value {
        let odd = self.b.ins().ushr_imm_u(bits, shift);
        let odd = self.masked(odd, 1);
        let almost_half = self.i32x4(bias.wrapping_add((1 << (shift - 1)) - 1));
        let sum = self.b.ins().iadd(bits, almost_half);
        let sum = self.b.ins().iadd(sum, odd);
        self.b.ins().ushr_imm_u(sum, shift)
    }
    fn masked(&mut self, bits: Value, mask: u32) -> Value {
        let mask = self.i32x4(mask);
        self.b.ins().band(bits, mask)
    }
    fn above(&mut self, bits: Value, limit: u32) -> Value {
        let limit = self.i32x4(limit);
        self.b.ins().icmp(IntCC::SignedGreaterThan, bits, limit)
    }
}
