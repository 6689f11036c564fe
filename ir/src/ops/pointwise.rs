//! Element by element: operands broadcast from the last axis, each pair of dimensions equal or one of them 1.

use crate::types::DType;

/// One operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the names say it
pub enum UnaryOp {
    Neg,
    Abs,
    Exp,
    Log,
    Sqrt,
    Rsqrt,
    Recip,
    Floor,
    Round,
    Erf,
    Tanh,
    Sigmoid,
    Not,
}

/// `exp %x` and its like. `Not` takes bool; `Neg`, `Abs` numbers; the rest floats. `Round` is to nearest even.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unary {
    /// Which.
    pub op: UnaryOp,
}

/// Two operands of one element type. Comparisons give bool; `And`, `Or` take bool; `Rem` and `Div` of
/// integers round towards minus infinity; `Min`, `Max` are `a < b ? a : b` and `b < a ? a : b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the names say it
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Min,
    Max,
    Lt,
    Le,
    Eq,
    And,
    Or,
}

/// `add %x, %y` and its like.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binary {
    /// Which.
    pub op: BinaryOp,
}

/// `select %c, %a, %b`: a where the bool c is set, else b.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Select;

/// `cast %x { to = f32 }`: float to integer truncates towards zero, bool is 0 or 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cast {
    /// Element type of the result.
    pub to: DType,
}
