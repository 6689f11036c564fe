//! `regard bench`: time, memory and throughput of a model.

use super::{JsonArgs, MachineArgs, WideArgs, WorkArgs};
use crate::report::{
    Column, Table, measured, pattern,
    screen::{shorten, wrapped},
    status::Status,
};
use clap::Args;
use regard::{
    bench::{KernelTime, Measured, measure},
    errors::Result,
    pipeline::{self, Trace},
    units,
};
use regard_ir::count::counted;
use std::{io::Write, time::Duration};

/// Measure a model: median and fastest run after warm-up, compile time by stage, memory
#[derive(Args)]
#[command(after_help = "Example:\n  regard bench swin_tiny --batch 8 --threads 2 --json")]
pub(crate) struct Bench {
    /// A model or a .rg file
    #[arg(value_name = "MODEL|FILE.rg")]
    model: std::ffi::OsString,
    /// Also print the time of each kernel
    #[arg(long)]
    kernels: bool,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    machine: MachineArgs,
    #[command(flatten)]
    wide: WideArgs,
    #[command(flatten)]
    pub json: JsonArgs,
}

/// Measures and prints.
pub(crate) fn run(args: &Bench, out: &mut dyn Write) -> Result<()> {
    let (target, threads) = (args.machine.target()?, args.machine.threads()?);
    let (graph, weights) = args.work.open(&args.model)?;
    let mut trace = Trace::new().telling(Status::stderr());
    let options =
        pipeline::SessionOptions { compile: args.work.compile_options.open(target)?, weights: &*weights, threads };
    let measured = measure(&graph, args.work.config.batch, &options, &mut trace)?;
    if !args.json.write(|| measured::json(&measured, args.kernels))? {
        return Ok(());
    }
    let width = args.wide.width();
    print(&measured, width, out)?;
    if args.kernels {
        let time = |seconds: f64| units::duration(Duration::from_secs_f64(seconds));
        let total: f64 = measured.kernels.iter().map(|k| k.ns).sum();
        let row = |KernelTime { kernel, modules, ns }: &KernelTime| {
            let names: Vec<&str> = modules.iter().map(String::as_str).collect();
            let share = format!("{:.1} %", 100.0 * ns / total);
            vec![share, time(ns / 1e9), modules.len().to_string(), pattern(&names), kernel.clone()]
        };
        let columns = [
            Column::right("share"),
            Column::right("time"),
            Column::right("launches"),
            Column::name("module", 20),
            Column::name("kernel", 18).rank(1),
        ];
        write!(out, "\n{}", Table::new(columns).with(measured.kernels.iter().map(row)).fit(width).text)?;
    }
    Ok(())
}

fn print(m: &Measured, width: Option<usize>, out: &mut dyn Write) -> Result<()> {
    let time = |seconds: f64| units::duration(Duration::from_secs_f64(seconds));
    let model = shorten(&m.model, 40);
    let (threads, launches) = (counted(m.threads, "thread"), counted(m.launches, "launch"));
    let mut line = |text: String| writeln!(out, "{}", wrapped(&text, width, "            "));
    line(format!("{model}, batch {}, {threads}, f32, {}", m.batch, m.device))?;
    line(format!("  run       median {}, fastest {} of {}", time(m.median()), time(m.least()), m.runs.len()))?;
    line(format!("  work      {}, {:.1} GFLOP/s, {launches}", units::flops(m.flops), m.gflop_per_s()))?;
    let stages = m.stages.iter().map(|(name, took)| format!("{name} {}", units::duration(*took)));
    line(format!("  compile   {} ({})", time(m.compile()), stages.collect::<Vec<_>>().join(", ")))?;
    let (arena, sum) = (units::bytes(m.arena_bytes), units::bytes(m.intermediate_bytes));
    let constants = units::bytes(m.constant_bytes);
    line(format!("  memory    arena {arena} for {sum} of intermediates, constants {constants}"))?;
    Ok(line(format!("  peak      {}", units::bytes(m.peak_bytes)))?)
}
