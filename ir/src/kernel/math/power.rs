//! x^y of f32.
//!
//! ```text
//!   x^y = 2^(y·log₂ x)      log₂ x = k + 2/ln 2 · (s + s³/3 + s⁵/5 + …)       s = (m − 1)/(m + 1), x = m·2^k
//! ```
//!
//! An error of y·log₂ x is one of the result, relative to it, and that product goes to ±150: its 24 bits would leave
//! 17. So the logarithm and the product have two parts each, an f32 and what rounding took from it, and are right to
//! 2⁻³⁴; what rounds is the last exponential. Where the logarithm's leading part is exact, as for powers of two, so
//! is the result.
//!
//! Values at the edges are those of C and PyTorch: x⁰ = 1 and 1^y = 1, NaN included; a negative number has powers
//! with integral exponents only, and they are negative where the exponent is odd; zeros and infinities follow.

#[cfg(test)]
mod tests;

use super::{
    super::{BinOp, Builder, CastOp, CmpOp, UnOp, Val},
    Normalised, at_least, at_most, binary_exponent, exact, mul_add, normalised, polynomial, scaled,
};

/// artanh(s) = s + s³·(1/3 + s²·p(s²)) for |s| ≤ 0.1716, relative error 9·10⁻¹².
const ARTANH: [f64; 3] = [0.20000076293945312, 0.14273545145988464, 0.11709816753864288];
/// 1/3, 2/ln 2 and ln 2, each in two parts.
const THIRD: (f64, f64) = (0.3333333432674408, -9.934107758624577e-09);
const TWO_OVER_LN2: (f64, f64) = (2.885390043258667, 3.851926067000022e-08);
const LN2: (f64, f64) = (0.6931471824645996, -1.9046542121259336e-09);
/// 2^r = 1 + r·(ln 2 + r·p(r)) for |r| ≤ ½, relative error 3·10⁻⁹.
const POWER_OF_TWO: [f64; 5] =
    [0.24022647738456726, 0.055503614246845245, 0.009618483483791351, 0.001339057576842606, 0.00015337065269704908];

/// x^y.
pub fn pow(b: &mut Builder, x: Val, y: Val, fma: bool) -> Val {
    let size = b.un(UnOp::Abs, x);
    let exponent = exponent(b, size, y, fma);
    let magnitude = exponential(b, exponent, fma);
    let (zero, one, half) = (b.const_like(x, 0.0), b.const_like(x, 1.0), b.const_like(x, 0.5));
    let below = b.un(UnOp::Floor, y);
    let whole = b.cmp(CmpOp::Eq, below, y);
    let halved = b.mul(y, half);
    let below = b.un(UnOp::Floor, halved);
    let odd = b.cmp(CmpOp::Ne, below, halved);
    let odd = b.bin(BinOp::And, whole, odd);
    let bits = b.cast(CastOp::F32Bits, x);
    let no_bits = b.const_like(bits, 0.0);
    let signed = b.cmp(CmpOp::Lt, bits, no_bits);
    let negative = b.bin(BinOp::And, signed, odd);
    let negated = b.un(UnOp::Neg, magnitude);
    let value = b.select(negative, negated, magnitude);
    let undefined = undefined(b, x, size, y, whole);
    let not_a_number = b.const_like(x, f64::NAN);
    let value = b.select(undefined, not_a_number, value);
    let first = b.cmp(CmpOp::Eq, y, zero);
    let second = b.cmp(CmpOp::Eq, x, one);
    let is_one = b.bin(BinOp::Or, first, second);
    b.select(is_one, one, value)
}

/// x^y for the few numbers y where products and roots do it as well, with the same values at the edges.
pub fn pow_of(b: &mut Builder, x: Val, y: f64) -> Option<Val> {
    let one = b.const_like(x, 1.0);
    let square = |b: &mut Builder| b.mul(x, x);
    Some(match y {
        1.0 => x,
        2.0 => square(b),
        3.0 => {
            let square = square(b);
            b.mul(square, x)
        }
        -1.0 => b.bin(BinOp::Div, one, x),
        0.5 | -0.5 => {
            // √−0 is −0 and √−∞ is NaN, but (−0)^½ is 0 and (−∞)^½ is ∞.
            let (zero, infinity) = (b.const_like(x, 0.0), b.const_like(x, f64::INFINITY));
            let lowest = b.const_like(x, f64::NEG_INFINITY);
            let root = b.un(UnOp::Sqrt, x);
            let root = b.add(root, zero);
            let endless = b.cmp(CmpOp::Eq, x, lowest);
            let root = b.select(endless, infinity, root);
            if y > 0.0 { root } else { b.bin(BinOp::Div, one, root) }
        }
        _ => return None,
    })
}

/// Whether the exponent is NaN, or the base finite, negative and the exponent not integral.
fn undefined(b: &mut Builder, x: Val, size: Val, y: Val, whole: Val) -> Val {
    let (zero, infinity) = (b.const_like(x, 0.0), b.const_like(x, f64::INFINITY));
    let negative = b.cmp(CmpOp::Lt, x, zero);
    let finite = b.cmp(CmpOp::Lt, size, infinity);
    let broken = b.un(UnOp::Not, whole);
    let both = b.bin(BinOp::And, negative, finite);
    let rootless = b.bin(BinOp::And, both, broken);
    let unknown = b.cmp(CmpOp::Ne, y, y);
    b.bin(BinOp::Or, rootless, unknown)
}

/// y·log₂ of a number that is not negative, in two parts; beyond ±150 only the sign counts.
fn exponent(b: &mut Builder, size: Val, y: Val, fma: bool) -> (Val, Val) {
    let (high, low) = logarithm(b, size, fma);
    // The least logarithm but zero is 2⁻²⁴: larger exponents change nothing, and products stay finite.
    let bounded = at_most(b, y, 2f64.powi(40));
    let bounded = at_least(b, bounded, -2f64.powi(40));
    let (product, error) = exact::product(b, bounded, high, fma);
    let rest = mul_add(b, bounded, low, error, fma);
    let (zero, infinity) = (b.const_like(y, 0.0), b.const_like(y, f64::INFINITY));
    let (far, back) = (b.const_like(y, 256.0), b.const_like(y, -256.0));
    let falls = b.cmp(CmpOp::Lt, y, zero);
    let (at_infinity, at_zero) = (b.select(falls, back, far), b.select(falls, far, back));
    let is_infinite = b.cmp(CmpOp::Eq, size, infinity);
    let is_zero = b.cmp(CmpOp::Eq, size, zero);
    let product = b.select(is_infinite, at_infinity, product);
    let product = b.select(is_zero, at_zero, product);
    let edge = b.bin(BinOp::Or, is_infinite, is_zero);
    (product, b.select(edge, zero, rest))
}

/// log₂ in two parts, of a positive number.
fn logarithm(b: &mut Builder, size: Val, fma: bool) -> (Val, Val) {
    let one = b.const_like(size, 1.0);
    let Normalised { m, exponent, small } = normalised(b, size, one);
    let k = binary_exponent(b, size, exponent, small);
    // s in two parts: the remainder of the division, divided.
    let above = b.sub(m, one);
    let (below, lost) = exact::sum(b, one, m);
    let s = b.bin(BinOp::Div, above, below);
    let (product, error) = exact::product(b, s, below, fma);
    let remainder = b.sub(above, product);
    let remainder = b.sub(remainder, error);
    let more = b.mul(s, lost);
    let remainder = b.sub(remainder, more);
    let s_low = b.bin(BinOp::Div, remainder, below);
    // g = s²·(1/3 + s²·p), in two parts.
    let (z, z_error) = exact::product(b, s, s, fma);
    let cross = b.mul(s, s_low);
    let cross = b.add(cross, cross);
    let z_low = b.add(z_error, cross);
    let p = polynomial(b, z, &ARTANH, fma);
    let p = b.mul(p, z);
    let (third, third_low) = (b.const_like(size, THIRD.0), b.const_like(size, THIRD.1));
    let (p, p_error) = exact::sum(b, third, p);
    let p_low = b.add(p_error, third_low);
    let (g, g_error) = exact::product(b, z, p, fma);
    let g_low = mul_add(b, z, p_low, g_error, fma);
    let g_low = mul_add(b, z_low, p, g_low, fma);
    // s + s·g
    let (t, t_error) = exact::product(b, s, g, fma);
    let t_low = mul_add(b, s, g_low, t_error, fma);
    let t_low = mul_add(b, s_low, g, t_low, fma);
    let (sum, sum_error) = exact::sum(b, s, t);
    let low = b.add(t_low, s_low);
    let low = b.add(sum_error, low);
    let (factor, factor_low) = (b.const_like(size, TWO_OVER_LN2.0), b.const_like(size, TWO_OVER_LN2.1));
    let (fraction, error) = exact::product(b, sum, factor, fma);
    let error = mul_add(b, sum, factor_low, error, fma);
    let error = mul_add(b, low, factor, error, fma);
    let (total, lost) = exact::sum(b, k, fraction);
    (total, b.add(lost, error))
}

/// 2 to a power in two parts.
fn exponential(b: &mut Builder, (t, low): (Val, Val), fma: bool) -> Val {
    // At these ends one factor is zero and infinity.
    let t = at_least(b, t, -254.0);
    let t = at_most(b, t, 256.0);
    let low = at_least(b, low, -1.0);
    let low = at_most(b, low, 1.0);
    let n = b.un(UnOp::Round, t);
    let r = b.sub(t, n);
    let r = b.add(r, low);
    let q = polynomial(b, r, &POWER_OF_TWO, fma);
    let (one, major, minor) = (b.const_like(t, 1.0), b.const_like(t, LN2.0), b.const_like(t, LN2.1));
    let q = mul_add(b, q, r, minor, fma);
    let q = b.mul(q, r);
    let q = mul_add(b, r, major, q, fma);
    let p = b.add(q, one);
    // Two factors of 2^(n/2), so that subnormal numbers are rounded once and the last power of two is reached.
    let half = b.const_like(t, 0.5);
    let first = b.mul(n, half);
    let first = b.un(UnOp::Floor, first);
    let second = b.sub(n, first);
    let p = scaled(b, p, first, 0);
    scaled(b, p, second, 0)
}
