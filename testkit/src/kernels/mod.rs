//! Random kernels that are valid by construction, and inputs for them.
//!
//! A generator grows a kernel as a person writes one: it keeps a pool of values in scope, and every step
//! picks operands from the pool, emits an instruction and puts the result back.
//!
//! ```text
//!   pool ──pick──▶ instruction ──▶ pool        scope of a loop or branch = a mark in the pool
//! ```
//!
//! The same seed draws the same steps at every lane count; only lengths and lane patterns scale. What
//! keeps a kernel valid:
//!
//! * an address is `(any i64 mod room) + base`, where `room` leaves space for the whole access;
//! * each block writes, and reads back, only its own slice of an output; scratch is filled before use;
//! * floats carry a bound: a value that may be infinite or NaN is *wild* and is clamped before it becomes
//!   an integer, and NaN is replaced by zero before a store or a bit cast. The payload and sign of a NaN are
//!   unspecified, so no stored bit depends on them, and every back end must agree to the last bit.

mod memory;
mod steps;

use regard_ir::{
    id::Id,
    kernel::{BinOp, Buf, Buffer, Builder, CastOp, CmpOp, Const, Elem, IdAxis, Kernel, Space, Type, Unit, Val},
    random::Random,
    types::DType,
};

/// A random kernel of the core level. `lanes` is 4, 8, 16 (unit: core) or 32 (unit: warp); kernels of one
/// seed differ only in lane count, lengths that scale with it, and `transpose`, which a warp does through
/// scratch. At most 12 blocks, about a hundred instructions.
pub fn any(seed: u64, lanes: u32) -> Kernel {
    assert!([4, 8, 16, 32].contains(&lanes), "random kernels have 4, 8, 16 or 32 lanes");
    let mut rng = Rng::new(seed);
    let grid = [1 + rng.below(2), 1 + rng.below(2), 1 + rng.below(3)];
    let unit = if lanes == 32 { Unit::Warp } else { Unit::Core };
    let mut b = Builder::new(format!("random_{seed:x}_{lanes}"), unit, lanes, grid);
    let mut grow = Grow { rng, lanes: lanes as i64, pool: Vec::new(), buffers: Vec::new(), exchange: None };
    grow.declare(&mut b, grid.iter().product());
    grow.start(&mut b, grid);
    let steps = 10 + grow.rng.below(25);
    grow.steps(&mut b, steps, 0);
    grow.finish(&mut b);
    b.finish()
}

/// Initial bytes of each parameter of `kernel`, little-endian: floats are multiples of 1/8 in [−4, 4],
/// integers lie in [−9, 9], truth values are 0 or 1.
pub fn inputs(kernel: &Kernel, seed: u64) -> Vec<Vec<u8>> {
    let buffer_bytes = |(id, buffer): (Buf, &Buffer)| {
        let mut rng = Rng::new(seed ^ ((id.index() as u64 + 1) << 40));
        (0..buffer.len).flat_map(|_| element(&mut rng, buffer.dtype)).collect()
    };
    kernel.params().map(buffer_bytes).collect()
}

fn element(rng: &mut Rng, dtype: DType) -> Vec<u8> {
    let float = (rng.below(65) as f32 - 32.0) / 8.0;
    let integer = rng.below(19) as i32 - 9;
    match dtype {
        DType::F32 => float.to_le_bytes().to_vec(),
        DType::Bf16 => half::bf16::from_f32(float).to_le_bytes().to_vec(),
        DType::F16 => half::f16::from_f32(float).to_le_bytes().to_vec(),
        DType::I32 => integer.to_le_bytes().to_vec(),
        DType::Bool => vec![(integer & 1) as u8],
    }
}

/// A stream of random numbers as kernels are drawn by.
struct Rng(Random);

impl Rng {
    fn new(seed: u64) -> Self {
        Rng(Random::new(Random::new(seed).bits()))
    }
    fn next(&mut self) -> u64 {
        self.0.bits()
    }
    /// Uniform in 0..n.
    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }
    /// True `n` times in `of`.
    fn chance(&mut self, n: u64, of: u64) -> bool {
        self.below(of) < n
    }
    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// A value in scope. `exponent` bounds a float: |v| ≤ 2^exponent unless `wild`.
#[derive(Clone, Copy)]
struct Entry {
    val: Val,
    exponent: i32,
    wild: bool,
}

/// A buffer the generator may use.
#[derive(Clone, Copy)]
struct Place {
    buf: Buf,
    /// Where this block's elements begin; `None` for buffers that belong to it whole, or are only read.
    base: Option<Val>,
    /// Elements the block may touch from there on.
    room: i64,
    writable: bool,
    /// Whether only bounded floats are ever stored.
    finite: bool,
}

struct Grow {
    rng: Rng,
    lanes: i64,
    pool: Vec<Entry>,
    buffers: Vec<Place>,
    /// Scratch through which a warp transposes.
    exchange: Option<(Buf, Buf)>,
}

/// |float| in a bounded buffer or carried by a bounded loop is at most this power of two.
const TAME: i32 = 6;

impl Grow {
    fn declare(&mut self, b: &mut Builder, blocks: u64) {
        let kinds = [DType::F32, DType::F32, DType::I32, DType::F32, DType::Bf16, DType::F16, DType::Bool];
        let room = 6 * self.lanes;
        for (i, dtype) in kinds.into_iter().enumerate() {
            if i < 3 || self.rng.chance(1, 2) {
                let buf = b.param(format!("in{i}"), dtype, room as u64);
                self.buffers.push(Place { buf, base: None, room, writable: false, finite: true });
            }
        }
        for (i, dtype) in kinds.into_iter().enumerate() {
            if i < 3 || self.rng.chance(2, 3) {
                let buf = b.param(format!("out{i}"), dtype, room as u64 * blocks);
                let finite = self.rng.chance(1, 2);
                self.buffers.push(Place { buf, base: None, room, writable: true, finite });
            }
        }
        for (i, dtype) in DType::ALL.into_iter().enumerate() {
            if self.rng.chance(1, 2) {
                let buf = b.scratch(format!("scratch{i}"), dtype, room as u64);
                self.buffers.push(Place { buf, base: None, room, writable: true, finite: true });
            }
        }
        if self.lanes == 32 {
            let square = (self.lanes * self.lanes) as u64;
            self.exchange =
                Some((b.scratch("exchange_f32", DType::F32, square), b.scratch("exchange_i32", DType::I32, square)));
        }
    }

    /// The block's slices, scratch contents, and a first value of every kind.
    fn start(&mut self, b: &mut Builder, grid: [u64; 3]) {
        let ids = [IdAxis::G0, IdAxis::G1, IdAxis::G2].map(|axis| b.id(axis));
        let outer = b.mul_const(ids[0], grid[1] as i64);
        let outer = b.add(outer, ids[1]);
        let outer = b.mul_const(outer, grid[2] as i64);
        let block = b.add(outer, ids[2]);
        for i in 0..self.buffers.len() {
            let place = self.buffers[i];
            if place.writable && b.buffer(place.buf).space == Space::Global {
                self.buffers[i].base = Some(b.mul_const(block, place.room));
            }
        }
        let unit = b.id(IdAxis::Unit);
        let lane = b.lane();
        for val in [ids[0], ids[1], ids[2], block, unit, lane] {
            self.push(val);
        }
        for i in 0..self.buffers.len() {
            let place = self.buffers[i];
            if !place.writable {
                self.load_from(b, place);
            } else if place.base.is_none() {
                self.fill(b, place);
            }
        }
        for (elem, value) in [(Elem::F32, 1.5), (Elem::I32, 11.0), (Elem::Bool, 1.0)] {
            for ty in [Type::Scalar(elem), Type::Vector(elem)] {
                let val = self.constant(b, ty, value);
                self.push_float(val, 1, false);
            }
        }
    }

    /// Stores the newest values of every kind, so that what was computed is seen.
    fn finish(&mut self, b: &mut Builder) {
        let places: Vec<Place> = self.buffers.iter().copied().filter(|p| p.base.is_some()).collect();
        let newest: Vec<Entry> = self.pool.iter().rev().take(16).copied().collect();
        for entry in newest {
            let entry = match b.ty(entry.val) {
                Type::Scalar(Elem::I64) => Entry { val: b.cast(CastOp::I64ToI32, entry.val), ..entry },
                _ => entry,
            };
            let elem = self.elem(b, entry.val);
            let fitting: Vec<Place> = places.iter().copied().filter(|p| loaded(b, p.buf) == elem).collect();
            if !fitting.is_empty() {
                let place = self.rng.pick(&fitting);
                self.store_to(b, place, entry);
            }
        }
    }

    fn push(&mut self, val: Val) {
        self.pool.push(Entry { val, exponent: 0, wild: false });
    }
    fn push_float(&mut self, val: Val, exponent: i32, wild: bool) {
        self.pool.push(Entry { val, exponent, wild });
    }

    fn elem(&self, b: &Builder, val: Val) -> Elem {
        match b.ty(val) {
            Type::Scalar(elem) | Type::Vector(elem) => elem,
            Type::Tile { .. } => unreachable!("random kernels have no tiles"),
        }
    }

    fn constant(&mut self, b: &mut Builder, ty: Type, value: f64) -> Val {
        let (elem, vector) = match ty {
            Type::Scalar(elem) => (elem, false),
            Type::Vector(elem) => (elem, true),
            Type::Tile { .. } => unreachable!("random kernels have no tiles"),
        };
        let scalar = b.constant(match elem {
            Elem::I64 => Const::I64(value as i64),
            Elem::I32 => Const::I32(value as i32),
            Elem::F32 => Const::F32(value.into()),
            Elem::Bool => Const::Bool(value != 0.0),
        });
        if vector { b.splat(scalar) } else { scalar }
    }

    /// A value of type `ty` in scope, newer ones more often; now and then, or where there is none, a constant.
    fn pick(&mut self, b: &mut Builder, ty: Type) -> Entry {
        let fitting: Vec<Entry> = self.pool.iter().copied().filter(|e| b.ty(e.val) == ty).collect();
        if fitting.is_empty() || self.rng.chance(1, 12) {
            let eighths = self.rng.below(33) as f64 - 16.0;
            let float = matches!(ty, Type::Scalar(Elem::F32) | Type::Vector(Elem::F32));
            let val = self.constant(b, ty, if float { eighths / 8.0 } else { eighths });
            return Entry { val, exponent: 1, wild: false };
        }
        let recent = fitting.len().saturating_sub(4);
        let from = if self.rng.chance(1, 2) { recent } else { 0 };
        self.rng.pick(&fitting[from..])
    }

    /// A float that is usually bounded.
    fn pick_float(&mut self, b: &mut Builder, ty: Type) -> Entry {
        let entry = self.pick(b, ty);
        if entry.wild && self.rng.chance(1, 2) { self.tame(b, entry, TAME) } else { entry }
    }

    /// Clamps to ±2^exponent; NaN becomes the lower bound, because `max(NaN, b)` is `b`.
    fn tame(&mut self, b: &mut Builder, entry: Entry, exponent: i32) -> Entry {
        if !entry.wild && entry.exponent <= exponent {
            return entry;
        }
        let bound = 2f64.powi(exponent);
        let (low, high) = (b.const_like(entry.val, -bound), b.const_like(entry.val, bound));
        let val = b.bin(BinOp::Max, entry.val, low);
        Entry { val: b.bin(BinOp::Min, val, high), exponent, wild: false }
    }

    /// The value with zero for NaN.
    fn number(&mut self, b: &mut Builder, entry: Entry) -> Val {
        if !entry.wild || self.elem(b, entry.val) != Elem::F32 {
            return entry.val;
        }
        let is_number = b.cmp(CmpOp::Eq, entry.val, entry.val);
        let zero = b.const_like(entry.val, 0.0);
        b.select(is_number, entry.val, zero)
    }

    /// An i64 in 0..bound.
    fn index(&mut self, b: &mut Builder, bound: i64) -> Val {
        let any = self.pick(b, Type::Scalar(Elem::I64)).val;
        let bound = b.i64(bound);
        b.bin(BinOp::Rem, any, bound)
    }
}

/// Element type of a value loaded from `buf`.
fn loaded(b: &Builder, buf: Buf) -> Elem {
    Elem::loaded(b.buffer(buf).dtype)
}

#[cfg(test)]
mod tests;
