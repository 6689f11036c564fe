//! Index arithmetic as affine forms, with ranges: the one account of what an i64 value is.
//!
//! An i64 value is kept as `Σ coefficient·atom + constant`, atoms being values that are not themselves
//! sums: grid ids, loop indices, quotients. Forms add and scale exactly because i64 arithmetic wraps, so
//!
//! ```text
//!   ((m + 3)·768 + k) + 5   =   768·m + k + 2309      one register, and 2309 moves into the address
//! ```
//!
//! Atoms are ordered by definition, so outer values come first and a loop keeps their sum outside. Three stages read
//! forms, each with atoms of its own:
//!
//! ```text
//!   simplify            new values      folds and shares; a form becomes registers where someone needs them
//!   native::wide        values          a sum that follows a loop is carried by it
//!   native::cranelift   loops around,   a partial sum stands in front of the next loop
//!                       CLIF values
//! ```
//!
//! Each atom has a range; where a sum provably stays in i64, quotients and comparisons can be decided:
//! `(49·i + j) div 49 = i` once `0 ≤ j < 49`.

use regard_ir::kernel::{BinOp, Val};

/// Inclusive bounds of an i64 value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub min: i64,
    pub max: i64,
}

impl Range {
    pub(crate) const ALL: Range = Range { min: i64::MIN, max: i64::MAX };

    pub(crate) fn exactly(value: i64) -> Range {
        Range { min: value, max: value }
    }
    /// The range from `min` to `max`, or everything if that does not fit or is empty.
    pub(crate) fn of(min: i128, max: i128) -> Range {
        match (i64::try_from(min), i64::try_from(max)) {
            (Ok(min), Ok(max)) if min <= max => Range { min, max },
            _ => Range::ALL,
        }
    }
    /// Whether nothing is known.
    pub(crate) fn is_all(self) -> bool {
        self == Range::ALL
    }
    /// Whether both bounds lie in `min..=max`.
    pub(crate) fn within(self, min: i64, max: i64) -> bool {
        self.min >= min && self.max <= max
    }
}

/// `Σ coefficient·atom + constant`, atoms ascending, no coefficient zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Affine<A = Val> {
    pub terms: Vec<(A, i64)>,
    pub constant: i64,
}

impl<A> Default for Affine<A> {
    fn default() -> Self {
        Affine { terms: Vec::new(), constant: 0 }
    }
}

impl<A: Copy + Ord> Affine<A> {
    pub(crate) const fn constant(constant: i64) -> Self {
        Affine { terms: Vec::new(), constant }
    }
    pub(crate) fn atom(atom: A) -> Self {
        Affine { terms: vec![(atom, 1)], constant: 0 }
    }
    /// `a op b` where that is a form again: a sum, a difference, a product with a constant.
    pub(crate) fn bin(op: BinOp, a: &Self, b: &Self) -> Option<Self> {
        match (op, a.as_constant(), b.as_constant()) {
            (BinOp::Add, ..) => Some(a.plus(b, 1)),
            (BinOp::Sub, ..) => Some(a.plus(b, -1)),
            (BinOp::Mul, _, Some(factor)) => Some(a.scaled(factor)),
            (BinOp::Mul, Some(factor), _) => Some(b.scaled(factor)),
            (BinOp::Shl, _, Some(by @ 0..=62)) => Some(a.scaled(1 << by)),
            _ => None,
        }
    }
    /// The value, if it has no terms.
    pub(crate) fn as_constant(&self) -> Option<i64> {
        self.terms.is_empty().then_some(self.constant)
    }
    pub(crate) fn offset(&self, by: i64) -> Self {
        Affine { terms: self.terms.clone(), constant: self.constant.wrapping_add(by) }
    }
    /// `self + factor·other`.
    pub(crate) fn plus(&self, other: &Self, factor: i64) -> Self {
        let mut terms = Vec::with_capacity(self.terms.len() + other.terms.len());
        let (mut i, mut j) = (0, 0);
        while i < self.terms.len() || j < other.terms.len() {
            let a = self.terms.get(i).map(|t| t.0);
            let b = other.terms.get(j).map(|t| t.0);
            let take_a = b.is_none_or(|b| a.is_some_and(|a| a <= b));
            let take_b = a.is_none_or(|a| b.is_some_and(|b| b <= a));
            let mut coefficient = 0i64;
            let atom = if take_a { a } else { b }.expect("one side has a term");
            if take_a {
                coefficient = self.terms[i].1;
                i += 1;
            }
            if take_b {
                coefficient = coefficient.wrapping_add(other.terms[j].1.wrapping_mul(factor));
                j += 1;
            }
            if coefficient != 0 {
                terms.push((atom, coefficient));
            }
        }
        Affine { terms, constant: self.constant.wrapping_add(other.constant.wrapping_mul(factor)) }
    }
    /// `factor·self`.
    pub(crate) fn scaled(&self, factor: i64) -> Self {
        let terms = self.terms.iter().map(|&(a, c)| (a, c.wrapping_mul(factor))).filter(|t| t.1 != 0).collect();
        Affine { terms, constant: self.constant.wrapping_mul(factor) }
    }
    /// Splits into `(q, r)` with `self = divisor·q + r` and `0 ≤ r.constant < divisor`: terms divisible by
    /// `divisor` go to `q`.
    pub(crate) fn split(&self, divisor: i64) -> (Self, Self) {
        let of = |keep: bool| self.terms.iter().filter(move |t| (t.1 % divisor == 0) == keep);
        let quotient = Affine {
            terms: of(true).map(|&(a, c)| (a, c / divisor)).collect(),
            constant: self.constant.div_euclid(divisor),
        };
        let rest = Affine { terms: of(false).copied().collect(), constant: self.constant.rem_euclid(divisor) };
        (quotient, rest)
    }
    /// Bounds, given those of the atoms; [`Range::ALL`] if the sum could leave i64.
    pub(crate) fn range(&self, of: impl Fn(A) -> Range) -> Range {
        let (mut min, mut max) = (self.constant as i128, self.constant as i128);
        for &(atom, coefficient) in &self.terms {
            let r = of(atom);
            if r.is_all() {
                return Range::ALL;
            }
            let (a, b) = (r.min as i128 * coefficient as i128, r.max as i128 * coefficient as i128);
            min += a.min(b);
            max += a.max(b);
        }
        Range::of(min, max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regard_ir::id::Id;

    #[test]
    fn sums_merge_by_atom() {
        let (m, k) = (Affine::atom(Val::new(1)), Affine::atom(Val::new(2)));
        let sum = m.offset(3).scaled(768).plus(&k, 1).offset(5);
        assert_eq!(sum, Affine { terms: vec![(Val::new(1), 768), (Val::new(2), 1)], constant: 2309 });
        assert_eq!(sum.plus(&sum, -1), Affine::constant(0));
        let (quotient, rest) = sum.split(768);
        assert_eq!(quotient, m.offset(3));
        assert_eq!(rest, k.offset(5));
        let within = |v: Val| if v.index() == 1 { Range { min: 0, max: 9 } } else { Range { min: -1, max: 1 } };
        assert_eq!(sum.range(within), Range { min: 2308, max: 9 * 768 + 2310 });
        assert!(sum.range(|_| Range::ALL).is_all());
    }
}
