//! What rules ask of views, and the views they make.
//!
//! A term like a bias reads a vector along one axis of a tensor and repeats it along the others:
//!
//! ```text
//!   [64, 49, 96] of 96: i2            its row: [1, 96] of 96: i1
//! ```

use regard_ir::view::{Digit, View};

/// The one row that the view repeats: for a result `[…, k]` that depends on its last index alone, the view
/// `[1, k]`. `None` where it depends on other indices or fills.
pub fn row(map: &View) -> Option<View> {
    let last = map.shape.len().checked_sub(1)?;
    let along = |digit: &Digit| digit.axis == last;
    if map.has_fill() || !map.coords.iter().flat_map(|c| &c.digits).all(along) {
        return None;
    }
    let k = map.shape[last];
    map.then(&View::slice(&[map.elements() / k, k], 0, 0, 1, 1))
}

/// A row `[1, k]` as the column factor of a `[k, m]` matrix: element (i, j) is the row's i.
pub fn down(row: &View, columns: usize) -> Option<View> {
    let k = row.elements();
    row.then(&View::expand(&[k, 1], &[k, columns]))
}

/// A row `[1, k]` repeated to a shape whose last extent is k.
pub fn repeated(row: &View, shape: &[usize]) -> Option<View> {
    row.then(&spread(row, shape))
}

/// The view that repeats a tensor `[1, k]`, made by a view such as [`row`], to a shape whose last extent is k.
pub fn spread(row: &View, shape: &[usize]) -> View {
    View::expand(&[row.elements()], shape)
}

/// The view that reads in a tensor of that shape the one element that this view reads everywhere. `None` where it
/// reads several, or fills.
pub fn everywhere(map: &View, shape: &[usize]) -> Option<View> {
    let one = !map.has_fill() && map.coords.iter().all(|c| c.digits.is_empty());
    one.then(|| View { shape: shape.to_vec(), ..map.clone() })
}

/// The view without what lies behind the first index of `axis`, where it does not depend on that index.
pub fn first_along(map: &View, axis: usize) -> Option<View> {
    let along = |digit: &Digit| digit.axis == axis;
    if map.has_fill() || map.coords.iter().flat_map(|c| &c.digits).any(along) {
        return None;
    }
    map.then(&View::slice(&map.shape, axis, 0, 1, 1))
}

/// The result axis that runs through source axis `axis` of a tensor of that shape, whole, in order, and
/// through nothing else; so a softmax over the one is a softmax over the other.
pub fn carried(map: &View, shape: &[usize], axis: usize) -> Option<usize> {
    let extent = shape[axis];
    if map.has_fill() || extent == 1 {
        return None;
    }
    let alone: Vec<usize> = (0..shape.len()).map(|a| if a == axis { extent } else { 1 }).collect();
    let others: Vec<usize> = (0..shape.len()).map(|a| if a == axis { 1 } else { shape[a] }).collect();
    let index = View::expand(&alone, shape).then(map)?;
    let [coord] = &index.coords[..] else { return None };
    let [digit] = coord.digits[..] else { return None };
    let whole = coord.is_plain() && coord.offset == 0 && digit.mul == 1 && digit.div == 1;
    if !whole || digit.extent != extent || map.shape[digit.axis] != extent {
        return None;
    }
    let rest = View::expand(&others, shape).then(map)?;
    let apart = rest.coords.iter().flat_map(|c| &c.digits).all(|d| d.axis != digit.axis);
    apart.then_some(digit.axis)
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
