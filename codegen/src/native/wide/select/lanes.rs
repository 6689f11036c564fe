//! Memory lane by lane, for the accesses that x86 has no vector instruction for: strides of 8- and 16-bit
//! elements, strided stores of 8 lanes, and counts of small elements with 8 lanes.
//!
//! A lane that is masked out must not be accessed. Instead of branching, its address is replaced, by a
//! zero constant for loads and by a place below the stack pointer for stores:
//!
//! ```text
//!   lea p, [element l]; bt bits, l; cmovae p, elsewhere; vpinsrw x, [p], l
//! ```

use super::{Arg, Select};
use crate::native::wide::{
    inst::{Base, Mem, Reg, View},
    ops,
};
use iced_x86::Code;
use regard_ir::types::DType;

/// Eight bytes of the red zone, which no one reads.
const NOWHERE: i32 = -64;

impl Select<'_> {
    /// Where each lane is accessed, given the lanes that are and a place for the others.
    fn guarded(&mut self, places: &[Mem], mask: Option<Reg>, elsewhere: Mem) -> Vec<Mem> {
        let Some(mask) = mask else { return places.to_vec() };
        let bits = self.mask_bits(mask);
        let elsewhere = self.def(Code::Lea_r64_m, View::R64, &[Arg::Mem(elsewhere)]);
        let guard = |(lane, place): (usize, &Mem)| {
            let place = self.def(Code::Lea_r64_m, View::R64, &[Arg::Mem(*place)]);
            self.push(Code::Bt_rm32_imm8, &[Arg::Use(bits), Arg::Imm8(lane as u8)]);
            let chosen = self.tied(Code::Cmovae_r64_rm64, place, &[Arg::Use(elsewhere)]);
            Mem::at(chosen, 0)
        };
        places.iter().enumerate().map(guard).collect()
    }

    /// A vector from elements at separate places; lanes outside `mask` are not read and give zero.
    pub(super) fn load_lanes(&mut self, dtype: DType, places: &[Mem], mask: Option<Reg>) -> Reg {
        let zero = Mem::constant(self.pool.word(0), false);
        let places = self.guarded(places, mask, zero);
        let (insert, per_register) = match dtype {
            DType::F32 | DType::I32 => (ops::INSERT_32, 4),
            DType::Bf16 | DType::F16 => (ops::INSERT_16, 8),
            DType::Bool => (ops::INSERT_8, 16),
        };
        let mut parts: Vec<Reg> = Vec::new();
        for chunk in places.chunks(per_register) {
            let mut part = self.zero().x();
            for (lane, place) in chunk.iter().enumerate() {
                let args = [Arg::Use(part), Arg::Mem(*place), Arg::Imm8(lane as u8)];
                part = self.def(insert.vector(self.lanes), View::X, &args);
            }
            parts.push(part);
        }
        let packed = self.joined(&parts);
        self.widen(dtype, Arg::Use(packed), None)
    }

    /// 128-bit registers side by side in one register.
    fn joined(&mut self, parts: &[Reg]) -> Reg {
        let (pair, quad) = match self.is_wide() {
            true => {
                (Code::EVEX_Vinserti32x4_ymm_k1z_ymm_xmmm128_imm8, Code::EVEX_Vinserti64x4_zmm_k1z_zmm_ymmm256_imm8)
            }
            false => (Code::VEX_Vinserti128_ymm_ymm_xmmm128_imm8, Code::INVALID),
        };
        let mut join = |code, view, low: Reg, high: Reg| {
            self.def(code, view, &[Arg::Use(low.seen(view)), Arg::Use(high), Arg::Imm8(1)])
        };
        match *parts {
            [one] => one,
            [low, high] => join(pair, View::Y, low, high),
            [a, b, c, d] => {
                let (low, high) = (join(pair, View::Y, a, b), join(pair, View::Y, c, d));
                join(quad, View::Z, low, high)
            }
            _ => unreachable!("one, two or four registers make a vector"),
        }
    }

    /// Part `number` of 128 bits.
    pub(super) fn part(&mut self, a: Reg, number: u8) -> Reg {
        if number == 0 {
            return a.x();
        }
        let code = match a.view {
            View::Z => Code::EVEX_Vextracti32x4_xmmm128_k1z_zmm_imm8,
            _ if self.is_wide() => Code::EVEX_Vextracti32x4_xmmm128_k1z_ymm_imm8,
            _ => Code::VEX_Vextracti128_xmmm128_ymm_imm8,
        };
        self.def(code, View::X, &[Arg::Use(a), Arg::Imm8(number)])
    }

    /// Writes each lane to its own place, except those outside `mask`.
    pub(super) fn store_lanes(&mut self, dtype: DType, value: Reg, places: &[Mem], mask: Option<Reg>) {
        let places = self.guarded(places, mask, Mem::stack(NOWHERE));
        let (extract, per_register, packed) = match dtype {
            DType::F32 | DType::I32 => (ops::EXTRACT_32, 4, value),
            DType::Bf16 | DType::F16 => (ops::EXTRACT_16, 8, self.narrow(dtype, value)),
            DType::Bool => (ops::EXTRACT_8, 16, self.narrow(dtype, value)),
        };
        for (number, chunk) in places.chunks(per_register).enumerate() {
            let part = self.part(packed, number as u8);
            for (lane, place) in chunk.iter().enumerate() {
                let args = [Arg::Mem(*place), Arg::Use(part), Arg::Imm8(lane as u8)];
                self.push(extract.vector(self.lanes), &args);
            }
        }
    }

    /// The element `base + index[lane]`.
    pub(super) fn indexed_lane(&mut self, base: Reg, index: Reg, lane: u32, dtype: DType) -> Mem {
        let at = self.lane_general(index, lane);
        let at = self.def(Code::Movsxd_r64_rm32, View::R64, &[Arg::Use(at)]);
        Mem {
            base: Base::Reg(base.vreg),
            index: Some(at),
            scale: dtype.bytes() as u8,
            displacement: 0,
            broadcast: false,
        }
    }

    /// One lane of a vector in a general register.
    pub(super) fn lane_general(&mut self, a: Reg, lane: u32) -> Reg {
        let part = self.part(a, (lane / 4) as u8);
        match lane % 4 {
            0 => self.word_of_lane(part),
            within => {
                let args = [Arg::Use(part), Arg::Imm8(within as u8)];
                self.def(ops::EXTRACT_32.vector(self.lanes), View::R32, &args)
            }
        }
    }
}
