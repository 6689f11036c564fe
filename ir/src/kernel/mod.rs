//! Kernel IR: the program of one *unit*.
//!
//! A unit is a core with L = 4, 8, 16 (or 32) lanes, a warp of 32, or a warpgroup of 128. Scalars are the
//! same in all lanes and alone decide control flow; a vector has one element per lane; a tile belongs to
//! the whole unit. A block is one or more units that share scratch; blocks run in any order, and no two
//! blocks write the same element. On a CPU a block is one unit.
//!
//! ```text
//!   kernel = grid of blocks ── block = units + scratch ── unit = scalars, vectors, tiles
//! ```
//!
//! Values are SSA and structured: `for` and `if` carry values explicitly, operands come before their
//! users. Memory is buffers, never pointers: an [`Addr`] is a buffer, one i64 scalar and one constant, all
//! in elements, so the interpreter can check every access. Different buffers never alias,
//! but for a result that takes an operand's place, each element after it was read for the last time.
//!
//! Back ends see only this language: adding an op never touches a back end.

pub(crate) mod address;
pub(crate) mod build;
pub mod eval;
pub(crate) mod inst;
pub mod math;
pub mod stats;
pub mod text;
pub(crate) mod typing;
pub mod verify;
pub(crate) mod walk;

pub use build::Builder;
pub use inst::*;
