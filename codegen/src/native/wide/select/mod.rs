//! Instruction selection: kernel IR becomes x86 instructions in basic blocks.
//!
//! ```text
//!   entry: load buffer pointers         for:  … ─▶ body ─▶ …            if:   … ─▶ then ─▶ ┐
//!     └▶ block loop: n in first..end           ▲      │                        └▶ else ─▶ ┴▶ …
//!          body of the kernel                  └─ back┘ (split edge)
//! ```
//!
//! A kernel value is not always a register. Constants, lane numbers, folded loads and late comparisons are
//! remembered as what they are ([`Value`]) and become an immediate, a memory operand or a register where
//! they are used, so constants cost no register and the allocator never moves one.

mod bases;
mod divide;
mod flow;
mod lanes;
mod mask;
mod memory;
mod permute;
mod scalar;
mod vector;

#[cfg(test)]
pub(super) use divide::magic;

use super::{
    constants::Pool,
    facts::SelectionFacts,
    inst::{Arg, Code86, Flow, Mem, Reg, View},
    ops::{self, Op},
};
use iced_x86::Code;
use regard_ir::{
    id::Id,
    kernel::{Addr, CmpOp, Const, Elem, IdAxis, Inst, Kernel, Stmt, Type, Val},
};
use std::collections::BTreeMap;

/// What a kernel value is at the moment.
#[derive(Clone, Copy, Debug)]
enum Value {
    /// Not defined yet.
    None,
    /// In a register, in the view of its type.
    Reg(Reg),
    /// An integer or truth constant.
    Int(i64),
    /// The bits of an f32 constant.
    Float(u32),
    /// A vector whose lanes all have these bits.
    Splat(u32),
    /// A truth vector of 16 equal lanes.
    Uniform(bool),
    /// Lane numbers.
    Lanes,
    /// A load that its user makes.
    Load(Addr),
    /// A comparison that its user makes.
    FusedCompare(CmpOp, Val, Val),
}

/// Selects instructions for a kernel that [`super::check`] accepted.
pub(crate) fn select(kernel: &Kernel) -> (Code86, Pool) {
    let mut select = Select::new(kernel);
    select.function();
    select.code.finish();
    (select.code, select.pool)
}

struct Select<'k> {
    kernel: &'k Kernel,
    facts: SelectionFacts,
    lanes: u32,
    /// View of a whole vector.
    full: View,
    code: Code86,
    pool: Pool,
    values: Vec<Value>,
    /// Pointers to buffers.
    bases: bases::Bases,
    /// Masks of the counts in scope.
    tails: BTreeMap<Val, mask::Tail>,
    /// Grid coordinates of the block that runs.
    ids: BTreeMap<IdAxis, Value>,
}

impl<'k> Select<'k> {
    fn new(kernel: &'k Kernel) -> Self {
        Select {
            kernel,
            facts: SelectionFacts::new(kernel),
            lanes: kernel.lanes,
            full: if kernel.lanes == 16 { View::Z } else { View::Y },
            code: Code86::default(),
            pool: Pool::default(),
            values: vec![Value::None; kernel.types.len()],
            bases: bases::Bases::default(),
            tails: BTreeMap::new(),
            ids: BTreeMap::new(),
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        let Stmt { results, inst } = stmt;
        match inst {
            Inst::For { .. } => return self.for_loop(results, inst),
            Inst::If { cond, then, otherwise } => return self.branch(results, *cond, then, otherwise),
            Inst::Transpose(rows) => return self.transpose(results, rows),
            Inst::Store { value, addr, active, stride } => return self.store(*value, addr, *active, *stride),
            Inst::StoreScalar { value, addr } => return self.store_scalar(*value, addr),
            Inst::Barrier => return,
            _ => {}
        }
        let result = results[0];
        let value = match inst {
            Inst::Load { addr, .. } if self.facts.is_folded(result) => Value::Load(*addr),
            Inst::Cmp(op, a, b) if self.facts.is_fused_compare(result) => Value::FusedCompare(*op, *a, *b),
            _ => self.value(inst),
        };
        self.set(result, value);
    }

    fn value(&mut self, inst: &Inst) -> Value {
        Value::Reg(match *inst {
            Inst::Const(c) => return constant(c),
            Inst::Lane => return Value::Lanes,
            Inst::Id(axis) => return self.ids[&axis],
            Inst::Splat(a) => return self.splat(a),
            Inst::Extract(a, lane) => self.extract(a, lane),
            Inst::Bin(op, a, b) => match self.ty(a) {
                Type::Scalar(Elem::F32) | Type::Vector(Elem::F32) => self.float_bin(op, a, b),
                Type::Scalar(_) => self.int_bin(op, a, b),
                Type::Vector(Elem::Bool) => self.bool_bin(op, a, b),
                _ => self.vector_bin(op, a, b),
            },
            Inst::Un(op, a) => match self.ty(a) {
                Type::Scalar(Elem::I64 | Elem::I32 | Elem::Bool) => self.int_un(op, a),
                _ => self.vector_un(op, a),
            },
            Inst::Fma(a, b, c) => self.fma(a, b, c),
            Inst::Cmp(op, a, b) => self.compare(op, a, b),
            Inst::Select(c, a, b) => self.choose(c, a, b),
            Inst::Cast(op, a) => self.cast(op, a),
            Inst::Reduce(op, a) => self.reduce(op, a),
            Inst::Shuffle(a, ref perm) => self.shuffle(a, perm),
            Inst::Load { ref addr, active, stride } => self.load(addr, active, stride),
            Inst::Bcast(ref addr) => self.bcast(addr),
            Inst::LoadScalar(ref addr) => self.load_scalar(addr),
            Inst::Gather { ref addr, idx, mask } => self.gather(addr, idx, mask),
            ref other => unreachable!("{other:?} is not a core instruction with one result"),
        })
    }

    /// Gives `v` its value, and makes the mask that goes with it if it counts lanes.
    fn set(&mut self, v: Val, value: Value) {
        self.values[v.index()] = value;
        if self.facts.is_count(v) {
            self.make_tail(v);
        }
    }

    fn ty(&self, v: Val) -> Type {
        self.kernel.ty(v)
    }
    fn is_wide(&self) -> bool {
        self.lanes == 16
    }
    /// The view in which values of a type live.
    fn view(&self, ty: Type) -> View {
        match ty {
            Type::Scalar(Elem::I64) => View::R64,
            Type::Scalar(Elem::I32 | Elem::Bool) => View::R32,
            Type::Scalar(Elem::F32) => View::X,
            Type::Vector(Elem::Bool) if self.is_wide() => View::K,
            Type::Vector(_) => self.full,
            Type::Tile { .. } => unreachable!("tiles were rejected"),
        }
    }

    /// A fresh register.
    fn fresh(&mut self, view: View) -> Reg {
        self.code.fresh(view)
    }
    /// Appends an instruction.
    fn push(&mut self, code: Code, args: &[Arg]) {
        self.code.push(code, Flow::Next, args);
    }
    /// Appends an instruction that writes a fresh register as its first argument.
    fn def(&mut self, code: Code, view: View, args: &[Arg]) -> Reg {
        let d = self.fresh(view);
        let mut all = vec![Arg::Def(d)];
        all.extend_from_slice(args);
        self.push(code, &all);
        d
    }
    /// Appends an instruction that overwrites (a copy of) `old`.
    fn tied(&mut self, code: Code, old: Reg, args: &[Arg]) -> Reg {
        let d = self.fresh(old.view);
        let mut all = vec![Arg::Tied(d, old)];
        all.extend_from_slice(args);
        self.push(code, &all);
        d
    }
    /// A vector operation on whole vectors.
    fn vec(&mut self, op: Op, args: &[Arg]) -> Reg {
        self.def(op.vector(self.lanes), self.full, args)
    }

    /// `v` in a register.
    fn reg(&mut self, v: Val) -> Reg {
        match self.values[v.index()] {
            Value::Reg(r) => r,
            Value::Int(c) if self.ty(v) == Type::Scalar(Elem::I64) => self.int64(c),
            Value::Int(c) => self.int32(c as i32),
            Value::Float(0) => self.zero().x(),
            Value::Float(bits) => {
                let mem = Mem::constant(self.pool.word(bits), false);
                self.def(ops::LOAD.scalar(self.lanes), View::X, &[Arg::Mem(mem)])
            }
            Value::Splat(bits) => self.splat_bits(bits),
            Value::Uniform(set) => self.uniform(set),
            Value::Lanes => {
                let lanes = self.lane_numbers();
                self.vec(ops::LOAD, &[lanes])
            }
            Value::Load(addr) => {
                let mem = self.mem(&addr, 0);
                self.vec(ops::LOAD, &[Arg::Mem(mem)])
            }
            Value::FusedCompare(op, a, b) => self.compare(op, a, b),
            Value::None => panic!("{v} is used before its definition in kernel {}", self.kernel.name),
        }
    }
    /// `v` as the last source of a vector or f32 operation: a register or memory.
    fn source(&mut self, v: Val) -> Arg {
        match self.values[v.index()] {
            Value::Splat(bits) => self.bits(bits),
            Value::Lanes => self.lane_numbers(),
            Value::Float(bits) => Arg::Mem(Mem::constant(self.pool.word(bits), false)),
            Value::Load(addr) => Arg::Mem(self.mem(&addr, 0)),
            _ => Arg::Use(self.reg(v)),
        }
    }
    /// Whether [`source`](Self::source) is a constant in memory.
    fn is_constant(&self, v: Val) -> bool {
        matches!(self.values[v.index()], Value::Splat(_) | Value::Lanes | Value::Float(_))
    }
    fn is_load(&self, v: Val) -> bool {
        matches!(self.values[v.index()], Value::Load(_))
    }
    /// `v` as an integer constant, if it is one in all lanes.
    fn as_int(&self, v: Val) -> Option<i64> {
        match self.values[v.index()] {
            Value::Int(c) => Some(c),
            Value::Splat(bits) => Some(i64::from(bits as i32)),
            _ => None,
        }
    }

    /// Memory that holds `bits` in every lane.
    fn bits(&mut self, bits: u32) -> Arg {
        Arg::Mem(match self.is_wide() {
            true => Mem::constant(self.pool.word(bits), true),
            false => Mem::constant(self.pool.vector(vec![bits; self.lanes as usize]), false),
        })
    }
    /// A register that holds `bits` in every lane.
    fn splat_bits(&mut self, bits: u32) -> Reg {
        if bits == 0 {
            return self.zero();
        }
        let mem = Arg::Mem(Mem::constant(self.pool.word(bits), false));
        self.vec(ops::SPLAT_MEM, &[mem])
    }
    fn zero(&mut self) -> Reg {
        self.def(ops::ZERO.vector(self.lanes), View::X, &[Arg::Same(0), Arg::Same(0)]).seen(self.full)
    }
    fn lane_numbers(&mut self) -> Arg {
        Arg::Mem(Mem::constant(self.pool.vector((0..self.lanes).collect()), false))
    }
    fn int32(&mut self, value: i32) -> Reg {
        self.def(Code::Mov_r32_imm32, View::R32, &[Arg::Imm32(value)])
    }
    fn int64(&mut self, value: i64) -> Reg {
        match (u32::try_from(value), i32::try_from(value)) {
            (Ok(small), _) => self.int32(small as i32).r64(),
            (_, Ok(small)) => self.def(Code::Mov_rm64_imm32, View::R64, &[Arg::Imm32(small)]),
            _ => self.def(Code::Mov_r64_imm64, View::R64, &[Arg::Imm64(value)]),
        }
    }
}

fn constant(c: Const) -> Value {
    match c {
        Const::I64(c) => Value::Int(c),
        Const::I32(c) => Value::Int(c.into()),
        Const::Bool(c) => Value::Int(c.into()),
        Const::F32(c) => Value::Float((c.get() as f32).to_bits()),
    }
}
