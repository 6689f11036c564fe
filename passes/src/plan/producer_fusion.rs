//! Chains: row programs that one kernel runs after one another, row by row.
//!
//! ```text
//!   convolve ─▶ norm ─▶ sum                        for each row {
//!   pixels      pixels  pixels      becomes          scratch a ← convolve;  scratch b ← norm of a;  out ← sum over b
//!                                                  }
//! ```
//!
//! A row program, or what a product packs, often reads another row program of the same rows, each row its own elements
//! only. The earlier one then needs no launch: it becomes a [stage](Stage) of the later, computed for a row just before
//! that row needs it. Its elements stay in scratch; where other kernels read them too, they are also written to memory.
//! So a norm follows a depthwise convolution, and the choice of regions is one kernel from logits to numbers.
//!
//! Later groups take in earlier ones, the last group first: what a stage reads may become a stage in turn.

use super::{
    Body, Group, Planner,
    expr::{Expr, FusedExpr, Stage},
    lanes_are_contiguous,
};
use crate::canonical::FEWEST_ROWS;
use regard_ir::{graph::NodeId, types::DType, view::View};
use std::collections::{BTreeMap, BTreeSet};

/// Fewest rows of a product with stages. A lower one is cut along its columns, and each part would run the stages.
const FEWEST_PACKED_ROWS: usize = 128;
/// Most elements of a stage, 32 KiB of scratch.
const LONGEST: usize = 1 << 13;

/// Most stages of a kernel: a longer chain is several kernels, each of a bounded length.
const MOST_STAGES: usize = 16;

/// The groups that are left, and who reads what.
struct Chains {
    groups: Vec<Option<Group>>,
    /// Where a tensor is computed.
    places: BTreeMap<NodeId, usize>,
    /// What each group reads.
    reads: Vec<BTreeSet<NodeId>>,
    /// The groups that read a tensor.
    readers: BTreeMap<NodeId, BTreeSet<usize>>,
}

impl Chains {
    fn new(groups: Vec<Group>) -> Self {
        let places = groups.iter().enumerate().map(|(index, group)| (group.root, index)).collect();
        let reads = groups.iter().map(|_| BTreeSet::new()).collect();
        let mut chains = Self { groups: Vec::new(), places, reads, readers: BTreeMap::new() };
        for (place, group) in groups.iter().enumerate() {
            chains.set_reads(place, group.body.exprs().into_iter().flat_map(FusedExpr::reads).collect());
        }
        chains.groups = groups.into_iter().map(Some).collect();
        chains
    }

    fn set_reads(&mut self, place: usize, reads: BTreeSet<NodeId>) {
        for node in std::mem::replace(&mut self.reads[place], reads) {
            self.readers.entry(node).or_default().remove(&place);
        }
        for &node in &self.reads[place] {
            self.readers.entry(node).or_default().insert(place);
        }
    }

    fn is_row(&self, place: usize) -> bool {
        self.groups[place].as_ref().is_some_and(|group| matches!(group.body, Body::Row(_)))
    }
}

/// What the fused expressions of a growing kernel read of tensors that groups compute.
struct Reads<'a> {
    rows: &'a [usize],
    /// Whether each tensor is read row by row only.
    by_row: BTreeMap<NodeId, bool>,
}

impl Reads<'_> {
    /// Adds what a fused expression reads.
    fn add(&mut self, planner: &Planner, chains: &Chains, fused: &FusedExpr) {
        let count: usize = self.rows.iter().product();
        for term in fused.terms.values() {
            let (node, own) = match &term.expr {
                Expr::Load { node, view } if chains.places.contains_key(node) => {
                    let extent = planner.graph.ty(*node).elements() / count;
                    (*node, in_row(view, self.rows, extent).is_some())
                }
                Expr::Gather { table, .. } => (*table, false),
                _ => continue,
            };
            *self.by_row.entry(node).or_insert(true) &= own;
        }
    }
}

impl Planner<'_> {
    /// The same groups, row programs taken in by the groups that read them row by row.
    pub(super) fn fuse_producers(&self, groups: Vec<Group>) -> Vec<Group> {
        let mut chains = Chains::new(groups);
        for host in (0..chains.groups.len()).rev() {
            let Some(mut group) = chains.groups[host].take() else { continue };
            let stages = self.stages(&group, host, &chains);
            for stage in &stages {
                let place = chains.places[&stage.node];
                chains.groups[place] = None;
                chains.set_reads(place, BTreeSet::new());
            }
            if !stages.is_empty() {
                let fused = hosting(&mut group.body).expect("it has stages");
                let rows = rows_of(fused).to_vec();
                take_in(fused, stages, &rows);
                chains.set_reads(host, group.body.exprs().into_iter().flat_map(FusedExpr::reads).collect());
            }
            chains.groups[host] = Some(group);
        }
        chains.groups.into_iter().flatten().collect()
    }

    /// What a group can take in, in the order of computing.
    fn stages(&self, group: &Group, host: usize, chains: &Chains) -> Vec<Stage> {
        let mut stages: Vec<Stage> = Vec::new();
        let Some((fused, least)) = hosted(&group.body) else { return stages };
        let rows = rows_of(fused);
        if rows.iter().product::<usize>() < least {
            return stages;
        }
        let beside: BTreeSet<NodeId> = group
            .body
            .exprs()
            .into_iter()
            .filter(|other| !std::ptr::eq(*other, fused))
            .flat_map(FusedExpr::reads)
            .collect();
        let mut inside = BTreeSet::from([host]);
        let mut reads = Reads { rows, by_row: BTreeMap::new() };
        reads.add(self, chains, fused);
        let mut bound = group.root;
        // Operands come first, so whoever might read the next one is known.
        while stages.len() < MOST_STAGES
            && let Some((&node, &by_row)) = reads.by_row.range(..bound).next_back()
        {
            bound = node;
            let Some(&place) = chains.places.get(&node).filter(|_| by_row && !beside.contains(&node)) else { continue };
            let mut outside = chains.readers[&node].iter().filter(|at| !inside.contains(at));
            let first = outside.next();
            if !chains.is_row(place) || first.is_some_and(|&at| at < host) {
                continue;
            }
            let kept = first.is_some() || self.facts.is_output[node];
            if let Some((extent, own)) = self.stage(node, rows) {
                inside.insert(place);
                reads.add(self, chains, &own);
                stages.push(Stage { node, extent, kept, fused: own });
            }
        }
        stages.reverse();
        stages
    }

    /// A tensor as a stage over rows: elements in each, and the fused expression.
    fn stage(&self, node: NodeId, rows: &[usize]) -> Option<(usize, FusedExpr)> {
        let ty = self.graph.ty(node);
        let count: usize = rows.iter().product();
        let extent = ty.elements() / count;
        let whole = extent * count == ty.elements() && extent <= LONGEST;
        if !whole || !matches!(ty.dtype, DType::F32 | DType::I32) {
            return None;
        }
        let space = [rows, &[extent]].concat();
        let fused = self.rows_over(node, &space).ok()?;
        let last = rows.len();
        let torn = |axis: usize| {
            let varies = |view: &View| view.coords.iter().flat_map(|c| &c.digits).any(|d| d.axis == axis);
            let mut read = fused.loads().filter(|(node, view)| !self.facts.constant[*node] && varies(view));
            read.any(|(_, view)| !lanes_are_contiguous(view, axis, self.lanes))
        };
        let sideways = fused.reductions().iter().any(|&r| fused.uses(r, last)) && torn(last) && !torn(last + 1);
        if !sideways {
            return Some((extent, fused));
        }
        let tall = [rows, &[extent, 1]].concat();
        Some((extent, self.rows_over(node, &tall).ok()?))
    }
}

/// The fused expression that can have stages, and how many rows it must have.
fn hosted(body: &Body) -> Option<(&FusedExpr, usize)> {
    match body {
        Body::Row(fused) => Some((fused, FEWEST_ROWS)),
        Body::Matmul(product) => Some((&product.left, FEWEST_PACKED_ROWS)),
        Body::Attend(_) => None,
    }
}

fn hosting(body: &mut Body) -> Option<&mut FusedExpr> {
    match body {
        Body::Row(fused) => Some(fused),
        Body::Matmul(product) => Some(&mut product.left),
        Body::Attend(_) => None,
    }
}

/// Extents of the axes that count rows.
fn rows_of(fused: &FusedExpr) -> &[usize] {
    &fused.space[..fused.space.len() - 1]
}

/// Makes the fused expression, and stages among each other, read stages row by row.
fn take_in(fused: &mut FusedExpr, mut stages: Vec<Stage>, rows: &[usize]) {
    let extents: BTreeMap<NodeId, usize> = stages.iter().map(|stage| (stage.node, stage.extent)).collect();
    let exprs = stages.iter_mut().map(|stage| &mut stage.fused).chain([&mut *fused]);
    for term in exprs.flat_map(|fused| fused.terms.values_mut()) {
        if let Expr::Load { node, view } = &mut term.expr
            && let Some(&extent) = extents.get(node)
        {
            *view = in_row(view, rows, extent).expect("stages are read row by row");
        }
    }
    fused.stages = stages;
}

/// The view of a tensor with `extent` elements per row as one of the elements of a row, where it stays in the row.
fn in_row(view: &View, rows: &[usize], extent: usize) -> Option<View> {
    let mut within = view.clone();
    let mut open: BTreeSet<usize> = (0..rows.len()).filter(|&axis| rows[axis] > 1).collect();
    let mut last = 0;
    for coord in &mut within.coords {
        let stride = coord.stride as i64;
        let step = |axis: usize| (rows[axis + 1..].iter().product::<usize>() * extent) as i64;
        let whole =
            |d: &regard_ir::view::Digit| d.div == 1 && d.extent == rows[d.axis] && d.mul * stride == step(d.axis);
        if !coord.is_plain() || !coord.digits.iter().all(|d| d.axis >= rows.len() || (whole(d) && open.remove(&d.axis)))
        {
            return None;
        }
        coord.digits.retain(|d| d.axis >= rows.len());
        let highest = coord.offset + coord.digits.iter().map(|d| d.mul * (d.extent as i64 - 1)).sum::<i64>();
        coord.extent = highest as usize + 1;
        last += stride * highest;
    }
    within.len = extent;
    (open.is_empty() && last < extent as i64).then_some(within)
}
