//! The error function against values computed with 60 digits and against identities.

use super::*;
use crate::ops::special::{erf, erfc, gelu};

/// (x, erf x, erfc x).
const KNOWN: &[(f64, f64, f64)] = &[
    (1e-10, 1.1283791670955126e-10, 0.999999999887162),
    (0.0625, 0.07043197772238707, 0.9295680222776129),
    (0.25, 0.27632639016823696, 0.7236736098317631),
    (0.5, 0.5204998778130465, 0.4795001221869535),
    (0.75, 0.7111556336535151, 0.28884436634648486),
    (1.0, 0.8427007929497149, 0.15729920705028513),
    (1.25, 0.9229001282564583, 0.07709987174354177),
    (1.5, 0.9661051464753108, 0.033894853524689274),
    (1.75, 0.9866716712191824, 0.013328328780817557),
    (1.9375, 0.9938568063952132, 0.0061431936047868),
    (2.0, 0.9953222650189527, 0.004677734981047266),
    (2.0625, 0.9964637508747902, 0.003536249125209789),
    (2.25, 0.9985372834133188, 0.0014627165866811518),
    (2.5, 0.999593047982555, 0.0004069520174449589),
    (3.0, 0.9999779095030014, 2.209049699858544e-05),
    (3.5, 0.9999992569016276, 7.430983723414128e-07),
    (4.0, 0.9999999845827421, 1.541725790028002e-08),
    (4.75, 0.9999999999815149, 1.8485047721485312e-11),
    (5.5, 0.9999999999999927, 7.357847917974398e-15),
    (5.9375, 1.0, 4.5844734362343966e-17),
    (8.0, 1.0, 1.1224297172982926e-29),
    (12.0, 1.0, 1.3562611692059042e-64),
    (20.0, 1.0, 5.395865611607901e-176),
];

fn relative(found: f64, expected: f64) -> f64 {
    ((found - expected) / expected).abs()
}

#[test]
fn known_values() {
    for &(x, value, complement) in KNOWN {
        assert!(relative(erf(x), value) < 1e-15, "erf {x} is {}, expected {value}", erf(x));
        assert!(relative(erf(-x), -value) < 1e-15, "erf -{x}");
        assert!(relative(erfc(-x), 2.0 - complement) < 1e-15, "erfc -{x}");
        // Below 2 the complement is a difference and has the absolute precision of erf.
        let tolerance = if x < 2.0 { 1e-15 / complement } else { 2e-15 };
        assert!(relative(erfc(x), complement) < tolerance, "erfc {x} is {}, expected {complement}", erfc(x));
    }
}

#[test]
fn limits() {
    assert_eq!([erf(0.0), erf(6.5), erf(-6.5), erf(f64::INFINITY)], [0.0, 1.0, -1.0, 1.0]);
    assert_eq!([erfc(f64::INFINITY), erfc(f64::NEG_INFINITY), erfc(40.0)], [0.0, 2.0, 0.0]);
    assert!(erf(f64::NAN).is_nan() && erfc(f64::NAN).is_nan());
    assert_eq!([gelu(0.0), gelu(1e4), gelu(-1e4)], [0.0, 1e4, 0.0]);
    assert!(gelu(f64::NEG_INFINITY).is_nan());
    let tiny = f64::MIN_POSITIVE;
    assert!(relative(erf(tiny), tiny * std::f64::consts::FRAC_2_SQRT_PI) < 1e-15);
}

proptest! {
    #[test]
    fn erf_is_odd_and_rises(x in -7.0f64..7.0, step in 1e-3f64..1.0) {
        prop_assert_eq!(erf(-x), -erf(x));
        prop_assert!(erf(x + step) >= erf(x));
        prop_assert!((erf(x) + erfc(x) - 1.0).abs() <= 2.3e-16);
    }

    /// The difference over a short interval is Simpson's integral of 2/√π·exp(−t²).
    #[test]
    fn erf_is_the_integral(x in -5.0f64..5.0) {
        let density = |t: f64| std::f64::consts::FRAC_2_SQRT_PI * (-t * t).exp();
        let h = 1.0 / 64.0;
        let simpson: f64 = (0..4)
            .map(|i| x + i as f64 * h)
            .map(|a| (density(a) + 4.0 * density(a + h / 2.0) + density(a + h)) * h / 6.0)
            .sum();
        prop_assert!((erf(x + 4.0 * h) - erf(x) - simpson).abs() < 1e-10);
    }

    #[test]
    fn gelu_of_opposites_differs_by_x(x in -8.0f64..8.0) {
        prop_assert!((gelu(x) - gelu(-x) - x).abs() < 1e-15 * x.abs().max(1.0));
    }
}
