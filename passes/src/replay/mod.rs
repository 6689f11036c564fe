//! Trying out what was claimed: two graphs that should mean the same, on inputs that should tell them apart.
//!
//! ```text
//!   inputs ─┬─▶ before ─▶ value ± bound ┐
//!           └─▶ after  ─▶ value ± bound ┴─▶ |difference| ≤ 2·(bound + bound)
//! ```
//!
//! An equation of real numbers says: wherever the side that was written has a value, the other has the same. So an
//! element that is NaN or infinite before claims nothing (e¹⁰⁰⁰⁰ overflows, a softmax spelled that way does not any more);
//! one that is finite must stay finite and close. How close is no choice: [`eval_bounded`] follows rounding through
//! both sides. The interpreter evaluates composites by their own code, the bounds speak of their definitions, which round
//! as often; that and second-order terms are what the factor 2 is for. Where a bound is wider than 10⁻⁶ of its
//! value nothing was decided, and the element is not counted.
//!
//! Bounds double from layer to layer, so they say nothing of deep graphs, and large ones would take long. There random inputs
//! are compared by norm, with the roundings on the longest path as tolerance.

mod inputs;
#[cfg(test)]
mod tests;

pub use inputs::Kind;

use crate::{core, error::Error};
use regard_ir::{
    graph::{Bounded, Graph, Node, NodeId, Tensor, eval, eval_bounded},
    ops::{Op, OpDef},
};
use std::collections::BTreeMap;

/// Most operations of both sides of a link that are evaluated at all.
pub const MOST_FLOPS: u64 = 40_000_000_000;
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

/// What a leaf of a graph holds.
pub type Leaf<'a> = dyn Fn(Kind, &Graph, NodeId, &Node) -> Tensor + Sync + 'a;

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
    let types = |graph: &Graph| {
        let types: Vec<String> = graph.outputs.iter().map(|&o| graph.ty(o).to_string()).collect();
        types.join(", ")
    };
    if types(before) != types(after) {
        return Ok(Verdict::Broken(format!("outputs are {} before, {} after", types(before), types(after))));
    }
    let flops = work(before) + work(after);
    if flops > MOST_FLOPS {
        return Ok(Verdict::Skipped(format!("{flops} operations are more than {MOST_FLOPS}")));
    }
    let both = Both { before, after, defined: [defined(before)?, defined(after)?], leaf };
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
    core::inline(graph, &|id| keep(&graph.nodes[id].op), &keep)
}

struct Both<'a> {
    before: &'a Graph,
    after: &'a Graph,
    defined: [Graph; 2],
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

    fn bounded(&self, graph: &Graph) -> Result<Vec<Bounded>, String> {
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
            let square = |sum: f64, x: f64| sum + x * x;
            let difference = before.data.iter().zip(&after.data).map(|(x, y)| x - y).fold(0.0, square).sqrt();
            let error = difference / before.data.iter().copied().fold(0.0, square).sqrt().max(f64::MIN_POSITIVE);
            if error.is_nan() || error > tolerance {
                return Verdict::Broken(format!(
                    "output {at} is off by {error:.1e}, at most {tolerance:.1e} is rounding"
                ));
            }
            elements += before.data.len();
        }
        Verdict::Holds { elements, kinds: 1 }
    }
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
