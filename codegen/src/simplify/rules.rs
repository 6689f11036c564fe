//! Identities that hold bit for bit, one instruction at a time.

use super::{
    fold,
    inserter::{Definition, Hoist},
    simplifier::{INDEX, Simplifier},
};
use regard_ir::kernel::{Addr, BinOp, CastOp, CmpOp, Const, Elem, Inst, ReduceOp, Type, UnOp, Val};
use regard_ir::types::Real;

/// What an identity found: a value that exists, or a better instruction.
enum Found {
    Value(Val),
    Constant(Const),
    Inst(Inst),
}

impl Simplifier<'_> {
    /// The new value of an instruction with one result that is not i64.
    pub(super) fn value_inst(&mut self, inst: &Inst, result: Val) -> Val {
        let ty = self.old.ty(result);
        match inst {
            Inst::Const(c) => self.inserter.constant(*c, ty),
            Inst::Cmp(op, a, b) if self.old.ty(*a) == INDEX => self.index_cmp(*op, *a, *b),
            Inst::Load { active, .. } => match active.map(|n| self.lanes_below(n)) {
                Some(Lanes::None) => self.zero(ty),
                Some(Lanes::All) => {
                    let mut inst = inst.clone();
                    if let Inst::Load { active, .. } = &mut inst {
                        *active = None;
                    }
                    self.load(&inst, ty)
                }
                _ => self.load(inst, ty),
            },
            Inst::Bcast(_) | Inst::LoadScalar(_) => self.load(inst, ty),
            Inst::Gather { mask, .. } => {
                let mask = self.operand(*mask);
                match self.inserter.constant_of(mask) {
                    Some(Const::Bool(false)) => self.zero(ty),
                    _ => self.load(inst, ty),
                }
            }
            other => {
                let inst = self.with_new_operands(other);
                self.value_of(inst, ty)
            }
        }
    }
    /// A pure instruction on new values.
    fn value_of(&mut self, inst: Inst, ty: Type) -> Val {
        match self.identity(&inst, ty) {
            Some(Found::Value(v)) => v,
            Some(Found::Constant(c)) => self.inserter.constant(c, ty),
            Some(Found::Inst(better)) => self.value_of(better, ty),
            None => {
                let definition = self.definition(&inst);
                let hoist = self.hoist(&inst);
                let value = self.inserter.reuse(inst, ty, hoist, 0);
                self.inserter.fact_mut(value).definition = definition;
                value
            }
        }
    }
    fn definition(&self, inst: &Inst) -> Option<Definition> {
        match inst {
            Inst::Splat(a) => Some(Definition::Splat(*a)),
            Inst::Un(op, a) => Some(Definition::Un(*op, *a)),
            Inst::Cast(op, a) => Some(Definition::Cast(*op, *a)),
            Inst::Shuffle(a, perm) => Some(Definition::Shuffle(*a, perm.clone())),
            Inst::Bin(BinOp::Add, a, b) => match self.inserter.constant_of(*b) {
                Some(Const::I32(c)) => Some(Definition::Plus(*a, c)),
                _ => None,
            },
            _ => None,
        }
    }
    fn hoist(&self, inst: &Inst) -> Hoist {
        match inst {
            Inst::Cast(CastOp::F32ToI32, _) => Hoist::IfExecuted,
            Inst::Bin(BinOp::Shl | BinOp::Shr | BinOp::Rem, _, b) if self.inserter.constant_of(*b).is_none() => {
                Hoist::IfExecuted
            }
            Inst::Bin(BinOp::Div, _, b) => match self.inserter.types[*b] {
                Type::Scalar(Elem::F32) | Type::Vector(Elem::F32) => Hoist::Always,
                _ if self.inserter.constant_of(*b).is_some() => Hoist::Always,
                _ => Hoist::IfExecuted,
            },
            _ => Hoist::Always,
        }
    }
    fn zero(&mut self, ty: Type) -> Val {
        let zero = match ty {
            Type::Vector(Elem::I32) | Type::Scalar(Elem::I32) => Const::I32(0),
            Type::Vector(Elem::Bool) | Type::Scalar(Elem::Bool) => Const::Bool(false),
            _ => Const::F32(Real::new(0.0)),
        };
        self.inserter.constant(zero, ty)
    }

    fn load(&mut self, inst: &Inst, ty: Type) -> Val {
        let inst = self.with_new_operands(inst);
        let (Inst::Load { addr, .. } | Inst::Gather { addr, .. } | Inst::Bcast(addr) | Inst::LoadScalar(addr)) = &inst
        else {
            unreachable!("called for loads")
        };
        let Addr { buf, .. } = *addr;
        let position = matches!(inst, Inst::LoadScalar(_)) && Elem::loaded(self.old.buffers[buf].dtype) == Elem::I32;
        let hoist = if position && self.is_read_only(buf) { Hoist::IfExecuted } else { Hoist::Never };
        self.inserter.reuse(inst, ty, hoist, self.version(buf))
    }
    pub(super) fn store(&mut self, inst: &Inst) {
        let lanes = match inst {
            Inst::Store { active: Some(n), .. } => self.lanes_below(*n),
            _ => Lanes::Some,
        };
        if lanes == Lanes::None {
            return;
        }
        let mut inst = inst.clone();
        if let (Inst::Store { active, .. }, Lanes::All) = (&mut inst, lanes) {
            *active = None;
        }
        let inst = self.with_new_operands(&inst);
        self.inserter.here(inst, &[]);
    }
    fn lanes_below(&mut self, n: Val) -> Lanes {
        let form = self.index(n);
        let range = self.range(&form);
        match range.is_all() {
            true => Lanes::Some,
            false if range.max <= 0 => Lanes::None,
            false if range.min >= i64::from(self.old.lanes) => Lanes::All,
            false => Lanes::Some,
        }
    }

    fn identity(&mut self, inst: &Inst, ty: Type) -> Option<Found> {
        let constant = |v: &Val| self.inserter.constant_of(*v);
        match inst {
            Inst::Bin(op, a, b) => self.bin(*op, *a, *b),
            Inst::Un(op, a) => match constant(a) {
                Some(c) => fold::un(*op, c).map(Found::Constant),
                None => self.un(*op, *a),
            },
            Inst::Fma(a, b, c) => fold::fma(constant(a)?, constant(b)?, constant(c)?).map(Found::Constant),
            Inst::Cmp(op, a, b) => match (constant(a), constant(b)) {
                (Some(a), Some(b)) => fold::cmp(*op, a, b).map(|t| Found::Constant(Const::Bool(t))),
                _ if a == b && !self.is_float(*a) => {
                    Some(Found::Constant(Const::Bool(matches!(op, CmpOp::Eq | CmpOp::Le))))
                }
                _ => None,
            },
            Inst::Select(cond, a, b) => match (constant(cond), &self.inserter.fact(*cond).definition) {
                (Some(Const::Bool(taken)), _) => Some(Found::Value(if taken { *a } else { *b })),
                _ if a == b => Some(Found::Value(*a)),
                (_, Some(Definition::Un(UnOp::Not, c))) => Some(Found::Inst(Inst::Select(*c, *b, *a))),
                _ => None,
            },
            Inst::Cast(op, a) => match constant(a) {
                Some(c) => fold::cast(*op, c).map(Found::Constant),
                None => self.cast(*op, *a),
            },
            Inst::Splat(a) => constant(a).map(Found::Constant),
            Inst::Reduce(op, a) => self.reduce(*op, *a),
            Inst::Extract(a, lane) => match (constant(a), &self.inserter.fact(*a).definition) {
                (Some(c), _) => Some(Found::Constant(c)),
                (_, Some(Definition::Splat(scalar))) => Some(Found::Value(*scalar)),
                (_, Some(Definition::Shuffle(from, perm))) => {
                    Some(Found::Inst(Inst::Extract(*from, u32::from(perm[*lane as usize]))))
                }
                _ => None,
            },
            Inst::Shuffle(a, perm) => self.shuffle(*a, perm),
            _ => {
                debug_assert!(ty != INDEX, "i64 values are affine forms");
                None
            }
        }
    }
    fn is_float(&self, v: Val) -> bool {
        matches!(self.inserter.types[v], Type::Scalar(Elem::F32) | Type::Vector(Elem::F32))
    }

    fn bin(&mut self, op: BinOp, a: Val, b: Val) -> Option<Found> {
        let (ca, cb) = (self.inserter.constant_of(a), self.inserter.constant_of(b));
        if let (Some(ca), Some(cb)) = (ca, cb) {
            return fold::bin(op, ca, cb).map(Found::Constant);
        }
        let float = self.is_float(a);
        if a == b {
            return self.bin_same(op, a);
        }
        let commutes = matches!(op, BinOp::Add | BinOp::Mul | BinOp::And | BinOp::Or | BinOp::Xor);
        if commutes && !float && (ca.is_some() || (cb.is_none() && b < a)) {
            return Some(Found::Inst(Inst::Bin(op, b, a)));
        }
        match cb? {
            Const::I32(c) => self.bin_i32(op, a, b, c),
            Const::Bool(c) => bin_bool(op, a, c),
            c if op == BinOp::Div && float => {
                let reciprocal = fold::exact_reciprocal(c)?;
                let reciprocal = self.inserter.constant(reciprocal, self.inserter.types[b]);
                Some(Found::Inst(Inst::Bin(BinOp::Mul, a, reciprocal)))
            }
            _ => None,
        }
    }
    fn bin_same(&self, op: BinOp, a: Val) -> Option<Found> {
        let zero = match self.inserter.types[a] {
            Type::Scalar(Elem::Bool) | Type::Vector(Elem::Bool) => Const::Bool(false),
            _ => Const::I32(0),
        };
        match op {
            BinOp::Min | BinOp::Max | BinOp::And | BinOp::Or => Some(Found::Value(a)),
            BinOp::Sub | BinOp::Xor if !self.is_float(a) => Some(Found::Constant(zero)),
            _ => None,
        }
    }
    fn bin_i32(&mut self, op: BinOp, a: Val, b: Val, c: i32) -> Option<Found> {
        match (op, c) {
            (BinOp::Add | BinOp::Sub | BinOp::Shl | BinOp::Shr | BinOp::Or | BinOp::Xor, 0)
            | (BinOp::Mul | BinOp::Div, 1)
            | (BinOp::And, -1) => Some(Found::Value(a)),
            (BinOp::Mul | BinOp::And, 0) | (BinOp::Rem, 1) => Some(Found::Constant(Const::I32(0))),
            (BinOp::Or, -1) => Some(Found::Constant(Const::I32(-1))),
            (BinOp::Sub, _) => {
                let negative = self.inserter.constant(Const::I32(c.wrapping_neg()), self.inserter.types[b]);
                Some(Found::Inst(Inst::Bin(BinOp::Add, a, negative)))
            }
            (BinOp::Add, _) => {
                let Some(Definition::Plus(x, inner)) = self.inserter.fact(a).definition else { return None };
                let sum = self.inserter.constant(Const::I32(inner.wrapping_add(c)), self.inserter.types[b]);
                Some(Found::Inst(Inst::Bin(BinOp::Add, x, sum)))
            }
            _ => None,
        }
    }
    fn un(&self, op: UnOp, a: Val) -> Option<Found> {
        let Some(Definition::Un(inner, x)) = self.inserter.fact(a).definition else { return None };
        match (op, inner) {
            (UnOp::Neg, UnOp::Neg) | (UnOp::Not, UnOp::Not) => Some(Found::Value(x)),
            (UnOp::Abs, UnOp::Abs) => Some(Found::Value(a)),
            (UnOp::Abs, UnOp::Neg) => Some(Found::Inst(Inst::Un(UnOp::Abs, x))),
            _ => None,
        }
    }
    fn cast(&self, op: CastOp, a: Val) -> Option<Found> {
        let Some(Definition::Cast(inner, x)) = self.inserter.fact(a).definition else { return None };
        match (op, inner) {
            (CastOp::F32Bits, CastOp::BitsF32) | (CastOp::BitsF32, CastOp::F32Bits) => Some(Found::Value(x)),
            _ => None,
        }
    }
    fn reduce(&self, op: ReduceOp, a: Val) -> Option<Found> {
        match (op, self.inserter.constant_of(a), &self.inserter.fact(a).definition) {
            (ReduceOp::Min | ReduceOp::Max, Some(c), _) => Some(Found::Constant(c)),
            (ReduceOp::Min | ReduceOp::Max, _, Some(Definition::Splat(scalar))) => Some(Found::Value(*scalar)),
            (ReduceOp::Sum, Some(c), _) => {
                let halvings = self.old.lanes.trailing_zeros();
                (0..halvings).try_fold(c, |sum, _| fold::bin(BinOp::Add, sum, sum)).map(Found::Constant)
            }
            _ => None,
        }
    }
    fn shuffle(&self, a: Val, perm: &[u8]) -> Option<Found> {
        if perm.iter().enumerate().all(|(lane, &from)| lane == usize::from(from)) {
            return Some(Found::Value(a));
        }
        match (self.inserter.constant_of(a), &self.inserter.fact(a).definition) {
            (Some(_), _) | (_, Some(Definition::Splat(_))) => Some(Found::Value(a)),
            (_, Some(Definition::Shuffle(from, inner))) => {
                let both = perm.iter().map(|&lane| inner[usize::from(lane)]).collect();
                Some(Found::Inst(Inst::Shuffle(*from, both)))
            }
            _ => None,
        }
    }
}

fn bin_bool(op: BinOp, a: Val, c: bool) -> Option<Found> {
    match (op, c) {
        (BinOp::And, true) | (BinOp::Or | BinOp::Xor, false) => Some(Found::Value(a)),
        (BinOp::And, false) => Some(Found::Constant(Const::Bool(false))),
        (BinOp::Or, true) => Some(Found::Constant(Const::Bool(true))),
        (BinOp::Xor, true) => Some(Found::Inst(Inst::Un(UnOp::Not, a))),
        _ => None,
    }
}

/// How many lanes a `first n` lets through.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lanes {
    None,
    Some,
    All,
}
