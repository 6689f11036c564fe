//! Regard compiles attention models.
//!
//! ```text
//!   model, .rg text ──▶ graph ──▶ plan ──▶ schedule ──▶ kernels ──▶ code ──▶ session, executable
//!      (models, ir)               (passes)              (codegen)     (runtime)
//! ```
//!
//! ```
//! use regard::{
//!     ir::text,
//!     pipeline::{self, SessionOptions, Trace},
//!     weights::Synthetic,
//! };
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let graph = text::parse(
//!         "graph block {
//!            %x = input : f32[49, 32]
//!            %w = weight : f32[32, 32]
//!            %q = matmul %x, %w
//!            %a = attention %q, %x, %x { scale = 0.177 }
//!            %y = add %x, %a
//!            return %y
//!          }",
//!     )?;
//!     let target = pipeline::executable_target(None)?;
//!     let options = SessionOptions { compile: target.into(), weights: &Synthetic::of(0, &graph), threads: 2 };
//!     let (session, _) = pipeline::session(&graph, &options, &mut Trace::new())?;
//!     let y = session.run_f32(&[&[0.5; 49 * 32]])?;
//!     println!("{:?}", &y[0][..4]);
//!     Ok(())
//! }
//! ```
//!
//! This crate is where the stages meet: [`pipeline`] strings them together, [`weights`] and [`images`] bring
//! the outside in, [`check`] and [`golden`] hold results against the reference, [`mod@bench`] against the clock, and
//! [`explain`] and [`compare`] say what was chosen and why. Results are data; it prints nothing and knows no terminal.

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
pub mod compare;
pub mod explain;
pub mod golden;
pub mod inference;
pub mod papers;
pub mod score;
pub mod segment;
pub mod tie_breaks;

pub mod errors;
pub mod files;
mod json;
pub mod memory;
pub mod progress;
mod room;
pub mod threads;
pub mod units;
