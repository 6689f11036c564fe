//! The pickle machine: reads the description of a checkpoint's tensors and can do nothing else.
//!
//! A pickle is a program for a machine with a stack. Python's machine imports and calls whatever the program
//! names, so that a checkpoint can run anything. This one knows protocols 0 to 5, builds [`Values`], and treats a
//! name as a word (see [`super::value`]):
//!
//! ```text
//!   EMPTY_DICT  MARK "fc.weight" (…  BINPERSID … REDUCE)  …  SETITEMS  STOP      ─▶  { "fc.weight": tensor, … }
//!        stack:  [ {} │ "fc.weight"  tensor   …                                      │ = mark
//! ```
//!
//! It runs in one loop: nothing recurses, each opcode takes time and memory in proportion to its own bytes and
//! to what it takes from the stack, and the number of values is bounded. Protocols 0 and 1 write numbers and texts as
//! lines, which [`super::lines`] reads.

use super::{
    lines,
    names::Name,
    value::{self, Dict, Id, Value, Values},
};
use std::{borrow::Cow, collections::BTreeMap};

/// What was read.
#[derive(Debug)]
pub(crate) struct Pickle<'a> {
    /// The program.
    pub bytes: &'a [u8],
    /// All values.
    pub values: Values<'a>,
    /// The outermost one.
    pub root: Id,
    /// How many bytes the program has.
    pub length: usize,
}

/// Why a pickle is refused: the opcode's place, and the end of a sentence about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub at: usize,
    pub what: String,
}

/// Reads the pickle at the beginning of `bytes`.
pub(crate) fn load(bytes: &[u8]) -> Result<Pickle<'_>, Refusal> {
    let mut machine =
        Machine { bytes, at: 0, values: Values::new(), stack: Vec::new(), marks: Vec::new(), memo: BTreeMap::new() };
    loop {
        let at = machine.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => return Ok(Pickle { bytes, values: machine.values, root, length: machine.at }),
            Err(what) => return Err(Refusal { at, what }),
        }
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Values<'a>,
    stack: Vec<Id>,
    /// Lengths of the stack where marks were set.
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
}

type Step<T> = Result<T, String>;

impl<'a> Machine<'a> {
    /// Executes one opcode; the result once it is `STOP`.
    fn step(&mut self) -> Step<Option<Id>> {
        match self.byte()? {
            b'.' => return self.pop().map(Some),
            0x80 => self.protocol()?,
            0x95 => drop(self.take(8)?),
            b'N' => self.push(Value::Plain)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            code @ (b'K' | b'M' | b'J' | 0x8a | 0x8b | b'G') => self.number(code)?,
            b'V' => {
                let line = self.raw_line()?;
                self.push(Value::Text(lines::characters(line)?))?;
            }
            code @ (b'I' | b'L' | b'F' | b'S') => {
                let line = self.line()?;
                self.push(lines::value(code, line)?)?;
            }
            code @ (b'X' | 0x8c | 0x8d | b'U' | b'T') => self.text(code)?,
            code @ (b'C' | b'B' | 0x8e | 0x96) => {
                let length = self.length(code)?;
                let bytes = self.take(length)?;
                self.push(Value::Bytes(bytes))?;
            }
            code @ (b'q' | b'r' | 0x94 | b'h' | b'j' | b'p' | b'g') => self.remember(code)?,
            b'(' => self.marks.push(self.stack.len()),
            b'0' => self.discard()?,
            b'1' => drop(self.above_mark()?),
            b'2' => self.stack.push(self.top()?),
            code @ (b')' | b't' | 0x85..=0x87 | b']' | b'l' | b'}' | b'd' | 0x8f | 0x91) => self.collection(code)?,
            code @ (b'a' | b'e' | b's' | b'u' | 0x90) => self.fill(code)?,
            b'c' => {
                let name = self.global()?;
                self.push(Value::Name(name))?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let name = match (self.values.get(module), self.values.get(name)) {
                    (Value::Text(Cow::Borrowed(module)), Value::Text(Cow::Borrowed(name))) => named(module, name)?,
                    _ => return Err("names something by what is not a plain text".into()),
                };
                self.push(Value::Name(name))?;
            }
            code @ (b'R' | 0x81 | 0x92) => self.call(code)?,
            code @ (b'i' | b'o') => self.instance(code)?,
            b'b' => self.build()?,
            b'Q' => {
                let id = self.pop()?;
                let value = self.values.persistent(id)?;
                self.push(value)?;
            }
            b'P' => self.persistent_line()?,
            code => return Err(refused(code)),
        }
        Ok(None)
    }

    fn protocol(&mut self) -> Step<()> {
        match self.byte()? {
            0..=5 => Ok(()),
            version => Err(format!("has protocol {version}, expected 0 to 5")),
        }
    }
    fn number(&mut self, code: u8) -> Step<()> {
        let value = match code {
            b'K' => Value::Int(i64::from(self.byte()?)),
            b'M' => Value::Int(i64::from(u16::from_le_bytes(self.array()?))),
            b'J' => Value::Int(i64::from(i32::from_le_bytes(self.array()?))),
            b'G' => {
                self.take(8)?;
                Value::Plain
            }
            _ => {
                let length = if code == 0x8a { usize::from(self.byte()?) } else { self.length(b'B')? };
                let digits = self.take(length)?;
                let mut word = [if digits.last().is_some_and(|&high| high >= 0x80) { 0xff } else { 0 }; 8];
                match digits.len() {
                    ..=8 => {
                        word[..digits.len()].copy_from_slice(digits);
                        Value::Int(i64::from_le_bytes(word))
                    }
                    _ => Value::Plain,
                }
            }
        };
        self.push(value)
    }
    fn text(&mut self, code: u8) -> Step<()> {
        let length = self.length(code)?;
        let bytes = self.take(length)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => self.push(Value::Text(Cow::Borrowed(text))),
            // Texts of Python 2 may be any bytes, the elements of an array for example.
            Err(_) if matches!(code, b'U' | b'T') => self.push(Value::Bytes(bytes)),
            Err(_) => Err("has a text that is not UTF-8".into()),
        }
    }
    /// The length before texts and bytes, in the width that the opcode has.
    fn length(&mut self, code: u8) -> Step<usize> {
        let length = match code {
            0x8c | b'U' | b'C' => u64::from(self.byte()?),
            b'X' | b'T' | b'B' => u64::from(u32::from_le_bytes(self.array()?)),
            _ => u64::from_le_bytes(self.array()?),
        };
        let left = self.bytes.len() - self.at;
        let fits = usize::try_from(length).ok().filter(|&length| length <= left);
        fits.ok_or_else(|| format!("claims {length} bytes, {left} are left"))
    }
    fn remember(&mut self, code: u8) -> Step<()> {
        let slot = match code {
            b'q' | b'h' => u32::from(self.byte()?),
            b'r' | b'j' => u32::from_le_bytes(self.array()?),
            b'p' | b'g' => lines::slot(self.line()?)?,
            _ => self.memo.len() as u32,
        };
        if matches!(code, b'h' | b'j' | b'g') {
            let known = self.memo.get(&slot).copied();
            self.stack.push(known.ok_or_else(|| format!("recalls value {slot}, which was never stored"))?);
        } else {
            let top = self.top()?;
            self.memo.insert(slot, top);
        }
        Ok(())
    }
    fn collection(&mut self, code: u8) -> Step<()> {
        let value = match code {
            b')' => Value::Tuple(Vec::new()),
            b']' => Value::List(Vec::new()),
            b'}' => Value::Dict(Dict::default()),
            0x8f => Value::Plain,
            b't' => Value::Tuple(self.above_mark()?),
            b'l' => Value::List(self.above_mark()?),
            b'd' => {
                let mut dict = Dict::default();
                extend(&mut dict, &self.above_mark()?)?;
                Value::Dict(dict)
            }
            0x91 => {
                self.above_mark()?;
                Value::Plain
            }
            _ => {
                let mut parts = (0x85..=code).map(|_| self.pop()).collect::<Step<Vec<Id>>>()?;
                parts.reverse();
                Value::Tuple(parts)
            }
        };
        self.push(value)
    }
    /// Appends to the list, dictionary or set below; placeholders take anything.
    fn fill(&mut self, code: u8) -> Step<()> {
        let items = match code {
            b'a' => vec![self.pop()?],
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                vec![key, value]
            }
            _ => self.above_mark()?,
        };
        let into = self.top()?;
        match (code, self.values.get_mut(into)) {
            (_, Value::Placeholder(_)) | (0x90, Value::Plain) => Ok(()),
            (b'a' | b'e', Value::List(list)) => {
                list.extend(items);
                Ok(())
            }
            (b's' | b'u', Value::Dict(dict)) => extend(dict, &items),
            _ => Err(format!("adds items to {}", self.values.describe(into))),
        }
    }
    /// A module and a name, a line each.
    fn global(&mut self) -> Step<Name<'a>> {
        let (module, name) = (self.line()?, self.line()?);
        named(module, name)
    }
    /// `REDUCE`, and the ways that objects without a constructor are made.
    fn call(&mut self, code: u8) -> Step<()> {
        if code == 0x92 {
            self.pop()?;
        }
        let (arguments, called) = (self.pop()?, self.pop()?);
        let value = self.values.call(called, arguments)?;
        self.push(value)
    }
    /// `INST` and `OBJ`: an object of a class, its arguments above the mark.
    fn instance(&mut self, code: u8) -> Step<()> {
        let (class, arguments) = match code {
            b'i' => {
                let class = self.global()?;
                (class, self.above_mark()?)
            }
            _ => {
                let mut parts = self.above_mark()?;
                let class = if parts.is_empty() { None } else { Some(parts.remove(0)) };
                match class.map(|class| self.values.get(class)) {
                    Some(Value::Name(class)) => (*class, parts),
                    _ => return Err("makes an object of what is not a class".into()),
                }
            }
        };
        let value = self.values.made(class, &arguments)?;
        self.push(value)
    }
    /// `PERSID`: a storage as Python prints its tuple.
    fn persistent_line(&mut self) -> Step<()> {
        let line = self.line()?;
        let (class, key, elements) = lines::persistent(line)?;
        let class = named(class.module, class.name)?;
        let key = self.values.push(Value::Text(Cow::Borrowed(key))).ok_or_else(too_many)?;
        self.push(value::storage(class, key, elements)?)
    }
    /// An object's state, which arrays of NumPy need and tensors do not.
    fn build(&mut self) -> Step<()> {
        let state = self.pop()?;
        let object = self.top()?;
        match self.values.get(object) {
            Value::Array(_) | Value::Element(_) => self.values.set_state(object, state),
            Value::Placeholder(_) | Value::Dict(_) | Value::Tensor(_) => Ok(()),
            _ => Err(format!("gives a state to {}", self.values.describe(object))),
        }
    }

    fn push(&mut self, value: Value<'a>) -> Step<()> {
        let id = self.values.push(value).ok_or_else(too_many)?;
        self.stack.push(id);
        Ok(())
    }
    /// `POP`, which takes a mark where that is on top.
    fn discard(&mut self) -> Step<()> {
        match self.marks.last() {
            Some(&mark) if mark == self.stack.len() => drop(self.marks.pop()),
            _ => drop(self.pop()?),
        }
        Ok(())
    }
    fn pop(&mut self) -> Step<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len() > floor {
            true => Ok(self.stack.pop().expect("the stack is longer than nothing")),
            false => Err("takes a value from an empty stack".into()),
        }
    }
    fn top(&self) -> Step<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack[floor..].last().copied().ok_or_else(|| "looks at an empty stack".into())
    }
    /// Everything above the last mark, which goes too.
    fn above_mark(&mut self) -> Step<Vec<Id>> {
        let mark = self.marks.pop().ok_or("looks for a mark, but none was set")?;
        Ok(self.stack.drain(mark..).collect())
    }
    fn byte(&mut self) -> Step<u8> {
        Ok(self.take(1)?[0])
    }
    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("as many bytes were taken"))
    }
    fn take(&mut self, length: usize) -> Step<&'a [u8]> {
        let (bytes, at) = (self.bytes, self.at);
        match bytes.get(at..at + length) {
            Some(taken) => {
                self.at += length;
                Ok(taken)
            }
            None => Err("is cut off".into()),
        }
    }
    fn line(&mut self) -> Step<&'a str> {
        std::str::from_utf8(self.raw_line()?).map_err(|_| "has a line that is not UTF-8".into())
    }
    fn raw_line(&mut self) -> Step<&'a [u8]> {
        let end = self.bytes[self.at..].iter().position(|&byte| byte == b'\n').ok_or("is cut off")?;
        Ok(&self.take(end + 1)?[..end])
    }
}

/// A name, if a checkpoint may have it.
fn named<'a>(module: &'a str, name: &'a str) -> Step<Name<'a>> {
    let name = Name { module, name };
    match name.is_hostile() {
        true => Err(format!("asks for {name}, which no checkpoint needs; nothing was run")),
        false => Ok(name),
    }
}

/// Adds keys and values in turn.
fn extend(dict: &mut Dict, items: &[Id]) -> Step<()> {
    let (pairs, rest) = items.as_chunks::<2>();
    match rest {
        [] => {
            dict.added.extend(pairs.iter().map(|&[key, value]| (key, value)));
            Ok(())
        }
        _ => Err("has a key without a value".into()),
    }
}

fn too_many() -> String {
    format!("has more than {} values", Values::MOST)
}

/// Why an opcode that checkpoints do not need is not executed.
fn refused(code: u8) -> String {
    let name = match code {
        0x82..=0x84 => "EXT",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        _ => return format!("is {code:#04x}, which is not an opcode"),
    };
    format!("is {name}, which is not executed: checkpoints do not have it")
}
