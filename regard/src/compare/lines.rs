//! Launches of a comparison, equal ones together: one kernel whose launches all schedules cut alike is one line.

use super::{Comparison, Part};
use std::cmp::Reverse;

/// Ratios that differ from one by less are noise, of estimates as of measurements.
pub const NOISE: f64 = 0.02;

/// Launches of one kernel that all schedules cut alike.
pub struct Line<'a> {
    /// Names of the groups, one per launch.
    pub names: Vec<&'a str>,
    /// The group in each schedule.
    pub parts: Vec<&'a Part>,
    /// Measured nanoseconds of all of them, by schedule.
    pub measured: Vec<Option<f64>>,
}

impl Line<'_> {
    /// How many launches.
    pub fn launches(&self) -> usize {
        self.names.len()
    }
    /// Whether some schedule cuts it otherwise than the first.
    pub fn differs(&self) -> bool {
        self.parts.iter().any(|part| part.tiles != self.parts[0].tiles)
    }
    /// Nanoseconds of all launches together, estimated.
    pub fn estimate(&self, entry: usize) -> f64 {
        self.parts[entry].estimate.ns * self.launches() as f64
    }
    /// Nanoseconds under the first schedule: measured where they are, estimated otherwise.
    pub fn time(&self) -> f64 {
        self.measured[0].unwrap_or_else(|| self.estimate(0))
    }
    /// Time under another schedule over that under the first.
    pub fn ratio(&self, entry: usize) -> f64 {
        match self.measured[0].zip(self.measured[entry]) {
            Some((first, other)) => other / first,
            None => self.estimate(entry) / self.estimate(0),
        }
    }
}

/// The launches of a comparison, equal ones together, in launch order.
pub fn lines<'a>(comparison: &'a Comparison) -> Vec<Line<'a>> {
    let mut lines: Vec<Line> = Vec::new();
    let first = &comparison.entries[0];
    for (i, (name, _)) in first.schedule.groups.iter().enumerate() {
        let parts: Vec<&Part> = comparison.entries.iter().map(|entry| &entry.parts[i]).collect();
        let measured: Vec<Option<f64>> = parts.iter().map(|part| part.measured.map(|ns| ns as f64)).collect();
        let equal = |a: &&Part, b: &&Part| a.kernel == b.kernel && a.tiles == b.tiles;
        match lines.iter_mut().find(|line| line.parts.iter().zip(&parts).all(|(a, b)| equal(a, b))) {
            Some(line) => {
                line.names.push(name);
                line.measured.iter_mut().zip(measured).for_each(|(sum, now)| *sum = sum.zip(now).map(|(a, b)| a + b));
            }
            None => lines.push(Line { names: vec![name], parts, measured }),
        }
    }
    lines
}

/// The same, those first that take longest.
pub fn by_time<'a>(comparison: &'a Comparison) -> Vec<Line<'a>> {
    let mut lines = lines(comparison);
    lines.sort_by_key(|line| Reverse(line.time() as u64));
    lines
}
