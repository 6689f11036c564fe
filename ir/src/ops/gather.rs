//! Rows picked by index.
//!
//!     y[i…, c…] = table[idx[i…], c…]

/// `gather %table, %idx`: table `[n, c…]`, idx i32 `[i…]` → `[i…, c…]`; an index outside 0…n−1 is an error
/// of the interpreter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gather;
