//! Products on one core: what share of the fma peak they reach, for 512³ and for every product of Swin-T.
//!
//! ```text
//!   cargo bench --bench product                    the table of shares, then criterion's statistics
//!   cargo bench --bench product -- 512x512x512     one of them
//! ```
//!
//! A share is the least time of many launches against the peak, measured in turns, so that neighbours on the
//! machine and the clock disturb both alike.

mod common;

use common::{Bench, Peak, targets};
use criterion::{BenchmarkId, Criterion, Throughput};
use regard::ir::{
    graph::{Builder, Graph},
    types::TensorType,
};
use std::time::Duration;

/// Rows, reduction and columns: the cube that libraries are compared by, then Swin-T's stages at batch 1.
const SHAPES: [(usize, usize, usize); 21] = [
    (512, 512, 512),
    (3136, 48, 96),
    (3136, 96, 288),
    (3136, 96, 96),
    (3136, 96, 384),
    (3136, 384, 96),
    (784, 384, 192),
    (784, 192, 576),
    (784, 192, 192),
    (784, 192, 768),
    (784, 768, 192),
    (196, 768, 384),
    (196, 384, 1152),
    (196, 384, 384),
    (196, 384, 1536),
    (196, 1536, 384),
    (49, 1536, 768),
    (49, 768, 2304),
    (49, 768, 768),
    (49, 768, 3072),
    (49, 3072, 768),
];

/// `[m, k]` times a weight `[k, n]`.
fn product((m, k, n): (usize, usize, usize)) -> Graph {
    let mut b = Builder::new("product");
    let x = b.input("x", TensorType::f32([m, k]));
    let w = b.weight("w", TensorType::f32([n, k]));
    let y = b.linear(x, w, None);
    b.finish(&[y])
}

fn flops((m, k, n): (usize, usize, usize)) -> f64 {
    2.0 * (m * k * n) as f64
}

/// One shape's speed and the peak in GFLOP/s, each the best of rounds that alternate.
fn speeds(peak: &Peak, bench: &Bench, shape: (usize, usize, usize)) -> (f64, f64) {
    const ROUNDS: usize = 8;
    let round = |_| {
        let nanoseconds: u64 = bench.least(Duration::from_millis(60)).iter().sum();
        (flops(shape) / nanoseconds as f64, peak.best_of(8))
    };
    (0..ROUNDS).map(round).fold((0.0, 0.0), |best: (f64, f64), now| (best.0.max(now.0), best.1.max(now.1)))
}

fn shares() {
    for target in targets() {
        let peak = Peak::new(&target);
        println!("{}: products on one core, in GFLOP/s", target.name);
        println!("  {:>16}  {:>8}  {:>8}  share", "rows x k x cols", "product", "fma peak");
        for shape in SHAPES {
            let (bench, _) = Bench::new(&product(shape), &target, 1);
            let (speed, peak) = speeds(&peak, &bench, shape);
            let (m, k, n) = shape;
            let name = format!("{m}x{k}x{n}");
            println!("  {name:>16}  {speed:>8.1}  {peak:>8.1}  {:.0} %", speed / peak * 100.0);
        }
    }
}

fn statistics(criterion: &mut Criterion) {
    for target in targets() {
        let mut group = criterion.benchmark_group(target.name);
        group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(800));
        for shape in SHAPES {
            let (m, k, n) = shape;
            let (bench, _) = Bench::new(&product(shape), &target, 1);
            group.throughput(Throughput::Elements(flops(shape) as u64));
            group.bench_function(BenchmarkId::from_parameter(format!("{m}x{k}x{n}")), |b| b.iter(|| bench.run()));
        }
    }
}

fn main() {
    // `cargo bench` passes this; `cargo test --benches` only asks whether the benchmarks run.
    if std::env::args().any(|a| a == "--bench") {
        shares();
    }
    let mut criterion = Criterion::default().configure_from_args();
    statistics(&mut criterion);
    criterion.final_summary();
}
