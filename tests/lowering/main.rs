//! What is lowered is what was said: graph ≡ kernels ≡ machine code, for every op, odd sizes and random graphs.
//!
//! [`chain`] closes the chain for one graph; the other files choose graphs. Sizes are small and divide
//! nothing, since that is where lanes, tiles and tails go wrong.

mod chain;
mod drawn;

mod attention;
mod bidirectional;
mod half;
mod hostile;
mod large;
mod maps;
mod masks;
mod movement;
mod norms;
mod ops;
mod ports;
mod products;
mod random;
mod routing;
mod rows;
mod schedules;
mod stages;
