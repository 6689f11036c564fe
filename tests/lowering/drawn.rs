//! The chain with every choice drawn: a graph, the rules that may be used, tiles that fit, a target.
//!
//! ```text
//!   seed ─▶ random graph ─ optimized by some of the rules ─ planned ─ tiled at random ─ lowered
//!              │                                                                  │
//!              └ interpreter, f64   ≈   kernels, f64   ≈   kernels, f32   =   machine code
//! ```
//!
//! Half of the graphs are smooth, so that few are left out because rounding decides.

use crate::chain::{decides, hold, targets};
use regard_ir::{
    graph::{Graph, Node, NodeId, Tensor, eval},
    random::Random,
    target::Target,
};
use regard_passes::{
    Plan, Rules, Schedule, egraph, lower, optimize, plan,
    schedule::{CostContext, Tiles, search},
};
use regard_testkit::graphs;

/// Closes the chain for the choices of a seed; `Err` says which link broke, and under which choices.
pub(crate) fn try_drawn(seed: u64) -> Result<(), String> {
    let mut draw = Random::new(seed);
    let graph = if draw.below(2) == 0 { graphs::any(seed) } else { graphs::smooth(seed) };
    let targets = targets();
    let target = &targets[draw.below(targets.len())];
    let rules = draw_rules(&mut draw);
    closed(&graph, target, &rules, &mut draw).map_err(|message| {
        let without = &rules.without;
        format!("{}, without {without:?}: {message}\n{graph}", target.name)
    })
}

fn closed(graph: &Graph, target: &Target, rules: &Rules, draw: &mut Random) -> Result<(), String> {
    let leaf = |id: NodeId, node: &Node| graphs::leaf(1, id, &node.ty);
    let reference = eval(graph, &mut |id, node| Ok(leaf(id, node))).map_err(|e| e.to_string())?;
    let inputs: Vec<Tensor> = graph.inputs().iter().map(|&id| leaf(id, graph.node(id))).collect();
    let optimized = optimize(graph, target, rules).map_err(|e| format!("optimize: {e}"))?.graph;
    let plan = plan(&optimized, target).map_err(|e| format!("plan: {e}\n{optimized}"))?;
    let schedule = draw_schedule(&plan, target, draw);
    schedule.check(&plan, target).map_err(|e| format!("{e}\n{schedule}"))?;
    let program = lower(&plan, &schedule, target).map_err(|e| format!("lower: {e}\n{schedule}"))?;
    let jumps = decides(graph) || decides(&optimized);
    hold(graph, &leaf, &program, target, &reference, &inputs, jumps)
        .map_err(|e| format!("{e}\n{schedule}\n{optimized}"))
}

/// All rules, most of them, or half of them; sometimes with a limit that stops the search early.
fn draw_rules(draw: &mut Random) -> Rules {
    let spared = [usize::MAX, 8, 2][draw.below(3)];
    let left_out = |_: &&str| spared != usize::MAX && draw.below(spared) == 0;
    let without = egraph::rule_names().into_iter().filter(left_out).map(str::to_owned).collect();
    let rounds = if draw.below(4) == 0 { 1 + draw.below(3) } else { Rules::default().rounds };
    Rules { without, rounds, ..Rules::default() }
}

/// For every group any point of its space.
fn draw_schedule(plan: &Plan, target: &Target, draw: &mut Random) -> Schedule {
    let setting = CostContext::new(plan, target);
    let tiles: Vec<Tiles> = plan
        .groups
        .iter()
        .map(|group| {
            let all = search::all(&group.body, &setting);
            all[draw.below(all.len())].tiles
        })
        .collect();
    Schedule::of(plan, target, tiles.into_iter())
}
