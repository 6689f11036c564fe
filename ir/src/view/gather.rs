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
