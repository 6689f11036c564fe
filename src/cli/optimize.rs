//! `regard optimize`: the graph that the rules make of a graph, as text that can be compiled again.

use super::{JsonArgs, ModelArgs, RuleArgs, TargetArgs, WeightArgs, WideArgs, places::Places};
use crate::report::{explanation::json::region, screen::wrapped_lines, status::Status};
use clap::Args;
use regard::{errors::Result, files, pipeline::Trace, units};
use regard_ir::count::counted;
use regard_ir::{graph::Graph, ops::Op};
use regard_passes::{Optimized, optimize};
use serde_json::{Value, json};
use std::{io::Write, path::PathBuf};

/// Rewrite a graph by rules and write it as text, which can be compiled again
#[derive(Args)]
#[command(after_help = "Example:
  regard optimize block.rg -o better.rg
  regard optimize block.rg --no-rule factor-into-weights")]
pub(crate) struct Optimize {
    /// A model or a .rg file
    #[arg(value_name = "MODEL|FILE.rg")]
    model: std::ffi::OsString,
    /// Where the graph is written; standard output by default
    #[arg(short, long, value_name = "OUT.rg")]
    output: Option<PathBuf>,
    #[command(flatten)]
    config: ModelArgs,
    #[command(flatten)]
    weights: WeightArgs,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    wide: WideArgs,
    #[command(flatten)]
    json: JsonArgs,
}

impl Optimize {
    pub(crate) fn places(&self) -> Places {
        Places::default().reads_model(&self.model).writes(&self.output).writes(self.json.path())
    }
}

/// Writes the graph, and what has changed to standard error.
pub(crate) fn run(args: &Optimize, out: &mut dyn Write) -> Result<()> {
    let target = args.target.known()?;
    let rules = args.rules.rules()?;
    let (graph, _) = args.weights.opened(&args.model, &args.config)?;
    let mut trace = Trace::new().telling(Status::stderr());
    let optimized = trace.stage("optimized", || Ok(optimize(&graph, target, &rules)?))?;
    trace.progress().clear();
    let text = optimized.graph.named().to_string();
    let said = args.json.write(|| json_value(&graph, &optimized, args.output.is_none().then_some(&text)))?;
    match &args.output {
        Some(path) => files::write(path, text.as_bytes())?,
        None if said => write!(out, "{text}")?,
        None => {}
    }
    write!(std::io::stderr(), "{}", wrapped_lines(&summary(&graph, &optimized), args.wide.width()))?;
    Ok(())
}

/// Sums over all regions, before and after.
fn estimates(optimized: &Optimized) -> (u64, u64) {
    let sum = |cost: fn(&(u64, u64)) -> u64| -> u64 {
        optimized.regions.iter().map(|region| cost(&region.cost) * region.copies as u64).sum()
    };
    (sum(|cost| cost.0), sum(|cost| cost.1))
}

/// What became of each kind of region, and of the whole.
fn summary(graph: &Graph, optimized: &Optimized) -> String {
    let lines: String = optimized.regions.iter().map(|region| format!("{region}\n")).collect();
    let (before, after) = estimates(optimized);
    format!(
        "{lines}{}: {} became {}, estimate {} became {}\n",
        graph.name,
        counted(computed(graph), "node"),
        computed(&optimized.graph),
        units::femtoseconds(before),
        units::femtoseconds(after),
    )
}

fn json_value(graph: &Graph, optimized: &Optimized, text: Option<&String>) -> Value {
    let (before, after) = estimates(optimized);
    json!({
        "model": graph.name,
        "nodes_before": computed(graph),
        "nodes_after": computed(&optimized.graph),
        "estimate_before_ns": before as f64 / 1e6,
        "estimate_after_ns": after as f64 / 1e6,
        "regions": optimized.regions.iter().map(region).collect::<Vec<_>>(),
        "graph": text,
    })
}

/// Nodes that are computed at every run.
fn computed(graph: &Graph) -> usize {
    let constant = graph.constants();
    graph.nodes.iter().filter(|(id, node)| !constant[*id] && !matches!(node.op, Op::Input(_))).count()
}
