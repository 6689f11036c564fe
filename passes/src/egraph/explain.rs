//! Which rules led from what was written to what was chosen.
//!
//! egg's proof is a tree with shared parts; read as a tree it is exponential, so it is walked as what it is, a
//! graph, each part once:
//!
//! ```text
//!   written ──rule──▶ term ──rule──▶ term ◀──rule── chosen
//!                      └ operand ──rule──▶ operand
//! ```
//!
//! Each use of a rule becomes two small graphs, the rule's sides with the shapes they had there and an input for
//! each variable, so that anyone can evaluate both and see that they agree.

use super::{
    rules::{self, Rule, instantiate, name_of},
    signature::Kind,
    term::{Egraph, Fact, Leaf, Term, decode, fact_of},
};
use crate::{error::Error, step::RewriteStep};
use egg::{ENodeOrVar, Id, Language, RecExpr, TreeTerm};
use regard_ir::{
    graph::{Graph, NodeId},
    ops::{Input, Weight},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
};

/// The rules used on the way from `written` to `chosen`, in order.
pub(crate) fn steps(
    egraph: &mut Egraph,
    written: &RecExpr<Term>,
    chosen: &RecExpr<Term>,
) -> Result<Vec<RewriteStep>, Error> {
    let proof = egraph.explain_equivalence(written, chosen);
    let mut walk = Walk { leaves: &egraph.analysis.leaves, ..Walk::default() };
    walk.proof(&proof.explanation_trees)?;
    Ok(walk.steps)
}

/// Which of a proof's two terms is meant.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum End {
    First,
    Last,
}

#[derive(Default)]
struct Walk<'a> {
    leaves: &'a [Leaf],
    seen: BTreeSet<*const TreeTerm<Term>>,
    steps: Vec<RewriteStep>,
    /// All terms met, each once, with what they are.
    terms: Vec<Term>,
    facts: Vec<Fact>,
    known: HashMap<Term, Id>,
    placed: HashMap<(*const TreeTerm<Term>, End), Id>,
}

impl Walk<'_> {
    fn proof(&mut self, terms: &[Rc<TreeTerm<Term>>]) -> Result<(), Error> {
        for (at, term) in terms.iter().enumerate() {
            if !self.seen.insert(Rc::as_ptr(term)) {
                continue;
            }
            let uses = [(term.forward_rule, false), (term.backward_rule, true)];
            for (rule, backward) in uses.into_iter().filter_map(|(rule, backward)| Some((rule?, backward))) {
                let (before, after) = (self.place(&terms[at - 1], End::Last), self.place(term, End::First));
                let step = self.step(rule.as_str(), backward, if backward { after } else { before });
                self.steps.push(step.ok_or_else(|| Error::broken(format!("rule {rule} does not fit its own proof")))?);
            }
            for child in &term.child_proofs {
                self.proof(child)?;
            }
        }
        Ok(())
    }

    /// The term at one end of a proof.
    fn place(&mut self, term: &Rc<TreeTerm<Term>>, end: End) -> Id {
        let key = (Rc::as_ptr(term), end);
        if let Some(&id) = self.placed.get(&key) {
            return id;
        }
        let children: Vec<Id> = term
            .child_proofs
            .iter()
            .map(|proof| {
                let child = if end == End::First { proof.first() } else { proof.last() };
                self.place(child.expect("a proof has terms"), end)
            })
            .collect();
        let mut children = children.into_iter();
        let new = term.node.clone().map_children(|_| children.next().expect("a proof for every child"));
        let id = match self.known.get(&new) {
            Some(&id) => id,
            None => {
                let fact =
                    fact_of(&new, self.leaves, |id| &self.facts[usize::from(id)]).expect("proofs are well-typed");
                let id = Id::from(self.terms.len());
                self.facts.push(fact);
                self.terms.push(new.clone());
                self.known.insert(new, id);
                id
            }
        };
        self.placed.insert(key, id);
        id
    }

    /// The rule at a term that is its left side.
    fn step(&self, name: &str, backward: bool, at: Id) -> Option<RewriteStep> {
        let rule = rules::all().iter().find(|rule| rule.name == name)?;
        let pattern = rule.left.ast.as_ref();
        let mut bound = BTreeMap::new();
        self.matches(pattern, pattern.len() - 1, at, &mut bound).then_some(())?;
        let facts = bound.into_iter().map(|(name, id)| (name, self.facts[usize::from(id)].clone())).collect();
        let (left, right) = sides(rule, &facts, self.facts[usize::from(at)].tensor()?)?;
        Some(RewriteStep { rule: name.to_string(), backward, left, right })
    }

    fn matches(&self, pattern: &[ENodeOrVar<Term>], node: usize, at: Id, bound: &mut BTreeMap<String, Id>) -> bool {
        match &pattern[node] {
            ENodeOrVar::Var(var) => *bound.entry(name_of(*var)).or_insert(at) == at,
            ENodeOrVar::ENode(wanted) => {
                let found = &self.terms[usize::from(at)];
                let mut pairs = wanted.children().iter().zip(found.children());
                wanted.matches(found) && pairs.all(|(&w, &f)| self.matches(pattern, usize::from(w), f, bound))
            }
        }
    }
}

/// Both sides of a rule as graphs, for variables that are `facts`; `root` is the type of both.
fn sides(rule: &Rule, facts: &BTreeMap<String, Fact>, root: &regard_ir::types::TensorType) -> Option<(Graph, Graph)> {
    let computed = rule.bind(&|name| facts.get(name), root)?;
    let tensors: Vec<&String> = rule
        .signature
        .items
        .iter()
        .filter(|(_, kind)| matches!(kind, Kind::Tensor(..)))
        .map(|(name, _)| name)
        .collect();
    let variable = |name: &str| match facts.get(name) {
        Some(Fact::Attr(attr, value)) => Some(Term::Attr(attr, value.clone())),
        Some(Fact::Type(ty)) => Some(Term::Type(ty.clone())),
        Some(Fact::Tensor { .. }) => tensors.iter().position(|n| *n == name).map(|at| Term::Leaf(at as u32)),
        None => computed.iter().find(|(n, _)| *n == name).map(|(_, term)| term.clone()),
    };
    let side = |pattern| {
        let mut expr = RecExpr::default();
        instantiate(pattern, &mut expr, &mut |expr, name| expr.add(variable(name).expect("every variable is bound")));
        let mut graph = Graph::new(rule.name.clone());
        let leaves = tensors.iter().map(|name| {
            let ty = facts[*name].tensor()?.clone();
            let leaf =
                if facts[*name].is_constant() { graph.push(Weight { ty }, &[]) } else { graph.push(Input { ty }, &[]) };
            let leaf = leaf.ok()?;
            graph.set_label(leaf, name.as_str());
            Some(leaf)
        });
        let leaves: Vec<NodeId> = leaves.collect::<Option<_>>()?;
        let nodes = decode(expr.as_ref(), &mut graph, |i| leaves[i as usize]).ok()?;
        graph.outputs = vec![(*nodes.last()?)?];
        Some(graph)
    };
    Some((side(&rule.left)?, side(&rule.right)?))
}
