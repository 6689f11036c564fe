//! Spelling suggestions: names within two edits of a word that names nothing.
//!
//! An edit inserts, deletes or replaces a letter, or exchanges two neighbours. The distance takes time and memory in
//! proportion to the lengths of both words, so long words get no suggestions, and only the first names are compared.

use crate::ops::{ActivationOp, BinaryOp, UnaryOp};
use strsim::osa_distance;

/// The most edits between a word and what it may stand for.
const MAX_EDITS: usize = 2;
/// The longest word, in bytes, that gets suggestions.
const MAX_WORD: usize = 64;
/// The most names that a word is compared with.
const MAX_NAMES: usize = 10_000;

/// Names of ops that are not members of a family.
const SINGLE: [&str; 45] = [
    "input",
    "weight",
    "const",
    "iota",
    "select",
    "cast",
    "matmul",
    "reduce",
    "gather",
    "reshape",
    "transpose",
    "expand",
    "slice",
    "pad",
    "roll",
    "unfold",
    "concat",
    "view",
    "softmax",
    "layer_norm",
    "batch_norm",
    "gelu",
    "attention",
    "inverse_attention",
    "mix",
    "scores",
    "attend",
    "conv2d",
    "max_pool",
    "avg_pool",
    "adaptive_avg_pool",
    "resize",
    "resized_conv",
    "argmax",
    "neighbourhood_attention",
    "top_k",
    "route",
    "routed_attention",
    "grid_sample",
    "offset_positions",
    "agents",
    "relative_bias",
    "distance_bias",
    "sampled_bias",
    "sinusoid",
];

/// Up to three of `names` within two edits of `word`, nearest first.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    if word.len() > MAX_WORD {
        return Vec::new();
    }
    // A letter has at most 4 bytes.
    let alike = names.filter(|name| name.len().abs_diff(word.len()) <= 4 * MAX_EDITS).take(MAX_NAMES);
    let distances = alike.map(|name| (osa_distance(word, name), name));
    let mut near: Vec<(usize, &str)> = distances.filter(|&(distance, _)| distance <= MAX_EDITS).collect();
    near.sort_unstable();
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Up to three names of ops within two edits of `word`, nearest first.
pub fn nearest_ops(word: &str) -> Vec<String> {
    nearest(word, op_names()).into_iter().map(str::to_owned).collect()
}

/// The names of all ops.
pub fn op_names() -> impl Iterator<Item = &'static str> {
    let unary = UnaryOp::ALL.iter().map(|(_, name)| *name);
    let binary = BinaryOp::ALL.iter().map(|(_, name)| *name);
    let activations = ActivationOp::ALL.iter().map(|(_, name)| *name);
    SINGLE.into_iter().chain(unary).chain(binary).chain(activations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{AttrReader, Op, OpDef};

    #[test]
    fn misspelt_ops_are_recognised() {
        for (word, op) in
            [("sofmax", "softmax"), ("mtamul", "matmul"), ("layernorm", "layer_norm"), ("conct", "concat")]
        {
            assert!(nearest_ops(word).contains(&op.to_string()), "{word}: {:?}", nearest_ops(word));
        }
        assert!(nearest_ops("convolution").is_empty());
    }

    #[test]
    fn every_name_is_that_of_an_op() {
        for name in op_names() {
            assert!(Op::from_attrs(name, &mut AttrReader::default()).is_some(), "{name}");
        }
    }

    #[test]
    fn near_names_come_first_and_long_words_have_none() {
        assert_eq!(nearest("q", ["k", "q.weight", "qq", "v"].into_iter()), ["k", "qq", "v"]);
        assert_eq!(nearest("atn", ["attention", "tan", "at", "xyz"].into_iter()), ["at", "tan"]);
        let long = "x".repeat(MAX_WORD + 1);
        assert!(nearest(&long, [long.as_str()].into_iter()).is_empty());
    }
}
