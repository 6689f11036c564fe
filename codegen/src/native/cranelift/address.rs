//! Index arithmetic as sums of multiples, so that addresses fold.
//!
//! ```text
//!   index  =  c0·r0 + c1·r1 + … + constant          roots r: loop counters, grid coordinates, loads
//!   address = ((base + r0·c0·size) + r1·c1·size) + displacement
//! ```
//!
//! Roots are added from the outermost loop inwards, so each partial sum belongs to the loop that owns its
//! last root and is made in front of the next one ([`super::scope`]); the constant ends in the instruction's
//! displacement. Copies of an unrolled body differ only in that constant and share their registers.

use super::{function::Emitter, scope::Key};
use cranelift_codegen::ir::{InstBuilder, Value, types};
use regard_ir::kernel::Addr;

/// One multiple of a root.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Term {
    /// Loops around the root's definition.
    depth: u32,
    root: Value,
    factor: i64,
}

/// An i64 scalar: a sum of multiples of roots and a constant, in wrapping arithmetic.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) struct Index {
    /// Ordered by depth, then root; no root twice, no factor zero.
    terms: Vec<Term>,
    constant: i64,
}

impl Index {
    /// A number.
    pub(crate) const fn constant(constant: i64) -> Self {
        Self { terms: Vec::new(), constant }
    }
    /// A value defined under `depth` loops.
    pub(crate) fn root(root: Value, depth: u32) -> Self {
        Self { terms: vec![Term { depth, root, factor: 1 }], constant: 0 }
    }
    /// The number, if it is one.
    pub(crate) fn known(&self) -> Option<i64> {
        self.terms.is_empty().then_some(self.constant)
    }
    /// The sum of both.
    pub(crate) fn plus(&self, other: &Index) -> Self {
        let mut terms = self.terms.clone();
        for &term in &other.terms {
            match terms.iter_mut().find(|t| t.root == term.root) {
                Some(same) => same.factor = same.factor.wrapping_add(term.factor),
                None => terms.push(term),
            }
        }
        terms.retain(|t| t.factor != 0);
        terms.sort_by_key(|t| (t.depth, t.root));
        Self { terms, constant: self.constant.wrapping_add(other.constant) }
    }
    /// `factor` times this.
    pub(crate) fn times(&self, factor: i64) -> Self {
        let scaled = self.terms.iter().map(|t| Term { factor: t.factor.wrapping_mul(factor), ..*t });
        let terms = scaled.filter(|t| t.factor != 0).collect();
        Self { terms, constant: self.constant.wrapping_mul(factor) }
    }
    /// This and a number.
    pub(crate) fn offset(&self, by: i64) -> Self {
        Self { terms: self.terms.clone(), constant: self.constant.wrapping_add(by) }
    }
}

impl Emitter<'_, '_> {
    /// An index as one value.
    pub(crate) fn index_value(&mut self, index: &Index) -> Value {
        let sum = self.sum(None, index, 1);
        match (sum, index.constant) {
            (None, c) => self.b.ins().iconst(types::I64, c),
            (Some(v), 0) => v,
            (Some(v), c) => self.b.ins().iadd_imm_s(v, c),
        }
    }
    /// An element's address: a pointer and the bytes to add to it.
    pub(crate) fn place(&mut self, addr: &Addr) -> (Value, i64) {
        let size = self.kernel.buffers[addr.buf].dtype.bytes() as i64;
        let index = addr.index.map_or(Index::constant(0), |v| self.get(v).index.clone()).offset(addr.offset);
        let base = self.bases[addr.buf];
        let pointer = self.sum(Some(base), &index, size).expect("a base");
        (pointer, index.constant.wrapping_mul(size))
    }
    /// A pointer and a displacement that an instruction can hold.
    pub(crate) fn displace(&mut self, pointer: Value, bytes: i64) -> (Value, i32) {
        match i32::try_from(bytes) {
            Ok(displacement) => (pointer, displacement),
            Err(_) => (self.b.ins().iadd_imm_s(pointer, bytes), 0),
        }
    }
    /// `start` and all terms times `scale`, without the constant.
    fn sum(&mut self, start: Option<Value>, index: &Index, scale: i64) -> Option<Value> {
        let mut sum = start;
        let mut key = Vec::with_capacity(index.terms.len());
        for term in &index.terms {
            let factor = term.factor.wrapping_mul(scale);
            let (product, before) = (self.scaled(term.root, factor, term.depth), sum);
            key.push((term.root, factor));
            let home = self.home(term.depth);
            sum = Some(match before {
                None => product,
                Some(before) => {
                    self.shared(Key::Sum(start, key.clone()), home, |mut at| at.ins().iadd(before, product))
                }
            });
        }
        sum
    }
    fn scaled(&mut self, root: Value, factor: i64, depth: u32) -> Value {
        if factor == 1 {
            return root;
        }
        let home = self.home(depth);
        self.shared(Key::Product(root, factor), home, |mut at| match factor {
            -1 => at.ins().ineg(root),
            _ if factor > 0 && (factor as u64).is_power_of_two() => {
                at.ins().ishl_imm_u(root, i64::from(factor.trailing_zeros()))
            }
            _ => at.ins().imul_imm_s(root, factor),
        })
    }
}
