//! A simplified kernel is a kernel, computes the same bits, and is as simple as it gets.

use proptest::prelude::*;
use regard_codegen::simplify;
use regard_ir::{
    kernel::{BinOp, Builder, CastOp, IdAxis, Inst, Kernel, Level, Unit, Val, eval, verify},
    types::DType,
};
use regard_testkit::kernels;

fn agrees(kernel: &Kernel, seed: u64) -> Result<(), TestCaseError> {
    let simple = simplify(kernel);
    let findings = verify::verify(&simple, &[Level::Core]);
    prop_assert!(findings.is_empty(), "{}\n{simple}", findings[0]);
    let mut before = kernels::inputs(kernel, seed);
    let mut after = before.clone();
    let outcome = eval::run(kernel, &mut before);
    prop_assert!(outcome.is_ok(), "{outcome:?}\n{kernel}");
    let outcome = eval::run(&simple, &mut after);
    prop_assert!(outcome.is_ok(), "{outcome:?}\n{kernel}\n{simple}");
    prop_assert!(before == after, "bits differ\n{kernel}\n{simple}");
    prop_assert_eq!(&simplify(&simple), &simple);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn bits_do_not_change(seed in any::<u64>(), lanes in prop::sample::select(vec![4u32, 8, 16, 32])) {
        agrees(&kernels::any(seed, lanes), seed)?;
    }
    #[test]
    fn unrolled_loops_visit_the_same_indices(
        lo in -5i64..5, length in -3i64..14, step in 1i64..4, unroll in 1u32..6, known in any::<bool>(),
    ) {
        agrees(&visits(lo, lo + length, step, unroll, known), 7)?;
    }
}

/// `y[block] = ((i₀·31) + i₁)·31 + …` over the indices of a loop, whose bounds the block number moves apart
/// unless they are `known`.
fn visits(lo: i64, hi: i64, step: i64, unroll: u32, known: bool) -> Kernel {
    let mut b = Builder::new("visits", Unit::Core, 4, [1, 1, 3]);
    let y = b.param("y", DType::I32, 3);
    let block = b.id(IdAxis::G2);
    let mut bounds = (b.i64(lo), b.i64(hi));
    if !known {
        let twice = b.mul_const(block, 2);
        bounds = (b.add(bounds.0, block), b.add(bounds.1, twice));
    }
    let zero = b.i64(0);
    let start = b.cast(CastOp::I64ToI32, zero);
    let sum = b.for_loop(bounds, step, unroll, &[start], |b, index, carried| {
        let scaled = b.mul_const(carried[0], 31);
        let index = b.cast(CastOp::I64ToI32, index);
        vec![b.add(scaled, index)]
    });
    b.store_scalar(sum[0], b.addr(y, block));
    b.finish()
}

fn statements(kernel: &Kernel, is: fn(&Inst) -> bool) -> usize {
    kernel.body.walk().filter(|stmt| is(&stmt.inst)).count()
}

/// `y[i] = 2·x[index(i)]`, 16 elements per block, four vectors written out, tails guarded.
fn copies(index: impl Fn(&mut Builder, Val) -> Val) -> Kernel {
    let mut b = Builder::new("copies", Unit::Core, 4, [1, 1, 4]);
    let x = b.param("x", DType::F32, 64);
    let y = b.param("y", DType::F32, 64);
    let block = b.id(IdAxis::G2);
    let start = b.mul_const(block, 16);
    let bounds = (b.i64(0), b.i64(4));
    b.for_loop(bounds, 1, 4, &[], |b, j, _| {
        let j = b.mul_const(j, 4);
        let at = b.add(start, j);
        let from = index(b, at);
        let end = b.i64(64);
        let left = b.sub(end, at);
        let v = b.load_with(b.addr(x, from), Some(left), 1);
        let two = b.vf32(2.0);
        let v = b.mul(v, two);
        b.store_with(v, b.addr(y, at), Some(left), 1);
        Vec::new()
    });
    b.finish()
}

#[test]
fn digits_taken_apart_and_put_together_vanish() {
    let kernel = copies(|b, at| {
        let eight = b.i64(8);
        let (high, low) = (b.bin(BinOp::Div, at, eight), b.bin(BinOp::Rem, at, eight));
        let high = b.mul(high, eight);
        b.add(high, low)
    });
    assert_eq!(simplify(&kernel).body, simplify(&copies(|_, at| at)).body);
    agrees(&kernel, 1).expect("the same bits");
}

#[test]
fn whole_vectors_lose_their_tails_and_constants_move_into_addresses() {
    let simple = simplify(&copies(|_, at| at));
    assert_eq!(statements(&simple, |i| matches!(i, Inst::For { .. })), 0);
    assert_eq!(statements(&simple, |i| matches!(i, Inst::Load { active: None, .. })), 4);
    assert_eq!(statements(&simple, |i| matches!(i, Inst::Store { active: None, .. })), 4);
    assert_eq!(statements(&simple, |i| matches!(i, Inst::Bin(BinOp::Mul, ..))), 5, "one index, four products");
    assert_eq!(statements(&simple, |i| matches!(i, Inst::Bin(BinOp::Add, ..))), 0);
}

#[test]
fn loads_are_shared_only_while_nothing_is_written_between() {
    let mut b = Builder::new("shared", Unit::Core, 4, [1, 1, 1]);
    let x = b.param("x", DType::F32, 4);
    let at = b.addr_off(x, None, 0);
    let first = b.load(at);
    let again = b.load(at);
    let sum = b.add(first, again);
    b.store(sum, at);
    let after = b.load(at);
    let twice = b.add(after, after);
    b.store(twice, at);
    let kernel = b.finish();
    assert_eq!(statements(&simplify(&kernel), |i| matches!(i, Inst::Load { .. })), 2);
    agrees(&kernel, 3).expect("the same bits");
}

#[test]
fn accumulators_that_nobody_reads_disappear() {
    let mut b = Builder::new("unread", Unit::Core, 4, [1, 1, 1]);
    let x = b.param("x", DType::F32, 4);
    let zero = b.vf32(0.0);
    let at = b.addr_off(x, None, 0);
    let carried = b.for_const(9, 1, &[zero, zero], |b, _, carried| {
        let v = b.load(at);
        vec![b.add(carried[0], v), b.add(carried[1], carried[1])]
    });
    b.store(carried[0], at);
    let simple = simplify(&b.finish());
    assert_eq!(statements(&simple, |i| matches!(i, Inst::For { init, .. } if init.len() == 1)), 1);
}
