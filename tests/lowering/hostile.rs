//! Values that nobody wants: NaN, infinities, masked rows, indices of no row.
//!
//! A NaN comes out wherever it takes part, as in PyTorch; indices stay inside what they index.

use crate::chain::{check_outputs, check_with, parse};
use regard_ir::{
    graph::{Graph, Node, NodeId, Tensor, eval},
    ops::{ActivationOp, UnaryOp},
    random::Random,
    types::DType,
};

/// Small numbers, of which one in `rare` is one of `among`.
fn strewn(among: &[f64], rare: usize, seed: u64, node: &Node) -> Tensor {
    let mut random = Random::new(seed + node.ty.elements() as u64);
    Tensor::from_fn(node.ty.clone(), |_| match (node.ty.dtype, random.below(rare)) {
        (DType::Bool, _) => random.below(2) as f64,
        (DType::I32, _) => random.below(5) as f64,
        (_, 0) => random.one(among),
        _ => random.below(33) as f64 / 8.0 - 2.0,
    })
}

const ALL: [f64; 6] = [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0];
/// A +∞ among scores makes a NaN by itself.
const SCORES: [f64; 3] = [f64::NAN, f64::NEG_INFINITY, -f64::NAN];

/// Operands called v are small numbers only.
fn check_strewn(statements: &str, among: &[f64]) {
    let graph = parse(statements);
    for (rare, seed) in [(2, 1), (9, 2), (60, 3)] {
        check_with(&graph, &|_, node| {
            let plain = node.label.as_deref() == Some("v");
            strewn(if plain { &[0.5] } else { among }, rare, seed, node)
        });
    }
}

#[test]
fn nan_passes_through_maps() {
    for op in ["max", "min", "add", "mul", "rem", "pow"] {
        for (x, y) in [("%x", "0.0"), ("0.5", "%x"), ("%x", "%z"), ("%w", "%x"), ("%x", "%x")] {
            check_strewn(
                &format!(
                    "%x = input : f32[3, 37]\n%z = input : f32[37]\n%w = weight : f32[3, 1]\n%y = {op} {x}, {y}\nreturn %y"
                ),
                &ALL,
            );
        }
    }
    for (_, name) in ActivationOp::ALL {
        check_strewn(&format!("%x = input : f32[3, 37]\n%y = {name} %x\nreturn %y"), &ALL);
    }
    for (_, name) in UnaryOp::ALL.iter().filter(|(op, _)| *op != UnaryOp::Not).chain([&(UnaryOp::Erf, "gelu")]) {
        check_strewn(&format!("%x = input : f32[3, 37]\n%y = {name} %x\nreturn %y"), &ALL);
    }
    check_strewn("%x = input : f32[99]\n%a = max %x, -1.0\n%b = min %a, 1.0\n%c = max %b, %x\nreturn %b, %c", &ALL);
}

/// Said of numbers, as a test against the interpreter alone would not see both take −0 for 0.
#[test]
fn a_quotient_by_negative_zero_has_the_other_sign() {
    let graph = parse("%x = input : f32[4]\n%y = div %x, -0.0\n%z = pow -0.0, %x\n%w = div %x, 0.0\nreturn %y, %z, %w");
    let given = [1.0, -1.0, 2.0, -3.0];
    let tensor = |node: &Node| Tensor::new(node.ty.clone(), given.to_vec());
    let outputs = eval(&graph, &mut |_, node| Ok(tensor(node))).expect("it has a value");
    let infinite = f64::INFINITY;
    assert_eq!(outputs[0].data, [-infinite, infinite, -infinite, infinite]);
    assert_eq!(outputs[1].data, [0.0, -infinite, 0.0, -infinite]);
    assert_eq!(outputs[2].data, [infinite, -infinite, infinite, -infinite]);
    check_with(&graph, &|_, node| tensor(node));
}

/// Said of numbers, as a test against the interpreter alone would not see both err alike.
#[test]
fn relu_of_nan_is_nan() {
    let graph = parse("%x = input : f32[4]\n%y = max %x, 0.0\n%z = reduce %x { op = max, axis = 0 }\nreturn %y, %z");
    let given = [f64::NAN, -1.0, 2.0, f64::NEG_INFINITY];
    let tensor = |node: &Node| Tensor::new(node.ty.clone(), given.to_vec());
    let outputs = eval(&graph, &mut |_, node| Ok(tensor(node))).expect("it has a value");
    assert!(outputs[0].data[0].is_nan() && outputs[0].data[1..] == [0.0, 2.0, 0.0]);
    assert!(outputs[1].data[0].is_nan());
    check_with(&graph, &|_, node| tensor(node));
}

#[test]
fn nan_passes_through_reductions() {
    for op in ["max", "min", "sum", "mean"] {
        for shape in ["7", "49", "5, 33", "17, 3", "3, 5, 7", "2, 1, 16"] {
            for axis in 0..shape.split(',').count() {
                check_strewn(
                    &format!("%x = input : f32[{shape}]\n%y = reduce %x {{ op = {op}, axis = {axis} }}\nreturn %y"),
                    &ALL,
                );
            }
        }
    }
    for channels in [1, 3, 19] {
        check_strewn(
            &format!(
                "%x = input : f32[2, {channels}, 7, 9]\n\
                 %y = max_pool %x {{ kernel = [3, 3], stride = [2, 2], padding = [1, 1] }}\nreturn %y"
            ),
            &ALL,
        );
    }
}

/// NaN is the greatest, the first of several; nothing but indices comes out.
#[test]
fn choices_see_nan_as_the_greatest() {
    for (n, k) in [(1, 1), (5, 5), (20, 3), (33, 33)] {
        let text = format!(
            "%x = input : f32[9, {n}]\n%y = top_k %x {{ k = {k} }}\n%z = argmax %x {{ axis = -1 }}\n\
             %w = argmax %x {{ axis = 0 }}\nreturn %y, %z, %w"
        );
        check_strewn(&text, &ALL);
        let graph = parse(&text);
        for same in ALL {
            check_with(&graph, &|_, node| Tensor::from_fn(node.ty.clone(), |_| same));
        }
        let given = |node: &Node| strewn(&ALL, 2, 5, node);
        let outputs = eval(&graph, &mut |_, node| Ok(given(node))).expect("it has a value");
        let input = given(graph.node(graph.inputs()[0]));
        for (row, chosen) in input.data.chunks(n).zip(outputs[0].data.chunks(k)) {
            let (first, mut sorted) = (row.iter().position(|x| x.is_nan()), chosen.to_vec());
            assert!(first.is_none_or(|first| chosen[0] == first as f64), "{row:?} {chosen:?}");
            sorted.sort_by(f64::total_cmp);
            sorted.dedup();
            assert!(sorted.len() == k && sorted.iter().all(|&i| (0.0..n as f64).contains(&i)), "{chosen:?}");
        }
    }
}

/// A row with a NaN is NaN, one that is masked altogether is zero.
#[test]
fn softmax_keeps_nan_and_masked_rows() {
    for axis in [-1, -2] {
        check_strewn(&format!("%x = input : f32[4, 5, 33]\n%y = softmax %x {{ axis = {axis} }}\nreturn %y"), &SCORES);
    }
    for axis in [-1, -2] {
        check_strewn(
            &format!(
                "%s = input : f32[2, 19, 33]\n%v = weight : f32[2, 33, 7]\n%y = attend %s, %v {{ axis = {axis} }}\nreturn %y"
            ),
            &SCORES,
        );
    }
    let attention = parse(
        "%q = input : f32[2, 19, 8]\n%k = input : f32[2, 35, 8]\n%v = input : f32[2, 35, 17]\n\
         %m = input : f32[2, 19, 35]\n%y = attention %q, %k, %v, %m { scale = 0.5 }\nreturn %y",
    );
    for nan in [f64::NAN, -f64::NAN] {
        check_with(&attention, &|_, node| {
            let mask = node.label.as_deref() == Some("m");
            let mut random = Random::new(node.ty.elements() as u64);
            Tensor::from_fn(node.ty.clone(), |i| match (mask, i / 35 % 19) {
                (true, 3 | 18) => f64::NEG_INFINITY,
                (true, 7) if i % 35 == 34 => nan,
                (true, 9) if i % 35 == 0 => nan,
                (true, 9) => f64::NEG_INFINITY,
                (true, _) if random.below(3) == 0 => f64::NEG_INFINITY,
                _ => random.below(17) as f64 / 8.0 - 1.0,
            })
        });
    }
}

#[test]
fn a_nan_pixel_reaches_its_neighbours() {
    for border in ["mask", "zero"] {
        check_strewn(
            &format!(
                "%q = input : f32[1, 16, 9, 11]\n%k = input : f32[1, 16, 9, 11]\n%v = input : f32[1, 16, 9, 11]\n\
                 %y = neighbourhood_attention %q, %k, %v {{ heads = 2, size = 3, scale = 0.5, border = {border} }}\nreturn %y"
            ),
            &[f64::NAN],
        );
    }
}

/// Indices from the ends of i32, and what the graph means with the nearest row in their place.
fn check_indices(statements: &str, rows: f64) {
    let graph: Graph = parse(statements);
    for seed in 0..4 {
        let leaf = |_: NodeId, node: &Node| {
            let mut random = Random::new(seed);
            let ends = [i32::MIN, i32::MIN + 1, -7, -1, i32::MAX, i32::MAX - 1, rows as i32, rows as i32 + 1];
            match (node.ty.dtype, node.label.as_deref()) {
                (DType::I32, Some("i")) => Tensor::from_fn(node.ty.clone(), |at| match random.below(3) {
                    0 if at > 0 => random.below(rows as usize) as f64,
                    _ => random.one(&ends).into(),
                }),
                _ => strewn(&[0.5], 2, seed, node),
            }
        };
        let near = |id: NodeId, node: &Node| {
            let mut tensor = leaf(id, node);
            if node.label.as_deref() == Some("i") {
                tensor.data.iter_mut().for_each(|i| *i = i.clamp(0.0, rows - 1.0));
            }
            tensor
        };
        let refused = eval(&graph, &mut |id, node| Ok(leaf(id, node)));
        let message = refused.expect_err("some index is of no row").message;
        assert!(message.ends_with(&format!("expected 0 to {}", rows - 1.0)), "{message}");
        let reference = eval(&graph, &mut |id, node| Ok(near(id, node))).expect("all indices are of rows");
        check_outputs(&graph, &leaf, &reference);
    }
}

#[test]
fn indices_of_no_row_read_the_nearest() {
    for (table, index) in
        [("4", "33"), ("4, 7", "5"), ("4, 16", "3, 2"), ("4, 3, 5", "9"), ("4, 33", "7, 1"), ("4, 64", "1")]
    {
        for source in ["input", "weight"] {
            check_indices(
                &format!("%t = {source} : f32[{table}]\n%i = input : i32[{index}]\n%y = gather %t, %i\nreturn %y"),
                4.0,
            );
        }
    }
    // Gathered ahead of a product, of a reduction and after a view.
    check_indices(
        "%t = input : f32[6, 5, 16]\n%w = weight : f32[16, 9]\n%i = input : i32[11]\n%g = gather %t, %i\n\
         %y = matmul %g, %w\n%m = reduce %g { op = max, axis = -1 }\n%r = transpose %g { order = [-2, -1] }\nreturn %y, %m, %r",
        6.0,
    );
}

/// Keys and values that attention reads where they lie, chosen by routes of no region; in a batch each image has its own.
#[test]
fn routes_of_no_region_read_the_nearest() {
    for (b, r, s, n, m, heads, head, t) in [(1, 4, 5, 4, 4, 2, 8, 3), (2, 3, 5, 2, 7, 1, 5, 3)] {
        let c = heads * head;
        check_indices(
            &format!(
                "%q = input : f32[{b}, {r}, {n}, {c}]\n%k = input : f32[{b}, {s}, {m}, {c}]\n\
                 %v = input : f32[{b}, {s}, {m}, {c}]\n%i = input : i32[{b}, {r}, {t}]\n\
                 %a = routed_attention %q, %k, %v, %i {{ heads = {heads}, scale = 0.375 }}\nreturn %a"
            ),
            5.0,
        );
    }
}

/// Samples beyond the map, at infinity and at no place are zero.
#[test]
fn samples_of_no_place_are_zero() {
    let graph = parse(
        "%x = input : f32[2, 5, 7, 9]\n%r = input : f32[2, 13]\n%c = input : f32[2, 13]\n\
         %y = grid_sample %x, %r, %c { align = corners }\n%z = grid_sample %x, %r, %c { align = centres }\nreturn %y, %z",
    );
    let far = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 3e38, -3e38, 2.5, -1.25];
    for seed in 0..3 {
        check_with(&graph, &|_, node| match node.label.as_deref() {
            Some("x") => strewn(&[1.0], 2, seed, node),
            _ => strewn(&far, 2, seed, node),
        });
    }
}
