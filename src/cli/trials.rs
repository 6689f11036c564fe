//! `regard check --rules`: the optimiser's rules against the interpreter, and rules broken on purpose against both.

use super::{JsonArgs, MachineArgs, ModelArgs, RuleArgs};
use crate::report::{Column, Table, screen::wrapped};
use regard::errors::{Error, Result};
use regard_ir::count::{agree, counted};
use regard_passes::egraph::{
    optimize, row_names,
    trial::{self, MutantOutcome, MutantReport, RuleReport},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, ffi::OsStr, io::Write};

/// Trials of each rule where nobody says how many.
pub(crate) const TRIALS: u64 = 64;

/// What is tried.
pub(crate) struct Trials<'a> {
    /// Only the rules that lead to the optimised form of this model.
    pub model: Option<&'a OsStr>,
    pub config: &'a ModelArgs,
    pub rules: &'a RuleArgs,
    pub machine: &'a MachineArgs,
    /// Of each rule.
    pub trials: u64,
    /// Whether to break each rule in every way, too.
    pub mutate: bool,
    /// Columns of a line.
    pub width: Option<usize>,
    pub json: &'a JsonArgs,
}

/// Tries the rules, prints a line per rule (and per mutant), and fails where a rule is broken or a mutant lives.
pub(crate) fn run(args: &Trials, out: &mut dyn Write) -> Result<()> {
    let wanted = wanted(args)?;
    let all = row_names().len();
    let quiet = args.json.alone();
    let of = args.model.map_or(String::new(), |model| format!(", those that optimising {} uses", model.display()));
    if !quiet {
        let (all, each) = (counted(all, "rule"), counted(args.trials, "trial"));
        let head = format!("{} of {all}{of}; {each} each, both sides in f64", wanted.len());
        writeln!(out, "{}", wrapped(&head, args.width, "    "))?;
    }
    let trials = usize::try_from(args.trials).unwrap_or(usize::MAX);
    let outcomes: Vec<RuleReport> = trial::check(trials, |rule| wanted.contains(rule)).collect();
    let broken = outcomes.iter().filter(|outcome| outcome.broken.is_some()).count();
    if !quiet {
        rules(&outcomes, args.width, out)?;
    }
    let (unexplained, mutants) = match args.mutate {
        true => {
            let mutants = trial::mutate(trials, |rule| wanted.contains(rule));
            let mut nowhere = std::io::sink();
            findings(mutants, args.width, if quiet { &mut nowhere } else { &mut *out })?
        }
        false => (0, Value::Null),
    };
    let value = || {
        let rules: Vec<Value> = outcomes.iter().map(rule_json).collect();
        json!({"rules": rules, "broken": broken, "unexplained": unexplained, "mutants": mutants})
    };
    args.json.write(value)?;
    match (broken, unexplained) {
        (0, 0) => Ok(()),
        (0, n) => Err(Error::Failed(format!(
            "{} {} neither caught nor equivalent",
            counted(n, "mutant"),
            agree(n, "is", "are")
        ))),
        (n, _) => {
            Err(Error::Failed(format!("{n} of {} {} broken", counted(wanted.len(), "rule"), agree(n, "is", "are"))))
        }
    }
}

fn rule_json(outcome: &RuleReport) -> Value {
    let RuleReport { rule, trials, draws, worst, broken } = outcome;
    json!({"rule": rule, "trials": trials, "draws": draws, "worst": worst, "broken": broken})
}

/// The rules to try: those that options leave, and with a model those that were used on the way to its optimised form.
fn wanted(args: &Trials) -> Result<BTreeSet<String>> {
    let rules = args.rules.rules()?;
    let Some(model) = args.model else {
        let left = row_names().into_iter().take(rules.limit.unwrap_or(usize::MAX)).map(str::to_owned);
        return Ok(left.filter(|name| !rules.without.contains(name)).collect());
    };
    let graph = args.config.graph(model)?;
    let best = optimize(&graph, args.machine.known()?, &rules)?;
    Ok(best.regions.into_iter().flat_map(|region| region.rules).map(|step| step.rule).collect())
}

/// Prints a line per rule, and why those are broken that are.
fn rules(outcomes: &[RuleReport], width: Option<usize>, out: &mut dyn Write) -> Result<()> {
    let row = |o: &RuleReport| {
        let verdict = if o.broken.is_none() { "ok" } else { "BROKEN" };
        let counts = [o.trials.to_string(), o.draws.to_string(), format!("{:.1e}", o.worst)];
        [&[o.rule.clone()][..], &counts, &[verdict.to_string()]].concat()
    };
    let columns = [
        Column::name("rule", 24),
        Column::right("trials").rank(2),
        Column::right("draws").rank(1),
        Column::right("worst error"),
        Column::left("verdict"),
    ];
    let table = Table::new(columns).with(outcomes.iter().map(row)).fit(width.map(|width| width - 2));
    table.text.lines().try_for_each(|line| writeln!(out, "  {line}"))?;
    let broken = outcomes.iter().filter_map(|o| Some((&o.rule, o.broken.as_ref()?)));
    let lines = broken.map(|(rule, why)| wrapped(&format!("{rule}: {why}"), width, "  "));
    lines.into_iter().try_for_each(|line| Ok(writeln!(out, "{line}")?))
}

/// Prints a line per mutant and their sum, and returns how many nobody explains, and the counts as JSON.
fn findings(
    findings: impl Iterator<Item = MutantReport>,
    width: Option<usize>,
    out: &mut dyn Write,
) -> Result<(usize, Value)> {
    let (mut caught, mut equivalent, mut unexplained) = (0, 0, 0);
    let mut rule = String::new();
    for finding in findings {
        if rule != finding.rule {
            rule.clone_from(&finding.rule);
            writeln!(out, "{rule}")?;
        }
        let fate = match finding.fate {
            MutantOutcome::Caught(trial, how) => {
                caught += 1;
                format!("caught{}: {how}", trial.map_or(String::new(), |draw| format!(" by draw {draw}")))
            }
            MutantOutcome::Equivalent(why) => {
                equivalent += 1;
                format!("equivalent: {why}")
            }
            MutantOutcome::Proved(why) => {
                equivalent += 1;
                format!("right, with a proof: {why}")
            }
            MutantOutcome::Unexplained(claim) => {
                unexplained += 1;
                format!("UNEXPLAINED: claims, and no trial denies, that these are equal\n  {claim}")
            }
        };
        writeln!(out, "{}", wrapped(&format!("  {}  {fate}", finding.mutant), width, "      "))?;
    }
    let all = caught + equivalent + unexplained;
    let sums = format!("{caught} caught, {equivalent} equivalent, {unexplained} unexplained");
    writeln!(out, "{}", wrapped(&format!("{}: {sums}", counted(all, "mutant")), width, "    "))?;
    Ok((unexplained, json!({"all": all, "caught": caught, "equivalent": equivalent, "unexplained": unexplained})))
}
