//! `regard explain`: the chain of rules from written to chosen, and whether every link holds.

use super::{ModelArgs, RuleArgs, TargetArgs, WeightArgs};
use crate::{
    errors::{Error, Result},
    explain::{Replay, explain},
    pipeline::Recipe,
    progress::Progress,
    source,
};
use clap::Args;
use regard_ir::graph::{Graph, NodeId};
use std::io::Write;

/// Print the chain of rules from the written graph to the chosen one, with costs before and after
#[derive(Args)]
#[command(after_help = "Each use of a rule is shown as the two expressions that it equates, and what they cost.

Examples:
  regard explain block.rg --node %y
  regard explain block.rg --replay      evaluate every link; fails with the first that does not hold")]
pub struct Explain {
    /// A model or a .rg file
    #[arg(value_name = "MODEL|FILE.rg")]
    model: std::ffi::OsString,
    /// Only the region that computes this node, under its name in `regard show`
    #[arg(long, value_name = "%NODE")]
    node: Option<String>,
    /// Evaluate every link in f64, on random inputs and on large, masked, tied and zero ones
    #[arg(long)]
    replay: bool,
    #[command(flatten)]
    config: ModelArgs,
    #[command(flatten)]
    weights: WeightArgs,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    target: TargetArgs,
}

/// Explains, prints, and replays where that is asked for.
pub fn run(args: &Explain, out: &mut dyn Write) -> Result<()> {
    let target = args.target.known()?;
    let recipe = Recipe { rules: args.rules.rules()?, ..target.into() };
    let (graph, weights) = args.weights.opened(&args.model, &args.config)?;
    let node = args.node.as_deref().map(|name| node(&graph, name)).transpose()?;
    let explained = explain(&graph, &recipe)?;
    let region = match node {
        None => None,
        Some(node) => Some(explained.region_of(node).ok_or_else(|| {
            let name = graph.text_name(node);
            Error::Usage(format!("%{name} is computed by no region: it is given, or depends on no input"))
        })?),
    };
    write!(out, "{}", explained.text(region))?;
    if args.replay {
        let progress = Progress::stderr();
        let replay = explained.replay(region, &*weights, &progress)?;
        verdict(&replay, out)?;
    }
    Ok(())
}

fn verdict(replay: &Replay, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "\nreplayed: {} links hold, on {} elements", replay.held, replay.elements)?;
    for skipped in &replay.skipped {
        writeln!(out, "  not decided: {skipped}")?;
    }
    match &replay.broken {
        None => Ok(()),
        Some(broken) => Err(Error::Failed(broken.clone())),
    }
}

/// The node of that name, with or without `%`.
fn node(graph: &Graph, name: &str) -> Result<NodeId> {
    let plain = name.trim_start_matches('%');
    let names: Vec<(String, NodeId)> = graph.nodes.ids().map(|id| (graph.text_name(id), id)).collect();
    if let Some((_, id)) = names.iter().find(|(other, _)| other == plain) {
        return Ok(*id);
    }
    let near = source::did_you_mean(plain, names.iter().map(|(name, _)| name.as_str()));
    let hint = near.unwrap_or_else(|| "`regard show` lists all".into());
    Err(Error::Usage(format!("{} has no node %{plain}: {hint}", graph.name)))
}
