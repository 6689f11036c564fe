//! What one kernel computes at one point: the readers and writers of a group.
//!
//! A kernel runs over a *space*, a few axes; at each point an expression over materialised tensors gives
//! the value. Movement has vanished into the loads:
//!
//! ```text
//!   layer norm gathered into windows, at point (row, channel) of the product's left operand:
//!       (load x[view(row, channel)] − mean(row)) · rstd(row)
//!       mean(row) = reduce over one more axis r of load x[view'(row, r)] / n
//! ```
//!
//! A reduction's body lives in the space with one axis appended. Fusing a producer is building its
//! expression under a view; fusing an epilogue is building with [`Expr::Anchor`] as the anchor's value. What cannot
//! be an expression at a point, a reduction of reductions, may still be a [`Stage`]: computed for a whole row ahead.

use regard_ir::{
    define_id,
    graph::NodeId,
    id::IdVec,
    ops::{BinaryOp, ReduceOp, UnaryOp},
    types::{DType, Real},
    view::{Coord, Digit, View},
};

define_id!(
    /// An expression of a [`FusedExpr`].
    ExprId, "e"
);

/// A value at a point.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expr {
    /// A materialised tensor's element; the view maps the point to it.
    Load {
        /// Whose buffer.
        node: NodeId,
        /// Point to element; its shape is the space, possibly with trailing reduction axes.
        view: View,
    },
    /// A number.
    Const(Real),
    /// Where a view reads: the number of the element that it maps the point to.
    Position(View),
    /// One operand.
    Unary(UnaryOp, ExprId),
    /// Two operands.
    Binary(BinaryOp, ExprId, ExprId),
    /// Condition, then, else.
    Select(ExprId, ExprId, ExprId),
    /// Converted to the expression's own element type.
    Cast(ExprId),
    /// Exact GELU.
    Gelu(ExprId),
    /// `table[place(row) + inner(point)]`, the row clamped to those of the table. Where all lanes read one row and
    /// its elements are neighbours, this is a vector load: whole regions are gathered so.
    Gather {
        /// Whose buffer.
        table: NodeId,
        /// Rows of the table.
        rows: usize,
        /// Row to its distance from row 0; one plain coordinate or none.
        place: View,
        /// Row number, i32.
        row: ExprId,
        /// Point to element of row 0.
        inner: View,
    },
    /// Combines `body` over an appended axis of `extent`.
    Reduce {
        /// How.
        op: ReduceOp,
        /// Length of the appended axis.
        extent: usize,
        /// Value at point + axis.
        body: ExprId,
    },
    /// The value the group's anchor just computed.
    Anchor,
}

impl Expr {
    /// The expressions this one is made of.
    pub(crate) fn operands(&self) -> Vec<ExprId> {
        match *self {
            Expr::Load { .. } | Expr::Const(_) | Expr::Position(_) | Expr::Anchor => Vec::new(),
            Expr::Unary(_, a) | Expr::Cast(a) | Expr::Gelu(a) => vec![a],
            Expr::Gather { row, .. } => vec![row],
            Expr::Reduce { body, .. } => vec![body],
            Expr::Binary(_, a, b) => vec![a, b],
            Expr::Select(a, b, c) => vec![a, b, c],
        }
    }
}

/// An expression with what it needs to be emitted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    /// The expression.
    pub expr: Expr,
    /// Element type of its value.
    pub dtype: DType,
    /// Axes of the point it depends on, as a bit set; appended reduction axes included.
    pub axes: u64,
}

/// Expressions over one space, operands first.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct FusedExpr {
    /// The space's axes.
    pub space: Vec<usize>,
    /// Expressions.
    pub terms: IdVec<ExprId, Term>,
    /// The value wanted.
    pub root: Option<ExprId>,
    /// What each row computes before, in this order.
    pub stages: Vec<Stage>,
}

/// A tensor that a kernel computes row by row, before what it is read for. Its elements for the row at hand lie in
/// scratch; views of the kernel's fused expressions count them from the row's first one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The tensor.
    pub node: NodeId,
    /// Elements in each row; those of the next row follow.
    pub extent: usize,
    /// Whether others read it too: then it is also written to memory.
    pub kept: bool,
    /// The value, over the axes of rows and `extent`; where lanes run along what is reduced, over those and an axis of 1.
    pub fused: FusedExpr,
}

impl FusedExpr {
    /// The wanted value.
    pub(crate) fn root(&self) -> ExprId {
        self.root.expect("a built fused has a root")
    }
    /// Every view and the node it reads.
    pub fn loads(&self) -> impl Iterator<Item = (NodeId, &View)> {
        self.terms.values().filter_map(|t| match &t.expr {
            Expr::Load { node, view } => Some((*node, view)),
            Expr::Gather { table, inner, .. } => Some((*table, inner)),
            _ => None,
        })
    }
    /// The stage that computes a tensor, where one does.
    pub(crate) fn stage(&self, node: NodeId) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.node == node)
    }
    /// The tensors in memory that are read, those of stages included.
    pub fn reads(&self) -> impl Iterator<Item = NodeId> {
        let all = self.loads().chain(self.stages.iter().flat_map(|stage| stage.fused.loads()));
        all.map(|(node, _)| node).filter(|&node| self.stage(node).is_none())
    }
    /// Whether the term depends on an axis of the point.
    pub(crate) fn uses(&self, term: ExprId, axis: usize) -> bool {
        self.terms[term].axes >> axis & 1 == 1
    }
    /// Reductions in order, inner ones first.
    pub(crate) fn reductions(&self) -> Vec<ExprId> {
        self.terms.iter().filter(|(_, t)| matches!(t.expr, Expr::Reduce { .. })).map(|(id, _)| id).collect()
    }
    /// The reductions that an expression is made of, inner ones first, those inside others included.
    pub(crate) fn reductions_below(&self, top: ExprId) -> Vec<ExprId> {
        let mut below: IdVec<ExprId, bool> = self.terms.values().map(|_| false).collect();
        below[top] = true;
        for id in self.terms.ids().rev() {
            if below[id] {
                self.terms[id].expr.operands().into_iter().for_each(|o| below[o] = true);
            }
        }
        self.reductions().into_iter().filter(|&id| below[id]).collect()
    }
    /// The term's value where it is a number.
    pub(crate) fn number(&self, term: ExprId) -> Option<f64> {
        match self.terms[term].expr {
            Expr::Const(value) => Some(value.get()),
            _ => None,
        }
    }
    /// Whether the term is a number above zero.
    pub(crate) fn positive_constant(&self, term: ExprId) -> bool {
        self.number(term).is_some_and(|value| value > 0.0)
    }
    /// The root as a plain element of a tensor, where it is nothing else.
    pub(crate) fn plain_load(&self) -> Option<(NodeId, &View)> {
        match &self.terms[self.root()].expr {
            Expr::Load { node, view } => Some((*node, view)),
            _ => None,
        }
    }
}

/// Axes of the result that a view reads, as a bit set.
pub(crate) fn axes_of(view: &View) -> u64 {
    view.coords.iter().flat_map(|c| &c.digits).fold(0, |set, d| set | 1 << d.axis)
}

/// The view with an axis of extent `n` appended to result and source alike.
pub(crate) fn lift(view: &View, n: usize) -> View {
    let axis = view.shape.len();
    let mut lifted = view.clone();
    lifted.shape.push(n);
    lifted.len *= n;
    if n == 1 {
        return lifted;
    }
    for coord in &mut lifted.coords {
        if coord.is_plain() {
            coord.offset *= n as i64;
            coord.digits.iter_mut().for_each(|d| d.mul *= n as i64);
            coord.extent *= n;
        } else {
            coord.stride *= n;
        }
    }
    let digit = Digit { axis, div: 1, extent: n, mul: 1 };
    match lifted.coords.iter_mut().find(|c| c.is_plain()) {
        Some(plain) => plain.digits.push(digit),
        None => lifted.coords.push(Coord {
            extent: n,
            stride: 1,
            offset: 0,
            digits: vec![digit],
            cyclic: false,
            bounded: false,
        }),
    }
    lifted.coords.sort_by_key(|c| std::cmp::Reverse(c.stride));
    lifted
}

/// The view without its last result axes, none of which it reads, so that `rank` are left.
pub(crate) fn truncate(view: &View, rank: usize) -> View {
    let mut short = view.clone();
    short.shape.truncate(rank);
    short
}

/// Reads the operand of a reduction: the reduced tensor's elements, in axes before and after the reduced one,
/// and then the reduced axis.
pub(crate) fn reduction_view(operand: &[usize], axis: usize) -> Option<View> {
    let (before, behind) = (operand[..axis].iter().product(), operand[axis + 1..].iter().product());
    let whole = [before, operand[axis], behind];
    View::reshape(operand, &whole).then(&View::transpose(&whole, &[0, 2, 1]))
}

/// The view of an axis, by itself, at each element of a tensor.
pub(crate) fn position(shape: &[usize], axis: usize) -> Option<View> {
    let alone: Vec<usize> = (0..shape.len()).map(|a| if a == axis { shape[a] } else { 1 }).collect();
    View::reshape(&[shape[axis]], &alone).then(&View::expand(&alone, shape))
}

/// Splits a view of a table into the distance of each row from row 0 and the elements of row 0. Exists where a
/// place in the source is a sum over the axes; neighbours along the last axis must be neighbours there.
pub(crate) fn rows_of(map: &View, row_shape: &[usize]) -> Option<(View, View)> {
    if !map.coords.iter().all(|coord| coord.is_plain()) {
        return None;
    }
    let last = map.shape.len() - 1;
    let step =
        |coord: &Coord| coord.digits.iter().find(|d| d.axis == last).map(|d| (d.div, d.mul, d.extent, coord.stride));
    let steps: Vec<_> = map.coords.iter().filter_map(step).collect();
    let (several, wide) = (!row_shape.is_empty(), row_shape.last().is_some_and(|&n| n > 1));
    if several && wide && steps != [(1, 1, map.shape[last], 1)] {
        return None;
    }
    let first_row = map.then(&View::slice(&map.shape, 0, 0, 1, 1))?;
    let first_row = first_row.then(&View::reshape(&first_row.shape.clone(), row_shape))?;
    let mut place = map.clone();
    place.shape.truncate(1);
    for coord in &mut place.coords {
        coord.digits.retain(|d| d.axis == 0);
        coord.offset = 0;
    }
    place.coords.retain(|coord| !coord.digits.is_empty());
    Some((place, first_row))
}
