//! Sums of digits: merging, cutting, and which values they take.
//!
//! A sum Σ mul·digit is *stepped* when, largest factor first, each factor exceeds the greatest value of all
//! that follow, as in a number's decimal digits (gaps are fine). Then the values it takes can be compared from the top:
//!
//! ```text
//!   7·a + b, b < 3:   0 1 2 · · · · 7 8 9 · · · · 14 …      the next value from 4 on is 7 = (1, 0)
//! ```

use super::Digit;
use std::cmp::Reverse;

/// The greatest value of Σ mul·digit.
pub(crate) fn greatest(digits: &[Digit]) -> i64 {
    digits.iter().map(|d| d.mul * (d.extent as i64 - 1)).sum()
}

/// The same sum with as few digits as possible, largest factor first.
pub(crate) fn merged(digits: Vec<Digit>) -> Vec<Digit> {
    let mut rest: Vec<Digit> = digits.into_iter().filter(|d| d.extent > 1 && d.mul != 0).collect();
    let mut out = Vec::new();
    while let Some(first) = rest.first() {
        let axis = first.axis;
        let (here, other) = rest.into_iter().partition(|d| d.axis == axis);
        out.extend(merged_axis(here));
        rest = other;
    }
    out.sort_by_key(|d| (Reverse(d.mul), d.axis, d.div, d.extent));
    out
}

fn merged_axis(digits: Vec<Digit>) -> Vec<Digit> {
    let Some(bounds) = boundaries(digits.iter()) else { return digits };
    let mut out: Vec<Digit> = Vec::new();
    for pair in bounds.windows(2) {
        let (div, end) = (pair[0], pair[1]);
        let covers = |d: &&Digit| d.div <= div && end <= d.div * d.extent;
        let mul: i64 = digits.iter().filter(covers).map(|d| d.mul * (div / d.div) as i64).sum();
        match out.last_mut() {
            _ if mul == 0 => {}
            Some(l) if l.div * l.extent == div && l.mul * l.extent as i64 == mul => l.extent *= end / div,
            _ => out.push(Digit { axis: digits[0].axis, div, extent: end / div, mul }),
        }
    }
    out
}

/// Where the digits of one axis begin and end, ascending from 1; `None` unless each divides the next.
pub(crate) fn boundaries<'a>(digits: impl Iterator<Item = &'a Digit>) -> Option<Vec<usize>> {
    let mut bounds: Vec<usize> = digits.flat_map(|d| [d.div, d.div * d.extent]).chain([1]).collect();
    bounds.sort_unstable();
    bounds.dedup();
    bounds.windows(2).all(|w| w[1] % w[0] == 0).then_some(bounds)
}

/// Cuts a sum at `k`: Σ = low + k·high with low < k always. `None` where no regrouping of digits does that.
pub(crate) fn cut(digits: &[Digit], k: i64) -> Option<(Vec<Digit>, Vec<Digit>)> {
    let (mut low, mut high) = (Vec::new(), Vec::new());
    for &d in digits {
        if d.mul % k == 0 {
            high.push(Digit { mul: d.mul / k, ..d });
        } else if d.mul * (d.extent as i64 - 1) < k {
            low.push(d);
        } else {
            let inner = (k % d.mul == 0).then_some((k / d.mul) as usize)?;
            if d.extent % inner != 0 {
                return None;
            }
            low.push(Digit { extent: inner, ..d });
            high.push(Digit { div: d.div * inner, extent: d.extent / inner, mul: 1, ..d });
        }
    }
    (greatest(&low) < k).then_some((low, high))
}

/// Whether the sum is stepped; `digits` are largest factor first.
pub(crate) fn is_stepped(digits: &[Digit]) -> bool {
    (0..digits.len()).all(|i| digits[i].mul > greatest(&digits[i + 1..]))
}

/// The digits of the least value ≥ `target` of a stepped sum, or `None` where all are smaller.
pub(crate) fn least_from(digits: &[Digit], target: i64) -> Option<Vec<i64>> {
    if target <= 0 {
        return Some(vec![0; digits.len()]);
    }
    let (first, rest) = digits.split_first()?;
    let mut digit = target / first.mul;
    let mut tail = least_from(rest, target - digit * first.mul);
    if tail.is_none() {
        digit += 1;
        tail = Some(vec![0; rest.len()]);
    }
    (digit < first.extent as i64).then(|| [vec![digit], tail.unwrap_or_default()].concat())
}

/// The greatest value ≤ `limit` of a stepped sum; `limit` ≥ 0.
pub(crate) fn greatest_to(digits: &[Digit], limit: i64) -> i64 {
    let Some((first, rest)) = digits.split_first() else { return 0 };
    let digit = (limit / first.mul).min(first.extent as i64 - 1);
    digit * first.mul + greatest_to(rest, limit - digit * first.mul)
}

/// Σ mul·value.
pub(crate) fn value(digits: &[Digit], values: &[i64]) -> i64 {
    digits.iter().zip(values).map(|(d, v)| d.mul * v).sum()
}

/// The greatest common divisor; gcd(0, b) = b.
pub(crate) fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digit(div: usize, extent: usize, mul: i64) -> Digit {
        Digit { axis: 0, div, extent, mul }
    }

    fn values(digits: &[Digit]) -> Vec<i64> {
        let mut all = vec![0];
        for d in digits {
            all = all.iter().flat_map(|&s| (0..d.extent as i64).map(move |v| s + d.mul * v)).collect();
        }
        all.sort_unstable();
        all
    }

    proptest! {
        #[test]
        fn least_and_greatest_agree_with_the_list(
            parts in proptest::collection::vec((2usize..5, 0i64..4), 1..4), target in -3i64..300
        ) {
            let mut digits: Vec<Digit> = Vec::new();
            for (extent, gap) in parts {
                digits.insert(0, digit(1, extent, greatest(&digits) + 1 + gap));
            }
            prop_assert!(is_stepped(&digits));
            let all = values(&digits);
            let least = least_from(&digits, target).map(|v| value(&digits, &v));
            prop_assert_eq!(least, all.iter().copied().find(|&v| v >= target));
            if target >= 0 {
                let below = all.iter().copied().filter(|&v| v <= target).max();
                prop_assert_eq!(Some(greatest_to(&digits, target)), below);
            }
        }
    }

    #[test]
    fn overlapping_digits_are_added() {
        let sum = merged(vec![digit(1, 12, 1), digit(3, 4, 2), digit(3, 2, 1)]);
        assert_eq!(sum, [digit(6, 2, 10), digit(3, 2, 6), digit(1, 3, 1)]);
        assert_eq!(merged(vec![digit(1, 3, 5), digit(3, 4, 15), digit(1, 1, 7)]), [digit(1, 12, 5)]);
    }
}
