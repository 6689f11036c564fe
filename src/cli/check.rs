//! `regard check`: compiled code against the reference, or the optimiser's rules against the interpreter.

use super::{JsonArgs, MachineArgs, WideArgs, WorkArgs, trials};
use crate::report::{
    Column, Table,
    screen::{self, shorten},
    status::Status,
};
use clap::{Args, ValueEnum};
use regard::{
    check::{self, Device, OutputError, TOLERANCE},
    errors::{Error, Result},
    golden::{Choice, Golden, Line, Program},
    pipeline::Trace,
};
use regard_ir::{
    count::{agree, counted},
    target::Target,
};
use serde_json::{Value, json};
use std::{
    ffi::{OsStr, OsString},
    io::Write,
    path::{Path, PathBuf},
};

/// Compare compiled code with the f64 reference, or with golden files; fails where the contract is broken
#[derive(Args)]
#[command(
    after_help = "The contract: the relative L2 error of every output stays below 1e-5. What an output of bf16 or f16 loses where it is
stored is not counted.

Devices: cpu runs machine code. With random inputs, interpreter runs the same kernels, of any --target, on the
kernel interpreter, which also finds accesses outside buffers and races; with --golden it evaluates the graph in f64.

With --rules the optimiser's rules are checked, each on its own: all of them, or with a MODEL those that lead from
it as written to its optimised form. A rule that applies to hardly any draw is broken, too.

Examples:
  regard check block.rg --trials 10
  regard check --rules --mutate
  regard check swin_tiny --golden tests/golden/swin_tiny_1x224x224_seed0.safetensors"
)]
pub(crate) struct Check {
    /// A model or a .rg file
    #[arg(value_name = "MODEL|FILE.rg", required_unless_present_any = ["golden", "check_rules"])]
    model: Option<OsString>,
    /// Number of random inputs, 3 by default; with --rules, of trials of each rule, 64 by default
    #[arg(long, value_name = "N")]
    trials: Option<u64>,
    /// Check the optimiser's rules instead: operands drawn from each signature, both sides on the interpreter
    #[arg(long = "rules", id = "check_rules", conflicts_with_all = ["golden", "device", "weights", "allow_extra", "threads", "schedule"])]
    check_rules: bool,
    /// With --rules, also break each rule in every way, and say how each mutant was caught
    #[arg(long, requires = "check_rules")]
    mutate: bool,
    /// What runs the compiled kernels
    #[arg(long, value_enum, default_value_t = Which::Cpu)]
    device: Which,
    /// Recompute golden files instead; model, seed and shape are in their metadata
    #[arg(long, value_name = "FILE", num_args = 1..)]
    golden: Vec<PathBuf>,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    machine: MachineArgs,
    #[command(flatten)]
    wide: WideArgs,
    #[command(flatten)]
    pub json: JsonArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    Interpreter,
    Cpu,
}

impl Which {
    fn word(self) -> &'static str {
        match self {
            Which::Interpreter => "interpreter",
            Which::Cpu => "cpu",
        }
    }
}

impl From<Which> for Device {
    fn from(which: Which) -> Device {
        match which {
            Which::Interpreter => Device::Interpreter,
            Which::Cpu => Device::Cpu,
        }
    }
}

impl Check {
    /// The interpreter runs kernels of any target.
    fn target(&self) -> Result<&'static Target> {
        if self.device == Which::Cpu { self.machine.target() } else { self.machine.known() }
    }
}

/// Checks, prints a line per tensor, and fails where one of them breaks the contract.
pub(crate) fn run(args: &Check, out: &mut dyn Write) -> Result<()> {
    if args.trials == Some(0) {
        return Err(Error::Usage("--trials is 0, expected at least 1".into()));
    }
    if args.check_rules {
        let Check { model, work: WorkArgs { config, compile_options, .. }, machine, mutate, wide, json, .. } = args;
        if let (None, Some(flag)) = (model, config.given().or(machine.target.given())) {
            return Err(Error::Usage(format!("{flag} is about a model, and --rules alone checks all rules")));
        }
        let (model, rules) = (model.as_deref(), &compile_options.rules);
        let trials = args.trials.unwrap_or(trials::TRIALS);
        return trials::run(
            &trials::Trials { model, config, rules, machine, trials, mutate: *mutate, width: wide.width(), json },
            out,
        );
    }
    let (config, weights) = (&args.work.config, &args.work.weights);
    let trials = args.trials.is_some().then_some("--trials");
    if let (false, Some(flag)) = (args.golden.is_empty(), trials.or(config.given()).or(weights.given())) {
        return Err(Error::Usage(format!("{flag} is for random inputs; golden files say what they hold")));
    }
    match (&args.model, args.golden.is_empty()) {
        (Some(model), true) => random(args, model, out),
        _ if args.work.compile_options.schedule.is_some() => Err(Error::Usage(
            "--schedule is for random inputs; golden files are about models as they are cut by default".into(),
        )),
        (model, _) => golden(args, model.as_deref(), out),
    }
}

fn random(args: &Check, model: &OsStr, out: &mut dyn Write) -> Result<()> {
    let trials = args.trials.unwrap_or(3);
    let (graph, weights) = args.work.open(model)?;
    let target = args.target()?;
    let job = check::Job {
        graph: &graph,
        weights: &*weights,
        compile_options: args.work.compile_options.open(target)?,
        device: args.device.into(),
        threads: args.machine.threads()?,
    };
    let mut trace = Trace::new().telling(Status::stderr());
    let errors = check::check(&job, trials, &mut trace)?;
    let names = graph.output_names();
    let worst = |name: &String| {
        let of_output = errors.iter().filter(|e| e.output == *name);
        of_output.max_by(|a, b| rank(a.error).total_cmp(&rank(b.error)))
    };
    let worst: Vec<&OutputError> = names.iter().filter_map(worst).collect();
    let broken = worst.iter().filter(|worst| !worst.holds()).count();
    let weights = args.work.weights.note(&*weights);
    let value = || {
        json!({
            "model": graph.name,
            "target": target.name,
            "device": args.device.word(),
            "weights": weights,
            "trials": trials,
            "tolerance": TOLERANCE,
            "holds": broken == 0,
            "outputs": worst.iter().map(|worst| output_json(worst)).collect::<Vec<_>>(),
        })
    };
    if args.json.write(value)? {
        let what = if args.device == Which::Cpu { "machine code" } else { "kernel interpreter" };
        let model = shorten(&graph.name, 40);
        let width = args.wide.width();
        let head = format!("{model} on the {what} for {}, against the graph in f64\n{weights}\n", target.name);
        write!(out, "{}", screen::wrapped_lines(&head, width))?;
        let width = width.unwrap_or(usize::MAX);
        worst.iter().try_for_each(|worst| output_line(worst, trials, width, out))?;
    }
    verdict(broken, graph.outputs.len(), "output")
}

fn output_json(worst: &OutputError) -> Value {
    let OutputError { seed, output, error, near_ties } = worst;
    json!({"name": output, "error": error, "seed": seed, "near_ties": near_ties, "holds": worst.holds()})
}

fn output_line(worst: &OutputError, trials: u64, width: usize, out: &mut dyn Write) -> Result<()> {
    let verdict = match (worst.holds(), worst.near_ties) {
        (false, _) => "BROKEN".to_owned(),
        (true, 0) => "ok".to_owned(),
        (true, choices) => format!("ok{}", near_ties(choices)),
    };
    let OutputError { seed, output, error, .. } = worst;
    let rest = format!("  worst relative error {error:.2e} of {} (seed {seed})  {verdict}", counted(trials, "trial"));
    // Where a name of some length does not fit beside it, what is said goes on in the next lines.
    let room = Some(width.saturating_sub(2 + screen::columns(&rest))).filter(|&room| room >= 8);
    let name = shorten(output, room.unwrap_or(width.saturating_sub(2)));
    Ok(writeln!(out, "{}", screen::wrapped(&format!("  {name}{rest}"), Some(width), "      "))?)
}

fn near_ties(choices: usize) -> String {
    format!(", near tie in {}", counted(choices, "choice"))
}

/// Errors in order of badness: NaN is worst.
fn rank(error: f64) -> f64 {
    if error.is_nan() { f64::INFINITY } else { error }
}

fn golden(args: &Check, model: Option<&OsStr>, out: &mut dyn Write) -> Result<()> {
    let (mut broken, mut total, mut files) = (0, 0, Vec::new());
    for path in &args.golden {
        let golden = Golden::open(path)?;
        let known = |name: &str| regard_models::find(name).map(|entry| entry.name);
        if let Some(model) = model.map(OsStr::to_string_lossy)
            && known(&model) != known(&golden.model)
        {
            let found = &golden.model;
            return Err(Error::Usage(format!("{} is about {found}, not about {model}", path.display())));
        }
        let target = args.target()?;
        let compile_options = args.work.compile_options.open(target)?;
        let mut trace = Trace::new().telling(Status::stderr());
        let lines = golden.check(args.device.into(), compile_options, args.machine.threads()?, &mut trace)?;
        broken += lines.iter().filter(|line| !line.holds()).count();
        total += lines.len();
        if args.json.alone() {
            files.push(golden_json(args, path, &golden, &lines, target));
            continue;
        }
        let device = match args.device {
            Which::Interpreter => "the graph in f64".to_owned(),
            Which::Cpu => format!("machine code for {}", target.name),
        };
        let [b, c, h, w] = golden.input_shape;
        let model = shorten(&golden.model, 40);
        let head = format!("{model} {b}x{c}x{h}x{w} seed {} on {device}, against", golden.seed);
        write!(out, "{}", screen::folded_lines(&format!("{head} {}", path.display()), args.wide.width()))?;
        let columns = [
            Column::name("tensor", 24),
            Column::left("program").rank(1),
            Column::right("error"),
            Column::prose("verdict", 12),
        ];
        let width = args.wide.width().map(|width| width - 2);
        let table = Table::new(columns).with(lines.iter().map(row)).fit(width);
        table.text.lines().try_for_each(|line| writeln!(out, "  {line}"))?;
        files.push(golden_json(args, path, &golden, &lines, target));
    }
    args.json.write(|| json!({"files": files, "tolerance": TOLERANCE, "holds": broken == 0}))?;
    verdict(broken, total, "tensor")
}

fn golden_json(args: &Check, path: &Path, golden: &Golden, lines: &[Line], target: &Target) -> Value {
    let tensor = |line: &Line| {
        let (class, expected) = match line.choice {
            Some(Choice::Same(class)) => (Some(class), Some(class)),
            Some(Choice::NearTie { found, expected } | Choice::Different { found, expected }) => {
                (Some(found), Some(expected))
            }
            _ => (None, None),
        };
        let (name, program, error, holds) = (&line.tensor, program(line), line.error, line.holds());
        json!({"name": name, "program": program, "error": error, "holds": holds, "class": class, "expected_class": expected})
    };
    json!({
        "file": path.display().to_string(),
        "model": golden.model,
        "shape": golden.input_shape,
        "seed": golden.seed,
        "target": target.name,
        "device": args.device.word(),
        "tensors": lines.iter().map(tensor).collect::<Vec<_>>(),
    })
}

fn program(line: &Line) -> &'static str {
    match line.program {
        Program::Shipped => "shipped",
        Program::Tapped => "tapped",
        Program::Graph => "graph",
    }
}

fn row(line: &Line) -> Vec<String> {
    let choice = match line.choice {
        None => String::new(),
        Some(Choice::Same(class)) => format!(", class {class} as expected"),
        Some(Choice::NearTie { found, expected }) => format!(", near tie of classes {found} and {expected}"),
        Some(Choice::NearChoices(choices)) => near_ties(choices),
        Some(Choice::Different { found, expected }) => format!(", class {found}, expected {expected}"),
    };
    let verdict = if line.holds() { "ok" } else { "BROKEN" };
    vec![line.tensor.clone(), program(line).into(), format!("{:.2e}", line.error), format!("{verdict}{choice}")]
}

fn verdict(broken: usize, total: usize, what: &str) -> Result<()> {
    match broken {
        0 => Ok(()),
        _ => Err(Error::Failed(format!(
            "{broken} of {} {} the contract of 1e-5",
            counted(total, what),
            agree(broken, "breaks", "break")
        ))),
    }
}
