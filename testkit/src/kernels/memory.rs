//! Random accesses to memory: loads, stores, tails, gathers.
//!
//! An access that touches `span` elements is placed at
//!
//! ```text
//!   base + ((any i64) mod (room − span + 1 − c)) + c          c a random constant
//! ```
//!
//! so it stays inside the block's `room` elements. Tails are put at the very end of the room, where the lanes
//! that must not be accessed lie outside.

use super::{Entry, Grow, Place, loaded};
use regard_ir::kernel::{Addr, BinOp, Builder, CmpOp, Elem, Type, Val};

impl Grow {
    /// An address whose next `span` elements may be accessed.
    fn place(&mut self, b: &mut Builder, place: Place, span: i64) -> Addr {
        let free = place.room - span + 1;
        let offset = self.rng.below(free.min(8) as u64) as i64;
        if self.rng.chance(1, 4) {
            return b.addr_off(place.buf, place.base, offset);
        }
        let index = self.index(b, free - offset);
        let index = match place.base {
            Some(base) => b.add(base, index),
            None => index,
        };
        // The same element, written with a negative constant.
        if self.rng.chance(1, 5) {
            let index = b.add_const(index, 2 * offset);
            return b.addr_off(place.buf, Some(index), -offset);
        }
        b.addr_off(place.buf, Some(index), offset)
    }

    /// A stride and a tail (`active`) with an address that fits both.
    fn shape(&mut self, b: &mut Builder, place: Place) -> (Addr, Option<Val>, i64) {
        let stride = self.rng.pick(&[1, 1, 1, 1, 2, 3, 5]);
        let span = (self.lanes - 1) * stride + 1;
        match self.rng.below(8) {
            // A constant tail at the end of the room.
            0 | 1 => {
                let count = self.rng.below(9) as i64 * self.lanes / 8;
                let touched = (count - 1).max(0) * stride + i64::from(count > 0);
                let active = b.i64(count);
                (b.addr_off(place.buf, place.base, place.room - touched), Some(active), stride)
            }
            // A tail known only at run time; below zero and above the lane count are allowed.
            2 | 3 => {
                let active = self.index(b, self.lanes + 7);
                let active = b.add_const(active, -3);
                let (zero, lanes) = (b.i64(0), b.i64(self.lanes));
                let count = b.bin(BinOp::Min, active, lanes);
                let count = b.bin(BinOp::Max, count, zero);
                let touched = b.mul_const(count, stride);
                let end = b.i64(place.room);
                let start = b.sub(end, touched);
                // `count·stride` may exceed what is touched by stride − 1, never the room of 6·lanes.
                let start = match place.base {
                    Some(base) => b.add(base, start),
                    None => start,
                };
                (b.addr(place.buf, start), Some(active), stride)
            }
            _ => (self.place(b, place, span), None, stride),
        }
    }

    /// Puts what was loaded into the pool.
    fn push_loaded(&mut self, place: Place, val: Val) {
        let exponent = if place.writable { super::TAME } else { 2 };
        self.push_float(val, exponent, !place.finite);
    }

    pub(super) fn load_from(&mut self, b: &mut Builder, place: Place) {
        let (addr, active, stride) = self.shape(b, place);
        let val = b.load_with(addr, active, stride);
        self.push_loaded(place, val);
    }

    /// A load, broadcast, scalar load or gather.
    pub(super) fn read(&mut self, b: &mut Builder) {
        let place = self.rng.pick(&self.buffers.clone());
        match self.rng.below(8) {
            0 => {
                let addr = self.place(b, place, 1);
                let val = b.bcast(addr);
                self.push_loaded(place, val);
            }
            1 => {
                let addr = self.place(b, place, 1);
                let val = b.load_scalar(addr);
                self.push_loaded(place, val);
            }
            2 | 3 => self.gather(b, place),
            _ => self.load_from(b, place),
        }
    }

    /// Either every index is in range and the mask is arbitrary, or the mask says which are.
    fn gather(&mut self, b: &mut Builder, place: Place) {
        let any = self.pick(b, Type::Vector(Elem::I32)).val;
        let room = self.rng.pick(&[place.room / 2, place.room]);
        let bound = b.const_like(any, room as f64);
        let (idx, mask) = if self.rng.chance(1, 2) {
            let idx = b.bin(BinOp::Rem, any, bound);
            (idx, self.pick(b, Type::Vector(Elem::Bool)).val)
        } else {
            let zero = b.const_like(any, 0.0);
            let low = b.cmp(CmpOp::Le, zero, any);
            let high = b.cmp(CmpOp::Lt, any, bound);
            (any, b.bin(BinOp::And, low, high))
        };
        let offset = self.rng.below((place.room - room + 1) as u64) as i64;
        let val = b.gather(b.addr_off(place.buf, place.base, offset), idx, mask);
        self.push_loaded(place, val);
    }

    /// Stores a value of the pool, as a vector or a scalar.
    pub(super) fn write(&mut self, b: &mut Builder) {
        let places: Vec<Place> = self.buffers.iter().copied().filter(|p| p.writable).collect();
        let place = self.rng.pick(&places);
        let elem = loaded(b, place.buf);
        let ty = if self.rng.chance(1, 4) { Type::Scalar(elem) } else { Type::Vector(elem) };
        let entry = self.pick(b, ty);
        self.store_to(b, place, entry);
    }

    pub(super) fn store_to(&mut self, b: &mut Builder, place: Place, entry: Entry) {
        let entry = if place.finite { self.tame_float(b, entry) } else { entry };
        let val = self.number(b, entry);
        if matches!(b.ty(val), Type::Scalar(_)) {
            let addr = self.place(b, place, 1);
            b.store_scalar(val, addr);
        } else {
            let (addr, active, stride) = self.shape(b, place);
            b.store_with(val, addr, active, stride);
        }
    }

    fn tame_float(&mut self, b: &mut Builder, entry: Entry) -> Entry {
        if self.elem(b, entry.val) == Elem::F32 { self.tame(b, entry, super::TAME) } else { entry }
    }

    /// Writes all of a scratch buffer, L elements at a time.
    pub(super) fn fill(&mut self, b: &mut Builder, place: Place) {
        let entry = self.pick(b, Type::Vector(loaded(b, place.buf)));
        let entry = self.tame_float(b, entry);
        b.for_const(place.room as u64, self.lanes, &[], |b, at, _| {
            b.store(entry.val, b.addr(place.buf, at));
            Vec::new()
        });
    }
}
