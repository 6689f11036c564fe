//! Loads and stores.
//!
//! An address is one x86 operand: buffer pointer + index·(element size) + constant. What memory holds and
//! what a vector holds differ for three element types, so a load *widens* and a store *narrows*:
//!
//! ```text
//!   bf16  w  ⇄  w << 16, stored rounded to nearest even, NaN kept     f16  vcvtph2ps, vcvtps2ph
//!   bool  a byte 0 or 1  ⇄  a mask bit, or a lane of ones
//! ```
//!
//! Unit stride is one instruction, with a mask where a count is given; a stride of 32-bit elements is a
//! gather or scatter with a constant index vector. Everything else goes lane by lane ([`super::lanes`]).

use super::{Arg, Select, mask::Tail};
use crate::native::wide::{
    constants::Constant,
    inst::{Base, Mem, Reg, View},
    ops,
};
use iced_x86::Code;
use regard_ir::{
    kernel::{Addr, Elem, Val},
    types::DType,
};

/// A quiet NaN of bf16 with an empty upper half.
const BF16_NAN: u32 = 0x7fc0;

impl Select<'_> {
    pub(super) fn dtype(&self, addr: &Addr) -> DType {
        self.kernel.buffers[addr.buf].dtype
    }

    /// The operand for the element `skip` elements after `addr`.
    pub(super) fn mem(&mut self, addr: &Addr, skip: i64) -> Mem {
        let bytes = self.dtype(addr).bytes() as i64;
        let (base, start) = self.base(addr.buf);
        let mut offset = addr.offset.wrapping_add(skip).wrapping_mul(bytes).wrapping_add(start);
        let index = match addr.index {
            Some(v) => match self.as_int(v) {
                Some(c) => {
                    offset = offset.wrapping_add(c.wrapping_mul(bytes));
                    None
                }
                None => Some(self.reg(v)),
            },
            None => None,
        };
        let (base, displacement) = match i32::try_from(offset) {
            Ok(small) => (base, small),
            Err(_) => {
                let offset = self.int64(offset);
                (self.lea(Elem::I64, base, Some((offset, 1)), 0), 0)
            }
        };
        Mem { base: Base::Reg(base.vreg), index, scale: bytes as u8, displacement, broadcast: false }
    }
    /// `addr` in one register.
    pub(super) fn pointer(&mut self, addr: &Addr) -> Reg {
        let mem = self.mem(addr, 0);
        self.def(Code::Lea_r64_m, View::R64, &[Arg::Mem(mem)])
    }

    pub(super) fn load(&mut self, addr: &Addr, active: Option<Val>, stride: i64) -> Reg {
        let dtype = self.dtype(addr);
        let tail = self.tail(active);
        let words = matches!(dtype, DType::F32 | DType::I32);
        match stride {
            1 if words || self.is_wide() || matches!(tail, Tail::Full) => self.load_row(dtype, addr, tail),
            0 if matches!(tail, Tail::Full) => self.bcast(addr),
            _ if words && self.strided_index(stride).is_some() => self.load_strided(addr, tail, stride),
            _ => {
                let places: Vec<Mem> = (0..i64::from(self.lanes)).map(|l| self.mem(addr, l * stride)).collect();
                let mask = self.tail_mask(tail);
                self.load_lanes(dtype, &places, mask)
            }
        }
    }

    fn load_row(&mut self, dtype: DType, addr: &Addr, tail: Tail) -> Reg {
        let mem = Arg::Mem(self.mem(addr, 0));
        let Some(mask) = self.tail_mask(tail) else { return self.widen(dtype, mem, None) };
        if self.is_wide() {
            return self.widen(dtype, mem, Some(mask));
        }
        self.def(Code::VEX_Vmaskmovps_ymm_ymm_m256, View::Y, &[Arg::Use(mask), mem])
    }

    /// A vector from packed elements in memory or in a register; lanes outside `mask` (16 lanes only) are
    /// not read and become zero.
    pub(super) fn widen(&mut self, dtype: DType, packed: Arg, mask: Option<Reg>) -> Reg {
        let mut args: Vec<Arg> = mask.map(Arg::Zero).into_iter().collect();
        args.push(packed);
        match dtype {
            DType::F32 | DType::I32 => self.vec(ops::LOAD, &args),
            DType::F16 => self.vec(ops::F16_TO_F32, &args),
            DType::Bf16 => {
                let low = self.vec(ops::WIDEN_16, &args);
                self.vec(ops::SHL_BY, &[Arg::Use(low), Arg::Imm8(16)])
            }
            DType::Bool if self.is_wide() => {
                let bytes = self.def(Code::EVEX_Vmovdqu8_xmm_k1z_xmmm128, View::X, &args);
                self.def(Code::EVEX_Vptestmb_kr_k1_xmm_xmmm128, View::K, &[Arg::Use(bytes), Arg::Use(bytes)])
            }
            DType::Bool => {
                let ones = self.def(Code::VEX_Vpmovzxbd_ymm_xmmm64, View::Y, &args);
                let sign = self.vec(ops::SHL_BY, &[Arg::Use(ones), Arg::Imm8(31)]);
                self.vec(ops::SHR_BY, &[Arg::Use(sign), Arg::Imm8(31)])
            }
        }
    }

    /// Elements packed in the low lanes of a register: bf16, f16 (L·2 bytes) or bool (L bytes).
    pub(super) fn narrow(&mut self, dtype: DType, value: Reg) -> Reg {
        let packed = if self.is_wide() { View::Y } else { View::X };
        match dtype {
            DType::F32 | DType::I32 => unreachable!("{dtype} is stored as it is"),
            DType::F16 => self.def(ops::F32_TO_F16.vector(self.lanes), packed, &[Arg::Use(value), Arg::Imm8(0)]),
            DType::Bf16 => {
                let words = self.round_bf16(value);
                if self.is_wide() {
                    return self.def(Code::EVEX_Vpmovdw_ymmm256_k1z_zmm, View::Y, &[Arg::Use(words)]);
                }
                self.pack_words(words)
            }
            DType::Bool if self.is_wide() => {
                let bytes = self.ones_where(value, 1);
                self.def(Code::EVEX_Vpmovdb_xmmm128_k1z_zmm, View::X, &[Arg::Use(bytes)])
            }
            DType::Bool => {
                let ones = self.vec(ops::LOGICAL_SHR_BY, &[Arg::Use(value), Arg::Imm8(31)]);
                let words = self.pack_words(ones);
                self.def(Code::VEX_Vpackuswb_xmm_xmm_xmmm128, View::X, &[Arg::Use(words), Arg::Use(words)])
            }
        }
    }

    /// Eight words below 2^16 as eight 16-bit elements.
    fn pack_words(&mut self, words: Reg) -> Reg {
        let high = self.def(Code::VEX_Vextracti128_xmmm128_ymm_imm8, View::X, &[Arg::Use(words), Arg::Imm8(1)]);
        self.def(Code::VEX_Vpackusdw_xmm_xmm_xmmm128, View::X, &[Arg::Use(words.x()), Arg::Use(high)])
    }

    /// Each lane's f32 as the bits of the nearest bf16, ties to even: add 0x7fff and the last kept bit.
    fn round_bf16(&mut self, value: Reg) -> Reg {
        let last = self.vec(ops::LOGICAL_SHR_BY, &[Arg::Use(value), Arg::Imm8(16)]);
        let one = self.bits(1);
        let last = self.vec(ops::AND, &[Arg::Use(last), one]);
        let half = self.bits(0x7fff);
        let up = self.vec(ops::ADD_I32, &[Arg::Use(last), half]);
        let sum = self.vec(ops::ADD_I32, &[Arg::Use(value), Arg::Use(up)]);
        let kept = self.vec(ops::LOGICAL_SHR_BY, &[Arg::Use(sum), Arg::Imm8(16)]);
        const UNORDERED: u8 = 3;
        let nan_test = [Arg::Use(value), Arg::Use(value), Arg::Imm8(UNORDERED)];
        if self.is_wide() {
            let nan = self.def(Code::EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae, View::K, &nan_test);
            let quiet = self.bits(BF16_NAN);
            let args = [Arg::Merge(nan), Arg::Use(kept), quiet];
            return self.def(Code::EVEX_Vblendmps_zmm_k1z_zmm_zmmm512b32, View::Z, &args);
        }
        let nan = self.def(Code::VEX_Vcmpps_ymm_ymm_ymmm256_imm8, View::Y, &nan_test);
        let quiet = self.bits(BF16_NAN);
        self.def(Code::VEX_Vblendvps_ymm_ymm_ymmm256_ymm, View::Y, &[Arg::Use(kept), quiet, Arg::Use(nan)])
    }

    /// Multiples of the stride as gather indices, if they fit 32 bits.
    fn strided_index(&mut self, stride: i64) -> Option<Constant> {
        let lanes = i64::from(self.lanes);
        i32::try_from(stride.checked_mul(lanes * 4)?).ok()?;
        Some(self.pool.vector((0..lanes).map(|l| (l * stride) as u32).collect()))
    }

    fn load_strided(&mut self, addr: &Addr, tail: Tail, stride: i64) -> Reg {
        let index = self.strided_index(stride).expect("a stride that fits");
        let index = self.vec(ops::LOAD, &[Arg::Mem(Mem::constant(index, false))]);
        let mask = match self.tail_mask(tail) {
            Some(mask) => mask,
            None => self.all_lanes(),
        };
        self.gather_words(addr, index, mask)
    }

    /// 32-bit elements `addr + index[l]` of the lanes in `mask`, zero in the others.
    pub(super) fn gather_words(&mut self, addr: &Addr, index: Reg, mask: Reg) -> Reg {
        let mut mem = self.mem(addr, 0);
        if mem.index.is_some() {
            let base = self.def(Code::Lea_r64_m, View::R64, &[Arg::Mem(mem)]);
            mem = Mem::at(base, 0);
        }
        mem = Mem { index: Some(index), scale: 4, ..mem };
        let zero = self.zero();
        let (result, cleared) = (self.fresh(self.full), self.fresh(mask.view));
        let result_arg = Arg::Tied(result, zero);
        if self.is_wide() {
            let args = [result_arg, Arg::Mem(mem), Arg::Consumed(cleared, mask)];
            self.push(Code::EVEX_Vgatherdps_zmm_k1_vm32z, &args);
        } else {
            self.push(Code::VEX_Vgatherdps_ymm_vm32y_ymm, &[result_arg, Arg::Mem(mem), Arg::Tied(cleared, mask)]);
        }
        result
    }

    pub(super) fn gather(&mut self, addr: &Addr, idx: Val, mask: Val) -> Reg {
        let (index, mask) = (self.reg(idx), self.reg(mask));
        let dtype = self.dtype(addr);
        if matches!(dtype, DType::F32 | DType::I32) {
            return self.gather_words(addr, index, mask);
        }
        let base = self.pointer(addr);
        let places: Vec<Mem> = (0..self.lanes).map(|l| self.indexed_lane(base, index, l, dtype)).collect();
        self.load_lanes(dtype, &places, Some(mask))
    }

    pub(super) fn bcast(&mut self, addr: &Addr) -> Reg {
        let mem = Arg::Mem(self.mem(addr, 0));
        match self.dtype(addr) {
            DType::F32 | DType::I32 => self.vec(ops::SPLAT_MEM, &[mem]),
            DType::Bf16 => {
                let pairs = self.vec(ops::SPLAT_16, &[mem]);
                self.vec(ops::SHL_BY, &[Arg::Use(pairs), Arg::Imm8(16)])
            }
            DType::F16 => {
                let packed = if self.is_wide() { View::Y } else { View::X };
                let halves = self.def(ops::SPLAT_16_HALF.vector(self.lanes), packed, &[mem]);
                self.vec(ops::F16_TO_F32, &[Arg::Use(halves)])
            }
            DType::Bool => {
                let truth = self.load_scalar(addr);
                self.splat_truth(truth)
            }
        }
    }

    pub(super) fn load_scalar(&mut self, addr: &Addr) -> Reg {
        let mem = Arg::Mem(self.mem(addr, 0));
        match self.dtype(addr) {
            DType::F32 => self.def(ops::LOAD.scalar(self.lanes), View::X, &[mem]),
            DType::I32 => self.def(Code::Mov_r32_rm32, View::R32, &[mem]),
            DType::Bool => self.def(Code::Movzx_r32_rm8, View::R32, &[mem]),
            DType::Bf16 => {
                let low = self.def(Code::Movzx_r32_rm16, View::R32, &[mem]);
                let bits = self.tied(Code::Shl_rm32_imm8, low, &[Arg::Imm8(16)]);
                self.lane_of_word(bits)
            }
            DType::F16 => {
                let bits = self.def(Code::Movzx_r32_rm16, View::R32, &[mem]);
                let packed = self.lane_of_word(bits);
                let packed = if self.is_wide() { packed.y() } else { packed };
                self.vec(ops::F16_TO_F32, &[Arg::Use(packed)]).x()
            }
        }
    }

    pub(super) fn store_scalar(&mut self, value: Val, addr: &Addr) {
        let dtype = self.dtype(addr);
        let value = self.reg(value);
        let mem = Arg::Mem(self.mem(addr, 0));
        match dtype {
            DType::F32 => self.push(ops::STORE.scalar(self.lanes), &[mem, Arg::Use(value)]),
            DType::I32 => self.push(Code::Mov_rm32_r32, &[mem, Arg::Use(value)]),
            DType::Bool => self.push(Code::Mov_rm8_r8, &[mem, Arg::Use(value.r8())]),
            DType::Bf16 | DType::F16 => {
                let packed = self.narrow(dtype, value.seen(self.full));
                self.push(ops::EXTRACT_16.vector(self.lanes), &[mem, Arg::Use(packed.x()), Arg::Imm8(0)]);
            }
        }
    }

    pub(super) fn store(&mut self, value: Val, addr: &Addr, active: Option<Val>, stride: i64) {
        let dtype = self.dtype(addr);
        let value = self.reg(value);
        let tail = self.tail(active);
        let words = matches!(dtype, DType::F32 | DType::I32);
        match stride {
            1 if words || self.is_wide() || matches!(tail, Tail::Full) => self.store_row(dtype, value, addr, tail),
            _ if words && self.is_wide() && self.strided_index(stride).is_some() => {
                self.scatter(value, addr, tail, stride);
            }
            _ => {
                let places: Vec<Mem> = (0..i64::from(self.lanes)).map(|l| self.mem(addr, l * stride)).collect();
                let mask = self.tail_mask(tail);
                self.store_lanes(dtype, value, &places, mask);
            }
        }
    }

    fn store_row(&mut self, dtype: DType, value: Reg, addr: &Addr, tail: Tail) {
        let mem = Arg::Mem(self.mem(addr, 0));
        let mask = self.tail_mask(tail);
        let packed = match dtype {
            DType::F32 | DType::I32 => value,
            _ => self.narrow(dtype, value),
        };
        let code = match (dtype, self.is_wide()) {
            (DType::F32 | DType::I32, false) => match mask {
                Some(mask) => {
                    let args = [mem, Arg::Use(mask), Arg::Use(packed)];
                    return self.push(Code::VEX_Vmaskmovps_m256_ymm_ymm, &args);
                }
                None => Code::VEX_Vmovups_ymmm256_ymm,
            },
            (DType::F32 | DType::I32, true) => Code::EVEX_Vmovups_zmmm512_k1z_zmm,
            (DType::Bool, true) => Code::EVEX_Vmovdqu8_xmmm128_k1z_xmm,
            (DType::Bool, false) => Code::VEX_Vmovq_xmmm64_xmm,
            (_, true) => Code::EVEX_Vmovdqu16_ymmm256_k1z_ymm,
            (_, false) => Code::VEX_Vmovups_xmmm128_xmm,
        };
        let mut args = vec![mem];
        args.extend(mask.map(Arg::Merge));
        args.push(Arg::Use(packed));
        self.push(code, &args);
    }

    fn scatter(&mut self, value: Reg, addr: &Addr, tail: Tail, stride: i64) {
        let index = self.strided_index(stride).expect("a stride that fits");
        let index = self.vec(ops::LOAD, &[Arg::Mem(Mem::constant(index, false))]);
        let mask = match self.tail_mask(tail) {
            Some(mask) => mask,
            None => self.all_lanes(),
        };
        let base = self.pointer(addr);
        let mem = Mem { index: Some(index), scale: 4, ..Mem::at(base, 0) };
        let cleared = self.fresh(View::K);
        let args = [Arg::Mem(mem), Arg::Consumed(cleared, mask), Arg::Use(value)];
        self.push(Code::EVEX_Vscatterdps_vm32z_k1_zmm, &args);
    }
}
