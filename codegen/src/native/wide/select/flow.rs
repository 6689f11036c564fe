//! Control flow: the function around a kernel, loops and branches.
//!
//! A loop tests at its end. Edges that leave a block with two successors for a block with several
//! predecessors get a block of their own, because moves for block parameters need a place; empty ones
//! vanish when the code is written.
//!
//! ```text
//!   bounds constant:   … ─▶ body … next < hi? ─┬▶ back ─▶ body
//!                                              └▶ after
//!   else:  lo < hi? ─┬▶ enter ─▶ body … next < hi? ─┬▶ back ─▶ body
//!                    │                              └▶ done ─▶ after(carried)
//!                    └▶ skip ──────────────────────────────────▶ after(init)
//! ```

use super::{Arg, Select, Value};
use crate::native::wide::{
    alloc,
    inst::{BlockId, Flow, Mem, Reg, View},
};
use iced_x86::Code;
use regard_ir::{
    id::Id,
    kernel::{Body, CmpOp, Elem, IdAxis, Inst, Type, Val},
};

/// rdi, rsi, rdx, rcx: where the caller puts buffers, first, end, scratch.
const ARGUMENTS: [usize; 4] = [7, 6, alloc::RDX, 1];

impl Select<'_> {
    /// The whole function: entry, loop over blocks, return.
    pub(super) fn function(&mut self) {
        let entry = self.code.block();
        self.code.start(entry, &[], false);
        let arguments = ARGUMENTS.map(|r| (self.fresh(View::R64), alloc::general(r)));
        let list = arguments.map(|(reg, at)| Arg::FixedDef(reg, at));
        self.code.push(Code::INVALID, Flow::Silent, &list);
        let [buffers, first, end, scratch] = arguments.map(|a| a.0);
        self.set_bases(buffers, scratch);
        let kernel = self.kernel;
        self.bases_for_loop(&kernel.body);

        let [enter, head, again, skip, leave, done] = std::array::from_fn(|_| self.code.block());
        self.push(Code::Cmp_r64_rm64, &[Arg::Use(first), Arg::Use(end)]);
        self.code.branch(Code::Jae_rel32_64, skip, enter);
        self.code.start(enter, &[], false);
        self.code.jump(head, &[first]);
        let block = self.fresh(View::R64);
        self.code.start(head, &[block], true);
        self.locate(block);
        self.body(&kernel.body);
        let next = self.def(Code::Lea_r64_m, View::R64, &[Arg::Mem(Mem::at(block, 1))]);
        self.push(Code::Cmp_r64_rm64, &[Arg::Use(next), Arg::Use(end)]);
        self.code.branch(Code::Jb_rel32_64, again, leave);
        self.code.start(again, &[], false);
        self.code.jump(head, &[next]);
        for edge in [leave, skip] {
            self.code.start(edge, &[], false);
            self.code.jump(done, &[]);
        }
        self.code.start(done, &[], false);
        self.code.push(Code::Retnq, Flow::Return, &[]);
    }

    /// Takes the block's number apart: number = (g0·n1 + g1)·n2 + g2.
    fn locate(&mut self, number: Reg) {
        let kernel = self.kernel;
        let is_used = |axis| kernel.body.walk().any(|stmt| stmt.inst == Inst::Id(axis));
        let [_, n1, n2] = self.kernel.grid.map(|n| n as i64);
        let extents = [(IdAxis::G2, n2), (IdAxis::G1, n1), (IdAxis::G0, i64::MAX)];
        let mut rest = number;
        let mut outer_blocks = self.kernel.blocks() as i64;
        for (axis, extent) in extents {
            let value = match extent.min(outer_blocks) {
                1 => Value::Int(0),
                all if all == outer_blocks => Value::Reg(rest),
                extent => {
                    let quotient = self.floor_div64(rest, extent, true);
                    let value = is_used(axis).then(|| {
                        let product = self.mul_const(Elem::I64, quotient, extent);
                        self.tied(Code::Sub_r64_rm64, rest, &[Arg::Use(product)])
                    });
                    rest = quotient;
                    outer_blocks /= extent;
                    value.map_or(Value::None, Value::Reg)
                }
            };
            self.ids.insert(axis, value);
        }
        self.ids.insert(IdAxis::Unit, Value::Int(0));
    }

    pub(super) fn body(&mut self, body: &Body) {
        let outer = self.facts.enter();
        for (at, stmt) in body.stmts.iter().enumerate() {
            self.facts.at(at);
            self.stmt(stmt);
        }
        self.facts.leave(outer);
    }

    fn regs(&mut self, values: &[Val]) -> Vec<Reg> {
        values.iter().map(|&v| self.reg(v)).collect()
    }
    /// A register for each value, of the value's type.
    fn params(&mut self, values: &[Val]) -> Vec<Reg> {
        values.iter().map(|&v| self.fresh(self.view(self.ty(v)))).collect()
    }
    fn set_all(&mut self, values: &[Val], regs: &[Reg]) {
        values.iter().zip(regs).for_each(|(&v, &r)| self.set(v, Value::Reg(r)));
    }

    pub(super) fn for_loop(&mut self, results: &[Val], inst: &Inst) {
        let Inst::For { lo, hi, step, init, index, params, body, .. } = inst else { unreachable!("a loop") };
        let certain = match (self.as_int(*lo), self.as_int(*hi)) {
            (Some(lo), Some(hi)) => Some(lo < hi),
            _ => None,
        };
        if certain == Some(false) {
            // A walk of the facts must enter the same bodies as its survey did.
            self.facts.skip(body);
            for (&result, &from) in results.iter().zip(init) {
                let value = self.values[from.index()];
                self.set(result, value);
            }
            return;
        }
        let mut start = vec![self.reg(*lo)];
        start.extend(self.regs(init));
        let [head, back, after] = std::array::from_fn(|_| self.code.block());
        self.bases_for_loop(body);
        let guard = certain.is_none().then(|| self.guard(*lo, *hi));
        self.code.jump(head, &start);

        let index_and_params: Vec<Val> = [*index].into_iter().chain(params.iter().copied()).collect();
        let regs = self.params(&index_and_params);
        self.code.start(head, &regs, true);
        self.set_all(&index_and_params, &regs);
        self.body(body);

        self.forget_bases();
        let mut next = vec![self.add_const(regs[0], *step)];
        next.extend(self.regs(&body.yields));
        self.compare_ints(Elem::I64, next[0], *hi);
        let done = if guard.is_some() { self.code.block() } else { after };
        self.code.branch(Code::Jl_rel32_64, back, done);
        self.code.start(back, &[], false);
        self.code.jump(head, &next);
        match guard {
            None => {
                self.code.start(after, &[], false);
                self.set_all(results, &next[1..]);
            }
            Some(skip) => {
                for (edge, values) in [(done, &next[1..]), (skip, &start[1..])] {
                    self.code.start(edge, &[], false);
                    self.code.jump(after, values);
                }
                let regs = self.params(results);
                self.code.start(after, &regs, false);
                self.set_all(results, &regs);
            }
        }
    }

    /// Continues only if `lo < hi`; returns the block, not started, that the other case reaches.
    fn guard(&mut self, lo: Val, hi: Val) -> BlockId {
        let [enter, skip] = std::array::from_fn(|_| self.code.block());
        let lo = self.reg(lo);
        self.compare_ints(Elem::I64, lo, hi);
        self.code.branch(Code::Jl_rel32_64, enter, skip);
        self.code.start(enter, &[], false);
        skip
    }

    pub(super) fn branch(&mut self, results: &[Val], cond: Val, then: &Body, otherwise: &Body) {
        let [yes, no, after] = std::array::from_fn(|_| self.code.block());
        let taken = self.condition(cond);
        self.code.branch(taken, yes, no);
        let bases = self.save_bases();
        for (block, body) in [(yes, then), (no, otherwise)] {
            self.code.start(block, &[], false);
            self.restore_bases(&bases);
            self.body(body);
            let values = self.regs(&body.yields);
            self.code.jump(after, &values);
        }
        self.restore_bases(&bases);
        let regs = self.params(results);
        self.code.start(after, &regs, false);
        self.set_all(results, &regs);
    }

    /// Sets the flags; returns the jump that is taken where `cond` holds.
    fn condition(&mut self, cond: Val) -> Code {
        if let Value::FusedCompare(op, a, b) = self.values[cond.index()] {
            let Type::Scalar(elem) = self.ty(a) else { unreachable!("late comparisons are scalar") };
            let a = self.reg(a);
            self.compare_ints(elem, a, b);
            return match op {
                CmpOp::Eq => Code::Je_rel32_64,
                CmpOp::Ne => Code::Jne_rel32_64,
                CmpOp::Lt => Code::Jl_rel32_64,
                CmpOp::Le => Code::Jle_rel32_64,
            };
        }
        let cond = self.reg(cond);
        self.push(Code::Test_rm32_r32, &[Arg::Use(cond), Arg::Use(cond)]);
        Code::Jne_rel32_64
    }
}
