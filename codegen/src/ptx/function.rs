//! One entry function: registers, control flow, and what is computed once at its top.
//!
//! Values are SSA, so each gets its own virtual register; `ptxas` assigns real ones. Carried values and the
//! results of branches are the exception: they are moved into a register that both paths write. Constants
//! are immediates, and a splat is its scalar, for every lane holds it already.
//!
//! ```text
//!   for i in lo..hi (x = a) { … yield y }        mov x, a;  mov i, lo;  if i ≥ hi goto end
//!                                          top:  …
//!                                                mov t, y;  mov x, t;  i += step;  if i < hi goto top
//!                                          end:
//! ```

use super::{LANES, STATIC_SHARED_BYTES, hazard::Hazards};
use regard_ir::{
    id::Id,
    kernel::{Body, Buf, Const, Elem, Inst, Kernel, Space, Stmt, Type, Val},
    types::DType,
};
use std::{
    collections::BTreeMap,
    fmt::{self, Display, Write},
};

/// Symbol of the module's dynamic shared memory.
pub(super) const DYNAMIC_SHARED: &str = "dynamic_shared";

/// A virtual register file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Index,
    Int,
    Float,
    Pred,
    Half,
}

impl Class {
    const ALL: [Class; 5] = [Class::Index, Class::Int, Class::Float, Class::Pred, Class::Half];

    pub(crate) fn of(ty: Type) -> Class {
        match ty {
            Type::Scalar(Elem::I64) | Type::Vector(Elem::I64) => Class::Index,
            Type::Scalar(Elem::I32) | Type::Vector(Elem::I32) => Class::Int,
            Type::Scalar(Elem::F32) | Type::Vector(Elem::F32) => Class::Float,
            Type::Scalar(Elem::Bool) | Type::Vector(Elem::Bool) => Class::Pred,
            Type::Tile { .. } => unreachable!("kernels with tiles are refused before"),
        }
    }
    fn prefix(self) -> &'static str {
        match self {
            Class::Index => "%d",
            Class::Int => "%r",
            Class::Float => "%f",
            Class::Pred => "%p",
            Class::Half => "%h",
        }
    }
    /// The type with which a register is declared and moved.
    pub(crate) fn ty(self) -> &'static str {
        match self {
            Class::Index => "b64",
            Class::Int => "b32",
            Class::Float => "f32",
            Class::Pred => "pred",
            Class::Half => "b16",
        }
    }
}

/// A virtual register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reg {
    pub class: Class,
    number: u32,
}

impl Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.class.prefix(), self.number)
    }
}

/// What stands for a value in the text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Operand {
    Reg(Reg),
    Constant(Const),
}

impl Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Reg(r) => r.fmt(f),
            Operand::Constant(Const::I64(i64::MIN)) => f.write_str("0x8000000000000000"),
            Operand::Constant(Const::I64(c)) => c.fmt(f),
            Operand::Constant(Const::I32(c)) => c.fmt(f),
            Operand::Constant(Const::F32(c)) => write!(f, "0f{:08X}", (c.get() as f32).to_bits()),
            Operand::Constant(Const::Bool(c)) => u8::from(*c).fmt(f),
        }
    }
}

/// The text under construction.
pub(super) struct Emitter<'k> {
    pub kernel: &'k Kernel,
    /// Computed once, before the body.
    top: String,
    text: String,
    /// Constant tables in front of the entry.
    tables: String,
    counts: [u32; Class::ALL.len()],
    values: Vec<Option<Operand>>,
    labels: u32,
    at_top: BTreeMap<String, Reg>,
    pub hazards: Hazards,
}

/// The text of one entry, with the constants it uses in front.
pub(super) fn entry(kernel: &Kernel) -> String {
    let mut emitter = Emitter {
        kernel,
        top: String::new(),
        text: String::new(),
        tables: String::new(),
        counts: [0; Class::ALL.len()],
        values: vec![None; kernel.types.len()],
        labels: 0,
        at_top: BTreeMap::new(),
        hazards: Hazards::new(kernel),
    };
    emitter.body(&kernel.body);
    emitter.finish()
}

impl Emitter<'_> {
    fn finish(self) -> String {
        let name = &self.kernel.name;
        let threads = LANES * self.kernel.units;
        let params: Vec<String> =
            self.kernel.params().map(|(b, _)| format!("\n    .param .u64 {}", param(name, b))).collect();
        let mut out = self.tables;
        let _ = write!(out, ".visible .entry {name}({}\n)\n.reqntid {threads}, 1, 1\n{{\n", params.join(","));
        for (class, count) in Class::ALL.iter().zip(self.counts).filter(|(_, count)| *count > 0) {
            let _ = writeln!(out, "    .reg .{} {}<{count}>;", class.ty(), class.prefix());
        }
        let (_, scratch) = self.kernel.scratch_layout();
        if (1..=STATIC_SHARED_BYTES).contains(&scratch) {
            let _ = writeln!(out, "    .shared .align 64 .b8 scratch[{scratch}];");
        }
        out + &self.top + &self.text + "    ret;\n}\n"
    }

    /// Appends one instruction.
    pub(crate) fn put(&mut self, instruction: impl Display) {
        let _ = writeln!(self.text, "    {instruction};");
    }
    pub(crate) fn fresh(&mut self, class: Class) -> Reg {
        let count = &mut self.counts[class as usize];
        *count += 1;
        Reg { class, number: *count - 1 }
    }
    /// A new register computed by `instruction`, in which `{}` after the opcode is the register.
    pub(crate) fn compute(&mut self, class: Class, opcode: impl Display, operands: impl Display) -> Reg {
        let d = self.fresh(class);
        self.put(format_args!("{opcode} {d}, {operands}"));
        d
    }
    /// The same at the top of the function, once for equal text.
    pub(crate) fn compute_at_top(&mut self, class: Class, opcode: &str, operands: &str) -> Reg {
        let key = format!("{opcode} {operands}");
        if let Some(&r) = self.at_top.get(&key) {
            return r;
        }
        let d = self.fresh(class);
        let _ = writeln!(self.top, "    {opcode} {d}, {operands};");
        self.at_top.insert(key, d);
        d
    }
    /// Declares bytes of constant memory and returns their symbol, once for equal bytes.
    pub(crate) fn table(&mut self, bytes: &[u8]) -> String {
        let list: Vec<String> = bytes.iter().map(u8::to_string).collect();
        let list = list.join(", ");
        let prefix = format!(".const .align 4 .b8 {}_table", self.kernel.name);
        let declared: Vec<&str> = self.tables.lines().collect();
        let found = declared.iter().position(|line| line.ends_with(&format!("= {{{list}}};")));
        let number = found.unwrap_or(declared.len());
        if found.is_none() {
            let _ = writeln!(self.tables, "{prefix}{number}[{}] = {{{list}}};", bytes.len());
        }
        format!("{}_table{number}", self.kernel.name)
    }

    pub(crate) fn thread(&mut self) -> Reg {
        self.compute_at_top(Class::Int, "mov.u32", "%tid.x")
    }
    /// The lane number, 0..32.
    pub(crate) fn lane(&mut self) -> Reg {
        let thread = self.thread();
        self.compute_at_top(Class::Int, "and.b32", &format!("{thread}, 31"))
    }
    pub(crate) fn lane_index(&mut self) -> Reg {
        let lane = self.lane();
        self.compute_at_top(Class::Index, "cvt.s64.s32", &lane.to_string())
    }
    /// Address of a buffer's first element: global (64 bits) or shared (32 bits).
    pub(crate) fn base(&mut self, buf: Buf) -> Reg {
        let name = self.kernel.name.clone();
        match self.kernel.buffers[buf].space {
            Space::Global => {
                let pointer = self.compute_at_top(Class::Index, "ld.param.u64", &format!("[{}]", param(&name, buf)));
                self.compute_at_top(Class::Index, "cvta.to.global.u64", &pointer.to_string())
            }
            Space::Scratch => {
                let (layout, total) = self.kernel.scratch_layout();
                let at = layout.iter().find(|(b, _)| *b == buf).expect("scratch is laid out").1;
                let symbol = if total > STATIC_SHARED_BYTES { DYNAMIC_SHARED } else { "scratch" };
                let start = self.compute_at_top(Class::Int, "mov.u32", symbol);
                if at == 0 { start } else { self.compute_at_top(Class::Int, "add.u32", &format!("{start}, {at}")) }
            }
        }
    }

    /// What stands for a value.
    pub(crate) fn operand(&self, v: Val) -> Operand {
        self.values[v.index()].expect("operands come before their users")
    }
    /// A register that holds the value.
    pub(crate) fn reg(&mut self, v: Val) -> Reg {
        match self.operand(v) {
            Operand::Reg(r) => r,
            constant => {
                let class = Class::of(self.kernel.ty(v));
                self.compute(class, format_args!("mov.{}", class.ty()), constant)
            }
        }
    }
    pub(crate) fn constant(&self, v: Val) -> Option<Const> {
        match self.operand(v) {
            Operand::Constant(c) => Some(c),
            Operand::Reg(_) => None,
        }
    }
    pub(crate) fn set(&mut self, v: Val, operand: Operand) {
        self.values[v.index()] = Some(operand);
    }
    pub(crate) fn class(&self, v: Val) -> Class {
        Class::of(self.kernel.ty(v))
    }

    fn body(&mut self, body: &Body) {
        for stmt in &body.stmts {
            match &stmt.inst {
                Inst::For { .. } => self.for_loop(stmt),
                Inst::If { .. } => self.branch(stmt),
                _ => self.inst(stmt),
            }
        }
    }
    fn label(&mut self, word: &str) -> String {
        self.labels += 1;
        format!("${word}{}", self.labels)
    }
    fn place_label(&mut self, label: &str) {
        let _ = writeln!(self.text, "{label}:");
    }
    fn moved(&mut self, to: Reg, from: Operand) {
        self.put(format_args!("mov.{} {to}, {from}", to.class.ty()));
    }

    fn for_loop(&mut self, stmt: &Stmt) {
        let Inst::For { lo, hi, step, init, index, params, body, .. } = &stmt.inst else {
            unreachable!("called for loops")
        };
        let (top, end) = (self.label("top"), self.label("end"));
        let carried: Vec<Reg> = params.iter().map(|&p| self.fresh(self.class(p))).collect();
        for (&to, &from) in carried.iter().zip(init) {
            self.moved(to, self.operand(from));
        }
        let counter = self.fresh(Class::Index);
        self.moved(counter, self.operand(*lo));
        let hi = self.operand(*hi);
        let done = self.compute(Class::Pred, "setp.ge.s64", format_args!("{counter}, {hi}"));
        self.put(format_args!("@{done} bra.uni {end}"));
        self.place_label(&top);

        self.set(*index, Operand::Reg(counter));
        params.iter().zip(&carried).for_each(|(&p, &r)| self.set(p, Operand::Reg(r)));
        let before = self.hazards.clone();
        self.body(body);
        let next: Vec<Reg> = body.yields.iter().map(|&y| self.copy(y)).collect();
        carried.iter().zip(next).for_each(|(&to, from)| self.moved(to, Operand::Reg(from)));
        if self.hazards.before_repeating(body) {
            self.warp_barrier();
        }
        self.hazards.join(before);

        self.put(format_args!("add.s64 {counter}, {counter}, {step}"));
        let again = self.compute(Class::Pred, "setp.lt.s64", format_args!("{counter}, {hi}"));
        self.put(format_args!("@{again} bra.uni {top}"));
        self.place_label(&end);
        stmt.results.iter().zip(carried).for_each(|(&v, r)| self.set(v, Operand::Reg(r)));
    }
    fn copy(&mut self, v: Val) -> Reg {
        let class = self.class(v);
        let from = self.operand(v);
        self.compute(class, format_args!("mov.{}", class.ty()), from)
    }

    fn branch(&mut self, stmt: &Stmt) {
        let Inst::If { cond, then, otherwise } = &stmt.inst else { unreachable!("called for branches") };
        let (other, end) = (self.label("else"), self.label("end"));
        let cond = self.reg(*cond);
        let merged: Vec<Reg> = stmt.results.iter().map(|&v| self.fresh(self.class(v))).collect();
        let before = self.hazards.clone();
        self.put(format_args!("@!{cond} bra.uni {other}"));
        self.side(then, &merged);
        self.put(format_args!("bra.uni {end}"));
        let after_then = std::mem::replace(&mut self.hazards, before);
        self.place_label(&other);
        self.side(otherwise, &merged);
        self.hazards.join(after_then);
        self.place_label(&end);
        stmt.results.iter().zip(merged).for_each(|(&v, r)| self.set(v, Operand::Reg(r)));
    }
    fn side(&mut self, body: &Body, merged: &[Reg]) {
        self.body(body);
        for (&to, &from) in merged.iter().zip(&body.yields) {
            self.moved(to, self.operand(from));
        }
    }

    /// Waits for all lanes of the warp and makes their memory accesses visible to each other.
    pub(crate) fn warp_barrier(&mut self) {
        self.put("bar.warp.sync 0xffffffff");
        self.hazards.clear();
    }
    /// The element type of a buffer.
    pub(crate) fn dtype(&self, buf: Buf) -> DType {
        self.kernel.buffers[buf].dtype
    }
}

fn param(kernel: &str, buf: Buf) -> String {
    format!("{kernel}_param{}", buf.index())
}
