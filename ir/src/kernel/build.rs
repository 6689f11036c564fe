//! Writes kernels from Rust: every method appends one instruction and returns its value.
//!
//! Loops and branches take closures, so the nesting of the Rust code is the nesting of the kernel:
//!
//! ```
//! use regard_ir::{kernel::{Builder, Unit, BinOp}, types::DType};
//! let mut b = Builder::new("double", Unit::Core, 4, [2, 1, 1]);
//! let x = b.param("x", DType::F32, 8);
//! let y = b.param("y", DType::F32, 8);
//! let block = b.id(regard_ir::kernel::IdAxis::G0);
//! let at = b.mul_const(block, 4);
//! let v = b.load(b.addr(x, at));
//! let two = b.bin(BinOp::Add, v, v);
//! b.store(two, b.addr(y, at));
//! let kernel = b.finish();
//! assert_eq!(kernel.blocks(), 2);
//! ```
//!
//! The builder panics on ill-typed operands: that is a mistake of the compiler, never of its user.
//! Functions longer than one instruction (exp, erf, gelu, sin…) are in [`super::math`].

use super::inst::*;
use crate::{
    id::IdVec,
    types::{DType, Real},
};

/// A kernel under construction.
pub struct Builder {
    kernel: Kernel,
    open: Vec<Body>,
}

impl Builder {
    /// Starts a kernel without buffers or instructions.
    pub fn new(name: impl Into<String>, unit: Unit, lanes: u32, grid: [u64; 3]) -> Self {
        let kernel = Kernel {
            name: name.into(),
            unit,
            lanes,
            units: 1,
            grid,
            buffers: IdVec::new(),
            types: IdVec::new(),
            body: Body::default(),
        };
        Self { kernel, open: vec![Body::default()] }
    }
    /// Sets the number of units per block (1 unless set).
    pub fn set_units(&mut self, units: u32) {
        self.kernel.units = units;
    }
    /// Lanes per vector.
    pub fn lanes(&self) -> u32 {
        self.kernel.lanes
    }
    /// What executes the kernel.
    pub fn unit(&self) -> Unit {
        self.kernel.unit
    }
    /// Ends the kernel.
    pub fn finish(mut self) -> Kernel {
        assert_eq!(self.open.len(), 1, "a loop or branch is still open");
        self.kernel.body = self.open.pop().expect("the outermost body");
        self.kernel
    }
    /// Declares a buffer that the launch passes, `len` elements long. Parameters come before scratch.
    pub fn param(&mut self, name: impl Into<String>, dtype: DType, len: u64) -> Buf {
        assert!(self.kernel.buffers.values().all(|b| b.space == Space::Global), "parameters come before scratch");
        self.kernel.buffers.push(Buffer { name: name.into(), dtype, space: Space::Global, len })
    }
    /// Declares scratch of `len` elements.
    pub fn scratch(&mut self, name: impl Into<String>, dtype: DType, len: u64) -> Buf {
        self.kernel.buffers.push(Buffer { name: name.into(), dtype, space: Space::Scratch, len })
    }
    /// Type of a value.
    pub fn ty(&self, v: Val) -> Type {
        self.kernel.types[v]
    }
    /// A declared buffer.
    pub fn buffer(&self, buf: Buf) -> &Buffer {
        &self.kernel.buffers[buf]
    }

    /// `buf[index]`.
    pub fn addr(&self, buf: Buf, index: Val) -> Addr {
        Addr { buf, index: Some(index), offset: 0 }
    }
    /// `buf[index + offset]`.
    pub fn addr_off(&self, buf: Buf, index: Option<Val>, offset: i64) -> Addr {
        Addr { buf, index, offset }
    }

    fn new_val(&mut self, ty: Type) -> Val {
        self.kernel.types.push(ty)
    }
    fn push(&mut self, results: Vec<Val>, inst: Inst) {
        self.open.last_mut().expect("an open body").stmts.push(Stmt { results, inst });
    }
    fn emit(&mut self, ty: Type, inst: Inst) -> Val {
        let v = self.new_val(ty);
        self.push(vec![v], inst);
        v
    }
    fn elem(&self, v: Val) -> Elem {
        match self.ty(v) {
            Type::Scalar(e) | Type::Vector(e) => e,
            Type::Tile { .. } => panic!("{v} is a tile"),
        }
    }
    fn like(&self, v: Val, elem: Elem) -> Type {
        match self.ty(v) {
            Type::Scalar(_) => Type::Scalar(elem),
            Type::Vector(_) => Type::Vector(elem),
            Type::Tile { .. } => panic!("{v} is a tile"),
        }
    }
    fn same(&self, a: Val, b: Val) {
        assert_eq!(self.ty(a), self.ty(b), "operands {a} and {b} differ in type in kernel {}", self.kernel.name);
    }

    /// A grid coordinate or the unit number, i64.
    pub fn id(&mut self, axis: IdAxis) -> Val {
        self.emit(Type::Scalar(Elem::I64), Inst::Id(axis))
    }
    /// Lane numbers 0, 1, …, i32 vector.
    pub fn lane(&mut self) -> Val {
        self.emit(Type::Vector(Elem::I32), Inst::Lane)
    }
    /// Waits for all units of the block.
    pub fn barrier(&mut self) {
        self.push(Vec::new(), Inst::Barrier);
    }
    /// Any scalar constant.
    pub fn constant(&mut self, c: Const) -> Val {
        let elem = match c {
            Const::I64(_) => Elem::I64,
            Const::I32(_) => Elem::I32,
            Const::F32(_) => Elem::F32,
            Const::Bool(_) => Elem::Bool,
        };
        self.emit(Type::Scalar(elem), Inst::Const(c))
    }
    /// An i64 constant.
    pub fn i64(&mut self, value: i64) -> Val {
        self.constant(Const::I64(value))
    }
    /// An f32 scalar constant.
    pub fn f32(&mut self, value: f64) -> Val {
        self.constant(Const::F32(Real::new(value)))
    }
    /// An f32 vector constant, the same in all lanes.
    pub fn vf32(&mut self, value: f64) -> Val {
        let s = self.f32(value);
        self.splat(s)
    }
    /// An i32 vector constant, the same in all lanes.
    pub fn vi32(&mut self, value: i32) -> Val {
        let s = self.constant(Const::I32(value));
        self.splat(s)
    }
    /// A constant of the same kind (scalar or vector) and element type as `v`; `value` must be exact for integers.
    pub fn const_like(&mut self, v: Val, value: f64) -> Val {
        let c = match self.elem(v) {
            Elem::I64 => Const::I64(value as i64),
            Elem::I32 => Const::I32(value as i32),
            Elem::F32 => Const::F32(Real::new(value)),
            Elem::Bool => Const::Bool(value != 0.0),
        };
        let s = self.constant(c);
        if matches!(self.ty(v), Type::Vector(_)) { self.splat(s) } else { s }
    }
    /// A scalar copied to all lanes.
    pub fn splat(&mut self, scalar: Val) -> Val {
        let elem = self.elem(scalar);
        assert!(self.ty(scalar) == Type::Scalar(elem) && elem != Elem::I64, "cannot splat {scalar}");
        self.emit(Type::Vector(elem), Inst::Splat(scalar))
    }
    /// A two-operand instruction.
    pub fn bin(&mut self, op: BinOp, a: Val, b: Val) -> Val {
        self.same(a, b);
        self.emit(self.ty(a), Inst::Bin(op, a, b))
    }
    /// a + b.
    pub fn add(&mut self, a: Val, b: Val) -> Val {
        self.bin(BinOp::Add, a, b)
    }
    /// a − b.
    pub fn sub(&mut self, a: Val, b: Val) -> Val {
        self.bin(BinOp::Sub, a, b)
    }
    /// a · b.
    pub fn mul(&mut self, a: Val, b: Val) -> Val {
        self.bin(BinOp::Mul, a, b)
    }
    /// `a·factor`; nothing is emitted for a factor of 1.
    pub fn mul_const(&mut self, a: Val, factor: i64) -> Val {
        if factor == 1 {
            return a;
        }
        let c = self.const_like(a, factor as f64);
        self.mul(a, c)
    }
    /// `a + term`; nothing is emitted for 0.
    pub fn add_const(&mut self, a: Val, term: i64) -> Val {
        if term == 0 {
            return a;
        }
        let c = self.const_like(a, term as f64);
        self.add(a, c)
    }
    /// A one-operand instruction.
    pub fn un(&mut self, op: UnOp, a: Val) -> Val {
        self.emit(self.ty(a), Inst::Un(op, a))
    }
    /// a·b + c, rounded once.
    pub fn fma(&mut self, a: Val, b: Val, c: Val) -> Val {
        self.same(a, b);
        self.same(a, c);
        self.emit(self.ty(a), Inst::Fma(a, b, c))
    }
    /// A comparison.
    pub fn cmp(&mut self, op: CmpOp, a: Val, b: Val) -> Val {
        self.same(a, b);
        self.emit(self.like(a, Elem::Bool), Inst::Cmp(op, a, b))
    }
    /// cond ? a : b.
    pub fn select(&mut self, cond: Val, a: Val, b: Val) -> Val {
        self.same(a, b);
        assert_eq!(self.ty(cond), self.like(a, Elem::Bool));
        self.emit(self.ty(a), Inst::Select(cond, a, b))
    }
    /// A conversion.
    pub fn cast(&mut self, op: CastOp, a: Val) -> Val {
        let to = match op {
            CastOp::I32ToF32 | CastOp::BitsF32 => Elem::F32,
            CastOp::F32ToI32 | CastOp::F32Bits | CastOp::BoolToI32 | CastOp::I64ToI32 => Elem::I32,
            CastOp::I32ToI64 => Elem::I64,
        };
        self.emit(self.like(a, to), Inst::Cast(op, a))
    }
    /// All lanes combined into a scalar.
    pub fn reduce(&mut self, op: ReduceOp, a: Val) -> Val {
        self.emit(Type::Scalar(self.elem(a)), Inst::Reduce(op, a))
    }
    /// One lane.
    pub fn extract(&mut self, a: Val, lane: u32) -> Val {
        assert!(lane < self.kernel.lanes);
        self.emit(Type::Scalar(self.elem(a)), Inst::Extract(a, lane))
    }
    /// Lane l of the result is lane `perm[l]` of `a`.
    pub fn shuffle(&mut self, a: Val, perm: Vec<u8>) -> Val {
        assert_eq!(perm.len(), self.kernel.lanes as usize);
        self.emit(self.ty(a), Inst::Shuffle(a, perm))
    }
    /// Transposes L vectors.
    pub fn transpose(&mut self, rows: Vec<Val>) -> Vec<Val> {
        assert_eq!(rows.len(), self.kernel.lanes as usize);
        let results: Vec<Val> =
            rows.iter().map(|&r| self.ty(r)).collect::<Vec<_>>().into_iter().map(|ty| self.new_val(ty)).collect();
        self.push(results.clone(), Inst::Transpose(rows));
        results
    }
    /// The target's approximation.
    pub fn approx(&mut self, op: ApproxOp, a: Val) -> Val {
        self.emit(self.ty(a), Inst::Approx(op, a))
    }
    fn loaded(&self, buf: Buf) -> Elem {
        Elem::loaded(self.kernel.buffers[buf].dtype)
    }
    /// L consecutive elements.
    pub fn load(&mut self, addr: Addr) -> Val {
        self.load_with(addr, None, 1)
    }
    /// L elements `stride` apart; lanes ≥ `active` are not read and give zero.
    pub fn load_with(&mut self, addr: Addr, active: Option<Val>, stride: i64) -> Val {
        self.emit(Type::Vector(self.loaded(addr.buf)), Inst::Load { addr, active, stride })
    }
    /// One element for all lanes.
    pub fn bcast(&mut self, addr: Addr) -> Val {
        self.emit(Type::Vector(self.loaded(addr.buf)), Inst::Bcast(addr))
    }
    /// Writes L consecutive elements.
    pub fn store(&mut self, value: Val, addr: Addr) {
        self.store_with(value, addr, None, 1);
    }
    /// Writes L elements `stride` apart; lanes ≥ `active` are not written.
    pub fn store_with(&mut self, value: Val, addr: Addr, active: Option<Val>, stride: i64) {
        assert_eq!(self.ty(value), Type::Vector(self.loaded(addr.buf)));
        self.push(Vec::new(), Inst::Store { value, addr, active, stride });
    }
    /// One element as a scalar.
    pub fn load_scalar(&mut self, addr: Addr) -> Val {
        self.emit(Type::Scalar(self.loaded(addr.buf)), Inst::LoadScalar(addr))
    }
    /// Writes one element.
    pub fn store_scalar(&mut self, value: Val, addr: Addr) {
        assert_eq!(self.ty(value), Type::Scalar(self.loaded(addr.buf)));
        self.push(Vec::new(), Inst::StoreScalar { value, addr });
    }
    /// Lane l reads `addr + idx[l]` where `mask` is set, else gives zero.
    pub fn gather(&mut self, addr: Addr, idx: Val, mask: Val) -> Val {
        assert_eq!((self.ty(idx), self.ty(mask)), (Type::Vector(Elem::I32), Type::Vector(Elem::Bool)));
        self.emit(Type::Vector(self.loaded(addr.buf)), Inst::Gather { addr, idx, mask })
    }
    /// A zero accumulator.
    pub fn tile_zero(&mut self, rows: u32, cols: u32) -> Val {
        self.emit(Type::Tile { rows, cols, dtype: DType::F32, role: TileRole::Acc }, Inst::TileZero { rows, cols })
    }
    /// A tile from memory.
    pub fn tile_load(
        &mut self,
        addr: Addr,
        row_stride: i64,
        transposed: bool,
        (rows, cols): (u32, u32),
        role: TileRole,
    ) -> Val {
        let dtype = self.kernel.buffers[addr.buf].dtype;
        self.emit(
            Type::Tile { rows, cols, dtype, role },
            Inst::TileLoad { addr, row_stride, transposed, rows, cols, dtype, role },
        )
    }
    /// Writes an accumulator.
    pub fn tile_store(&mut self, value: Val, addr: Addr, row_stride: i64) {
        self.push(Vec::new(), Inst::TileStore { value, addr, row_stride });
    }
    /// acc + a·b.
    pub fn tile_mma(&mut self, acc: Val, a: Val, b: Val) -> Val {
        self.emit(self.ty(acc), Inst::TileMma { acc, a, b })
    }

    /// `for index in lo..hi step step`, carrying values: `body` gets the index and the carried values and
    /// returns their next values. The results are the carried values after the last iteration.
    pub fn for_loop(
        &mut self,
        (lo, hi): (Val, Val),
        step: i64,
        unroll: u32,
        init: &[Val],
        body: impl FnOnce(&mut Self, Val, &[Val]) -> Vec<Val>,
    ) -> Vec<Val> {
        assert!(step > 0 && unroll > 0);
        let index = self.new_val(Type::Scalar(Elem::I64));
        let types: Vec<Type> = init.iter().map(|&v| self.ty(v)).collect();
        let params: Vec<Val> = types.iter().map(|&ty| self.new_val(ty)).collect();
        self.open.push(Body::default());
        let yields = body(self, index, &params);
        assert_eq!(yields.iter().map(|&v| self.ty(v)).collect::<Vec<_>>(), types, "a loop yields what it carries");
        let mut inner = self.open.pop().expect("the loop body");
        inner.yields = yields;
        let results: Vec<Val> = types.iter().map(|&ty| self.new_val(ty)).collect();
        self.push(results.clone(), Inst::For { lo, hi, step, unroll, init: init.to_vec(), index, params, body: inner });
        results
    }
    /// [`for_loop`](Self::for_loop) from 0 to a constant, not unrolled.
    pub fn for_const(
        &mut self,
        count: u64,
        step: i64,
        init: &[Val],
        body: impl FnOnce(&mut Self, Val, &[Val]) -> Vec<Val>,
    ) -> Vec<Val> {
        let bounds = (self.i64(0), self.i64(count as i64));
        self.for_loop(bounds, step, 1, init, body)
    }
    fn side(&mut self, f: impl FnOnce(&mut Self) -> Vec<Val>) -> Body {
        self.open.push(Body::default());
        let yields = f(self);
        let mut body = self.open.pop().expect("the branch body");
        body.yields = yields;
        body
    }
    /// Runs one of two bodies; both return values of the same types.
    pub fn if_else(
        &mut self,
        cond: Val,
        then: impl FnOnce(&mut Self) -> Vec<Val>,
        otherwise: impl FnOnce(&mut Self) -> Vec<Val>,
    ) -> Vec<Val> {
        let then = self.side(then);
        let otherwise = self.side(otherwise);
        let types: Vec<Type> = then.yields.iter().map(|&v| self.ty(v)).collect();
        assert_eq!(
            types,
            otherwise.yields.iter().map(|&v| self.ty(v)).collect::<Vec<_>>(),
            "both sides yield the same types"
        );
        let results: Vec<Val> = types.iter().map(|&ty| self.new_val(ty)).collect();
        self.push(results.clone(), Inst::If { cond, then, otherwise });
        results
    }
}
