//! The position of the greatest element along an axis.
//!
//! ```text
//!   argmax(x) = min { i : x[i] = max x }        ties go to the lowest index; a NaN is greater than all numbers
//! ```

use super::{
    OpDef,
    shape::{float, places_fit},
    walk::around,
};
use crate::{
    graph::Tensor,
    types::{DType, TensorType},
};

op! {
    /// `argmax %x { axis = -1 }`: i32, the axis stays with extent 1.
    pub struct Argmax = "argmax"(x: float[..]) {
        /// Axis, −1 for the last.
        pub axis: i64,
    }
}

impl OpDef for Argmax {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        float("argmax", "operand", operands[0])?;
        let mut shape = operands[0].shape.clone();
        let axis = operands[0].axis(self.axis)?;
        places_fit("argmax", operands[0], axis)?;
        shape[axis] = 1;
        Ok(TensorType::new(DType::I32, shape))
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let (_, extent, inner) = around(&operands[0].ty.shape, result.axis(self.axis)?);
        let mut data = Vec::with_capacity(result.elements());
        for block in operands[0].data.chunks(extent * inner) {
            data.extend((0..inner).map(|column| {
                let at = |i: usize| block[i * inner + column];
                let ahead = |i: usize, best: usize| at(i) > at(best) || (at(i).is_nan() && !at(best).is_nan());
                (1..extent).fold(0, |best, i| if ahead(i, best) { i } else { best }) as f64
            }));
        }
        Ok(Tensor::new(result.clone(), data))
    }
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let (x, axis) = (operands[0], self.axis);
        let last = x.shape[x.axis(axis).ok()?] - 1;
        let positions = TensorType::new(DType::I32, x.shape.clone());
        Some(format!(
            "  %greatest = reduce %x {{ op = max, axis = {axis} }}
  %equal = eq %x, %greatest
  %number = eq %x, %x
  %nan = not %number
  %is = or %equal, %nan
  %place = iota {{ axis = {axis} }} : {positions}
  %candidate = select %is, %place, {last}
  %y = reduce %candidate {{ op = min, axis = {axis} }}"
        ))
    }
}
