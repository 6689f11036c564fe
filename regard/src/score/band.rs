//! The band around true boundaries, row by row.
//!
//! ```text
//!   labels of row y ─▶ edges of row y − 1 ─ spread along the row ─▶ the last 2r + 1 such rows ─▶ band of row y − 1 − r
//! ```
//!
//! A row's edges are known once the row below is; its band once the r rows below it are. For every column the marks in
//! the rows at hand are counted, so a row costs the same whatever r is.

use super::Counts;
use std::collections::VecDeque;

/// Marks around boundaries of a map that is given row by row.
pub(crate) struct Band {
    /// How far the band reaches, in columns and in rows.
    reach: (usize, usize),
    /// The row given last, and its edges as far as they are known.
    last: Option<(Vec<Option<u8>>, Vec<bool>)>,
    /// Rows of edges, each spread along itself, from the reach above the next row to be counted on.
    spread: VecDeque<Vec<bool>>,
    /// Marks in each column of these.
    marks: Vec<u32>,
    /// Rows of edges so far.
    known: usize,
    /// Rows counted so far.
    counted: usize,
}

impl Band {
    /// The band of `r` rows and columns around the boundaries of a map of `height` rows of `width` columns.
    pub(crate) fn new((height, width): (usize, usize), r: usize) -> Band {
        Band {
            reach: (r.min(width), r.min(height)),
            last: None,
            spread: VecDeque::new(),
            marks: vec![0; width],
            known: 0,
            counted: 0,
        }
    }
    /// Takes the labels of the next row; pixels that do not count make no edge.
    pub(crate) fn push(&mut self, labels: Vec<Option<u8>>) {
        let differ = |a: Option<u8>, b: Option<u8>| a.is_some() && b.is_some() && a != b;
        let mut edges = vec![false; labels.len()];
        for x in 1..labels.len() {
            if differ(labels[x - 1], labels[x]) {
                (edges[x - 1], edges[x]) = (true, true);
            }
        }
        if let Some((above, mut edges_above)) = self.last.take() {
            for (x, (&a, &b)) in above.iter().zip(&labels).enumerate() {
                if differ(a, b) {
                    (edges_above[x], edges[x]) = (true, true);
                }
            }
            self.know(edges_above);
        }
        self.last = Some((labels, edges));
    }
    /// Counts the rows in front of `waiting`, predictions and labels, whose band is known; all where the map has ended.
    pub(crate) fn count(&mut self, ended: bool, waiting: &mut VecDeque<Vec<(u8, Option<u8>)>>, counts: &mut Counts) {
        self.count_known(false, waiting, counts);
        if ended && let Some((_, edges)) = self.last.take() {
            self.know(edges);
            self.count_known(true, waiting, counts);
        }
    }
    fn count_known(&mut self, ended: bool, waiting: &mut VecDeque<Vec<(u8, Option<u8>)>>, counts: &mut Counts) {
        while (ended && self.counted < self.known) || self.counted + self.reach.1 < self.known {
            let row = waiting.pop_front().unwrap_or_default();
            for (&(predicted, label), &marks) in row.iter().zip(&self.marks) {
                if let (Some(label), 1..) = (label, marks) {
                    counts.add(predicted, label);
                }
            }
            if self.counted >= self.reach.1 {
                let gone = self.spread.pop_front().unwrap_or_default();
                self.marks.iter_mut().zip(gone).for_each(|(marks, mark)| *marks -= u32::from(mark));
            }
            self.counted += 1;
        }
    }
    /// Takes a row of edges that is complete.
    fn know(&mut self, edges: Vec<bool>) {
        let spread = along(&edges, self.reach.0);
        self.marks.iter_mut().zip(&spread).for_each(|(marks, &mark)| *marks += u32::from(mark));
        self.spread.push_back(spread);
        self.known += 1;
    }
}

/// Pixels of a row at most `r` columns away from a marked one.
fn along(row: &[bool], r: usize) -> Vec<bool> {
    let mut out = vec![false; row.len()];
    let mut left = 0;
    for (mark, out) in row.iter().zip(&mut out) {
        left = if *mark { r + 1 } else { left };
        *out |= left > 0;
        left = left.saturating_sub(1);
    }
    let mut left = 0;
    for (mark, out) in row.iter().zip(&mut out).rev() {
        left = if *mark { r + 1 } else { left };
        *out |= left > 0;
        left = left.saturating_sub(1);
    }
    out
}
