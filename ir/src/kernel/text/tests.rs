//! Round trips and located errors.

use super::{super::inst::*, parse};
use crate::{
    id::{Id, IdVec},
    types::{DType, Real},
};
use proptest::prelude::*;

/// Every core instruction, printed as it stands here.
const CORE: &str = r#"kernel every_core_instruction core lanes 4 grid [7, 1, 2] {
  param x : f32[4096]
  param table.0 : i32[64]
  param "odd name" : bool[8]
  param half : bf16[64]
  scratch panel : f32[3072]
  unused v1 : v.f32, v2 : tile.a.bf16[16, 32]
  v0 = id unit
  v3 = const i64 -9223372036854775808
  v4 = const i32 -7
  v5 = const f32 0.1
  v6 = const f32 -inf
  v7 = const f32 nan 0x7ff8000000000001
  v8 = const bool false
  v9 = lane
  v10 = splat v5
  v11 : v.f32 = load x[v0 - 3] first v3 stride 2
  v12 : v.f32 = load half[64]
  v13 : v.f32 = bcast x[v0 + 9223372036854775807]
  v14 = fma v11, v12, v13
  v15 = lt v11, v12
  v16 = select v15, v14, v10
  v17 = cast f32_bits v16
  v18 = reduce max v17
  v19 = extract v16, 3
  v20 = shuffle v16, [3, 2, 1, 0]
  v21, v22, v23, v24 = transpose v16, v20, v10, v11
  store v24, panel[0] first v0
  store_scalar v19, x[v0 - 9223372036854775808]
  v25 : i32 = load_scalar table.0[v0]
  v26 : v.f32 = gather x[v0 + 16], v9, v15
  v27 : v.bool = load "odd name"[4]
  v28 = xor v27, v15
  v29 = not v28
  v30 = floor v26
  v31, v32 = for v33 in v0 .. v3 step 4 unroll 2 (v34 = v5, v35 = v30) {
    v36, v37 = if v8 {
      yield v34, v35
    } else {
      barrier
      yield v19, v30
    }
    yield v36, v37
  }
  for v38 in v0 .. v33 {
    if v8 {
      store v32, x[v38] stride -1
    }
  }
}
"#;

const TILES: &str = "kernel tiles warp lanes 32 units 4 grid [1, 1, 1] {
  param a : bf16[256]
  param c : f32[256]
  v0 = id unit
  v1 = tile_zero [16, 8]
  v2 = tile_load tile.a.bf16[16, 16], a[v0 + 4] row_stride 16
  v3 = tile_load tile.b.bf16[16, 8], a[0] row_stride 16 transposed
  v4 = tile_mma v1, v2, v3
  tile_store v4, c[v0] row_stride 8
  v5 : v.f32 = bcast c[0]
  v6 = approx exp2 v5
}
";

#[test]
fn printed_text_is_what_was_parsed() {
    for text in [CORE, TILES] {
        let kernel = parse(text).unwrap_or_else(|e| panic!("{}", e.render(text, "kernel")));
        assert_eq!(kernel.to_string(), text);
        assert_eq!(parse(&kernel.to_string()), Ok(kernel));
    }
}

#[test]
fn every_operation_has_a_word_that_reads_back() {
    fn check<T: Copy + PartialEq + std::fmt::Debug>(
        all: &[T],
        name: fn(T) -> &'static str,
        back: fn(&str) -> Option<T>,
    ) {
        for &item in all {
            assert_eq!(back(name(item)), Some(item));
        }
        assert!(!all.is_empty());
    }
    check(BinOp::ALL, BinOp::name, BinOp::from_name);
    check(UnOp::ALL, UnOp::name, UnOp::from_name);
    check(CmpOp::ALL, CmpOp::name, CmpOp::from_name);
    check(CastOp::ALL, CastOp::name, CastOp::from_name);
    check(ReduceOp::ALL, ReduceOp::name, ReduceOp::from_name);
    check(ApproxOp::ALL, ApproxOp::name, ApproxOp::from_name);
    check(IdAxis::ALL, IdAxis::name, IdAxis::from_name);
    check(Elem::ALL, Elem::name, Elem::from_name);
    check(TileRole::ALL, TileRole::name, TileRole::from_name);
    check(Unit::ALL, Unit::name, Unit::from_name);
    check(Level::ALL, Level::name, Level::from_name);
    check(Space::ALL, Space::name, Space::from_name);
    // One word, one instruction: the parser tries these tables in turn.
    let mut words: Vec<&str> = BinOp::ALL.iter().map(|op| op.name()).collect();
    words.extend(UnOp::ALL.iter().map(|op| op.name()));
    words.extend(CmpOp::ALL.iter().map(|op| op.name()));
    let count = words.len();
    words.sort();
    words.dedup();
    assert_eq!(words.len(), count);
}

#[test]
fn blanks_and_comments_do_not_matter() {
    let spread = CORE.replace("  v9 = lane\n", "v9=lane // numbers\n; more\n").replace(", ", " ,\n ");
    assert_eq!(parse(&spread), parse(CORE));
}

/// The text with `‹›` around the part that the error points at, the message, and what was expected.
fn check_error(marked: &str, message: &str) {
    let start = marked.find('‹').expect("a mark");
    let text = marked.replace(['‹', '›'], "");
    let end = marked.find('›').expect("a mark") - '‹'.len_utf8();
    let error = parse(&text).expect_err(&text);
    assert_eq!((error.to_string().as_str(), &text[error.span.clone()]), (message, &text[start..end]), "{text}");
    assert_eq!(error.span, start..end, "{text}");
}

fn check_body_error(body: &str, message: &str) {
    check_error(&format!("kernel k core lanes 4 grid [1, 1, 1] {{\n  param x : f32[8]\n  {body}\n}}"), message);
}

#[test]
fn errors_point_at_what_is_wrong() {
    check_error("‹graph›", "found `graph`, expected `kernel`");
    check_error("kernel k ‹gpu› lanes 4", "found `gpu`, expected `core`, `warp` or `warpgroup`");
    check_error("kernel k core lanes 4 grid ‹[1, 1]› {}", "this grid has 2 axes, expected three");
    check_error("kernel k core lanes 4 grid [1, 1, 1] {}‹x›", "found `x`, expected the end of the text");
    check_error("kernel k core lanes 4 grid [1, 1, 1] {‹›", "the text ends here, expected an instruction");
    check_body_error("param ‹x› : f32[8]", "there already is a buffer `x`");
    check_body_error("v0 = ‹frobnicate› v1", "found `frobnicate`, expected an instruction");
    check_body_error("v0 = const i32 ‹3000000000›", "3000000000 is out of range, expected an i32");
    check_body_error("v0 = lane\nv1 = add v0, ‹v2›", "v2 is not defined before this line");
    check_body_error("v0 = lane\n‹v0› = lane", "v0 is defined twice");
    check_body_error("‹v0› : f32 = lane", "v0 is v.i32, not f32");
    check_body_error("v0 = lane\nv1 = id g0\nv2 = ‹add v0, v1›", "v0 is v.i32 but v1 is i64; both must have one type");
    check_body_error("‹v0, v1 = lane›", "lane gives 1 values but 2 are named");
    check_body_error("‹lane›", "lane gives 1 values but 0 are named");
    check_body_error("v0 : v.f32 = load ‹y›[0]", "there is no buffer `y`");
    check_body_error("v0 = const i32 1\nv1 : v.f32 = ‹load x[v0]›", "v0 is i32, but an index must be i64");
    check_body_error("v0 = id g0\nv1 : v.f32 = load x[v0 ‹*› 2]", "found `*`, expected `+`, `-` or `]`");
    check_body_error("‹v0› = id g0\nyield v0", "only loops and branches yield");
    let gap = "v0 is never defined, but values are numbered without gaps, expected a line `unused v0 : TYPE`";
    check_error("kernel k core lanes 4 grid [1, 1, 1] { v1 = lane ‹}›", gap);
    let skip = "v4000000000 skips numbers, but values are numbered without gaps";
    check_body_error("‹v4000000000› = lane", skip);
}

#[test]
fn loops_and_branches_are_typed() {
    check_body_error("v0 = id g0\n‹for› v1 in v0 .. v0 (v2 = v0) { }", "the loop starts with (i64) but yields ()");
    check_body_error(
        "v0 = id g0\nv1 = const bool true\nv2 = ‹if› v1 { yield v0 } else { yield v1 }",
        "one side yields (i64) but the other (bool)",
    );
}

#[test]
fn deep_nesting_is_refused() {
    let deep = |levels: usize| {
        let (open, close) = ("if v0 {\n".repeat(levels), "}".repeat(levels));
        format!("kernel k core lanes 4 grid [1, 1, 1] {{ v0 = const bool true {open} {close} }}")
    };
    assert!(parse(&deep(60)).is_ok());
    assert!(parse(&deep(100_000)).unwrap_err().message.contains("nest deeper"));
}

#[test]
fn broken_kernels_still_print() {
    let mut kernel = parse("kernel k core lanes 4 grid [1, 1, 1] {\n  v0 = lane\n}").unwrap();
    let addr = Addr { buf: Buf::new(3), index: Some(Val::new(9)), offset: 0 };
    kernel.body.stmts.push(Stmt { results: vec![Val::new(7)], inst: Inst::Bcast(addr) });
    kernel.types = IdVec::from_iter([Type::Scalar(Elem::F32)]);
    assert!(kernel.to_string().ends_with("  v0 : f32 = lane\n  v7 = bcast b3[v9]\n}\n"), "{kernel}");
}

fn constant() -> impl Strategy<Value = Const> {
    prop_oneof![
        any::<i64>().prop_map(Const::I64),
        any::<i32>().prop_map(Const::I32),
        any::<u64>().prop_map(|bits| Const::F32(Real::new(f64::from_bits(bits)))),
        any::<bool>().prop_map(Const::Bool),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn constants_names_and_addresses_read_back(
        name in any::<String>(), buffer in any::<String>(), offset in any::<i64>(),
        constants in prop::collection::vec(constant(), 1..9),
    ) {
        let mut b = crate::kernel::Builder::new(name, Unit::Core, 4, [1, 2, 3]);
        let x = b.param(buffer, DType::F16, u64::MAX);
        constants.iter().for_each(|&c| { b.constant(c); });
        let index = b.i64(0);
        b.bcast(b.addr_off(x, Some(index), offset));
        b.bcast(b.addr_off(x, None, offset));
        let kernel = b.finish();
        prop_assert_eq!(parse(&kernel.to_string()), Ok(kernel));
    }

    #[test]
    fn mangled_text_is_refused_politely(cut in any::<[prop::sample::Index; 3]>()) {
        let text = CORE;
        let mut at: Vec<usize> = cut.iter().map(|i| i.index(text.len())).collect();
        at.sort();
        // The middle piece stands twice, the last one is gone.
        let mangled = format!("{}{}{}", &text[..at[1]], &text[at[0]..at[1]], &text[at[2]..]);
        if let Err(error) = parse(&mangled) {
            prop_assert!(error.span.end <= mangled.len());
            error.render(&mangled, "kernel");
        }
    }
}
