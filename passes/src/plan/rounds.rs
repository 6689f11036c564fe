//! Rounds: groups are built, and what one of them needs in memory is put there, until nothing is missing.
//!
//! ```text
//!   roots ─build─▶ groups, cuts ─▶ a cut is a root of its own; what asked about it is built again ─▶ …
//! ```
//!
//! A chain of norms shows its cuts one after another, so building all groups again for each of them would take time in
//! proportion to the square of its length. Whatever asks whether a node is in memory is written down with the group that
//! is being built, and a cut touches only the groups that asked about it. Where the chain of an anchor asked, the
//! anchors are placed anew.
//!
//! A build does not end at its first cut either: the node is put in memory, what was built since it was first asked about is
//! forgotten, and the build goes on from there ([`InMemory::want`]). So one round finds all cuts of a group.

use super::{
    Body, Group, Planner,
    cone::Cut,
    shared::{recomputed, repeated},
};
use crate::error::Error;
use regard_ir::{graph::NodeId, id::IdVec, ops::Op};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    mem,
    ops::Index,
};

/// Which nodes are in memory, about which of them somebody asked, and which a build wanted there.
pub(crate) struct InMemory {
    flags: IdVec<NodeId, Cell<bool>>,
    asked: RefCell<Asked>,
    /// What the group at hand wants in memory, where that is collected.
    wanted: RefCell<Vec<NodeId>>,
    collects: Cell<bool>,
}

/// Nodes that were asked about, each once since the last build began.
struct Asked {
    list: Vec<NodeId>,
    /// Where each node was asked about first, counted from 1.
    places: IdVec<NodeId, usize>,
    begun: usize,
}

impl InMemory {
    /// These nodes; nobody asked yet.
    pub(crate) fn new(flags: &IdVec<NodeId, bool>) -> Self {
        let asked = Asked { list: Vec::new(), places: flags.values().map(|_| 0).collect(), begun: 0 };
        let flags = flags.values().map(|&flag| Cell::new(flag)).collect();
        Self { flags, asked: RefCell::new(asked), wanted: RefCell::default(), collects: Cell::new(false) }
    }
    /// Puts a node in memory.
    pub(crate) fn put(&self, id: NodeId) {
        self.flags[id].set(true);
    }
    /// Whether a node is in memory; this does not count as asked.
    fn holds(&self, id: NodeId) -> bool {
        self.flags[id].get()
    }
    /// Whether a node is in memory.
    pub(crate) fn ask(&self, id: NodeId) -> bool {
        let Asked { list, places, begun } = &mut *self.asked.borrow_mut();
        if places[id] <= *begun {
            list.push(id);
            places[id] = list.len();
        }
        self.holds(id)
    }
    /// The nodes that were asked about since the last call.
    fn asked(&self) -> Vec<NodeId> {
        let Asked { list, places, begun } = &mut *self.asked.borrow_mut();
        list.iter().for_each(|&id| places[id] = 0);
        *begun = 0;
        mem::take(list)
    }
    /// Begins a build.
    pub(crate) fn begin(&self) {
        let mut asked = self.asked.borrow_mut();
        asked.begun = asked.list.len();
    }
    /// How many nodes were asked about.
    pub(crate) fn mark(&self) -> usize {
        self.asked.borrow().list.len()
    }
    /// Puts a node in memory that this build first asked about after `mark`, and forgets who asked since; false where that
    /// is not collected, or it was asked about before.
    pub(crate) fn want(&self, id: NodeId, mark: usize) -> bool {
        let Asked { list, places, .. } = &mut *self.asked.borrow_mut();
        let wants = self.collects.get() && !self.holds(id) && places[id] > mark;
        if wants {
            list.drain(mark..).for_each(|id| places[id] = 0);
            self.put(id);
            self.wanted.borrow_mut().push(id);
        }
        wants
    }
    /// The first node that the group at hand wants in memory.
    pub(crate) fn wanted(&self) -> Option<NodeId> {
        self.wanted.borrow().first().copied()
    }
    /// A build that ends at the first node which it needs in memory.
    pub(crate) fn alone<T>(&self, build: impl FnOnce() -> T) -> T {
        let collects = self.collects.replace(false);
        let built = build();
        self.collects.set(collects);
        built
    }
    /// The same where nothing that the group at hand wants is in memory; if it succeeds, nothing of that is wanted any more.
    pub(crate) fn instead<T>(&self, build: impl FnOnce() -> Option<T>) -> Option<T> {
        let wanted = self.wanted.take();
        wanted.iter().for_each(|&id| self.flags[id].set(false));
        let built = self.alone(build);
        if built.is_none() {
            wanted.iter().for_each(|&id| self.put(id));
            *self.wanted.borrow_mut() = wanted;
        }
        built
    }
}

impl Index<NodeId> for InMemory {
    type Output = bool;
    fn index(&self, id: NodeId) -> &bool {
        if self.ask(id) { &true } else { &false }
    }
}

/// The groups of one placement of the anchors.
struct Rounds {
    /// The anchor of each group by its root; row programs have none.
    roots: BTreeMap<NodeId, Option<NodeId>>,
    built: BTreeMap<NodeId, Group>,
    /// The roots whose groups asked about each node.
    askers: IdVec<NodeId, Vec<NodeId>>,
    /// What is still to be built.
    open: BTreeSet<NodeId>,
}

impl Planner<'_> {
    /// All groups; `None` where the anchors must be placed anew, with more nodes `forced` into memory.
    ///
    /// # Errors
    /// Where a node would have to be in memory that is there.
    pub(super) fn settle(
        &mut self,
        roots: BTreeMap<NodeId, Option<NodeId>>,
        forced: &mut IdVec<NodeId, bool>,
    ) -> Result<Option<Vec<Group>>, Error> {
        let mut placed: IdVec<NodeId, bool> = self.graph.nodes.values().map(|_| false).collect();
        self.materialized.asked().into_iter().for_each(|id| placed[id] = true);
        let askers = self.graph.nodes.values().map(|_| Vec::new()).collect();
        let mut rounds = Rounds { roots, built: BTreeMap::new(), askers, open: BTreeSet::new() };
        for id in self.graph.nodes.ids().filter(|&id| self.materialized.holds(id) && self.is_row_root(id)) {
            rounds.roots.entry(id).or_insert(None);
        }
        rounds.open = rounds.roots.keys().copied().collect();
        let mut early = repeated(self.graph, &self.facts.constant, &rounds.roots, forced);
        loop {
            let mut cuts = mem::take(&mut early);
            if cuts.is_empty() {
                cuts = self.round(&mut rounds);
            }
            if cuts.is_empty() {
                cuts = recomputed(self.graph, &self.facts.constant, &rounds.roots, forced);
            }
            if cuts.is_empty() {
                return Ok(Some(rounds.built.into_values().collect()));
            }
            if let Some(cut) = cuts.iter().find(|&&cut| forced[cut]) {
                return Err(Error::broken(format!("node {cut} cannot be computed by any kernel")));
            }
            cuts.iter().for_each(|&cut| forced[cut] = true);
            if cuts.iter().any(|&cut| placed[cut]) {
                return Ok(None);
            }
            for cut in cuts {
                self.materialized.put(cut);
                rounds.open.extend(mem::take(&mut rounds.askers[cut]));
                if self.is_row_root(cut) {
                    rounds.roots.insert(cut, None);
                    rounds.open.insert(cut);
                }
            }
        }
    }

    /// Builds what is open; what cannot be built stays open, and the cuts that it needs are the result.
    fn round(&self, rounds: &mut Rounds) -> BTreeSet<NodeId> {
        let mut cuts = BTreeSet::new();
        for root in mem::take(&mut rounds.open) {
            self.materialized.collects.set(true);
            let body = self.body(root, rounds.roots[&root]);
            self.materialized.collects.set(false);
            cuts.extend(self.materialized.wanted.take());
            self.materialized.asked().into_iter().for_each(|id| rounds.askers[id].push(root));
            match body {
                Ok(body) => {
                    rounds.built.insert(root, Group { root, body });
                }
                Err(Cut(cut)) => {
                    rounds.built.remove(&root);
                    rounds.open.insert(root);
                    cuts.insert(cut);
                }
            }
        }
        cuts
    }

    fn body(&self, root: NodeId, anchor: Option<NodeId>) -> Result<Body, Cut> {
        let Some(anchor) = anchor else { return Ok(Body::Row(self.row(root)?)) };
        Ok(match &self.graph.nodes[anchor].op {
            Op::Attend(_) => Body::Attend(self.attend(anchor)?),
            _ => Body::Product(self.product(anchor)?),
        })
    }

    /// Whether a node in memory is computed by a kernel: inputs and what is computed of weights alone are not.
    fn is_row_root(&self, id: NodeId) -> bool {
        let folded = self.facts.constant[id] && !self.facts.is_output[id];
        !folded && !matches!(self.graph.nodes[id].op, Op::Input(_))
    }
}
