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

/// One digit of a result axis: `⌊i[axis]/div⌋ mod extent`, times `mul`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digit {
    /// Result axis, from 0.
    pub axis: usize,
    /// Product of the extents of the finer digits of that axis.
    pub div: usize,
    /// Number of values of the digit, ≥ 2.
    pub extent: usize,
    /// Factor in the coordinate; never 0.
    pub mul: i64,
}

/// One coordinate of the source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Coord {
    /// Number of values the coordinate can take.
    pub extent: usize,
    /// Distance of neighbours in the source, in elements.
    pub stride: usize,
    /// Added to the digits.
    pub offset: i64,
    /// The digits, largest `mul` first.
    pub digits: Vec<Digit>,
    /// Taken modulo `extent` (roll). Digits and offset then lie in 0…extent−1 and their sum below 2·extent.
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
    /// What elements outside a bounded coordinate are.
    pub fill: crate::types::Real,
}
