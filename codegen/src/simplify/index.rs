//! i64 operators on affine forms.
//!
//! Sums, differences and products with constants stay forms. A quotient or comparison is decided where the
//! ranges allow; they are used only when no sum involved can leave i64, so that the wrapped value is the
//! mathematical one:
//!
//! ```text
//!   (d·Q + R) div d = Q,   (d·Q + R) rem d = R      where 0 ≤ R < d
//! ```

use super::{
    fold,
    inserter::Hoist,
    simplifier::{INDEX, Mapped, Simplifier},
};
use crate::affine::{Affine, Range};
use regard_ir::kernel::{BinOp, CmpOp, Const, Elem, Inst, Type, Val};

/// Terms over which a product with a constant is distributed.
const DISTRIBUTED: usize = 2;

impl Simplifier<'_> {
    pub(super) fn index_op(&mut self, op: BinOp, a: &Affine, b: &Affine) -> Affine {
        if let (Some(x), Some(y)) = (a.as_constant(), b.as_constant())
            && let Some(Const::I64(c)) = fold::bin(op, Const::I64(x), Const::I64(y))
        {
            return Affine::constant(c);
        }
        match (op, a.as_constant(), b.as_constant()) {
            (BinOp::Add, ..) => self.bounded(a.plus(b, 1)),
            (BinOp::Sub, ..) => self.bounded(a.plus(b, -1)),
            (BinOp::Mul, _, Some(c)) => self.scaled(a, c),
            (BinOp::Mul, Some(c), _) => self.scaled(b, c),
            (BinOp::Shl, _, Some(c)) if (0..63).contains(&c) => self.scaled(a, 1 << c),
            (BinOp::Shr, _, Some(c)) if (0..63).contains(&c) => self.quotient(a, 1 << c),
            (BinOp::Div, _, Some(c)) if c > 0 => self.quotient(a, c),
            (BinOp::Rem, _, Some(c)) if c > 0 => self.remainder(a, c),
            (BinOp::Min | BinOp::Max, ..) => self.extremum(op, a, b),
            _ => {
                let inst = Inst::Bin(op, self.materialise(a), self.materialise(b));
                let hoist = if op == BinOp::Mul { Hoist::Always } else { Hoist::IfExecuted };
                let range = if op == BinOp::Mul { product_range(self.range(a), self.range(b)) } else { Range::ALL };
                self.index_atom(inst, range, hoist)
            }
        }
    }
    fn scaled(&mut self, a: &Affine, factor: i64) -> Affine {
        if factor == 0 || a.terms.len() <= DISTRIBUTED {
            return a.scaled(factor);
        }
        let (atom, constant) = self.as_atom(a);
        Affine::atom(atom).offset(constant).scaled(factor)
    }
    fn quotient(&mut self, a: &Affine, divisor: i64) -> Affine {
        let range = self.range(a);
        let (quotient, rest) = a.split(divisor);
        if divisor == 1 || (!range.is_all() && self.range(&rest).within(0, divisor - 1)) {
            return quotient;
        }
        let range = Range { min: range.min.div_euclid(divisor), max: range.max.div_euclid(divisor) };
        let value = self.materialise(a);
        let inst = if divisor.count_ones() == 1 {
            let shift = self.materialise(&Affine::constant(i64::from(divisor.trailing_zeros())));
            Inst::Bin(BinOp::Shr, value, shift)
        } else {
            let divisor = self.materialise(&Affine::constant(divisor));
            Inst::Bin(BinOp::Div, value, divisor)
        };
        self.index_atom(inst, range, Hoist::Always)
    }
    fn remainder(&mut self, a: &Affine, divisor: i64) -> Affine {
        if divisor == 1 {
            return Affine::constant(0);
        }
        let (_, rest) = a.split(divisor);
        let known = !self.range(a).is_all();
        if known && self.range(&rest).within(0, divisor - 1) {
            return rest;
        }
        let shorter = if known && !self.range(&rest).is_all() { &rest } else { a };
        let value = self.materialise(shorter);
        let by = self.materialise(&Affine::constant(divisor));
        self.index_atom(Inst::Bin(BinOp::Rem, value, by), Range { min: 0, max: divisor - 1 }, Hoist::Always)
    }
    fn extremum(&mut self, op: BinOp, a: &Affine, b: &Affine) -> Affine {
        let (ra, rb) = (self.range(a), self.range(b));
        let difference = self.difference(a, b);
        let (smaller, larger) = if op == BinOp::Min { (a, b) } else { (b, a) };
        if a == b || difference.is_some_and(|d| d.max <= 0) {
            return smaller.clone();
        }
        if difference.is_some_and(|d| d.min >= 0) {
            return larger.clone();
        }
        let range = match op {
            BinOp::Min => Range { min: ra.min.min(rb.min), max: ra.max.min(rb.max) },
            _ => Range { min: ra.min.max(rb.min), max: ra.max.max(rb.max) },
        };
        let inst = Inst::Bin(op, self.materialise(a), self.materialise(b));
        self.index_atom(inst, range, Hoist::Always)
    }
    /// Bounds of `a − b` as mathematical integers, if they are known.
    fn difference(&self, a: &Affine, b: &Affine) -> Option<Range> {
        if self.range(a).is_all() || self.range(b).is_all() {
            return None;
        }
        let range = self.range(&a.plus(b, -1));
        (!range.is_all()).then_some(range)
    }

    pub(super) fn index_cmp(&mut self, op: CmpOp, a: Val, b: Val) -> Val {
        let (a, b) = (self.index(a), self.index(b));
        let difference = if a == b { Some(Range::exactly(0)) } else { self.difference(&a, &b) };
        let known = difference.and_then(|d| match op {
            CmpOp::Lt => decide(d.max < 0, d.min >= 0),
            CmpOp::Le => decide(d.max <= 0, d.min > 0),
            CmpOp::Eq => decide(d == Range::exactly(0), d.max < 0 || d.min > 0),
            CmpOp::Ne => decide(d.max < 0 || d.min > 0, d == Range::exactly(0)),
        });
        let ty = Type::Scalar(Elem::Bool);
        if let Some(truth) = known {
            return self.inserter.constant(Const::Bool(truth), ty);
        }
        let inst = Inst::Cmp(op, self.materialise(&a), self.materialise(&b));
        self.inserter.reuse(inst, ty, Hoist::Always, 0)
    }
    pub(super) fn index_select(&mut self, cond: Val, a: Affine, b: Affine) -> Affine {
        match self.inserter.constant_of(cond) {
            Some(Const::Bool(true)) => return a,
            Some(Const::Bool(false)) => return b,
            _ if a == b => return a,
            _ => {}
        }
        let (ra, rb) = (self.range(&a), self.range(&b));
        let range = Range { min: ra.min.min(rb.min), max: ra.max.max(rb.max) };
        let inst = Inst::Select(cond, self.materialise(&a), self.materialise(&b));
        self.index_atom(inst, range, Hoist::Always)
    }
    /// A new value as what an old one is mapped to: i64 values are atoms of forms.
    pub(super) fn new_value(&self, value: Val) -> Mapped {
        match (self.inserter.types[value] == INDEX, self.inserter.constant_of(value)) {
            (true, Some(Const::I64(c))) => Mapped::Index(Affine::constant(c)),
            (true, _) => Mapped::Index(Affine::atom(value)),
            (false, _) => Mapped::Value(value),
        }
    }
}

fn decide(yes: bool, no: bool) -> Option<bool> {
    if yes { Some(true) } else { no.then_some(false) }
}

fn product_range(a: Range, b: Range) -> Range {
    if a.is_all() || b.is_all() {
        return Range::ALL;
    }
    let corner = |x: i64, y: i64| i128::from(x) * i128::from(y);
    let corners = [corner(a.min, b.min), corner(a.min, b.max), corner(a.max, b.min), corner(a.max, b.max)];
    Range::of(*corners.iter().min().expect("four"), *corners.iter().max().expect("four"))
}
