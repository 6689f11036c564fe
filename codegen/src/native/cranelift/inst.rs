//! One kernel instruction after another.
//!
//! Scalars and vectors share every arm: an instruction maps over the pieces of its operands. i64 scalars
//! stay symbolic ([`super::address`]) as long as they are sums of multiples. `min(a, b)` is
//! `a < b ? a : b`, which Cranelift turns into one instruction on x86-64.

use super::{
    address::Index,
    control::Loop,
    function::{Bound, Emitter, scalar_type, vector_type},
};
use cranelift_codegen::ir::{
    InstBuilder, Opcode, Type as ClifType, Value, ValueDef,
    condcodes::{FloatCC, IntCC},
    types,
};
use regard_ir::kernel::{BinOp, CastOp, CmpOp, Const, Elem, IdAxis, Inst, Stmt, Type, UnOp, Val};

impl Emitter<'_, '_> {
    /// One statement.
    pub(crate) fn stmt(&mut self, stmt: &Stmt) -> Result<(), String> {
        let bound = match (&stmt.inst, stmt.results.as_slice()) {
            (Inst::For { lo, hi, step, init, index, params, body, .. }, results) => {
                let (lo, hi, step, index) = (*lo, *hi, *step, *index);
                return self.counted(&Loop { lo, hi, step, init, index, params, body }, results);
            }
            (Inst::If { cond, then, otherwise }, results) => return self.branch(*cond, [then, otherwise], results),
            (Inst::Transpose(rows), results) => return self.transpose(rows, results),
            (Inst::Store { value, addr, active, stride }, _) => return self.store(*value, addr, *active, *stride),
            (Inst::StoreScalar { value, addr }, _) => return self.store_scalar(*value, addr),
            // One unit per block: it waits for nobody.
            (Inst::Barrier, _) => return Ok(()),
            (inst, results) => self.value(inst, results[0])?,
        };
        self.bind(stmt.results[0], bound);
        Ok(())
    }

    /// An instruction with one result.
    fn value(&mut self, inst: &Inst, result: Val) -> Result<Bound, String> {
        let values = match inst {
            Inst::Id(axis) => return Ok(self.coordinate(*axis)),
            Inst::Const(c) => return Ok(constant(*c)),
            Inst::Splat(a) => return Ok(self.splat(*a)),
            Inst::Bin(op, a, b) if self.kernel.ty(*a) == Type::Scalar(Elem::I64) => return self.index_bin(*op, *a, *b),
            Inst::Bin(op, a, b) => return self.bin(*op, *a, *b),
            Inst::Select(cond, a, b) => return Ok(self.select(*cond, *a, *b)),
            Inst::Cast(op, a) => return self.convert(*op, *a),
            Inst::Un(op, a) => return self.un(*op, *a),
            Inst::Fma(a, b, c) => self.fma(*a, *b, *c)?,
            Inst::Cmp(op, a, b) => self.cmp(*op, *a, *b),
            Inst::Lane => self.lane(),
            Inst::Reduce(op, a) => self.reduce(*op, *a),
            Inst::Extract(a, lane) => self.extract(*a, *lane),
            Inst::Shuffle(a, perm) => self.shuffle(*a, perm),
            Inst::Load { addr, active, stride } => self.load(addr, *active, *stride),
            Inst::Bcast(addr) => return Ok(self.bcast(addr, result)),
            Inst::LoadScalar(addr) => self.load_scalar(addr),
            Inst::Gather { addr, idx, mask } => self.gather(addr, *idx, *mask),
            Inst::Approx(..) => return Err("an approximation belongs to a GPU".into()),
            other => return Err(format!("{:?} instructions need a matrix unit", other.level())),
        };
        Ok(Bound { values, ..Bound::default() })
    }

    /// An i64 result, known only as a value.
    fn index_root(&self, value: Value) -> Bound {
        Bound { index: Index::atom((self.depth, value)), ..Bound::default() }
    }

    fn coordinate(&mut self, axis: IdAxis) -> Bound {
        let index = match axis {
            IdAxis::G0 => self.grid[0].clone(),
            IdAxis::G1 => self.grid[1].clone(),
            IdAxis::G2 => self.grid[2].clone(),
            IdAxis::Unit => Index::constant(0),
        };
        Bound { index, ..Bound::default() }
    }

    fn splat(&mut self, a: Val) -> Bound {
        let constant = self.get(a).constant;
        if constant.is_some() {
            return Bound { constant, ..Bound::default() };
        }
        let scalar = self.scalar(a);
        let value = self.splat_value(scalar);
        Bound { values: vec![value; self.pieces()], uniform: Some(scalar), ..Bound::default() }
    }

    /// A constant scalar, where it is used.
    pub(crate) fn scalar_const(&mut self, c: Const) -> Value {
        match c {
            Const::I64(x) => self.b.ins().iconst(types::I64, x),
            Const::I32(x) => self.b.ins().iconst(types::I32, i64::from(x as u32)),
            Const::F32(x) => self.b.ins().f32const(x.get() as f32),
            Const::Bool(x) => self.b.ins().iconst(types::I8, i64::from(x)),
        }
    }

    /// Four lanes of a constant.
    pub(crate) fn vector_const(&mut self, c: Const) -> Value {
        match c {
            Const::F32(x) => self.lanes_const(types::F32X4, [(x.get() as f32).to_bits(); 4]),
            Const::I32(x) => self.i32x4(x as u32),
            Const::Bool(x) => self.i32x4(if x { !0 } else { 0 }),
            Const::I64(_) => unreachable!("vectors have no i64 lanes"),
        }
    }

    /// A scalar in four lanes; a truth value becomes a mask.
    pub(crate) fn splat_value(&mut self, scalar: Value) -> Value {
        match self.b.func.dfg.value_type(scalar) {
            types::F32 => self.b.ins().splat(types::F32X4, scalar),
            types::I8 => {
                let wide = self.b.ins().uextend(types::I32, scalar);
                let mask = self.b.ins().ineg(wide);
                self.b.ins().splat(types::I32X4, mask)
            }
            _ => self.b.ins().splat(types::I32X4, scalar),
        }
    }

    fn index_bin(&mut self, op: BinOp, a: Val, b: Val) -> Result<Bound, String> {
        let (x, y) = (self.get(a).index.clone(), self.get(b).index.clone());
        let index = match (Index::bin(op, &x, &y), x.as_constant(), y.as_constant()) {
            (Some(form), ..) => form,
            (_, Some(x), Some(y)) if !matches!(op, BinOp::Div | BinOp::Rem) || y > 0 => Index::constant(fold(op, x, y)),
            _ => {
                let (left, right) = (self.index_value(&x), self.index_value(&y));
                let value = match op {
                    BinOp::Div | BinOp::Rem => self.floor_scalar(op, left, divisor(y.as_constant())?),
                    _ => self.int(op, left, right)?,
                };
                return Ok(self.index_root(value));
            }
        };
        Ok(Bound { index, ..Bound::default() })
    }

    fn bin(&mut self, op: BinOp, a: Val, b: Val) -> Result<Bound, String> {
        let integer = self.elem(a) == Elem::I32;
        let (xs, ys) = (self.values(a), self.values(b));
        let mut values = Vec::with_capacity(xs.len());
        if integer && matches!(op, BinOp::Div | BinOp::Rem) {
            let known = match self.get(b).constant {
                Some(Const::I32(d)) => Some(i64::from(d)),
                _ => None,
            };
            let d = divisor(known)?;
            for &x in &xs {
                values.push(self.floor_i32(op, x, d));
            }
            return Ok(Bound { values, ..Bound::default() });
        }
        let amount = match self.get(b).constant {
            Some(c) if self.is_vector(b) => Some(self.scalar_const(c)),
            _ => self.get(b).uniform,
        };
        for (&x, &y) in xs.iter().zip(&ys) {
            values.push(match op {
                BinOp::Shl | BinOp::Shr if self.is_vector(a) => match amount {
                    Some(amount) => self.int(op, x, amount)?,
                    None => self.shift_lanes(op, x, y)?,
                },
                _ if self.elem(a) == Elem::F32 => self.float(op, x, y)?,
                _ => self.int(op, x, y)?,
            });
        }
        Ok(Bound { values, ..Bound::default() })
    }

    /// Two f32 operands, one lane or four.
    pub(crate) fn float(&mut self, op: BinOp, x: Value, y: Value) -> Result<Value, String> {
        Ok(match op {
            BinOp::Add => self.b.ins().fadd(x, y),
            BinOp::Sub => self.b.ins().fsub(x, y),
            BinOp::Mul => self.b.ins().fmul(x, y),
            BinOp::Div => self.b.ins().fdiv(x, y),
            BinOp::Min => {
                let less = self.b.ins().fcmp(FloatCC::LessThan, x, y);
                self.choose(less, x, y)
            }
            BinOp::Max => {
                let greater = self.b.ins().fcmp(FloatCC::LessThan, y, x);
                self.choose(greater, x, y)
            }
            _ => return Err(format!("{op:?} takes integers, not f32")),
        })
    }

    /// Two integer or truth operands, one lane or four, except division.
    pub(crate) fn int(&mut self, op: BinOp, x: Value, y: Value) -> Result<Value, String> {
        let vector = self.b.func.dfg.value_type(x).is_vector();
        Ok(match op {
            BinOp::Add => self.b.ins().iadd(x, y),
            BinOp::Sub => self.b.ins().isub(x, y),
            BinOp::Mul => self.b.ins().imul(x, y),
            BinOp::And => self.b.ins().band(x, y),
            BinOp::Or => self.b.ins().bor(x, y),
            BinOp::Xor => self.b.ins().bxor(x, y),
            BinOp::Shl => self.b.ins().ishl(x, y),
            BinOp::Shr => self.b.ins().sshr(x, y),
            BinOp::Min if vector => self.b.ins().smin(x, y),
            BinOp::Max if vector => self.b.ins().smax(x, y),
            BinOp::Min => {
                let less = self.b.ins().icmp(IntCC::SignedLessThan, x, y);
                self.b.ins().select(less, x, y)
            }
            BinOp::Max => {
                let greater = self.b.ins().icmp(IntCC::SignedGreaterThan, x, y);
                self.b.ins().select(greater, x, y)
            }
            BinOp::Div | BinOp::Rem => return Err("division needs a constant divisor".into()),
        })
    }

    /// `cond ? x : y` for f32 lanes or i32 lanes; `cond` as a comparison gives it.
    pub(crate) fn choose(&mut self, cond: Value, x: Value, y: Value) -> Value {
        let ty = self.b.func.dfg.value_type(x);
        if !ty.is_vector() {
            return self.b.ins().select(cond, x, y);
        }
        let mask = self.cast(ty, cond);
        self.b.ins().bitselect(mask, x, y)
    }

    fn select(&mut self, cond: Val, a: Val, b: Val) -> Bound {
        let (conds, xs, ys) = (self.values(cond), self.values(a), self.values(b));
        let values: Vec<Value> =
            conds.iter().zip(xs.iter().zip(&ys)).map(|(&c, (&x, &y))| self.choose(c, x, y)).collect();
        if self.elem(a) == Elem::I64 {
            return self.index_root(values[0]);
        }
        Bound { values, ..Bound::default() }
    }

    fn un(&mut self, op: UnOp, a: Val) -> Result<Bound, String> {
        if self.kernel.ty(a) == Type::Scalar(Elem::I64) && op == UnOp::Neg {
            return Ok(Bound { index: self.get(a).index.scaled(-1), ..Bound::default() });
        }
        let elem = self.elem(a);
        let values = self.values(a).into_iter().map(|x| self.un_value(op, elem, x)).collect::<Result<Vec<_>, _>>()?;
        if elem == Elem::I64 {
            return Ok(self.index_root(values[0]));
        }
        Ok(Bound { values, ..Bound::default() })
    }

    fn un_value(&mut self, op: UnOp, elem: Elem, x: Value) -> Result<Value, String> {
        let vector = self.b.func.dfg.value_type(x).is_vector();
        Ok(match (op, elem) {
            (UnOp::Neg, Elem::F32) => self.b.ins().fneg(x),
            (UnOp::Abs, Elem::F32) => self.b.ins().fabs(x),
            (UnOp::Sqrt, Elem::F32) => self.b.ins().sqrt(x),
            (UnOp::Floor, Elem::F32) => self.b.ins().floor(x),
            (UnOp::Round, Elem::F32) => self.b.ins().nearest(x),
            (UnOp::Neg, Elem::I32) => self.b.ins().ineg(x),
            (UnOp::Abs, Elem::I32 | Elem::I64) => self.b.ins().iabs(x),
            (UnOp::Not, Elem::Bool) if vector => self.b.ins().bnot(x),
            (UnOp::Not, Elem::Bool) => self.b.ins().bxor_imm_u(x, 1),
            _ => return Err(format!("{op:?} does not take {elem:?}")),
        })
    }

    fn fma(&mut self, a: Val, b: Val, c: Val) -> Result<Vec<Value>, String> {
        if !self.target.fma {
            return Err(format!("target {} has no fused multiply-add", self.target.name));
        }
        // The machine overwrites the first factor, so a broadcast made for this use goes there.
        let (a, b) = if self.get(b).again.is_some() { (b, a) } else { (a, b) };
        let (xs, ys, zs) = (self.values(a), self.values(b), self.values(c));
        Ok(xs.iter().zip(ys.iter().zip(&zs)).map(|(&x, (&y, &z))| self.b.ins().fma(x, y, z)).collect())
    }

    fn cmp(&mut self, op: CmpOp, a: Val, b: Val) -> Vec<Value> {
        let elem = self.elem(a);
        let (xs, ys) = (self.values(a), self.values(b));
        xs.iter().zip(&ys).map(|(&x, &y)| self.cmp_value(op, elem, x, y)).collect()
    }

    /// Cranelift merges a load with the comparison that reads it, and without AVX that faults at an address which is not a
    /// multiple of 16. It merges nothing across a sequence point, which is not an instruction of the machine.
    fn keep_loads_apart(&mut self, operands: &[Value]) {
        let is_load = |&value: &Value| match self.b.func.dfg.value_def(value) {
            ValueDef::Result(inst, _) => self.b.func.dfg.insts[inst].opcode() == Opcode::Load,
            _ => false,
        };
        let vector = operands.iter().any(|&value| self.b.func.dfg.value_type(value).is_vector());
        if vector && !self.target.fma && operands.iter().any(is_load) {
            self.b.ins().sequence_point();
        }
    }

    fn cmp_value(&mut self, op: CmpOp, elem: Elem, x: Value, y: Value) -> Value {
        if elem == Elem::F32 {
            let condition = match op {
                CmpOp::Eq => FloatCC::Equal,
                CmpOp::Ne => FloatCC::NotEqual,
                CmpOp::Lt => FloatCC::LessThan,
                CmpOp::Le => FloatCC::LessThanOrEqual,
            };
            self.keep_loads_apart(&[x, y]);
            return self.b.ins().fcmp(condition, x, y);
        }
        // False is below true, both as 0 and 1 and as masks, if compared without sign.
        let condition = match (op, elem == Elem::Bool) {
            (CmpOp::Eq, _) => IntCC::Equal,
            (CmpOp::Ne, _) => IntCC::NotEqual,
            (CmpOp::Lt, false) => IntCC::SignedLessThan,
            (CmpOp::Le, false) => IntCC::SignedLessThanOrEqual,
            (CmpOp::Lt, true) => IntCC::UnsignedLessThan,
            (CmpOp::Le, true) => IntCC::UnsignedLessThanOrEqual,
        };
        self.b.ins().icmp(condition, x, y)
    }

    fn convert(&mut self, op: CastOp, a: Val) -> Result<Bound, String> {
        match op {
            CastOp::I32ToI64 => {
                let narrow = self.scalar(a);
                let wide = self.b.ins().sextend(types::I64, narrow);
                Ok(self.index_root(wide))
            }
            CastOp::I64ToI32 => {
                let wide = self.scalar(a);
                Ok(Bound { values: vec![self.b.ins().ireduce(types::I32, wide)], ..Bound::default() })
            }
            _ => {
                let values = self.values(a).into_iter().map(|x| self.convert_value(op, x)).collect();
                Ok(Bound { values, ..Bound::default() })
            }
        }
    }

    fn convert_value(&mut self, op: CastOp, x: Value) -> Value {
        let vector = self.b.func.dfg.value_type(x).is_vector();
        let ty = |elem: Elem| -> ClifType { if vector { vector_type(elem) } else { scalar_type(elem) } };
        match op {
            CastOp::I32ToF32 => self.b.ins().fcvt_from_sint(ty(Elem::F32), x),
            CastOp::F32ToI32 => self.truncate(x),
            CastOp::F32Bits => self.cast(ty(Elem::I32), x),
            CastOp::BitsF32 => self.cast(ty(Elem::F32), x),
            CastOp::BoolToI32 if vector => self.b.ins().ineg(x),
            CastOp::BoolToI32 => self.b.ins().uextend(types::I32, x),
            CastOp::I32ToI64 | CastOp::I64ToI32 => unreachable!("scalar conversions are done by the caller"),
        }
    }

    /// f32 to i32 towards zero; what is out of range gives the machine's own answer and never traps.
    fn truncate(&mut self, x: Value) -> Value {
        let vector = self.b.func.dfg.value_type(x).is_vector();
        match (self.x86(), vector) {
            (true, true) => self.b.ins().x86_cvtt2dq(types::I32X4, x),
            (true, false) => {
                let lanes = self.b.ins().scalar_to_vector(types::F32X4, x);
                let whole = self.b.ins().x86_cvtt2dq(types::I32X4, lanes);
                self.b.ins().extractlane(whole, 0)
            }
            (false, true) => self.b.ins().fcvt_to_sint_sat(types::I32X4, x),
            (false, false) => self.b.ins().fcvt_to_sint_sat(types::I32, x),
        }
    }

    /// Element type of a scalar or vector.
    pub(crate) fn elem(&self, v: Val) -> Elem {
        match self.kernel.ty(v) {
            Type::Scalar(elem) | Type::Vector(elem) => elem,
            Type::Tile { .. } => unreachable!("tiles are refused where they are made"),
        }
    }
    /// Whether the value has lanes.
    pub(crate) fn is_vector(&self, v: Val) -> bool {
        matches!(self.kernel.ty(v), Type::Vector(_))
    }
}

/// What is known of a constant; it is emitted where it is used.
fn constant(c: Const) -> Bound {
    let index = if let Const::I64(x) = c { Index::constant(x) } else { Index::default() };
    Bound { index, constant: Some(c), ..Bound::default() }
}

/// A known index operation; divisors are positive.
fn fold(op: BinOp, x: i64, y: i64) -> i64 {
    match op {
        BinOp::Add => x.wrapping_add(y),
        BinOp::Sub => x.wrapping_sub(y),
        BinOp::Mul => x.wrapping_mul(y),
        BinOp::Div => x.div_euclid(y),
        BinOp::Rem => x.rem_euclid(y),
        BinOp::Min => x.min(y),
        BinOp::Max => x.max(y),
        BinOp::And => x & y,
        BinOp::Or => x | y,
        BinOp::Xor => x ^ y,
        BinOp::Shl => x.wrapping_shl(y as u32),
        BinOp::Shr => x.wrapping_shr(y as u32),
    }
}

/// A divisor that is known and positive.
fn divisor(known: Option<i64>) -> Result<i64, String> {
    match known {
        Some(d) if d > 0 => Ok(d),
        Some(d) => Err(format!("division by {d} is not defined")),
        None => Err("division needs a constant divisor".into()),
    }
}
