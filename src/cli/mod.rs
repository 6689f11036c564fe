//! The command line.
//!
//! ```text
//!   regard models | table | compile | run | check | show | compare | bench | optimize | explain | convert | score
//!          | segment | completions | man
//!   ./swin photo.jpg           an executable that `regard compile` wrote: a runner, or all of this program, with a payload
//! ```
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 fine, 1 the job failed,
//! 2 the command line was wrong.

mod bench;
mod check;
mod compare;
mod compile;
mod convert;
mod explain;
mod generate;
mod models;
mod optimize;
mod output;
mod packaged;
mod parse;
mod pictures;
mod places;
mod run;
mod score;
mod segment;
mod show;
mod source;
mod table;
mod trials;

use crate::report::{
    errors::Failure,
    screen::{self, Plain},
    status::Status,
};
use clap::{Args, CommandFactory, Parser, Subcommand};
use output::{JsonArgs, WideArgs};
use places::Places;
use regard::{
    archive::Part,
    errors::{Error, Result},
    pipeline::{self, CompileOptions, Trace},
    units,
    weights::{self, Weights},
};
use regard_ir::{graph::Graph, target::Target};
use regard_models::Config;
use regard_passes::{Rules, egraph};
use regard_runtime::{
    Package, Session,
    cpu::{self, pool::MAX_THREADS},
};
use source::Source;
use std::{
    ffi::{OsStr, OsString},
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Compiles attention models to executables, runs and checks them.
#[derive(Parser)]
#[command(
    name = "regard",
    version,
    after_help = "Example:\n  regard run swin_tiny photo.jpg\n\nEach command has its own --help with an example."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Models(models::Models),
    Compile(compile::Compile),
    Run(run::Run),
    Check(check::Check),
    Show(show::Show),
    Compare(compare::Compare),
    Bench(bench::Bench),
    Optimize(optimize::Optimize),
    Explain(explain::Explain),
    Convert(convert::Convert),
    Score(score::Arguments),
    Segment(segment::Segment),
    Table(table::Table),
    Completions(generate::Completions),
    Man(generate::Manual),
}

/// What the program does; the exit code of the process.
pub fn main() -> ExitCode {
    ended(|| match own_package()? {
        Some(package) => packaged::main(package),
        None => match parse::parsed::<Cli>(Cli::command())? {
            Some(Cli { command }) => Ok(reporting(&command.places(), |out| run_command(command, out))?),
            None => Ok(()),
        },
    })
}

/// What a program does that is nothing but the front of executables; the exit code of the process.
pub fn runner() -> ExitCode {
    ended(|| match own_package()? {
        Some(package) => packaged::main(package),
        None => Err(Failure::from(Error::Usage(
            "this program runs the model behind it, and there is none; `regard compile` writes both".into(),
        ))),
    })
}

/// The model behind this very program, where there is one.
fn own_package() -> Result<Option<Package>> {
    Ok(Package::own()?)
}

/// Does the work and says what went wrong.
fn ended(work: impl FnOnce() -> std::result::Result<(), Failure>) -> ExitCode {
    regard::threads::prepare();
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            let text = error.render(screen::is_colored(&io::stderr()), screen::error_width());
            // Where even standard error is closed, the exit code must do.
            let _ = writeln!(io::stderr(), "{}", text.trim_end());
            ExitCode::from(error.exit_code())
        }
    }
}

/// Runs a command that writes these files. What it prints goes to standard output, or to standard error where a file
/// goes there.
fn reporting(places: &Places, run: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    places.check()?;
    let out: Box<dyn Write> = if places.prints() { Box::new(io::stderr()) } else { Box::new(io::stdout().lock()) };
    let mut out = Plain(out);
    let done = run(&mut out).and_then(|()| Ok(out.flush()?));
    done.map_err(about_output)
}

/// What the system refuses where something is printed; what else it may refuse says so itself.
fn about_output(error: Error) -> Error {
    match error {
        Error::System(source) => Error::Write { path: "-".into(), source },
        error => error,
    }
}

fn run_command(command: Command, out: &mut dyn Write) -> Result<()> {
    match command {
        Command::Models(args) => models::run(&args, out),
        Command::Table(args) => table::run(&args, out),
        Command::Compile(args) => compile::run(&args, out),
        Command::Run(args) => run::run(&args, out),
        Command::Check(args) => check::run(&args, out),
        Command::Show(args) => show::run(&args, out),
        Command::Compare(args) => compare::run(&args, out),
        Command::Bench(args) => bench::run(&args, out),
        Command::Optimize(args) => optimize::run(&args, out),
        Command::Explain(args) => explain::run(&args, out),
        Command::Convert(args) => convert::run(&args, out),
        Command::Score(args) => score::run(&args, out),
        Command::Segment(args) => segment::run(&args, out),
        Command::Completions(args) => generate::completions(&args, out),
        Command::Man(args) => generate::manual(&args, out),
    }
}

/// How a model is configured.
#[derive(Args, Clone, Default)]
struct ModelArgs {
    /// Images per run
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch: usize,
    /// Height and width of the images in pixels, for example 448x224, or one number for both; the model's own by default
    #[arg(long, value_name = "N|HxW", value_parser = size)]
    size: Option<(usize, usize)>,
    /// Number of classes; the model's own by default
    #[arg(long, value_name = "N")]
    classes: Option<usize>,
    /// A variant of the model; `regard models MODEL` lists them; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = option)]
    option: Vec<(String, String)>,
}

impl ModelArgs {
    fn config(&self) -> Config {
        let options = self.option.iter().cloned().collect();
        Config { batch: self.batch, size: self.size, classes: self.classes, options }
    }
    fn graph(&self, name: impl AsRef<OsStr>) -> Result<Graph> {
        Source::named(name)?.graph(&self.config())
    }
    /// The first of these options that is given.
    fn given(&self) -> Option<&'static str> {
        first([
            (self.batch != 1, "--batch"),
            (self.size.is_some(), "--size"),
            (self.classes.is_some(), "--classes"),
            (!self.option.is_empty(), "--option"),
        ])
    }
}

/// The first option whose mark says that it is given.
fn first<const N: usize>(options: [(bool, &'static str); N]) -> Option<&'static str> {
    options.into_iter().find_map(|(given, option)| given.then_some(option))
}

fn option(text: &str) -> std::result::Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE, for example k=7")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn size(text: &str) -> std::result::Result<(usize, usize), String> {
    let side = |side: &str| side.parse::<usize>().ok().filter(|&n| n > 0);
    let (height, width) = text.split_once(['x', '×']).unwrap_or((text, text));
    side(height)
        .zip(side(width))
        .ok_or_else(|| "expected one or two positive numbers, for example 224 or 224x448".into())
}

/// What the optimiser may do.
#[derive(Args, Clone, Default)]
struct RuleArgs {
    /// Use only the first N rules of the table, to find the one that goes wrong
    #[arg(long, value_name = "N")]
    rules_limit: Option<usize>,
    /// Do not use this rule; may be repeated
    #[arg(long, value_name = "NAME")]
    no_rule: Vec<String>,
}

impl RuleArgs {
    /// The first of these options that is given.
    fn given(&self) -> Option<&'static str> {
        first([(self.rules_limit.is_some(), "--rules-limit"), (!self.no_rule.is_empty(), "--no-rule")])
    }
    fn rules(&self) -> Result<Rules> {
        let names = egraph::rule_names();
        if let Some(unknown) = self.no_rule.iter().find(|name| !names.contains(&name.as_str())) {
            let near = source::did_you_mean(unknown, names.iter().copied());
            let hint = near.unwrap_or_else(|| "`regard explain` names those that were used".into());
            return Err(Error::Usage(format!("there is no rule called `{unknown}`: {hint}")));
        }
        Ok(Rules { limit: self.rules_limit, without: self.no_rule.clone(), ..Rules::default() })
    }
}

/// What decides which kernels a graph becomes.
#[derive(Args, Clone, Default)]
struct CompileArgs {
    #[command(flatten)]
    rules: RuleArgs,
    /// How kernels are cut, as `regard show --stage schedule` prints it; the cost model's choice by default
    #[arg(long, value_name = "FILE")]
    schedule: Option<PathBuf>,
}

impl CompileArgs {
    /// The first of these options that is given.
    fn given(&self) -> Option<&'static str> {
        self.schedule.is_some().then_some("--schedule").or(self.rules.given())
    }
    fn open(&self, target: &'static Target) -> Result<CompileOptions<'static>> {
        let schedule = self.schedule.as_deref().map(regard::compare::read).transpose()?;
        Ok(CompileOptions { target, rules: self.rules.rules()?, schedule })
    }
}

/// Which part of a checkpoint is taken.
#[derive(Args, Clone, Default)]
struct PartArgs {
    /// Take the tensors under this key of the checkpoint, for example model_ema; found by itself by default
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Take the tensors whose names begin with this, and drop it; found by itself by default
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
}

impl PartArgs {
    fn part(&self) -> Part<'_> {
        Part { key: self.key.as_deref(), prefix: self.prefix.as_deref() }
    }
}

/// Where the weights come from.
#[derive(Args, Clone, Default)]
struct WeightArgs {
    /// A checkpoint (safetensors, sharded or not, .pth, .pt, .npz, .pkl; names of the authors, timm, torchvision, transformers or OpenMMLab), or synth:SEED
    #[arg(long, value_name = "FILE|synth:SEED")]
    weights: Option<OsString>,
    #[command(flatten)]
    part: PartArgs,
    /// Ignore tensors in the checkpoint that the model does not have
    #[arg(long)]
    allow_extra: bool,
}

impl WeightArgs {
    /// The first of these options that is given.
    fn given(&self) -> Option<&'static str> {
        first([(self.weights.is_some(), "--weights")]).or_else(|| self.about_a_checkpoint())
    }
    fn open(&self) -> Result<Box<dyn Weights>> {
        let formula = self.weights.as_deref().is_none_or(|source| source.as_encoded_bytes().starts_with(b"synth:"));
        if let Some(option) = self.about_a_checkpoint().filter(|_| formula) {
            return Err(Error::Usage(format!("{option} is about a checkpoint, which --weights FILE names")));
        }
        weights::open(self.weights.as_deref(), self.part.part(), self.allow_extra)
    }
    /// The first option that is given and needs a file.
    fn about_a_checkpoint(&self) -> Option<&'static str> {
        let Part { key, prefix } = self.part.part();
        first([(self.allow_extra, "--allow-extra"), (key.is_some(), "--key"), (prefix.is_some(), "--prefix")])
    }
    /// The weights, and the graph of the structure that they have where `config` leaves it open.
    fn opened(&self, name: impl AsRef<OsStr>, config: &ModelArgs) -> Result<(Graph, Box<dyn Weights>)> {
        let source = Source::named(name)?;
        let (mut weights, config) = (self.open()?, config.config());
        let Source::Model(model) = &source else {
            let graph = source.graph(&config)?;
            weights.prepare(&graph);
            return Ok((graph, weights));
        };
        let fitted = weights::fitted(&*weights, model, &config);
        let graph = source.graph(&fitted).map_err(|error| match error {
            // What the command line asks for is fine; it is the checkpoint that asks for something else.
            Error::Usage(why) if fitted != config && source.graph(&config).is_ok() => {
                Error::Failed(format!("{} has a structure that {model} cannot have: {why}", weights.describe()))
            }
            error => error,
        })?;
        Ok((graph, weights))
    }
    /// What to say about the weights.
    fn note(&self, weights: &dyn Weights) -> String {
        let source = match weights.details() {
            Some(details) => format!("{} ({details})", weights.describe()),
            None => weights.describe(),
        };
        match self.weights {
            Some(_) => format!("weights: {source}"),
            None => {
                format!("weights: {source} (random weights; use --weights FILE for real predictions)")
            }
        }
    }
}

/// What is compiled.
#[derive(Args, Clone)]
struct WorkArgs {
    #[command(flatten)]
    config: ModelArgs,
    #[command(flatten)]
    compile_options: CompileArgs,
    #[command(flatten)]
    weights: WeightArgs,
}

impl WorkArgs {
    /// The first of these options that is given.
    fn given(&self) -> Option<&'static str> {
        self.config.given().or(self.compile_options.given()).or(self.weights.given())
    }
    /// The files that are read for a model.
    fn places(&self, model: impl AsRef<OsStr>) -> Places {
        Places::default().reads_model(model).reads(&self.weights.weights).reads(&self.compile_options.schedule)
    }
    /// The weights, and the graph of the structure that they have where the command line leaves it open.
    fn open(&self, name: impl AsRef<OsStr>) -> Result<(Graph, Box<dyn Weights>)> {
        self.weights.opened(name, &self.config)
    }
    /// Compiles in memory, and says so.
    fn session(
        &self,
        graph: &Graph,
        weights: &dyn Weights,
        (target, threads): (&'static Target, usize),
        out: &mut dyn Write,
    ) -> Result<Session> {
        let mut trace = Trace::new().telling(Status::stderr());
        let options = pipeline::SessionOptions { compile: self.compile_options.open(target)?, weights, threads };
        let (session, _) = pipeline::session(graph, &options, &mut trace)?;
        trace.progress().clear();
        let (compiled, weights) = (units::duration(trace.total()), self.weights.note(weights));
        screen::say(out, &format!("{}: compiled for {} in {compiled}\n{weights}", graph.name, target.name))?;
        Ok(session)
    }
}

/// What the code is for.
#[derive(Args, Clone, Default)]
struct TargetArgs {
    /// Instruction set: x86-64-v4, x86-64-v3, x86-64-v3-128, x86-64-v2 or aarch64; the best of this processor by default
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
}

impl TargetArgs {
    /// The option, where it is given.
    fn given(&self) -> Option<&'static str> {
        self.target.is_some().then_some("--target")
    }
    /// Any.
    fn known(&self) -> Result<&'static Target> {
        pipeline::target(self.target.as_deref())
    }
    /// One that this processor has.
    fn executable(&self) -> Result<&'static Target> {
        pipeline::executable_target(self.target.as_deref())
    }
}

/// What the code runs on.
#[derive(Args, Clone)]
struct MachineArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Worker threads; all cores by default
    #[arg(long, value_name = "T")]
    threads: Option<usize>,
}

impl MachineArgs {
    fn target(&self) -> Result<&'static Target> {
        self.target.executable()
    }
    /// Any: nothing is executed but on the kernel interpreter.
    fn known(&self) -> Result<&'static Target> {
        self.target.known()
    }
    fn threads(&self) -> Result<usize> {
        threads(self.threads)
    }
}

fn threads(asked: Option<usize>) -> Result<usize> {
    match asked {
        None => Ok(cpu::default_threads()),
        Some(n) if (1..=MAX_THREADS).contains(&n) => Ok(n),
        Some(n) => Err(Error::Usage(format!("--threads is {n}, expected 1 to {MAX_THREADS}"))),
    }
}

/// The lines of a file of class names.
fn read_labels(path: Option<&Path>) -> Result<Vec<String>> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let text = regard::files::read_text(path, 16 << 20)?;
    let mut lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    match lines.is_empty() {
        true => Err(Error::Failed(format!("{} holds no names, expected one per line", path.display()))),
        false => Ok(lines),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_every_command_shows_an_example() {
        let mut cli = Cli::command();
        cli.clone().debug_assert();
        cli.build();
        for command in cli.get_subcommands_mut().filter(|c| c.get_name() != "help") {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{}", command.get_name());
        }
    }

    #[test]
    fn sizes_are_one_number_or_two() {
        assert_eq!(size("224x448"), Ok((224, 448)));
        assert_eq!(size("224"), Ok((224, 224)));
        for wrong in ["", "0", "-1", "x", "224x", "0x4", "-1x4", "4x4x4", "axb"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
