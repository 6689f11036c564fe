//! The walk: old statements in, new statements out.
//!
//! Old values map to new ones, i64 values to affine forms. A form becomes registers only where an
//! instruction needs it ([`Simplifier::operand`]); an address takes the terms as its index and the constant
//! as its offset.

use super::inserter::{Hoist, Inserter};
use crate::affine::{Affine, Range};
use regard_ir::{
    id::Id,
    kernel::{Addr, BinOp, Body, Buf, CastOp, Const, Elem, IdAxis, Inst, Kernel, Stmt, Type, UnOp, Val},
};
use std::collections::BTreeSet;

/// Terms a form may have; a longer sum becomes an atom.
const MAX_TERMS: usize = 4;

pub(super) const INDEX: Type = Type::Scalar(Elem::I64);

/// What an old value is mapped to.
#[derive(Clone)]
pub(super) enum Mapped {
    Value(Val),
    Index(Affine),
}

/// The state of one walk.
pub(super) struct Simplifier<'a> {
    pub old: &'a Kernel,
    pub inserter: Inserter,
    mapped: Vec<Option<Mapped>>,
    versions: Vec<u32>,
    writes: u32,
    written: BTreeSet<Buf>,
}

/// Walks once over a kernel. Values of the result are not numbered densely.
pub(super) fn rewrite(old: &Kernel) -> Kernel {
    let mut walk = Simplifier {
        old,
        inserter: Inserter::new(),
        mapped: vec![None; old.types.len()],
        versions: vec![0; old.buffers.len()],
        writes: 0,
        written: old.body.written(),
    };
    walk.stmts(&old.body);
    let (types, body) = walk.inserter.finish();
    Kernel {
        name: old.name.clone(),
        unit: old.unit,
        lanes: old.lanes,
        units: old.units,
        grid: old.grid,
        buffers: old.buffers.clone(),
        types,
        body,
    }
}

impl Simplifier<'_> {
    pub(crate) fn stmts(&mut self, body: &Body) {
        for stmt in &body.stmts {
            self.stmt(stmt);
        }
    }
    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.inst {
            Inst::For { .. } => self.for_loop(stmt),
            Inst::If { cond, then, otherwise } => self.branch(*cond, then, otherwise, &stmt.results),
            Inst::Barrier => {
                self.inserter.here(Inst::Barrier, &[]);
                let written = self.written.clone();
                self.advance(&written);
            }
            Inst::Store { addr, .. } | Inst::StoreScalar { addr, .. } | Inst::TileStore { addr, .. } => {
                let buf = addr.buf;
                self.store(&stmt.inst);
                self.advance_one(buf);
            }
            Inst::Transpose(_) | Inst::TileZero { .. } | Inst::TileLoad { .. } | Inst::TileMma { .. } => {
                let inst = self.with_new_operands(&stmt.inst);
                let types: Vec<Type> = stmt.results.iter().map(|&v| self.old.ty(v)).collect();
                let values = self.inserter.here(inst, &types);
                stmt.results.iter().zip(values).for_each(|(&old, new)| self.set(old, Mapped::Value(new)));
            }
            inst => {
                let result = stmt.results[0];
                let mapped = match self.index_inst(inst, result) {
                    Some(form) => Mapped::Index(form),
                    None => Mapped::Value(self.value_inst(inst, result)),
                };
                self.set(result, mapped);
            }
        }
    }

    pub(crate) fn set(&mut self, old: Val, mapped: Mapped) {
        self.mapped[old.index()] = Some(mapped);
    }
    pub(crate) fn mapped(&self, old: Val) -> Mapped {
        self.mapped[old.index()].clone().expect("operands come before their users")
    }
    /// The new value of an old one, in a register.
    pub(crate) fn operand(&mut self, old: Val) -> Val {
        match self.mapped(old) {
            Mapped::Value(v) => v,
            Mapped::Index(form) => self.materialise(&form),
        }
    }
    /// The affine form of an old i64 value.
    pub(crate) fn index(&mut self, old: Val) -> Affine {
        match self.mapped(old) {
            Mapped::Index(form) => form,
            Mapped::Value(v) => unreachable!("{v} is not an index"),
        }
    }
    pub(crate) fn range(&self, form: &Affine) -> Range {
        form.range(|v| self.inserter.range_of(v))
    }

    /// Puts a form into a register. A constant minus something starts with the constant.
    pub(crate) fn materialise(&mut self, form: &Affine) -> Val {
        let negative = form.constant != 0 && form.terms.first().is_some_and(|t| t.1 == -1);
        let mut so_far = Affine::constant(if negative { form.constant } else { 0 });
        let mut sum = negative.then(|| self.inserter.constant(Const::I64(form.constant), INDEX));
        for &(atom, coefficient) in &form.terms {
            let term = Affine { terms: vec![(atom, coefficient)], constant: 0 };
            so_far = so_far.plus(&term, 1);
            sum = Some(match sum {
                Some(sum) if coefficient == -1 => self.index_bin(BinOp::Sub, sum, atom, &so_far),
                Some(sum) => {
                    let product = self.product(atom, coefficient, &term);
                    self.index_bin(BinOp::Add, sum, product, &so_far)
                }
                None => self.product(atom, coefficient, &term),
            });
        }
        match sum {
            None => self.inserter.constant(Const::I64(form.constant), INDEX),
            Some(sum) if so_far.constant == form.constant => sum,
            Some(sum) => {
                let constant = self.inserter.constant(Const::I64(form.constant), INDEX);
                self.index_bin(BinOp::Add, sum, constant, form)
            }
        }
    }
    fn product(&mut self, atom: Val, coefficient: i64, term: &Affine) -> Val {
        if coefficient == 1 {
            return atom;
        }
        let factor = self.inserter.constant(Const::I64(coefficient), INDEX);
        self.index_bin(BinOp::Mul, atom, factor, term)
    }
    fn index_bin(&mut self, op: BinOp, a: Val, b: Val, form: &Affine) -> Val {
        let range = self.range(form);
        let value = self.inserter.reuse(Inst::Bin(op, a, b), INDEX, Hoist::Always, 0);
        self.inserter.fact_mut(value).range = range;
        value
    }
    /// A form of one term, without constant, and with what it leaves out: `form = atom + constant`.
    pub(crate) fn as_atom(&mut self, form: &Affine) -> (Val, i64) {
        let sum = Affine { terms: form.terms.clone(), constant: 0 };
        (self.materialise(&sum), form.constant)
    }
    /// The form, or an atom for it if it has too many terms.
    pub(crate) fn bounded(&mut self, form: Affine) -> Affine {
        if form.terms.len() <= MAX_TERMS {
            return form;
        }
        let (atom, constant) = self.as_atom(&form);
        Affine::atom(atom).offset(constant)
    }

    /// The form of an instruction's i64 result, or `None` if its result is not i64.
    fn index_inst(&mut self, inst: &Inst, result: Val) -> Option<Affine> {
        if self.old.ty(result) != INDEX {
            return None;
        }
        Some(match inst {
            Inst::Const(Const::I64(c)) => Affine::constant(*c),
            Inst::Id(axis) => self.grid_id(*axis),
            Inst::Bin(op, a, b) => {
                let (a, b) = (self.index(*a), self.index(*b));
                self.index_op(*op, &a, &b)
            }
            Inst::Select(cond, a, b) => {
                let (cond, a, b) = (self.operand(*cond), self.index(*a), self.index(*b));
                self.index_select(cond, a, b)
            }
            Inst::Cast(CastOp::I32ToI64, a) => {
                let a = self.operand(*a);
                match self.inserter.constant_of(a) {
                    Some(Const::I32(c)) => Affine::constant(i64::from(c)),
                    _ => {
                        let inst = Inst::Cast(CastOp::I32ToI64, a);
                        let range = Range { min: i64::from(i32::MIN), max: i64::from(i32::MAX) };
                        self.index_atom(inst, range, Hoist::Always)
                    }
                }
            }
            Inst::Un(UnOp::Neg, a) => self.index(*a).scaled(-1),
            other => {
                let inst = self.with_new_operands(other);
                self.index_atom(inst, Range::ALL, Hoist::Always)
            }
        })
    }
    fn grid_id(&mut self, axis: IdAxis) -> Affine {
        let count = match axis {
            IdAxis::G0 => self.old.grid[0],
            IdAxis::G1 => self.old.grid[1],
            IdAxis::G2 => self.old.grid[2],
            IdAxis::Unit => u64::from(self.old.units),
        };
        match count {
            1 => Affine::constant(0),
            _ => self.index_atom(Inst::Id(axis), Range::of(0, i128::from(count) - 1), Hoist::Always),
        }
    }
    /// An instruction that no form can express.
    pub(crate) fn index_atom(&mut self, inst: Inst, range: Range, hoist: Hoist) -> Affine {
        let value = self.inserter.reuse(inst, INDEX, hoist, 0);
        self.inserter.fact_mut(value).range = range;
        Affine::atom(value)
    }

    /// The new address of an old one.
    pub(crate) fn address(&mut self, old: Addr) -> Addr {
        let Some(index) = old.index else { return old };
        let form = self.index(index);
        let offset = old.offset.wrapping_add(form.constant);
        let terms = Affine { terms: form.terms, constant: 0 };
        let index = (!terms.terms.is_empty()).then(|| self.materialise(&terms));
        Addr { buf: old.buf, index, offset }
    }
    /// A copy of an instruction (not of its bodies) that reads the new values.
    pub(crate) fn with_new_operands(&mut self, inst: &Inst) -> Inst {
        let mut inst = inst.clone();
        let address = inst.address_mut().map(|addr| {
            let old = *addr;
            addr.index = None;
            old
        });
        inst.operands_mut().for_each(|v| *v = self.operand(*v));
        if let (Some(old), Some(addr)) = (address, inst.address_mut()) {
            *addr = self.address(old);
        }
        inst
    }

    /// Tells loads after this point from loads before it, for all buffers in `which`.
    pub(crate) fn advance(&mut self, which: &BTreeSet<Buf>) {
        which.iter().for_each(|&buf| self.advance_one(buf));
    }
    fn advance_one(&mut self, buf: Buf) {
        self.writes += 1;
        self.versions[buf.index()] = self.writes;
    }
    pub(crate) fn version(&self, buf: Buf) -> u32 {
        self.versions[buf.index()]
    }
    /// The buffers whose contents may differ after `body`; a barrier lets in what other units wrote.
    pub(crate) fn written_in(&self, body: &Body) -> BTreeSet<Buf> {
        let waits = body.walk().any(|stmt| matches!(stmt.inst, Inst::Barrier));
        if waits { self.written.clone() } else { body.written() }
    }
    /// Whether no unit writes the buffer in this kernel.
    pub(crate) fn is_read_only(&self, buf: Buf) -> bool {
        !self.written.contains(&buf)
    }
}
