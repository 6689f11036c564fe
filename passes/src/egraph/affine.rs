//! Factors and terms of weights, one after the other, are one factor and one term.
//!
//! ```text
//!   (x − m) · r · g + b      =  x · (r·g) + (b − m·(r·g))          a batch norm in pieces, r = 1/√(v + ε)
//!   (x − m) / √(v + ε) · g   =  x · (g/√(v + ε)) − m · (g/√(v + ε))
//! ```
//!
//! Rules say so, too, one step at a time; an e-graph then holds all orders of the pieces, beside everything else that is true
//! of each. Arithmetic on weights is computed once, whatever it is, so there is nothing to choose: chains of pointwise nodes
//! with constants that one view spreads become the least that computes the same, and both constants are leaves to what follows.
//! Chains that are as short already are left alone; so are numbers, which rules compute with.
//!
//! Folding the factor on into the weights of a product is left to rules: it takes two terms there, and whether half weights
//! should become a computed constant of f32 is a matter of cost.

use super::view_queries;
use crate::{
    error::Error,
    step::{RewriteStep, Steps},
};
use regard_ir::{
    graph::{Graph, NodeId, NodeMap, Rewriter},
    id::IdVec,
    ops::{Binary, BinaryOp, Input, Op, Unary, UnaryOp, ViewOp, Weight},
    view::View,
};

/// The name of its steps.
const RULE: &str = "fold-weights";

/// What folding gives.
pub(crate) struct Folded {
    /// The graph.
    pub graph: Graph,
    /// Where each node went.
    pub map: NodeMap,
    /// What became of each chain, each kind once.
    pub steps: Vec<RewriteStep>,
}

/// A node as x·factor + term.
#[derive(Clone)]
struct Affine {
    /// x.
    base: NodeId,
    /// Nodes between x and the node, itself included.
    length: usize,
    /// The shape of factor and term, and the view that spreads them.
    shape: Vec<usize>,
    map: View,
    factor: Option<NodeId>,
    term: Option<NodeId>,
}

/// One node of a chain: what it does with the constant that a view spreads.
struct Link {
    op: BinaryOp,
    /// The node that goes on from here, the constant before its view, and the view.
    operand: NodeId,
    constant: NodeId,
    map: View,
}

/// The graph with every chain as short as it can be. Labels move along.
pub(crate) fn fold(graph: &Graph) -> Result<Folded, Error> {
    let (uses, constant) = (graph.use_counts(), graph.constants());
    let is_output = graph.are_outputs();
    let links: IdVec<NodeId, Option<Link>> = graph.nodes.ids().map(|id| link(graph, &constant, id)).collect();
    let mut chains: IdVec<NodeId, Option<Affine>> = IdVec::new();
    let mut rewriter = Rewriter::new(graph);
    // The nodes that are written shorter, and whether a longer chain takes them in.
    let mut short: IdVec<NodeId, bool> = IdVec::new();
    for id in graph.nodes.ids() {
        let mut chain = None;
        if let Some(link) = &links[id]
            && let (Some(operand), Some(constant)) = (rewriter.get(link.operand), rewriter.get(link.constant))
        {
            let before = chains[link.operand].as_ref().filter(|_| uses[link.operand] == 1 && !is_output[link.operand]);
            let start = Affine::start(graph, link, operand);
            let out = rewriter.graph_mut();
            chain = match before.and_then(|before| before.then(out, link, constant).transpose()) {
                Some(longer) => {
                    short[link.operand] = false;
                    Some(longer)
                }
                None => start.then(out, link, constant).transpose(),
            }
            .transpose()
            .map_err(Error::broken)?;
        }
        let shorter = chain.as_ref().filter(|chain| chain.nodes() < chain.length);
        match shorter {
            Some(chain) => {
                let value = chain.written(rewriter.graph_mut()).map_err(Error::broken)?;
                rewriter.replace(id, value);
            }
            None => {
                rewriter.copy(id).map_err(Error::broken)?;
            }
        }
        short.push(shorter.is_some());
        chains.push(chain);
    }
    let mut steps = Steps::default();
    for (id, _) in short.iter().filter(|(_, short)| **short) {
        let step =
            step(graph, &links, id, chains[id].as_ref().map_or(0, |chain| chain.length)).map_err(Error::broken)?;
        steps.add(step);
    }
    let (graph, map) = rewriter.finish().map_err(Error::broken)?;
    Ok(Folded { graph, map, steps: steps.into_vec() })
}

/// What a node does with one constant, where it may be part of a chain.
fn link(graph: &Graph, constant: &IdVec<NodeId, bool>, id: NodeId) -> Option<Link> {
    let node = graph.node(id);
    let (Op::Binary(Binary { op }), &[a, b]) = (&node.op, &node.operands[..]) else { return None };
    let alike = node.ty.dtype.is_float() && graph.ty(a) == &node.ty && graph.ty(b) == &node.ty;
    let (operand, at) = match (constant[a], constant[b]) {
        (false, true) => (a, b),
        (true, false) if matches!(op, BinaryOp::Add | BinaryOp::Mul) => (b, a),
        _ => return None,
    };
    let affine = matches!(op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div);
    let (constant, map) = match &graph.node(at).op {
        Op::ViewOp(view) if !view.map.has_fill() => (graph.node(at).operands[0], view.map.clone()),
        _ => (at, View::identity(&node.ty.shape)),
    };
    let counts = !matches!(graph.node(constant).op, Op::Const(_)) && graph.ty(constant).dtype == node.ty.dtype;
    (alike && affine && counts).then_some(Link { op: *op, operand, constant, map })
}

impl Affine {
    /// A chain of nothing, from which a link goes on.
    fn start(graph: &Graph, link: &Link, base: NodeId) -> Affine {
        let (shape, map) = (graph.ty(link.constant).shape.clone(), link.map.clone());
        Affine { base, length: 0, shape, map, factor: None, term: None }
    }

    /// The chain with one more link; `None` where its constant is spread otherwise.
    fn then(&self, out: &mut Graph, link: &Link, mut constant: NodeId) -> Result<Option<Affine>, String> {
        if link.map != self.map {
            return Ok(None);
        }
        if out.ty(constant).shape != self.shape {
            let Some(map) = view_queries::reshape(&out.ty(constant).shape, &self.shape) else { return Ok(None) };
            constant = out.push(ViewOp { map }, &[constant])?;
        }
        let mut apply = |op: BinaryOp, of: Option<NodeId>| match of {
            Some(of) => out.push(Binary { op }, &[of, constant]).map(Some),
            None => Ok(None),
        };
        let (factor, term) = match link.op {
            BinaryOp::Mul | BinaryOp::Div => (apply(link.op, self.factor)?, apply(link.op, self.term)?),
            op => (self.factor, apply(op, self.term)?),
        };
        let alone = |out: &mut Graph, op| out.push(Unary { op }, &[constant]).map(Some);
        let (factor, term) = match link.op {
            BinaryOp::Mul => (factor.or(Some(constant)), term),
            BinaryOp::Div if factor.is_none() => (alone(out, UnaryOp::Recip)?, term),
            BinaryOp::Add => (factor, term.or(Some(constant))),
            BinaryOp::Sub if term.is_none() => (factor, alone(out, UnaryOp::Neg)?),
            _ => (factor, term),
        };
        Ok(Some(Affine { length: self.length + 1, factor, term, ..self.clone() }))
    }

    /// Nodes that compute it, the constants not included.
    fn nodes(&self) -> usize {
        usize::from(self.factor.is_some()) + usize::from(self.term.is_some())
    }

    /// Those nodes.
    fn written(&self, out: &mut Graph) -> Result<NodeId, String> {
        let mut node = self.base;
        for (op, constant) in [(BinaryOp::Mul, self.factor), (BinaryOp::Add, self.term)] {
            let Some(constant) = constant else { continue };
            let spread = match self.map == View::identity(&self.shape) {
                true => constant,
                false => out.push(ViewOp { map: self.map.clone() }, &[constant])?,
            };
            node = out.push(Binary { op }, &[node, spread])?;
        }
        Ok(node)
    }
}

/// What became of the last so many nodes up to `end`.
fn step(graph: &Graph, links: &IdVec<NodeId, Option<Link>>, end: NodeId, length: usize) -> Result<RewriteStep, String> {
    let mut chain: Vec<&Link> = Vec::new();
    let mut at = end;
    while chain.len() < length
        && let Some(link) = &links[at]
    {
        chain.push(link);
        at = link.operand;
    }
    chain.reverse();
    let leaves = |out: &mut Graph| -> Result<(NodeId, Vec<NodeId>), String> {
        let x = out.push(Input { ty: graph.ty(at).clone() }, &[])?;
        out.set_label(x, "x");
        let mut constants = Vec::new();
        for (i, link) in chain.iter().enumerate() {
            let weight = out.push(Weight { ty: graph.ty(link.constant).clone() }, &[])?;
            out.set_label(weight, format!("c{i}"));
            constants.push(weight);
        }
        Ok((x, constants))
    };
    let (mut left, mut right) = (Graph::new("fold"), Graph::new("fold"));
    let (mut node, constants) = leaves(&mut left)?;
    for (link, &constant) in chain.iter().zip(&constants) {
        let spread = left.push(ViewOp { map: link.map.clone() }, &[constant])?;
        node = left.push(Binary { op: link.op }, &[node, spread])?;
    }
    left.outputs = vec![node];
    let (base, constants) = leaves(&mut right)?;
    let mut affine = Affine::start(graph, chain.first().ok_or("a chain has links")?, base);
    for (link, &constant) in chain.iter().zip(&constants) {
        affine = affine.then(&mut right, link, constant)?.ok_or("a chain is spread by one view")?;
    }
    right.outputs = vec![affine.written(&mut right)?];
    Ok(RewriteStep { rule: RULE.into(), backward: false, left, right })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        canonical,
        replay::{Verdict, replay},
    };
    use proptest::prelude::*;
    use regard_ir::{graph::Builder, types::TensorType};

    /// Nodes that are computed in each run.
    fn computed(graph: &Graph) -> usize {
        let constant = graph.constants();
        graph.nodes.iter().filter(|(id, node)| !constant[*id] && !matches!(node.op, Op::Input(_))).count()
    }

    fn folded(text: &str) -> (Graph, Folded) {
        let graph: Graph = text.parse().unwrap_or_else(|e| panic!("{e:?}"));
        let graph = canonical::Canonical::of(&graph).expect("it has a canonical form");
        let folded = fold(&graph).expect("it folds");
        (graph.into(), folded)
    }

    #[test]
    fn a_batch_norm_in_pieces_is_a_factor_and_a_term() {
        let (graph, folded) = folded(
            "graph norm {
                %x = input : f32[2, 4, 3]
                %g = weight : f32[4]
                %b = weight : f32[4]
                %m = weight : f32[4, 1]
                %v = weight : f32[4]
                %centre = sub %x, %m
                %positive = add %v, 1e-5
                %root = sqrt %positive
                %r = reshape %root { shape = [4, 1] }
                %unit = div %centre, %r
                %factor = reshape %g { shape = [4, 1] }
                %scaled = mul %unit, %factor
                %term = reshape %b { shape = [4, 1] }
                %y = add %term, %scaled
                return %y
            }",
        );
        assert_eq!((computed(&graph), computed(&folded.graph)), (4, 2));
        assert_eq!(folded.steps.len(), 1);
        assert!(folded.graph.labelled("y").is_some());
    }

    #[test]
    fn what_others_read_and_what_is_short_stays() {
        let leaves = "%x = input : f32[2, 4]\n%a = weight : f32[4]\n%b = weight : f32[4]\n%s = weight : f32[2, 1]\n";
        for (body, nodes) in [
            ("%p = mul %x, %a\n%y = add %p, %b\nreturn %y", 2),
            ("%p = add %x, %a\n%y = add %p, %b\nreturn %y", 1),
            ("%p = add %x, %a\n%y = add %p, %b\nreturn %y, %p", 2),
            ("%p = add %x, %a\n%q = add %p, %b\n%y = mul %q, %p\nreturn %y", 3),
            ("%p = add %x, %a\n%y = add %p, %s\nreturn %y", 2),
            ("%p = mul %x, 2.0\n%y = mul %p, 3.0\nreturn %y", 2),
            ("%p = sub %a, %x\n%q = sub %p, %b\n%y = sub %q, %a\nreturn %y", 2),
        ] {
            assert_eq!(computed(&folded(&format!("graph g {{\n{leaves}{body}\n}}")).1.graph), nodes, "{body}");
        }
    }

    proptest! {
        #[test]
        fn chains_keep_their_values(links in prop::collection::vec((0..5usize, 0..3usize, any::<bool>()), 1..9)) {
            let mut b = Builder::new("chain");
            let mut node = b.input("x", TensorType::f32([3, 4]));
            let mut outputs = Vec::new();
            for (i, (op, spread, read)) in links.into_iter().enumerate() {
                let shape: &[usize] = [&[4][..], &[1, 4], &[3, 1]][spread];
                let c = b.weight(format!("c{i}"), TensorType::f32(shape));
                node = match op {
                    0 => b.add(node, c),
                    1 => b.sub(node, c),
                    2 => b.mul(c, node),
                    3 => b.div(node, c),
                    _ => b.sub(c, node),
                };
                if read {
                    outputs.push(node);
                }
            }
            outputs.push(node);
            let graph = canonical::Canonical::of(&b.finish(&outputs)).expect("it has a canonical form");
            let folded = fold(&graph).expect("it folds");
            prop_assert!(computed(&folded.graph) <= computed(&graph));
            let holds = |before: &Graph, after: &Graph| {
                let verdict = replay(before, after).expect("it has values");
                match verdict {
                    Verdict::Broken(why) => Err(TestCaseError::fail(why)),
                    _ => Ok(()),
                }
            };
            holds(&graph, &folded.graph)?;
            for step in &folded.steps {
                holds(&step.left, &step.right)?;
                prop_assert!(computed(&step.right) < computed(&step.left));
            }
        }
    }
}
