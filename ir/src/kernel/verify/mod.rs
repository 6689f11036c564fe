//! Is this a kernel? All violations, each with its statement.
//!
//! *Kernel.*
//! 1. The name is letters, digits and underscores: it becomes a symbol.
//! 2. Lanes are a power of two: 4 to 32 on a core, 32 in a warp, 128 in a warpgroup.
//! 3. A block has units, exactly one on a core, and the grid has blocks, fewer than 2⁶³.
//! 4. Buffers have names, each once; parameters come before scratch; their sizes fit 63 bits.
//! 5. The outermost body yields nothing.
//!
//! *Values.*
//! 6. Every value has a type, and it is one that exists: no vectors of i64; tiles are of floats, have rows and columns,
//!    and accumulators are f32.
//! 7. Every value is defined once.
//! 8. Every use comes after the definition, in the same body or one nested in it:
//!
//! ```text
//!     v1 = …                      sees v1
//!     for v2 in … (v3 = v1) {     sees v1 v2 v3 inside; v2 and v3 end at the brace
//!       yield v4 }                only yielded values leave, as the loop's results
//! ```
//!
//! *Instructions.*
//! 9. Operands have the types that `typing` asks for, which includes: buffers exist, stored
//!    elements fit the buffer, lanes of `extract` and `shuffle` exist, `transpose` has one vector per lane and a
//!    core, `approx` has no core, loops and branches yield what they carry.
//! 10. The results have the types that follow, as many as follow.
//! 11. The instruction's level is one that the back end takes.
//! 12. Loops step forward and have at least one copy of their body.
//! 13. An integer is divided by a positive constant; a constant shift is below the width.
//! 14. An access at a constant place stays inside its buffer. (Others are checked by the interpreter.)
//!
//! A verified kernel can still race or read past a buffer at an index that depends on a loop: the interpreter's
//! part.

#[cfg(test)]
mod tests;

use super::{inst::*, text, typing::Typing};
use crate::{id::Id, types::DType};
use std::{collections::BTreeSet, fmt};

/// A violated rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Number of the statement in the order of the text, from 0; `None` for the kernel as a whole.
    pub statement: Option<usize>,
    /// The statement's first line.
    pub line: Option<String>,
    /// The value concerned, where there is one.
    pub value: Option<Val>,
    /// What is wrong, one sentence.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.line {
            Some(line) => write!(f, "`{line}`: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// All violations of the rules above, in the order of the text; `levels` are those that the back end takes.
pub fn verify(kernel: &Kernel, levels: &[Level]) -> Vec<Violation> {
    let count = kernel.types.len();
    let mut verifier = Verifier {
        kernel,
        levels,
        violations: Vec::new(),
        defined: vec![false; count],
        visible: vec![false; count],
        constants: vec![None; count],
        statements: 0,
        current: None,
    };
    verifier.header();
    verifier.buffers();
    verifier.table();
    verifier.body(&kernel.body);
    if let Some(&v) = kernel.body.yields.first() {
        verifier.current = None;
        verifier.report(Some(v), "the outermost body yields values, but nothing takes them");
    }
    verifier.violations
}

struct Verifier<'a> {
    kernel: &'a Kernel,
    levels: &'a [Level],
    violations: Vec<Violation>,
    defined: Vec<bool>,
    visible: Vec<bool>,
    /// Integer constants, and vectors filled with one.
    constants: Vec<Option<i64>>,
    statements: usize,
    current: Option<(usize, &'a Stmt)>,
}

impl<'a> Verifier<'a> {
    fn report(&mut self, value: Option<Val>, message: impl Into<String>) {
        let statement = self.current.map(|(number, _)| number);
        let line = self.current.map(|(_, stmt)| text::statement(self.kernel, stmt));
        self.violations.push(Violation { statement, line, value, message: message.into() });
    }

    fn header(&mut self) {
        let Kernel { name, unit, lanes, units, grid, .. } = self.kernel;
        let symbol = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !symbol {
            self.report(None, format!("the name {name:?} must be letters, digits and underscores"));
        }
        let allowed: &[u32] = match unit {
            Unit::Core => &[4, 8, 16, 32],
            Unit::Warp => &[32],
            Unit::Warpgroup => &[128],
        };
        if !allowed.contains(lanes) {
            self.report(None, format!("a {unit} has {allowed:?} lanes, not {lanes}"));
        }
        if *units == 0 {
            self.report(None, "a block has at least one unit");
        } else if *unit == Unit::Core && *units != 1 {
            self.report(None, format!("a block on a core is one unit, not {units}"));
        }
        let blocks = grid.iter().try_fold(1u64, |n, &d| n.checked_mul(d)).filter(|n| (1..1 << 63).contains(n));
        if blocks.is_none() {
            self.report(None, format!("the grid {grid:?} must have at least one and fewer than 2^63 blocks"));
        }
    }

    fn buffers(&mut self) {
        let mut names = BTreeSet::new();
        let mut scratch = None;
        let mut total = 0u64;
        for Buffer { name, dtype, space, len } in self.kernel.buffers.values() {
            if name.is_empty() {
                self.report(None, "a buffer has no name");
            } else if !names.insert(name) {
                self.report(None, format!("two buffers have the name {name}"));
            }
            match (space, scratch) {
                (Space::Global, Some(before)) => {
                    self.report(None, format!("parameter {name} comes after scratch {before}"));
                }
                (Space::Global, None) => {}
                (Space::Scratch, _) => scratch = Some(name),
            }
            let bytes = len.checked_mul(dtype.bytes() as u64).and_then(|b| b.checked_next_multiple_of(SCRATCH_ALIGN));
            let sum = bytes.and_then(|b| total.checked_add(b)).filter(|&sum| sum < 1 << 63);
            match sum {
                Some(sum) => total = sum,
                None => self.report(None, format!("{len} elements of {name} are more than memory can hold")),
            }
        }
    }

    fn table(&mut self) {
        for (v, &ty) in self.kernel.types.iter() {
            let exists = match ty {
                Type::Scalar(_) => true,
                Type::Vector(elem) => elem != Elem::I64,
                Type::Tile { rows, cols, dtype, role } => {
                    let element = if role == TileRole::Acc { dtype == DType::F32 } else { dtype.is_float() };
                    rows > 0 && cols > 0 && element
                }
            };
            if !exists {
                self.report(Some(v), format!("{v} is {ty}, a type that does not exist"));
            }
        }
    }

    /// Checks statements, then the yields; what was defined here is not visible afterwards.
    fn body(&mut self, body: &'a Body) {
        let outer = self.current;
        let mut here = Vec::new();
        for stmt in &body.stmts {
            self.current = Some((self.statements, stmt));
            self.statements += 1;
            self.statement(stmt, &mut here);
        }
        self.current = outer;
        for &v in &body.yields {
            self.used(v);
        }
        here.into_iter().for_each(|v: Val| self.visible[v.index()] = false);
    }

    fn statement(&mut self, stmt: &'a Stmt, here: &mut Vec<Val>) {
        let before = self.violations.len();
        stmt.inst.operands().for_each(|v| self.used(v));
        let current = self.current;
        match &stmt.inst {
            Inst::For { index, params, body, .. } => {
                let mut inside = Vec::new();
                self.defined(*index, &mut inside);
                params.iter().for_each(|&v| self.defined(v, &mut inside));
                self.body(body);
                inside.into_iter().for_each(|v| self.visible[v.index()] = false);
            }
            inst => inst.bodies().for_each(|body| self.body(body)),
        }
        self.current = current;
        self.level(&stmt.inst);
        self.numbers(&stmt.inst);
        // An operand that does not exist was reported; its type would be reported again.
        let missing =
            self.violations[before..].iter().any(|f| f.value.is_some_and(|v| self.kernel.types.get(v).is_none()));
        if !missing {
            self.types(stmt);
        }
        if let Some(&v) = stmt.results.first() {
            self.remember(v, &stmt.inst);
        }
        stmt.results.iter().for_each(|&v| self.defined(v, here));
    }

    fn used(&mut self, v: Val) {
        match self.visible.get(v.index()) {
            Some(true) => {}
            Some(false) if self.defined[v.index()] => {
                self.report(Some(v), format!("{v} is used outside of the loop or branch that defines it"));
            }
            Some(false) => self.report(Some(v), format!("{v} is used before it is defined")),
            None => self.report(Some(v), format!("{v} has no type")),
        }
    }
    fn defined(&mut self, v: Val, here: &mut Vec<Val>) {
        if v.index() >= self.defined.len() {
            return self.report(Some(v), format!("{v} has no type"));
        }
        if self.defined[v.index()] {
            self.report(Some(v), format!("{v} is defined twice"));
        }
        self.defined[v.index()] = true;
        if !self.visible[v.index()] {
            self.visible[v.index()] = true;
            here.push(v);
        }
    }
    fn remember(&mut self, v: Val, inst: &Inst) {
        let constant = match inst {
            Inst::Const(Const::I64(value)) => Some(*value),
            Inst::Const(Const::I32(value)) => Some(i64::from(*value)),
            Inst::Splat(a) => self.constant(*a),
            _ => None,
        };
        if let Some(slot) = self.constants.get_mut(v.index()) {
            *slot = constant;
        }
    }
    fn constant(&self, v: Val) -> Option<i64> {
        self.constants.get(v.index()).copied().flatten()
    }

    fn types(&mut self, stmt: &Stmt) {
        let found: Vec<Type> = stmt.results.iter().filter_map(|&v| self.kernel.types.get(v).copied()).collect();
        match Typing::of(self.kernel).results(&stmt.inst) {
            Err(message) => self.report(None, message),
            Ok(expected) if expected.len() != stmt.results.len() => {
                let (name, given, named) = (stmt.inst.name(), expected.len(), stmt.results.len());
                self.report(None, format!("{name} gives {given} values but {named} are named"));
            }
            Ok(expected) if found.len() == expected.len() => {
                for ((&v, found), expected) in stmt.results.iter().zip(found).zip(expected) {
                    if found != expected {
                        self.report(Some(v), format!("{v} is {found} in the table of types, but is {expected}"));
                    }
                }
            }
            Ok(_) => {}
        }
    }
    fn level(&mut self, inst: &Inst) {
        let level = inst.level();
        if !self.levels.contains(&level) {
            self.report(None, format!("{} is of level {level}, which is not available here", inst.name()));
        }
    }

    /// Rules about constants.
    fn numbers(&mut self, inst: &Inst) {
        match inst {
            Inst::For { step, unroll, .. } => {
                if *step <= 0 {
                    self.report(None, format!("the step is {step}, but loops count upwards"));
                }
                if *unroll == 0 {
                    self.report(None, "a loop has at least one copy of its body");
                }
            }
            Inst::Bin(op @ (BinOp::Div | BinOp::Rem), a, b) => {
                let integer = self.kernel.types.get(*a).and_then(|ty| ty.elem()).is_some_and(|e| e != Elem::F32);
                if integer && self.constant(*b).is_none_or(|c| c <= 0) {
                    self.report(Some(*b), format!("{op} of integers needs a positive constant, which {b} is not"));
                }
            }
            Inst::Bin(op @ (BinOp::Shl | BinOp::Shr), a, b) => {
                let wide = self.kernel.types.get(*a).and_then(|ty| ty.elem()) == Some(Elem::I64);
                let width = if wide { 64 } else { 32 };
                if let Some(by) = self.constant(*b).filter(|by| !(0..width).contains(by)) {
                    self.report(Some(*b), format!("{op} by {by} of a number with {width} bits"));
                }
            }
            _ => self.access(inst),
        }
    }
    fn access(&mut self, inst: &Inst) {
        let lanes = i128::from(self.kernel.lanes);
        let (addr, reach) = match inst {
            Inst::Load { addr, active, stride } | Inst::Store { addr, active, stride, .. } => {
                let lanes = match active.map(|v| self.constant(v)) {
                    None => lanes,
                    Some(None) => return,
                    Some(Some(active)) => i128::from(active).min(lanes),
                };
                (addr, [(lanes, i128::from(*stride)), (1, 0)])
            }
            Inst::Bcast(addr) | Inst::LoadScalar(addr) | Inst::StoreScalar { addr, .. } => (addr, [(1, 0), (1, 0)]),
            Inst::TileLoad { addr, row_stride, transposed, rows, cols, .. } => {
                let (rows, cols) = if *transposed { (cols, rows) } else { (rows, cols) };
                (addr, [(i128::from(*rows), i128::from(*row_stride)), (i128::from(*cols), 1)])
            }
            Inst::TileStore { value, addr, row_stride } => {
                let Some(&Type::Tile { rows, cols, .. }) = self.kernel.types.get(*value) else { return };
                (addr, [(i128::from(rows), i128::from(*row_stride)), (i128::from(cols), 1)])
            }
            _ => return,
        };
        if reach.iter().any(|&(count, _)| count <= 0) {
            return;
        }
        let index = match addr.index {
            None => Some(0),
            Some(v) => self.constant(v),
        };
        let (Some(index), Some(buffer)) = (index, self.kernel.buffers.get(addr.buf)) else { return };
        let start = i128::from(index) + i128::from(addr.offset);
        let low = start + reach.iter().map(|&(count, stride)| ((count - 1) * stride).min(0)).sum::<i128>();
        let high = start + reach.iter().map(|&(count, stride)| ((count - 1) * stride).max(0)).sum::<i128>();
        if low < 0 || high >= i128::from(buffer.len) {
            let Buffer { name, len, .. } = buffer;
            self.report(None, format!("elements {low} to {high} of {name} are accessed, but it has {len}"));
        }
    }
}
