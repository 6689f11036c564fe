//! Growth: what is read takes memory and work in proportion to its size.
//!
//! ```text
//!   n    ─▶ allocations, bytes, peak
//!   2n   ─▶ at most 2½ times as many
//! ```
//!
//! A counting allocator counts what one thread asks for; nothing is timed, but for a bound of seconds on inputs for
//! which anything quadratic takes minutes.

mod archives;
mod compile;
mod pictures;
mod text;

use std::time::{Duration, Instant};

/// How much more twice the input may take.
const FACTOR: f64 = 2.5;
/// What anything may take besides: buffers of a fixed size.
const FLOOR: u64 = 1 << 16;
/// How long the larger input may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs on inputs of sizes n and 2n, made ahead, and holds the second against the first.
pub fn grows<I>(what: &str, n: usize, input: impl Fn(usize) -> I, run: impl Fn(&I)) {
    let (small, large) = (input(n), input(2 * n));
    // Whatever is made once and for all is made before.
    run(&small);
    let first = allocation_counter::measure(|| run(&small));
    let start = Instant::now();
    let second = allocation_counter::measure(|| run(&large));
    let time = start.elapsed();
    for (name, first, second) in [
        ("allocations", first.count_total, second.count_total),
        ("bytes", first.bytes_total, second.bytes_total),
        ("peak", first.bytes_max, second.bytes_max),
    ] {
        let most = (first as f64 * FACTOR) as u64 + FLOOR;
        assert!(second <= most, "{what}: {first} {name} for {n}, {second} for {}", 2 * n);
    }
    assert!(time < PATIENCE, "{what}: {time:?} for {}", 2 * n);
}

/// The most bytes that a run holds at once.
pub fn peak(run: impl FnOnce()) -> u64 {
    allocation_counter::measure(run).bytes_max
}
