//! One kernel for each way to go wrong.

use super::{kernel, values};
use crate::kernel::eval::{Cells, Interpreter};

/// The fault of a kernel whose parameters start as zeros must be in `block` and say this.
fn check(head: &str, text: &str, block: ([u64; 3], u32), statement: &str, message: &str) {
    let kernel = kernel(head, text);
    let mut cells: Vec<Cells<f32>> = kernel.params().map(|(_, b)| Cells::zeros(b.dtype, b.len as usize)).collect();
    let fault = Interpreter::new(&kernel).expect("a typed kernel").run(&mut cells).expect_err("a fault");
    assert_eq!((fault.block, fault.statement.as_str(), fault.message.as_str()), (Some(block), statement, message));
    let expected = format!("kernel test, block {:?}, unit {}, `{statement}`: {message}", block.0, block.1);
    assert_eq!(fault.to_string(), expected);
}

const ONE: &str = "core lanes 4 grid [1, 1, 1]";
const TWO: &str = "core lanes 4 grid [1, 1, 2]";
const FIRST: ([u64; 3], u32) = ([0, 0, 0], 0);

#[test]
fn reading_past_the_end() {
    check(
        TWO,
        "param x : f32[8]
         v0 = id g2
         v1 : v.f32 = load x[v0 + 4]",
        ([0, 0, 1], 0),
        "v1 : v.f32 = load x[v0 + 4]",
        "reads element 8 of x, which has 8 elements",
    );
}

#[test]
fn writing_before_the_start() {
    check(
        TWO,
        "param x : i32[8]
         v0 = id g2
         v1 = lane
         store v1, x[v0 + 2] stride -1",
        FIRST,
        "store v1, x[v0 + 2] stride -1",
        "writes element -1 of x, which has 8 elements",
    );
}

#[test]
fn gathering_outside() {
    check(
        ONE,
        "param x : f32[3]
         v0 = lane
         v1 = const bool true
         v2 = splat v1
         v3 : v.f32 = gather x[0], v0, v2",
        FIRST,
        "v3 : v.f32 = gather x[0], v0, v2",
        "reads element 3 of x, which has 3 elements",
    );
}

#[test]
fn an_address_that_overflows() {
    check(
        ONE,
        "param x : f32[3]
         v0 = id g0
         v1 = const i64 9223372036854775807
         v2 = add v0, v1
         v3 : f32 = load_scalar x[v2 + 1]",
        FIRST,
        "v3 : f32 = load_scalar x[v2 + 1]",
        "the address 9223372036854775807 + 1 overflows",
    );
}

#[test]
fn reading_scratch_before_it_is_written() {
    // The first block's scratch is not the second's.
    check(
        TWO,
        "param x : f32[8]
         scratch s : f32[4]
         v0 = id g2
         v1 = const i64 1
         v2 = lt v0, v1
         if v2 {
           v3 : v.f32 = load x[0]
           store v3, s[0]
         }
         v4 : f32 = load_scalar s[v0 + 1]",
        ([0, 0, 1], 0),
        "v4 : f32 = load_scalar s[v0 + 1]",
        "reads element 2 of scratch s, which this block has not written",
    );
}

const OVERLAP: &str = "param x : f32[8]
     param y : f32[8]
     v0 = id g2
     v1 : v.f32 = load y[0]";

#[test]
fn two_blocks_writing_one_element() {
    check(
        TWO,
        &format!("{OVERLAP}\nstore v1, x[v0]"),
        ([0, 0, 1], 0),
        "store v1, x[v0]",
        "writes element 1 of x, which block number 0 wrote too",
    );
}

#[test]
fn reading_what_another_block_wrote() {
    check(
        TWO,
        &format!("{OVERLAP}\nv2 : f32 = load_scalar x[0]\nv3 = const i64 4\nv4 = mul v0, v3\nstore v1, x[v4]"),
        ([0, 0, 1], 0),
        "v2 : f32 = load_scalar x[0]",
        "reads element 0 of x, which block number 0 wrote",
    );
}

#[test]
fn writing_what_another_block_read() {
    check(
        TWO,
        &format!("{OVERLAP}\nv2 : f32 = load_scalar x[7]\nv3 = const i64 4\nv4 = mul v0, v3\nstore v1, x[v4]"),
        ([0, 0, 1], 0),
        "store v1, x[v4]",
        "writes element 7 of x, which several blocks read",
    );
    check(
        TWO,
        "param x : f32[2]
         v0 = id g2
         v1 = const i64 1
         v2 = sub v1, v0
         v3 = lt v0, v1
         v4 = const f32 2.0
         if v3 {
           v5 : f32 = load_scalar x[0]
         } else {
           store_scalar v4, x[v2]
         }",
        ([0, 0, 1], 0),
        "store_scalar v4, x[v2]",
        "writes element 0 of x, which block number 0 read",
    );
}

#[test]
fn a_float_that_fits_no_integer() {
    for (value, shown) in [("2147483648.0", "2147483648"), ("-inf", "-inf"), ("nan", "NaN")] {
        check(
            ONE,
            &format!("v0 = const f32 {value}\nv1 = cast f32_to_i32 v0"),
            FIRST,
            "v1 = cast f32_to_i32 v0",
            &format!("{shown} does not fit an i32; clamp it first"),
        );
    }
}

#[test]
fn shifts_beyond_the_width() {
    for (ty, shift, width) in [("i32", 32, 32), ("i64", 64, 64), ("i32", -1, 32)] {
        // A shift that is not a constant passes the verifier.
        check(
            ONE,
            &format!("v0 = const {ty} {shift}\nv1 = const {ty} 0\nv2 = add v0, v1\nv3 = shl v0, v2"),
            FIRST,
            "v3 = shl v0, v2",
            &format!("the shift is {shift}, but a shift lies in 0..{width}"),
        );
    }
}

#[test]
fn divisors_below_one() {
    // The verifier would not let it pass, the interpreter does not rely on that.
    let text = "kernel test core lanes 4 grid [1, 1, 1] {\nv0 = const i32 0\nv1 = rem v0, v0\n}";
    let kernel = crate::kernel::text::parse(text).expect("a kernel");
    let fault = values(&kernel, &[]).expect_err("a fault");
    assert_eq!(fault.message, "the divisor is 0, but divisors are positive");
}

const EXCHANGE: &str = "param out : f32[64]
     scratch s : f32[64]
     v0 = id unit
     v1 = const i64 32
     v2 = mul v0, v1
     v3 = sub v1, v2
     v4 = lane
     v5 = cast i32_to_f32 v4";

const UNITS: &str = "warp lanes 32 units 2 grid [1, 1, 1]";

#[test]
fn units_that_exchange_without_a_barrier() {
    // Unit 0 comes first, so it is unit 1 that finds the other's writing.
    let with =
        |between: &str| format!("{EXCHANGE}\nstore v5, s[v2]\n{between}\nv6 : v.f32 = load s[v3]\nstore v6, out[v2]");
    check(
        UNITS,
        &with(""),
        FIRST,
        "v6 : v.f32 = load s[v3]",
        "reads element 32 of scratch s, which this block has not written",
    );
    assert!(values(&kernel(UNITS, &with("barrier")), &[&[0.0; 64]]).is_ok());
    check(
        UNITS,
        &format!("{EXCHANGE}\nstore v5, s[0] first v3\nv6 : v.f32 = load s[0]"),
        ([0, 0, 0], 1),
        "v6 : v.f32 = load s[0]",
        "reads element 0 of s, which unit 0 wrote with no barrier in between",
    );
    check(
        UNITS,
        &format!("{EXCHANGE}\nstore v5, s[v0]"),
        ([0, 0, 0], 1),
        "store v5, s[v0]",
        "writes element 1 of s, which another unit wrote with no barrier in between",
    );
    check(
        UNITS,
        &format!(
            "{EXCHANGE}\nstore v5, s[v2]\nbarrier\nv6 : v.f32 = load s[v2]\nv7 : f32 = load_scalar s[40]\nstore v6, s[v2]"
        ),
        ([0, 0, 0], 1),
        "store v6, s[v2]",
        "writes element 40 of s, which another unit read with no barrier in between",
    );
}

#[test]
fn barriers_that_not_all_units_reach() {
    let only = |cond: &str, other: &str| {
        format!("v0 = id unit\nv1 = const i64 1\nv2 = {cond} v0, v1\nif v2 {{\nbarrier\n}} else {{\n{other}\n}}")
    };
    check(UNITS, &only("lt", ""), FIRST, "barrier", "unit 0 waits here, but unit 1 has ended");
    check(
        UNITS,
        &only("le", "").replace("le v0, v1", "eq v0, v1"),
        ([0, 0, 0], 1),
        "barrier",
        "unit 1 waits here, but unit 0 has ended",
    );
    check(
        UNITS,
        &only("lt", "barrier"),
        ([0, 0, 0], 1),
        "barrier",
        "unit 1 waits here while unit 0 waits at another barrier",
    );
}

#[test]
fn buffers_that_do_not_fit() {
    let kernel = kernel(ONE, "param x : f32[8]\nparam m : bool[2]");
    let message = |buffers: &mut [Vec<u8>]| super::run(&kernel, buffers).expect_err("a fault").to_string();
    assert_eq!(message(&mut [vec![0; 32]]), "kernel test: 2 parameters are declared but 1 buffers were given");
    assert_eq!(message(&mut [vec![0; 28], vec![0; 2]]), "kernel test: buffer x has 7 elements, not the declared 8");
    assert_eq!(
        message(&mut [vec![0; 31], vec![0; 2]]),
        "kernel test: buffer x: 31 bytes are not a whole number of f32 elements"
    );
    assert_eq!(
        message(&mut [vec![0; 32], vec![1, 7]]),
        "kernel test: buffer m: byte 1 is 7, but truth values are 0 or 1"
    );
}
