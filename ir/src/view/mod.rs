//! The algebra of movement: where each element of a tensor comes from.
//!
//! Reshape, transpose, slice, expand, roll, pad, window and region partition all say the same kind of
//! thing: result element i is source element `map(i)`. A [`View`] writes that map in a normal form, so
//! that equal movement is equal data and a chain of movements is one view.
//!
//! The source is split into *coordinates*, each an extent with a stride, like the digits of a mixed-radix
//! number; every coordinate is a sum of digits of the result's axes:
//!
//! ```text
//!   source element = Σ_c stride_c · at_c        at_c = offset_c + Σ_t mul_t · digit_t   (mod extent_c if cyclic)
//!   digit_t        = ⌊i[axis_t] / div_t⌋ mod extent_t
//! ```
//!
//! A window partition of a rolled 56×56 map reads, for result `[64, 49, 96]`:
//!
//! ```text
//!   row    (extent 56, stride 56·96, cyclic, offset 3) = 7·⌊i0/8⌋ + ⌊i1/7⌋
//!   column (extent 56, stride 96,    cyclic, offset 3) = 7·(i0 mod 8) + (i1 mod 7)
//!   channel(extent 96, stride 1)                       = i2
//! ```
//!
//! What does not compose (a pad after a partition, say) stays two views: correct, merely unfused.
//!
//! **Normal form.** All that is neither cyclic nor bounded lies in one coordinate of stride 1, the *plain* one: there the
//! map is linear. A cyclic or bounded coordinate keeps only the digits that decide whether it wraps or falls
//! outside; finer digits move to the plain one (rolling 56 rows by 7 rolls 8 groups of 7). Neighbouring digits
//! with matching factors are one digit, digits with one value are none. Every constructor and every operation
//! returns this form, so `==` compares maps (only conditions from several pads of one axis can be said in two ways).

mod build;
mod compact;
mod compose;
mod digits;
mod gather;
mod inverse;
mod normal;
mod of_op;
#[cfg(test)]
mod tests;
mod text;

pub use of_op::is_movement;

/// One digit of a result axis: `⌊i[axis]/div⌋ mod extent`, times `mul`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digit {
    /// Result axis, from 0.
    pub axis: usize,
    /// Product of the extents of the finer digits of that axis.
    pub div: usize,
    /// Number of values of the digit, ≥ 2.
    pub extent: usize,
    /// Factor in the coordinate, ≥ 1.
    pub mul: i64,
}

/// One coordinate of the source: plain, cyclic or bounded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Coord {
    /// The coordinate lies in 0…extent−1; for the plain one this is the largest value plus one.
    pub extent: usize,
    /// Distance of neighbours in the source, in elements; 0 where a bounded coordinate only decides about fill.
    pub stride: usize,
    /// Added to the digits; negative only in a bounded coordinate.
    pub offset: i64,
    /// The digits, largest `mul` first.
    pub digits: Vec<Digit>,
    /// Taken modulo `extent` (roll). The sum of the digits and the offset each lie in 0…extent−1, so one
    /// comparison and one subtraction reduce it.
    pub cyclic: bool,
    /// May fall outside 0…extent−1, where the view gives its fill (pad).
    pub bounded: bool,
}

/// Where each element of a result of `shape` comes from in a source of `len` elements.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct View {
    /// Result dimensions.
    pub shape: Vec<usize>,
    /// Source elements.
    pub len: usize,
    /// Coordinates of the source, largest stride first.
    pub coords: Vec<Coord>,
    /// What elements outside a bounded coordinate are; 0 where no coordinate is bounded.
    pub fill: crate::types::Real,
}

impl Coord {
    /// The coordinate at a result index; `None` outside a bounded one.
    pub(crate) fn at(&self, idx: &[usize]) -> Option<usize> {
        let extent = self.extent as i64;
        let sum = self.offset + self.digits.iter().map(|d| d.mul * d.at(idx) as i64).sum::<i64>();
        match (self.cyclic, self.bounded) {
            (true, _) => Some(sum.rem_euclid(extent) as usize),
            (_, true) => (0..extent).contains(&sum).then_some(sum as usize),
            _ => Some(sum as usize),
        }
    }
    /// Whether it is neither cyclic nor bounded.
    pub fn is_plain(&self) -> bool {
        !self.cyclic && !self.bounded
    }
}

impl Digit {
    /// The digit at a result index, without its factor.
    pub(crate) fn at(&self, idx: &[usize]) -> usize {
        idx[self.axis] / self.div % self.extent
    }
}

impl View {
    /// The source element that the result element at `idx` is, or `None` where it is the fill.
    pub fn source(&self, idx: &[usize]) -> Option<usize> {
        self.coords.iter().try_fold(0, |sum, c| Some(sum + c.stride * c.at(idx)?))
    }
    /// Number of result elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
    /// The source element of every result element, in row-major order.
    pub fn table(&self) -> Vec<Option<usize>> {
        let mut idx = vec![0; self.shape.len()];
        let mut table = Vec::with_capacity(self.elements());
        for _ in 0..self.elements() {
            table.push(self.source(&idx));
            for axis in (0..idx.len()).rev() {
                idx[axis] += 1;
                if idx[axis] < self.shape[axis] {
                    break;
                }
                idx[axis] = 0;
            }
        }
        table
    }
    /// Whether some elements may be the fill.
    pub fn has_fill(&self) -> bool {
        self.coords.iter().any(|c| c.bounded)
    }
    /// Whether the result is the source in the same order, whatever its shape.
    pub fn is_flat(&self) -> bool {
        self.len == self.elements() && *self == View::reshape(&[self.len], &self.shape)
    }
    /// The plain coordinate, if the map has one.
    pub fn plain(&self) -> Option<&Coord> {
        self.coords.iter().find(|c| c.is_plain())
    }
}
