//! Integer and truth scalars in general registers, and the scalar ends of conversions.
//!
//! Additions are `lea`, which leaves its operands alone; everything that x86 computes in place says so with
//! a tied operand and the allocator copies only what lives on. Truth values are 0 or 1.

use super::{Arg, Select, Value};
use crate::native::wide::{
    inst::{Base, Mem, Reg, View},
    ops,
};
use iced_x86::Code;
use regard_ir::{
    id::Id,
    kernel::{BinOp, CmpOp, Elem, Type, UnOp, Val},
};

/// The form of an instruction for i64 or for i32 and bool.
fn sized(elem: Elem, wide: Code, narrow: Code) -> Code {
    if elem == Elem::I64 { wide } else { narrow }
}

fn imm32(value: i64) -> Option<i32> {
    i32::try_from(value).ok()
}

impl Select<'_> {
    fn elem(&self, v: Val) -> Elem {
        match self.ty(v) {
            Type::Scalar(elem) => elem,
            ty => unreachable!("{v} is {ty}, not a scalar"),
        }
    }

    pub(super) fn int_bin(&mut self, op: BinOp, a: Val, b: Val) -> Reg {
        let elem = self.elem(a);
        let swaps = matches!(op, BinOp::Add | BinOp::Mul | BinOp::And | BinOp::Or | BinOp::Xor);
        let (a, b) = if swaps && self.as_int(a).is_some() { (b, a) } else { (a, b) };
        match (op, self.as_int(b)) {
            (BinOp::Add, Some(c)) => {
                let a = self.reg(a);
                self.add_const(a, c)
            }
            (BinOp::Sub, Some(c)) => {
                let a = self.reg(a);
                self.add_const(a, c.wrapping_neg())
            }
            (BinOp::Add, None) => {
                let (a, b) = (self.reg(a), self.reg(b));
                self.lea(elem, a, Some((b, 1)), 0)
            }
            (BinOp::Mul, Some(c)) => {
                let a = self.reg(a);
                self.mul_const(elem, a, c)
            }
            (BinOp::Shl, Some(by)) => {
                let a = self.reg(a);
                self.tied(sized(elem, Code::Shl_rm64_imm8, Code::Shl_rm32_imm8), a, &[Arg::Imm8(by as u8)])
            }
            (BinOp::Shr, Some(by)) => {
                let a = self.reg(a);
                self.shift_right(elem, a, by as u8)
            }
            (BinOp::Div | BinOp::Rem, Some(divisor)) => {
                let positive = self.facts.upper_bound(a).is_some();
                let a = self.reg(a);
                match op {
                    BinOp::Div => self.floor_div(elem, a, divisor, positive),
                    _ => self.floor_rem(elem, a, divisor, positive),
                }
            }
            (BinOp::Shl | BinOp::Shr, None) => self.shift(op, elem, a, b),
            (BinOp::Min | BinOp::Max, _) => self.least(op, elem, a, b),
            _ => self.in_place(op, elem, a, b),
        }
    }

    fn in_place(&mut self, op: BinOp, elem: Elem, a: Val, b: Val) -> Reg {
        let (immediate, register) = match op {
            BinOp::Sub => (Code::INVALID, sized(elem, Code::Sub_r64_rm64, Code::Sub_r32_rm32)),
            BinOp::Mul => (Code::INVALID, sized(elem, Code::Imul_r64_rm64, Code::Imul_r32_rm32)),
            BinOp::And => (Code::And_rm32_imm32, Code::And_r32_rm32),
            BinOp::Or => (Code::Or_rm32_imm32, Code::Or_r32_rm32),
            BinOp::Xor => (Code::Xor_rm32_imm32, Code::Xor_r32_rm32),
            _ => unreachable!("{op:?} has a constant operand or its own function"),
        };
        let a = self.reg(a);
        match self.as_int(b) {
            Some(c) if elem != Elem::I64 => self.tied(immediate, a, &[Arg::Imm32(c as i32)]),
            _ => {
                let b = self.reg(b);
                self.tied(register, a, &[Arg::Use(b)])
            }
        }
    }

    fn shift(&mut self, op: BinOp, elem: Elem, a: Val, by: Val) -> Reg {
        let (a, by) = (self.reg(a), self.reg(by));
        let code = match op {
            BinOp::Shl => sized(elem, Code::VEX_Shlx_r64_rm64_r64, Code::VEX_Shlx_r32_rm32_r32),
            _ => sized(elem, Code::VEX_Sarx_r64_rm64_r64, Code::VEX_Sarx_r32_rm32_r32),
        };
        self.def(code, a.view, &[Arg::Use(a), Arg::Use(by)])
    }

    fn least(&mut self, op: BinOp, elem: Elem, a: Val, b: Val) -> Reg {
        let (a, b) = (self.reg(a), self.reg(b));
        self.push(sized(elem, Code::Cmp_r64_rm64, Code::Cmp_r32_rm32), &[Arg::Use(a), Arg::Use(b)]);
        let replace = match op {
            BinOp::Min => sized(elem, Code::Cmovg_r64_rm64, Code::Cmovg_r32_rm32),
            _ => sized(elem, Code::Cmovl_r64_rm64, Code::Cmovl_r32_rm32),
        };
        self.tied(replace, a, &[Arg::Use(b)])
    }

    /// `base + index·scale + displacement`, all of one width.
    pub(super) fn lea(&mut self, elem: Elem, base: Reg, index: Option<(Reg, u8)>, displacement: i32) -> Reg {
        let (index, scale) = index.map_or((None, 1), |(r, s)| (Some(r.r64()), s));
        let mem = Mem { base: Base::Reg(base.vreg), index, scale, displacement, broadcast: false };
        let view = if elem == Elem::I64 { View::R64 } else { View::R32 };
        self.def(sized(elem, Code::Lea_r64_m, Code::Lea_r32_m), view, &[Arg::Mem(mem)])
    }
    pub(super) fn add_const(&mut self, a: Reg, c: i64) -> Reg {
        let elem = if a.view == View::R64 { Elem::I64 } else { Elem::I32 };
        match if elem == Elem::I64 { imm32(c) } else { Some(c as i32) } {
            Some(0) => a,
            Some(c) => self.lea(elem, a, None, c),
            None => {
                let c = self.int64(c);
                self.lea(elem, a, Some((c, 1)), 0)
            }
        }
    }
    pub(super) fn mul_const(&mut self, elem: Elem, a: Reg, c: i64) -> Reg {
        match c {
            0 if elem == Elem::I64 => self.int64(0),
            0 => self.int32(0),
            1 => a,
            3 | 5 | 9 => self.lea(elem, a, Some((a, c as u8 - 1)), 0),
            _ if c > 0 && c.count_ones() == 1 && (elem == Elem::I64 || c < 1 << 31) => {
                let by = Arg::Imm8(c.trailing_zeros() as u8);
                self.tied(sized(elem, Code::Shl_rm64_imm8, Code::Shl_rm32_imm8), a, &[by])
            }
            _ => match if elem == Elem::I64 { imm32(c) } else { Some(c as i32) } {
                Some(c) => {
                    let code = sized(elem, Code::Imul_r64_rm64_imm32, Code::Imul_r32_rm32_imm32);
                    self.def(code, a.view, &[Arg::Use(a), Arg::Imm32(c)])
                }
                None => {
                    let c = self.int64(c);
                    self.tied(Code::Imul_r64_rm64, a, &[Arg::Use(c)])
                }
            },
        }
    }
    /// Arithmetic shift right.
    pub(super) fn shift_right(&mut self, elem: Elem, a: Reg, by: u8) -> Reg {
        match by {
            0 => a,
            _ => self.tied(sized(elem, Code::Sar_rm64_imm8, Code::Sar_rm32_imm8), a, &[Arg::Imm8(by)]),
        }
    }

    pub(super) fn int_un(&mut self, op: UnOp, a: Val) -> Reg {
        let elem = self.elem(a);
        let a = self.reg(a);
        match op {
            UnOp::Neg => self.tied(sized(elem, Code::Neg_rm64, Code::Neg_rm32), a, &[]),
            UnOp::Not => self.tied(Code::Xor_rm32_imm32, a, &[Arg::Imm32(1)]),
            UnOp::Abs => {
                let sign = self.shift_right(elem, a, if elem == Elem::I64 { 63 } else { 31 });
                let flipped = self.tied(sized(elem, Code::Xor_r64_rm64, Code::Xor_r32_rm32), a, &[Arg::Use(sign)]);
                self.tied(sized(elem, Code::Sub_r64_rm64, Code::Sub_r32_rm32), flipped, &[Arg::Use(sign)])
            }
            _ => unreachable!("{op:?} takes floats"),
        }
    }

    /// Sets the flags of `a − b`.
    pub(super) fn compare_ints(&mut self, elem: Elem, a: Reg, b: Val) {
        match self.as_int(b).and_then(imm32) {
            Some(c) => {
                self.push(sized(elem, Code::Cmp_rm64_imm32, Code::Cmp_rm32_imm32), &[Arg::Use(a), Arg::Imm32(c)])
            }
            None => {
                let b = self.reg(b);
                self.push(sized(elem, Code::Cmp_r64_rm64, Code::Cmp_r32_rm32), &[Arg::Use(a), Arg::Use(b)]);
            }
        }
    }

    pub(super) fn compare_scalars(&mut self, op: CmpOp, a: Val, b: Val) -> Reg {
        let elem = self.elem(a);
        if elem == Elem::F32 {
            return self.compare_float_scalars(op, a, b);
        }
        let a = self.reg(a);
        self.compare_ints(elem, a, b);
        let set = match op {
            CmpOp::Eq => Code::Sete_rm8,
            CmpOp::Ne => Code::Setne_rm8,
            CmpOp::Lt => Code::Setl_rm8,
            CmpOp::Le => Code::Setle_rm8,
        };
        let byte = self.def(set, View::R8, &[]);
        self.def(Code::Movzx_r32_rm8, View::R32, &[Arg::Use(byte)])
    }

    /// The mask register or all-ones lane of a comparison, as 0 or 1.
    fn compare_float_scalars(&mut self, op: CmpOp, a: Val, b: Val) -> Reg {
        let predicate = Arg::Imm8(super::vector::predicate(op));
        let a = Arg::Use(self.reg(a));
        let b = self.source(b);
        if self.is_wide() {
            let k = self.def(Code::EVEX_Vcmpss_kr_k1_xmm_xmmm32_imm8_sae, View::K, &[a, b, predicate]);
            return self.def(Code::VEX_Kmovw_r32_kr, View::R32, &[Arg::Use(k)]);
        }
        let ones = self.def(Code::VEX_Vcmpss_xmm_xmm_xmmm32_imm8, View::X, &[a, b, predicate]);
        let ones = self.word_of_lane(ones);
        self.tied(Code::And_rm32_imm32, ones, &[Arg::Imm32(1)])
    }

    /// `cond ? a : b` for scalars.
    pub(super) fn choose_scalar(&mut self, cond: Val, a: Val, b: Val) -> Reg {
        let elem = self.elem(a);
        if elem == Elem::F32 {
            return self.choose_float(cond, a, b);
        }
        let (yes, no) = (self.reg(a), self.reg(b));
        let (wide, narrow) = self.move_if(cond);
        self.tied(sized(elem, wide, narrow), no, &[Arg::Use(yes)])
    }

    /// Sets the flags; returns the conditional moves that are made where `cond` holds.
    fn move_if(&mut self, cond: Val) -> (Code, Code) {
        let Value::FusedCompare(op, a, b) = self.values[cond.index()] else {
            let cond = self.reg(cond);
            self.push(Code::Test_rm32_r32, &[Arg::Use(cond), Arg::Use(cond)]);
            return (Code::Cmovne_r64_rm64, Code::Cmovne_r32_rm32);
        };
        let elem = self.elem(a);
        let a = self.reg(a);
        self.compare_ints(elem, a, b);
        match op {
            CmpOp::Eq => (Code::Cmove_r64_rm64, Code::Cmove_r32_rm32),
            CmpOp::Ne => (Code::Cmovne_r64_rm64, Code::Cmovne_r32_rm32),
            CmpOp::Lt => (Code::Cmovl_r64_rm64, Code::Cmovl_r32_rm32),
            CmpOp::Le => (Code::Cmovle_r64_rm64, Code::Cmovle_r32_rm32),
        }
    }

    fn choose_float(&mut self, cond: Val, a: Val, b: Val) -> Reg {
        let (cond, yes, no) = (self.reg(cond), self.reg(a), self.reg(b));
        if self.is_wide() {
            let k = self.def(Code::VEX_Kmovw_kr_r32, View::K, &[Arg::Use(cond)]);
            let args = [Arg::Merge(k), Arg::Use(no), Arg::Use(yes)];
            return self.def(Code::EVEX_Vblendmps_xmm_k1z_xmm_xmmm128b32, View::X, &args);
        }
        let ones = self.tied(Code::Neg_rm32, cond, &[]);
        let ones = self.lane_of_word(ones);
        let args = [Arg::Use(no), Arg::Use(yes), Arg::Use(ones)];
        self.def(Code::VEX_Vblendvps_xmm_xmm_xmmm128_xmm, View::X, &args)
    }

    /// 32 bits of a general register as lane 0, other lanes zero.
    pub(super) fn lane_of_word(&mut self, a: Reg) -> Reg {
        self.def(ops::FROM_R32.vector(self.lanes), View::X, &[Arg::Use(a.r32())])
    }
    /// Lane 0 in a general register.
    pub(super) fn word_of_lane(&mut self, a: Reg) -> Reg {
        self.def(ops::TO_R32.vector(self.lanes), View::R32, &[Arg::Use(a.x())])
    }
}
