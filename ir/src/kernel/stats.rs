//! What a kernel costs, read off its text without running it.
//!
//! ```text
//!   flops = Σ statements  (lanes or 1) · operations · trips of the loops around it · blocks · units
//! ```
//!
//! An f32 `add sub mul div min max sqrt` or approximation is one operation, `fma` two, a horizontal reduction one
//! less than the lanes, a tile product 2·R·C·K; signs, rounding, comparisons and moves are none. A vector counts
//! all its lanes, masked or not.
//!
//! Trip counts come from integer arithmetic on constants. Where a bound or a branch depends on a grid coordinate or
//! on an outer loop (tails, triangles), these are enumerated, within a budget; where it depends on data, the counts
//! are unknown. Instruction count and hash always exist, and a line of both for every kernel of a model tells
//! whether a change of the compiler changed its output.

use super::inst::*;
use crate::{id::Id, random::fnv1a, types::DType};
use std::{
    fmt,
    ops::{Add, AddAssign},
};

/// Static counts of a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Statements in the text, nested ones included.
    pub instructions: u64,
    /// What all blocks together do; `None` where it depends on data.
    pub work: Option<Work>,
    /// Bytes of scratch per block.
    pub scratch_bytes: u64,
    /// FNV-1a of the kernel's text.
    pub hash: u64,
}

/// Operations and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Floating-point operations, two per multiply-add.
    pub flops: u64,
    /// Bytes read from and written to parameters, each access counted.
    pub params: Traffic,
    /// Bytes read from and written to scratch.
    pub scratch: Traffic,
}

/// Bytes moved between a unit and memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes read.
    pub loaded: u64,
    /// Bytes written.
    pub stored: u64,
}

/// Counts instructions, operations and bytes of a verified kernel.
pub fn stats(kernel: &Kernel) -> Stats {
    Stats {
        instructions: kernel.body.walk().count() as u64,
        work: Counter::total(kernel),
        scratch_bytes: kernel.scratch_layout().1,
        hash: fnv1a(kernel.to_string().as_bytes()),
    }
}

/// One line about a kernel: `name: core lanes 16, grid [7, 1, 1], 214 instructions, …`.
pub fn summary(kernel: &Kernel) -> String {
    let Kernel { name, unit, lanes, units, grid, .. } = kernel;
    let units = if *units == 1 { String::new() } else { format!(" units {units}") };
    format!("{name}: {unit} lanes {lanes}{units}, grid {grid:?}, {}", stats(kernel))
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} instructions, ", self.instructions)?;
        match &self.work {
            Some(Work { flops, params, scratch }) => write!(
                f,
                "{flops} flops, params {} B read {} B written, scratch {} B read {} B written",
                params.loaded, params.stored, scratch.loaded, scratch.stored
            )?,
            None => f.write_str("work depends on data")?,
        }
        write!(f, ", {} B scratch, hash {:016x}", self.scratch_bytes, self.hash)
    }
}

impl Add for Traffic {
    type Output = Traffic;
    fn add(self, other: Traffic) -> Traffic {
        Traffic { loaded: self.loaded.saturating_add(other.loaded), stored: self.stored.saturating_add(other.stored) }
    }
}
impl AddAssign for Work {
    fn add_assign(&mut self, other: Work) {
        self.flops = self.flops.saturating_add(other.flops);
        self.params = self.params + other.params;
        self.scratch = self.scratch + other.scratch;
    }
}
impl Work {
    fn times(self, n: u64) -> Work {
        let traffic = |t: Traffic| Traffic { loaded: t.loaded.saturating_mul(n), stored: t.stored.saturating_mul(n) };
        Work { flops: self.flops.saturating_mul(n), params: traffic(self.params), scratch: traffic(self.scratch) }
    }
}

/// Statements that one attempt may visit.
const BUDGET: u64 = 1 << 20;

struct Counter<'a> {
    kernel: &'a Kernel,
    /// g0, g1, g2 and the unit, where fixed.
    ids: [Option<i64>; 4],
    /// Integers and truth values that are known.
    known: Vec<Option<i64>>,
    left: u64,
}

impl<'a> Counter<'a> {
    /// Leaves as many grid axes open as possible: an open axis costs nothing, an enumerated one its length.
    fn total(kernel: &'a Kernel) -> Option<Work> {
        let axis = |stmt: &Stmt| if let Inst::Id(axis) = stmt.inst { 1 << axis as u32 } else { 0 };
        let used = kernel.body.walk().map(axis).fold(0, |bits, axis| bits | axis);
        let mut subsets: Vec<u32> = (0..16).filter(|subset| subset & !used == 0).collect();
        subsets.sort_by_key(|subset| subset.count_ones());
        subsets.into_iter().find_map(|subset| {
            let known = vec![None; kernel.types.len()];
            Counter { kernel, ids: [None; 4], known, left: BUDGET }.grid(subset, 0)
        })
    }
    fn grid(&mut self, enumerated: u32, axis: usize) -> Option<Work> {
        let [n0, n1, n2] = self.kernel.grid;
        let Some(&length) = [n0, n1, n2, u64::from(self.kernel.units)].get(axis) else {
            return self.body(&self.kernel.body);
        };
        if enumerated & (1 << axis) == 0 {
            return Some(self.grid(enumerated, axis + 1)?.times(length));
        }
        let mut work = Work::default();
        for i in 0..i64::try_from(length).ok()? {
            self.ids[axis] = Some(i);
            work += self.grid(enumerated, axis + 1)?;
        }
        Some(work)
    }

    fn body(&mut self, body: &Body) -> Option<Work> {
        let mut work = Work::default();
        for stmt in &body.stmts {
            self.left = self.left.checked_sub(1)?;
            work += match &stmt.inst {
                Inst::For { lo, hi, step, index, params, body, .. } => {
                    params.iter().for_each(|&v| self.set(v, None));
                    self.for_loop((self.get(*lo)?, self.get(*hi)?, *step), *index, body)?
                }
                Inst::If { cond, then, otherwise } => self.branch(*cond, then, otherwise)?,
                inst => self.inst(inst),
            };
            let value = if stmt.inst.bodies().next().is_none() { self.value(&stmt.inst) } else { None };
            stmt.results.iter().for_each(|&v| self.set(v, value));
        }
        Some(work)
    }
    /// One open iteration times the trips where every iteration does the same, else all of them.
    fn for_loop(&mut self, (lo, hi, step): (i64, i64, i64), index: Val, body: &Body) -> Option<Work> {
        let distance = i128::from(hi) - i128::from(lo);
        let trips = u64::try_from((distance.max(0) + i128::from(step) - 1) / i128::from(step)).ok()?;
        if trips == 0 {
            return Some(Work::default());
        }
        self.set(index, if trips == 1 { Some(lo) } else { None });
        if let Some(work) = self.body(body) {
            return Some(work.times(trips));
        }
        let mut work = Work::default();
        for i in (lo..hi).step_by(usize::try_from(step).ok()?) {
            self.set(index, Some(i));
            work += self.body(body)?;
        }
        Some(work)
    }
    fn branch(&mut self, cond: Val, then: &Body, otherwise: &Body) -> Option<Work> {
        match self.get(cond) {
            Some(0) => self.body(otherwise),
            Some(_) => self.body(then),
            None => {
                let (yes, no) = (self.body(then)?, self.body(otherwise)?);
                (yes == no).then_some(yes)
            }
        }
    }

    fn get(&self, v: Val) -> Option<i64> {
        self.known[v.index()]
    }
    fn set(&mut self, v: Val, value: Option<i64>) {
        self.known[v.index()] = value;
    }
    /// The scalar integer or truth value that an instruction gives, where its operands are known.
    fn value(&self, inst: &Inst) -> Option<i64> {
        match inst {
            Inst::Id(axis) => self.ids[*axis as usize],
            Inst::Const(Const::I64(value)) => Some(*value),
            Inst::Const(Const::I32(value)) => Some(i64::from(*value)),
            Inst::Const(Const::Bool(value)) => Some(i64::from(*value)),
            Inst::Cast(CastOp::I32ToI64 | CastOp::BoolToI32, a) => self.get(*a),
            Inst::Un(UnOp::Not, a) => Some(1 - self.get(*a)?),
            Inst::Select(cond, a, b) => self.get(if self.get(*cond)? != 0 { *a } else { *b }),
            Inst::Cmp(op, a, b) => {
                let (a, b) = (self.get(*a)?, self.get(*b)?);
                Some(i64::from(match op {
                    CmpOp::Eq => a == b,
                    CmpOp::Ne => a != b,
                    CmpOp::Lt => a < b,
                    CmpOp::Le => a <= b,
                }))
            }
            Inst::Bin(op, a, b) => self.arithmetic(*op, *a, *b),
            _ => None,
        }
    }
    fn arithmetic(&self, op: BinOp, a: Val, b: Val) -> Option<i64> {
        let narrow = self.kernel.types[a] == Type::Scalar(Elem::I32);
        let (a, b) = (self.get(a)?, self.get(b)?);
        let value = match op {
            BinOp::Add => a.checked_add(b)?,
            BinOp::Sub => a.checked_sub(b)?,
            BinOp::Mul => a.checked_mul(b)?,
            BinOp::Div => a.checked_div_euclid(b)?,
            BinOp::Rem => a.checked_rem_euclid(b)?,
            BinOp::Min => a.min(b),
            BinOp::Max => a.max(b),
            BinOp::And => a & b,
            BinOp::Or => a | b,
            BinOp::Xor => a ^ b,
            BinOp::Shl => a.checked_shl(u32::try_from(b).ok()?)?,
            BinOp::Shr => a.checked_shr(u32::try_from(b).ok()?)?,
        };
        (!narrow || i32::try_from(value).is_ok()).then_some(value)
    }

    /// Operations and bytes of one instruction without a body.
    fn inst(&self, inst: &Inst) -> Work {
        let tile = |v: Val| match self.kernel.types[v] {
            Type::Tile { rows, cols, .. } => (u64::from(rows), u64::from(cols)),
            _ => (0, 0),
        };
        match inst {
            Inst::Bin(op, a, _) => {
                let counted = matches!(op, BinOp::Add | BinOp::Sub | BinOp::Mul | BinOp::Div | BinOp::Min | BinOp::Max);
                flops(if counted { self.floats(*a) } else { 0 })
            }
            Inst::Un(UnOp::Sqrt, a) | Inst::Approx(_, a) => flops(self.floats(*a)),
            Inst::Fma(a, ..) => flops(2 * self.floats(*a)),
            Inst::Reduce(_, a) => flops(self.floats(*a).saturating_sub(1)),
            Inst::TileMma { acc, a, .. } => flops(2 * tile(*acc).0 * tile(*acc).1 * tile(*a).1),
            Inst::Load { addr, .. } | Inst::Gather { addr, .. } => self.loaded(addr, u64::from(self.kernel.lanes)),
            Inst::Bcast(addr) | Inst::LoadScalar(addr) => self.loaded(addr, 1),
            Inst::Store { addr, .. } => self.stored(addr, u64::from(self.kernel.lanes)),
            Inst::StoreScalar { addr, .. } => self.stored(addr, 1),
            Inst::TileLoad { addr, rows, cols, .. } => self.loaded(addr, u64::from(*rows) * u64::from(*cols)),
            Inst::TileStore { addr, value, .. } => self.stored(addr, tile(*value).0 * tile(*value).1),
            _ => Work::default(),
        }
    }
    /// How many f32 a value holds.
    fn floats(&self, v: Val) -> u64 {
        match self.kernel.types[v] {
            Type::Scalar(Elem::F32) => 1,
            Type::Vector(Elem::F32) => u64::from(self.kernel.lanes),
            _ => 0,
        }
    }
    fn loaded(&self, addr: &Addr, elements: u64) -> Work {
        self.moved(addr, |bytes| Traffic { loaded: elements * bytes, stored: 0 })
    }
    fn stored(&self, addr: &Addr, elements: u64) -> Work {
        self.moved(addr, |bytes| Traffic { loaded: 0, stored: elements * bytes })
    }
    fn moved(&self, addr: &Addr, traffic: impl Fn(u64) -> Traffic) -> Work {
        let buffer = &self.kernel.buffers[addr.buf];
        let traffic = traffic(DType::bytes(buffer.dtype) as u64);
        match buffer.space {
            Space::Global => Work { params: traffic, ..Work::default() },
            Space::Scratch => Work { scratch: traffic, ..Work::default() },
        }
    }
}

fn flops(flops: u64) -> Work {
    Work { flops, ..Work::default() }
}

#[cfg(test)]
mod tests {
    use super::{super::text::parse, *};
    use proptest::prelude::*;

    fn work(grid: [u64; 3], body: &str) -> Option<Work> {
        let header = format!("kernel k core lanes 4 grid {grid:?} {{\nparam x : bf16[64]\nscratch s : f32[64]\n");
        let text = format!("{header}{body}\n}}");
        stats(&parse(&text).unwrap_or_else(|e| panic!("{}", e.render(&text, "kernel")))).work
    }
    fn flops_of(grid: [u64; 3], body: &str) -> Option<u64> {
        work(grid, body).map(|w| w.flops)
    }

    #[test]
    fn instructions_have_their_costs() {
        let bytes = |loaded, stored| Traffic { loaded, stored };
        let lines = "v0 = const i64 0\nv1 = const f32 2.0\nv2 : v.f32 = load x[0]\nv3 : v.f32 = bcast s[4]
            v4 = fma v2, v3, v3\nv5 = sqrt v1\nv6 = reduce max v4\nv7 = add v0, v0\nv8 = neg v4
            store v8, s[0]\nstore_scalar v6, x[5]";
        let expected = Work { flops: 8 + 1 + 3, params: bytes(8, 2), scratch: bytes(4, 16) };
        assert_eq!(work([1, 1, 1], lines), Some(expected));
        assert_eq!(work([2, 3, 5], lines), Some(expected.times(30)));
        let tiles = "kernel k warp lanes 32 units 2 grid [3, 1, 1] {\nparam a : bf16[512]\nv0 = tile_zero [16, 8]
            v1 = tile_load tile.a.bf16[16, 4], a[0] row_stride 4\nv2 = tile_load tile.b.bf16[4, 8], a[0] row_stride 8
            v3 = tile_mma v0, v1, v2\ntile_store v3, a[0] row_stride 8 }";
        let expected = Work { flops: 2 * 16 * 8 * 4, params: bytes(2 * (64 + 32), 2 * 128), ..Work::default() };
        assert_eq!(stats(&parse(tiles).unwrap()).work, Some(expected.times(6)));
    }

    #[test]
    fn unknown_bounds_give_no_count() {
        let bound = "v0 = const i64 0\nv1 : f32 = load_scalar x[0]\nv2 = cast f32_to_i32 v1\nv3 = cast i32_to_i64 v2\n";
        assert_eq!(flops_of([9, 1, 1], &format!("{bound}for v4 in v0 .. v3 {{ v5 = add v1, v1 }}")), None);
        let branch = "v0 : f32 = load_scalar x[0]\nv1 = lt v0, v0\n";
        assert_eq!(flops_of([9, 1, 1], &format!("{branch}if v1 {{ v2 = add v0, v0 }}")), None);
        let equal = "if v1 { v2 = add v0, v0 } else { v3 = mul v0, v0 }";
        assert_eq!(flops_of([9, 1, 1], &format!("{branch}{equal}")), Some(9));
    }

    #[test]
    fn huge_nests_end() {
        let mut lines = "v0 = const i64 0\nv1 = const i64 1000000000000\n".to_string();
        for depth in 0..12 {
            lines += &format!("for v{} in v0 .. v1 {{\n", depth + 2);
        }
        assert_eq!(flops_of([1 << 40, 1, 1], &(lines.clone() + &"}".repeat(12))), Some(0));
        // The innermost bound depends on the outermost index: more iterations than the budget.
        lines += "for v14 in v0 .. v2 { v15 = id g0 }";
        assert_eq!(flops_of([1 << 40, 1, 1], &(lines + &"}".repeat(12))), None);
    }

    #[test]
    fn the_summary_is_one_line() {
        let kernel = parse("kernel k core lanes 4 grid [2, 1, 1] {\nscratch s : f32[3]\nv0 = lane\n}").unwrap();
        let expected = "k: core lanes 4, grid [2, 1, 1], 1 instructions, 0 flops, params 0 B read 0 B written, \
            scratch 0 B read 0 B written, 64 B scratch, hash ";
        let hash = format!("{:016x}", fnv1a(kernel.to_string().as_bytes()));
        assert_eq!(summary(&kernel), format!("{expected}{hash}"));
    }

    proptest! {
        /// A triangle in a loop in a tail, against the same loops here.
        #[test]
        fn dependent_bounds_are_enumerated(
            n0 in 1u64..5, n1 in 1u64..5, lo in -3i64..3, len in 0i64..9, step in 1i64..4, keep in 0i64..12,
        ) {
            let lines = format!(
                "v0 = id g0\nv1 = id g1\nv2 = const i64 {lo}\nv3 = const i64 {len}\nv4 = const i64 {keep}\nv5 = const f32 1.0
                v6 = add v0, v1\nv7 = mul v6, v3\nv8 = min v7, v4\nv16 = const i64 3\nv17 = div v8, v16
                for v9 in v2 .. v8 step {step} {{
                  for v10 in v2 .. v9 {{ v11 = fma v5, v5, v5 }}
                  v12 = lt v9, v0
                  if v12 {{ v13 = add v5, v5 }} else {{ v14 = add v5, v5 v15 = add v5, v5 }}
                }}
                for v18 in v2 .. v17 {{ v19 = fma v5, v5, v5 }}");
            let mut expected = 0;
            for (g0, g1) in (0..n0 as i64).flat_map(|a| (0..n1 as i64).map(move |b| (a, b))) {
                let end = ((g0 + g1) * len).min(keep);
                for i in (lo..end).step_by(step as usize) {
                    expected += 2 * (i - lo).max(0) as u64 + if i < g0 { 1 } else { 2 };
                }
                expected += 2 * (end / 3 - lo).max(0) as u64;
            }
            prop_assert_eq!(flops_of([n0, n1, 7], &lines), Some(7 * expected));
        }
    }
}
