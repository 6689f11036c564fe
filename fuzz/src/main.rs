//! The program that libFuzzer drives: one binary, whose target is named by the variable `REGARD_FUZZ`.
//!
//! ```text
//!   fuzz/run graph -runs=100000        builds, then feeds 100 000 inputs to `regard_fuzz::text::graph`
//! ```

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: regard_fuzz::prepare(), |data: &[u8]| regard_fuzz::run(data));
