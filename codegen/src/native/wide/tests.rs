//! What can be said about the bytes without running them: registers are right, every byte decodes, and the
//! loop of a product is nothing but loads, broadcasts and FMAs.

use super::{address, alloc, emit, facts, select};
use iced_x86::{Code, Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};
use proptest::prelude::*;
use regalloc2::checker::Checker;
use regard_ir::{
    kernel::{Builder, IdAxis, Kernel, Unit, Val, eval},
    target::Target,
    types::DType,
};
use regard_testkit::kernels;

fn target(lanes: u32) -> &'static Target {
    Target::named(if lanes == 16 { "x86-64-v4" } else { "x86-64-v3" }).expect("a known target")
}

/// The instructions in front of the constants.
fn decode(bytes: &[u8]) -> Vec<Instruction> {
    let mut decoder = Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE);
    let mut out = Vec::new();
    while decoder.can_decode() {
        let instruction = decoder.decode();
        out.push(instruction);
        if instruction.code() == Code::Retnq {
            break;
        }
    }
    out
}

/// C = A·B with A row-major [rows × depth] and B in panels [depth][vectors·lanes]; a block is one tile.
fn product(lanes: u32, rows: i64, vectors: i64, depth: i64) -> Kernel {
    let width = vectors * i64::from(lanes);
    let mut b = Builder::new("product", Unit::Core, lanes, [3, 2, 1]);
    let a = b.param("a", DType::F32, (3 * rows * depth) as u64);
    let panels = b.param("b", DType::F32, (2 * width * depth) as u64);
    let c = b.param("c", DType::F32, (3 * rows * 2 * width) as u64);
    let (i, j) = (b.id(IdAxis::G0), b.id(IdAxis::G1));
    let (row, panel) = (b.mul_const(i, rows * depth), b.mul_const(j, width * depth));
    let zero = b.vf32(0.0);
    let init = vec![zero; (rows * vectors) as usize];
    let sums = b.for_const(depth as u64, 1, &init, |b, k, sums| {
        let at = b.mul_const(k, width);
        let at = b.add(panel, at);
        let rhs: Vec<Val> = (0..vectors).map(|v| b.load(b.addr_off(panels, Some(at), v * i64::from(lanes)))).collect();
        let at = b.add(row, k);
        let mut next = Vec::new();
        for (r, sums) in sums.chunks(vectors as usize).enumerate() {
            let lhs = b.bcast(b.addr_off(a, Some(at), r as i64 * depth));
            next.extend(sums.iter().zip(&rhs).map(|(&sum, &rhs)| b.fma(lhs, rhs, sum)));
        }
        next
    });
    let (at, column) = (b.mul_const(i, rows * 2 * width), b.mul_const(j, width));
    let at = b.add(at, column);
    for (n, &sum) in sums.iter().enumerate() {
        let (r, v) = (n as i64 / vectors, n as i64 % vectors);
        b.store(sum, b.addr_off(c, Some(at), r * 2 * width + v * i64::from(lanes)));
    }
    b.finish()
}

fn product_loop(lanes: u32, rows: i64, vectors: i64) {
    let code = emit(&product(lanes, rows, vectors, 64), target(lanes)).expect("a core kernel");
    assert_eq!(code.spills, 0);
    let all = decode(&code.bytes);
    let back = all.iter().rev().filter(|i| i.near_branch64() < i.ip() && i.op0_kind() == OpKind::NearBranch64);
    let shortest = back.min_by_key(|i| i.ip() - i.near_branch64()).expect("a loop");
    let start = shortest.near_branch64();
    assert!(start.is_multiple_of(32), "the loop starts at {start:#x}");
    let body: Vec<&Instruction> = all.iter().filter(|i| (start..=shortest.ip()).contains(&i.ip())).collect();
    let count = |mnemonic| body.iter().filter(|i| i.mnemonic() == mnemonic).count() as i64;
    assert_eq!(count(Mnemonic::Vfmadd231ps), rows * vectors);
    assert_eq!(count(Mnemonic::Vbroadcastss), rows);
    assert_eq!(count(Mnemonic::Vmovups), vectors);
    let overhead = body.len() as i64 - rows * vectors - rows - vectors;
    assert_eq!(overhead, 5, "two addresses and the counter advance, then compare and branch");
    assert!(body.iter().all(|i| i.memory_base() != Register::RSP));
}

#[test]
fn a_product_loop_of_16_lanes_has_no_moves() {
    product_loop(16, 8, 3);
}
#[test]
fn a_product_loop_of_8_lanes_has_no_moves() {
    product_loop(8, 4, 3);
}

#[test]
fn too_large_a_tile_spills_and_says_so() {
    let code = emit(&product(16, 12, 3, 64), target(16)).expect("a core kernel");
    assert!(code.spills > 0);
}

#[test]
fn kernels_that_do_not_fit_are_refused() {
    for (lanes, target) in [(32, target(16)), (16, target(8)), (4, target(16))] {
        let error = emit(&kernels::any(1, lanes), target).expect_err("the wrong number of lanes");
        assert!(error.to_string().contains(&format!("of {lanes} lanes")), "{error}");
    }
}

fn lanes() -> impl Strategy<Value = u32> {
    prop_oneof![Just(8), Just(16)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn addresses_keep_their_meaning(seed in any::<u64>(), lanes in lanes()) {
        let kernel = kernels::any(seed, lanes);
        let reduced = facts::prune(address::reduce(kernel.clone()));
        let (mut expected, mut found) = (kernels::inputs(&kernel, seed), kernels::inputs(&kernel, seed));
        eval::run(&kernel, &mut expected).expect("a valid kernel");
        eval::run(&reduced, &mut found).expect("a valid kernel");
        prop_assert_eq!(expected, found);
    }

    #[test]
    fn registers_hold_what_they_should(seed in any::<u64>(), lanes in lanes()) {
        let kernel = facts::prune(address::reduce(crate::simplify(&kernels::any(seed, lanes))));
        let (code, _) = select::select(&kernel);
        let listed = alloc::Listed::new(&code, lanes);
        let environment = alloc::environment(lanes);
        let output = alloc::allocate(&listed, &environment).expect("registers");
        let mut checker = Checker::new(&listed, &environment);
        checker.prepare(&output);
        prop_assert!(checker.run().is_ok());
    }

    #[test]
    fn every_byte_is_code_or_constant(seed in any::<u64>(), lanes in lanes()) {
        let code = emit(&kernels::any(seed, lanes), target(lanes)).expect("a core kernel");
        let all = decode(&code.bytes);
        let starts: Vec<u64> = all.iter().map(Instruction::ip).collect();
        let end = all.last().expect("a return").next_ip();
        prop_assert!(all.iter().all(|i| !i.is_invalid()));
        for i in &all {
            if i.op0_kind() == OpKind::NearBranch64 {
                prop_assert!(starts.binary_search(&i.near_branch64()).is_ok());
            }
            if i.is_ip_rel_memory_operand() {
                let at = i.ip_rel_memory_address();
                prop_assert!(at >= end && at + i.memory_size().size() as u64 <= code.bytes.len() as u64);
            }
        }
        let nops = all.iter().filter(|i| i.mnemonic() == Mnemonic::Nop).count();
        prop_assert_eq!(all.len() - nops, code.instructions as usize);
    }

    #[test]
    fn quotients_by_multiplication_are_exact(n in 0..i64::MAX, divisor in 3..i64::MAX >> 1) {
        prop_assume!(divisor.count_ones() > 1);
        for (n, divisor) in [(n, divisor), (n, divisor & 0xffff | 3), (n / divisor * divisor, divisor)] {
            let (factor, shift) = select::magic(divisor, 63);
            let quotient = (n as u128 * u128::from(factor)) >> (63 + shift);
            prop_assert_eq!(quotient as i64, n / divisor);
        }
    }
}
