//! Regard compiles attention models.
//!
//! ```text
//!   model, .rg text ──▶ graph ──▶ plan ──▶ schedule ──▶ kernels ──▶ code ──▶ session, executable
//!      (models, ir)               (passes)              (codegen)     (runtime)
//! ```
//!
//! This crate is where the stages meet: [`pipeline`] strings them together, [`weights`] and [`images`] bring
//! the outside in, [`check`] and [`golden`] hold results against the reference, and [`cli`] is the program.
//! Only this crate and the runtime do I/O.

pub use regard_codegen as codegen;
pub use regard_ir as ir;
pub use regard_models as models;
pub use regard_passes as passes;
pub use regard_runtime as runtime;

pub mod pipeline;
pub mod source;

pub mod archive;
pub mod images;
pub mod values;
pub mod weights;

pub mod bench;
pub mod check;
pub mod choices;
pub mod compare;
pub mod explain;
pub mod golden;
pub mod inference;
pub mod score;
pub mod segment;
pub mod table;

pub mod cli;
pub mod errors;
pub mod files;
mod json;
mod memory;
pub mod progress;
pub mod report;
mod room;
pub mod threads;
