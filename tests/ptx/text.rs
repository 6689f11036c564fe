//! Reads back the PTX that the emitter writes: one instruction per line, labels on lines of their own.
//!
//! ```text
//!   @%p3 ld.global.f32 %f7, [%d2+64];
//!   guard  opcode       target  operands
//! ```

use std::collections::HashMap;

/// An operand.
#[derive(Clone, Debug)]
pub(crate) enum Arg {
    /// A register, by number.
    Reg(usize),
    /// A literal; floats as their bits.
    Literal(u64),
    /// `[register + offset]`.
    At(usize, i64),
    /// `{low, high}`, two halves of a register.
    Halves(usize, usize),
    /// A label, a special register, a variable.
    Name(String),
}

/// An instruction.
#[derive(Clone, Debug)]
pub(crate) struct Inst {
    /// Predicate register, and the truth it must have.
    pub guard: Option<(usize, bool)>,
    pub opcode: String,
    pub args: Vec<Arg>,
    pub line: String,
}

/// An entry function.
#[derive(Default)]
pub(crate) struct Entry {
    pub params: Vec<String>,
    pub threads: u32,
    pub shared: usize,
    pub code: Vec<Inst>,
    pub labels: HashMap<String, usize>,
    registers: HashMap<String, usize>,
}

/// A module.
#[derive(Default)]
pub(crate) struct Module {
    pub entries: HashMap<String, Entry>,
    pub tables: HashMap<String, Vec<u8>>,
}

impl Entry {
    pub(crate) fn registers(&self) -> usize {
        self.registers.len()
    }
    fn register(&mut self, name: &str) -> usize {
        let next = self.registers.len();
        *self.registers.entry(name.to_string()).or_insert(next)
    }
    fn arg(&mut self, text: &str) -> Arg {
        if let Some(halves) = text.strip_prefix('{') {
            let (low, high) = halves.trim_end_matches('}').split_once(", ").expect("two halves");
            return Arg::Halves(self.register(low), self.register(high));
        }
        if let Some(address) = text.strip_prefix('[') {
            let address = address.trim_end_matches(']');
            let (base, offset) = address.split_once('+').unwrap_or((address, "0"));
            return match base.starts_with('%') {
                true => Arg::At(self.register(base), offset.parse().expect("an offset")),
                false => Arg::Name(base.to_string()),
            };
        }
        if let Some(bits) = text.strip_prefix("0f") {
            return Arg::Literal(u64::from_str_radix(bits, 16).expect("bits of a float"));
        }
        if let Some(bits) = text.strip_prefix("0x") {
            return Arg::Literal(u64::from_str_radix(bits, 16).expect("bits"));
        }
        if let Ok(value) = text.parse::<i64>() {
            return Arg::Literal(value as u64);
        }
        let special = text.contains('.') || !text.starts_with('%');
        if special { Arg::Name(text.to_string()) } else { Arg::Reg(self.register(text)) }
    }
    fn inst(&mut self, line: &str) -> Inst {
        let mut rest = line;
        let mut guard = None;
        if let Some(guarded) = line.strip_prefix('@') {
            let (predicate, after) = guarded.split_once(' ').expect("a guarded instruction");
            let register = self.register(predicate.trim_start_matches('!'));
            guard = Some((register, !predicate.starts_with('!')));
            rest = after;
        }
        let (opcode, operands) = rest.split_once(' ').unwrap_or((rest, ""));
        let args = pieces(operands).into_iter().map(|a| self.arg(a)).collect();
        Inst { guard, opcode: opcode.to_string(), args, line: line.to_string() }
    }
}

/// Splits at commas outside of braces.
fn pieces(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let (mut start, mut depth) = (0, 0);
    for (i, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                out.push(text[start..i].trim());
                start = i + 1;
            }
            _ => {}
        }
    }
    out.push(text[start..].trim());
    out.retain(|piece| !piece.is_empty());
    out
}

/// The number between brackets.
fn extent(line: &str) -> usize {
    let inside = line.split_once('[').and_then(|(_, rest)| rest.split_once(']')).expect("an array").0;
    inside.parse().unwrap_or(0)
}

/// Reads a module; panics where the text is not what the emitter writes.
pub(crate) fn parse(text: &str) -> Module {
    let mut module = Module::default();
    let mut open: Option<(String, Entry)> = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix(".visible .entry ") {
            open = Some((name.trim_end_matches(['(', ')']).to_string(), Entry::default()));
        } else if let Some(table) = line.strip_prefix(".const .align 4 .b8 ") {
            let (name, list) = table.split_once('[').expect("an array");
            let list = list.split_once('{').expect("its bytes").1.trim_end_matches("};");
            module.tables.insert(name.to_string(), list.split(", ").map(|b| b.parse().expect("a byte")).collect());
        } else if let Some((_, entry)) = &mut open {
            if line == "}" {
                let (name, entry) = open.take().expect("an open entry");
                module.entries.insert(name, entry);
            } else {
                entry_line(entry, line);
            }
        }
    }
    module
}

fn entry_line(entry: &mut Entry, line: &str) {
    if let Some(param) = line.strip_prefix(".param .u64 ") {
        entry.params.push(param.trim_end_matches(',').to_string());
    } else if let Some(threads) = line.strip_prefix(".reqntid ") {
        entry.threads = threads.split(',').next().and_then(|n| n.parse().ok()).expect("a thread count");
    } else if line.starts_with(".shared") {
        entry.shared = extent(line);
    } else if let Some(label) = line.strip_suffix(':') {
        entry.labels.insert(label.to_string(), entry.code.len());
    } else if !line.starts_with('.') && line.ends_with(';') {
        let inst = entry.inst(line.trim_end_matches(';'));
        entry.code.push(inst);
    }
}
