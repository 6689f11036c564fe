//! The error function in f64, to about 1e-15.
//!
//! ```text
//!   erf x  = 2/√π ∫₀ˣ exp(−t²) dt                          erfc x = 1 − erf x
//! ```
//!
//! Below 2 the series whose terms are all positive, so nothing cancels:
//!
//! ```text
//!   erf x  = 2/√π · exp(−x²) · x · (1 + 2x²/3 + (2x²)²/(3·5) + (2x²)³/(3·5·7) + …)
//! ```
//!
//! and from 2 on the continued fraction of the complement, whose relative precision also serves the far tail:
//!
//! ```text
//!   erfc x = exp(−x²)/√π · 1/(x + (1/2)/(x + (2/2)/(x + (3/2)/(x + …))))
//! ```

/// 2/√π.
const TWO_OVER_SQRT_PI: f64 = std::f64::consts::FRAC_2_SQRT_PI;

/// Where the series hands over to the continued fraction.
const SPLIT: f64 = 2.0;

/// From here on erfc is below 1e-17, so erf is 1 in f64.
const SATURATED: f64 = 6.0;

/// The error function.
pub fn erf(x: f64) -> f64 {
    let size = x.abs();
    let value = match size {
        s if s < SPLIT => series(s),
        s if s < SATURATED => 1.0 - fraction(s),
        s if s.is_nan() => return x,
        _ => 1.0,
    };
    value.copysign(x)
}

/// The complementary error function, precise where it is small.
pub fn erfc(x: f64) -> f64 {
    if x < SPLIT || x.is_nan() { 1.0 - erf(x) } else { fraction(x) }
}

/// Half the argument's complement of the Gaussian: `x/2 · erfc(−x/√2)`, the exact GELU; NaN at −∞ as in its definition
/// and in PyTorch.
pub fn gelu(x: f64) -> f64 {
    0.5 * x * erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

/// exp(−x²); the rounding error of x² is given back to first order.
fn gaussian(x: f64) -> f64 {
    let square = x * x;
    let lost = x.mul_add(x, -square);
    (-square).exp() * (1.0 - lost)
}

fn series(x: f64) -> f64 {
    let twice = 2.0 * x * x;
    let (mut sum, mut term, mut odd) = (1.0, 1.0, 1.0);
    while term > 1e-17 * sum {
        odd += 2.0;
        term *= twice / odd;
        sum += term;
    }
    TWO_OVER_SQRT_PI * gaussian(x) * x * sum
}

fn fraction(x: f64) -> f64 {
    // The relative error of this many levels is below 1e-17 for every x from 2 on.
    let depth = (240.0 / (x * x)).ceil() as u32 + 8;
    let tail = (1..=depth).rev().fold(x, |below, level| x + 0.5 * f64::from(level) / below);
    if x > 30.0 { 0.0 } else { gaussian(x) / tail * (0.5 * TWO_OVER_SQRT_PI) }
}
