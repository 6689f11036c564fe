//! PTX says what the kernel says: every emitted module is run by a warp machine that agrees with the kernel
//! interpreter bit for bit, and is assembled for sm_80.
//!
//! `ptxas` is looked for in `REGARD_PTXAS`, in `PATH`, then where `pip install nvidia-cuda-nvcc` puts it.
//! Where it is absent the text is still emitted, and the test says how many modules went unassembled.

mod lanes;
mod machine;
mod text;

use regard_codegen::ptx;
use regard_ir::{
    graph::{Builder as GraphBuilder, Graph},
    kernel::{Builder, CastOp, IdAxis, Inst, Kernel, ReduceOp, Unit, eval},
    target::{Backend, Target},
    types::{DType, TensorType},
};
use regard_passes::Rules;
use regard_testkit::kernels;
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

fn ptxas() -> Option<PathBuf> {
    let works = |path: &Path| Command::new(path).arg("--version").output().is_ok_and(|o| o.status.success());
    if let Some(path) = std::env::var_os("REGARD_PTXAS") {
        let path = PathBuf::from(path);
        assert!(works(&path), "REGARD_PTXAS is set, but {} does not run", path.display());
        return Some(path);
    }
    let in_path = PathBuf::from("ptxas");
    if works(&in_path) {
        return Some(in_path);
    }
    let find = "import os, sys\n\
        for d in sys.path:\n    p = os.path.join(d, 'nvidia', 'cu13', 'bin', 'ptxas')\n    os.path.isfile(p) and print(p)";
    let output = Command::new("python3").args(["-c", find]).output().ok()?;
    let found = String::from_utf8(output.stdout).ok()?;
    found.lines().map(PathBuf::from).find(|p| works(p))
}

/// Assembles modules side by side; panics with the assembler's words about the first that it rejects.
fn assemble(modules: &[String]) {
    let Some(ptxas) = ptxas() else {
        report(&format!("skipped: no ptxas ({} modules)", modules.len()));
        return;
    };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let run = |(i, text): (usize, &String)| {
        let path = dir.path().join(format!("module{i}.ptx"));
        std::fs::write(&path, text).expect("the module is written");
        let mut command = Command::new(&ptxas);
        command.args(["-arch=sm_80", "--warn-on-spills"]).arg(&path).arg("-o").arg(path.with_extension("cubin"));
        command.output().expect("ptxas runs")
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = modules.iter().enumerate().map(|job| scope.spawn(move || run(job))).collect();
        for (i, job) in running.into_iter().enumerate() {
            let output = job.join().expect("the assembler was started");
            let words = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "module {i} is not accepted:\n{words}\n{}", around(&modules[i], &words));
        }
    });
    report(&format!("assembled {} modules", modules.len()));
}

/// Says a line even where the test harness keeps a passing test's output to itself.
fn report(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr is open");
}

/// The lines of the module that the assembler's messages are about.
fn around(module: &str, words: &str) -> String {
    let numbers = words.lines().filter_map(|w| w.split("line ").nth(1)?.split(';').next()?.parse::<usize>().ok());
    let lines: Vec<&str> = module.lines().collect();
    numbers.take(5).filter_map(|n| Some(format!("{n}: {}\n", lines.get(n - 1)?))).collect()
}

/// Runs kernels in the interpreter and their module on the warp machine; panics where bits differ.
fn agree(kernels: &[Kernel], module: &str) {
    let parsed = text::parse(module);
    for (seed, kernel) in kernels.iter().enumerate() {
        let mut expected = kernels::inputs(kernel, seed as u64);
        let mut found = expected.clone();
        eval::run(kernel, &mut expected).unwrap_or_else(|fault| panic!("{fault}"));
        machine::run(&parsed, kernel, &mut found).unwrap_or_else(|e| panic!("{}: {e}\n{kernel}", kernel.name));
        for ((_, buffer), (expected, found)) in kernel.params().zip(expected.iter().zip(&found)) {
            assert!(expected == found, "{} of {} differs:\n{kernel}", buffer.name, kernel.name);
        }
    }
}

#[test]
fn random_kernels_agree_and_assemble() {
    let kernels: Vec<Kernel> = (0..1000).map(|seed| kernels::any(seed, 32)).collect();
    let emitted = |part: &[Kernel]| ptx::module(part, &Target::GPUS[1]).expect("random kernels are emitted");
    let modules: Vec<String> = kernels.chunks(125).map(emitted).collect();
    // The machine is slow, so it runs two modules of the eight.
    kernels.chunks(125).zip(&modules).take(2).for_each(|(part, module)| agree(part, module));
    assemble(&modules);
}

/// The kernels that compute a graph, for cores of 32 lanes and little scratch.
fn lowered(graph: &Graph) -> Vec<Kernel> {
    let mut target = Target { backend: Backend::Ptx, lanes: 32, block_bytes: 48 << 10, ..Target::ROWS[0].clone() };
    target.levels[1].bytes = 64 << 10;
    let graph = regard_passes::optimize(graph, &target, &Rules::default()).expect("the graph can be optimised").graph;
    let plan = regard_passes::plan(&graph, &target).expect("the graph can be planned");
    let schedule = regard_passes::Schedule::best(&plan, &target);
    let program = regard_passes::lower(&plan, &schedule, &target).expect("the plan can be lowered");
    program.kernels.values().cloned().collect()
}

#[test]
fn products_and_window_attention_agree_and_assemble() {
    let mut product = GraphBuilder::new("product");
    let [x, weight, bias] = [("x", vec![37, 50]), ("weight", vec![45, 50]), ("bias", vec![45])]
        .map(|(name, shape)| product.input(name, TensorType::f32(shape)));
    let y = product.linear(x, weight, Some(bias));
    let y = product.gelu(y);
    let mut attention = GraphBuilder::new("attention");
    let [q, k, v] = ["q", "k", "v"].map(|name| attention.input(name, TensorType::f32([3, 49, 32])));
    let bias = attention.input("bias", TensorType::f32([3, 49, 49]));
    let rows = attention.attention(q, k, v, Some(bias), 32f64.sqrt().recip());
    let mut kernels = lowered(&product.finish(&[y]));
    kernels.extend(lowered(&attention.finish(&[rows])));
    assert!(kernels.len() >= 2);
    let module = ptx::module(&kernels, &Target::GPUS[1]).expect("the kernels are emitted");
    agree(&kernels, &module);
    assemble(&[module]);
}

#[test]
fn bidirectional_sliding_and_staged_kernels_agree_and_assemble() {
    let graphs = [
        ("bidirectional", include_str!("../filetests/attention/bidirectional.rg")),
        ("slide", include_str!("../filetests/attention/neighbourhood_slides.rg")),
        ("attend", include_str!("../filetests/attention/window_of_positions.rg")),
        ("matmul", include_str!("../filetests/rows/stages.rg")),
        ("row", include_str!("../filetests/routing/regions.rg")),
    ];
    for (kind, text) in graphs {
        let kernels = lowered(&regard_ir::text::parse(text).expect("a graph"));
        assert!(kernels.iter().any(|kernel| kernel.name.starts_with(kind)), "no kernel is of the kind {kind}");
        let module = ptx::module(&kernels, &Target::GPUS[1]).expect("the kernels are emitted");
        agree(&kernels, &module);
        assemble(&[module]);
    }
}

/// Long functions with branches that a warp takes for one of its lanes, and reductions of truth values.
#[test]
fn functions_and_truth_values_agree_and_assemble() {
    for text in [
        include_str!("../filetests/rows/sines.rg"),
        include_str!("../filetests/rows/powers.rg"),
        include_str!("../filetests/rows/remainders.rg"),
        include_str!("../filetests/rows/any_and_all.rg"),
        include_str!("../filetests/routing/top_k.rg"),
    ] {
        let kernels = lowered(&regard_ir::text::parse(text).expect("a graph"));
        let module = ptx::module(&kernels, &Target::GPUS[1]).expect("the kernels are emitted");
        agree(&kernels, &module);
        assemble(&[module]);
    }
}

/// Two units exchange halves of a tile through scratch, `len` elements of it.
fn exchange(len: u64) -> Kernel {
    let mut b = Builder::new(format!("exchange_{len}"), Unit::Warp, 32, [2, 3, 1]);
    b.set_units(2);
    let x = b.param("x", DType::Bf16, 6 * 64);
    let y = b.param("y", DType::F16, 6 * 64);
    let tile = b.scratch("tile", DType::F32, len);
    let (g0, g1, unit) = (b.id(IdAxis::G0), b.id(IdAxis::G1), b.id(IdAxis::Unit));
    let block = b.mul_const(g0, 3);
    let block = b.add(block, g1);
    let block = b.mul_const(block, 64);
    let mine = b.mul_const(unit, 32);
    let from = b.add(block, mine);
    let v = b.load(b.addr(x, from));
    b.store(v, b.addr(tile, mine));
    b.barrier();
    let one = b.i64(1);
    let other = b.sub(one, unit);
    let theirs = b.mul_const(other, 32);
    let v = b.load(b.addr(tile, theirs));
    let largest = b.reduce(ReduceOp::Max, v);
    let largest = b.splat(largest);
    let v = b.sub(v, largest);
    b.store(v, b.addr(y, from));
    b.finish()
}

/// A core of 32 lanes transposes floats and truth values in registers.
fn transposed() -> Kernel {
    let mut b = Builder::new("transposed", Unit::Core, 32, [1, 1, 1]);
    for (name, dtype) in [("f", DType::F32), ("t", DType::Bool)] {
        let buf = b.param(name, dtype, 32 * 32);
        let rows: Vec<_> = (0..32).map(|r| b.load(b.addr_off(buf, None, 32 * r))).collect();
        let columns = b.transpose(rows);
        columns.into_iter().enumerate().for_each(|(c, v)| b.store(v, b.addr_off(buf, None, 32 * c as i64)));
    }
    b.finish()
}

#[test]
fn scratch_barriers_and_transpositions_agree_and_assemble() {
    let kernels = [exchange(64), exchange(40 << 10), transposed()];
    let text = ptx::module(&kernels, &Target::GPUS[1]).expect("these kernels are emitted");
    assert_eq!(kernels.each_ref().map(ptx::dynamic_shared_bytes), [0, 160 << 10, 0]);
    assert_eq!(text.matches("bar.sync").count(), 2);
    assert_eq!(text.matches("shfl.sync.bfly").count(), 2 * 5 * 16, "five exchanges of sixteen pairs, twice");
    agree(&kernels, &text);
    assemble(&[text]);
}

#[test]
fn lanes_of_a_warp_wait_where_they_meet() {
    let barriers = |stores: [i64; 2], load: i64| {
        let mut b = Builder::new("meet", Unit::Warp, 32, [1, 1, 1]);
        let y = b.param("y", DType::F32, 256);
        let lane = b.lane();
        let v = b.cast(CastOp::I32ToF32, lane);
        for at in stores {
            b.store(v, b.addr_off(y, None, at));
        }
        let back = b.load(b.addr_off(y, None, load));
        b.store(back, b.addr_off(y, None, load));
        ptx::emit(&b.finish(), &Target::GPUS[1]).expect("the kernel is emitted").matches("bar.warp.sync").count()
    };
    assert_eq!(barriers([0, 32], 64), 0, "three places");
    assert_eq!(barriers([0, 32], 32), 0, "each lane reads what it wrote");
    assert_eq!(barriers([0, 32], 31), 1, "lane 1 reads what lane 0 wrote");
    assert_eq!(barriers([0, 8], 64), 1, "two lanes write one element");
}

#[test]
fn what_a_warp_cannot_do_is_refused_with_the_reason() {
    let reason = |kernel: Kernel| ptx::emit(&kernel, &Target::GPUS[1]).expect_err("refused").to_string();
    assert!(reason(kernels::any(1, 8)).contains("a warp has 32 lanes, but the kernel has 8"));
    assert!(reason(exchange(42 << 10)).contains("172032 bytes of scratch, but a block has 166912"));
    let mut b = Builder::new("tiles", Unit::Warp, 32, [1, 1, 1]);
    let zero = b.tile_zero(16, 8);
    let y = b.param("y", DType::F32, 128);
    b.tile_store(zero, b.addr_off(y, None, 0), 8);
    let kernel = b.finish();
    assert!(kernel.body.stmts.iter().any(|s| matches!(s.inst, Inst::TileStore { .. })));
    assert!(reason(kernel).contains("tile instructions"));
    let wide = Builder::new("wide", Unit::Warp, 32, [1, 1 << 20, 1]).finish();
    assert!(reason(wide).contains("65535"));
}
