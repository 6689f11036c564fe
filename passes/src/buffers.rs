//! Memory: every intermediate gets a place in one arena, reused as soon as its last reader has run.
//!
//! ```text
//!   launch      0   1   2   3   4
//!   %a          w───r                 offset 0
//!   %b              w───────r         offset |a|
//!   %c                  w───r         offset 0 again
//! ```
//!
//! Largest first, each at the lowest offset where nothing alive at the same time lies: a greedy packing
//! that is within a few per cent of the largest sum of simultaneously live buffers on real models.
//!
//! A result may take the place of what its kernel reads for the last time, where that kernel reads each element once,
//! before it writes it. Both are then one buffer that lives on:
//!
//! ```text
//!   %c                  w───r             offset 0
//!   %d = %c + %a            w───r         offset 0: element by element
//! ```

use regard_ir::program::BUFFER_ALIGN;

/// A buffer to place: alive from the launch that writes it to the last that reads it, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    /// Bytes.
    pub bytes: u64,
    /// Launch that writes it.
    pub first: usize,
    /// Last launch that reads it.
    pub last: usize,
}

impl Interval {
    fn overlaps(&self, other: &Interval) -> bool {
        self.first <= other.last && other.first <= self.last
    }
    fn size(&self) -> u64 {
        self.bytes.next_multiple_of(BUFFER_ALIGN)
    }
}

/// As [`place`], where buffer i may take the place of buffer `takes[i]`, which has its size and is read last where i is
/// written. Places are taken if the arena gets smaller.
pub(crate) fn place_in_turn(intervals: &[Interval], takes: &[Option<usize>]) -> (Vec<u64>, u64) {
    let alone = place(intervals);
    if takes.iter().all(Option::is_none) {
        return alone;
    }
    // Earlier ones first, so that whose place a buffer takes is known.
    let mut order: Vec<usize> = (0..intervals.len()).collect();
    order.sort_by_key(|&i| (intervals[i].first, i));
    let mut merged: Vec<Interval> = Vec::new();
    let mut home = vec![0; intervals.len()];
    for i in order {
        match takes[i] {
            Some(other) => {
                home[i] = home[other];
                merged[home[i]].last = intervals[i].last;
            }
            None => {
                home[i] = merged.len();
                merged.push(intervals[i]);
            }
        }
    }
    let (offsets, total) = place(&merged);
    if total < alone.1 { (home.iter().map(|&at| offsets[at]).collect(), total) } else { alone }
}

/// The offset of each buffer, and the size of the arena, both in bytes.
pub(crate) fn place(intervals: &[Interval]) -> (Vec<u64>, u64) {
    let mut order: Vec<usize> = (0..intervals.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(intervals[i].bytes), intervals[i].first, i));
    let mut offsets = vec![0u64; intervals.len()];
    let mut placed: Vec<usize> = Vec::new();
    for i in order {
        let mut taken: Vec<(u64, u64)> = placed
            .iter()
            .filter(|&&j| intervals[i].overlaps(&intervals[j]))
            .map(|&j| (offsets[j], offsets[j] + intervals[j].size()))
            .collect();
        taken.sort_unstable();
        let mut at = 0;
        for (start, end) in taken {
            if at + intervals[i].size() <= start {
                break;
            }
            at = at.max(end);
        }
        offsets[i] = at;
        placed.push(i);
    }
    let total = intervals.iter().zip(&offsets).map(|(x, at)| at + x.size()).max().unwrap_or(0);
    (offsets, total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn live_buffers_never_overlap(raw in prop::collection::vec((1u64..5000, 0usize..20, 0usize..6), 0..60)) {
            let intervals: Vec<Interval> =
                raw.into_iter().map(|(bytes, first, length)| Interval { bytes, first, last: first + length }).collect();
            let (offsets, total) = place(&intervals);
            for (i, a) in intervals.iter().enumerate() {
                prop_assert!(offsets[i] % BUFFER_ALIGN == 0 && offsets[i] + a.bytes <= total);
                for (j, b) in intervals.iter().enumerate().skip(i + 1) {
                    let apart = offsets[i] + a.bytes <= offsets[j] || offsets[j] + b.bytes <= offsets[i];
                    prop_assert!(apart || !a.overlaps(b));
                }
            }
        }

        #[test]
        fn places_are_taken_in_turn(raw in prop::collection::vec((1u64..4, 0usize..9, 0usize..4, any::<bool>()), 1..30)) {
            let (mut intervals, mut takes): (Vec<Interval>, Vec<Option<usize>>) = (Vec::new(), Vec::new());
            for (blocks, first, length, turn) in raw {
                let free = |i: &usize| !takes.contains(&Some(*i)) && intervals[*i].last > intervals[*i].first;
                let other = (0..intervals.len()).rev().find(free).filter(|_| turn);
                let (bytes, first) = other.map_or((64 * blocks, first), |i| (intervals[i].bytes, intervals[i].last));
                takes.push(other);
                intervals.push(Interval { bytes, first, last: first + length });
            }
            let (offsets, total) = place_in_turn(&intervals, &takes);
            prop_assert!(total <= place(&intervals).1);
            for (i, a) in intervals.iter().enumerate() {
                prop_assert!(offsets[i] + a.bytes <= total);
                for (j, b) in intervals.iter().enumerate().skip(i + 1) {
                    let apart = offsets[i] + a.bytes <= offsets[j] || offsets[j] + b.bytes <= offsets[i];
                    let in_turn = takes[j] == Some(i) && offsets[i] == offsets[j];
                    prop_assert!(apart || !a.overlaps(b) || in_turn);
                }
            }
        }
    }

    #[test]
    fn a_sum_takes_the_place_of_its_first_term() {
        let term = |first, last| Interval { bytes: 64, first, last };
        let chain = [term(0, 1), term(1, 2), term(2, 3)];
        assert_eq!(place_in_turn(&chain, &[None, Some(0), Some(1)]), (vec![0; 3], 64));
        assert_eq!(place(&chain).1, 128);
    }
}
