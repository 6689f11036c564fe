//! Reduction over one axis, which stays with extent 1.

/// How elements are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the names say it
pub enum ReduceOp {
    Sum,
    Mean,
    Max,
    Min,
}

/// `reduce %x { op = mean, axis = -1 }`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reduce {
    /// How.
    pub op: ReduceOp,
    /// Over which axis, −1 for the last; its extent becomes 1.
    pub axis: i64,
}
