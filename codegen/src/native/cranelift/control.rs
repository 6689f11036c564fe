//! Bodies, loops and branches.
//!
//! A loop tests at its end, so what does not change in it is hoisted in front of it:
//!
//! ```text
//!   lo < hi ?   ▶ again(i, carried):  body at i, i+s, … (n copies)   i + n·s < limit ? ▶ again
//!      └──────▶ after(carried) ◀──────────────────────────────────────┘
//! ```
//!
//! An `unroll n` loop is a main loop of n copies and a loop of single steps for the rest; with known
//! bounds the rest is known too, and a loop of at most n steps disappears.

use super::{address::Index, function::Bound, function::Emitter};
use cranelift_codegen::ir::{BlockArg, InstBuilder, Value, condcodes::IntCC, types};
use regard_ir::kernel::{Body, Elem, Type, Val};

/// A loop as the kernel writes it.
pub(super) struct Loop<'a> {
    pub lo: Val,
    pub hi: Val,
    pub step: i64,
    pub unroll: u32,
    pub init: &'a [Val],
    pub index: Val,
    pub params: &'a [Val],
    pub body: &'a Body,
}

impl Emitter<'_, '_> {
    /// All statements of a body.
    pub fn body(&mut self, body: &Body) -> Result<(), String> {
        body.stmts.iter().try_for_each(|stmt| self.stmt(stmt))
    }

    /// A branch; `results` are bound to the yields of the side that ran.
    pub fn branch(&mut self, cond: Val, sides: [&Body; 2], results: &[Val]) -> Result<(), String> {
        let cond = self.scalar(cond);
        let [then, otherwise, after] = [(); 3].map(|()| self.b.create_block());
        let joined = self.params(after, results)?;
        self.b.ins().brif(cond, then, &[], otherwise, &[]);
        for (block, body) in [then, otherwise].into_iter().zip(sides) {
            self.b.switch_to_block(block);
            self.body(body)?;
            let yields = self.arguments(&body.yields);
            self.b.ins().jump(after, &yields);
        }
        self.b.switch_to_block(after);
        self.bind_all(results, joined);
        Ok(())
    }

    /// A loop; `results` are bound to the carried values after it.
    pub fn counted(&mut self, l: &Loop<'_>, results: &[Val]) -> Result<(), String> {
        let (lo, hi) = (self.get(l.lo).index.clone(), self.get(l.hi).index.clone());
        let copies = i64::from(l.unroll.max(1));
        let carried: Vec<Bound> = l.init.iter().map(|&v| self.get(v).clone()).collect();
        let carried = match (lo.known(), hi.known()) {
            (Some(lo), Some(hi)) => self.known_trips(l, lo, trips(lo, hi, l.step), copies, carried)?,
            _ if copies == 1 => self.rolled(l, lo, hi, 1, carried)?.1,
            _ => {
                let limit = hi.offset(-(copies - 1) * l.step);
                let (rest, carried) = self.rolled(l, lo, limit, copies, carried)?;
                self.rolled(l, rest, hi, 1, carried)?.1
            }
        };
        for (&v, bound) in results.iter().zip(carried) {
            self.bind(v, bound);
        }
        Ok(())
    }

    fn known_trips(&mut self, l: &Loop<'_>, lo: i64, n: i64, copies: i64, c: Vec<Bound>) -> Result<Vec<Bound>, String> {
        let at = |trip: i64| Index::constant(lo + trip * l.step);
        if n <= copies.max(1) {
            return self.copies(l, &at(0), n, c);
        }
        let (_, c) = self.rolled(l, at(0), at(n - n % copies), copies, c)?;
        match n % copies {
            0 => Ok(c),
            1 => self.copies(l, &at(n - 1), 1, c),
            _ => Ok(self.rolled(l, at(n - n % copies), at(n), 1, c)?.1),
        }
    }

    /// `n` copies of the body, from `index` on, in a row.
    fn copies(&mut self, l: &Loop<'_>, index: &Index, n: i64, mut c: Vec<Bound>) -> Result<Vec<Bound>, String> {
        for copy in 0..n {
            let index = index.offset(copy * l.step);
            self.bind(l.index, Bound { index, ..Bound::default() });
            for (&param, bound) in l.params.iter().zip(c) {
                self.bind(param, bound);
            }
            self.body(l.body)?;
            c = l.body.yields.iter().map(|&v| self.get(v).clone()).collect();
        }
        Ok(c)
    }

    /// A loop of `copies` bodies per turn; gives the index and the carried values after it.
    fn rolled(
        &mut self,
        l: &Loop<'_>,
        lo: Index,
        hi: Index,
        copies: i64,
        carried: Vec<Bound>,
    ) -> Result<(Index, Vec<Bound>), String> {
        let [again, after] = [(); 2].map(|()| self.b.create_block());
        let index = self.b.append_block_param(again, types::I64);
        let params = self.params(again, l.params)?;
        let last = self.b.append_block_param(after, types::I64);
        let results = self.params(after, l.params)?;
        let (start, end) = (self.index_value(&lo), self.index_value(&hi));
        let mut arguments = vec![BlockArg::from(start)];
        for (&v, bound) in l.params.iter().zip(carried) {
            self.bind(v, bound);
        }
        arguments.extend(self.arguments(l.params));
        let enter = match (lo.known(), hi.known()) {
            (Some(lo), Some(hi)) if lo < hi => None,
            _ => Some(self.b.ins().icmp(IntCC::SignedLessThan, start, end)),
        };
        match enter {
            None => self.b.ins().jump(again, &arguments),
            Some(enter) => self.b.ins().brif(enter, again, &arguments, after, &arguments),
        };

        self.b.switch_to_block(again);
        self.depth += 1;
        let bound = self.bounds(l.params, params);
        let root = Index::root(index, self.depth);
        let carried = self.copies(l, &root, copies, bound)?;
        let next = self.b.ins().iadd_imm_s(index, copies * l.step);
        let mut arguments = vec![BlockArg::from(next)];
        for (&v, bound) in l.params.iter().zip(carried) {
            self.bind(v, bound);
        }
        arguments.extend(self.arguments(l.params));
        self.depth -= 1;
        let more = self.b.ins().icmp(IntCC::SignedLessThan, next, end);
        self.b.ins().brif(more, again, &arguments, after, &arguments);

        self.b.switch_to_block(after);
        Ok((Index::root(last, self.depth), self.bounds(l.params, results)))
    }

    /// Parameters of `block` for the values, in order.
    fn params(&mut self, block: cranelift_codegen::ir::Block, values: &[Val]) -> Result<Vec<Value>, String> {
        let mut out = Vec::new();
        for &v in values {
            for ty in self.clif_types(v)? {
                out.push(self.b.append_block_param(block, ty));
            }
        }
        Ok(out)
    }
    fn arguments(&mut self, values: &[Val]) -> Vec<BlockArg> {
        values.iter().flat_map(|&v| self.values(v)).map(BlockArg::from).collect()
    }
    fn bounds(&self, like: &[Val], values: Vec<Value>) -> Vec<Bound> {
        let mut values = values.into_iter();
        like.iter()
            .map(|&v| match self.kernel.ty(v) {
                Type::Scalar(Elem::I64) => {
                    let root = values.next().expect("one value per scalar");
                    Bound { index: Index::root(root, self.depth), ..Bound::default() }
                }
                Type::Vector(_) => Bound { values: values.by_ref().take(self.pieces()).collect(), ..Bound::default() },
                _ => Bound { values: values.by_ref().take(1).collect(), ..Bound::default() },
            })
            .collect()
    }
    fn bind_all(&mut self, vals: &[Val], values: Vec<Value>) {
        for (&v, bound) in vals.iter().zip(self.bounds(vals, values)) {
            self.bind(v, bound);
        }
    }
}

/// How often a loop with these bounds runs.
fn trips(lo: i64, hi: i64, step: i64) -> i64 {
    if hi <= lo { 0 } else { (hi - lo - 1) / step + 1 }
}
