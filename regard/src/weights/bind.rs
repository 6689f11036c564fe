//! Binding: a program's constants are computed from weights and laid out as its kernels stream them.
//!
//! ```text
//!   weight ──(constant graph: transposes, scales, sums)──▶ [k, n] ──(layout)──▶ panels in the constants
//!              movement alone: streamed, f32 to f32            one panel at a time, in place
//!              anything else:  the f64 interpreter             one value at a time, in place
//! ```
//!
//! A constant that is a weight moved about, as nearly all are, never exists a second time: the part of the
//! weight after each panel is read, and its elements go where the kernel wants them. Only one worker
//! evaluates arithmetic at a time, so that the peak stays a little above the constants themselves.

mod stream;

use super::Weights;
use crate::{
    errors::{Error, Result},
    values,
};
use rayon::prelude::*;
use regard_ir::{
    graph::{EvalError, Graph, Node, NodeId, Tensor, eval_nodes},
    ops::{Input, Op},
    program::{Layout, Program, Storage},
    types::DType,
};
use regard_runtime::memory::Constants;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};
use stream::Movement;

/// The constants of a program, from `weights`, which were [checked](Weights::check) against its graph.
///
/// # Errors
/// Where a weight cannot be read or a constant has no value.
pub(crate) fn bind<K: Sync>(program: &Program<K>, weights: &dyn Weights) -> Result<Constants> {
    Constants::build(program.constant_bytes as usize, |bytes| {
        let arithmetic = Mutex::new(());
        slots(program, bytes).into_par_iter().try_for_each(|(output, slots)| {
            let (constant_graph, root) = (&program.constant_graph, program.constant_graph.outputs[output]);
            let movement = Movement::of(constant_graph, root);
            let (streamed, computed): (Vec<Slot>, Vec<Slot>) =
                slots.into_iter().partition(|slot| movement.as_ref().is_some_and(|m| m.suits(slot)));
            if let Some(movement) = movement {
                streamed.into_iter().try_for_each(|slot| movement.stream(slot, weights))?;
            }
            if computed.is_empty() {
                return Ok(());
            }
            let _one_at_a_time = arithmetic.lock().unwrap_or_else(PoisonError::into_inner);
            let values = evaluated(constant_graph, root, weights)?;
            computed.into_iter().for_each(|slot| slot.write(&values));
            Ok(())
        })
    })
}

/// A leaf function for the graph interpreter: weights from their source, inputs from `input`.
pub(crate) fn leaf<'a>(
    graph: &'a Graph,
    weights: &'a dyn Weights,
    mut input: impl FnMut(NodeId, &Node) -> Option<Vec<f64>> + 'a,
) -> impl FnMut(NodeId, &Node) -> std::result::Result<Tensor, EvalError> + 'a {
    move |id, node| {
        let data = match &node.op {
            Op::Weight(_) => {
                let values = weights.values(&graph.text_name(id), &node.ty, 0..node.ty.elements());
                values.map_err(|error| EvalError::new(graph, id, error.to_string()))?
            }
            _ => input(id, node).ok_or_else(|| EvalError::new(graph, id, "there is no value for this input"))?,
        };
        Ok(Tensor { ty: node.ty.clone(), data })
    }
}

/// Where a constant goes.
struct Slot<'a> {
    bytes: &'a mut [u8],
    dtype: DType,
    layout: Layout,
}

/// The bytes of every constant, by output of the constant graph.
fn slots<'a, K>(program: &Program<K>, mut bytes: &'a mut [u8]) -> Vec<(usize, Vec<Slot<'a>>)> {
    let mut constants: Vec<_> = program
        .constants
        .iter()
        .map(|constant| {
            let buffer = &program.buffers[constant.buffer];
            let Storage::Constant(offset) = buffer.storage else { panic!("constant {} lies elsewhere", buffer.name) };
            (offset as usize, buffer.bytes() as usize, buffer.dtype, constant)
        })
        .collect();
    constants.sort_by_key(|c| c.0);
    let mut by_output: Vec<Vec<Slot>> = program.constant_graph.outputs.iter().map(|_| Vec::new()).collect();
    let mut at = 0;
    for (offset, length, dtype, constant) in constants {
        let rest = std::mem::take(&mut bytes).split_at_mut(offset - at).1;
        let (here, behind) = rest.split_at_mut(length);
        by_output[constant.output].push(Slot { bytes: here, dtype, layout: constant.layout });
        (bytes, at) = (behind, offset + length);
    }
    by_output.into_iter().enumerate().filter(|(_, places)| !places.is_empty()).collect()
}

/// The value of any node of the constant graph. Products of a row with a weight that is only moved about, the
/// β of a layer norm times the product after it, are streamed: the weight is never held as f64.
fn evaluated(constant_graph: &Graph, root: NodeId, weights: &dyn Weights) -> Result<Vec<f64>> {
    // Only what the constant needs is copied: a graph of n constants would be copied n times.
    let mut graph = Graph::new(constant_graph.name.clone());
    let mut moved: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    let mut known = BTreeMap::new();
    for id in constant_graph.needed([root]) {
        if let Op::MatMul(_) = constant_graph.node(id).op
            && let [row, matrix] = constant_graph.node(id).operands[..]
            && let Some(movement) = Movement::of(constant_graph, matrix)
            && movement.is_matrix(constant_graph.ty(row).elements())
        {
            let product = movement.row_product(&evaluated(constant_graph, row, weights)?, weights)?;
            let ty = constant_graph.ty(id).clone();
            let input = Node { op: Input { ty: ty.clone() }.into(), operands: Vec::new(), ty, label: None };
            let new = graph.nodes.push(input);
            known.insert(new, product);
            moved.insert(id, new);
        } else {
            let mut node = constant_graph.node(id).clone();
            node.operands.iter_mut().for_each(|operand| *operand = moved[operand]);
            moved.insert(id, graph.nodes.push(node));
        }
    }
    let (origin, root) = (root, moved[&root]);
    let values = eval_nodes(&graph, &[root], &mut leaf(&graph, weights, |id, _| known.get(&id).cloned()))?;
    let values = values.into_iter().next().expect("one node was asked for").data;
    match values.iter().any(|v| v.is_nan()) {
        false => Ok(values),
        true => Err(not_a_number(
            &graph,
            weights_of(constant_graph, origin),
            &mut leaf(&graph, weights, |id, _| known.remove(&id)),
        )?),
    }
}

/// A source of leaves for the interpreter.
type Leaf<'a> = dyn FnMut(NodeId, &Node) -> std::result::Result<Tensor, EvalError> + 'a;

/// Says where a constant becomes NaN: at the first node that is, and of which weights that is made; those of the whole
/// constant are `all`.
fn not_a_number(graph: &Graph, all: Vec<String>, leaf: &mut Leaf) -> Result<Error> {
    let ids: Vec<NodeId> = graph.nodes.ids().collect();
    let values = eval_nodes(graph, &ids, leaf)?;
    let position = |tensor: &Tensor| tensor.data.iter().position(|v| v.is_nan());
    let first = ids.iter().zip(&values).find_map(|(&id, tensor)| Some((id, position(tensor)?)));
    let (id, at) = first.expect("the constant is NaN somewhere");
    let node = graph.node(id);
    let names = match weights_of(graph, id) {
        names if names.is_empty() => all,
        names => names,
    };
    let named = &names[..names.len().min(NAMED)];
    let of = match (named, names.len() - named.len()) {
        ([one], _) => format!("weight {one}"),
        ([most @ .., last], 0) => format!("weights {} and {last}", most.join(", ")),
        (_, more) => format!("weights {} and {more} more", named.join(", ")),
    };
    let takes = |(tensor, other): (&Tensor, &NodeId)| {
        node.operands.contains(other) && tensor.data.iter().any(|v| v.is_infinite())
    };
    let infinite = if values.iter().zip(&ids).any(takes) { ", of operands that hold infinities" } else { "" };
    let (op, ty) = (node.op.name(), &node.ty);
    Ok(Error::Failed(format!("{op} of {of} is NaN at position {at} of {ty}{infinite}, expected a number")))
}

/// The names of the weights that a node is made of.
fn weights_of(graph: &Graph, id: NodeId) -> Vec<String> {
    let weights = graph.needed([id]).into_iter().filter(|&id| matches!(graph.node(id).op, Op::Weight(_)));
    weights.map(|id| format!("`{}`", graph.text_name(id))).collect()
}

/// Weights that are named in an error.
const NAMED: usize = 4;

impl Slot<'_> {
    /// Writes row-major values; padding stays zero.
    fn write(self, values: &[f64]) {
        let (dtype, size) = (self.dtype, self.dtype.bytes());
        match self.layout {
            Layout::Dense => {
                let elements = self.bytes.chunks_exact_mut(size).zip(values);
                elements.for_each(|(to, &value)| values::put(dtype, value, to));
            }
            Layout::Panels { rows, cols, width } => {
                for (panel, block) in self.bytes.chunks_exact_mut(rows * width * size).enumerate() {
                    let left = panel * width;
                    for (row, line) in block.chunks_exact_mut(width * size).enumerate() {
                        let line = line.chunks_exact_mut(size).zip(&values[row * cols + left..(row + 1) * cols]);
                        line.for_each(|(to, &value)| values::put(dtype, value, to));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{self, Trace};
    use regard_ir::{target::Target, types::TensorType};
    use std::ops::Range;

    /// Weights whose elements are all the same, by name.
    struct Same(&'static [(&'static str, f32)]);

    impl Weights for Same {
        fn describe(&self) -> String {
            "weights of a test".into()
        }
        fn check(&self, _: &Graph) -> Result<()> {
            Ok(())
        }
        fn floats(&self, name: &str, _: &TensorType, range: Range<usize>) -> Result<Vec<f32>> {
            let value = self.0.iter().find(|(other, _)| *other == name).map_or(1.0, |(_, value)| *value);
            Ok(vec![value; range.len()])
        }
        fn values(&self, name: &str, ty: &TensorType, range: Range<usize>) -> Result<Vec<f64>> {
            Ok(self.floats(name, ty, range)?.into_iter().map(f64::from).collect())
        }
    }

    fn refusal(values: &'static [(&'static str, f32)]) -> String {
        let text = "graph g {
            %x = input : f32[2, 4]
            %scale = weight : f32[4]
            %var = weight : f32[4]
            %positive = add %var, 1e-5
            %root = rsqrt %positive
            %factor = mul %scale, %root
            %y = mul %x, %factor
            return %y
        }";
        let graph: Graph = text.parse().expect("it can be read");
        let target = Target::named("x86-64-v3").expect("it is a row");
        let program = pipeline::kernels(&graph, target, &mut Trace::new()).expect("it compiles");
        match bind(&program, &Same(values)) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn constants_that_are_nan_name_their_weights() {
        assert_eq!(refusal(&[]), "");
        assert_eq!(
            refusal(&[("var", -1.0)]),
            "rsqrt of weight `var` is NaN at position 0 of f32[4], expected a number"
        );
        assert_eq!(
            refusal(&[("var", f32::INFINITY), ("scale", f32::INFINITY)]),
            "mul of weights `var` and `scale` is NaN at position 0 of f32[4], of operands that hold infinities, \
             expected a number"
        );
    }
}
