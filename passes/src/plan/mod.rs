//! Grouping: which nodes become tensors in memory, and which kernel computes each of them.
//!
//! A group is an anchor (product, attend) with its readers and its epilogue, or a row program (maps and
//! reductions). Its root is the one node it writes. Everything else is recomputed inside expressions:
//!
//! ```text
//!   x ─ LN ─ view ─▶ matmul ─ +bias ─ GELU ─▶ root        one product group
//!       └─ reader ─┘   │      └─ writer ──┘
//!                   anchor
//! ```
//!
//! Planning proposes, building the fused expressions checks: where a view does not compose or a value would be
//! computed twice, the offending node is materialised too, and what depends on that is built again
//! (`rounds`). The loop ends because each round adds a node.

mod attend;
mod bidirectional_fusion;
pub mod bounds;
mod constants;
mod epilogue;
pub mod expr;
mod expr_builder;
mod names;
pub mod neighbourhood;
mod producer_fusion;
mod recomputation;
mod rounds;

pub use attend::{Attend, Keys};

use crate::{
    canonical::{self, Canonical},
    error::Error,
    memory,
    step::RewriteStep,
};
use bidirectional_fusion::Partner;
use constants::Constants;
use expr::{Expr, ExprId, FusedExpr};
use expr_builder::{Context, ExprBuilder, MOST_VIEWS, MustMaterialize};
use regard_ir::{
    graph::{Graph, NodeId, Users},
    id::IdVec,
    ops::Op,
    target::Target,
    types::DType,
    view::View,
};
use rounds::InMemory;
use std::collections::{BTreeMap, BTreeSet};

/// What is computed, kernel by kernel.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The graph as kernels compute it.
    pub graph: Graph,
    /// The definitions that stand there in place of ops, each kind once.
    pub steps: Vec<RewriteStep>,
    /// Groups in launch order.
    pub groups: Vec<Group>,
    /// What each group is called.
    pub names: Vec<String>,
}

/// One kernel's work.
#[derive(Clone, Debug)]
pub struct Group {
    /// The node written.
    pub root: NodeId,
    /// How.
    pub body: Body,
}

/// The anchor op of a group and the expressions fused into it.
#[derive(Clone, Debug)]
pub enum Body {
    /// Maps and reductions over `[rows, inner]`.
    Row(FusedExpr),
    /// A matrix product.
    Matmul(Matmul),
    /// Softmax attention.
    Attend(Attend),
}

/// `[batch, m, k] × [batch, k, n]`, then the epilogue over `[batch, m, n]`.
#[derive(Clone, Debug)]
pub struct Matmul {
    /// Independent products.
    pub batch: usize,
    /// Rows of each.
    pub m: usize,
    /// Reduction length.
    pub k: usize,
    /// Columns.
    pub n: usize,
    /// Left operand over `[batch, m, k]`.
    pub left: FusedExpr,
    /// Right operand.
    pub right: Right,
    /// What happens to each element, over `[batch, m, n]`.
    pub epilogue: FusedExpr,
    /// From `[batch, m, n]` to the root's elements.
    pub store: View,
}

/// The right operand of a product.
#[derive(Clone, Debug)]
pub enum Right {
    /// A constant `[k, n]`, packed when the program is bound to weights.
    Constant(NodeId),
    /// Anything else, over `[batch, k, n]`; packed by the kernel.
    Computed(FusedExpr),
}

impl Group {
    /// The tensors that the kernel reads from memory, weights included.
    pub fn reads(&self) -> BTreeSet<NodeId> {
        let panels = match &self.body {
            Body::Matmul(Matmul { right: Right::Constant(node), .. }) => Some(*node),
            _ => None,
        };
        self.body.exprs().into_iter().flat_map(FusedExpr::reads).chain(panels).collect()
    }
}

impl Body {
    /// The template, as plans call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Body::Row(_) => "row",
            Body::Matmul(_) => "matmul",
            Body::Attend(_) => "attend",
        }
    }
    /// What is read and finished, in order.
    pub fn exprs(&self) -> Vec<&FusedExpr> {
        match self {
            Body::Row(fused) => vec![fused],
            Body::Matmul(p) => match &p.right {
                Right::Constant(_) => vec![&p.left, &p.epilogue],
                Right::Computed(right) => vec![&p.left, right, &p.epilogue],
            },
            Body::Attend(a) => a.exprs(),
        }
    }
}

/// Most elements of a tensor in memory: lanes that gather count them in 32 bits.
const MOST_ELEMENTS: usize = i32::MAX as usize;

/// Plans the kernels of a graph.
///
/// # Errors
/// Where a tensor that is stored has more than 2³¹ − 1 elements.
pub fn plan(graph: &Canonical, target: &Target) -> Result<Plan, Error> {
    let (graph, steps) = canonical::for_kernels(graph)?;
    Ok(Plan { steps, ..group(graph, target)? })
}

/// Plans row programs only: every op runs by its definition as maps and reductions, a product as a sum of
/// products. Slow, and an oracle for the other two templates.
///
/// # Errors
/// As [`plan`].
pub fn plan_rows(graph: &Graph, target: &Target) -> Result<Plan, Error> {
    group(canonical::for_rows(graph)?, target)
}

/// Groups a graph in canonical form.
fn group(graph: Graph, target: &Target) -> Result<Plan, Error> {
    let graph = memory::part_outputs(graph)?;
    let facts = Facts::of(&graph);
    let mut forced: IdVec<NodeId, bool> = graph.nodes.values().map(|n| matches!(n.op, Op::Input(_))).collect();
    graph.outputs.iter().for_each(|&o| forced[o] = true);
    for id in graph.nodes.ids().filter(|&id| facts.is_read_moved(&graph, id)) {
        forced[id] = true;
    }
    loop {
        let mut planner = Planner::new(&graph, &facts, &forced, target);
        let roots = planner.place_anchors();
        if let Some(groups) = planner.build_groups(roots, &mut forced)? {
            let groups = planner.fuse_producers(groups);
            fits(&graph, &groups)?;
            return Ok(Plan::new(graph, groups));
        }
    }
}

/// Refuses tensors in memory that lanes cannot count; what is never stored may have any size.
fn fits(graph: &Graph, groups: &[Group]) -> Result<(), Error> {
    let touched = |group: &Group| {
        let exprs = group.body.exprs();
        let kept = exprs.iter().flat_map(|fused| &fused.stages).filter(|stage| stage.kept).map(|stage| stage.node);
        group.reads().into_iter().chain(kept).chain([group.root]).collect::<Vec<NodeId>>()
    };
    let stored = groups.iter().flat_map(touched).chain(graph.inputs());
    match stored.min_by_key(|&id| (graph.ty(id).elements() <= MOST_ELEMENTS, id)) {
        Some(id) if graph.ty(id).elements() > MOST_ELEMENTS => {
            let (name, ty) = (graph.text_name(id), graph.ty(id));
            let found = format!("%{name} is {ty} and lies in memory, expected at most {MOST_ELEMENTS} elements");
            Err(Error::unsupported(found))
        }
        _ => Ok(()),
    }
}

/// What does not change while nodes are put in memory.
struct Facts {
    constant: IdVec<NodeId, bool>,
    constants: Constants,
    is_output: IdVec<NodeId, bool>,
    held: IdVec<NodeId, DType>,
    users: Users,
    post_dominators: IdVec<NodeId, Option<NodeId>>,
}

impl Facts {
    fn of(graph: &Graph) -> Self {
        let (constant, constants, held) = (graph.constants(), Constants::of(graph), memory::held(graph));
        let (users, post_dominators) = (graph.users(), graph.post_dominators());
        Self { constant, constants, is_output: graph.are_outputs(), held, users, post_dominators }
    }

    /// Whether a node is computed on each run and read through so many views that kernels would compute it again and again.
    fn is_read_moved(&self, graph: &Graph, id: NodeId) -> bool {
        let moves = |id: &NodeId| matches!(graph.nodes[*id].op, Op::ViewOp(_));
        let views = self.users[id].iter().filter(|user| moves(user)).count();
        views > MOST_VIEWS && !moves(&id) && !self.constant[id]
    }
}

struct Planner<'a> {
    graph: &'a Graph,
    facts: &'a Facts,
    materialized: InMemory,
    /// The scores that an attend computes itself.
    scores: BTreeMap<NodeId, NodeId>,
    /// The attends over queries that attends over keys compute, too.
    partners: BTreeMap<NodeId, Partner>,
    lanes: usize,
}

impl<'a> Planner<'a> {
    fn new(graph: &'a Graph, facts: &'a Facts, forced: &IdVec<NodeId, bool>, target: &Target) -> Self {
        let (materialized, lanes) = (InMemory::new(forced), target.lanes as usize);
        let mut scores = canonical::scores_of_attends(graph, &|below| materialized[below]);
        scores.retain(|&attend, _| !facts.constant[attend]);
        let mut planner = Self { graph, facts, materialized, scores, partners: BTreeMap::new(), lanes };
        planner.partners = planner.partners();
        planner
    }

    /// The root of each anchor's group: how far up from it one kernel goes.
    fn place_anchors(&mut self) -> BTreeMap<NodeId, Option<NodeId>> {
        let mut roots: BTreeMap<NodeId, Option<NodeId>> = BTreeMap::new();
        let mut claim = |planner: &mut Self, anchor: NodeId| {
            let root = planner.epilogue_steps(anchor).last().copied().unwrap_or(anchor);
            planner.materialized.put(root);
            roots.insert(root, Some(anchor));
        };
        let inside: BTreeSet<NodeId> = self.scores.values().copied().collect();
        let anchors = self.graph.nodes.iter().filter(|(id, node)| match &node.op {
            Op::MatMul(_) | Op::Attend(_) => true,
            Op::Scores(_) => !inside.contains(id),
            _ => false,
        });
        let anchors: Vec<NodeId> = anchors.map(|(id, _)| id).filter(|&id| !self.facts.constant[id]).collect();
        let paired: BTreeSet<NodeId> = self.partners.iter().flat_map(|(&keys, p)| [keys, p.inverse]).collect();
        for &id in anchors.iter().filter(|id| !paired.contains(id)) {
            claim(self, id);
        }
        // What the epilogue of a pair reads is in memory by now.
        for id in anchors.into_iter().filter(|id| paired.contains(id)) {
            match self.partners.get(&id) {
                Some(partner) if self.epilogue_steps(id).contains(&partner.meeting) => claim(self, id),
                Some(_) => {
                    let partner = self.partners.remove(&id).expect("it was just found");
                    claim(self, id);
                    claim(self, partner.inverse);
                }
                None => {}
            }
        }
        roots
    }

    /// The node whose elements a view merely moves, each once: what to put in memory instead of the view.
    fn strip_views(&self, id: NodeId) -> NodeId {
        let node = &self.graph.nodes[id];
        match &node.op {
            Op::ViewOp(view) if !self.materialized[id] && view.map.inverse().is_some() => {
                self.strip_views(node.operands[0])
            }
            _ => id,
        }
    }

    fn context(&self) -> Context<'_> {
        let Facts { held, constant, constants, .. } = self.facts;
        Context { graph: self.graph, materialized: &self.materialized, held, constant, constants }
    }

    fn fused_under(
        &self,
        node: NodeId,
        view: View,
        space: &[usize],
        whole: Option<NodeId>,
    ) -> Result<FusedExpr, MustMaterialize> {
        let context = self.context();
        let mut builder = ExprBuilder::new(&context, space, whole);
        let root = builder.build(node, view)?;
        Ok(builder.finish(root))
    }

    /// A row program: flat where nothing is reduced, else the last axis is the inner one.
    fn row(&self, root: NodeId) -> Result<FusedExpr, MustMaterialize> {
        let ty = self.graph.ty(root);
        let flat = [1, ty.elements()];
        let whole = View::reshape(&ty.shape, &flat);
        if let Ok(fused) = self.materialized.alone(|| self.fused_under(root, whole, &flat, Some(root)))
            && fused.reductions().is_empty()
        {
            return Ok(fused);
        }
        let inner = ty.shape.last().copied().unwrap_or(1);
        let rows = ty.elements() / inner.max(1);
        self.rows_over(root, &[rows, inner])
            .or_else(|must| self.materialized.instead(|| self.long_rows(root, must.0, rows)).ok_or(must))
    }

    /// A row program with a row for each element of `reduction`, which the `short` rows of the last axis would share: a
    /// norm of channels over all their pixels. Where there are few, other cores would be idle.
    fn long_rows(&self, root: NodeId, reduction: NodeId, short: usize) -> Option<FusedExpr> {
        let (all, rows) = (self.graph.ty(root).elements(), self.graph.ty(reduction).elements());
        let reduces = matches!(self.graph.nodes[reduction].op, Op::Reduce(_)) && reduction != root;
        if !reduces || !(canonical::FEWEST_ROWS..short).contains(&rows) || !all.is_multiple_of(rows) {
            return None;
        }
        let fused = self.rows_over(root, &[rows, all / rows]).ok()?;
        fused.reductions().iter().all(|&r| !fused.uses(r, 1)).then_some(fused)
    }

    /// A row program over `space`, whose last axis is the inner one.
    fn rows_over(&self, root: NodeId, space: &[usize]) -> Result<FusedExpr, MustMaterialize> {
        let context = self.context();
        let mut builder = ExprBuilder::new(&context, space, Some(root));
        let top = builder.build(root, View::reshape(&self.graph.ty(root).shape, space))?;
        let beside = builder.reductions_along(top, space.len() - 1);
        if let Some(node) = beside.into_iter().find(|&node| self.repeats(node, root)) {
            return Err(MustMaterialize(self.view_source(root).unwrap_or(node)));
        }
        if let Some(again) = builder.computed_again(top, Some(root)) {
            return Err(MustMaterialize(again));
        }
        match builder.strided_gather_reduction(top, self.lanes).filter(|&torn| !self.materialized[torn]) {
            Some(torn) => Err(MustMaterialize(torn)),
            None => Ok(builder.finish(top)),
        }
    }

    /// Whether a row program for `root` would compute the same elements of a reduction over and over, lanes side by side:
    /// so it is with the statistics of a norm whose result is transposed.
    fn repeats(&self, reduction: NodeId, root: NodeId) -> bool {
        const OFTEN: usize = 16;
        reduction != root && self.graph.ty(reduction).elements() * OFTEN <= self.graph.ty(root).elements()
    }

    /// If `root` is a view, the node that it reads.
    fn view_source(&self, root: NodeId) -> Option<NodeId> {
        let node = &self.graph.nodes[root];
        let source = *node.operands.first()?;
        (matches!(node.op, Op::ViewOp(_)) && !self.materialized[source]).then(|| self.strip_views(source))
    }

    fn matmul(&self, anchor: NodeId) -> Result<Matmul, MustMaterialize> {
        let node = &self.graph.nodes[anchor];
        let (left, right) = (node.operands[0], node.operands[1]);
        let right_shape = &self.graph.ty(right).shape;
        let [batch_shape @ .., rows, n] = &node.ty.shape[..] else { return Err(MustMaterialize(anchor)) };
        let (rows, n) = (*rows, *n);
        let k = *self.graph.ty(left).shape.last().ok_or(MustMaterialize(left))?;
        let keys = matches!(node.op, Op::Scores(_));
        let shared = right_shape[..right_shape.len() - 2].iter().all(|&d| d == 1);
        let m = if shared { node.ty.elements() / n } else { rows };
        let batch = node.ty.elements() / (m * n);
        let lefts = self.spread(left, batch_shape, [rows, k], &[batch, m, k])?;
        let context = self.context();
        let mut builder = ExprBuilder::new(&context, &[batch, m, k], None);
        let packed = builder.build(left, lefts)?;
        if let Some(again) = builder.computed_again(packed, None) {
            return Err(MustMaterialize(again));
        }
        let left = builder.finish(packed);
        if left.reductions().iter().any(|&r| left.uses(r, 2) && !is_short(&left, r)) {
            return Err(MustMaterialize(self.strip_views(node.operands[0])));
        }
        let right = if self.facts.constant[right] && right_shape.len() == 2 && !keys {
            Right::Constant(right)
        } else {
            let last = if keys { [n, k] } else { [k, n] };
            let lead = if shared { &right_shape[..right_shape.len() - 2] } else { batch_shape };
            let mut view = self.spread(right, lead, last, &[batch, last[0], last[1]])?;
            if keys {
                let swap = View::transpose(&[batch, n, k], &[0, 2, 1]);
                view = view.then(&swap).ok_or(MustMaterialize(right))?;
            }
            Right::Computed(self.reader(right, view, &[batch, k, n])?)
        };
        let (epilogue, store) = self.epilogue(anchor, &[batch, m, n])?;
        Ok(Matmul { batch, m, k, n, left, right, epilogue, store })
    }

    /// An operand broadcast to `lead` and its two last axes, in the shape of `space`.
    fn spread(
        &self,
        operand: NodeId,
        lead: &[usize],
        last: [usize; 2],
        space: &[usize],
    ) -> Result<View, MustMaterialize> {
        let wide = [lead, &last].concat();
        let view = View::expand(&self.graph.ty(operand).shape, &wide);
        view.then(&View::reshape(&wide, space)).ok_or(MustMaterialize(operand))
    }

    /// A fused expression that a kernel reads once per block; reductions in it are materialised.
    fn reader(&self, operand: NodeId, view: View, space: &[usize]) -> Result<FusedExpr, MustMaterialize> {
        self.scaled_reader(operand, view, space, &[])
    }

    /// The same times numbers.
    fn scaled_reader(
        &self,
        operand: NodeId,
        view: View,
        space: &[usize],
        factors: &[NodeId],
    ) -> Result<FusedExpr, MustMaterialize> {
        let context = self.context();
        let mut builder = ExprBuilder::new(&context, space, None);
        let mut root = builder.build(operand, view)?;
        for &factor in factors {
            let (node, map) = self.number(factor).ok_or(MustMaterialize(factor))?;
            root = builder.scaled(root, node, map)?;
        }
        let fused = builder.finish(root);
        if fused.reductions().is_empty() { Ok(fused) } else { Err(MustMaterialize(self.strip_views(operand))) }
    }
}

/// Whether a reduction in a product's left operand is so short that packing computes it element by element, and
/// differs from row to row: a sum over the taps of a small kernel.
fn is_short(left: &FusedExpr, reduction: ExprId) -> bool {
    const LONGEST: usize = 32;
    let short = matches!(left.terms[reduction].expr, Expr::Reduce { extent, .. } if extent <= LONGEST);
    short && left.uses(reduction, 1) && left.reductions_below(reduction).len() == 1
}

/// Whether lanes along `axis`, starting at multiples of `lanes`, touch consecutive elements of the source.
pub(crate) fn lanes_are_contiguous(view: &View, axis: usize, lanes: usize) -> bool {
    let mut unit = 0;
    for coord in &view.coords {
        for digit in coord.digits.iter().filter(|d| d.axis == axis) {
            let whole = digit.div == 1 && digit.div * digit.extent >= view.shape[axis];
            let steps = digit.div == 1 && digit.extent % lanes == 0;
            if whole || steps {
                if coord.cyclic || coord.bounded || digit.mul * coord.stride as i64 != 1 {
                    return false;
                }
                unit += 1;
            } else if digit.div % lanes != 0 {
                return false;
            }
        }
    }
    unit == 1 || view.shape[axis] == 1
}
