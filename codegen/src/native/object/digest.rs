//! The digest that ties an object to its weights.
//!
//! ```text
//!   NAME.weights   constants, zeros up to a multiple of 64 │ magic, 8 bytes │ digest, 8 bytes
//!
//!   lane j of 4:   h ← (h ⊕ word) · P,  h ← h ⊕ (h » 32)      for words j, j + 4, …
//!   digest         the same over the four lanes
//! ```
//!
//! Object, header and weights are one set; of another set, any one looks the same. A step is a bijection in the word and
//! in `h`, so a change of one word always changes the digest. It finds accidents, not malice.

use regard_ir::program::BUFFER_ALIGN;

/// An odd number with as many ones as zeros, nearly.
pub(super) const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
/// Lanes, whose chains of multiplications run side by side.
pub(super) const LANES: usize = 4;
/// What stands before the digest.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"regardw1");

/// Bytes of the weights' own part of their file, with the zeros at its end.
pub(super) fn padded(bytes: u64) -> u64 {
    bytes.next_multiple_of(BUFFER_ALIGN)
}

/// Bytes of the whole file: nothing where there are no weights.
pub(super) fn file_bytes(bytes: u64) -> u64 {
    if bytes == 0 { 0 } else { padded(bytes) + 16 }
}

/// The digest of constants and the zeros after them.
pub(super) fn digest(constants: &[u8]) -> u64 {
    let mut lanes = [0u64; LANES];
    let whole = constants.chunks_exact(8 * LANES);
    let mut rest = [0; 8 * LANES];
    rest[..whole.remainder().len()].copy_from_slice(whole.remainder());
    let mut take = |chunk: &[u8]| {
        for (lane, word) in lanes.iter_mut().zip(chunk.chunks_exact(8)) {
            *lane = step(*lane, u64::from_le_bytes(word.try_into().expect("eight bytes")));
        }
    };
    let chunks = whole.len() + usize::from(!whole.remainder().is_empty());
    whole.for_each(&mut take);
    if !constants.len().is_multiple_of(8 * LANES) {
        take(&rest);
    }
    let all = padded(constants.len() as u64) as usize / (8 * LANES);
    (chunks..all).for_each(|_| take(&[0; 8 * LANES]));
    lanes.into_iter().fold(0, step)
}

fn step(hash: u64, word: u64) -> u64 {
    let product = (hash ^ word).wrapping_mul(MULTIPLIER);
    product ^ product >> 32
}

/// What follows `constants` in the file of an object's weights.
pub fn seal(constants: &[u8]) -> Vec<u8> {
    if constants.is_empty() {
        return Vec::new();
    }
    let mut end = vec![0; (padded(constants.len() as u64) as usize) - constants.len()];
    end.extend(MAGIC.to_le_bytes());
    end.extend(digest(constants).to_le_bytes());
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_and_the_order_count() {
        for len in [1, 31, 32, 33, 64, 200] {
            let bytes: Vec<u8> = (0..len).map(|i| (i * 37 % 251) as u8).collect();
            let whole = digest(&bytes);
            for bit in 0..8 * len {
                let mut other = bytes.clone();
                other[bit / 8] ^= 1 << (bit % 8);
                assert_ne!(digest(&other), whole, "bit {bit} of {len} bytes");
            }
            let mut zeros = bytes.clone();
            zeros.resize(padded(len as u64) as usize, 0);
            assert_eq!(digest(&zeros), whole);
            assert_eq!((bytes.len() + seal(&bytes).len()) as u64, file_bytes(len as u64));
        }
        let words: Vec<u8> = (0..128).collect();
        let swapped: Vec<u8> = [&words[32..64], &words[..32], &words[64..]].concat();
        assert_ne!(digest(&words), digest(&swapped));
        assert!(seal(&[]).is_empty() && file_bytes(0) == 0);
    }
}
