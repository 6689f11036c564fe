//! The compile path: graphs of twice as many nodes take at most 2.5 times the work, in every stage.
//!
//! Each graph is one that grew faster once: many equal outputs, concatenations of concatenations, chains and rows of
//! softmaxes, arithmetic on weights, blocks of one kind and blocks that all differ, long chains of norms and reductions,
//! expressions that many kernels read, sums of moved sums, steps that read early ones, concatenations cut again.

use crate::grows;
use rayon::{ThreadPool, ThreadPoolBuilder};
use regard::{
    pipeline::{self, Trace},
    weights::Synthetic,
};
use regard_ir::{graph::Graph, target::Target, text};
use regard_passes::{Canonical, Rules, Schedule, lower, optimize, plan};
use std::fmt::Write;

fn target() -> &'static Target {
    Target::named("x86-64-v4").expect("a row")
}

/// A graph of an input and `size` groups of lines; `%p` is the value before a group, `#` its number.
fn graph(input: &str, size: usize, group: &str, value: &str) -> Graph {
    let (mut lines, mut before) = (format!("  %x = input : {input}\n"), "%x".to_string());
    for at in 0..size {
        let named = |text: &str| text.replace("%p", &before).replace('#', &at.to_string());
        let _ = writeln!(lines, "{}", named(group));
        before = named(value);
    }
    text::parse(&format!("graph growing {{\n{lines}  return {before}\n}}\n")).expect(group)
}

/// Twice the input, and twice that.
fn twice<I, T>(what: &str, size: usize, input: impl Fn(usize) -> I, work: impl Fn(&I) -> T) {
    grows(what, size, &input, |input| drop(work(input)));
    grows(what, 2 * size, &input, |input| drop(work(input)));
}

fn optimized(graph: &Graph) -> Canonical {
    optimize(graph, target(), &Rules::default()).expect("it is optimised").graph
}

/// Runs work that is shared among threads on this one.
fn alone<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread_local! {
        static POOL: ThreadPool =
            ThreadPoolBuilder::new().num_threads(1).use_current_thread().build().expect("a pool of this thread");
    }
    POOL.with(|pool| pool.install(work))
}

/// The optimiser.
fn optimiser(name: &str, size: usize, of: impl Fn(usize) -> Graph) {
    twice(&format!("{name}, optimized"), size, of, optimized);
}

/// Every stage from a graph to constants, each counted by itself.
fn stages(name: &str, size: usize, of: impl Fn(usize) -> Graph) {
    let target = target();
    let planned = |graph: &Graph| plan(&optimized(graph), target).expect("it is planned");
    optimiser(name, size, &of);
    twice(&format!("{name}, plan"), size, |n| optimized(&of(n)), |graph| plan(graph, target).expect("a plan"));
    twice(&format!("{name}, schedule"), size, |n| planned(&of(n)), |plan| Schedule::best(plan, target));
    let scheduled = |n: usize| {
        let plan = planned(&of(n));
        let schedule = Schedule::best(&plan, target);
        (plan, schedule)
    };
    twice(&format!("{name}, kernels"), size, scheduled, |(plan, schedule)| {
        lower(plan, schedule, target).expect("kernels")
    });
    let kernels = |n: usize| {
        let (plan, schedule) = scheduled(n);
        lower(&plan, &schedule, target).expect("kernels")
    };
    twice(&format!("{name}, weights"), size, kernels, |program| {
        // What other threads ask for is not counted.
        alone(|| {
            let mut trace = Trace::new();
            pipeline::bind_constants(program, &Synthetic::new(0), &mut trace).expect("constants")
        })
    });
}

#[test]
fn equal_outputs() {
    let of = |n: usize| {
        let outputs = vec!["%y"; n].join(", ");
        text::parse(&format!("graph g {{\n  %x = input : f32[4]\n  %y = exp %x\n  return {outputs}\n}}\n"))
            .expect("it parses")
    };
    stages("equal outputs", 500, of);
}

#[test]
fn concatenations_of_concatenations() {
    let line = "  %c# = concat %p, %x { axis = 1 }";
    optimiser("nested concatenations", 40, |n| graph("f32[4, 2]", n, line, "%c#"));
    let dense = "  %w# = weight : f32[16, 16]\n  %a# = matmul %p, %w#\n  %r# = exp %a#\n  %s# = slice %r# { axis = 1, \
                 start = 0, stop = 8, step = 1 }\n  %t# = slice %p { axis = 1, start = 0, stop = 8, step = 1 }\n  \
                 %c# = concat %t#, %s# { axis = 1 }";
    optimiser("dense blocks", 24, |n| graph("f32[8, 16]", n, dense, "%c#"));
}

#[test]
fn softmaxes() {
    stages("a chain of softmaxes", 120, |n| graph("f32[8, 16]", n, "  %s# = softmax %p { axis = -1 }", "%s#"));
    let of = |n: usize| {
        let each = |at: usize| format!("  %t{at} = add %x, {at}.5\n  %s{at} = softmax %t{at} {{ axis = -1 }}\n");
        let lines: String = (0..n).map(each).collect();
        let outputs: Vec<String> = (0..n).map(|at| format!("%s{at}")).collect();
        let outputs = outputs.join(", ");
        text::parse(&format!("graph g {{\n  %x = input : f32[8, 16]\n{lines}  return {outputs}\n}}\n"))
            .expect("it parses")
    };
    stages("softmaxes of one tensor", 16, of);
}

const BLOCK: &str = "  %w# = weight : f32[32, 32]\n  %v# = weight : f32[32, 32]\n  %b# = weight : f32[32]\n  \
                     %h# = add %v#, 0.5\n  %g# = weight : f32[32]\n  %c# = weight : f32[32]\n  \
                     %n# = layer_norm %p, %g#, %c# { eps = 1e-5 }\n  %q# = matmul %n#, %w#\n  %z# = gelu %q#\n  \
                     %t# = matmul %z#, %h#\n  %u# = add %t#, %b#\n  %y# = add %u#, %p";

#[test]
fn blocks_of_one_kind() {
    stages("blocks", 6, |n| graph("f32[49, 32]", n, BLOCK, "%y#"));
}

#[test]
fn blocks_that_differ() {
    let block = BLOCK.replace("gelu %q#", "add %q#, #.25");
    stages("blocks that differ", 6, |n| graph("f32[49, 32]", n, &block, "%y#"));
}

#[test]
fn batch_norms_and_residual_sums() {
    let block = "  %w# = weight : f32[8, 8, 3, 3]\n  %k# = conv2d %p, %w# { stride = 1, padding = 1, dilation = 1, groups \
                 = 1 }\n  %g# = weight : f32[8]\n  %b# = weight : f32[8]\n  %m# = weight : f32[8]\n  %d# = weight : f32[8]\n  %v# = mul %d#, %d#\n  \
                 %n# = batch_norm %k#, %g#, %b#, %m#, %v# { eps = 1e-5, axis = -3 }\n  %r# = relu %n#\n";
    let plain = |n: usize| graph("f32[1, 8, 6, 6]", n, block, "%r#");
    stages("convolutions", 6, plain);
    let residual = format!("{block}  %s# = add %r#, %p\n  %z# = relu %s#");
    stages("residual convolutions", 6, |n| graph("f32[1, 8, 6, 6]", n, &residual, "%z#"));
}

#[test]
fn movement() {
    let block = "  %a# = roll %p { axis = 0, shift = 3 }\n  %b# = exp %a#\n  %c# = pad %b# { axis = 0, low = 1, high = \
                 0, value = 0.0 }\n  %d# = slice %c# { axis = 0, start = 1, stop = 13, step = 1 }\n  %e# = add %d#, %p";
    optimiser("rolls, pads and slices", 24, |n| graph("f32[12, 4]", n, block, "%e#"));
}

/// Chains in which the planner finds what goes to memory one node after another.
#[test]
fn long_chains_of_row_programs() {
    let norm = "  %g# = weight : f32[16]\n  %n# = layer_norm %p, %g#, %g# { eps = 1e-5 }";
    stages("a chain of norms", 100, |n| graph("f32[32, 16]", n, norm, "%n#"));
    let residual = "  %s# = softmax %p { axis = -1 }\n  %t# = add %s#, %p";
    stages("softmaxes with residual sums", 60, |n| graph("f32[32, 16]", n, residual, "%t#"));
    let reduction = "  %r# = reduce %p { op = max, axis = -1 }\n  %d# = sub %p, %r#";
    stages("a chain of reductions", 120, |n| graph("f32[32, 16]", n, reduction, "%d#"));
    let pointwise = "  %e# = exp %p\n  %a# = add %e#, %p";
    stages("a deep expression", 400, |n| graph("f32[32, 16]", n, pointwise, "%a#"));
    let product = "  %w# = weight : f32[16, 16]\n  %s# = softmax %p { axis = -1 }\n  %n# = softmax %s# { axis = -1 }\n  \
                   %m# = matmul %n#, %w#\n  %y# = add %m#, %p";
    stages("softmaxes between products", 40, |n| graph("f32[32, 16]", n, product, "%y#"));
}

/// Kernels that would all compute the same long expression.
#[test]
fn expressions_that_many_kernels_read() {
    let of = |long: usize, kernels: usize| {
        let line = |at: usize| format!("  %y{} = add %y{at}, {at}.5\n", at + 1);
        let group = |at: usize| {
            let near = at % long;
            format!("  %a{at} = mul %y{long}, %y{near}\n  %z{at} = reduce %a{at} {{ op = max, axis = -1 }}\n")
        };
        let lines: String = (0..long).map(line).chain((0..kernels).map(group)).collect();
        let outputs = (0..kernels).map(|at| format!("%z{at}")).collect::<Vec<_>>().join(", ");
        let text = format!("graph g {{\n  %x = input : f32[32, 16]\n  %y0 = abs %x\n{lines}  return {outputs}\n}}\n");
        text::parse(&text).expect("it parses")
    };
    stages("reductions of one expression", 64, |n| of(64, n));
    stages("reductions of one expression, as long as they are many", 64, |n| of(n, n));
}

/// Views that double, or become one more, with every step where they sink to what they read.
#[test]
fn sums_of_moved_sums() {
    let moved = |shape: &str, n: usize, shift: fn(usize) -> usize, term: &str| {
        let line = |at: usize| {
            let (next, shift) = (at + 1, shift(at));
            format!(
                "  %r{at} = roll %s{at} {{ axis = 0, shift = {shift} }}\n  {term}\n  %s{next} = add %t{at}, %s{at}\n"
            )
            .replace('#', &at.to_string())
        };
        let lines: String = (0..n).map(line).collect();
        text::parse(&format!("graph g {{\n  %s0 = input : f32[{shape}]\n{lines}  return %s{n}\n}}\n"))
            .expect("it parses")
    };
    // Hash tables double at powers of two: at 96, each of them does so once with each doubling.
    let same = "%t# = mul %r#, 0.5";
    stages("sums of rolled sums", 96, |n| moved("1024, 2", n, |_| 1, same));
    stages("sums of rolled sums, further each", 96, |n| moved("1048576, 2", n, |at| at + 1, same));
    stages("sums of rolled sums, twice as far each", 96, |n| moved("1048576, 2", n, |at| 1 << (at % 20), same));
    stages("sums of rolled exponentials", 96, |n| moved("1024, 2", n, |_| 7, "%t# = exp %r#"));
}

/// Steps that read the one before them moved and an early one as it is: the number of views that reach a node grows with
/// every step, though each of them comes by one way alone.
#[test]
fn steps_that_read_early_ones() {
    let of = |n: usize| {
        let step = |at: usize| {
            let (next, early) = (at + 1, at / 2);
            format!(
                "  %e{at} = exp %t{at}\n  %r{at} = roll %e{at} {{ axis = 0, shift = 3 }}\n  %t{next} = mul %r{at}, %t{early}\n"
            )
        };
        let lines: String = (0..n).map(step).collect();
        text::parse(&format!("graph g {{\n  %t0 = input : f32[1024, 16]\n{lines}  return %t{n}\n}}\n"))
            .expect("it parses")
    };
    stages("steps that read early ones", 96, of);
    let gelu = "  %g# = gelu %p\n  %r# = roll %g# { axis = 0, shift = 1 }\n  %s# = add %r#, %p";
    stages("sums with rolled gelus", 48, |n| graph("f32[32, 16]", n, gelu, "%s#"));
}

/// What rules find moves up a chain by one node in each round.
#[test]
fn concatenations_cut_again() {
    let cut = "  %c# = concat %p, %x { axis = 1 }\n  %d# = slice %c# { axis = 1, start = 5, stop = 21, step = 1 }";
    stages("concatenations cut again", 64, |n| graph("f32[8, 16]", n, cut, "%d#"));
}
