//! Writing a graph from Rust: one method per op, and the sugar that models are written in.
//!
//! ```
//! use regard_ir::{graph::Builder, types::TensorType};
//!
//! let mut b = Builder::new("projection");
//! let x = b.input("x", TensorType::f32([49, 96]));
//! let w = b.weight("proj.weight", TensorType::f32([288, 96]));
//! let y = b.linear(x, w, None);
//! let graph = b.finish(&[y]);
//! assert_eq!(graph.flops(), 2 * 49 * 96 * 288);
//! ```
//!
//! Sugar has no op of its own: a linear layer is a transposed weight, a product and a sum, and the passes
//! see exactly that. What users write as text goes through [`Graph::push`], whose errors are values; code
//! that builds graphs knows its shapes, so here a shape error is a broken invariant and panics with the op
//! and its sentence.

use super::{Graph, NodeId};
use crate::{
    ops::{
        Attend, Attention, Binary, BinaryOp, Cast, Concat, Const, Expand, Gather, Gelu, Input, InverseAttention, Iota,
        LayerNorm, MatMul, Mix, Op, Pad, Reduce, ReduceOp, Reshape, Roll, Scores, Select, Slice, Softmax, Transpose,
        Unary, UnaryOp, ViewOp, Weight,
    },
    types::{DType, TensorType},
    view::View,
};
use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

/// A graph under construction.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    graph: Graph,
    /// Whether an op that does not fit ends the construction without being a broken invariant.
    refusing: bool,
}

macro_rules! unary {
    ($($method:ident $op:ident $what:literal),* $(,)?) => {
        /// Element by element, one operand.
        impl Builder {
            $(#[doc = $what]
            pub fn $method(&mut self, x: NodeId) -> NodeId {
                self.push(Unary { op: UnaryOp::$op }, &[x])
            })*
        }
    };
}
unary! {
    neg Neg "−x.", abs Abs "|x|.", exp Exp "eˣ.", log Log "Natural logarithm.", sqrt Sqrt "√x.",
    rsqrt Rsqrt "1/√x.", recip Recip "1/x.", floor Floor "⌊x⌋.", round Round "Nearest integer, ties to even.",
    erf Erf "Error function.", tanh Tanh "Hyperbolic tangent.", sin Sin "Sine of radians.",
    cos Cos "Cosine of radians.", sigmoid Sigmoid "1/(1 + e⁻ˣ).",
    not Not "Logical negation.",
}

macro_rules! binary {
    ($($method:ident $op:ident $what:literal),* $(,)?) => {
        /// Element by element, two operands that broadcast.
        impl Builder {
            $(#[doc = $what]
            pub fn $method(&mut self, x: NodeId, y: NodeId) -> NodeId {
                self.push(Binary { op: BinaryOp::$op }, &[x, y])
            })*
        }
    };
}
binary! {
    add Add "x + y.", sub Sub "x − y.", mul Mul "x · y.", div Div "x / y.", rem Rem "x − y·⌊x/y⌋.",
    pow Pow "xʸ, floats.",
    min Min "The smaller.", max Max "The larger.", lt Lt "x < y.", le Le "x ≤ y.", eq Eq "x = y.",
    and And "Both.", or Or "Either.",
}

/// Why a construction ended.
struct Refusal(String);

/// What `construct` returns, or the sentence of the op that a [refusing](Builder::refusing) builder could not append. The
/// unwinding in between reaches nobody else; other panics go on.
pub fn attempt<T>(construct: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(construct)).map_err(|payload| match payload.downcast::<Refusal>() {
        Ok(refusal) => refusal.0,
        Err(other) => resume_unwind(other),
    })
}

/// The graph and its leaves.
impl Builder {
    /// An empty graph of that name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { graph: Graph::new(name), refusing: false }
    }
    /// The same for graphs that depend on what users ask for: an op that does not fit ends the construction, and
    /// [`attempt`] around it returns the sentence.
    pub fn refusing(name: impl Into<String>) -> Self {
        Self { graph: Graph::new(name), refusing: true }
    }
    /// The graph, returning `outputs`.
    pub fn finish(mut self, outputs: &[NodeId]) -> Graph {
        self.graph.outputs = outputs.to_vec();
        self.graph
    }
    /// The graph so far.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
    /// Appends any op. Panics with its sentence where the operands do not fit.
    pub fn push(&mut self, op: impl Into<Op>, operands: &[NodeId]) -> NodeId {
        let op = op.into();
        self.graph.push(op.clone(), operands).unwrap_or_else(|message| {
            let attrs: Vec<String> = op.attrs().iter().map(|(name, value)| format!("{name} = {value}")).collect();
            if self.refusing {
                resume_unwind(Box::new(Refusal(message)));
            }
            panic!("{} {operands:?} {{ {} }} in graph {}: {message}", op.name(), attrs.join(", "), self.graph.name)
        })
    }
    /// Type of a node.
    pub fn ty(&self, node: NodeId) -> &TensorType {
        self.graph.ty(node)
    }
    /// Dimensions of a node.
    pub fn shape(&self, node: NodeId) -> &[usize] {
        &self.graph.ty(node).shape
    }
    /// Names a node and returns it. Panics where the name is taken.
    pub fn label(&mut self, node: NodeId, name: impl Into<String>) -> NodeId {
        let name = name.into();
        let holder = self.graph.labelled(&name);
        assert!(holder.is_none_or(|h| h == node), "label {name} names two nodes of graph {}", self.graph.name);
        self.graph.set_label(node, name);
        node
    }
    /// A tensor passed at every run.
    pub fn input(&mut self, name: impl Into<String>, ty: TensorType) -> NodeId {
        let node = self.push(Input { ty }, &[]);
        self.label(node, name)
    }
    /// A parameter, under its name in the checkpoint.
    pub fn weight(&mut self, name: impl Into<String>, ty: TensorType) -> NodeId {
        let node = self.push(Weight { ty }, &[]);
        self.label(node, name)
    }
    /// A scalar.
    pub fn constant(&mut self, value: f64, dtype: DType) -> NodeId {
        self.push(Const { ty: TensorType::new(dtype, []), value: value.into() }, &[])
    }
    /// The position on `axis` as i32, in a tensor of that shape.
    pub fn iota(&mut self, shape: &[usize], axis: i64) -> NodeId {
        self.push(Iota { ty: TensorType::new(DType::I32, shape), axis }, &[])
    }
}

/// The remaining ops.
impl Builder {
    /// `a` where `condition` holds, else `b`; the three broadcast.
    pub fn select(&mut self, condition: NodeId, a: NodeId, b: NodeId) -> NodeId {
        self.push(Select, &[condition, a, b])
    }
    /// Another element type.
    pub(crate) fn cast(&mut self, x: NodeId, to: DType) -> NodeId {
        self.push(Cast { to }, &[x])
    }
    /// `[…, m, k]` × `[…, k, n]` → `[…, m, n]`.
    pub fn matmul(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.push(MatMul, &[a, b])
    }
    /// Combines the elements along `axis`, whose extent becomes 1.
    pub fn reduce(&mut self, op: ReduceOp, x: NodeId, axis: i64) -> NodeId {
        self.push(Reduce { op, axis }, &[x])
    }
    /// Sum along `axis`, whose extent becomes 1.
    pub fn sum(&mut self, x: NodeId, axis: i64) -> NodeId {
        self.reduce(ReduceOp::Sum, x, axis)
    }
    /// Mean along `axis`, whose extent becomes 1.
    pub fn mean(&mut self, x: NodeId, axis: i64) -> NodeId {
        self.reduce(ReduceOp::Mean, x, axis)
    }
    /// table `[n, c…]`, index i32 `[i…]` → `[i…, c…]`.
    pub fn gather(&mut self, table: NodeId, index: NodeId) -> NodeId {
        self.push(Gather, &[table, index])
    }
    /// The same elements in another shape.
    pub fn reshape(&mut self, x: NodeId, shape: &[usize]) -> NodeId {
        self.push(Reshape { shape: signed(shape) }, &[x])
    }
    /// Permutes the last axes: result axis i of those is operand axis `order[i]`, counted from the end.
    pub fn transpose(&mut self, x: NodeId, order: &[i64]) -> NodeId {
        self.push(Transpose { order: order.to_vec() }, &[x])
    }
    /// Broadcasts to a shape.
    pub fn expand(&mut self, x: NodeId, shape: &[usize]) -> NodeId {
        self.push(Expand { shape: signed(shape) }, &[x])
    }
    /// A range of indices on `axis`.
    pub fn slice(&mut self, x: NodeId, axis: i64, range: Range<usize>) -> NodeId {
        self.push(Slice { axis, start: range.start, stop: range.end, step: 1 }, &[x])
    }
    /// `low` elements of `value` before and `high` after, on `axis`.
    pub fn pad(&mut self, x: NodeId, axis: i64, low: usize, high: usize, value: f64) -> NodeId {
        self.push(Pad { axis, low, high, value: value.into() }, &[x])
    }
    /// `result[(i + shift) mod n] = x[i]` on `axis`.
    pub fn roll(&mut self, x: NodeId, axis: i64, shift: i64) -> NodeId {
        self.push(Roll { axis, shift }, &[x])
    }
    /// One after the other on `axis`.
    pub fn concat(&mut self, parts: &[NodeId], axis: i64) -> NodeId {
        self.push(Concat { axis }, parts)
    }
    /// Any movement.
    pub fn view(&mut self, x: NodeId, map: View) -> NodeId {
        self.push(ViewOp { map }, &[x])
    }
    /// Softmax along `axis`.
    pub fn softmax(&mut self, x: NodeId, axis: i64) -> NodeId {
        self.push(Softmax { axis }, &[x])
    }
    /// x `[…, c]` normalised over its last axis, then scaled by gamma and shifted by beta, both `[c]`.
    pub fn layer_norm(&mut self, x: NodeId, gamma: NodeId, beta: NodeId, eps: f64) -> NodeId {
        self.push(LayerNorm { eps: eps.into() }, &[x, gamma, beta])
    }
    /// The exact GELU.
    pub fn gelu(&mut self, x: NodeId) -> NodeId {
        self.push(Gelu, &[x])
    }
    /// q `[…, n, d]`, k `[…, m, d]`, v `[…, m, c]`, bias broadcast to `[…, n, m]` → `[…, n, c]`.
    pub fn attention(&mut self, q: NodeId, k: NodeId, v: NodeId, bias: Option<NodeId>, scale: f64) -> NodeId {
        let operands: Vec<NodeId> = [q, k, v].into_iter().chain(bias).collect();
        self.push(Attention { scale: scale.into() }, &operands)
    }
    /// Inverse attention of queries and keys `[…, n, d]`, local operand `[…, n, a]` and context `[…, n, e]` with
    /// generators `[a·b, e]` and `[b, e]`; a bias broadcast to `[…, n, n]` → `[…, n, b]`.
    pub fn inverse_attention(&mut self, operands: [NodeId; 6], bias: Option<NodeId>, scale: f64) -> NodeId {
        let operands: Vec<NodeId> = operands.into_iter().chain(bias).collect();
        self.push(InverseAttention { scale: scale.into() }, &operands)
    }
    /// λ·a + (1 − λ)·b with λ = sigmoid(selection).
    pub fn mix(&mut self, a: NodeId, b: NodeId, selection: NodeId) -> NodeId {
        self.push(Mix, &[a, b, selection])
    }
    /// q `[…, n, d]`, k `[…, m, d]` → `[…, n, m]`.
    pub fn scores(&mut self, q: NodeId, k: NodeId) -> NodeId {
        self.push(Scores, &[q, k])
    }
    /// s `[…, n, m]`, v `[…, m, c]` → `[…, n, c]`; softmax over keys (axis −1) or queries (axis −2).
    pub fn attend(&mut self, scores: NodeId, v: NodeId, axis: i64) -> NodeId {
        self.push(Attend { axis }, &[scores, v])
    }
}

/// Layers.
impl Builder {
    /// x `[…, in]`, weight `[out, in]`, bias `[out]` → `[…, out]`.
    pub fn linear(&mut self, x: NodeId, weight: NodeId, bias: Option<NodeId>) -> NodeId {
        let columns = self.swap_last(weight);
        let product = self.matmul(x, columns);
        bias.map_or(product, |bias| self.add(product, bias))
    }
    /// `[…, m, n]` → `[…, n, m]`.
    pub fn swap_last(&mut self, x: NodeId) -> NodeId {
        self.transpose(x, &[-1, -2])
    }
    /// x times a number.
    pub fn scale(&mut self, x: NodeId, factor: f64) -> NodeId {
        let factor = self.constant(factor, self.ty(x).dtype);
        self.mul(x, factor)
    }
    /// x plus a number.
    pub fn shift(&mut self, x: NodeId, term: f64) -> NodeId {
        let term = self.constant(term, self.ty(x).dtype);
        self.add(x, term)
    }
    /// Cuts `axis` into equal parts. Panics where the extent is not a multiple of `parts`.
    pub fn split(&mut self, x: NodeId, axis: i64, parts: usize) -> Vec<NodeId> {
        let ty = self.ty(x);
        let extent = ty.axis(axis).map(|a| ty.shape[a]).unwrap_or_else(|message| panic!("split: {message}"));
        assert!(extent.is_multiple_of(parts), "split of {ty} into {parts} parts on axis {axis}");
        let size = extent / parts;
        (0..parts).map(|p| self.slice(x, axis, p * size..(p + 1) * size)).collect()
    }
    /// `[…, n, heads·d]` → `[…, heads, n, d]`.
    pub fn split_heads(&mut self, x: NodeId, heads: usize) -> NodeId {
        let [lead @ .., n, channels] = self.shape(x) else { panic!("split_heads of {}", self.ty(x)) };
        assert!(channels.is_multiple_of(heads), "split_heads of {} into {heads} heads", self.ty(x));
        let shape = [lead, &[*n, heads, channels / heads]].concat();
        let tokens = self.reshape(x, &shape);
        self.transpose(tokens, &[-2, -3, -1])
    }
    /// `[…, heads, n, d]` → `[…, n, heads·d]`.
    pub fn merge_heads(&mut self, x: NodeId) -> NodeId {
        let [lead @ .., heads, n, d] = self.shape(x) else { panic!("merge_heads of {}", self.ty(x)) };
        let shape = [lead, &[*n, heads * d]].concat();
        let tokens = self.transpose(x, &[-2, -3, -1]);
        self.reshape(tokens, &shape)
    }
}

fn signed(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|&d| i64::try_from(d).expect("extents fit 63 bits")).collect()
}
