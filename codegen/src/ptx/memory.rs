//! Addresses, loads and stores.
//!
//! ```text
//!   byte address = (base + lane·stride·bytes) + index·bytes + offset·bytes
//!                  └─ once, at the top ─────┘   └─ one mad ─┘ └ immediate ┘
//! ```
//!
//! Global addresses have 64 bits, shared ones 32. Lanes beyond `first` keep the zero written before the
//! predicated load. bf16 is the upper half of an f32, so loading it is a move.

use super::{
    function::{Class, Emitter, Operand, Reg},
    hazard::Spread,
};
use regard_ir::{
    kernel::{Addr, Inst, Space, Stmt, Val},
    types::DType,
};
use std::fmt::Write;

impl Emitter<'_> {
    pub(super) fn memory(&mut self, stmt: &Stmt) {
        match &stmt.inst {
            Inst::Load { addr, active, stride } => {
                self.order(*addr, Spread::Stride(*stride), false);
                let guard = active.map(|n| self.lanes_below(n));
                let at = self.address(*addr, *stride);
                self.load(stmt.results[0], *addr, &at, guard);
            }
            Inst::Bcast(addr) | Inst::LoadScalar(addr) => {
                self.order(*addr, Spread::Stride(0), false);
                let at = self.address(*addr, 0);
                self.load(stmt.results[0], *addr, &at, None);
            }
            Inst::Gather { addr, idx, mask } => {
                self.order(*addr, Spread::Anywhere, false);
                let guard = self.reg(*mask);
                let at = self.gathered(*addr, *idx);
                self.load(stmt.results[0], *addr, &at, Some(guard));
            }
            Inst::Store { value, addr, active, stride } => {
                self.order(*addr, Spread::Stride(*stride), true);
                let guard = active.map(|n| self.lanes_below(n));
                let at = self.address(*addr, *stride);
                self.store(*value, *addr, &at, guard);
            }
            Inst::StoreScalar { value, addr } => {
                self.order(*addr, Spread::Anywhere, true);
                let lane = self.lane();
                let guard = self.compute_at_top(Class::Pred, "setp.eq.s32", &format!("{lane}, 0"));
                let at = self.address(*addr, 0);
                self.store(*value, *addr, &at, Some(guard));
            }
            other => unreachable!("{other:?} does not access memory"),
        }
    }

    fn order(&mut self, addr: Addr, spread: Spread, writes: bool) {
        if self.hazards.must_wait(addr, spread, writes) {
            self.warp_barrier();
        }
        self.hazards.add(addr, spread, writes);
    }
    fn lanes_below(&mut self, n: Val) -> Reg {
        let lane = self.lane_index();
        let n = self.operand(n);
        self.compute(Class::Pred, "setp.lt.s64", format_args!("{lane}, {n}"))
    }

    fn is_global(&self, addr: Addr) -> bool {
        self.kernel.buffers[addr.buf].space == Space::Global
    }
    fn bytes(&self, addr: Addr) -> i64 {
        self.dtype(addr.buf).bytes() as i64
    }
    /// `[register + constant]` for lane 0 plus `stride` elements per lane.
    fn address(&mut self, addr: Addr, stride: i64) -> String {
        let bytes = self.bytes(addr);
        let base = self.base(addr.buf);
        let base = if stride == 0 { base } else { self.spread(addr, base, stride * bytes) };
        let at = self.indexed(addr, base);
        self.displaced(at, addr.offset.wrapping_mul(bytes))
    }
    fn spread(&mut self, addr: Addr, base: Reg, bytes_per_lane: i64) -> Reg {
        let lane = self.lane();
        if self.is_global(addr) && i32::try_from(bytes_per_lane).is_ok() {
            return self.compute_at_top(Class::Index, "mad.wide.s32", &format!("{lane}, {bytes_per_lane}, {base}"));
        }
        if self.is_global(addr) {
            let lane = self.lane_index();
            return self.compute_at_top(Class::Index, "mad.lo.s64", &format!("{lane}, {bytes_per_lane}, {base}"));
        }
        self.compute_at_top(Class::Int, "mad.lo.s32", &format!("{lane}, {}, {base}", bytes_per_lane as i32))
    }
    fn indexed(&mut self, addr: Addr, base: Reg) -> Reg {
        let Some(index) = addr.index else { return base };
        let bytes = self.bytes(addr);
        let index = self.reg(index);
        if self.is_global(addr) {
            return self.compute(Class::Index, "mad.lo.s64", format_args!("{index}, {bytes}, {base}"));
        }
        let low = self.compute(Class::Int, "cvt.u32.u64", index);
        self.compute(Class::Int, "mad.lo.s32", format_args!("{low}, {bytes}, {base}"))
    }
    fn displaced(&mut self, at: Reg, bytes: i64) -> String {
        if i32::try_from(bytes).is_ok() {
            return format!("[{at}+{bytes}]");
        }
        // Only global addresses reach further than an immediate.
        let far = self.compute(Class::Index, "add.s64", format_args!("{at}, {bytes}"));
        format!("[{far}]")
    }
    fn gathered(&mut self, addr: Addr, idx: Val) -> String {
        let bytes = self.bytes(addr);
        let base = self.base(addr.buf);
        let at = self.indexed(addr, base);
        let idx = self.reg(idx);
        let at = if self.is_global(addr) {
            self.compute(Class::Index, "mad.wide.s32", format_args!("{idx}, {bytes}, {at}"))
        } else {
            self.compute(Class::Int, "mad.lo.s32", format_args!("{idx}, {bytes}, {at}"))
        };
        self.displaced(at, addr.offset.wrapping_mul(bytes))
    }

    fn load(&mut self, result: Val, addr: Addr, at: &str, guard: Option<Reg>) {
        let space = match (self.is_global(addr), self.hazards.is_read_only(addr.buf)) {
            (true, true) => "global.nc",
            (true, false) => "global",
            (false, _) => "shared",
        };
        let dtype = self.dtype(addr.buf);
        let (class, ty) = memory_type(dtype);
        let raw = self.fresh(class);
        if let Some(guard) = guard {
            let zero = if class == Class::Float { "0f00000000" } else { "0" };
            self.put(format_args!("mov.{} {raw}, {zero}", class.ty()));
            self.put(format_args!("@{guard} ld.{space}.{ty} {raw}, {at}"));
        } else {
            self.put(format_args!("ld.{space}.{ty} {raw}, {at}"));
        }
        let value = match dtype {
            DType::F32 | DType::I32 => raw,
            DType::F16 => self.compute(Class::Float, "cvt.f32.f16", raw),
            DType::Bf16 => {
                let zero = self.compute_at_top(Class::Half, "mov.b16", "0");
                self.compute(Class::Float, "mov.b32", format_args!("{{{zero}, {raw}}}"))
            }
            DType::Bool => self.compute(Class::Pred, "setp.ne.s32", format_args!("{raw}, 0")),
        };
        self.set(result, Operand::Reg(value));
    }
    fn store(&mut self, value: Val, addr: Addr, at: &str, guard: Option<Reg>) {
        let space = if self.is_global(addr) { "global" } else { "shared" };
        let dtype = self.dtype(addr.buf);
        let (class, ty) = memory_type(dtype);
        let value = self.reg(value);
        let raw = match dtype {
            DType::F32 | DType::I32 => value,
            DType::F16 => self.compute(class, "cvt.rn.f16.f32", value),
            DType::Bf16 => self.compute(class, "cvt.rn.bf16.f32", value),
            DType::Bool => self.compute(class, "selp.b32", format_args!("1, 0, {value}")),
        };
        let mut instruction = String::new();
        if let Some(guard) = guard {
            let _ = write!(instruction, "@{guard} ");
        }
        let _ = write!(instruction, "st.{space}.{ty} {at}, {raw}");
        self.put(instruction);
    }
}

/// The register that holds an element as it lies in memory, and the type of the access.
fn memory_type(dtype: DType) -> (Class, &'static str) {
    match dtype {
        DType::F32 => (Class::Float, "f32"),
        DType::I32 => (Class::Int, "b32"),
        DType::F16 | DType::Bf16 => (Class::Half, "b16"),
        DType::Bool => (Class::Int, "u8"),
    }
}
