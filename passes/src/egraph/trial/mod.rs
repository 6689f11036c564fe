//! Trials: rules against the interpreter.
//!
//! ```text
//!   signature ──draw──▶ operands ──left──▶ term ─┬─ value, f64 ─┐
//!                          │                     │              ├─ agree within derived rounding?
//!                          └─ conditions, right ─┴─ value, f64 ─┘   no more work?
//! ```
//!
//! A trial draws operands from the signature of a row, and where the row applies it makes a claim: left equals right.
//! The claim is *broken* where
//!
//! * an element of the right side is further from the left one than rounding explains, in f64 and as kernels compute it
//!   (`value`),
//! * the right side has no value where the left one has,
//! * the right side does more work than the left, in ops and in FLOPs, constants not counted,
//! * the right side broadcasts implicitly, which canonical form does not; left sides that do are not drawn.
//!
//! A rule that never matches fails too, since it was never tested. [`mutate`] checks the opposite: that a deliberately
//! broken rule fails.

mod draw;
mod edit;
mod mutant;
mod normal;
pub(super) mod proofs;
mod value;

pub use mutant::{MutantOutcome, MutantReport, mutate};

use super::{
    rules::{self, Bindings, Condition, Rule, instantiate},
    signature::Kind,
    term::{Fact, Leaf, Term, fact_of, op_of},
};
use crate::canonical::is_pointwise;
use draw::{Draw, draw};
use egg::{Id, RecExpr};
use regard_ir::{graph::Tensor, ops::Op, random::Random, types::TensorType};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};
use value::{Verdict, compare, single, tensors, value, wide};

use value::Memory;

/// Most draws per trial asked for; a row that needs more is hardly tested at all.
const DRAWS: u64 = 150;
/// Trials for whose draws a rule that applies seldom is always looked for.
const FEWEST: usize = 16;

/// Rules that may do more work: what others make of their right sides does less.
const DETOURS: [&str; 3] = ["factor-into-sum", "key-bias-out-of-scores", "convolution-of-two-maps"];

/// How a rule did in its trials.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleReport {
    /// The rule's name.
    pub rule: String,
    /// Draws to which it applied, and whose left side has a value.
    pub trials: usize,
    /// All draws.
    pub draws: u64,
    /// The largest difference of two elements, relative to the larger of the left one and 1.
    pub worst: f64,
    /// What broke it: a sentence, and both sides.
    pub broken: Option<String>,
}

/// Runs trials of the rules that `wanted` names, one outcome per rule, in the order of the tables. Stops a rule at its
/// first broken claim.
pub fn check(trials: usize, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = RuleReport> {
    let rules = rules::all().iter().filter(move |rule| wanted(&rule.name));
    rules.map(move |rule| outcome(rule, trials))
}

/// Trials of one rule.
pub(super) fn outcome(rule: &Rule, trials: usize) -> RuleReport {
    let mut outcome = RuleReport { rule: rule.name.clone(), trials: 0, draws: 0, worst: 0.0, broken: None };
    let row = Row::from(rule);
    while outcome.trials < trials && outcome.draws < DRAWS * trials.max(FEWEST) as u64 && outcome.broken.is_none() {
        let seed = outcome.draws;
        outcome.draws += 1;
        match claim_of(&row, seed) {
            Err(Refusal::Unnamed) => {
                outcome.broken = Some(format!("draw {seed} is refused without a named condition (`Scope::require`)"));
            }
            Err(_) => {}
            Ok(claim) => match claim.judge(seed) {
                Verdict::Agree(error) => {
                    outcome.trials += 1;
                    outcome.worst = outcome.worst.max(error);
                }
                Verdict::Nothing => {}
                Verdict::Differ(why) => outcome.broken = Some(format!("draw {seed}: {why}\n  {claim}")),
            },
        }
    }
    if outcome.broken.is_none() && outcome.trials * 4 < trials {
        let RuleReport { trials: found, draws, .. } = outcome;
        outcome.broken = Some(format!("applies to {found} of {draws} draws, expected at least {}", trials.div_ceil(4)));
    }
    outcome
}

/// A rule, whole or with a fault.
#[derive(Clone)]
struct Row {
    rule: Rule,
    /// A condition that is not asked.
    dropped: Option<Condition>,
    /// Attributes made from others: the new variable, the old one, and how.
    changed: Option<(String, String, edit::Change)>,
}

impl From<&Rule> for Row {
    fn from(rule: &Rule) -> Row {
        Row { rule: rule.clone(), dropped: None, changed: None }
    }
}

/// Why a row says nothing about a draw.
enum Refusal {
    /// Nothing fits the signature, the left side is ill-typed, or a condition does not hold.
    Other,
    /// `compute` refused and gave no condition.
    Unnamed,
}

/// What a row says about one draw.
#[derive(Clone)]
pub(super) struct Claim {
    /// What the leaves are.
    pub leaves: Vec<Leaf>,
    /// The left side.
    pub left: RecExpr<Term>,
    /// The right side.
    pub right: RecExpr<Term>,
    /// What the right side's own variables are.
    pub computed: Vec<(String, Term)>,
    /// Whether more work is allowed.
    pub detour: bool,
}

#[cfg(test)]
impl Claim {
    /// The half types of constants that the right side makes.
    pub(super) fn made_in_half(&self) -> Vec<regard_ir::types::DType> {
        value::made_in_half(&self.right, &self.leaves)
    }

    /// Whether it would break for values of that seed, did memory hold constants in those types.
    pub(super) fn breaks_in(&self, seed: u64, memory: Memory) -> bool {
        matches!(self.judge_in(seed, memory), Verdict::Differ(_))
    }
}

/// The claim of a rule for that seed.
#[cfg(test)]
pub(super) fn claim(rule: &Rule, seed: u64) -> Option<Claim> {
    claim_of(&Row::from(rule), seed).ok()
}

fn claim_of(row: &Row, seed: u64) -> Result<Claim, Refusal> {
    let draw = draw(&row.rule.signature, seed).ok_or(Refusal::Other)?;
    claim_about(row, &draw, &draw.leaves, &mut |_| {})
}

/// The claim of a row about a draw; `leaves` may differ from the draw's in what is constant. `asked` is told of the
/// conditions.
fn claim_about(row: &Row, draw: &Draw, leaves: &[Leaf], asked: &mut dyn FnMut(Condition)) -> Result<Claim, Refusal> {
    let left = expression(&row.rule.left, &draw.terms, &[]);
    let root = root_type(&left, leaves).filter(|_| is_core(&left, leaves)).ok_or(Refusal::Other)?;
    let known: Option<BTreeMap<&str, Fact>> = draw
        .terms
        .iter()
        .map(|(name, term)| {
            Some((name.as_str(), fact_of(term, leaves, |_| panic!("variables have no children")).ok()?))
        })
        .collect();
    let known = known.ok_or(Refusal::Other)?;
    if !row.rule.signature.admits(|name| known.get(name)) {
        return Err(Refusal::Other);
    }
    let conditions: RefCell<Vec<(Condition, bool)>> = RefCell::default();
    let judge = |condition: Condition, holds: bool| {
        let counts = row.dropped != Some(condition);
        conditions.borrow_mut().push((condition, holds || !counts));
        holds || !counts
    };
    let bindings = row.rule.bind_where(&|name| known.get(name), &root, &judge);
    conditions.borrow().iter().for_each(|&(condition, _)| asked(condition));
    let refused = || if conditions.borrow().iter().all(|c| c.1) { Refusal::Unnamed } else { Refusal::Other };
    let bindings: Bindings = bindings.ok_or_else(refused)?;
    let mut extra: Vec<(String, Term)> = bindings.into_iter().map(|(name, term)| (name.to_string(), term)).collect();
    if let Some((new, old, change)) = &row.changed {
        let term = extra.iter().find(|(name, _)| name == old).map(|(_, term)| term).or(draw.terms.get(old));
        extra.push((new.clone(), term.and_then(|term| change.apply(term)).ok_or(Refusal::Other)?));
    }
    let right = expression(&row.rule.right, &draw.terms, &extra);
    let right = edit::expand_unsafe_softmax(right, leaves).ok_or(Refusal::Other)?;
    let detour = DETOURS.contains(&row.rule.name.as_str());
    let fits = root_type(&right, leaves).is_some_and(|ty| ty == root);
    fits.then(|| Claim { leaves: leaves.to_vec(), left, right, computed: extra, detour }).ok_or(Refusal::Other)
}

fn expression(pattern: &egg::Pattern<Term>, terms: &BTreeMap<String, Term>, extra: &[(String, Term)]) -> RecExpr<Term> {
    let mut placed: BTreeMap<String, Id> = BTreeMap::new();
    let mut expr = RecExpr::default();
    let mut bind = |expr: &mut RecExpr<Term>, name: &str| {
        let computed = extra.iter().find(|(n, _)| n == name).map(|(_, term)| term);
        let term = || computed.or(terms.get(name)).unwrap_or_else(|| panic!("{name} is in the signature"));
        *placed.entry(name.to_string()).or_insert_with(|| expr.add(term().clone()))
    };
    instantiate(pattern, &mut expr, &mut bind);
    expr
}

/// The facts of an expression's terms; `None` where it is ill-typed.
fn facts(expr: &RecExpr<Term>, leaves: &[Leaf]) -> Option<Vec<Fact>> {
    let mut facts: Vec<Fact> = Vec::new();
    for term in expr.as_ref() {
        let fact = fact_of(term, leaves, |id| &facts[usize::from(id)]).ok()?;
        facts.push(fact);
    }
    Some(facts)
}

fn root_type(expr: &RecExpr<Term>, leaves: &[Leaf]) -> Option<TensorType> {
    facts(expr, leaves)?.last()?.tensor().cloned()
}

/// Whether the operands of pointwise ops have the shape of the result, as in canonical form.
fn is_core(expr: &RecExpr<Term>, leaves: &[Leaf]) -> bool {
    let Some(facts) = facts(expr, leaves) else { return false };
    let shape = |at: usize| facts[at].tensor().map(|ty| &ty.shape);
    expr.as_ref().iter().enumerate().all(|(at, term)| match op_of(term, |id| &facts[usize::from(id)]) {
        Some(Ok((op, operands))) if is_pointwise(&op) => operands.iter().all(|&o| shape(usize::from(o)) == shape(at)),
        _ => true,
    })
}

impl std::fmt::Display for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n  {}", self.left, self.right)?;
        self.leaves.iter().enumerate().try_for_each(|(i, leaf)| {
            write!(f, "\n  leaf{i}: {}{}", if leaf.constant { "constant " } else { "" }, leaf.ty)
        })
    }
}

impl Claim {
    /// Whether it holds for values of that seed.
    fn judge(&self, seed: u64) -> Verdict {
        self.judge_in(seed, crate::memory::inside)
    }

    /// The same where memory holds constants in those types.
    fn judge_in(&self, seed: u64, memory: Memory) -> Verdict {
        if !is_core(&self.right, &self.leaves) {
            return Verdict::Differ("the right side broadcasts implicitly".to_string());
        }
        let (before, after) = (work(&self.left, &self.leaves), work(&self.right, &self.leaves));
        if !self.detour && after.0 > before.0 && after.1 > before.1 {
            let ((a, b), (c, d)) = (before, after);
            return Verdict::Differ(format!("{a} ops of {b} FLOPs on the left, {c} of {d} on the right"));
        }
        let tensors = tensors(&self.left, &self.leaves, &mut Random::new(!seed));
        let masked = tensors.iter().any(|tensor| tensor.data.contains(&f64::NEG_INFINITY));
        let Ok(left) = value(&self.left, &self.leaves, &tensors) else { return Verdict::Nothing };
        // A value that f64 does not hold is not a claim about real numbers.
        if left.overflows {
            return Verdict::Nothing;
        }
        match value(&self.right, &self.leaves, &tensors) {
            Ok(right) => match compare(&left, &right, masked) {
                Verdict::Agree(error) if !masked => match self.differs_in_f32(&tensors, memory) {
                    Some(why) => Verdict::Differ(format!("in f32, {why}")),
                    None => Verdict::Agree(error),
                },
                verdict => verdict,
            },
            Err(why) => Verdict::Differ(format!("the left side has a value, the right side has none: {why}")),
        }
    }
}

impl Claim {
    /// How the right side differs as kernels compute it, where f32 holds all of the left side.
    fn differs_in_f32(&self, tensors: &[Tensor], memory: Memory) -> Option<String> {
        let left = wide(&self.left, &self.leaves, tensors).ok().filter(|left| left.in_range)?;
        match single(&self.right, &self.leaves, tensors, memory) {
            Ok(right) => match compare(&left, &right, false) {
                Verdict::Differ(why) => Some(why),
                Verdict::Agree(_) | Verdict::Nothing => None,
            },
            Err(why) => Some(format!("the right side has no value: {why}")),
        }
    }
}

/// Ops and their FLOPs, each different term once; movement, numbers and constants are free.
fn work(expr: &RecExpr<Term>, leaves: &[Leaf]) -> (usize, u64) {
    let Some(facts) = facts(expr, leaves) else { return (0, 0) };
    let texts = normal::texts(expr, leaves, &facts);
    let (mut seen, mut ops, mut flops) = (BTreeSet::new(), 0, 0);
    for (at, term) in expr.as_ref().iter().enumerate() {
        let Some(Ok((op, operands))) = op_of(term, |id| &facts[usize::from(id)]) else { continue };
        let nothing = operands.iter().any(|&o| texts[usize::from(o)] == texts[at]);
        let free = nothing || matches!(op, Op::ViewOp(_) | Op::Const(_)) || facts[at].is_constant();
        if !free && seen.insert(&texts[at]) {
            let types: Vec<&TensorType> = operands.iter().filter_map(|&o| facts[usize::from(o)].tensor()).collect();
            ops += 1;
            flops += facts[at].tensor().map_or(0, |ty| op.flops(&types, ty));
        }
    }
    (ops, flops)
}

/// The draw's leaves, constant where the signature says so.
fn leaves_as_required(rule: &Rule, draw: &Draw) -> Vec<Leaf> {
    let mut leaves = draw.leaves.clone();
    for (name, kind) in &rule.signature.items {
        if let (Kind::Tensor(_, Some(wanted), _), Some(Term::Leaf(at))) = (kind, draw.terms.get(name)) {
            leaves[*at as usize].constant = *wanted;
        }
    }
    leaves
}
