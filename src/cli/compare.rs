//! `regard compare`: schedules side by side, or models.

use super::{JsonArgs, ModelArgs, RuleArgs, TargetArgs, WeightArgs, WideArgs, places::Places};
use crate::report::{
    comparison::{json, page, text},
    screen::folded_lines,
    status::Status,
};
use clap::Args;
use regard::{
    compare,
    errors::{Error, Result},
    files,
    pipeline::{CompileOptions, Trace},
    units,
};
use regard_models::ZOO;
use std::{
    ffi::OsString,
    io::Write,
    path::{Path, PathBuf},
};

/// The most alternatives of each kind.
const MOST: usize = 20;

/// Compare schedules: tiles, memory, estimates, and with --measure times, of one core
#[derive(Args)]
#[command(
    after_help = "Without schedule files, the chosen schedule is compared with the next best for each kind of kernel.
With one file, that is compared with the chosen one; with two, one with the other. Several models are compared by
their chosen schedules; * in a name stands for anything.

Examples:
  regard compare swin_tiny
  regard compare swin_tiny --measure --html swin.html
  regard compare 'pattern_*' --measure
  regard show swin_tiny --stage schedule > mine.schedule      to edit, then
  regard compare swin_tiny mine.schedule --measure"
)]
pub(crate) struct Compare {
    /// Models or .rg files, or one and schedules of it, as `regard show --stage schedule` prints them
    #[arg(value_name = "MODEL|FILE.rg|SCHEDULE", required = true)]
    names: Vec<OsString>,
    /// How many alternatives for each kind of kernel; 1 by default
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Also run every schedule on one core, in turns, and print the least time of each launch
    #[arg(long)]
    measure: bool,
    /// Print all kernels, not only the ten that take most of the time
    #[arg(long)]
    all: bool,
    /// Also write a page with graphs, roofline and bars
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    config: ModelArgs,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    weights: WeightArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    wide: WideArgs,
    #[command(flatten)]
    json: JsonArgs,
}

impl Compare {
    pub(crate) fn places(&self) -> Places {
        let models = self.names.iter().fold(Places::default(), Places::reads_model);
        models.reads(&self.weights.weights).writes(&self.html).writes(self.json.path())
    }
}

/// Compares and prints.
pub(crate) fn run(args: &Compare, out: &mut dyn Write) -> Result<()> {
    let top = args.top.unwrap_or(1);
    if top > MOST {
        return Err(Error::Usage(format!("--top is {top}, expected 0 to {MOST}")));
    }
    let target = match args.measure {
        true => args.target.executable()?,
        false => args.target.known()?,
    };
    let compile_options = CompileOptions { target, rules: args.rules.rules()?, schedule: None };
    let (models, paths) = split(&args.names)?;
    if let (false, Some(flag)) = (args.measure, args.weights.given()) {
        return Err(Error::Usage(format!("{flag} is for --measure, which runs the schedules")));
    }
    if args.top.is_some() && !paths.is_empty() {
        return Err(Error::Usage(
            "--top is about alternatives to the chosen schedule, not about schedule files".into(),
        ));
    }
    let mut trace = Trace::new().telling(Status::stderr());
    if models.len() > 1 {
        return side_by_side(args, &models, compile_options, &mut trace, out);
    }
    let (graph, weights) = args.weights.opened(&models[0], &args.config)?;
    let mut comparison = match paths.is_empty() {
        true => compare::candidates(&graph, compile_options, top, &mut trace)?,
        false => compare::files(&graph, compile_options, &paths, &mut trace)?,
    };
    if args.measure {
        comparison.measure(&*weights, &mut trace)?;
    }
    trace.progress().clear();
    let shown = args.json.write(|| json::json(&comparison))?;
    if shown {
        write!(out, "{}", text::text(&comparison, args.all, args.wide.width()))?;
    }
    if let Some(path) = &args.html {
        let page = page::page(&comparison);
        files::write(path, page.as_bytes())?;
        if shown {
            let line = format!("\n{}  {}", path.display(), units::bytes(page.len() as u64));
            write!(out, "{}", folded_lines(&line, args.wide.width()))?;
        }
    }
    Ok(())
}

/// Models, and schedules of the first, from what the command line names.
fn split(names: &[OsString]) -> Result<(Vec<OsString>, Vec<&Path>)> {
    let (mut models, mut schedules) = (Vec::new(), Vec::new());
    for (i, name) in names.iter().enumerate() {
        if let Some(pattern) = name.to_str().filter(|name| name.contains('*')) {
            models.extend(matching(pattern)?.into_iter().map(OsString::from));
        } else if i > 0 && Path::new(name).extension().is_some_and(|extension| extension != "rg") {
            schedules.push(Path::new(name));
        } else {
            models.push(name.clone());
        }
    }
    match (models.len(), schedules.len()) {
        (1, 0..=2) | (_, 0) => Ok((models, schedules)),
        (1, n) => Err(Error::Usage(format!("there are {n} schedules, expected at most 2"))),
        (n, _) => Err(Error::Usage(format!(
            "there are {n} models and the schedule {}, expected schedules of one model, or models alone",
            schedules[0].display()
        ))),
    }
}

/// Names of the zoo with anything in the place of each star.
fn matching(pattern: &str) -> Result<Vec<String>> {
    let fits = |name: &str| {
        let parts: Vec<&str> = pattern.split('*').collect();
        let (first, last) = (parts[0], parts[parts.len() - 1]);
        let Some(mut rest) = name.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else { return false };
        parts[1..parts.len() - 1].iter().all(|part| match rest.split_once(part) {
            Some((_, behind)) => {
                rest = behind;
                true
            }
            None => false,
        })
    };
    let names: Vec<String> = ZOO.iter().map(|entry| entry.name).filter(|name| fits(name)).map(str::to_owned).collect();
    match names.is_empty() {
        true => Err(Error::Usage(format!("no model's name is like `{pattern}`; `regard models` lists all"))),
        false => Ok(names),
    }
}

/// A line per model.
fn side_by_side(
    args: &Compare,
    models: &[OsString],
    compile_options: CompileOptions,
    trace: &mut Trace,
    out: &mut dyn Write,
) -> Result<()> {
    if args.html.is_some() || args.top.is_some() {
        return Err(Error::Usage("--html and --top are about the schedules of one model, not about several".into()));
    }
    let mut comparisons = Vec::new();
    for model in models {
        let (graph, weights) = args.weights.opened(model, &args.config)?;
        let mut comparison = compare::candidates(&graph, compile_options.clone(), 0, trace)?;
        if args.measure {
            comparison.measure(&*weights, trace)?;
        }
        comparisons.push(comparison);
    }
    trace.progress().clear();
    match args.json.write(|| json::side_by_side(&comparisons))? {
        true => Ok(write!(out, "{}", text::side_by_side(&comparisons, args.wide.width()))?),
        false => Ok(()),
    }
}
