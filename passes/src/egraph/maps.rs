//! What rules ask of views, and the views they make.
//!
//! A term like a bias reads a vector along one axis of a tensor and repeats it along the others:
//!
//! ```text
//!   [64, 49, 96] of 96: i2            its row: [1, 96] of 96: i1
//! ```

use regard_ir::{
    types::broadcast,
    view::{Digit, View},
};

fn digits(map: &View) -> impl Iterator<Item = &Digit> {
    map.coords.iter().flat_map(|c| &c.digits)
}

/// Whether a result `[…, k]` depends on its last index alone.
pub fn repeats_a_row(map: &View) -> bool {
    digits(map).all(|digit| digit.axis + 1 == map.shape.len())
}

/// The first row of a result `[…, k]`, as the view `[1, k]`.
pub fn first_row(map: &View) -> Option<View> {
    let k = *map.shape.last()?;
    map.then(&View::slice(&[map.elements() / k, k], 0, 0, 1, 1))
}

/// A row `[1, k]` as the column factor of a `[k, m]` matrix: element (i, j) is the row's i.
pub fn down(row: &View, columns: usize) -> Option<View> {
    let k = row.elements();
    row.then(&repeat(&[k, 1], &[k, columns])?)
}

/// A row `[1, k]` repeated to a shape whose last extent is k.
pub fn repeated(row: &View, shape: &[usize]) -> Option<View> {
    row.then(&spread(row, shape)?)
}

/// The view that repeats a tensor `[1, k]`, made by a view such as [`first_row`], to a shape whose last extent is k.
pub fn spread(row: &View, shape: &[usize]) -> Option<View> {
    repeat(&[row.elements()], shape)
}

/// Whether the view reads one element everywhere.
pub fn reads_one(map: &View) -> bool {
    digits(map).next().is_none()
}

/// The view that reads in a tensor of that shape what this view reads first.
pub fn everywhere(map: &View, shape: &[usize]) -> Option<View> {
    let first = map.source(&vec![0; map.shape.len()])?;
    View::slice(&[map.len], 0, first, first + 1, 1).then(&repeat(&[1], shape)?)
}

/// The same elements in another shape.
pub fn reshape(from: &[usize], to: &[usize]) -> Option<View> {
    (from.iter().product::<usize>() == to.iter().product()).then(|| View::reshape(from, to))
}

/// The view that repeats a tensor of one shape to another, where the one broadcasts to the other.
pub fn repeat(from: &[usize], to: &[usize]) -> Option<View> {
    (broadcast(from, to)? == to).then(|| View::expand(from, to))
}

/// Whether the result does not depend on the index of `axis`.
pub fn repeats_along(map: &View, axis: usize) -> bool {
    digits(map).all(|digit| digit.axis != axis)
}

/// The view without what lies behind the first index of `axis`.
pub fn first_along(map: &View, axis: usize) -> Option<View> {
    map.shape.get(axis)?;
    map.then(&View::slice(&map.shape, axis, 0, 1, 1))
}

/// Where an axis of the source went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The result axis that runs through it.
    pub axis: usize,
    /// Whether it does so whole and in order.
    pub whole: bool,
    /// Whether it runs through nothing else.
    pub apart: bool,
}

/// The result axis that runs through source axis `axis` of a tensor of that shape. Where it does so whole and
/// apart, a softmax over the one is a softmax over the other.
pub fn carried(map: &View, shape: &[usize], axis: usize) -> Option<Carried> {
    let extent = shape[axis];
    let alone: Vec<usize> = (0..shape.len()).map(|a| if a == axis { extent } else { 1 }).collect();
    let others: Vec<usize> = (0..shape.len()).map(|a| if a == axis { 1 } else { shape[a] }).collect();
    let index = View::expand(&alone, shape).then(map)?;
    let digit = *digits(&index).next()?;
    let column: Vec<usize> = (0..map.shape.len()).map(|a| if a == digit.axis { extent } else { 1 }).collect();
    let whole = map.shape[digit.axis] == extent && index == View::expand(&column, &map.shape);
    let rest = View::expand(&others, shape).then(map)?;
    Some(Carried { axis: digit.axis, whole, apart: digits(&rest).all(|d| d.axis != digit.axis) })
}

/// The view that exchanges the last two axes.
pub fn swap(shape: &[usize]) -> Option<View> {
    let rank = shape.len().checked_sub(2)?;
    let order: Vec<usize> = (0..rank).chain([rank + 1, rank]).collect();
    Some(View::transpose(shape, &order))
}

/// Whether neighbours along the last axis are neighbours in the source, or the axis has one element.
pub fn reads_in_order(map: &View) -> bool {
    let Some(last) = map.shape.len().checked_sub(1) else { return true };
    let inner = |d: &&Digit| d.axis == last && d.div == 1;
    let steps = map.coords.iter().flat_map(|c| c.digits.iter().filter(inner).map(|d| c.stride * d.mul as usize));
    map.shape[last] == 1 || steps.sum::<usize>() <= 1
}
