//! One word for each operation, type and place: with those of instructions, the vocabulary of kernel text.
//!
//! Printer, parser, verifier messages and back ends take the words from here, so a spelling exists once.

use super::super::inst::*;
use crate::types::ShapeText;
use std::fmt;

/// Gives an enum its text form: a table, the way there and the way back.
macro_rules! words {
    ($($name:ident { $($variant:ident = $word:literal),* $(,)? })*) => {$(
        impl $name {
            /// All variants in the order of their declaration.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];
            /// The word for it in kernel text.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $word),* }
            }
            /// The inverse of `name`.
            pub fn from_name(word: &str) -> Option<$name> {
                match word { $($word => Some($name::$variant),)* _ => None }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    )*};
}

words! {
    Unit { Core = "core", Warp = "warp", Warpgroup = "warpgroup" }
    Space { Global = "param", Scratch = "scratch" }
    Level { Core = "core", Tile = "tile" }
    Elem { I64 = "i64", I32 = "i32", F32 = "f32", Bool = "bool" }
    TileRole { A = "a", B = "b", Acc = "acc" }
    IdAxis { G0 = "g0", G1 = "g1", G2 = "g2", Unit = "unit" }
    BinOp {
        Add = "add", Sub = "sub", Mul = "mul", Div = "div", Rem = "rem", Min = "min", Max = "max",
        And = "and", Or = "or", Xor = "xor", Shl = "shl", Shr = "shr",
    }
    UnOp { Neg = "neg", Abs = "abs", Sqrt = "sqrt", Floor = "floor", Round = "round", Not = "not" }
    CmpOp { Eq = "eq", Ne = "ne", Lt = "lt", Le = "le" }
    ReduceOp { Sum = "sum", Max = "max", Min = "min" }
    CastOp {
        I32ToF32 = "i32_to_f32", F32ToI32 = "f32_to_i32", I32ToI64 = "i32_to_i64", I64ToI32 = "i64_to_i32",
        F32Bits = "f32_bits", BitsF32 = "bits_f32", BoolToI32 = "bool_to_i32",
    }
    ApproxOp { Exp2 = "exp2", Rcp = "rcp", Rsqrt = "rsqrt" }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Scalar(elem) => write!(f, "{elem}"),
            Type::Vector(elem) => write!(f, "v.{elem}"),
            Type::Tile { rows, cols, dtype, role } => {
                write!(f, "tile.{role}.{dtype}{}", ShapeText(&[*rows as usize, *cols as usize]))
            }
        }
    }
}
