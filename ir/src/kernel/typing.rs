//! The type of every result follows from the operands.
//!
//! [`Typing::results`] states, one arm per instruction, which operands are allowed and what comes out. Kernel text
//! leaves types out because of it, and the verifier compares its answers with the kernel's table.
//!
//! ```text
//!   add   (τ, τ) → τ          τ a number: i64, i32, f32, v.i32, v.f32
//!   lt    (τ, τ) → bool of τ's kind        reduce  v.τ → τ        load  f32[], bf16[], f16[] → v.f32
//!   mma   (acc R×C, a R×K, b K×C) → acc R×C
//! ```

use super::inst::*;
use crate::{id::IdVec, types::DType};

/// What typing needs to know about a kernel; `ty` gives the type of a value, or nothing where none exists.
pub(crate) struct Typing<'a, F: Fn(Val) -> Option<Type>> {
    /// Lanes per vector.
    pub lanes: u32,
    /// What executes the body.
    pub unit: Unit,
    /// The buffers.
    pub buffers: &'a IdVec<Buf, Buffer>,
    /// Types of values.
    pub ty: F,
}

type Checked<T> = Result<T, String>;

impl Elem {
    /// The element that a load from a buffer of this type gives, and that a store to it takes.
    pub fn loaded(dtype: DType) -> Elem {
        match dtype {
            DType::F32 | DType::Bf16 | DType::F16 => Elem::F32,
            DType::I32 => Elem::I32,
            DType::Bool => Elem::Bool,
        }
    }
}

impl Type {
    /// The element of a scalar or vector.
    pub fn elem(self) -> Option<Elem> {
        match self {
            Type::Scalar(elem) | Type::Vector(elem) => Some(elem),
            Type::Tile { .. } => None,
        }
    }
    /// A scalar or vector like this one with another element; tiles stay as they are.
    pub(crate) fn with_elem(self, elem: Elem) -> Type {
        match self {
            Type::Scalar(_) => Type::Scalar(elem),
            Type::Vector(_) => Type::Vector(elem),
            tile => tile,
        }
    }
}

impl Const {
    /// The element type of the constant.
    pub(crate) fn elem(self) -> Elem {
        match self {
            Const::I64(_) => Elem::I64,
            Const::I32(_) => Elem::I32,
            Const::F32(_) => Elem::F32,
            Const::Bool(_) => Elem::Bool,
        }
    }
}

const I64: Type = Type::Scalar(Elem::I64);
const NUMBERS: &[Elem] = &[Elem::I64, Elem::I32, Elem::F32];

fn fail<T>(message: String) -> Checked<T> {
    Err(message)
}

impl<'a> Typing<'a, fn(Val) -> Option<Type>> {
    /// The typing rules within a finished kernel.
    pub(crate) fn of(kernel: &'a Kernel) -> Typing<'a, impl Fn(Val) -> Option<Type> + 'a> {
        let ty = |v| kernel.types.get(v).copied();
        Typing { lanes: kernel.lanes, unit: kernel.unit, buffers: &kernel.buffers, ty }
    }
}

impl<F: Fn(Val) -> Option<Type>> Typing<'_, F> {
    /// Types of the instruction's results, or the first sentence about an operand that does not fit.
    pub(crate) fn results(&self, inst: &Inst) -> Checked<Vec<Type>> {
        match inst {
            Inst::For { .. } => self.for_loop(inst),
            Inst::If { cond, then, otherwise } => self.branch(*cond, then, otherwise),
            Inst::Barrier => Ok(Vec::new()),
            Inst::Transpose(rows) => self.transpose(rows),
            Inst::Store { value, addr, active, stride } => {
                self.active(*active)?;
                self.store(*value, Type::Vector(self.element(addr)?))?;
                let disjoint = *stride != 0;
                if disjoint {
                    Ok(Vec::new())
                } else {
                    fail("a store with stride 0 writes one element from all lanes".into())
                }
            }
            Inst::StoreScalar { value, addr } => {
                self.store(*value, Type::Scalar(self.element(addr)?))?;
                Ok(Vec::new())
            }
            Inst::TileStore { value, addr, .. } => {
                self.float_buffer(addr)?;
                self.role(*value, TileRole::Acc)?;
                Ok(Vec::new())
            }
            _ => self.result(inst).map(|ty| vec![ty]),
        }
    }

    fn result(&self, inst: &Inst) -> Checked<Type> {
        match inst {
            Inst::Id(_) => Ok(I64),
            Inst::Lane => Ok(Type::Vector(Elem::I32)),
            Inst::Const(value) => Ok(Type::Scalar(value.elem())),
            Inst::Splat(a) => self.splat(*a),
            Inst::Bin(op, a, b) => self.bin(*op, *a, *b),
            Inst::Un(op, a) => self.un(*op, *a),
            Inst::Fma(a, b, c) => {
                self.same(*a, *b)?;
                self.same(*a, *c)?;
                self.element_in(*a, &[Elem::F32])
            }
            Inst::Cmp(_, a, b) => {
                self.same(*a, *b)?;
                Ok(self.element_in(*a, NUMBERS)?.with_elem(Elem::Bool))
            }
            Inst::Select(cond, a, b) => self.select(*cond, *a, *b),
            Inst::Cast(op, a) => self.cast(*op, *a),
            Inst::Reduce(_, a) => {
                self.vector(*a)?;
                let elem = self.element_in(*a, &[Elem::F32, Elem::I32])?.elem();
                Ok(Type::Scalar(elem.expect("a vector has an element")))
            }
            Inst::Extract(a, lane) => self.extract(*a, *lane),
            Inst::Shuffle(a, perm) => self.shuffle(*a, perm),
            Inst::Approx(op, a) if self.unit == Unit::Core => fail(format!("{op} of {a} is not available on a core")),
            Inst::Approx(_, a) => self.element_in(*a, &[Elem::F32]),
            Inst::Load { addr, active, .. } => {
                self.active(*active)?;
                self.element(addr).map(Type::Vector)
            }
            Inst::Bcast(addr) => self.element(addr).map(Type::Vector),
            Inst::LoadScalar(addr) => self.element(addr).map(Type::Scalar),
            Inst::Gather { addr, idx, mask } => {
                self.expect(*idx, Type::Vector(Elem::I32), "lane indices")?;
                self.expect(*mask, Type::Vector(Elem::Bool), "the mask")?;
                self.element(addr).map(Type::Vector)
            }
            Inst::TileZero { rows, cols } => tile(*rows, *cols, DType::F32, TileRole::Acc),
            Inst::TileLoad { addr, rows, cols, dtype, role, .. } => self.tile_load(addr, *rows, *cols, *dtype, *role),
            Inst::TileMma { acc, a, b } => self.mma(*acc, *a, *b),
            other => unreachable!("{} has not exactly one result", other.name()),
        }
    }

    fn ty(&self, v: Val) -> Checked<Type> {
        (self.ty)(v).ok_or_else(|| format!("{v} does not exist"))
    }
    fn expect(&self, v: Val, expected: Type, role: &str) -> Checked<()> {
        let ty = self.ty(v)?;
        if ty == expected { Ok(()) } else { fail(format!("{v} is {ty}, but {role} must be {expected}")) }
    }
    fn same(&self, a: Val, b: Val) -> Checked<()> {
        let (left, right) = (self.ty(a)?, self.ty(b)?);
        if left == right { Ok(()) } else { fail(format!("{a} is {left} but {b} is {right}; both must have one type")) }
    }
    /// The type of `v`, whose element must be one of these.
    fn element_in(&self, v: Val, allowed: &[Elem]) -> Checked<Type> {
        let ty = self.ty(v)?;
        if ty.elem().is_some_and(|elem| allowed.contains(&elem)) {
            return Ok(ty);
        }
        let names: Vec<&str> = allowed.iter().map(|e| e.name()).collect();
        fail(format!("{v} is {ty}, but elements must be {}", names.join(" or ")))
    }
    fn vector(&self, v: Val) -> Checked<Elem> {
        match self.ty(v)? {
            Type::Vector(elem) => Ok(elem),
            ty => fail(format!("{v} is {ty}, not a vector")),
        }
    }
    fn list(&self, values: &[Val]) -> Checked<Vec<Type>> {
        values.iter().map(|&v| self.ty(v)).collect()
    }

    fn for_loop(&self, inst: &Inst) -> Checked<Vec<Type>> {
        let Inst::For { lo, hi, init, index, params, body, .. } = inst else { unreachable!("a loop") };
        for (v, role) in [(*lo, "a loop's first index"), (*hi, "a loop's end"), (*index, "a loop's index")] {
            self.expect(v, I64, role)?;
        }
        let types = self.list(init)?;
        for (what, values) in [("carries", params), ("yields", &body.yields)] {
            let found = self.list(values)?;
            if found != types {
                return fail(format!("the loop starts with ({}) but {what} ({})", commas(&types), commas(&found)));
            }
        }
        Ok(types)
    }
    fn branch(&self, cond: Val, then: &Body, otherwise: &Body) -> Checked<Vec<Type>> {
        self.expect(cond, Type::Scalar(Elem::Bool), "a condition")?;
        let (yes, no) = (self.list(&then.yields)?, self.list(&otherwise.yields)?);
        match yes == no {
            true => Ok(yes),
            false => fail(format!("one side yields ({}) but the other ({})", commas(&yes), commas(&no))),
        }
    }
    fn splat(&self, a: Val) -> Checked<Type> {
        match self.ty(a)? {
            Type::Scalar(elem) if elem != Elem::I64 => Ok(Type::Vector(elem)),
            ty => fail(format!("{a} is {ty}, but only scalars of i32, f32 and bool fill a vector")),
        }
    }
    fn bin(&self, op: BinOp, a: Val, b: Val) -> Checked<Type> {
        self.same(a, b)?;
        let allowed: &[Elem] = match op {
            BinOp::Add | BinOp::Sub | BinOp::Mul | BinOp::Div | BinOp::Min | BinOp::Max => NUMBERS,
            BinOp::Rem | BinOp::Shl | BinOp::Shr => &[Elem::I64, Elem::I32],
            BinOp::And | BinOp::Or | BinOp::Xor => &[Elem::I32, Elem::Bool],
        };
        self.element_in(a, allowed)
    }
    fn un(&self, op: UnOp, a: Val) -> Checked<Type> {
        let allowed: &[Elem] = match op {
            UnOp::Neg | UnOp::Abs => NUMBERS,
            UnOp::Sqrt | UnOp::Floor | UnOp::Round => &[Elem::F32],
            UnOp::Not => &[Elem::Bool],
        };
        self.element_in(a, allowed)
    }
    fn select(&self, cond: Val, a: Val, b: Val) -> Checked<Type> {
        self.same(a, b)?;
        let ty = self.ty(a)?;
        if ty.elem().is_none() {
            return fail(format!("{a} is {ty}; tiles cannot be selected"));
        }
        self.expect(cond, ty.with_elem(Elem::Bool), "the condition")?;
        Ok(ty)
    }
    fn cast(&self, op: CastOp, a: Val) -> Checked<Type> {
        let (from, to) = match op {
            CastOp::I32ToF32 | CastOp::BitsF32 => (Elem::I32, Elem::F32),
            CastOp::F32ToI32 | CastOp::F32Bits => (Elem::F32, Elem::I32),
            CastOp::I32ToI64 => (Elem::I32, Elem::I64),
            CastOp::I64ToI32 => (Elem::I64, Elem::I32),
            CastOp::BoolToI32 => (Elem::Bool, Elem::I32),
        };
        let ty = self.element_in(a, &[from])?.with_elem(to);
        let vector_of_i64 = ty == Type::Vector(Elem::I64);
        if vector_of_i64 { fail(format!("{a} is a vector, but i64 exists as a scalar only")) } else { Ok(ty) }
    }
    fn extract(&self, a: Val, lane: u32) -> Checked<Type> {
        let elem = self.vector(a)?;
        match lane < self.lanes {
            true => Ok(Type::Scalar(elem)),
            false => fail(format!("lane {lane} does not exist in {a}, which has {} lanes", self.lanes)),
        }
    }
    fn shuffle(&self, a: Val, perm: &[u8]) -> Checked<Type> {
        let elem = self.vector(a)?;
        if perm.len() != self.lanes as usize {
            return fail(format!("the shuffle names {} lanes but {a} has {}", perm.len(), self.lanes));
        }
        match perm.iter().find(|&&lane| u32::from(lane) >= self.lanes) {
            Some(lane) => fail(format!("lane {lane} does not exist in {a}, which has {} lanes", self.lanes)),
            None => Ok(Type::Vector(elem)),
        }
    }
    fn transpose(&self, rows: &[Val]) -> Checked<Vec<Type>> {
        if self.unit != Unit::Core {
            return fail(format!("only a core transposes vectors; a {} goes through scratch", self.unit));
        }
        if rows.len() != self.lanes as usize {
            return fail(format!("{} vectors are transposed but there are {} lanes", rows.len(), self.lanes));
        }
        for &row in rows {
            self.vector(row)?;
            self.same(rows[0], row)?;
        }
        self.list(rows)
    }

    fn buffer(&self, addr: &Addr) -> Checked<&Buffer> {
        if let Some(index) = addr.index {
            self.expect(index, I64, "an index")?;
        }
        self.buffers.get(addr.buf).ok_or_else(|| format!("buffer {} does not exist", addr.buf))
    }
    fn element(&self, addr: &Addr) -> Checked<Elem> {
        self.buffer(addr).map(|buffer| Elem::loaded(buffer.dtype))
    }
    fn float_buffer(&self, addr: &Addr) -> Checked<DType> {
        let Buffer { name, dtype, .. } = self.buffer(addr)?;
        if dtype.is_float() { Ok(*dtype) } else { fail(format!("{name} holds {dtype}, but tiles are of floats")) }
    }
    fn active(&self, active: Option<Val>) -> Checked<()> {
        active.map_or(Ok(()), |v| self.expect(v, I64, "the number of lanes"))
    }
    fn store(&self, value: Val, expected: Type) -> Checked<()> {
        self.expect(value, expected, "what is stored there")
    }

    fn role(&self, v: Val, expected: TileRole) -> Checked<(u32, u32, DType)> {
        match self.ty(v)? {
            Type::Tile { rows, cols, dtype, role } if role == expected => Ok((rows, cols, dtype)),
            ty => fail(format!("{v} is {ty}, not a tile of role {expected}")),
        }
    }
    fn tile_load(&self, addr: &Addr, rows: u32, cols: u32, dtype: DType, role: TileRole) -> Checked<Type> {
        let found = self.float_buffer(addr)?;
        if found != dtype {
            return fail(format!("the tile is {dtype} but its buffer holds {found}"));
        }
        if role == TileRole::Acc && dtype != DType::F32 {
            return fail(format!("an accumulator is f32, not {dtype}"));
        }
        tile(rows, cols, dtype, role)
    }
    fn mma(&self, acc: Val, a: Val, b: Val) -> Checked<Type> {
        let (rows, cols, _) = self.role(acc, TileRole::Acc)?;
        let (left_rows, left_depth, left) = self.role(a, TileRole::A)?;
        let (right_depth, right_cols, right) = self.role(b, TileRole::B)?;
        if left != right {
            return fail(format!("{a} holds {left} but {b} holds {right}"));
        }
        if (left_rows, right_cols) != (rows, cols) || left_depth != right_depth {
            return fail(format!(
                "{left_rows}×{left_depth} times {right_depth}×{right_cols} does not add to {rows}×{cols}"
            ));
        }
        self.ty(acc)
    }
}

fn tile(rows: u32, cols: u32, dtype: DType, role: TileRole) -> Checked<Type> {
    if rows == 0 || cols == 0 {
        fail("a tile has rows and columns".into())
    } else {
        Ok(Type::Tile { rows, cols, dtype, role })
    }
}

fn commas(types: &[Type]) -> String {
    types.iter().map(Type::to_string).collect::<Vec<_>>().join(", ")
}
