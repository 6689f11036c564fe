//! Elements of archives as values of a graph: which types of a file may stand for which type of a graph.
//!
//! | graph | file | value |
//! |---|---|---|
//! | `f32`, `f16`, `bf16` | F64, F32, F16, BF16 | the nearest, ties to even, rounded once; NaN and infinities stay |
//! | `i32` | I8 to I64, U8 to U64 | the same |
//! | `bool` | BOOL, I8 to I64, U8 to U64 | zero is false, everything else is true, as in PyTorch |
//!
//! A value that the graph's type does not hold, a finite float beyond its range or an integer beyond 32 bits, is an
//! error that names tensor, place and value. Nothing is clamped and nothing wraps around.

use super::{Archive, Stored, is_float, words};
use crate::errors::Result;
use ::safetensors::Dtype;
use half::{bf16, f16};
use regard_ir::types::{DType, ShapeText};
use std::ops::Range;

/// Whether elements of the file's type are integers or truth values.
pub(crate) fn is_integer(dtype: Dtype) -> bool {
    use Dtype::{BOOL, I8, I16, I32, I64, U8, U16, U32, U64};
    matches!(dtype, BOOL | U8 | I8 | I16 | U16 | I32 | U32 | I64 | U64)
}

/// The types of a file that may stand for `dtype`; nothing where `found` is one of them.
pub(crate) fn mismatch(found: Dtype, dtype: DType) -> Option<&'static str> {
    let (fits, expected) = match dtype {
        DType::F32 | DType::F16 | DType::Bf16 => (is_float(found), "F32, F16, BF16 or F64"),
        DType::I32 => (is_integer(found) && found != Dtype::BOOL, "I32, I64 or another integer type"),
        DType::Bool => (is_integer(found), "BOOL, U8 or another integer type"),
    };
    (!fits).then_some(expected)
}

/// A value of a file that the graph's type does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutOfRange {
    /// The value, as text.
    pub value: String,
    /// Its row-major position.
    pub position: usize,
    /// What would have been right.
    pub expected: String,
}

impl Archive {
    /// The part `range` of a tensor as values of the graph's type, exact in f64.
    ///
    /// # Errors
    /// Where there is no such tensor, its type cannot stand for `dtype`, a value does not fit, or the file cannot be
    /// read.
    pub fn values(&self, name: &str, dtype: DType, range: Range<usize>) -> Result<Vec<f64>> {
        let mut out = Vec::new();
        self.append_values(name, self.stored(name)?, dtype, range, &mut out)?;
        Ok(out)
    }

    /// Appends the part `range` of a tensor as values of the graph's type, `name` being what it is called in errors.
    ///
    /// # Errors
    /// As [`values`](Archive::values).
    pub(crate) fn append_values(
        &self,
        name: &str,
        stored: &Stored,
        dtype: DType,
        range: Range<usize>,
        out: &mut Vec<f64>,
    ) -> Result<()> {
        if range.end > stored.elements() {
            let (elements, end) = (stored.elements(), range.end);
            return Err(self.error(format!("tensor {name} has {elements} elements, asked for was {end}")));
        }
        self.reserve(name, out, range.len())?;
        let mut fault = None;
        self.each_value(name, stored, dtype, range, |position, value| match value {
            Ok(value) => out.push(value),
            Err(out_of_range) => {
                fault.get_or_insert(OutOfRange { position, ..out_of_range });
            }
        })?;
        match fault {
            None => Ok(()),
            Some(OutOfRange { value, position, expected }) => {
                let place = index(&stored.shape, position);
                let place = ShapeText(&place);
                Err(self.error(format!("tensor {name} holds {value} at {place}, expected {expected}")))
            }
        }
    }

    /// Passes the part `range` of a tensor element by element, with its row-major position, as a value of the graph's
    /// type or as one that does not fit.
    ///
    /// # Errors
    /// As [`values`](Archive::values), but for values that do not fit.
    pub(crate) fn each_value(
        &self,
        name: &str,
        stored: &Stored,
        dtype: DType,
        range: Range<usize>,
        mut element: impl FnMut(usize, std::result::Result<f64, OutOfRange>),
    ) -> Result<()> {
        if let Some(expected) = mismatch(stored.dtype, dtype) {
            return Err(self.error(format!("tensor {name} is {}, expected {expected}", stored.dtype)));
        }
        let mut position = range.start;
        let mut next = |value| {
            element(position, value);
            position += 1;
        };
        match dtype.is_float() {
            true => self.each_real(stored, range, |value| next(rounded(dtype, value))),
            false => self.each_integer(stored, range, |value| next(whole(dtype, value))),
        }
    }

    /// A tensor of integers.
    ///
    /// # Errors
    /// Where there is no such tensor, it holds something else or more than 64 bits with a sign do, or the file cannot
    /// be read.
    pub fn integers(&self, name: &str) -> Result<Vec<i64>> {
        let stored = self.stored(name)?;
        if let Some(expected) = mismatch(stored.dtype, DType::I32) {
            return Err(self.error(format!("tensor {name} is {}, expected {expected}", stored.dtype)));
        }
        let mut out = Vec::new();
        self.reserve(name, &mut out, stored.elements())?;
        let mut large = None;
        self.each_integer(stored, 0..stored.elements(), |value| match i64::try_from(value) {
            Ok(value) => out.push(value),
            Err(_) => large = Some(value),
        })?;
        match large {
            None => Ok(out),
            Some(value) => Err(self.error(format!("tensor {name} holds {value}, expected at most {}", i64::MAX))),
        }
    }

    fn each_real(&self, stored: &Stored, range: Range<usize>, mut real: impl FnMut(f64)) -> Result<()> {
        match stored.dtype {
            Dtype::F64 => self.read(stored, range, |b| words(b).for_each(|b| real(f64::from_le_bytes(b)))),
            Dtype::F16 => self.read(stored, range, |b| words(b).for_each(|b| real(f16::from_le_bytes(b).to_f64()))),
            Dtype::BF16 => self.read(stored, range, |b| words(b).for_each(|b| real(bf16::from_le_bytes(b).to_f64()))),
            _ => self.read(stored, range, |b| words(b).for_each(|b| real(f64::from(f32::from_le_bytes(b))))),
        }
    }

    fn each_integer(&self, stored: &Stored, range: Range<usize>, mut integer: impl FnMut(i128)) -> Result<()> {
        macro_rules! read {
            ($ty:ty) => {
                self.read(stored, range, |b| words(b).for_each(|b| integer(<$ty>::from_le_bytes(b).into())))
            };
        }
        match stored.dtype {
            Dtype::I8 => read!(i8),
            Dtype::I16 => read!(i16),
            Dtype::I32 => read!(i32),
            Dtype::I64 => read!(i64),
            Dtype::U16 => read!(u16),
            Dtype::U32 => read!(u32),
            Dtype::U64 => read!(u64),
            _ => read!(u8),
        }
    }
}

/// A real number in the graph's type.
fn rounded(dtype: DType, value: f64) -> std::result::Result<f64, OutOfRange> {
    let near = dtype.round(value);
    match near.is_infinite() && value.is_finite() {
        false => Ok(near),
        true => Err(OutOfRange {
            value: format!("{value:e}"),
            position: 0,
            expected: format!("a number within the range of {dtype}"),
        }),
    }
}

/// An integer in the graph's type.
fn whole(dtype: DType, value: i128) -> std::result::Result<f64, OutOfRange> {
    if dtype == DType::Bool {
        return Ok(f64::from(u8::from(value != 0)));
    }
    i32::try_from(value).map(f64::from).map_err(|_| OutOfRange {
        value: value.to_string(),
        position: 0,
        expected: format!("an integer from {} to {}", i32::MIN, i32::MAX),
    })
}

/// The index on every axis of a row-major position.
fn index(shape: &[usize], position: usize) -> Vec<usize> {
    let mut rest = position;
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&extent| {
            let here = rest % extent;
            rest /= extent;
            here
        })
        .collect();
    index.reverse();
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// An archive of one tensor called `x`.
    fn archive(dir: &Path, dtype: Dtype, shape: &[usize], bytes: &[u8]) -> Archive {
        let path = dir.join("x.safetensors");
        let view = ::safetensors::tensor::TensorView::new(dtype, shape.to_vec(), bytes).unwrap();
        std::fs::write(&path, ::safetensors::serialize([("x", view)], None).unwrap()).unwrap();
        Archive::open(&path).unwrap()
    }

    fn le<const N: usize>(words: &[[u8; N]]) -> Vec<u8> {
        words.concat()
    }

    #[test]
    fn integers_of_every_width_are_checked() {
        let dir = tempfile::tempdir().unwrap();
        let read = |dtype: Dtype, bytes: Vec<u8>| {
            let count = bytes.len() * 8 / Dtype::bitsize(&dtype);
            archive(dir.path(), dtype, &[count], &bytes).values("x", DType::I32, 0..count)
        };
        assert_eq!(read(Dtype::I8, vec![0xff, 5]).unwrap(), [-1.0, 5.0]);
        assert_eq!(read(Dtype::U8, vec![0xff]).unwrap(), [255.0]);
        assert_eq!(read(Dtype::I16, le(&[(-300i16).to_le_bytes()])).unwrap(), [-300.0]);
        assert_eq!(read(Dtype::U16, le(&[65535u16.to_le_bytes()])).unwrap(), [65535.0]);
        assert_eq!(read(Dtype::I32, le(&[i32::MIN.to_le_bytes()])).unwrap(), [f64::from(i32::MIN)]);
        assert_eq!(read(Dtype::I64, le(&[i64::from(i32::MAX).to_le_bytes()])).unwrap(), [f64::from(i32::MAX)]);
        let refused = |dtype, bytes| read(dtype, bytes).unwrap_err().to_string();
        let why = refused(Dtype::I64, le(&[7i64.to_le_bytes(), 3_000_000_000i64.to_le_bytes()]));
        assert!(why.contains("tensor x holds 3000000000 at [1], expected an integer from -2147483648"), "{why}");
        assert!(refused(Dtype::U32, le(&[u32::MAX.to_le_bytes()])).contains("holds 4294967295 at [0]"));
        assert!(refused(Dtype::U64, le(&[u64::MAX.to_le_bytes()])).contains("holds 18446744073709551615"));
        assert!(refused(Dtype::BOOL, vec![1]).contains("tensor x is BOOL, expected I32"));
        assert!(refused(Dtype::F32, vec![0; 4]).contains("tensor x is F32, expected I32"));
    }

    #[test]
    fn truth_values_are_zero_or_not() {
        let dir = tempfile::tempdir().unwrap();
        for dtype in [Dtype::BOOL, Dtype::U8] {
            let archive = archive(dir.path(), dtype, &[2, 2], &[0, 1, 2, 255]);
            assert_eq!(archive.values("x", DType::Bool, 0..4).unwrap(), [0.0, 1.0, 1.0, 1.0]);
            assert_eq!(archive.values("x", DType::Bool, 1..2).unwrap(), [1.0]);
        }
        let floats = archive(dir.path(), Dtype::F32, &[1], &[0; 4]);
        assert!(floats.values("x", DType::Bool, 0..1).unwrap_err().to_string().contains("is F32, expected BOOL, U8"));
    }

    #[test]
    fn floats_are_rounded_once_and_stay_in_range() {
        let dir = tempfile::tempdir().unwrap();
        let read = |values: &[f64], dtype| {
            let bytes = le(&values.iter().map(|v| v.to_le_bytes()).collect::<Vec<_>>());
            archive(dir.path(), Dtype::F64, &[values.len()], &bytes).values("x", dtype, 0..values.len())
        };
        // Just above the middle of 1 and 1 + 2^-10: by way of f32 the tie would go to the even 1.
        let above = 1.0 + 2f64.powi(-11) + 2f64.powi(-40);
        assert_eq!(read(&[above], DType::F16).unwrap(), [1.0 + 2f64.powi(-10)]);
        let special = read(&[f64::NEG_INFINITY, f64::NAN, 0.1], DType::F32).unwrap();
        assert!(special[0] == f64::NEG_INFINITY && special[1].is_nan() && special[2] == f64::from(0.1f32));
        let why = read(&[1.0, 1e39], DType::F32).unwrap_err().to_string();
        assert!(why.contains("holds 1e39 at [1], expected a number within the range of f32"), "{why}");
        assert!(read(&[65520.0], DType::F16).is_err() && read(&[65504.0], DType::F16).is_ok());
    }

    #[test]
    fn places_are_indices() {
        assert_eq!(index(&[2, 3, 4], 23), [1, 2, 3]);
        assert_eq!(index(&[], 0), [0usize; 0]);
    }
}
