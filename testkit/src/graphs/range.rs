//! Ranges: an interval that holds all values of a node, given those of its operands.

use regard_ir::{
    graph::NodeId,
    id::IdVec,
    ops::{BinaryOp, Op, ReduceOp, UnaryOp},
    types::{DType, TensorType},
};

/// Least and greatest value.
pub(crate) type Range = (f64, f64);

/// Values beyond this are not wanted.
const LIMIT: f64 = 64.0;
/// Smallest magnitude of divisors and the like.
const APART: f64 = 0.25;

/// The range of an op's result; `None` where it would leave ±64 or come near a pole.
pub(crate) fn range(op: &Op, types: &[&TensorType], of: &[Range]) -> Option<Range> {
    let (low, high) = match op {
        Op::Input(_) | Op::Weight(_) | Op::Iota(_) | Op::Const(_) => leaf(op),
        Op::Unary(u) => unary(u.op, of[0])?,
        Op::Binary(b) => binary(b.op, types[0].dtype, of[0], of[1])?,
        Op::Select(_) => hull(of[1], of[2]),
        Op::Cast(c) if c.to == DType::Bool => (0.0, 1.0),
        Op::Cast(c) if c.to == DType::I32 => (of[0].0.trunc(), of[0].1.trunc()),
        Op::Cast(_)
        | Op::Gather(_)
        | Op::Reshape(_)
        | Op::Transpose(_)
        | Op::Expand(_)
        | Op::Slice(_)
        | Op::Roll(_)
        | Op::Unfold(_)
        | Op::MaxPool(_)
        | Op::AdaptiveAvgPool(_)
        | Op::Resize(_) => of[0],
        Op::AvgPool(_) => hull(of[0], (0.0, 0.0)),
        Op::Argmax(a) => (0.0, types[0].shape[types[0].axis(a.axis).ok()?] as f64 - 1.0),
        Op::Activation(_) => hull(of[0], (-0.4, 0.0)),
        Op::Pad(p) => hull(of[0], (p.value.get(), p.value.get())),
        Op::ViewOp(v) => hull(of[0], (v.map.fill.get(), v.map.fill.get())),
        Op::Concat(_) => of.iter().copied().reduce(hull)?,
        Op::Reduce(r) if r.op == ReduceOp::Sum => {
            let extent = types[0].shape[types[0].axis(r.axis).ok()?] as f64;
            (extent * of[0].0, extent * of[0].1)
        }
        Op::Reduce(_) => of[0],
        Op::MatMul(_) | Op::Scores(_) => around(last(types[0]) * size(of[0]) * size(of[1])),
        Op::Softmax(_) => (0.0, 1.0),
        Op::Conv2d(_) | Op::ResizedConv(_) => {
            let length = types[1].elements() / types[1].shape[0];
            let bias = of.get(2).map_or(0.0, |&b| size(b));
            around(length as f64 * size(of[0]) * size(of[1]) + bias)
        }
        Op::BatchNorm(b) => {
            let scale = size(of[1]) / (of[4].0 + b.eps.get()).max(APART).sqrt();
            around((size(of[0]) + size(of[3])) * scale + size(of[2]))
        }
        Op::LayerNorm(_) => around(last(types[0]).sqrt() * size(of[1]) + size(of[2])),
        Op::Gelu(_) => (-0.2, of[0].1.max(0.0)),
        Op::Attend(_) => around(size(of[1]) * last(types[0])),
        Op::Attention(_) => around(size(of[2])),
        Op::InverseAttention(_) => {
            let (tokens, wide) = (types[3].shape[types[3].rank() - 2] as f64, last(types[3]) * size(of[3]));
            around(last(types[2]) * size(of[2]) * wide * size(of[4]) + tokens * wide * size(of[5]))
        }
        Op::Mix(_) => hull(of[0], of[1]),
        Op::NeighbourhoodAttention(_) => around(size(of[if of.len() == 4 { 1 } else { 2 }])),
        Op::RoutedAttention(_) => around(size(of[2])),
        Op::TopK(_) => (0.0, last(types[0])),
        Op::Route(_) => (0.0, types[1].shape[types[1].rank() - 3] as f64),
        Op::GridSample(_) | Op::Agents(_) | Op::SampledBias(_) => hull(of[0], (0.0, 0.0)),
        Op::OffsetPositions(_) => around(1.0 + size(of[0])),
        Op::RelativeBias(_) | Op::DistanceBias(_) => of[0],
        Op::Sinusoid(_) => (of[0].0 - 1.0, of[0].1 + 1.0),
        composite => of_definition(composite, types, of)?,
    };
    (low >= -LIMIT && high <= LIMIT).then_some((low, high))
}

/// The range of a definition's result. A square is known to have no sign.
fn of_definition(op: &Op, types: &[&TensorType], of: &[Range]) -> Option<Range> {
    let graph = op.defined(types)?.ok()?;
    let mut given = of.iter().copied();
    let mut ranges: IdVec<NodeId, Range> = IdVec::new();
    for (id, node) in graph.nodes.iter() {
        let operands: Vec<Range> = node.operands.iter().map(|&o| ranges[o]).collect();
        ranges.push(match &node.op {
            Op::Input(_) => given.next()?,
            Op::Binary(b) if b.op == BinaryOp::Mul && node.operands[0] == node.operands[1] => {
                (0.0, size(operands[0]).powi(2))
            }
            op => range(op, &graph.operand_types(id), &operands)?,
        });
    }
    graph.outputs.first().map(|&output| ranges[output])
}

fn leaf(op: &Op) -> Range {
    match op {
        Op::Const(c) => (c.value.get(), c.value.get()),
        Op::Iota(i) => (0.0, i.ty.axis(i.axis).map_or(0, |a| i.ty.shape[a] - 1) as f64),
        Op::Input(regard_ir::ops::Input { ty }) | Op::Weight(regard_ir::ops::Weight { ty }) => match ty.dtype {
            DType::I32 => (0.0, 3.0),
            DType::Bool => (0.0, 1.0),
            _ => (-1.0, 1.0),
        },
        _ => (0.0, 0.0),
    }
}

fn unary(op: UnaryOp, (low, high): Range) -> Option<Range> {
    let positive = |f: fn(f64) -> f64| (low >= APART).then(|| (f(low), f(high)));
    Some(match op {
        UnaryOp::Neg => (-high, -low),
        UnaryOp::Abs => (0.0, size((low, high))),
        UnaryOp::Exp => (low.exp(), high.exp()),
        UnaryOp::Log => positive(f64::ln)?,
        UnaryOp::Sqrt => positive(f64::sqrt)?,
        UnaryOp::Rsqrt => positive(f64::sqrt).map(|(low, high)| (1.0 / high, 1.0 / low))?,
        UnaryOp::Recip if low >= APART || high <= -APART => (1.0 / high, 1.0 / low),
        UnaryOp::Recip => return None,
        UnaryOp::Floor | UnaryOp::Round => (low.floor(), high.ceil()),
        UnaryOp::Erf | UnaryOp::Tanh | UnaryOp::Sin | UnaryOp::Cos => (-1.0, 1.0),
        UnaryOp::Sigmoid | UnaryOp::Not => (0.0, 1.0),
    })
}

fn binary(op: BinaryOp, dtype: DType, a: Range, b: Range) -> Option<Range> {
    let corners = |f: fn(f64, f64) -> f64| {
        let all = [f(a.0, b.0), f(a.0, b.1), f(a.1, b.0), f(a.1, b.1)];
        all.into_iter().map(|x| (x, x)).reduce(hull)
    };
    let apart = b.0 >= APART || b.1 <= -APART;
    match op {
        BinaryOp::Add => corners(|x, y| x + y),
        BinaryOp::Sub => corners(|x, y| x - y),
        BinaryOp::Mul => corners(|x, y| x * y),
        BinaryOp::Div if apart && dtype == DType::I32 => corners(|x, y| x / y).map(|(l, h)| (l.floor(), h)),
        BinaryOp::Div if apart => corners(|x, y| x / y),
        BinaryOp::Rem if apart => Some(around(size(b))),
        BinaryOp::Div | BinaryOp::Rem => None,
        BinaryOp::Pow if a.0 >= APART => corners(f64::powf),
        BinaryOp::Pow if b.0 == b.1 && b.0 >= 1.0 && b.0.fract() == 0.0 => Some(around(size(a).powf(b.0))),
        BinaryOp::Pow => None,
        BinaryOp::Min => corners(f64::min),
        BinaryOp::Max => corners(f64::max),
        BinaryOp::Lt | BinaryOp::Le | BinaryOp::Eq | BinaryOp::And | BinaryOp::Or => Some((0.0, 1.0)),
    }
}

fn hull(a: Range, b: Range) -> Range {
    (a.0.min(b.0), a.1.max(b.1))
}

fn size(a: Range) -> f64 {
    a.0.abs().max(a.1.abs())
}

fn around(size: f64) -> Range {
    (-size, size)
}

fn last(ty: &TensorType) -> f64 {
    ty.shape.last().copied().unwrap_or(1) as f64
}
