//! Addresses from affine forms ([`crate::affine`]).
//!
//! ```text
//!   index   = c0·r0 + c1·r1 + … + constant          roots r: loop counters, grid coordinates, loads
//!   address = ((base + r0·c0·size) + r1·c1·size) + displacement
//! ```
//!
//! Roots are added from the outermost loop inwards, so each partial sum belongs to the loop that owns its
//! last root and is made in front of the next one ([`super::scope`]); the constant ends in the instruction's
//! displacement. Copies of an unrolled body differ only in that constant and share their registers.

use super::{function::Emitter, scope::Key};
use crate::affine::Affine;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use regard_ir::kernel::Addr;

/// An i64 scalar; a root is a value with the number of loops around its definition.
pub(super) type Index = Affine<(u32, Value)>;

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
        for &((depth, root), factor) in &index.terms {
            let factor = factor.wrapping_mul(scale);
            let (product, before) = (self.scaled(root, factor, depth), sum);
            key.push((root, factor));
            let home = self.insertion_point(depth);
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
        let home = self.insertion_point(depth);
        self.shared(Key::Product(root, factor), home, |mut at| match factor {
            -1 => at.ins().ineg(root),
            _ if factor > 0 && (factor as u64).is_power_of_two() => {
                at.ins().ishl_imm_u(root, i64::from(factor.trailing_zeros()))
            }
            _ => at.ins().imul_imm_s(root, factor),
        })
    }
}
