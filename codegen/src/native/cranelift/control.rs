//! Bodies, loops and branches.
//!
//! A loop tests at its end, and what does not change in it stands in front of it:
//!
//! ```text
//!   lo < hi ?   ▶ again(i, carried):  body   i + step < hi ? ▶ again
//!      └──────▶ after(carried) ◀─────────────────┘
//! ```

use super::{
    address::Index,
    function::{Bound, Emitter},
    scope::Scope,
};
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, Value, condcodes::IntCC, types};
use regard_ir::kernel::{Body, Elem, Type, Val};

/// A loop as the kernel writes it.
pub(super) struct Loop<'a> {
    pub lo: Val,
    pub hi: Val,
    pub step: i64,
    pub init: &'a [Val],
    pub index: Val,
    pub params: &'a [Val],
    pub body: &'a Body,
}

impl Emitter<'_, '_> {
    /// All statements of a body.
    pub(crate) fn body(&mut self, body: &Body) -> Result<(), String> {
        body.stmts.iter().try_for_each(|stmt| self.stmt(stmt))
    }

    /// A branch; `results` are bound to the yields of the side that ran.
    pub(crate) fn branch(&mut self, cond: Val, sides: [&Body; 2], results: &[Val]) -> Result<(), String> {
        let cond = self.scalar(cond);
        let [then, otherwise, after] = [(); 3].map(|()| self.b.create_block());
        let joined = self.params(after, results)?;
        self.b.ins().brif(cond, then, &[], otherwise, &[]);
        for (block, body) in [then, otherwise].into_iter().zip(sides) {
            self.b.switch_to_block(block);
            self.scopes.push(Scope::side());
            self.body(body)?;
            let yields = self.arguments(&body.yields);
            self.scopes.pop();
            self.b.ins().jump(after, &yields);
        }
        self.b.switch_to_block(after);
        self.bind_all(results, joined);
        Ok(())
    }

    /// A loop; `results` are bound to the carried values after it.
    pub(crate) fn counted(&mut self, l: &Loop<'_>, results: &[Val]) -> Result<(), String> {
        let (lo, hi) = (self.get(l.lo).index.clone(), self.get(l.hi).index.clone());
        let [test, turn, after] = [(); 3].map(|()| self.b.create_block());
        let index = self.b.append_block_param(test, types::I64);
        let params = self.params(test, l.params)?;
        let (start, end) = (self.index_value(&lo), self.index_value(&hi));
        let mut arguments = vec![BlockArg::from(start)];
        arguments.extend(self.arguments(l.init));
        let preheader_branch = self.b.ins().jump(test, &arguments);

        self.b.switch_to_block(test);
        let more = self.b.ins().icmp(IntCC::SignedLessThan, index, end);
        self.b.ins().brif(more, turn, &[], after, &[]);
        self.b.switch_to_block(turn);
        self.depth += 1;
        self.scopes.push(Scope::body(preheader_branch, !l.body.has_loop()));
        self.bind(l.index, Bound { index: Index::atom((self.depth, index)), ..Bound::default() });
        self.bind_all(l.params, params.clone());
        self.body(l.body)?;
        let next = self.b.ins().iadd_imm_s(index, l.step);
        let mut arguments = vec![BlockArg::from(next)];
        arguments.extend(self.arguments(&l.body.yields));
        self.b.ins().jump(test, &arguments);
        self.scopes.pop();
        self.depth -= 1;

        self.b.switch_to_block(after);
        self.bind_all(results, params);
        Ok(())
    }

    /// Parameters of `block` for the values, in order.
    fn params(&mut self, block: Block, values: &[Val]) -> Result<Vec<Value>, String> {
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
    /// Binds `vals` to block parameters made for them.
    fn bind_all(&mut self, vals: &[Val], values: Vec<Value>) {
        let mut values = values.into_iter();
        for &v in vals {
            let bound = match self.kernel.ty(v) {
                Type::Scalar(Elem::I64) => {
                    let root = values.next().expect("one value per scalar");
                    Bound { index: Index::atom((self.depth, root)), ..Bound::default() }
                }
                Type::Vector(_) => Bound { values: values.by_ref().take(self.pieces()).collect(), ..Bound::default() },
                _ => Bound { values: values.by_ref().take(1).collect(), ..Bound::default() },
            };
            self.bind(v, bound);
        }
    }
}
