//! Views the other way round.
//!
//! A *pull* view says for each result element which source element it is; a kernel that walks over the source wants the
//! *push* view: where each source element goes. They are inverse maps where every source element is used once:
//!
//! ```text
//!   pull  element = Σ stride·digit, strides 1, e₁, e₁e₂ …     push  digit = ⌊element/stride⌋ mod extent
//!         at = (o + Σ) mod E                                        Σ = (E − o + at) mod E
//! ```

use super::{Coord, Digit, View, digits::merged, normal::Draft};
use crate::types::{Real, strides};

impl View {
    /// The inverse map, with result shape `[len]`: its element j is the place of source element j in the
    /// result of `self`, counted in row-major order. [`View::with_shape`] gives it another shape. `None` where `self`
    /// repeats, drops or fills elements, or where the inverse would cut a cyclic sum.
    pub fn inverse(&self) -> Option<View> {
        if self.has_fill() || self.len != self.elements() {
            return None;
        }
        let places = strides(&self.shape);
        let place = |d: &Digit| (places[d.axis] * d.div) as i64;
        let mut draft = Draft::new(&[self.len], self.len, Real::new(0.0));
        let mut parts: Vec<(usize, usize)> = Vec::new();
        for coord in &self.coords {
            let mut digits = Vec::new();
            for d in &coord.digits {
                digits.push(Digit { axis: 0, div: coord.stride * d.mul as usize, extent: d.extent, mul: place(d) });
                parts.push((coord.stride * d.mul as usize, d.extent));
            }
            if coord.is_plain() {
                if coord.offset != 0 {
                    return None;
                }
                draft.plain.extend(digits);
            } else {
                draft.special.push(unrolled(coord, digits)?);
            }
        }
        parts.sort_unstable();
        let covered = parts.iter().try_fold(1, |done, &(stride, extent)| (stride == done).then_some(done * extent));
        (covered == Some(self.len.max(1))).then(|| draft.finish())
    }
}

/// The inverse of one cyclic coordinate whose digits go to `targets`: these must be one digit of the result.
fn unrolled(coord: &Coord, targets: Vec<Digit>) -> Option<Coord> {
    let targets = merged(targets);
    let [whole] = targets[..] else { return None };
    if whole.div != coord.stride || whole.extent != coord.extent {
        return None;
    }
    let digits = vec![Digit { mul: 1, ..whole }];
    Some(Coord { stride: whole.mul as usize, offset: coord.extent as i64 - coord.offset, digits, ..coord.clone() })
}
