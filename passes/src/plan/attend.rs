//! Attention as one group: scores with all that stands between them and the softmax, values, epilogue.
//!
//! ```text
//!   q ─┐
//!   k ─┴ scores ─▶ scale, bias, mask ─▶ attend ─▶ epilogue        scores and mask are expressions, never stored
//!                                 v ──────┘
//! ```
//!
//! A mask that is made of positions excludes tiles of keys as a whole; where it excludes enough of them, the kernel asks
//! for each tile whether any query may see it.

use super::{
    Planner,
    bounds::Mask,
    expr::FusedExpr,
    expr_builder::{ExprBuilder, MustMaterialize},
};
use regard_ir::{graph::NodeId, ops::Op, view::View};

/// `y = softmax_keys(scores)·v + softmax_queries(scores)·u`, or one of the two, for each of `batch` heads.
#[derive(Clone, Debug)]
pub struct Attend {
    /// Heads, windows and images together.
    pub batch: usize,
    /// Queries per head.
    pub queries: usize,
    /// Keys per head.
    pub keys: usize,
    /// Length of a value.
    pub value_dim: usize,
    /// Queries and keys, where the scores are q·k.
    pub products: Option<Box<Keys>>,
    /// Scores over `[batch, queries, keys]`; the anchor is q·k.
    pub scores: FusedExpr,
    /// The share of tiles of scores that a mask of positions leaves, where keys are passed over for it.
    pub seen: Option<f64>,
    /// What a softmax over keys weighs, over `[batch, keys, value_dim]`.
    pub values: Option<FusedExpr>,
    /// What a softmax over queries weighs, likewise.
    pub inverse_values: Option<FusedExpr>,
    /// What happens to each element, over `[batch, queries, value_dim]`.
    pub epilogue: FusedExpr,
    /// From `[batch, queries, value_dim]` to the root's elements.
    pub store: View,
}

impl Attend {
    /// Which softmax there is: `attend` over keys, `inverse` over queries, or `bidirectional`.
    pub fn name(&self) -> &'static str {
        match (&self.values, &self.inverse_values) {
            (Some(_), Some(_)) => "bidirectional",
            (None, _) => "inverse",
            _ => "attend",
        }
    }
    /// What is read and finished, in order.
    pub(crate) fn exprs(&self) -> Vec<&FusedExpr> {
        let values = self.values.iter().chain(&self.inverse_values);
        let products = self.products.iter().flat_map(|p| [&p.queries, &p.keys]);
        [&self.scores].into_iter().chain(values).chain([&self.epilogue]).chain(products).collect()
    }
}

/// The two operands of `scores`.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Length of a query and of a key.
    pub dim: usize,
    /// Queries over `[batch, queries, dim]`.
    pub queries: FusedExpr,
    /// Keys over `[batch, keys, dim]`.
    pub keys: FusedExpr,
}

/// Fewest keys of an attention that passes over tiles of them which a mask of positions excludes.
const MANY_KEYS: usize = 256;
impl Planner<'_> {
    pub(super) fn attend(&self, anchor: NodeId) -> Result<Attend, MustMaterialize> {
        let node = &self.graph.nodes[anchor];
        let scores = node.operands[0];
        let rank = node.ty.rank();
        let (queries, value_dim) = (node.ty.shape[rank - 2], node.ty.shape[rank - 1]);
        let keys = *self.graph.ty(scores).shape.last().expect("scores have a key axis");
        let batch_shape = &node.ty.shape[..rank - 2];
        let batch: usize = batch_shape.iter().product();
        let reader = |operand: NodeId, last: [usize; 2]| {
            let space = [batch, last[0], last[1]];
            self.reader(operand, self.spread(operand, batch_shape, last, &space)?, &space)
        };
        let alone = matches!(&node.op, Op::Attend(attend) if attend.axis == -2);
        let partner = self.partners.get(&anchor);
        let space = [batch, queries, keys];
        let view = self.spread(scores, batch_shape, [queries, keys], &space)?;
        let context = self.context();
        let mut builder = ExprBuilder::new(&context, &space, None).computing_positions(keys >= MANY_KEYS);
        let mut products = None;
        if let Some(&product) = self.scores.get(&anchor) {
            let [q, k] = self.graph.nodes[product].operands[..] else { return Err(MustMaterialize(product)) };
            let dim = *self.graph.ty(q).shape.last().expect("queries have a last axis");
            products = Some(Box::new(Keys { dim, queries: reader(q, [queries, dim])?, keys: reader(k, [keys, dim])? }));
            builder.anchor(product, view.clone());
        }
        let root = builder.build(scores, view)?;
        if let Some(reduced) = builder.reduction_below(root) {
            // What a small reduction is made into is computed per score; a large one keeps the scores in memory.
            const SMALL: usize = 8;
            let small = self.graph.ty(reduced).elements() * SMALL <= self.graph.ty(scores).elements();
            return Err(MustMaterialize(if small { reduced } else { scores }));
        }
        let scores = builder.finish(root);
        let seen = if keys < MANY_KEYS || alone || partner.is_some() { None } else { self.seen(&scores) };
        let space = [batch, keys, value_dim];
        let weighed = |attend: NodeId, factors: Vec<NodeId>| {
            let values = self.graph.nodes[attend].operands[1];
            self.scaled_reader(values, self.spread(values, batch_shape, [keys, value_dim], &space)?, &space, &factors)
        };
        let factors = |inverse: bool| partner.map_or(Vec::new(), |partner| partner.factors(inverse));
        let values = if alone { None } else { Some(weighed(anchor, factors(false))?) };
        let inverse = if alone { Some(anchor) } else { partner.map(|partner| partner.inverse) };
        let inverse_values = inverse.map(|inverse| weighed(inverse, factors(true))).transpose()?;
        let (epilogue, store) = self.epilogue(anchor, &[batch, queries, value_dim])?;
        Ok(Attend { batch, queries, keys, value_dim, products, scores, seen, values, inverse_values, epilogue, store })
    }

    /// The share of tiles that a mask of positions leaves, where passing over the others is worth asking for each.
    fn seen(&self, scores: &FusedExpr) -> Option<f64> {
        const USUAL_QUERIES: usize = 14;
        const MOST_SEEN: f64 = 0.9;
        let share = Mask::of(scores)?.share([USUAL_QUERIES, 2 * self.lanes]);
        (share <= MOST_SEEN).then_some(share)
    }
}
