//! A comparison as text: totals of each schedule, then kernel by kernel.
//!
//! Launches of one kernel with the same tiles are one line; below it stand the tiles that other schedules give it.

use super::{Comparison, Entry, Living, Part};
use crate::report::{bytes, duration, table};
use regard_passes::schedule::Level;
use std::time::Duration;

/// Everything.
pub fn text(comparison: &Comparison) -> String {
    let (model, target) = (&comparison.graph.name, comparison.target.name);
    let measured = said(comparison);
    let totals = table(&TOTALS, &[false].into_iter().chain([true; 11]).collect::<Vec<_>>(), &totals(comparison));
    let (rows, same) = kernels(comparison);
    let right: Vec<bool> = (0..KERNELS.len()).map(|column| (2..11).contains(&column)).collect();
    let kernels = table(&KERNELS, &right, &rows);
    let same = match same {
        0 => String::new(),
        n => format!("\n{n} kernels are cut alike everywhere.\n"),
    };
    format!("{model} for {target} on one core, {measured}\n\n{totals}\n{kernels}{same}{NOTE}")
}

/// The chosen schedules of several graphs, a line each; others are compared with the first.
pub fn side_by_side(comparisons: &[Comparison]) -> String {
    let first = &comparisons[0];
    let rows: Vec<Vec<String>> = comparisons
        .iter()
        .map(|comparison| {
            let mut cells = totals_of(&comparison.entries[0], &first.entries[0]);
            let parameters = format!("{:.1} M", comparison.graph.parameters() as f64 / 1e6);
            cells.splice(0..1, [comparison.graph.name.clone(), parameters]);
            cells
        })
        .collect();
    let head: Vec<&str> = ["model", "parameters"].into_iter().chain(TOTALS.into_iter().skip(1)).collect();
    let right: Vec<bool> = (0..head.len()).map(|column| column > 0).collect();
    let (target, measured) = (first.target.name, said(first));
    format!("{} models for {target} on one core, {measured}\n\n{}{NOTE}", rows.len(), table(&head, &right, &rows))
}

fn said(comparison: &Comparison) -> &'static str {
    match comparison.entries[0].measured() {
        Some(_) => "estimated and measured",
        None => "estimated; --measure also measures",
    }
}

const NOTE: &str =
    "\nBytes cross the border in front of each level. Choices are made for four cores, which share blocks evenly.\n";
/// What is told of a schedule as a whole.
pub const TOTALS: [&str; 12] = [
    "schedule", "kernels", "launches", "GFLOP", "L1", "L2", "L3", "memory", "arena", "scratch", "estimate", "measured",
];
const KERNELS: [&str; 13] = [
    "kernel",
    "tiles",
    "×",
    "MFLOP",
    "L1",
    "L2",
    "L3",
    "memory",
    "estimate",
    "measured",
    "ratio",
    "where intermediates live",
    "first root",
];

/// A time in nanoseconds, or nothing.
pub fn time(ns: Option<f64>) -> String {
    ns.map_or("–".into(), |ns| duration(Duration::from_nanos(ns as u64)))
}

/// A row of [`TOTALS`] for each schedule.
pub fn totals(comparison: &Comparison) -> Vec<Vec<String>> {
    comparison.entries.iter().map(|entry| totals_of(entry, &comparison.entries[0])).collect()
}

/// Its title and totals; times also as multiples of the first's.
fn totals_of(entry: &Entry, first: &Entry) -> Vec<String> {
    let program = &entry.program;
    let mut cells = vec![
        entry.title.clone(),
        program.kernels.len().to_string(),
        program.launches.len().to_string(),
        format!("{:.3}", entry.flops() as f64 / 1e9),
    ];
    cells.extend(Level::ALL.map(|level| bytes(entry.bytes(level))));
    cells.extend([bytes(program.arena_bytes), bytes(program.scratch_bytes())]);
    let (ratio, measured) = (entry.estimate() / first.estimate(), entry.measured());
    cells.push(format!("{}{}", time(Some(entry.estimate())), multiple(ratio, entry, first)));
    let ratio = measured.unwrap_or(1.0) / first.measured().unwrap_or(1.0);
    cells.push(match measured {
        Some(_) => format!("{}{}", time(measured), multiple(ratio, entry, first)),
        None => "–".into(),
    });
    cells
}

fn multiple(ratio: f64, entry: &Entry, first: &Entry) -> String {
    if std::ptr::eq(entry, first) { String::new() } else { format!(" ({ratio:.2}×)") }
}

/// Launches of one kernel that all schedules cut alike.
pub struct Line<'a> {
    /// How many.
    pub launches: usize,
    /// Name of the first one's root.
    pub root: &'a str,
    /// The group in each schedule.
    pub parts: Vec<&'a Part>,
    /// Measured nanoseconds of all of them, by schedule.
    pub measured: Vec<Option<f64>>,
}

impl Line<'_> {
    /// Whether some schedule cuts it otherwise than the first.
    pub fn differs(&self) -> bool {
        self.parts.iter().any(|part| part.tiles != self.parts[0].tiles)
    }
    /// Nanoseconds of all launches together, estimated.
    pub fn estimate(&self, entry: usize) -> f64 {
        self.parts[entry].estimate.ns * self.launches as f64
    }
}

/// The launches of a comparison, equal ones together, in launch order.
pub fn lines<'a>(comparison: &'a Comparison) -> Vec<Line<'a>> {
    let mut lines: Vec<Line> = Vec::new();
    let first = &comparison.entries[0];
    for (i, (root, _)) in first.schedule.groups.iter().enumerate() {
        let parts: Vec<&Part> = comparison.entries.iter().map(|entry| &entry.parts[i]).collect();
        let measured: Vec<Option<f64>> = parts.iter().map(|part| part.measured.map(|ns| ns as f64)).collect();
        let equal = |a: &&Part, b: &&Part| a.kernel == b.kernel && a.tiles == b.tiles;
        match lines.iter_mut().find(|line| line.parts.iter().zip(&parts).all(|(a, b)| equal(a, b))) {
            Some(line) => {
                line.launches += 1;
                line.measured.iter_mut().zip(measured).for_each(|(sum, now)| *sum = sum.zip(now).map(|(a, b)| a + b));
            }
            None => lines.push(Line { launches: 1, root, parts, measured }),
        }
    }
    lines
}

/// The rows, and the number of kernels left out because two files agree on them.
fn kernels(comparison: &Comparison) -> (Vec<Vec<String>>, usize) {
    let diff = comparison.entries[0].title != "chosen";
    let mut rows = Vec::new();
    let mut same = 0;
    for line in lines(comparison) {
        if diff && !line.differs() {
            same += 1;
            continue;
        }
        let mut seen = Vec::new();
        for (e, part) in line.parts.iter().enumerate() {
            if e > 0 && seen.contains(&part.tiles) {
                continue;
            }
            seen.push(part.tiles);
            rows.push(row(&line, e, part));
        }
    }
    (rows, same)
}

fn row(line: &Line, e: usize, part: &Part) -> Vec<String> {
    let estimate = &part.estimate;
    let first = e == 0;
    let times = line.launches as u64;
    let mut cells = vec![
        if first { part.kernel.clone() } else { "  or".into() },
        part.tiles.to_string(),
        if first { line.launches.to_string() } else { String::new() },
        format!("{:.1}", (estimate.flops * times) as f64 / 1e6),
    ];
    cells.extend(Level::ALL.map(|level| bytes(estimate.bytes[level] * times)));
    cells.extend([time(Some(line.estimate(e))), time(line.measured[e])]);
    // Estimate over measurement; without one, over the first schedule's estimate.
    let against = line.measured[e].unwrap_or(line.estimate(0));
    cells.push(format!("{:.2}", line.estimate(e) / against));
    cells.push(living(&part.living));
    cells.push(if first { format!("%{}", line.root) } else { String::new() });
    cells
}

/// In few words.
pub fn living(living: &Living) -> String {
    let mut words = Vec::new();
    if living.registers > 0 {
        words.push(format!("registers {}", living.registers));
    }
    if !living.scratch.is_empty() {
        let buffers = living.scratch.iter().map(|(name, size)| format!("{name} {}", bytes(*size)));
        words.push(format!("scratch {}", buffers.collect::<Vec<_>>().join(" + ")));
    }
    for (word, size) in [("constant", living.constants), ("caller", living.caller)] {
        if size > 0 {
            words.push(format!("{word} {}", bytes(size)));
        }
    }
    if living.read + living.written > 0 {
        words.push(format!("arena {} → {}", bytes(living.read), bytes(living.written)));
    }
    words.join("; ")
}
