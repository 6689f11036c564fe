//! `regard bench`: time, memory and throughput of a model.

use super::{MachineArgs, WorkArgs};
use crate::{
    bench::{Measured, measure},
    errors::Result,
    pipeline::{self, Trace},
    progress::Progress,
    report,
};
use clap::Args;
use std::{io::Write, time::Duration};

/// Measure a model: median and fastest run after warm-up, compile time by stage, memory
#[derive(Args)]
#[command(after_help = "Example:\n  regard bench swin_tiny --batch 8 --threads 2 --json")]
pub struct Bench {
    /// A model or a .rg file
    #[arg(value_name = "MODEL|FILE.rg")]
    model: std::ffi::OsString,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
    /// Also print the time of each kernel
    #[arg(long, conflicts_with = "json")]
    kernels: bool,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    machine: MachineArgs,
}

/// Measures and prints.
pub fn run(args: &Bench, out: &mut dyn Write) -> Result<()> {
    let (target, threads) = (args.machine.target()?, args.machine.threads()?);
    let (graph, weights) = args.work.open(&args.model)?;
    let mut trace = Trace::new(Progress::stderr());
    let options = pipeline::Options { recipe: args.work.recipe.open(target)?, weights: &*weights, threads };
    let measured = measure(&graph, args.work.config.batch, &options, &mut trace)?;
    if args.json {
        writeln!(out, "{}", measured.json())?;
        return Ok(());
    }
    print(&measured, out)?;
    if args.kernels {
        let time = |seconds: f64| report::duration(Duration::from_secs_f64(seconds));
        let total: f64 = measured.kernels.iter().map(|k| k.2).sum();
        let row = |(name, launches, nanoseconds): &(String, usize, f64)| {
            vec![
                name.clone(),
                launches.to_string(),
                time(nanoseconds / 1e9),
                format!("{:.1} %", 100.0 * nanoseconds / total),
            ]
        };
        let rows: Vec<Vec<String>> = measured.kernels.iter().map(row).collect();
        write!(
            out,
            "\n{}",
            report::table(&["kernel", "launches", "time", "share"], &[false, true, true, true], &rows)
        )?;
    }
    Ok(())
}

fn print(m: &Measured, out: &mut dyn Write) -> Result<()> {
    let time = |seconds: f64| report::duration(Duration::from_secs_f64(seconds));
    writeln!(out, "{}, batch {}, {} threads, f32, {}", m.model, m.batch, m.threads, m.device)?;
    writeln!(out, "  run       median {}, fastest {} of {}", time(m.median()), time(m.least()), m.runs.len())?;
    writeln!(out, "  work      {}, {:.1} GFLOP/s, {} launches", report::flops(m.flops), m.gflop_per_s(), m.launches)?;
    let stages = m.stages.iter().map(|(name, took)| format!("{name} {}", report::duration(*took)));
    writeln!(out, "  compile   {} ({})", time(m.compile()), stages.collect::<Vec<_>>().join(", "))?;
    let (arena, sum) = (report::bytes(m.arena_bytes), report::bytes(m.intermediate_bytes));
    writeln!(
        out,
        "  memory    arena {arena} for {sum} of intermediates, constants {}",
        report::bytes(m.constant_bytes)
    )?;
    writeln!(out, "  peak      {}", report::bytes(m.peak_bytes))?;
    Ok(())
}
