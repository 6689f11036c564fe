//! Cost sets: what each class of an e-graph costs with everything that it needs, each class counted once.
//!
//! ```text
//!   cost(class) = min over terms of  Σ own over set,   set = {class} ∪ set(child₁) ∪ set(child₂) …
//! ```
//!
//! A set is a row of bits, one per class that costs something, so a union is a few words. Classes are visited operands first, repeatedly,
//! but only those whose operands changed. A class changes where it gets strictly cheaper, so this ends; among equals
//! the term as written stays. Where a class is assumed to be free, only its readers are visited again: n
//! classes are tried in n visits of their readers, not in n searches of the whole.

use super::extract::{Choice, Tables};

/// A search for the cheapest term of each class.
#[derive(Clone)]
pub(crate) struct Search<'a> {
    tables: &'a Tables,
    /// Classes that the root can need, operands first as far as there is such an order.
    order: &'a [usize],
    /// The classes that read a class.
    readers: &'a [Vec<usize>],
    /// What each class says where it has no term of its own.
    before: Choice,
    /// The chosen term of each class, and its cost.
    best: Vec<Option<(u64, usize)>>,
    /// The cost of a class alone, by its place among those that are not free.
    own: Vec<u64>,
    /// The cost set of each class that is not free, `words` long.
    sets: Vec<u64>,
    assumed_free: Vec<bool>,
    /// Classes whose operands changed.
    waiting: Vec<bool>,
}

/// The order in which classes are visited, and who reads whom.
pub(crate) struct Readers {
    order: Vec<usize>,
    readers: Vec<Vec<usize>>,
    needed: Vec<bool>,
}

impl Readers {
    /// All classes that the root can need.
    pub(crate) fn new(tables: &Tables) -> Readers {
        let mut readers = vec![Vec::new(); tables.classes()];
        let mut needed = vec![false; tables.classes()];
        let mut order = Vec::new();
        let mut work = vec![(tables.root(), false)];
        while let Some((class, ready)) = work.pop() {
            if ready {
                order.push(class);
            } else if !std::mem::replace(&mut needed[class], true) {
                work.push((class, true));
                let children = tables.candidates(class).flat_map(|(_, children)| children);
                work.extend(children.rev().map(|&child| (child, false)));
            }
        }
        for &class in &order {
            for &child in tables.candidates(class).flat_map(|(_, children)| children) {
                if readers[child].last() != Some(&class) {
                    readers[child].push(class);
                }
            }
        }
        Readers { order, readers, needed }
    }

    /// Whether the root can need a class.
    pub(crate) fn reach(&self, class: usize) -> bool {
        self.needed[class]
    }
}

impl<'a> Search<'a> {
    /// A search in which nothing is known; `before` is what classes say that have no term without a cycle.
    pub(crate) fn new(tables: &'a Tables, readers: &'a Readers, before: &Choice) -> Search<'a> {
        let classes = tables.classes();
        let mut waiting = vec![false; classes];
        readers.order.iter().for_each(|&class| waiting[class] = true);
        Search {
            tables,
            order: &readers.order,
            readers: &readers.readers,
            before: before.clone(),
            best: vec![None; classes],
            own: vec![0; tables.priced()],
            sets: vec![0; tables.priced() * tables.priced().div_ceil(64)],
            assumed_free: vec![false; classes],
            waiting,
        }
    }

    /// Becomes what `other` is, a search of the same e-graph, in the memory that is there.
    pub(crate) fn copy(&mut self, other: &Search<'a>) {
        self.best.copy_from_slice(&other.best);
        self.own.copy_from_slice(&other.own);
        self.sets.copy_from_slice(&other.sets);
        self.assumed_free.copy_from_slice(&other.assumed_free);
        self.waiting.copy_from_slice(&other.waiting);
    }

    /// The terms chosen.
    pub(crate) fn choice(&self) -> Choice {
        self.best.iter().zip(&self.before).map(|(best, &at)| best.map_or(at, |(_, at)| at)).collect()
    }

    /// Assumes that a class is free: it costs nothing and keeps its term.
    pub(crate) fn assume_free(&mut self, class: usize, term: usize) {
        self.assumed_free[class] = true;
        self.best[class] = Some((0, term));
        if let Some(place) = self.tables.place(class) {
            self.set_mut(place).fill(0);
        }
        self.wake(class);
    }

    /// Visits classes until none gets cheaper; how many there were.
    pub(crate) fn settle(&mut self) -> usize {
        let mut visits = 0;
        let mut set = vec![0; self.words()];
        let mut changed = true;
        while std::mem::take(&mut changed) {
            for at in 0..self.order.len() {
                let class = self.order[at];
                if std::mem::take(&mut self.waiting[class]) && !self.assumed_free[class] {
                    visits += 1;
                    changed |= self.visit(class, &mut set);
                }
            }
        }
        visits
    }

    /// Whether a class gets cheaper; `set` is memory.
    fn visit(&mut self, class: usize, set: &mut [u64]) -> bool {
        let before = self.best[class].map(|(cost, _)| cost);
        let place = self.tables.place(class);
        let written = self.before[class];
        let others = self.tables.candidates(class).enumerate().filter(|(at, _)| *at != written);
        for (at, (price, children)) in self.tables.candidates(class).enumerate().skip(written).take(1).chain(others) {
            if children.iter().any(|&c| self.best[c].is_none()) {
                continue;
            }
            let free = |c: &usize| if self.tables.is_free(*c) { self.best[*c].map_or(0, |(cost, _)| cost) } else { 0 };
            let own = price + children.iter().map(free).sum::<u64>();
            set.fill(0);
            for child in children.iter().filter_map(|&c| self.tables.place(c)) {
                set.iter_mut().zip(self.set(child)).for_each(|(all, part)| *all |= part);
            }
            if place.is_some_and(|place| set[place / 64] >> (place % 64) & 1 == 1) {
                continue;
            }
            let cost = own + self.total(set);
            if self.best[class].is_none_or(|(best, _)| cost < best) {
                self.best[class] = Some((cost, at));
                let Some(place) = place else { continue };
                set[place / 64] |= 1 << (place % 64);
                self.own[place] = own;
                self.set_mut(place).copy_from_slice(set);
            }
        }
        let changed = self.best[class].map(|(cost, _)| cost) != before;
        if changed {
            self.wake(class);
        }
        changed
    }

    fn wake(&mut self, class: usize) {
        self.readers[class].iter().for_each(|&reader| self.waiting[reader] = true);
    }
    fn words(&self) -> usize {
        self.tables.priced().div_ceil(64)
    }
    fn set(&self, place: usize) -> &[u64] {
        &self.sets[place * self.words()..][..self.words()]
    }
    fn set_mut(&mut self, place: usize) -> &mut [u64] {
        let words = self.words();
        &mut self.sets[place * words..][..words]
    }
    fn total(&self, set: &[u64]) -> u64 {
        let mut total = 0;
        for (word, &bits) in set.iter().enumerate() {
            let mut bits = bits;
            while bits != 0 {
                total += self.own[word * 64 + bits.trailing_zeros() as usize];
                bits &= bits - 1;
            }
        }
        total
    }
}
