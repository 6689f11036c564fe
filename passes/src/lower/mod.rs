//! Lowering: each group of a plan becomes a kernel, the plan becomes a program.
//!
//! [Templates](crate::templates) emit the kernels; their holes are expressions over materialised tensors
//! ([`crate::plan::expr`]), no template knows an op. Here is what all of them have in common: parameters and scratch of a
//! kernel, launches, places of buffers. Groups that give the same kernel share it.

mod constants;

use crate::{
    buffers::{self, Interval},
    error::Error,
    memory,
    plan::{
        Body, Group, Plan,
        expr::{Expr, Stage, Term},
        lanes_are_contiguous,
    },
    schedule::{Schedule, Tiles},
    templates::{self, Parameters, expression::Context, unit_of},
};
use constants::ConstantGraph;
use regard_ir::{
    graph::{Graph, NodeId},
    id::IdVec,
    kernel::{Buf, Builder, Kernel},
    program::{BufferDecl, BufferId, KernelId, Launch, Layout, Port, Program, Storage},
    target::{Backend, Target},
    types::DType,
    view::View,
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Lowers a plan with a schedule that [fits](Schedule::check) it.
pub fn lower(plan: &Plan, schedule: &Schedule, target: &Target) -> Result<Program<Kernel>, Error> {
    schedule.check(plan, target)?;
    let mut lowering = Lowering::new(plan, target);
    for (index, (group, (_, tiles))) in plan.groups.iter().zip(&schedule.groups).enumerate() {
        lowering.group(index, group, tiles);
    }
    lowering.finish()
}

/// What a kernel's parameter is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Source {
    /// A tensor, stored densely.
    Dense(NodeId),
    /// A constant matrix in panels of that width.
    Panels(NodeId, usize),
    /// A constant gathered in the order in which it is read.
    Gathered(NodeId, View),
}

struct Lowering<'a> {
    plan: &'a Plan,
    target: &'a Target,
    constant: IdVec<NodeId, bool>,
    /// The element type of each node in memory.
    held: IdVec<NodeId, DType>,
    kernels: IdVec<KernelId, Kernel>,
    known: HashMap<String, KernelId>,
    /// How many kernels have a name, but for what tells them apart.
    names: HashMap<String, usize>,
    launches: Vec<(KernelId, Vec<Source>)>,
    /// First and last launch that touches a buffer.
    touched: BTreeMap<Source, (usize, usize)>,
}

impl<'a> Lowering<'a> {
    fn new(plan: &'a Plan, target: &'a Target) -> Self {
        let constant = plan.graph.constants();
        Self {
            plan,
            target,
            constant,
            held: memory::held(&plan.graph),
            kernels: IdVec::new(),
            known: HashMap::new(),
            names: HashMap::new(),
            launches: Vec::new(),
            touched: BTreeMap::new(),
        }
    }

    fn group(&mut self, index: usize, group: &Group, tiles: &Tiles) {
        let (kernel, sources) = self.kernel(group, tiles);
        let content = format!("{}\n{kernel}", kernel.name);
        let id = match self.known.get(&content) {
            Some(&id) => id,
            None => {
                let mut kernel = kernel;
                let twins = self.names.entry(kernel.name.clone()).or_insert(0);
                *twins += 1;
                if *twins > 1 {
                    kernel.name = format!("{}_v{twins}", kernel.name);
                }
                let id = self.kernels.push(kernel);
                self.known.insert(content, id);
                id
            }
        };
        for source in &sources {
            self.touched.entry(source.clone()).or_insert((index, index)).1 = index;
        }
        self.launches.push((id, sources));
    }

    /// The kernel of a group, and what its parameters are, in order; the output is the last one.
    fn kernel(&self, group: &Group, tiles: &Tiles) -> (Kernel, Vec<Source>) {
        let lanes = self.target.lanes;
        let instance = templates::instance(&group.body, tiles, self.target).expect("the schedule was checked");
        let (name, grid) = instance.kernel(tiles.sizes());
        let mut b = Builder::new(name, unit_of(self.target), lanes, grid);
        let mut sources: Vec<Source> = Vec::new();
        let mut params: HashMap<Source, Buf> = HashMap::new();
        let mut context = Context { fma: self.target.fma, ..Context::default() };
        for (node, view) in loaded(&group.body) {
            let dtype = self.held[node];
            let mut param = |source: Source, len: usize| {
                *params.entry(source).or_insert_with_key(|source| {
                    sources.push(source.clone());
                    b.param(format!("in{}", sources.len() - 1), dtype, len as u64)
                })
            };
            let constant = view.filter(|_| self.constant[node]);
            match constant.and_then(|(view, axis)| rearranged(view, axis, lanes as usize)) {
                Some((gather, read)) => {
                    let buffer = param(Source::Gathered(node, gather), read.len);
                    context.rearranged.insert((node, view.expect("filtered above").0.clone()), (buffer, read));
                }
                None => {
                    let buffer = param(Source::Dense(node), self.plan.graph.ty(node).elements());
                    context.buffers.insert(node, buffer);
                }
            }
        }
        let panels = instance.panels(tiles.sizes()).map(|(node, width)| {
            let shape = &self.plan.graph.ty(node).shape;
            sources.push(Source::Panels(node, width));
            b.param("panels", self.held[node], Layout::panels(shape, width).stored() as u64)
        });
        let stages: Vec<&Stage> = group.body.exprs().into_iter().flat_map(|fused| &fused.stages).collect();
        for stage in stages.iter().filter(|stage| stage.kept) {
            let ty = self.plan.graph.ty(stage.node);
            let name = format!("kept{}", context.kept.len());
            context.kept.insert(stage.node, b.param(name, self.held[stage.node], ty.elements() as u64));
            sources.push(Source::Dense(stage.node));
        }
        let elements = self.plan.graph.ty(group.root).elements();
        let output = b.param("out", self.held[group.root], elements as u64);
        sources.push(Source::Dense(group.root));
        for (i, stage) in stages.iter().enumerate() {
            let dtype = self.held[stage.node];
            context.buffers.insert(stage.node, b.scratch(format!("row{i}"), dtype, stage.extent as u64));
        }
        instance.emit(&context, &mut b, Parameters { panels, output }, tiles.sizes());
        (b.finish(), sources)
    }

    fn finish(self) -> Result<Program<Kernel>, Error> {
        let (graph, held) = (&self.plan.graph, &self.held);
        let mut buffers = Buffers::default();
        let port =
            |node: NodeId, buffer: BufferId| Port { name: graph.text_name(node), ty: graph.ty(node).clone(), buffer };
        let inputs = graph
            .inputs()
            .iter()
            .enumerate()
            .map(|(i, &n)| port(n, buffers.dense(graph, n, held[n], Storage::Input(i))))
            .collect();
        let outputs = graph
            .outputs
            .iter()
            .enumerate()
            .map(|(i, &n)| port(n, buffers.dense(graph, n, held[n], Storage::Output(i))))
            .collect();
        let mut constants = ConstantGraph::new(graph);
        let mut planned: Vec<(NodeId, Interval)> = Vec::new();
        for (source, &(first, last)) in &self.touched {
            match source {
                inputs_and_outputs if buffers.placed.contains_key(inputs_and_outputs) => {}
                Source::Dense(node) if !self.constant[*node] => {
                    let bytes = (graph.ty(*node).elements() * held[*node].bytes()) as u64;
                    planned.push((*node, Interval { bytes, first, last }));
                }
                constant => constants.add(constant, held, &mut buffers)?,
            }
        }
        let intervals: Vec<Interval> = planned.iter().map(|p| p.1).collect();
        let places: HashMap<NodeId, usize> = planned.iter().enumerate().map(|(at, p)| (p.0, at)).collect();
        let at = |node: NodeId| places.get(&node).copied();
        let takes: Vec<Option<usize>> =
            planned.iter().map(|&(node, Interval { first, .. })| at(self.replaced(first, node)?)).collect();
        let (offsets, arena_bytes) = buffers::place_in_turn(&intervals, &takes);
        for ((node, _), offset) in planned.iter().zip(offsets) {
            buffers.dense(graph, *node, held[*node], Storage::Arena(offset));
        }
        let launches = self.launches.iter().map(|(kernel, sources)| {
            let k = &self.kernels[*kernel];
            let buffers = sources.iter().map(|s| buffers.placed[s]).collect();
            Launch { kernel: *kernel, buffers, blocks: k.blocks(), scratch_bytes: k.scratch_layout().1 }
        });
        let launches = launches.collect();
        let program = Program {
            name: graph.name.clone(),
            kernels: self.kernels,
            buffers: buffers.rows,
            launches,
            inputs,
            outputs,
            constant_graph: constants.out,
            constants: constants.constants,
            arena_bytes,
            constant_bytes: constants.bytes,
        };
        match program.faults().first() {
            None => Ok(program),
            Some(fault) => Err(Error::broken(fault.clone())),
        }
    }
}

impl Lowering<'_> {
    /// The tensor whose place the result of a launch can take: read there for the last time, each element once and by
    /// the row program that then writes it. Memory that a GPU only reads may be cached, so there nothing is replaced.
    fn replaced(&self, launch: usize, root: NodeId) -> Option<NodeId> {
        let Body::Row(fused) = &self.plan.groups[launch].body else { return None };
        let (graph, here) = (&self.plan.graph, View::identity(&fused.space));
        let ty = graph.ty(root);
        let reads = |node: NodeId| fused.loads().filter(|(other, _)| *other == node).count();
        let fits = |term: &Term| match &term.expr {
            Expr::Load { node, view } => {
                let &(first, last) = self.touched.get(&Source::Dense(*node))?;
                let same = self.held[*node] == self.held[root] && graph.ty(*node).elements() == ty.elements();
                (first < launch && last == launch && same && *view == here && reads(*node) == 1).then_some(*node)
            }
            _ => None,
        };
        let core = self.target.backend != Backend::Ptx && self.plan.groups[launch].root == root;
        core.then(|| fused.terms.values().find_map(fits)).flatten()
    }
}

/// How a constant is gathered and then read, where lanes along an axis of the view would not be neighbours.
fn rearranged(view: &View, axis: usize, lanes: usize) -> Option<(View, View)> {
    if !reads(view, axis) || lanes_are_contiguous(view, axis, lanes) {
        return None;
    }
    view.compact(axis)
}

fn reads(view: &View, axis: usize) -> bool {
    view.coords.iter().flat_map(|c| &c.digits).any(|d| d.axis == axis)
}

/// The axis along which lanes read: the last of the space, or in a reduction that is the same all along it the
/// reduced one.
fn lane_axis(view: &View, space: &[usize]) -> Option<usize> {
    let last = space.len().checked_sub(1)?;
    if reads(view, last) { Some(last) } else { view.shape.len().checked_sub(1) }
}

/// What a group reads from memory, constants in panels excepted, in order: nodes, and through which view and with lanes
/// along which of its axes, where it is one view.
fn loaded(body: &Body) -> Vec<(NodeId, Option<(&View, usize)>)> {
    let hosts = body.exprs();
    let stages: Vec<&Stage> = hosts.iter().flat_map(|fused| &fused.stages).collect();
    let exprs = stages.iter().map(|stage| &stage.fused).chain(hosts.iter().copied());
    let term = |t: &'_ Term| match &t.expr {
        Expr::Load { node, .. } => Some((*node, true)),
        Expr::Gather { table, .. } => Some((*table, false)),
        _ => None,
    };
    let rows: HashSet<NodeId> = stages.iter().map(|stage| stage.node).collect();
    let mut known = HashSet::new();
    let mut nodes: Vec<(NodeId, Option<(&View, usize)>)> = Vec::new();
    for (space, t) in exprs.flat_map(|c| c.terms.values().map(move |t| (&c.space, t))) {
        let Some((node, direct)) = term(t) else { continue };
        if rows.contains(&node) {
            continue;
        }
        let view = match &t.expr {
            Expr::Load { view, .. } if direct => lane_axis(view, space).map(|axis| (view, axis)),
            _ => None,
        };
        if known.insert((node, view)) {
            nodes.push((node, view));
        }
    }
    nodes
}

#[derive(Default)]
struct Buffers {
    rows: IdVec<BufferId, BufferDecl>,
    placed: BTreeMap<Source, BufferId>,
}

impl Buffers {
    fn push(&mut self, source: Source, name: String, dtype: DType, len: u64, storage: Storage) -> BufferId {
        let id = self.rows.push(BufferDecl { name, dtype, len, storage });
        self.placed.insert(source, id);
        id
    }
    fn dense(&mut self, graph: &Graph, node: NodeId, dtype: DType, storage: Storage) -> BufferId {
        let elements = graph.ty(node).elements() as u64;
        self.push(Source::Dense(node), graph.text_name(node), dtype, elements, storage)
    }
}
