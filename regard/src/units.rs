//! Times, sizes and amounts of work as text, in the unit that suits each.

use regard_ir::count::counted;
use std::time::Duration;

/// A time.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s >= 1.0 => format!("{s:.2} s"),
        s if s >= 1e-3 => format!("{:.1} ms", s * 1e3),
        s => format!("{:.1} µs", s * 1e6),
    }
}

/// An estimate in femtoseconds.
pub fn femtoseconds(time: u64) -> String {
    match time {
        t if t >= 1_000_000_000_000 => format!("{:.3} ms", t as f64 / 1e12),
        t => format!("{:.3} µs", t as f64 / 1e9),
    }
}

/// A size.
pub fn bytes(n: u64) -> String {
    match n {
        n if n >= 10_000_000 => format!("{:.1} MB", n as f64 / 1e6),
        n if n >= 10_000 => format!("{:.1} kB", n as f64 / 1e3),
        n => counted(n, "byte"),
    }
}

/// A number of floating-point operations.
pub fn flops(n: u64) -> String {
    match n as f64 {
        n if n >= 1e9 => format!("{:.3} GFLOP", n / 1e9),
        n if n >= 1e6 => format!("{:.3} MFLOP", n / 1e6),
        n => format!("{:.3} kFLOP", n / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_suit_the_number() {
        assert_eq!(duration(Duration::from_micros(1500)), "1.5 ms");
        assert_eq!(duration(Duration::from_millis(2340)), "2.34 s");
        assert_eq!(duration(Duration::from_nanos(900)), "0.9 µs");
        assert_eq!([bytes(500), bytes(50_000), bytes(113_153_416)], ["500 bytes", "50.0 kB", "113.2 MB"]);
        assert_eq!([flops(9_063_000_000), flops(4_200_000), flops(512)], ["9.063 GFLOP", "4.200 MFLOP", "0.512 kFLOP"]);
    }
}
