//! Swin-T at batch 1 by target: criterion's statistics of whole runs, and where the time goes, kernel by kernel.
//!
//! ```text
//!   cargo bench --bench swin                      all targets of this machine
//!   cargo bench --bench swin -- x86-64-v4         one of them
//! ```
//!
//! The table gives the least time of each launch over many runs, launches of one kernel added up; the share is
//! that of the fma peak of all workers, measured on one.

mod common;

use common::{Bench, Peak, targets};
use criterion::Criterion;
use regard::{
    ir::{
        graph::Graph,
        id::IdVec,
        kernel::{Kernel, stats::stats},
        program::{KernelId, Program},
        target::Target,
    },
    models,
    runtime::cpu,
};
use std::time::Duration;

fn swin() -> Graph {
    models::build("swin_tiny", &models::Config::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// Launches and least nanoseconds of one kernel.
#[derive(Clone, Copy, Default)]
struct Row {
    launches: usize,
    nanoseconds: u64,
}

fn table(target: &Target, bench: &Bench, kernels: &Program<Kernel>) {
    let peak = Peak::new(target);
    let launches = bench.least(Duration::from_secs(3));
    let peak = peak.best_of(100) * bench.session.threads() as f64;
    let mut rows: IdVec<KernelId, Row> = kernels.kernels.values().map(|_| Row::default()).collect();
    for (launch, nanoseconds) in kernels.launches.iter().zip(&launches) {
        let row = &mut rows[launch.kernel];
        *row = Row { launches: row.launches + 1, nanoseconds: row.nanoseconds + nanoseconds };
    }
    let total: u64 = launches.iter().sum();
    let threads = bench.session.threads();
    println!("{}, {threads} threads, peak {peak:.1} GFLOP/s, {:.2} ms in launches", target.name, total as f64 / 1e6);
    println!("  {:<32} {:>8}  {:>9}  {:>6}  {:>8}  share", "kernel", "launches", "us", "time", "GFLOP/s");
    let mut order: Vec<KernelId> = rows.ids().collect();
    order.sort_by_key(|&id| (std::cmp::Reverse(rows[id].nanoseconds), id));
    for id in order {
        let (kernel, row) = (&kernels.kernels[id], rows[id]);
        let flops = stats(kernel).work.map_or(0, |work| work.flops) * row.launches as u64;
        let speed = flops as f64 / row.nanoseconds as f64;
        println!(
            "  {:<32} {:>8}  {:>9.1}  {:>4.1} %  {speed:>8.1}  {:.0} %",
            kernel.name,
            row.launches,
            row.nanoseconds as f64 / 1e3,
            row.nanoseconds as f64 / total as f64 * 100.0,
            speed / peak * 100.0
        );
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let asked = |name: &str| {
        let names: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
        names.is_empty() || names.iter().any(|n| name.contains(n.as_str()))
    };
    let graph = swin();
    for target in targets().iter().filter(|t| asked(t.name)) {
        let (bench, kernels) = Bench::new(&graph, target, cpu::default_threads());
        // `cargo bench` passes this; `cargo test --benches` only asks whether the benchmarks run.
        if std::env::args().any(|a| a == "--bench") {
            table(target, &bench, &kernels);
        }
        let mut group = criterion.benchmark_group("swin_tiny");
        group.sample_size(20).measurement_time(Duration::from_secs(5));
        group.bench_function(target.name, |b| b.iter(|| bench.run()));
    }
    criterion.final_summary();
}
