//! The optimiser: which ops compute what was asked for.
//!
//! ```text
//!   graph ─regions─e-graph─▶ dense heads ─canonical form─▶ regions ─e-graph─▶ cheapest terms ─canonical form─▶ graph
//! ```
//!
//! Each region is put into an e-graph, where a term and everything that rules say it equals live side by side;
//! rules run until nothing is new or a limit is reached, and then the cheapest program is read out. No clock is
//! asked: limits count terms, matches and rounds, so the same graph gives the same result everywhere. Equal regions
//! are solved once. Convolutions meet resized and concatenated maps before canonical form, which would make products of them.
//!
//! Read in this order: `term` (the language), `rules` (the equations), `region`, `cost`, `extract`, `explain`, `trial`.

mod affine;
mod away;
mod cost;
mod cost_set;
mod explain;
mod extract;
mod matches;
mod numbers;
mod options;
mod region;
mod rules;
mod signature;
mod term;
#[cfg(test)]
mod tests;
pub mod trial;
pub(crate) mod view_queries;

pub(crate) use crate::step::RewriteStep;
pub use cost::cost_of;
pub use options::{Rules, row_names, rule_names};

use crate::{
    canonical::{self, Canonical},
    error::Error,
    horizontal_fusion,
    step::{Snapshot, Steps},
};
use egg::{Id, Language, RecExpr, Runner, StopReason};
use matches::Scheduler;
use regard_ir::{
    count::counted,
    graph::{Graph, Names, NodeId, NodeMap, Rewriter},
    id::IdVec,
    ops::{Input, Op, Weight},
    target::Target,
};
use region::{Region, RegionTerm};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    time::Duration,
};
use term::{Egraph, Facts, Term, decode};

/// The name of the snapshot in which maps are convolved at the size that costs least.
const DENSE_HEADS: &str = "dense heads";
/// The name of the snapshot in which regions have their results.
pub const RULES_APPLIED: &str = "rules applied";

/// A better graph, and why.
#[derive(Clone, Debug)]
pub struct Optimized {
    /// The graph.
    pub graph: Canonical,
    /// What was done, one entry per kind of region, in the order of the graph.
    pub regions: Vec<RegionReport>,
    /// The whole graph from stage to stage; the first is what was given, the last is the result.
    pub snapshots: Vec<Snapshot>,
    /// For each node of the graph given the entry of `regions` that computes it.
    pub region_of_node: IdVec<NodeId, Option<usize>>,
}

/// What happened in one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionReport {
    /// The node that the region computes: its label, or its number in canonical form.
    pub root: String,
    /// How many equal regions took the same result, this one included.
    pub copies: usize,
    /// Terms in the e-graph at the end.
    pub nodes: usize,
    /// Rounds of all rules.
    pub iterations: usize,
    /// Why no more rounds were run.
    pub stop: Stop,
    /// Rules used on the way to the result, in order.
    pub rules: Vec<RewriteStep>,
    /// Cost as written and as chosen, in femtoseconds of one core.
    pub cost: (u64, u64),
    /// The region as written; what it reads are its inputs and weights.
    pub written: Graph,
    /// The region as chosen.
    pub chosen: Graph,
}

/// One line: `%layers.0, 2 regions alike: 131 e-nodes, 5 iterations, saturated; factor-into-weights, add-rows`.
impl fmt::Display for RegionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RegionReport { root, copies, nodes, iterations, stop, .. } = self;
        let alike = if *copies == 1 { String::new() } else { format!(", {copies} regions alike") };
        write!(f, "%{root}{alike}: {}, {}, {stop}; ", counted(*nodes, "e-node"), counted(*iterations, "iteration"))?;
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for step in &self.rules {
            match counts.iter_mut().find(|(rule, _)| *rule == step.rule) {
                Some((_, count)) => *count += 1,
                None => counts.push((&step.rule, 1)),
            }
        }
        let times =
            |&(rule, count): &(&str, usize)| if count == 1 { rule.to_string() } else { format!("{rule} ×{count}") };
        let list: Vec<String> = counts.iter().map(times).collect();
        f.write_str(if list.is_empty() { "unchanged" } else { "" })?;
        f.write_str(&list.join(", "))
    }
}

/// Why an e-graph stopped growing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// No rule finds anything new.
    Saturated,
    /// The limit on terms, which is so many.
    Nodes(usize),
    /// The limit on rounds.
    Iterations(usize),
    /// The limit on matches of rules that are tried, which is so many.
    Matches(usize),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Saturated => f.write_str("saturated"),
            Stop::Nodes(limit) => write!(f, "stopped by the limit of {}", counted(*limit, "e-node")),
            Stop::Iterations(limit) => write!(f, "stopped by the limit of {}", counted(*limit, "iteration")),
            Stop::Matches(limit) => write!(f, "stopped by the limit of {}", counted(*limit, "match")),
        }
    }
}

/// The best graph that rules find for a target. Inputs and outputs keep their order and names, nodes that
/// survive keep their labels.
pub fn optimize(graph: &Graph, target: &Target, rules: &Rules) -> Result<Optimized, Error> {
    let dense = optimise_regions(graph, &region::dense_regions(graph), target, rules)?;
    let (heads, to_heads) = match dense.changed() {
        false => (graph, NodeMap::identity(graph)),
        true => (&dense.graph, dense.map.clone()),
    };
    let keep = |id: NodeId| canonical::has_rules(&heads.nodes[id].op);
    let inlined = canonical::inline(heads, &keep, &canonical::has_rules)?;
    let (sunk, to_sunk) = canonical::sink_traced(&inlined.graph)?;
    let folded = numbers::fold(&sunk)?;
    let weighed = affine::fold(&folded.graph)?;
    let to_regions = to_heads.then(&inlined.map).then(&to_sunk).then(&folded.map).then(&weighed.map);
    let input = weighed.graph;
    let rewritten = optimise_regions(&input, &region::regions(&input), target, rules)?;
    let mut best = Canonical::sunk(&rewritten.graph)?;
    name_outputs(&input, &mut best);
    let snapshot = |name, graph: &Graph, steps| Snapshot { name, graph: graph.clone(), steps };
    let mut snapshots = vec![snapshot("written", graph, Vec::new())];
    if dense.changed() {
        snapshots.push(snapshot(DENSE_HEADS, heads, dense.steps()));
    }
    snapshots.extend([
        snapshot("composites inlined", &inlined.graph, inlined.steps),
        snapshot("movement as views", &sunk, Vec::new()),
        snapshot("numbers folded", &folded.graph, folded.steps),
    ]);
    if !weighed.steps.is_empty() {
        snapshots.push(snapshot("weights folded", &input, weighed.steps));
    }
    snapshots.push(snapshot(RULES_APPLIED, &best, Vec::new()));
    if rules.merges() {
        let (mut merged, steps) = horizontal_fusion::fuse_parallel_matmuls(&best, target)?;
        if !steps.is_empty() {
            name_outputs(&best, &mut merged);
            snapshots.push(snapshot("parallel products merged", &merged, steps));
            best = merged;
        }
    }
    let region_of_node = to_regions.values().map(|id| rewritten.region_of_node.get(&id?).copied()).collect();
    Ok(Optimized { graph: best, regions: rewritten.reports, snapshots, region_of_node })
}

/// A graph in which every region has its result.
struct Rewritten {
    graph: Graph,
    /// What was done, one entry per kind of region.
    reports: Vec<RegionReport>,
    /// Where each node went that is still computed.
    map: NodeMap,
    /// The entry of `reports` for each node of a region.
    region_of_node: BTreeMap<NodeId, usize>,
}

impl Rewritten {
    fn changed(&self) -> bool {
        self.reports.iter().any(|report| !report.rules.is_empty())
    }
    /// All uses of rules, each kind once.
    fn steps(&self) -> Vec<RewriteStep> {
        let mut steps = Steps::default();
        self.reports.iter().flat_map(|report| &report.rules).for_each(|step| steps.add(step.clone()));
        steps.into_vec()
    }
}

/// Solves each kind of region once and puts the results together.
fn optimise_regions(graph: &Graph, regions: &[Region], target: &Target, rules: &Rules) -> Result<Rewritten, Error> {
    let mut known: HashMap<&RegionTerm, usize> = HashMap::new();
    let mut solutions: Vec<RewrittenRegion> = Vec::new();
    let mut reports: Vec<RegionReport> = Vec::new();
    let mut chosen = BTreeMap::new();
    let names = graph.names();
    for region in regions {
        let at = match known.get(&region.problem) {
            Some(&at) => at,
            None => {
                let (solution, report) = optimise_region(&region.problem, target, rules)?;
                let (written, chosen) = solution.sides(&names, region)?;
                let root = names.of(region.root).to_owned();
                reports.push(RegionReport { root, written, chosen, ..report });
                solutions.push(solution);
                known.insert(&region.problem, reports.len() - 1);
                reports.len() - 1
            }
        };
        reports[at].copies += 1;
        chosen.insert(region.root, (region, at));
    }
    let (graph, map) = rebuild(graph, &chosen, &solutions)?;
    let entries = |(region, at): &(&Region, usize)| region.nodes.iter().map(|&node| (node, *at)).collect::<Vec<_>>();
    let region_of_node = chosen.values().flat_map(entries).collect();
    Ok(Rewritten { graph, reports, map, region_of_node })
}

/// A region's result.
struct RewrittenRegion {
    expr: RecExpr<Term>,
    /// The term that each of the region's nodes became, where its value is still computed.
    terms: Vec<Option<Id>>,
}

impl RewrittenRegion {
    /// The region of a graph as written and as chosen; leaves keep their names.
    fn sides(&self, names: &Names, region: &Region) -> Result<(Graph, Graph), Error> {
        let side = |expr: &RecExpr<Term>| {
            let mut out = Graph::new(names.of(region.root));
            let mut leaves = Vec::new();
            for (&node, leaf) in region.leaves.iter().zip(&region.problem.leaves) {
                let ty = leaf.ty.clone();
                let op = if leaf.constant { Op::Weight(Weight { ty }) } else { Op::Input(Input { ty }) };
                let leaf = out.push(op, &[])?;
                out.set_label(leaf, names.of(node));
                leaves.push(leaf);
            }
            let nodes = decode(expr.as_ref(), &mut out, |i| leaves[i as usize])?;
            out.outputs = vec![nodes.last().copied().flatten().ok_or("a region computes a tensor")?];
            Ok::<Graph, String>(out)
        };
        Ok((side(&region.problem.expr).map_err(Error::broken)?, side(&self.expr).map_err(Error::broken)?))
    }
}

fn optimise_region(
    problem: &RegionTerm,
    target: &Target,
    rules: &Rules,
) -> Result<(RewrittenRegion, RegionReport), Error> {
    let (mut egraph, report) = saturate(problem, rules.rewrites(), rules);
    let ids: Vec<Id> = class_of_each(&mut egraph, &problem.expr);
    let written: BTreeSet<Term> =
        problem.expr.as_ref().iter().map(|t| t.clone().map_children(|c| ids[usize::from(c)])).collect();
    let root = *ids.last().expect("a region has a root");
    let best = extract::extract(&egraph, root, &written, target);
    let terms = problem.terms.iter().map(|&t| best.terms.get(&ids[usize::from(t)]).copied()).collect();
    let before = cost_as_written(&egraph, &written, &problem.expr, &ids, target);
    let steps = explain::steps(&mut egraph, &problem.expr, &best.expr)?;
    let report = RegionReport { rules: steps, cost: (before, best.cost), ..report };
    Ok((RewrittenRegion { expr: best.expr, terms }, report))
}

/// The e-graph of a region after all rounds.
fn saturate<'a>(
    problem: &RegionTerm,
    rewrites: impl IntoIterator<Item = &'a egg::Rewrite<Term, Facts>>,
    limits: &Rules,
) -> (Egraph, RegionReport) {
    // egg asks a clock unless the limit is out of reach.
    let forever = Duration::from_secs(u64::MAX / 4);
    let matches = limits.matches(problem.terms.len());
    let runner = Runner::<Term, Facts>::new(Facts::new(problem.leaves.clone()))
        .with_explanations_enabled()
        .without_explanation_length_optimization()
        .with_scheduler(Scheduler::new(matches))
        .with_node_limit(limits.terms)
        .with_iter_limit(limits.rounds)
        .with_time_limit(forever)
        .with_expr(&problem.expr)
        .run(rewrites);
    let stop = match &runner.stop_reason {
        Some(StopReason::NodeLimit(_)) => Stop::Nodes(limits.terms),
        Some(StopReason::IterationLimit(_)) => Stop::Iterations(limits.rounds),
        Some(reason) if Scheduler::stopped(reason) => Stop::Matches(matches),
        _ => Stop::Saturated,
    };
    let (nodes, iterations) = (runner.egraph.total_number_of_nodes(), runner.iterations.len());
    let (rules, cost) = (Vec::new(), (0, 0));
    let (written, chosen) = (Graph::default(), Graph::default());
    let report = RegionReport { root: String::new(), copies: 0, nodes, iterations, stop, rules, cost, written, chosen };
    (runner.egraph, report)
}

/// The class of each term of an expression that the e-graph holds.
fn class_of_each(egraph: &mut Egraph, expr: &RecExpr<Term>) -> Vec<Id> {
    egraph.lookup_expr_ids(expr).expect("the expression was added")
}

/// What the program as written costs.
fn cost_as_written(
    egraph: &Egraph,
    written: &BTreeSet<Term>,
    expr: &RecExpr<Term>,
    ids: &[Id],
    target: &Target,
) -> u64 {
    let owner: BTreeMap<Term, Id> =
        expr.as_ref().iter().zip(ids).map(|(t, &id)| (t.clone().map_children(|c| ids[usize::from(c)]), id)).collect();
    let prices = cost::Prices::new(egraph, target);
    let price = |term: &Term| prices.of(term, owner[term]).cost;
    written.iter().map(price).sum()
}

/// The graph with every region replaced by its result, and where each node went.
fn rebuild(
    graph: &Graph,
    chosen: &BTreeMap<NodeId, (&Region, usize)>,
    solutions: &[RewrittenRegion],
) -> Result<(Graph, NodeMap), Error> {
    let constant = graph.constants();
    let mut rewriter = Rewriter::new(graph);
    let inner: BTreeSet<NodeId> = chosen.values().flat_map(|(region, _)| region.nodes.iter().copied()).collect();
    for id in graph.nodes.ids() {
        if let Some(&(region, at)) = chosen.get(&id) {
            let solution = &solutions[at];
            let leaves: Option<Vec<NodeId>> = region.leaves.iter().map(|&leaf| rewriter.get(leaf)).collect();
            let leaves = leaves.ok_or_else(|| Error::broken("leaves come first"))?;
            let nodes = decode(solution.expr.as_ref(), rewriter.graph_mut(), |i| leaves[i as usize]);
            let nodes = nodes.map_err(Error::broken)?;
            for (&old, term) in region.nodes.iter().zip(&solution.terms) {
                if let Some(new) = term.and_then(|t| nodes[usize::from(t)]).filter(|_| !constant[old]) {
                    rewriter.replace(old, new);
                }
            }
            rewriter.replace(id, nodes.last().copied().flatten().expect("a region has a root"));
        } else if (constant[id] || !inner.contains(&id)) && rewriter.operands(id).is_some() {
            // No output needs a node that reads what is not computed.
            rewriter.copy(id).map_err(Error::broken)?;
        }
    }
    rewriter.finish().map_err(Error::broken)
}

/// Gives outputs their labels back where the node that had it is gone.
fn name_outputs(before: &Graph, after: &mut Canonical) {
    let mut labels: BTreeSet<String> = after.nodes.values().filter_map(|node| node.label.clone()).collect();
    for (&old, new) in before.outputs.iter().zip(after.outputs.clone()) {
        if let Some(label) = &before.nodes[old].label
            && after.nodes[new].label.is_none()
            && labels.insert(label.clone())
        {
            after.set_label(new, label.clone());
        }
    }
}
