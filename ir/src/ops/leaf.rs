//! Leaves: what a graph is given, and what it can say without being given anything.

use crate::types::{Real, TensorType};

/// A tensor passed at every run. Its label is its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Input {
    /// Its type.
    pub ty: TensorType,
}

/// A parameter, fixed when the program is compiled. Its label is its name in the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight {
    /// Its type.
    pub ty: TensorType,
}

/// The same value in every element.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Const {
    /// Its type.
    pub ty: TensorType,
    /// The value.
    pub value: Real,
}

/// The index along one axis: element = position on `axis`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Iota {
    /// Its type.
    pub ty: TensorType,
    /// The axis, −1 for the last.
    pub axis: i64,
}
