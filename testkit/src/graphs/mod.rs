//! Random valid graphs.
//!
//! A graph grows node by node: draw an op, draw operands among the nodes that exist, keep the node if the op accepts
//! them. Each node carries a range that holds all its values, computed by interval arithmetic; a
//! node whose range would leave ±64, or come near a pole, is not kept. So values stay tame whatever the depth, and two
//! implementations can be compared with a tolerance:
//!
//! ```text
//!   x ∈ [−1, 1]   y = x·x ∈ [−1, 1]   z = exp y ∈ [0.36, 2.72]   log z: fine   log y: not kept
//! ```
//!
//! The seed alone decides; dimensions are small, tensors have at most 600 elements.

mod draw;
mod maps;
mod range;

use draw::Grower;
use regard_ir::{
    graph::{Graph, NodeId, Tensor},
    ops::{BinaryOp, Op, UnaryOp},
    random::Random,
    types::{DType, TensorType},
};

/// A graph with any op and element type.
pub fn any(seed: u64) -> Graph {
    grow(seed, |_, _| true)
}

/// A graph of f32, i32 and bool without jumps: no rounding, comparison or truncation of real numbers, so that
/// computing in less precision changes values little. Comparisons of integers stay.
pub fn smooth(seed: u64) -> Graph {
    grow(seed, |op, operands| {
        let real = operands.iter().any(|ty| ty.dtype.is_float());
        let narrow = |ty: &TensorType| matches!(ty.dtype, DType::Bf16 | DType::F16);
        let jumps = match op {
            Op::Unary(u) => matches!(u.op, UnaryOp::Floor | UnaryOp::Round),
            Op::Binary(b) => matches!(b.op, BinaryOp::Lt | BinaryOp::Le | BinaryOp::Eq),
            Op::Cast(c) => !c.to.is_float(),
            _ => false,
        };
        let ty = op.infer(operands);
        !(real && jumps || operands.iter().any(|ty| narrow(ty)) || ty.is_ok_and(|ty| narrow(&ty)))
    })
}

/// Values for an input or weight of a random graph: multiples of 1/64 in −1…1, integers 0…3, truth values.
pub fn leaf(seed: u64, node: NodeId, ty: &TensorType) -> Tensor {
    let mut random = Random::new(seed ^ 0x6c65_6166 ^ (regard_ir::id::Id::index(node) as u64) << 32);
    Tensor::from_fn(ty.clone(), |_| match ty.dtype {
        DType::I32 => random.below(4) as f64,
        DType::Bool => random.below(2) as f64,
        _ => random.below(129) as f64 / 64.0 - 1.0,
    })
}

fn grow(seed: u64, allow: fn(&Op, &[&TensorType]) -> bool) -> Graph {
    let mut grower = Grower::new(seed, allow);
    let nodes = 6 + grower.random.below(24);
    let mut tries = 0;
    while grower.graph.nodes.len() < nodes && tries < 40 * nodes {
        tries += 1;
        grower.step();
    }
    grower.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use regard_ir::{
        graph::{eval, eval_nodes},
        id::Id,
    };
    use std::collections::BTreeMap;

    #[test]
    fn values_stay_tame() {
        for seed in 0..600 {
            let graph = any(seed);
            let all: Vec<NodeId> = graph.nodes.ids().collect();
            let values = eval_nodes(&graph, &all, &mut |id, node| Ok(leaf(seed, id, &node.ty)))
                .expect("a valid graph has values");
            for (id, value) in all.iter().zip(&values) {
                assert!(value.data.iter().all(|x| x.abs() <= 64.0), "{seed} {id} of\n{graph}");
                assert!(value.data.len() <= draw::MOST_ELEMENTS, "{seed} {id} of\n{graph}");
            }
        }
    }

    #[test]
    fn every_op_and_type_occurs() {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for seed in 0..1500 {
            for node in any(seed).nodes.values() {
                *seen.entry(node.op.name().to_string()).or_default() += 1;
                *seen.entry(node.ty.dtype.name().to_string()).or_default() += 1;
            }
        }
        let families = "input weight const iota select cast matmul reduce gather \
                        reshape transpose expand slice pad roll concat view \
                        softmax layer_norm gelu attention scores attend f32 bf16 f16 i32 bool";
        let members = UnaryOp::ALL.iter().map(|o| o.1).chain(BinaryOp::ALL.iter().map(|o| o.1));
        let missing: Vec<&str> =
            families.split_whitespace().chain(members).filter(|n| !seen.contains_key(*n)).collect();
        assert!(missing.is_empty(), "{missing:?} of {seen:?}");
    }

    #[test]
    fn smooth_graphs_have_no_jumps_and_seeds_decide() {
        for seed in 0..200 {
            let graph = smooth(seed);
            assert_eq!(graph, smooth(seed));
            let narrow = |n: &&regard_ir::graph::Node| matches!(n.ty.dtype, DType::Bf16 | DType::F16);
            assert_eq!(graph.nodes.values().filter(narrow).count(), 0, "{graph}");
        }
        assert_ne!(any(1), any(2));
    }

    /// The value of a composite is the value of its definition.
    #[test]
    fn composites_are_their_definitions() {
        let mut met: BTreeMap<&str, usize> = BTreeMap::new();
        for seed in 0..1500 {
            let graph = any(seed);
            for (id, node) in graph.nodes.iter() {
                let Some(text) = node.op.definition(&graph.operand_types(id)) else { continue };
                *met.entry(node.op.name()).or_default() += 1;
                let operand = |i: usize| leaf(seed, NodeId::new(1000 + i), graph.ty(node.operands[i]));
                let operands: Vec<Tensor> = (0..node.operands.len()).map(operand).collect();
                let value =
                    node.op.eval(&operands.iter().collect::<Vec<_>>(), &node.ty).expect("a composite has a value");
                let definition =
                    regard_ir::text::parse(&text).unwrap_or_else(|e| panic!("{}", e.render(&text, "definition")));
                let inputs = definition.inputs();
                let given =
                    |id: NodeId| inputs.iter().position(|&i| i == id).expect("leaves of a definition are inputs");
                let defined =
                    eval(&definition, &mut |id, _| Ok(operands[given(id)].clone())).expect("a definition has values");
                assert_eq!((defined.len(), &defined[0].ty), (1, &value.ty), "{text}");
                for (x, y) in value.data.iter().zip(&defined[0].data) {
                    assert!((x - y).abs() <= 1e-12 * x.abs().max(1.0), "{x} {y} {}\n{text}", node.op.name());
                }
            }
        }
        let composites = ["matmul", "softmax", "layer_norm", "gelu", "attention", "scores", "attend"];
        assert!(composites.iter().all(|c| met.get(c).is_some_and(|&n| n >= 20)), "{met:?}");
    }
}
