//! Accuracy of the elementary functions against f64, run by the interpreter.

use super::super::{Builder, IdAxis, Kernel, Unit, Val, eval};
use super::*;
use crate::types::DType;
use proptest::prelude::*;

type Function = fn(&mut Builder, Val, bool) -> Val;
type Function2 = fn(&mut Builder, Val, Val, bool) -> Val;

/// Applies a function to `count` numbers, as vectors of 8 lanes or as scalars.
fn kernel(f: Function, fma: bool, count: usize, scalar: bool) -> Kernel {
    let step = if scalar { 1 } else { 8 };
    let mut b = Builder::new("apply", Unit::Core, 8, [(count / step) as u64, 1, 1]);
    let (x, y) = (b.param("x", DType::F32, count as u64), b.param("y", DType::F32, count as u64));
    let block = b.id(IdAxis::G0);
    let at = b.mul_const(block, step as i64);
    if scalar {
        let v = b.load_scalar(b.addr(x, at));
        let v = f(&mut b, v, fma);
        b.store_scalar(v, b.addr(y, at));
    } else {
        let v = b.load(b.addr(x, at));
        let v = f(&mut b, v, fma);
        b.store(v, b.addr(y, at));
    }
    b.finish()
}

fn apply(f: Function, fma: bool, scalar: bool, x: &[f32]) -> Vec<f32> {
    let mut padded = x.to_vec();
    padded.resize(x.len().next_multiple_of(8), 0.0);
    let bytes: Vec<u8> = padded.iter().flat_map(|v| v.to_le_bytes()).collect();
    let mut buffers = [bytes.clone(), vec![0; bytes.len()]];
    let kernel = kernel(f, fma, padded.len(), scalar);
    eval::run(&kernel, &mut buffers).unwrap_or_else(|fault| panic!("{fault}"));
    let floats = buffers[1].chunks_exact(4).map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]]));
    floats.take(x.len()).collect()
}

/// Applies a function of two numbers, as vectors of 8 lanes or as scalars.
pub(super) fn apply2(f: Function2, fma: bool, scalar: bool, x: &[f32], y: &[f32]) -> Vec<f32> {
    let count = x.len().next_multiple_of(8);
    let step = if scalar { 1 } else { 8 };
    let mut b = Builder::new("apply", Unit::Core, 8, [(count / step) as u64, 1, 1]);
    let [p, q, r] = ["x", "y", "z"].map(|name| b.param(name, DType::F32, count as u64));
    let block = b.id(IdAxis::G0);
    let at = b.mul_const(block, step as i64);
    if scalar {
        let (v, w) = (b.load_scalar(b.addr(p, at)), b.load_scalar(b.addr(q, at)));
        let v = f(&mut b, v, w, fma);
        b.store_scalar(v, b.addr(r, at));
    } else {
        let (v, w) = (b.load(b.addr(p, at)), b.load(b.addr(q, at)));
        let v = f(&mut b, v, w, fma);
        b.store(v, b.addr(r, at));
    }
    let bytes = |values: &[f32]| {
        let padded = values.iter().copied().chain(std::iter::repeat(1.0)).take(count);
        padded.flat_map(f32::to_le_bytes).collect::<Vec<u8>>()
    };
    let mut buffers = [bytes(x), bytes(y), vec![0; 4 * count]];
    eval::run(&b.finish(), &mut buffers).unwrap_or_else(|fault| panic!("{fault}"));
    let floats = buffers[2].chunks_exact(4).map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]]));
    floats.take(x.len()).collect()
}

/// Half the distance from `exact` to where f32 changes twice: one unit in the last place of the nearest f32.
pub(super) fn ulp(exact: f64) -> f64 {
    let exponent = (exact.abs().max(f64::from(f32::MIN_POSITIVE)).to_bits() >> 52) as i32 - 1023;
    2f64.powi(exponent - 23)
}

/// `count` numbers from `low` to `high`, evenly spread, moved by a random part of the distance.
fn sweep(low: f64, high: f64, count: usize, shift: f64) -> Vec<f32> {
    (0..count).map(|i| (low + (high - low) * (i as f64 + shift) / count as f64) as f32).collect()
}

/// Numbers of both signs whose exponents spread evenly over 2^low … 2^high.
fn spread(low: f64, high: f64, count: usize, shift: f64) -> Vec<f32> {
    let magnitudes = sweep(low, high, count, shift);
    magnitudes.iter().enumerate().map(|(i, &e)| f64::from(e).exp2() as f32 * [1.0, -1.0][i % 2]).collect()
}

struct Case {
    name: &'static str,
    function: Function,
    exact: fn(f64) -> f64,
    /// Where it is tried: evenly from … to, and magnitudes 2^from … 2^to (both signs, or positive only).
    even: (f64, f64),
    powers: (f64, f64, bool),
    /// The error allowed where the value is `exact`.
    allowed: fn(x: f64, exact: f64) -> f64,
}

fn flushed(exact: f64, units: f64) -> f64 {
    let smallest = f64::from(f32::MIN_POSITIVE);
    if exact.abs() < smallest * 1.000_001 { smallest } else { units * ulp(exact) }
}

fn exact_gelu(x: f64) -> f64 {
    0.5 * x * crate::ops::special::erfc(-x / std::f64::consts::SQRT_2)
}

const CASES: [Case; 10] = [
    Case {
        name: "exp",
        function: exp,
        exact: f64::exp,
        even: (-90.0, 88.72),
        powers: (-30.0, 6.4, true),
        allowed: |_, y| flushed(y, 2.0),
    },
    Case {
        name: "exp2",
        function: exp2,
        exact: f64::exp2,
        even: (-130.0, 127.999),
        powers: (-30.0, 6.9, true),
        allowed: |_, y| flushed(y, 2.0),
    },
    Case {
        name: "log",
        function: log,
        exact: f64::ln,
        even: (0.0, 4.0),
        powers: (-149.0, 127.9, false),
        allowed: |_, y| 3.0 * ulp(y),
    },
    Case {
        name: "erf",
        function: erf,
        exact: crate::ops::special::erf,
        even: (-5.0, 5.0),
        powers: (-100.0, 3.0, true),
        allowed: |x, y| if x.abs() < 0.9 { 2.0 * ulp(y) } else { 1e-7 },
    },
    Case {
        name: "gelu",
        function: gelu,
        exact: exact_gelu,
        even: (-14.0, 14.0),
        powers: (-100.0, 13.0, true),
        allowed: |x, y| if x > 0.0 { 4.0 * ulp(y) + 1e-45 } else { (1e-7f64).min(4.0 * ulp(y) + 6e-8) },
    },
    Case {
        name: "tanh",
        function: tanh,
        exact: f64::tanh,
        even: (-10.0, 10.0),
        powers: (-100.0, 6.0, true),
        allowed: |_, y| 3.0 * ulp(y),
    },
    Case {
        name: "sigmoid",
        function: sigmoid,
        exact: |x| 1.0 / (1.0 + (-x).exp()),
        even: (-90.0, 30.0),
        powers: (-30.0, 6.5, true),
        allowed: |_, y| flushed(y, 3.0),
    },
    Case {
        name: "rsqrt",
        function: |b, x, _| rsqrt(b, x),
        exact: |x| 1.0 / x.sqrt(),
        even: (0.0, 4.0),
        powers: (-149.0, 127.9, false),
        allowed: |_, y| 2.0 * ulp(y),
    },
    Case {
        name: "sin",
        function: sin,
        exact: f64::sin,
        even: (-10.0, 10.0),
        powers: (-149.0, 127.9, true),
        allowed: |_, y| 2.0 * ulp(y),
    },
    Case {
        name: "cos",
        function: cos,
        exact: f64::cos,
        even: (-10.0, 10.0),
        powers: (-149.0, 127.9, true),
        allowed: |_, y| 2.0 * ulp(y),
    },
];

fn check(case: &Case, fma: bool, scalar: bool, points: &[f32]) {
    let results = apply(case.function, fma, scalar, points);
    let mut worst = (0.0, 0.0f32);
    for (&x, &y) in points.iter().zip(&results) {
        let exact = (case.exact)(x.into());
        let error = (f64::from(y) - exact).abs();
        let share = error / (case.allowed)(x.into(), exact);
        if share > worst.0 || share.is_nan() {
            worst = (share, x);
        }
    }
    let (share, x) = worst;
    assert!(share <= 1.0, "{}({x:?}) misses its bound {share} times (fma: {fma})", case.name);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn functions_keep_their_bounds(shift in 0.0f64..1.0, fma in any::<bool>()) {
        for case in &CASES {
            let mut points = sweep(case.even.0, case.even.1, 6000, shift);
            let (low, high, both) = case.powers;
            points.extend(spread(low, high, 2000, shift).into_iter().map(|v| if both { v } else { v.abs() }));
            check(case, fma, false, &points);
            check(case, fma, true, &points[..200]);
        }
    }
}

/// The value at an argument where it is exact.
fn at(f: Function, x: f32) -> f32 {
    let results: Vec<f32> = [true, false].iter().flat_map(|&fma| apply(f, fma, false, &[x])).collect();
    assert_eq!(results[0].to_bits(), results[1].to_bits());
    results[0]
}

#[test]
fn exponentials_saturate() {
    for f in [exp as Function, exp2] {
        assert_eq!(at(f, f32::INFINITY), f32::INFINITY);
        assert_eq!(at(f, 1e4), f32::INFINITY);
        assert_eq!(at(f, f32::MAX), f32::INFINITY);
        for x in [f32::NEG_INFINITY, f32::MIN, -1e4, -151.0] {
            assert_eq!(at(f, x).to_bits(), 0);
        }
        assert_eq!(at(f, 0.0), 1.0);
        assert_eq!(at(f, -0.0), 1.0);
    }
    assert_eq!(at(exp, 88.72284), f32::INFINITY);
    assert!(at(exp, 88.722_83).is_finite());
    assert_eq!(at(exp2, 128.0), f32::INFINITY);
    assert!(at(exp2, 127.999_99).is_finite());
    for n in -126..128 {
        assert_eq!(at(exp2, n as f32), 2f32.powi(n), "powers of two are exact");
    }
}

#[test]
fn edges_are_exact() {
    assert_eq!(at(log, 0.0), f32::NEG_INFINITY);
    assert_eq!(at(log, -0.0), f32::NEG_INFINITY);
    assert_eq!(at(log, f32::INFINITY), f32::INFINITY);
    assert_eq!(at(log, 1.0), 0.0);
    assert_eq!(at(|b, x, _| rsqrt(b, x), 0.25), 2.0);
    assert_eq!(at(|b, x, _| recip(b, x), -0.5), -2.0);
    for (f, bound) in [(erf as Function, 1.0), (tanh, 1.0), (sigmoid, 1.0)] {
        for x in [1e2, 1e4, f32::MAX, f32::INFINITY] {
            assert_eq!(at(f, x), bound);
        }
    }
    for x in [0.0f32, -0.0] {
        for f in [erf as Function, tanh, gelu] {
            assert_eq!(at(f, x), 0.0);
        }
    }
    assert_eq!(at(gelu, 1e4), 1e4);
    assert_eq!(at(gelu, -1e4), 0.0);
    assert_eq!(at(sigmoid, -1e4), 0.0);
}

#[test]
fn nan_gives_nan() {
    for case in &CASES {
        for fma in [true, false] {
            assert!(apply(case.function, fma, false, &[f32::NAN])[0].is_nan(), "{}", case.name);
        }
    }
    assert!(apply(log, true, false, &[-1.0])[0].is_nan());
}

/// In f64 only the polynomials' own error is left.
#[test]
fn f64_shows_the_error_of_the_polynomials() {
    for case in &CASES {
        let points: Vec<f64> =
            sweep(case.even.0.max(-10.0), case.even.1.min(10.0), 4000, 0.37).into_iter().map(f64::from).collect();
        let kernel = kernel(case.function, true, points.len(), false);
        let mut buffers = [points.clone(), vec![0.0; points.len()]];
        eval::run_f64(&kernel, &mut buffers).unwrap();
        for (&x, &y) in points.iter().zip(&buffers[1]) {
            let exact = (case.exact)(x);
            assert!((y - exact).abs() <= 1e-7 * exact.abs().max(1.0), "{}({x}) = {y}, not {exact}", case.name);
        }
    }
}

/// The f32 that lie nearest to multiples of π/2, and what is left of them, in every binade: the worst of them are
/// within 2⁻³⁰ of a multiple.
#[test]
fn sines_keep_their_bits_near_multiples_of_a_quarter_turn() {
    let mut points =
        vec![16367173.0 * 2f32.powi(72), 13.0e32, 1.0e38, f32::MAX, 102_900.0, 102_900.01, 400.0, 400.00003];
    for exponent in 0..127 {
        for k in 0..40 {
            let turns = (2f64.powi(exponent) * (1.0 + f64::from(k) / 40.0)).floor();
            let near = (turns * std::f64::consts::FRAC_PI_2) as f32;
            points.extend([near, f32::from_bits(near.to_bits() + 1), -near]);
        }
    }
    for case in CASES.iter().filter(|case| ["sin", "cos"].contains(&case.name)) {
        for fma in [true, false] {
            check(case, fma, false, &points);
            check(case, fma, true, &points[..400]);
        }
    }
}

#[test]
fn sines_of_edges() {
    for f in [sin as Function, cos] {
        for x in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
            assert!(apply(f, true, false, &[1.0, x, 2.0, 1e30])[1].is_nan());
            assert!(apply(f, false, true, &[x])[0].is_nan());
        }
    }
    assert_eq!(at(sin, 0.0).to_bits(), 0);
    assert_eq!(at(sin, -0.0).to_bits(), (-0.0f32).to_bits());
    assert_eq!((at(cos, 0.0), at(cos, -0.0), at(sin, 1e-40)), (1.0, 1.0, 1e-40));
}
