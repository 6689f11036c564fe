//! The normal form of a view.
//!
//! A [`Draft`] collects any sum of digits and coordinates; [`Draft::finish`] brings it to normal form:
//!
//! ```text
//!   cyclic   (o + Σ) mod E = o + Σ − E·[Σ ≥ T],  T = E − o
//!   bounded  inside where  lo ≤ Σ < hi
//! ```
//!
//! Only the thresholds T, lo, hi decide. They move up to the next value that Σ takes, which fixes the offset;
//! where T (or lo and hi) is a multiple of g, digits below g cannot decide and become plain:
//!
//! ```text
//!   (7 + i) mod 56, T = 49   →   7·((1 + ⌊i/7⌋) mod 8) + (i mod 7)
//! ```
//!
//! A coordinate that never decides is plain; a bounded one that is never inside makes the whole view fill.

use super::{
    Coord, Digit, View,
    digits::{self, gcd, greatest, merged},
};
use crate::types::Real;
use std::cmp::Reverse;

/// A view under construction: a linear part and cyclic or bounded coordinates.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub shape: Vec<usize>,
    pub len: usize,
    pub fill: Real,
    pub constant: i64,
    pub plain: Vec<Digit>,
    pub special: Vec<Coord>,
}

impl Draft {
    pub(crate) fn new(shape: &[usize], len: usize, fill: Real) -> Self {
        Self { shape: shape.to_vec(), len, fill, constant: 0, plain: Vec::new(), special: Vec::new() }
    }

    /// Adds `factor` times the whole of `axis`.
    pub(crate) fn axis(&mut self, axis: usize, factor: usize) {
        self.plain.push(Digit { axis, div: 1, extent: self.shape[axis], mul: factor as i64 });
    }

    fn add(&mut self, factor: usize, digits: &[Digit]) {
        self.plain.extend(digits.iter().map(|d| Digit { mul: d.mul * factor as i64, ..*d }));
    }

    /// The view in normal form.
    pub(crate) fn finish(mut self) -> View {
        let special = std::mem::take(&mut self.special);
        let (cyclic, bounded): (Vec<Coord>, Vec<Coord>) = special.into_iter().partition(|c| c.cyclic);
        let mut coords: Vec<Coord> = cyclic.into_iter().filter_map(|c| self.cyclic(c)).collect();
        let Some(bounded) = self.bounded_all(bounded) else { return self.all_fill() };
        if bounded.is_empty() {
            self.fill = Real::new(0.0);
        }
        coords.extend(bounded);
        let plain = merged(std::mem::take(&mut self.plain));
        if !plain.is_empty() || self.constant != 0 {
            coords.push(plain_coord(self.constant, plain));
        }
        coords.sort_by(|a, b| (Reverse(a.stride), a).cmp(&(Reverse(b.stride), b)));
        View { shape: self.shape, len: self.len, coords, fill: self.fill }
    }

    fn all_fill(self) -> View {
        let never = Coord { extent: 0, stride: 0, offset: 0, digits: Vec::new(), cyclic: false, bounded: true };
        View { shape: self.shape, len: self.len, coords: vec![never], fill: self.fill }
    }

    /// Moves what never wraps to the linear part and returns the rest.
    fn cyclic(&mut self, mut c: Coord) -> Option<Coord> {
        c.digits = merged(c.digits);
        c.offset = c.offset.rem_euclid(c.extent as i64);
        let threshold = c.extent as i64 - c.offset;
        if c.offset == 0 || threshold > greatest(&c.digits) {
            self.constant += c.stride as i64 * c.offset;
            self.add(c.stride, &c.digits);
            return None;
        }
        if digits::is_stepped(&c.digits) {
            let at = digits::least_from(&c.digits, threshold).expect("the threshold is reached");
            let raised = digits::value(&c.digits, &at);
            self.constant += c.stride as i64 * (raised - threshold);
            c.offset = c.extent as i64 - raised;
            let low = split_undecided(&mut c.digits, &[at]);
            self.add(c.stride, &low);
        }
        let g = c.digits.iter().fold(gcd(c.extent as i64, c.offset), |g, d| gcd(g, d.mul));
        c.stride *= g as usize;
        c.extent /= g as usize;
        c.offset /= g;
        c.digits.iter_mut().for_each(|d| d.mul /= g);
        if let [d] = &mut c.digits[..]
            && d.extent == 2
        {
            // Two values: only their difference counts.
            c.stride *= c.offset as usize;
            (c.extent, c.offset, d.mul) = (2, 1, 1);
        }
        Some(c)
    }

    /// Normalises and intersects the bounded coordinates; `None` where nothing is inside.
    fn bounded_all(&mut self, coords: Vec<Coord>) -> Option<Vec<Coord>> {
        let mut done: Vec<Coord> = Vec::new();
        for c in coords {
            let Some(mut c) = self.bounded(c)? else { continue };
            while let Some(i) = done.iter().position(|d| d.digits == c.digits) {
                match self.intersect(done.remove(i), c)? {
                    Some(both) => c = both,
                    None => unreachable!("an intersection is no larger than its parts"),
                }
            }
            done.push(c);
        }
        let implied = |g: &Coord| g.stride == 0 && done.iter().any(|c| c != g && implies(c, g));
        Some(done.iter().filter(|g| !implied(g)).cloned().collect())
    }

    /// Both conditions on the same digits as one coordinate.
    fn intersect(&mut self, a: Coord, b: Coord) -> Option<Option<Coord>> {
        let low = (-a.offset).max(-b.offset);
        let high = (a.extent as i64 - a.offset).min(b.extent as i64 - b.offset);
        let at_low = |c: &Coord| c.stride as i64 * (low + c.offset);
        self.constant += at_low(&a) + at_low(&b);
        let extent = usize::try_from(high - low).ok()?;
        self.bounded(Coord { extent, stride: a.stride + b.stride, offset: -low, ..a })
    }

    /// `None` where nothing is inside; otherwise the coordinate, unless everything is inside.
    fn bounded(&mut self, mut c: Coord) -> Option<Option<Coord>> {
        c.digits = merged(c.digits);
        let (offset, stride) = (c.offset, c.stride as i64);
        let (mut low, mut high) = ((-offset).max(0), (c.extent as i64 - offset).min(greatest(&c.digits) + 1));
        if low >= high {
            return None;
        }
        let stepped = digits::is_stepped(&c.digits);
        let ends = stepped.then(|| (digits::least_from(&c.digits, low), digits::least_from(&c.digits, high)));
        if let Some((from, to)) = &ends {
            low = digits::value(&c.digits, from.as_ref()?);
            high = to.as_ref().map_or(greatest(&c.digits) + 1, |to| digits::value(&c.digits, to));
        }
        if low >= high {
            return None;
        }
        self.constant += stride * (low + offset);
        if low == 0 && high > greatest(&c.digits) {
            self.add(c.stride, &c.digits);
            return Some(None);
        }
        if let Some((from, to)) = ends {
            let open = to.is_none();
            let low_digits = split_undecided(&mut c.digits, &from.into_iter().chain(to).collect::<Vec<_>>());
            self.add(c.stride, &low_digits);
            let g = c.digits.iter().fold(0, |g, d| gcd(g, d.mul));
            c.digits.iter_mut().for_each(|d| d.mul /= g);
            low /= g;
            high = if open { greatest(&c.digits) + 1 } else { high / g };
            c.stride *= g as usize;
        }
        c.extent = (high - low) as usize;
        c.offset = -low;
        if c.extent == 1 {
            c.stride = 0;
        }
        Some(Some(c))
    }
}

impl Coord {
    /// The greatest value the coordinate takes, or a bound on it.
    pub(crate) fn greatest(&self) -> i64 {
        let extent = self.extent as i64;
        match (self.cyclic, self.bounded) {
            (true, _) if digits::is_stepped(&self.digits) => {
                let unwrapped = self.offset + digits::greatest_to(&self.digits, extent - self.offset - 1);
                unwrapped.max(self.offset + greatest(&self.digits) - extent)
            }
            (_, true) if digits::is_stepped(&self.digits) => {
                self.offset + digits::greatest_to(&self.digits, extent - self.offset - 1)
            }
            (false, false) => self.offset + greatest(&self.digits),
            _ => extent - 1,
        }
    }
}

/// The coordinate of stride 1 that holds the linear part.
pub(crate) fn plain_coord(offset: i64, digits: Vec<Digit>) -> Coord {
    let extent = (offset + greatest(&digits) + 1).max(0) as usize;
    Coord { extent, stride: 1, offset, digits, cyclic: false, bounded: false }
}

/// Whether being inside `a` means being inside `b`, where one has the digits of the other and finer ones.
fn implies(a: &Coord, b: &Coord) -> bool {
    let ends = |c: &Coord, unit: i64| (-c.offset * unit, (c.extent as i64 - c.offset) * unit);
    let within = |a: (i64, i64), b: (i64, i64)| b.0 <= a.0 && a.1 <= b.1;
    if let ([x], [y]) = (&a.digits[..], &b.digits[..]) {
        let same_end = x.axis == y.axis && x.div * x.extent == y.div * y.extent;
        return same_end && within(ends(a, x.div as i64), ends(b, y.div as i64));
    }
    let coarse = finer_unit(a, b).is_some_and(|unit| within(ends(a, unit), ends(b, 1)));
    coarse || finer_unit(b, a).is_some_and(|unit| within(ends(a, 1), ends(b, unit)))
}

/// What one step of `coarse` is in the sum of `fine`, whose digits are those of `coarse` and finer ones.
fn finer_unit(coarse: &Coord, fine: &Coord) -> Option<i64> {
    let (c, f) = (coarse.digits.first()?, fine.digits.first()?);
    if c.axis != f.axis || c.div <= f.div || c.div * c.extent != f.div * f.extent {
        return None;
    }
    let unit = f.mul * (c.div / f.div) as i64 / c.mul;
    let (_, high) = digits::cut(&fine.digits, unit.max(1))?;
    (merged(high) == coarse.digits).then_some(unit)
}

/// Takes out the digits that no comparison with one of `values` depends on.
fn split_undecided(digits: &mut Vec<Digit>, values: &[Vec<i64>]) -> Vec<Digit> {
    let decides = |i: &usize| values.iter().any(|v| v[*i] != 0);
    let Some(last) = (0..digits.len()).rev().find(decides) else { return std::mem::take(digits) };
    let mut low = digits.split_off(last + 1);
    let digit = &mut digits[last];
    let inner = values.iter().fold(digit.extent as i64, |g, v| gcd(g, v[last])) as usize;
    if inner > 1 {
        low.push(Digit { extent: inner, ..*digit });
        *digit =
            Digit { div: digit.div * inner, extent: digit.extent / inner, mul: digit.mul * inner as i64, ..*digit };
    }
    low
}
