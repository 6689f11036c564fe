//! Sine and cosine of every f32.
//!
//! With n the integer nearest to x·2/π and r = x − n·π/2, both are ± the sine or the cosine of r, two polynomials
//! on |r| ≤ π/4. All the work is r, which must keep its leading bits where x is near a multiple of π/2:
//!
//! ```text
//!   |x| up to 2¹⁶ quarter turns   π/2 in three parts; each product is exact, so only leading bits cancel (Cody, Waite)
//!   beyond                        x = M·2^e with an integer M: of M·2^e·(2/π) only what is left mod 4 is computed,
//!                                 from the 112 bits of 2/π that e lets matter (Payne, Hanek):
//!
//!     2/π    0.1010 0010 1111 1001 …        limbs of 16 bits, moved left by a multiple of 8
//!     × M·2^s, s < 8                        in two halves of 16 bits
//!     = … q q . f f f f f f                 n mod 4 and 64 bits after the point; f32 come as close as 2⁻³⁴
//! ```
//!
//! The second way costs as much as ten of the first; a vector takes it where one of its lanes needs it.

use super::{
    super::{BinOp, Builder, CastOp, CmpOp, UnOp, Val},
    exact, mul_add, polynomial,
};

/// sin(r) = r + r³·p(r²) for |r| ≤ π/4, relative error 3.7·10⁻⁹.
const SINE: [f64; 3] = [-0.16666655242443085, 0.008332191035151482, -0.00019518598855938762];
/// cos(r) = 1 − r²/2 + r⁴·p(r²) for |r| ≤ π/4, relative error 1.2·10⁻¹⁰.
const COSINE: [f64; 3] = [0.04166664555668831, -0.0013887309469282627, 2.4432327336398885e-05];
/// π/2 in parts of 24 bits.
const WHOLE_PARTS: [f64; 3] = [1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15];
/// π/2 in parts of 16, 16 and 24 bits: products of the first two with integers up to 2⁸ are exact in f32.
const SHORT_PARTS: [f64; 3] = [1.570770263671875, 2.6063062250614166e-05, 6.07710062827671e-11];
/// π/2 in one part of 8 bits and the rest.
const PRODUCT_PARTS: [f64; 2] = [1.5703125, 0.0004838267923332751];
/// 2/π after the point, after 32 bits before it.
const TWO_OVER_PI: [u16; 17] = [
    0, 0, 0xa2f9, 0x836e, 0x4e44, 0x1529, 0xfc27, 0x57d1, 0xf534, 0xddc0, 0xdb62, 0x9599, 0x3c43, 0x9041, 0xfe51,
    0x63ab, 0xdebb,
];
/// The largest argument of the first way, with and without fma: 2¹⁶ and 2⁸ quarter turns at most.
const NEAR: (f64, f64) = (102_900.0, 400.0);

/// sin x; NaN for infinities, −0 for −0.
pub fn sin(b: &mut Builder, x: Val, fma: bool) -> Val {
    let size = b.un(UnOp::Abs, x);
    let turned = turned(b, size, fma);
    let value = b.select(turned.odd, turned.cosine, turned.sine);
    let value = with_quadrant(b, value, turned.quadrant);
    let value = super::with_sign(b, value, x);
    let zero = b.const_like(x, 0.0);
    let none = b.cmp(CmpOp::Eq, x, zero);
    let value = b.select(none, x, value);
    of_finite(b, size, value)
}

/// cos x; NaN for infinities.
pub fn cos(b: &mut Builder, x: Val, fma: bool) -> Val {
    let size = b.un(UnOp::Abs, x);
    let turned = turned(b, size, fma);
    let value = b.select(turned.odd, turned.sine, turned.cosine);
    let next = b.add_const(turned.quadrant, 1);
    let value = with_quadrant(b, value, next);
    of_finite(b, size, value)
}

/// What sine and cosine are made of.
struct Turned {
    sine: Val,
    cosine: Val,
    /// n; its two low bits are right.
    quadrant: Val,
    /// Whether n is odd.
    odd: Val,
}

fn turned(b: &mut Builder, size: Val, fma: bool) -> Turned {
    let (r, quadrant) = rest(b, size, fma);
    let z = b.mul(r, r);
    let p = polynomial(b, z, &SINE, fma);
    let cube = b.mul(r, z);
    let sine = mul_add(b, p, cube, r, fma);
    let p = polynomial(b, z, &COSINE, fma);
    let (half, one) = (b.const_like(r, -0.5), b.const_like(r, 1.0));
    let p = mul_add(b, p, z, half, fma);
    let cosine = mul_add(b, p, z, one, fma);
    let (first, zero) = (b.const_like(quadrant, 1.0), b.const_like(quadrant, 0.0));
    let low = b.bin(BinOp::And, quadrant, first);
    let odd = b.cmp(CmpOp::Ne, low, zero);
    Turned { sine, cosine, quadrant, odd }
}

/// The value, negated in the third and fourth quadrant.
fn with_quadrant(b: &mut Builder, value: Val, quadrant: Val) -> Val {
    let (second, one) = (b.const_like(quadrant, 2.0), b.const_like(quadrant, 1.0));
    let bit = b.bin(BinOp::And, quadrant, second);
    let sign = b.sub(one, bit);
    let sign = b.cast(CastOp::I32ToF32, sign);
    b.mul(value, sign)
}

fn of_finite(b: &mut Builder, size: Val, value: Val) -> Val {
    let (infinity, undefined) = (b.const_like(size, f64::INFINITY), b.const_like(size, f64::NAN));
    let finite = b.cmp(CmpOp::Lt, size, infinity);
    b.select(finite, value, undefined)
}

/// r and n of a number that is not negative.
fn rest(b: &mut Builder, x: Val, fma: bool) -> (Val, Val) {
    let (r, n) = near_rest(b, x, fma);
    let limit = b.const_like(x, if fma { NEAR.0 } else { NEAR.1 });
    let far = b.cmp(CmpOp::Lt, limit, x);
    let some = exact::any(b, far);
    let both = b.if_else(
        some,
        |b| {
            let (far_r, far_n) = far_rest(b, x, fma);
            vec![b.select(far, far_r, r), b.select(far, far_n, n)]
        },
        |_| vec![r, n],
    );
    (both[0], both[1])
}

fn near_rest(b: &mut Builder, x: Val, fma: bool) -> (Val, Val) {
    let inverse = b.const_like(x, std::f64::consts::FRAC_2_PI);
    let n = b.mul(x, inverse);
    let n = b.un(UnOp::Round, n);
    // The low bits of the f32 1.5·2²³ + n are the integer n.
    let magic = b.const_like(x, 12_582_912.0);
    let shifted = b.add(n, magic);
    let quadrant = b.cast(CastOp::F32Bits, shifted);
    if fma {
        let r = WHOLE_PARTS.iter().fold(x, |r, &part| {
            let part = b.const_like(x, -part);
            b.fma(n, part, r)
        });
        return (r, quadrant);
    }
    let parts = SHORT_PARTS.map(|part| {
        let part = b.const_like(x, part);
        b.mul(n, part)
    });
    let first = b.sub(x, parts[0]);
    let second = b.sub(first, parts[1]);
    let error = b.sub(first, second);
    let error = b.sub(error, parts[1]);
    let low = b.sub(error, parts[2]);
    (b.add(second, low), quadrant)
}

/// `⌊a/2¹⁶⌋ mod 2¹⁶` and `a mod 2¹⁶` of 32 bits without sign.
fn halves(b: &mut Builder, a: Val) -> (Val, Val) {
    let (width, mask) = (b.const_like(a, 16.0), b.const_like(a, 65535.0));
    let high = b.bin(BinOp::Shr, a, width);
    (b.bin(BinOp::And, high, mask), b.bin(BinOp::And, a, mask))
}

/// Whether a bit of an i32 is set.
fn bit(b: &mut Builder, a: Val, which: u32) -> Val {
    let (mask, zero) = (b.const_like(a, f64::from(1u32 << which)), b.const_like(a, 0.0));
    let bit = b.bin(BinOp::And, a, mask);
    b.cmp(CmpOp::Ne, bit, zero)
}

/// Seven limbs of 2/π from bit 8·`bytes` on: moved by 4, 2, 1 and half a limb.
fn window(b: &mut Builder, bytes: Val) -> Vec<Val> {
    let mut limbs: Vec<Val> = TWO_OVER_PI.iter().map(|&limb| b.const_like(bytes, f64::from(limb))).collect();
    for (which, step, count) in [(3, 4, 11), (2, 2, 9), (1, 1, 8)] {
        let moved = bit(b, bytes, which);
        limbs = (0..count).map(|i| b.select(moved, limbs[i + step], limbs[i])).collect();
    }
    let moved = bit(b, bytes, 0);
    let (eight, mask) = (b.const_like(bytes, 8.0), b.const_like(bytes, 65535.0));
    let mut half = |i: usize| {
        let up = b.bin(BinOp::Shl, limbs[i], eight);
        let down = b.bin(BinOp::Shr, limbs[i + 1], eight);
        let both = b.bin(BinOp::Or, up, down);
        let both = b.bin(BinOp::And, both, mask);
        b.select(moved, both, limbs[i])
    };
    (0..7).map(&mut half).collect()
}

/// M·2^s in halves of 16 bits and the window, of which x·2/π is the product mod 4, for x ≥ 2⁸.
fn scaled_integer(b: &mut Builder, x: Val) -> ([Val; 2], Vec<Val>) {
    let bits = b.cast(CastOp::F32Bits, x);
    let (width, low) = (b.const_like(bits, 23.0), b.const_like(bits, f64::from(0x7f_ffff)));
    let exponent = b.bin(BinOp::Shr, bits, width);
    // x = M·2^(e − 16) with e = exponent − 134.
    let e = b.add_const(exponent, -134);
    let zero = b.const_like(bits, 0.0);
    let e = b.bin(BinOp::Max, e, zero);
    let (seven, three) = (b.const_like(bits, 7.0), b.const_like(bits, 3.0));
    let shift = b.bin(BinOp::And, e, seven);
    let bytes = b.bin(BinOp::Shr, e, three);
    let power = b.add_const(shift, 127);
    let power = b.bin(BinOp::Shl, power, width);
    let power = b.cast(CastOp::BitsF32, power);
    let power = b.cast(CastOp::F32ToI32, power);
    let leading = b.const_like(bits, f64::from(0x80_0000));
    let m = b.bin(BinOp::And, bits, low);
    let m = b.bin(BinOp::Or, m, leading);
    let m = b.mul(m, power);
    let (high, low) = halves(b, m);
    ([high, low], window(b, bytes))
}

/// n mod 4 and 64 bits after the point, limb by limb.
fn quarter_product(b: &mut Builder, [high, low]: [Val; 2], window: &[Val]) -> [Val; 5] {
    // Limb k of the product weighs 2^(−16k); products with limb i of the window reach limbs i − 2 to i.
    let mut terms: [Vec<Val>; 5] = Default::default();
    for (i, &limb) in window.iter().enumerate() {
        for (factor, at) in [(low, i), (high, i.wrapping_sub(1))] {
            if at <= 5 {
                let product = b.mul(factor, limb);
                let (up, down) = halves(b, product);
                if at < 5 {
                    terms[at].push(down);
                }
                if (1..=5).contains(&at) {
                    terms[at - 1].push(up);
                }
            }
        }
    }
    let mut limbs = terms.map(|terms| terms.into_iter().reduce(|sum, term| b.add(sum, term)).expect("a term each"));
    for k in (1..5).rev() {
        let (carry, kept) = halves(b, limbs[k]);
        limbs[k] = kept;
        limbs[k - 1] = b.add(limbs[k - 1], carry);
    }
    limbs
}

fn far_rest(b: &mut Builder, x: Val, fma: bool) -> (Val, Val) {
    let (integer, window) = scaled_integer(b, x);
    let [n, first, second, third, fourth] = quarter_product(b, integer, &window);
    // To the nearest n: from a half on the fraction is that below 0.
    let (half, one, zero) = (b.const_like(n, 32768.0), b.const_like(n, 1.0), b.const_like(n, 0.0));
    let (whole, none) = (b.const_like(n, 65536.0), zero);
    let up = b.cmp(CmpOp::Le, half, first);
    let more = b.select(up, one, none);
    let n = b.add(n, more);
    let less = b.select(up, whole, none);
    let first = b.sub(first, less);
    // The fraction as 24, 24 and 16 bits, each an exact f32.
    let (eight, byte) = (b.const_like(n, 8.0), b.const_like(n, 255.0));
    let head = b.bin(BinOp::Shl, first, eight);
    let top = b.bin(BinOp::Shr, second, eight);
    let head = b.add(head, top);
    let low = b.bin(BinOp::And, second, byte);
    let sixteen = b.const_like(n, 16.0);
    let low = b.bin(BinOp::Shl, low, sixteen);
    let middle = b.bin(BinOp::Or, low, third);
    let mut real = |limb: Val, exponent: i32| {
        let value = b.cast(CastOp::I32ToF32, limb);
        let unit = b.const_like(value, 2f64.powi(exponent));
        b.mul(value, unit)
    };
    let (head, middle, tail) = (real(head, -24), real(middle, -48), real(fourth, -64));
    let (lower, lost) = exact::sum(b, middle, tail);
    let (fraction, rest) = exact::sum(b, head, lower);
    let rest = b.add(rest, lost);
    // Times π/2: the product of the leading parts is exact.
    let leading = exact::leading(b, fraction);
    let other = b.sub(fraction, leading);
    let other = b.add(other, rest);
    let [major, minor] = PRODUCT_PARTS.map(|part| b.const_like(x, part));
    let quarter = b.const_like(x, std::f64::consts::FRAC_PI_2);
    let small = b.mul(leading, minor);
    let small = mul_add(b, other, quarter, small, fma);
    (mul_add(b, leading, major, small, fma), n)
}
