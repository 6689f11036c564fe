//! Matches: where rules fit, tried once each and counted.
//!
//! ```text
//!   round   rule ─search─▶ matches ─minus those tried─▶ new ─at most so many─▶ tried ─▶ applied | refused
//! ```
//!
//! egg looks for all matches of all rules again in every round. Where a class holds the same terms as when it was searched
//! last, and so do the classes below it as far down as a pattern reaches, there is nothing to find: such classes are not
//! searched, or a fact that moves up a long chain, a node in each round, would take time with the square of its length.
//!
//! A match whose classes are what they were gives the same terms again, so it is remembered and skipped; one that was
//! refused is tried again once a class became constant, the only fact that a signature asks for and that can change. A number
//! that was once [too far](super::away) from a written value to move is not asked again, which only keeps it where it is. A
//! match in which a class holds itself is skipped too: it says nothing new, and where x equals its own rotation by one, such
//! matches would form all n rotations of whatever reads x.
//!
//! Rules whose right side is smaller than their left side go first, in rounds of their own, until they find nothing: so
//! `x + 0` is `x` again before another rule adds the zero to something else.
//!
//! The number of matches tried is the work of a region, and it is limited in proportion to the region: limits on terms
//! and rounds alone do not bound it. One rule tries at most [`PER_RULE`] matches in a round, so that a rule that finds
//! many does not keep others from being tried; the rest waits for the next round. Classes are searched in order of their
//! numbers: what a limit leaves out does not depend on the order of a table.

use super::{
    rules,
    term::{Fact, Facts, Kind, Term},
};
use egg::{
    EGraph, ENodeOrVar, Id, Language, PatternAst, Rewrite, RewriteScheduler, RunnerLimits, SearchMatches, StopReason,
    Subst, Symbol,
};
use regard_ir::{ops::Attr, view::View};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

/// New matches of one rule in one round, at most.
const PER_RULE: usize = 500;
/// What the runner is told where the limit on matches was met.
const LIMIT: &str = "matches";

/// The matches that were tried.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tried {
    of_rules: HashMap<Symbol, HashMap<(Id, Subst), Outcome>>,
    /// How many there were.
    pub count: usize,
    /// How often a class became constant.
    pub changes: usize,
}

/// What came of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Applied,
    /// Refused after so many changes.
    Refused(usize),
}

impl Tried {
    /// Remembers what came of a match.
    pub(crate) fn insert(&mut self, rule: Symbol, class: Id, matched: &Subst, applied: bool) {
        let outcome = if applied { Outcome::Applied } else { Outcome::Refused(self.changes) };
        self.count += 1;
        self.of_rules.entry(rule).or_default().insert((class, matched.clone()), outcome);
    }
}

/// Searches for new matches, and stops where their limit is met.
pub(crate) struct Scheduler {
    /// Most matches tried.
    limit: usize,
    /// Whether some rules were not searched to the end in this round.
    cut: bool,
    /// Matches in which a class holds itself.
    cyclic: HashMap<Symbol, HashSet<(Id, Subst)>>,
    /// When each rule was last searched to the end in each class, and how many classes were constant by then.
    searched: HashMap<Symbol, Vec<(u32, u32)>>,
    ages: Ages,
}

/// The rounds in which classes changed last.
#[derive(Default)]
struct Ages {
    round: u32,
    /// What each class held, as a hash.
    held: Vec<u64>,
    /// When that changed, in it and in the classes at most so far below it.
    changed: Vec<Vec<u32>>,
}

impl Ages {
    /// Begins a round; patterns reach at most `depth` classes down.
    fn next(&mut self, egraph: &EGraph<Term, Facts>, depth: usize) {
        self.round += 1;
        let most = egraph.classes().map(|class| usize::from(class.id) + 1).max().unwrap_or(0);
        self.held.resize(most.max(self.held.len()), 0);
        self.changed.resize(depth.max(1), Vec::new());
        self.changed.iter_mut().for_each(|level| level.resize(self.held.len(), 0));
        for class in egraph.classes() {
            let at = usize::from(class.id);
            let mut hasher = DefaultHasher::new();
            class.nodes.iter().for_each(|term| (term.children(), op_name(term)).hash(&mut hasher));
            let held = hasher.finish();
            if self.changed[0][at] == 0 || self.held[at] != held {
                (self.held[at], self.changed[0][at]) = (held, self.round);
            }
        }
        for level in 1..self.changed.len() {
            for class in egraph.classes() {
                let at = usize::from(class.id);
                let children = class.nodes.iter().flat_map(|term| term.children());
                let below = children.map(|&child| self.changed[level - 1][usize::from(child)]);
                self.changed[level][at] = below.fold(self.changed[0][at], u32::max);
            }
        }
    }
}

/// The name of an op. Terms without operands are all that their class ever holds.
fn op_name(term: &Term) -> &'static str {
    match term {
        Term::Op(name, _) => name,
        _ => "",
    }
}

/// How many terms of a pattern stand below one another.
fn depth(pattern: &PatternAst<Term>) -> usize {
    let mut depths: Vec<usize> = Vec::with_capacity(pattern.len());
    for node in pattern.iter() {
        let below = node.children().iter().map(|&child| depths[usize::from(child)]).max().unwrap_or(0);
        depths.push(if matches!(node, ENodeOrVar::Var(_)) { 0 } else { below + 1 });
    }
    depths.last().copied().unwrap_or(0)
}

fn pattern(rewrite: &Rewrite<Term, Facts>) -> &PatternAst<Term> {
    rewrite.searcher.get_pattern_ast().expect("rules look for patterns")
}

impl Scheduler {
    /// A scheduler for a region that tries at most `limit` matches.
    pub(crate) fn new(limit: usize) -> Scheduler {
        Scheduler { limit, cut: false, cyclic: HashMap::new(), searched: HashMap::new(), ages: Ages::default() }
    }
    /// Whether a runner stopped because the limit was met.
    pub(crate) fn stopped(reason: &StopReason) -> bool {
        matches!(reason, StopReason::Other(why) if why == LIMIT)
    }
}

impl RewriteScheduler<Term, Facts> for Scheduler {
    fn can_stop(&mut self, _: usize) -> bool {
        !self.cut
    }

    fn search_rewrites<'a>(
        &mut self,
        round: usize,
        egraph: &EGraph<Term, Facts>,
        rewrites: &[&'a Rewrite<Term, Facts>],
        limits: &RunnerLimits,
    ) -> Result<Vec<Vec<SearchMatches<'a, Term>>>, StopReason> {
        limits.check_limits(round, egraph)?;
        let mut left = self.limit.saturating_sub(egraph.analysis.tried.count);
        let classes = by_kind(egraph);
        self.ages.next(egraph, rewrites.iter().map(|rewrite| depth(pattern(rewrite))).max().unwrap_or(0));
        let mut all: Vec<Vec<SearchMatches<Term>>> = rewrites.iter().map(|_| Vec::new()).collect();
        self.cut = false;
        for smaller in [true, false] {
            let mut total = 0;
            for (matches, rewrite) in
                all.iter_mut().zip(rewrites).filter(|(_, rule)| rules::shrinks(rule.name) == smaller)
            {
                let found = self.search(egraph, rewrite, &classes, left.min(PER_RULE));
                if found.cut && left == found.count {
                    return Err(StopReason::Other(LIMIT.into()));
                }
                (left, total) = (left - found.count, total + found.count);
                self.cut |= found.cut;
                *matches = found.matches;
            }
            if smaller && total > 0 {
                self.cut = true;
                break;
            }
        }
        Ok(all)
    }
}

/// The classes that hold a term of each kind, in order.
fn by_kind(egraph: &EGraph<Term, Facts>) -> HashMap<Kind, Vec<Id>> {
    let ids: BTreeMap<Id, ()> = egraph.classes().map(|class| (class.id, ())).collect();
    let mut classes: HashMap<Kind, Vec<Id>> = HashMap::new();
    for &id in ids.keys() {
        for term in egraph[id].iter().filter(|term| matches!(term, Term::Op(..))) {
            let list = classes.entry(term.discriminant()).or_default();
            if list.last() != Some(&id) {
                list.push(id);
            }
        }
    }
    classes
}

/// New matches of a rule.
struct Found<'a> {
    matches: Vec<SearchMatches<'a, Term>>,
    count: usize,
    /// Whether there are more.
    cut: bool,
}

impl Scheduler {
    fn search<'a>(
        &mut self,
        egraph: &EGraph<Term, Facts>,
        rewrite: &'a Rewrite<Term, Facts>,
        classes: &HashMap<Kind, Vec<Id>>,
        most: usize,
    ) -> Found<'a> {
        let Tried { of_rules, changes, .. } = &egraph.analysis.tried;
        let nothing = HashMap::new();
        let known = of_rules.get(&rewrite.name).unwrap_or(&nothing);
        let cyclic = self.cyclic.entry(rewrite.name).or_default();
        let is_known = |key: &(Id, Subst)| match known.get(key) {
            None => false,
            Some(Outcome::Applied) => true,
            Some(Outcome::Refused(at)) => at == changes,
        };
        let mut found = Found { matches: Vec::new(), count: 0, cut: false };
        let pattern = pattern(rewrite);
        let (searched, changed) =
            (self.searched.entry(rewrite.name).or_default(), &self.ages.changed[depth(pattern) - 1]);
        let ENodeOrVar::ENode(root) = &pattern[pattern.root()] else { return found };
        let Some(classes) = classes.get(&root.discriminant()) else { return found };
        searched.resize(changed.len(), (0, 0));
        let now = (self.ages.round, *changes as u32);
        for &class in classes {
            let before = &mut searched[usize::from(class)];
            if changed[usize::from(class)] <= before.0 && before.1 == now.1 {
                continue;
            }
            // Known matches are found again: enough for those and one more than may be tried.
            let enough = known.len() + cyclic.len() + most - found.count + 1;
            let Some(SearchMatches { substs, ast, .. }) =
                rewrite.searcher.search_eclass_with_limit(egraph, class, enough)
            else {
                *before = now;
                continue;
            };
            let mut seen = HashSet::new();
            let mut new: Vec<Subst> = Vec::new();
            for subst in substs {
                let key = (class, subst);
                if is_known(&key) || cyclic.contains(&key) || !seen.insert(key.clone()) {
                    continue;
                }
                if holds_itself(egraph, pattern, class, &key.1) {
                    cyclic.insert(key);
                    continue;
                }
                if found.count == most {
                    found.cut = true;
                    break;
                }
                found.count += 1;
                new.push(key.1);
            }
            if !new.is_empty() {
                found.matches.push(SearchMatches { eclass: class, substs: new, ast });
            }
            if found.cut {
                break;
            }
            *before = now;
        }
        found
    }
}

/// Whether some class of a match is made of itself, but for a view that moves nothing: rows name a constant with its view,
/// also where it is the whole constant as it is.
fn holds_itself(egraph: &EGraph<Term, Facts>, pattern: &PatternAst<Term>, class: Id, matched: &Subst) -> bool {
    // The class of each node of the pattern, and the nodes that it is made of.
    let mut placed: Vec<Id> = Vec::with_capacity(pattern.len());
    let mut below: Vec<u128> = Vec::with_capacity(pattern.len());
    for (at, node) in pattern.iter().enumerate() {
        let (id, parts) = match node {
            ENodeOrVar::Var(var) => (egraph.find(matched[*var]), 0),
            ENodeOrVar::ENode(term) => {
                let own = term.clone().map_children(|child| placed[usize::from(child)]);
                let parts = term.children().iter().fold(0, |set, &c| set | below[usize::from(c)] | 1 << usize::from(c));
                (egraph.lookup(own).unwrap_or(class), parts)
            }
        };
        let cyclic = (0..at).any(|part| parts >> part & 1 == 1 && placed[part] == id);
        if cyclic && !moves_nothing(egraph, node, &placed) {
            return true;
        }
        placed.push(id);
        below.push(parts);
    }
    false
}

/// Whether a node of a pattern is a view that moves nothing; `placed` are the classes of earlier nodes.
fn moves_nothing(egraph: &EGraph<Term, Facts>, node: &ENodeOrVar<Term>, placed: &[Id]) -> bool {
    let ENodeOrVar::ENode(Term::Op("view", children)) = node else { return false };
    let map = |child: &Id| &egraph[placed[usize::from(*child)]].data;
    matches!(children.first().map(map), Some(Fact::Attr(_, Attr::View(map))) if **map == View::identity(&map.shape))
}
