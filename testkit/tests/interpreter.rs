//! Random kernels run without fault, at every lane count and in both arithmetics; broken ones fault, never panic.

use proptest::prelude::*;
use regard_ir::{
    id::{Id, IdVec},
    kernel::{
        Const, Inst, Kernel, Val,
        eval::{run, run_f64},
    },
    types::{DType, Real},
};
use regard_testkit::kernels;

fn lanes() -> impl Strategy<Value = u32> {
    prop_oneof![Just(4u32), Just(8), Just(16), Just(32)]
}

/// Little-endian elements as numbers.
fn values(dtype: DType, bytes: &[u8]) -> Vec<f64> {
    let value = |element: &[u8]| match (dtype, element) {
        (DType::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]).into(),
        (DType::I32, &[a, b, c, d]) => i32::from_le_bytes([a, b, c, d]).into(),
        (DType::Bf16, &[a, b]) => half::bf16::from_le_bytes([a, b]).into(),
        (DType::F16, &[a, b]) => half::f16::from_le_bytes([a, b]).into(),
        _ => element[0].into(),
    };
    bytes.chunks(dtype.bytes()).map(value).collect()
}

fn outcome(kernel: &Kernel, seed: u64) -> Vec<Vec<u8>> {
    let mut buffers = kernels::inputs(kernel, seed);
    run(kernel, &mut buffers).unwrap_or_else(|fault| panic!("{fault}\n{kernel}"));
    buffers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_kernels_run(seed in any::<u64>(), lanes in lanes()) {
        let kernel = kernels::any(seed, lanes);
        let before = kernels::inputs(&kernel, seed);
        let after = outcome(&kernel, seed);
        prop_assert_eq!(&after, &outcome(&kernel, seed));
        prop_assert_ne!(&before, &after, "a kernel that writes nothing tests nothing");
        for ((_, buffer), bytes) in kernel.params().zip(&after).filter(|((_, buffer), _)| buffer.dtype.is_float()) {
            prop_assert!(values(buffer.dtype, bytes).iter().all(|v| !v.is_nan()), "{} holds NaN\n{kernel}", buffer.name);
        }
    }

    #[test]
    fn random_kernels_run_in_f64(seed in any::<u64>(), lanes in lanes()) {
        let kernel = kernels::any(seed, lanes);
        let inputs = kernel.params().zip(kernels::inputs(&kernel, seed));
        let mut inputs: Vec<Vec<f64>> = inputs.map(|((_, buffer), bytes)| values(buffer.dtype, &bytes)).collect();
        run_f64(&kernel, &mut inputs).unwrap_or_else(|fault| panic!("{fault}\n{kernel}"));
    }

    /// Constants, operands, bounds and buffer lengths are changed at random.
    #[test]
    fn broken_kernels_do_not_panic(seed in any::<u64>(), lanes in lanes(), changes in prop::collection::vec(any::<u64>(), 1..12)) {
        let mut kernel = kernels::any(seed, lanes);
        for change in changes {
            break_something(&mut kernel, change);
        }
        let mut buffers = kernels::inputs(&kernel, seed);
        if let Err(fault) = run(&kernel, &mut buffers) {
            prop_assert!(!fault.message.is_empty());
        }
    }
}

fn break_something(kernel: &mut Kernel, change: u64) {
    let count = kernel.body.walk().count();
    let (place, what) = ((change >> 8) as usize % count, (change >> 40) as usize);
    let values = kernel.types.len();
    match change % 8 {
        0 => kernel.buffers.values_mut().nth(what % 3).expect("every kernel has three buffers").len = 7,
        1 => kernel.lanes = [1, 3, 5, 64][what % 4],
        2 => kernel.types = kernel.types.values().rev().copied().collect::<IdVec<_, _>>(),
        _ => {
            let mut insts = 0;
            kernel.body.walk_bodies_mut(&mut |body| {
                let at = place.wrapping_sub(insts);
                insts += body.stmts.len();
                let Some(stmt) = body.stmts.get_mut(at) else { return };
                match &mut stmt.inst {
                    Inst::Const(Const::I64(value)) => *value = [-1, 0, 1 << 20, -64][what % 4],
                    Inst::Const(Const::I32(value)) => *value = [-1, 0, i32::MAX, i32::MIN][what % 4],
                    Inst::Const(Const::F32(value)) => *value = Real::new(f64::NAN),
                    Inst::Load { addr, .. } | Inst::Store { addr, .. } | Inst::Gather { addr, .. } => {
                        addr.offset += [i64::MAX, 1 << 40, -3, 40][what % 4] / 2;
                    }
                    other => other.operands_mut().for_each(|v| *v = Val::new((v.index() + what % 2 * 7) % values)),
                }
            });
        }
    }
}

#[test]
fn inputs_are_small() {
    let kernel = kernels::any(3, 8);
    for ((_, buffer), bytes) in kernel.params().zip(kernels::inputs(&kernel, 5)) {
        assert_eq!(bytes.len() as u64, buffer.len * buffer.dtype.bytes() as u64);
        let values = values(buffer.dtype, &bytes);
        let bound = if buffer.dtype == DType::I32 { 9.0 } else { 4.0 };
        assert!(values.iter().all(|v| v.abs() <= bound && (v * 8.0).fract() == 0.0));
    }
}
