//! Near ties: results of top-k and argmax that differ from the reference because two scores are equal to within 1e-5.
//!
//! ```text
//!   program, its choices as further outputs ──▶ found, choices
//!   graph with these choices in place ──▶ expected; and at each choice what the reference would have chosen:
//!       score_gap = logit of its choice − logit of the one made, of the largest logit        a near tie below 10⁻⁵
//! ```
//!
//! A choice is a jump: two logits whose order depends on the last bit give quite other values after them, and
//! neither is wrong. So where outputs differ, choices are compared first, and the rest is compared on the choice made.

use crate::{
    check::{Job, TOLERANCE},
    errors::{Error, Result},
    weights::leaf,
};
use regard_ir::{
    graph::{Graph, Node, NodeId, Tensor, eval, eval_nodes},
    ops::{Input, Op},
    text,
};

/// A job done again, with the choices that the program made.
pub(crate) struct TieReport {
    /// Choices that the reference would have made otherwise: name, and how much it prefers its own.
    pub others: Vec<(String, f64)>,
    /// The program's outputs.
    pub found: Vec<Vec<f64>>,
    /// What the reference makes of the program's choices.
    pub expected: Vec<Vec<f64>>,
}

impl TieReport {
    /// Whether the reference hardly prefers its own choices.
    pub(crate) fn is_near(&self) -> bool {
        self.others.iter().all(|(_, score_gap)| *score_gap < TOLERANCE)
    }
}

/// Compiles a graph and runs it on inputs.
pub(crate) type Run<'a> = dyn FnMut(&Graph, &[Vec<f64>]) -> Result<Vec<Vec<f64>>> + 'a;

/// Whether the op chooses by size what other values are made of.
pub(crate) fn is_route(op: &Op) -> bool {
    matches!(op, Op::Route(_) | Op::TopK(_))
}

/// Whether the op chooses by size: regions, or the classes of pixels.
pub(crate) fn is_choice(op: &Op) -> bool {
    is_route(op) || matches!(op, Op::Argmax(_))
}

/// Runs a job with the choices of some ops as further outputs and evaluates the reference on them; `None` where nothing is chosen,
/// or every choice is the reference's own.
///
/// # Errors
/// Where the graph cannot be compiled, run or evaluated.
pub(crate) fn rerun_with_choices(
    job: &Job,
    of: fn(&Op) -> bool,
    inputs: &[Vec<f64>],
    run: &mut Run,
) -> Result<Option<TieReport>> {
    let nodes = job.graph.nodes.iter().filter(|(_, node)| of(&node.op));
    let choices: Vec<NodeId> = nodes.map(|(id, _)| id).collect();
    if choices.is_empty() {
        return Ok(None);
    }
    let wanted = job.graph.outputs.len();
    let mut tapped = job.graph.clone();
    tapped.outputs.extend(&choices);
    let mut found = run(&tapped, inputs)?;
    let made = found.split_off(wanted);
    let mut fixed = job.graph.clone();
    for &choice in &choices {
        let node = &mut fixed.nodes[choice];
        node.op = Input { ty: node.ty.clone() }.into();
        node.operands.clear();
    }
    let ports = job.graph.inputs();
    let given = |id: NodeId, _: &Node| {
        let made = || choices.iter().position(|&c| c == id).map(|i| made[i].clone());
        ports.iter().position(|&input| input == id).map(|i| inputs[i].clone()).or_else(made)
    };
    let read: Vec<NodeId> = choices.iter().flat_map(|&c| job.graph.nodes[c].operands.clone()).collect();
    let asked = [&job.graph.outputs[..], &read].concat();
    let values = eval_nodes(&fixed, &asked, &mut leaf(&fixed, job.weights, given))?;
    let (outputs, read) = values.split_at(wanted);
    let mut read = read;
    let mut others = Vec::new();
    for (&choice, made) in choices.iter().zip(&made) {
        let node = &job.graph.nodes[choice];
        let (operands, rest) = read.split_at(node.operands.len());
        read = rest;
        let score_gap = score_gap(node, operands, made)?;
        if score_gap > 0.0 {
            others.push((job.graph.names().of(choice).to_owned(), score_gap));
        }
    }
    let expected = outputs.iter().map(|tensor| tensor.data.clone()).collect();
    Ok((!others.is_empty()).then_some(TieReport { others, found, expected }))
}

/// How much larger the logits of the reference's choices are than those of the choices made, at most and relative to
/// the largest logit; rank by rank.
fn score_gap(node: &Node, operands: &[Tensor], made: &[f64]) -> Result<f64> {
    let failed = |message: String| Error::Failed(format!("{}: {message}", node.op.name()));
    let expected = node.op.eval(&operands.iter().collect::<Vec<_>>(), &node.ty).map_err(failed)?;
    let logits = logits(node, operands)?;
    let axis = match &node.op {
        Op::Argmax(argmax) => node.ty.axis(argmax.axis).map_err(failed)?,
        _ => node.ty.rank() - 1,
    };
    let (n, k) = (logits.ty.shape[axis], node.ty.shape[axis]);
    let inner: usize = node.ty.shape[axis + 1..].iter().product();
    let largest = logits.data.iter().fold(f64::MIN_POSITIVE, |largest, x| largest.max(x.abs()));
    let mut score_gap = 0.0f64;
    for (at, (expected, made)) in expected.data.iter().zip(made).enumerate() {
        let (line, column) = (at / (k * inner), at % inner);
        let logit = |place: f64| {
            let place = place as usize;
            if place < n { logits.data[(line * n + place) * inner + column] } else { f64::NEG_INFINITY }
        };
        score_gap = score_gap.max((logit(*expected) - logit(*made)) / largest);
    }
    Ok(score_gap)
}

/// What a node chooses by.
fn logits(node: &Node, operands: &[Tensor]) -> Result<Tensor> {
    if matches!(node.op, Op::TopK(_) | Op::Argmax(_)) {
        return Ok(operands[0].clone());
    }
    let types: Vec<_> = operands.iter().map(|tensor| &tensor.ty).collect();
    let broken = || Error::Failed(format!("{} has no logits", node.op.name()));
    let mut definition = node.op.definition(&types).and_then(|text| text::parse(&text).ok()).ok_or_else(broken)?;
    definition.outputs = vec![definition.labelled("logits").ok_or_else(broken)?];
    let inputs = definition.inputs();
    let operand = |id| inputs.iter().position(|&input| input == id).expect("leaves of a definition are its inputs");
    let values = eval(&definition, &mut |id, _| Ok(operands[operand(id)].clone()))?;
    values.into_iter().next().ok_or_else(broken)
}

/// The relative errors of a report job's outputs.
pub(crate) fn errors(report: &TieReport) -> Vec<f64> {
    report.found.iter().zip(&report.expected).map(|(f, e)| crate::values::relative_error(f, e)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Device;
    use regard_ir::{
        graph::Builder,
        ops::{Argmax, TopK},
        types::TensorType,
    };

    /// Logits that differ by a last bit of f32, or by a lot.
    fn graph() -> Graph {
        let mut b = Builder::new("tie");
        let x = b.input("x", TensorType::f32([1, 2]));
        let chosen = b.push(TopK { k: 1 }, &[x]);
        let table = b.weight("t", TensorType::f32([2, 3]));
        let rows = b.gather(table, chosen);
        b.finish(&[rows])
    }

    /// A job of which only what the program gave is known.
    fn report(graph: &Graph, x: &[f64], found: Vec<Vec<f64>>) -> Option<TieReport> {
        let weights = crate::weights::Synthetic::new(0);
        let target = crate::pipeline::executable_target(None).unwrap();
        let job = Job { graph, weights: &weights, compile_options: target.into(), device: Device::Cpu, threads: 1 };
        rerun_with_choices(&job, is_choice, &[x.to_vec()], &mut |_, _| Ok(found.clone())).unwrap()
    }

    #[test]
    fn choices_between_equals_are_near_ties() {
        let graph = graph();
        let report = |x: [f64; 2]| report(&graph, &x, vec![vec![0.5; 3], vec![0.0]]);
        assert!(report([2.0, 1.0]).is_none());
        let near = report([1.0, 1.0 + 1e-7]).unwrap();
        assert!(near.is_near() && near.others.len() == 1);
        assert!(!report([1.0, 1.1]).unwrap().is_near());
        // The reference goes on with the choice that was made.
        let first = crate::models::synthetic::parameter("t", &[2, 3], 0)[..3].to_vec();
        let first: Vec<f64> = first.into_iter().map(f64::from).collect();
        assert_eq!(near.expected, [first]);
    }

    /// Three classes of two pixels, chosen across the first axis.
    #[test]
    fn classes_of_pixels_are_choices_too() {
        let mut b = Builder::new("classes");
        let x = b.input("x", TensorType::f32([3, 2]));
        let y = b.push(Argmax { axis: -2 }, &[x]);
        let graph = b.finish(&[y]);
        let report = |x: [f64; 6], made: [f64; 2]| report(&graph, &x, vec![made.to_vec(); 2]);
        let maps = [1.0, 0.5, 0.0, 0.5 + 1e-7, 0.2, 0.1];
        assert!(report(maps, [0.0, 1.0]).is_none());
        let near = report(maps, [0.0, 0.0]).unwrap();
        assert!(near.is_near() && errors(&near) == [0.0]);
        assert!(!report(maps, [0.0, 2.0]).unwrap().is_near());
        assert!(!report(maps, [1.0, 1.0]).unwrap().is_near());
    }
}
