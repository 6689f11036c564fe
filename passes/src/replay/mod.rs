//! Trying out what was claimed: two graphs that should mean the same, on inputs that should tell them apart.
//!
//! ```text
//!   inputs ─┬─▶ before ─▶ value ± bound ┐
//!           └─▶ after  ─▶ value ± bound ┴─▶ |difference| ≤ 2·(bound + bound)
//! ```
//!
//! An equation of real numbers says: wherever the side that was written has a value, the other has the same. So an
//! element that is NaN or infinite before claims nothing (e¹⁰⁰⁰⁰ overflows, a softmax spelled that way does not any more),
//! nor does one that a comparison with NaN selects, as a guard of a softmax does where scores are NaN; every other must stay
//! finite and close. How close is not a choice: [`eval_bounded`] follows rounding through
//! both sides. The interpreter evaluates composites by their own code, the bounds speak of their definitions, which round
//! as often; that and second-order terms are what the factor 2 is for. Where a bound is wider than 10⁻⁶ of its
//! value nothing was decided, and the element is not counted.
//!
//! Real numbers are not all: kernels compute in f32, and constants lie in memory. So no number may appear that f32 does not
//! hold, and where constants are made of half weights both sides are compared once more with each constant rounded as
//! `memory.rs` holds it; the bound then allows what f32 loses.
//!
//! Bounds double from layer to layer, so they say nothing of deep graphs, and large ones would take long. There random inputs
//! are compared by norm, with the roundings on the longest path as tolerance.

mod inputs;
#[cfg(test)]
mod tests;

pub use inputs::Kind;

use crate::{canonical, error::Error, memory};
use regard_ir::{
    graph::{Graph, Node, NodeId, Tensor, WithErrorBound, eval, eval_bounded, eval_bounded_stored, eval_nodes},
    id::IdVec,
    ops::{Op, Weight},
    types::{DType, fits_f32},
};
use std::collections::BTreeMap;

/// Most operations of both sides of a link that are evaluated at all.
pub(crate) const MOST_FLOPS: u64 = 40_000_000_000;
/// Operations that a link's inputs may take together; what takes more at once is compared by norm.
pub const BUDGET: u64 = 1_000_000_000;
/// The widest bound, relative to its value, that decides anything.
const WIDEST: f64 = 1e-6;

/// What came of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Both sides agree.
    Holds {
        /// Elements that were decided.
        elements: usize,
        /// Kinds of inputs that decided some.
        kinds: usize,
    },
    /// Nothing was decided; the sentence says why.
    Skipped(String),
    /// They do not agree; the sentence says where.
    Broken(String),
}

/// In which element type memory holds each node of a graph.
type Memory = fn(&Graph) -> IdVec<NodeId, DType>;

/// What constants may cost, relative to the whole tensor, where only norms are compared: the contract of compiled code.
const CONTRACT: f64 = 1e-5;

/// What a leaf of a graph holds.
pub(crate) type Leaf<'a> = dyn Fn(Kind, &Graph, NodeId, &Node) -> Tensor + Sync + 'a;

/// Compares on inputs that depend on the leaves' labels alone.
///
/// # Errors
/// Where a graph is broken.
pub fn replay(before: &Graph, after: &Graph) -> Result<Verdict, Error> {
    replay_with(before, after, &|kind, graph, id, node| kind.leaf(graph, id, node))
}

/// The same with leaves from elsewhere; leaves with the same label must hold the same.
///
/// # Errors
/// Where a graph is broken.
pub fn replay_with(before: &Graph, after: &Graph, leaf: &Leaf) -> Result<Verdict, Error> {
    replay_in(before, after, leaf, memory::inside)
}

fn replay_in(before: &Graph, after: &Graph, leaf: &Leaf, memory: Memory) -> Result<Verdict, Error> {
    let types = |graph: &Graph| {
        let types: Vec<String> = graph.outputs.iter().map(|&o| graph.ty(o).to_string()).collect();
        types.join(", ")
    };
    if types(before) != types(after) {
        return Ok(Verdict::Broken(format!("outputs are {} before, {} after", types(before), types(after))));
    }
    if let Some(number) = numbers_beyond_f32(after).find(|x| numbers_beyond_f32(before).all(|y| y != *x)) {
        return Ok(Verdict::Broken(format!("the number {number:e} is not one that f32 holds")));
    }
    let flops = work(before) + work(after);
    if flops > MOST_FLOPS {
        return Ok(Verdict::Skipped(format!("{flops} operations are more than {MOST_FLOPS}")));
    }
    let defined = [defined(before)?, defined(after)?];
    let stored = [stored(&defined[0], memory), stored(&defined[1], memory)];
    let both = Both { before, after, defined, stored, leaf };
    if flops > BUDGET {
        return Ok(both.by_norm());
    }
    let count = (BUDGET / flops.max(1)).clamp(1, Kind::ALL.len() as u64) as usize;
    let (mut elements, mut kinds, mut doubtful) = (0, 0, 0);
    let finite = before.nodes.values().chain(after.nodes.values()).any(|node| weighs_what_it_skips(&node.op));
    for &kind in Kind::ALL[..count].iter().filter(|&&kind| !(finite && kind == Kind::Masked)) {
        match both.compare(kind) {
            Err(broken) => return Ok(Verdict::Broken(format!("inputs `{}`: {broken}", kind.name()))),
            Ok(found) => {
                elements += found.decided;
                kinds += usize::from(found.decided > 0);
                doubtful += found.doubtful;
            }
        }
    }
    if let Some(broken) = [Kind::Random, Kind::Large].into_iter().find_map(|kind| both.differs_in_memory(kind)) {
        return Ok(Verdict::Broken(broken));
    }
    Ok(match (elements, doubtful) {
        (0, 0) => Verdict::Skipped("the side that was written has no finite value".into()),
        (0, _) => both.by_norm(),
        _ => Verdict::Holds { elements, kinds },
    })
}

/// Whether the op's definition multiplies by zero what its value does not look at: 0·∞ is NaN, so infinite inputs say
/// nothing about it.
fn weighs_what_it_skips(op: &Op) -> bool {
    use Op::{AdaptiveAvgPool, Agents, GridSample, Resize, ResizedConv, SampledBias};
    matches!(op, AdaptiveAvgPool(_) | Resize(_) | ResizedConv(_) | GridSample(_) | Agents(_) | SampledBias(_))
}

/// What evaluating a graph takes: operations, and elements written, which take as long as several operations of a product.
pub fn work(graph: &Graph) -> u64 {
    const ELEMENT: u64 = 8;
    let elements: u64 = graph.nodes.values().map(|node| node.ty.elements() as u64).sum();
    graph.flops().saturating_add(ELEMENT.saturating_mul(elements))
}

/// The graph without composites but products.
fn defined(graph: &Graph) -> Result<Graph, Error> {
    let keep = |op: &Op| matches!(op, Op::MatMul(_));
    Ok(canonical::inline(graph, &|id| keep(&graph.nodes[id].op), &keep)?.graph)
}

struct Both<'a> {
    before: &'a Graph,
    after: &'a Graph,
    defined: [Graph; 2],
    /// The constants of each that lie in memory, with their types there.
    stored: [BTreeMap<NodeId, DType>; 2],
    leaf: &'a Leaf<'a>,
}

#[derive(Default)]
struct Found {
    decided: usize,
    doubtful: usize,
}

/// What the leaves of both sides hold, by label.
struct Given(BTreeMap<String, Tensor>);

impl Given {
    /// The value of either side.
    fn value(&self, graph: &Graph) -> Result<Vec<Tensor>, String> {
        eval(graph, &mut |_, node| Ok(self.of(node))).map_err(|error| error.to_string())
    }

    fn stored(&self, graph: &Graph, stored: &BTreeMap<NodeId, DType>) -> Result<Vec<WithErrorBound>, String> {
        let stored = |id: NodeId| stored.get(&id).copied();
        eval_bounded_stored(graph, &mut |_, node| Ok(self.of(node)), &stored).map_err(|error| error.to_string())
    }

    fn rounded(&self, graph: &Graph, stored: &BTreeMap<NodeId, DType>) -> Result<Vec<Tensor>, String> {
        let ids: Vec<NodeId> = stored.keys().copied().collect();
        let values = eval_nodes(graph, &ids, &mut |_, node| Ok(self.of(node))).map_err(|error| error.to_string())?;
        let mut known = graph.clone();
        let mut constants: BTreeMap<NodeId, Tensor> = BTreeMap::new();
        for (id, mut value) in ids.into_iter().zip(values) {
            value.data.iter_mut().for_each(|x| *x = stored[&id].round(*x));
            known.nodes[id].op = Op::Weight(Weight { ty: value.ty.clone() });
            known.nodes[id].operands.clear();
            constants.insert(id, value);
        }
        let mut leaf = |id: NodeId, node: &Node| Ok(constants.get(&id).cloned().unwrap_or_else(|| self.of(node)));
        eval(&known, &mut leaf).map_err(|error| error.to_string())
    }

    fn bounded(&self, graph: &Graph) -> Result<Vec<WithErrorBound>, String> {
        eval_bounded(graph, &mut |_, node| Ok(self.of(node))).map_err(|error| error.to_string())
    }

    fn of(&self, node: &Node) -> Tensor {
        self.0[label(node)].clone()
    }
}

fn label(node: &Node) -> &str {
    node.label.as_deref().expect("leaves of a link have labels")
}

impl Both<'_> {
    /// What a leaf of either side holds is what the first side says that it does; so indices are valid where either
    /// side gathers by them.
    fn given(&self, kind: Kind) -> Given {
        let mut given = BTreeMap::new();
        for graph in [self.before, self.after] {
            for (id, node) in graph.nodes.iter().filter(|(_, node)| matches!(node.op, Op::Input(_) | Op::Weight(_))) {
                given.entry(label(node).to_string()).or_insert_with(|| (self.leaf)(kind, graph, id, node));
            }
        }
        Given(given)
    }

    fn compare(&self, kind: Kind) -> Result<Found, String> {
        // What was written may have no value at all: an index out of range, an integer divided by zero.
        let given = self.given(kind);
        let Ok(before) = given.value(self.before) else { return Ok(Found::default()) };
        let after = given.value(self.after)?;
        let [left, right] = [given.bounded(&self.defined[0])?, given.bounded(&self.defined[1])?];
        let mut found = Found::default();
        for (at, (before, after)) in before.iter().zip(&after).enumerate() {
            for (i, (&x, &y)) in before.data.iter().zip(&after.data).enumerate() {
                let bound = 2.0 * (left[at].error.data[i] + right[at].error.data[i]);
                if !x.is_finite() {
                    continue;
                }
                if left[at].error.data[i] == f64::INFINITY {
                    found.doubtful += 1;
                    continue;
                }
                if !y.is_finite() || (x - y).abs() > bound {
                    let place = place(i, &before.ty.shape);
                    return Err(format!(
                        "element {place} of output {at} is {x:e} before and {y:e} after, bound {bound:.1e}"
                    ));
                }
                match bound <= WIDEST * (1.0 + x.abs()) {
                    true => found.decided += 1,
                    false => found.doubtful += 1,
                }
            }
        }
        Ok(found)
    }

    /// How the sides differ where constants are as memory holds them, if any is made of half weights.
    fn differs_in_memory(&self, kind: Kind) -> Option<String> {
        let half = |(graph, stored): (&Graph, &BTreeMap<NodeId, DType>)| {
            stored.keys().any(|&id| memory::is_half(graph.ty(id).dtype))
        };
        if !self.defined.iter().zip(&self.stored).any(half) {
            return None;
        }
        let given = self.given(kind);
        let value = |side: usize| given.stored(&self.defined[side], &self.stored[side]);
        let (Ok(before), Ok(after)) = (value(0), value(1)) else { return None };
        for (at, (before, after)) in before.iter().zip(&after).enumerate() {
            for i in 0..before.value.data.len() {
                let (x, y) = (before.value.data[i], after.value.data[i]);
                let bound = 2.0 * (before.error.data[i] + after.error.data[i]);
                if x.is_finite() && (!y.is_finite() || (x - y).abs() > bound) {
                    let place = place(i, &before.value.ty.shape);
                    return Some(format!(
                        "inputs `{}`: with constants as memory holds them, element {place} of output {at} is {x:e} before \
                         and {y:e} after, bound {bound:.1e}",
                        kind.name()
                    ));
                }
            }
        }
        None
    }

    /// What rounding the constants of the second side costs, if any is made of half weights and it is too much.
    fn costs_in_memory(&self, given: &Given, exact: &[Tensor]) -> Option<String> {
        let (graph, stored) = (&self.defined[1], &self.stored[1]);
        if !stored.keys().any(|&id| memory::is_half(graph.ty(id).dtype)) {
            return None;
        }
        let rounded = given.rounded(graph, stored).ok()?;
        let off = |(exact, rounded): (&Tensor, &Tensor)| distance(&exact.data, &rounded.data);
        let worst = exact.iter().zip(&rounded).map(off).find(|&error| error.is_nan() || error > CONTRACT)?;
        Some(format!("constants as memory holds them cost {worst:.1e}, at most {CONTRACT:.0e} is allowed"))
    }

    /// Random inputs, compared by norm: the tolerance is a rounding for each step of the longest path.
    fn by_norm(&self) -> Verdict {
        let given = self.given(Kind::Random);
        let (before, after) = match (given.value(self.before), given.value(self.after)) {
            (Ok(before), Ok(after)) => (before, after),
            (Err(error), _) | (_, Err(error)) => return Verdict::Broken(error),
        };
        let tolerance = f64::EPSILON * (longest(&self.defined[0]) + longest(&self.defined[1]));
        let mut elements = 0;
        for (at, (before, after)) in before.iter().zip(&after).enumerate() {
            let error = distance(&before.data, &after.data);
            if error.is_nan() || error > tolerance {
                return Verdict::Broken(format!(
                    "output {at} is off by {error:.1e}, at most {tolerance:.1e} is rounding"
                ));
            }
            elements += before.data.len();
        }
        if let Some(broken) = self.costs_in_memory(&given, &after) {
            return Verdict::Broken(broken);
        }
        Verdict::Holds { elements, kinds: 1 }
    }
}

/// ‖x − y‖ / ‖x‖
fn distance(x: &[f64], y: &[f64]) -> f64 {
    let square = |sum: f64, x: f64| sum + x * x;
    let difference = x.iter().zip(y).map(|(x, y)| x - y).fold(0.0, square).sqrt();
    difference / x.iter().copied().fold(0.0, square).sqrt().max(f64::MIN_POSITIVE)
}

/// Numbers of a graph that f32 does not hold to its full precision, but for 0, infinities and NaN.
fn numbers_beyond_f32(graph: &Graph) -> impl Iterator<Item = f64> {
    graph.nodes.values().filter_map(|node| match &node.op {
        Op::Const(c) if node.ty.dtype.is_float() && !fits_f32(c.value.get()) => Some(c.value.get()),
        _ => None,
    })
}

/// The constants that lie in memory, as their readers depend on inputs, with the types that they have there.
fn stored(graph: &Graph, memory: Memory) -> BTreeMap<NodeId, DType> {
    let (held, constant) = (memory(graph), graph.constants());
    let computed = graph.nodes.iter().filter(|&(id, _)| !constant[id]);
    let read = computed.flat_map(|(_, node)| node.operands.iter().copied());
    let is_stored = |id: &NodeId| constant[*id] && graph.ty(*id).dtype.is_float();
    read.filter(is_stored).map(|id| (id, held[id])).collect()
}

/// Roundings on the longest path to an output: as many as a product or sum is long, one for all else.
fn longest(graph: &Graph) -> f64 {
    let mut paths: Vec<f64> = Vec::new();
    for (id, node) in graph.nodes.iter() {
        let types = graph.operand_types(id);
        let own = match &node.op {
            Op::MatMul(_) => types[0].shape.last().copied().unwrap_or(1) as f64,
            Op::Reduce(_) => (types[0].elements() / node.ty.elements().max(1)) as f64,
            op if op.flops(&types, &node.ty) > 0 => 1.0,
            _ => 0.0,
        };
        let below = node.operands.iter().map(|o| paths[regard_ir::id::Id::index(*o)]).fold(0.0, f64::max);
        paths.push(own + below);
    }
    paths.into_iter().fold(0.0, f64::max)
}

/// The index of a row-major position.
fn place(mut at: usize, shape: &[usize]) -> String {
    let mut index: Vec<usize> = Vec::new();
    for &extent in shape.iter().rev() {
        index.insert(0, at % extent);
        at /= extent;
    }
    format!("{index:?}")
}
