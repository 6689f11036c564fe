//! Loads and stores.
//!
//! Four consecutive elements move at once; anything else goes lane by lane. A lane that may be absent
//! does not branch: its address is exchanged for a stand-in on the stack, a zero to read or a place to
//! write, so absent elements are never touched.
//!
//! ```text
//!   first = 3 (known)      e0 e1 e2 0           three single loads
//!   first = n              n ≥ L ?  one load : lane l from (l < n ? address + l : zero)
//! ```

use super::{
    function::{ACCESS, Bound, Emitter},
    scope::Scope,
};
use cranelift_codegen::ir::{BlockArg, InstBuilder, Value, condcodes::IntCC, types};
use regard_ir::{
    id::Id,
    kernel::{Addr, Body, Const, Inst, Val},
    types::DType,
};

/// Whether some access of the body has lanes that may be absent.
pub(super) fn needs_stand_ins(body: &Body) -> bool {
    body.walk().any(|stmt| match &stmt.inst {
        Inst::Load { active, .. } | Inst::Store { active, .. } => active.is_some(),
        inst => matches!(inst, Inst::Gather { .. }),
    })
}

/// Elements `stride` apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    dtype: DType,
    pointer: Value,
    /// Bytes from the pointer to lane 0.
    bytes: i64,
    /// Elements from lane to lane.
    stride: i64,
}

impl Span {
    fn lane(&self, lane: u32) -> i64 {
        self.bytes + i64::from(lane) * self.stride * self.dtype.bytes() as i64
    }
}

impl Emitter<'_, '_> {
    fn span(&mut self, addr: &Addr, stride: i64) -> Span {
        let (pointer, bytes) = self.place(addr);
        Span { dtype: self.kernel.buffers[addr.buf].dtype, pointer, bytes, stride }
    }
    /// How many lanes take part, where that is known.
    fn known_lanes(&self, active: Option<Val>) -> Option<u32> {
        match active {
            None => Some(self.kernel.lanes),
            Some(n) => self.get(n).index.as_constant().map(|n| n.clamp(0, i64::from(self.kernel.lanes)) as u32),
        }
    }

    /// A vector from memory.
    pub(crate) fn load(&mut self, addr: &Addr, active: Option<Val>, stride: i64) -> Vec<Value> {
        let span = self.span(addr, stride);
        let raw = match (self.known_lanes(active), active) {
            (Some(n), _) => self.load_lanes(span, n),
            (None, Some(active)) => self.load_some(span, active),
            (None, None) => unreachable!("without a limit all lanes take part"),
        };
        raw.into_iter().map(|piece| self.widen(span.dtype, piece)).collect()
    }

    fn load_lanes(&mut self, span: Span, n: u32) -> Vec<Value> {
        let mut pieces = Vec::with_capacity(self.pieces());
        for at in (0..self.kernel.lanes).step_by(4) {
            let piece = if span.stride == 1 && at + 4 <= n {
                self.load_four(span, at)
            } else {
                let mut piece = self.nothing(span.dtype);
                for lane in at..n.min(at + 4) {
                    let (pointer, bytes) = self.displace(span.pointer, span.lane(lane));
                    piece = self.load_into(span.dtype, piece, lane, pointer, bytes);
                }
                piece
            };
            pieces.push(piece);
        }
        pieces
    }

    fn load_some(&mut self, span: Span, active: Val) -> Vec<Value> {
        let active = self.scalar(active);
        if span.stride != 1 {
            return self.load_each(span, active);
        }
        let [all, some, after] = [(); 3].map(|()| self.b.create_block());
        let ty = if span.dtype == DType::F32 { types::F32X4 } else { types::I32X4 };
        let joined: Vec<Value> = (0..self.pieces()).map(|_| self.b.append_block_param(after, ty)).collect();
        let full = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, active, i64::from(self.kernel.lanes));
        self.b.ins().brif(full, all, &[], some, &[]);
        self.b.switch_to_block(all);
        self.scopes.push(Scope::side());
        let pieces: Vec<BlockArg> = self.load_lanes(span, self.kernel.lanes).into_iter().map(BlockArg::from).collect();
        self.b.ins().jump(after, &pieces);
        self.scopes.pop();
        self.b.switch_to_block(some);
        self.scopes.push(Scope::side());
        let pieces: Vec<BlockArg> = self.load_each(span, active).into_iter().map(BlockArg::from).collect();
        self.b.ins().jump(after, &pieces);
        self.scopes.pop();
        self.b.switch_to_block(after);
        joined
    }

    fn load_each(&mut self, span: Span, active: Value) -> Vec<Value> {
        let zero = self.zero.expect("made for kernels with masked accesses");
        let mut pieces = vec![self.nothing(span.dtype); self.pieces()];
        for lane in 0..self.kernel.lanes {
            let pointer = self.lane_or(span, lane, active, zero);
            let piece = &mut pieces[lane as usize / 4];
            *piece = self.load_into(span.dtype, *piece, lane, pointer, 0);
        }
        pieces
    }

    /// The address of a lane, or `instead` where the lane is absent.
    fn lane_or(&mut self, span: Span, lane: u32, active: Value, instead: Value) -> Value {
        let present = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThan, active, i64::from(lane));
        let pointer = self.b.ins().iadd_imm_s(span.pointer, span.lane(lane));
        self.b.ins().select(present, pointer, instead)
    }

    /// Lanes `at..at + 4` as memory holds them.
    fn load_four(&mut self, span: Span, at: u32) -> Value {
        let (pointer, bytes) = self.displace(span.pointer, span.lane(at));
        match span.dtype {
            DType::F32 => self.b.ins().load(types::F32X4, ACCESS, pointer, bytes),
            DType::I32 => self.b.ins().load(types::I32X4, ACCESS, pointer, bytes),
            DType::Bf16 | DType::F16 => self.b.ins().uload16x4(ACCESS, pointer, bytes),
            DType::Bool => {
                let four = self.b.ins().load(types::I32, ACCESS, pointer, bytes);
                let lanes = self.b.ins().scalar_to_vector(types::I32X4, four);
                let lanes = self.cast(types::I8X16, lanes);
                let lanes = self.b.ins().uwiden_low(lanes);
                self.b.ins().uwiden_low(lanes)
            }
        }
    }

    /// One element as memory holds it: f32, or 32 bits with the element below.
    fn load_one(&mut self, dtype: DType, pointer: Value, bytes: i32) -> Value {
        match dtype {
            DType::F32 => self.b.ins().load(types::F32, ACCESS, pointer, bytes),
            DType::I32 => self.b.ins().load(types::I32, ACCESS, pointer, bytes),
            DType::Bf16 | DType::F16 => self.b.ins().uload16(types::I32, ACCESS, pointer, bytes),
            DType::Bool => self.b.ins().uload8(types::I32, ACCESS, pointer, bytes),
        }
    }
    fn load_into(&mut self, dtype: DType, piece: Value, lane: u32, pointer: Value, bytes: i32) -> Value {
        let element = self.load_one(dtype, pointer, bytes);
        self.b.ins().insertlane(piece, element, (lane % 4) as u8)
    }
    fn nothing(&mut self, dtype: DType) -> Value {
        let ty = if dtype == DType::F32 { types::F32X4 } else { types::I32X4 };
        self.lanes_const(ty, [0; 4])
    }

    /// One element in all lanes.
    pub(crate) fn bcast(&mut self, addr: &Addr, result: Val) -> Bound {
        let span = self.span(addr, 0);
        if self.repeated[result.index()] {
            return Bound { again: Some(span), ..Bound::default() };
        }
        let value = self.broadcast(span);
        Bound { values: vec![value; self.pieces()], ..Bound::default() }
    }

    /// The first element of `span` in four lanes.
    pub(crate) fn broadcast(&mut self, span: Span) -> Value {
        let (pointer, bytes) = self.displace(span.pointer, span.bytes);
        let element = self.load_one(span.dtype, pointer, bytes);
        let raw = self.splat_value(element);
        self.widen(span.dtype, raw)
    }

    /// One element as a scalar.
    pub(crate) fn load_scalar(&mut self, addr: &Addr) -> Vec<Value> {
        let span = self.span(addr, 0);
        let (pointer, bytes) = self.displace(span.pointer, span.bytes);
        let element = match span.dtype {
            DType::Bool => {
                let byte = self.b.ins().load(types::I8, ACCESS, pointer, bytes);
                self.b.ins().icmp_imm_s(IntCC::NotEqual, byte, 0)
            }
            _ => self.load_one(span.dtype, pointer, bytes),
        };
        if !matches!(span.dtype, DType::Bf16 | DType::F16) {
            return vec![element];
        }
        let raw = self.b.ins().scalar_to_vector(types::I32X4, element);
        let wide = self.widen(span.dtype, raw);
        vec![self.b.ins().extractlane(wide, 0)]
    }

    /// Lane l from `addr + idx[l]`, or zero.
    pub(crate) fn gather(&mut self, addr: &Addr, idx: Val, mask: Val) -> Vec<Value> {
        let span = self.span(addr, 0);
        let zero = self.zero.expect("made for kernels with masked accesses");
        let everywhere = self.get(mask).constant == Some(Const::Bool(true));
        let (indices, masks) = (self.values(idx), self.values(mask));
        let start = if span.bytes == 0 { span.pointer } else { self.b.ins().iadd_imm_s(span.pointer, span.bytes) };
        let mut pieces = Vec::with_capacity(indices.len());
        for (&index, &mask) in indices.iter().zip(&masks) {
            let mut piece = self.nothing(span.dtype);
            for lane in 0..4u8 {
                let index = self.b.ins().extractlane(index, lane);
                let index = self.b.ins().sextend(types::I64, index);
                let bytes = self.b.ins().ishl_imm_u(index, i64::from(span.dtype.bytes().trailing_zeros()));
                let mut pointer = self.b.ins().iadd(start, bytes);
                if !everywhere {
                    let present = self.b.ins().extractlane(mask, lane);
                    pointer = self.b.ins().select(present, pointer, zero);
                }
                piece = self.load_into(span.dtype, piece, u32::from(lane), pointer, 0);
            }
            pieces.push(self.widen(span.dtype, piece));
        }
        pieces
    }

    /// A vector to memory.
    pub(crate) fn store(&mut self, value: Val, addr: &Addr, active: Option<Val>, stride: i64) -> Result<(), String> {
        let span = self.span(addr, stride);
        let pieces: Vec<Value> = self.values(value).into_iter().map(|v| self.narrow(span.dtype, v)).collect();
        match (self.known_lanes(active), active) {
            (Some(n), _) => self.store_lanes(span, &pieces, n),
            (None, Some(active)) => self.store_some(span, &pieces, active),
            (None, None) => unreachable!("without a limit all lanes take part"),
        }
        Ok(())
    }

    fn store_lanes(&mut self, span: Span, pieces: &[Value], n: u32) {
        for (at, &piece) in (0..n).step_by(4).zip(pieces) {
            if span.stride == 1 && at + 4 <= n {
                self.store_four(span, at, piece);
                continue;
            }
            for lane in at..n.min(at + 4) {
                let (pointer, bytes) = self.displace(span.pointer, span.lane(lane));
                self.store_lane(span.dtype, piece, lane, pointer, bytes);
            }
        }
    }

    fn store_some(&mut self, span: Span, pieces: &[Value], active: Val) {
        let active = self.scalar(active);
        if span.stride != 1 {
            return self.store_each(span, pieces, active);
        }
        let [all, some, after] = [(); 3].map(|()| self.b.create_block());
        let full = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, active, i64::from(self.kernel.lanes));
        self.b.ins().brif(full, all, &[], some, &[]);
        self.b.switch_to_block(all);
        self.scopes.push(Scope::side());
        self.store_lanes(span, pieces, self.kernel.lanes);
        self.b.ins().jump(after, &[]);
        self.scopes.pop();
        self.b.switch_to_block(some);
        self.scopes.push(Scope::side());
        self.store_each(span, pieces, active);
        self.b.ins().jump(after, &[]);
        self.scopes.pop();
        self.b.switch_to_block(after);
    }

    fn store_each(&mut self, span: Span, pieces: &[Value], active: Value) {
        let sink = self.sink.expect("made for kernels with masked accesses");
        for lane in 0..self.kernel.lanes {
            let pointer = self.lane_or(span, lane, active, sink);
            self.store_lane(span.dtype, pieces[lane as usize / 4], lane, pointer, 0);
        }
    }

    fn store_four(&mut self, span: Span, at: u32, piece: Value) {
        let (pointer, bytes) = self.displace(span.pointer, span.lane(at));
        let packed = match span.dtype {
            DType::F32 | DType::I32 => piece,
            DType::Bf16 | DType::F16 => {
                let words = self.b.ins().unarrow(piece, piece);
                let words = self.cast(types::I64X2, words);
                self.b.ins().extractlane(words, 0)
            }
            DType::Bool => {
                let words = self.b.ins().snarrow(piece, piece);
                let bytes = self.b.ins().snarrow(words, words);
                let bytes = self.cast(types::I32X4, bytes);
                self.b.ins().extractlane(bytes, 0)
            }
        };
        self.b.ins().store(ACCESS, packed, pointer, bytes);
    }

    fn store_lane(&mut self, dtype: DType, piece: Value, lane: u32, pointer: Value, bytes: i32) {
        let element = self.b.ins().extractlane(piece, (lane % 4) as u8);
        self.store_one(dtype, element, pointer, bytes);
    }
    fn store_one(&mut self, dtype: DType, element: Value, pointer: Value, bytes: i32) {
        match dtype {
            DType::F32 | DType::I32 => self.b.ins().store(ACCESS, element, pointer, bytes),
            DType::Bf16 | DType::F16 => self.b.ins().istore16(ACCESS, element, pointer, bytes),
            DType::Bool => self.b.ins().istore8(ACCESS, element, pointer, bytes),
        };
    }

    /// A scalar to memory.
    pub(crate) fn store_scalar(&mut self, value: Val, addr: &Addr) -> Result<(), String> {
        let span = self.span(addr, 0);
        let (pointer, bytes) = self.displace(span.pointer, span.bytes);
        let value = self.scalar(value);
        match span.dtype {
            DType::Bf16 | DType::F16 => {
                let lanes = self.b.ins().scalar_to_vector(types::F32X4, value);
                let raw = self.narrow(span.dtype, lanes);
                self.store_lane(span.dtype, raw, 0, pointer, bytes);
            }
            DType::Bool => {
                self.b.ins().store(ACCESS, value, pointer, bytes);
            }
            _ => self.store_one(span.dtype, value, pointer, bytes),
        }
        Ok(())
    }
}
