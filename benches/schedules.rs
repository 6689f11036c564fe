//! How good the analytic choice of schedules is: every candidate of the battery's 100 kernels, estimated and measured
//! on one core.
//!
//! ```text
//!   cargo bench --bench schedules                           the whole battery, some minutes
//!   cargo bench --bench schedules -- attend                 rows whose name or origin contains a word
//!   cargo bench --bench schedules -- --points FILE          also every candidate: what is counted, estimate, measurement
//! ```
//!
//! Candidates of a row are measured in turns and the least of many times counts, so that neighbours on the
//! machine disturb all alike. A choice is good where the best measured candidate is at most a tenth faster. The rank
//! correlation is Spearman's, of each row and of all candidates pooled. Constants of the model are fitted to
//! the even rows only; the odd rows tell how well they hold.

mod battery;

use battery::{ROWS, Row, ranks};
use rayon::prelude::*;
use regard::{
    compare::measure::{Timed, in_turns},
    ir::target::Target,
    passes::{
        Plan, Schedule,
        plan::Body,
        schedule::{Candidate, CostContext, Estimator, Event, candidates, search},
    },
    pipeline::{self, CompileOptions, Trace},
    weights::Synthetic,
};
use std::{fmt::Write, fs, path::PathBuf, time::Duration};

/// Time for the candidates of one row, and the least number of rounds.
const TIME: Duration = Duration::from_millis(500);
const ROUNDS: usize = 5;
/// What is tolerated above the best measured candidate.
const NEAR: f64 = 1.1;

/// A row with everything known about it.
struct Outcome {
    row: &'static Row,
    candidates: Vec<Candidate>,
    /// Nanoseconds.
    measured: Vec<f64>,
    /// What the model chooses for one core, and for the four that programs are compiled for.
    chosen: [usize; 2],
}

impl Outcome {
    fn best(&self) -> f64 {
        self.measured.iter().copied().fold(f64::INFINITY, f64::min)
    }
    /// Measured time of a choice over that of the best candidate.
    fn loss(&self, which: usize) -> f64 {
        self.measured[self.chosen[which]] / self.best()
    }
    fn estimates(&self) -> Vec<f64> {
        self.candidates.iter().map(|c| c.estimate.ns).collect()
    }
    fn correlation(&self) -> f64 {
        ranks::spearman(&self.estimates(), &self.measured)
    }
}

fn plan(row: &Row, target: &Target) -> Plan {
    let plan = pipeline::plan_graph(&row.graph(), target, &mut Trace::new());
    plan.unwrap_or_else(|e| panic!("{}: {e}", row.name()))
}

/// The group that is measured: the last one, which holds the product or the attention.
fn main_body(plan: &Plan) -> &Body {
    &plan.groups.last().expect("a graph has a group").body
}

fn outcome(row: &'static Row, target: &Target) -> (Outcome, String) {
    let graph = row.graph();
    let plan = plan(row, target);
    let setting = CostContext::new(&plan, target);
    let body = main_body(&plan);
    let candidates = candidates(body, &setting);
    let base = Schedule::best(&plan, target);
    let make = |candidate: &Candidate| {
        let mut schedule = base.clone();
        schedule.groups.last_mut().expect("a group").1 = candidate.tiles;
        let compile_options = CompileOptions { schedule: Some(schedule), ..CompileOptions::from(target) };
        let mut trace = Trace::new();
        Timed::new(&graph, compile_options, &Synthetic::new(0), &mut trace)
            .unwrap_or_else(|e| panic!("{}: {e}", row.name()))
    };
    let mut timed: Vec<Timed> = candidates.par_iter().map(make).collect();
    in_turns(&mut timed, TIME, ROUNDS, 2).unwrap_or_else(|e| panic!("{e}"));
    let measured: Vec<f64> = timed.iter().map(|t| *t.least().last().expect("a launch") as f64).collect();
    let place = |tiles| candidates.iter().position(|c| c.tiles == tiles).expect("choices are candidates");
    let chosen = [1, setting.target.workers].map(|workers| place(search::cheapest(body, &setting, workers).tiles));
    let estimator = Estimator::new(body, &setting);
    let mut points = String::new();
    for (candidate, measured) in candidates.iter().zip(&measured) {
        let work = estimator.work(&candidate.tiles);
        let events = Event::ALL.map(|event| format!("{:.0}", work.events[event])).join("\t");
        let bytes = work.bytes.map(|bytes| format!("{bytes:.0}")).join("\t");
        let (tiles, flops, estimate) = (candidate.tiles, work.flops, candidate.estimate.ns);
        let name = row.name();
        writeln!(points, "{name}\t{tiles}\t{flops:.0}\t{events}\t{bytes}\t{estimate:.0}\t{measured:.0}").expect("text");
    }
    (Outcome { row, candidates, measured, chosen }, points)
}

/// Shares and correlations of some rows.
fn summary(title: &str, outcomes: &[&Outcome]) {
    let count = outcomes.len().max(1) as f64;
    let near = |which| outcomes.iter().filter(|o| o.loss(which) <= NEAR).count() as f64 / count * 100.0;
    let varied = outcomes.iter().filter(|o| o.candidates.len() >= 12 && spread(o) >= 2.0).count();
    let correlations = outcomes.iter().map(|o| o.correlation()).collect::<Vec<_>>();
    let pooled: (Vec<f64>, Vec<f64>) =
        outcomes.iter().flat_map(|o| o.estimates().into_iter().zip(o.measured.iter().copied())).unzip();
    println!(
        "{title:<10}  {:>3} rows, {varied} of them varied; choice near the best: {:.0} %, for four cores {:.0} %; \
         rank correlation: median {:.3}, pooled {:.3}",
        outcomes.len(),
        near(0),
        near(1),
        ranks::median(&correlations),
        ranks::spearman(&pooled.0, &pooled.1)
    );
}

/// Slowest over fastest candidate, measured.
fn spread(outcome: &Outcome) -> f64 {
    outcome.measured.iter().copied().fold(0.0, f64::max) / outcome.best()
}

/// Columns of the table.
const HEAD: [&str; 9] = ["kernel", "origin", "candidates", "spread", "best", "estimate", "choice", "four", "rank"];

fn columns(cells: &[String; 9]) -> String {
    let [name, origin, numbers @ ..] = cells;
    let numbers: String = numbers.iter().map(|cell| format!(" {cell:>10}")).collect();
    format!("{name:<28} {origin:<32}{numbers}")
}

fn line(o: &Outcome) -> [String; 9] {
    let micro = |ns: f64| format!("{:.1}", ns / 1e3);
    [
        o.row.name(),
        o.row.origin.to_owned(),
        o.candidates.len().to_string(),
        format!("{:.1}", spread(o)),
        micro(o.best()),
        micro(o.candidates[o.chosen[0]].estimate.ns),
        format!("{:.2}", o.loss(0)),
        format!("{:.2}", o.loss(1)),
        format!("{:.2}", o.correlation()),
    ]
}

fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    // `cargo bench` passes this; `cargo test --benches` only asks whether the benchmarks run.
    let measures = words.iter().any(|w| w == "--bench");
    words.retain(|w| w != "--bench");
    let file = words
        .iter()
        .position(|w| w == "--points")
        .map(|at| PathBuf::from(words.drain(at..at + 2).nth(1).expect("a file")));
    let target = regard::runtime::cpu::best().expect("a target for this processor");
    let asked = |row: &Row| words.is_empty() || words.iter().any(|w| row.name().contains(w) || row.origin.contains(w));
    let rows = ROWS.iter().enumerate().filter(|(i, row)| asked(row) && (measures || *i == 0));
    println!("{}, one core; times in µs, choices as multiples of the best", target.name);
    println!("{}", columns(&HEAD.map(str::to_owned)));
    let mut outcomes: Vec<(usize, Outcome)> = Vec::new();
    let mut points = String::new();
    for (i, row) in rows {
        let (outcome, lines) = outcome(row, target);
        println!("{}", columns(&line(&outcome)));
        points += &lines;
        outcomes.push((i, outcome));
        if let Some(file) = &file {
            fs::write(file, &points).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        }
    }
    println!();
    for (title, parity) in [("even rows", 0), ("odd rows", 1)] {
        summary(title, &outcomes.iter().filter(|(i, _)| i % 2 == parity).map(|(_, o)| o).collect::<Vec<_>>());
    }
    summary("all rows", &outcomes.iter().map(|(_, o)| o).collect::<Vec<_>>());
}
