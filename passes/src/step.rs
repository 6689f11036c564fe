//! What the passes did, in a form that can be read and tried out.
//!
//! ```text
//!   form    a whole graph       written ──▶ inlined ──▶ sunk ──▶ folded ──▶ rules ──▶ merged
//!   step    two small graphs    (matmul (mul x g) w)   =   (matmul x (mul w g))
//! ```
//!
//! A step says what was found and what was put in its place; both sides have the same inputs by name and the
//! same value, wherever the first has one. [`crate::replay`] tries that.

use regard_ir::graph::Graph;
use std::collections::HashSet;

/// One use of an equation: `left` and `right` have the same inputs and the same outputs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RewriteStep {
    /// The rule's name.
    pub rule: String,
    /// Whether the right side was found and the left side put in its place.
    pub backward: bool,
    /// The left side, with an input or weight for each tensor variable, labelled by its name.
    pub left: Graph,
    /// The right side.
    pub right: Graph,
}

impl RewriteStep {
    /// What was found, and what it became.
    pub fn sides(&self) -> (&Graph, &Graph) {
        if self.backward { (&self.right, &self.left) } else { (&self.left, &self.right) }
    }
}

/// Steps in the order in which they were made, each kind once.
#[derive(Default)]
pub(crate) struct Steps {
    all: Vec<RewriteStep>,
    known: HashSet<RewriteStep>,
}

impl Steps {
    /// Takes a step in where none is equal to it.
    pub(crate) fn add(&mut self, step: RewriteStep) {
        if !self.known.contains(&step) {
            self.known.insert(step.clone());
            self.all.push(step);
        }
    }
    /// The steps.
    pub(crate) fn into_vec(self) -> Vec<RewriteStep> {
        self.all
    }
}

/// The whole graph after a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The stage, for users.
    pub name: &'static str,
    /// The graph; inputs, weights and outputs are those of every other snapshot.
    pub graph: Graph,
    /// What the stage did, each kind of step once; empty where it moved things without an equation of its own.
    pub steps: Vec<RewriteStep>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_step_is_kept_once_where_it_was_first() {
        let step = |rule: &str, backward| {
            let side = |name: &str| Graph::new(name);
            RewriteStep { rule: rule.into(), backward, left: side("left"), right: side("right") }
        };
        let mut steps = Steps::default();
        for (rule, backward) in [("b", false), ("a", false), ("b", false), ("b", true), ("a", false)] {
            steps.add(step(rule, backward));
        }
        assert_eq!(steps.into_vec(), [step("b", false), step("a", false), step("b", true)]);
    }
}
