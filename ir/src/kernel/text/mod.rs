//! Kernels as text: `parse(print(k)) = k`, value numbers included.
//!
//! ```text
//! kernel scale_rows core lanes 16 grid [7, 1, 1] {
//!   param x : f32[4096]
//!   scratch panel : f32[3072]
//!   v0 = id g0
//!   v1 = const i64 48
//!   v2 = mul v0, v1
//!   v3 = const f32 0.5
//!   v6 = for v4 in v0 .. v2 step 4 unroll 2 (v5 = v3) {
//!     v7 : v.f32 = load x[v4 + 16] first v2 stride 3
//!     v8 = reduce max v7
//!     yield v8
//!   }
//! }
//! ```
//!
//! A line is `results = instruction operands`. Types follow from operands and buffers; one may be written after a
//! result (`v7 : v.f32`) and is then checked, and loads always print theirs. What has a default is left out when it
//! has it: `units 1`, `step 1`, `unroll 1`, `stride 1`, an empty `else`. A number that names no value (a
//! pass removed it) is kept by a line `unused v9 : f32`.
//!
//! `print` writes, `parse` reads and reports the first mistake with its place, `names` holds the words.

mod names;
mod parse;
mod print;
#[cfg(test)]
mod tests;

pub use parse::{parse, parse_from};
pub(crate) use print::statement;
