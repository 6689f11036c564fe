//! Where a new statement goes, and whether an equal one exists already.
//!
//! Open bodies form a stack. A pure instruction moves outwards while it sits in a loop and all its
//! operands live further out; a branch stops it, for hoisting out of a branch would compute what may not
//! be wanted. Constants go to the top of the kernel.
//!
//! ```text
//!   level 0  kernel   v1 = id 0              ◀── a·b, both from level 0, lands here
//!   level 1  for i      v5 = load x[v1]
//!   level 2    for j      … a·b …
//! ```
//!
//! The table of known instructions maps a hash to the statement last written under it, so nothing is
//! stored twice: the statement itself is compared, and is void once its body is closed. Entries of loads
//! also carry the buffer's version, which every write advances.

use crate::affine::Range;
use regard_ir::{
    id::{Id, IdVec},
    kernel::{Body, Const, Inst, Stmt, Type, Val},
};
use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hash, Hasher},
};

/// Statements after which an equal vector load is made again rather than kept in a register.
const LOAD_REACH: u32 = 64;

/// What is known of a new value.
#[derive(Clone)]
pub(super) struct Fact {
    /// Level of the body that defines it.
    pub level: usize,
    /// The constant it is, or that all its lanes are.
    pub constant: Option<Const>,
    /// Bounds, for i64.
    pub range: Range,
    /// How it was made, where rules ask for that.
    pub definition: Option<Definition>,
}

/// Definitions that identities look through.
#[derive(Clone, PartialEq)]
pub(super) enum Definition {
    Splat(Val),
    Un(regard_ir::kernel::UnOp, Val),
    Cast(regard_ir::kernel::CastOp, Val),
    Shuffle(Val, Vec<u8>),
    /// `value + constant` in i32.
    Plus(Val, i32),
}

/// What may leave an open body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    Kernel,
    /// A loop, and whether it runs at least once.
    Loop {
        executes_at_least_once: bool,
    },
    Branch,
}

struct Open {
    opening: Opening,
    serial: u32,
    stmts: Vec<Stmt>,
}

/// When an instruction may be moved outwards.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hoist {
    /// It stays.
    Never,
    /// Only where it would have run anyway.
    IfExecuted,
    /// Always: it cannot fail.
    Always,
}

/// Where an instruction was written: statement `at` of the body `serial`, open at `level`.
#[derive(Clone, Copy)]
struct Known {
    level: usize,
    serial: u32,
    at: usize,
    version: u32,
    stamp: u32,
}

/// The new kernel's values and open bodies.
pub(super) struct Inserter {
    pub types: IdVec<Val, Type>,
    facts: Vec<Fact>,
    constants: Vec<Stmt>,
    open: Vec<Open>,
    known: HashMap<u64, Known, BuildHasherDefault<Mix>>,
    known_constants: HashMap<Inst, Val, BuildHasherDefault<Mix>>,
    opened: u32,
    emitted: u32,
}

impl Inserter {
    pub(crate) fn new() -> Self {
        Self {
            types: IdVec::new(),
            facts: Vec::new(),
            constants: Vec::new(),
            open: vec![Open { opening: Opening::Kernel, serial: 0, stmts: Vec::new() }],
            known: HashMap::default(),
            known_constants: HashMap::default(),
            opened: 0,
            emitted: 0,
        }
    }
    /// The outermost body, constants first.
    pub(crate) fn finish(mut self) -> (IdVec<Val, Type>, Body) {
        let mut stmts = self.constants;
        stmts.append(&mut self.open.pop().expect("the kernel's body").stmts);
        (self.types, Body { stmts, yields: Vec::new() })
    }
    pub(crate) fn level(&self) -> usize {
        self.open.len() - 1
    }
    pub(crate) fn open(&mut self, opening: Opening) {
        self.opened += 1;
        self.open.push(Open { opening, serial: self.opened, stmts: Vec::new() });
    }
    pub(crate) fn close(&mut self, yields: Vec<Val>) -> Body {
        let stmts = self.open.pop().expect("an open body").stmts;
        Body { stmts, yields }
    }
    pub(crate) fn fact(&self, v: Val) -> &Fact {
        &self.facts[v.index()]
    }
    pub(crate) fn fact_mut(&mut self, v: Val) -> &mut Fact {
        &mut self.facts[v.index()]
    }
    pub(crate) fn constant_of(&self, v: Val) -> Option<Const> {
        self.fact(v).constant
    }
    pub(crate) fn range_of(&self, v: Val) -> Range {
        self.fact(v).range
    }
    /// A value defined by the body at `level`.
    pub(crate) fn value(&mut self, ty: Type, level: usize) -> Val {
        self.facts.push(Fact { level, constant: None, range: Range::ALL, definition: None });
        self.types.push(ty)
    }
    /// Appends an instruction to the innermost body.
    pub(crate) fn here(&mut self, inst: Inst, types: &[Type]) -> Vec<Val> {
        let level = self.level();
        let results: Vec<Val> = types.iter().map(|&ty| self.value(ty, level)).collect();
        self.push(level, Stmt { results: results.clone(), inst });
        results
    }
    fn push(&mut self, level: usize, stmt: Stmt) {
        self.emitted += 1;
        self.open[level].stmts.push(stmt);
    }
    /// The value of an equal instruction that is in reach, or the value of this one, placed as far out as
    /// `hoist` allows. `version` tells loads of different contents apart.
    pub(crate) fn reuse(&mut self, inst: Inst, ty: Type, hoist: Hoist, version: u32) -> Val {
        let mut hasher = Mix::default();
        inst.hash(&mut hasher);
        let hash = hasher.finish();
        if let Some(value) = self.known.get(&hash).and_then(|k| self.equal(k, &inst, version)) {
            return value;
        }
        let level = self.outermost(&inst, hoist);
        let value = self.value(ty, level);
        let body = &self.open[level];
        let known = Known { level, serial: body.serial, at: body.stmts.len(), version, stamp: self.emitted };
        self.known.insert(hash, known);
        self.push(level, Stmt { results: vec![value], inst });
        value
    }
    /// The result of a known instruction, if its body is still open and it is the one looked for.
    fn equal(&self, known: &Known, inst: &Inst, version: u32) -> Option<Val> {
        let body = self.open.get(known.level).filter(|o| o.serial == known.serial)?;
        let stmt = &body.stmts[known.at];
        let far = matches!(inst, Inst::Load { .. } | Inst::Bcast(_) | Inst::Gather { .. });
        let in_reach = !far || self.emitted - known.stamp <= LOAD_REACH;
        (in_reach && known.version == version && stmt.inst == *inst).then(|| stmt.results[0])
    }
    fn outermost(&self, inst: &Inst, hoist: Hoist) -> usize {
        let needed = inst.operands().map(|v| self.fact(v).level).max().unwrap_or(0);
        let mut level = self.level();
        while level > needed {
            match (self.open[level].opening, hoist) {
                (Opening::Loop { .. }, Hoist::Always)
                | (Opening::Loop { executes_at_least_once: true }, Hoist::IfExecuted) => level -= 1,
                _ => break,
            }
        }
        level
    }
    /// A constant of this scalar or vector type, at the top of the kernel.
    pub(crate) fn constant(&mut self, c: Const, ty: Type) -> Val {
        let Type::Vector(elem) = ty else { return self.at_top(Inst::Const(c), ty, c) };
        let scalar = self.at_top(Inst::Const(c), Type::Scalar(elem), c);
        let vector = self.at_top(Inst::Splat(scalar), ty, c);
        self.fact_mut(vector).definition = Some(Definition::Splat(scalar));
        vector
    }
    fn at_top(&mut self, inst: Inst, ty: Type, c: Const) -> Val {
        if let Some(&value) = self.known_constants.get(&inst) {
            return value;
        }
        let value = self.value(ty, 0);
        let fact = self.fact_mut(value);
        fact.constant = Some(c);
        if let Const::I64(c) = c {
            fact.range = Range::exactly(c);
        }
        self.known_constants.insert(inst.clone(), value);
        self.constants.push(Stmt { results: vec![value], inst });
        value
    }
}

/// A multiply-rotate hash: instructions are short and hashed by the thousand, and no adversary chooses
/// them. The table is only looked up, never listed, so the hash cannot show in the result.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }
    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }
    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }
}
