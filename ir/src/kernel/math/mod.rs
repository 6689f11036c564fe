//! Elementary functions written in kernel IR, for scalars and vectors of f32.
//!
//! They consist of sums, products, comparisons and bit operations only, so every back end computes the same
//! bits. `fma` says whether `a·b + c` may be one instruction; without it the same polynomials are evaluated
//! by multiplying and adding.
//!
//! All exponentials go one way:
//!
//! ```text
//!   2^t = 2^n · 2^r        n = floor(t),  0 ≤ r < 1
//!          │      └─ polynomial of degree 6
//!          └─ built in the exponent bits: the low bits of the f32 1.5·2²³ + k are the integer k
//! ```
//!
//! | function | error | flushed to zero |
//! |---|---|---|
//! | [`exp`], [`exp2`] | 2 ulp | results below 2⁻¹²⁶ |
//! | [`log`] | 3 ulp, near 1 of the argument's distance from it | |
//! | [`erf`] | 10⁻⁷ absolute, 2 ulp below 0.9 | |
//! | [`gelu`] | 4 ulp where x > 0 (3.3 near 0.06), else 10⁻⁷ absolute | the lower tail below 2⁻¹²⁶ |
//! | [`tanh`] | 3 ulp | |
//! | [`sigmoid`], [`rsqrt`], [`recip`] | 3 ulp, 2 roundings, 1 rounding | sigmoid below 2⁻¹²⁸ |
//! | [`sin`], [`cos`] | 2 ulp for every f32 | |
//! | [`pow`] | 2 ulp | |
//! | [`remainder`] | 0, or 1 rounding where the signs of the operands differ | |
//!
//! A NaN gives NaN. The polynomials are weighted minimax fits (Lawson's iteration) whose coefficients were
//! rounded to f32 one after the other, refitting the rest, so f32 and f64 evaluate the same polynomial.

mod exact;
mod power;
mod remainder;
#[cfg(test)]
mod tests;
mod trigonometry;

pub use power::{pow, pow_of};
pub use remainder::remainder;
pub use trigonometry::{cos, sin};

use super::{BinOp, Builder, CastOp, CmpOp, UnOp, Val};

/// 2^r = 1 + r·q(r) on [0, 1], relative error 2.1·10⁻⁹.
const POWER_OF_TWO: [f64; 6] = [
    0.6931470632553101,
    0.24022908508777618,
    0.05548618361353874,
    0.009673775173723698,
    0.0012482289457693696,
    0.000215659718378447,
];
/// e^r = 1 + r·q(r) on [0, ln 2], relative error 2.1·10⁻⁹.
const POWER_OF_E: [f64; 6] = [
    0.9999998211860657,
    0.5000055432319641,
    0.1666117012500763,
    0.041911039501428604,
    0.007796867750585079,
    0.0019467656966298819,
];
/// artanh(s) = s + s³/2 · p(s²) for |s| ≤ 0.1716, relative error 8·10⁻¹⁰.
const ARTANH: [f64; 3] = [0.6666677594184875, 0.39977577328681946, 0.29871052503585815];
/// erf(x) = x + x·p(x²) for |x| ≤ 0.9, relative error 1.4·10⁻⁸.
const ERF: [f64; 6] = [
    0.12837915122509003,
    -0.3761250674724579,
    0.11281978338956833,
    -0.026773398742079735,
    0.005004345905035734,
    -0.0006053445977158844,
];
/// log₂(1 − erf(x)) = p(x) for 0.9 ≤ x ≤ 4.1; absolute error of erf 1.7·10⁻⁹.
const ERFC: [f64; 7] = [
    -0.0002560729335527867,
    -1.6269986629486084,
    -0.9190830588340759,
    -0.15009404718875885,
    0.03213896602392197,
    -0.004408290609717369,
    0.00028447163640521467,
];
/// log₂(1 − erf(u/√2)) = u·p(u); falls for all u ≥ 0; absolute error of u·2^(u·p(u)) 7.4·10⁻⁸ up to 6.
const NORMAL_TAIL: [f64; 8] = [
    -1.1511083841323853,
    -0.4591718912124634,
    -0.05262821167707443,
    0.007279448211193085,
    -0.0003174957528244704,
    -0.00010656246013240889,
    2.18479926843429e-05,
    -1.3249674566395697e-06,
];
/// tanh(x) = x + x³·p(x²) for |x| ≤ 0.625, relative error 4.6·10⁻⁹.
const TANH: [f64; 5] =
    [-0.3333328068256378, 0.13331405818462372, -0.05373651534318924, 0.02062816731631756, -0.0056922961957752705];

/// ln 2 in two parts: products of the first with integers below 2¹⁵ are exact in f32.
const LN2: (f64, f64) = (0.693359375, -2.121_944_400_546_905_8e-4);

fn mul_add(b: &mut Builder, x: Val, y: Val, z: Val, fma: bool) -> Val {
    if fma {
        return b.fma(x, y, z);
    }
    let product = b.mul(x, y);
    b.add(product, z)
}

/// `(…(c_k·x + c_{k−1})·x + …)·x + c_0`.
fn polynomial(b: &mut Builder, x: Val, coefficients: &[f64], fma: bool) -> Val {
    let (&last, rest) = coefficients.split_last().expect("a polynomial has coefficients");
    let mut sum = b.const_like(x, last);
    for &c in rest.iter().rev() {
        let c = b.const_like(x, c);
        sum = mul_add(b, sum, x, c, fma);
    }
    sum
}

/// `max(bound, x)`, NaN where `x` is NaN.
fn at_least(b: &mut Builder, x: Val, bound: f64) -> Val {
    let bound = b.const_like(x, bound);
    b.bin(BinOp::Max, bound, x)
}

/// `min(bound, x)`, NaN where `x` is NaN.
fn at_most(b: &mut Builder, x: Val, bound: f64) -> Val {
    let bound = b.const_like(x, bound);
    b.bin(BinOp::Min, bound, x)
}

/// `x · 2^(n + shift)` for an integral f32 `n` with −127 ≤ n + shift ≤ 128; the lower end gives zero, the upper
/// end infinity.
fn scaled(b: &mut Builder, x: Val, n: Val, shift: i32) -> Val {
    let one_and_a_half = b.const_like(n, 12_582_912.0 + 127.0 + f64::from(shift));
    let biased = b.add(n, one_and_a_half);
    let bits = b.cast(CastOp::F32Bits, biased);
    let width = b.const_like(bits, 23.0);
    let bits = b.bin(BinOp::Shl, bits, width);
    let power = b.cast(CastOp::BitsF32, bits);
    b.mul(x, power)
}

/// `2^(t + shift)` for −127 ≤ t + shift ≤ 128.
fn power_of_two(b: &mut Builder, t: Val, shift: i32, fma: bool) -> Val {
    let n = b.un(UnOp::Floor, t);
    let r = b.sub(t, n);
    let q = polynomial(b, r, &POWER_OF_TWO, fma);
    let one = b.const_like(t, 1.0);
    let p = mul_add(b, q, r, one, fma);
    scaled(b, p, n, shift)
}

/// 2^x.
pub fn exp2(b: &mut Builder, x: Val, fma: bool) -> Val {
    let x = at_least(b, x, -127.0);
    let x = at_most(b, x, 128.0);
    power_of_two(b, x, 0, fma)
}

/// e^x.
pub fn exp(b: &mut Builder, x: Val, fma: bool) -> Val {
    let x = at_least(b, x, -88.0);
    let x = at_most(b, x, 89.0);
    let log2_e = b.const_like(x, std::f64::consts::LOG2_E);
    let n = b.mul(x, log2_e);
    let n = b.un(UnOp::Floor, n);
    let (high, low) = (b.const_like(x, -LN2.0), b.const_like(x, -LN2.1));
    let r = mul_add(b, n, high, x, fma);
    let r = mul_add(b, n, low, r, fma);
    let q = polynomial(b, r, &POWER_OF_E, fma);
    let one = b.const_like(x, 1.0);
    let p = mul_add(b, q, r, one, fma);
    scaled(b, p, n, 0)
}

/// ln x: −∞ at 0, NaN below, for subnormal arguments too.
///
/// With x = m·2^k, √½ ≤ m < √2 and s = (m − 1)/(m + 1): ln x = 2 artanh(s) + k ln 2.
pub fn log(b: &mut Builder, x: Val, fma: bool) -> Val {
    let one = b.const_like(x, 1.0);
    let Normalised { m, exponent, small } = normalised(b, x, one);
    let above = b.sub(m, one);
    let below = b.add(m, one);
    let s = b.bin(BinOp::Div, above, below);
    let z = b.mul(s, s);
    let p = polynomial(b, z, &ARTANH, fma);
    let k = binary_exponent(b, x, exponent, small);
    let (high, low) = (b.const_like(x, LN2.0), b.const_like(x, LN2.1));
    let cube = b.mul(s, z);
    let tail = b.mul(k, low);
    let tail = mul_add(b, cube, p, tail, fma);
    let two = b.const_like(x, 2.0);
    let sum = mul_add(b, s, two, tail, fma);
    let finite = mul_add(b, k, high, sum, fma);
    log_edges(b, x, finite)
}

/// A positive number as m·2^k with √½ ≤ m < √2.
struct Normalised {
    m: Val,
    /// k + 64 where the number is below 1, else k − 64; i32.
    exponent: Val,
    /// Whether it is below 1.
    small: Val,
}

fn normalised(b: &mut Builder, x: Val, one: Val) -> Normalised {
    let (up, down) = (b.const_like(x, 2f64.powi(64)), b.const_like(x, 2f64.powi(-64)));
    // Brings every positive number, subnormal ones included, to where exponents are easily negated.
    let small = b.cmp(CmpOp::Lt, x, one);
    let factor = b.select(small, up, down);
    let near = b.mul(x, factor);
    let bits = b.cast(CastOp::F32Bits, near);
    let root_half = b.const_like(bits, f64::from(0x3f35_04f3));
    let width = b.const_like(bits, 23.0);
    let k = b.sub(bits, root_half);
    let k = b.bin(BinOp::Shr, k, width);
    let bias = b.const_like(bits, 127.0);
    let inverse = b.sub(bias, k);
    let inverse = b.bin(BinOp::Shl, inverse, width);
    let inverse = b.cast(CastOp::BitsF32, inverse);
    let m = b.mul(near, inverse);
    Normalised { m, exponent: k, small }
}

/// k of a [`Normalised`] number `x`, as f32.
fn binary_exponent(b: &mut Builder, x: Val, exponent: Val, small: Val) -> Val {
    let k = b.cast(CastOp::I32ToF32, exponent);
    let (plus, minus) = (b.const_like(x, 64.0), b.const_like(x, -64.0));
    let shift = b.select(small, minus, plus);
    b.add(k, shift)
}

/// Puts in what `log` is outside 0 < x < ∞.
fn log_edges(b: &mut Builder, x: Val, finite: Val) -> Val {
    let (zero, infinity) = (b.const_like(x, 0.0), b.const_like(x, f64::INFINITY));
    let (pole, undefined) = (b.const_like(x, f64::NEG_INFINITY), b.const_like(x, f64::NAN));
    let bounded = b.cmp(CmpOp::Lt, x, infinity);
    let positive = b.cmp(CmpOp::Lt, zero, x);
    let is_zero = b.cmp(CmpOp::Eq, x, zero);
    let at_right = b.select(bounded, finite, x);
    let at_left = b.select(is_zero, pole, undefined);
    b.select(positive, at_right, at_left)
}

/// `magnitude` with the sign of `x`.
fn with_sign(b: &mut Builder, magnitude: Val, x: Val) -> Val {
    let zero = b.const_like(x, 0.0);
    let negative = b.cmp(CmpOp::Lt, x, zero);
    let negated = b.un(UnOp::Neg, magnitude);
    b.select(negative, negated, magnitude)
}

/// `x + x·f·p(z)` where |x| is below `limit`, else `large` with the sign of `x`.
fn odd(b: &mut Builder, x: Val, size: Val, limit: f64, near_zero: Val, large: Val) -> Val {
    let limit = b.const_like(x, limit);
    let small = b.cmp(CmpOp::Lt, size, limit);
    let large = with_sign(b, large, x);
    b.select(small, near_zero, large)
}

/// The error function 2/√π ∫₀ˣ e^(−t²) dt.
pub fn erf(b: &mut Builder, x: Val, fma: bool) -> Val {
    let z = b.mul(x, x);
    let p = polynomial(b, z, &ERF, fma);
    let near_zero = mul_add(b, p, x, x, fma);
    let size = b.un(UnOp::Abs, x);
    // 1 − erf(4.1) is less than half an ulp of 1.
    let bounded = at_most(b, size, 4.1);
    let p = polynomial(b, bounded, &ERFC, fma);
    let rest = power_of_two(b, p, 0, fma);
    let one = b.const_like(x, 1.0);
    let large = b.sub(one, rest);
    odd(b, x, size, 0.9, near_zero, large)
}

/// x/2 · (1 + erf(x/√2)) = x·Φ(x). With h = ½ erfc(|x|/√2), Φ is h on the left and 1 − h on the right, so the
/// left tail keeps its relative accuracy.
pub fn gelu(b: &mut Builder, x: Val, fma: bool) -> Val {
    let size = b.un(UnOp::Abs, x);
    let p = polynomial(b, size, &NORMAL_TAIL, fma);
    let p = b.mul(p, size);
    let p = at_least(b, p, -126.0);
    let h = power_of_two(b, p, -1, fma);
    let (zero, one) = (b.const_like(x, 0.0), b.const_like(x, 1.0));
    let right = b.sub(one, h);
    let negative = b.cmp(CmpOp::Lt, x, zero);
    let normal = b.select(negative, h, right);
    b.mul(x, normal)
}

/// The hyperbolic tangent: a polynomial near zero, else 1 − 2/(e^(2|x|) + 1).
pub fn tanh(b: &mut Builder, x: Val, fma: bool) -> Val {
    let z = b.mul(x, x);
    let p = polynomial(b, z, &TANH, fma);
    let cube = b.mul(z, x);
    let near_zero = mul_add(b, p, cube, x, fma);
    let size = b.un(UnOp::Abs, x);
    let (one, two) = (b.const_like(x, 1.0), b.const_like(x, 2.0));
    let twice = b.add(size, size);
    let e = exp(b, twice, fma);
    let e = b.add(e, one);
    let rest = b.bin(BinOp::Div, two, e);
    let large = b.sub(one, rest);
    odd(b, x, size, 0.625, near_zero, large)
}

/// 1/(1 + e^(−x)).
pub fn sigmoid(b: &mut Builder, x: Val, fma: bool) -> Val {
    let negated = b.un(UnOp::Neg, x);
    let e = exp(b, negated, fma);
    let one = b.const_like(x, 1.0);
    let sum = b.add(e, one);
    b.bin(BinOp::Div, one, sum)
}

/// 1/x.
pub fn recip(b: &mut Builder, x: Val) -> Val {
    let one = b.const_like(x, 1.0);
    b.bin(BinOp::Div, one, x)
}

/// 1/√x.
pub fn rsqrt(b: &mut Builder, x: Val) -> Val {
    let root = b.un(UnOp::Sqrt, x);
    recip(b, root)
}
