//! The command line of Regard, and what executables begin with.
//!
//! ```text
//!   main.rs      regard           every command                              ┐
//!   runner.rs    regard-runner    the model behind it; commands left out     ┴─ one library, so that nothing is compiled twice
//!
//!   cli     arguments ─▶ calls of the library ─▶ results ─┐
//!   report  text, tables, JSON, pages, pictures  ◀────────┘
//! ```
//!
//! What is computed is a matter of the library, `regard`; how it is asked for and shown is decided here.

mod cli;
pub mod report;

pub use cli::{main, runner};
