//! The error function against values computed with 60 digits and against identities.

use super::*;
use crate::ops::special::{erf, erfc, gelu};

/// (x, erf x, erfc x).
const KNOWN: &[(f64, f64, f64)] = &[
    (1e-10, 1.128379167095512615e-10, 0.99999999988716208329),
    (0.0625, 0.070431977722387078051, 0.92956802227761292195),
    (0.25, 0.27632639016823693299, 0.72367360983176306701),
    (0.5, 0.52049987781304653768, 0.47950012218695346232),
    (0.75, 0.7111556336535151316, 0.2888443663464848684),
    (1.0, 0.84270079294971486934, 0.15729920705028513066),
    (1.25, 0.92290012825645823014, 0.077099871743541769863),
    (1.5, 0.96610514647531072707, 0.033894853524689272933),
    (1.75, 0.98667167121918244377, 0.013328328780817556228),
    (1.9375, 0.99385680639521319999, 0.0061431936047868000069),
    (2.0, 0.99532226501895273416, 0.0046777349810472658379),
    (2.0625, 0.99646375087479021101, 0.0035362491252097889874),
    (2.25, 0.9985372834133188483, 0.0014627165866811516979),
    (2.5, 0.99959304798255504106, 0.00040695201744495893956),
    (3.0, 0.99997790950300141456, 0.000022090496998585441373),
    (3.5, 0.99999925690162765859, 7.4309837234141274552e-7),
    (4.0, 0.99999998458274209972, 1.5417257900280018852e-8),
    (4.75, 0.99999999998151495228, 1.8485047721485310887e-11),
    (5.5, 0.99999999999999264215, 7.3578479179743980631e-15),
    (5.9375, 0.99999999999999995416, 4.58447343623439657e-17),
    (8.0, 1.0, 1.122429717298292708e-29),
    (12.0, 1.0, 1.3562611692059042128e-64),
    (20.0, 1.0, 5.3958656116079009289e-176),
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
    assert_eq!([gelu(0.0), gelu(1e4), gelu(-1e4), gelu(f64::NEG_INFINITY)], [0.0, 1e4, 0.0, 0.0]);
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
