//! Kernel interpreter ≡ wide x86-64, bit for bit: random kernels of 8 and 16 lanes, and kernels that
//! corner what random ones rarely meet.

mod common;

use common::{agree, runs_here};
use regard_codegen::{Code, native::wide};
use regard_ir::{
    kernel::{Builder, CastOp, CmpOp, IdAxis, Kernel, ReduceOp, Unit, Val},
    target::Target,
    types::DType,
};
use regard_testkit::kernels;
use std::io::Write;

/// The target with so many lanes.
fn target(lanes: u32) -> &'static Target {
    Target::named(if lanes == 16 { "x86-64-v4" } else { "x86-64-v3" }).expect("a known target")
}

/// Emits a kernel and compares it with the interpreter.
fn holds(kernel: &Kernel, seed: u64) -> Code {
    let code = wide::emit(kernel, target(kernel.lanes)).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    agree(kernel, &code.bytes, seed).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    code
}

/// Runs `check` with 8 and 16 lanes, or says that this machine cannot.
fn with_lanes(what: &str, check: impl Fn(u32)) {
    for lanes in [8, 16] {
        if runs_here(target(lanes)) {
            check(lanes);
        } else {
            let skipped = format!("skipped: {what} with {lanes} lanes, which this machine does not execute\n");
            std::io::stderr().write_all(skipped.as_bytes()).expect("stderr is open");
        }
    }
}

#[test]
fn random_kernels_agree() {
    with_lanes("1000 random kernels", |lanes| {
        for seed in 0..1000 {
            holds(&kernels::any(seed, lanes), seed);
        }
    });
}

/// `count` vectors loaded, all alive across a loop that changes each, then stored.
fn crowded(lanes: u32, count: i64) -> Kernel {
    let l = i64::from(lanes);
    let mut b = Builder::new("crowded", Unit::Core, lanes, [2, 1, 1]);
    let x = b.param("x", DType::F32, (2 * count * l) as u64);
    let y = b.param("y", DType::F32, (2 * count * l) as u64);
    let block = b.id(IdAxis::G0);
    let at = b.mul_const(block, count * l);
    let start: Vec<Val> = (0..count).map(|i| b.load(b.addr_off(x, Some(at), i * l))).collect();
    let end = b.for_const(3, 1, &start, |b, k, values| {
        let row = b.mul_const(k, l);
        let row = b.add(at, row);
        let factor = b.load(b.addr(x, row));
        values.iter().map(|&v| b.fma(v, factor, factor)).collect()
    });
    for (i, &v) in end.iter().enumerate() {
        b.store(v, b.addr_off(y, Some(at), i as i64 * l));
    }
    b.finish()
}

#[test]
fn spilled_vectors_survive() {
    with_lanes("vectors on the stack", |lanes| {
        assert_eq!(holds(&crowded(lanes, 12), 1).spills, 0);
        assert!(holds(&crowded(lanes, 40), 2).spills > 0);
    });
}

/// Twelve truth vectors and as many truth scalars, all alive at once.
fn undecided(lanes: u32) -> Kernel {
    let l = i64::from(lanes);
    let mut b = Builder::new("undecided", Unit::Core, lanes, [1, 1, 1]);
    let x = b.param("x", DType::I32, (13 * l) as u64);
    let y = b.param("y", DType::I32, (12 * l) as u64);
    let rows: Vec<Val> = (0..13).map(|i| b.load(b.addr_off(x, None, i * l))).collect();
    let ops = [CmpOp::Lt, CmpOp::Le, CmpOp::Eq, CmpOp::Ne];
    let truths: Vec<Val> = (0..12).map(|i| b.cmp(ops[i % 4], rows[i], rows[i + 1])).collect();
    let sums: Vec<Val> = rows.iter().map(|&r| b.reduce(ReduceOp::Sum, r)).collect();
    let scalars: Vec<Val> = (0..12).map(|i| b.cmp(ops[i % 4], sums[i], sums[i + 1])).collect();
    for i in (0..12).rev() {
        let chosen = b.select(truths[i], rows[i], rows[12]);
        let sum = b.select(scalars[i], sums[i], sums[12]);
        let sum = b.splat(sum);
        let both = b.add(chosen, sum);
        b.store(both, b.addr_off(y, None, i as i64 * l));
    }
    b.finish()
}

#[test]
fn many_truth_values_survive() {
    with_lanes("truth values on the stack", |lanes| {
        for seed in 0..20 {
            holds(&undecided(lanes), seed);
        }
    });
}

/// Every comparison of i32 and i64 scalars, as a branch and as a selection between neighbours.
fn decided(lanes: u32) -> Kernel {
    let mut b = Builder::new("decided", Unit::Core, lanes, [1, 1, 1]);
    let x = b.param("x", DType::I32, 9);
    let y = b.param("y", DType::I32, 64);
    let words: Vec<Val> = (0..9).map(|i| b.load_scalar(b.addr_off(x, None, i))).collect();
    let longs: Vec<Val> = words.iter().map(|&w| b.cast(CastOp::I32ToI64, w)).collect();
    let mut out = 0;
    let mut put = |b: &mut Builder, v: Val| {
        b.store_scalar(v, b.addr_off(y, None, out));
        out += 1;
    };
    for op in [CmpOp::Lt, CmpOp::Le, CmpOp::Eq, CmpOp::Ne] {
        for i in 0..2 {
            for values in [&words, &longs] {
                let cond = b.cmp(op, values[i], values[i + 1]);
                let chosen = b.select(cond, words[i + 2], words[i + 3]);
                put(&mut b, chosen);
                let limit = b.const_like(values[i], 2.0);
                let cond = b.cmp(op, limit, values[i + 4]);
                let chosen = b.select(cond, longs[i + 5], longs[i + 6]);
                let chosen = b.cast(CastOp::I64ToI32, chosen);
                put(&mut b, chosen);
                let cond = b.cmp(op, values[i + 7], limit);
                let side = b.if_else(cond, |_| vec![words[0]], |b| vec![b.add(words[1], words[2])]);
                put(&mut b, side[0]);
            }
        }
    }
    b.finish()
}

#[test]
fn scalar_comparisons_decide() {
    with_lanes("scalar comparisons", |lanes| {
        for seed in 0..50 {
            holds(&decided(lanes), seed);
        }
    });
}

/// A stride beyond what a gather index holds, of which only the first lane is accessed.
fn distant(lanes: u32, dtype: DType) -> Kernel {
    let mut b = Builder::new("distant", Unit::Core, lanes, [1, 1, 1]);
    let (x, y) = (b.param("x", dtype, 2), b.param("y", dtype, 2));
    let one = b.i64(1);
    let v = b.load_with(b.addr_off(x, None, 1), Some(one), 1 << 40);
    b.store_with(v, b.addr_off(y, None, 1), Some(one), -(1 << 40));
    b.finish()
}

#[test]
fn far_strides_touch_only_their_lanes() {
    with_lanes("far strides", |lanes| {
        for dtype in DType::ALL {
            holds(&distant(lanes, dtype), 3);
        }
    });
}

/// Loads of `count(k)` lanes in a loop, where the count is negative, partial and more than all.
fn counted(lanes: u32) -> Kernel {
    let l = i64::from(lanes);
    let mut b = Builder::new("counted", Unit::Core, lanes, [1, 1, 1]);
    let x = b.param("x", DType::F32, l as u64);
    let y = b.param("y", DType::F32, (40 * l) as u64);
    b.for_const(40, 1, &[], |b, k, _| {
        let count = b.add_const(k, -5);
        let v = b.load_with(b.addr_off(x, None, 0), Some(count), 1);
        let row = b.mul_const(k, l);
        b.store(v, b.addr(y, row));
        Vec::new()
    });
    b.finish()
}

#[test]
fn counts_below_zero_and_above_all_lanes_are_clamped() {
    with_lanes("counts", |lanes| {
        holds(&counted(lanes), 4);
    });
}
