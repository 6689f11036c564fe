//! Rounds: groups are built, and what one of them needs in memory is put there, until nothing is missing.
//!
//! ```text
//!   roots ─build─▶ groups, missing nodes ─▶ each is a root of its own; what asked about it is built again ─▶ …
//! ```
//!
//! A chain of norms shows its missing nodes one after another, so building all groups again for each of them would take time in
//! proportion to the square of its length. Whatever asks whether a node is in memory is written down with the group that
//! is being built, and a missing node touches only the groups that asked about it. Where the chain of an anchor asked, the
//! anchors are placed anew.
//!
//! A build does not end at its first missing node either: the node is put in memory, what was built since it was first asked about is
//! forgotten, and the build goes on from there ([`InMemory::want`]). So one round finds all missing nodes of a group.

use super::{
    Body, Group, Planner,
    expr_builder::MustMaterialize,
    recomputation::{recomputed, repeated},
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
    pub(super) fn build_groups(
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
            let mut missing = mem::take(&mut early);
            if missing.is_empty() {
                missing = self.round(&mut rounds);
            }
            if missing.is_empty() {
                missing = recomputed(self.graph, &self.facts.constant, &rounds.roots, forced);
            }
            if missing.is_empty() {
                return Ok(Some(rounds.built.into_values().collect()));
            }
            if let Some(node) = missing.iter().find(|&&node| forced[node]) {
                return Err(Error::broken(format!("node {node} cannot be computed by any kernel")));
            }
            missing.iter().for_each(|&node| forced[node] = true);
            if missing.iter().any(|&node| placed[node]) {
                return Ok(None);
            }
            for node in missing {
                self.materialized.put(node);
                rounds.open.extend(mem::take(&mut rounds.askers[node]));
                if self.is_row_root(node) {
                    rounds.roots.insert(node, None);
                    rounds.open.insert(node);
                }
            }
        }
    }

    /// Builds what is open; what cannot be built stays open, and the nodes that must be materialized first are the result.
    fn round(&self, rounds: &mut Rounds) -> BTreeSet<NodeId> {
        let mut missing = BTreeSet::new();
        for root in mem::take(&mut rounds.open) {
            self.materialized.collects.set(true);
            let body = self.body(root, rounds.roots[&root]);
            self.materialized.collects.set(false);
            missing.extend(self.materialized.wanted.take());
            self.materialized.asked().into_iter().for_each(|id| rounds.askers[id].push(root));
            match body {
                Ok(body) => {
                    rounds.built.insert(root, Group { root, body });
                }
                Err(MustMaterialize(node)) => {
                    rounds.built.remove(&root);
                    rounds.open.insert(root);
                    missing.insert(node);
                }
            }
        }
        missing
    }

    fn body(&self, root: NodeId, anchor: Option<NodeId>) -> Result<Body, MustMaterialize> {
        let Some(anchor) = anchor else { return Ok(Body::Row(self.row(root)?)) };
        Ok(match &self.graph.nodes[anchor].op {
            Op::Attend(_) => Body::Attend(self.attend(anchor)?),
            _ => Body::Matmul(self.matmul(anchor)?),
        })
    }

    /// Whether a node in memory is computed by a kernel: inputs and what is computed of weights alone are not.
    fn is_row_root(&self, id: NodeId) -> bool {
        let folded = self.facts.constant[id] && !self.facts.is_output[id];
        !folded && !matches!(self.graph.nodes[id].op, Op::Input(_))
    }
}
