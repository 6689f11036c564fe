//! Remainders against f64, where those of two f32 are exact.

use super::super::tests::apply2;
use super::remainder;
use proptest::prelude::*;

/// PyTorch's definition; the last sum is rounded in f32.
fn expected(x: f32, y: f32) -> f32 {
    let m = x % y;
    if m != 0.0 && (y < 0.0) != (m < 0.0) { m + y } else { m }
}

fn check(x: &[f32], y: &[f32], fma: bool, scalar: bool) {
    for ((&x, &y), found) in x.iter().zip(y).zip(apply2(remainder, fma, scalar, x, y)) {
        let wanted = expected(x, y);
        let right = found.to_bits() == wanted.to_bits() || (found.is_nan() && wanted.is_nan());
        assert!(right, "{x:?} mod {y:?} = {found:?}, expected {wanted:?} (fma: {fma})");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Any two numbers: quotients go up to 2²⁷⁶.
    #[test]
    fn remainders_are_exact(bits in proptest::collection::vec(any::<(u32, u32)>(), 1000), fma: bool) {
        let (x, y): (Vec<f32>, Vec<f32>) = bits.iter().map(|&(a, b)| (f32::from_bits(a), f32::from_bits(b))).unzip();
        check(&x, &y, fma, false);
        check(&x[..100], &y[..100], fma, true);
    }

    /// Quotients of a few bits, multiples and near multiples.
    #[test]
    fn small_quotients_are_exact(bits in proptest::collection::vec(any::<(i16, i8, u8)>(), 1000), fma: bool) {
        let pair = |&(q, y, way): &(i16, i8, u8)| {
            let y = f32::from(y) / 8.0;
            let x = f32::from(q) * y;
            (f32::from_bits((x.to_bits() as i32).wrapping_add(i32::from(way % 3) - 1) as u32), y)
        };
        let (x, y): (Vec<f32>, Vec<f32>) = bits.iter().map(pair).unzip();
        check(&x, &y, fma, false);
    }
}

#[test]
fn remainders_at_the_edges_are_those_of_pytorch() {
    let edges = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        5.5,
        -5.5,
        1e-45,
        -1e-45,
        3e38,
        -3e38,
        8388608.0,
        16777216.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
    ];
    let (x, y): (Vec<f32>, Vec<f32>) = edges.iter().flat_map(|&x| edges.map(|y| (x, y))).unzip();
    for (fma, scalar) in [(true, false), (false, false), (true, true), (false, true)] {
        check(&x, &y, fma, scalar);
    }
}
