//! Half precision: f32 inside, half in memory where the outside hands it in or takes it out.
//!
//! What passes compute themselves, constants and intermediates, keeps its digits; the chain allows an output of bf16 or
//! f16 one rounding, and everything else none.

use crate::chain::{check, check_all, parse, plan_of, targets};
use regard_ir::{graph::Graph, program::Storage, target::Target, types::DType};
use regard_passes::{Rules, Schedule, lower, optimize};
use regard_testkit::graphs;

const HALF: [&str; 2] = ["bf16", "f16"];

/// The graph as the optimiser leaves it on a target.
fn optimized(graph: &Graph, target: &Target) -> Graph {
    optimize(graph, target, &Rules::default()).unwrap_or_else(|e| panic!("{e}\n{graph}")).graph.into()
}

/// As written and as optimised.
fn check_both(statements: &str) {
    let graph = parse(statements);
    check(&graph);
    check(&optimized(&graph, &Target::ROWS[0]));
}

#[test]
fn attention_of_half_operands() {
    for dtype in HALF {
        for bias in ["", ", %b"] {
            let operands = format!(
                "%q = input : {dtype}[2, 3, 9, 8]\n%k = input : {dtype}[2, 3, 7, 8]\n%v = input : {dtype}[2, 3, 7, 5]\n\
                 %b = input : {dtype}[3, 9, 7]\n"
            );
            check_both(&format!("{operands}%y = attention %q, %k, %v{bias} {{ scale = 0.3 }}\nreturn %y"));
        }
        check_both(&format!(
            "%x = input : {dtype}[5, 12]\n%k = weight : {dtype}[5, 12]\n%l = weight : {dtype}[5, 3]\n\
             %g = weight : {dtype}[6, 12]\n%b = weight : {dtype}[2, 12]\n\
             %y = inverse_attention %x, %k, %l, %x, %g, %b {{ scale = 0.3 }}\nreturn %y"
        ));
        check_both(&format!(
            "%q = input : {dtype}[1, 8, 5, 6]\n%v = input : {dtype}[1, 12, 5, 6]\n%r = weight : {dtype}[3, 2]\n\
             %c = weight : {dtype}[3, 2]\n\
             %y = neighbourhood_attention %q, %q, %v, %r, %c {{ heads = 2, size = 3, scale = 0.3, border = mask }}\n\
             return %y"
        ));
        check_both(&format!(
            "%q = input : {dtype}[1, 4, 6, 8]\n%k = input : {dtype}[1, 4, 6, 8]\n%v = input : {dtype}[1, 4, 6, 4]\n\
             %y = route %q, %k {{ k = 2 }}\n\
             %z = routed_attention %q, %k, %v, %y {{ heads = 2, scale = 0.3 }}\nreturn %z"
        ));
    }
}

#[test]
fn products_and_sums_of_several_float_types() {
    for (left, right) in [("bf16", "f32"), ("f32", "f16"), ("f16", "bf16"), ("bf16", "bf16")] {
        for kind in ["input", "weight"] {
            check_both(&format!(
                "%a = input : {left}[5, 7]\n%b = {kind} : {right}[7, 33]\n%c = {kind} : {right}[33]\n\
                 %y = matmul %a, %b\n%s = add %y, %c\n%d = {kind} : {left}[5, 33]\n%z = mul %d, %c\n\
                 %n = layer_norm %d, %c, %c {{ eps = 1e-3 }}\nreturn %s, %z, %n"
            ));
        }
        check_both(&format!(
            "%x = input : {left}[2, 3, 5, 6]\n%w = weight : {right}[4, 3, 3, 3]\n%b = weight : {left}[4]\n\
             %d = weight : {right}[3, 1, 3, 3]\n\
             %y = conv2d %x, %w, %b {{ stride = 1, padding = 1, dilation = 1, groups = 1 }}\n\
             %z = conv2d %x, %d {{ stride = 1, padding = 1, dilation = 1, groups = 3 }}\nreturn %y, %z"
        ));
    }
}

/// Weights with factors, terms and norms that rules fold into them.
#[test]
fn constants_that_passes_make_keep_their_digits() {
    for dtype in HALF {
        check_both(&format!(
            "%x = input : {dtype}[5, 12]\n%g = weight : {dtype}[12]\n%b = weight : {dtype}[12]\n\
             %w = weight : {dtype}[12, 9]\n%v = weight : {dtype}[12, 9]\n%c = weight : {dtype}[9]\n\
             %n = layer_norm %x, %g, %b {{ eps = 1e-3 }}\n%p = matmul %n, %w\n%q = matmul %n, %v\n\
             %s = add %p, %q\n%t = add %s, %c\n%u = mul %t, 0.17677669529663687\n%e = gelu %u\nreturn %e"
        ));
        check_both(&format!(
            "%x = input : {dtype}[5, 12]\n%w = weight : {dtype}[12, 9]\n%v = weight : {dtype}[9, 7]\n\
             %p = matmul %x, %w\n%q = matmul %p, %v\n%g = weight : {dtype}[7]\n%r = div %q, 7.0\n%y = mul %r, %g\n\
             return %y"
        ));
        check_both(&format!(
            "%x = input : {dtype}[2, 4, 5, 6]\n%w = weight : {dtype}[3, 4, 3, 3]\n%g = weight : {dtype}[3]\n\
             %b = weight : {dtype}[3]\n%m = weight : {dtype}[3]\n%v = const {{ value = 0.7 }} : {dtype}[3]\n\
             %y = conv2d %x, %w {{ stride = 2, padding = 1, dilation = 1, groups = 1 }}\n\
             %z = batch_norm %y, %g, %b, %m, %v {{ eps = 1e-3, axis = 1 }}\nreturn %z"
        ));
    }
}

/// A tensor between two kernels has the digits of f32 too, also where it is handed out as half.
#[test]
fn intermediates_keep_their_digits() {
    for dtype in HALF {
        check_both(&format!(
            "%x = input : {dtype}[9, 16]\n%w = weight : {dtype}[16, 16]\n%a = matmul %x, %w\n\
             %h = cast %a {{ to = {dtype} }}\n%e = gelu %h\n%b = matmul %e, %w\n%n = softmax %e {{ axis = 0 }}\n%o = transpose %n {{ order = [-1, -2] }}\n\
             %c = matmul %b, %o\n%m = reduce %x {{ op = mean, axis = 0 }}\n%d = matmul %m, %w\nreturn %h, %c, %d, %n"
        ));
    }
}

/// Memory holds half where the outside does, and f32 everywhere else.
#[test]
fn memory_is_half_at_the_ports_and_for_weights_as_they_are() {
    let graph = parse(
        "%x = input : bf16[4, 8]\n%w = weight : bf16[8, 8]\n%v = weight : bf16[8, 8]\n%a = matmul %x, %w\n\
         %h = cast %a { to = bf16 }\n%s = softmax %h { axis = 0 }\n%t = mul %v, 0.3\n%b = matmul %s, %t\n\
         %y = cast %b { to = bf16 }\nreturn %y",
    );
    for target in targets() {
        let plan = plan_of(&graph, &target).expect("a plan");
        let program = lower(&plan, &Schedule::best(&plan, &target), &target).expect("a program");
        let types = |wanted: fn(&Storage) -> bool| -> Vec<DType> {
            program.buffers.values().filter(|b| wanted(&b.storage)).map(|b| b.dtype).collect()
        };
        assert_eq!(types(|p| matches!(p, Storage::Input(_) | Storage::Output(_))), [DType::Bf16, DType::Bf16]);
        let mut constants = types(|p| matches!(p, Storage::Constant(_)));
        constants.sort();
        assert_eq!(constants, [DType::F32, DType::Bf16], "{}", target.name);
        assert!(types(|p| matches!(p, Storage::Arena(_))).iter().all(|&dtype| dtype == DType::F32));
    }
}

/// Random graphs of every type, through the rules.
#[test]
fn random_graphs_with_half_types_keep_their_values() {
    let narrow = |graph: &Graph| graph.nodes.values().any(|node| matches!(node.ty.dtype, DType::Bf16 | DType::F16));
    let graphs = (0..400).map(|seed| (seed, graphs::any(seed))).filter(|(_, graph)| narrow(graph)).take(40);
    let optimized = |(seed, graph): (u64, Graph)| (format!("seed {seed}"), optimized(&graph, &Target::ROWS[0]));
    check_all(graphs.map(optimized));
}

#[test]
fn sampling_from_half_maps() {
    for dtype in HALF {
        check_both(&format!(
            "%m = input : {dtype}[2, 4, 5, 6]\n%p = input : {dtype}[2, 2, 3, 3, 2]\n%y = agents %m, %p\n\
             %t = weight : {dtype}[4, 7, 9]\n\
             %b = sampled_bias %t, %p {{ height = 3, width = 4, query = corners }}\n\
             %s = sinusoid %m {{ base = 10000.0 }}\n%o = slice %m {{ axis = -1, start = 0, stop = 2, step = 1 }}\n\
             %q = offset_positions %o {{ reference = centres, limit = range, factor = 2.0 }}\nreturn %y, %b, %s, %q"
        ));
    }
}
