//! Visiting a kernel: what a statement defines, and all that lies in a body.
//!
//! ```text
//!   1  v0 = …
//!   2  for v1 in … {          walk           statements 1 2 3 4 5, in the order of the text
//!   3    if v2 {              walk_bodies    the outermost body, that of 2, both sides of 3
//!   4      store … } }        written        the buffer of 4
//!   5  v3 = …
//! ```
//!
//! An analysis is an iterator over one of these. By hand a pass goes through `for` and `if` only where it does
//! something at their braces: printer, verifier, interpreter and counter in `ir`, simplification, address reduction,
//! planning and the emitters in `codegen`.

use super::{Body, Buf, Inst, Stmt, Val};
use std::{collections::BTreeSet, iter};

impl Inst {
    /// This instruction, then every one nested in it, in the order of the text.
    pub fn walk(&self) -> impl Iterator<Item = &Inst> {
        iter::once(self).chain(self.bodies().flat_map(Body::walk).map(|stmt| &stmt.inst))
    }
    /// Whether the instruction, or one nested in it, writes memory or orders memory accesses.
    pub fn has_effect(&self) -> bool {
        self.walk().any(|inst| matches!(inst, Inst::Barrier) || inst.written().is_some())
    }
}

impl Stmt {
    /// The values this statement defines: results, then what a loop's body sees.
    pub fn definitions(&self) -> impl Iterator<Item = Val> {
        let (index, params): (_, &[Val]) = match &self.inst {
            Inst::For { index, params, .. } => (Some(index), params),
            _ => (None, &[]),
        };
        self.results.iter().chain(index).chain(params).copied()
    }
}

impl Body {
    /// Every statement here and in nested bodies, in the order of the text.
    pub fn walk(&self) -> impl Iterator<Item = &Stmt> {
        let mut open = vec![self.stmts.iter()];
        iter::from_fn(move || {
            loop {
                match open.last_mut()?.next() {
                    Some(stmt) => {
                        open.extend(stmt.inst.bodies().rev().map(|body| body.stmts.iter()));
                        return Some(stmt);
                    }
                    None => open.pop(),
                };
            }
        })
    }
    /// This body and every body nested in it, outer ones first.
    pub fn walk_bodies(&self) -> impl Iterator<Item = &Body> {
        iter::once(self).chain(self.walk().flat_map(|stmt| stmt.inst.bodies()))
    }
    /// Calls `f` on this body, then on every body nested in what that left.
    pub fn walk_bodies_mut(&mut self, f: &mut impl FnMut(&mut Body)) {
        f(self);
        self.stmts.iter_mut().flat_map(|stmt| stmt.inst.bodies_mut()).for_each(|body| body.walk_bodies_mut(f));
    }
    /// The buffers that are written here.
    pub fn written(&self) -> BTreeSet<Buf> {
        self.walk().filter_map(|stmt| stmt.inst.written()).collect()
    }
    /// Whether there is a loop in it.
    pub fn has_loop(&self) -> bool {
        self.walk().any(|stmt| matches!(stmt.inst, Inst::For { .. }))
    }
}
