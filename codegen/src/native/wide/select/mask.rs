//! Masks: truth vectors, and the lanes below a count.
//!
//! A truth vector is a mask register with 16 lanes and a vector of all-ones or all-zeros lanes with 8.
//!
//! The mask of `first n` depends on n alone, so it is made once, right where n is defined: a count that is
//! the same in every iteration has its mask outside the loop. n may be negative or beyond the lanes; it is
//! clamped to 0..=L first.

use super::{Arg, Select, Value};
use crate::native::wide::{
    constants::Constant,
    inst::{Mem, Reg, View},
    ops,
};
use iced_x86::Code;
use regard_ir::{id::Id, kernel::Val};

/// Which lanes an access touches.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tail {
    /// All.
    Full,
    /// Those of a truth vector.
    Mask(Reg),
    /// Those of a constant truth vector of 8 lanes.
    Constant(Constant),
}

impl Select<'_> {
    /// The lanes below `active`.
    pub(super) fn tail(&self, active: Option<Val>) -> Tail {
        active.map_or(Tail::Full, |n| self.tails[&n])
    }
    /// A truth vector for a tail that is not full.
    pub(super) fn tail_mask(&mut self, tail: Tail) -> Option<Reg> {
        match tail {
            Tail::Full => None,
            Tail::Mask(mask) => Some(mask),
            Tail::Constant(c) => Some(self.vec(ops::LOAD, &[Arg::Mem(Mem::constant(c, false))])),
        }
    }

    /// Makes the mask of the lanes below `n`.
    pub(super) fn make_tail(&mut self, n: Val) {
        let lanes = i64::from(self.lanes);
        let tail = match self.values[n.index()] {
            Value::Int(count) if count >= lanes => Tail::Full,
            Value::Int(count) if self.is_wide() => {
                let bits = self.int32((1 << count.max(0)) - 1);
                Tail::Mask(self.mask_from(bits))
            }
            Value::Int(count) => {
                let lane = |l: i64| if l < count { u32::MAX } else { 0 };
                Tail::Constant(self.pool.vector((0..lanes).map(lane).collect()))
            }
            _ => {
                let count = self.clamped(n);
                Tail::Mask(self.lanes_below(count))
            }
        };
        self.tails.insert(n, tail);
    }

    /// `n` between 0 and the number of lanes.
    fn clamped(&mut self, n: Val) -> Reg {
        let n = self.reg(n);
        let lanes = self.int64(self.lanes.into());
        let zero = self.int64(0);
        self.push(Code::Cmp_r64_rm64, &[Arg::Use(n), Arg::Use(lanes)]);
        let below = self.tied(Code::Cmovl_r64_rm64, lanes, &[Arg::Use(n)]);
        self.push(Code::Test_rm64_r64, &[Arg::Use(below), Arg::Use(below)]);
        self.tied(Code::Cmovs_r64_rm64, below, &[Arg::Use(zero)])
    }

    fn lanes_below(&mut self, count: Reg) -> Reg {
        if self.is_wide() {
            let ones = self.int32(-1);
            let bits = self.def(Code::VEX_Bzhi_r32_rm32_r32, View::R32, &[Arg::Use(ones), Arg::Use(count.r32())]);
            return self.mask_from(bits);
        }
        let count = self.splat_general(count);
        let lanes = self.lane_numbers();
        self.def(Code::VEX_Vpcmpgtd_ymm_ymm_ymmm256, View::Y, &[Arg::Use(count), lanes])
    }

    fn mask_from(&mut self, bits: Reg) -> Reg {
        self.def(Code::VEX_Kmovw_kr_r32, View::K, &[Arg::Use(bits)])
    }

    /// One bit per lane of a truth vector.
    pub(super) fn mask_bits(&mut self, mask: Reg) -> Reg {
        let code = if self.is_wide() { Code::VEX_Kmovw_r32_kr } else { Code::VEX_Vmovmskps_r32_ymm };
        self.def(code, View::R32, &[Arg::Use(mask)])
    }

    /// A truth vector of equal lanes with 16 lanes.
    pub(super) fn uniform(&mut self, set: bool) -> Reg {
        let code = if set { Code::VEX_Kxnorw_kr_kr_kr } else { Code::VEX_Kxorw_kr_kr_kr };
        self.def(code, View::K, &[Arg::Same(0), Arg::Same(0)])
    }
    /// A truth vector with all lanes set.
    pub(super) fn all_lanes(&mut self) -> Reg {
        if self.is_wide() { self.uniform(true) } else { self.splat_bits(u32::MAX) }
    }

    /// 0 or 1 of a general register in all lanes of a truth vector.
    pub(super) fn splat_truth(&mut self, a: Reg) -> Reg {
        let ones = self.tied(Code::Neg_rm32, a.r32(), &[]);
        if self.is_wide() { self.mask_from(ones) } else { self.splat_general(ones) }
    }

    /// `value` in the lanes where a truth vector is set, zero in the others.
    pub(super) fn ones_where(&mut self, mask: Reg, value: u32) -> Reg {
        if self.is_wide() {
            let word = Arg::Mem(Mem::constant(self.pool.word(value), false));
            return self.vec(ops::SPLAT_MEM, &[Arg::Zero(mask), word]);
        }
        let value = self.bits(value);
        self.vec(ops::AND, &[Arg::Use(mask), value])
    }
    /// The lanes that are not zero, as a truth vector.
    pub(super) fn truth_of(&mut self, ones: Reg) -> Reg {
        if self.is_wide() {
            return self.def(Code::EVEX_Vptestmd_kr_k1_zmm_zmmm512b32, View::K, &[Arg::Use(ones), Arg::Use(ones)]);
        }
        let zero = self.zero();
        let empty = self.def(Code::VEX_Vpcmpeqd_ymm_ymm_ymmm256, View::Y, &[Arg::Use(ones), Arg::Use(zero)]);
        let all = self.bits(u32::MAX);
        self.vec(ops::XOR, &[Arg::Use(empty), all])
    }
}
