//! Builds the expression of a node under a view, down to materialised tensors.

use super::{
    constants::Constants,
    expr::{Expr, ExprId, FusedExpr, Term, axes_of, lift, position, reduction_view, rows_of, truncate},
    lanes_are_contiguous,
    rounds::InMemory,
};
use crate::canonical::{is_costly, is_pointwise};
use regard_ir::{
    graph::{Graph, NodeId},
    id::IdVec,
    ops::{BinaryOp, Op},
    types::{DType, Real},
    view::View,
};
use std::{
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

/// What stops a fused expression: the node must become a tensor in memory first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MustMaterialize(pub NodeId);

/// What the builder knows of the graph.
pub(crate) struct Context<'a> {
    /// In canonical form.
    pub graph: &'a Graph,
    /// Nodes whose value is a buffer.
    pub materialized: &'a InMemory,
    /// The element type of each node in memory.
    pub held: &'a IdVec<NodeId, DType>,
    /// Nodes that depend on no input.
    pub constant: &'a IdVec<NodeId, bool>,
    /// Which of them lie in memory.
    pub constants: &'a Constants,
}

/// A node, and the view through which it is read.
type Read = (NodeId, View);

/// How far a builder had come: terms, reads begun, nodes asked about.
struct Mark(usize, usize, usize);

/// Builds one fused expression.
pub(crate) struct ExprBuilder<'a> {
    context: &'a Context<'a>,
    fused: FusedExpr,
    memo: HashMap<Rc<Read>, ExprId>,
    whole: Option<NodeId>,
    zero_bound: Option<ExprId>,
    passes: HashMap<NodeId, NodeId>,
    /// The node that each reduction computes.
    reduced: HashMap<ExprId, NodeId>,
    /// The reduction that was just met inside another.
    nested: Option<NodeId>,
    /// Whether constants made of positions are computed, however small they are.
    positions: bool,
    depth: usize,
    /// What was begun, in order, and how often each node was.
    begun: Vec<Rc<Read>>,
    views: HashMap<NodeId, usize>,
    /// How many reductions each expression has inside one another.
    levels: IdVec<ExprId, usize>,
}

/// Longest chain of expressions in a fused expression; what is longer goes through memory.
const DEEPEST: usize = 200;
/// Most expressions below a node of a fused expression; so kernels stay in proportion to the graph.
const LARGEST: usize = 256;
/// Most views through which a fused expression computes the same node: each computes it again.
pub(crate) const MOST_VIEWS: usize = 8;
/// Most reductions inside one another: each computes again what those inside are made of.
const MOST_NESTED: usize = 4;

impl<'a> ExprBuilder<'a> {
    /// Starts a fused expression over `space`. `whole` is the group's own root, which is computed here, not loaded.
    pub(crate) fn new(context: &'a Context<'a>, space: &[usize], whole: Option<NodeId>) -> Self {
        let fused = FusedExpr { space: space.to_vec(), ..FusedExpr::default() };
        Self {
            context,
            fused,
            memo: HashMap::new(),
            whole,
            zero_bound: None,
            passes: HashMap::new(),
            reduced: HashMap::new(),
            nested: None,
            positions: false,
            depth: 0,
            begun: Vec::new(),
            views: HashMap::new(),
            levels: IdVec::new(),
        }
    }
    /// The same, computing all constants that are made of positions.
    pub(crate) fn computing_positions(mut self, positions: bool) -> Self {
        self.positions = positions;
        self
    }
    /// The finished fused expression.
    pub(crate) fn finish(mut self, root: ExprId) -> FusedExpr {
        self.fused.root = Some(root);
        self.fused
    }
    /// The node whose reduction is the outermost that an expression is made of.
    pub(crate) fn reduction_below(&self, top: ExprId) -> Option<NodeId> {
        self.fused.reductions_below(top).last().map(|last| self.reduced[last])
    }
    /// The nodes of the reductions that an expression is made of and that differ along an axis.
    pub(crate) fn reductions_along(&self, top: ExprId, axis: usize) -> Vec<NodeId> {
        let below = self.fused.reductions_below(top).into_iter();
        below.filter(|&r| self.fused.uses(r, axis)).map(|r| self.reduced[&r]).collect()
    }
    /// The node of a reduction that is computed again for many rows and would rather lie in memory: what is read
    /// again takes longer than a launch and its way there.
    ///
    /// ```text
    ///   read again = (rows − elements) · extent        x − mean(x) of a whole map, row by row: the map, for every row
    /// ```
    pub(crate) fn computed_again(&self, top: ExprId, root: Option<NodeId>) -> Option<NodeId> {
        const MOST_READ_AGAIN: usize = 1 << 14;
        let (inner, rows) = self.fused.space.split_last().expect("a space has axes");
        let rows: usize = rows.iter().product();
        let again = |id: &ExprId| {
            let Expr::Reduce { extent, .. } = self.fused.terms[*id].expr else { return false };
            let times = if self.fused.uses(*id, self.fused.space.len() - 1) { rows * inner } else { rows };
            let elements = self.context.graph.ty(self.reduced[id]).elements();
            times.saturating_sub(elements).saturating_mul(extent) > MOST_READ_AGAIN
        };
        let below = self.fused.reductions_below(top);
        below.iter().filter(|id| again(id)).map(|id| self.reduced[id]).find(|&node| Some(node) != root)
    }
    /// A reduction over a gather whose lanes are not contiguous: it is materialized in row order and transposed afterwards.
    pub(crate) fn strided_gather_reduction(&self, top: ExprId, lanes: usize) -> Option<NodeId> {
        let (terms, axis) = (&self.fused.terms, self.fused.space.len() - 1);
        let torn = |id: ExprId| match &terms[id].expr {
            Expr::Gather { table, rows, inner, .. } => {
                let columns = self.context.graph.ty(*table).elements() / rows;
                columns >= lanes && !lanes_are_contiguous(inner, axis, lanes)
            }
            _ => false,
        };
        let reductions = self.fused.reductions_below(top);
        let reads_torn = |reduction: &ExprId| {
            let (mut work, mut seen) = (vec![*reduction], BTreeSet::new());
            while let Some(id) = work.pop() {
                if torn(id) {
                    return true;
                }
                work.extend(terms[id].expr.operands().into_iter().filter(|&o| seen.insert(o)));
            }
            false
        };
        reductions.iter().find(|&id| reads_torn(id)).map(|id| self.reduced[id])
    }
    /// The anchor's value; `node` read through `view` will be it.
    pub(crate) fn anchor(&mut self, node: NodeId, view: View) -> ExprId {
        let dtype = self.context.graph.ty(node).dtype;
        let all = (1 << self.fused.space.len()) - 1;
        let id = self.fused.terms.push(Term { expr: Expr::Anchor, dtype, axes: all });
        self.levels.push(0);
        self.memo.insert(Rc::new((node, view)), id);
        id
    }
    /// Binds `node` under `view` to zero, because the anchor's accumulator already contains it. A sum with it is the other
    /// term.
    pub(crate) fn bind_zero(&mut self, node: NodeId, view: View) {
        let zero = self.term(Expr::Const(Real::new(0.0)), self.context.graph.ty(node).dtype);
        self.zero_bound = Some(zero);
        self.bind(node, view, zero);
    }
    /// Makes `node` mean its operand `value`, through any view.
    pub(crate) fn pass(&mut self, node: NodeId, value: NodeId) {
        self.passes.insert(node, value);
    }
    /// An expression times a number: the one element that `node` repeats, or what `map` reads of it.
    pub(crate) fn scaled(
        &mut self,
        value: ExprId,
        node: NodeId,
        map: Option<&View>,
    ) -> Result<ExprId, MustMaterialize> {
        let shape = self.fused.space.clone();
        let view = match map {
            Some(map) => View { shape, ..map.clone() },
            None => View::expand(&[1], &shape),
        };
        let factor = self.build(node, view)?;
        let dtype = self.fused.terms[value].dtype;
        Ok(self.term(Expr::Binary(BinaryOp::Mul, value, factor), dtype))
    }
    fn is_zero_bound(&self, term: ExprId) -> bool {
        self.zero_bound == Some(term)
    }
    /// Makes `node` read through `view` mean an expression already built.
    pub(crate) fn bind(&mut self, node: NodeId, view: View, expr: ExprId) {
        self.memo.insert(Rc::new((node, view)), expr);
    }

    fn term(&mut self, expr: Expr, dtype: DType) -> ExprId {
        let own = match &expr {
            Expr::Load { view, .. } => axes_of(view),
            Expr::Gather { inner: view, .. } | Expr::Position(view) => axes_of(view),
            _ => 0,
        };
        let operands = expr.operands();
        let inside = operands.iter().map(|&e| self.levels[e]).max().unwrap_or(0);
        self.levels.push(inside + usize::from(matches!(expr, Expr::Reduce { .. })));
        let axes = operands.into_iter().fold(own, |axes, e| axes | self.fused.terms[e].axes);
        self.fused.terms.push(Term { expr, dtype, axes })
    }

    /// The value of `node` at the element that `view` maps the point to.
    ///
    /// # Errors
    /// What must be in memory first; where the planner collects such nodes, it has all of them.
    pub(crate) fn build(&mut self, node: NodeId, view: View) -> Result<ExprId, MustMaterialize> {
        self.context.materialized.begin();
        let expr = self.read(node, view)?;
        self.context.materialized.wanted().map_or(Ok(expr), |first| Err(MustMaterialize(first)))
    }

    /// The same inside a build. Where something below must be in memory and nobody asked for it before, what was built of it
    /// is forgotten, and built again with a load of it.
    fn read(&mut self, node: NodeId, view: View) -> Result<ExprId, MustMaterialize> {
        let read = Rc::new((node, view));
        if let Some(&done) = self.memo.get(&read) {
            return Ok(done);
        }
        let memory = self.context.materialized;
        let mark = Mark(self.fused.terms.len(), self.begun.len(), memory.mark());
        loop {
            self.begun.push(Rc::clone(&read));
            *self.views.entry(node).or_default() += 1;
            match self.limited(&read) {
                Err(MustMaterialize(node)) if self.nested.is_none() && memory.want(node, mark.2) => self.forget(&mark),
                Err(must) => return Err(must),
                Ok(expr) => {
                    self.memo.insert(read, expr);
                    return Ok(expr);
                }
            }
        }
    }

    /// A node's value, neither too deep nor too large.
    fn limited(&mut self, read: &Read) -> Result<ExprId, MustMaterialize> {
        let (node, before, begun) = (read.0, self.fused.terms.len(), self.begun.len());
        if self.depth >= DEEPEST && !self.is_leaf(node) {
            return Err(MustMaterialize(node));
        }
        self.depth += 1;
        let expr = self.fresh(node, &read.1);
        self.depth -= 1;
        let large = self.fused.terms.len() - before > LARGEST;
        if large && expr.is_ok() && self.is_own(node) {
            Err(MustMaterialize(self.most_viewed(node, begun)))
        } else {
            expr
        }
    }

    /// What makes an expression too large: the node that is computed through most views, or else the node itself.
    fn most_viewed(&self, node: NodeId, begun: usize) -> NodeId {
        let below = self.begun[begun..].iter().map(|read| read.0);
        let moved = below.filter(|id| self.views[id] > 1 && self.is_own(*id));
        moved.max_by_key(|id| (self.views[id], *id)).unwrap_or(node)
    }

    /// Goes back to a mark.
    fn forget(&mut self, &Mark(terms, begun, _): &Mark) {
        self.fused.terms.truncate(terms);
        self.levels.truncate(terms);
        for read in self.begun.drain(begun..) {
            self.memo.remove(&read);
            *self.views.entry(read.0).or_default() -= 1;
        }
    }

    fn fresh(&mut self, id: NodeId, view: &View) -> Result<ExprId, MustMaterialize> {
        if let Some(&value) = self.passes.get(&id) {
            return self.read(value, view.clone());
        }
        let node = &self.context.graph.nodes[id];
        let dtype = node.ty.dtype;
        if let Op::Const(c) = &node.op
            && !view.has_fill()
        {
            return Ok(self.term(Expr::Const(c.value), dtype));
        }
        if let Op::Iota(iota) = &node.op
            && !self.is_leaf(id)
        {
            let axis = node.ty.axis(iota.axis).map_err(|_| MustMaterialize(id))?;
            let place = position(&node.ty.shape, axis).and_then(|place| place.then(view));
            let whole = |place: &View| !place.has_fill() || place.fill.get().fract() == 0.0;
            let counted = |place: &View| i32::try_from(place.len).is_ok() && whole(place);
            let place = place.filter(counted).ok_or(MustMaterialize(id))?;
            return Ok(self.term(Expr::Position(place), dtype));
        }
        if self.is_leaf(id) {
            return Ok(self.term(Expr::Load { node: id, view: view.clone() }, self.context.held[id]));
        }
        if view.has_fill() && self.computes(id) && i32::try_from(view.len).is_ok() {
            let memory = self.context.materialized;
            return memory.alone(|| self.filled(id, view)).map_err(|_| MustMaterialize(id));
        }
        let read = axes_of(view);
        let points: usize =
            view.shape.iter().enumerate().filter(|(a, _)| read >> a & 1 == 1).map(|(_, &d)| d).product();
        let repeats = points > node.ty.elements();
        if view.has_fill() || (repeats && is_costly(&node.op) && Some(id) != self.whole) {
            return Err(MustMaterialize(id));
        }
        if self.views[&id] > MOST_VIEWS && self.is_own(id) {
            return Err(MustMaterialize(id));
        }
        self.operation(id, view)
    }

    /// Whether a node is computed here and could lie in memory instead.
    fn is_own(&self, id: NodeId) -> bool {
        Some(id) != self.whole && !matches!(self.context.graph.nodes[id].op, Op::ViewOp(_)) && !self.is_leaf(id)
    }

    /// Whether a node is made of positions and numbers, so that it has a value anywhere.
    fn computes(&self, id: NodeId) -> bool {
        let Context { graph, constant, constants, .. } = self.context;
        let op = &graph.nodes[id].op;
        constant[id] && constants.of_positions(id) && (is_pointwise(op) || matches!(op, Op::Const(_) | Op::ViewOp(_)))
    }

    /// A node made of positions under a view that fills: the fill where the view reads nothing.
    fn filled(&mut self, id: NodeId, view: &View) -> Result<ExprId, MustMaterialize> {
        let node = &self.context.graph.nodes[id];
        if matches!(node.op, Op::ViewOp(_)) {
            return self.operation(id, view);
        }
        let (dtype, outside) = (node.ty.dtype, Real::new(-1.0));
        let place = self.term(Expr::Position(View { fill: outside, ..view.clone() }), DType::I32);
        let zero = self.term(Expr::Const(Real::new(0.0)), DType::I32);
        let inside = self.term(Expr::Binary(BinaryOp::Le, zero, place), DType::Bool);
        let value = match &node.op {
            Op::Const(c) => self.term(Expr::Const(c.value), dtype),
            _ => self.operation(id, view)?,
        };
        let fill = self.term(Expr::Const(view.fill), dtype);
        Ok(self.term(Expr::Select(inside, value, fill), dtype))
    }

    /// What a node computes of its operands, all read through the same view.
    fn operation(&mut self, id: NodeId, view: &View) -> Result<ExprId, MustMaterialize> {
        let node = &self.context.graph.nodes[id];
        let dtype = node.ty.dtype;
        match &node.op {
            Op::ViewOp(inner) => {
                let both = inner.map.then(view).ok_or(MustMaterialize(id))?;
                self.read(node.operands[0], both)
            }
            Op::Unary(op) => {
                let a = self.read(node.operands[0], view.clone())?;
                Ok(self.term(Expr::Unary(op.op, a), dtype))
            }
            Op::Gelu(_) => {
                let a = self.read(node.operands[0], view.clone())?;
                Ok(self.term(Expr::Gelu(a), dtype))
            }
            Op::Cast(_) => {
                let a = self.read(node.operands[0], view.clone())?;
                Ok(self.term(Expr::Cast(a), dtype))
            }
            Op::Binary(op) => {
                let (a, b) = (self.read(node.operands[0], view.clone())?, self.read(node.operands[1], view.clone())?);
                match op.op {
                    BinaryOp::Add if self.is_zero_bound(a) => Ok(b),
                    BinaryOp::Add if self.is_zero_bound(b) => Ok(a),
                    op => Ok(self.term(Expr::Binary(op, a, b), dtype)),
                }
            }
            Op::Select(_) => {
                let c = self.read(node.operands[0], view.clone())?;
                let (a, b) = (self.read(node.operands[1], view.clone())?, self.read(node.operands[2], view.clone())?);
                Ok(self.term(Expr::Select(c, a, b), dtype))
            }
            Op::Gather(_) => self.gather(id, view),
            Op::Reduce(reduce) => {
                let operand = node.operands[0];
                let axis = self.context.graph.ty(operand).axis(reduce.axis).map_err(|_| MustMaterialize(id))?;
                self.reduce(id, reduce.op, axis, view)
            }
            _ => Err(MustMaterialize(id)),
        }
    }

    /// Whether the node is read from memory: materialised, or a constant worth folding.
    fn is_leaf(&self, id: NodeId) -> bool {
        if Some(id) == self.whole {
            return false;
        }
        let Context { materialized, constant, constants, .. } = self.context;
        materialized[id] || (constant[id] && constants.folds(id, self.positions))
    }

    fn reduce(
        &mut self,
        id: NodeId,
        op: regard_ir::ops::ReduceOp,
        axis: usize,
        view: &View,
    ) -> Result<ExprId, MustMaterialize> {
        let node = &self.context.graph.nodes[id];
        let base = self.fused.space.len();
        let rank = (base..=view.shape.len()).find(|&rank| axes_of(view) >> rank == 0).unwrap_or(view.shape.len());
        if rank < view.shape.len() {
            return self.read(id, truncate(view, rank));
        }
        if view.shape.len() > base {
            self.nested = Some(id);
            return Err(MustMaterialize(id));
        }
        let operand = node.operands[0];
        let shape = &self.context.graph.ty(operand).shape;
        let extent = shape[axis];
        let read = reduction_view(shape, axis).and_then(|r| r.then(&lift(view, extent))).ok_or(MustMaterialize(id))?;
        let body = self.read(operand, read).map_err(|must| self.innermost(operand, must))?;
        if self.levels[body] >= MOST_NESTED {
            return Err(MustMaterialize(self.source(operand)));
        }
        let sum = self.term(Expr::Reduce { op, extent, body }, node.ty.dtype);
        let appended = 1u64 << base;
        self.fused.terms[sum].axes &= !appended;
        self.reduced.insert(sum, id);
        Ok(sum)
    }

    /// What a node that only moves elements moves.
    fn source(&self, id: NodeId) -> NodeId {
        let node = &self.context.graph.nodes[id];
        if matches!(node.op, Op::ViewOp(_)) && !self.is_leaf(id) { self.source(node.operands[0]) } else { id }
    }

    /// Which node to materialize where a reduction is nested in another: the smaller of operand and inner reduction.
    fn innermost(&mut self, operand: NodeId, must: MustMaterialize) -> MustMaterialize {
        let graph = self.context.graph;
        let directly = self.nested.take() == Some(must.0);
        let small = graph.ty(operand).elements() <= graph.ty(must.0).elements();
        let own = !matches!(graph.nodes[operand].op, Op::ViewOp(_)) && Some(operand) != self.whole;
        if directly && small && own && !self.is_leaf(operand) { MustMaterialize(operand) } else { must }
    }

    fn gather(&mut self, id: NodeId, view: &View) -> Result<ExprId, MustMaterialize> {
        let node = &self.context.graph.nodes[id];
        let (table, index) = (node.operands[0], node.operands[1]);
        let table_shape = &self.context.graph.ty(table).shape;
        let index_shape = &self.context.graph.ty(index).shape;
        let (rows, row_shape) = (table_shape[0], &table_shape[1..]);
        let (source, map) = self.table(table)?;
        let (place, first_row) = rows_of(&map, row_shape).ok_or(MustMaterialize(table))?;
        let mut spread = index_shape.clone();
        spread.resize(node.ty.rank(), 1);
        let index_view = View::reshape(index_shape, &spread).then(&View::expand(&spread, &node.ty.shape));
        let index_view = index_view.and_then(|v| v.then(view)).ok_or(MustMaterialize(id))?;
        let inner = View::expand(row_shape, &node.ty.shape).then(view);
        let inner = inner.and_then(|inner| first_row.then(&inner)).ok_or(MustMaterialize(id))?;
        let row = self.read(index, index_view)?;
        if let Some(node) = self.reduction_below(row) {
            return Err(MustMaterialize(node));
        }
        Ok(self.term(Expr::Gather { table: source, rows, place, row, inner }, self.context.held[source]))
    }

    /// The tensor in memory that a gather's table is, and where in it the table's elements are.
    fn table(&self, table: NodeId) -> Result<(NodeId, View), MustMaterialize> {
        let mut map = View::identity(&self.context.graph.ty(table).shape);
        let mut id = table;
        loop {
            let node = &self.context.graph.nodes[id];
            if self.is_leaf(id) || matches!(node.op, Op::Const(_)) {
                return Ok((id, map));
            }
            let Op::ViewOp(view) = &node.op else { return Err(MustMaterialize(id)) };
            map = view.map.then(&map).ok_or(MustMaterialize(table))?;
            id = node.operands[0];
        }
    }
}
