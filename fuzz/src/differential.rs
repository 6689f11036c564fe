//! The chain for choices that a seed draws: graph, rules, tiles, target. `tests/lowering` closes it for the first
//! few hundred seeds; here any eight bytes are one.

use crate::drawn::try_drawn;

/// Closes the chain for the first eight bytes, as a seed.
pub fn chain(data: &[u8]) {
    let Some(seed) = data.first_chunk::<8>() else { return };
    let seed = u64::from_le_bytes(*seed);
    if let Err(message) = try_drawn(seed) {
        panic!("seed {seed}: {message}");
    }
}
