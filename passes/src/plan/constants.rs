//! Constants: which of them are computed once, when weights are bound, and which wherever they are read.
//!
//! ```text
//!   bias[h, i, j] = table[index[i, j], h]         a gather of weights: once, and kept in memory where it fits a cache
//!   mask[i, j] = select(i − j < 256, 0, −∞)       4096² elements of three operations each: in the kernel
//! ```
//!
//! What only moves another constant is that constant, read elsewhere. What a kernel can compute is worth its memory
//! where it is small, where it is smaller than what it is made of, or where it takes more operations than reading it
//! from a cache takes time. Many positions ([`Op::Iota`]) are what a kernel loops by, and are not read.

use crate::canonical::{is_costly, is_pointwise};
use regard_ir::{
    graph::{Graph, NodeId},
    id::IdVec,
    ops::Op,
    types::DType,
};

/// What is known of each constant.
pub(crate) struct Constants {
    /// Whether it lies in memory, if it is constant at all.
    folds: IdVec<NodeId, bool>,
    /// Whether it is made of positions and numbers only.
    positions: IdVec<NodeId, bool>,
}

/// How a reader has a constant that does not lie in memory.
#[derive(Clone, Copy, Default)]
struct Made {
    /// Elements in memory that it is made of.
    memory: usize,
    /// Operations for each element.
    operations: usize,
}

impl Constants {
    /// Looks at each node once, operands first.
    pub(crate) fn of(graph: &Graph) -> Self {
        let mut made: IdVec<NodeId, Made> = IdVec::new();
        let mut all = Self { folds: IdVec::new(), positions: IdVec::new() };
        for (_, node) in graph.nodes.iter() {
            let below = node.operands.iter().fold(Made::default(), |sum, &operand| Made {
                memory: sum.memory.saturating_add(made[operand].memory),
                operations: sum.operations.saturating_add(made[operand].operations),
            });
            let elements = node.ty.elements();
            let of_positions = node.operands.iter().all(|&operand| all.positions[operand]);
            let counted = matches!(node.ty.dtype, DType::I32 | DType::F32);
            let (folds, positions, here) = match &node.op {
                Op::ViewOp(_) => (false, of_positions, below),
                Op::Iota(_) if counted => (elements <= SMALL, true, below),
                Op::Const(_) => (elements <= SMALL, true, below),
                op if is_pointwise(op) => {
                    let own = if is_costly(op) { COSTLY } else { 1 };
                    let here = Made { operations: below.operations.saturating_add(own), ..below };
                    (is_worth_memory(elements, here), of_positions, here)
                }
                // A reader can gather, too, if slowly: what is larger than any cache it does.
                Op::Gather(_) => (elements <= below.memory.max(LARGEST), false, below),
                _ => (true, false, Made { memory: elements, operations: 0 }),
            };
            let in_memory = folds && !matches!(node.op, Op::Const(_) | Op::Iota(_));
            made.push(if in_memory { Made { memory: elements, operations: 0 } } else { here });
            all.folds.push(folds);
            all.positions.push(positions);
        }
        all
    }

    /// Whether a constant is made of positions and numbers only.
    pub(crate) fn of_positions(&self, id: NodeId) -> bool {
        self.positions[id]
    }

    /// Whether a constant is read from memory; `computes` says that the reader would rather compute what is made of
    /// positions.
    pub(crate) fn folds(&self, id: NodeId, computes: bool) -> bool {
        self.folds[id] && !(computes && self.positions[id])
    }
}

/// Operations that an exponential or the like counts as.
const COSTLY: usize = 16;
/// Elements that are always worth their memory.
const SMALL: usize = 1 << 15;
/// Most elements of a constant that a reader could make: 16 MiB.
const LARGEST: usize = 1 << 22;

/// Whether a constant of so many elements is worth its memory.
fn is_worth_memory(elements: usize, made: Made) -> bool {
    const LARGE: usize = 1 << 18;
    const CHEAP: usize = 3;
    const DEAR: usize = 8;
    let most = match made.operations {
        0..CHEAP => SMALL,
        CHEAP..DEAR => LARGE,
        _ => LARGEST,
    };
    elements <= made.memory.max(most)
}
