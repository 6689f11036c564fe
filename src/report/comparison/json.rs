//! A comparison as JSON.
//!
//! ```text
//!   { model, target, schedules: [{ title, estimate_ns, … }],
//!     kernels: [{ kernel, modules, launches, share, tiles: [{ tiles, estimate_ns, … } per schedule], … }] }
//! ```
//!
//! Kernels are all there are, those first that take longest. Times and bytes are sums over a kernel's launches.

use regard::compare::{
    Comparison, Entry, Part,
    lines::{Line, by_time},
};
use regard_ir::target::{MOST_LEVELS, Target};
use serde_json::{Value, json};

/// One comparison.
pub(crate) fn json(comparison: &Comparison) -> Value {
    let lines = by_time(comparison);
    let total: f64 = lines.iter().map(Line::time).sum();
    let kernel = |line: &Line| {
        let (part, times) = (line.parts[0], line.launches() as u64);
        let tiles = |(e, part): (usize, &&Part)| {
            let (estimate, measured) = (line.estimate(e), line.measured[e]);
            json!({"tiles": part.tiles.to_string(), "estimate_ns": estimate, "measured_ns": measured})
        };
        let living = &part.living;
        json!({
            "kernel": part.kernel,
            "modules": line.names,
            "launches": times,
            "share": line.time() / total,
            "flop": part.estimate.flops * times,
            "bytes": bytes(part.estimate.bytes.map(|crossing| crossing * times), comparison.target()),
            "tiles": line.parts.iter().enumerate().map(tiles).collect::<Vec<_>>(),
            "scratch_bytes": living.scratch.iter().map(|(_, bytes)| bytes).sum::<u64>(),
            "constant_bytes": living.constants,
            "read_bytes": living.read,
            "written_bytes": living.written,
        })
    };
    let mut value = of_entries(comparison, &comparison.entries().iter().collect::<Vec<_>>());
    value["kernels"] = lines.iter().map(kernel).collect();
    value
}

/// Several, with their chosen schedules alone.
pub(crate) fn side_by_side(comparisons: &[Comparison]) -> Value {
    let one = |comparison: &Comparison| of_entries(comparison, &[&comparison.entries()[0]]);
    json!({"models": comparisons.iter().map(one).collect::<Vec<_>>()})
}

fn of_entries(comparison: &Comparison, entries: &[&Entry]) -> Value {
    let schedule = |entry: &&Entry| {
        let program = entry.program();
        json!({
            "title": entry.title,
            "kernels": program.kernels.len(),
            "launches": program.launches.len(),
            "flop": entry.flops(),
            "bytes": bytes(entry.bytes(), comparison.target()),
            "arena_bytes": program.arena_bytes,
            "scratch_bytes": program.scratch_bytes(),
            "estimate_ns": entry.estimate(),
            "measured_ns": entry.measured(),
        })
    };
    json!({
        "model": comparison.graph().name,
        "target": comparison.target().name,
        "parameters": comparison.graph().parameters(),
        "schedules": entries.iter().map(schedule).collect::<Vec<_>>(),
    })
}

/// Bytes that cross the border in front of each level.
fn bytes(of: [u64; MOST_LEVELS], target: &Target) -> Value {
    target.levels.iter().zip(of).map(|(level, bytes)| (level.name.to_lowercase(), json!(bytes))).collect()
}
