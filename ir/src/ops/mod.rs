//! The closed set of operations.
//!
//! One op, or one tight family, is one file that holds everything there is to know about it: name, operands and
//! attributes, shape rule, operations, value in f64, and, for a composite, its definition in `.rg` text. A new op is a
//! file and a line in `ops!` below.
//!
//! * *Primitives* have a value of their own.
//! * *Composites* (softmax, layer norm, gelu, attention…) carry a definition made of primitives; shape,
//!   cost, value, raising and the fallback lowering follow from it. An op says its own shape rule where it is stricter,
//!   its own value where that is faster.
//!
//! The declaration is the only encoder: printer, parser, hash and e-graph all use it.

#[macro_use]
mod declare;

pub mod attr;
mod definition;
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
pub mod rms_norm;
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
pub use attr::{Attr, AttrReader, Kind};
pub use batch_norm::BatchNorm;
pub use conv::Conv2d;
pub use declare::{Operand, Operands};
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
pub use rms_norm::RmsNorm;
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
use declare::Declared;
use std::{collections::BTreeMap, sync::LazyLock};

/// What an op means. Operand lists passed in have the right length ([`Op::arity`]).
///
/// A primitive says all three; what a composite does not say follows from its definition.
pub(crate) trait OpDef: Declared {
    /// The type of the result, or one sentence: what was found and what was expected.
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        definition::infer(&self.clone().into(), operands)
    }
    /// Floating-point operations, 2 per multiply-add; 0 for movement.
    fn flops(&self, operands: &[&TensorType], _result: &TensorType) -> u64 {
        definition::flops(&self.clone().into(), operands)
    }
    /// The value in f64, or one sentence why there is none: a gathered index out of range, a division of an
    /// integer by zero, an input, which has no value of its own.
    fn eval(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        definition::value(&self.clone().into(), operands)
    }
    /// A composite's meaning: lines of `.rg` text over the operands, called as they are declared. The last line is the
    /// result. `None` where the operands do not fit; a composite without a shape rule of its own is asked for any types.
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let _ = operands;
        None
    }
    /// The same as a whole graph whose inputs are the operands, in order.
    fn definition(&self, operands: &[&TensorType]) -> Option<String> {
        let body = self.body(operands)?;
        Some(definition::text(self.name(), Self::OPERANDS.all.iter().map(|o| o.name), operands, &body))
    }
}

/// What the table of ops says of a name.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The name in text, for example `matmul`.
    pub name: &'static str,
    /// What it is applied to.
    pub operands: Operands,
    /// Attributes in canonical order.
    pub attrs: &'static [(&'static str, Kind)],
    /// Whether it has a definition.
    pub composite: bool,
    read: fn(&str, &mut AttrReader) -> Result<Op, String>,
}

impl Row {
    /// The op with these attributes.
    pub fn read(&self, attrs: &mut AttrReader) -> Result<Op, String> {
        (self.read)(self.name, attrs)
    }
}

/// All ops by name.
pub fn table() -> &'static BTreeMap<&'static str, Row> {
    static TABLE: LazyLock<BTreeMap<&'static str, Row>> =
        LazyLock::new(|| rows().into_iter().map(|row| (row.name, row)).collect());
    &TABLE
}

/// Rows of one op: one, or one per member of a family.
fn rows_of<T: OpDef>(composite: bool) -> impl Iterator<Item = Row> {
    let read = |name: &str, attrs: &mut AttrReader| T::read(name, attrs).map(Into::into);
    T::NAMES.iter().map(move |&name| Row { name, operands: T::OPERANDS, attrs: T::ATTRS, composite, read })
}

macro_rules! composite {
    (primitives) => {
        false
    };
    (composites) => {
        true
    };
}

macro_rules! ops {
    ($($kind:ident { $($name:ident),* $(,)? })*) => {
        /// An operation with its attributes.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)] // each variant is documented at its struct
        pub enum Op { $($($name($name)),*),* }

        $($(impl From<$name> for Op {
            fn from(op: $name) -> Op {
                Op::$name(op)
            }
        })*)*

        /// What every op can tell; see `OpDef` and `Declared`.
        impl Op {
            /// The name in text, for example `matmul`; a family has one name per member.
            pub fn name(&self) -> &'static str {
                match self { $($(Op::$name(op) => op.name()),*),* }
            }
            /// What it is applied to.
            pub fn operands(&self) -> Operands {
                match self { $($(Op::$name(_) => $name::OPERANDS),*),* }
            }
            /// The attributes in canonical order; with the name they determine the op.
            pub fn attrs(&self) -> Vec<(&'static str, Attr)> {
                match self { $($(Op::$name(op) => op.attrs()),*),* }
            }
            /// Whether it has a definition.
            pub fn is_composite(&self) -> bool {
                match self { $($(Op::$name(_) => composite!($kind)),*),* }
            }
            /// The type of the result, or one sentence: what was found and what was expected.
            pub fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
                match self { $($(Op::$name(op) => op.infer(operands)),*),* }
            }
            /// Floating-point operations, 2 per multiply-add; 0 for movement.
            pub fn flops(&self, operands: &[&TensorType], result: &TensorType) -> u64 {
                match self { $($(Op::$name(op) => op.flops(operands, result)),*),* }
            }
            /// The value in f64, or one sentence why there is none.
            pub fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
                match self { $($(Op::$name(op) => op.eval(operands, result)),*),* }
            }
            /// A composite's meaning: a `.rg` graph whose inputs are the operands, in order.
            pub fn definition(&self, operands: &[&TensorType]) -> Option<String> {
                match self { $($(Op::$name(op) => op.definition(operands)),*),* }
            }
        }

        fn rows() -> Vec<Row> {
            std::iter::empty()$($(.chain(rows_of::<$name>(composite!($kind))))*)*.collect()
        }
    };
}

impl Op {
    /// Smallest and largest number of operands.
    pub fn arity(&self) -> (usize, usize) {
        self.operands().arity()
    }
    /// The op called `name` with these attributes; `None` where no op has that name.
    pub fn from_attrs(name: &str, attrs: &mut AttrReader) -> Option<Result<Op, String>> {
        table().get(name).map(|row| row.read(attrs))
    }
}

ops! {
    primitives { Input, Weight, Const, Iota, Unary, Binary, Select, Cast }
    composites { MatMul }
    primitives { Reduce, Gather, Reshape, Transpose, Expand, Slice, Pad, Roll, Unfold, Concat, ViewOp }
    composites {
        Softmax, LayerNorm, BatchNorm, Gelu, Activation,
        Attention, InverseAttention, Mix, Scores, Attend,
        Conv2d, MaxPool, AvgPool, AdaptiveAvgPool, Resize, ResizedConv,
        Argmax,
        NeighbourhoodAttention,
        TopK, Route, RoutedAttention,
        GridSample, OffsetPositions, Agents,
        RelativeBias, DistanceBias, SampledBias, Sinusoid,
        RmsNorm,
    }
}
