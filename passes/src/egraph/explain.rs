//! Which rules led from what was written to what was chosen.
//!
//! egg's proof is a tree with shared parts; read as a tree it is exponential, so it is walked as what it is, a
//! graph, each part once:
//!
//! ```text
//!   written ──rule──▶ term ──rule──▶ term ◀──rule── chosen
//!                      └ operand ──rule──▶ operand
//! ```

use super::term::{Egraph, Term};
use egg::{RecExpr, TreeTerm};
use std::{collections::BTreeSet, rc::Rc};

/// One use of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// The rule's name.
    pub rule: String,
    /// Whether the right side was found and the left side put in its place.
    pub backward: bool,
}

/// The rules used on the way from `written` to `chosen`, in order.
pub fn steps(egraph: &mut Egraph, written: &RecExpr<Term>, chosen: &RecExpr<Term>) -> Vec<Step> {
    let proof = egraph.explain_equivalence(written, chosen);
    let mut walk = Walk { seen: BTreeSet::new(), steps: Vec::new() };
    proof.explanation_trees.iter().for_each(|term| walk.term(term));
    walk.steps
}

struct Walk {
    seen: BTreeSet<*const TreeTerm<Term>>,
    steps: Vec<Step>,
}

impl Walk {
    fn term(&mut self, term: &Rc<TreeTerm<Term>>) {
        if !self.seen.insert(Rc::as_ptr(term)) {
            return;
        }
        let uses = [(&term.forward_rule, false), (&term.backward_rule, true)];
        for (rule, backward) in uses {
            if let Some(rule) = rule {
                self.steps.push(Step { rule: rule.as_str().to_string(), backward });
            }
        }
        term.child_proofs.iter().flatten().for_each(|child| self.term(child));
    }
}
