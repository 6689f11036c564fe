//! Numbers that a seed decides, and the hash of a text: the same on every machine, for ever.
//!
//! ```text
//!   z = seed + (i + 1)·STEP                    SplitMix64 (Steele, Lea, Flood 2014): the i-th number of a stream needs
//!   z ← (z ⊕ z»30)·0xbf58…,  z ← (z ⊕ z»27)·0x94d0…,  z ⊕ z»31                    no other, so parts can be drawn apart
//! ```

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// 64 random bits: number `i` of the stream of that seed.
pub fn number(seed: u64, i: u64) -> u64 {
    let z = seed.wrapping_add(i.wrapping_add(1).wrapping_mul(STEP));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The 64-bit hash of Fowler, Noll and Vo, variant 1a.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of that seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let bits = number(self.0, 0);
        self.0 = self.0.wrapping_add(STEP);
        bits
    }
    /// A number from 0 to `n` − 1; `n` ≥ 1.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }
    /// One of a list that is not empty.
    pub fn one<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x85944171f73967e8);
    }

    /// The first numbers of the authors' program for the seed 1234567.
    #[test]
    fn the_stream_is_the_published_one() {
        let mut random = Random::new(1_234_567);
        for (i, expected) in [6_457_827_717_110_365_317, 3_203_168_211_198_807_973].into_iter().enumerate() {
            assert_eq!([random.bits(), number(1_234_567, i as u64)], [expected; 2]);
        }
    }
}
