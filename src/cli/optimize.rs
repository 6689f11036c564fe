//! `regard optimize`: the graph that the rules make of a graph, as text that can be compiled again.

use super::{ModelArgs, RuleArgs, TargetArgs, WeightArgs, places::Places};
use crate::{errors::Result, files, pipeline::Trace, progress::Progress, report};
use clap::Args;
use regard_ir::{graph::Graph, ops::Op};
use regard_passes::{Optimized, optimize};
use std::{io::Write, path::PathBuf};

/// Rewrite a graph by rules and write it as text, which can be compiled again
#[derive(Args)]
#[command(after_help = "Example:
  regard optimize block.rg -o better.rg
  regard optimize block.rg --no-rule factor-into-weights")]
pub struct Optimize {
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
}

impl Optimize {
    pub fn places(&self) -> Places {
        Places::default().reads_model(&self.model).writes(&self.output)
    }
}

/// Writes the graph, and what has changed to standard error.
pub fn run(args: &Optimize, out: &mut dyn Write) -> Result<()> {
    let target = args.target.known()?;
    let rules = args.rules.rules()?;
    let (graph, _) = args.weights.opened(&args.model, &args.config)?;
    let mut trace = Trace::new(Progress::stderr());
    let optimized = trace.stage("optimized", || Ok(optimize(&graph, target, &rules)?))?;
    trace.progress().clear();
    let text = optimized.graph.to_string();
    match &args.output {
        Some(path) => files::write(path, text.as_bytes())?,
        None => write!(out, "{text}")?,
    }
    write!(std::io::stderr(), "{}", summary(&graph, &optimized))?;
    Ok(())
}

/// What became of each kind of region, and of the whole.
fn summary(graph: &Graph, optimized: &Optimized) -> String {
    let lines: String = optimized.regions.iter().map(|region| format!("{region}\n")).collect();
    let sum = |cost: fn(&(u64, u64)) -> u64| -> u64 {
        optimized.regions.iter().map(|region| cost(&region.cost) * region.copies as u64).sum()
    };
    let (before, after) = (sum(|cost| cost.0), sum(|cost| cost.1));
    format!(
        "{lines}{}: {} nodes became {}, estimate {} became {}\n",
        graph.name,
        computed(graph),
        computed(&optimized.graph),
        report::femtoseconds(before),
        report::femtoseconds(after),
    )
}

/// Nodes that are computed at every run.
fn computed(graph: &Graph) -> usize {
    let constant = graph.constants();
    graph.nodes.iter().filter(|(id, node)| !constant[*id] && !matches!(node.op, Op::Input(_))).count()
}
