//! Loops and branches: unrolling, carried values, known conditions.
//!
//! ```text
//!   for i in 0..10 unroll 4 { B }   ⇒   for i in 0..8 step 4 { B(i) B(i+1) B(i+2) B(i+3) }
//!                                       for i in 8..10 { B(i) }
//! ```
//!
//! A loop that runs once, or no more often than its `unroll`, disappears. A remainder of one iteration is
//! written out. Where the bounds are not known the split point is computed: whole groups are
//! `max((hi − lo + step − 1) div (step·unroll), 0)`.

use super::{
    inserter::Opening,
    simplifier::{INDEX, Mapped, Simplifier},
};
use crate::affine::{Affine, Range};
use regard_ir::kernel::{BinOp, Body, Const, Inst, Stmt, Type, Val};

/// An old loop's parts that do not change while its copies are written.
struct Loop<'a> {
    step: i64,
    index: Val,
    params: &'a [Val],
    body: &'a Body,
}

impl Simplifier<'_> {
    pub(super) fn for_loop(&mut self, stmt: &Stmt) {
        let Inst::For { lo, hi, step, unroll, init, index, params, body } = &stmt.inst else {
            unreachable!("called for loops")
        };
        let parts = Loop { step: *step, index: *index, params, body };
        let (lo, hi) = (self.index(*lo), self.index(*hi));
        let carried: Vec<Mapped> = init.iter().map(|&v| self.mapped(v)).collect();
        let copies = i64::from(*unroll).max(1);
        let results = match self.trips(&lo, &hi, *step) {
            Some(0) => carried,
            Some(trips) if trips == 1 || trips <= copies => self.written_out(&parts, &lo, trips, carried),
            Some(trips) if copies > 1 => self.split(&parts, &lo, &hi, trips, copies, carried),
            None if copies > 1 => self.split_unknown(&parts, &lo, &hi, copies, carried),
            _ => self.kept(&parts, &lo, &hi, 1, carried),
        };
        stmt.results.iter().zip(results).for_each(|(&old, new)| self.set(old, new));
    }
    /// How often the loop runs, if that is known.
    fn trips(&self, lo: &Affine, hi: &Affine, step: i64) -> Option<i64> {
        let length = hi.plus(lo, -1);
        let range = self.range(&length);
        match length.as_constant() {
            Some(length) => Some(if length <= 0 { 0 } else { (length - 1) / step + 1 }),
            None if !range.is_all() && range.max <= 0 => Some(0),
            None if !range.is_all() && range.min > 0 && range.max <= step => Some(1),
            None => None,
        }
    }
    fn written_out(&mut self, parts: &Loop, lo: &Affine, trips: i64, mut carried: Vec<Mapped>) -> Vec<Mapped> {
        for trip in 0..trips {
            carried = self.copy(parts, lo.offset(trip * parts.step), carried);
        }
        carried
    }
    /// Writes the body once; returns what it yields.
    fn copy(&mut self, parts: &Loop, index: Affine, carried: Vec<Mapped>) -> Vec<Mapped> {
        self.set(parts.index, Mapped::Index(index));
        parts.params.iter().zip(carried).for_each(|(&param, new)| self.set(param, new));
        self.stmts(parts.body);
        parts.body.yields.iter().map(|&v| self.mapped(v)).collect()
    }
    fn split(
        &mut self,
        parts: &Loop,
        lo: &Affine,
        hi: &Affine,
        trips: i64,
        copies: i64,
        carried: Vec<Mapped>,
    ) -> Vec<Mapped> {
        let (groups, rest) = (trips / copies, trips % copies);
        let middle = lo.offset(groups * copies * parts.step);
        let carried = match groups {
            1 => self.written_out(parts, lo, copies, carried),
            _ => self.kept(parts, lo, &middle, copies, carried),
        };
        match rest {
            0 => carried,
            1 => self.copy(parts, middle, carried),
            _ => self.kept(parts, &middle, hi, 1, carried),
        }
    }
    fn split_unknown(
        &mut self,
        parts: &Loop,
        lo: &Affine,
        hi: &Affine,
        copies: i64,
        carried: Vec<Mapped>,
    ) -> Vec<Mapped> {
        let group = parts.step * copies;
        let length = hi.plus(lo, -1).offset(parts.step - 1);
        let groups = self.index_op(BinOp::Div, &length, &Affine::constant(group));
        let groups = self.index_op(BinOp::Max, &groups, &Affine::constant(0));
        let whole = self.index_op(BinOp::Mul, &groups, &Affine::constant(group));
        let middle = self.bounded(lo.plus(&whole, 1));
        let carried = self.kept(parts, lo, &middle, copies, carried);
        self.kept(parts, &middle, hi, 1, carried)
    }

    /// Writes a loop whose body holds `copies` of the old one. Values that the body hands on unchanged are
    /// not carried.
    fn kept(&mut self, parts: &Loop, lo: &Affine, hi: &Affine, copies: i64, init: Vec<Mapped>) -> Vec<Mapped> {
        let length = self.range(&hi.plus(lo, -1));
        let executes_at_least_once = !length.is_all() && length.min > 0;
        let changes: Vec<bool> = parts.params.iter().zip(&parts.body.yields).map(|(p, y)| p != y).collect();
        let (lo_value, hi_value) = (self.materialise(lo), self.materialise(hi));
        let mut starts = Vec::new();
        for (mapped, _) in init.iter().zip(&changes).filter(|(_, changes)| **changes) {
            starts.push(self.in_register(mapped));
        }
        let written = self.written_in(parts.body);
        self.advance(&written);

        self.inserter.open(Opening::Loop { executes_at_least_once });
        let inside = self.inserter.level();
        let index = self.inserter.value(INDEX, inside);
        self.inserter.fact_mut(index).range = self.index_range(lo, hi, parts.step * copies);
        let types: Vec<Type> = starts.iter().map(|&v| self.inserter.types[v]).collect();
        let params: Vec<Val> = types.iter().map(|&ty| self.inserter.value(ty, inside)).collect();
        let mut fresh = params.iter();
        let mut carried: Vec<Mapped> = init
            .iter()
            .zip(&changes)
            .map(
                |(mapped, &changes)| {
                    if changes { self.new_value(*fresh.next().expect("one each")) } else { mapped.clone() }
                },
            )
            .collect();
        for copy in 0..copies {
            carried = self.copy(parts, Affine::atom(index).offset(copy * parts.step), carried);
        }
        let mut yields = Vec::new();
        for (mapped, _) in carried.iter().zip(&changes).filter(|(_, changes)| **changes) {
            yields.push(self.in_register(mapped));
        }
        let body = self.inserter.close(yields);
        self.advance(&written);

        let step = parts.step * copies;
        let inst = Inst::For { lo: lo_value, hi: hi_value, step, unroll: 1, init: starts, index, params, body };
        let results = self.inserter.here(inst, &types);
        let mut results = results.into_iter();
        let pick = |(mapped, changes): (Mapped, bool)| match changes {
            true => self.new_value(results.next().expect("one each")),
            false => mapped,
        };
        init.into_iter().zip(changes).map(pick).collect()
    }
    /// Bounds of a loop's index; the last one lies a whole number of steps from the first.
    fn index_range(&self, lo: &Affine, hi: &Affine, step: i64) -> Range {
        let (first, end) = (self.range(lo), self.range(hi));
        if first.is_all() || end.is_all() {
            return Range::ALL;
        }
        let last = match self.trips(lo, hi, step) {
            Some(trips) => i128::from(first.max) + i128::from(trips - 1) * i128::from(step),
            None => i128::from(end.max) - 1,
        };
        Range::of(i128::from(first.min), last)
    }
    fn in_register(&mut self, mapped: &Mapped) -> Val {
        match mapped {
            Mapped::Value(v) => *v,
            Mapped::Index(form) => self.materialise(form),
        }
    }

    pub(super) fn branch(&mut self, cond: Val, then: &Body, otherwise: &Body, results: &[Val]) {
        let cond = self.operand(cond);
        if let Some(Const::Bool(taken)) = self.inserter.constant_of(cond) {
            let side = if taken { then } else { otherwise };
            self.stmts(side);
            for (&result, &value) in results.iter().zip(&side.yields) {
                let mapped = self.mapped(value);
                self.set(result, mapped);
            }
            return;
        }
        let mut then = self.side(then);
        let mut otherwise = self.side(otherwise);
        let differs: Vec<bool> = then.yields.iter().zip(&otherwise.yields).map(|(a, b)| a != b).collect();
        let common = then.yields.clone();
        for side in [&mut then, &mut otherwise] {
            let mut keep = differs.iter();
            side.yields.retain(|_| *keep.next().expect("one each"));
        }
        let types: Vec<Type> = then.yields.iter().map(|&v| self.inserter.types[v]).collect();
        let mut merged = self.inserter.here(Inst::If { cond, then, otherwise }, &types).into_iter();
        for ((&result, &differs), same) in results.iter().zip(&differs).zip(common) {
            let value = if differs { merged.next().expect("one each") } else { same };
            let mapped = self.new_value(value);
            self.set(result, mapped);
        }
    }
    fn side(&mut self, body: &Body) -> Body {
        self.inserter.open(Opening::Branch);
        self.stmts(body);
        let mut yields = Vec::new();
        for &old in &body.yields {
            yields.push(self.operand(old));
        }
        self.inserter.close(yields)
    }
}
