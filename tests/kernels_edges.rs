//! Cranelift at the edges that random kernels rarely meet: half precision, division, masked accesses.

mod common;

use common::{agree_on, cranelift_targets};
use proptest::prelude::*;
use regard_codegen::native::cranelift;
use regard_ir::{
    kernel::{BinOp, Builder, CastOp, CmpOp, IdAxis, Kernel, Unit, Val},
    types::DType,
};

fn check(kernel: &Kernel, inputs: &[Vec<u8>]) {
    for target in cranelift_targets() {
        let code = cranelift::emit(kernel, &target).unwrap();
        agree_on(kernel, &code.bytes, inputs.to_vec()).unwrap_or_else(|e| panic!("{}: {e}", target.name));
    }
}

fn bytes<const N: usize>(values: impl IntoIterator<Item = [u8; N]>) -> Vec<u8> {
    values.into_iter().flatten().collect()
}

/// All 2^16 elements of a half type, as f32 with NaN replaced by zero, and whether each is NaN; by vectors
/// and by scalars.
fn widening(dtype: DType) -> Kernel {
    let n = 1 << 16;
    let mut b = Builder::new(format!("widen_{dtype}"), Unit::Core, 8, [n / 8, 1, 1]);
    let [x, y, z, nan] =
        [("x", dtype), ("y", DType::F32), ("z", DType::F32), ("nan", DType::Bool)].map(|(s, d)| b.param(s, d, n));
    let block = b.id(IdAxis::G0);
    let start = b.mul_const(block, 8);
    let clean = |b: &mut Builder, v: Val| {
        let is_nan = b.cmp(CmpOp::Ne, v, v);
        let zero = b.const_like(v, 0.0);
        (is_nan, b.select(is_nan, zero, v))
    };
    let v = b.load(b.addr(x, start));
    let (is_nan, v) = clean(&mut b, v);
    b.store(v, b.addr(y, start));
    b.store(is_nan, b.addr(nan, start));
    b.for_const(8, 1, &[], |b, i, _| {
        let at = b.add(start, i);
        let v = b.load_scalar(b.addr(x, at));
        let (_, v) = clean(b, v);
        b.store_scalar(v, b.addr(z, at));
        Vec::new()
    });
    b.finish()
}

#[test]
fn every_half_widens() {
    for dtype in [DType::Bf16, DType::F16] {
        let halves = bytes((0..=u16::MAX).map(u16::to_le_bytes));
        check(&widening(dtype), &[halves, vec![1; 4 << 16], vec![1; 4 << 16], vec![1; 1 << 16]]);
    }
}

/// Eight f32 to a half type, by a vector and by scalars.
fn narrowing(dtype: DType, n: u64) -> Kernel {
    let mut b = Builder::new(format!("narrow_{dtype}"), Unit::Core, 8, [n / 8, 1, 1]);
    let [x, y, z] = [("x", DType::F32), ("y", dtype), ("z", dtype)].map(|(s, d)| b.param(s, d, n));
    let block = b.id(IdAxis::G0);
    let start = b.mul_const(block, 8);
    let v = b.load(b.addr(x, start));
    b.store(v, b.addr(y, start));
    b.for_const(8, 1, &[], |b, i, _| {
        let at = b.add(start, i);
        let v = b.load_scalar(b.addr(x, at));
        b.store_scalar(v, b.addr(z, at));
        Vec::new()
    });
    b.finish()
}

#[test]
fn every_tie_narrows_to_even() {
    for (dtype, shift, exponents) in [(DType::Bf16, 16, 0..256), (DType::F16, 13, 100..146)] {
        // Around every representable number and every tie, subnormals and infinity included.
        let mut values = Vec::new();
        for exponent in exponents {
            for mantissa in 0..1u32 << (24 - shift) {
                for around in [-1i32, 0, 1] {
                    let bits = ((exponent << 23) | (mantissa << (shift - 1))).wrapping_add_signed(around) & 0x7fff_ffff;
                    values.extend([bits, bits | 1 << 31].iter().filter(|b| !f32::from_bits(**b).is_nan()));
                }
            }
        }
        values.resize(values.len().next_multiple_of(8), 0);
        let n = values.len();
        let inputs = [bytes(values.into_iter().map(u32::to_le_bytes)), vec![1; 2 * n], vec![1; 2 * n]];
        check(&narrowing(dtype, n as u64), &inputs);
    }
}

proptest! {
    #[test]
    fn any_number_narrows(bits in proptest::collection::vec(any::<u32>(), 64)) {
        let numbers = bits.into_iter().map(|b| if f32::from_bits(b).is_nan() { 0 } else { b });
        let inputs = [bytes(numbers.map(u32::to_le_bytes)), vec![1; 128], vec![1; 128]];
        check(&narrowing(DType::Bf16, 64), &inputs);
        check(&narrowing(DType::F16, 64), &inputs);
    }

    #[test]
    fn division_rounds_down(d in divisor(), xs in proptest::collection::vec(any::<i32>(), 14)) {
        let kernel = dividing(d);
        let numbers = xs.into_iter().chain([i32::MIN, i32::MAX]).map(i32::to_le_bytes);
        check(&kernel, &[bytes(numbers), vec![1; 64], vec![1; 64], vec![1; 64], vec![1; 64], vec![1; 64]]);
    }

    #[test]
    fn absent_lanes_stay_untouched(n in -2i64..14, stride in 1i64..4, offset in 0i64..3, dtype in 0usize..5) {
        let kernel = masked(DType::ALL[dtype], n, stride, offset);
        let inputs: Vec<Vec<u8>> = kernel.params().map(|(id, buffer)| {
            let len = buffer.len as usize * buffer.dtype.bytes();
            let byte = |i: usize| match buffer.dtype {
                DType::I32 if buffer.name == "n" => n.to_le_bytes()[i],
                DType::Bool => (i % 2) as u8,
                _ => (i * 7 + format!("{id}").len()) as u8 & 0x3f,
            };
            (0..len).map(byte).collect()
        }).collect();
        check(&kernel, &inputs);
    }
}

fn divisor() -> impl Strategy<Value = i32> {
    prop_oneof![1..70i32, any::<i32>().prop_map(|d| (d & i32::MAX).max(1)), (0..31u32).prop_map(|s| 1 << s)]
}

/// 16 numbers by `d`: quotients and remainders as lanes, quotients as i32 scalars, both as i64 scalars
/// scaled beyond 32 bits.
fn dividing(d: i32) -> Kernel {
    let mut b = Builder::new("divide", Unit::Core, 16, [1, 1, 1]);
    let [x, q, r, s, wq, wr] = ["x", "q", "r", "s", "wq", "wr"].map(|name| b.param(name, DType::I32, 16));
    let zero = b.i64(0);
    let v = b.load(b.addr(x, zero));
    let by = b.vi32(d);
    let (quotient, rest) = (b.bin(BinOp::Div, v, by), b.bin(BinOp::Rem, v, by));
    b.store(quotient, b.addr(q, zero));
    b.store(rest, b.addr(r, zero));
    b.for_const(16, 1, &[], |b, i, _| {
        let v = b.load_scalar(b.addr(x, i));
        let by = b.const_like(v, f64::from(d));
        let quotient = b.bin(BinOp::Div, v, by);
        b.store_scalar(quotient, b.addr(s, i));
        let wide = b.cast(CastOp::I32ToI64, v);
        let wide = b.mul_const(wide, 0x1_2345_6789);
        let wide = b.add(wide, i);
        let by = b.i64(i64::from(d));
        for (op, buffer) in [(BinOp::Div, wq), (BinOp::Rem, wr)] {
            let value = b.bin(op, wide, by);
            let low = b.cast(CastOp::I64ToI32, value);
            b.store_scalar(low, b.addr(buffer, i));
        }
        Vec::new()
    });
    b.finish()
}

/// Copies, with a limit that is known and one that is read from memory.
fn masked(dtype: DType, n: i64, stride: i64, offset: i64) -> Kernel {
    let mut b = Builder::new("masked", Unit::Core, 8, [1, 1, 1]);
    let limit = b.param("n", DType::I32, 2);
    let x = b.param("x", dtype, 64);
    let [y, z] = ["y", "z"].map(|name| b.param(name, dtype, 64));
    let zero = b.i64(0);
    let read = b.load_scalar(b.addr(limit, zero));
    let read = b.cast(CastOp::I32ToI64, read);
    let known = b.i64(n);
    for (buffer, first) in [(y, known), (z, read)] {
        let v = b.load_with(b.addr_off(x, Some(zero), offset), Some(first), stride);
        b.store(v, b.addr_off(buffer, Some(zero), 40));
        let v = b.load_with(b.addr_off(x, Some(zero), 8), None, stride);
        b.store_with(v, b.addr_off(buffer, Some(zero), offset), Some(first), stride);
    }
    b.finish()
}
