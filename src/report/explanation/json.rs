//! An explanation as JSON.
//!
//! ```text
//!   { target, stages: [{ name, nodes, flop, steps: [rule] }],
//!     regions: [{ root, copies, e_nodes, iterations, stop, estimate_before_ns, estimate_after_ns, rules: [rule], … }],
//!     replay: { held, elements, skipped, broken } }
//! ```
//!
//! A rule is listed as often as it was used. Graphs are `.rg` text.

use regard::explain::{Explanation, Replay};
use regard_passes::{
    RewriteStep, Snapshot,
    egraph::{RegionReport, Stop},
};
use serde_json::{Value, json};

/// The whole explanation, or that of one region.
pub(crate) fn json(explanation: &Explanation, only: Option<usize>, replay: Option<&Replay>) -> Value {
    let stages = explanation.snapshots().iter().filter(|_| only.is_none()).map(stage);
    let regions = explanation.optimized().regions.iter().enumerate();
    let regions = regions.filter(|(at, _)| only.is_none_or(|only| only == *at)).map(|(_, report)| region(report));
    let replay = replay.map(|replay| {
        let Replay { held, elements, skipped, broken } = replay;
        json!({"held": held, "elements": elements, "skipped": skipped, "broken": broken})
    });
    json!({
        "target": explanation.target().name,
        "stages": stages.collect::<Vec<_>>(),
        "regions": regions.collect::<Vec<_>>(),
        "replay": replay,
    })
}

fn stage(snapshot: &Snapshot) -> Value {
    json!({
        "name": snapshot.name,
        "nodes": snapshot.graph.nodes.len(),
        "flop": snapshot.graph.flops_per_run(),
        "steps": snapshot.steps.iter().map(rule).collect::<Vec<_>>(),
    })
}

/// What became of a kind of region.
pub(crate) fn region(report: &RegionReport) -> Value {
    json!({
        "root": report.root,
        "copies": report.copies,
        "e_nodes": report.nodes,
        "iterations": report.iterations,
        "saturated": report.stop == Stop::Saturated,
        "stop": report.stop.to_string(),
        "estimate_before_ns": report.cost.0 as f64 / 1e6,
        "estimate_after_ns": report.cost.1 as f64 / 1e6,
        "rules": report.rules.iter().map(rule).collect::<Vec<_>>(),
        "written": report.written.to_string(),
        "chosen": report.chosen.to_string(),
    })
}

fn rule(step: &RewriteStep) -> Value {
    json!({"rule": step.rule, "backward": step.backward})
}
