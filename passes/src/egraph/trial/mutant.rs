//! Mutants: rows with one fault each, made by machine, and what the trials say about them.
//!
//! | place | fault |
//! |---|---|
//! | signature | a `const` or `var` forgotten, a shape equation dropped, a number that may be infinite |
//! | conditions | one of those that `compute` requires is not asked |
//! | left side | a repeated variable need not repeat; a number, an op is another |
//! | right side | two variables of one kind exchanged; an attribute shifted; an op replaced by its sibling or by its operand |
//!
//! A mutant is *caught* where a trial breaks it, or where it applies to nothing at all. It is *equivalent* where all
//! its claims are claims of the row itself (see `normal`) or say that a term equals itself, or where `proofs` has a
//! proof. Anything else is a hole in the trials or a condition without need: one of the two is to be mended.

use super::draw::{Draw, draw};
use super::value::Verdict;
use super::{
    Claim, DRAWS, Refusal, Row, claim_about,
    edit::{Change, Tree, is_unsafe, neighbours, siblings},
    facts, leaves_as_required, normal, proofs,
};
use crate::egraph::{
    rules::{self, Condition, Rule},
    signature::{Dim, Dims, Kind},
    term::{Leaf, Term},
};
use regard_ir::{ops::Attr, types::Real};
use std::collections::BTreeSet;

/// Draws after which a mutant that never applied is given up.
const PATIENCE: u64 = 1500;
/// How many times longer trials look for a fault in what claims something new.
const STUBBORN: usize = 4;
/// Values that a claim is tried on where it is new.
const VALUES: u64 = 4;

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq)]
pub struct MutantReport {
    /// The rule that it was made from.
    pub rule: String,
    /// The fault.
    pub mutant: String,
    /// What the trials said.
    pub fate: MutantOutcome,
}

/// What the trials say about a mutant.
#[derive(Clone, Debug, PartialEq)]
pub enum MutantOutcome {
    /// The draw that broke it, if one was needed, and how.
    Caught(Option<u64>, String),
    /// Why it is not a mutant; all its claims are known.
    Equivalent(String),
    /// The proof that it is right, though it claims more than its row.
    Proved(String),
    /// A claim that the row does not make and that no trial broke.
    Unexplained(String),
}

/// Breaks every rule that `wanted` names in every way, and runs up to that many trials of each mutant.
pub fn mutate(trials: usize, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = MutantReport> {
    let rules = rules::all().iter().filter(move |rule| wanted(&rule.name));
    rules.flat_map(move |rule| findings(rule, trials))
}

/// A row with a fault.
struct Mutant {
    fault: String,
    row: Row,
    /// Whether it applies only where the row does.
    narrow: bool,
    /// Two variables that stand for each other on the right.
    exchanged: Option<(String, String)>,
}

impl Mutant {
    fn new(fault: String, row: Row) -> Mutant {
        Mutant { fault, row, narrow: false, exchanged: None }
    }
}

/// What all mutants of a rule share.
struct Original<'a> {
    rule: &'a Rule,
    /// Draws on which the row applies.
    seeds: Vec<u64>,
    conditions: BTreeSet<Condition>,
    /// Variables of the right side that `compute` gives, with what they stood for once.
    computed: Vec<(String, Term)>,
}

fn findings(rule: &Rule, trials: usize) -> Vec<MutantReport> {
    let original = observe(rule, trials);
    let mut names = BTreeSet::new();
    let mut findings = Vec::new();
    for mutant in mutants(&original) {
        assert!(names.insert(mutant.fault.clone()), "{} has two mutants called {}", rule.name, mutant.fault);
        let fate = fate(&original, &mutant, trials);
        findings.push(MutantReport { rule: rule.name.clone(), mutant: mutant.fault, fate });
    }
    findings
}

fn observe(rule: &Rule, trials: usize) -> Original<'_> {
    let row = Row::from(rule);
    let mut original = Original { rule, seeds: Vec::new(), conditions: BTreeSet::new(), computed: Vec::new() };
    for seed in 0..DRAWS * trials as u64 {
        let Some(draw) = draw(&rule.signature, seed) else { continue };
        let mut asked = |condition| {
            original.conditions.insert(condition);
        };
        if let Ok(claim) = claim_about(&row, &draw, &draw.leaves, &mut asked) {
            original.seeds.push(seed);
            original.computed = claim.computed;
        }
        if original.seeds.len() == 3 * STUBBORN * trials {
            break;
        }
    }
    original
}

fn fate(original: &Original, mutant: &Mutant, trials: usize) -> MutantOutcome {
    let (mut applied, mut novel) = (0, None);
    let seeds: Box<dyn Iterator<Item = u64>> = match mutant.narrow {
        true => Box::new(original.seeds.iter().copied()),
        false => Box::new(0..DRAWS * trials as u64),
    };
    for seed in seeds {
        let enough = if novel.is_some() { STUBBORN * trials } else { trials };
        if applied >= enough || (applied == 0 && seed >= PATIENCE && !mutant.narrow) {
            break;
        }
        let Some(draw) = draw(&mutant.row.rule.signature, seed) else { continue };
        let claim = match claim_about(&mutant.row, &draw, &draw.leaves, &mut |_| {}) {
            Ok(claim) => claim,
            Err(Refusal::Unnamed | Refusal::Other) => continue,
        };
        match claim.judge(seed) {
            Verdict::Differ(why) => return MutantOutcome::Caught(Some(seed), why),
            Verdict::Nothing => {}
            Verdict::Agree(_) => {
                applied += 1;
                if novel.is_none() && is_known(original, mutant, &draw, &claim) {
                    continue;
                }
                for other in 1..=VALUES {
                    if let Verdict::Differ(why) = claim.judge(seed ^ other << 32) {
                        return MutantOutcome::Caught(Some(seed), why);
                    }
                }
                novel.get_or_insert(claim);
            }
        }
    }
    match (applied, novel) {
        (0, _) => MutantOutcome::Caught(None, "applies to no draw".to_string()),
        (_, None) => MutantOutcome::Equivalent("says nothing that the row does not say".to_string()),
        (_, Some(claim)) => match proofs::proof(&original.rule.name, &mutant.fault) {
            Some(proof) => MutantOutcome::Proved(proof.to_string()),
            None => MutantOutcome::Unexplained(claim.to_string()),
        },
    }
}

/// Whether a claim says that a term equals itself, or is a claim of the row: about the same operands, were they constant
/// or not; about numbers of the other sign; about two operands exchanged.
fn is_known(original: &Original, mutant: &Mutant, draw: &Draw, claim: &Claim) -> bool {
    let of = claim.texts();
    if of.0 == of.1 {
        return true;
    }
    let row = Row::from(original.rule);
    let says = |draw: &Draw, leaves: &[Leaf]| {
        claim_about(&row, draw, leaves, &mut |_| {}).is_ok_and(|claim| claim.texts() == of)
    };
    let computed = || draw.leaves.iter().map(|leaf| Leaf { constant: false, ..leaf.clone() }).collect::<Vec<_>>();
    let mut negated = draw.clone();
    for term in negated.terms.values_mut() {
        if let Term::Attr("value", Attr::Real(x)) = term {
            *x = Real::new(-x.get());
        }
    }
    let mut exchanged = draw.clone();
    if let Some((a, b)) = &mutant.exchanged
        && let (Some(x), Some(y)) = (draw.terms.get(a), draw.terms.get(b))
    {
        exchanged.terms.insert(a.clone(), y.clone());
        exchanged.terms.insert(b.clone(), x.clone());
    }
    says(draw, &draw.leaves)
        || says(draw, &leaves_as_required(original.rule, draw))
        || says(draw, &computed())
        || says(&negated, &leaves_as_required(original.rule, draw))
        || says(&exchanged, &leaves_as_required(original.rule, &exchanged))
}

impl Claim {
    /// Both sides in normal form.
    fn texts(&self) -> (String, String) {
        let text = |expr| {
            let facts = facts(expr, &self.leaves).expect("claims are well-typed");
            normal::texts(expr, &self.leaves, &facts).pop().expect("a side has a root")
        };
        (text(&self.left), text(&self.right))
    }
}

fn mutants(original: &Original) -> Vec<Mutant> {
    let mut mutants = signature_mutants(original.rule);
    mutants.extend(original.conditions.iter().map(|&(of, says)| {
        let row = Row { dropped: Some((of, says)), ..Row::from(original.rule) };
        Mutant::new(format!("not asked whether {of} {says}"), row)
    }));
    mutants.extend(left_mutants(original.rule));
    mutants.extend(right_mutants(original));
    mutants
}

fn signature_mutants(rule: &Rule) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    let mut add = |fault: String, at: usize, kind: Kind| {
        let mut row = Row::from(rule);
        row.rule.signature.items[at].1 = kind;
        mutants.push(Mutant::new(fault, row));
    };
    for (at, (name, kind)) in rule.signature.items.iter().enumerate() {
        match kind {
            Kind::Tensor(dims, wanted, dtype) => {
                if let Some(wanted) = wanted {
                    let word = if *wanted { "const" } else { "var" };
                    add(format!("{word} {name} forgotten"), at, Kind::Tensor(dims.clone(), None, *dtype));
                }
                for (what, dims) in freed(rule, dims) {
                    add(format!("{what} of {name} is free"), at, Kind::Tensor(dims, *wanted, *dtype));
                }
            }
            Kind::Type(dims) => {
                for (what, dims) in freed(rule, dims) {
                    add(format!("{what} of {name} is free"), at, Kind::Type(dims));
                }
            }
            Kind::Map(from, to) => {
                for (what, dims) in freed(rule, from) {
                    add(format!("{what} before {name} is free"), at, Kind::Map(dims, to.clone()));
                }
                for (what, dims) in freed(rule, to) {
                    add(format!("{what} behind {name} is free"), at, Kind::Map(from.clone(), dims));
                }
            }
            Kind::Number(list, true) => add(format!("{name} may be infinite"), at, Kind::Number(list.clone(), false)),
            Kind::Number(_, false) | Kind::Axis(_) | Kind::Word(..) | Kind::Pair(..) => {}
        }
    }
    mutants
}

/// A shape pattern with one of its equations dropped, in all ways.
fn freed(rule: &Rule, dims: &Dims) -> Vec<(String, Dims)> {
    let all: Vec<Dim> = rule.signature.items.iter().flat_map(|(_, kind)| patterns(kind)).flatten().copied().collect();
    let letter = |dim: &Dim| match *dim {
        Dim::One(c) | Dim::Many(c) | Dim::Like(c) => Some(c),
        Dim::Fixed(_) | Dim::Product(..) => None,
    };
    let used: BTreeSet<char> = all.iter().filter_map(letter).collect();
    let fresh =
        |from: std::ops::RangeInclusive<char>| from.into_iter().find(|c| !used.contains(c)).expect("few letters");
    let tied = |dim: &Dim| letter(dim).is_none_or(|c| all.iter().filter(|d| letter(d) == Some(c)).count() > 1);
    let mut out = Vec::new();
    for (at, dim) in dims.iter().enumerate().filter(|(_, dim)| tied(dim)) {
        let (name, new) = match dim {
            Dim::One(c) => (c.to_string(), Dim::One(fresh('a'..='z'))),
            Dim::Fixed(n) => (n.to_string(), Dim::One(fresh('a'..='z'))),
            Dim::Product(a, b) => (format!("{a}*{b}"), Dim::One(fresh('a'..='z'))),
            Dim::Many(c) | Dim::Like(c) => (c.to_string(), Dim::Many(fresh('A'..='Z'))),
        };
        let mut freed = dims.clone();
        freed[at] = new;
        let again = dims[..at].contains(dim);
        out.push((if again { format!("second {name}") } else { name }, freed));
    }
    if !dims.iter().any(|dim| matches!(dim, Dim::Many(_) | Dim::Like(_))) {
        let many = all.iter().find_map(|dim| if let Dim::Many(c) = dim { Some(Dim::Like(*c)) } else { None });
        let lead = many.unwrap_or(Dim::Many(fresh('A'..='Z')));
        out.push(("rank".to_string(), [&[lead], &dims[..]].concat()));
    }
    out
}

fn patterns(kind: &Kind) -> Vec<&Dims> {
    match kind {
        Kind::Tensor(dims, ..) | Kind::Type(dims) => vec![dims],
        Kind::Map(from, to) => vec![from, to],
        Kind::Axis(_) | Kind::Number(..) | Kind::Word(..) | Kind::Pair(..) => Vec::new(),
    }
}

fn left_mutants(rule: &Rule) -> Vec<Mutant> {
    let left = Tree::of(&rule.left);
    let places = left.places();
    let mut mutants = Vec::new();
    let mut add = |fault: String, row: Row| mutants.push(Mutant::new(fault, row));
    let with = |place: usize, new: &Tree| {
        let mut row = Row::from(rule);
        row.rule.left = left.with(place, new).pattern();
        row
    };
    for (place, tree) in places.iter().enumerate() {
        match tree {
            Tree::Var(name) if places.iter().filter(|t| t == &tree).count() > 1 => {
                let other = format!("{name}_other");
                let mut row = with(place, &Tree::Var(other.clone()));
                let kind = rule.signature.items.iter().find(|(n, _)| n == name).expect("declared").1.clone();
                row.rule.signature.items.push((other, kind));
                add(format!("left {name}@{place} is another"), row);
            }
            Tree::Var(_) => {}
            // A left side that overflows claims nothing.
            _ => neighbour_trees(tree).into_iter().filter(|(_, new)| !is_unsafe(new)).for_each(|(what, new)| {
                add(format!("left {what} at {place}"), with(place, &new));
            }),
        }
    }
    mutants
}

/// A tree with its root replaced by something like it: the op by its siblings, an attribute by its neighbours.
fn neighbour_trees(tree: &Tree) -> Vec<(String, Tree)> {
    match tree {
        Tree::Var(_) => Vec::new(),
        Tree::Attr(name, value) => neighbours(name, value)
            .into_iter()
            .map(|new| (format!("{name}={value} becomes {new}"), Tree::Attr(name, new)))
            .collect(),
        Tree::Op(name, children) => siblings(name)
            .iter()
            .map(|other| (format!("{name} becomes {other}"), Tree::Op(other, children.clone())))
            .collect(),
    }
}

fn right_mutants(original: &Original) -> Vec<Mutant> {
    let rule = original.rule;
    let right = Tree::of(&rule.right);
    let class = |name: &str| {
        let declared = rule.signature.items.iter().find(|(n, _)| n == name).map(|(_, kind)| class_of(kind));
        let computed = original.computed.iter().find(|(n, _)| n == name).map(|(_, term)| match term {
            Term::Attr(attr, _) => *attr,
            Term::Type(_) => "type",
            _ => "tensor",
        });
        declared.or(computed).unwrap_or("unknown")
    };
    let mut mutants = Vec::new();
    let mut add = |fault: String, tree: Tree, changed| {
        let mut row = Row { changed, ..Row::from(rule) };
        row.rule.right = tree.pattern();
        mutants.push(Mutant { narrow: true, ..Mutant::new(fault, row) });
    };
    let places = right.places();
    for (place, tree) in places.iter().enumerate() {
        for (what, new) in neighbour_trees(tree) {
            add(format!("right {what} at {place}"), right.with(place, &new), None);
        }
        match tree {
            Tree::Op(name, children) => {
                for (i, child) in children.iter().enumerate() {
                    let is_tensor = match child {
                        Tree::Var(name) => class(name) == "tensor",
                        Tree::Op(..) => true,
                        Tree::Attr(..) => false,
                    };
                    if is_tensor {
                        add(format!("right {name} at {place} becomes its child {i}"), right.with(place, child), None);
                    }
                }
            }
            Tree::Var(name) => {
                for &change in Change::of(class(name)) {
                    let new = format!("{name}_changed");
                    let tree = right.with(place, &Tree::Var(new.clone()));
                    add(format!("right {name}@{place} is {}", change.text()), tree, Some((new, name.clone(), change)));
                }
            }
            Tree::Attr(..) => {}
        }
    }
    let names: BTreeSet<&str> =
        places.iter().filter_map(|t| if let Tree::Var(n) = t { Some(n.as_str()) } else { None }).collect();
    let mut exchanges = Vec::new();
    for &a in &names {
        for &b in names.range(a..).skip(1).filter(|b| class(a) == class(b)) {
            let swap = |name: &str| match name {
                name if name == a => b.to_string(),
                name if name == b => a.to_string(),
                name => name.to_string(),
            };
            exchanges.push((a.to_string(), b.to_string(), right.renamed(&swap)));
        }
    }
    for (a, b, tree) in exchanges {
        let mut row = Row::from(rule);
        row.rule.right = tree.pattern();
        let fault = format!("right {a} and {b} exchanged");
        mutants.push(Mutant { narrow: true, exchanged: Some((a, b)), ..Mutant::new(fault, row) });
    }
    mutants
}

fn class_of(kind: &Kind) -> &'static str {
    match kind {
        Kind::Tensor(..) => "tensor",
        Kind::Type(_) => "type",
        Kind::Map(..) => "map",
        Kind::Axis(_) => "axis",
        Kind::Number(..) => "value",
        Kind::Word(name, _) | Kind::Pair(name, _) => name,
    }
}
