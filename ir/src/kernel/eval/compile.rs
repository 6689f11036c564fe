//! Kernel → flat code.
//!
//! ```text
//!   for index in lo .. hi (p = init) { body; yield y }        LoopStart ─────────┐
//!                                                             p ← init           │ (before LoopStart)
//!                                                             body               │
//!                                                             p ← y  LoopNext ─▶ body
//!                                                             exit ◀─────────────┘
//! ```
//!
//! The results of a loop are the slots of its parameters. Yields that are themselves parameters of the loop
//! (an exchange) go through spare slots, because moves happen one after the other. Constants, and vectors
//! filled with them, are put into the registers once, before anything runs.
//!
//! Every statement is typed again here, so the machine can rely on it and never panics.

use super::{
    Fault,
    code::{At, BufferInfo, Code, File, Fill, Grid, Image, MOST_LANES, NONE, Op, Slot},
};
use crate::{
    id::{Id, IdVec},
    kernel::{
        Addr, Body, Buf, Buffer, Const, Elem, Inst, Kernel, Space, Stmt, Type, Val, text::statement, typing::Typing,
    },
};

/// Register files and buffers larger than this are refused rather than allocated.
const MOST_ELEMENTS: u64 = 1 << 33;
const MOST_SLOTS: u64 = 1 << 28;

pub(super) fn compile(kernel: &Kernel) -> Result<Code<'_>, Fault> {
    let start = |message: String| Fault::before_start(kernel, message);
    if kernel.lanes == 0 || kernel.lanes as usize > MOST_LANES || kernel.units == 0 || kernel.units > 1024 {
        return Err(start("a unit has 1 to 128 lanes and a block 1 to 1024 units".into()));
    }
    let blocks = kernel.grid.iter().try_fold(1u64, |n, &axis| n.checked_mul(axis));
    if blocks.is_none_or(|n| n >= u64::from(u32::MAX)) {
        return Err(start("the grid has 2^32 or more blocks".into()));
    }
    let buffers = buffers(kernel).map_err(start)?;
    let code = Code {
        kernel,
        ops: Vec::new(),
        places: Vec::new(),
        lists: Vec::new(),
        image: Image::default(),
        buffers,
        lanes: kernel.lanes as usize,
        units: kernel.units,
        grid: kernel.grid,
    };
    let mut slots = IdVec::new();
    kernel.types.values().for_each(|_| {
        slots.push(None);
    });
    let mut compiler = Compiler { kernel, code, slots, constants: Default::default(), place: None };
    let outcome = compiler.body(&kernel.body);
    let place = compiler.place.map(|stmt| statement(kernel, stmt)).unwrap_or_default();
    match outcome {
        Ok(()) => Ok(compiler.code),
        Err(message) => Err(Fault { statement: place, ..start(message) }),
    }
}

fn buffers(kernel: &Kernel) -> Result<Vec<BufferInfo>, String> {
    let total: u128 = kernel.buffers.values().map(|b| u128::from(b.len)).sum();
    if total > u128::from(MOST_ELEMENTS) {
        return Err(format!("its buffers have {total} elements, more than can be simulated"));
    }
    let written = kernel.body.written();
    let info = |(buf, b): (Buf, &Buffer)| BufferInfo {
        name: b.name.clone(),
        dtype: b.dtype,
        len: b.len as usize,
        scratch: b.space == Space::Scratch,
        written: written.contains(&buf),
    };
    Ok(kernel.buffers.iter().map(info).collect())
}

struct Compiler<'k> {
    kernel: &'k Kernel,
    code: Code<'k>,
    /// First lane of each value once it is defined.
    slots: IdVec<Val, Option<Slot>>,
    /// Values that are constants.
    constants: std::collections::BTreeMap<Val, Const>,
    place: Option<&'k Stmt>,
}

type Done<T = ()> = Result<T, String>;

impl<'k> Compiler<'k> {
    /// The file of a type and the number of its elements.
    fn shape(&self, ty: Type) -> (File, u32) {
        let file = |elem| match elem {
            Elem::F32 => File::Float,
            Elem::I32 => File::Int,
            Elem::I64 => File::Long,
            Elem::Bool => File::Truth,
        };
        match ty {
            Type::Scalar(elem) => (file(elem), 1),
            Type::Vector(elem) => (file(elem), self.kernel.lanes),
            Type::Tile { rows, cols, .. } => (File::Float, rows.saturating_mul(cols)),
        }
    }
    fn shape_of(&self, v: Val) -> (File, u32) {
        self.shape(self.kernel.types[v])
    }
    fn allocate(&mut self, file: File, n: u32) -> Done<Slot> {
        let image = &mut self.code.image;
        let end = match file {
            File::Float => &mut image.floats,
            File::Int => &mut image.ints,
            File::Long => &mut image.longs,
            File::Truth => &mut image.truths,
        };
        let slot = *end;
        match slot.checked_add(n).filter(|&end| u64::from(end) <= MOST_SLOTS) {
            Some(next) => *end = next,
            None => return Err("its values are more than can be simulated".into()),
        }
        Ok(slot)
    }
    fn define(&mut self, v: Val) -> Done<Slot> {
        if self.kernel.types.get(v).is_none() {
            return Err(format!("{v} does not exist"));
        }
        let (file, n) = self.shape_of(v);
        let slot = self.allocate(file, n)?;
        self.place_at(v, slot)?;
        Ok(slot)
    }
    fn place_at(&mut self, v: Val, slot: Slot) -> Done {
        match self.slots[v].replace(slot) {
            None => Ok(()),
            Some(_) => Err(format!("{v} is defined twice")),
        }
    }
    fn slot(&self, v: Val) -> Done<Slot> {
        match self.slots.get(v) {
            Some(Some(slot)) => Ok(*slot),
            _ => Err(format!("{v} is used before it is defined")),
        }
    }
    fn optional(&self, v: Option<Val>) -> Done<Slot> {
        v.map_or(Ok(NONE), |v| self.slot(v))
    }
    fn at(&self, addr: &Addr) -> Done<At> {
        Ok(At { buffer: addr.buf.index() as u32, index: self.optional(addr.index)?, offset: addr.offset })
    }
    fn emit(&mut self, op: Op) {
        self.code.ops.push(op);
        self.code.places.push(self.place.expect("ops come from statements"));
    }
    fn here(&self) -> u32 {
        self.code.ops.len() as u32
    }

    fn body(&mut self, body: &'k Body) -> Done {
        for stmt in &body.stmts {
            self.place = Some(stmt);
            let types = Typing::of(self.kernel).results(&stmt.inst)?;
            let declared = stmt.results.iter().map(|&v| self.kernel.types.get(v).copied());
            if !declared.eq(types.into_iter().map(Some)) {
                return Err("its results do not have the declared types".into());
            }
            match &stmt.inst {
                Inst::For { .. } => self.for_loop(stmt)?,
                Inst::If { cond, then, otherwise } => self.branch(stmt, *cond, then, otherwise)?,
                Inst::Const(value) => self.constant(stmt.results[0], *value)?,
                inst => {
                    self.operands_defined(inst)?;
                    self.simple(stmt)?;
                }
            }
            // Faults of a loop or branch itself name it, not the last statement inside.
            self.place = Some(stmt);
        }
        Ok(())
    }
    fn operands_defined(&self, inst: &Inst) -> Done {
        inst.operands().try_for_each(|v| self.slot(v).map(|_| ()))
    }

    fn constant(&mut self, v: Val, value: Const) -> Done {
        let slot = self.define(v)?;
        self.fill(slot, 1, value);
        self.constants.insert(v, value);
        Ok(())
    }
    fn fill(&mut self, slot: Slot, n: u32, value: Const) {
        let image = &mut self.code.image;
        match value {
            Const::F32(value) => image.float_fills.push(Fill { slot, n, value: value.get() }),
            Const::I32(value) => image.int_fills.push(Fill { slot, n, value }),
            Const::I64(value) => image.long_fills.push(Fill { slot, n, value }),
            Const::Bool(value) => image.truth_fills.push(Fill { slot, n, value }),
        }
    }

    fn for_loop(&mut self, stmt: &'k Stmt) -> Done {
        let Inst::For { lo, hi, step, init, index, params, body, .. } = &stmt.inst else { unreachable!("a loop") };
        if *step <= 0 {
            return Err(format!("the step is {step}, but steps are positive"));
        }
        let (lo, hi) = (self.slot(*lo)?, self.slot(*hi)?);
        let from = init.iter().map(|&v| self.slot(v)).collect::<Done<Vec<Slot>>>()?;
        let index = self.define(*index)?;
        for (&param, from) in params.iter().zip(from) {
            let to = self.define(param)?;
            self.move_value(param, to, from);
        }
        let start = self.here();
        self.emit(Op::LoopStart { index, lo, hi, exit: 0 });
        self.body(body)?;
        self.place = Some(stmt);
        self.carry(params, &body.yields)?;
        self.emit(Op::LoopNext { index, step: *step, hi, body: start + 1 });
        let exit = self.here();
        self.code.ops[start as usize] = Op::LoopStart { index, lo, hi, exit };
        for (&result, &param) in stmt.results.iter().zip(params) {
            let slot = self.slot(param)?;
            self.place_at(result, slot)?;
        }
        Ok(())
    }
    /// `params ← yields`, all at once.
    fn carry(&mut self, params: &[Val], yields: &[Val]) -> Done {
        let mut moves = Vec::new();
        for (&param, &v) in params.iter().zip(yields) {
            let (to, from) = (self.slot(param)?, self.slot(v)?);
            if to == from {
                continue;
            }
            let (file, n) = self.shape_of(v);
            let is_param = params.iter().any(|&p| self.shape_of(p).0 == file && self.slots[p] == Some(from));
            let from = if is_param {
                let spare = self.allocate(file, n)?;
                self.emit(Op::Move { file, d: spare, a: from, n });
                spare
            } else {
                from
            };
            moves.push((param, to, from));
        }
        moves.into_iter().for_each(|(param, to, from)| self.move_value(param, to, from));
        Ok(())
    }
    fn move_value(&mut self, like: Val, d: Slot, a: Slot) {
        let (file, n) = self.shape_of(like);
        self.emit(Op::Move { file, d, a, n });
    }

    fn branch(&mut self, stmt: &'k Stmt, cond: Val, then: &'k Body, otherwise: &'k Body) -> Done {
        let cond = self.slot(cond)?;
        let results = stmt
            .results
            .iter()
            .map(|&v| {
                let (file, n) = self.shape_of(v);
                self.allocate(file, n)
            })
            .collect::<Done<Vec<Slot>>>()?;
        let test = self.here();
        self.emit(Op::Branch { cond, otherwise: 0 });
        self.side(stmt, then, &results)?;
        let leave = self.here();
        self.emit(Op::Jump { to: 0 });
        self.code.ops[test as usize] = Op::Branch { cond, otherwise: self.here() };
        self.side(stmt, otherwise, &results)?;
        self.code.ops[leave as usize] = Op::Jump { to: self.here() };
        stmt.results.iter().zip(results).try_for_each(|(&v, slot)| self.place_at(v, slot))
    }
    fn side(&mut self, stmt: &'k Stmt, body: &'k Body, results: &[Slot]) -> Done {
        self.body(body)?;
        self.place = Some(stmt);
        for (&v, &to) in body.yields.iter().zip(results) {
            let from = self.slot(v)?;
            self.move_value(v, to, from);
        }
        Ok(())
    }

    /// A statement that is one op.
    fn simple(&mut self, stmt: &'k Stmt) -> Done {
        let d = match &stmt.inst {
            Inst::Transpose(_) => NONE,
            _ if stmt.results.is_empty() => NONE,
            _ => self.define(stmt.results[0])?,
        };
        let (file, n) = stmt.results.first().map_or((File::Float, 0), |&v| self.shape_of(v));
        let op = match &stmt.inst {
            Inst::For { .. } | Inst::If { .. } | Inst::Const(_) => unreachable!("compiled elsewhere"),
            Inst::Barrier => Op::Barrier,
            Inst::Id(axis) => Op::Id { axis: *axis, d },
            Inst::Lane => {
                let lanes = (0..self.kernel.lanes).map(|l| Fill { slot: d + l, n: 1, value: l as i32 });
                self.code.image.int_fills.extend(lanes);
                return Ok(());
            }
            Inst::Splat(a) => match self.constants.get(a).copied() {
                Some(value) => {
                    self.fill(d, n, value);
                    return Ok(());
                }
                None => Op::Splat { file, d, a: self.slot(*a)? },
            },
            Inst::Bin(op, a, b) => Op::Bin { file, op: *op, d, a: self.slot(*a)?, b: self.slot(*b)?, n },
            Inst::Un(op, a) => Op::Un { file, op: *op, d, a: self.slot(*a)?, n },
            Inst::Fma(a, b, c) => Op::Fma { d, a: self.slot(*a)?, b: self.slot(*b)?, c: self.slot(*c)?, n },
            Inst::Cmp(op, a, b) => {
                let file = self.shape_of(*a).0;
                Op::Cmp { file, op: *op, d, a: self.slot(*a)?, b: self.slot(*b)?, n }
            }
            Inst::Select(cond, a, b) => {
                Op::Select { file, d, cond: self.slot(*cond)?, a: self.slot(*a)?, b: self.slot(*b)?, n }
            }
            Inst::Cast(op, a) => Op::Cast { op: *op, d, a: self.slot(*a)?, n },
            Inst::Approx(op, a) => Op::Approx { op: *op, d, a: self.slot(*a)?, n },
            Inst::Reduce(op, a) => {
                if !self.kernel.lanes.is_power_of_two() {
                    return Err("halving needs a lane count that is a power of two".into());
                }
                Op::Reduce { file, op: *op, d, a: self.slot(*a)? }
            }
            Inst::Extract(a, lane) => Op::Move { file, d, a: self.slot(*a)? + lane, n: 1 },
            Inst::Shuffle(a, perm) => {
                let lanes = self.list(perm.iter().map(|&lane| u32::from(lane)).collect());
                Op::Shuffle { file, d, a: self.slot(*a)?, lanes }
            }
            Inst::Transpose(rows) => {
                let rows = rows.iter().map(|&v| self.slot(v)).collect::<Done<Vec<Slot>>>()?;
                let rows = self.list(rows);
                let slots = stmt.results.iter().map(|&v| self.define(v)).collect::<Done<Vec<Slot>>>()?;
                Op::Transpose { file, d: slots[0], rows }
            }
            inst => self.access(inst, d, n)?,
        };
        self.emit(op);
        Ok(())
    }
    fn list(&mut self, list: Vec<u32>) -> u32 {
        self.code.lists.push(list);
        self.code.lists.len() as u32 - 1
    }

    /// Memory and tiles.
    fn access(&mut self, inst: &Inst, d: Slot, n: u32) -> Done<Op> {
        Ok(match inst {
            Inst::Load { addr, active, stride } => {
                Op::Load { d, at: self.at(addr)?, active: self.optional(*active)?, stride: *stride }
            }
            Inst::Bcast(addr) | Inst::LoadScalar(addr) => Op::Read { d, at: self.at(addr)?, n },
            Inst::Gather { addr, idx, mask } => {
                Op::Gather { d, at: self.at(addr)?, idx: self.slot(*idx)?, mask: self.slot(*mask)? }
            }
            Inst::Store { value, addr, active, stride } => Op::Store {
                a: self.slot(*value)?,
                at: self.at(addr)?,
                active: self.optional(*active)?,
                stride: *stride,
            },
            Inst::StoreScalar { value, addr } => Op::Write { a: self.slot(*value)?, at: self.at(addr)? },
            Inst::TileZero { .. } => Op::Zero { d, n },
            Inst::TileLoad { addr, row_stride, transposed, rows, cols, .. } => {
                let (row, col) = if *transposed { (1, *row_stride) } else { (*row_stride, 1) };
                Op::TileLoad { d, at: self.at(addr)?, grid: Grid { rows: *rows, cols: *cols, row, col } }
            }
            Inst::TileStore { value, addr, row_stride } => {
                let (rows, cols) = self.tile(*value)?;
                let grid = Grid { rows, cols, row: *row_stride, col: 1 };
                Op::TileStore { a: self.slot(*value)?, at: self.at(addr)?, grid }
            }
            Inst::TileMma { acc, a, b } => {
                let (rows, cols) = self.tile(*acc)?;
                let (_, depth) = self.tile(*a)?;
                Op::Mma { d, acc: self.slot(*acc)?, a: self.slot(*a)?, b: self.slot(*b)?, rows, cols, depth }
            }
            other => return Err(format!("{} cannot be interpreted", other.name())),
        })
    }
    fn tile(&self, v: Val) -> Done<(u32, u32)> {
        match self.kernel.types[v] {
            Type::Tile { rows, cols, .. } => Ok((rows, cols)),
            ty => Err(format!("{v} is {ty}, not a tile")),
        }
    }
}
