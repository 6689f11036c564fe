//! Kernel interpreter ≡ Cranelift, bit for bit, over random kernels at every lane count.

mod common;

use common::{agree, cranelift_targets, without_fma};
use regard_codegen::native::cranelift;
use regard_testkit::kernels;

/// A thousand kernels per lane count, dealt out to the targets in turn.
fn random_kernels_agree(lanes: u32) {
    let targets = cranelift_targets();
    assert!(!targets.is_empty(), "no Cranelift target for this machine");
    for seed in 0..1000 {
        let target = &targets[seed as usize % targets.len()];
        let kernel = kernels::any(seed, lanes);
        let kernel = if target.fma { kernel } else { without_fma(kernel) };
        let code = cranelift::emit(&kernel, target).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        agree(&kernel, &code.bytes, seed).unwrap_or_else(|e| panic!("seed {seed}, target {}: {e}", target.name));
    }
}

#[test]
fn random_kernels_agree_at_4_lanes() {
    random_kernels_agree(4);
}
#[test]
fn random_kernels_agree_at_8_lanes() {
    random_kernels_agree(8);
}
#[test]
fn random_kernels_agree_at_16_lanes() {
    random_kernels_agree(16);
}
#[test]
fn random_kernels_agree_at_32_lanes() {
    random_kernels_agree(32);
}
