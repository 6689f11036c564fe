//! Softmax over one axis.
//!
//! ```text
//!   w[i] = exp(x[i] − max x) / Σ_j exp(x[j] − max x)
//! ```
//!
//! A row whose entries are all −∞ gives zeros, never NaN. Two clamps do that and change nothing else: the
//! maximum is at least the lowest f32, so −∞ minus it stays −∞, and the sum, to which the largest entry of
//! any other row contributes 1, is at least 1.

use super::{OpDef, walk::around};
use crate::{graph::Tensor, types::TensorType};

op! {
    /// `softmax %x { axis = -1 }`.
    pub struct Softmax = "softmax"(x: float[..]) {
        /// Normalised axis, −1 for the last.
        pub axis: i64,
    }
}

/// Lowest finite f32, below which no maximum falls.
const LOWEST: f64 = f32::MIN as f64;

/// Operations per element: maximum, difference, exponential, sum, quotient.
pub(crate) const FLOPS: u64 = 5;

/// Softmax in place over the middle of `outer × extent × inner`.
pub(crate) fn normalise(data: &mut [f64], extent: usize, inner: usize) {
    let (mut largest, mut sum) = (vec![0.0; inner], vec![0.0; inner]);
    for block in data.chunks_mut(extent * inner) {
        largest.fill(LOWEST);
        sum.fill(0.0);
        for line in block.chunks(inner) {
            largest.iter_mut().zip(line).for_each(|(m, &x)| *m = if x < *m { *m } else { x });
        }
        for line in block.chunks_mut(inner) {
            for ((x, m), s) in line.iter_mut().zip(&largest).zip(&mut sum) {
                *x = (*x - m).exp();
                *s += *x;
            }
        }
        for line in block.chunks_mut(inner) {
            line.iter_mut().zip(&sum).for_each(|(x, s)| *x /= if *s < 1.0 { 1.0 } else { *s });
        }
    }
}

/// Lines of `.rg` text that put the softmax of `%x` into `%w`.
pub(crate) fn lines(x: &str, w: &str, axis: i64) -> String {
    format!(
        "
  %largest = reduce %{x} {{ op = max, axis = {axis} }}
  %finite = max %largest, {LOWEST:?}
  %difference = sub %{x}, %finite
  %exponential = exp %difference
  %sum = reduce %exponential {{ op = sum, axis = {axis} }}
  %total = max %sum, 1.0
  %{w} = div %exponential, %total"
    )
}

impl OpDef for Softmax {
    fn flops(&self, _: &[&TensorType], result: &TensorType) -> u64 {
        FLOPS * result.elements() as u64
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let (_, extent, inner) = around(&result.shape, result.axis(self.axis)?);
        let mut data = operands[0].data.clone();
        normalise(&mut data, extent, inner);
        Ok(Tensor::new(result.clone(), data))
    }
    fn body(&self, _: &[&TensorType]) -> Option<String> {
        Some(lines("x", "w", self.axis))
    }
}
