//! Statistics that many rows share are computed once: the work of every norm is in proportion to its elements.
//!
//! ```text
//!   x − mean(x) of a whole map      each row its own mean of the map: elements²/row       once: 2 · elements
//! ```

use crate::chain::{check, lowered, parse, targets};
use regard_ir::{graph::Graph, kernel::stats::stats};

/// Most operations and loads for each element.
const MOST: u64 = 80;

/// Norms over maps of `[2, channels, side, side]`, by name.
fn norms(channels: usize, side: usize) -> Vec<(&'static str, Graph)> {
    let map = format!("[2, {channels}, {side}, {side}]");
    let (pixels, all) = (side * side, channels * side * side);
    let grouped = |groups: usize| {
        let each = all / groups;
        let long = format!("[2, {groups}, {each}]");
        format!(
            "%x = input : f32{map}\n%w = weight : f32[{channels}, 1, 1]\n%b = weight : f32[{channels}, 1, 1]\n\
             %one = const {{ value = 1.0 }} : f32[{each}]\n%zero = const {{ value = 0.0 }} : f32[{each}]\n\
             %r = reshape %x {{ shape = {long} }}\n%n = layer_norm %r, %one, %zero {{ eps = 1e-5 }}\n\
             %m = reshape %n {{ shape = {map} }}\n%s = mul %m, %w\n%y = add %s, %b\nreturn %y"
        )
    };
    let over = |prepare: &str, op: &str| format!("%x = input : f32{map}\n{prepare}\n{op}\nreturn %y");
    let flat = format!("%r = reshape %x {{ shape = [1, {}] }}", 2 * all);
    let back = format!("%y = reshape %n {{ shape = {map} }}");
    let texts = vec![
        ("one group", grouped(1)),
        ("four groups", grouped(4)),
        ("as many groups as half the channels", grouped(channels / 2)),
        ("instance norm", grouped(channels)),
        (
            "mean of everything",
            over(&flat, &format!("%a = reduce %r {{ op = mean, axis = -1 }}\n%n = sub %r, %a\n{back}")),
        ),
        (
            "length of everything",
            over(
                &flat,
                &format!(
                    "%q = mul %r, %r\n%a = reduce %q {{ op = sum, axis = -1 }}\n%l = rsqrt %a\n%n = mul %r, %l\n{back}"
                ),
            ),
        ),
        ("softmax over all pixels of all channels", over(&flat, &format!("%n = softmax %r {{ axis = -1 }}\n{back}"))),
        (
            "softmax over the pixels of a channel",
            over(
                &format!("%r = reshape %x {{ shape = [2, {channels}, {pixels}] }}"),
                &format!("%n = softmax %r {{ axis = -1 }}\n{back}"),
            ),
        ),
        ("mean over images", over("%a = reduce %x { op = mean, axis = 0 }", "%y = sub %x, %a")),
        (
            "length over channels",
            over("%q = mul %x, %x\n%a = reduce %q { op = sum, axis = 1 }\n%l = rsqrt %a", "%y = mul %x, %l"),
        ),
        (
            "mean of each row and column",
            over(
                "%a = reduce %x { op = mean, axis = -1 }\n%c = reduce %x { op = mean, axis = -2 }\n%s = add %a, %c",
                "%y = sub %x, %s",
            ),
        ),
        (
            "squeeze and excite",
            format!(
                "%x = input : f32{map}\n%p = weight : f32[{channels}, 4]\n%q = weight : f32[4, {channels}]\n\
                 %r = reshape %x {{ shape = [2, {channels}, {pixels}] }}\n%a = reduce %r {{ op = mean, axis = -1 }}\n\
                 %z = reshape %a {{ shape = [2, {channels}] }}\n%h = matmul %z, %p\n%e = max %h, 0.0\n%o = matmul %e, %q\n\
                 %g = sigmoid %o\n%t = reshape %g {{ shape = [2, {channels}, 1, 1] }}\n%y = mul %x, %t\nreturn %y"
            ),
        ),
        (
            "product of what a map's mean is taken from",
            format!(
                "%x = input : f32{map}\n{flat}\n%a = reduce %r {{ op = mean, axis = -1 }}\n%n = sub %r, %a\n\
                 %t = reshape %n {{ shape = [{}, {side}] }}\n%w = weight : f32[{side}, 2]\n%y = matmul %t, %w\nreturn %y",
                2 * all / side
            ),
        ),
    ];
    texts.into_iter().map(|(name, text)| (name, parse(&text))).collect()
}

/// Operations and elements read of all kernels together.
fn work(graph: &Graph) -> Option<Vec<u64>> {
    targets()
        .iter()
        .map(|target| {
            let program = lowered(graph, target);
            let of_kernel = |id| {
                let work = stats(&program.kernels[id]).work?;
                Some(work.flops + (work.params.loaded + work.scratch.loaded) / 4)
            };
            program.launches.iter().map(|launch| of_kernel(launch.kernel)).sum::<Option<u64>>()
        })
        .collect()
}

#[test]
fn work_is_in_proportion_to_elements() {
    for ((channels, side), (twice, wide)) in [((8, 20), (16, 20)), ((8, 20), (8, 40)), ((32, 28), (32, 56))] {
        for ((name, small), (_, large)) in norms(channels, side).into_iter().zip(norms(twice, wide)) {
            let elements = |graph: &Graph| graph.ty(graph.inputs()[0]).elements() as u64;
            let (few, many) = (work(&small).expect("it is counted"), work(&large).expect("it is counted"));
            let times = elements(&large) / elements(&small);
            for (few, many) in few.into_iter().zip(many) {
                assert!(few <= MOST * elements(&small), "{name}: {few} for {} elements", elements(&small));
                assert!(4 * many <= 5 * times * few, "{name}: {few} grows to {many} for {times} times the elements");
            }
        }
    }
}

#[test]
fn norms_of_maps_compute_the_graph() {
    norms(8, 13).iter().for_each(|(_, graph)| check(graph));
}

/// Channels that are normalised each over all their pixels stay one kernel, a row for each.
#[test]
fn channels_are_rows() {
    for target in targets() {
        let graphs = norms(32, 28);
        let (_, instance) = graphs.iter().find(|(name, _)| *name == "instance norm").expect("it is among them");
        assert_eq!(lowered(instance, &target).launches.len(), 1, "{}", target.name);
    }
}
