//! Graph optimisation, planning, scheduling and lowering to kernels.
//!
//! ```text
//!   graph ─canonical─▶ canonical form ─optimize─▶ better graph ─plan─▶ groups ─schedule─▶ tiles ─lower─▶ Program<Kernel>
//! ```
//!
//! Every stage is a function from data to data; nothing here does I/O, reads a clock or asks the machine:
//! what it can do is the [`Target`](regard_ir::target::Target) passed in.

mod buffers;
pub mod canonical;
pub mod egraph;
mod error;
mod horizontal_fusion;
mod lower;
mod memory;
pub mod plan;
pub mod replay;
pub mod schedule;
mod step;
mod templates;

pub use canonical::Canonical;
pub use egraph::{Optimized, Rules, optimize};
pub use error::Error;
pub use lower::lower;
pub use plan::{Plan, plan, plan_rows};
pub use schedule::Schedule;
pub use step::{RewriteStep, Snapshot};
