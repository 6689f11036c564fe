//! Reading values through a view, row by row.
//!
//! A plain coordinate is a sum, so its digits of the last axis are the same in every row and are tabulated
//! once; the rest of the map places the row:
//!
//! ```text
//!   result row (i, j, ·)    source  first(i, j) + steps[0], steps[1], …      steps 0, 1, 2, …: one copy
//! ```

use super::{Coord, View};

impl View {
    /// The result's elements, row-major; `fill` where the view falls outside. `None` where the map leaves `source`.
    pub fn gather<T: Copy>(&self, source: &[T], fill: T) -> Option<Vec<T>> {
        let rows = Rows::new(self);
        let mut index = vec![0; self.shape.len()];
        let elements = self.elements();
        let mut data = Vec::with_capacity(elements);
        while data.len() < elements {
            let first = self.source(&index);
            match (first, &rows.steps) {
                (None, Some(steps)) => data.resize(data.len() + steps.len(), fill),
                (Some(first), Some(steps)) if rows.dense => {
                    data.extend_from_slice(source.get(first..first + steps.len())?)
                }
                (Some(first), Some(steps)) => {
                    let row = source.get(first..)?;
                    for &step in steps {
                        data.push(*row.get(step)?);
                    }
                }
                (first, None) => data.push(match first {
                    Some(first) => *source.get(first)?,
                    None => fill,
                }),
            }
            let row = if rows.steps.is_some() { index.len() - 1 } else { index.len() };
            advance(&mut index[..row], &self.shape[..row]);
        }
        Some(data)
    }
}

impl View {
    /// Whether rows along the last axis differ in their beginning only, and nothing is the fill.
    pub fn is_separable(&self) -> bool {
        let Some(last) = self.shape.len().checked_sub(1) else { return false };
        let moves = |c: &Coord| c.digits.iter().any(|d| d.axis == last);
        self.coords.iter().all(|c| c.is_plain() || !c.bounded && !moves(c))
    }
    /// Where each row along the last axis begins in the source, and the distance of each of its elements from
    /// there; `None` where the view is not [separable](Self::is_separable).
    pub fn separated(&self) -> Option<(Vec<usize>, Vec<usize>)> {
        let steps = Rows::new(self).steps.filter(|_| self.is_separable())?;
        let mut index = vec![0; self.shape.len()];
        let outer = self.shape.len() - 1;
        let rows: usize = self.shape[..outer].iter().product();
        let mut firsts = Vec::with_capacity(rows);
        for _ in 0..rows {
            firsts.push(self.source(&index)?);
            advance(&mut index[..outer], &self.shape[..outer]);
        }
        Some((firsts, steps))
    }
}

struct Rows {
    /// Source distance of each element of a row from its first; `None` where it differs between rows.
    steps: Option<Vec<usize>>,
    /// Whether the steps count up by one.
    dense: bool,
}

impl Rows {
    fn new(map: &View) -> Self {
        let last = map.shape.len().wrapping_sub(1);
        let moves = |c: &Coord| c.digits.iter().any(|d| d.axis == last);
        if map.shape.is_empty() || map.coords.iter().any(|c| moves(c) && !c.is_plain()) {
            return Self { steps: None, dense: false };
        }
        let mut index = vec![0; map.shape.len()];
        let mut step = |i| {
            index[last] = i;
            let moved = |c: &Coord| -> i64 {
                c.digits.iter().filter(|d| d.axis == last).map(|d| d.mul * d.at(&index) as i64).sum()
            };
            map.coords.iter().map(|c| c.stride * moved(c) as usize).sum()
        };
        let steps: Vec<usize> = (0..map.shape[last]).map(&mut step).collect();
        let dense = steps.iter().enumerate().all(|(i, &s)| s == i);
        Self { steps: Some(steps), dense }
    }
}

/// The next index in row-major order.
fn advance(index: &mut [usize], shape: &[usize]) {
    for (i, &extent) in index.iter_mut().zip(shape).rev() {
        *i += 1;
        if *i < extent {
            return;
        }
        *i = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Real;

    #[test]
    fn rows_are_sums_of_two_tables() {
        let view = View::transpose(&[3, 5], &[1, 0]);
        let (firsts, steps) = view.separated().unwrap();
        assert_eq!((&firsts[..], &steps[..]), (&[0, 1, 2, 3, 4][..], &[0, 5, 10][..]));
        let table = view.table();
        for (i, source) in table.into_iter().enumerate() {
            assert_eq!(source, Some(firsts[i / 3] + steps[i % 3]));
        }
        assert!(view.is_separable() && View::roll(&[3, 5], 0, 2).is_separable());
        assert_eq!(View::pad(&[3, 5], 0, 1, 0, Real::new(0.0)).separated(), None);
        assert_eq!(View::roll(&[3, 5], 1, 2).separated(), None);
    }

    #[test]
    fn gathering_follows_the_table() {
        let source: Vec<usize> = (0..15).collect();
        for view in [
            View::transpose(&[3, 5], &[1, 0]),
            View::pad(&[3, 5], 0, 1, 2, Real::new(0.0)),
            View::pad(&[3, 5], 1, 1, 2, Real::new(0.0)),
            View::roll(&[3, 5], 1, 2),
            View::reshape(&[3, 5], &[15]),
        ] {
            let expected: Vec<usize> = view.table().into_iter().map(|s| s.unwrap_or(99)).collect();
            assert_eq!(view.gather(&source, 99).unwrap(), expected);
        }
        assert_eq!(View::reshape(&[3, 5], &[15]).gather(&source[..14], 0), None);
    }
}
