//! Extraction: the cheapest program that an e-graph holds, where a shared subterm is counted once (DAG cost).
//!
//! egg's own extractor costs trees: it would count the scores under two softmaxes twice. Here each class stores the set
//! of classes that its chosen term depends on; the cost of a choice is the sum over that set:
//!
//! ```text
//!   cost(class) = min over terms of  Σ cost over set,   set = {class} ∪ set(child₁) ∪ set(child₂) …
//! ```
//!
//! Constants have no cost; among equal constants the smallest term is chosen.
//!
//! Greedy extraction ignores sharing: children choose without knowing what their siblings need. So each class in turn
//! is assumed to be free, and the change is kept where the whole program gets cheaper; then every choice is tried
//! against its alternatives, on the whole program, until nothing is cheaper. What the first of these takes is limited in
//! proportion to the e-graph. Among equals the lower rank wins, then what was written, then the order of terms; nothing
//! depends on the order of a table.

use super::{
    cost::{Price, Prices},
    cost_set::{Readers, Search},
    term::{Egraph, Term},
};
use egg::{Id, Language, RecExpr};
use regard_ir::target::Target;
use std::collections::{BTreeMap, BTreeSet};

/// Rounds of improvement at most.
const ROUNDS: usize = 8;
/// Most visits of classes in a search for what sharing saves, for each class that costs something: twelve times what any
/// recorded model takes.
const MOST_VISITS: usize = 256;

/// The cheapest program found.
#[derive(Clone, Debug)]
pub(crate) struct Extracted {
    /// The program; the root is the last term.
    pub expr: RecExpr<Term>,
    /// The term of every class that it uses.
    pub terms: BTreeMap<Id, Id>,
    /// Its cost in femtoseconds.
    pub cost: u64,
}

/// One way to compute a class.
struct Candidate {
    term: Term,
    children: Vec<usize>,
    price: Price,
    /// Whether it stands in the program as written.
    written: bool,
}

/// The e-graph as tables: classes by number, their terms in order of preference.
pub(crate) struct Tables {
    ids: Vec<Id>,
    options: Vec<Vec<Candidate>>,
    /// The place of each class among those that cost something; constants, leaves and attributes are free.
    places: Vec<Option<usize>>,
    priced: usize,
    root: usize,
}

/// For each class the number of the chosen term.
pub(crate) type Choice = Vec<usize>;

/// Extracts `root`; `written` are the terms of the program as given.
pub(crate) fn extract(egraph: &Egraph, root: Id, written: &BTreeSet<Term>, target: &Target) -> Extracted {
    let tables = Tables::new(egraph, root, written, target);
    tables.finish(&tables.best())
}

impl Tables {
    /// Reads an e-graph that is rebuilt. `written` holds canonical terms.
    pub(crate) fn new(egraph: &Egraph, root: Id, written: &BTreeSet<Term>, target: &Target) -> Tables {
        let ids: Vec<Id> = egraph.classes().map(|c| c.id).collect::<BTreeSet<_>>().into_iter().collect();
        let number: BTreeMap<Id, usize> = ids.iter().enumerate().map(|(i, &id)| (id, i)).collect();
        let at = |id: Id| number[&egraph.find(id)];
        let prices = Prices::new(egraph, target);
        let option = |term: &Term, id: Id| {
            let term = term.clone().map_children(|c| egraph.find(c));
            let price = prices.of(&term, id);
            let children = term.children().iter().map(|&c| at(c)).collect();
            Candidate { written: written.contains(&term), children, price, term }
        };
        let options = ids.iter().map(|&id| {
            let mut all: Vec<Candidate> = egraph[id].nodes.iter().map(|term| option(term, id)).collect();
            all.sort_by(|a, b| (a.price.rank, !a.written, &a.term).cmp(&(b.price.rank, !b.written, &b.term)));
            all
        });
        let options: Vec<Vec<Candidate>> = options.collect();
        let mut priced = 0;
        let place = |ways: &Vec<Candidate>| {
            let free = ways.iter().any(|way| way.price.cost <= 1);
            priced += usize::from(!free);
            (!free).then(|| priced - 1)
        };
        let places = options.iter().map(place).collect();
        Tables { options, places, priced, root: at(root), ids }
    }

    /// How many classes there are.
    pub(crate) fn classes(&self) -> usize {
        self.ids.len()
    }
    /// The class that is wanted.
    pub(crate) fn root(&self) -> usize {
        self.root
    }
    /// Whether it is a constant, a leaf or an attribute, which cost nothing.
    pub(crate) fn is_free(&self, class: usize) -> bool {
        self.places[class].is_none()
    }
    /// The place of a class among those that are not free.
    pub(crate) fn place(&self, class: usize) -> Option<usize> {
        self.places[class]
    }
    /// How many classes are not free.
    pub(crate) fn priced(&self) -> usize {
        self.priced
    }
    /// The terms of a class: what each costs without its operands, and those.
    pub(crate) fn candidates(&self, class: usize) -> impl DoubleEndedIterator<Item = (u64, &[usize])> {
        self.options[class].iter().map(|way| (way.price.cost, &way.children[..]))
    }

    fn best(&self) -> Choice {
        let written = self.written();
        let readers = Readers::new(self);
        let mut search = Search::new(self, &readers, &written);
        search.settle();
        let greedy = search.choice();
        let mut choice = if self.cost(&greedy).is_some() { greedy } else { written };
        self.share(&mut choice, search, &readers);
        self.improve(&mut choice);
        choice
    }

    /// The program as written, which has no cycles.
    fn written(&self) -> Choice {
        self.options.iter().map(|ways| ways.iter().position(|way| way.written).unwrap_or(0)).collect()
    }

    /// For each class: extracts again as if it were free, and keeps the result where the total cost drops.
    fn share<'a>(&'a self, choice: &mut Choice, mut search: Search<'a>, readers: &'a Readers) {
        let Some(mut best) = self.cost(choice) else { return };
        let mut uses = vec![0; self.ids.len()];
        self.options.iter().flatten().flat_map(|way| &way.children).for_each(|&c| uses[c] += 1);
        let mut candidate = search.clone();
        let shared = |&class: &usize| uses[class] > 1 && !self.is_free(class) && readers.reach(class);
        let mut visits = 0;
        for class in (0..self.ids.len()).filter(shared) {
            if visits > MOST_VISITS * self.priced {
                break;
            }
            candidate.copy(&search);
            candidate.assume_free(class, choice[class]);
            visits += candidate.settle();
            let other = candidate.choice();
            match self.cost(&other) {
                Some(cost) if cost < best => {
                    best = cost;
                    *choice = other;
                    std::mem::swap(&mut search, &mut candidate);
                }
                _ => {}
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
                    if at == choice[class] {
                        continue;
                    }
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
    pub(crate) fn exact(&self, most: usize) -> Option<u64> {
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
