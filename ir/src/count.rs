//! Counts in sentences: the noun agrees with its number, in the text of every crate.
//!
//! ```text
//!   counted(1, "tensor")  1 tensor        counted(2, "class")   2 classes       agree(1, "is", "are")  is
//! ```

use std::fmt::Display;

/// A number with its noun, whose singular is given: `1 tensor`, `0 classes`, `2 entries`.
pub fn counted<N: Display + PartialEq + From<u8>>(n: N, noun: &str) -> String {
    let ends = |end: &str| noun.ends_with(end);
    let consonant = noun.len() > 1 && !["ay", "ey", "oy", "uy"].iter().any(|end| ends(end));
    match noun.strip_suffix('y').filter(|_| consonant) {
        _ if n == N::from(1) => format!("{n} {noun}"),
        Some(stem) => format!("{n} {stem}ies"),
        None if ["s", "x", "ch", "sh"].iter().any(|end| ends(end)) => format!("{n} {noun}es"),
        None => format!("{n} {noun}s"),
    }
}

/// The word that goes with a number: `one` for 1, `many` for all others.
pub fn agree<'a, N: PartialEq + From<u8>>(n: N, one: &'a str, many: &'a str) -> &'a str {
    if n == N::from(1) { one } else { many }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_agree_with_their_numbers() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "tensor")), ["0 tensors", "1 tensor", "2 tensors"]);
        let nouns = ["class", "entry", "match", "e-node", "array", "choice"];
        let plurals = ["2 classes", "2 entries", "2 matches", "2 e-nodes", "2 arrays", "2 choices"];
        assert_eq!(nouns.map(|noun| counted(2u64, noun)), plurals);
        assert_eq!(nouns.map(|noun| counted(1u64, noun)), nouns.map(|noun| format!("1 {noun}")));
        assert_eq!([1, 3].map(|n| agree(n, "is", "are")), ["is", "are"]);
    }
}
