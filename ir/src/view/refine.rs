//! Loops instead of divisions.
//!
//! Digits need ⌊i/div⌋ mod extent. A loop nest with one loop per digit needs neither: every axis is split at all
//! boundaries that any view asks for, and each digit becomes a sum of loop counters.
//!
//! ```text
//!   axis of 64   view a: ⌊i/8⌋, i mod 8      view b: i        split  8 × 8      i = 8·u + v
//!                                                              a: u, v           b: 8·u + v
//! ```

use super::{View, digits::boundaries};

/// A coordinate as a linear function of refined digits; see [`View::affine`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AffineCoord {
    /// As in [`super::Coord`].
    pub extent: usize,
    /// Distance of neighbours in the source, in elements.
    pub stride: usize,
    /// Added to the sum.
    pub offset: i64,
    /// Taken modulo `extent`.
    pub cyclic: bool,
    /// Outside 0…extent−1 the view gives its fill.
    pub bounded: bool,
    /// Factor of every refined digit, axis by axis, outermost first; 0 where the digit does not matter.
    pub factors: Vec<Vec<i64>>,
}

impl AffineCoord {
    /// offset + Σ factor·digit, before the modulus or bound.
    pub fn sum(&self, digits: &[Vec<usize>]) -> i64 {
        let terms = self.factors.iter().flatten().zip(digits.iter().flatten());
        self.offset + terms.map(|(f, &d)| f * d as i64).sum::<i64>()
    }
}

/// For views of the same result shape: the extents, outermost first, into which each axis must be split so that
/// every digit of every view is a run of consecutive parts. An axis of extent 1 has none. `None` where the shapes
/// differ or the boundaries do not nest.
pub fn split_axes(views: &[&View]) -> Option<Vec<Vec<usize>>> {
    let shape = &views.first()?.shape;
    if views.iter().any(|v| v.shape != *shape) {
        return None;
    }
    (0..shape.len())
        .map(|axis| {
            let digits = views.iter().flat_map(|v| &v.coords).flat_map(|c| &c.digits).filter(|d| d.axis == axis);
            let mut bounds = boundaries(digits)?;
            let last = *bounds.last()?;
            if shape[axis] % last != 0 {
                return None;
            }
            bounds.push(shape[axis]);
            bounds.dedup();
            Some(bounds.windows(2).rev().map(|w| w[1] / w[0]).collect())
        })
        .collect()
}

impl View {
    /// Every coordinate as offset + Σ factor·digit over the axes split into `digits`, as [`split_axes`] gives them
    /// (finer splits serve too). `None` where a digit of the view is no run of parts.
    pub fn affine(&self, digits: &[Vec<usize>]) -> Option<Vec<AffineCoord>> {
        self.coords
            .iter()
            .map(|c| {
                let mut factors: Vec<Vec<i64>> = digits.iter().map(|axis| vec![0; axis.len()]).collect();
                for d in &c.digits {
                    let (mut div, mut covered) = (1, 1);
                    for (part, &extent) in digits[d.axis].iter().enumerate().rev() {
                        if div >= d.div && div < d.div * d.extent {
                            factors[d.axis][part] += d.mul * (div / d.div) as i64;
                            covered *= extent;
                            if div % d.div != 0 {
                                return None;
                            }
                        }
                        div *= extent;
                    }
                    if covered != d.extent {
                        return None;
                    }
                }
                let (extent, stride, offset) = (c.extent, c.stride, c.offset);
                Some(AffineCoord { extent, stride, offset, cyclic: c.cyclic, bounded: c.bounded, factors })
            })
            .collect()
    }
}
