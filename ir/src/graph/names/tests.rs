//! Names of blocks as authors build them.

use super::*;
use crate::{graph::Builder, types::TensorType};

/// A layer with bias.
fn linear(b: &mut Builder, x: NodeId, name: &str, out: usize) -> NodeId {
    let channels = *b.shape(x).last().expect("channels");
    let weight = b.weight(format!("{name}.weight"), TensorType::f32([out, channels]));
    let bias = b.weight(format!("{name}.bias"), TensorType::f32([out]));
    b.linear(x, weight, Some(bias))
}

/// A layer norm, by its definition.
fn norm(b: &mut Builder, x: NodeId, name: &str) -> NodeId {
    let channels = *b.shape(x).last().expect("channels");
    let mean = b.mean(x, -1);
    let centred = b.sub(x, mean);
    let square = b.mul(centred, centred);
    let variance = b.mean(square, -1);
    let root = b.sqrt(variance);
    let normed = b.div(centred, root);
    let gamma = b.weight(format!("{name}.weight"), TensorType::f32([channels]));
    let beta = b.weight(format!("{name}.bias"), TensorType::f32([channels]));
    let scaled = b.mul(normed, gamma);
    b.add(scaled, beta)
}

/// Two transformer blocks and a classifier.
fn transformer() -> Graph {
    let mut b = Builder::new("transformer");
    let mut x = b.input("x", TensorType::f32([16, 8]));
    for block in 0..2 {
        let name = |part: &str| format!("blocks.{block}.{part}");
        let normed = norm(&mut b, x, &name("norm1"));
        let qkv = linear(&mut b, normed, &name("attn.qkv"), 24);
        let parts = b.split(qkv, -1, 3);
        let keys = b.transpose(parts[1], &[-1, -2]);
        let scores = b.matmul(parts[0], keys);
        let weights = b.softmax(scores, -1);
        let values = b.matmul(weights, parts[2]);
        let projected = linear(&mut b, values, &name("attn.proj"), 8);
        x = b.add(x, projected);
        let normed = norm(&mut b, x, &name("norm2"));
        let hidden = linear(&mut b, normed, &name("mlp.fc1"), 32);
        let hidden = b.gelu(hidden);
        let hidden = linear(&mut b, hidden, &name("mlp.fc2"), 8);
        x = b.add(x, hidden);
    }
    let logits = linear(&mut b, x, "head", 4);
    b.finish(&[logits])
}

#[test]
fn nodes_are_called_after_their_modules() {
    let graph = transformer();
    let names = graph.names();
    let all: Vec<&str> = graph.nodes.ids().map(|id| names.of(id)).collect();
    for name in [
        "blocks.0.norm1.mean",
        "blocks.0.norm1.sub",
        "blocks.0.norm1",
        "blocks.1.norm1.mean",
        "blocks.1.attn.qkv.matmul",
        "blocks.1.attn.qkv",
        "blocks.1.attn.matmul",
        "blocks.1.attn.softmax",
        "blocks.1.attn.matmul.2",
        "blocks.1.attn.proj",
        "blocks.1.add",
        "blocks.1.norm2.mean",
        "blocks.1.norm2.sqrt",
        "blocks.1.mlp.fc1",
        "blocks.1.mlp.gelu",
        "blocks.1.mlp.fc2",
        "blocks.1.add.2",
        "blocks.1.mlp.fc1.weight.transpose",
        "head",
    ] {
        assert!(all.contains(&name), "{name} is missing among\n{}", all.join("\n"));
    }
    assert!(graph.nodes.ids().all(|id| names.of(id).parse::<usize>().is_err()), "{all:?}");
    let fc1 = graph.nodes.ids().find(|&id| names.of(id) == "blocks.1.mlp.fc1.matmul").expect("a product");
    assert_eq!(names.module(fc1), Some("blocks.1.mlp.fc1"));
}

#[test]
fn named_graphs_read_back_and_keep_their_names() {
    let graph = transformer();
    let named = graph.named();
    assert!(crate::verify(&named).is_empty());
    let again = crate::text::parse(&named.to_string()).expect("names are names");
    assert_eq!(again, named);
    assert_eq!(again.named(), named);
    let unnamed = |graph: &Graph| {
        let mut graph = graph.clone();
        graph.nodes.values_mut().for_each(|node| node.label = None);
        graph
    };
    assert_eq!(unnamed(&graph), unnamed(&named), "nothing but labels differs");
}

#[test]
fn layers_in_a_row_have_numbers_for_names() {
    let mut b = Builder::new("row");
    let x = b.input("x", TensorType::f32([2, 8]));
    let y = linear(&mut b, x, "0", 8);
    let y = b.gelu(y);
    let y = linear(&mut b, y, "2", 8);
    let graph = b.finish(&[y]);
    let names = graph.names();
    let all: Vec<&str> = graph.nodes.ids().map(|id| names.of(id)).collect();
    assert!(all.contains(&"0.add") && all.contains(&"0.gelu") && all.contains(&"2.add"), "{all:?}");
}

#[test]
fn graphs_without_modules_keep_their_numbers_and_labels_stay() {
    let text =
        "graph g {\n  %x = input : f32[4]\n  %w = weight : f32[4]\n  %1 = mul %x, %w\n  %y = exp %1\n  return %y\n}\n";
    let graph = crate::text::parse(text).unwrap();
    assert_eq!(graph.named(), graph);
    let graph = crate::text::parse(&text.replace("%w", "%a.b").replace("%y", "%a")).unwrap();
    let names = graph.names();
    let all: Vec<&str> = graph.nodes.ids().map(|id| names.of(id)).collect();
    assert_eq!(all, ["x", "a.b", "a.mul", "a"]);
}

/// Names stay in proportion to the graph, whatever its labels.
#[test]
fn long_labels_name_nothing() {
    let long = format!("{}.weight", "m".repeat(50_000));
    let mut b = Builder::new("long");
    let x = b.input("x", TensorType::f32([4]));
    let w = b.weight(long, TensorType::f32([4]));
    let y = (0..50).fold(x, |y, _| b.mul(y, w));
    let graph = b.finish(&[y]);
    let names = graph.names();
    assert!(graph.nodes.ids().skip(2).all(|id| names.of(id).len() < 10));
}
