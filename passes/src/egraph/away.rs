//! How far numbers that change places take values from those of the graph as it was written.
//!
//! ```text
//!   (x·c)·y        written: root, x·c, x, y
//!   (x·y)·c        made:    x·y = root / c            away by |log₂ c| bits
//! ```
//!
//! Real numbers do not see where a factor stands. f32 does: 10³⁰·10⁻⁵·10⁸ is in its range, and 10³⁰·10⁸ is not. How large
//! operands are is not known, so what a number may do is bounded instead. A class that holds a written term is away by
//! nothing. A row that moves numbers c makes terms that are away by what its root is and |log₂ c| more; a class is as far away
//! as the nearest of its terms. [`Away::MOST`] is the limit, so that all numbers that come to stand outside one value count
//! together:
//!
//! ```text
//!   2⁻⁸ ≤ made / written ≤ 2⁸
//! ```
//!
//! Where every written value lies in 2⁻¹¹⁸ ≤ |v| < 2¹²⁰, about 3·10⁻³⁶ to 10³⁶, no moved number makes one that f32 does not hold in
//! full. Scales of attention are 2⁻⁴ to 1, one over 255 is 2⁻⁷·⁹⁹: these move. Products are the claim, sums
//! of terms that cancel are as large as their terms.

/// Bits between values that rows made and the nearest written ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Away(u16);

/// Of a bit; sizes are rounded up to them.
const PARTS: f64 = 16.0;

impl Away {
    /// As written.
    pub(crate) const NOTHING: Away = Away(0);
    /// Further than anything may move.
    pub(crate) const UNKNOWN: Away = Away(u16::MAX);
    /// The limit: a factor of 2^±8.
    const MOST: Away = Away(8 * PARTS as u16);

    /// With one more number; `None` beyond the limit, and where the number is zero or infinite, as nothing leads back from
    /// there.
    pub(crate) fn and(self, number: f64) -> Option<Away> {
        let parts = (number.abs().log2().abs() * PARTS).ceil();
        let sum = f64::from(self.0) + parts;
        // A NaN is not a size either.
        (sum <= f64::from(Away::MOST.0)).then_some(Away(sum as u16))
    }
}

impl Default for Away {
    fn default() -> Away {
        Away::NOTHING
    }
}

#[cfg(test)]
mod tests {
    use super::Away;

    #[test]
    fn numbers_count_together_up_to_the_limit() {
        let both = |a, b| Away::NOTHING.and(a)?.and(b);
        assert!(both(0.125, 16.0).is_some() && both(1.0 / 255.0, 1.0).is_some());
        assert!(both(1.0 / 16.0, 1.0 / 17.0).is_none() && both(16.0, 17.0).is_none());
        for number in [0.0, 1e-5, f64::INFINITY, f64::NAN] {
            assert_eq!(Away::NOTHING.and(number), None, "{number}");
        }
        assert_eq!(Away::UNKNOWN.and(1.0), None);
    }
}
