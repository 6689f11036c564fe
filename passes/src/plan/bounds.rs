//! Scores that a mask of positions excludes for whole tiles of queries and keys at once.
//!
//! ```text
//!   select(i − j < 256, s, −∞)        queries i in 512…525, keys j in 0…31
//!   i − j in 481…525                  so i − j < 256 holds nowhere: every score is −∞
//! ```
//!
//! Interval arithmetic: on a box of the space every expression of positions has a least and a greatest value, and every
//! condition holds everywhere, nowhere, or neither is known. The arithmetic is that of the kernel (sums of integers are
//! exact, f32 rounds monotonically), so what is known is true. It is written once, for anything that calculates: for
//! [numbers](Number), which count how much a mask excludes, and for the values of a kernel, whose loops then pass over
//! the keys that no query of a tile may see. A part of a larger box is never known to be seen where the box is not.

mod number;

pub use number::{Number, Numbers};

use super::expr::{Expr, ExprId, FusedExpr};
use number::is_in_range;
use regard_ir::{
    id::IdVec,
    kernel::{BinOp, CmpOp},
    ops::{BinaryOp, UnaryOp},
    types::DType,
    view::{Coord, Digit, View},
};

/// What calculates: integers without overflow, f32, truth values.
pub trait Arithmetic {
    /// One of them.
    type Value: Copy;
    /// An integer.
    fn integer(&mut self, value: i64) -> Self::Value;
    /// An f32.
    fn real(&mut self, value: f64) -> Self::Value;
    /// A truth value.
    fn truth(&mut self, value: bool) -> Self::Value;
    /// Two operands of one kind; integers are divided by positive ones, towards −∞.
    fn binary(&mut self, op: BinOp, a: Self::Value, b: Self::Value) -> Self::Value;
    /// A comparison of two operands of one kind.
    fn compare(&mut self, op: CmpOp, a: Self::Value, b: Self::Value) -> Self::Value;
    /// `condition ? a : b`.
    fn choose(&mut self, condition: Self::Value, a: Self::Value, b: Self::Value) -> Self::Value;
    /// The f32 nearest to an integer.
    fn real_of(&mut self, integer: Self::Value) -> Self::Value;
}

/// A least and a greatest value.
pub(crate) type Bounds<V> = [V; 2];

/// What is known of an expression on a box; nothing of what is absent.
#[derive(Clone, Copy)]
struct Known<V> {
    /// Of a number.
    bounds: Option<Bounds<V>>,
    /// Of a condition: whether it holds everywhere.
    holds: Option<V>,
    /// Of a condition: whether it holds nowhere.
    fails: Option<V>,
    /// Of a score: whether it is −∞ everywhere.
    excluded: Option<V>,
}

/// Scores some of which positions may exclude.
pub struct Mask<'a> {
    fused: &'a FusedExpr,
    /// Whether an expression stays in the range of its type all over the space.
    in_range: IdVec<ExprId, bool>,
}

impl<'a> Mask<'a> {
    /// The mask in scores over `[batch, queries, keys]`, where there is one.
    pub fn of(fused: &'a FusedExpr) -> Option<Self> {
        let mut mask = Self { fused, in_range: fused.terms.values().map(|_| true).collect() };
        let whole: Vec<Bounds<Number>> = fused.space.iter().map(|&n| [0, n as i64 - 1].map(Number::Integer)).collect();
        let mut walk = Walk { mask: &mask, arithmetic: &mut Numbers, space: &whole, known: Vec::new() };
        let in_range: Vec<bool> = fused.terms.ids().map(|id| walk.value(id).bounds.is_none_or(is_in_range)).collect();
        let excludes = walk.value(fused.root()).excluded.is_some();
        mask.in_range = in_range.into_iter().collect();
        excludes.then_some(mask)
    }

    /// Whether all scores of a box are −∞; its axes are the space's.
    pub fn excludes<A: Arithmetic>(&self, arithmetic: &mut A, space: &[Bounds<A::Value>]) -> A::Value {
        let mut walk = Walk { mask: self, arithmetic, space, known: Vec::new() };
        let excluded = walk.value(self.fused.root()).excluded;
        excluded.unwrap_or_else(|| walk.arithmetic.truth(false))
    }

    /// The share of tiles of so many queries and keys that the mask leaves, of a varied few.
    pub(crate) fn share(&self, [queries, keys]: [usize; 2]) -> f64 {
        let [batch, all_queries, all_keys] = self.fused.space[..] else { panic!("scores have three axes") };
        let tile = |at: usize, size: usize, all: usize| {
            [at * size, ((at + 1) * size).min(all) - 1].map(|place| Number::Integer(place as i64))
        };
        let (mut left, mut total) = (0u32, 0u32);
        for head in spread(batch, 2).map(|head| tile(head, 1, batch)) {
            for rows in spread(all_queries.div_ceil(queries), 12).map(|at| tile(at, queries, all_queries)) {
                for columns in spread(all_keys.div_ceil(keys), 12).map(|at| tile(at, keys, all_keys)) {
                    total += 1;
                    left += u32::from(self.excludes(&mut Numbers, &[head, rows, columns]) != Number::Truth(true));
                }
            }
        }
        f64::from(left) / f64::from(total)
    }
}

/// At most `most` numbers below `count`, first and last among them.
fn spread(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let taken = count.min(most);
    (0..taken).map(move |i| if taken == 1 { 0 } else { i * (count - 1) / (taken - 1) })
}

/// One evaluation on a box.
struct Walk<'a, A: Arithmetic> {
    mask: &'a Mask<'a>,
    arithmetic: &'a mut A,
    space: &'a [Bounds<A::Value>],
    known: Vec<(ExprId, Known<A::Value>)>,
}

impl<A: Arithmetic> Walk<'_, A> {
    fn value(&mut self, id: ExprId) -> Known<A::Value> {
        if let Some((_, known)) = self.known.iter().find(|(other, _)| *other == id) {
            return *known;
        }
        let mut known = self.fresh(id);
        if !self.mask.in_range[id] {
            known.bounds = None;
        }
        self.known.push((id, known));
        known
    }

    fn fresh(&mut self, id: ExprId) -> Known<A::Value> {
        let term = &self.mask.fused.terms[id];
        let nothing = Known { bounds: None, holds: None, fails: None, excluded: None };
        let bounds = |bounds: Option<Bounds<A::Value>>| Known { bounds, ..nothing };
        match &term.expr {
            Expr::Const(value) => self.constant(value.get(), term.dtype),
            Expr::Position(view) => {
                let place = self.place(view);
                bounds(if term.dtype == DType::F32 { self.real_of(place) } else { place })
            }
            Expr::Unary(UnaryOp::Not, a) => {
                let a = self.value(*a);
                Known { holds: a.fails, fails: a.holds, ..nothing }
            }
            Expr::Unary(UnaryOp::Neg, a) => {
                let below = self.value(*a).bounds;
                bounds(below.map(|below| self.negative(below)))
            }
            Expr::Unary(UnaryOp::Abs, a) => {
                let below = self.value(*a).bounds;
                bounds(below.map(|below| self.magnitude(below)))
            }
            Expr::Binary(op, a, b) => self.two(*op, *a, *b),
            Expr::Select(condition, a, b) => self.select(*condition, *a, *b),
            Expr::Cast(a) => self.cast(*a, term.dtype),
            _ => nothing,
        }
    }

    fn constant(&mut self, value: f64, dtype: DType) -> Known<A::Value> {
        let mut known = Known { bounds: None, holds: None, fails: None, excluded: None };
        match dtype {
            DType::Bool => {
                known.holds = Some(self.arithmetic.truth(value != 0.0));
                known.fails = Some(self.arithmetic.truth(value == 0.0));
            }
            DType::I32 => known.bounds = Some([self.arithmetic.integer(value as i64); 2]),
            _ if value == f64::NEG_INFINITY => known.excluded = Some(self.arithmetic.truth(true)),
            _ if value.is_finite() => known.bounds = Some([self.arithmetic.real(value); 2]),
            _ => {}
        }
        known
    }

    fn real_of(&mut self, integers: Option<Bounds<A::Value>>) -> Option<Bounds<A::Value>> {
        integers.map(|bounds| bounds.map(|bound| self.arithmetic.real_of(bound)))
    }

    /// Where a view reads, or its fill.
    fn place(&mut self, view: &View) -> Option<Bounds<A::Value>> {
        let mut total = [self.arithmetic.integer(0); 2];
        let (mut inside, mut outside) = (None, None);
        for coord in &view.coords {
            let mut at = self.coordinate(coord, view)?;
            if coord.bounded {
                let [within, beyond] = self.clamp(&mut at, coord.extent as i64);
                inside = inside.map_or(Some(within), |inside| self.both(Some(inside), Some(within)));
                outside = self.either(outside, Some(beyond));
            }
            let stride = self.arithmetic.integer(coord.stride as i64);
            for (total, at) in total.iter_mut().zip(at) {
                let step = self.arithmetic.binary(BinOp::Mul, at, stride);
                *total = self.arithmetic.binary(BinOp::Add, *total, step);
            }
        }
        let (Some(inside), Some(outside)) = (inside, outside) else { return Some(total) };
        let fill = self.arithmetic.integer(view.fill.get() as i64);
        Some([BinOp::Min, BinOp::Max].map(|op| {
            let here = total[usize::from(op == BinOp::Max)];
            let any = self.arithmetic.binary(op, here, fill);
            let any = self.arithmetic.choose(outside, fill, any);
            self.arithmetic.choose(inside, here, any)
        }))
    }

    /// Brings bounds between 0 and `extent` − 1; whether all of them were, and whether none was.
    fn clamp(&mut self, bounds: &mut Bounds<A::Value>, extent: i64) -> [A::Value; 2] {
        let (zero, last) = (self.arithmetic.integer(0), self.arithmetic.integer(extent - 1));
        let [low, high] = *bounds;
        let ends = [self.arithmetic.compare(CmpOp::Le, zero, low), self.arithmetic.compare(CmpOp::Le, high, last)];
        let beyond = [self.arithmetic.compare(CmpOp::Lt, high, zero), self.arithmetic.compare(CmpOp::Lt, last, low)];
        *bounds = [low, high].map(|bound| {
            let bound = self.arithmetic.binary(BinOp::Max, bound, zero);
            self.arithmetic.binary(BinOp::Min, bound, last)
        });
        [self.arithmetic.binary(BinOp::And, ends[0], ends[1]), self.arithmetic.binary(BinOp::Or, beyond[0], beyond[1])]
    }

    /// A coordinate, bounded or not.
    fn coordinate(&mut self, coord: &Coord, view: &View) -> Option<Bounds<A::Value>> {
        let mut sum = [self.arithmetic.integer(coord.offset); 2];
        for digit in &coord.digits {
            let [low, high] = self.digit(digit, view.shape[digit.axis])?;
            let factor = self.arithmetic.integer(digit.mul);
            let ends = if digit.mul < 0 { [high, low] } else { [low, high] };
            for (sum, end) in sum.iter_mut().zip(ends) {
                let step = self.arithmetic.binary(BinOp::Mul, end, factor);
                *sum = self.arithmetic.binary(BinOp::Add, *sum, step);
            }
        }
        // Below twice the extent: the box wraps around nowhere, everywhere, or in between.
        Some(if coord.cyclic { self.remainder(sum, coord.extent as i64) } else { sum })
    }

    /// `⌊place/div⌋ mod extent`.
    fn digit(&mut self, digit: &Digit, axis: usize) -> Option<Bounds<A::Value>> {
        let mut place = *self.space.get(digit.axis)?;
        if digit.div > 1 {
            place = self.divide(place, digit.div as i64);
        }
        let wraps = digit.div * digit.extent < axis;
        Some(if wraps { self.remainder(place, digit.extent as i64) } else { place })
    }

    fn divide(&mut self, bounds: Bounds<A::Value>, by: i64) -> Bounds<A::Value> {
        let by = self.arithmetic.integer(by);
        bounds.map(|bound| self.arithmetic.binary(BinOp::Div, bound, by))
    }

    /// Exact within one quotient, else anything.
    fn remainder(&mut self, bounds: Bounds<A::Value>, by: i64) -> Bounds<A::Value> {
        let [low, high] = self.divide(bounds, by);
        let same = self.arithmetic.compare(CmpOp::Eq, low, high);
        let (by, first, last) =
            (self.arithmetic.integer(by), self.arithmetic.integer(0), self.arithmetic.integer(by - 1));
        let below = self.arithmetic.binary(BinOp::Mul, low, by);
        let [low, high] = bounds.map(|bound| self.arithmetic.binary(BinOp::Sub, bound, below));
        [self.arithmetic.choose(same, low, first), self.arithmetic.choose(same, high, last)]
    }

    /// Zero of the kind of a value.
    fn zero(&mut self, like: A::Value) -> A::Value {
        self.arithmetic.binary(BinOp::Sub, like, like)
    }

    fn negative(&mut self, [low, high]: Bounds<A::Value>) -> Bounds<A::Value> {
        let zero = self.zero(low);
        [high, low].map(|bound| self.arithmetic.binary(BinOp::Sub, zero, bound))
    }

    fn magnitude(&mut self, bounds: Bounds<A::Value>) -> Bounds<A::Value> {
        let zero = self.zero(bounds[0]);
        let opposite = self.negative(bounds);
        let least = self.arithmetic.binary(BinOp::Max, bounds[0], opposite[0]);
        let greatest = self.arithmetic.binary(BinOp::Max, bounds[1], opposite[1]);
        [self.arithmetic.binary(BinOp::Max, least, zero), greatest]
    }

    fn both(&mut self, a: Option<A::Value>, b: Option<A::Value>) -> Option<A::Value> {
        a.zip(b).map(|(a, b)| self.arithmetic.binary(BinOp::And, a, b))
    }

    fn either(&mut self, a: Option<A::Value>, b: Option<A::Value>) -> Option<A::Value> {
        match (a, b) {
            (Some(a), Some(b)) => Some(self.arithmetic.binary(BinOp::Or, a, b)),
            (one, other) => one.or(other),
        }
    }

    fn two(&mut self, op: BinaryOp, a: ExprId, b: ExprId) -> Known<A::Value> {
        let (x, y) = (self.value(a), self.value(b));
        let mut known = Known { bounds: None, holds: None, fails: None, excluded: None };
        match op {
            BinaryOp::And => {
                known.holds = self.both(x.holds, y.holds);
                known.fails = self.either(x.fails, y.fails);
            }
            BinaryOp::Or => {
                known.holds = self.either(x.holds, y.holds);
                known.fails = self.both(x.fails, y.fails);
            }
            BinaryOp::Lt | BinaryOp::Le => [known.holds, known.fails] = self.order(op, x.bounds, y.bounds),
            BinaryOp::Eq => [known.holds, known.fails] = self.equal(&x, &y),
            _ => {
                known.bounds = self.number(op, [x.bounds, y.bounds], b);
                let by = [self.scales(a), self.scales(b)];
                known.excluded = self.excluded(op, [x.excluded, y.excluded], by);
            }
        }
        known
    }

    /// Whether an expression is a positive number.
    fn scales(&self, id: ExprId) -> bool {
        self.mask.fused.positive_constant(id)
    }

    /// Whether the result of excluded operands is −∞ everywhere, where no operand is +∞ or NaN; `by` says which of them
    /// is a positive number.
    fn excluded(&mut self, op: BinaryOp, [x, y]: [Option<A::Value>; 2], by: [bool; 2]) -> Option<A::Value> {
        match op {
            BinaryOp::Add | BinaryOp::Min => self.either(x, y),
            BinaryOp::Max => self.both(x, y),
            BinaryOp::Sub => x,
            BinaryOp::Mul | BinaryOp::Div if by[1] => x,
            BinaryOp::Mul if by[0] => y,
            _ => None,
        }
    }

    fn order(
        &mut self,
        op: BinaryOp,
        x: Option<Bounds<A::Value>>,
        y: Option<Bounds<A::Value>>,
    ) -> [Option<A::Value>; 2] {
        let (Some(x), Some(y)) = (x, y) else { return [None; 2] };
        let (yes, no) = if op == BinaryOp::Lt { (CmpOp::Lt, CmpOp::Le) } else { (CmpOp::Le, CmpOp::Lt) };
        [Some(self.arithmetic.compare(yes, x[1], y[0])), Some(self.arithmetic.compare(no, y[1], x[0]))]
    }

    fn equal(&mut self, x: &Known<A::Value>, y: &Known<A::Value>) -> [Option<A::Value>; 2] {
        if let (Some(a), Some(b)) = (x.bounds, y.bounds) {
            let (below, above) =
                (self.arithmetic.compare(CmpOp::Lt, a[1], b[0]), self.arithmetic.compare(CmpOp::Lt, b[1], a[0]));
            let apart = self.arithmetic.binary(BinOp::Or, below, above);
            let ends = [self.arithmetic.compare(CmpOp::Eq, a[0], b[1]), self.arithmetic.compare(CmpOp::Eq, a[1], b[0])];
            return [Some(self.arithmetic.binary(BinOp::And, ends[0], ends[1])), Some(apart)];
        }
        let (true_alike, false_alike) = (self.both(x.holds, y.holds), self.both(x.fails, y.fails));
        let (unlike, other) = (self.both(x.holds, y.fails), self.both(x.fails, y.holds));
        [self.either(true_alike, false_alike), self.either(unlike, other)]
    }

    /// Bounds of the result of two numbers; `b` is the second operand.
    fn number(&mut self, op: BinaryOp, [x, y]: [Option<Bounds<A::Value>>; 2], b: ExprId) -> Option<Bounds<A::Value>> {
        let (x, y) = (x?, y?);
        let integer = self.mask.fused.terms[b].dtype == DType::I32;
        let pair = |walk: &mut Self, op: BinOp, y: Bounds<A::Value>| {
            [walk.arithmetic.binary(op, x[0], y[0]), walk.arithmetic.binary(op, x[1], y[1])]
        };
        match op {
            BinaryOp::Add => Some(pair(self, BinOp::Add, y)),
            BinaryOp::Sub => Some(pair(self, BinOp::Sub, [y[1], y[0]])),
            BinaryOp::Min => Some(pair(self, BinOp::Min, y)),
            BinaryOp::Max => Some(pair(self, BinOp::Max, y)),
            BinaryOp::Mul => Some(self.product(x, y)),
            BinaryOp::Div if self.scales(b) => Some(pair(self, BinOp::Div, y)),
            BinaryOp::Rem if self.scales(b) && integer => {
                let Expr::Const(by) = self.mask.fused.terms[b].expr else { return None };
                Some(self.remainder(x, by.get() as i64))
            }
            _ => None,
        }
    }

    fn product(&mut self, x: Bounds<A::Value>, y: Bounds<A::Value>) -> Bounds<A::Value> {
        let ends = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(i, j)| self.arithmetic.binary(BinOp::Mul, x[i], y[j]));
        [BinOp::Min, BinOp::Max].map(|op| {
            let halves = [(0, 1), (2, 3)].map(|(i, j)| self.arithmetic.binary(op, ends[i], ends[j]));
            self.arithmetic.binary(op, halves[0], halves[1])
        })
    }

    fn select(&mut self, condition: ExprId, a: ExprId, b: ExprId) -> Known<A::Value> {
        let (c, x, y) = (self.value(condition), self.value(a), self.value(b));
        let mut of = |x: Option<A::Value>, y: Option<A::Value>| {
            let (first, second, any) = (self.both(c.holds, x), self.both(c.fails, y), self.both(x, y));
            let chosen = self.either(first, second);
            self.either(chosen, any)
        };
        let (holds, fails) = (of(x.holds, y.holds), of(x.fails, y.fails));
        let excluded = of(x.excluded, y.excluded);
        let bounds = x.bounds.zip(y.bounds).map(|(x, y)| {
            [0, 1].map(|end| {
                let op = if end == 0 { BinOp::Min } else { BinOp::Max };
                let mut bound = self.arithmetic.binary(op, x[end], y[end]);
                for (known, side) in [(c.holds, x), (c.fails, y)] {
                    if let Some(known) = known {
                        bound = self.arithmetic.choose(known, side[end], bound);
                    }
                }
                bound
            })
        });
        Known { bounds, holds, fails, excluded }
    }

    fn cast(&mut self, a: ExprId, to: DType) -> Known<A::Value> {
        let (from, x) = (self.mask.fused.terms[a].dtype, self.value(a));
        let mut known = Known { bounds: None, holds: None, fails: None, excluded: None };
        match (from, to) {
            (DType::Bool, DType::Bool) => known = x,
            (DType::Bool, DType::I32 | DType::F32) => {
                let [zero, one] = [0, 1].map(|value| match to {
                    DType::I32 => self.arithmetic.integer(value),
                    _ => self.arithmetic.real(value as f64),
                });
                let low = x.holds.map_or(zero, |holds| self.arithmetic.choose(holds, one, zero));
                let high = x.fails.map_or(one, |fails| self.arithmetic.choose(fails, zero, one));
                known.bounds = Some([low, high]);
            }
            (_, DType::Bool) => {
                if let Some([low, high]) = x.bounds {
                    let zero = self.zero(low);
                    let (above, below) =
                        (self.arithmetic.compare(CmpOp::Lt, zero, low), self.arithmetic.compare(CmpOp::Lt, high, zero));
                    known.holds = Some(self.arithmetic.binary(BinOp::Or, above, below));
                    let ends = [low, high].map(|end| self.arithmetic.compare(CmpOp::Eq, end, zero));
                    known.fails = Some(self.arithmetic.binary(BinOp::And, ends[0], ends[1]));
                }
            }
            (DType::I32, DType::I32) | (DType::F32, DType::F32) => known = x,
            (DType::I32, DType::F32) => known.bounds = self.real_of(x.bounds),
            // −∞ is −∞ in every type.
            (_, DType::F32 | DType::Bf16 | DType::F16) => known.excluded = x.excluded,
            _ => {}
        }
        known
    }
}
