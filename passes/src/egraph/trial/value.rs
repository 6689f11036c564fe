//! The value of a term, and how far rounding may have moved it.
//!
//! Terms are evaluated by the interpreter in f64. Beside each tensor runs a bound of the error that rounding
//! can have made in any of its elements, from the bounds of its operands (`|x|` is the largest magnitude, u half an ulp,
//! with a factor for functions that are a few ulps off):
//!
//! ```text
//!   x + y      ε = εx + εy + u·|x + y|                  x·y      ε = εx·|y| + εy·|x| + u·|x·y|
//!   Σ x, n     ε = n·εx + n²·u·|x|                      1/x      ε = εx / min|x|² + u·|1/x|
//! ```
//!
//! The same once more in f32, u = 2⁻²⁴: the right side as kernels compute it, with the constants that it makes as
//! [memory](crate::memory) holds them. So a constant that loses digits there differs, and so does a number, or a value
//! on the way, that f32 does not hold though the left side stays within its range.
//!
//! Two sides agree where they differ by no more than the sum of their bounds. Where a bound is infinite (rounding
//! may tip a comparison) or the left side is not a number, nothing is claimed.

use crate::{
    egraph::term::{Leaf, Term, decode},
    memory::is_half,
};
use egg::RecExpr;
use regard_ir::{
    graph::{Graph, Node, NodeId, Tensor},
    id::{Id, IdVec},
    ops::{Attr, BinaryOp, Input, Op, ReduceOp, UnaryOp, Weight},
    random::Random,
    types::{DType, TensorType},
};

/// How far one step may be off, relative to its result.
#[derive(Clone, Copy)]
struct Rounding {
    /// Four roundings to the nearest: elementary functions are a few ulps off.
    unit: f64,
    /// What a number loses that is written in a graph.
    number: f64,
}

const F64: Rounding = Rounding { unit: 4.0 * f64::EPSILON, number: 0.0 };
const F32: Rounding = Rounding { unit: 4.0 * f32::EPSILON as f64, number: f32::EPSILON as f64 };

/// The element type in which memory holds each node of a graph.
pub(crate) type Memory = fn(&Graph) -> IdVec<NodeId, DType>;

/// A value with the bound of its error.
pub(crate) struct Value {
    /// The elements.
    pub tensor: Tensor,
    /// What rounding may have added to any of them.
    pub error: f64,
    /// Whether a logarithm is taken of exponentials that f64 does not hold.
    pub overflows: bool,
    /// Whether f32 holds every value on the way to its full precision.
    pub in_range: bool,
}

/// Tensors for the leaves of an expression. Each is drawn in one distribution: ordinary dyadic numbers, logits of ±10⁴, ties,
/// zeros, or, where −∞ has a meaning, rows and elements that a mask has set to −∞. Beside numbers near the ends of f32,
/// tensors are large and small, too.
pub(crate) fn tensors(expr: &RecExpr<Term>, leaves: &[Leaf], random: &mut Random) -> Vec<Tensor> {
    let masked = may_be_masked(expr, leaves.len());
    let hot = random.below(3) == 0;
    let distributions = |at: usize| if masked[at] { 6 } else { 4 };
    let extreme = expr.as_ref().iter().any(is_extreme);
    let draw = |(at, leaf): (usize, &Leaf)| {
        let distribution = if hot { random.below(distributions(at)) } else { 0 };
        tensor(&leaf.ty, if extreme && leaf.ty.dtype != DType::F16 { EXTREME } else { distribution }, random)
    };
    leaves.iter().enumerate().map(draw).collect()
}

/// Beyond real numbers, −∞ means a masked key: the leaves that it has a meaning in. There must be a softmax
/// that sees it, and what is multiplied is finite, but for the weights that a softmax makes.
fn may_be_masked(expr: &RecExpr<Term>, leaves: usize) -> Vec<bool> {
    let terms = expr.as_ref();
    let sees = terms.iter().any(|term| matches!(term, Term::Op("softmax" | "attend" | "exp", _)));
    let mut masked = vec![sees; leaves];
    let mut factor = vec![false; terms.len()];
    for (at, term) in terms.iter().enumerate().rev() {
        let finite = match term {
            Term::Op("matmul" | "scores", children) => &children[..],
            Term::Op("attend", children) => &children[2..],
            Term::Op("softmax" | "exp", _) => &[],
            Term::Op(_, children) if factor[at] => &children[..],
            Term::Leaf(leaf) if factor[at] => {
                masked[*leaf as usize] = false;
                &[]
            }
            _ => &[],
        };
        finite.iter().for_each(|&child| factor[usize::from(child)] = true);
    }
    masked
}

/// The distribution of tensors alongside scalars near the ends of f32.
const EXTREME: usize = 7;

/// Whether a term is a number near the ends of f32. The lowest one is not: it stands in clamps.
fn is_extreme(term: &Term) -> bool {
    match term {
        Term::Attr("value", Attr::Real(x)) => {
            let size = x.get().abs();
            size.is_finite() && size > 0.0 && size != f64::from(f32::MAX) && !(1e-12..=1e12).contains(&size)
        }
        _ => false,
    }
}

fn tensor(ty: &TensorType, distribution: usize, random: &mut Random) -> Tensor {
    let row = ty.shape.last().copied().unwrap_or(1).max(1);
    let masked = random.below(4);
    let scale = [1.0, 2f64.powi(80), 2f64.powi(-80), -1.5 * 2f64.powi(127)][masked];
    let element = |i: usize| match (ty.dtype, distribution) {
        (DType::Bool, _) => random.below(2) as f64,
        (DType::I32, 1) => random.below(1 << 20) as f64 * 4096.0 - 2f64.powi(31),
        (DType::I32, _) => random.below(9) as f64 - 4.0,
        (_, EXTREME) => scale * (1.0 + random.below(32) as f64 / 128.0),
        (_, 1) => 1e4 * (random.below(5) as f64 - 2.0) / 2.0,
        (_, 2) => random.below(2) as f64,
        (_, 3) => 0.0,
        (_, 4 | 5) if i / row % 4 == masked || random.below(4) == 0 => f64::NEG_INFINITY,
        (DType::F32, _) => random.below(33) as f64 / 8.0 - 2.0,
        _ => random.below(4097) as f64 / 1024.0 - 2.0,
    };
    // What memory of a half type holds has few digits.
    let mut tensor = Tensor::from_fn(ty.clone(), element);
    if is_half(ty.dtype) {
        tensor.data.iter_mut().for_each(|x| *x = ty.dtype.round(*x));
    }
    tensor
}

/// An expression as a graph.
struct Side {
    graph: Graph,
    leaves: Vec<NodeId>,
    root: NodeId,
}

impl Side {
    fn of(expr: &RecExpr<Term>, leaves: &[Leaf]) -> Result<Side, String> {
        let mut graph = Graph::new("side");
        let op = |leaf: &Leaf| match leaf.constant {
            true => Op::Weight(Weight { ty: leaf.ty.clone() }),
            false => Op::Input(Input { ty: leaf.ty.clone() }),
        };
        let leaves: Vec<NodeId> = leaves.iter().map(|leaf| graph.push(op(leaf), &[])).collect::<Result<_, _>>()?;
        let terms = decode(expr.as_ref(), &mut graph, |i| leaves[i as usize])?;
        let root = terms.last().copied().flatten().ok_or("the root is not a tensor")?;
        Ok(Side { graph, leaves, root })
    }

    /// The value of every node; `keep` says what becomes of it.
    fn values(
        &self,
        tensors: &[Tensor],
        keep: impl Fn(NodeId, Tensor) -> Tensor,
    ) -> Result<IdVec<NodeId, Tensor>, String> {
        let mut values: IdVec<NodeId, Tensor> = IdVec::new();
        for (id, node) in self.graph.nodes.iter() {
            let value = match self.leaves.iter().position(|&leaf| leaf == id) {
                Some(at) => tensors[at].clone(),
                None => {
                    let operands: Vec<&Tensor> = node.operands.iter().map(|&o| &values[o]).collect();
                    node.op.eval(&operands, &node.ty)?
                }
            };
            values.push(keep(id, value));
        }
        Ok(values)
    }

    /// The root with its bound.
    fn value(self, values: IdVec<NodeId, Tensor>, rounding: Rounding) -> Value {
        let graph = &self.graph;
        let ranges: IdVec<NodeId, Range> = values.values().map(Range::of).collect();
        let mut errors: IdVec<NodeId, f64> = IdVec::new();
        for (id, node) in graph.nodes.iter() {
            errors.push(match &node.op {
                Op::Argmax(argmax) => greatest(&values[node.operands[0]], argmax.axis, errors[node.operands[0]]),
                _ => error(graph, node, &ranges, &errors, ranges[id], rounding),
            });
        }
        let lost = |op: UnaryOp, is_lost: fn(f64, f64) -> bool| {
            graph.nodes.iter().any(|(id, node)| {
                let pairs = || values[node.operands[0]].data.iter().zip(&values[id].data);
                matches!(&node.op, Op::Unary(unary) if unary.op == op) && pairs().any(|(&x, &y)| is_lost(x, y))
            })
        };
        let overflows = lost(UnaryOp::Log, |_, y| y.is_infinite())
            && lost(UnaryOp::Exp, |x, y| x.is_finite() && (y == 0.0 || y.is_infinite()));
        let held = |x: &f64| *x == 0.0 || (*x as f32).is_normal();
        let in_range = values.values().all(|value| !value.ty.dtype.is_float() || value.data.iter().all(held));
        let error = errors[self.root];
        let tensor = values.into_values().nth(self.root.index()).expect("every node has a value");
        Value { tensor, error, overflows, in_range }
    }
}

/// The half types of constants that an expression makes, which lose digits were they stored in these.
#[cfg(test)]
pub(crate) fn made_in_half(expr: &RecExpr<Term>, leaves: &[Leaf]) -> Vec<DType> {
    let Ok(Side { graph, root, .. }) = Side::of(expr, leaves) else { return Vec::new() };
    let (held, constant) = (crate::memory::inside(&graph), graph.constants());
    if constant[root] {
        return Vec::new();
    }
    // Numbers lie in no memory.
    let is_number = |node: &Node| matches!(node.op, Op::Const(_));
    let made = graph.nodes.iter().filter(|&(id, node)| constant[id] && held[id] != node.ty.dtype && !is_number(node));
    made.map(|(_, node)| node.ty.dtype).collect()
}

/// The value of an expression, with the bound of rounding in f32 in place of that in f64.
pub(crate) fn wide(expr: &RecExpr<Term>, leaves: &[Leaf], tensors: &[Tensor]) -> Result<Value, String> {
    let side = Side::of(expr, leaves)?;
    let values = side.values(tensors, |_, value| value)?;
    Ok(side.value(values, F32))
}

/// The value of an expression as kernels compute it: numbers and what depends on inputs in f32, constants in f64 and then
/// as memory holds them. A number below the normal ones is zero: there are machines that flush it.
pub(crate) fn single(
    expr: &RecExpr<Term>,
    leaves: &[Leaf],
    tensors: &[Tensor],
    memory: Memory,
) -> Result<Value, String> {
    let side = Side::of(expr, leaves)?;
    let (held, constant) = (memory(&side.graph), side.graph.constants());
    let mut stored: IdVec<NodeId, bool> = side.graph.nodes.ids().map(|id| id == side.root).collect();
    for (id, node) in side.graph.nodes.iter().filter(|&(id, _)| !constant[id]) {
        node.operands.iter().for_each(|&operand| stored[operand] = true);
        stored[id] = false;
    }
    let normal = |x: f64| if (x as f32).is_subnormal() { 0.0 } else { x };
    let keep = |id: NodeId, value: Tensor| {
        let node = &side.graph.nodes[id];
        let round = |x: f64| match node.op {
            Op::Input(_) | Op::Weight(_) => x,
            Op::Const(_) => normal(DType::F32.round(x)),
            _ if !constant[id] => DType::F32.round(x),
            _ if stored[id] => normal(held[id].round(x)),
            _ => x,
        };
        match node.ty.dtype.is_float() {
            true => Tensor::new(value.ty.clone(), value.data.iter().map(|&x| round(x)).collect()),
            false => value,
        }
    };
    let values = side.values(tensors, keep)?;
    Ok(side.value(values, F32))
}

/// The value of an expression; one sentence where it has none.
pub(crate) fn value(expr: &RecExpr<Term>, leaves: &[Leaf], tensors: &[Tensor]) -> Result<Value, String> {
    let side = Side::of(expr, leaves)?;
    let values = side.values(tensors, |_, value| value)?;
    Ok(side.value(values, F64))
}

/// Smallest and largest magnitude among finite elements that are not zero.
#[derive(Clone, Copy)]
struct Range {
    least: f64,
    most: f64,
}

impl Range {
    fn of(tensor: &Tensor) -> Range {
        let finite = tensor.data.iter().map(|x| x.abs()).filter(|x| x.is_finite() && *x > 0.0);
        finite.fold(Range { least: f64::INFINITY, most: 0.0 }, |r, x| Range {
            least: r.least.min(x),
            most: r.most.max(x),
        })
    }
}

fn error(
    graph: &Graph,
    node: &Node,
    ranges: &IdVec<NodeId, Range>,
    errors: &IdVec<NodeId, f64>,
    y: Range,
    rounding: Rounding,
) -> f64 {
    let unit = rounding.unit;
    let x = |i: usize| ranges[node.operands[i]];
    let e = |i: usize| errors[node.operands[i]];
    let all = || node.operands.iter().map(|&o| errors[o]).fold(0.0, f64::max);
    let rounded = unit * y.most;
    let extent = |i: usize, back: usize| {
        let shape = &graph.ty(node.operands[i]).shape;
        shape[shape.len() - back] as f64
    };
    if !node.ty.dtype.is_float() && all() == 0.0 {
        return 0.0;
    }
    // What is exact stays exact where its error is divided by zero.
    let times = |e: f64, factor: f64| if e == 0.0 { 0.0 } else { e * factor };
    match &node.op {
        Op::Input(_) | Op::Weight(_) | Op::Iota(_) => 0.0,
        Op::Const(c) if DType::F32.round(c.value.get()) == c.value.get() => 0.0,
        Op::Const(_) => rounding.number * y.most,
        Op::ViewOp(_) => e(0),
        Op::Select(_) if e(0) == 0.0 => e(1).max(e(2)),
        Op::Binary(op) => match op.op {
            BinaryOp::Add | BinaryOp::Sub => e(0) + e(1) + rounded,
            BinaryOp::Mul => e(0) * x(1).most + e(1) * x(0).most + rounded,
            BinaryOp::Div if node.ty.dtype.is_float() => {
                times(e(0), x(1).least.recip()) + times(e(1), x(0).most / x(1).least.powi(2)) + rounded
            }
            BinaryOp::Min | BinaryOp::Max => all(),
            BinaryOp::Pow if all() == 0.0 => rounded,
            BinaryOp::Pow => f64::INFINITY,
            // However a value is rounded, it is compared with itself.
            _ if same(graph, node.operands[0], node.operands[1]) => 0.0,
            _ => discontinuous(all()),
        },
        Op::Unary(op) => match op.op {
            UnaryOp::Neg | UnaryOp::Abs => e(0),
            UnaryOp::Exp => times(e(0), y.most) + rounded,
            UnaryOp::Log => times(e(0), x(0).least.recip()) + rounded,
            UnaryOp::Sqrt => times(e(0), y.least.recip()).min(e(0).sqrt()) + rounded,
            UnaryOp::Rsqrt => times(e(0), y.most.powi(3)) + rounded,
            UnaryOp::Recip => times(e(0), y.most.powi(2)) + rounded,
            UnaryOp::Erf | UnaryOp::Tanh | UnaryOp::Sigmoid | UnaryOp::Sin | UnaryOp::Cos => 1.2 * e(0) + rounded,
            UnaryOp::Floor | UnaryOp::Round | UnaryOp::Not => discontinuous(e(0)),
        },
        Op::Gelu(_) => 1.2 * e(0) + unit * x(0).most,
        Op::Cast(cast) => {
            if cast.to.is_float() {
                e(0)
            } else {
                discontinuous(e(0))
            }
        }
        Op::Reduce(op) => {
            let n = graph.ty(node.operands[0]).elements() as f64 / node.ty.elements() as f64;
            match op.op {
                ReduceOp::Max | ReduceOp::Min => e(0),
                ReduceOp::Sum => n * e(0) + n * n * unit * x(0).most,
                ReduceOp::Mean => e(0) + n * unit * x(0).most,
            }
        }
        Op::MatMul(_) | Op::Scores(_) => product(extent(0, 1), [x(0).most, x(1).most], [e(0), e(1)], unit),
        Op::Softmax(_) => 2.0 * e(0) + node.ty.elements() as f64 * unit,
        Op::Attend(_) => {
            let weights = 2.0 * e(0) + graph.ty(node.operands[0]).elements() as f64 * unit;
            product(extent(0, 1), [1.0, x(1).most], [weights, e(1)], unit)
        }
        // Any other op is a sum of products of its operands.
        op => {
            let types: Vec<&TensorType> = node.operands.iter().map(|&o| graph.ty(o)).collect();
            let steps = 1.0 + op.flops(&types, &node.ty) as f64;
            let most = node.operands.iter().map(|&o| ranges[o].most.max(1.0)).product::<f64>();
            steps * (all() * most + steps * unit * most.max(y.most))
        }
    }
}

/// Of a sum of k products.
fn product(k: f64, [a, b]: [f64; 2], [ea, eb]: [f64; 2], unit: f64) -> f64 {
    k * (ea * b + eb * a + (k + 1.0) * unit * a * b)
}

/// Of the place of the greatest: none where it stays ahead of all others along its axis.
fn greatest(x: &Tensor, axis: i64, error: f64) -> f64 {
    let axis = x.ty.axis(axis).expect("it has a type");
    let (extent, inner) = (x.ty.shape[axis], x.ty.shape[axis + 1..].iter().product::<usize>());
    let lines = (0..x.data.len()).filter(|at| at / inner % extent == 0);
    let ahead = |first: usize| {
        let mut line: Vec<f64> = (0..extent).map(|i| x.data[first + i * inner]).collect();
        line.sort_by(f64::total_cmp);
        extent == 1 || line[extent - 1] - line[extent - 2] > 2.0 * error
    };
    if error == 0.0 || lines.into_iter().all(ahead) { 0.0 } else { f64::INFINITY }
}

/// Whether two nodes are one expression, written twice.
fn same(graph: &Graph, a: NodeId, b: NodeId) -> bool {
    let (x, y) = (&graph.nodes[a], &graph.nodes[b]);
    let operands = || x.operands.iter().zip(&y.operands).all(|(&a, &b)| same(graph, a, b));
    a == b || (!x.operands.is_empty() && x.op == y.op && x.operands.len() == y.operands.len() && operands())
}

/// Of an op that jumps.
fn discontinuous(error: f64) -> f64 {
    if error == 0.0 { 0.0 } else { f64::INFINITY }
}

/// How two sides compare.
pub(crate) enum Verdict {
    /// They differ by at most this, relative to the largest element or one.
    Agree(f64),
    /// No element is claimed.
    Nothing,
    /// One sentence.
    Differ(String),
}

/// Compares the two sides of a rule. Where the left side is not a number the right side may be anything; the same where
/// it is infinite and leaves were masked.
pub(crate) fn compare(left: &Value, right: &Value, masked: bool) -> Verdict {
    let tolerance = left.error + right.error;
    if tolerance.is_nan() || tolerance.is_infinite() {
        return Verdict::Nothing;
    }
    let (mut worst, mut claimed) = (0.0f64, false);
    for (at, (&x, &y)) in left.tensor.data.iter().zip(&right.tensor.data).enumerate() {
        if x.is_nan() || (masked && x.is_infinite()) {
            continue;
        }
        claimed = true;
        let apart = if x == y { 0.0 } else { (x - y).abs() };
        // A NaN on the right agrees with nothing.
        if apart.is_nan() || apart > tolerance {
            let ty = &left.tensor.ty;
            return Verdict::Differ(format!("element {at} of {ty} is {x:?} on the left, {y:?} on the right"));
        }
        worst = worst.max(apart / x.abs().max(1.0));
    }
    if claimed { Verdict::Agree(worst) } else { Verdict::Nothing }
}
