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

use super::{Body, Group, Planner, cone::Cut, shared::recomputed};
use crate::error::Error;
use regard_ir::{graph::NodeId, id::IdVec, ops::Op};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    mem,
    ops::Index,
};

/// Which nodes are in memory, and about which of them somebody asked.
pub(crate) struct InMemory {
    flags: IdVec<NodeId, bool>,
    asked: RefCell<Asked>,
}

/// Nodes that were asked about, each once.
struct Asked {
    list: Vec<NodeId>,
    known: IdVec<NodeId, bool>,
}

impl InMemory {
    /// These nodes; nobody asked yet.
    pub(crate) fn new(flags: &IdVec<NodeId, bool>) -> Self {
        let asked = Asked { list: Vec::new(), known: flags.values().map(|_| false).collect() };
        Self { flags: flags.clone(), asked: RefCell::new(asked) }
    }
    /// Puts a node in memory.
    pub(crate) fn put(&mut self, id: NodeId) {
        self.flags[id] = true;
    }
    /// Whether a node is in memory; this does not count as asked.
    fn holds(&self, id: NodeId) -> bool {
        self.flags[id]
    }
    /// Writes down that somebody asked about a node.
    pub(crate) fn ask(&self, id: NodeId) {
        let Asked { list, known } = &mut *self.asked.borrow_mut();
        if !mem::replace(&mut known[id], true) {
            list.push(id);
        }
    }
    /// The nodes that were asked about since the last call.
    fn asked(&self) -> Vec<NodeId> {
        let Asked { list, known } = &mut *self.asked.borrow_mut();
        list.iter().for_each(|&id| known[id] = false);
        mem::take(list)
    }
}

impl Index<NodeId> for InMemory {
    type Output = bool;
    fn index(&self, id: NodeId) -> &bool {
        self.ask(id);
        &self.flags[id]
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
        loop {
            let mut cuts = self.round(&mut rounds);
            if cuts.is_empty() {
                cuts = recomputed(self.graph, &self.facts.constant, &rounds.built, forced);
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
            let body = self.body(root, rounds.roots[&root]);
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
