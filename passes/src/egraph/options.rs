//! Which rules run, and for how long.
//!
//! ```text
//!   the table      r₁ r₂ r₃ … rₙ      in the order of `rules/`, then `horizontal_fusion`
//!   limit = 2      r₁ r₂              to bisect: the smallest limit that goes wrong names the rule
//!   without r₂     r₁    r₃ … rₙ
//! ```

use super::{rules, term::Facts, term::Term};
use crate::horizontal_fusion;
use egg::Rewrite;

/// What the optimiser may do; everything by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Only the first so many of [`rule_names`].
    pub limit: Option<usize>,
    /// Rules that are not used, by name.
    pub without: Vec<String>,
    /// Most terms of one e-graph.
    pub terms: usize,
    /// Most rounds of all rules.
    pub rounds: usize,
    /// Most matches of rules that are tried in one e-graph, for each node of its region.
    pub matches: usize,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { limit: None, without: Vec::new(), terms: 20_000, rounds: 100, matches: 50 }
    }
}

impl Rules {
    /// Most matches that are tried for a region of so many nodes.
    pub(super) fn matches(&self, nodes: usize) -> usize {
        const FEWEST: usize = 20;
        self.matches.saturating_mul(nodes.max(FEWEST))
    }
    /// Whether a rule is used; `at` is its place in [`rule_names`].
    fn has(&self, at: usize, name: &str) -> bool {
        self.limit.is_none_or(|limit| at < limit) && !self.without.iter().any(|other| other == name)
    }
    /// Whether parallel products are merged.
    pub(super) fn merges(&self) -> bool {
        self.has(rules::all().len(), horizontal_fusion::RULE)
    }
    /// The rows of the table that are used.
    pub(super) fn rewrites(&self) -> impl Iterator<Item = &'static Rewrite<Term, Facts>> {
        let used = |&(at, rule): &(usize, &'static Rewrite<Term, Facts>)| self.has(at, rule.name.as_str());
        rules::rewrites().iter().enumerate().filter(used).map(|(_, rule)| rule)
    }
}

/// Names of all rules, in the order that [`Rules::limit`] counts: the table, then the step of grouping.
pub fn rule_names() -> Vec<&'static str> {
    row_names().into_iter().chain([horizontal_fusion::RULE]).collect()
}

/// Names of the table's rules, which can be tried one by one.
pub fn row_names() -> Vec<&'static str> {
    rules::all().iter().map(|rule| rule.name.as_str()).collect()
}
