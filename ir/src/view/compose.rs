//! One view after another.
//!
//! The outer view gives a middle element m as a sum; the inner view wants digits of m. A digit ⌊m/S⌋ mod X is
//! the part of the sum between S and S·X, provided nothing below carries into it:
//!
//! ```text
//!   m = Σ coef·digit      low parts │ parts between S and S·X │ parts from S·X on
//!                         Σ max < S │      Σ max < S·X        │ multiples of S·X
//! ```
//!
//! Digits that straddle a boundary are cut there. A cyclic or bounded coordinate is taken whole; cutting a cyclic
//! sum would need a carry, so then there is no single view.

use super::{
    Coord, Digit, View,
    digits::{cut, greatest, merged},
    normal::Draft,
};
use crate::types::strides;

/// A part of a sum that takes the values 0…greatest.
#[derive(Clone, Debug)]
enum Part {
    Digit(Digit),
    Special(Coord),
}

/// constant + Σ factor·part.
#[derive(Clone, Debug, Default)]
struct Sum {
    constant: i64,
    parts: Vec<(i64, Part)>,
}

impl View {
    /// The view that applies `outer` to the result of `self`: `outer` maps result indices to elements of the
    /// middle tensor, whose shape is `self.shape`, and `self` maps those to the source. `None` where the sizes
    /// differ or one view cannot say it.
    pub fn then(&self, outer: &View) -> Option<View> {
        let fill = match (self.has_fill(), outer.has_fill()) {
            (true, true) if self.fill != outer.fill => return None,
            (true, _) => self.fill,
            _ => outer.fill,
        };
        if outer.len != self.elements() {
            return None;
        }
        let mut draft = Draft::new(&outer.shape, self.len, fill);
        let middle = Middle { strides: strides(&self.shape), sum: Sum::of(outer) };
        let mut plain = self.plain().map_or(Vec::new(), |c| c.digits.clone());
        draft.constant = self.plain().map_or(0, |c| c.offset);
        for coord in self.coords.iter().filter(|c| !c.is_plain()) {
            let (wide, rest) = widened(coord, &plain);
            match middle.coord(&wide) {
                Some(c) => {
                    draft.special.push(c);
                    plain = rest;
                }
                None => draft.special.push(middle.coord(coord)?),
            }
        }
        for digit in &plain {
            draft.add_sum(digit.mul, middle.digit(digit)?);
        }
        let guards = outer.coords.iter().filter(|c| c.bounded).map(|c| Coord { stride: 0, ..c.clone() });
        draft.special.extend(guards);
        Some(draft.finish())
    }
}

impl Draft {
    fn add_sum(&mut self, factor: i64, sum: Sum) {
        self.constant += factor * sum.constant;
        for (f, part) in sum.parts {
            match part {
                Part::Digit(d) => self.plain.push(Digit { mul: factor * f * d.mul, ..d }),
                Part::Special(c) => self.special.push(Coord { stride: (factor * f) as usize, ..c }),
            }
        }
    }
}

/// The middle tensor: where its digits lie and what its elements are in terms of the result.
struct Middle {
    strides: Vec<usize>,
    sum: Sum,
}

impl Middle {
    fn digit(&self, digit: &Digit) -> Option<Sum> {
        let low = (self.strides[digit.axis] * digit.div) as i64;
        self.sum.between(low, digit.extent as i64)
    }

    /// A cyclic or bounded coordinate of the source in terms of the result.
    fn coord(&self, coord: &Coord) -> Option<Coord> {
        let mut out = Coord { digits: Vec::new(), ..coord.clone() };
        for digit in &coord.digits {
            let sum = self.digit(digit)?;
            out.offset += digit.mul * sum.constant;
            for (factor, part) in sum.parts {
                let factor = factor * digit.mul;
                match part {
                    Part::Digit(d) => out.digits.push(Digit { mul: factor, ..d }),
                    Part::Special(c) => {
                        let same_cycle = coord.cyclic && c.cyclic && factor * c.extent as i64 % out.extent as i64 == 0;
                        // Outside the inner bound the element is fill, whatever the outer coordinate says there.
                        let both_bounded = coord.bounded && c.bounded;
                        if !(same_cycle || both_bounded) {
                            return None;
                        }
                        out.offset += factor * c.offset;
                        out.digits.extend(c.digits.iter().map(|d| Digit { mul: d.mul * factor, ..*d }));
                    }
                }
            }
        }
        (out.bounded || greatest(&out.digits) < out.extent as i64).then_some(out)
    }
}

impl Sum {
    fn of(view: &View) -> Sum {
        let mut sum = Sum::default();
        for coord in &view.coords {
            if coord.is_plain() {
                sum.constant += coord.offset;
                sum.parts.extend(coord.digits.iter().map(|d| (d.mul, Part::Digit(Digit { mul: 1, ..*d }))));
            } else if coord.stride > 0 {
                sum.parts.push((coord.stride as i64, Part::Special(coord.clone())));
            }
        }
        sum
    }

    /// ⌊self/low⌋ mod extent.
    fn between(&self, low: i64, extent: i64) -> Option<Sum> {
        let top = low * extent;
        if self.constant < 0 {
            return None;
        }
        let mut below = self.constant % low;
        let mut middle = Sum { constant: self.constant / low % extent, parts: Vec::new() };
        for (factor, part) in &self.parts {
            if factor % top == 0 {
                continue;
            }
            if *factor > top {
                return None;
            }
            let part =
                if factor * part.greatest() < top { part.clone() } else { part.modulo(quotient(top, *factor)?)? };
            if factor % low == 0 {
                middle.parts.push((factor / low, part));
            } else if factor * part.greatest() < low {
                below += factor * part.greatest();
            } else {
                let inner = quotient(low, *factor)?;
                below += factor * (inner - 1);
                middle.parts.push((1, part.divide(inner)?));
            }
        }
        let greatest = middle.constant + middle.parts.iter().map(|(f, p)| f * p.greatest()).sum::<i64>();
        (below < low && greatest < extent).then_some(middle)
    }
}

impl Part {
    fn greatest(&self) -> i64 {
        match self {
            Part::Digit(d) => d.extent as i64 - 1,
            Part::Special(c) => c.greatest(),
        }
    }
    /// part mod k.
    fn modulo(&self, k: i64) -> Option<Part> {
        match self {
            Part::Digit(d) => (d.extent as i64 % k == 0).then_some(Part::Digit(Digit { extent: k as usize, ..*d })),
            Part::Special(c) if c.cyclic && c.extent as i64 % k == 0 => {
                let (digits, _) = cut(&c.digits, k)?;
                Some(Part::Special(Coord { extent: k as usize, offset: c.offset % k, digits, ..c.clone() }))
            }
            Part::Special(_) => None,
        }
    }
    /// ⌊part/k⌋.
    fn divide(&self, k: i64) -> Option<Part> {
        let Part::Digit(d) = self else { return None };
        let inner = k as usize;
        (d.extent % inner == 0).then(|| Part::Digit(Digit { div: d.div * inner, extent: d.extent / inner, ..*d }))
    }
}

fn quotient(a: i64, b: i64) -> Option<i64> {
    (a % b == 0).then(|| a / b)
}

/// The coordinate with the plain digits that continue its finest digit taken back in, and the plain digits left:
/// 7·((1 + ⌊i/7⌋) mod 8) + (i mod 7) is (7 + i) mod 56 again, which other rolls and pads can join.
fn widened(coord: &Coord, plain: &[Digit]) -> (Coord, Vec<Digit>) {
    let (mut wide, mut rest) = (coord.clone(), plain.to_vec());
    loop {
        let continues = |p: &Digit| {
            let adjacent = |d: &Digit| d.mul == 1 && d.axis == p.axis && d.div == p.div * p.extent;
            wide.stride as i64 == p.mul * p.extent as i64 && wide.digits.iter().any(adjacent)
        };
        let Some(i) = rest.iter().position(continues) else { return (wide, rest) };
        let p = rest.remove(i);
        let k = p.extent as i64;
        wide.stride /= p.extent;
        wide.extent *= p.extent;
        wide.offset *= k;
        wide.digits.iter_mut().for_each(|d| d.mul *= k);
        wide.digits.push(Digit { mul: 1, ..p });
        wide.digits = merged(wide.digits);
    }
}
