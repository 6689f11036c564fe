//! Movement: results hold the operand's elements elsewhere. Inside the optimiser all of it becomes views.

use crate::types::Real;

/// `reshape %x { shape = [2, 1568] }`: the same elements in row-major order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reshape {
    /// New dimensions; the product must not change.
    pub shape: Vec<i64>,
}

/// `transpose %x { order = [-1, -2] }`: permutes the last axes; result axis i (of the last `order.len()`)
/// is operand axis `order[i]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Transpose {
    /// Axes counted from the end, a permutation of −1 … −n.
    pub order: Vec<i64>,
}

/// `expand %x { shape = [8, 49, 49] }`: broadcasts to a shape.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Expand {
    /// The dimensions broadcast to.
    pub shape: Vec<i64>,
}

/// `slice %x { axis = -1, start = 0, stop = 32, step = 1 }`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slice {
    /// Axis, −1 for the last.
    pub axis: i64,
    /// First index taken.
    pub start: usize,
    /// One past the last index.
    pub stop: usize,
    /// Distance, ≥ 1.
    pub step: usize,
}

/// `pad %x { axis = -1, low = 1, high = 1, value = 0.0 }`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pad {
    /// Axis, −1 for the last.
    pub axis: i64,
    /// Elements put before.
    pub low: usize,
    /// Elements put behind.
    pub high: usize,
    /// What they are.
    pub value: Real,
}

/// `roll %x { axis = -2, shift = -3 }`: result[(i + shift) mod n] = x[i], as in NumPy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Roll {
    /// Axis, −1 for the last.
    pub axis: i64,
    /// How far elements move towards higher indices.
    pub shift: i64,
}

/// `concat %x, %y { axis = -1 }`: one behind the other; two or more operands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Concat {
    /// Axis, −1 for the last.
    pub axis: i64,
}
