//! Constants after the code.
//!
//! ```text
//!   code … ret | padding to 64 | whole vectors | 32-bit words
//! ```
//!
//! Instructions read them relative to the instruction pointer, so they need no relocation and no
//! register. With 16 lanes a splat is one word that the instruction broadcasts; with 8 lanes it is a whole
//! vector, because AVX2 cannot broadcast within an operand.

use std::collections::BTreeMap;

/// Alignment of the constants relative to the code's start, in bytes.
pub(crate) const ALIGN: usize = 64;

/// A constant in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Constant {
    /// A vector of the kernel's lanes.
    Vector(u32),
    /// One 32-bit word.
    Word(u32),
}

/// All constants of one kernel, each once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    vectors: BTreeMap<Vec<u32>, u32>,
    words: BTreeMap<u32, u32>,
}

impl Pool {
    /// The constant whose lanes are `lanes`.
    pub(crate) fn vector(&mut self, lanes: Vec<u32>) -> Constant {
        let next = self.vectors.len() as u32;
        Constant::Vector(*self.vectors.entry(lanes).or_insert(next))
    }
    /// One word.
    pub(crate) fn word(&mut self, bits: u32) -> Constant {
        let next = self.words.len() as u32;
        Constant::Word(*self.words.entry(bits).or_insert(next))
    }
    /// The pool's bytes and the offset of each constant in them, given that vectors have `lanes` lanes.
    pub(crate) fn layout(&self, lanes: usize) -> (Vec<u8>, impl Fn(Constant) -> usize + use<>) {
        let vectors = self.vectors.len() * lanes;
        let mut words = vec![0u32; vectors + self.words.len()];
        for (value, &at) in &self.vectors {
            words[at as usize * lanes..][..lanes].copy_from_slice(value);
        }
        for (&value, &at) in &self.words {
            words[vectors + at as usize] = value;
        }
        let bytes = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let offset = move |constant| match constant {
            Constant::Vector(at) => at as usize * lanes * 4,
            Constant::Word(at) => (vectors + at as usize) * 4,
        };
        (bytes, offset)
    }
}
