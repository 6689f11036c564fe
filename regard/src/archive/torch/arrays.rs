//! Arrays of NumPy in a pickle: which there are, and where their elements lie.
//!
//! ```text
//!   REDUCE _reconstruct ─▶ array ─ BUILD (1, shape, dtype, by columns?, elements) ─▶ { shape, dtype, elements }
//!   REDUCE dtype 'f4'   ─▶ type  ─ BUILD (3, '<', …)                              ─▶ '<f4'
//!   REDUCE _frombuffer (elements, dtype, shape, 'C')       protocol 5
//! ```
//!
//! The elements are bytes of the pickle itself, and a tensor is a place in the file as any other. Protocols before 3 have no
//! bytes, only texts: Python 3 then writes a character for each byte, which `_codecs.encode` would turn back; these are
//! decoded once, into memory, and shared where several names stand for one array.

use super::{
    names::Name,
    pickle::Pickle,
    value::{Id, Value, Values},
};
use crate::archive::{Stored, blocks::Block, numpy};
use ::safetensors::Dtype;
use regard_ir::count::counted;
use std::{borrow::Cow, collections::BTreeMap};

/// The type of the elements of an array.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element {
    /// What NumPy calls it, `f4` for example: a text, or a name.
    code: Id,
    /// Whether the bytes of an element are in the other order.
    big: bool,
}

/// An array.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Array {
    shape: Id,
    element: Id,
    /// Whether the first axis is the fastest.
    columns_first: bool,
    elements: Id,
}

/// Where the bytes of a pickle lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    /// Number of the block.
    pub block: usize,
    /// Where the pickle begins in it.
    pub start: u64,
    /// How many blocks there are, after which further ones come.
    pub blocks: usize,
}

impl<'a> Values<'a> {
    /// Whether it is a tensor of PyTorch, or an array of numbers that can be read.
    pub(crate) fn is_tensor(&self, id: Id) -> bool {
        match self.get(id) {
            Value::Tensor(_) => true,
            Value::Array(Some(array)) => self.element_of(array).is_some(),
            _ => false,
        }
    }
    /// Whether an array has no axes.
    pub(crate) fn is_number(&self, array: &Array) -> bool {
        matches!(self.get(array.shape), Value::Tuple(axes) if axes.is_empty())
    }
    /// What an array that is not read holds, for users.
    pub(crate) fn contents_of(&self, array: &Array) -> String {
        numpy::what(&self.descr(array))
    }
    /// The bytes that `bytes`, `bytearray` and `_codecs.encode` make; nothing for what is not bytes.
    pub(crate) fn bytes(&self, arguments: &[Id]) -> Option<Value<'a>> {
        match *arguments {
            [] => Some(Value::Bytes(&[])),
            [one] => match *self.get(one) {
                Value::Bytes(bytes) => Some(Value::Bytes(bytes)),
                Value::Encoded(text) => Some(Value::Encoded(text)),
                _ => None,
            },
            [text, coding] if self.text(coding).is_some_and(|coding| matches!(coding, "latin1" | "latin-1")) => {
                self.text(text).map(|_| Value::Encoded(text))
            }
            _ => None,
        }
    }
    /// What a call of NumPy makes; nothing for one that is not known.
    pub(crate) fn numpy(&self, name: Name, arguments: &[Id]) -> Option<Value<'a>> {
        match (name.name, arguments) {
            ("_reconstruct", _) => Some(Value::Array(None)),
            ("dtype", &[code, ..]) => match self.get(code) {
                Value::Text(_) | Value::Name(_) => Some(Value::Element(Element { code, big: false })),
                _ => None,
            },
            ("_frombuffer", &[elements, element, shape, order]) => {
                let columns_first = self.text(order)? == "F";
                Some(Value::Array(Some(Array { shape, element, columns_first, elements })))
            }
            _ => None,
        }
    }
    /// Gives an array or a type its state.
    pub(crate) fn set_state(&mut self, object: Id, state: Id) -> Result<(), String> {
        let Value::Tuple(parts) = self.get(state) else {
            return Err(format!("gives {} a state that is {}", self.describe(object), self.describe(state)));
        };
        let new = match (self.get(object), &parts[..]) {
            (Value::Array(_), &[_, shape, element, order, elements] | &[shape, element, order, elements]) => {
                let columns_first = matches!(self.get(order), Value::Bool(true) | Value::Int(1));
                Value::Array(Some(Array { shape, element, columns_first, elements }))
            }
            (&Value::Element(element), &[_, order, ..]) => {
                Value::Element(Element { big: self.text(order) == Some(">"), ..element })
            }
            _ => return Err(format!("gives {} a state of {}", self.describe(object), counted(parts.len(), "part"))),
        };
        *self.get_mut(object) = new;
        Ok(())
    }

    /// Type and order of an array's elements as NumPy writes them: `>f4`.
    fn descr(&self, array: &Array) -> String {
        let Value::Element(element) = self.get(array.element) else { return "?".into() };
        let code = match self.get(element.code) {
            Value::Text(code) => code,
            Value::Name(name) => name.name,
            _ => "?",
        };
        format!("{}{code}", if element.big { '>' } else { '<' })
    }
    fn element_of(&self, array: &Array) -> Option<(Dtype, bool)> {
        match &self.descr(array)[..] {
            "<bfloat16" => Some((Dtype::BF16, false)),
            descr => numpy::element(descr),
        }
    }
}

/// Finds the places of arrays.
pub(crate) struct Places<'p> {
    pickle: &'p Pickle<'p>,
    origin: Origin,
    /// Decoded elements and their blocks.
    decoded: BTreeMap<Id, (usize, u64)>,
    blocks: Vec<Block>,
}

impl<'p> Places<'p> {
    pub(crate) fn new(pickle: &'p Pickle<'p>, origin: Origin) -> Self {
        Places { pickle, origin, decoded: BTreeMap::new(), blocks: Vec::new() }
    }
    /// The blocks that were made on the way.
    pub(crate) fn blocks(self) -> Vec<Block> {
        self.blocks
    }
    /// An array as a tensor; otherwise the end of a sentence about it.
    pub(crate) fn stored(&mut self, array: &Array) -> Result<Stored, String> {
        let values = &self.pickle.values;
        let (dtype, swapped) = values.element_of(array).ok_or_else(|| format!("is {}", values.contents_of(array)))?;
        let shape = values.lengths(array.shape)?;
        let (block, start, found) = self.place(array.elements)?;
        let count = shape.iter().try_fold(1u64, |n, &extent| n.checked_mul(extent as u64));
        let expected = count.and_then(|n| n.checked_mul(dtype.bitsize() as u64 / 8));
        if expected != Some(found) {
            let expected = expected.map_or_else(|| "more than a file can hold".into(), |bytes| bytes.to_string());
            return Err(format!("has {} of elements, expected {expected}", counted(found, "byte")));
        }
        let strides = (array.columns_first && shape.len() > 1).then(|| numpy::columns_first(&shape));
        Ok(Stored { strides, swapped, ..Stored::plain(dtype, shape, block, start) })
    }
    /// Block, first byte and number of the bytes that are elements.
    fn place(&mut self, id: Id) -> Result<(usize, u64, u64), String> {
        let values = &self.pickle.values;
        let here = |bytes: &[u8]| {
            // Both are parts of one slice, but for no bytes at all.
            let at = if bytes.is_empty() { 0 } else { bytes.as_ptr() as usize - self.pickle.bytes.as_ptr() as usize };
            (self.origin.block, self.origin.start + at as u64, bytes.len() as u64)
        };
        let id = match values.get(id) {
            Value::Bytes(bytes) => return Ok(here(bytes)),
            // Python 2 wrote bytes as texts.
            Value::Text(Cow::Borrowed(text)) => return Ok(here(text.as_bytes())),
            Value::Text(_) => id,
            &Value::Encoded(text) => text,
            _ => return Err(format!("has elements that are {}, expected bytes", values.describe(id))),
        };
        if let Some(&(block, length)) = self.decoded.get(&id) {
            return Ok((block, 0, length));
        }
        let text = values.text(id).unwrap_or_default();
        let bytes = characters(text).ok_or("has elements that are a text, expected bytes")?;
        let (block, length) = (self.origin.blocks + self.blocks.len(), bytes.len() as u64);
        self.blocks.push(Block::held(bytes));
        self.decoded.insert(id, (block, length));
        Ok((block, 0, length))
    }
}

/// The numbers of a text's characters, where all are bytes.
fn characters(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    out.try_reserve_exact(text.len()).ok()?;
    let mut rest = text.as_bytes();
    loop {
        let plain = rest.iter().take_while(|byte| byte.is_ascii()).count();
        out.extend_from_slice(&rest[..plain]);
        match rest[plain..] {
            [] => return Some(out),
            // Two bytes hold eleven bits, of which the upper three must be 0.
            [high @ (0xc2 | 0xc3), low, ..] => out.push(high << 6 | low & 0x3f),
            _ => return None,
        }
        rest = &rest[plain + 2..];
    }
}
