//! Makes a kernel smaller and faster without changing one bit of what it computes.
//!
//! One walk over the kernel writes a new one, statement by statement, and everything happens at the
//! moment of writing:
//!
//! ```text
//!            ┌ unroll     a loop's body is walked once per copy, indices become base + constant
//!   old ──▶  ├ fold       constants and bit-exact identities
//!  stmts     ├ affine     i64 values stay sums Σ cᵢ·aᵢ + c until someone needs them in a register;
//!            │            addresses take c as their constant part (see [`crate::affine`])
//!            ├ reuse      an equal pure instruction, or an equal load with no write between
//!            └ inserter   the outermost loop level where all operands exist (hoisting)
//! ```
//!
//! then `dead` removes what nobody uses and numbers the values densely. A second walk finds what the
//! first one uncovered; after that little is left, so the number of walks is bounded.
//!
//! *Bit for bit* forbids the usual float identities: `x + 0` turns −0 into 0, `x·1` quiets a signalling
//! NaN, `a·b + c` in two roundings is not `fma`. Integers form a ring, so there everything goes.
//! Registers matter as much as instructions: vector loads are neither hoisted out of loops nor reused
//! across more than a stretch of statements, and constants live in one place at the top of the kernel,
//! from where an emitter can fold each into its users.

mod branch;
mod dead;
mod fold;
mod index;
mod inserter;
mod rules;
mod simplifier;

use regard_ir::kernel::Kernel;

/// Walks after which simplification stops even if another would still find something.
const MAX_WALKS: usize = 3;

/// The same kernel with loops unrolled as their `unroll` asks, constants folded, equal computations
/// shared, invariant ones hoisted and dead ones removed. Results are bit-identical in f32. Every loop of
/// the result has `unroll` 1 and values are numbered densely in the order of their definition.
pub fn simplify(kernel: &Kernel) -> Kernel {
    let mut current = dead::sweep(&simplifier::rewrite(kernel));
    for _ in 1..MAX_WALKS {
        let next = dead::sweep(&simplifier::rewrite(&current));
        if next == current {
            break;
        }
        current = next;
    }
    current
}
