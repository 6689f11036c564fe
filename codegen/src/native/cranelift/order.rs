//! The order of multiply-adds, for a machine that overwrites a factor.
//!
//! `vfmadd213ps` leaves its sum in the register of its first factor, so an accumulator moves to a new
//! register in every copy of an unrolled body, and its old register is free for the next one:
//!
//! ```text
//!   copy 1   a b c d   →   R0 R1 R2 R3  become  T R0 R1 R2      same order again: nothing is where the
//!   copy 2   d c b a   →    T R0 R1 R2  become  R0 R1 R2 R3     loop wants it; backwards: everything is
//! ```
//!
//! So every second stretch of independent multiply-adds is turned around, and a loop of an even number of
//! copies needs one register more than it has accumulators and no moves.

use super::rematerialize;
use regard_ir::{
    id::Id,
    kernel::{Body, Inst, Kernel, Stmt, Val},
};

/// Turns every second stretch of independent multiply-adds around.
pub(super) fn fma_order(kernel: &mut Kernel) {
    let repeated = rematerialize::repeated(kernel);
    let mut order = Order { repeated, forward: vec![false; kernel.types.len()] };
    kernel.body.walk_bodies_mut(&mut |body| order.body(body));
}

struct Order {
    /// Broadcasts that are made anew at each use, so that moving them costs nothing.
    repeated: Vec<bool>,
    /// Sums made in a stretch that was not turned around.
    forward: Vec<bool>,
}

impl Order {
    fn body(&mut self, body: &mut Body) {
        let mut out = Vec::with_capacity(body.stmts.len());
        let mut stretch: Vec<Stmt> = Vec::new();
        for stmt in std::mem::take(&mut body.stmts) {
            let joins = match &stmt.inst {
                Inst::Fma(..) => !depends(&stmt, &stretch),
                Inst::Bcast(_) if self.repeated[stmt.results[0].index()] => {
                    out.push(stmt);
                    continue;
                }
                _ => false,
            };
            if !joins {
                self.close(&mut stretch, &mut out);
            }
            let into = if matches!(stmt.inst, Inst::Fma(..)) { &mut stretch } else { &mut out };
            into.push(stmt);
        }
        self.close(&mut stretch, &mut out);
        body.stmts = out;
    }

    fn close(&mut self, stretch: &mut Vec<Stmt>, out: &mut Vec<Stmt>) {
        let backwards =
            matches!(stretch.first(), Some(Stmt { inst: Inst::Fma(_, _, sum), .. }) if self.forward[sum.index()]);
        if backwards {
            stretch.reverse();
        }
        for stmt in stretch.iter() {
            self.forward[stmt.results[0].index()] = !backwards;
        }
        out.append(stretch);
    }
}

/// Whether a statement uses a result of the stretch.
fn depends(stmt: &Stmt, stretch: &[Stmt]) -> bool {
    let made = |v: Val| stretch.iter().any(|s| s.results.contains(&v));
    stmt.inst.operands().any(made)
}
