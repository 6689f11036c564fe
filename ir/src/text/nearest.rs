//! What somebody may have meant: names within two edits.

use crate::ops::{AttrReader, Op, OpDef};
use std::collections::BTreeSet;

/// Longest misspelling that two edits are tried on.
const LONGEST: usize = 12;

/// Up to three of `names` within two edits of `word`, nearest first.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut near: Vec<(usize, &str)> = names.map(|n| (distance(word, n), n)).filter(|&(d, _)| d <= 2).collect();
    near.sort_unstable();
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Up to three op names within two edits. Ops recognise their names and do not list them, so edits are tried.
pub fn nearest_ops(word: &str) -> Vec<String> {
    let known = |name: &String| Op::from_attrs(name, &mut AttrReader::default()).is_some();
    let once = edits(word);
    let mut found: Vec<String> = once.iter().filter(|n| known(n)).cloned().collect();
    if found.is_empty() && word.len() <= LONGEST {
        let twice: BTreeSet<String> = once.iter().flat_map(|w| edits(w)).filter(|n| known(n)).collect();
        found.extend(twice);
    }
    found.truncate(3);
    found
}

/// All words one deletion, insertion, replacement or exchange away, in order.
fn edits(word: &str) -> BTreeSet<String> {
    let chars: Vec<char> = word.chars().collect();
    let with = |range: std::ops::Range<usize>, middle: &[char]| -> String {
        chars[..range.start].iter().chain(middle).chain(&chars[range.end..]).collect()
    };
    let mut all = BTreeSet::new();
    for i in 0..=chars.len() {
        for c in ('a'..='z').chain(['_']) {
            all.insert(with(i..i, &[c]));
            if i < chars.len() {
                all.insert(with(i..i + 1, &[c]));
            }
        }
        if i < chars.len() {
            all.insert(with(i..i + 1, &[]));
        }
        if i + 1 < chars.len() {
            all.insert(with(i..i + 2, &[chars[i + 1], chars[i]]));
        }
    }
    all
}

/// Insertions, deletions and replacements between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
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
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(nearest("q", ["k", "q.weight", "qq", "v"].into_iter()), ["k", "qq", "v"]);
    }
}
