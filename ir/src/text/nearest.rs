//! Spelling suggestions: names within two edits of a word that names nothing.
//!
//! An edit inserts, deletes or replaces a letter, or exchanges two neighbours. The distance takes time and memory in
//! proportion to the lengths of both words, so long words get no suggestions, and only the first names are compared.

use crate::ops::table;
use strsim::osa_distance;

/// The most edits between a word and what it may stand for.
const MAX_EDITS: usize = 2;
/// The longest word, in bytes, that gets suggestions.
const MAX_WORD: usize = 64;
/// The most names that a word is compared with.
const MAX_NAMES: usize = 10_000;

/// Up to three of `names` within two edits of `word`, nearest first.
pub(crate) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
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
pub(crate) fn nearest_ops(word: &str) -> Vec<String> {
    nearest(word, table().keys().copied()).into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn near_names_come_first_and_long_words_have_none() {
        assert_eq!(nearest("q", ["k", "q.weight", "qq", "v"].into_iter()), ["k", "qq", "v"]);
        assert_eq!(nearest("atn", ["attention", "tan", "at", "xyz"].into_iter()), ["at", "tan"]);
        let long = "x".repeat(MAX_WORD + 1);
        assert!(nearest(&long, [long.as_str()].into_iter()).is_empty());
    }
}
