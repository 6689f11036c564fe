//! Walking along a row: chunks of lanes, values that a whole row shares, stages in front of it, stores.
//!
//! ```text
//!   for each stage of the row            its elements go to scratch, computed in the same way
//!   for each reduction that the row alone decides       lanes run along the reduced axis
//!   for chunk of L elements of the row   expression; the last chunk has fewer active lanes
//! ```
//!
//! Lanes run over the finest digit that all views of the expression share, so a vector never crosses a digit.

use super::{
    Context, Scope,
    index::{Access, DigitAt, Point, access, active_lanes},
    value::{across, combine, finish, neutral},
};
use crate::plan::expr::{Expr, ExprId, FusedExpr, Stage, Term};
use regard_ir::{
    kernel::{Buf, Builder, Val},
    view::View,
};

/// The innermost digit of `axis` that all of the fused expression's views agree on: lanes run along it.
pub(crate) fn lane_extent(fused: &FusedExpr, axis: usize, extent: usize) -> usize {
    let mut inner = extent;
    for (_, view) in fused.loads() {
        for digit in view.coords.iter().flat_map(|c| &c.digits).filter(|d| d.axis == axis) {
            let boundary = if digit.div > 1 { digit.div } else { digit.extent };
            inner = greatest_common_divisor(inner, boundary);
        }
    }
    inner.max(1)
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// Up to L consecutive elements of an axis.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    /// The axis at the chunk.
    pub digits: Vec<DigitAt>,
    /// Active lanes where not all are.
    pub active: Option<Val>,
    /// The most lanes that can be active.
    pub count: usize,
}

impl Chunk {
    /// Index of lane 0 on the axis.
    pub(crate) fn start(&self, b: &mut Builder) -> Val {
        let mut total: Option<Val> = None;
        for digit in &self.digits {
            let term = b.mul_const(digit.value, digit.div as i64);
            total = Some(total.map_or(term, |t| b.add(t, term)));
        }
        total.expect("an axis has digits")
    }
}

/// What is done with a chunk: carried vectors in, carried vectors out.
pub(crate) type ChunkBody<'a> = &'a mut dyn FnMut(&mut Builder, Chunk, Vec<Val>) -> Vec<Val>;

/// Runs `body` for every chunk of an axis whose lanes run over `inner` elements at a time.
pub(crate) fn for_chunks(b: &mut Builder, extent: usize, inner: usize, init: &[Val], body: ChunkBody) -> Vec<Val> {
    let outer = extent / inner;
    if outer == 1 {
        return chunks_of_digit(b, None, inner, init, body);
    }
    b.for_const(outer as u64, 1, init, |b, at, carried| {
        let coarse = DigitAt { div: inner, extent: outer, value: at, lanes: false };
        chunks_of_digit(b, Some(coarse), inner, carried, body)
    })
}

/// The chunks of one value of a coarse digit.
pub(crate) fn chunks_of_digit(
    b: &mut Builder,
    coarse: Option<DigitAt>,
    inner: usize,
    init: &[Val],
    body: ChunkBody,
) -> Vec<Val> {
    let lanes = b.lanes() as usize;
    let whole = inner / lanes * lanes;
    let chunk = |base: Val, active: Option<Val>, count: usize| {
        let fine = DigitAt { div: 1, extent: inner, value: base, lanes: true };
        Chunk { digits: coarse.into_iter().chain([fine]).collect(), active, count }
    };
    let mut carried = init.to_vec();
    if whole == lanes {
        let base = b.i64(0);
        carried = body(b, chunk(base, None, lanes), carried);
    } else if whole > 0 {
        carried = b.for_const(whole as u64, lanes as i64, &carried, |b, base, carried| {
            body(b, chunk(base, None, lanes), carried.to_vec())
        });
    }
    if whole < inner {
        let (base, active) = (b.i64(whole as i64), b.i64((inner - whole) as i64));
        carried = body(b, chunk(base, Some(active), inner - whole), carried);
    }
    carried
}

impl Context {
    /// Computes what does not depend on `axis` and records it in the scope, whose point has the axes before it:
    /// reductions, and what is made of them or of values in memory, which loops would read again for each vector.
    pub(crate) fn row_values(&self, b: &mut Builder, scope: &mut Scope, axis: usize) {
        let rank = scope.fused.space.len();
        let mut row = scope.clone();
        row.point.axes.resize(rank, Vec::new());
        for (id, term) in scope.fused.terms.iter() {
            // Bodies of reductions depend on an axis after the space.
            if scope.fused.uses(id, axis) || term.axes >> rank != 0 {
                continue;
            }
            let value = match term.expr {
                Expr::Const(_) | Expr::Anchor => continue,
                Expr::Reduce { .. } => self.reduce_along_lanes(b, &row, id),
                _ => self.value(b, &mut row, id),
            };
            row.known.insert(id, value);
            scope.known.insert(id, value);
        }
    }

    /// One reduction with lanes along the reduced axis, the result in all lanes.
    fn reduce_along_lanes(&self, b: &mut Builder, scope: &Scope, id: ExprId) -> Val {
        let Term { expr: Expr::Reduce { op, extent, body }, dtype, .. } = scope.fused.terms[id] else {
            panic!("{id} is not a reduction")
        };
        let inner = lane_extent(scope.fused, scope.fused.space.len(), extent);
        let start = neutral(b, op, dtype);
        let total = for_chunks(b, extent, inner, &[start], &mut |b, chunk, carried| {
            let mut at = scope.at(scope.point.with_axis(chunk.digits, chunk.active));
            let mut value = self.value(b, &mut at, body);
            if chunk.active.is_some() {
                let active = active_lanes(b, &at.point);
                value = b.select(active, value, start);
            }
            vec![combine(b, op, carried[0], value)]
        });
        let all = across(b, op, total[0]);
        finish(b, op, extent, all)
    }
}

/// A row, and whether what it keeps is written; it is where absent.
#[derive(Clone, Copy)]
pub(crate) struct RowAt<'a> {
    /// The axes that count rows.
    pub point: &'a Point,
    /// The row's number, counted through all of them.
    pub number: Val,
    /// Of several blocks with this row, one writes.
    pub writes: Option<Val>,
}

impl Context {
    /// Computes the stages of a fused expression for one row.
    pub(crate) fn stages(&self, b: &mut Builder, fused: &FusedExpr, row: RowAt) {
        for stage in &fused.stages {
            if stage.fused.space.len() == fused.space.len() {
                self.stage(b, stage, row.point, None);
            } else {
                b.for_const(stage.extent as u64, 1, &[], |b, at, _| {
                    self.stage(b, stage, &row.point.with_scalar(at, stage.extent), Some(at));
                    Vec::new()
                });
            }
            if let Some(&kept) = self.kept.get(&stage.node) {
                let keep = |b: &mut Builder| self.keep(b, stage, kept, row.number);
                match row.writes {
                    Some(writes) => b.if_else(writes, keep, |_| Vec::new()),
                    None => keep(b),
                };
            }
        }
    }

    /// Elements of a stage along its last axis, from `start` of the row on.
    fn stage(&self, b: &mut Builder, stage: &Stage, point: &Point, start: Option<Val>) {
        let scratch = self.buffers[&stage.node];
        let last = stage.fused.space.len() - 1;
        let inner = stage.fused.space[last];
        let mut scope = Scope::new(&stage.fused, point.clone());
        self.row_values(b, &mut scope, last);
        for_chunks(b, inner, lane_extent(&stage.fused, last, inner), &[], &mut |b, chunk: Chunk, _| {
            let at = chunk.start(b);
            let at = start.map_or(at, |start| b.add(start, at));
            let mut here = scope.at(scope.point.with_axis(chunk.digits, chunk.active));
            let value = self.root(b, &mut here);
            b.store_with(value, b.addr(scratch, at), chunk.active, 1);
            Vec::new()
        });
    }

    /// Writes a row of a stage to memory.
    fn keep(&self, b: &mut Builder, stage: &Stage, kept: Buf, row: Val) -> Vec<Val> {
        let start = b.mul_const(row, stage.extent as i64);
        for_chunks(b, stage.extent, stage.extent, &[], &mut |b, chunk: Chunk, _| {
            let at = chunk.start(b);
            let value = b.load_with(b.addr(self.buffers[&stage.node], at), chunk.active, 1);
            let to = b.add(start, at);
            b.store_with(value, b.addr(kept, to), chunk.active, 1);
            Vec::new()
        })
    }
}

/// Writes the active lanes to the elements that `view` names.
pub(crate) fn store_at(b: &mut Builder, output: Buf, view: &View, point: &Point, value: Val) {
    match access(b, view, point) {
        Access::Affine { index, offset, step, inside: None } => {
            b.store_with(value, b.addr_off(output, index, offset), point.active, step.max(1))
        }
        _ => panic!("stores run along contiguous lanes"),
    }
}
