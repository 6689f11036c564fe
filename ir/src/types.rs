//! Element types, shapes, tensor types and exact real attributes.

use std::fmt;

/// What one element of a tensor or buffer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DType {
    /// IEEE binary32.
    F32,
    /// bfloat16: memory only; loads widen to f32, stores round to nearest even.
    Bf16,
    /// IEEE binary16: memory only, like [`DType::Bf16`].
    F16,
    /// 32-bit signed integer.
    I32,
    /// Truth value; one byte in memory, 0 or 1.
    Bool,
}

impl DType {
    /// All element types, in the order of their declaration.
    pub const ALL: [DType; 5] = [DType::F32, DType::Bf16, DType::F16, DType::I32, DType::Bool];

    /// The text form: `f32`, `bf16`, `f16`, `i32`, `bool`.
    pub fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::Bf16 => "bf16",
            DType::F16 => "f16",
            DType::I32 => "i32",
            DType::Bool => "bool",
        }
    }
    /// The inverse of [`DType::name`].
    pub fn from_name(name: &str) -> Option<DType> {
        Self::ALL.into_iter().find(|d| d.name() == name)
    }
    /// Bytes of one element in memory.
    pub fn bytes(self) -> usize {
        match self {
            DType::F32 | DType::I32 => 4,
            DType::Bf16 | DType::F16 => 2,
            DType::Bool => 1,
        }
    }
    /// The value that memory of this type holds for `value`: the nearest float; other values stay.
    pub fn round(self, value: f64) -> f64 {
        match self {
            DType::F32 => f64::from(value as f32),
            DType::Bf16 => to_bf16(value).to_f64(),
            DType::F16 => to_f16(value).to_f64(),
            DType::I32 | DType::Bool => value,
        }
    }
    /// Whether the element is a real number.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::Bf16 | DType::F16)
    }
}

/// The nearest bfloat16, ties to even.
pub fn to_bf16(value: f64) -> half::bf16 {
    half::bf16::from_f32(odd_f32(value))
}

/// The nearest binary16, ties to even.
pub fn to_f16(value: f64) -> half::f16 {
    half::f16::from_f32(odd_f32(value))
}

/// An f32 that rounds to a half type as `value` itself does: `value` without what f32 does not hold, and its last bit
/// set where anything is left out. By way of the nearest f32, a number next to a tie would become one.
fn odd_f32(value: f64) -> f32 {
    let near = value as f32;
    if f64::from(near) == value || !near.is_finite() {
        return near;
    }
    let away = f64::from(near).abs() > value.abs();
    f32::from_bits((near.to_bits() - u32::from(away)) | 1)
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The type of a tensor: element type and dimensions, row-major, every dimension a number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TensorType {
    /// Element type.
    pub dtype: DType,
    /// Dimensions, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
}

impl TensorType {
    /// A type from its parts.
    pub fn new(dtype: DType, shape: impl Into<Vec<usize>>) -> Self {
        Self { dtype, shape: shape.into() }
    }
    /// An f32 tensor.
    pub fn f32(shape: impl Into<Vec<usize>>) -> Self {
        Self::new(DType::F32, shape)
    }
    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }
    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
    /// Bytes in memory when stored densely.
    pub fn bytes(&self) -> usize {
        self.elements() * self.dtype.bytes()
    }
    /// Turns an axis counted from the end (−1 is the last) or from the start into an index, or says why not.
    pub fn axis(&self, axis: i64) -> Result<usize, String> {
        let rank = self.rank() as i64;
        let index = if axis < 0 { axis + rank } else { axis };
        if (0..rank).contains(&index) {
            Ok(index as usize)
        } else {
            Err(format!("axis {axis} does not exist in {self}, which has {rank} axes"))
        }
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.dtype, ShapeText(&self.shape))
    }
}

/// Prints a shape as `[2, 49, 32]`.
pub struct ShapeText<'a>(pub &'a [usize]);

impl fmt::Display for ShapeText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, d) in self.0.iter().enumerate() {
            write!(f, "{}{d}", if i == 0 { "" } else { ", " })?;
        }
        f.write_str("]")
    }
}

/// Row-major strides of `shape`, in elements.
pub(crate) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for i in (0..shape.len().saturating_sub(1)).rev() {
        strides[i] = strides[i + 1] * shape[i + 1];
    }
    strides
}

/// The shape that two shapes broadcast to: aligned at the last axis, each pair equal or one of them 1.
pub fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let dim = |s: &[usize], i: usize| (i + s.len()).checked_sub(rank).map_or(1, |j| s[j]);
    (0..rank)
        .map(|i| match (dim(a, i), dim(b, i)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

/// Whether f32 holds the number to its full precision: 0, the infinities and NaN, normal numbers, and smaller ones that
/// need no rounding.
pub fn fits_f32(value: f64) -> bool {
    let single = value as f32;
    !value.is_finite() || single.is_normal() || f64::from(single) == value
}

/// A real attribute. Equality, order and hash are those of the bits, so it can be a key; its text form
/// is the shortest decimal that reads back to the same f64.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Real(u64);

impl Real {
    /// The attribute with this value. −0 is not 0: a quotient by it has the other sign.
    pub fn new(value: f64) -> Self {
        Self(value.to_bits())
    }
    /// The value.
    pub fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}
impl PartialOrd for Real {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Real {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.get().total_cmp(&other.get())
    }
}
impl fmt::Debug for Real {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl fmt::Display for Real {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.get())
    }
}
impl From<f64> for Real {
    fn from(value: f64) -> Self {
        Self::new(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_once() {
        let tiny = 2f64.powi(-45);
        for (dtype, bits) in [(DType::F16, 11), (DType::Bf16, 8)] {
            let (unit, tie) = (2f64.powi(1 - bits), 1.0 + 2f64.powi(-bits));
            assert_eq!([tie - tiny, tie, tie + tiny].map(|v| dtype.round(v)), [1.0, 1.0, 1.0 + unit], "{dtype}");
            assert_eq!([tie - tiny, tie + tiny].map(|v| dtype.round(-v)), [-1.0, -1.0 - unit], "{dtype}");
            assert!(dtype.round(f64::NAN).is_nan() && dtype.round(1e300) == f64::INFINITY);
            assert_eq!(dtype.round(f64::NEG_INFINITY), f64::NEG_INFINITY);
            assert_eq!([1e-300, -1e-300, 0.0].map(|v| dtype.round(v)), [0.0, 0.0, 0.0], "{dtype}");
        }
        // Half of the least binary16, and a little more.
        assert_eq!(
            [2f64.powi(-25), 2f64.powi(-25) + 2f64.powi(-70)].map(|v| DType::F16.round(v)),
            [0.0, 2f64.powi(-24)]
        );
    }
}
