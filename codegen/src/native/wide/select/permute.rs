//! Lanes that change places: reductions, single lanes, shuffles, transposition.
//!
//! A reduction folds the upper half onto the lower until one lane is left. All steps use the whole width,
//! where every lane pairs with its partner and lane 0 holds the wanted order `lane i op lane i + half`.
//!
//! A transposition of L vectors, with pieces of 128 bits as digits:
//!
//! ```text
//!   stages 1, 2   unpack singles, then pairs: transposes 4×4 within each 128-bit column
//!   stages 3, 4   exchange whole 128-bit pieces between registers (one stage with 8 lanes)
//! ```

use super::{Arg, Select, Value};
use crate::native::wide::{
    inst::{Mem, Reg, View},
    ops::{self, Op},
};
use iced_x86::Code;
use regard_ir::kernel::{Elem, ReduceOp, Type, Val};

impl Select<'_> {
    pub(super) fn reduce(&mut self, op: ReduceOp, a: Val) -> Reg {
        let floats = self.ty(a).elem() == Some(Elem::F32);
        let combine = match (op, floats) {
            (ReduceOp::Sum, true) => ops::ADD_F32,
            (ReduceOp::Max, true) => ops::MAX_F32,
            (ReduceOp::Min, true) => ops::MIN_F32,
            (ReduceOp::Sum, false) => ops::ADD_I32,
            (ReduceOp::Max, false) => ops::MAX_I32,
            (ReduceOp::Min, false) => ops::MIN_I32,
        };
        let mut all = self.reg(a);
        let mut half = self.lanes / 2;
        while half > 0 {
            let partners = self.partners(all, half);
            all = self.vec(combine, &[Arg::Use(all), Arg::Use(partners)]);
            half /= 2;
        }
        if floats { all.x() } else { self.word_of_lane(all) }
    }

    /// Lane i becomes lane i ± `distance`.
    fn partners(&mut self, a: Reg, distance: u32) -> Reg {
        let (op, twice, control) = match (distance, self.is_wide()) {
            (8, _) => (ops::SWAP_HALVES, true, 0b01_00_11_10),
            (4, true) => (ops::SWAP_HALVES, true, 0b10_11_00_01),
            (4, false) => (ops::SWAP_HALVES, true, 0x01),
            (2, _) => (ops::WITHIN_128, false, 0b01_00_11_10),
            _ => (ops::WITHIN_128, false, 0b10_11_00_01),
        };
        let sources = vec![Arg::Use(a); if twice { 2 } else { 1 }];
        self.vec(op, &[sources, vec![Arg::Imm8(control)]].concat())
    }

    pub(super) fn extract(&mut self, a: Val, lane: u32) -> Reg {
        let ty = self.ty(a);
        let vector = self.reg(a);
        match ty.elem() {
            Some(Elem::Bool) => {
                let bits = self.mask_bits(vector);
                let at = match lane {
                    0 => bits,
                    _ => self.tied(Code::Shr_rm32_imm8, bits, &[Arg::Imm8(lane as u8)]),
                };
                self.tied(Code::And_rm32_imm32, at, &[Arg::Imm32(1)])
            }
            Some(Elem::I32) => self.lane_general(vector, lane),
            _ => {
                let part = self.part(vector, (lane / 4) as u8);
                if lane.is_multiple_of(4) {
                    return part;
                }
                let args = [Arg::Use(part.seen(self.full)), Arg::Imm8((lane % 4) as u8)];
                self.vec(ops::WITHIN_128, &args).x()
            }
        }
    }

    pub(super) fn shuffle(&mut self, a: Val, perm: &[u8]) -> Reg {
        let order = self.pool.vector(perm.iter().map(|&l| l.into()).collect());
        let order = Arg::Use(self.vec(ops::LOAD, &[Arg::Mem(Mem::constant(order, false))]));
        if self.ty(a) != Type::Vector(Elem::Bool) || !self.is_wide() {
            let a = Arg::Use(self.reg(a));
            return self.vec(ops::PERMUTE, &[order, a]);
        }
        let mask = self.reg(a);
        let ones = self.ones_where(mask, 1);
        let moved = self.vec(ops::PERMUTE, &[order, Arg::Use(ones)]);
        self.truth_of(moved)
    }

    pub(super) fn transpose(&mut self, results: &[Val], rows: &[Val]) {
        let masks = self.ty(rows[0]) == Type::Vector(Elem::Bool) && self.is_wide();
        let mut regs: Vec<Reg> = rows.iter().map(|&v| self.reg(v)).collect();
        if masks {
            regs = regs.into_iter().map(|m| self.ones_where(m, 1)).collect();
        }
        let regs = self.transpose_pieces(&regs);
        let mut columns = if self.is_wide() { self.exchange_sixteen(&regs) } else { self.exchange_eight(&regs) };
        if masks {
            columns = columns.into_iter().map(|c| self.truth_of(c)).collect();
        }
        for (&result, column) in results.iter().zip(columns) {
            self.set(result, Value::Reg(column));
        }
    }

    fn pair(&mut self, op: Op, a: Reg, b: Reg) -> Reg {
        self.vec(op, &[Arg::Use(a), Arg::Use(b)])
    }

    /// For each group of four rows, register 4g + c whose piece p holds column 4p + c of the group.
    fn transpose_pieces(&mut self, rows: &[Reg]) -> Vec<Reg> {
        let mut out = Vec::with_capacity(rows.len());
        for group in rows.chunks(4) {
            let [a, b, c, d] = group else { unreachable!("lanes are a multiple of four") };
            let low = [self.pair(ops::INTERLEAVE_LOW, *a, *b), self.pair(ops::INTERLEAVE_LOW, *c, *d)];
            let high = [self.pair(ops::INTERLEAVE_HIGH, *a, *b), self.pair(ops::INTERLEAVE_HIGH, *c, *d)];
            for [ab, cd] in [low, high] {
                out.push(self.pair(ops::PAIRS_LOW, ab, cd));
                out.push(self.pair(ops::PAIRS_HIGH, ab, cd));
            }
        }
        out
    }

    /// Column 4p + c is piece p of registers c and 4 + c.
    fn exchange_eight(&mut self, pieces: &[Reg]) -> Vec<Reg> {
        let mut out = Vec::with_capacity(8);
        for control in [0x20, 0x31] {
            for c in 0..4 {
                let args = [Arg::Use(pieces[c]), Arg::Use(pieces[4 + c]), Arg::Imm8(control)];
                out.push(self.def(Code::VEX_Vperm2f128_ymm_ymm_ymmm256_imm8, View::Y, &args));
            }
        }
        out
    }

    /// Column 4p + c is piece p of registers c, 4 + c, 8 + c, 12 + c.
    fn exchange_sixteen(&mut self, pieces: &[Reg]) -> Vec<Reg> {
        let mut out = vec![None; 16];
        for c in 0..4 {
            let take = |s: &mut Self, a: Reg, b: Reg, control| {
                let args = [Arg::Use(a), Arg::Use(b), Arg::Imm8(control)];
                s.def(Code::EVEX_Vshuff32x4_zmm_k1z_zmm_zmmm512b32_imm8, View::Z, &args)
            };
            // Even and odd pieces of the two upper and the two lower groups.
            const EVEN: u8 = 0b10_00_10_00;
            const ODD: u8 = 0b11_01_11_01;
            for (control, odd) in [(EVEN, 0), (ODD, 1)] {
                let low = take(self, pieces[c], pieces[4 + c], control);
                let high = take(self, pieces[8 + c], pieces[12 + c], control);
                out[4 * odd + c] = Some(take(self, low, high, EVEN));
                out[4 * (2 + odd) + c] = Some(take(self, low, high, ODD));
            }
        }
        out.into_iter().map(|r| r.expect("every column")).collect()
    }
}
