//! Objects: a C program linked against one computes what the program says, alone and with threads.

mod common;

use common::cranelift_targets;
use regard_codegen::{Code, native};
use regard_ir::{
    graph::Graph,
    id::IdVec,
    kernel::{Builder, IdAxis, Kernel, Unit},
    program::{BufferDecl, BufferId, Launch, Port, Program, Storage},
    target::Target,
    types::{DType, TensorType},
};
use std::{path::Path, process::Command};

const ROWS: u64 = 37;
const COLS: u64 = 50;

/// out[i][j] = in[i][j]·scale[j]: one block per row, through scratch.
fn scale() -> Kernel {
    let mut b = Builder::new("scale", Unit::Core, 4, [ROWS, 1, 1]);
    let [x, scale, y] =
        [("x", ROWS * COLS), ("scale", COLS), ("y", ROWS * COLS)].map(|(n, len)| b.param(n, DType::F32, len));
    let row = b.scratch("row", DType::F32, COLS);
    let block = b.id(IdAxis::G0);
    let start = b.mul_const(block, COLS as i64);
    for (from, to, factor) in [(x, row, true), (row, y, false)] {
        b.for_const(COLS, 4, &[], |b, j, _| {
            let end = b.i64(COLS as i64);
            let left = b.sub(end, j);
            let outer = b.add(start, j);
            let at = |buf| if buf == row { j } else { outer };
            let mut v = b.load_with(b.addr(from, at(from)), Some(left), 1);
            if factor {
                let s = b.load_with(b.addr(scale, j), Some(left), 1);
                v = b.mul(v, s);
            }
            b.store_with(v, b.addr(to, at(to)), Some(left), 1);
            Vec::new()
        });
    }
    b.finish()
}

/// out = a + b, four elements per block.
fn add() -> Kernel {
    let n = ROWS * COLS;
    let mut b = Builder::new("add", Unit::Core, 4, [n.div_ceil(4), 1, 1]);
    let [x, y, z] = ["x", "y", "z"].map(|name| b.param(name, DType::F32, n));
    let block = b.id(IdAxis::G0);
    let at = b.mul_const(block, 4);
    let end = b.i64(n as i64);
    let left = b.sub(end, at);
    let p = b.load_with(b.addr(x, at), Some(left), 1);
    let q = b.load_with(b.addr(y, at), Some(left), 1);
    let sum = b.add(p, q);
    b.store_with(sum, b.addr(z, at), Some(left), 1);
    b.finish()
}

/// out = in·scale + in, in two launches over one arena buffer.
fn program(target: &Target) -> Program<Code> {
    let kernels: IdVec<_, Kernel> = [scale(), add()].into_iter().collect();
    let mut buffers: IdVec<BufferId, BufferDecl> = IdVec::new();
    let mut buffer =
        |name: &str, len, storage| buffers.push(BufferDecl { name: name.into(), dtype: DType::F32, len, storage });
    let x = buffer("x", ROWS * COLS, Storage::Input(0));
    let y = buffer("y", ROWS * COLS, Storage::Output(0));
    let factors = buffer("factors", COLS, Storage::Constant(64));
    let product = buffer("product", ROWS * COLS, Storage::Arena(128));
    let launches = kernels.iter().zip([vec![x, factors, product], vec![product, x, y]]).map(|((id, k), buffers)| {
        Launch { kernel: id, buffers, blocks: k.blocks(), scratch_bytes: k.scratch_layout().1 }
    });
    let launches = launches.collect();
    let ty = TensorType::f32([ROWS as usize, COLS as usize]);
    let program = Program {
        name: "two steps".into(),
        kernels,
        buffers,
        launches,
        inputs: vec![Port { name: "x".into(), ty: ty.clone(), buffer: x }],
        outputs: vec![Port { name: "say \"y\"\n".into(), ty, buffer: y }],
        constant_graph: Graph::new("constants"),
        constants: Vec::new(),
        arena_bytes: 128 + ROWS * COLS * 4,
        constant_bytes: 64 + COLS * 4,
    };
    assert_eq!(program.faults(), Vec::<String>::new());
    regard_codegen::emit(program, target).expect("both kernels are plain")
}

/// The packed weights, at multiples of a half.
fn constants() -> Vec<u8> {
    let factors = (0..COLS).flat_map(|j| ((j as f32 - 25.0) * 0.5).to_le_bytes());
    [0; 64].into_iter().chain(factors).collect()
}

const MAIN: &str = r#"
#define _GNU_SOURCE
#include "two.h"
#include <fenv.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 3, N = 37 * 50 };
typedef struct { two_body body; void *task; uint64_t worker, first, end; } part;
static void *work(void *p) { part *q = p; q->body(q->task, q->worker, q->first, q->end); return NULL; }
static void threads(void *ctx, two_body body, void *task, uint64_t blocks) {
    ++*(int *)ctx;
    pthread_t ids[WORKERS];
    part parts[WORKERS];
    for (uint64_t w = 0; w < WORKERS; w++) {
        parts[w] = (part){ body, task, w, blocks * w / WORKERS, blocks * (w + 1) / WORKERS };
        pthread_create(&ids[w], NULL, work, &parts[w]);
    }
    for (int w = 0; w < WORKERS; w++) pthread_join(ids[w], NULL);
}
/* The host's floating-point control and flags, and one that traps, rounds up and, where it can, flushes to zero. */
#ifdef __x86_64__
#include <xmmintrin.h>
static unsigned control(void) { return _mm_getcsr(); }
static void restore(unsigned c) { _mm_setcsr(c); }
static void strange(void) { fesetround(FE_UPWARD); _mm_setcsr(_mm_getcsr() | 0x8040u); }
#else
static unsigned long control(void) { unsigned long c; __asm__("mrs %0, fpcr" : "=r"(c)); return c; }
static void restore(unsigned long c) { __asm__("msr fpcr, %0" : : "r"(c)); }
static void strange(void) { fesetround(FE_UPWARD); restore(control() | 1ul << 24); }
#endif
static void *memory(size_t size) { return aligned_alloc(two_alignment, (size + two_alignment - 1) / two_alignment * two_alignment); }

int main(void) {
    float *x = malloc(two_input_0_bytes), *y = calloc(two_output_0_bytes, 1), *weights = memory(two_weight_bytes + 1);
    for (int i = 0; i < N; i++) x[i] = (float)(i % 41) * 0.25f - 5.0f;
    FILE *file = fopen("two.weights", "rb");
    if (!file || fread(weights, 1, two_weight_bytes + 1, file) != two_weight_bytes) return 9;
    int launches = 0;
    two_env env = { weights, memory(two_arena_bytes), memory(WORKERS * two_scratch_bytes), NULL, &launches };
    const void *in[] = { x };
    void *out[] = { y };
    for (int parallel = 0; parallel < 2; parallel++) {
        env.parallel_for = parallel ? threads : NULL;
        memset(y, 0, two_output_0_bytes);
        int code = two_run(&env, in, out);
        if (code == 4) return 1;
        if (code != 0) return 16;
        for (int i = 0; i < N; i++)
            if (y[i] != x[i] * weights[16 + i % 50] + x[i]) { printf("%d: y[%d] = %g\n", parallel, i, y[i]); return 2; }
    }
    void *arena = env.arena;
    const void *none[] = { NULL };
    if (launches != 2 || two_run(NULL, in, out) != 1 || two_run(&env, none, out) != 1) return 3;
    env.arena = (char *)arena + 4;
    if (two_run(&env, in, out) != 2) return 4;
    env.arena = NULL;
    if (two_run(&env, in, out) != 1) return 5;
    /* Infinities, NaN, subnormals and inexact sums, first as usual, then under a host that wants none of them. */
    static const float hard[] = { 3e38f, -3e38f, 1e-40f, 3e-45f, 1.0f / 3.0f, 16777217.0f };
    float *usual = malloc(two_output_0_bytes);
    for (int i = 0; i < N; i++) x[i] = hard[i % 6];
    env.arena = arena;
    for (int parallel = 0; parallel < 2; parallel++) {
        env.parallel_for = parallel ? threads : NULL;
        if (two_run(&env, in, out) != 0) return 10;
        memcpy(usual, y, two_output_0_bytes);
        unsigned long before = control();
        strange();
        feclearexcept(FE_ALL_EXCEPT);
        {
            feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW | FE_UNDERFLOW | FE_INEXACT);
            unsigned long inside = control();
            int code = two_run(&env, in, out);
            unsigned long after = control();
            fedisableexcept(FE_ALL_EXCEPT);
            restore(before);
            if (code != 0 || inside != after) return 11;
        }
        if (memcmp(usual, y, two_output_0_bytes) != 0) return 12;
    }
    /* Weights of another set, and weights that were altered before they were read. */
    float *other = memory(two_weight_bytes);
    memcpy(other, weights, two_weight_bytes);
    other[17] += 1.0f;
    env.weights = other;
    if (two_run(&env, in, out) != 3 || two_run(&env, in, out) != 3) return 13;
    other[17] -= 1.0f;
    if (two_run(&env, in, out) != 0) return 14;
    ((unsigned char *)other)[two_weight_bytes - 1] ^= 1;
    if (two_run(&env, in, out) != 3) return 15;
    printf("%s %s", two_input_0_name, two_output_0_name);
    return 0;
}
"#;

/// Compiles, links and runs the C program; its exit status and output.
fn run_c(directory: &Path, target: &Target, change: impl FnOnce(&mut Vec<u8>)) -> (Option<i32>, String) {
    let (program, constants) = (program(target), constants());
    let mut object = native::object::object(&program, "two", target, &constants).unwrap();
    change(&mut object);
    std::fs::write(directory.join("two.o"), object).unwrap();
    std::fs::write(directory.join("two.h"), native::object::header(&program, "two", target).unwrap()).unwrap();
    std::fs::write(directory.join("two.weights"), [&constants[..], &native::object::seal(&constants)].concat())
        .unwrap();
    std::fs::write(directory.join("main.c"), MAIN).unwrap();
    let flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-Wl,--fatal-warnings", "-O1", "-pthread"];
    let cc =
        Command::new("cc").current_dir(directory).args(flags).args(["main.c", "two.o", "-o", "main", "-lm"]).output();
    let cc = cc.expect("a C compiler named cc");
    assert!(cc.status.success(), "{}", String::from_utf8_lossy(&cc.stderr));
    let run =
        Command::new(directory.join("main")).current_dir(directory).output().expect("the program that was just linked");
    (run.status.code(), String::from_utf8_lossy(&run.stdout).into_owned())
}

#[test]
fn a_c_program_runs_the_object() {
    for target in cranelift_targets() {
        let directory = tempfile::tempdir().unwrap();
        let ran = run_c(directory.path(), &target, |_| ());
        assert_eq!(ran, (Some(0), "x say \"y\"\n".into()), "target {}", target.name);
    }
}

/// SSE3, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2 and POPCNT in what `cpuid` says: the least that an object asks for.
#[cfg(target_arch = "x86_64")]
const LEAST: u32 = 1 | 1 << 9 | 1 << 13 | 1 << 19 | 1 << 20 | 1 << 23;

/// The object asks `cpuid` for what it needs; here it needs a feature that no processor has, bit 16 of leaf 1.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_processor_that_lacks_instructions_is_refused() {
    for target in cranelift_targets() {
        let directory = tempfile::tempdir().unwrap();
        let impossible = |object: &mut Vec<u8>| {
            let asks = |word: &[u8]| {
                let mask = u32::from_le_bytes(word.try_into().unwrap());
                mask & LEAST == LEAST && mask & !LEAST & !(1 << 12 | 7 << 27) == 0
            };
            let places: Vec<usize> = (0..object.len() - 4).filter(|&at| asks(&object[at..at + 4])).collect();
            assert_eq!(places.len(), 2, "target {}: `and` and `cmp`", target.name);
            places.into_iter().for_each(|at| object[at + 2] |= 1);
        };
        let (code, out) = run_c(directory.path(), &target, impossible);
        // The C program ends with 1 where its first run returns 4.
        assert_eq!((code, out.as_str()), (Some(1), ""), "target {}", target.name);
        let header = std::fs::read_to_string(directory.path().join("two.h")).unwrap();
        assert!(header.contains(&format!("#define two_target \"{}\"", target.name)), "{header}");
    }
}

#[test]
fn the_object_needs_no_symbol_but_its_own() {
    let target = &cranelift_targets()[0];
    let directory = tempfile::tempdir().unwrap();
    let object = || native::object::object(&program(target), "two", target, &constants()).unwrap();
    assert_eq!(object(), object(), "not deterministic");
    std::fs::write(directory.path().join("two.o"), object()).unwrap();
    let names = Command::new("nm").arg(directory.path().join("two.o")).output().expect("nm, which comes with cc");
    let names = String::from_utf8_lossy(&names.stdout);
    let global: Vec<&str> = names.lines().filter(|line| line.contains(" T ") || line.contains(" U ")).collect();
    assert!(matches!(global[..], [line] if line.ends_with(" T two_run")), "{names}");
}

#[test]
fn a_name_that_c_cannot_say_is_refused() {
    let target = &cranelift_targets()[0];
    for name in ["", "2x", "a-b", "ü"] {
        let error = native::object::object(&program(target), name, target, &constants()).unwrap_err();
        assert!(error.reason.contains("C identifier"), "{error}");
        assert!(native::object::header(&program(target), name, target).is_err());
    }
}
