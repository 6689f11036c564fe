//! Instructions between the lanes of a warp.
//!
//! A reduction combines lane i with lane i + 16, then halves of that. An exchange across one bit of the lane
//! number (`bfly`) gives both lanes of a pair the same two operands, and float addition commutes, so all
//! lanes end with the sum in the fixed order. `min` and `max` of floats do not commute (−0, NaN): there
//! only lane 0 is right, and it is handed to all at the end.
//!
//! A transposition swaps, for each bit of the lane number in turn, that bit of the row with that of the lane:
//!
//! ```text
//!   row r    a b        row r    a c      lane with bit clear sends its row r+s,
//!   row r+s  c d   ⇒    row r+s  b d      lane with bit set its row r
//! ```

use super::{
    LANES,
    function::{Class, Emitter, Operand, Reg},
};
use regard_ir::kernel::{ReduceOp, Stmt, Val};

/// The last operands of every shuffle: no segments, all lanes take part.
const WHOLE_WARP: &str = "0x1f, 0xffffffff";

impl Emitter<'_> {
    pub(super) fn reduce(&mut self, result: Val, op: ReduceOp, a: Val) {
        let a = self.reg(a);
        let reduced = match (a.class, op) {
            (Class::Int, op) => {
                let name = reduce_name(op);
                self.compute(Class::Int, format_args!("redux.sync.{name}.s32"), format_args!("{a}, 0xffffffff"))
            }
            (_, ReduceOp::Sum) => self.halve(a, |e, x, step| {
                let other = e.exchange("bfly", x, step);
                e.compute(Class::Float, "add.rn.f32", format_args!("{x}, {other}"))
            }),
            (_, ReduceOp::Min) => self.reduce_extremum(a, "lt"),
            (_, ReduceOp::Max) => self.reduce_extremum(a, "gt"),
        };
        self.set(result, Operand::Reg(reduced));
    }
    fn halve(&mut self, mut x: Reg, step_of: impl Fn(&mut Self, Reg, u32) -> Reg) -> Reg {
        let mut step = LANES / 2;
        while step > 0 {
            x = step_of(self, x, step);
            step /= 2;
        }
        x
    }
    fn reduce_extremum(&mut self, a: Reg, less: &str) -> Reg {
        let first = self.halve(a, |e, x, step| {
            let other = e.exchange("down", x, step);
            let keep = e.compute(Class::Pred, format_args!("setp.{less}.f32"), format_args!("{x}, {other}"));
            e.compute(Class::Float, "selp.f32", format_args!("{x}, {other}, {keep}"))
        });
        self.exchange("idx", first, 0)
    }
    /// `x` of another lane; truth values travel as integers.
    fn exchange(&mut self, mode: &str, x: Reg, lane: impl std::fmt::Display) -> Reg {
        if x.class == Class::Pred {
            let bit = self.compute(Class::Int, "selp.b32", format_args!("1, 0, {x}"));
            let moved = self.exchange(mode, bit, lane);
            return self.compute(Class::Pred, "setp.ne.s32", format_args!("{moved}, 0"));
        }
        let opcode = format!("shfl.sync.{mode}.b32");
        self.compute(x.class, opcode, format_args!("{x}, {lane}, {WHOLE_WARP}"))
    }

    pub(super) fn extract(&mut self, result: Val, a: Val, lane: u32) {
        let a = self.reg(a);
        let value = self.exchange("idx", a, lane);
        self.set(result, Operand::Reg(value));
    }
    pub(super) fn shuffle(&mut self, result: Val, a: Val, perm: &[u8]) {
        let a = self.reg(a);
        let across = perm[0];
        let value = if perm.iter().enumerate().all(|(lane, &from)| from == lane as u8 ^ across) {
            self.exchange("bfly", a, across)
        } else if perm.iter().all(|&from| from == across) {
            self.exchange("idx", a, across)
        } else {
            let from = self.permutation(perm);
            self.exchange("idx", a, from)
        };
        self.set(result, Operand::Reg(value));
    }
    /// The lane that each lane reads, from a table, once per permutation.
    fn permutation(&mut self, perm: &[u8]) -> Reg {
        let table = self.table(perm);
        let start = self.compute_at_top(Class::Index, "mov.u64", &table);
        let lane = self.lane();
        let at = self.compute_at_top(Class::Index, "mad.wide.s32", &format!("{lane}, 1, {start}"));
        self.compute_at_top(Class::Int, "ld.const.u8", &format!("[{at}]"))
    }

    pub(super) fn transpose(&mut self, stmt: &Stmt, rows: &[Val]) {
        let mut rows: Vec<Reg> = rows.iter().map(|&v| self.reg(v)).collect();
        let truth = rows[0].class == Class::Pred;
        if truth {
            rows = rows.iter().map(|r| self.compute(Class::Int, "selp.b32", format_args!("1, 0, {r}"))).collect();
        }
        for bit in (0..LANES.trailing_zeros()).rev() {
            self.swap_bit(&mut rows, 1 << bit);
        }
        if truth {
            rows = rows.iter().map(|r| self.compute(Class::Pred, "setp.ne.s32", format_args!("{r}, 0"))).collect();
        }
        stmt.results.iter().zip(rows).for_each(|(&v, r)| self.set(v, Operand::Reg(r)));
    }
    fn swap_bit(&mut self, rows: &mut [Reg], step: usize) {
        let lane = self.lane();
        let bit = self.compute_at_top(Class::Int, "and.b32", &format!("{lane}, {step}"));
        let set = self.compute_at_top(Class::Pred, "setp.ne.s32", &format!("{bit}, 0"));
        let class = rows[0].class;
        for r in (0..rows.len()).filter(|r| r & step == 0) {
            let (low, high) = (rows[r], rows[r + step]);
            let sent = self.compute(class, "selp.b32", format_args!("{low}, {high}, {set}"));
            let got = self.exchange("bfly", sent, step);
            rows[r] = self.compute(class, "selp.b32", format_args!("{got}, {low}, {set}"));
            rows[r + step] = self.compute(class, "selp.b32", format_args!("{high}, {got}, {set}"));
        }
    }
}

fn reduce_name(op: ReduceOp) -> &'static str {
    match op {
        ReduceOp::Sum => "add",
        ReduceOp::Max => "max",
        ReduceOp::Min => "min",
    }
}
