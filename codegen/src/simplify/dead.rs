//! Removes what nobody uses and numbers values densely.
//!
//! Liveness runs backwards from writes and barriers. A value that a loop carries is live if its result is
//! used or if a live statement of the body reads it; then its start and its next value are live too. So an
//! accumulator that feeds only itself goes, with everything that computes it.

use regard_ir::{
    id::{Id, IdVec},
    kernel::{Body, Inst, Kernel, Stmt, Type, Val},
};

/// The kernel without dead statements, values numbered in the order of their definition.
pub(super) fn sweep(kernel: &Kernel) -> Kernel {
    let mut live = vec![false; kernel.types.len()];
    mark_body(&kernel.body, &mut live);
    let mut renumber = Renumber { old: kernel, live, types: IdVec::new(), new: vec![None; kernel.types.len()] };
    let body = renumber.body(&kernel.body, &[]);
    Kernel {
        name: kernel.name.clone(),
        unit: kernel.unit,
        lanes: kernel.lanes,
        units: kernel.units,
        grid: kernel.grid,
        buffers: kernel.buffers.clone(),
        types: renumber.types,
        body,
    }
}

fn mark_body(body: &Body, live: &mut [bool]) {
    body.stmts.iter().rev().for_each(|stmt| mark_stmt(stmt, live));
}

fn mark_stmt(stmt: &Stmt, live: &mut [bool]) {
    if !is_kept(stmt, live) {
        return;
    }
    match &stmt.inst {
        Inst::For { lo, hi, init, params, body, .. } => {
            live[lo.index()] = true;
            live[hi.index()] = true;
            let mut counted = vec![false; init.len()];
            loop {
                for i in 0..init.len() {
                    if !counted[i] && (live[stmt.results[i].index()] || live[params[i].index()]) {
                        counted[i] = true;
                        live[init[i].index()] = true;
                        live[body.yields[i].index()] = true;
                    }
                }
                mark_body(body, live);
                if (0..init.len()).all(|i| counted[i] || !live[params[i].index()]) {
                    return;
                }
            }
        }
        Inst::If { cond, then, otherwise } => {
            live[cond.index()] = true;
            for side in [then, otherwise] {
                for (result, value) in stmt.results.iter().zip(&side.yields) {
                    live[value.index()] |= live[result.index()];
                }
                mark_body(side, live);
            }
        }
        inst => inst.operands().for_each(|v| live[v.index()] = true),
    }
}

fn is_kept(stmt: &Stmt, live: &[bool]) -> bool {
    stmt.results.iter().any(|r| live[r.index()]) || stmt.inst.has_effect()
}

struct Renumber<'a> {
    old: &'a Kernel,
    live: Vec<bool>,
    types: IdVec<Val, Type>,
    new: Vec<Option<Val>>,
}

impl Renumber<'_> {
    fn define(&mut self, old: Val) -> Val {
        let new = self.types.push(self.old.ty(old));
        self.new[old.index()] = Some(new);
        new
    }
    fn of(&self, old: Val) -> Val {
        self.new[old.index()].expect("a live value is defined before its use")
    }
    /// The live statements of a body and its yields named in `keep`.
    fn body(&mut self, body: &Body, keep: &[bool]) -> Body {
        let mut stmts = Vec::with_capacity(body.stmts.len());
        for stmt in &body.stmts {
            if is_kept(stmt, &self.live) {
                stmts.push(self.stmt(stmt));
            }
        }
        let yields = kept(&body.yields, keep).map(|v| self.of(v)).collect();
        Body { stmts, yields }
    }
    fn stmt(&mut self, stmt: &Stmt) -> Stmt {
        let is_live = |v: &Val| self.live[v.index()];
        match &stmt.inst {
            Inst::For { lo, hi, step, unroll, init, index, params, body } => {
                let keep: Vec<bool> = stmt.results.iter().zip(params).map(|(r, p)| is_live(r) || is_live(p)).collect();
                let (lo, hi) = (self.of(*lo), self.of(*hi));
                let init = kept(init, &keep).map(|v| self.of(v)).collect();
                let index = self.define(*index);
                let params = kept(params, &keep).map(|v| self.define(v)).collect();
                let body = self.body(body, &keep);
                let results = kept(&stmt.results, &keep).map(|v| self.define(v)).collect();
                let inst = Inst::For { lo, hi, step: *step, unroll: *unroll, init, index, params, body };
                Stmt { results, inst }
            }
            Inst::If { cond, then, otherwise } => {
                let keep: Vec<bool> = stmt.results.iter().map(is_live).collect();
                let cond = self.of(*cond);
                let then = self.body(then, &keep);
                let otherwise = self.body(otherwise, &keep);
                let results = kept(&stmt.results, &keep).map(|v| self.define(v)).collect();
                Stmt { results, inst: Inst::If { cond, then, otherwise } }
            }
            inst => {
                let mut inst = inst.clone();
                inst.operands_mut().for_each(|v| *v = self.of(*v));
                let results = stmt.results.iter().map(|&v| self.define(v)).collect();
                Stmt { results, inst }
            }
        }
    }
}

fn kept<'a>(values: &'a [Val], keep: &'a [bool]) -> impl Iterator<Item = Val> + 'a {
    values.iter().zip(keep).filter(|(_, keep)| **keep).map(|(v, _)| *v)
}
