//! Memory of the interpreter: elements, and for each of them who touched it.
//!
//! ```text
//!   element i:  value │ writer block │ reader block │ phase and unit of the last write and read
//! ```
//!
//! A *phase* is the time between two barriers of a block; phases are numbered through the whole launch. With
//! that, every rule is a comparison:
//!
//! * global: written by another block → race on read or write; read by another block → race on write;
//! * scratch: last written by another block, or never → uninitialised, as scratch is fresh in each block;
//! * touched in this phase by another unit, one of the two writing → a barrier is missing.
//!
//! Blocks run one after the other, but both orders are caught: a write after a foreign read faults too.

use super::arith::{Float, Outcome};
use super::code::BufferInfo;
use crate::types::DType;

/// The elements of one buffer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cells<F> {
    /// f32, bf16 or f16.
    Float(Vec<F>),
    /// i32.
    Int(Vec<i32>),
    /// bool.
    Truth(Vec<bool>),
}

impl<F> Default for Cells<F> {
    fn default() -> Self {
        Cells::Truth(Vec::new())
    }
}

impl<F: Float> Cells<F> {
    /// `len` zeros.
    pub(crate) fn zeros(dtype: DType, len: usize) -> Self {
        match dtype {
            DType::F32 | DType::Bf16 | DType::F16 => Cells::Float(vec![F::default(); len]),
            DType::I32 => Cells::Int(vec![0; len]),
            DType::Bool => Cells::Truth(vec![false; len]),
        }
    }
    /// Elements from little-endian bytes; fails where bytes are left over or a truth value is neither 0 nor 1.
    pub(crate) fn from_bytes(dtype: DType, bytes: &[u8]) -> Result<Self, String> {
        if !bytes.len().is_multiple_of(dtype.bytes()) {
            return Err(format!("{} bytes are not a whole number of {dtype} elements", bytes.len()));
        }
        let half = |pair: &[u8]| [pair[0], pair[1]];
        let word = |quad: &[u8]| [quad[0], quad[1], quad[2], quad[3]];
        Ok(match dtype {
            DType::F32 => {
                Cells::Float(bytes.chunks_exact(4).map(|c| F::from_bits(i32::from_le_bytes(word(c)))).collect())
            }
            DType::Bf16 => Cells::Float(
                bytes.chunks_exact(2).map(|c| F::from_f64(half::bf16::from_le_bytes(half(c)).to_f64())).collect(),
            ),
            DType::F16 => Cells::Float(
                bytes.chunks_exact(2).map(|c| F::from_f64(half::f16::from_le_bytes(half(c)).to_f64())).collect(),
            ),
            DType::I32 => Cells::Int(bytes.chunks_exact(4).map(|c| i32::from_le_bytes(word(c))).collect()),
            DType::Bool => match bytes.iter().position(|&byte| byte > 1) {
                Some(i) => return Err(format!("byte {i} is {}, but truth values are 0 or 1", bytes[i])),
                None => Cells::Truth(bytes.iter().map(|&byte| byte == 1).collect()),
            },
        })
    }
    /// Writes the elements as little-endian bytes; floats are rounded to the nearest `dtype`.
    pub(crate) fn write_bytes(&self, dtype: DType, bytes: &mut [u8]) {
        fn put<const N: usize>(bytes: &mut [u8], elements: impl Iterator<Item = [u8; N]>) {
            bytes.chunks_exact_mut(N).zip(elements).for_each(|(to, from)| to.copy_from_slice(&from));
        }
        let single = |v: &F| f32::from_bits(v.bits() as u32);
        match (self, dtype) {
            (Cells::Float(v), DType::Bf16) => {
                put(bytes, v.iter().map(|v| half::bf16::from_f32(single(v)).to_le_bytes()))
            }
            (Cells::Float(v), DType::F16) => put(bytes, v.iter().map(|v| half::f16::from_f32(single(v)).to_le_bytes())),
            (Cells::Float(v), _) => put(bytes, v.iter().map(|v| v.bits().to_le_bytes())),
            (Cells::Int(v), _) => put(bytes, v.iter().map(|v| v.to_le_bytes())),
            (Cells::Truth(v), _) => put(bytes, v.iter().map(|&v| [u8::from(v)])),
        }
    }
    /// Elements from numbers; fails where one is not of the type.
    pub(crate) fn from_f64(dtype: DType, values: &[f64]) -> Result<Self, String> {
        let whole = |v: &f64, (low, high): (f64, f64)| match v.fract() == 0.0 && (low..=high).contains(v) {
            true => Ok(*v as i32),
            false => Err(format!("{v} is not of type {dtype}")),
        };
        Ok(match dtype {
            DType::F32 | DType::Bf16 | DType::F16 => Cells::Float(values.iter().map(|&v| F::from_f64(v)).collect()),
            DType::I32 => {
                let range = (f64::from(i32::MIN), f64::from(i32::MAX));
                Cells::Int(values.iter().map(|v| whole(v, range)).collect::<Result<_, _>>()?)
            }
            DType::Bool => {
                Cells::Truth(values.iter().map(|v| whole(v, (0.0, 1.0)).map(|v| v == 1)).collect::<Result<_, _>>()?)
            }
        })
    }
    /// All elements as numbers.
    pub(crate) fn into_f64(self) -> Vec<f64> {
        match self {
            Cells::Float(v) => v.into_iter().map(F::to_f64).collect(),
            Cells::Int(v) => v.into_iter().map(f64::from).collect(),
            Cells::Truth(v) => v.into_iter().map(|v| f64::from(u8::from(v))).collect(),
        }
    }
    /// Number of elements.
    pub(crate) fn len(&self) -> usize {
        match self {
            Cells::Float(v) => v.len(),
            Cells::Int(v) => v.len(),
            Cells::Truth(v) => v.len(),
        }
    }
    /// Whether these can be elements of that type.
    pub(super) fn fits(&self, dtype: DType) -> bool {
        match self {
            Cells::Float(_) => dtype.is_float(),
            Cells::Int(_) => dtype == DType::I32,
            Cells::Truth(_) => dtype == DType::Bool,
        }
    }
}

/// Who is running: a block, one of its units, and the phase. Blocks and phases count from 1; 0 is nobody.
#[derive(Clone, Copy)]
pub(super) struct Who {
    pub(super) block: u32,
    pub(super) unit: u32,
    pub(super) phase: u32,
}

/// More than one block, or more than one unit.
const SEVERAL: u32 = u32::MAX;

/// Who touched an element within a block.
#[derive(Clone, Copy, Default)]
struct Touch {
    write_phase: u32,
    write_unit: u32,
    read_phase: u32,
    read_unit: u32,
}

/// Who touched each element of a buffer.
pub(super) struct Tags {
    scratch: bool,
    writer: Vec<u32>,
    reader: Vec<u32>,
    touches: Vec<Touch>,
}

impl Tags {
    /// A record for the buffer, or nothing where no access to it can be wrong.
    pub(super) fn new(buffer: &BufferInfo, units: u32) -> Option<Self> {
        let needed = buffer.written || buffer.scratch;
        let len = buffer.len;
        needed.then(|| Tags {
            scratch: buffer.scratch,
            writer: vec![0; len],
            reader: vec![0; if buffer.scratch { 0 } else { len }],
            touches: vec![Touch::default(); if units > 1 { len } else { 0 }],
        })
    }

    pub(super) fn read(&mut self, i: usize, who: Who, name: &str) -> Outcome {
        let writer = self.writer[i];
        if self.scratch && writer != who.block {
            return Err(format!("reads element {i} of scratch {name}, which this block has not written"));
        }
        if !self.scratch {
            if writer != 0 && writer != who.block {
                return Err(format!("reads element {i} of {name}, which block number {} wrote", writer - 1));
            }
            let reader = &mut self.reader[i];
            *reader = if *reader == 0 || *reader == who.block { who.block } else { SEVERAL };
        }
        if let Some(touch) = self.touches.get_mut(i) {
            if touch.write_phase == who.phase && touch.write_unit != who.unit {
                return Err(format!(
                    "reads element {i} of {name}, which unit {} wrote with no barrier in between",
                    touch.write_unit
                ));
            }
            let alone = touch.read_phase != who.phase || touch.read_unit == who.unit;
            touch.read_unit = if alone { who.unit } else { SEVERAL };
            touch.read_phase = who.phase;
        }
        Ok(())
    }

    pub(super) fn write(&mut self, i: usize, who: Who, name: &str) -> Outcome {
        if !self.scratch {
            let (writer, reader) = (self.writer[i], self.reader[i]);
            if writer != 0 && writer != who.block {
                return Err(format!("writes element {i} of {name}, which block number {} wrote too", writer - 1));
            }
            if reader == SEVERAL {
                return Err(format!("writes element {i} of {name}, which several blocks read"));
            }
            if reader != 0 && reader != who.block {
                return Err(format!("writes element {i} of {name}, which block number {} read", reader - 1));
            }
        }
        self.writer[i] = who.block;
        if let Some(touch) = self.touches.get_mut(i) {
            let written = touch.write_phase == who.phase && touch.write_unit != who.unit;
            let read = touch.read_phase == who.phase && touch.read_unit != who.unit;
            if written || read {
                let act = if written { "wrote" } else { "read" };
                return Err(format!(
                    "writes element {i} of {name}, which another unit {act} with no barrier in between"
                ));
            }
            touch.write_phase = who.phase;
            touch.write_unit = who.unit;
        }
        Ok(())
    }
}

/// A buffer while a kernel runs.
pub(super) struct Bank<F> {
    pub(super) cells: Cells<F>,
    pub(super) dtype: DType,
    pub(super) name: String,
    tags: Option<Tags>,
}

impl<F: Float> Bank<F> {
    pub(super) fn new(info: &BufferInfo, cells: Cells<F>, units: u32) -> Self {
        Bank { cells, dtype: info.dtype, name: info.name.clone(), tags: Tags::new(info, units) }
    }

    /// Elements `start`, `start + stride`, … may be read; returns the first as an index.
    pub(super) fn reading(&mut self, start: i64, stride: i64, count: usize, who: Who) -> Outcome<usize> {
        let first = self.bounds("reads", start, stride, count)?;
        if let Some(tags) = &mut self.tags {
            for k in 0..count as i64 {
                tags.read((start + k * stride) as usize, who, &self.name)?;
            }
        }
        Ok(first)
    }

    /// Elements `start`, `start + stride`, … may be written; returns the first as an index.
    pub(super) fn writing(&mut self, start: i64, stride: i64, count: usize, who: Who) -> Outcome<usize> {
        let first = self.bounds("writes", start, stride, count)?;
        if stride == 0 && count > 1 {
            return Err(format!("writes element {start} of {} from several lanes", self.name));
        }
        if let Some(tags) = &mut self.tags {
            for k in 0..count as i64 {
                tags.write((start + k * stride) as usize, who, &self.name)?;
            }
        }
        Ok(first)
    }

    fn bounds(&self, act: &str, start: i64, stride: i64, count: usize) -> Outcome<usize> {
        let len = self.cells.len();
        let last = (count as i64 - 1).checked_mul(stride).and_then(|span| start.checked_add(span));
        let inside = |i: i64| (i as u64) < len as u64;
        if count == 0 {
            return Ok(0);
        }
        if inside(start) && last.is_some_and(inside) {
            return Ok(start as usize);
        }
        Err(self.outside(act, start, stride, count))
    }

    #[cold]
    fn outside(&self, act: &str, start: i64, stride: i64, count: usize) -> String {
        let len = self.cells.len() as i128;
        let element = |k: usize| i128::from(start) + k as i128 * i128::from(stride);
        let bad = (0..count).map(element).find(|i| !(0..len).contains(i)).unwrap_or(start.into());
        format!("{act} element {bad} of {}, which has {len} elements", self.name)
    }
}
