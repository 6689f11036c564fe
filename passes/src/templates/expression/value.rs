//! Expressions at a point become vector instructions.

use super::{
    index::{Access, Point, access, active_lanes, digits_of, same_in_lanes},
    integer,
};
use crate::plan::expr::{Expr, ExprId, FusedExpr};
use regard_ir::{
    graph::NodeId,
    id::IdVec,
    kernel::{BinOp, Buf, Builder, CastOp, CmpOp, Const, Elem, ReduceOp as Horizontal, Type, UnOp, Val, math},
    ops::{BinaryOp, ReduceOp, UnaryOp},
    types::{DType, Real},
    view::View,
};
use std::collections::BTreeMap;

/// What every expression of a kernel may need.
#[derive(Default)]
pub(crate) struct Context {
    /// The buffer of each materialised node the group touches; of a stage, the scratch of its row.
    pub buffers: BTreeMap<NodeId, Buf>,
    /// Where stages go that others read, too.
    pub kept: BTreeMap<NodeId, Buf>,
    /// Constants that were rearranged for one way of reading them: buffer, and where to read.
    pub rearranged: BTreeMap<(NodeId, View), (Buf, View)>,
    /// Whether fma is one instruction.
    pub fma: bool,
}

/// Values known at one point of one fused expression.
#[derive(Clone)]
pub(crate) struct Scope<'a> {
    /// The expressions.
    pub fused: &'a FusedExpr,
    /// Where.
    pub point: Point,
    /// Values already computed here.
    pub known: BTreeMap<ExprId, Val>,
}

impl<'a> Scope<'a> {
    /// Nothing known yet.
    pub(crate) fn new(fused: &'a FusedExpr, point: Point) -> Self {
        Self { fused, point, known: BTreeMap::new() }
    }
    /// The same knowledge elsewhere: what is known must not depend on what changes.
    pub(crate) fn at(&self, point: Point) -> Self {
        Self { point, ..self.clone() }
    }
    /// Declares the anchor's value at this point.
    pub(crate) fn with_anchor(mut self, value: Val) -> Self {
        for (id, term) in self.fused.terms.iter() {
            if term.expr == Expr::Anchor {
                self.known.insert(id, value);
            }
        }
        self
    }
}

impl Context {
    /// The fused expression's value at the scope's point, one element per lane.
    pub(crate) fn root(&self, b: &mut Builder, scope: &mut Scope) -> Val {
        self.value(b, scope, scope.fused.root())
    }

    /// An expression's value.
    pub(crate) fn value(&self, b: &mut Builder, scope: &mut Scope, id: ExprId) -> Val {
        if let Some(&known) = scope.known.get(&id) {
            return known;
        }
        let term = &scope.fused.terms[id];
        let value = match &term.expr {
            Expr::Load { node, view } => self.load(b, *node, view, &scope.point),
            Expr::Const(value) => constant(b, *value, term.dtype),
            Expr::Position(view) => {
                let place = position(b, view, &scope.point);
                cast(b, place, term.dtype)
            }
            Expr::Unary(op, a) => {
                let a = self.value(b, scope, *a);
                function(b, *op, a, self.fma)
            }
            Expr::Gelu(a) => {
                let a = self.value(b, scope, *a);
                math::gelu(b, a, self.fma)
            }
            Expr::Cast(a) => {
                let a = self.value(b, scope, *a);
                cast(b, a, term.dtype)
            }
            Expr::Binary(op, x, y) => {
                let divisor = scope.fused.positive_constant(*y);
                let integers = term.dtype == DType::I32 && !divisor;
                let numbers = [scope.fused.number(*x), scope.fused.number(*y)];
                let (x, y) = (self.value(b, scope, *x), self.value(b, scope, *y));
                match op {
                    BinaryOp::Div if integers => integer::divide(b, x, y).0,
                    BinaryOp::Rem if integers => integer::divide(b, x, y).1,
                    op => binary(b, *op, (x, y), numbers, self.fma),
                }
            }
            Expr::Select(c, x, y) => {
                let c = self.value(b, scope, *c);
                let (x, y) = (self.value(b, scope, *x), self.value(b, scope, *y));
                b.select(c, x, y)
            }
            Expr::Gather { table, rows, place, row, inner } => {
                let uniform = is_uniform(scope, *row, b.lanes() as usize);
                let row = self.value(b, scope, *row);
                let (first, last) = (b.vi32(0), b.vi32(*rows as i32 - 1));
                let row = b.bin(BinOp::Max, row, first);
                let row = b.bin(BinOp::Min, row, last);
                let buf = self.buffers[table];
                if uniform {
                    self.one_row(b, buf, (row, *rows, place), inner, &scope.point)
                } else {
                    self.rows(b, buf, (row, place), inner, &scope.point)
                }
            }
            Expr::Reduce { .. } => self.reduce_lanewise(b, scope, id),
            Expr::Anchor => panic!("the anchor's value is not known here"),
        };
        scope.known.insert(id, value);
        value
    }

    /// A materialised tensor's element.
    fn load(&self, b: &mut Builder, node: NodeId, view: &View, point: &Point) -> Val {
        let (buf, view) = match self.rearranged.get(&(node, view.clone())) {
            Some((buf, read)) => (*buf, read),
            None => (self.buffers[&node], view),
        };
        match access(b, view, point) {
            Access::Affine { index, offset, step, inside } => {
                let at = b.addr_off(buf, index, offset);
                let value = if step == 0 { b.bcast(at) } else { b.load_with(at, point.active, step) };
                inside.map_or(value, |inside| {
                    let (inside, fill) = (b.splat(inside), b.const_like(value, view.fill.get()));
                    b.select(inside, value, fill)
                })
            }
            Access::Gather { idx, inside } => {
                let value = b.gather(b.addr_off(buf, None, 0), idx, inside);
                if view.has_fill() && view.fill.get() != 0.0 {
                    let fill = b.const_like(value, view.fill.get());
                    b.select(inside, value, fill)
                } else {
                    value
                }
            }
        }
    }

    /// Elements of one row, the same for all lanes.
    fn one_row(&self, b: &mut Builder, buf: Buf, row: (Val, usize, &View), inner: &View, point: &Point) -> Val {
        let (row, rows, place) = row;
        let row = b.extract(row, 0);
        let row = b.cast(CastOp::I32ToI64, row);
        let Access::Affine { index: start, .. } = access(b, place, &Point::scalars(&[(row, rows)])) else {
            panic!("rows of a table begin at scalar places")
        };
        match access(b, inner, point) {
            Access::Affine { index, offset, step, inside: None } => {
                let index = match (start, index) {
                    (Some(start), Some(index)) => Some(b.add(start, index)),
                    (start, index) => start.or(index),
                };
                let addr = b.addr_off(buf, index, offset);
                if step == 0 { b.bcast(addr) } else { b.load_with(addr, point.active, step) }
            }
            Access::Affine { .. } => panic!("a row of a table is read whole"),
            Access::Gather { idx, inside } => b.gather(b.addr_off(buf, start, 0), idx, inside),
        }
    }

    /// Elements of rows that differ from lane to lane.
    fn rows(&self, b: &mut Builder, buf: Buf, row: (Val, &View), inner: &View, point: &Point) -> Val {
        let active = active_lanes(b, point);
        let mut idx = digits_of(b, row.1, row.0);
        let mut addr = b.addr_off(buf, None, 0);
        match access(b, inner, point) {
            Access::Affine { index, offset, step, inside: None } => {
                addr.index = index;
                addr.offset = offset;
                let lane = b.lane();
                let steps = b.mul_const(lane, step);
                idx = b.add(idx, steps);
            }
            Access::Affine { .. } => panic!("a row of a table is read whole"),
            Access::Gather { idx: within, .. } => idx = b.add(idx, within),
        }
        b.gather(addr, idx, active)
    }

    /// A reduction that differs from lane to lane: one loop, one accumulator. Reductions inside its body do not
    /// depend on the loop and are computed before it.
    fn reduce_lanewise(&self, b: &mut Builder, scope: &mut Scope, id: ExprId) -> Val {
        let Expr::Reduce { op, extent, body } = scope.fused.terms[id].expr else { panic!("{id} is not a reduction") };
        for inner in scope.fused.reductions_below(body) {
            self.value(b, scope, inner);
        }
        // The taps of a small kernel become straight code, in which their places are constants.
        const SHORT: usize = 25;
        let unroll = if extent <= SHORT { extent as u32 } else { 1 };
        let start = neutral(b, op, scope.fused.terms[id].dtype);
        let bounds = (b.i64(0), b.i64(extent as i64));
        let total = b.for_loop(bounds, 1, unroll, &[start], |b, r, carried| {
            let mut inner = scope.at(scope.point.with_scalar(r, extent));
            let weighted = match scope.fused.terms[body].expr {
                Expr::Binary(BinaryOp::Mul, x, y) if op == ReduceOp::Sum && self.fma => Some((x, y)),
                _ => None,
            };
            let real = scope.fused.terms[body].dtype == DType::F32;
            vec![match weighted.filter(|_| real) {
                Some((x, y)) => {
                    let (x, y) = (self.value(b, &mut inner, x), self.value(b, &mut inner, y));
                    b.fma(x, y, carried[0])
                }
                None => {
                    let value = self.value(b, &mut inner, body);
                    combine(b, op, carried[0], value)
                }
            }]
        });
        finish(b, op, extent, total[0])
    }
}

/// A pointwise function of one operand.
pub(crate) fn function(b: &mut Builder, op: UnaryOp, a: Val, fma: bool) -> Val {
    match op {
        UnaryOp::Neg => b.un(UnOp::Neg, a),
        UnaryOp::Abs => b.un(UnOp::Abs, a),
        UnaryOp::Sqrt => b.un(UnOp::Sqrt, a),
        UnaryOp::Floor => b.un(UnOp::Floor, a),
        UnaryOp::Round => b.un(UnOp::Round, a),
        UnaryOp::Not => b.un(UnOp::Not, a),
        UnaryOp::Exp => math::exp(b, a, fma),
        UnaryOp::Log => math::log(b, a, fma),
        UnaryOp::Rsqrt => math::rsqrt(b, a),
        UnaryOp::Recip => math::recip(b, a),
        UnaryOp::Erf => math::erf(b, a, fma),
        UnaryOp::Tanh => math::tanh(b, a, fma),
        UnaryOp::Sigmoid => math::sigmoid(b, a, fma),
        UnaryOp::Sin => math::sin(b, a, fma),
        UnaryOp::Cos => math::cos(b, a, fma),
    }
}

/// The number of the element that a view reads in each lane, i32; its fill where it reads none.
fn position(b: &mut Builder, view: &View, point: &Point) -> Val {
    let fill = b.vi32(view.fill.get() as i32);
    match access(b, view, point) {
        Access::Affine { index, offset, step, inside } => {
            let place = match index {
                Some(index) => b.add_const(index, offset),
                None => b.i64(offset),
            };
            let place = b.cast(CastOp::I64ToI32, place);
            let mut place = b.splat(place);
            if step != 0 {
                let lane = b.lane();
                let steps = b.mul_const(lane, step);
                place = b.add(place, steps);
            }
            inside.map_or(place, |inside| {
                let inside = b.splat(inside);
                b.select(inside, place, fill)
            })
        }
        Access::Gather { idx, inside } if view.has_fill() => b.select(inside, idx, fill),
        Access::Gather { idx, .. } => idx,
    }
}

/// Whether an expression has one value for all lanes of a point.
fn is_uniform(scope: &Scope, id: ExprId, lanes: usize) -> bool {
    let mut uniform: IdVec<ExprId, bool> = IdVec::new();
    for (_, term) in scope.fused.terms.iter().take_while(|(at, _)| *at <= id) {
        let reads_one = match &term.expr {
            Expr::Load { view, .. } | Expr::Gather { inner: view, .. } | Expr::Position(view) => {
                same_in_lanes(view, &scope.point, lanes)
            }
            Expr::Anchor | Expr::Reduce { .. } => false,
            _ => true,
        };
        uniform.push(reads_one && term.expr.operands().into_iter().all(|operand| uniform[operand]));
    }
    uniform[id]
}

/// A number in all lanes.
pub(crate) fn constant(b: &mut Builder, value: Real, dtype: DType) -> Val {
    let scalar = match dtype {
        DType::I32 => b.constant(Const::I32(value.get() as i32)),
        DType::Bool => b.constant(Const::Bool(value.get() != 0.0)),
        _ => b.constant(Const::F32(value)),
    };
    b.splat(scalar)
}

/// A pointwise function of two operands, which may be known numbers.
pub(crate) fn binary(b: &mut Builder, op: BinaryOp, (x, y): (Val, Val), numbers: [Option<f64>; 2], fma: bool) -> Val {
    match op {
        BinaryOp::Add => b.add(x, y),
        BinaryOp::Sub => b.sub(x, y),
        BinaryOp::Mul => b.mul(x, y),
        BinaryOp::Div => b.bin(BinOp::Div, x, y),
        BinaryOp::Rem if b.ty(x) == Type::Vector(Elem::F32) => math::remainder(b, x, y, fma),
        BinaryOp::Rem => b.bin(BinOp::Rem, x, y),
        BinaryOp::Pow => numbers[1].and_then(|n| math::pow_of(b, x, n)).unwrap_or_else(|| math::pow(b, x, y, fma)),
        BinaryOp::Min | BinaryOp::Max => {
            let how = if op == BinaryOp::Min { BinOp::Min } else { BinOp::Max };
            match numbers.map(|number| number.is_some_and(|number| !number.is_nan())) {
                [true, _] => b.bin(how, x, y),
                [_, true] => b.bin(how, y, x),
                _ => extremum(b, how, x, y),
            }
        }
        BinaryOp::And => b.bin(BinOp::And, x, y),
        BinaryOp::Or => b.bin(BinOp::Or, x, y),
        BinaryOp::Lt => b.cmp(CmpOp::Lt, x, y),
        BinaryOp::Le => b.cmp(CmpOp::Le, x, y),
        BinaryOp::Eq if b.ty(x) == Type::Vector(Elem::Bool) => {
            let differ = b.bin(BinOp::Xor, x, y);
            b.un(UnOp::Not, differ)
        }
        BinaryOp::Eq => b.cmp(CmpOp::Eq, x, y),
    }
}

/// The greater or smaller of two, NaN where either is. The instruction gives the second operand where one is NaN, so
/// with a number first it is enough by itself; else a NaN in the first is put back.
fn extremum(b: &mut Builder, how: BinOp, x: Val, y: Val) -> Val {
    let value = b.bin(how, x, y);
    if b.ty(x) != Type::Vector(Elem::F32) {
        return value;
    }
    let number = b.cmp(CmpOp::Eq, x, x);
    b.select(number, value, x)
}

fn cast(b: &mut Builder, a: Val, to: DType) -> Val {
    let from = b.ty(a);
    let as_int = |b: &mut Builder, a| b.cast(CastOp::BoolToI32, a);
    match (from, to) {
        (Type::Vector(Elem::Bool), DType::Bool) | (Type::Vector(Elem::I32), DType::I32) => a,
        (Type::Vector(Elem::Bool), DType::I32) => as_int(b, a),
        (Type::Vector(Elem::Bool), _) => {
            let int = as_int(b, a);
            b.cast(CastOp::I32ToF32, int)
        }
        (Type::Vector(Elem::I32 | Elem::F32), DType::Bool) => {
            let zero = b.const_like(a, 0.0);
            b.cmp(CmpOp::Ne, a, zero)
        }
        (Type::Vector(Elem::I32), _) => b.cast(CastOp::I32ToF32, a),
        (Type::Vector(Elem::F32), DType::I32) => {
            // 2^31 − 128 is the largest f32 below 2^31; a conversion outside the range has no value.
            let (low, high, zero) = (b.vf32(-2147483648.0), b.vf32(2147483520.0), b.vf32(0.0));
            let number = b.cmp(CmpOp::Eq, a, a);
            let a = b.select(number, a, zero);
            let beyond = b.cmp(CmpOp::Lt, high, a);
            let a = b.bin(BinOp::Max, a, low);
            let a = b.bin(BinOp::Min, a, high);
            let (whole, most) = (b.cast(CastOp::F32ToI32, a), b.vi32(i32::MAX));
            b.select(beyond, most, whole)
        }
        _ => a,
    }
}

/// What a reduction starts with, in all lanes.
pub(crate) fn neutral(b: &mut Builder, op: ReduceOp, dtype: DType) -> Val {
    match (op, dtype) {
        (op, DType::Bool) => {
            let start = b.constant(Const::Bool(op == ReduceOp::Min));
            b.splat(start)
        }
        (ReduceOp::Sum | ReduceOp::Mean, DType::I32) => b.vi32(0),
        (ReduceOp::Max, DType::I32) => b.vi32(i32::MIN),
        (ReduceOp::Min, DType::I32) => b.vi32(i32::MAX),
        (ReduceOp::Sum | ReduceOp::Mean, _) => b.vf32(0.0),
        (ReduceOp::Max, _) => b.vf32(f64::NEG_INFINITY),
        (ReduceOp::Min, _) => b.vf32(f64::INFINITY),
    }
}

/// One step of a reduction.
pub(crate) fn combine(b: &mut Builder, op: ReduceOp, total: Val, value: Val) -> Val {
    match op {
        ReduceOp::Max if b.ty(total) == Type::Vector(Elem::Bool) => b.bin(BinOp::Or, total, value),
        ReduceOp::Min if b.ty(total) == Type::Vector(Elem::Bool) => b.bin(BinOp::And, total, value),
        ReduceOp::Sum | ReduceOp::Mean => b.add(total, value),
        // A NaN in the total stays, as it comes second; the other check waits for no earlier step.
        ReduceOp::Max => extremum(b, BinOp::Max, value, total),
        ReduceOp::Min => extremum(b, BinOp::Min, value, total),
    }
}

/// All lanes of a reduction's total combined, in all lanes.
pub(crate) fn across(b: &mut Builder, op: ReduceOp, total: Val) -> Val {
    let horizontal = match op {
        ReduceOp::Sum | ReduceOp::Mean => Horizontal::Sum,
        ReduceOp::Max => Horizontal::Max,
        ReduceOp::Min => Horizontal::Min,
    };
    match b.ty(total) {
        Type::Vector(Elem::F32) if horizontal != Horizontal::Sum => return across_with_nan(b, op, total),
        Type::Vector(Elem::Bool) => {}
        _ => {
            let scalar = b.reduce(horizontal, total);
            return b.splat(scalar);
        }
    }
    let numbers = b.cast(CastOp::BoolToI32, total);
    let number = b.reduce(horizontal, numbers);
    let zero = b.const_like(number, 0.0);
    let scalar = b.cmp(CmpOp::Ne, number, zero);
    b.splat(scalar)
}

/// The greatest or smallest lane in all lanes, NaN where one is: each lane with that whose number differs in one bit.
fn across_with_nan(b: &mut Builder, op: ReduceOp, total: Val) -> Val {
    let (mut all, mut distance) = (total, b.lanes() / 2);
    while distance > 0 {
        let partners = b.shuffle(all, (0..b.lanes()).map(|lane| (lane ^ distance) as u8).collect());
        all = combine(b, op, all, partners);
        distance /= 2;
    }
    // Lanes may differ in the sign of a zero.
    let scalar = b.extract(all, 0);
    b.splat(scalar)
}

/// The end of a reduction: a mean divides by the extent.
pub(crate) fn finish(b: &mut Builder, op: ReduceOp, extent: usize, total: Val) -> Val {
    if op != ReduceOp::Mean {
        return total;
    }
    let factor = b.const_like(total, 1.0 / extent as f64);
    b.mul(total, factor)
}

/// The value with inactive lanes set to zero.
pub(crate) fn zero_inactive(b: &mut Builder, point: &Point, value: Val) -> Val {
    if point.active.is_none() {
        return value;
    }
    let active = active_lanes(b, point);
    let zero = b.const_like(value, 0.0);
    b.select(active, value, zero)
}
