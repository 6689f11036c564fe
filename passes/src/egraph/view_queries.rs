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
pub(crate) fn repeats_a_row(map: &View) -> bool {
    digits(map).all(|digit| digit.axis + 1 == map.shape.len())
}

/// The first row of a result `[…, k]`, as the view `[1, k]`.
pub(crate) fn first_row(map: &View) -> Option<View> {
    let k = *map.shape.last()?;
    map.then(&View::slice(&[map.elements() / k, k], 0, 0, 1, 1))
}

/// A row `[1, k]` as the column factor of a `[k, m]` matrix: element (i, j) is the row's i.
pub(crate) fn as_column(row: &View, columns: usize) -> Option<View> {
    let k = row.elements();
    row.then(&repeat(&[k, 1], &[k, columns])?)
}

/// A row `[1, k]` repeated to a shape whose last extent is k.
pub(crate) fn repeated(row: &View, shape: &[usize]) -> Option<View> {
    row.then(&broadcast_row(row, shape)?)
}

/// The view that repeats a tensor `[1, k]`, made by a view such as [`first_row`], to a shape whose last extent is k.
pub(crate) fn broadcast_row(row: &View, shape: &[usize]) -> Option<View> {
    repeat(&[row.elements()], shape)
}

/// Whether the view reads one element everywhere.
pub(crate) fn reads_one(map: &View) -> bool {
    digits(map).next().is_none()
}

/// The view that reads in a tensor of that shape what this view reads first.
pub(crate) fn broadcast_scalar(map: &View, shape: &[usize]) -> Option<View> {
    let first = map.source(&vec![0; map.shape.len()])?;
    View::slice(&[map.len], 0, first, first + 1, 1).with_shape(&[])?.then(&repeat(&[], shape)?)
}

/// The same elements in another shape.
pub(crate) fn reshape(from: &[usize], to: &[usize]) -> Option<View> {
    (from.iter().product::<usize>() == to.iter().product()).then(|| View::reshape(from, to))
}

/// The view that repeats a tensor of one shape to another, where the one broadcasts to the other.
pub(crate) fn repeat(from: &[usize], to: &[usize]) -> Option<View> {
    (broadcast(from, to)? == to).then(|| View::expand(from, to))
}

/// Whether the result does not depend on the index of `axis`.
pub(crate) fn repeats_along(map: &View, axis: usize) -> bool {
    digits(map).all(|digit| digit.axis != axis)
}

/// The view without what lies after the first index of `axis`.
pub(crate) fn first_along(map: &View, axis: usize) -> Option<View> {
    map.shape.get(axis)?;
    map.then(&View::slice(&map.shape, axis, 0, 1, 1))
}

/// Where an axis of the source went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AxisImage {
    /// The result axis that runs through it.
    pub axis: usize,
    /// Whether it does so whole and in order.
    pub whole: bool,
    /// Whether it runs through nothing else.
    pub apart: bool,
}

/// The result axis that runs through source axis `axis` of a tensor of that shape. Where it does so whole and
/// apart, a softmax over the one is a softmax over the other.
pub(crate) fn axis_image(map: &View, shape: &[usize], axis: usize) -> Option<AxisImage> {
    let extent = shape[axis];
    let alone: Vec<usize> = (0..shape.len()).map(|a| if a == axis { extent } else { 1 }).collect();
    let others: Vec<usize> = (0..shape.len()).map(|a| if a == axis { 1 } else { shape[a] }).collect();
    let index = View::expand(&alone, shape).then(map)?;
    let digit = *digits(&index).next()?;
    let column: Vec<usize> = (0..map.shape.len()).map(|a| if a == digit.axis { extent } else { 1 }).collect();
    let whole = map.shape[digit.axis] == extent && index == View::expand(&column, &map.shape);
    let rest = View::expand(&others, shape).then(map)?;
    Some(AxisImage { axis: digit.axis, whole, apart: digits(&rest).all(|d| d.axis != digit.axis) })
}

/// The view that exchanges the last two axes.
pub(crate) fn swap(shape: &[usize]) -> Option<View> {
    let rank = shape.len().checked_sub(2)?;
    let order: Vec<usize> = (0..rank).chain([rank + 1, rank]).collect();
    Some(View::transpose(shape, &order))
}

/// What the view does with the leading axes of a tensor of that shape, whose last `kept` axes it leaves alone: a view
/// of as many elements as there are blocks. It is judged by the first element of each block; where it does not
/// leave the blocks alone, [`View::of_blocks`] of the result is another view.
pub(crate) fn restrict_to_leading(map: &View, shape: &[usize], kept: usize) -> Option<View> {
    let lead = &shape[..shape.len().checked_sub(kept)?];
    let to = &map.shape[..map.shape.len().checked_sub(kept)?];
    let ones = vec![1; kept];
    let apart = View::expand(&[lead, &ones].concat(), shape).then(map)?;
    let first = (to.len()..map.shape.len()).try_fold(apart, |map, axis| first_along(&map, axis))?;
    first.with_shape(to)
}

/// A sum of products of two views as a matrix product: views to `[batch, rows, k]` and `[batch, k, columns]`, and one
/// from `[batch, rows, columns]` to the sum.
pub(crate) struct Product {
    /// The left operand.
    pub left: View,
    /// The right operand.
    pub right: View,
    /// The result, in the shape of the operands with extent 1 along the axis that is summed.
    pub result: View,
}

/// Whether a sum over `axis` of `left · right` is worth being a matrix product: both run along the axis, one of
/// them alone along another, and no axis only repeats.
pub(crate) fn is_product(left: &View, right: &View, axis: usize) -> bool {
    let reads = |axis: usize| (!repeats_along(left, axis), !repeats_along(right, axis));
    let others = || (0..left.shape.len()).filter(|&a| a != axis && left.shape[a] > 1).map(reads);
    reads(axis) == (true, true) && others().any(|(a, b)| a != b) && others().all(|(a, b)| a || b)
}

/// The product that a sum over `axis` of `left · right` is. An axis that only the left operand reads is a row, one that
/// only the right operand reads is a column, any other a batch. `None` where the axes of an operand do not regroup.
pub(crate) fn product(left: &View, right: &View, axis: usize) -> Option<Product> {
    let shape = &left.shape;
    let (mut batch, mut rows, mut columns) = (Vec::new(), Vec::new(), Vec::new());
    for other in (0..shape.len()).filter(|&a| a != axis) {
        match (repeats_along(left, other), repeats_along(right, other)) {
            (false, true) => rows.push(other),
            (true, false) => columns.push(other),
            _ => batch.push(other),
        }
    }
    let extent = |axes: &[usize]| axes.iter().map(|&a| shape[a]).product::<usize>();
    let operand = |map: &View, without: &[usize], order: &[&[usize]]| {
        let alone = without.iter().try_fold(map.clone(), |map, &a| first_along(&map, a))?;
        let moved = alone.then(&View::transpose(&alone.shape, &[&order.concat(), without].concat()))?;
        moved.with_shape(&order.iter().map(|axes| extent(axes)).collect::<Vec<_>>())
    };
    let order = [&batch[..], &rows, &columns, &[axis]].concat();
    let apart: Vec<usize> = order.iter().map(|&a| if a == axis { 1 } else { shape[a] }).collect();
    let back: Vec<usize> = (0..shape.len()).map(|a| order.iter().position(|&o| o == a)).collect::<Option<_>>()?;
    let flat = View::reshape(&[extent(&batch), extent(&rows), extent(&columns)], &apart);
    Some(Product {
        left: operand(left, &columns, &[&batch, &rows, &[axis]])?,
        right: operand(right, &rows, &[&batch, &[axis], &columns])?,
        result: flat.then(&View::transpose(&apart, &back))?,
    })
}

/// Whether the view reads every element of its source; what reads a part of a tensor shares it with others.
pub(crate) fn reads_all(map: &View) -> bool {
    let read: usize = digits(map).map(|d| d.extent).product();
    !map.has_fill() && read >= map.len
}

/// Whether neighbours along the last axis are neighbours in the source, or the axis has one element.
pub(crate) fn reads_in_order(map: &View) -> bool {
    let Some(last) = map.shape.len().checked_sub(1) else { return true };
    let inner = |d: &&Digit| d.axis == last && d.div == 1;
    let steps = map.coords.iter().flat_map(|c| c.digits.iter().filter(inner).map(|d| c.stride * d.mul as usize));
    map.shape[last] == 1 || steps.sum::<usize>() <= 1
}
