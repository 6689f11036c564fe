//! What tests draw: random graphs and random kernels. No product depends on it.
//!
//! ```text
//!   graphs::any(seed)      graphs::smooth(seed)       any op and type · without jumps
//!   kernels::any(seed, L)  kernels::inputs(…)         the core level, for L lanes · bytes of its parameters
//! ```
//!
//! The seed alone decides. `testkit/tests` holds what is true of every one of them: text reads back, verifiers find
//! nothing, interpreters run and never panic on damaged ones.

pub mod graphs;
pub mod kernels;
