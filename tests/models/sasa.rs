//! Stand-alone self-attention as a whole: which kernels it runs through, and what it keeps in memory.

use super::{holds, trace};
use regard::{
    models::{self, Config},
    pipeline,
};
use regard_ir::target::Target;
use regard_passes::{
    Schedule, lower,
    plan::{Attend, Body, Plan, neighbourhood::Neighbourhood},
};

/// Relative terms of a neighbourhood: one product for rows and one for columns, each with k columns and half a head deep.
fn has_short_products(plan: &Plan, attend: &Attend, size: usize) -> bool {
    let half = attend.products.as_ref().expect("q·k").dim / 2;
    let terms = attend.scores.loads().filter_map(|(node, _)| {
        let group = plan.groups.iter().find(|group| group.root == node)?;
        let Body::Matmul(p) = &group.body else { return None };
        Some((p.batch * p.m, p.k, p.n))
    });
    terms.eq([(attend.batch, half, size); 2])
}

/// A framework writes 1.85 GB of unfolded keys, values and scores; here all that is between kernels, and what workers keep
/// for themselves, is below 40 MB.
#[test]
fn neighbourhoods_slide_and_nothing_is_unfolded() {
    let graph = models::build("sasa_resnet50_full", &Config::default()).unwrap();
    let target = &Target::ROWS[0];
    let plan = pipeline::plan_graph(&graph, target, &mut trace()).unwrap();
    let schedule = Schedule::best(&plan, target);
    let attends = plan.groups.iter().zip(&schedule.groups).filter_map(|(group, (_, tiles))| match &group.body {
        Body::Attend(attend) => Some((attend, tiles)),
        _ => None,
    });
    let (mut slides, mut pairs) = (0, 0);
    for (attend, tiles) in attends {
        let near = Neighbourhood::of(attend);
        assert_eq!(near.is_some(), tiles.name() == "slide", "{tiles}");
        slides += usize::from(near.is_some());
        pairs += usize::from(near.is_some_and(|near| has_short_products(&plan, attend, near.size[0])));
    }
    assert_eq!((slides, pairs), (16, 16));
    let program = lower(&plan, &schedule, target).unwrap();
    let scratch = program.launches.iter().map(|launch| launch.scratch_bytes).max().unwrap();
    let bytes = program.arena_bytes + 4 * scratch;
    assert!(bytes < 40_000_000, "{bytes} bytes");
    // Queries, keys and values of the stem at full resolution; keys have three channels, as the image has.
    let widest = program.buffers.values().map(|buffer| buffer.len).max().unwrap();
    assert_eq!(widest, 224 * 224 * 64);
}

#[test]
fn absolute_positions_hold() {
    let config = Config { batch: 2, size: Some((64, 96)), classes: Some(7), ..Config::default() };
    holds("sasa_resnet26", &config.with("position", "absolute"), 3);
}
