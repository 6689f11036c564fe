//! Views of single movements.
//!
//! In row-major order a reshape moves nothing, so its map is the identity over the new shape; the others
//! change one factor, offset or coordinate of it.

use super::{Coord, Digit, View, normal::Draft};
use crate::types::{Real, strides};

impl View {
    /// Every element from its own place.
    pub fn identity(shape: &[usize]) -> View {
        Self::reshape(shape, shape)
    }

    /// The same elements in row-major order. The products of both shapes must be equal.
    pub fn reshape(from: &[usize], to: &[usize]) -> View {
        let len = from.iter().product();
        assert_eq!(len, to.iter().product::<usize>(), "a reshape keeps the number of elements: {from:?} to {to:?}");
        strided(to, len, &strides(to), 0)
    }

    /// Result axis `i` is source axis `order[i]`; `order` permutes all axes.
    pub fn transpose(shape: &[usize], order: &[usize]) -> View {
        let source = strides(shape);
        let to: Vec<usize> = order.iter().map(|&a| shape[a]).collect();
        let factors: Vec<usize> = order.iter().map(|&a| source[a]).collect();
        strided(&to, shape.iter().product(), &factors, 0)
    }

    /// Every `step`-th index of `axis` from `start` on, below `stop`.
    pub fn slice(shape: &[usize], axis: usize, start: usize, stop: usize, step: usize) -> View {
        let mut factors = strides(shape);
        let mut to = shape.to_vec();
        let offset = start * factors[axis];
        to[axis] = stop.saturating_sub(start).div_ceil(step);
        factors[axis] *= step;
        strided(&to, shape.iter().product(), &factors, offset)
    }

    /// Broadcast as in NumPy: aligned at the last axis, extents of 1 repeated, leading axes new.
    pub fn expand(from: &[usize], to: &[usize]) -> View {
        let new = to.len().checked_sub(from.len()).expect("a broadcast does not drop axes");
        let source = strides(from);
        let factor = |axis: usize| match axis.checked_sub(new) {
            Some(a) if from[a] == to[axis] => source[a],
            Some(a) => {
                assert_eq!(from[a], 1, "axis {axis} of {to:?} cannot come from {from:?}");
                0
            }
            None => 0,
        };
        let factors: Vec<usize> = (0..to.len()).map(factor).collect();
        strided(to, from.iter().product(), &factors, 0)
    }

    /// result\[(i + shift) mod n\] = source\[i\] along `axis`, as in NumPy.
    pub fn roll(shape: &[usize], axis: usize, shift: i64) -> View {
        let extent = shape[axis];
        if extent == 0 {
            return Self::identity(shape);
        }
        let offset = (-(shift as i128)).rem_euclid(extent as i128) as i64;
        with_coord(shape, shape, axis, Real::new(0.0), Coord { extent, offset, cyclic: true, ..unit(axis, extent) })
    }

    /// `low` elements of `fill` before and `high` after `axis`.
    pub fn pad(shape: &[usize], axis: usize, low: usize, high: usize, fill: Real) -> View {
        let extent = shape[axis];
        let mut to = shape.to_vec();
        to[axis] += low + high;
        let coord = Coord { extent, offset: -(low as i64), bounded: true, ..unit(axis, to[axis]) };
        with_coord(shape, &to, axis, fill, coord)
    }

    /// Pieces of `size` elements, `dilation` apart, from every `stride`-th index of `axis`, which becomes two axes: piece
    /// and place in it. At least one piece fits.
    pub fn unfold(shape: &[usize], axis: usize, size: usize, stride: usize, dilation: usize) -> View {
        let mut factors = strides(shape);
        let step = factors[axis];
        factors.splice(axis..=axis, [step * stride, step * dilation]);
        let mut to = shape.to_vec();
        to.splice(axis..=axis, [crate::ops::unfold::pieces(shape[axis], size, stride, dilation), size]);
        strided(&to, shape.iter().product(), &factors, 0)
    }

    /// The same movement of whole blocks: where `self` moves elements, each is a tensor of shape `block`, whose axes come
    /// last in source and result.
    pub fn of_blocks(&self, block: &[usize]) -> View {
        let size = block.iter().product::<usize>();
        let mut draft = Draft::new(&[&self.shape, block].concat(), self.len * size, self.fill);
        for coord in &self.coords {
            let scaled = |d: &Digit| Digit { mul: d.mul * size as i64, ..*d };
            if coord.is_plain() {
                draft.constant += coord.offset * size as i64;
                draft.plain.extend(coord.digits.iter().map(scaled));
            } else {
                draft.special.push(Coord { stride: coord.stride * size, ..coord.clone() });
            }
        }
        strides(block).into_iter().enumerate().for_each(|(axis, factor)| draft.axis(self.shape.len() + axis, factor));
        draft.finish()
    }

    /// The same map with the result in another shape of as many elements; `None` where digits do not regroup.
    pub fn with_shape(&self, shape: &[usize]) -> Option<View> {
        self.then(&View::reshape(&self.shape, shape))
    }
}

fn strided(shape: &[usize], len: usize, factors: &[usize], offset: usize) -> View {
    let mut draft = Draft::new(shape, len, Real::new(0.0));
    draft.constant = offset as i64;
    factors.iter().enumerate().for_each(|(axis, &factor)| draft.axis(axis, factor));
    draft.finish()
}

fn unit(axis: usize, extent: usize) -> Coord {
    let digits = vec![Digit { axis, div: 1, extent, mul: 1 }];
    Coord { extent, stride: 1, offset: 0, digits, cyclic: false, bounded: false }
}

fn with_coord(from: &[usize], to: &[usize], axis: usize, fill: Real, coord: Coord) -> View {
    let factors = strides(from);
    let mut draft = Draft::new(to, from.iter().product(), fill);
    (0..to.len()).filter(|&a| a != axis).for_each(|a| draft.axis(a, factors[a]));
    draft.special.push(Coord { stride: factors[axis], ..coord });
    draft.finish()
}
