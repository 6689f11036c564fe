//! `regard compare`: schedules side by side.

use super::{ModelArgs, RuleArgs, WeightArgs};
use crate::{
    compare::{self, page, text},
    errors::{Error, Result},
    files,
    pipeline::{self, Recipe, Trace},
    progress::Progress,
    report,
};
use clap::Args;
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// The most alternatives of each kind.
const MOST: usize = 20;

/// Compare schedules: tiles, memory, estimates, and with --measure times, of one core
#[derive(Args)]
#[command(
    after_help = "Without schedule files, the chosen schedule is compared with the next best for each kind of kernel.
With one file, that is compared with the chosen one; with two, one with the other.

Examples:
  regard compare swin_tiny
  regard compare swin_tiny --measure --html swin.html
  regard show swin_tiny --stage schedule > mine.schedule      to edit, then
  regard compare swin_tiny mine.schedule --measure"
)]
pub struct Compare {
    /// A model or a .rg file
    #[arg(value_name = "MODEL|FILE.rg")]
    model: String,
    /// Schedules to compare, as `regard show --stage schedule` prints them
    #[arg(value_name = "SCHEDULE", num_args = 0..=2)]
    schedules: Vec<PathBuf>,
    /// How many alternatives for each kind of kernel
    #[arg(long, value_name = "N", default_value_t = 1)]
    top: usize,
    /// Also run every schedule on one core, in turns, and print the least time of each launch
    #[arg(long)]
    measure: bool,
    /// Also write a page with graphs, roofline and bars
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    config: ModelArgs,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    weights: WeightArgs,
    /// Instruction set: x86-64-v4, x86-64-v3, x86-64-v3-128, x86-64-v2 or aarch64; the best of this processor by default
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
}

/// Compares and prints.
pub fn run(args: &Compare, out: &mut dyn Write) -> Result<()> {
    if args.top > MOST {
        return Err(Error::Usage(format!("--top is {}, expected 0 to {MOST}", args.top)));
    }
    let target = match args.measure {
        true => pipeline::executable_target(args.target.as_deref())?,
        false => pipeline::target(args.target.as_deref())?,
    };
    let recipe = Recipe { target, rules: args.rules.rules()?, schedule: None };
    let graph = args.config.graph(&args.model)?;
    let mut trace = Trace::new(Progress::stderr());
    let paths: Vec<&Path> = args.schedules.iter().map(PathBuf::as_path).collect();
    let mut comparison = match paths.is_empty() {
        true => compare::candidates(&graph, recipe, args.top, &mut trace)?,
        false => compare::files(&graph, recipe, &paths, &mut trace)?,
    };
    if args.measure {
        comparison.measure(&*args.weights.open()?, &mut trace)?;
    }
    trace.progress().clear();
    write!(out, "{}", text::text(&comparison))?;
    if let Some(path) = &args.html {
        let page = page::page(&comparison);
        files::write(path, page.as_bytes())?;
        writeln!(out, "\n{}  {}", path.display(), report::bytes(page.len() as u64))?;
    }
    Ok(())
}
