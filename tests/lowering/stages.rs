//! Stages: row programs that a later kernel computes row by row, in scratch alone or for others, too.

use crate::chain::{check, parse, plan_of, targets};
use regard_ir::graph::Graph;

/// `x + DW3(x)` of a map with channels last as `%s`, and its norm as `%n`.
fn convolved(shape: [usize; 3], rest: &str) -> Graph {
    let [h, w, c] = shape;
    parse(&format!(
        "%x = input : f32[1, {h}, {w}, {c}]\n%k = weight : f32[{c}, 1, 3, 3]\n%g = weight : f32[{c}]\n\
         %f = transpose %x {{ order = [-1, -3, -2] }}\n\
         %d = conv2d %f, %k {{ stride = 1, padding = 1, dilation = 1, groups = {c} }}\n\
         %l = transpose %d {{ order = [-2, -1, -3] }}\n%s = add %x, %l\n\
         %n = layer_norm %s, %g, %g {{ eps = 1e-5 }}\n{rest}"
    ))
}

/// Checks a graph that is planned in so many kernels, whose stages are kept or not, in order.
fn planned(graph: &Graph, kernels: usize, kept: &[bool]) {
    for target in targets() {
        let plan = plan_of(graph, &target).expect("a plan");
        let exprs: Vec<_> = plan.groups.iter().flat_map(|group| group.body.exprs()).collect();
        let stages: Vec<bool> = exprs.iter().flat_map(|fused| &fused.stages).map(|stage| stage.kept).collect();
        assert_eq!((plan.groups.len(), &stages[..]), (kernels, kept), "{}: {:?}\n{graph}", target.name, plan.groups);
    }
    check(graph);
}

#[test]
fn a_norm_follows_a_convolution() {
    for c in [5, 16, 33] {
        planned(&convolved([5, 7, c], "return %n"), 1, &[false]);
        planned(&convolved([5, 7, c], "%y = mul %s, 2.0\nreturn %n, %y, %s"), 2, &[true]);
    }
}

#[test]
fn an_offset_is_one_kernel() {
    let offset = "%a = gelu %n\n%m = mul %a, %g\n%y = reduce %m { op = sum, axis = -1 }\nreturn %y";
    planned(&convolved([4, 9, 24], offset), 1, &[false, false]);
}

/// Of several blocks that pack a row, one keeps it.
#[test]
fn a_product_packs_what_was_convolved() {
    let residual = "%w = weight : f32[20, 70]\n%v = weight : f32[70, 20]\n%p = matmul %n, %w\n%q = matmul %p, %v\n\
                    %y = add %q, %s\nreturn %y";
    planned(&convolved([12, 11, 20], residual), 2, &[true]);
    planned(&convolved([12, 11, 20], "%w = weight : f32[20, 70]\n%y = matmul %n, %w\nreturn %y"), 1, &[false]);
}

#[test]
fn few_rows_stay_apart() {
    planned(&convolved([3, 5, 8], "return %n"), 2, &[]);
}

/// Means of the queries, logits and places are stages of the choice; means of the keys are other rows.
#[test]
fn a_choice_of_regions_is_one_kernel() {
    for (batch, regions, channels) in [(1, 17, 16), (2, 9, 12), (1, 19, 33)] {
        planned(
            &parse(&format!(
                "%q = input : f32[{batch}, {regions}, 3, {channels}]\n%k = input : f32[{batch}, {regions}, 4, {channels}]\n\
                 %y = route %q, %k {{ k = 4 }}\nreturn %y"
            )),
            2,
            &[false; 3],
        );
    }
}
