//! A view as two: first gather what is read, in the order it is read; then read that densely.
//!
//! ```text
//!   bias table, kept as [49, 49, heads], read as [windows·heads, 49, 49]:
//!
//!     map      i0 mod 3 + 3·(49·i1 + i2)          lanes along i2 are 3 elements apart
//!     gather   [3, 49, 49] ← [49, 49, 3]          done once, where the source is a constant
//!     read     2401·(i0 mod 3) + 49·i1 + i2       lanes are neighbours
//! ```

use super::{Digit, View, digits::merged, normal::plain_coord};

impl View {
    /// The two views (gather, read) with `gather.then(&read)` equal to this one and `read` in the order of
    /// the result's axes, but neighbours along axis `lanes` next to each other; `None` where the view wraps around
    /// or has a fill.
    pub fn compact(&self, lanes: usize) -> Option<(View, View)> {
        if self.coords.iter().any(|c| !c.is_plain()) {
            return None;
        }
        let offset = self.plain().map_or(0, |c| c.offset);
        let mut digits: Vec<Digit> = self.plain().map_or(Vec::new(), |c| c.digits.clone());
        digits.sort_by_key(|d| (d.axis == lanes, d.axis, std::cmp::Reverse(d.div)));
        let shape: Vec<usize> = digits.iter().map(|d| d.extent).collect();
        let len = shape.iter().product();
        let own = |(axis, d): (usize, &Digit)| Digit { axis, div: 1, ..*d };
        let gathered = merged(digits.iter().enumerate().map(own).collect());
        let strides = crate::types::strides(&shape);
        let dense = digits.iter().zip(strides).map(|(d, stride)| Digit { mul: stride as i64, ..*d }).collect();
        let gather = View { shape, coords: vec![plain_coord(offset, gathered)], ..self.clone() };
        let read = View { coords: vec![plain_coord(0, merged(dense))], len, ..self.clone() };
        Some((gather.without_empty(), read.without_empty()))
    }

    /// Normal form has no coordinate that is always 0.
    fn without_empty(mut self) -> View {
        self.coords.retain(|c| !c.digits.is_empty() || c.offset != 0);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strided_table_becomes_contiguous() {
        let table = View::transpose(&[49, 49, 3], &[2, 0, 1]);
        let heads = View::expand(&[3, 49, 49], &[64, 3, 49, 49]);
        let rows = View::reshape(&[64, 3, 49, 49], &[192, 49, 49]);
        let whole = table.then(&heads).unwrap().then(&rows).unwrap();
        let (gather, read) = whole.compact(2).unwrap();
        assert_eq!(gather.then(&read).unwrap(), whole);
        assert_eq!(gather, table);
        assert_eq!(read.plain().unwrap().digits.last().unwrap().mul, 1);
    }

    #[test]
    fn one_element_and_offsets_survive() {
        let one = View::slice(&[5], 0, 3, 4, 1).then(&View::expand(&[1], &[2, 3])).unwrap();
        let (gather, read) = one.compact(2).unwrap();
        assert_eq!(gather.shape, Vec::<usize>::new());
        assert_eq!(gather.table(), vec![Some(3)]);
        assert_eq!(read.table(), vec![Some(0); 6]);
    }

    #[test]
    fn wrapping_views_stay_whole() {
        assert!(View::roll(&[7], 0, 3).compact(2).is_none());
    }
}
