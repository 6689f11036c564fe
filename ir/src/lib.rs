//! What a program is.
//!
//! Two languages live here. The *graph IR* says what is computed: one node, one tensor, attention as a
//! node of its own. The *kernel IR* says how: loops, loads, vectors. Each has a text form, a verifier and
//! an interpreter, and the interpreters are the meaning: whatever the rest of Regard does to a graph or a
//! kernel is measured against them.
//!
//! ```text
//!   text ⇄ graph ──(passes)──▶ Program<Kernel> ──(codegen)──▶ Program<Code> ──(runtime)──▶ numbers
//!            │                        │
//!       graph::eval (f64)       kernel::eval (f32 or f64)
//! ```
//!
//! This crate does no I/O and knows no back end.

pub mod count;
pub mod diagnostic;
pub mod id;
pub mod lexer;
pub mod random;
pub mod types;

pub mod graph;
pub mod ops;
pub mod text;
mod verify;
pub mod view;

pub mod kernel;
pub mod program;
pub mod target;

pub use verify::{Violation, verify, verify_types};
