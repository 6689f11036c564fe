//! Each rule finds the kernel that breaks it, and nothing else in it.

use super::{super::text::parse, *};

const ALL: &[Level] = Level::ALL;

const CORE: &str = "kernel k core lanes 4 grid [2, 1, 1] {
  param x : f32[8]
  param n : i32[8]
  scratch s : bf16[8]
  v0 = id g0
  v1 = const i64 4
  v2 = mul v0, v1
  v3 : v.f32 = load x[v2]
  v6, v7 = for v8 in v0 .. v1 step 2 unroll 2 (v4 = v3, v5 = v0) {
    v9 = add v4, v4
    yield v9, v8
  }
  v10 = lt v0, v7
  if v10 {
    v11 = neg v6
    store v11, s[0]
  }
  v12 = div v2, v1
  v13 = lane
  v14 = const i32 31
  v15 = splat v14
  v16 = shl v13, v15
  store v16, n[4]
}
";

const TILES: &str = "kernel k warp lanes 32 units 2 grid [1, 1, 1] {
  param a : bf16[256]
  param c : f32[128]
  v0 = tile_zero [16, 8]
  v1 = tile_load tile.a.bf16[16, 16], a[0] row_stride 16
  v2 = tile_load tile.b.bf16[16, 8], a[8] row_stride 16 transposed
  tile_store v0, c[0] row_stride 8
}
";

fn parsed(text: &str) -> Kernel {
    parse(text).unwrap_or_else(|e| panic!("{}", e.render(text, "kernel")))
}

fn found(kernel: &Kernel, levels: &[Level]) -> Vec<String> {
    verify(kernel, levels).iter().map(Violation::to_string).collect()
}

/// What is found in the kernel after an edit; before it, nothing.
fn check(text: &str, edit: impl FnOnce(&mut Kernel), expected: &[&str]) {
    let mut kernel = parsed(text);
    assert_eq!(found(&kernel, ALL), [""; 0], "the kernel is fine before the edit");
    edit(&mut kernel);
    assert_eq!(found(&kernel, ALL), expected, "{kernel}");
}
fn core(edit: impl FnOnce(&mut Kernel), expected: &[&str]) {
    check(CORE, edit, expected);
}
/// Statements of the core level, after `v0 = id g0`, with what is found in them.
fn body(lines: &str, expected: &[&str]) {
    let header = "kernel k core lanes 4 grid [2, 1, 1] {\nparam x : f32[64]\nparam n : i32[64]\nv0 = id g0\n";
    assert_eq!(found(&parsed(&format!("{header}{lines}\n}}")), ALL), expected, "{lines}");
}
fn v(number: usize) -> Val {
    Val::new(number)
}
fn loop_body(kernel: &mut Kernel) -> &mut Inst {
    &mut kernel.body.stmts[4].inst
}

#[test]
fn names_are_symbols() {
    core(|k| k.name = "a-b".into(), &["the name \"a-b\" must be letters, digits and underscores"]);
    core(|k| k.name.clear(), &["the name \"\" must be letters, digits and underscores"]);
}

#[test]
fn lanes_fit_the_unit() {
    let empty = |unit: &str, lanes: u32| format!("kernel k {unit} lanes {lanes} grid [1, 1, 1] {{}}");
    for (unit, lanes, fine) in [
        ("core", 4, true),
        ("core", 32, true),
        ("core", 2, false),
        ("core", 12, false),
        ("core", 64, false),
        ("warp", 32, true),
        ("warp", 16, false),
        ("warpgroup", 128, true),
        ("warpgroup", 32, false),
    ] {
        let found = found(&parsed(&empty(unit, lanes)), ALL);
        assert_eq!(found.is_empty(), fine, "{unit} {lanes} {found:?}");
        assert!(found.iter().all(|f| f.contains("lanes, not")), "{found:?}");
    }
}

#[test]
fn blocks_have_units_and_grids_have_blocks() {
    core(|k| k.units = 2, &["a block on a core is one unit, not 2"]);
    core(|k| k.units = 0, &["a block has at least one unit"]);
    core(|k| k.grid[1] = 0, &["the grid [2, 0, 1] must have at least one and fewer than 2^63 blocks"]);
    let huge = "the grid [4294967296, 4294967296, 1] must have at least one and fewer than 2^63 blocks";
    core(|k| k.grid = [1 << 32, 1 << 32, 1], &[huge]);
}

#[test]
fn buffers_are_named_ordered_and_sized() {
    core(|k| k.buffers[Buf::new(1)].name = "x".into(), &["two buffers have the name x"]);
    core(|k| k.buffers[Buf::new(1)].name.clear(), &["a buffer has no name"]);
    core(|k| k.buffers[Buf::new(0)].space = Space::Scratch, &["parameter n comes after scratch x"]);
    let huge = "4611686018427387904 elements of x are more than memory can hold";
    core(|k| k.buffers[Buf::new(0)].len = 1 << 62, &[huge]);
}

#[test]
fn the_outermost_body_yields_nothing() {
    core(|k| k.body.yields.push(v(0)), &["the outermost body yields values, but nothing takes them"]);
}

#[test]
fn types_exist() {
    for ty in [
        Type::Vector(Elem::I64),
        Type::Tile { rows: 0, cols: 4, dtype: DType::F32, role: TileRole::A },
        Type::Tile { rows: 4, cols: 4, dtype: DType::Bf16, role: TileRole::Acc },
        Type::Tile { rows: 4, cols: 4, dtype: DType::I32, role: TileRole::B },
    ] {
        core(|k| _ = k.types.push(ty), &[&format!("v17 is {ty}, a type that does not exist")]);
    }
    core(
        |k| k.body.stmts[0].results = vec![v(40)],
        &[
            "`v40 = id g0`: v40 has no type",
            "`v2 = mul v0, v1`: v0 is used before it is defined",
            "`v6, v7 = for v8 in v0 .. v1 step 2 unroll 2 (v4 = v3, v5 = v0) {`: v0 is used before it is defined",
            "`v6, v7 = for v8 in v0 .. v1 step 2 unroll 2 (v4 = v3, v5 = v0) {`: v0 is used before it is defined",
            "`v10 = lt v0, v7`: v0 is used before it is defined",
        ],
    );
}

#[test]
fn values_are_defined_once() {
    core(
        |k| {
            let again = k.body.stmts[1].clone();
            k.body.stmts.insert(2, again);
        },
        &["`v1 = const i64 4`: v1 is defined twice"],
    );
    let line = "`v6 : v.f32, v7 : i64 = for v8 in v0 .. v1 step 2 unroll 2 (v4 = v3, v4 = v0) {`";
    core(
        |k| {
            let Inst::For { params, .. } = loop_body(k) else { unreachable!() };
            params[1] = v(4);
        },
        &[
            &format!("{line}: v4 is defined twice"),
            &format!("{line}: the loop starts with (v.f32, i64) but carries (v.f32, v.f32)"),
        ],
    );
}

#[test]
fn uses_follow_definitions_in_scope() {
    core(|k| k.body.stmts.swap(1, 2), &["`v2 = mul v0, v1`: v1 is used before it is defined"]);
    let outside = "v11 is used outside of the loop or branch that defines it";
    core(
        |k| {
            k.body
                .stmts
                .push(Stmt { results: vec![k.types.push(Type::Vector(Elem::F32))], inst: Inst::Un(UnOp::Neg, v(11)) })
        },
        &[&format!("`v17 = neg v11`: {outside}")],
    );
    core(|k| k.body.stmts[6].inst = Inst::If { cond: v(10), then: Body::default(), otherwise: Body::default() }, &[]);
    let after = "`v17 = neg v8`: v8 is used outside of the loop or branch that defines it";
    core(
        |k| {
            k.body
                .stmts
                .push(Stmt { results: vec![k.types.push(Type::Scalar(Elem::I64))], inst: Inst::Un(UnOp::Neg, v(8)) })
        },
        &[after],
    );
    // The yield of one side is not visible in the other.
    let sides = "v1 = const bool true\nv3 = if v1 {\nv2 = id g1\nyield v2\n} else {\nyield v2\n}";
    body(sides, &["`v3 = if v1 {`: v2 is used outside of the loop or branch that defines it"]);
    core(|k| k.body.stmts[2].inst = Inst::Bin(BinOp::Mul, v(0), v(99)), &["`v2 : i64 = mul v0, v99`: v99 has no type"]);
}

#[test]
fn operands_have_the_right_types() {
    let set = |at: usize, inst: Inst| move |k: &mut Kernel| k.body.stmts[at].inst = inst;
    let addr = |buf: usize| Addr { buf: Buf::new(buf), index: None, offset: 0 };
    core(
        set(2, Inst::Bin(BinOp::And, v(0), v(1))),
        &["`v2 : i64 = and v0, v1`: v0 is i64, but elements must be i32 or bool"],
    );
    core(set(3, Inst::Bcast(addr(3))), &["`v3 : v.f32 = bcast b3[0]`: buffer b3 does not exist"]);
    core(
        set(12, Inst::Store { value: v(16), addr: addr(2), active: None, stride: 1 }),
        &["`store v16, s[0]`: v16 is v.i32, but what is stored there must be v.f32"],
    );
    core(
        set(12, Inst::Store { value: v(16), addr: addr(1), active: None, stride: 0 }),
        &["`store v16, n[0] stride 0`: a store with stride 0 writes one element from all lanes"],
    );
    core(set(2, Inst::Extract(v(0), 1)), &["`v2 : i64 = extract v0, 1`: v0 is i64, not a vector"]);
    core(
        set(11, Inst::Shuffle(v(13), vec![0, 1, 2, 4])),
        &["`v16 : v.i32 = shuffle v13, [0, 1, 2, 4]`: lane 4 does not exist in v13, which has 4 lanes"],
    );
    core(
        set(11, Inst::Shuffle(v(13), vec![0])),
        &["`v16 : v.i32 = shuffle v13, [0]`: the shuffle names 1 lanes but v13 has 4"],
    );
    core(
        set(0, Inst::Extract(v(13), 4)),
        &[
            "`v0 : i64 = extract v13, 4`: v13 is used before it is defined",
            "`v0 : i64 = extract v13, 4`: lane 4 does not exist in v13, which has 4 lanes",
        ],
    );
    core(
        set(11, Inst::Transpose(vec![v(13); 3])),
        &["`v16 : v.i32 = transpose v13, v13, v13`: 3 vectors are transposed but there are 4 lanes"],
    );
    core(
        set(3, Inst::Approx(ApproxOp::Rcp, v(0))),
        &["`v3 : v.f32 = approx rcp v0`: rcp of v0 is not available on a core"],
    );
    check(
        TILES,
        |k| k.body.stmts[0].inst = Inst::Transpose(vec![]),
        &["`v0 : tile.acc.f32[16, 8] = transpose `: only a core transposes vectors; a warp goes through scratch"],
    );
    check(
        TILES,
        |k| k.body.stmts[3].inst = Inst::TileMma { acc: v(0), a: v(2), b: v(1) },
        &["`tile_mma v0, v2, v1`: v2 is tile.b.bf16[16, 8], not a tile of role a"],
    );
}

#[test]
fn results_have_the_types_that_follow() {
    core(
        |k| k.types[v(13)] = Type::Vector(Elem::F32),
        &[
            "`v13 : v.f32 = lane`: v13 is v.f32 in the table of types, but is v.i32",
            "`v16 : v.i32 = shl v13, v15`: v13 is v.f32 but v15 is v.i32; both must have one type",
        ],
    );
    core(
        |k| k.body.stmts[8].results.clear(),
        &["`lane`: lane gives 1 values but 0 are named", "`v16 = shl v13, v15`: v13 is used before it is defined"],
    );
    core(
        |k| {
            let Inst::For { body, .. } = loop_body(k) else { unreachable!() };
            body.yields.pop();
        },
        &[
            "`v6 : v.f32, v7 : i64 = for v8 in v0 .. v1 step 2 unroll 2 (v4 = v3, v5 = v0) {`: the loop starts with (v.f32, i64) but yields (v.f32)",
        ],
    );
}

#[test]
fn levels_are_those_of_the_back_end() {
    let kernel = parsed(TILES);
    let messages = found(&kernel, &[Level::Core]);
    assert_eq!(messages.len(), 4);
    assert_eq!(messages[0], "`v0 = tile_zero [16, 8]`: tile_zero is of level tile, which is not available here");
    assert_eq!(found(&parsed(CORE), &[Level::Core]), [""; 0]);
}

#[test]
fn loops_count_upwards() {
    body("for v1 in v0 .. v0 step 0 {}", &["`for v1 in v0 .. v0 step 0 {`: the step is 0, but loops count upwards"]);
    body("for v1 in v0 .. v0 step -4 {}", &["`for v1 in v0 .. v0 step -4 {`: the step is -4, but loops count upwards"]);
    body(
        "for v1 in v0 .. v0 unroll 0 {}",
        &["`for v1 in v0 .. v0 unroll 0 {`: a loop has at least one copy of its body"],
    );
}

#[test]
fn integers_are_divided_by_positive_constants() {
    let needs = |line: &str, v: &str| format!("`{line}`: div of integers needs a positive constant, which {v} is not");
    body("v1 = div v0, v0", &[&needs("v1 = div v0, v0", "v0")]);
    body("v1 = const i64 0\nv2 = div v0, v1", &[&needs("v2 = div v0, v1", "v1")]);
    body(
        "v1 = const i64 -3\nv2 = rem v0, v1",
        &["`v2 = rem v0, v1`: rem of integers needs a positive constant, which v1 is not"],
    );
    body("v1 = const i32 0\nv2 = splat v1\nv3 = lane\nv4 = div v3, v2", &[&needs("v4 = div v3, v2", "v2")]);
    body("v1 = const i32 7\nv2 = splat v1\nv3 = lane\nv4 = div v3, v2", &[]);
    body("v1 = const f32 0.0\nv2 = div v1, v1", &[]);
}

#[test]
fn constant_shifts_stay_below_the_width() {
    body("v1 = const i64 64\nv2 = shl v0, v1", &["`v2 = shl v0, v1`: shl by 64 of a number with 64 bits"]);
    body("v1 = const i32 32\nv2 = shr v1, v1", &["`v2 = shr v1, v1`: shr by 32 of a number with 32 bits"]);
    body("v1 = const i64 63\nv2 = shl v0, v1\nv3 = shr v0, v0", &[]);
}

#[test]
fn constant_accesses_stay_inside() {
    let out = |line: &str, what: &str| vec![format!("`{line}`: elements {what} are accessed, but it has 64")];
    let check = |lines: &str, line: &str, what: &str| {
        let expected = out(line, what);
        body(lines, &expected.iter().map(String::as_str).collect::<Vec<_>>());
    };
    check("v1 : v.f32 = load x[61]", "v1 : v.f32 = load x[61]", "61 to 64 of x");
    check("v1 : v.f32 = load x[-1]", "v1 : v.f32 = load x[-1]", "-1 to 2 of x");
    check("v1 : v.f32 = load x[0] stride 22", "v1 : v.f32 = load x[0] stride 22", "0 to 66 of x");
    check("v1 : v.f32 = load x[2] stride -1", "v1 : v.f32 = load x[2] stride -1", "-1 to 2 of x");
    check("v1 : v.f32 = bcast x[64]", "v1 : v.f32 = bcast x[64]", "64 to 64 of x");
    check("v1 = const i64 60\nv2 : i32 = load_scalar n[v1 + 4]", "v2 : i32 = load_scalar n[v1 + 4]", "64 to 64 of n");
    check("v1 = const i32 1\nstore_scalar v1, n[99]", "store_scalar v1, n[99]", "99 to 99 of n");
    check("v1 = const i64 3\nv2 : v.f32 = load x[62] first v1", "v2 : v.f32 = load x[62] first v1", "62 to 64 of x");
    // Lanes that are not read, an unknown number of lanes, an unknown index.
    body("v1 = const i64 2\nv2 : v.f32 = load x[62] first v1\nv3 : v.f32 = load x[63] first v0", &[]);
    body("v1 = const i64 0\nv2 : v.f32 = load x[640] first v1\nv3 : v.f32 = load x[v0 + 64]", &[]);
}

#[test]
fn constant_tiles_stay_inside() {
    let load =
        "`v1 = tile_load tile.a.bf16[16, 16], a[1] row_stride 16`: elements 1 to 256 of a are accessed, but it has 256";
    check(
        TILES,
        |k| {
            let Inst::TileLoad { addr, .. } = &mut k.body.stmts[1].inst else { unreachable!() };
            addr.offset = 1;
        },
        &[load],
    );
    // Transposed, the 8 columns are rows in memory: 8 + 7·17 + 15 = 142 is inside, 8 + 7·34 + 15 is not.
    let transposed = "`v2 = tile_load tile.b.bf16[16, 8], a[8] row_stride 34 transposed`: elements 8 to 261 of a are accessed, but it has 256";
    check(
        TILES,
        |k| {
            let Inst::TileLoad { row_stride, .. } = &mut k.body.stmts[2].inst else { unreachable!() };
            *row_stride = 34;
        },
        &[transposed],
    );
    let store = "`tile_store v0, c[0] row_stride 9`: elements 0 to 142 of c are accessed, but it has 128";
    check(
        TILES,
        |k| {
            let Inst::TileStore { row_stride, .. } = &mut k.body.stmts[3].inst else { unreachable!() };
            *row_stride = 9;
        },
        &[store],
    );
}

#[test]
fn all_findings_are_listed_with_their_statement() {
    let kernel = parsed(
        "kernel k core lanes 4 grid [1, 1, 1] {\nv0 = id g0\nv1 = div v0, v0\nfor v2 in v0 .. v0 {\nv3 = rem v0, v0\n}\n}",
    );
    let places: Vec<_> = verify(&kernel, ALL).into_iter().map(|f| (f.statement, f.value)).collect();
    assert_eq!(places, [(Some(1), Some(v(0))), (Some(3), Some(v(0)))]);
}
