//! Tensors with strides: where each element lies, and how they are gathered at the speed of memory.
//!
//! ```text
//!   shape [3, 2], strides [1, 3]      position of (i, j) = i + 3 j
//!
//!   in the file   a b c d e f         row-major   a d b e c f
//! ```
//!
//! Axes that are one step for both sides are merged first. Then the elements of a piece are rows of the last axis; a few
//! columns at a time are copied for all rows, so that of a transposed matrix each line of the cache is fetched once.

use std::ops::Range;

/// Columns copied for all rows before the next.
const COLUMNS: usize = 16;

/// Extents and steps, without axes of extent 1, those merged that belong together. Nothing is empty.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    shape: Vec<usize>,
    strides: Vec<usize>,
}

/// The strides of a row-major tensor.
pub(crate) fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis]);
    }
    strides
}

impl Layout {
    pub(crate) fn new(shape: &[usize], strides: &[usize]) -> Layout {
        let mut layout = Layout { shape: Vec::new(), strides: Vec::new() };
        for (&extent, &stride) in shape.iter().zip(strides).filter(|(extent, _)| **extent != 1) {
            match (layout.shape.last_mut(), layout.strides.last_mut()) {
                (Some(last), Some(step)) if Some(*step) == stride.checked_mul(extent) => {
                    (*last, *step) = (*last * extent, stride)
                }
                _ => {
                    layout.shape.push(extent);
                    layout.strides.push(stride);
                }
            }
        }
        if layout.shape.is_empty() {
            layout = Layout { shape: vec![1], strides: vec![1] };
        }
        layout
    }
    /// Elements from the first to the last, both included.
    pub(crate) fn reach(&self) -> usize {
        match self.shape.contains(&0) {
            true => 0,
            false => {
                1 + self.shape.iter().zip(&self.strides).map(|(extent, stride)| (extent - 1) * stride).sum::<usize>()
            }
        }
    }
    /// Where the elements of a row-major `range` lie, in elements from the tensor's first.
    pub(crate) fn positions(&self, range: Range<usize>) -> Vec<usize> {
        let (columns, step) = self.last();
        let mut positions = Vec::with_capacity(range.len());
        self.rows(range, |base, part, _| positions.extend(part.map(|column| base + column * step)));
        debug_assert!(columns > 0);
        positions
    }
    /// Copies the elements of a row-major `range` from `held`, which begins at the tensor's first, to `to`; elements
    /// have `size` bytes.
    pub(crate) fn gather(&self, held: &[u8], size: usize, range: Range<usize>, to: &mut [u8]) {
        match size {
            1 => self.gather_words::<1>(held, range, to),
            2 => self.gather_words::<2>(held, range, to),
            4 => self.gather_words::<4>(held, range, to),
            _ => self.gather_words::<8>(held, range, to),
        }
    }

    fn gather_words<const N: usize>(&self, held: &[u8], range: Range<usize>, to: &mut [u8]) {
        let (held, to) = (held.as_chunks::<N>().0, to.as_chunks_mut::<N>().0);
        let (columns, step) = self.last();
        if step == 1 {
            self.rows(range, |base, part, at| {
                to[at..at + part.len()].copy_from_slice(&held[base + part.start..base + part.end])
            });
            return;
        }
        let mut rows = Vec::new();
        self.rows(range, |base, part, at| rows.push((base, part, at)));
        for left in (0..columns).step_by(COLUMNS) {
            for (base, part, at) in &rows {
                for column in left.max(part.start)..part.end.min(left + COLUMNS) {
                    to[at + column - part.start] = held[base + column * step];
                }
            }
        }
    }
    /// Extent and step of the last axis.
    fn last(&self) -> (usize, usize) {
        let last = self.shape.len() - 1;
        (self.shape[last], self.strides[last])
    }
    /// Calls `each` for every row of a row-major `range`: where its column 0 lies, its columns, and how many elements
    /// came before.
    fn rows(&self, range: Range<usize>, mut each: impl FnMut(usize, Range<usize>, usize)) {
        let (columns, _) = self.last();
        let outer = self.shape.len() - 1;
        let mut index = vec![0; outer];
        let mut rest = range.start / columns;
        for axis in (0..outer).rev() {
            (index[axis], rest) = (rest % self.shape[axis], rest / self.shape[axis]);
        }
        let mut at = range.start;
        while at < range.end {
            let column = at % columns;
            let part = column..columns.min(column + range.end - at);
            let base = index.iter().zip(&self.strides).map(|(i, stride)| i * stride).sum();
            let length = part.len();
            each(base, part, at - range.start);
            at += length;
            for axis in (0..outer).rev() {
                index[axis] += 1;
                if index[axis] < self.shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn axes_that_belong_together_are_one() {
        assert_eq!(Layout::new(&[2, 3, 1, 4], &[12, 4, 9, 1]), Layout { shape: vec![24], strides: vec![1] });
        assert_eq!(Layout::new(&[4, 6], &[1, 4]), Layout { shape: vec![4, 6], strides: vec![1, 4] });
        assert_eq!(Layout::new(&[5, 3], &[0, 0]), Layout { shape: vec![15], strides: vec![0] });
        assert_eq!(Layout::new(&[], &[]).reach(), 1);
    }

    proptest! {
        #[test]
        fn any_part_of_any_layout_is_gathered(
            axes in prop::collection::vec((1usize..40, 0usize..9), 1..4),
            from in 0usize..1000,
            length in 1usize..3000,
        ) {
            let (shape, strides): (Vec<usize>, Vec<usize>) = axes.into_iter().unzip();
            let layout = Layout::new(&shape, &strides);
            let elements: usize = shape.iter().product();
            let from = from % elements;
            let range = from..elements.min(from + length);
            let expected: Vec<usize> = range
                .clone()
                .map(|mut at| {
                    let axes = shape.iter().zip(&strides).rev();
                    axes.map(|(extent, stride)| (at % extent, at /= extent).0 * stride).sum()
                })
                .collect();
            prop_assert_eq!(layout.positions(range.clone()), expected.clone());
            let held: Vec<u8> = (0..layout.reach()).flat_map(|i| (i as u32).to_le_bytes()).collect();
            let mut to = vec![0; 4 * range.len()];
            layout.gather(&held, 4, range, &mut to);
            let found: Vec<usize> = to.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b) as usize).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
