//! What is true of every graph: its text reads back, its verifier finds nothing, its names are unique, walks over it follow
//! their definition; and damaged text is refused politely.

use petgraph::algo::has_path_connecting;
use proptest::prelude::*;
use regard_ir::{
    graph::NodeId,
    id::Id,
    ops::Op,
    random::Random,
    text::{self, parse},
    verify,
};
use regard_testkit::graphs;
use std::collections::BTreeSet;

#[test]
fn random_graphs_read_back_and_verify() {
    for seed in 0..1000 {
        let graph = graphs::any(seed);
        let text = graph.to_string();
        assert_eq!(parse(&text).unwrap_or_else(|e| panic!("{}", e.render(&text, "random"))), graph);
        assert_eq!(verify(&graph), []);
    }
}

#[test]
fn names_are_unique_on_random_graphs() {
    for seed in 0..200 {
        let mut graph = graphs::any(seed);
        let mut count = 0;
        for node in graph.nodes.values_mut() {
            if matches!(node.op, Op::Weight(_)) {
                count += 1;
                node.label = Some(["a.b", "a.1", "a.b.c", "2.x"][count % 4].to_owned() + &format!(".w{count}"));
            }
        }
        let named = graph.named();
        assert!(verify(&named).is_empty(), "seed {seed}: {:?}", verify(&named));
        assert_eq!(text::parse(&named.to_string()).unwrap(), named, "seed {seed}");
    }
}

/// Against the definition: a node is needed where it is a root or an operand of a needed node.
#[test]
fn what_is_needed_is_closed_and_nothing_else() {
    for seed in 0..200 {
        let graph = graphs::any(seed);
        let roots = [NodeId::new(graph.nodes.len() - 1), NodeId::new(seed as usize % graph.nodes.len())];
        let needed = graph.needed(roots);
        let mut wanted: BTreeSet<NodeId> = roots.into();
        for id in graph.nodes.ids().rev().filter(|id| needed.contains(id)) {
            assert!(wanted.contains(&id), "{id} of {graph}");
            wanted.extend(&graph.nodes[id].operands);
        }
        assert_eq!(needed, wanted, "{graph}");
        let reached = graph.nodes.ids().filter(|&id| has_path_connecting(&graph, roots[0], id, None));
        assert_eq!(graph.needed([roots[0]]), reached.collect(), "{graph}");
    }
}

/// Damages a text: drops, doubles or replaces tokens.
fn damaged(text: &str, seed: u64, edits: usize) -> String {
    let mut random = Random::new(seed);
    let mut words: Vec<&str> = text.split_inclusive([' ', ',', '\n', '[', ']', '%']).collect();
    let odd = [
        "%",
        "{",
        "}",
        "-1",
        "99999999999",
        "4294967296",
        "0",
        "-9223372036854775808",
        "9223372036854775807",
        "f32[]",
        "softmax",
        "\"",
        "é",
        "1e308",
        "inf",
        ":",
    ];
    for _ in 0..edits {
        let at = random.below(words.len());
        match random.below(4) {
            0 => drop(words.remove(at)),
            1 => words.insert(at, words[random.below(words.len())]),
            2 => words[at] = words[random.below(words.len())],
            _ => words[at] = odd[random.below(odd.len())],
        }
        if words.is_empty() {
            break;
        }
    }
    words.concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn damaged_text_gives_an_error_or_a_valid_graph(seed in any::<u64>(), edits in 1usize..5) {
        let text = damaged(&graphs::any(seed).to_string(), seed, edits);
        match parse(&text) {
            Ok(graph) => {
                let again = parse(&graph.to_string());
                prop_assert_eq!(again.as_ref(), Ok(&graph), "{}", graph);
            }
            Err(error) => {
                prop_assert!(text.get(error.span.clone()).is_some(), "{:?}", error);
                error.render(&text, "damaged");
            }
        }
    }
}
