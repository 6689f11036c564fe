//! Arithmetic of the interpreter: what each instruction does to a slice of lanes.
//!
//! [`Number`] is what all four register files share; [`Float`] adds what a kernel's f32 needs, and is
//! implemented by f32 and f64, the two arithmetics a kernel can be run in.

use crate::{
    kernel::{ApproxOp, BinOp, CmpOp, ReduceOp, UnOp},
    types::DType,
};

/// An operation's outcome; the message says what was wrong with an operand.
pub(super) type Outcome<T = ()> = Result<T, String>;

/// Elements of a register file.
pub(crate) trait Number: Copy + Default + PartialOrd + 'static {
    /// `d = a op b` lane by lane, or a sentence about the operand that is not allowed.
    fn bin(op: BinOp, d: &mut [Self], a: &[Self], b: &[Self]) -> Result<(), String>;
    /// `d = op a` lane by lane, or a sentence about the operand that is not allowed.
    fn un(op: UnOp, d: &mut [Self], a: &[Self]) -> Result<(), String>;
    /// The step of a reduction.
    fn combine(op: ReduceOp, a: Self, b: Self) -> Self;
}

/// The floating-point numbers a kernel can be run in: f32, or f64 where nothing rounds to f32.
pub(crate) trait Float: Number {
    /// The nearest number.
    fn from_f64(value: f64) -> Self;
    /// The value, exactly.
    fn to_f64(self) -> f64;
    /// The nearest number.
    fn from_i32(value: i32) -> Self;
    /// The f32 of these bits.
    fn from_bits(bits: i32) -> Self;
    /// The bits of the nearest f32.
    fn bits(self) -> i32;
    /// The value after a trip through memory of this type: in f32 rounded to nearest even, in f64 unchanged.
    fn stored(self, dtype: DType) -> Self;
    /// `self·b + c`, rounded once.
    fn fused(self, b: Self, c: Self) -> Self;
}

pub(super) fn map1<A: Copy, D>(d: &mut [D], a: &[A], f: impl Fn(A) -> D) {
    for (d, &a) in d.iter_mut().zip(a) {
        *d = f(a);
    }
}

pub(super) fn map2<A: Copy, D>(d: &mut [D], a: &[A], b: &[A], f: impl Fn(A, A) -> D) {
    for ((d, &a), &b) in d.iter_mut().zip(a).zip(b) {
        *d = f(a, b);
    }
}

fn missing<T>(name: &str, what: &str) -> Outcome<T> {
    Err(format!("{name} does not exist for {what}"))
}

macro_rules! float {
    ($t:ident, $stored:expr) => {
        impl Number for $t {
            fn bin(op: BinOp, d: &mut [Self], a: &[Self], b: &[Self]) -> Outcome {
                match op {
                    BinOp::Add => map2(d, a, b, |a, b| a + b),
                    BinOp::Sub => map2(d, a, b, |a, b| a - b),
                    BinOp::Mul => map2(d, a, b, |a, b| a * b),
                    BinOp::Div => map2(d, a, b, |a, b| a / b),
                    BinOp::Min => map2(d, a, b, |a, b| if a < b { a } else { b }),
                    BinOp::Max => map2(d, a, b, |a, b| if a > b { a } else { b }),
                    other => return missing(other.name(), "floats"),
                }
                Ok(())
            }
            fn un(op: UnOp, d: &mut [Self], a: &[Self]) -> Outcome {
                match op {
                    UnOp::Neg => map1(d, a, |a| -a),
                    UnOp::Abs => map1(d, a, $t::abs),
                    UnOp::Sqrt => map1(d, a, $t::sqrt),
                    UnOp::Floor => map1(d, a, $t::floor),
                    UnOp::Round => map1(d, a, $t::round_ties_even),
                    UnOp::Not => return missing("not", "floats"),
                }
                Ok(())
            }
            fn combine(op: ReduceOp, a: Self, b: Self) -> Self {
                match op {
                    ReduceOp::Sum => a + b,
                    ReduceOp::Max => {
                        if a > b {
                            a
                        } else {
                            b
                        }
                    }
                    ReduceOp::Min => {
                        if a < b {
                            a
                        } else {
                            b
                        }
                    }
                }
            }
        }
        impl Float for $t {
            fn from_f64(value: f64) -> Self {
                value as $t
            }
            fn to_f64(self) -> f64 {
                self.into()
            }
            fn from_i32(value: i32) -> Self {
                value as $t
            }
            fn from_bits(bits: i32) -> Self {
                f32::from_bits(bits as u32).into()
            }
            fn bits(self) -> i32 {
                (self as f32).to_bits() as i32
            }
            fn stored(self, dtype: DType) -> Self {
                $stored(self, dtype)
            }
            fn fused(self, b: Self, c: Self) -> Self {
                self.mul_add(b, c)
            }
        }
    };
}

float!(f32, |value: f32, dtype| match dtype {
    DType::Bf16 => half::bf16::from_f32(value).to_f32(),
    DType::F16 => half::f16::from_f32(value).to_f32(),
    _ => value,
});
float!(f64, |value: f64, _| value);

macro_rules! integer {
    ($t:ident) => {
        impl Number for $t {
            fn bin(op: BinOp, d: &mut [Self], a: &[Self], b: &[Self]) -> Outcome {
                match op {
                    BinOp::Add => map2(d, a, b, $t::wrapping_add),
                    BinOp::Sub => map2(d, a, b, $t::wrapping_sub),
                    BinOp::Mul => map2(d, a, b, $t::wrapping_mul),
                    BinOp::Min => map2(d, a, b, Ord::min),
                    BinOp::Max => map2(d, a, b, Ord::max),
                    BinOp::And => map2(d, a, b, |a, b| a & b),
                    BinOp::Or => map2(d, a, b, |a, b| a | b),
                    BinOp::Xor => map2(d, a, b, |a, b| a ^ b),
                    BinOp::Div | BinOp::Rem => {
                        if let Some(bad) = b.iter().find(|&&b| b <= 0) {
                            return Err(format!("the divisor is {bad}, but divisors are positive"));
                        }
                        // Rounding towards minus infinity is Euclid's division where the divisor is positive.
                        match op {
                            BinOp::Div => map2(d, a, b, $t::div_euclid),
                            _ => map2(d, a, b, $t::rem_euclid),
                        }
                    }
                    BinOp::Shl | BinOp::Shr => {
                        let width = $t::BITS as $t;
                        if let Some(bad) = b.iter().find(|b| !(0..width).contains(*b)) {
                            return Err(format!("the shift is {bad}, but a shift lies in 0..{width}"));
                        }
                        match op {
                            BinOp::Shl => map2(d, a, b, |a, b| a << b),
                            _ => map2(d, a, b, |a, b| a >> b),
                        }
                    }
                }
                Ok(())
            }
            fn un(op: UnOp, d: &mut [Self], a: &[Self]) -> Outcome {
                match op {
                    UnOp::Neg => map1(d, a, $t::wrapping_neg),
                    UnOp::Abs => map1(d, a, $t::wrapping_abs),
                    other => return missing(other.name(), "integers"),
                }
                Ok(())
            }
            fn combine(op: ReduceOp, a: Self, b: Self) -> Self {
                match op {
                    ReduceOp::Sum => a.wrapping_add(b),
                    ReduceOp::Max => a.max(b),
                    ReduceOp::Min => a.min(b),
                }
            }
        }
    };
}

integer!(i32);
integer!(i64);

impl Number for bool {
    fn bin(op: BinOp, d: &mut [Self], a: &[Self], b: &[Self]) -> Outcome {
        match op {
            BinOp::And => map2(d, a, b, |a, b| a & b),
            BinOp::Or => map2(d, a, b, |a, b| a | b),
            BinOp::Xor => map2(d, a, b, |a, b| a ^ b),
            other => return missing(other.name(), "truth values"),
        }
        Ok(())
    }
    fn un(op: UnOp, d: &mut [Self], a: &[Self]) -> Outcome {
        match op {
            UnOp::Not => map1(d, a, |a| !a),
            other => return missing(other.name(), "truth values"),
        }
        Ok(())
    }
    fn combine(op: ReduceOp, a: Self, b: Self) -> Self {
        match op {
            ReduceOp::Min => a & b,
            _ => a | b,
        }
    }
}

/// A comparison lane by lane; all but `ne` are false where an operand is NaN.
pub(super) fn compare<T: Number>(op: CmpOp, d: &mut [bool], a: &[T], b: &[T]) {
    match op {
        CmpOp::Eq => map2(d, a, b, |a, b| a == b),
        CmpOp::Ne => map2(d, a, b, |a, b| a != b),
        CmpOp::Lt => map2(d, a, b, |a, b| a < b),
        CmpOp::Le => map2(d, a, b, |a, b| a <= b),
    }
}

/// Combines lanes i and i + L/2, then halves of that, until one is left. `values.len()` is a power of two.
pub(super) fn reduce<T: Number>(op: ReduceOp, values: &mut [T]) -> T {
    let mut half = values.len() / 2;
    while half > 0 {
        for i in 0..half {
            values[i] = T::combine(op, values[i], values[i + half]);
        }
        half /= 2;
    }
    values[0]
}

/// The exact value of which a target's approximation is near.
pub(super) fn approximated<F: Float>(op: ApproxOp, a: F) -> F {
    let a = a.to_f64();
    F::from_f64(match op {
        ApproxOp::Exp2 => a.exp2(),
        ApproxOp::Rcp => 1.0 / a,
        ApproxOp::Rsqrt => 1.0 / a.sqrt(),
    })
}

/// The number without its fraction, where it fits an i32.
pub(super) fn truncated<F: Float>(a: F) -> Outcome<i32> {
    let value = a.to_f64();
    if value > -2_147_483_649.0 && value < 2_147_483_648.0 {
        return Ok(value as i32);
    }
    Err(format!("{value} does not fit an i32; clamp it first"))
}
