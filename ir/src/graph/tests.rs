//! The interpreter, and the builder's sugar against index arithmetic.

use super::*;
use crate::{
    ops::{BinaryOp, DistanceBias, Input, ReduceOp, RelativeBias},
    types::{DType, TensorType, strides},
};
use proptest::prelude::*;

/// Values that tell every position apart.
fn counting(ty: &TensorType) -> Tensor {
    Tensor::from_fn(ty.clone(), |i| i as f64)
}

/// Small multiples of 1/8 that look random.
fn noise(ty: &TensorType, seed: u64) -> Tensor {
    let mut state = seed | 1;
    Tensor::from_fn(ty.clone(), |_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 40) % 65) as f64 / 8.0 - 4.0
    })
}

/// All outputs, with leaves made from their types.
fn values(graph: &Graph, make: impl Fn(NodeId, &TensorType) -> Tensor) -> Vec<Tensor> {
    eval(graph, &mut |id, node| Ok(make(id, &node.ty))).unwrap_or_else(|e| panic!("{e}"))
}

fn at(x: &Tensor, index: &[usize]) -> f64 {
    x.data[index.iter().zip(strides(&x.ty.shape)).map(|(i, s)| i * s).sum::<usize>()]
}

proptest! {
    #[test]
    fn windows_are_cut_from_the_rolled_map(b in 1usize..3, nh in 1usize..4, nw in 1usize..4, w in 1usize..5, c in 1usize..4, shift in 0usize..4) {
        let shift = shift % w;
        let (h, wide) = (nh * w, nw * w);
        let mut builder = Builder::new("windows");
        let x = builder.input("x", TensorType::f32([b, h, wide, c]));
        let windows = builder.window_partition(x, w, shift);
        let back = builder.window_reverse(windows, [b, h, wide], w, shift);
        let graph = builder.finish(&[windows, back, x]);
        let [windows, back, x] = &values(&graph, |_, ty| counting(ty))[..] else { panic!("three outputs") };
        prop_assert_eq!(back, x);
        for (position, &found) in windows.data.iter().enumerate() {
            let (channel, token, window) = (position % c, position / c % (w * w), position / (c * w * w));
            let (image, row, column) = (window / (nh * nw), window / nw % nh * w + token / w, window % nw * w + token % w);
            prop_assert_eq!(found, at(x, &[image, (row + shift) % h, (column + shift) % wide, channel]));
        }
    }

    #[test]
    fn grids_hold_every_so_manyth_token(b in 1usize..3, down in 1usize..4, across in 1usize..4, g in 1usize..4, c in 1usize..3) {
        let (h, wide) = (down * g, across * g);
        let mut builder = Builder::new("grids");
        let x = builder.input("x", TensorType::f32([b, h, wide, c]));
        let grids = builder.grid_partition(x, g);
        let back = builder.grid_reverse(grids, [b, h, wide], g);
        let graph = builder.finish(&[grids, back, x]);
        let [grids, back, x] = &values(&graph, |_, ty| counting(ty))[..] else { panic!("three outputs") };
        prop_assert_eq!(back, x);
        for (position, &found) in grids.data.iter().enumerate() {
            let (channel, token, place) = (position % c, position / c % (g * g), position / (c * g * g));
            let (image, row, column) = (place / (down * across), place / across % down, place % across);
            let (row, column) = (row + token / g * down, column + token % g * across);
            prop_assert_eq!(found, at(x, &[image, row, column, channel]));
        }
    }

    #[test]
    fn distances_index_their_table(h in 1usize..6, w in 1usize..6, stride in 1usize..4, heads in 1usize..4) {
        let mut builder = Builder::new("distances");
        let table = builder.weight("table", TensorType::f32([heads, h * w]));
        let bias = builder.push(DistanceBias { height: h, width: w, stride }, &[table]);
        let graph = builder.finish(&[table, bias]);
        let [table, bias] = &values(&graph, |_, ty| counting(ty))[..] else { panic!("two outputs") };
        let across = w.div_ceil(stride);
        prop_assert_eq!(&bias.ty.shape, &[heads, h.div_ceil(stride) * across, h * w]);
        for (position, &found) in bias.data.iter().enumerate() {
            let (key, query) = (position % (h * w), position / (h * w) % (h.div_ceil(stride) * across));
            let head = position / (h * w * (h.div_ceil(stride) * across));
            let (rows, columns) = ((query / across * stride).abs_diff(key / w), (query % across * stride).abs_diff(key % w));
            prop_assert_eq!(found, at(table, &[head, rows * w + columns]));
        }
    }

    #[test]
    fn patch_embedding_is_a_convolution(b in 1usize..3, c in 1usize..4, k in 1usize..4, rows in 1usize..3, columns in 1usize..3, out in 1usize..4, seed: u64) {
        let mut builder = Builder::new("patches");
        let x = builder.input("x", TensorType::f32([b, c, rows * k, columns * k]));
        let w = builder.weight("w", TensorType::f32([out, c, k, k]));
        let bias = builder.weight("bias", TensorType::f32([out]));
        let y = builder.patch_embedding(x, w, Some(bias));
        let graph = builder.finish(&[x, w, bias, y]);
        let [x, w, bias, y] = &values(&graph, |id, ty| noise(ty, seed ^ id.index() as u64))[..] else { panic!("four outputs") };
        prop_assert_eq!(&y.ty.shape, &[b, rows, columns, out]);
        for (position, &found) in y.data.iter().enumerate() {
            let (o, column, row, image) =
                (position % out, position / out % columns, position / (out * columns) % rows, position / (out * columns * rows));
            let taps = (0..c * k * k).map(|t| [t / (k * k), t / k % k, t % k]);
            let expected: f64 = taps
                .map(|[ch, dy, dx]| at(w, &[o, ch, dy, dx]) * at(x, &[image, ch, row * k + dy, column * k + dx]))
                .sum::<f64>() + bias.data[o];
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn patch_merging_takes_even_rows_first(b in 1usize..3, h in 1usize..4, w in 1usize..4, c in 1usize..4) {
        let mut builder = Builder::new("merging");
        let x = builder.input("x", TensorType::f32([b, 2 * h, 2 * w, c]));
        let y = builder.patch_merging(x);
        let graph = builder.finish(&[x, y]);
        let [x, y] = &values(&graph, |_, ty| counting(ty))[..] else { panic!("two outputs") };
        let quarters = [(0, 0), (1, 0), (0, 1), (1, 1)];
        for (position, &found) in y.data.iter().enumerate() {
            let (channel, column, row, image) = (position % (4 * c), position / (4 * c) % w, position / (4 * c * w) % h, position / (4 * c * w * h));
            let (down, right) = quarters[channel / c];
            prop_assert_eq!(found, at(x, &[image, 2 * row + down, 2 * column + right, channel % c]));
        }
    }

    #[test]
    fn bias_depends_on_the_offset_alone(w in 1usize..5, heads in 1usize..4) {
        let side = 2 * w - 1;
        let mut builder = Builder::new("bias");
        let table = builder.weight("table", TensorType::f32([side * side, heads]));
        let y = builder.push(RelativeBias { height: w, width: w }, &[table]);
        let graph = builder.finish(&[table, y]);
        let [table, y] = &values(&graph, |_, ty| counting(ty))[..] else { panic!("two outputs") };
        prop_assert_eq!(&y.ty.shape, &[heads, w * w, w * w]);
        for (position, &found) in y.data.iter().enumerate() {
            let (s, r, head) = (position % (w * w), position / (w * w) % (w * w), position / w.pow(4));
            let (rows, columns) = (r / w + w - 1 - s / w, r % w + w - 1 - s % w);
            prop_assert_eq!(found, at(table, &[rows * side + columns, head]));
        }
    }

    #[test]
    fn mask_separates_the_pieces_of_a_rolled_map(nh in 1usize..4, nw in 1usize..4, w in 2usize..5, shift in 1usize..4) {
        let shift = 1 + shift % (w - 1);
        let (h, wide) = (nh * w, nw * w);
        let mut builder = Builder::new("mask");
        let mask = builder.shifted_window_mask(h, wide, w, shift);
        let graph = builder.finish(&[mask]);
        let mask = &values(&graph, |_, ty| counting(ty))[0];
        let piece = |t: usize, extent: usize| if t < extent - w { 0 } else if t < extent - shift { 1 } else { 2 };
        let region = |window: usize, token: usize| {
            (piece(window / nw * w + token / w, h), piece(window % nw * w + token % w, wide))
        };
        prop_assert_eq!(&mask.ty.shape, &[nh * nw, w * w, w * w]);
        for (position, &found) in mask.data.iter().enumerate() {
            let (s, r, window) = (position % (w * w), position / (w * w) % (w * w), position / w.pow(4));
            let expected = if region(window, r) == region(window, s) { 0.0 } else { -100.0 };
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn heads_split_and_merge(b in 1usize..3, n in 1usize..5, heads in 1usize..4, d in 1usize..4) {
        let mut builder = Builder::new("heads");
        let x = builder.input("x", TensorType::f32([b, n, heads * d]));
        let split = builder.split_heads(x, heads);
        let merged = builder.merge_heads(split);
        let graph = builder.finish(&[x, split, merged]);
        let [x, split, merged] = &values(&graph, |_, ty| counting(ty))[..] else { panic!("three outputs") };
        prop_assert_eq!(merged, x);
        prop_assert_eq!(at(split, &[b - 1, heads - 1, n - 1, 0]), at(x, &[b - 1, n - 1, (heads - 1) * d]));
    }
}

/// One shifted window block at small size, written as models write it.
fn block(shift: usize) -> Graph {
    let (heads, d, w) = (2, 4, 3);
    let c = heads * d;
    let mut b = Builder::new("block");
    let x = b.input("x", TensorType::f32([1, 6, 6, c]));
    let vector = |b: &mut Builder, name: &str, n: usize| b.weight(name, TensorType::f32([n]));
    let (gamma, beta) = (vector(&mut b, "norm.weight", c), vector(&mut b, "norm.bias", c));
    let qkv_weight = b.weight("qkv.weight", TensorType::f32([3 * c, c]));
    let qkv_bias = vector(&mut b, "qkv.bias", 3 * c);
    let table = b.weight("table", TensorType::f32([25, heads]));
    let normal = b.layer_norm(x, gamma, beta, 1e-5);
    let windows = b.window_partition(normal, w, shift);
    let qkv = b.linear(windows, qkv_weight, Some(qkv_bias));
    let parts: Vec<NodeId> = b.split(qkv, -1, 3).into_iter().map(|part| b.split_heads(part, heads)).collect();
    let mut bias = b.push(RelativeBias { height: w, width: w }, &[table]);
    if shift > 0 {
        bias = b.masked_shifted_windows(bias, [1, 6, 6], w, shift);
    }
    let y = b.attention(parts[0], parts[1], parts[2], Some(bias), 0.5);
    let merged = b.merge_heads(y);
    let merged = b.label(merged, "attn");
    let map = b.window_reverse(merged, [1, 6, 6], w, shift);
    let sum = b.add(x, map);
    b.finish(&[sum])
}

#[test]
fn far_tokens_of_a_shifted_window_do_not_see_each_other() {
    let graph = block(1);
    let leaf = |id: NodeId, ty: &TensorType| noise(ty, id.index() as u64);
    let before = &values(&graph, leaf)[0];
    // The last row and column of the map are rolled away from the first ones: token (0, 0) shares its window
    // with (5, 5) alone of the opposite corner, and the mask keeps them apart.
    let x = graph.labelled("x").expect("the input");
    let after = &values(&graph, |id, ty| {
        let mut tensor = leaf(id, ty);
        if id == x {
            tensor.data[..8].iter_mut().for_each(|v| *v += 0.25);
            tensor.data[0] -= 3.0;
        }
        tensor
    })[0];
    let change = |row: usize, column: usize| {
        (0..8).map(|c| (at(before, &[0, row, column, c]) - at(after, &[0, row, column, c])).abs()).fold(0.0, f64::max)
    };
    assert!(change(0, 0) > 0.1);
    assert!(change(5, 5) < 1e-9);
    assert_eq!(change(2, 2), 0.0);
}

#[test]
fn wanted_nodes_alone_are_computed() {
    let graph = block(0);
    let attn = graph.labelled("attn").expect("the label");
    let gamma = graph.labelled("norm.weight").expect("the label");
    let mut asked = Vec::new();
    let found = eval_nodes(&graph, &[gamma, gamma], &mut |id, node| {
        asked.push(id);
        Ok(counting(&node.ty))
    });
    let found = found.expect("a weight has the value it is given");
    assert_eq!((found[0].data.as_slice(), &found[1]), ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0].as_slice(), &found[0]));
    assert_eq!(asked, [gamma]);
    let inside = eval_nodes(&graph, &[attn], &mut |id, node| Ok(noise(&node.ty, id.index() as u64)));
    assert_eq!(inside.expect("the block has a value")[0].ty, *graph.ty(attn));
}

#[test]
fn errors_name_the_node() {
    let mut b = Builder::new("lookup");
    let table = b.weight("table", TensorType::f32([3, 2]));
    let index = b.input("index", TensorType::new(DType::I32, [2]));
    let y = b.gather(table, index);
    let graph = b.finish(&[y]);
    let error = eval(&graph, &mut |_, node| Ok(Tensor::from_fn(node.ty.clone(), |i| 4.0 * i as f64)));
    let error = error.expect_err("4 is not a row of the table");
    assert_eq!(error.node, y);
    assert_eq!(error.to_string(), "%2 = gather %table, %index : f32[2, 2]: gather has index 4, expected 0 to 2");
    let error = eval(&graph, &mut |_, _| Ok(counting(&TensorType::f32([3]))));
    assert_eq!(
        error.expect_err("the type is wrong").to_string(),
        "%table = weight : f32[3, 2]: was given f32[3] with 3 values, expected f32[3, 2]"
    );
    let refused = eval(&graph, &mut |id, _| Err(EvalError::new(&graph, id, "is not in the checkpoint")));
    assert_eq!(refused.expect_err("no weight").to_string(), "%table = weight : f32[3, 2]: is not in the checkpoint");
}

#[test]
fn push_counts_operands() {
    let mut graph = Graph::new("arity");
    let x = graph.push(Input { ty: TensorType::f32([2]) }, &[]).expect("an input needs nothing");
    let add = crate::ops::Binary { op: BinaryOp::Add };
    assert_eq!(graph.push(add, &[x]), Err("add has 1 operand, expected 2".to_string()));
    let concat = crate::ops::Concat { axis: -1 };
    assert_eq!(graph.push(concat, &[x]), Err("concat has 1 operand, expected 2 or more".to_string()));
    let attention = crate::ops::Attention { scale: 1.0.into() };
    assert_eq!(graph.push(attention, &[x]), Err("attention has 1 operand, expected 3 to 4".to_string()));
}

#[test]
fn mean_over_tokens() {
    let mut b = Builder::new("head");
    let x = b.input("x", TensorType::f32([2, 3, 2]));
    let mean = b.mean(x, -2);
    let largest = b.reduce(ReduceOp::Max, x, -1);
    let graph = b.finish(&[mean, largest]);
    let found = values(&graph, |_, ty| counting(ty));
    assert_eq!(found[0].data, [2.0, 3.0, 8.0, 9.0]);
    assert_eq!(found[1].data, [1.0, 3.0, 5.0, 7.0, 9.0, 11.0]);
}

#[test]
fn indices_that_are_drawn_have_a_row() {
    let text = "graph routed {
  %q = input : f32[1, 3, 4, 8]
  %k = input : f32[1, 5, 4, 8]
  %y = input : i32[1, 3, 2]
  %t = input : f32[7, 2]
  %i = input : i32[4]
  %free = input : i32[4]
  %o = routed_attention %q, %k, %k, %y { heads = 2, scale = 0.5 }
  %p = gather %t, %i
  return %o, %p, %free
}
";
    let graph = crate::text::parse(text).unwrap_or_else(|e| panic!("{}", e.render(text, "routed")));
    let bound = |label| graph.index_bound(graph.labelled(label).expect("it has that input"));
    assert_eq!(["y", "i", "free"].map(bound), [5, 7, 16]);
}
