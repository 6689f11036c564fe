//! What evaluating an expression costs: per vector along an axis, and per row where it does not depend on it.
//!
//! ```text
//!   (load x[row, channel] − mean(row)) · rstd(row)
//!    └ per vector         └────────┴─ once per row: extent/L vectors each, and a horizontal sum
//! ```
//!
//! A pointwise function costs the instructions that the kernel library makes of it, which are counted by
//! making them: nothing here repeats a number that lies there.

use super::{
    rows::lane_extent,
    value::{binary, function},
};
use crate::{
    plan::{
        expr::{Expr, FusedExpr, Stage, Term},
        lanes_are_contiguous,
    },
    templates::cost::CostContext,
};
use regard_ir::{
    kernel::{BinOp, Builder, Inst, Kernel, UnOp, Unit, Val, math, stats},
    ops::{BinaryOp, UnaryOp},
    target::Target,
    types::DType,
    view::{Coord, View},
};

/// Cycles per lane of a gather: one load and one insertion each, twice per cycle.
const GATHERED: f64 = 0.75;
/// Cycles per lane of a division or square root, which are not pipelined: 16 lanes take 16 cycles.
const DIVIDED: f64 = 1.0;
/// Cycles of any other vector instruction: two per cycle.
const VECTOR: f64 = 0.5;
/// Cycles of beginning a row of a stage, and of storing a vector of it.
const STAGED: f64 = 12.0;
const STORED: f64 = 1.5;
/// Cycles of a reduction across lanes: log₂ L dependent steps of four cycles and a move to all lanes.
const HORIZONTAL: f64 = 30.0;

/// Cycles, operations and bytes of one evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cost {
    pub cycles: f64,
    pub flops: f64,
    /// Bytes loaded.
    pub bytes: f64,
}

impl Cost {
    fn add(&mut self, other: Cost, times: f64) {
        self.cycles += other.cycles * times;
        self.flops += other.flops * times;
        self.bytes += other.bytes * times;
    }
}

/// A fused expression with lanes along one of its axes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Price {
    /// Of each vector.
    pub vector: Cost,
    /// Of each row, once.
    pub row: Cost,
    /// Vectors that cover the axis, given how views cut it.
    pub vectors: f64,
    /// Bytes of the tensors that vary along the axis, per element of the space: what a row must bring along.
    pub streamed: f64,
}

impl Price {
    /// The bits of all its numbers.
    pub(crate) fn key(&self) -> [u64; 8] {
        let Price { vector, row, vectors, streamed } = self;
        let costs = [vector, row].map(|cost| [cost.cycles, cost.flops, cost.bytes]);
        let [[a, b, c], [d, e, f]] = costs;
        [a, b, c, d, e, f, *vectors, *streamed].map(f64::to_bits)
    }
}

/// How lanes walk along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walk {
    /// Within the finest digit that the fused expression's views agree on: loads are contiguous, vectors may be short.
    Digits,
    /// Straight on: vectors are full, loads may have to gather.
    Straight,
}

/// Prices a fused expression whose lanes run along `axis`, which has `extent` elements; stages belong to each row.
pub(crate) fn price(fused: &FusedExpr, (axis, extent): (usize, usize), walk: Walk, setting: &CostContext) -> Price {
    let mut price = alone(fused, (axis, extent), walk, setting, &fused.stages);
    for stage in &fused.stages {
        let last = stage.fused.space.len() - 1;
        let inner = stage.fused.space[last];
        let rows = (stage.extent / inner) as f64;
        let own = alone(&stage.fused, (last, inner), Walk::Digits, setting, &fused.stages);
        let written = if stage.kept { 2.0 } else { 1.0 };
        price.row.add(own.row, rows);
        price.row.add(own.vector, rows * own.vectors);
        price.row.cycles += rows * (STAGED + own.vectors * STORED * written);
        price.streamed += (own.streamed + 4.0 * (written - 1.0)) * stage.extent as f64 / extent.max(1) as f64;
    }
    price
}

/// The same without the stages themselves, which are read from scratch.
fn alone(
    fused: &FusedExpr,
    (axis, extent): (usize, usize),
    walk: Walk,
    setting: &CostContext,
    stages: &[Stage],
) -> Price {
    let target = setting.target;
    let lanes = target.lanes as usize;
    let inner = if walk == Walk::Digits { lane_extent(fused, axis, extent) } else { extent };
    let vectors = (extent / inner * inner.div_ceil(lanes)) as f64;
    let mut price = Price { vectors, ..Price::default() };
    let rank = fused.space.len();
    let reduced = reduced_extents(fused);
    let along = |term: &Term, axis: usize| term.axes >> axis & 1 == 1;
    for term in fused.terms.values() {
        let loops: Vec<(usize, usize)> = reduced.iter().copied().filter(|&(axis, _)| along(term, axis)).collect();
        let times: usize = loops.iter().map(|(_, extent)| extent).product();
        let varies = along(term, axis);
        let lane_axis = loops
            .last()
            .filter(|_| !varies)
            .map_or((axis, inner), |&(axis, extent)| (axis, lane_extent(fused, axis, extent)));
        let cost = term_cost(fused, term, lane_axis, walk, setting);
        match (varies, loops.is_empty()) {
            (true, _) => price.vector.add(cost, times as f64),
            (false, true) => price.row.add(cost, 1.0),
            (false, false) => price.row.add(cost, (times as f64 / lanes as f64).max(1.0)),
        }
        let from_memory = match &term.expr {
            Expr::Load { node, .. } => stages.iter().all(|stage| stage.node != *node),
            Expr::Gather { .. } => true,
            _ => false,
        };
        if varies && term.axes >> rank == 0 && from_memory {
            price.streamed += term.dtype.bytes() as f64;
        }
    }
    price
}

/// The appended axis of each reduction, and its extent.
fn reduced_extents(fused: &FusedExpr) -> Vec<(usize, usize)> {
    let rank = fused.space.len();
    let mut axes: Vec<(usize, usize)> = Vec::new();
    for term in fused.terms.values() {
        if let Expr::Reduce { extent, body, .. } = term.expr {
            let used = fused.terms[body].axes >> rank;
            let axis = rank + (u64::BITS - used.leading_zeros()).saturating_sub(1) as usize;
            if used != 0 && !axes.contains(&(axis, extent)) {
                axes.push((axis, extent));
            }
        }
    }
    axes.sort_unstable();
    axes.dedup_by_key(|(axis, _)| *axis);
    axes
}

fn term_cost(fused: &FusedExpr, term: &Term, lane_axis: (usize, usize), walk: Walk, setting: &CostContext) -> Cost {
    let target = setting.target;
    let lanes = f64::from(target.lanes);
    let float = if term.dtype == DType::Bool || term.dtype == DType::I32 { 0.0 } else { lanes };
    let simple = |cycles: f64, flops: f64| Cost { cycles, flops, bytes: 0.0 };
    match &term.expr {
        Expr::Const(_) | Expr::Anchor => Cost::default(),
        Expr::Position(_) => simple(2.0 * VECTOR, 0.0),
        Expr::Load { node, view } => {
            let bytes = term.dtype.bytes() as f64;
            match reading(view, lane_axis, walk, setting.constant[*node], target.lanes as usize) {
                Reading::Same => Cost { cycles: VECTOR, flops: 0.0, bytes },
                Reading::Vector => Cost { cycles: VECTOR, flops: 0.0, bytes: bytes * lanes },
                Reading::Lanes => Cost { cycles: GATHERED * lanes, flops: 0.0, bytes: bytes * lanes },
            }
        }
        Expr::Gather { .. } => Cost { cycles: GATHERED * lanes, flops: 0.0, bytes: term.dtype.bytes() as f64 * lanes },
        Expr::Unary(UnaryOp::Not, _) => simple(VECTOR, 0.0),
        Expr::Unary(op, _) => function_cost(&|b, x| function(b, *op, x, target.fma), target),
        Expr::Gelu(_) => function_cost(&|b, x| math::gelu(b, x, target.fma), target),
        Expr::Binary(BinaryOp::Div, ..) => simple(DIVIDED * lanes, float),
        Expr::Binary(BinaryOp::Rem, ..) if float == 0.0 => simple(DIVIDED * lanes, 0.0),
        Expr::Binary(op @ (BinaryOp::Rem | BinaryOp::Pow), _, y) => {
            let numbers = [None, fused.number(*y)];
            function_cost(&|b, x| binary(b, *op, (x, x), numbers, target.fma), target)
        }
        Expr::Binary(BinaryOp::And | BinaryOp::Or | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Eq, ..) => {
            simple(VECTOR, 0.0)
        }
        Expr::Binary(..) => simple(VECTOR, float),
        Expr::Select(..) | Expr::Cast(_) => simple(VECTOR, 0.0),
        Expr::Reduce { .. } => simple(HORIZONTAL, float),
    }
}

enum Reading {
    /// One element for all lanes.
    Same,
    /// A vector.
    Vector,
    /// Each lane its own address.
    Lanes,
}

/// Constants are rearranged before the first run so that they can be read as they are needed.
fn reading(view: &View, (axis, inner): (usize, usize), walk: Walk, constant: bool, lanes: usize) -> Reading {
    let along = |coord: &Coord| coord.digits.iter().any(|d| d.axis == axis && d.div < inner.max(1));
    let irregular = |coord: &Coord| coord.bounded || (along(coord) && coord.cyclic);
    let unit = |coord: &Coord| {
        let steps = coord.digits.iter().filter(|d| d.axis == axis && d.div < inner.max(1));
        steps.fold(true, |unit, d| unit && d.div == 1 && d.mul * coord.stride as i64 == 1)
    };
    let contiguous = match walk {
        Walk::Digits => view.coords.iter().all(unit),
        Walk::Straight => axis < view.shape.len() && lanes_are_contiguous(view, axis, lanes),
    };
    match () {
        () if !view.coords.iter().any(|coord| coord.bounded || along(coord)) => Reading::Same,
        () if constant => Reading::Vector,
        () if view.coords.iter().any(irregular) || !contiguous => Reading::Lanes,
        () => Reading::Vector,
    }
}

/// What the kernel library makes of a function, counted in a kernel that does nothing else.
pub(crate) fn function_cost(make: &dyn Fn(&mut Builder, Val) -> Val, target: &Target) -> Cost {
    let lanes = f64::from(target.lanes);
    let mut b = Builder::new("function", Unit::Core, target.lanes, [1, 1, 1]);
    let (x, y) = (b.param("x", DType::F32, target.lanes.into()), b.param("y", DType::F32, target.lanes.into()));
    let value = b.load(b.addr_off(x, None, 0));
    let value = make(&mut b, value);
    b.store(value, b.addr_off(y, None, 0));
    let kernel = b.finish();
    let flops = stats::stats(&kernel).work.map_or(0, |work| work.flops) as f64;
    Cost { cycles: instruction_cycles(&kernel, lanes), flops, bytes: 0.0 }
}

fn instruction_cycles(kernel: &Kernel, lanes: f64) -> f64 {
    let cycles = |inst: &Inst| match inst {
        Inst::Const(_) | Inst::Splat(_) | Inst::Load { .. } | Inst::Store { .. } => 0.0,
        Inst::Bin(BinOp::Div, ..) | Inst::Un(UnOp::Sqrt, _) => DIVIDED * lanes,
        _ => VECTOR,
    };
    kernel.body.stmts.iter().map(|stmt| cycles(&stmt.inst)).sum()
}
