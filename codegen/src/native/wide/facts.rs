//! What selection must know about a kernel before it starts: what is dead, who uses what, and how often.
//!
//! * [`prune`] drops statements whose results nobody needs.
//! * A full-vector load with one user in the same body is *folded*: the user reads memory itself, if it
//!   has a memory operand and nothing in between may write the buffer.
//! * A scalar comparison with one user in the same body is *fused*: the branch or select compares.
//! * An index is *bounded* if it is known to lie in `0..=upper_bound`; dividing it needs no care for its sign.
//! * A value *dies* at the last use in the body that defines it. There its register is free to be
//!   overwritten, which decides between the forms of an FMA.

use regard_ir::{
    id::{Id, IdVec},
    kernel::{BinOp, Body, Buf, CastOp, Const, Elem, IdAxis, Inst, Kernel, Stmt, Type, UnOp, Val},
    types::DType,
};

/// The same kernel without pure statements whose results are unused.
pub(crate) fn prune(mut kernel: Kernel) -> Kernel {
    let mut needed = vec![false; kernel.types.len()];
    prune_body(&mut kernel.body, &mut needed);
    kernel
}

fn prune_body(body: &mut Body, needed: &mut [bool]) {
    body.yields.iter().for_each(|v| needed[v.index()] = true);
    let mut kept = Vec::with_capacity(body.stmts.len());
    while let Some(mut stmt) = body.stmts.pop() {
        if !stmt.inst.has_effect() && !stmt.results.iter().any(|v| needed[v.index()]) {
            continue;
        }
        stmt.inst.bodies_mut().for_each(|body| prune_body(body, needed));
        stmt.inst.operands().for_each(|v| needed[v.index()] = true);
        kept.push(stmt);
    }
    kept.reverse();
    body.stmts = kept;
}

/// A place in a kernel: the number of a body, in the order in which a walk enters them, and of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    body: usize,
    stmt: usize,
}

const NOWHERE: Place = Place { body: usize::MAX, stmt: usize::MAX };

/// Facts about each value of a pruned kernel.
pub(crate) struct SelectionFacts {
    uses: Vec<u32>,
    home: Vec<usize>,
    last: Vec<Place>,
    folded: Vec<bool>,
    fused_compare: Vec<bool>,
    is_count: Vec<bool>,
    /// The largest value of an integer that is never negative, where both are known.
    upper_bound: Vec<Option<i64>>,
    here: Place,
    bodies: usize,
}

impl SelectionFacts {
    /// Surveys `kernel`, which must be pruned.
    pub(crate) fn new(kernel: &Kernel) -> SelectionFacts {
        let n = kernel.types.len();
        let mut facts = SelectionFacts {
            uses: vec![0; n],
            home: vec![usize::MAX; n],
            last: vec![NOWHERE; n],
            folded: vec![false; n],
            fused_compare: vec![false; n],
            is_count: vec![false; n],
            upper_bound: vec![None; n],
            here: NOWHERE,
            bodies: 0,
        };
        facts.survey(kernel, &kernel.body, &[]);
        kernel.body.walk_bodies().for_each(|body| facts.fold(kernel, body));
        facts.bodies = 0;
        facts
    }
    /// Whether this load is read by its user.
    pub(crate) fn is_folded(&self, v: Val) -> bool {
        self.folded[v.index()]
    }
    /// Whether this comparison is made by its user.
    pub(crate) fn is_fused_compare(&self, v: Val) -> bool {
        self.fused_compare[v.index()]
    }
    /// Whether this value says how many lanes an access touches.
    pub(crate) fn is_count(&self, v: Val) -> bool {
        self.is_count[v.index()]
    }
    /// Whether `v` is not needed after the current statement.
    pub(crate) fn dies_here(&self, v: Val) -> bool {
        self.home[v.index()] == self.here.body && self.last[v.index()] == self.here
    }
    /// The largest value that `v` can have, if it is an integer known never to be negative.
    pub(crate) fn upper_bound(&self, v: Val) -> Option<i64> {
        self.upper_bound[v.index()]
    }
    /// A walk that visits bodies in text order enters one; returns where it was, for [`leave`](Self::leave).
    pub(crate) fn enter(&mut self) -> Place {
        let outer = self.here;
        self.here = Place { body: self.bodies, stmt: 0 };
        self.bodies += 1;
        outer
    }
    /// The walk returns to where [`enter`](Self::enter) left.
    pub(crate) fn leave(&mut self, outer: Place) {
        self.here = outer;
    }
    /// The walk passes over a body.
    pub(crate) fn skip(&mut self, body: &Body) {
        self.bodies += body.walk_bodies().count();
    }
    /// The walk reached statement `stmt` of the body.
    pub(crate) fn at(&mut self, stmt: usize) {
        self.here.stmt = stmt;
    }

    fn survey(&mut self, kernel: &Kernel, body: &Body, params: &[Val]) {
        let outer = self.enter();
        let number = self.here.body;
        params.iter().for_each(|p| self.home[p.index()] = number);
        for (at, Stmt { results, inst }) in body.stmts.iter().enumerate() {
            self.here = Place { body: number, stmt: at };
            inst.operands().for_each(|v| self.used(v));
            if let Inst::Load { active: Some(n), .. } | Inst::Store { active: Some(n), .. } = inst {
                self.is_count[n.index()] = true;
            }
            match inst {
                Inst::For { index, params, body, lo, hi, .. } => {
                    let params: Vec<Val> = params.iter().chain([index]).copied().collect();
                    self.upper_bound[index.index()] =
                        self.upper_bound(*lo).and(self.upper_bound(*hi)).map(|hi| (hi - 1).max(0));
                    self.survey(kernel, body, &params);
                }
                _ => inst.bodies().for_each(|b| self.survey(kernel, b, &[])),
            }
            if let [result] = results[..] {
                self.upper_bound[result.index()] = self.bound(kernel, inst);
            }
            results.iter().for_each(|v| self.home[v.index()] = number);
        }
        self.here = Place { body: number, stmt: usize::MAX };
        body.yields.iter().for_each(|&v| self.used(v));
        self.leave(outer);
    }
    fn bound(&self, kernel: &Kernel, inst: &Inst) -> Option<i64> {
        let scalar = |v: Val| if kernel.ty(v) == Type::Scalar(Elem::I64) { self.upper_bound(v) } else { None };
        match *inst {
            Inst::Const(Const::I64(c)) if c >= 0 => Some(c),
            Inst::Id(axis) => Some(match axis {
                IdAxis::G0 => kernel.grid[0] as i64 - 1,
                IdAxis::G1 => kernel.grid[1] as i64 - 1,
                IdAxis::G2 => kernel.grid[2] as i64 - 1,
                IdAxis::Unit => 0,
            }),
            Inst::Bin(BinOp::Add, a, b) => scalar(a)?.checked_add(scalar(b)?),
            Inst::Bin(BinOp::Mul, a, b) => scalar(a)?.checked_mul(scalar(b)?),
            Inst::Bin(BinOp::Min, a, b) => Some(scalar(a)?.min(scalar(b)?)),
            Inst::Bin(BinOp::Max, a, b) => Some(scalar(a)?.max(scalar(b)?)),
            // Divisors are positive constants, so a bound of one is its value.
            Inst::Bin(BinOp::Div, a, b) => Some(scalar(a)? / scalar(b)?.max(1)),
            Inst::Bin(BinOp::Rem, _, b) => Some(scalar(b)? - 1),
            _ => None,
        }
    }
    fn used(&mut self, v: Val) {
        self.uses[v.index()] += 1;
        self.last[v.index()] = self.here;
    }

    fn fold(&mut self, kernel: &Kernel, body: &Body) {
        let mut loads: Vec<(Val, Buf)> = Vec::new();
        let mut compares: Vec<Val> = Vec::new();
        for Stmt { results, inst } in &body.stmts {
            let fitting = memory_operands(inst, &kernel.types).into_iter().find(|v| loads.iter().any(|l| l.0 == *v));
            if let Some(v) = fitting {
                self.folded[v.index()] = true;
            }
            if let Inst::If { cond: c, .. } | Inst::Select(c, ..) = inst
                && compares.contains(c)
            {
                self.fused_compare[c.index()] = true;
            }
            loads.retain(|load| !changes(inst, load.1));
            let [result] = results[..] else { continue };
            match inst {
                Inst::Load { addr, active: None, stride: 1 }
                    if self.uses[result.index()] == 1
                        && matches!(kernel.buffers[addr.buf].dtype, DType::F32 | DType::I32) =>
                {
                    loads.push((result, addr.buf));
                }
                Inst::Cmp(_, a, _)
                    if self.uses[result.index()] == 1
                        && matches!(kernel.ty(*a), Type::Scalar(Elem::I32 | Elem::I64)) =>
                {
                    compares.push(result);
                }
                _ => {}
            }
        }
    }
}

/// The operands that the x86 instruction can read from memory, best first.
fn memory_operands(inst: &Inst, types: &IdVec<Val, Type>) -> Vec<Val> {
    let float = |v: Val| types[v] == Type::Vector(Elem::F32);
    match *inst {
        Inst::Bin(BinOp::Add | BinOp::Mul | BinOp::And | BinOp::Or | BinOp::Xor, a, b) => vec![b, a],
        Inst::Bin(BinOp::Sub | BinOp::Min | BinOp::Max, _, b) => vec![b],
        Inst::Bin(BinOp::Div, _, b) if float(b) => vec![b],
        Inst::Fma(a, b, c) if a != b && c != a && c != b => vec![b, a, c],
        Inst::Un(UnOp::Sqrt | UnOp::Floor | UnOp::Round, a) => vec![a],
        Inst::Cmp(_, _, b) if float(b) => vec![b],
        Inst::Select(_, a, _) => vec![a],
        Inst::Cast(CastOp::I32ToF32 | CastOp::F32ToI32, a) => vec![a],
        _ => Vec::new(),
    }
}

/// Whether a load from `buf` may give something else after `inst`.
fn changes(inst: &Inst, buf: Buf) -> bool {
    inst.walk().any(|inst| matches!(inst, Inst::Barrier) || inst.written() == Some(buf))
}
