//! A tensor value: what the graph interpreter computes with, always f64.

use crate::types::TensorType;

/// Row-major values; integers and truth values are held as exact f64.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Type; `data` has as many entries as it has elements.
    pub ty: TensorType,
    /// Elements in row-major order.
    pub data: Vec<f64>,
}

impl Tensor {
    /// A tensor from its values.
    pub fn new(ty: TensorType, data: Vec<f64>) -> Self {
        assert_eq!(ty.elements(), data.len(), "{ty} needs {} values", ty.elements());
        Self { ty, data }
    }
    /// A tensor whose element at each row-major position is computed.
    pub fn from_fn(ty: TensorType, f: impl FnMut(usize) -> f64) -> Self {
        let data = (0..ty.elements()).map(f).collect();
        Self { ty, data }
    }
}
