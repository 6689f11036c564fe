//! The closed set of operations.
//!
//! One op, or one tight family, is one file that holds everything there is to know about it: attributes
//! and their codec, shape rule, multiplications, value in f64, and, for a composite, its definition in
//! `.rg` text. A new op is a file and a line in `ops!` below.
//!
//! * *Primitives* have a value of their own.
//! * *Composites* (softmax, layer norm, gelu, attention…) carry a definition made of primitives; shape,
//!   cost, value, raising and the fallback lowering follow from it.
//!
//! The attribute codec is the only encoder: printer, parser, hash and e-graph all use it.

pub mod attr;
mod gemm;
mod shape;
pub mod special;
pub mod taps;
#[cfg(test)]
mod tests;
mod walk;

pub mod activation;
pub mod agents;
pub mod argmax;
pub mod attention;
pub mod batch_norm;
pub mod conv;
pub mod gather;
pub mod gelu;
pub mod grid_sample;
pub mod inverse;
pub mod layer_norm;
pub mod leaf;
pub mod matmul;
pub mod mix;
pub mod movement;
pub mod neighbourhood;
pub mod offset_positions;
pub mod pointwise;
pub mod pool;
pub mod position_bias;
pub mod reduce;
pub mod resize;
pub mod resized_conv;
pub mod route;
pub mod routed_attention;
pub mod sampled_bias;
pub mod sinusoid;
pub mod softmax;
pub mod top_k;
pub mod unfold;
pub mod view;

pub use activation::{Activation, ActivationOp};
pub use agents::Agents;
pub use argmax::Argmax;
pub use attention::{Attend, Attention, Scores};
pub use attr::{Attr, AttrReader};
pub use batch_norm::BatchNorm;
pub use conv::Conv2d;
pub use gather::Gather;
pub use gelu::Gelu;
pub use grid_sample::GridSample;
pub use inverse::InverseAttention;
pub use layer_norm::LayerNorm;
pub use leaf::{Const, Input, Iota, Weight};
pub use matmul::MatMul;
pub use mix::Mix;
pub use movement::{Concat, Expand, Pad, Reshape, Roll, Slice, Transpose};
pub use neighbourhood::{Border, NeighbourhoodAttention};
pub use offset_positions::{Limit, OffsetPositions, Reference};
pub use pointwise::{Binary, BinaryOp, Cast, Select, Unary, UnaryOp};
pub use pool::{AdaptiveAvgPool, AvgPool, MaxPool};
pub use position_bias::{DistanceBias, RelativeBias};
pub use reduce::{Reduce, ReduceOp};
pub use resize::{Resize, ResizeMode};
pub use resized_conv::ResizedConv;
pub use route::Route;
pub use routed_attention::RoutedAttention;
pub use sampled_bias::SampledBias;
pub use sinusoid::Sinusoid;
pub use softmax::Softmax;
pub use taps::Align;
pub use top_k::TopK;
pub use unfold::Unfold;
pub use view::ViewOp;

use crate::{graph::Tensor, types::TensorType};

/// What every op can tell. Operand lists passed in have the right length ([`OpDef::arity`]).
pub trait OpDef: Sized {
    /// The name in text, for example `matmul`; a family has one name per member.
    fn name(&self) -> &'static str;
    /// Smallest and largest number of operands.
    fn arity(&self) -> (usize, usize);
    /// The attributes in canonical order; with the name they determine the op.
    fn attrs(&self) -> Vec<(&'static str, Attr)>;
    /// The op called `name` with these attributes; `None` where `name` is not of this family.
    fn from_attrs(name: &str, attrs: &mut AttrReader) -> Option<Result<Self, String>>;
    /// The type of the result, or one sentence: what was found and what was expected.
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String>;
    /// Floating-point operations, 2 per multiply-add; 0 for movement.
    fn flops(&self, operands: &[&TensorType], result: &TensorType) -> u64;
    /// The value in f64, or one sentence why there is none: a gathered index out of range, a division of an
    /// integer by zero, an input, which has no value of its own.
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String>;
    /// A composite's meaning: a `.rg` graph whose inputs are the operands, in order.
    fn definition(&self, operands: &[&TensorType]) -> Option<String> {
        let _ = operands;
        None
    }
}

/// Operations of a composite, counted in its definition.
fn defined_flops(op: &impl OpDef, operands: &[&TensorType]) -> u64 {
    let definition = op.definition(operands).and_then(|text| crate::text::parse(&text).ok());
    definition.map_or(0, |graph| graph.flops())
}

macro_rules! ops {
    ($($name:ident),* $(,)?) => {
        /// An operation with its attributes.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)] // each variant is documented at its struct
        pub enum Op { $($name($name)),* }

        $(impl From<$name> for Op {
            fn from(op: $name) -> Op {
                Op::$name(op)
            }
        })*

        impl OpDef for Op {
            fn name(&self) -> &'static str {
                match self { $(Op::$name(op) => op.name()),* }
            }
            fn arity(&self) -> (usize, usize) {
                match self { $(Op::$name(op) => op.arity()),* }
            }
            fn attrs(&self) -> Vec<(&'static str, Attr)> {
                match self { $(Op::$name(op) => op.attrs()),* }
            }
            fn from_attrs(name: &str, attrs: &mut AttrReader) -> Option<Result<Op, String>> {
                $(if let Some(op) = $name::from_attrs(name, attrs) {
                    return Some(op.map(Op::$name));
                })*
                None
            }
            fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
                match self { $(Op::$name(op) => op.infer(operands)),* }
            }
            fn flops(&self, operands: &[&TensorType], result: &TensorType) -> u64 {
                match self { $(Op::$name(op) => op.flops(operands, result)),* }
            }
            fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
                match self { $(Op::$name(op) => op.eval(operands, result)),* }
            }
            fn definition(&self, operands: &[&TensorType]) -> Option<String> {
                match self { $(Op::$name(op) => op.definition(operands)),* }
            }
        }
    };
}

ops! {
    Input, Weight, Const, Iota,
    Unary, Binary, Select, Cast,
    MatMul, Reduce, Gather,
    Reshape, Transpose, Expand, Slice, Pad, Roll, Unfold, Concat, ViewOp,
    Softmax, LayerNorm, BatchNorm, Gelu, Activation,
    Attention, InverseAttention, Mix, Scores, Attend,
    Conv2d, MaxPool, AvgPool, AdaptiveAvgPool, Resize, ResizedConv,
    Argmax,
    NeighbourhoodAttention,
    TopK, Route, RoutedAttention,
    GridSample, OffsetPositions, Agents,
    RelativeBias, DistanceBias, SampledBias, Sinusoid,
}
