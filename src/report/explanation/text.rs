//! An explanation as text: what each stage did, region by region, rule by rule.
//!
//! ```text
//!   optimized: 8 nodes became 6
//!   region %y
//!     attend  5.207 µs ▶ 2.310 µs
//!         (matmul (softmax -1 s) v)
//!       ▶ (attend s v)
//! ```

use super::compact;
use regard::{
    explain::Explanation,
    units::{self, femtoseconds},
};
use regard_ir::{count::counted, graph::Graph, target::Target};
use regard_passes::{
    RewriteStep, Snapshot,
    egraph::{self, RegionReport},
};
use std::{collections::HashMap, fmt::Write};

/// The whole explanation, or that of one region.
pub(crate) fn text(explanation: &Explanation, only: Option<usize>) -> String {
    let (snapshots, target) = (explanation.snapshots(), explanation.target());
    if let Some(region) = only {
        return region_text(&explanation.optimized().regions[region], target);
    }
    let mut text = String::new();
    for (at, snapshot) in snapshots.iter().enumerate().skip(1) {
        let nodes = |snapshot: &Snapshot| snapshot.graph.nodes.len();
        let before = &snapshots[at - 1];
        let _ = write!(text, "{}: {} became {}", snapshot.name, counted(nodes(before), "node"), nodes(snapshot));
        let (written, left) = (before.graph.flops_per_run(), snapshot.graph.flops_per_run());
        if left < written {
            let _ = write!(text, ", {} became {}", units::flops(written), units::flops(left));
        }
        text.push('\n');
        snapshot.steps.iter().for_each(|step| text += &step_text(step, target));
        if snapshot.name == egraph::RULES_APPLIED {
            let regions = explanation.optimized().regions.iter().map(|region| region_text(region, target));
            text += &regions.collect::<String>();
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn region_text(region: &RegionReport, target: &Target) -> String {
    let cost = format!("{} ▶ {}", femtoseconds(region.cost.0), femtoseconds(region.cost.1));
    let mut text = format!("\nregion {region}\n  estimate {cost}\n  written\n{}", sides(&region.written, "      "));
    let mut counts: HashMap<&RewriteStep, usize> = HashMap::new();
    region.rules.iter().for_each(|step| *counts.entry(step).or_default() += 1);
    for step in &region.rules {
        // The first of its kind takes the count.
        let Some(count) = counts.remove(step) else { continue };
        text += &step_text(step, target);
        if count > 1 {
            let _ = writeln!(text, "      {count} times");
        }
    }
    if region.rules.is_empty() {
        return text + "  chosen as written\n";
    }
    text + "  chosen\n" + &sides(&region.chosen, "      ")
}

fn step_text(step: &RewriteStep, target: &Target) -> String {
    let (before, after) = step.sides();
    let cost = |graph: &Graph| femtoseconds(egraph::cost_of(graph, target));
    let backward = if step.backward { ", backwards" } else { "" };
    let mut text = format!("  {}{backward}  {} ▶ {}\n", step.rule, cost(before), cost(after));
    for (sign, graph) in [("  ", before), ("▶ ", after)] {
        for (i, line) in compact::lines(graph).iter().enumerate() {
            let _ = writeln!(text, "    {}{line}", if i == 0 { sign } else { "  " });
        }
    }
    let leaves = compact::leaves(before);
    if !leaves.is_empty() {
        let _ = writeln!(text, "      where {leaves}");
    }
    text
}

/// A graph's lines and leaves, indented.
fn sides(graph: &Graph, indent: &str) -> String {
    let lines: String = compact::lines(graph).iter().map(|line| format!("{indent}{line}\n")).collect();
    format!("{lines}{indent}where {}\n", compact::leaves(graph))
}
