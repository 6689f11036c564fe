//! What instructions compute, at the places where one could be mistaken.

use super::{kernel, run, values, values_f64};
use crate::kernel::Kernel;

const ONE: &str = "core lanes 4 grid [1, 1, 1]";

/// Runs statements that leave a vector in `result` and returns its lanes.
fn lanes(inputs: &str, given: &[&[f64]], text: &str, (result, dtype): (&str, &str)) -> Vec<f64> {
    let kernel = kernel(ONE, &format!("{inputs}\nparam out : {dtype}[4]\n{text}\nstore {result}, out[0]"));
    let mut all: Vec<&[f64]> = given.to_vec();
    all.push(&[0.0; 4]);
    values(&kernel, &all).unwrap_or_else(|fault| panic!("{fault}")).pop().expect("an output")
}

fn binary(op: &str, a: &[f64; 4], b: &[f64; 4]) -> Vec<f64> {
    let text = format!("v0 : v.f32 = load a[0]\nv1 : v.f32 = load b[0]\nv2 = {op} v0, v1");
    lanes("param a : f32[4]\nparam b : f32[4]", &[a, b], &text, ("v2", "f32"))
}

const NAN: f64 = f64::NAN;

#[test]
fn min_and_max_are_comparisons() {
    // `a < b ? a : b`: the second operand where they are equal or one is NaN.
    let (a, b) = ([1.0, NAN, 2.0, 0.0], [2.0, 1.0, NAN, -0.0]);
    let (min, max) = (binary("min", &a, &b), binary("max", &a, &b));
    assert_eq!((min[0], min[1], max[0], max[1]), (1.0, 1.0, 2.0, 1.0));
    assert!(min[2].is_nan() && max[2].is_nan());
    for zero in [min[3], max[3]] {
        assert!(zero == 0.0 && zero.is_sign_negative());
    }
}

#[test]
fn only_ne_is_true_of_nan() {
    for (op, expected) in [("eq", 0.0), ("ne", 1.0), ("lt", 0.0), ("le", 0.0)] {
        let text = format!("v0 : v.f32 = load a[0]\nv1 : v.f32 = bcast a[1]\nv2 = {op} v0, v1");
        let found = lanes("param a : f32[4]", &[&[1.0, NAN, 0.0, NAN]], &text, ("v2", "bool"));
        assert_eq!(found, [expected; 4], "{op}");
    }
}

#[test]
fn floats_round_once_to_even() {
    let tiny = 2f64.powi(-24);
    assert_eq!(
        binary("add", &[1.0; 4], &[tiny, 3.0 * tiny, tiny * 1.5, 0.0]),
        [1.0, 1.0 + 4.0 * tiny, 1.0 + 2.0 * tiny, 1.0]
    );
    let text = "v0 : v.f32 = load a[0]\nv1 = round v0";
    assert_eq!(lanes("param a : f32[4]", &[&[0.5, 1.5, 2.5, -0.5]], text, ("v1", "f32")), [0.0, 2.0, 2.0, -0.0]);
    // (1 + 2⁻¹²)² = 1 + 2⁻¹¹ + 2⁻²⁴: the product alone would lose the last term.
    let text = "v0 : v.f32 = load a[0]\nv1 : v.f32 = load b[0]\nv2 = fma v0, v0, v1";
    let a = 1.0 + 2f64.powi(-12);
    let found = lanes("param a : f32[4]\nparam b : f32[4]", &[&[a; 4], &[-1.0; 4]], text, ("v2", "f32"));
    assert_eq!(found, [2f64.powi(-11) + tiny; 4]);
}

#[test]
fn sums_fold_halves() {
    // (a0 + a2) + (a1 + a3): 2²⁴ + 1 is lost in one order and kept in the other.
    let big = 2f64.powi(24);
    let text = "v0 : v.f32 = load a[0]\nv1 = reduce sum v0\nv2 = splat v1";
    for (a, sum) in [([big, 1.0, -big, 1.0], 2.0), ([big, -big, 1.0, 1.0], 1.0), ([1.0, big, 1.0, -big], 2.0)] {
        assert_eq!(lanes("param a : f32[4]", &[&a], text, ("v2", "f32")), [sum; 4]);
    }
}

#[test]
fn integer_division_rounds_down() {
    for (op, expected) in [("div", [-3.0, 2.0, -1.0, 306783378.0]), ("rem", [2.0, 3.0, 6.0, 1.0])] {
        let text = format!("v0 : v.i32 = load a[0]\nv1 = const i32 7\nv2 = splat v1\nv3 = {op} v0, v2");
        let found = lanes("param a : i32[4]", &[&[-19.0, 17.0, -1.0, 2147483647.0]], &text, ("v3", "i32"));
        assert_eq!(found, expected);
    }
}

#[test]
fn integers_wrap() {
    let cases =
        [("add", 2147483647.0, 1.0, -2147483648.0), ("mul", 65536.0, 65537.0, 65536.0), ("shr", -5.0, 1.0, -3.0)];
    for (op, a, b, expected) in cases {
        let text = format!("v0 : v.i32 = load a[0]\nv1 : v.i32 = load b[0]\nv2 = {op} v0, v1");
        let found = lanes("param a : i32[4]\nparam b : i32[4]", &[&[a; 4], &[b; 4]], &text, ("v2", "i32"));
        assert_eq!(found, [expected; 4]);
    }
}

#[test]
fn halves_round_when_stored() {
    let x = 1.0 + 2f64.powi(-8) + 2f64.powi(-12);
    for (dtype, expected) in [("bf16", 1.0 + 2f64.powi(-7)), ("f16", 1.0 + 2f64.powi(-8)), ("f32", x)] {
        let kernel =
            kernel(ONE, &format!("param x : f32[4]\nparam y : {dtype}[4]\nv0 : v.f32 = load x[0]\nstore v0, y[0]"));
        assert_eq!(values(&kernel, &[&[x; 4], &[0.0; 4]]).unwrap()[1], [expected; 4]);
        assert_eq!(values_f64(&kernel, &[&[x; 4], &[0.0; 4]]).unwrap()[1], [x; 4]);
    }
}

#[test]
fn f64_rounds_nothing_but_bits() {
    let x = 1.0 + 2f64.powi(-40);
    let text = "param x : f32[4]\nparam y : f32[4]\nv0 : v.f32 = load x[0]\nv1 = mul v0, v0\nstore v1, y[0]";
    assert_eq!(values_f64(&kernel(ONE, text), &[&[x; 4], &[0.0; 4]]).unwrap()[1], [x * x; 4]);
    let text = text.replace("v1 = mul v0, v0", "v1 = cast f32_bits v0").replace("y : f32", "y : i32");
    assert_eq!(values_f64(&kernel(ONE, &text), &[&[x; 4], &[0.0; 4]]).unwrap()[1], [f64::from(1f32.to_bits()); 4]);
}

#[test]
fn tails_touch_nothing_beyond() {
    let copy = |first: i64| -> Kernel {
        kernel(
            "core lanes 4 grid [1, 1, 1]",
            &format!(
                "param x : f32[2]\nparam y : f32[6]\nv0 = const i64 {first}\nv1 = id g0\nv2 = add v0, v1
                 v3 : v.f32 = load x[v1] first v2\nstore v3, y[v1] first v2\nstore v3, y[v1 + 2]"
            ),
        )
    };
    let run = |first| values(&copy(first), &[&[5.0, 6.0], &[9.0; 6]]).map(|buffers| buffers[1].clone());
    assert_eq!(run(2).unwrap(), [5.0, 6.0, 5.0, 6.0, 0.0, 0.0]);
    assert_eq!(run(1).unwrap(), [5.0, 9.0, 5.0, 0.0, 0.0, 0.0]);
    assert_eq!(run(0).unwrap(), [9.0, 9.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(run(-3).unwrap(), run(0).unwrap());
    assert_eq!(run(3).unwrap_err().message, "reads element 2 of x, which has 2 elements");
}

#[test]
fn lanes_move_as_named() {
    let x: &[f64] = &[10.0, 11.0, 12.0, 13.0];
    let text = "v0 : v.f32 = load x[0]\nv1 = shuffle v0, [3, 3, 0, 1]";
    assert_eq!(lanes("param x : f32[4]", &[x], text, ("v1", "f32")), [13.0, 13.0, 10.0, 11.0]);
    let text = "v0 : v.f32 = load x[0]\nv1 = extract v0, 2\nv2 = splat v1\nv3, v4, v5, v6 = transpose v0, v2, v0, v2";
    assert_eq!(lanes("param x : f32[4]", &[x], text, ("v4", "f32")), [11.0, 12.0, 11.0, 12.0]);
    let text = "v0 : v.i32 = load x[0] stride 2\nv1 = lane\nv2 = lt v0, v1\nv3 : v.i32 = gather x[1], v1, v2";
    let x: &[f64] = &[1.0, 2.0, 0.0, 4.0, 1.0, 6.0, 3.0];
    assert_eq!(lanes("param x : i32[7]", &[x], text, ("v3", "i32")), [0.0, 0.0, 4.0, 0.0]);
}

/// Fibonacci numbers: the carried values change places.
#[test]
fn loops_carry_all_at_once() {
    let fibonacci = |hi: i64| {
        let kernel = kernel(
            ONE,
            &format!(
                "param out : i32[3]
                 v0 = const i64 -4
                 v1 = const i64 {hi}
                 v2 = const i32 0
                 v3 = const i32 1
                 v4 = const i64 0
                 v5, v6, v7 = for v8 in v0 .. v1 step 3 unroll 2 (v9 = v2, v10 = v3, v11 = v4) {{
                   v12 = add v9, v10
                   yield v10, v12, v8
                 }}
                 store_scalar v5, out[0]
                 store_scalar v6, out[1]
                 v13 = cast i64_to_i32 v7
                 store_scalar v13, out[2]"
            ),
        );
        values(&kernel, &[&[9.0; 3]]).unwrap().remove(0)
    };
    assert_eq!(fibonacci(-4), [0.0, 1.0, 0.0]);
    assert_eq!(fibonacci(-3), [1.0, 1.0, -4.0]);
    assert_eq!(fibonacci(14), [8.0, 13.0, 11.0]);
    assert_eq!(fibonacci(15), [13.0, 21.0, 14.0]);
}

#[test]
fn branches_yield_from_one_side() {
    let kernel = kernel(
        "core lanes 4 grid [2, 3, 5]",
        "param out : i32[30]
         v0 = id g0
         v1 = id g1
         v2 = id g2
         v3 = const i64 15
         v4 = mul v0, v3
         v5 = const i64 5
         v6 = mul v1, v5
         v7 = add v4, v6
         v8 = add v7, v2
         v9 = lt v1, v2
         v10 = if v9 {
           v11 = cast i64_to_i32 v8
           yield v11
         } else {
           v12 = const i32 -1
           yield v12
         }
         store_scalar v10, out[v8]",
    );
    let found = values(&kernel, &[&[0.0; 30]]).unwrap().remove(0);
    let expected = (0..30).map(|i| if i / 5 % 3 < i % 5 { f64::from(i) } else { -1.0 });
    assert_eq!(found, expected.collect::<Vec<_>>());
}

/// Each of four warps writes 32 numbers; after the barrier each reads its neighbour's.
#[test]
fn barriers_let_units_exchange() {
    let kernel = kernel(
        "warp lanes 32 units 4 grid [3, 1, 1]",
        "param out : i32[384]
         scratch s : i32[128]
         v0 = id g0
         v1 = id unit
         v2 = const i64 4
         v3 = mul v0, v2
         v4 = add v3, v1
         v5 = const i64 32
         v6 = mul v4, v5
         v7 = mul v1, v5
         v8 = lane
         v9 = cast i64_to_i32 v6
         v10 = splat v9
         v11 = add v8, v10
         v12 = const i64 0
         v13 = const i64 3
         for v14 in v12 .. v13 {
           store v11, s[v7]
           barrier
           v15 = add v1, v14
           v16 = rem v15, v2
           v17 = mul v16, v5
           v18 : v.i32 = load s[v17]
           store v18, out[v6]
           barrier
         }",
    );
    let found = values(&kernel, &[&[0.0; 384]]).unwrap().remove(0);
    let neighbour = |i: usize| i / 128 * 128 + (i % 128 + 64) % 128;
    assert_eq!(found, (0..384).map(|i| neighbour(i) as f64).collect::<Vec<_>>());
}

#[test]
fn tiles_multiply() {
    let kernel = kernel(
        "warp lanes 32 grid [1, 1, 1]",
        "param a : bf16[6]
         param b : bf16[12]
         param c : f32[12]
         v0 = tile_load tile.acc.f32[2, 4], c[2] row_stride 5
         v1 = tile_load tile.a.bf16[2, 3], a[0] row_stride 3
         v2 = tile_load tile.b.bf16[3, 4], b[0] row_stride 3 transposed
         v3 = tile_mma v0, v1, v2
         tile_store v3, c[2] row_stride 5",
    );
    let a: Vec<f64> = (0..6).map(f64::from).collect();
    let b: Vec<f64> = (0..12).map(|i| f64::from(i * i % 7) - 3.0).collect();
    let c: Vec<f64> = (0..12).map(|i| f64::from(i) * 0.25).collect();
    let found = values(&kernel, &[&a, &b, &c]).unwrap().remove(2);
    let mut expected = c.clone();
    for (row, col) in (0..8).map(|i| (i / 4, i % 4)) {
        expected[2 + row * 5 + col] += (0..3).map(|k| a[row * 3 + k] * b[col * 3 + k]).sum::<f64>();
    }
    assert_eq!(found, expected);
}

#[test]
fn truth_values_are_bytes() {
    let kernel = kernel(ONE, "param m : bool[4]\nv0 : v.bool = load m[0]\nv1 = not v0\nstore v1, m[0]");
    let mut buffers = [vec![1, 0, 0, 1]];
    run(&kernel, &mut buffers).unwrap();
    assert_eq!(buffers[0], [0, 1, 1, 0]);
}
