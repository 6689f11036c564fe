//! Kernel → text.
//!
//! The printer takes any kernel, also a broken one, so that findings can show what they are about.

use super::super::{inst::*, typing::Typing};
use crate::{
    id::Id,
    lexer::quote,
    types::{Real, ShapeText},
};
use std::fmt::{self, Write};

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kernel {} {} lanes {}", quote(&self.name), self.unit, self.lanes)?;
        if self.units != 1 {
            write!(f, " units {}", self.units)?;
        }
        let [n0, n1, n2] = self.grid;
        writeln!(f, " grid [{n0}, {n1}, {n2}] {{")?;
        for buffer in self.buffers.values() {
            writeln!(f, "  {} {} : {}[{}]", buffer.space, quote(&buffer.name), buffer.dtype, buffer.len)?;
        }
        let unused = unused(self);
        if !unused.is_empty() {
            writeln!(f, "  unused {}", Commas(unused.iter().map(|&v| format!("{v} : {}", self.types[v]))))?;
        }
        Printer { kernel: self, out: f }.body(&self.body, 1)?;
        f.write_str("}\n")
    }
}

/// The first line of a statement as it stands in the kernel's text, without indentation.
pub(crate) fn statement(kernel: &Kernel, stmt: &Stmt) -> String {
    let mut out = String::new();
    Printer { kernel, out: &mut out }.head(stmt).expect("writing to a string succeeds");
    out
}

fn unused(kernel: &Kernel) -> Vec<Val> {
    let mut used = vec![false; kernel.types.len()];
    for v in kernel.body.walk().flat_map(Stmt::definitions) {
        if let Some(used) = used.get_mut(v.index()) {
            *used = true;
        }
    }
    kernel.types.ids().filter(|v| !used[v.index()]).collect()
}

struct Commas<I>(I);

impl<I: Iterator<Item = T> + Clone, T: fmt::Display> fmt::Display for Commas<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, item) in self.0.clone().enumerate() {
            write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

struct Printer<'a, W> {
    kernel: &'a Kernel,
    out: &'a mut W,
}

impl<W: Write> Printer<'_, W> {
    fn body(&mut self, body: &Body, depth: usize) -> fmt::Result {
        for stmt in &body.stmts {
            write!(self.out, "{:1$}", "", 2 * depth)?;
            self.head(stmt)?;
            match &stmt.inst {
                Inst::For { body, .. } => self.braces(body, depth)?,
                Inst::If { then, otherwise, .. } => {
                    self.braces(then, depth)?;
                    if *otherwise != Body::default() {
                        self.out.write_str(" else {")?;
                        self.braces(otherwise, depth)?;
                    }
                }
                _ => {}
            }
            self.out.write_char('\n')?;
        }
        if body.yields.is_empty() {
            return Ok(());
        }
        writeln!(self.out, "{:2$}yield {}", "", Commas(body.yields.iter()), 2 * depth)
    }
    fn braces(&mut self, body: &Body, depth: usize) -> fmt::Result {
        self.out.write_char('\n')?;
        self.body(body, depth + 1)?;
        write!(self.out, "{:1$}}}", "", 2 * depth)
    }
    fn head(&mut self, stmt: &Stmt) -> fmt::Result {
        if !stmt.results.is_empty() {
            let types = self.types_to_print(stmt);
            let results = stmt.results.iter().zip(types).map(|(v, ty)| match ty {
                Some(ty) => format!("{v} : {ty}"),
                None => v.to_string(),
            });
            write!(self.out, "{} = ", Commas(results))?;
        }
        self.inst(&stmt.inst)
    }
    /// Loads show their type; others only where it is not the one that follows from the operands.
    fn types_to_print(&self, stmt: &Stmt) -> Vec<Option<Type>> {
        let loads = matches!(stmt.inst, Inst::Load { .. } | Inst::Bcast(_) | Inst::LoadScalar(_) | Inst::Gather { .. });
        let inferred = Typing::of(self.kernel).results(&stmt.inst).unwrap_or_default();
        let given = stmt.results.iter().map(|&v| self.kernel.types.get(v).copied());
        given.enumerate().map(|(i, ty)| ty.filter(|ty| loads || inferred.get(i) != Some(ty))).collect()
    }
    fn addr(&self, addr: &Addr) -> String {
        let name = match self.kernel.buffers.get(addr.buf) {
            Some(buffer) => quote(&buffer.name).into_owned(),
            None => addr.buf.to_string(),
        };
        let magnitude = addr.offset.unsigned_abs();
        match addr.index {
            None => format!("{name}[{}]", addr.offset),
            Some(index) if addr.offset == 0 => format!("{name}[{index}]"),
            Some(index) => format!("{name}[{index} {} {magnitude}]", if addr.offset < 0 { '-' } else { '+' }),
        }
    }
    fn inst(&mut self, inst: &Inst) -> fmt::Result {
        self.out.write_str(inst.name())?;
        let line = match inst {
            Inst::For { lo, hi, step, unroll, init, index, params, .. } => {
                let carried = params.iter().zip(init).map(|(p, i)| format!("{p} = {i}"));
                let carried = if init.is_empty() { String::new() } else { format!(" ({})", Commas(carried)) };
                let step = option("step", *step);
                let unroll = option("unroll", i64::from(*unroll));
                format!("{index} in {lo} .. {hi}{step}{unroll}{carried} {{")
            }
            Inst::If { cond, .. } => format!("{cond} {{"),
            Inst::Lane | Inst::Barrier => return Ok(()),
            Inst::Id(axis) => axis.to_string(),
            Inst::Const(Const::F32(value)) => format!("f32 {}", real(*value)),
            Inst::Const(Const::I64(value)) => format!("i64 {value}"),
            Inst::Const(Const::I32(value)) => format!("i32 {value}"),
            Inst::Const(Const::Bool(value)) => format!("bool {value}"),
            Inst::Cast(op, a) => format!("{op} {a}"),
            Inst::Reduce(op, a) => format!("{op} {a}"),
            Inst::Approx(op, a) => format!("{op} {a}"),
            Inst::Extract(a, lane) => format!("{a}, {lane}"),
            Inst::Shuffle(a, perm) => format!("{a}, [{}]", Commas(perm.iter())),
            Inst::Load { addr, active, stride } => format!("{}{}", self.addr(addr), access(*active, *stride)),
            Inst::Store { value, addr, active, stride } => {
                format!("{value}, {}{}", self.addr(addr), access(*active, *stride))
            }
            Inst::Bcast(addr) | Inst::LoadScalar(addr) => self.addr(addr),
            Inst::StoreScalar { value, addr } => format!("{value}, {}", self.addr(addr)),
            Inst::Gather { addr, idx, mask } => format!("{}, {idx}, {mask}", self.addr(addr)),
            Inst::TileZero { rows, cols } => ShapeText(&[*rows as usize, *cols as usize]).to_string(),
            Inst::TileLoad { addr, row_stride, transposed, rows, cols, dtype, role } => {
                let ty = Type::Tile { rows: *rows, cols: *cols, dtype: *dtype, role: *role };
                let transposed = if *transposed { " transposed" } else { "" };
                format!("{ty}, {} row_stride {row_stride}{transposed}", self.addr(addr))
            }
            Inst::TileStore { value, addr, row_stride } => {
                format!("{value}, {} row_stride {row_stride}", self.addr(addr))
            }
            other => Commas(other.operands().collect::<Vec<_>>().iter()).to_string(),
        };
        write!(self.out, " {line}")
    }
}

fn option(word: &str, value: i64) -> String {
    if value == 1 { String::new() } else { format!(" {word} {value}") }
}

fn access(active: Option<Val>, stride: i64) -> String {
    let active = active.map(|v| format!(" first {v}")).unwrap_or_default();
    active + &option("stride", stride)
}

fn real(value: Real) -> String {
    let bits = value.get().to_bits();
    match value.get().is_nan() {
        true if bits == f64::NAN.to_bits() => "nan".to_string(),
        true => format!("nan {bits:#x}"),
        false => value.to_string(),
    }
}
