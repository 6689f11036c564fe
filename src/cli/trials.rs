//! `regard check --rules`: the optimiser's rules against the interpreter, and rules broken on purpose against both.

use super::{MachineArgs, ModelArgs, RuleArgs};
use crate::{
    errors::{Error, Result},
    report,
};
use regard_passes::egraph::{
    optimize, row_names,
    trial::{self, Fate, Finding, Outcome},
};
use std::{collections::BTreeSet, ffi::OsStr, io::Write};

/// Trials of each rule where nobody says how many.
pub const TRIALS: u64 = 64;

/// What is tried.
pub struct Trials<'a> {
    /// Only the rules that lead to the optimised form of this model.
    pub model: Option<&'a OsStr>,
    pub config: &'a ModelArgs,
    pub rules: &'a RuleArgs,
    pub machine: &'a MachineArgs,
    /// Of each rule.
    pub trials: u64,
    /// Whether to break each rule in every way, too.
    pub mutate: bool,
}

/// Tries the rules, prints a line per rule (and per mutant), and fails where a rule is broken or a mutant lives.
pub fn run(args: &Trials, out: &mut dyn Write) -> Result<()> {
    let wanted = wanted(args)?;
    let all = row_names().len();
    let of = args.model.map_or(String::new(), |model| format!(", those that optimising {} uses", model.display()));
    writeln!(out, "{} of {all} rules{of}; {} trials each, both sides in f64", wanted.len(), args.trials)?;
    let trials = usize::try_from(args.trials).unwrap_or(usize::MAX);
    let broken = outcomes(trial::check(trials, |rule| wanted.contains(rule)), out)?;
    let unexplained = match args.mutate {
        true => findings(trial::mutate(trials, |rule| wanted.contains(rule)), out)?,
        false => 0,
    };
    match (broken, unexplained) {
        (0, 0) => Ok(()),
        (0, n) => Err(Error::Failed(format!("{n} mutants are neither caught nor equivalent"))),
        (n, _) => Err(Error::Failed(format!("{n} of {} rules are broken", wanted.len()))),
    }
}

/// The rules to try: those that options leave, and with a model those that were used on the way to its optimised form.
fn wanted(args: &Trials) -> Result<BTreeSet<String>> {
    let rules = args.rules.rules()?;
    let Some(model) = args.model else {
        let left = row_names().into_iter().take(rules.limit.unwrap_or(usize::MAX)).map(str::to_owned);
        return Ok(left.filter(|name| !rules.without.contains(name)).collect());
    };
    let graph = args.config.graph(model)?;
    let best = optimize(&graph, args.machine.target()?, &rules)?;
    Ok(best.regions.into_iter().flat_map(|region| region.rules).map(|step| step.rule).collect())
}

/// Prints a line per rule and returns how many are broken.
fn outcomes(outcomes: impl Iterator<Item = Outcome>, out: &mut dyn Write) -> Result<usize> {
    let outcomes: Vec<Outcome> = outcomes.collect();
    let row = |o: &Outcome| {
        let verdict = if o.broken.is_none() { "ok" } else { "BROKEN" };
        let counts = [o.trials.to_string(), o.draws.to_string(), format!("{:.1e}", o.worst)];
        [&[o.rule.clone()][..], &counts, &[verdict.to_string()]].concat()
    };
    let rows: Vec<Vec<String>> = outcomes.iter().map(row).collect();
    let headings = ["rule", "trials", "draws", "worst error", "verdict"];
    let table = report::table(&headings, &[false, true, true, true, false], &rows);
    table.lines().try_for_each(|line| writeln!(out, "  {line}"))?;
    let broken = outcomes.iter().filter_map(|o| Some((&o.rule, o.broken.as_ref()?)));
    let lines: Vec<String> = broken.map(|(rule, why)| format!("{rule}: {why}")).collect();
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    Ok(lines.len())
}

/// Prints a line per mutant and their sum, and returns how many nobody explains.
fn findings(findings: impl Iterator<Item = Finding>, out: &mut dyn Write) -> Result<usize> {
    let (mut caught, mut equivalent, mut unexplained) = (0, 0, 0);
    let mut rule = String::new();
    for finding in findings {
        if rule != finding.rule {
            rule.clone_from(&finding.rule);
            writeln!(out, "{rule}")?;
        }
        let fate = match finding.fate {
            Fate::Caught(trial, how) => {
                caught += 1;
                format!("caught{}: {how}", trial.map_or(String::new(), |draw| format!(" by draw {draw}")))
            }
            Fate::Equivalent(why) => {
                equivalent += 1;
                format!("equivalent: {why}")
            }
            Fate::Proved(why) => {
                equivalent += 1;
                format!("right, with a proof: {why}")
            }
            Fate::Unexplained(claim) => {
                unexplained += 1;
                format!("UNEXPLAINED: claims, and no trial denies, that these are equal\n  {claim}")
            }
        };
        writeln!(out, "  {}  {fate}", finding.mutant)?;
    }
    let all = caught + equivalent + unexplained;
    writeln!(out, "{all} mutants: {caught} caught, {equivalent} equivalent, {unexplained} unexplained")?;
    Ok(unexplained)
}
