//! Names for nodes that have no label: after the modules whose weights they read.
//!
//! The authors' parameter names say which module a weight belongs to, and a node that reads weights belongs to their module:
//!
//! ```text
//!   layers.2.blocks.3.attn.qkv.weight ─▶ matmul      layers.2.blocks.3.attn.qkv.matmul
//!   layers.2.blocks.3.attn.qkv.bias   ─▶ add         layers.2.blocks.3.attn.qkv            its last node is the module's value
//!                                        scores      layers.2.blocks.3.attn.scores         between `attn.qkv` and `attn.proj`
//!                                        …
//!   layers.2.blocks.3.attn.proj.bias  ─▶ add         layers.2.blocks.3.attn.proj
//!                                        add         layers.2.blocks.3.add                 between `attn.proj` and `norm2`
//! ```
//!
//! A node that reads no weights lies in the innermost module around what it reads and what reads it; one that only serves a
//! module, such as the mean of a norm, lies in that. Names therefore follow from a graph alone: whatever rules made of it,
//! the same text gives the same names. Labels are never touched, names are unique (`.2`, `.3` follow the second and third), and
//! a graph whose weights belong to no module, as written by hand, keeps its numbers.

mod paths;

use super::{Graph, NodeId, Users};
use crate::{id::IdVec, ops::Op};
use paths::{Path, Paths};
use std::collections::{HashMap, HashSet};

/// Longer labels of weights, in bytes, name no module: names would not grow in proportion to the graph.
const LONGEST: usize = 200;
/// The most weights remembered of a constant, largest first.
const REMEMBERED: usize = 4;
/// A weight this many times smaller than another one does not decide where a node belongs.
const SMALL: usize = 8;

/// What the nodes of a graph are called.
#[derive(Clone, Debug)]
pub struct Names {
    names: IdVec<NodeId, String>,
    modules: IdVec<NodeId, Option<String>>,
    derived: IdVec<NodeId, bool>,
}

impl Names {
    /// A node's name in text, without `%`: its label, the name that its module gives it, or its number.
    pub fn of(&self, id: NodeId) -> &str {
        &self.names[id]
    }
    /// The innermost module whose weights the node reads, such as `layers.2.blocks.3.mlp.fc1`.
    pub fn module(&self, id: NodeId) -> Option<&str> {
        self.modules[id].as_deref()
    }
    /// Whether the name follows from a module, the node having no label.
    pub fn is_derived(&self, id: NodeId) -> bool {
        self.derived[id]
    }
}

impl Graph {
    /// What the nodes are called, those without a label after their modules.
    pub fn names(&self) -> Names {
        Naming::new(self).names()
    }
    /// The same graph with the names of [`names`](Graph::names) as labels.
    pub fn named(&self) -> Graph {
        let names = self.names();
        let mut graph = self.clone();
        graph.set_names(&names);
        graph
    }
    /// Gives nodes the names that their modules give them as labels.
    pub fn set_names(&mut self, names: &Names) {
        for id in self.nodes.ids().filter(|&id| names.is_derived(id)) {
            self.nodes[id].label = Some(names.of(id).to_owned());
        }
    }
}

/// What is known of the nodes on the way to their names.
struct Naming<'a> {
    graph: &'a Graph,
    constant: IdVec<NodeId, bool>,
    paths: Paths<'a>,
    /// Where each weight belongs.
    homes: HashMap<NodeId, Path>,
    /// The largest weights that a constant is made of.
    weights: IdVec<NodeId, Vec<NodeId>>,
    /// The module whose weights a node reads, and the norm in front whose weights they hold.
    own: IdVec<NodeId, Option<(Path, Option<Path>)>>,
    /// The users of each node, and the module that each node serves.
    users: Users,
    serves: IdVec<NodeId, Option<Path>>,
    /// The innermost module around all that its users serve.
    around: IdVec<NodeId, Option<Path>>,
    /// The module that a node lies in.
    scopes: IdVec<NodeId, Option<Path>>,
}

impl<'a> Naming<'a> {
    fn new(graph: &'a Graph) -> Self {
        let mut paths = Paths::default();
        let mut homes = HashMap::new();
        for (id, node) in graph.nodes.iter().filter(|(_, node)| matches!(node.op, Op::Weight(_))) {
            let label = node.label.as_deref().filter(|label| label.len() <= LONGEST);
            if let Some((module, _)) = label.and_then(|label| label.rsplit_once('.')) {
                homes.insert(id, paths.module(module));
            }
        }
        let none = || graph.nodes.values().map(|_| None).collect();
        let mut naming = Naming {
            graph,
            constant: graph.constants(),
            paths,
            homes,
            weights: IdVec::new(),
            own: IdVec::new(),
            users: graph.users(),
            serves: none(),
            around: none(),
            scopes: IdVec::new(),
        };
        if !naming.homes.is_empty() {
            naming.read_weights();
            naming.look_ahead();
            for id in graph.nodes.ids() {
                let scope = naming.scope(id);
                naming.scopes.push(scope);
            }
            // What nothing else decides about lies where it is used first.
            for id in graph.nodes.ids().rev().filter(|&id| graph.nodes[id].label.is_none()) {
                let used = || naming.users[id].iter().find_map(|&user| naming.scopes[user]);
                naming.scopes[id] = naming.scopes[id].or_else(used);
            }
        }
        naming
    }

    /// Which weights each constant is made of, and which module's weights each node reads.
    fn read_weights(&mut self) {
        for (id, node) in self.graph.nodes.iter() {
            let mut all: Vec<NodeId> = if matches!(node.op, Op::Weight(_)) { vec![id] } else { Vec::new() };
            let constants = node.operands.iter().filter(|&&operand| self.constant[operand]);
            all.extend(constants.flat_map(|&operand| self.weights[operand].iter()));
            all.sort_by_key(|&weight| (std::cmp::Reverse(self.size(weight)), weight));
            all.dedup();
            all.truncate(REMEMBERED);
            self.own.push(self.home(&all));
            self.weights.push(if self.constant[id] { all } else { Vec::new() });
        }
    }

    fn size(&self, id: NodeId) -> usize {
        self.graph.ty(id).elements()
    }

    /// The module of the largest weights, and that of small weights which the graph reads before them.
    fn home(&self, weights: &[NodeId]) -> Option<(Path, Option<Path>)> {
        let known = weights.iter().filter_map(|weight| Some((self.size(*weight), *self.homes.get(weight)?, *weight)));
        let known: Vec<(usize, Path, NodeId)> = known.collect();
        let &(largest, first, main) = known.first()?;
        let large = known.iter().filter(|(size, ..)| size * SMALL >= largest);
        let shared = large.map(|(_, path, _)| *path).reduce(|a, b| self.paths.shared(a, b)).unwrap_or(first);
        let path = if self.paths.can_hold(shared) { shared } else { first };
        // A norm whose scale went into the weights that follow it.
        let is_norm =
            |(size, other, id): &&(usize, Path, NodeId)| size * SMALL < largest && *other != path && *id < main;
        Some((path, known.iter().find(is_norm).map(|(_, path, _)| *path)))
    }

    /// Which modules the users of each node serve, from the last node to the first.
    fn look_ahead(&mut self) {
        for (id, node) in self.graph.nodes.iter().rev() {
            let first = self.ahead(id);
            let known = match (self.own[id], self.labelled(id)) {
                (Some((path, small)), _) => Some(small.unwrap_or(path)),
                (None, path) => path,
            };
            self.serves[id] = known.or(first);
            let around = known.or(self.around[id]).unwrap_or(Paths::ROOT);
            for &operand in &node.operands {
                let seen = self.around[operand];
                self.around[operand] = Some(seen.map_or(around, |seen| self.paths.shared(seen, around)));
            }
        }
    }

    /// What the first user of a node serves.
    fn ahead(&self, id: NodeId) -> Option<Path> {
        self.users[id].iter().find_map(|&user| self.serves[user])
    }

    /// The module that a label speaks of.
    fn labelled(&self, id: NodeId) -> Option<Path> {
        self.graph.nodes[id]
            .label
            .as_deref()
            .filter(|label| label.len() <= LONGEST)
            .and_then(|label| self.paths.find(label))
    }

    /// The module that a node lies in; those of its operands are known.
    fn scope(&self, id: NodeId) -> Option<Path> {
        let node = &self.graph.nodes[id];
        if self.constant[id] {
            return self.own[id].map(|(path, _)| path).or(self.ahead(id));
        }
        if let Some(path) = self.labelled(id).or(self.own[id].map(|(path, _)| path)) {
            return Some(path);
        }
        let mut read: Vec<NodeId> = node.operands.iter().copied().filter(|&o| !self.constant[o]).collect();
        read.sort_unstable();
        read.dedup();
        let ahead = self.ahead(id);
        let Some((last, latest)) = read.iter().rev().find_map(|&o| Some((o, self.scopes[o]?))) else { return ahead };
        let paths = &self.paths;
        // Where a branch that serves one module alone begins, the module begins.
        let begins = |&path: &Path| {
            let leaves = self.around[last] != Some(path) || paths.shared(latest, path) != latest;
            paths.is_leaf(path) && !paths.is_leaf(latest) && read.len() == 1 && leaves
        };
        if let Some(served) = self.around[id].filter(begins) {
            return Some(served);
        }
        let beside = read.iter().filter(|&&o| o != last).filter_map(|&o| Some(paths.shared(latest, self.scopes[o]?)));
        let beside = beside.map(|path| if paths.is_leaf(path) { paths.parent(path) } else { path });
        let served = self.users[id].iter().rev().filter_map(|&user| self.serves[user]);
        let ahead_of = served.map(|path| paths.shared(latest, path));
        let candidates = beside.chain(ahead_of).filter(|&path| paths.can_hold(path));
        if let Some(innermost) = candidates.max_by_key(|&path| paths.depth(path)) {
            return Some(innermost);
        }
        match () {
            () if read.len() > 1 => Some(paths.holder(latest)),
            () if matches!(node.op, Op::Reduce(_) | Op::Binary(_)) => ahead.or(Some(latest)),
            () => Some(latest),
        }
    }

    fn names(self) -> Names {
        let graph = self.graph;
        let mut last: HashMap<Path, NodeId> = HashMap::new();
        for (id, own) in self.own.iter().filter(|(id, _)| !self.constant[*id]) {
            own.iter().for_each(|(path, _)| _ = last.insert(*path, id));
        }
        let labels = graph.nodes.values().filter_map(|node| node.label.as_deref());
        let mut taken: HashSet<String> = labels.map(str::to_owned).collect();
        let mut counts: HashMap<String, usize> = HashMap::new();
        let mut names = Names { names: IdVec::new(), modules: IdVec::new(), derived: IdVec::new() };
        for (id, node) in graph.nodes.iter() {
            let home = self.own.get(id).copied().flatten().map(|(path, _)| path).filter(|_| !self.constant[id]);
            let leaf = home.filter(|&path| self.paths.is_leaf(path)).map(|path| self.paths.text(path));
            let free = leaf.as_ref().is_some_and(|module| !taken.contains(module));
            let base = || self.base(id, free && home.is_some_and(|path| last[&path] == id), &leaf);
            let derived = if node.label.is_none() { base() } else { None };
            names.derived.push(derived.is_some());
            names.names.push(match derived {
                Some(base) => unique(base, &mut taken, &mut counts),
                None => graph.text_name(id),
            });
            names.modules.push(leaf);
        }
        names
    }

    /// The name without what makes it unique; a module's own where the node is its value.
    fn base(&self, id: NodeId, is_value: bool, leaf: &Option<String>) -> Option<String> {
        let node = &self.graph.nodes[id];
        if let Some(module) = leaf.as_ref().filter(|module| is_value && module.parse::<usize>().is_err()) {
            return Some(module.clone());
        }
        let word = match &node.op {
            Op::Reduce(reduce) => reduce.op.name(),
            op => op.name(),
        };
        let weights = self.weights.get(id).map_or(&[][..], Vec::as_slice);
        let fits = weights.iter().filter(|&&weight| self.size(weight) <= self.size(id));
        let weight = fits.chain(weights).find(|weight| self.homes.contains_key(weight));
        if let Some(label) = weight.and_then(|&weight| self.graph.nodes[weight].label.as_deref()) {
            return Some(format!("{label}.{word}"));
        }
        let scope = self.scopes.get(id).copied().flatten().filter(|&path| path != Paths::ROOT)?;
        Some(format!("{}.{word}", self.paths.text(scope)))
    }
}

/// The name, followed by a number where it is taken.
fn unique(base: String, taken: &mut HashSet<String>, counts: &mut HashMap<String, usize>) -> String {
    if taken.insert(base.clone()) {
        return base;
    }
    let count = counts.entry(base.clone()).or_insert(1);
    loop {
        *count += 1;
        let name = format!("{base}.{count}");
        if taken.insert(name.clone()) {
            return name;
        }
    }
}

#[cfg(test)]
mod tests;
