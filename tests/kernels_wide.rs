//! Kernel interpreter ≡ wide x86-64, bit for bit, over random kernels of 8 and 16 lanes.

mod common;

use common::agree;
use regard_codegen::native::wide;
use regard_ir::{kernel::random, target::Target};

const KERNELS: u64 = 1000;

fn random_kernels_agree(lanes: u32, target: &str) {
    if !wide::supported(lanes) {
        println!("skipped: {KERNELS} kernels of {lanes} lanes, which this machine does not execute");
        return;
    }
    let target = Target::named(target).expect("a known target");
    for seed in 0..KERNELS {
        let kernel = random::kernel(seed, lanes);
        let code = wide::emit(&kernel, target).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        agree(&kernel, &code.bytes, seed).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    }
}

#[test]
fn random_kernels_agree_at_8_lanes() {
    random_kernels_agree(8, "x86-64-v3");
}
#[test]
fn random_kernels_agree_at_16_lanes() {
    random_kernels_agree(16, "x86-64-v4");
}
