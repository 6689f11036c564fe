//! Division by a positive constant, rounded towards minus infinity, without dividing.
//!
//! For n ≥ 0 below 2^N and 2^(s−1) < d ≤ 2^s, with m = ⌊2^(N+s) / d⌋ + 1 < 2^(N+1):
//!
//! ```text
//!   ⌊n / d⌋ = ⌊n·m / 2^(N+s)⌋              (Granlund, Montgomery 1994; m·d exceeds 2^(N+s) by at most d ≤ 2^s)
//!   ⌊n / d⌋ = ~⌊~n / d⌋  for n < 0          so n ^ (n >> N) goes in and comes out
//! ```
//!
//! A signed integer of N + 1 bits has N bits below its sign, so m always fits the register. Powers of two
//! are shifts.

use super::{Arg, Select};
use crate::native::wide::{
    alloc,
    inst::{Reg, View},
    ops,
};
use iced_x86::Code;
use regard_ir::kernel::{BinOp, Elem};

/// (m, s) for dividends of `bits` bits.
pub(in crate::native::wide) fn magic(divisor: i64, bits: u32) -> (u64, u32) {
    let shift = 64 - (divisor as u64 - 1).leading_zeros();
    (((1u128 << (bits + shift)) / divisor as u128 + 1) as u64, shift)
}

impl Select<'_> {
    /// `n / divisor`; `positive` promises that an i64 is not negative.
    pub(super) fn floor_div(&mut self, elem: Elem, n: Reg, divisor: i64, positive: bool) -> Reg {
        if elem == Elem::I64 { self.floor_div64(n, divisor, positive) } else { self.floor_div32(n, divisor) }
    }
    /// `n mod divisor`, in 0..divisor; `positive` promises that an i64 is not negative.
    pub(super) fn floor_rem(&mut self, elem: Elem, n: Reg, divisor: i64, positive: bool) -> Reg {
        if elem == Elem::I64 {
            return self.floor_rem64(n, divisor, positive);
        }
        if divisor.count_ones() == 1 {
            return self.tied(Code::And_rm32_imm32, n, &[Arg::Imm32(divisor as i32 - 1)]);
        }
        let quotient = self.floor_div32(n, divisor);
        let product = self.mul_const(elem, quotient, divisor);
        self.tied(Code::Sub_r32_rm32, n, &[Arg::Use(product)])
    }

    pub(super) fn floor_div64(&mut self, n: Reg, divisor: i64, positive: bool) -> Reg {
        if divisor.count_ones() == 1 {
            return self.shift_right(Elem::I64, n, divisor.trailing_zeros() as u8);
        }
        let sign = (!positive).then(|| self.shift_right(Elem::I64, n, 63));
        let flip = |s: &mut Self, a: Reg| match sign {
            Some(sign) => s.tied(Code::Xor_r64_rm64, a, &[Arg::Use(sign)]),
            None => a,
        };
        let (factor, shift) = magic(divisor, 63);
        let a = flip(self, n);
        let factor = self.int64(factor as i64);
        let (high, low) = (self.fresh(View::R64), self.fresh(View::R64));
        let rdx = alloc::general(alloc::RDX);
        let args = [Arg::Def(high), Arg::Def(low), Arg::Use(factor), Arg::FixedUse(a, rdx)];
        self.push(Code::VEX_Mulx_r64_r64_rm64, &args);
        // The high half is n·m / 2^64; what remains of 63 + s is s − 1.
        let quotient = match shift - 1 {
            0 => high,
            by => self.tied(Code::Shr_rm64_imm8, high, &[Arg::Imm8(by as u8)]),
        };
        flip(self, quotient)
    }

    fn floor_rem64(&mut self, n: Reg, divisor: i64, positive: bool) -> Reg {
        match i32::try_from(divisor - 1) {
            Ok(mask) if divisor.count_ones() == 1 => self.tied(Code::And_rm64_imm32, n, &[Arg::Imm32(mask)]),
            _ => {
                let quotient = self.floor_div64(n, divisor, positive);
                let product = self.mul_const(Elem::I64, quotient, divisor);
                self.tied(Code::Sub_r64_rm64, n, &[Arg::Use(product)])
            }
        }
    }

    fn floor_div32(&mut self, n: Reg, divisor: i64) -> Reg {
        if divisor.count_ones() == 1 {
            return self.shift_right(Elem::I32, n, divisor.trailing_zeros() as u8);
        }
        let (factor, shift) = magic(divisor, 31);
        let sign = self.shift_right(Elem::I32, n, 31);
        let a = self.tied(Code::Xor_r32_rm32, n, &[Arg::Use(sign)]);
        let factor = self.int64(factor as i64);
        // Both factors have their upper halves clear, so the low 64 bits hold the product.
        let product = self.tied(Code::Imul_r64_rm64, a.r64(), &[Arg::Use(factor)]);
        let quotient = self.tied(Code::Shr_rm64_imm8, product, &[Arg::Imm8((31 + shift) as u8)]);
        self.tied(Code::Xor_r32_rm32, quotient.r32(), &[Arg::Use(sign)])
    }

    /// Lanes divided by a constant: `Div` or `Rem`.
    pub(super) fn vector_divide(&mut self, op: BinOp, n: Reg, divisor: i64) -> Reg {
        if divisor.count_ones() == 1 {
            return match op {
                BinOp::Div => self.vec(ops::SHR_BY, &[Arg::Use(n), Arg::Imm8(divisor.trailing_zeros() as u8)]),
                _ => {
                    let mask = self.bits(divisor as u32 - 1);
                    self.vec(ops::AND, &[Arg::Use(n), mask])
                }
            };
        }
        let (factor, shift) = magic(divisor, 31);
        let sign = self.vec(ops::SHR_BY, &[Arg::Use(n), Arg::Imm8(31)]);
        let a = self.vec(ops::XOR, &[Arg::Use(n), Arg::Use(sign)]);
        let factor = self.splat_bits(factor as u32);
        // Products of even lanes and of odd lanes, 64 bits each; the high half of each is n·m / 2^32.
        let odd = self.vec(ops::WIDE_SHR_BY, &[Arg::Use(a), Arg::Imm8(32)]);
        let even = self.vec(ops::WIDE_MUL, &[Arg::Use(a), Arg::Use(factor)]);
        let odd = self.vec(ops::WIDE_MUL, &[Arg::Use(odd), Arg::Use(factor)]);
        let even = self.vec(ops::WIDE_SHR_BY, &[Arg::Use(even), Arg::Imm8(31 + shift as u8)]);
        let odd = self.vec(ops::WIDE_SHR_BY, &[Arg::Use(odd), Arg::Imm8(31 + shift as u8)]);
        let odd = self.vec(ops::WIDE_SHL_BY, &[Arg::Use(odd), Arg::Imm8(32)]);
        let quotient = self.vec(ops::OR, &[Arg::Use(even), Arg::Use(odd)]);
        let quotient = self.vec(ops::XOR, &[Arg::Use(quotient), Arg::Use(sign)]);
        if op == BinOp::Div {
            return quotient;
        }
        let divisor = self.bits(divisor as u32);
        let product = self.vec(ops::MUL_I32, &[Arg::Use(quotient), divisor]);
        self.vec(ops::SUB_I32, &[Arg::Use(n), Arg::Use(product)])
    }
}
