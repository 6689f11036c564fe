//! Bills: what each class of an e-graph costs, with everything that it needs, each class once.
//!
//! ```text
//!   cost(class) = min over terms of  Σ own over bill,   bill = {class} ∪ bill(child₁) ∪ bill(child₂) …
//! ```
//!
//! A bill is a set of bits, one per class, so joining two is a few words. Classes are visited operands first, again
//! and again, but only those whose operands changed; a class changes where it gets strictly cheaper, so this ends, and
//! among equals what was written stays. To take a class as paid for, only what reads it is visited again: n classes are tried in n
//! visits of their readers, not in n searches of the whole.

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
    /// What is added to the bill for a class alone.
    own: Vec<u64>,
    /// The bill of each class, `words` long.
    bills: Vec<u64>,
    paid: Vec<bool>,
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
                let children = tables.ways(class).flat_map(|(_, children)| children);
                work.extend(children.rev().map(|&child| (child, false)));
            }
        }
        for &class in &order {
            for &child in tables.ways(class).flat_map(|(_, children)| children) {
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
            own: vec![0; classes],
            bills: vec![0; classes * classes.div_ceil(64)],
            paid: vec![false; classes],
            waiting,
        }
    }

    /// Becomes what `other` is, a search of the same e-graph, in the memory that is there.
    pub(crate) fn copy(&mut self, other: &Search<'a>) {
        self.best.copy_from_slice(&other.best);
        self.own.copy_from_slice(&other.own);
        self.bills.copy_from_slice(&other.bills);
        self.paid.copy_from_slice(&other.paid);
        self.waiting.copy_from_slice(&other.waiting);
    }

    /// The terms chosen.
    pub(crate) fn choice(&self) -> Choice {
        self.best.iter().zip(&self.before).map(|(best, &at)| best.map_or(at, |(_, at)| at)).collect()
    }

    /// Takes a class as paid for: it costs nothing, and keeps its term.
    pub(crate) fn pay(&mut self, class: usize, term: usize) {
        self.paid[class] = true;
        self.best[class] = Some((0, term));
        self.bill_mut(class).fill(0);
        self.wake(class);
    }

    /// Visits classes until none gets cheaper.
    pub(crate) fn settle(&mut self) {
        let mut bill = vec![0; self.words()];
        let mut changed = true;
        while std::mem::take(&mut changed) {
            for at in 0..self.order.len() {
                let class = self.order[at];
                if std::mem::take(&mut self.waiting[class]) && !self.paid[class] {
                    changed |= self.visit(class, &mut bill);
                }
            }
        }
    }

    /// Whether a class gets cheaper; `bill` is memory.
    fn visit(&mut self, class: usize, bill: &mut [u64]) -> bool {
        let before = self.best[class].map(|(cost, _)| cost);
        let written = self.before[class];
        let others = self.tables.ways(class).enumerate().filter(|(at, _)| *at != written);
        for (at, (price, children)) in self.tables.ways(class).enumerate().skip(written).take(1).chain(others) {
            if children.iter().any(|&c| self.best[c].is_none()) {
                continue;
            }
            let small =
                |c: &usize| if self.tables.is_small(*c) { self.best[*c].map_or(0, |(cost, _)| cost) } else { 0 };
            let own = price + children.iter().map(small).sum::<u64>();
            bill.fill(0);
            for &child in children.iter().filter(|&&c| !self.tables.is_small(c)) {
                bill.iter_mut().zip(self.bill(child)).for_each(|(all, part)| *all |= part);
            }
            if bill[class / 64] >> (class % 64) & 1 == 1 {
                continue;
            }
            let cost = own + self.total(bill);
            if self.best[class].is_none_or(|(best, _)| cost < best) {
                bill[class / 64] |= 1 << (class % 64);
                self.best[class] = Some((cost, at));
                self.own[class] = own;
                self.bill_mut(class).copy_from_slice(bill);
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
        self.tables.classes().div_ceil(64)
    }
    fn bill(&self, class: usize) -> &[u64] {
        &self.bills[class * self.words()..][..self.words()]
    }
    fn bill_mut(&mut self, class: usize) -> &mut [u64] {
        let words = self.words();
        &mut self.bills[class * words..][..words]
    }
    fn total(&self, bill: &[u64]) -> u64 {
        let mut total = 0;
        for (word, &bits) in bill.iter().enumerate() {
            let mut bits = bits;
            while bits != 0 {
                total += self.own[word * 64 + bits.trailing_zeros() as usize];
                bits &= bits - 1;
            }
        }
        total
    }
}
