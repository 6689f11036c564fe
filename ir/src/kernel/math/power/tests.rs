//! Powers against f64: within 2 ulp where they are numbers, and what C says at the edges.

use super::super::tests::{apply2, ulp};
use super::{pow, pow_of};
use crate::kernel::{Builder, Val};
use proptest::prelude::*;

/// Edges of either operand.
const EDGES: [f32; 22] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    2.0,
    -2.0,
    3.0,
    -3.0,
    0.5,
    -0.5,
    1.5,
    -1.5,
    1e-40,
    -1e-40,
    1e30,
    -1e30,
    16777217.0,
    8388609.5,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    f32::MAX,
];

fn check(x: &[f32], y: &[f32], fma: bool, scalar: bool) {
    check_with(pow, x, y, fma, scalar);
}

fn check_with(f: fn(&mut Builder, Val, Val, bool) -> Val, x: &[f32], y: &[f32], fma: bool, scalar: bool) {
    for ((&x, &y), found) in x.iter().zip(y).zip(apply2(f, fma, scalar, x, y)) {
        let exact = f64::from(x).powf(f64::from(y));
        let rounded = exact as f32;
        let right = match () {
            () if rounded.is_nan() => found.is_nan(),
            () if rounded.is_infinite() || rounded == 0.0 => {
                let near = f64::from(found).abs();
                let edge = near > 3.4028e38 || near < 3.0 * ulp(0.0);
                found == rounded || (edge && found.is_sign_negative() == rounded.is_sign_negative())
            }
            () => (f64::from(found) - exact).abs() <= 2.0 * ulp(exact),
        };
        assert!(
            right && (rounded.is_nan() || found.is_sign_negative() == rounded.is_sign_negative()),
            "{x:?}^{y:?} = {found:?}, expected {rounded:?} (fma: {fma})"
        );
    }
}

/// Bits as an f32 that is likely to have interesting powers.
fn base(bits: u32) -> f32 {
    match bits % 4 {
        // Any number.
        0 => f32::from_bits(bits.rotate_left(7)),
        // Near 1.
        1 => 1.0 + (bits >> 2) as f32 / 2f32.powi(30) - 0.5,
        2 => (bits >> 20) as f32 - 2048.0,
        _ => f32::from_bits(0x3f80_0000 ^ (bits >> 20)),
    }
}

/// An exponent that brings the result anywhere between the least and the largest f32.
fn exponent(base: f32, bits: u32) -> f32 {
    let share = f64::from(bits) / f64::from(u32::MAX) * 300.0 - 150.0;
    let wanted = (share / f64::from(base).abs().log2()) as f32;
    match bits % 3 {
        0 => wanted.round(),
        1 => (bits % 41) as f32 / 4.0 - 5.0,
        _ => wanted,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn powers_keep_their_bound(seeds in proptest::collection::vec(any::<(u32, u32)>(), 2000), fma: bool) {
        let x: Vec<f32> = seeds.iter().map(|&(a, _)| base(a)).collect();
        let y: Vec<f32> = x.iter().zip(&seeds).map(|(&x, &(_, b))| exponent(x, b)).collect();
        check(&x, &y, fma, false);
        check(&x[..100], &y[..100], fma, true);
    }
}

#[test]
fn powers_at_the_edges_are_those_of_c() {
    let pairs: Vec<(f32, f32)> = EDGES.iter().flat_map(|&x| EDGES.map(|y| (x, y))).collect();
    let (x, y): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
    for (fma, scalar) in [(true, false), (false, false), (true, true)] {
        check(&x, &y, fma, scalar);
    }
}

#[test]
fn powers_of_two_are_exact() {
    for fma in [true, false] {
        let powers: Vec<f32> = (-149..128).map(|n| n as f32).collect();
        let found = apply2(pow, fma, false, &vec![2.0; powers.len()], &powers);
        assert!(powers.iter().zip(found).all(|(&n, found)| f64::from(found) == f64::from(n).exp2()));
    }
}

#[test]
fn short_ways_keep_the_bound_and_the_edges() {
    let numbers: Vec<f32> = (0..4000u32).map(|i| base(i.wrapping_mul(2_654_435_761))).chain(EDGES).collect();
    macro_rules! short {
        ($($y:literal),*) => { $(
            let way = |b: &mut Builder, x: Val, _: Val, _: bool| pow_of(b, x, $y).expect("it has a short way");
            check_with(way, &numbers, &vec![$y as f32; numbers.len()], true, false);
        )* };
    }
    short!(1.0, 2.0, 3.0, -1.0, 0.5, -0.5);
}
