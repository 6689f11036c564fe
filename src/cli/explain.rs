//! `regard explain`: the chain of rules from written to chosen, and whether every link holds.

use super::source;
use super::{JsonArgs, ModelArgs, RuleArgs, TargetArgs, WeightArgs, WideArgs};
use crate::report::{
    explanation::{json, text},
    screen::{wrapped, wrapped_lines},
    status::Status,
};
use clap::Args;
use regard::{
    errors::{Error, Result},
    explain::{Explanation, Replay, explain},
    pipeline::CompileOptions,
};
use regard_ir::{
    count::{agree, counted},
    graph::Graph,
};
use std::io::Write;

/// Print the chain of rules from the written graph to the chosen one, with costs before and after
#[derive(Args)]
#[command(after_help = "Each use of a rule is shown as the two expressions that it equates, and what they cost.

Examples:
  regard explain block.rg --node %y
  regard explain block.rg --replay      evaluate every link; fails with the first that does not hold")]
pub(crate) struct Explain {
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
    #[command(flatten)]
    wide: WideArgs,
    #[command(flatten)]
    pub json: JsonArgs,
}

/// Explains, prints, and replays where that is asked for.
pub(crate) fn run(args: &Explain, out: &mut dyn Write) -> Result<()> {
    let target = args.target.known()?;
    let compile_options = CompileOptions { rules: args.rules.rules()?, ..target.into() };
    let (graph, weights) = args.weights.opened(&args.model, &args.config)?;
    let explained = explain(&graph, &compile_options)?;
    let region = args.node.as_deref().map(|name| region(&graph, &explained, name)).transpose()?;
    let width = args.wide.width();
    if !args.json.alone() {
        write!(out, "{}", wrapped_lines(&text::text(&explained, region), width))?;
    }
    let replay = match args.replay {
        true => Some(explained.replay(region, &*weights, &Status::stderr())?),
        false => None,
    };
    let text = args.json.write(|| json::json(&explained, region, replay.as_ref()))?;
    match replay {
        Some(replay) => verdict(&replay, text.then_some(width), out),
        None => Ok(()),
    }
}

/// Says how many links hold, in lines of a width where text is wanted; an error where one does not.
fn verdict(replay: &Replay, text: Option<Option<usize>>, out: &mut dyn Write) -> Result<()> {
    if let Some(width) = text {
        let (links, elements) = (counted(replay.held, "link"), counted(replay.elements, "element"));
        let held = format!("replayed: {links} {}, on {elements}", agree(replay.held, "holds", "hold"));
        writeln!(out, "\n{}", wrapped(&held, width, "    "))?;
        for skipped in &replay.skipped {
            writeln!(out, "{}", wrapped(&format!("  not decided: {skipped}"), width, "      "))?;
        }
    }
    match &replay.broken {
        None => Ok(()),
        Some(broken) => Err(Error::Failed(broken.clone())),
    }
}

/// The region that computes the node of that name, with or without `%`: a node of the graph as `regard show` prints it, or one
/// that a region of the explanation computes.
fn region(graph: &Graph, explained: &Explanation, name: &str) -> Result<usize> {
    let plain = name.trim_start_matches('%');
    let names = graph.names();
    if let Some(node) = graph.nodes.ids().find(|&id| names.of(id) == plain) {
        let given = || Error::Usage(format!("%{plain} is computed by no region: it is given, or depends on no input"));
        return explained.region_of(node).ok_or_else(given);
    }
    if let Some(region) = explained.region_called(plain) {
        return Ok(region);
    }
    let near = source::did_you_mean(plain, graph.nodes.ids().map(|id| names.of(id)));
    let hint = near.unwrap_or_else(|| "`regard show` lists all".into());
    Err(Error::Usage(format!("{} has no node %{plain}: {hint}", graph.name)))
}
