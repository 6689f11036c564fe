//! Walks over operands that are broadcast, permuted or sliced, one row at a time.
//!
//! A result of some shape reads each operand at a stride per result axis: 0 where the operand is broadcast,
//! another axis' stride where it is transposed. Neighbouring axes that every operand runs through without a
//! jump are merged first, so the inner loop is as long as the data allow and no element costs a division:
//!
//! ```text
//!   result [64, 49, 96]   x strides [4704, 96, 1]   bias strides [0, 0, 1]   →   [3136, 96], [96, 1], [0, 1]
//! ```

use crate::types::strides;

/// Result axes after merging, with one stride per operand each.
pub(crate) struct Walk<const N: usize> {
    axes: Vec<(usize, [usize; N])>,
}

impl<const N: usize> Walk<N> {
    /// A walk over `shape` that reads operand `o` at `strides[o][axis]`.
    pub(crate) fn new(shape: &[usize], strides: [&[usize]; N]) -> Self {
        let mut axes: Vec<(usize, [usize; N])> = Vec::new();
        for (axis, &extent) in shape.iter().enumerate() {
            let here: [usize; N] = std::array::from_fn(|o| strides[o][axis]);
            match axes.last_mut() {
                _ if extent == 1 => {}
                Some((outer, s)) if (0..N).all(|o| s[o] == here[o] * extent) => {
                    *outer *= extent;
                    *s = here;
                }
                _ => axes.push((extent, here)),
            }
        }
        Self { axes }
    }

    /// Calls `row` with the operands' first elements, their strides along the row and its length, in the
    /// result's row-major order.
    pub(crate) fn rows(&self, mut row: impl FnMut([usize; N], [usize; N], usize)) {
        let Some((&(len, inner), outer)) = self.axes.split_last() else {
            return row([0; N], [0; N], 1);
        };
        let mut at = [0; N];
        let mut index = vec![0; outer.len()];
        loop {
            row(at, inner, len);
            let mut axis = outer.len();
            loop {
                if axis == 0 {
                    return;
                }
                axis -= 1;
                let (extent, s) = outer[axis];
                index[axis] += 1;
                (0..N).for_each(|o| at[o] += s[o]);
                if index[axis] < extent {
                    break;
                }
                index[axis] = 0;
                (0..N).for_each(|o| at[o] -= s[o] * extent);
            }
        }
    }
}

/// Strides that read a dense operand of shape `from` as if it had shape `to`; 0 where it is broadcast.
pub(crate) fn broadcast_strides(from: &[usize], to: &[usize]) -> Vec<usize> {
    let missing = to.len() - from.len();
    let dense = strides(from);
    (0..to.len()).map(|i| if i < missing || from[i - missing] == 1 { 0 } else { dense[i - missing] }).collect()
}

/// The elements of `source` that a walk from element `first` meets.
pub(crate) fn collect(source: &[f64], first: usize, shape: &[usize], strides: &[usize]) -> Vec<f64> {
    let mut out = Vec::with_capacity(shape.iter().product());
    Walk::new(shape, [strides]).rows(|[at], [stride], len| match stride {
        1 => out.extend_from_slice(&source[first + at..][..len]),
        0 => out.resize(out.len() + len, source[first + at]),
        _ => out.extend((0..len).map(|i| source[first + at + i * stride])),
    });
    out
}

/// Extents before, of and after an axis: the loop nest `outer × extent × inner`.
pub(crate) fn around(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}
