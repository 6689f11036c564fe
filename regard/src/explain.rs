//! From written to chosen: what the passes did to a graph, link by link, and whether each link holds.
//!
//! ```text
//!   written ─definitions─▶ inlined ─▶ views ─numbers─▶ folded ─▶ regions ─▶ chosen ─▶ merged ─definitions─▶ kernels
//!                                                               │ rule, rule, rule …
//!                                                               └ from written to chosen
//! ```
//!
//! A link is two graphs that mean the same. Small ones come from each use of a rule, a definition, a folded number or a
//! merger; larger ones are each region and the whole graph, before and after. [`Explanation::replay`] evaluates all of them.

use crate::{
    errors::Result,
    memory,
    pipeline::CompileOptions,
    progress::Progress,
    weights::{Weights, leaf},
};
use rayon::prelude::*;
use regard_ir::{
    count::counted,
    graph::{Graph, Node, NodeId, Tensor},
    ops::Op,
    target::Target,
};
use regard_passes::{
    Optimized, RewriteStep, Snapshot,
    egraph::{self, RegionReport},
    optimize, plan,
    replay::{self, Kind, Verdict},
};
use std::collections::HashSet;

/// How a graph became what is compiled.
pub struct Explanation {
    target: Target,
    optimized: Optimized,
    snapshots: Vec<Snapshot>,
}

/// Two graphs that mean the same, and why.
struct Link<'a> {
    /// The rule or stage.
    name: String,
    /// Where it was used, for users.
    place: String,
    /// What was found.
    before: &'a Graph,
    /// What was put in its place.
    after: &'a Graph,
    /// Whether leaves are those of the graph, so that weights can be its own.
    whole: bool,
}

/// What came of all links.
pub struct Replay {
    /// Links that hold.
    pub held: usize,
    /// Elements compared.
    pub elements: usize,
    /// Links on which nothing was decided, each with a sentence.
    pub skipped: Vec<String>,
    /// The first link that does not hold, with a sentence.
    pub broken: Option<String>,
}

/// Explains a graph.
///
/// # Errors
/// Where a pass refuses it.
pub fn explain(graph: &Graph, compile_options: &CompileOptions) -> Result<Explanation> {
    let optimized = optimize(graph, compile_options.target, &compile_options.rules)?;
    let plan = plan(&optimized.graph, compile_options.target)?;
    let mut snapshots = optimized.snapshots.clone();
    snapshots.push(Snapshot { name: "for kernels", graph: plan.graph, steps: plan.steps });
    Ok(Explanation { target: compile_options.target.clone(), optimized, snapshots })
}

impl Explanation {
    /// What the code is for.
    pub fn target(&self) -> &Target {
        &self.target
    }
    /// What became of each region.
    pub fn optimized(&self) -> &Optimized {
        &self.optimized
    }
    /// The whole graph, as written and after each stage.
    pub fn snapshots(&self) -> &[Snapshot] {
        &self.snapshots
    }
    /// The region that computes a node of the graph: its own where it is still computed, else that of its nearest user.
    /// `None` for inputs and constants.
    pub fn region_of(&self, node: NodeId) -> Option<usize> {
        let graph = &self.snapshots[0].graph;
        if graph.constants()[node] || matches!(graph.nodes[node].op, Op::Input(_)) {
            return None;
        }
        let mut wanted: std::collections::BTreeSet<NodeId> = [node].into();
        for (id, other) in graph.nodes.iter().filter(|(id, _)| *id >= node) {
            if id != node && other.operands.iter().any(|operand| wanted.contains(operand)) {
                wanted.insert(id);
            }
            if wanted.contains(&id)
                && let Some(home) = self.optimized.region_of_node[id]
            {
                return Some(home);
            }
        }
        None
    }

    /// The region whose result has that name.
    pub fn region_called(&self, name: &str) -> Option<usize> {
        self.optimized.regions.iter().position(|region| region.root == name)
    }

    /// Every link, in order: each kind once. A large graph is one link from the first snapshot to the last.
    fn links(&self, only: Option<usize>) -> Vec<Link<'_>> {
        let mut links = Links::default();
        let small = replay::work(&self.snapshots[0].graph) < replay::BUDGET / 8;
        let regions = self.optimized.regions.iter().enumerate();
        let regions =
            || regions.clone().filter(|(at, _)| only.is_none_or(|only| only == *at)).map(|(_, region)| region);
        for (at, snapshot) in self.snapshots.iter().enumerate().skip(1).filter(|_| only.is_none()) {
            snapshot.steps.iter().for_each(|step| links.add(step, snapshot.name));
            if snapshot.name == egraph::RULES_APPLIED {
                regions().for_each(|region| links.region(region));
            }
            if small {
                links.all.push(self.whole(snapshot.name, at - 1, at));
            }
        }
        if only.is_none() && !small {
            links.all.push(self.whole("written to kernels", 0, self.snapshots.len() - 1));
        }
        if only.is_some() {
            regions().for_each(|region| links.region(region));
        }
        links.all
    }

    /// The whole graph between two snapshots.
    fn whole(&self, name: &str, before: usize, after: usize) -> Link<'_> {
        let (before, after) = (&self.snapshots[before].graph, &self.snapshots[after].graph);
        Link { name: name.into(), place: "the whole graph".into(), before, after, whole: true }
    }

    /// Evaluates links on the interpreter, with weights of the graph in links of the whole; what breaks first is named.
    ///
    /// # Errors
    /// Where a graph cannot be evaluated at all.
    pub fn replay(&self, only: Option<usize>, weights: &dyn Weights, progress: &dyn Progress) -> Result<Replay> {
        replay(&self.links(only), weights, progress)
    }
}

/// Links in order, and the steps that are among them.
#[derive(Default)]
struct Links<'a> {
    all: Vec<Link<'a>>,
    known: HashSet<(&'a str, (&'a Graph, &'a Graph))>,
}

impl<'a> Links<'a> {
    fn region(&mut self, region: &'a RegionReport) {
        let place = format!("region %{}", region.root);
        region.rules.iter().for_each(|step| self.add(step, &place));
        let (before, after) = (&region.written, &region.chosen);
        self.all.push(Link { name: "written to chosen".into(), place, before, after, whole: false });
    }

    fn add(&mut self, step: &'a RewriteStep, place: &str) {
        let (before, after) = step.sides();
        if self.known.insert((&step.rule, (before, after))) {
            self.all.push(Link { name: step.rule.clone(), place: place.into(), before, after, whole: false });
        }
    }
}

/// Evaluates links, on all cores.
///
/// # Errors
/// Where a graph cannot be evaluated at all.
fn replay(links: &[Link], weights: &dyn Weights, progress: &dyn Progress) -> Result<Replay> {
    links.iter().try_for_each(|link| memory::afford(link.before))?;
    progress.say(&format!("replaying {}", counted(links.len(), "link")));
    let given = |kind: Kind, graph: &Graph, id: NodeId, node: &Node| -> Tensor {
        let own = |id, node: &Node| leaf(graph, weights, |_, _| None)(id, node).ok();
        match &node.op {
            Op::Weight(_) => own(id, node).unwrap_or_else(|| kind.leaf(graph, id, node)),
            _ => kind.leaf(graph, id, node),
        }
    };
    let verdict = |link: &Link| match link.whole {
        true => replay::replay_with(link.before, link.after, &given),
        false => replay::replay(link.before, link.after),
    };
    let verdicts: Vec<_> = links.par_iter().map(verdict).collect();
    progress.clear();
    let mut outcome = Replay { held: 0, elements: 0, skipped: Vec::new(), broken: None };
    for (at, (link, verdict)) in links.iter().zip(verdicts).enumerate() {
        let what = format!("{} in {}", link.name, link.place);
        match verdict? {
            Verdict::Holds { elements, .. } => {
                outcome.held += 1;
                outcome.elements += elements;
            }
            Verdict::Skipped(why) => outcome.skipped.push(format!("{what}: {why}")),
            Verdict::Broken(how) => {
                outcome.broken.get_or_insert(format!(
                    "link {} of {}, {what}, does not hold: {how}",
                    at + 1,
                    links.len()
                ));
            }
        }
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{progress::Silent, weights::Synthetic};
    use regard_ir::text;
    use regard_passes::Rules;

    fn link<'a>(name: &str, before: &'a Graph, after: &'a Graph) -> Link<'a> {
        Link { name: name.into(), place: "a test".into(), before, after, whole: false }
    }

    fn graph(body: &str) -> Graph {
        text::parse(&format!("graph g {{\n  %x = input : f32[4, 5]\n{body}\n  return %y\n}}\n")).expect(body)
    }

    #[test]
    fn the_first_wrong_link_is_named() {
        let softmax = graph("  %y = softmax %x { axis = -1 }");
        let bare = graph("  %e = exp %x\n  %s = reduce %e { op = sum, axis = -1 }\n  %y = div %e, %s");
        let shifted = graph("  %z = add %x, 0.5\n  %y = softmax %z { axis = -1 }");
        let axis = graph("  %y = softmax %x { axis = -2 }");
        let all = [
            link("shift", &shifted, &softmax),
            link("raise", &bare, &softmax),
            link("lose-the-maximum", &softmax, &bare),
            link("swap-the-axis", &softmax, &axis),
        ];
        let replayed = |links: &[Link]| replay(links, &Synthetic::new(0), &Silent).expect("values");
        assert!(replayed(&all[..2]).broken.is_none());
        let broken = replayed(&all).broken.expect("two links are wrong");
        assert!(broken.contains("link 3 of 4, lose-the-maximum in a test") && broken.contains("`masked`"), "{broken}");
        assert!(replayed(&all[3..]).broken.expect("an axis").contains("swap-the-axis"));
    }

    #[test]
    fn a_limit_is_named_and_the_program_is_right() {
        let block = graph(
            "  %w = weight : f32[5, 5]\n  %t = transpose %x { order = [-1, -2] }\n  %q = matmul %x, %w\n  \
             %s = matmul %q, %t\n  %h = mul %s, 0.5\n  %p = softmax %h { axis = -1 }\n  %y = matmul %p, %x",
        );
        let target = Target::named("x86-64-v2").expect("a row");
        for (rules, expected) in [
            (Rules { terms: 8, ..Rules::default() }, "limit of 8 e-nodes"),
            (Rules { rounds: 1, ..Rules::default() }, "limit of 1 iteration"),
            (Rules { matches: 0, ..Rules::default() }, "limit of 0 matches"),
        ] {
            let explained = explain(&block, &CompileOptions { rules, ..target.into() }).expect("it is explained");
            let regions: String = explained.optimized.regions.iter().map(ToString::to_string).collect();
            assert!(regions.contains(expected), "{regions}");
            let outcome = explained.replay(None, &Synthetic::new(0), &Silent).expect("values");
            assert!(outcome.broken.is_none() && outcome.held > 0, "{:?}", outcome.broken);
        }
    }
}
