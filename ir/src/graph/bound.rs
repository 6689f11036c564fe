//! Values with what rounding may have done to them.
//!
//! Beside each element runs a bound on its distance from the real number that the graph means: every op passes the
//! bounds of its operands on by its derivative, and adds its own rounding, u = 2⁻⁵³:
//!
//! ```text
//!   x + y      e_x + e_y + u·|x + y|                  exp x       exp(x + e_x) − exp x + 4u·exp x
//!   x · y      |x|·e_y + |y|·e_x + e_x·e_y + u·|xy|    Σ of n      Σ e + n·u·Σ |x|
//!   x < y      1 where |x − y| ≤ e_x + e_y: the answer may be the other one
//! ```
//!
//! Two graphs that mean the same differ by no more than the sum of their bounds, so a comparison of both needs no
//! tolerance that anybody chose. An infinite bound says that nothing is known; a value that is not finite is taken as it
//! is. Composites have no bound of their own: inline them first. Products have.

use super::{EvalError, Graph, Node, NodeId, Tensor};
use crate::{
    id::IdVec,
    ops::{Binary, BinaryOp, Op, Reduce, ReduceOp, UnaryOp},
    types::{DType, Real, TensorType},
    view::{View, is_movement},
};

/// Half the distance of 1 and the next number.
const UNIT_ROUNDOFF: f64 = f64::EPSILON / 2.0;
/// Roundings in a library's exp, log, erf and tanh.
const LIBRARY: f64 = 8.0 * UNIT_ROUNDOFF;

/// A tensor and its bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct WithErrorBound {
    /// What the interpreter computes.
    pub value: Tensor,
    /// How far each element may be from what is meant.
    pub error: Tensor,
}

/// The graph's outputs with bounds; `leaf` supplies inputs and weights, which are taken to be exact.
///
/// # Errors
/// Where the graph has no value, or has a composite other than a product.
pub fn eval_bounded(
    graph: &Graph,
    leaf: &mut dyn FnMut(NodeId, &Node) -> Result<Tensor, EvalError>,
) -> Result<Vec<WithErrorBound>, EvalError> {
    eval_bounded_stored(graph, leaf, &|_| None)
}

/// The same where some nodes lie in memory as elements of the type that `stored` gives. Their values are rounded so, and
/// the bound grows by what f32 loses, whatever the type: more shows as a difference.
///
/// # Errors
/// As [`eval_bounded`].
pub fn eval_bounded_stored(
    graph: &Graph,
    leaf: &mut dyn FnMut(NodeId, &Node) -> Result<Tensor, EvalError>,
    stored: &dyn Fn(NodeId) -> Option<DType>,
) -> Result<Vec<WithErrorBound>, EvalError> {
    let mut readers = graph.use_counts();
    let mut all: IdVec<NodeId, Option<WithErrorBound>> = IdVec::new();
    for (id, node) in graph.nodes.iter() {
        let operands: Vec<&WithErrorBound> =
            node.operands.iter().map(|&o| all[o].as_ref().expect("it is kept")).collect();
        let failed = |message: String| EvalError::new(graph, id, message);
        let bounded = match &node.op {
            Op::Input(_) | Op::Weight(_) => exact(leaf(id, node)?),
            op => {
                let values: Vec<&Tensor> = operands.iter().map(|o| &o.value).collect();
                let value = op.eval(&values, &node.ty).map_err(failed)?;
                let mut error = error(op, &operands, &value).map_err(failed)?;
                settle(graph, node, &mut error);
                for (error, value) in error.data.iter_mut().zip(&value.data) {
                    *error = match value.is_finite() {
                        false => 0.0,
                        true if error.is_nan() => f64::INFINITY,
                        true => *error,
                    };
                }
                let mut bounded = WithErrorBound { value, error };
                if let Some(dtype) = stored(id) {
                    store(&mut bounded, dtype);
                }
                bounded
            }
        };
        all.push(Some(bounded));
        for &operand in &node.operands {
            readers[operand] -= 1;
            if readers[operand] == 0 {
                all[operand] = None;
            }
        }
    }
    Ok(graph.outputs.iter().map(|&output| all[output].clone().expect("outputs are kept")).collect())
}

fn store(bounded: &mut WithErrorBound, dtype: DType) {
    for (value, error) in bounded.value.data.iter_mut().zip(&mut bounded.error.data) {
        let lost = if value.is_finite() { f64::from(f32::EPSILON / 2.0) * value.abs() } else { 0.0 };
        *error += lost + f64::from(f32::from_bits(1));
        *value = dtype.round(*value);
    }
}

fn exact(value: Tensor) -> WithErrorBound {
    let error = Tensor::from_fn(value.ty.clone(), |_| 0.0);
    WithErrorBound { value, error }
}

fn error(op: &Op, operands: &[&WithErrorBound], value: &Tensor) -> Result<Tensor, String> {
    let errors: Vec<&Tensor> = operands.iter().map(|o| &o.error).collect();
    let moved = |op: &Op| op.eval(&errors, &value.ty);
    match op {
        Op::Const(_) | Op::Iota(_) => Ok(Tensor::from_fn(value.ty.clone(), |_| 0.0)),
        Op::Unary(unary) => Ok(each(operands[0], value, |x, e, y| one(unary.op, x, e, y))),
        Op::Cast(_) if operands[0].value.ty.dtype == DType::Bool => Ok(each(operands[0], value, |_, e, _| e)),
        Op::Cast(cast) => Ok(each(operands[0], value, |x, e, _| match cast.to {
            DType::I32 => (x + e).trunc() - (x - e).trunc(),
            DType::Bool => f64::from(u8::from(e > 0.0 && x.abs() <= e)),
            _ => e,
        })),
        Op::Binary(binary) => pairs(binary, operands, value),
        Op::Select(_) => select(op, operands, value),
        Op::MatMul(_) => product(op, operands, value),
        Op::Reduce(reduce) => reduction(reduce, operands[0], value),
        Op::Gather(_) => op.eval(&[errors[0], &operands[1].value], &value.ty),
        Op::Pad(pad) => moved(&crate::ops::Pad { value: Real::new(0.0), ..pad.clone() }.into()),
        Op::ViewOp(view) => {
            let mut exact = view.clone();
            exact.map.fill = Real::new(0.0);
            moved(&exact.into())
        }
        op if is_movement(op) || matches!(op, Op::Concat(_)) => moved(op),
        op => Err(format!("{} is a composite, whose definition has bounds", op.name())),
    }
}

/// A bound for each element from operand, its bound and result.
fn each(operand: &WithErrorBound, value: &Tensor, bound: impl Fn(f64, f64, f64) -> f64) -> Tensor {
    let of = |i: usize| bound(operand.value.data[i], operand.error.data[i], value.data[i]);
    Tensor::from_fn(value.ty.clone(), of)
}

fn one(op: UnaryOp, x: f64, e: f64, y: f64) -> f64 {
    let far = |least: f64| if e == 0.0 { 0.0 } else { least };
    match op {
        UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Not => e,
        UnaryOp::Exp => (x + e).exp() - y + LIBRARY * y,
        UnaryOp::Log => far(if x > e { e / (x - e) } else { f64::INFINITY }) + LIBRARY * y.abs(),
        UnaryOp::Sqrt => far(if x > e { e / (x.sqrt() + (x - e).sqrt()) } else { (x + e).sqrt() }) + UNIT_ROUNDOFF * y,
        UnaryOp::Rsqrt => far(if x > e { (x - e).sqrt().recip() - y } else { f64::INFINITY }) + 2.0 * UNIT_ROUNDOFF * y,
        UnaryOp::Recip => {
            let size = x.abs();
            far(if size > e { e / (size * (size - e)) } else { f64::INFINITY }) + UNIT_ROUNDOFF * y.abs()
        }
        UnaryOp::Floor => (x + e).floor() - (x - e).floor(),
        UnaryOp::Round => (x + e).round_ties_even() - (x - e).round_ties_even(),
        UnaryOp::Erf => (std::f64::consts::FRAC_2_SQRT_PI * e).min(2.0) + LIBRARY * y.abs(),
        UnaryOp::Tanh => e.min(2.0) + LIBRARY * y.abs(),
        UnaryOp::Sin | UnaryOp::Cos => e.min(2.0) + LIBRARY * y.abs(),
        UnaryOp::Sigmoid => (e / 4.0).min(1.0) + LIBRARY * y.abs(),
    }
}

fn two(op: BinaryOp, [a, b]: [f64; 2], [e, f]: [f64; 2]) -> f64 {
    let doubtful = |yes: bool| f64::from(u8::from(yes && e + f > 0.0));
    match op {
        BinaryOp::Add => e + f + UNIT_ROUNDOFF * (a + b).abs(),
        BinaryOp::Sub => e + f + UNIT_ROUNDOFF * (a - b).abs(),
        BinaryOp::Mul => a.abs() * f + b.abs() * e + e * f + UNIT_ROUNDOFF * (a * b).abs(),
        BinaryOp::Div if e + f == 0.0 => UNIT_ROUNDOFF * (a / b).abs(),
        BinaryOp::Div if b.abs() > f => (e + (a / b).abs() * f) / (b.abs() - f) + UNIT_ROUNDOFF * (a / b).abs(),
        BinaryOp::Div => f64::INFINITY,
        BinaryOp::Min | BinaryOp::Max => e.max(f),
        // What is not a number cannot be compared: nothing is known of what the answer selects.
        BinaryOp::Lt | BinaryOp::Le | BinaryOp::Eq if a.is_nan() || b.is_nan() => f64::INFINITY,
        BinaryOp::Lt | BinaryOp::Le | BinaryOp::Eq => doubtful((a - b).abs() <= e + f),
        BinaryOp::And | BinaryOp::Or => {
            let doubted = |x: f64, e: f64| [x != 0.0 && e == 0.0, x != 0.0 || e > 0.0];
            let ([low, high], [least, most]) = (doubted(a, e), doubted(b, f));
            let (first, last) =
                if op == BinaryOp::And { (low && least, high && most) } else { (low || least, high || most) };
            f64::from(u8::from(first != last))
        }
        BinaryOp::Rem => remainder([a, b], [e, f]),
        BinaryOp::Pow => power([a, b], [e, f]),
    }
}

/// Of a remainder, which jumps by the divisor where the dividend crosses a multiple of it.
fn remainder([a, b]: [f64; 2], [e, f]: [f64; 2]) -> f64 {
    let rest = crate::ops::pointwise::remainder(a, b).abs();
    let moved = e + f * ((a / b).abs() + 1.0);
    match () {
        () if e + f == 0.0 => UNIT_ROUNDOFF * rest,
        () if b.abs() <= f => f64::INFINITY,
        () if rest <= moved || b.abs() - rest <= moved + f => b.abs() + f + moved,
        () => moved + UNIT_ROUNDOFF * rest,
    }
}

/// Of a power, whose size rises or falls with that of the base and with the exponent.
fn power([a, b]: [f64; 2], [e, f]: [f64; 2]) -> f64 {
    let y = a.abs().powf(b);
    match () {
        () if e + f == 0.0 => LIBRARY * y,
        () if a.abs() <= e || (a < 0.0 && f > 0.0) => f64::INFINITY,
        () => {
            let corners = [(-e, -f), (-e, f), (e, -f), (e, f)].map(|(e, f)| (a.abs() + e).powf(b + f));
            corners.into_iter().fold(0.0, |most: f64, corner| most.max((corner - y).abs() + LIBRARY * corner))
        }
    }
}

/// Two operands, broadcast.
fn pairs(op: &Binary, operands: &[&WithErrorBound], value: &Tensor) -> Result<Tensor, String> {
    let wide = |tensor: &Tensor| spread(tensor, &value.ty.shape);
    let (a, b) = (wide(&operands[0].value)?, wide(&operands[1].value)?);
    let (e, f) = (wide(&operands[0].error)?, wide(&operands[1].error)?);
    let integers = operands[0].value.ty.dtype == DType::I32 && !op.op.is_logical();
    Ok(Tensor::from_fn(value.ty.clone(), |i| match integers {
        true if e[i] + f[i] > 0.0 => f64::INFINITY,
        true => 0.0,
        false => two(op.op, [a[i], b[i]], [e[i], f[i]]),
    }))
}

/// Takes the doubt from comparisons of an element with itself, where it is a number.
fn settle(graph: &Graph, node: &Node, error: &mut Tensor) {
    let compares = |op: BinaryOp| matches!(op, BinaryOp::Lt | BinaryOp::Le | BinaryOp::Eq);
    let (Op::Binary(binary), [a, b]) = (&node.op, &node.operands[..]) else { return };
    if compares(binary.op)
        && let (Some((x, one)), Some((y, other))) = (origin(graph, *a, node), origin(graph, *b, node))
        && x == y
    {
        let same = one.table().into_iter().zip(other.table()).map(|(one, other)| one.is_some() && one == other);
        let settled = error.data.iter_mut().zip(same).filter(|(error, same)| *same && error.is_finite());
        settled.for_each(|(error, _)| *error = 0.0);
    }
}

/// The node whose elements an operand moves, and from where it takes each element of the result.
fn origin(graph: &Graph, operand: NodeId, user: &Node) -> Option<(NodeId, View)> {
    let mut map = View::expand(&graph.ty(operand).shape, &user.ty.shape);
    let mut id = operand;
    while let [below] = graph.nodes[id].operands[..]
        && let Some(view) = View::of_op(&graph.nodes[id].op, graph.ty(below))
    {
        map = view.then(&map)?;
        id = below;
    }
    Some((id, map))
}

/// The elements of a tensor broadcast to a shape.
fn spread(tensor: &Tensor, shape: &[usize]) -> Result<Vec<f64>, String> {
    let map = View::expand(&tensor.ty.shape, shape);
    map.gather(&tensor.data, 0.0).ok_or_else(|| "a broadcast reads outside its operand".to_string())
}

/// The chosen operand's bound; where the condition is in doubt, also the distance to the other.
fn select(op: &Op, operands: &[&WithErrorBound], value: &Tensor) -> Result<Tensor, String> {
    let [c, a, b] = [operands[0], operands[1], operands[2]];
    let chosen = op.eval(&[&c.value, &a.error, &b.error], &value.ty)?;
    let shape = &value.ty.shape;
    let (doubt, x, y) = (spread(&c.error, shape)?, spread(&a.value, shape)?, spread(&b.value, shape)?);
    let (e, f) = (spread(&a.error, shape)?, spread(&b.error, shape)?);
    Ok(Tensor::from_fn(value.ty.clone(), |i| match doubt[i] > 0.0 {
        true => (x[i] - y[i]).abs() + e[i].max(f[i]),
        false => chosen.data[i],
    }))
}

/// `|A|·(E_B + k·u·|B|) + E_A·(|B| + E_B)`.
fn product(op: &Op, operands: &[&WithErrorBound], value: &Tensor) -> Result<Tensor, String> {
    let [a, b] = [operands[0], operands[1]];
    let unit = a.value.ty.shape.last().copied().unwrap_or(1) as f64 * UNIT_ROUNDOFF;
    let sized = |t: &Tensor| Tensor::new(t.ty.clone(), t.data.iter().map(|x| x.abs()).collect());
    let sum = |x: &Tensor, y: &Tensor, factor: f64| {
        let data = x.data.iter().zip(&y.data).map(|(x, y)| x + factor * y.abs()).collect();
        Tensor::new(x.ty.clone(), data)
    };
    let first = op.eval(&[&sized(&a.value), &sum(&b.error, &b.value, unit)], &value.ty)?;
    if a.error.data.iter().all(|&e| e == 0.0) {
        return Ok(first);
    }
    let second = op.eval(&[&a.error, &sum(&b.error, &b.value, 1.0)], &value.ty)?;
    Ok(sum(&first, &second, 1.0))
}

fn reduction(op: &Reduce, operand: &WithErrorBound, value: &Tensor) -> Result<Tensor, String> {
    // Bounds are real numbers, also those of integers, which are added without rounding.
    let real = |ty: &TensorType| TensorType::f32(&ty.shape[..]);
    let by = |how: ReduceOp, per_element: &dyn Fn(usize) -> f64| {
        let bounds = Tensor::from_fn(real(&operand.value.ty), per_element);
        Op::from(Reduce { op: how, axis: op.axis }).eval(&[&bounds], &real(&value.ty))
    };
    if matches!(op.op, ReduceOp::Max | ReduceOp::Min) {
        return by(ReduceOp::Max, &|i| operand.error.data[i]);
    }
    let extent = (operand.value.data.len() / value.data.len().max(1)) as f64;
    let unit = if value.ty.dtype == DType::I32 { 0.0 } else { extent * UNIT_ROUNDOFF };
    let mut error = by(ReduceOp::Sum, &|i| operand.error.data[i] + unit * operand.value.data[i].abs())?;
    if op.op == ReduceOp::Mean {
        error.data.iter_mut().zip(&value.data).for_each(|(e, y)| *e = *e / extent + UNIT_ROUNDOFF * y.abs());
    }
    Ok(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Builder;
    use proptest::prelude::*;

    /// One bound of a graph of one input.
    fn bounds(build: impl Fn(&mut Builder, NodeId) -> NodeId, data: &[f64]) -> WithErrorBound {
        let mut b = Builder::new("bounds");
        let x = b.input("x", TensorType::f32([data.len()]));
        let y = build(&mut b, x);
        let graph = b.finish(&[y]);
        let mut leaf = |_: NodeId, node: &Node| Ok(Tensor::new(node.ty.clone(), data.to_vec()));
        eval_bounded(&graph, &mut leaf).expect("it has a value").remove(0)
    }

    #[test]
    fn cancellation_shows_in_the_bound() {
        // (x + 10⁸) − 10⁸ loses what 10⁸ cannot hold, and no more.
        let lost = bounds(
            |b, x| {
                let y = b.shift(x, 1e8);
                b.shift(y, -1e8)
            },
            &[0.1, 0.3],
        );
        for (value, (error, x)) in lost.value.data.iter().zip(lost.error.data.iter().zip([0.1, 0.3])) {
            assert!((value - x).abs() <= *error && *error < 2e-8, "{value} {error}");
        }
    }

    #[test]
    fn doubtful_comparisons_bound_both_answers() {
        let rounded = |x: f64| {
            let step = |b: &mut Builder, x: NodeId| {
                let third = b.scale(x, 1.0 / 3.0);
                let one = b.constant(1.0, DType::F32);
                let less = b.lt(third, one);
                let hundred = b.constant(100.0, DType::F32);
                b.select(less, third, hundred)
            };
            bounds(step, &[x]).error.data[0]
        };
        assert!(rounded(3.0) >= 99.0 && rounded(2.9) < 1e-15 && rounded(3.1) < 1e-12);
    }

    /// Whoever is ahead of whom is counted, each compared with itself, too: counts are exact where logits are far apart,
    /// and in doubt where two are not.
    #[test]
    fn choices_are_exact_where_they_are_clear() {
        let rank = |data: &[f64]| {
            let count = |b: &mut Builder, x: NodeId| {
                let third = b.scale(x, 1.0 / 3.0);
                let n = b.shape(x)[0];
                let [one, other] = [[n, 1], [1, n]].map(|shape| b.reshape(third, &shape));
                let less = b.lt(one, other);
                let equal = b.push(Binary { op: BinaryOp::Eq }, &[one, other]);
                let [i, j] = [(n, 1), (1, n)].map(|(rows, columns)| {
                    let ty = TensorType::new(DType::I32, [rows, columns]);
                    b.push(crate::ops::Iota { ty, axis: if rows > 1 { -2 } else { -1 } }, &[])
                });
                let before = b.lt(j, i);
                let tied = b.push(Binary { op: BinaryOp::And }, &[equal, before]);
                let ahead = b.push(Binary { op: BinaryOp::Or }, &[less, tied]);
                let counted = b.push(crate::ops::Cast { to: DType::I32 }, &[ahead]);
                b.sum(counted, -1)
            };
            bounds(count, data)
        };
        let clear = rank(&[0.5, 2.0, -1.0, 1.0]);
        assert_eq!((clear.value.data, clear.error.data), (vec![2.0, 0.0, 3.0, 1.0], vec![0.0; 4]));
        assert_eq!(rank(&[0.5, 2.0, 0.5]).error.data, [1.0, 0.0, 1.0]);
    }

    #[test]
    fn masks_are_exact() {
        let softmax = |b: &mut Builder, x: NodeId| {
            let largest = b.reduce(ReduceOp::Max, x, -1);
            let shifted = b.sub(x, largest);
            let e = b.exp(shifted);
            let sum = b.sum(e, -1);
            b.div(e, sum)
        };
        let masked = bounds(softmax, &[0.5, f64::NEG_INFINITY, f64::from(f32::MIN), -0.25]);
        assert!(masked.error.data.iter().all(|&e| e < 1e-14), "{masked:?}");
        assert_eq!(masked.value.data[1..3], [0.0, 0.0]);
    }

    /// a·b summed with the rounding errors of every step kept aside.
    fn compensated(a: &[f64], b: &[f64]) -> f64 {
        let (mut sum, mut lost) = (0.0f64, 0.0f64);
        for (x, y) in a.iter().zip(b) {
            let product = x * y;
            let total = sum + product;
            let back = total - sum;
            lost += (sum - (total - back)) + (product - back) + x.mul_add(*y, -product);
            sum = total;
        }
        sum + lost
    }

    /// Numbers of very different size.
    fn wild() -> impl Strategy<Value = f64> {
        (-1.0..1.0f64, -20..20i32).prop_map(|(x, exponent)| x * 2f64.powi(exponent))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn sums_and_products_stay_within_their_bounds(
            (a, b) in (1..40usize).prop_flat_map(|n| (prop::collection::vec(wild(), n), prop::collection::vec(wild(), n))),
        ) {
            let n = a.len();
            let ones = vec![1.0; n];
            let sum = bounds(|b, x| b.sum(x, -1), &a);
            prop_assert!((sum.value.data[0] - compensated(&a, &ones)).abs() <= sum.error.data[0]);
            let exact = |shape: [usize; 2], data: &[f64]| exact(Tensor::new(TensorType::f32(shape), data.to_vec()));
            let (left, right) = (exact([1, n], &a), exact([n, 1], &b));
            let op = Op::MatMul(crate::ops::MatMul);
            let value = op.eval(&[&left.value, &right.value], &TensorType::f32([1, 1])).expect("a product");
            let error = error(&op, &[&left, &right], &value).expect("a bound").data[0];
            prop_assert!((value.data[0] - compensated(&a, &b)).abs() <= error);
        }

        #[test]
        fn a_disturbance_of_operands_stays_within_the_bound(
            [a, b] in [wild(), wild()], [e, f] in [0.0..1.0f64, 0.0..1.0f64], [s, t] in [-1.0..1.0f64, -1.0..1.0f64],
        ) {
            for (op, name) in UnaryOp::ALL {
                let (before, after) = (op.apply(a), op.apply(a + s * e));
                // What leaves the domain of a root or a logarithm has no value to be close to.
                if before.is_finite() && after.is_finite() {
                    let bound = one(op, a, e, before);
                    let change = (after - before).abs();
                    prop_assert!(change <= bound * (1.0 + 1e-9) + 1e-9 * before.abs() || !bound.is_finite(), "{name} {a}");
                }
            }
            let apply = |op: BinaryOp, x: f64, y: f64| {
                let tensor = |v: f64| Tensor::new(TensorType::f32([1]), vec![v]);
                let dtype = if op.is_logical() { DType::Bool } else { DType::F32 };
                Op::from(Binary { op }).eval(&[&tensor(x), &tensor(y)], &TensorType::new(dtype, [1])).expect("a value").data[0]
            };
            for (op, name) in BinaryOp::ALL.into_iter().filter(|(op, _)| !matches!(op, BinaryOp::And | BinaryOp::Or)) {
                let (before, after) = (apply(op, a, b), apply(op, a + s * e, b + t * f));
                let bound = two(op, [a, b], [e, f]);
                let within = (after - before).abs() <= bound * (1.0 + 1e-9) || !bound.is_finite();
                prop_assert!(within || !before.is_finite(), "{name} {a} {b}");
            }
        }
    }
}
