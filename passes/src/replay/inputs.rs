//! Inputs that are hard on equations.
//!
//! | kind | floats | what it catches |
//! |---|---|---|
//! | random | −1…1 | wrong operands, axes, indices |
//! | large | ±10⁴ | a softmax without its maximum, differences that cancel |
//! | zeros | 0 | quotients, a norm of a constant row |
//! | ties | −1, 0 or 1, and rows that are all alike | an order among equals, comparisons |
//! | masked | −1…1, a third −∞, every third row all of it | a blind row that is no longer zeros |
//! | lowest | the same with the lowest f32 | a mask added twice |
//!
//! Every kind is given to every leaf, whether a mask belongs there or not: an equation is held to its word only where
//! the side that was written has a value, so a product of −∞ claims nothing, and a row of scores of −∞ does.

use crate::memory::is_half;
use regard_ir::{
    graph::{Graph, Node, NodeId, Tensor},
    random::Random,
    types::DType,
};

/// A kind of inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the table above says it
pub enum Kind {
    Random,
    Large,
    Zeros,
    Ties,
    Masked,
    Lowest,
}

impl Kind {
    /// All, plain ones first.
    pub(crate) const ALL: [Kind; 6] = [Kind::Random, Kind::Masked, Kind::Large, Kind::Ties, Kind::Zeros, Kind::Lowest];

    /// The name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Random => "random",
            Kind::Large => "large",
            Kind::Zeros => "zeros",
            Kind::Ties => "ties",
            Kind::Masked => "masked",
            Kind::Lowest => "lowest",
        }
    }

    /// The value of a leaf: a function of its label and type, rounded to half where the type is. Integers are valid indices wherever the graph gathers by
    /// them.
    pub fn leaf(self, graph: &Graph, id: NodeId, node: &Node) -> Tensor {
        let label = node.label.as_deref().unwrap_or_default();
        let seed =
            label.bytes().fold(self as u64 + 1, |seed, byte| seed.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte));
        let mut random = Random::new(seed);
        match node.ty.dtype {
            DType::Bool => Tensor::from_fn(node.ty.clone(), |_| self.truth(&mut random)),
            DType::I32 => {
                let bound = graph.index_bound(id);
                Tensor::from_fn(node.ty.clone(), |_| self.index(bound, &mut random))
            }
            _ => {
                let row = node.ty.shape.last().copied().unwrap_or(1);
                let held = |x: f64| if is_half(node.ty.dtype) { node.ty.dtype.round(x) } else { x };
                Tensor::from_fn(node.ty.clone(), |i| held(self.float(i / row, &mut random)))
            }
        }
    }

    fn truth(self, random: &mut Random) -> f64 {
        match self {
            Kind::Zeros => 0.0,
            _ => random.below(2) as f64,
        }
    }

    fn index(self, bound: usize, random: &mut Random) -> f64 {
        match self {
            Kind::Zeros => 0.0,
            Kind::Large => (bound - 1) as f64,
            Kind::Ties => random.below(bound.min(2)) as f64,
            _ => random.below(bound) as f64,
        }
    }

    fn float(self, row: usize, random: &mut Random) -> f64 {
        let unit = random.below(1 << 24) as f64 / f64::from(1 << 23) - 1.0;
        let hidden = row % 3 == 2 || random.below(3) == 0;
        match self {
            Kind::Random => unit,
            Kind::Large => 1e4 * unit,
            Kind::Zeros => 0.0,
            Kind::Ties if row % 3 == 2 => 1.0,
            Kind::Ties => random.below(3) as f64 - 1.0,
            Kind::Masked if hidden => f64::NEG_INFINITY,
            Kind::Lowest if hidden => f64::from(f32::MIN),
            Kind::Masked | Kind::Lowest => unit,
        }
    }
}
