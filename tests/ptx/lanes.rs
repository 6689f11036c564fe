//! What one PTX instruction does to the 32 lanes of its operands. Registers are 64 bits here; an
//! instruction reads and writes as many low bits as its type has.

use half::{bf16, f16};

/// One register of a warp.
pub(crate) type Lanes = [u64; 32];

/// Bytes in memory of a type.
pub(crate) fn bytes(ty: &str) -> Result<usize, String> {
    match ty {
        "u8" => Ok(1),
        "b16" => Ok(2),
        "b32" | "f32" => Ok(4),
        "u64" => Ok(8),
        other => Err(format!("type {other} is not accessed")),
    }
}

fn f(bits: u64) -> f32 {
    f32::from_bits(bits as u32)
}
fn i(bits: u64) -> i32 {
    bits as u32 as i32
}
fn real(value: f32) -> u64 {
    u64::from(value.to_bits())
}
fn int(value: i32) -> u64 {
    u64::from(value as u32)
}

/// The result of an instruction that neither branches nor touches memory.
pub(crate) fn compute(opcode: &str, a: &[Lanes]) -> Result<Lanes, String> {
    if let Some(mode) = opcode.strip_prefix("shfl.sync.") {
        return exchange(mode, a);
    }
    if let Some(operator) = opcode.strip_prefix("redux.sync.") {
        return reduce(operator, a);
    }
    let mut out = [0; 32];
    for (lane, out) in out.iter_mut().enumerate() {
        let of = |n: usize| a.get(n).map_or(0, |operand| operand[lane]);
        *out = one(opcode, of(0), of(1), of(2))?;
    }
    Ok(out)
}

fn exchange(mode: &str, a: &[Lanes]) -> Result<Lanes, String> {
    if a[2] != [0x1f; 32] || a[3] != [0xffff_ffff; 32] {
        return Err("the whole warp takes part".into());
    }
    let from = |lane: usize| match mode {
        "bfly.b32" => Ok(lane ^ a[1][lane] as usize),
        "idx.b32" => Ok(a[1][lane] as usize),
        // A lane that would read beyond the warp keeps its own value.
        "down.b32" => Ok(Some(lane + a[1][lane] as usize).filter(|&l| l < 32).unwrap_or(lane)),
        other => Err(format!("shuffle {other} is not known")),
    };
    let mut out = [0; 32];
    for (lane, out) in out.iter_mut().enumerate() {
        *out = *a[0].get(from(lane)?).ok_or("the lane exists")?;
    }
    Ok(out)
}

fn reduce(operator: &str, a: &[Lanes]) -> Result<Lanes, String> {
    let values = a[0].iter().map(|&v| i(v));
    let result = match operator {
        "add.s32" => values.fold(0, i32::wrapping_add),
        "min.s32" => values.fold(i32::MAX, i32::min),
        "max.s32" => values.fold(i32::MIN, i32::max),
        other => return Err(format!("reduction {other} is not known")),
    };
    Ok([int(result); 32])
}

fn one(opcode: &str, a: u64, b: u64, c: u64) -> Result<u64, String> {
    let (name, ty) = opcode.rsplit_once('.').ok_or("an opcode has a type")?;
    let result = match ty {
        "f32" => float(name, a, b, c),
        "s32" | "u32" | "b32" => narrow(name, ty, a, b, c),
        "s64" | "u64" | "b64" => wide(name, ty, a, b, c),
        "pred" => truth(name, a, b),
        "b16" | "f16" | "bf16" => small(name, ty, a),
        _ => None,
    };
    result.ok_or(format!("{opcode} is not known"))
}

fn float(name: &str, a: u64, b: u64, c: u64) -> Option<u64> {
    let (x, y, z) = (f(a), f(b), f(c));
    Some(match name {
        "mov" => a,
        "add.rn" => real(x + y),
        "sub.rn" => real(x - y),
        "mul.rn" => real(x * y),
        "div.rn" => real(x / y),
        "fma.rn" => real(x.mul_add(y, z)),
        "sqrt.rn" => real(x.sqrt()),
        "neg" => real(-x),
        "abs" => real(x.abs()),
        "cvt.rmi.f32" => real(x.floor()),
        "cvt.rni.f32" => real(x.round_ties_even()),
        "cvt.rn.bf16" => u64::from(bf16::from_f32(x).to_bits()),
        "cvt.rn.f16" => u64::from(f16::from_f32(x).to_bits()),
        "cvt.rzi.s32" => int(x as i32),
        "ex2.approx" => real(f64::from(x).exp2() as f32),
        "rcp.approx" => real((1.0 / f64::from(x)) as f32),
        "rsqrt.approx" => real((1.0 / f64::from(x).sqrt()) as f32),
        "selp" => pick(a, b, c),
        "setp.eq" => u64::from(x == y),
        "setp.neu" => u64::from(x != y),
        "setp.lt" => u64::from(x < y),
        "setp.le" => u64::from(x <= y),
        "setp.gt" => u64::from(x > y),
        _ => return None,
    })
}

fn pick(a: u64, b: u64, predicate: u64) -> u64 {
    if predicate != 0 { a } else { b }
}

fn narrow(name: &str, ty: &str, a: u64, b: u64, c: u64) -> Option<u64> {
    let (x, y) = (i(a), i(b));
    Some(match name {
        "mov" => a & 0xffff_ffff,
        "add" => int(x.wrapping_add(y)),
        "sub" => int(x.wrapping_sub(y)),
        "mul.lo" => int(x.wrapping_mul(y)),
        "mad.lo" => int(x.wrapping_mul(y).wrapping_add(i(c))),
        "mad.wide" => (i64::from(x) * i64::from(y)).wrapping_add(c as i64) as u64,
        "div" => int(x.checked_div(y)?),
        "min" => int(x.min(y)),
        "max" => int(x.max(y)),
        "and" => int(x & y),
        "or" => int(x | y),
        "xor" => int(x ^ y),
        "shl" => int(x.checked_shl(b as u32).unwrap_or(0)),
        "shr" if ty == "u32" => u64::from((x as u32) >> y),
        "shr" => int(x >> y),
        "neg" => int(x.wrapping_neg()),
        "abs" => int(x.wrapping_abs()),
        "cvt.rn.f32" => real(x as f32),
        "cvt.s64" => i64::from(x) as u64,
        "cvt.u64" => u64::from(a as u32),
        "selp" => pick(a, b, c) & 0xffff_ffff,
        other => return compare(other, i64::from(x), i64::from(y)),
    })
}

fn wide(name: &str, ty: &str, a: u64, b: u64, c: u64) -> Option<u64> {
    let (x, y) = (a as i64, b as i64);
    Some(match name {
        "mov" | "cvta.to.global" => a,
        "add" => x.wrapping_add(y) as u64,
        "sub" => x.wrapping_sub(y) as u64,
        "mul.lo" => x.wrapping_mul(y) as u64,
        "mad.lo" => x.wrapping_mul(y).wrapping_add(c as i64) as u64,
        "div" => x.checked_div(y)? as u64,
        "min" => x.min(y) as u64,
        "max" => x.max(y) as u64,
        "and" => a & b,
        "shl" => a.checked_shl(b as u32).unwrap_or(0),
        "shr" if ty == "s64" => (x >> (b as u32)) as u64,
        "neg" => x.wrapping_neg() as u64,
        "abs" => x.wrapping_abs() as u64,
        "cvt.u32" => a & 0xffff_ffff,
        "selp" => pick(a, b, c),
        other => return compare(other, x, y),
    })
}

fn compare(name: &str, x: i64, y: i64) -> Option<u64> {
    Some(u64::from(match name {
        "setp.eq" => x == y,
        "setp.ne" => x != y,
        "setp.lt" => x < y,
        "setp.le" => x <= y,
        "setp.ge" => x >= y,
        _ => return None,
    }))
}

fn truth(name: &str, a: u64, b: u64) -> Option<u64> {
    Some(match name {
        "mov" => a,
        "and" => a & b,
        "or" => a | b,
        "xor" => a ^ b,
        "not" => a ^ 1,
        _ => return None,
    })
}

fn small(name: &str, ty: &str, a: u64) -> Option<u64> {
    match (name, ty) {
        ("mov", "b16") => Some(a & 0xffff),
        ("cvt.f32", "f16") => Some(real(f16::from_bits(a as u16).to_f32())),
        _ => None,
    }
}
