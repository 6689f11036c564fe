//! Whether the reference fits: it holds whole tensors in f64, where a compiled program holds tiles.
//!
//! ```text
//!   needed = 8 bytes · max over nodes  Σ elements of the tensors alive there      attention holds its scores, too
//! ```
//!
//! A system that promises memory it does not have ends a process without a word, so the question is asked before.

use crate::{
    errors::{Error, Result},
    units,
};
use regard_ir::{
    graph::{Graph, Node, NodeId},
    ops::Op,
    text::NodeText,
};
use std::fs;

/// Bytes of an element of the reference.
const ELEMENT: u64 = 8;

/// Most elements of one tensor of the reference: 16 GiB, more than is evaluated in minutes.
const MOST: u64 = i32::MAX as u64;

/// Says so where the graph in f64 has no room: one tensor is too large, or all that is held at once takes more than half
/// of the free memory.
///
/// # Errors
/// Where that is so.
pub(crate) fn for_reference(graph: &Graph) -> Result<()> {
    let found = |id: NodeId| NodeText(graph, id).to_string();
    let rest = "expected smaller sizes, for which kernels are the same; show, compile, run and bench store no scores";
    for (id, node) in graph.nodes.iter() {
        let elements = scores(graph, node).max(node.ty.elements() as u64);
        if elements > MOST {
            let text = found(id);
            return Err(Error::Failed(format!(
                "`{text}`: the reference would hold {elements} elements in f64, {}: {rest}",
                units::bytes(elements.saturating_mul(ELEMENT))
            )));
        }
    }
    match (free_bytes(), most_held(graph)) {
        (Some(free), Some((id, needed))) if needed > free / 2 => {
            let (needed, free, text) = (units::bytes(needed), units::bytes(free), found(id));
            Err(Error::Failed(format!(
                "`{text}`: the reference would hold {needed} of the {free} that are free: {rest}"
            )))
        }
        _ => Ok(()),
    }
}

/// Where an evaluation holds most, and how many bytes.
fn most_held(graph: &Graph) -> Option<(NodeId, u64)> {
    let mut readers = graph.use_counts();
    let mut held = 0u64;
    let mut most: Option<(NodeId, u64)> = None;
    for (id, node) in graph.nodes.iter() {
        held = held.saturating_add(ELEMENT.saturating_mul(node.ty.elements() as u64));
        let here = held.saturating_add(ELEMENT.saturating_mul(scores(graph, node)));
        if most.is_none_or(|(_, bytes)| bytes < here) {
            most = Some((id, here));
        }
        for &operand in &node.operands {
            readers[operand] -= 1;
            if readers[operand] == 0 {
                held -= ELEMENT.saturating_mul(graph.ty(operand).elements() as u64).min(held);
            }
        }
    }
    most
}

/// Elements that an op holds beside its operands and result.
fn scores(graph: &Graph, node: &Node) -> u64 {
    let Op::Attention(_) = node.op else { return 0 };
    let keys = graph.ty(node.operands[1]);
    let dim = node.ty.shape.last().copied().unwrap_or(1).max(1);
    (node.ty.elements() / dim) as u64 * keys.shape[keys.rank() - 2] as u64
}

/// Memory that the system could still give, where it says so.
fn free_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;
    use regard_ir::text;

    #[test]
    fn scores_of_attention_are_counted_though_no_node_holds_them() {
        let graph = text::parse(
            "graph long {
  %q = input : f32[4, 4096, 8]
  %k = input : f32[4, 2048, 8]
  %v = input : f32[4, 2048, 16]
  %y = attention %q, %k, %v { scale = 1.0 }
  return %y
}
",
        );
        let graph = graph.expect("it is a graph");
        let (node, bytes) = most_held(&graph).expect("it has nodes");
        let elements = 4 * (4096 * 8 + 2048 * 8 + 2048 * 16 + 4096 * 16) + 4 * 4096 * 2048;
        assert_eq!((graph.text_name(node).as_str(), bytes), ("y", 8 * elements));
    }

    #[test]
    fn scores_that_no_reference_holds_are_refused_in_one_sentence() {
        let graph = text::parse(
            "graph limit {
  %q = input : f32[16, 11586, 64]
  %y = attention %q, %q, %q { scale = 0.125 }
  return %y
}
",
        );
        let error = for_reference(&graph.expect("it is a graph")).expect_err("it does not fit").to_string();
        assert!(error.contains("attention %q, %q, %q") && error.contains("2147766336 elements"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}
