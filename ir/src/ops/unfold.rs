//! Overlapping pieces of an axis, as convolutions and pooling read them.
//!
//! ```text
//!   x        0 1 2 3 4 5 6        size 3, stride 2, dilation 1
//!   piece 0  └───┘
//!   piece 1      └───┘            result[piece, tap] = x[stride·piece + dilation·tap]
//!   piece 2          └───┘
//! ```
//!
//! The result repeats elements, but it is a view like any other: the coordinate is a sum of two digits, so nothing
//! unfolded is ever stored.

use super::{
    OpDef,
    shape::{countable, sized},
    walk::collect,
};
use crate::{
    count::counted,
    graph::Tensor,
    types::{TensorType, strides},
};

op! {
    /// `unfold %x { axis = -1, size = 3, stride = 2, dilation = 1 }`: `[…, n, …]` → `[…, pieces, size, …]`.
    pub struct Unfold = "unfold"(x) {
        /// Axis, −1 for the last.
        pub axis: i64,
        /// Elements of a piece, ≥ 1.
        pub size: usize,
        /// Distance of neighbouring pieces, ≥ 1.
        pub stride: usize,
        /// Distance of neighbours inside a piece, ≥ 1.
        pub dilation: usize,
    }
}

/// How many pieces of `size` elements `dilation` apart fit `extent` at distances of `stride`; 0 where none does.
pub fn pieces(extent: usize, size: usize, stride: usize, dilation: usize) -> usize {
    let reach = size.saturating_sub(1).saturating_mul(dilation).saturating_add(1);
    if size == 0 || stride == 0 || dilation == 0 || reach > extent { 0 } else { (extent - reach) / stride + 1 }
}

/// Demands that the map `x` with `padding` zeros on either side and its patches of `kernel`, so many along rows and
/// columns, can be counted.
pub(super) fn fit_patches(
    name: &str,
    x: &TensorType,
    padding: [usize; 2],
    kernel: [usize; 2],
    patches: [usize; 2],
) -> Result<(), String> {
    let [batch, channels, height, width] = x.shape[..] else { return Ok(()) };
    let padded = |extent: usize, padding: usize| extent.saturating_add(padding.saturating_mul(2));
    let (height, width) = (padded(height, padding[0]), padded(width, padding[1]));
    countable(name, x, &[batch, channels, height, width])?;
    countable(name, x, &[batch, channels, patches[0], kernel[0], width])?;
    countable(name, x, &[batch, channels, patches[0], kernel[0], patches[1], kernel[1]])
}

impl OpDef for Unfold {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let axis = operands[0].axis(self.axis)?;
        let found = pieces(operands[0].shape[axis], self.size, self.stride, self.dilation);
        if found == 0 {
            return Err(format!(
                "unfold of {} takes pieces of {} by {} with dilation {} on axis {}, expected sizes of 1 or more that fit \
                 {}",
                operands[0],
                self.size,
                self.stride,
                self.dilation,
                self.axis,
                counted(operands[0].shape[axis], "element")
            ));
        }
        let mut shape = operands[0].shape.clone();
        shape.splice(axis..=axis, [found, self.size]);
        sized(operands[0].dtype, shape)
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let axis = operands[0].ty.axis(self.axis)?;
        let mut strides = strides(&operands[0].ty.shape);
        let step = strides[axis];
        strides.splice(axis..=axis, [step * self.stride, step * self.dilation]);
        Ok(Tensor::new(result.clone(), collect(&operands[0].data, 0, &result.shape, &strides)))
    }
}
