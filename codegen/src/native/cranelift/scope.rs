//! Where shared values live: address sums and vector constants.
//!
//! Statements are emitted in the kernel's own order, which its author chose for the registers, and Cranelift
//! does not move them. What the kernel does not spell out is placed here: a sum whose last root belongs
//! to loop d is computed in front of loop d + 1, a constant in front of the innermost loop that uses it.
//!
//! ```text
//!   loop d:    r = …
//!              base + r·c                 ◀ wanted by the loop below, so it stands in front of it
//!              loop d+1:  load [base + r·c + i·4 + 16]
//! ```
//!
//! Each value is made once and found again as long as its scope, a loop's body or a branch's side, is open.

use super::function::Emitter;
use cranelift_codegen::{
    cursor::{Cursor, FuncCursor},
    ir::{Inst, InstBuilder, Type, Value},
};
use std::collections::HashMap;

/// A value that may be shared.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// `start + Σ root·factor`.
    Sum(Option<Value>, Vec<(Value, i64)>),
    /// `root·factor`.
    Product(Value, i64),
    /// Four constant lanes.
    Lanes(Type, [u32; 4]),
}

/// A region of code that what is in it can share values in.
pub(super) struct Scope {
    /// The jump into the loop whose body this is; nothing for a branch's side.
    pub preheader_branch: Option<Inst>,
    /// Whether the loop contains no other.
    pub leaf: bool,
    found: HashMap<Key, Value>,
}

impl Scope {
    /// A loop's body, entered by `preheader_branch`.
    pub(crate) fn body(preheader_branch: Inst, leaf: bool) -> Self {
        Self { preheader_branch: Some(preheader_branch), leaf, found: HashMap::new() }
    }
    /// Straight code that does not dominate what follows it.
    pub(crate) fn side() -> Self {
        Self { preheader_branch: None, leaf: false, found: HashMap::new() }
    }
}

/// A place to emit at.
#[derive(Clone, Copy)]
pub(super) enum InsertionPoint {
    /// After the last instruction.
    Here,
    /// In front of the loop whose scope this is.
    Before(usize),
}

impl Emitter<'_, '_> {
    /// The shared value of `key`, made by `make` at `home` if there is none.
    pub(crate) fn shared(
        &mut self,
        key: Key,
        home: InsertionPoint,
        make: impl FnOnce(FuncCursor<'_>) -> Value,
    ) -> Value {
        if let Some(&value) = self.scopes.iter().rev().find_map(|s| s.found.get(&key)) {
            return value;
        }
        let (scope, value) = match home {
            InsertionPoint::Here => (self.scopes.len() - 1, make(self.b.cursor())),
            InsertionPoint::Before(scope) => {
                let preheader_branch = self.scopes[scope].preheader_branch.expect("insertion points are loops");
                (scope, make(FuncCursor::new(self.b.func).at_inst(preheader_branch)))
            }
        };
        self.scopes[scope].found.insert(key, value);
        value
    }

    /// Where to put what depends on roots up to `depth` loops deep.
    pub(crate) fn insertion_point(&self, depth: u32) -> InsertionPoint {
        if depth >= self.depth {
            return InsertionPoint::Here;
        }
        let loops = self.scopes.iter().enumerate().filter(|(_, s)| s.preheader_branch.is_some());
        let (scope, _) = loops.clone().nth(depth as usize).expect("a scope per loop");
        InsertionPoint::Before(scope)
    }

    /// Four 32-bit lanes of constants.
    pub(crate) fn lanes_const(&mut self, ty: Type, lanes: [u32; 4]) -> Value {
        let bytes: Vec<u8> = lanes.iter().flat_map(|lane| lane.to_le_bytes()).collect();
        let constant = self.b.func.dfg.constants.insert(bytes.into());
        let innermost = self.scopes.iter().rposition(|s| s.preheader_branch.is_some());
        match innermost.filter(|&s| self.scopes[s].leaf) {
            Some(scope) => self
                .shared(Key::Lanes(ty, lanes), InsertionPoint::Before(scope), |mut at| at.ins().vconst(ty, constant)),
            // Between loops a constant is loaded where it is used rather than kept through them.
            None => self.b.ins().vconst(ty, constant),
        }
    }
}
