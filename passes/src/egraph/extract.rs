//! Extraction: the cheapest program that an e-graph holds, where a shared value is paid once.
//!
//! egg's own extractor prices trees: it would charge the scores under two softmaxes twice. Here each class keeps
//! the *set* of classes that its choice needs, and the price is the price of the set:
//!
//! ```text
//!   cost(class) = min over terms of  Σ price(choice(c))  for c in  {class} ∪ needs(child₁) ∪ needs(child₂) …
//! ```
//!
//! That is greedy: children choose without knowing what their siblings share. So every class is taken as paid for
//! once, to see whether others would rather share it, and every choice is tried against its alternatives, on the
//! whole program, until nothing is cheaper. Among equals the lower rank wins, then what was written, then the order
//! of terms; nothing depends on the order of a table.

use super::{
    cost::{self, Price},
    term::{Egraph, Term},
};
use egg::{Id, Language, RecExpr};
use regard_ir::target::Target;
use std::collections::{BTreeMap, BTreeSet};

/// Rounds of improvement at most.
const ROUNDS: usize = 8;

/// The cheapest program found.
#[derive(Clone, Debug)]
pub struct Extracted {
    /// The program; the root is the last term.
    pub expr: RecExpr<Term>,
    /// The term of every class that it uses.
    pub terms: BTreeMap<Id, Id>,
    /// Its cost in femtoseconds.
    pub cost: u64,
}

/// One way to compute a class.
struct Way {
    term: Term,
    children: Vec<usize>,
    price: Price,
    /// Whether it stands in the program as written.
    written: bool,
}

/// The e-graph as tables: classes by number, their terms in order of preference.
pub struct Tables {
    ids: Vec<Id>,
    options: Vec<Vec<Way>>,
    root: usize,
}

/// For each class the number of the chosen term.
type Choice = Vec<usize>;

/// Extracts `root`; `written` are the terms of the program as given.
pub fn extract(egraph: &Egraph, root: Id, written: &BTreeSet<Term>, target: &Target) -> Extracted {
    let tables = Tables::new(egraph, root, written, target);
    tables.finish(&tables.best())
}

impl Tables {
    /// Reads an e-graph that is rebuilt. `written` holds canonical terms.
    pub fn new(egraph: &Egraph, root: Id, written: &BTreeSet<Term>, target: &Target) -> Tables {
        let ids: Vec<Id> = egraph.classes().map(|c| c.id).collect::<BTreeSet<_>>().into_iter().collect();
        let number: BTreeMap<Id, usize> = ids.iter().enumerate().map(|(i, &id)| (id, i)).collect();
        let at = |id: Id| number[&egraph.find(id)];
        let option = |term: &Term, id: Id| {
            let term = term.clone().map_children(|c| egraph.find(c));
            let price = cost::price(&term, &egraph[id].data, |c| &egraph[c].data, target);
            let children = term.children().iter().map(|&c| at(c)).collect();
            Way { written: written.contains(&term), children, price, term }
        };
        let options = ids.iter().map(|&id| {
            let mut all: Vec<Way> = egraph[id].nodes.iter().map(|term| option(term, id)).collect();
            all.sort_by(|a, b| (a.price.rank, !a.written, &a.term).cmp(&(b.price.rank, !b.written, &b.term)));
            all
        });
        Tables { options: options.collect(), root: at(root), ids }
    }

    fn best(&self) -> Choice {
        let mut paid = vec![false; self.ids.len()];
        let written = self.written();
        let greedy = self.greedy(&paid, &written);
        let mut choice = if self.cost(&greedy).is_some() { greedy } else { written };
        self.share(&mut choice, &mut paid);
        self.improve(&mut choice);
        choice
    }

    /// The program as written, which has no cycles.
    fn written(&self) -> Choice {
        self.options.iter().map(|ways| ways.iter().position(|way| way.written).unwrap_or(0)).collect()
    }

    /// Each class chooses the term whose needs cost least. Classes that are `paid` cost nothing and keep what
    /// `before` says.
    fn greedy(&self, paid: &[bool], before: &Choice) -> Choice {
        let words = self.ids.len().div_ceil(64);
        let mut choice: Vec<Option<(u64, usize)>> =
            paid.iter().zip(before).map(|(&p, &at)| p.then_some((0, at))).collect();
        let mut needs: Vec<Vec<u64>> = vec![vec![0; words]; self.ids.len()];
        let mut changed = true;
        while changed {
            changed = false;
            for class in (0..self.ids.len()).filter(|&c| !paid[c]) {
                for (at, way) in self.options[class].iter().enumerate() {
                    if way.children.iter().any(|&c| choice[c].is_none()) {
                        continue;
                    }
                    let mut set = vec![0u64; words];
                    for &child in &way.children {
                        set.iter_mut().zip(&needs[child]).for_each(|(a, b)| *a |= b);
                    }
                    if contains(&set, class) {
                        continue;
                    }
                    let below = |c: usize| choice[c].map_or(0, |(_, at)| self.options[c][at].price.cost);
                    let cost = way.price.cost + members(&set).map(below).sum::<u64>();
                    if choice[class].is_none_or(|(best, _)| cost < best) {
                        set[class / 64] |= 1 << (class % 64);
                        choice[class] = Some((cost, at));
                        needs[class] = set;
                        changed = true;
                    }
                }
            }
        }
        choice.iter().zip(before).map(|(c, &at)| c.map_or(at, |(_, at)| at)).collect()
    }

    /// Looks for values worth sharing: where all would choose anew if one class were paid for, and the whole is
    /// cheaper, it is.
    fn share(&self, choice: &mut Choice, paid: &mut [bool]) {
        let Some(mut best) = self.cost(choice) else { return };
        let mut readers = vec![0; self.ids.len()];
        self.options.iter().flatten().flat_map(|way| &way.children).for_each(|&c| readers[c] += 1);
        let shared = |&class: &usize| readers[class] > 1 && self.options[class].iter().all(|way| way.price.cost > 1);
        for class in (0..self.ids.len()).filter(shared) {
            paid[class] = true;
            let candidate = self.greedy(paid, choice);
            match self.cost(&candidate) {
                Some(cost) if cost < best => {
                    best = cost;
                    *choice = candidate;
                }
                _ => paid[class] = false,
            }
        }
    }

    /// Tries every alternative on the whole program.
    fn improve(&self, choice: &mut Choice) {
        let Some(mut best) = self.cost(choice) else { return };
        for _ in 0..ROUNDS {
            let before = best;
            for class in self.order(choice).unwrap_or_default() {
                for at in 0..self.options[class].len() {
                    let old = std::mem::replace(&mut choice[class], at);
                    match self.cost(choice) {
                        Some(cost) if cost < best => best = cost,
                        _ => choice[class] = old,
                    }
                }
            }
            if best == before {
                return;
            }
        }
    }

    /// The classes that the root needs, operands first; `None` where the choices form a cycle.
    fn order(&self, choice: &Choice) -> Option<Vec<usize>> {
        let mut state = vec![0u8; self.ids.len()];
        let mut order = Vec::new();
        let mut work = vec![(self.root, false)];
        while let Some((class, ready)) = work.pop() {
            match (state[class], ready) {
                (_, true) => {
                    state[class] = 2;
                    order.push(class);
                }
                (0, _) => {
                    state[class] = 1;
                    work.push((class, true));
                    let option = &self.options[class][choice[class]];
                    if option.children.iter().any(|&c| state[c] == 1) {
                        return None;
                    }
                    work.extend(option.children.iter().rev().map(|&c| (c, false)));
                }
                (1, _) => return None,
                _ => {}
            }
        }
        Some(order)
    }

    fn cost(&self, choice: &Choice) -> Option<u64> {
        let order = self.order(choice)?;
        Some(order.iter().map(|&c| self.options[c][choice[c]].price.cost).sum())
    }

    fn finish(&self, choice: &Choice) -> Extracted {
        let mut expr = RecExpr::default();
        let mut terms = BTreeMap::new();
        let order = self.order(choice).expect("the program as written has no cycles");
        for &class in &order {
            let term = self.options[class][choice[class]].term.clone().map_children(|c| terms[&c]);
            terms.insert(self.ids[class], expr.add(term));
        }
        Extracted { expr, terms, cost: self.cost(choice).expect("it has an order") }
    }

    /// The least cost of any program, by trying all choices; `None` where that takes more than `most` steps.
    #[cfg(test)]
    pub fn exact(&self, most: usize) -> Option<u64> {
        let mut choice = vec![usize::MAX; self.ids.len()];
        let (mut best, mut steps) = (u64::MAX, 0);
        self.search(&mut vec![self.root], &mut choice, 0, &mut best, &mut steps, most);
        (steps <= most).then_some(best)
    }

    /// Decides the classes in `open` and what they need, one after the other.
    #[cfg(test)]
    fn search(
        &self,
        open: &mut Vec<usize>,
        choice: &mut Choice,
        cost: u64,
        best: &mut u64,
        steps: &mut usize,
        most: usize,
    ) {
        *steps += 1;
        if *steps > most || cost >= *best {
            return;
        }
        let Some(class) = open.pop() else {
            if self.order(choice).is_some() {
                *best = cost;
            }
            return;
        };
        if choice[class] != usize::MAX {
            self.search(open, choice, cost, best, steps, most);
        } else {
            for (at, option) in self.options[class].iter().enumerate() {
                choice[class] = at;
                let length = open.len();
                open.extend(&option.children);
                self.search(&mut open.clone(), choice, cost + option.price.cost, best, steps, most);
                open.truncate(length);
            }
            choice[class] = usize::MAX;
        }
        open.push(class);
    }
}

fn contains(set: &[u64], at: usize) -> bool {
    set[at / 64] >> (at % 64) & 1 == 1
}

fn members(set: &[u64]) -> impl Iterator<Item = usize> + '_ {
    set.iter()
        .enumerate()
        .flat_map(|(word, &bits)| (0..64).filter(move |b| bits >> b & 1 == 1).map(move |b| word * 64 + b))
}
