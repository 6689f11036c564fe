//! From a point of the space to an address: views become index arithmetic.
//!
//! A point gives every axis as digits, each a scalar or the lane digit (base + lane number). A coordinate
//! of a view is then a sum
//!
//! ```text
//!   at = offset + scalar + lane·step        one vector access while only scalars and one step are involved
//!   at = offset + vector                    a gather where lanes cross digits, wrap around or leave the source
//! ```
//!
//! A bounded coordinate that is the same in all lanes is clamped, and one truth value says whether it lies inside:
//! the padding around a map costs a comparison per row, not a gather.
//!
//! Digits that do not line up are cut out of scalars by division with constants, once per row.

use regard_ir::{
    kernel::{BinOp, Builder, CastOp, CmpOp, Val},
    view::{Coord, Digit, View},
};

/// One digit of an axis at a point: `⌊axis/div⌋ mod extent` has this value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DigitAt {
    /// Matmul of the finer digits' extents.
    pub div: usize,
    /// Number of values.
    pub extent: usize,
    /// Its value, i64: the same in all lanes, or the value of lane 0 where `lanes` is set.
    pub value: Val,
    /// Whether lane l has `value + l`.
    pub lanes: bool,
}

/// A place in a space: digits of each axis, and how many lanes are active.
#[derive(Clone, Debug, Default)]
pub(crate) struct Point {
    /// Digits of each axis, any order; digits that are absent are zero.
    pub axes: Vec<Vec<DigitAt>>,
    /// Active lanes, i64; all where absent.
    pub active: Option<Val>,
}

impl Point {
    /// A point whose axes are scalars of the given extents.
    pub(crate) fn scalars(axes: &[(Val, usize)]) -> Point {
        let digit = |&(value, extent): &(Val, usize)| vec![DigitAt { div: 1, extent, value, lanes: false }];
        Point { axes: axes.iter().map(digit).collect(), active: None }
    }
    /// The point with one more axis, whole and with lanes starting at `base`.
    pub(crate) fn with_lanes(&self, base: Val, extent: usize, active: Option<Val>) -> Point {
        self.with_axis(vec![DigitAt { div: 1, extent, value: base, lanes: true }], active)
    }
    /// The point with one more axis, a scalar.
    pub(crate) fn with_scalar(&self, value: Val, extent: usize) -> Point {
        self.with_axis(vec![DigitAt { div: 1, extent, value, lanes: false }], self.active)
    }
    /// The point with one more axis.
    pub(crate) fn with_axis(&self, digits: Vec<DigitAt>, active: Option<Val>) -> Point {
        let mut point = self.clone();
        point.axes.push(digits);
        point.active = active;
        point
    }
}

/// Where a view's element lies.
pub(crate) enum Access {
    /// `index + offset + lane·step`, in elements.
    Affine {
        /// Scalar part.
        index: Option<Val>,
        /// Constant part.
        offset: i64,
        /// Distance of neighbouring lanes; 0 for one element in all lanes.
        step: i64,
        /// Whether the elements lie inside the source, a scalar; they do where absent. The address is valid either way.
        inside: Option<Val>,
    },
    /// One index per lane, i32, and which lanes lie inside the source.
    Gather {
        /// Element numbers.
        idx: Val,
        /// Lanes that are read.
        inside: Val,
    },
}

/// A sum under construction: scalars, a constant, a multiple of the lane number, a vector.
#[derive(Clone, Copy, Default)]
struct Sum {
    scalar: Option<Val>,
    offset: i64,
    step: i64,
    vector: Option<Val>,
}

impl Sum {
    fn add_scalar(&mut self, b: &mut Builder, value: Val, factor: i64) {
        let term = b.mul_const(value, factor);
        self.scalar = Some(self.scalar.map_or(term, |s| b.add(s, term)));
    }
    fn add_vector(&mut self, b: &mut Builder, value: Val, factor: i64) {
        let term = b.mul_const(value, factor);
        self.vector = Some(self.vector.map_or(term, |s| b.add(s, term)));
    }
    /// The sum as one i32 vector.
    fn into_vector(self, b: &mut Builder) -> Val {
        let mut total = b.vi32(self.offset as i32);
        if let Some(scalar) = self.scalar {
            let low = b.cast(CastOp::I64ToI32, scalar);
            let wide = b.splat(low);
            total = b.add(total, wide);
        }
        if self.step != 0 {
            let lane = b.lane();
            let steps = b.mul_const(lane, self.step);
            total = b.add(total, steps);
        }
        self.vector.map_or(total, |v| b.add(total, v))
    }
    fn into_scalar(self, b: &mut Builder) -> Val {
        match self.scalar {
            Some(scalar) => b.add_const(scalar, self.offset),
            None => b.i64(self.offset),
        }
    }
    fn is_uniform(&self) -> bool {
        self.step == 0 && self.vector.is_none()
    }
}

/// Where `view` reads at `point`.
pub(crate) fn access(b: &mut Builder, view: &View, point: &Point) -> Access {
    let mut total = Sum::default();
    let mut inside: Option<Val> = None;
    let mut all_inside: Option<Val> = None;
    let both = |b: &mut Builder, known: Option<Val>, ok: Val| Some(known.map_or(ok, |k| b.bin(BinOp::And, k, ok)));
    for coord in &view.coords {
        let at = coordinate(b, coord, point);
        let stride = coord.stride as i64;
        if coord.bounded && coord.extent > 0 && at.is_uniform() {
            let (at, ok) = clamped(b, at, coord.extent);
            all_inside = both(b, all_inside, ok);
            total.add_scalar(b, at, stride);
        } else if coord.bounded {
            let (at, ok) = bounded(b, at, coord.extent);
            inside = both(b, inside, ok);
            total.add_vector(b, at, stride);
        } else if coord.cyclic {
            match wrapped(b, at, coord.extent) {
                Ok(scalar) => total.add_scalar(b, scalar, stride),
                Err(vector) => total.add_vector(b, vector, stride),
            }
        } else {
            total.offset += at.offset * stride;
            total.step += at.step * stride;
            if let Some(scalar) = at.scalar {
                total.add_scalar(b, scalar, stride);
            }
            if let Some(vector) = at.vector {
                total.add_vector(b, vector, stride);
            }
        }
    }
    if inside.is_none() && total.vector.is_none() {
        return Access::Affine { index: total.scalar, offset: total.offset, step: total.step, inside: all_inside };
    }
    if let Some(all) = all_inside {
        let lanes = b.splat(all);
        inside = both(b, inside, lanes);
    }
    let active = active_lanes(b, point);
    let inside = inside.map_or(active, |i| b.bin(BinOp::And, i, active));
    Access::Gather { idx: total.into_vector(b), inside }
}

/// Where a view of one axis, plain coordinates only, reads for an i32 vector of indices.
pub(crate) fn digits_of(b: &mut Builder, view: &View, at: Val) -> Val {
    let mut total = b.vi32(0);
    for coord in &view.coords {
        for digit in &coord.digits {
            let inside = (digit.div * digit.extent < view.shape[0]).then_some(digit.extent);
            let value = cut(b, at, digit.div, inside);
            let term = b.mul_const(value, digit.mul * coord.stride as i64);
            total = b.add(total, term);
        }
    }
    total
}

/// Whether a view reads the same element for all lanes of a point.
pub(crate) fn same_in_lanes(view: &View, point: &Point, lanes: usize) -> bool {
    let still = |digit: &Digit, at: &DigitAt| {
        let (low, high) = (digit.div.max(at.div), (digit.div * digit.extent).min(at.end()));
        !at.lanes || (at.lines_up(digit) && (high <= low || (low / at.div).is_multiple_of(lanes)))
    };
    // Axes that the point lacks are those of a reduction around it; nothing is known of them.
    let axis = |digit: &Digit| point.axes.get(digit.axis);
    let mut digits = view.coords.iter().flat_map(|coord| &coord.digits);
    digits.all(|digit| axis(digit).is_some_and(|axis| axis.iter().all(|at| still(digit, at))))
}

/// The lanes below the point's `first`.
pub(crate) fn active_lanes(b: &mut Builder, point: &Point) -> Val {
    let lane = b.lane();
    let bound = match point.active {
        Some(active) => {
            let low = b.cast(CastOp::I64ToI32, active);
            b.splat(low)
        }
        None => b.vi32(b.lanes() as i32),
    };
    b.cmp(CmpOp::Lt, lane, bound)
}

fn coordinate(b: &mut Builder, coord: &Coord, point: &Point) -> Sum {
    let mut sum = Sum { offset: coord.offset, ..Sum::default() };
    for digit in &coord.digits {
        let axis = &point.axes[digit.axis];
        if axis.iter().all(|at| at.lines_up(digit)) {
            axis.iter().for_each(|at| add_part(b, &mut sum, digit, at));
        } else {
            add_cut(b, &mut sum, digit, axis);
        }
    }
    sum
}

impl DigitAt {
    fn end(&self) -> usize {
        self.div * self.extent
    }
    /// Whether this part of the axis gives a part of `digit` by itself: their boundaries divide one another.
    fn lines_up(&self, digit: &Digit) -> bool {
        let (low, high) = (digit.div.max(self.div), (digit.div * digit.extent).min(self.end()));
        let divides = |a: usize, b: usize| a.max(b).is_multiple_of(a.min(b));
        high <= low || (divides(digit.div, self.div) && high.is_multiple_of(low))
    }
}

/// Adds what part `at` of an axis contributes to a digit that it lines up with:
///
/// ```text
///   ⌊(value mod high) / low⌋ · factor      where the digit ends below the part, starts above its start, starts below
/// ```
fn add_part(b: &mut Builder, sum: &mut Sum, digit: &Digit, at: &DigitAt) {
    let (low, high) = (digit.div.max(at.div), (digit.div * digit.extent).min(at.end()));
    if high <= low {
        return;
    }
    let shift = low / at.div;
    let extent = (high < at.end()).then_some(high / low);
    let factor = digit.mul * (low / digit.div) as i64;
    let lanes = b.lanes() as usize;
    let steps = at.lanes && shift == 1 && extent.is_none_or(|extent| extent.is_multiple_of(lanes));
    if steps || !at.lanes || shift.is_multiple_of(lanes) {
        let value = cut(b, at.value, shift, extent);
        sum.add_scalar(b, value, factor);
        sum.step += if steps { factor } else { 0 };
    } else {
        let whole = Sum { scalar: Some(at.value), step: 1, ..Sum::default() }.into_vector(b);
        let value = cut(b, whole, shift, extent);
        sum.add_vector(b, value, factor);
    }
}

/// Adds a digit cut out of the whole axis, where its boundaries are not those of the point's parts.
fn add_cut(b: &mut Builder, sum: &mut Sum, digit: &Digit, axis: &[DigitAt]) {
    let mut whole = Sum::default();
    for at in axis {
        whole.add_scalar(b, at.value, at.div as i64);
        whole.step += if at.lanes { at.div as i64 } else { 0 };
    }
    let uniform = whole.is_uniform();
    let whole = if uniform { whole.into_scalar(b) } else { whole.into_vector(b) };
    let value = cut(b, whole, digit.div, Some(digit.extent));
    if uniform { sum.add_scalar(b, value, digit.mul) } else { sum.add_vector(b, value, digit.mul) }
}

/// `⌊value/shift⌋ mod extent`, scalar or vector.
fn cut(b: &mut Builder, value: Val, shift: usize, extent: Option<usize>) -> Val {
    let mut value = value;
    if shift > 1 {
        let by = b.const_like(value, shift as f64);
        value = b.bin(BinOp::Div, value, by);
    }
    if let Some(extent) = extent {
        let by = b.const_like(value, extent as f64);
        value = b.bin(BinOp::Rem, value, by);
    }
    value
}

/// A cyclic coordinate brought into 0…extent−1: it is below twice the extent.
fn wrapped(b: &mut Builder, at: Sum, extent: usize) -> Result<Val, Val> {
    let uniform = at.is_uniform();
    let value = if uniform { at.into_scalar(b) } else { at.into_vector(b) };
    let bound = b.const_like(value, extent as f64);
    let low = b.cmp(CmpOp::Lt, value, bound);
    let less = b.sub(value, bound);
    let value = b.select(low, value, less);
    if uniform { Ok(value) } else { Err(value) }
}

/// A bounded coordinate that is the same in all lanes: the nearest index inside, and whether it is inside itself.
fn clamped(b: &mut Builder, at: Sum, extent: usize) -> (Val, Val) {
    let value = at.into_scalar(b);
    let (zero, last) = (b.i64(0), b.i64(extent as i64 - 1));
    let low = b.bin(BinOp::Max, value, zero);
    let near = b.bin(BinOp::Min, low, last);
    (near, b.cmp(CmpOp::Eq, near, value))
}

/// A bounded coordinate as a vector clamped to 0 where it lies outside, and where it lies inside.
fn bounded(b: &mut Builder, at: Sum, extent: usize) -> (Val, Val) {
    let value = at.into_vector(b);
    let (zero, bound) = (b.vi32(0), b.vi32(extent as i32));
    let (not_low, below) = (b.cmp(CmpOp::Le, zero, value), b.cmp(CmpOp::Lt, value, bound));
    let inside = b.bin(BinOp::And, not_low, below);
    (b.select(inside, value, zero), inside)
}
