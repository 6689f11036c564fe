//! What became of a graph and why, and whether it holds.

use super::*;

/// A block whose queries, keys and values are three linears, after a layer norm.
const THREE: &str = "graph three {
  %x = input : f32[2, 9, 12]
  %gamma = weight : f32[12]
  %beta = weight : f32[12]
  %wq = weight : f32[12, 12]
  %wk = weight : f32[12, 12]
  %wv = weight : f32[12, 12]
  %n = layer_norm %x, %gamma, %beta { eps = 1e-5 }
  %q = matmul %n, %wq
  %k = matmul %n, %wk
  %v = matmul %n, %wv
  %4 = const { value = 9.0 } : f32[]
  %5 = sqrt %4
  %6 = div %q, %5
  %7 = transpose %k { order = [-1, -2] }
  %8 = matmul %6, %7
  %p = softmax %8 { axis = -1 }
  %a = matmul %p, %v
  %y = add %x, %a
  return %y
}
";

#[test]
fn the_chain_is_shown_with_expressions_and_costs() {
    let dir = Dir::new();
    let three = dir.file("three.rg", THREE);
    let text = regard(&["explain", &three]).ok();
    let parts = [
        "composites inlined: ",
        "definition-of-layer-norm",
        "fold-numbers",
        "(sqrt 9.0)",
        "region %y: ",
        " iterations, ",
        "estimate ",
        "▶ (attend -1 s v)",
        "number-into-weights",
        "▶ (matmul x (mul w 0.3333333333333333))",
        "parallel products merged: ",
        "merge-parallel-products",
        "(matmul x (concat -1 w0 w1))",
        "for kernels: ",
    ];
    let mut rest = text.as_str();
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("`{part}` is missing or in another order\n{text}"));
        rest = &rest[at..];
    }
    assert_eq!(text, regard(&["explain", &three]).ok());
    let plan = regard(&["show", &three, "--stage", "plan"]).ok();
    assert_eq!(
        plan.lines().take_while(|line| !line.is_empty()).filter(|l| l.contains("= matmul")).count(),
        1,
        "{plan}"
    );
    let apart = regard(&["explain", &three, "--no-rule", "merge-parallel-products"]).ok();
    assert!(!apart.contains("merge-parallel-products") && apart.contains("attend"), "{apart}");
}

#[test]
fn one_node_is_explained_alone() {
    let dir = Dir::new();
    let text = THREE.replace("return %y", "%z = gelu %x\n  return %y, %z");
    let two = dir.file("two.rg", text);
    let whole = regard(&["explain", &two]).ok();
    assert!(whole.contains("region %y") && whole.contains("region %z"));
    // `%13` is a transposition that a view took the place of, `%n` is in the middle.
    for node in ["%y", "y", "%13", "n", "%p"] {
        let one = regard(&["explain", &two, "--node", node]).ok();
        assert!(one.contains("region %y") && !one.contains("region %z") && !one.contains("inlined"), "{node}: {one}");
    }
    let as_written = regard(&["explain", &two, "--node", "z"]).ok();
    assert!(as_written.contains("region %z") && as_written.contains("as written"), "{as_written}");
    assert!(regard(&["explain", &two, "--node", "%gama"]).fails(2).contains("did you mean `gamma`"));
    assert!(regard(&["explain", &two, "--node", "%wq"]).fails(2).contains("%wq is computed by no region"));
}

#[test]
fn every_link_can_be_replayed() {
    let dir = Dir::new();
    let three = dir.file("three.rg", THREE);
    let text = regard(&["explain", &three, "--replay"]).ok();
    let line = text.lines().find(|line| line.starts_with("replayed: ")).expect("a line");
    assert!(line.contains("links hold") && !text.contains("not decided"), "{text}");
    let one = regard(&["explain", &three, "--replay", "--node", "y", "--rules-limit", "40"]).ok();
    assert!(one.contains("replayed: "), "{one}");
}

#[test]
fn wrong_input_is_refused_in_one_sentence() {
    let dir = Dir::new();
    let bad = dir.file("bad.rg", THREE.replace("softmax", "softmx"));
    assert!(regard(&["explain", &bad]).fails(1).contains("softmax"));
    assert!(regard(&["explain", &dir.arg("absent.rg")]).fails(1).contains("absent.rg"));
    assert!(regard(&["explain", "swim_tiny"]).fails(2).contains("swin_tiny"));
    assert!(regard(&["explain", "swin_tiny", "--target", "z80"]).fails(2).contains("z80"));
    assert!(!regard(&["explain"]).fails(2).is_empty());
}
