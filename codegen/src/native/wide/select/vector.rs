//! Arithmetic on vectors, and on f32 scalars, which are lane 0 of a vector register.
//!
//! The last source of an x86 instruction may be memory: a folded load or a constant. Commutative operations
//! swap to put it there. `min` and `max` need no care: `a < b ? a : b` is what `minps` does, NaN included.
//!
//! An FMA overwrites one of its inputs. If `c` ends here the form is 231 (`c += a·b`), as in every inner
//! product; if `c` is in memory or lives on and a factor ends here it is 213 (`a = a·b + c`), as in
//! Horner's scheme with constant coefficients.

use super::{Arg, Select, Value};
use crate::native::wide::{
    inst::{Reg, View},
    ops::{self, Op},
};
use iced_x86::Code;
use regard_ir::{
    id::Id,
    kernel::{BinOp, CastOp, CmpOp, Elem, Type, UnOp, Val},
};

const SIGN: u32 = 1 << 31;
const ONE: i64 = 1;
/// Rounding modes of `vround` and `vrndscale`: to nearest even, down.
const NEAREST: u8 = 0;
const DOWN: u8 = 1;

/// The comparison as `vcmpps` counts them: ordered and quiet, except that `ne` holds for NaN.
pub(super) fn predicate(op: CmpOp) -> u8 {
    match op {
        CmpOp::Eq => 0x00,
        CmpOp::Ne => 0x04,
        CmpOp::Lt => 0x11,
        CmpOp::Le => 0x12,
    }
}

impl Select<'_> {
    fn is_scalar(&self, v: Val) -> bool {
        matches!(self.ty(v), Type::Scalar(_))
    }
    /// An f32 operation at the width of `like`.
    fn float(&mut self, op: Op, like: Val, args: &[Arg]) -> Reg {
        match self.is_scalar(like) {
            true => self.def(op.scalar(self.lanes), View::X, args),
            false => self.vec(op, args),
        }
    }
    /// (first, last) source of a commutative operation: what lies in memory comes last.
    fn commuted(&self, a: Val, b: Val) -> (Val, Val) {
        let swap = self.is_load(a) || (self.is_constant(a) && !self.is_load(b));
        if swap { (b, a) } else { (a, b) }
    }

    pub(super) fn float_bin(&mut self, op: BinOp, a: Val, b: Val) -> Reg {
        let (op, commutes) = match op {
            BinOp::Add => (ops::ADD_F32, true),
            BinOp::Sub => (ops::SUB_F32, false),
            BinOp::Mul => (ops::MUL_F32, true),
            BinOp::Div => (ops::DIV_F32, false),
            BinOp::Min => (ops::MIN_F32, false),
            BinOp::Max => (ops::MAX_F32, false),
            _ => unreachable!("{op:?} takes integers"),
        };
        let (first, last) = if commutes { self.commuted(a, b) } else { (a, b) };
        let first = Arg::Use(self.reg(first));
        let last = self.source(last);
        self.float(op, a, &[first, last])
    }

    pub(super) fn vector_bin(&mut self, op: BinOp, a: Val, b: Val) -> Reg {
        if let (BinOp::Shl | BinOp::Shr, Some(by)) = (op, self.as_int(b)) {
            let a = Arg::Use(self.reg(a));
            let op = if op == BinOp::Shl { ops::SHL_BY } else { ops::SHR_BY };
            return self.vec(op, &[a, Arg::Imm8(by as u8)]);
        }
        let (op, commutes) = match op {
            BinOp::Add => (ops::ADD_I32, true),
            BinOp::Sub => (ops::SUB_I32, false),
            BinOp::Mul => (ops::MUL_I32, true),
            BinOp::Min => (ops::MIN_I32, false),
            BinOp::Max => (ops::MAX_I32, false),
            BinOp::And => (ops::AND, true),
            BinOp::Or => (ops::OR, true),
            BinOp::Xor => (ops::XOR, true),
            BinOp::Shl => (ops::SHL, false),
            BinOp::Shr => (ops::SHR, false),
            BinOp::Div | BinOp::Rem => {
                let divisor = self.as_int(b).expect("divisors are constant");
                let a = self.reg(a);
                return self.vector_divide(op, a, divisor);
            }
        };
        let (first, last) = if commutes { self.commuted(a, b) } else { (a, b) };
        let first = Arg::Use(self.reg(first));
        let last = self.source(last);
        self.vec(op, &[first, last])
    }

    pub(super) fn bool_bin(&mut self, op: BinOp, a: Val, b: Val) -> Reg {
        if !self.is_wide() {
            return self.vector_bin(op, a, b);
        }
        let code = match op {
            BinOp::And => Code::VEX_Kandw_kr_kr_kr,
            BinOp::Or => Code::VEX_Korw_kr_kr_kr,
            BinOp::Xor => Code::VEX_Kxorw_kr_kr_kr,
            _ => unreachable!("{op:?} takes numbers"),
        };
        let (a, b) = (self.reg(a), self.reg(b));
        self.def(code, View::K, &[Arg::Use(a), Arg::Use(b)])
    }

    pub(super) fn vector_un(&mut self, op: UnOp, a: Val) -> Reg {
        let floats = self.ty(a).elem() == Some(Elem::F32);
        match op {
            UnOp::Sqrt => self.float_un(ops::SQRT_F32, a, None),
            UnOp::Floor => self.float_un(ops::ROUND_F32, a, Some(DOWN)),
            UnOp::Round => self.float_un(ops::ROUND_F32, a, Some(NEAREST)),
            UnOp::Not if self.is_wide() => {
                let a = Arg::Use(self.reg(a));
                self.def(Code::VEX_Knotw_kr_kr, View::K, &[a])
            }
            UnOp::Not => self.with_bits(ops::XOR, a, u32::MAX),
            UnOp::Neg if floats => self.with_bits(ops::XOR, a, SIGN),
            UnOp::Abs if floats => self.with_bits(ops::AND, a, !SIGN),
            UnOp::Abs => {
                let a = Arg::Use(self.reg(a));
                self.vec(ops::ABS_I32, &[a])
            }
            UnOp::Neg => {
                let zero = Arg::Use(self.zero());
                let a = Arg::Use(self.reg(a));
                self.vec(ops::SUB_I32, &[zero, a])
            }
        }
    }

    /// A bitwise operation with the same bits in all lanes; a scalar uses the whole register.
    fn with_bits(&mut self, op: Op, a: Val, bits: u32) -> Reg {
        let reg = self.reg(a);
        let bits = self.bits(bits);
        self.vec(op, &[Arg::Use(reg.seen(self.full)), bits]).seen(reg.view)
    }

    fn float_un(&mut self, op: Op, a: Val, immediate: Option<u8>) -> Reg {
        let mut args = match self.is_scalar(a) {
            // The scalar forms take the lanes above 0 from their first source.
            true => vec![Arg::Use(self.reg(a)); 2],
            false => vec![self.source(a)],
        };
        args.extend(immediate.map(Arg::Imm8));
        self.float(op, a, &args)
    }

    pub(super) fn fma(&mut self, a: Val, b: Val, c: Val) -> Reg {
        let scalar = self.is_scalar(a);
        let code = |s: &Self, op: Op| if scalar { op.scalar(s.lanes) } else { op.vector(s.lanes) };
        let factor_ends = |s: &Self, v: Val| matches!(s.values[v.index()], Value::Reg(_)) && s.facts.dies_here(v);
        let factors_in_memory = self.is_load(a) || self.is_load(b);
        let c_in_memory = self.is_load(c) || (self.is_constant(c) && !self.is_constant(a) && !self.is_constant(b));
        let c_lives_on = !self.facts.dies_here(c) && (factor_ends(self, a) || factor_ends(self, b));
        let (first, last) = self.commuted(a, b);
        if !factors_in_memory && (c_in_memory || c_lives_on) {
            let (tie, other) = if factor_ends(self, a) || !factor_ends(self, b) { (a, b) } else { (b, a) };
            let (tie, other) = (self.reg(tie), self.reg(other));
            let c = self.source(c);
            return self.tied(code(self, ops::FMA_213), tie, &[Arg::Use(other), c]);
        }
        let (c, first) = (self.reg(c), Arg::Use(self.reg(first)));
        let last = self.source(last);
        self.tied(code(self, ops::FMA_231), c, &[first, last])
    }

    pub(super) fn compare(&mut self, op: CmpOp, a: Val, b: Val) -> Reg {
        if self.is_scalar(a) {
            return self.compare_scalars(op, a, b);
        }
        let floats = self.ty(a).elem() == Some(Elem::F32);
        let first = Arg::Use(self.reg(a));
        if self.is_wide() {
            let last = self.source(b);
            let (code, predicate) = match (floats, op) {
                (true, _) => (Code::EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae, predicate(op)),
                (_, CmpOp::Eq) => (Code::EVEX_Vpcmpd_kr_k1_zmm_zmmm512b32_imm8, 0),
                (_, CmpOp::Lt) => (Code::EVEX_Vpcmpd_kr_k1_zmm_zmmm512b32_imm8, 1),
                (_, CmpOp::Le) => (Code::EVEX_Vpcmpd_kr_k1_zmm_zmmm512b32_imm8, 2),
                (_, CmpOp::Ne) => (Code::EVEX_Vpcmpd_kr_k1_zmm_zmmm512b32_imm8, 4),
            };
            return self.def(code, View::K, &[first, last, Arg::Imm8(predicate)]);
        }
        if floats {
            let last = self.source(b);
            let args = [first, last, Arg::Imm8(predicate(op))];
            return self.def(Code::VEX_Vcmpps_ymm_ymm_ymmm256_imm8, View::Y, &args);
        }
        let last = Arg::Use(self.reg(b));
        let (equal, greater) = (Code::VEX_Vpcmpeqd_ymm_ymm_ymmm256, Code::VEX_Vpcmpgtd_ymm_ymm_ymmm256);
        let (code, args, inverted) = match op {
            CmpOp::Eq => (equal, [first, last], false),
            CmpOp::Ne => (equal, [first, last], true),
            CmpOp::Lt => (greater, [last, first], false),
            CmpOp::Le => (greater, [first, last], true),
        };
        let result = self.def(code, View::Y, &args);
        if inverted {
            let ones = self.bits(u32::MAX);
            return self.vec(ops::XOR, &[Arg::Use(result), ones]);
        }
        result
    }

    pub(super) fn choose(&mut self, cond: Val, a: Val, b: Val) -> Reg {
        if self.is_scalar(a) {
            return self.choose_scalar(cond, a, b);
        }
        let mask = self.reg(cond);
        if !self.is_wide() {
            let no = Arg::Use(self.reg(b));
            let yes = self.source(a);
            return self.def(Code::VEX_Vblendvps_ymm_ymm_ymmm256_ymm, View::Y, &[no, yes, Arg::Use(mask)]);
        }
        if self.ty(a) == Type::Vector(Elem::Bool) {
            let (yes, no) = (self.reg(a), self.reg(b));
            let yes = self.def(Code::VEX_Kandw_kr_kr_kr, View::K, &[Arg::Use(mask), Arg::Use(yes)]);
            let no = self.def(Code::VEX_Kandnw_kr_kr_kr, View::K, &[Arg::Use(mask), Arg::Use(no)]);
            return self.def(Code::VEX_Korw_kr_kr_kr, View::K, &[Arg::Use(yes), Arg::Use(no)]);
        }
        if matches!(self.values[b.index()], Value::Splat(0)) && !self.is_constant(a) {
            let yes = self.source(a);
            return self.vec(ops::LOAD, &[Arg::Zero(mask), yes]);
        }
        let no = Arg::Use(self.reg(b));
        let yes = self.source(a);
        self.def(Code::EVEX_Vblendmps_zmm_k1z_zmm_zmmm512b32, View::Z, &[Arg::Merge(mask), no, yes])
    }

    pub(super) fn cast(&mut self, op: CastOp, a: Val) -> Reg {
        let scalar = self.is_scalar(a);
        match op {
            CastOp::F32Bits | CastOp::BitsF32 if !scalar => self.reg(a),
            CastOp::I32ToF32 if !scalar => {
                let a = self.source(a);
                self.vec(ops::I32_TO_F32, &[a])
            }
            CastOp::F32ToI32 if !scalar => {
                let a = self.source(a);
                self.vec(ops::F32_TO_I32, &[a])
            }
            CastOp::BoolToI32 if !scalar => {
                let mask = self.reg(a);
                self.ones_where(mask, ONE as u32)
            }
            CastOp::F32Bits => {
                let a = self.reg(a);
                self.word_of_lane(a)
            }
            CastOp::BitsF32 => {
                let a = self.reg(a);
                self.lane_of_word(a)
            }
            CastOp::I32ToF32 => {
                let a = self.reg(a);
                let lane = self.lane_of_word(a);
                self.vec(ops::I32_TO_F32, &[Arg::Use(lane.seen(self.full))]).x()
            }
            CastOp::F32ToI32 => {
                let a = Arg::Use(self.reg(a));
                let code = match self.is_wide() {
                    true => Code::EVEX_Vcvttss2si_r32_xmmm32_sae,
                    false => Code::VEX_Vcvttss2si_r32_xmmm32,
                };
                self.def(code, View::R32, &[a])
            }
            CastOp::I32ToI64 => {
                let a = Arg::Use(self.reg(a));
                self.def(Code::Movsxd_r64_rm32, View::R64, &[a])
            }
            CastOp::I64ToI32 => self.reg(a).r32(),
            CastOp::BoolToI32 => self.reg(a),
        }
    }

    /// A scalar in all lanes.
    pub(super) fn splat(&mut self, a: Val) -> Value {
        match (self.values[a.index()], self.ty(a)) {
            (Value::Float(bits), _) => Value::Splat(bits),
            (Value::Int(c), Type::Scalar(Elem::Bool)) if self.is_wide() => Value::Uniform(c != 0),
            (Value::Int(c), Type::Scalar(Elem::Bool)) => Value::Splat(if c != 0 { u32::MAX } else { 0 }),
            (Value::Int(c), _) => Value::Splat(c as u32),
            (_, Type::Scalar(Elem::F32)) => {
                let a = Arg::Use(self.reg(a));
                Value::Reg(self.vec(ops::SPLAT_F32, &[a]))
            }
            (_, Type::Scalar(Elem::I32)) => {
                let a = self.reg(a);
                Value::Reg(self.splat_general(a))
            }
            _ => {
                let a = self.reg(a);
                Value::Reg(self.splat_truth(a))
            }
        }
    }
    /// 32 bits of a general register in all lanes.
    pub(super) fn splat_general(&mut self, a: Reg) -> Reg {
        if self.is_wide() {
            return self.def(Code::EVEX_Vpbroadcastd_zmm_k1z_r32, View::Z, &[Arg::Use(a.r32())]);
        }
        let lane = self.lane_of_word(a);
        self.vec(ops::SPLAT_I32, &[Arg::Use(lane)])
    }
}
