//! Schedules as values: candidates are allowed, varied and the same every time; estimates never promise more than
//! the machine has, and count what kernels do.

#[path = "../benches/battery/mod.rs"]
mod battery;

use battery::ranks::{median, spearman};
use battery::{ROWS, Row, Shape};
use regard::pipeline::{self, Trace};
use regard_ir::{kernel::stats::stats, target::Target};
use regard_passes::{
    Plan, Schedule, lower,
    plan::Body,
    schedule::{self, Candidate, CostContext, Tiles, candidates, search},
};
use std::collections::BTreeSet;

fn plan(row: &Row, target: &Target) -> Plan {
    pipeline::plan_graph(&row.graph(), target, &mut Trace::new()).expect("a plan")
}

fn main_body(plan: &Plan) -> &Body {
    &plan.groups.last().expect("a group").body
}

/// The best schedule with other tiles for the last group.
fn with(plan: &Plan, target: &Target, tiles: Tiles) -> Schedule {
    let mut schedule = Schedule::best(plan, target);
    schedule.groups.last_mut().expect("a group").1 = tiles;
    schedule
}

/// Rows of the battery by target: all for the widest vectors, every seventh for the others.
fn rows() -> impl Iterator<Item = (&'static Row, Target)> {
    let wide = ROWS.iter().map(|row| (row, Target::ROWS[0].clone()));
    let others = Target::ROWS.into_iter().skip(1);
    wide.chain(others.flat_map(|target| ROWS.iter().step_by(7).map(move |row| (row, target.clone()))))
}

#[test]
fn the_battery_is_a_hundred_different_kernels() {
    let origins: BTreeSet<&str> = ROWS.iter().map(|row| row.origin).collect();
    assert_eq!(origins.len(), 100);
    let attends = ROWS.iter().filter(|row| !matches!(row.shape, Shape::Product { .. })).count();
    assert!(attends >= 20, "{attends}");
    for row in &ROWS {
        let plan = plan(row, &Target::ROWS[0]);
        let fits = match row.shape {
            Shape::Product { .. } => matches!(main_body(&plan), Body::Matmul(_)),
            Shape::Attend { .. } | Shape::Near { .. } => matches!(main_body(&plan), Body::Attend(_)),
        };
        assert!(fits, "{}: {} groups", row.name(), plan.groups.len());
    }
}

#[test]
fn candidates_are_allowed_varied_and_the_same_every_time() {
    let mut flat = Vec::new();
    for (row, target) in rows() {
        let plan = plan(row, &target);
        let setting = CostContext::new(&plan, &target);
        let body = main_body(&plan);
        let offered = candidates(body, &setting);
        assert_eq!(offered, candidates(body, &setting));
        for (i, Candidate { tiles, estimate }) in offered.iter().enumerate() {
            let schedule = with(&plan, &target, *tiles);
            schedule.check(&plan, &target).unwrap_or_else(|e| panic!("{}: {e}", row.name()));
            assert_eq!(schedule::parse(&schedule.to_string()).as_ref(), Ok(&schedule));
            assert!(estimate.ns >= estimate.launch_ns + estimate.roofline_ns, "{} {tiles}", row.name());
            let peak = estimate.flops as f64 / target.core_gflops();
            let transfers = estimate.bytes.iter().zip(&target.levels).map(|(&bytes, level)| bytes as f64 / level.gbps);
            // A byte or an operation of rounding.
            let bound = transfers.fold(peak, f64::max) * (1.0 - 1e-6);
            assert!(estimate.ns >= bound, "{} {tiles}: {} below {bound}", row.name(), estimate.ns);
            assert!(i == 0 || estimate.ns >= offered[i - 1].estimate.ns);
        }
        let mut any = Schedule::best(&plan, &target);
        for candidate in search::all(body, &setting).iter().step_by(101) {
            any.groups.last_mut().expect("a group").1 = candidate.tiles;
            any.check(&plan, &target).unwrap_or_else(|e| panic!("{}: {e}", row.name()));
        }
        for workers in [1, target.workers] {
            let chosen = search::cheapest(body, &setting, workers);
            assert!(offered.contains(&chosen), "{} for {workers}", row.name());
        }
        let spread = offered[offered.len() - 1].estimate.ns / offered[0].estimate.ns;
        if offered.len() < 12 || spread < 2.0 {
            flat.push(format!("{} for {}", row.name(), target.name));
        }
    }
    assert!(flat.is_empty(), "{flat:?}");
}

#[test]
fn estimates_count_what_kernels_do() {
    for (row, target) in rows().step_by(5) {
        let plan = plan(row, &target);
        let setting = CostContext::new(&plan, &target);
        for candidate in candidates(main_body(&plan), &setting).iter().step_by(8) {
            let program = lower(&plan, &with(&plan, &target, candidate.tiles), &target).expect("a program");
            let launch = program.launches.last().expect("a launch");
            let Some(work) = stats(&program.kernels[launch.kernel]).work else { continue };
            let (found, exact) = (candidate.estimate.flops as f64, work.flops as f64);
            let what = format!("{} {} for {}", row.name(), candidate.tiles, target.name);
            // The kernel's text repeats for each vector what depends on the row alone; code computes it once.
            assert!((0.85..1.05).contains(&(found / exact)), "{what}: {found} estimated, {exact} in the kernel");
            let moved = (work.params.loaded + work.params.stored + work.scratch.loaded + work.scratch.stored) as f64;
            let found = candidate.estimate.bytes[0] as f64;
            assert!((0.6..1.6).contains(&(found / moved)), "{what}: {found} bytes estimated, {moved} in the kernel");
        }
    }
}

#[test]
fn more_workers_never_take_longer() {
    for row in ROWS.iter().step_by(9) {
        let plan = plan(row, &Target::ROWS[0]);
        let setting = CostContext::new(&plan, &Target::ROWS[0]);
        for candidate in candidates(main_body(&plan), &setting) {
            let times: Vec<f64> = [1, 2, 4, 8].map(|workers| candidate.estimate.on(workers)).into();
            assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
            assert_eq!(times[0], candidate.estimate.ns);
        }
    }
}

#[test]
fn ranks_decide_and_nothing_else() {
    let values = [3.0, 1.0, 2.0, 10.0];
    assert_eq!(spearman(&values, &[9.0, 0.1, 0.2, 1e9]), 1.0);
    assert_eq!(spearman(&values, &[-3.0, -1.0, -2.0, -10.0]), -1.0);
    // Σd² = 2 of 4 numbers: 1 − 6·2/(4·15).
    assert!((spearman(&values, &[3.0, 2.0, 1.0, 10.0]) - 0.8).abs() < 1e-12);
    assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), 1.0);
    // Ties share their rank.
    assert_eq!(spearman(&[5.0, 1.0, 5.0], &[1.5, 0.0, 1.5]), 1.0);
    assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
    assert_eq!(median(&[3.0, 1.0]), 2.0);
}
