//! From bytes to numbers: machine code in memory, worker threads, sessions and executables.
//!
//! ```text
//!   Program<Code> + constants ──package::write──▶ executable ──package::open──▶ Program<Code> + mapped constants
//!          └──────────────────────────▶ Session ◀──────────────────────────────────────┘
//!                       inputs ──▶ arena, pool, kernels ──▶ outputs
//! ```
//!
//! This is the crate with `unsafe` code: where bytes become functions and where memory is mapped. One
//! trust runs through it. A kernel's machine code is believed to touch nothing but its buffers and its
//! scratch. The compiler that emitted it promises that, the kernel interpreter tests it, and a checksum
//! carries it through a file. Nobody can verify machine code, so nothing here pretends to: what turns bytes into
//! functions ([`Session::new`], [`Package::session`], [`code::run_once`]) is unsafe, and its caller vouches for them.

pub mod code;
pub mod cpu;
pub mod files;
mod float;
pub mod memory;
pub mod package;
pub mod pool;
pub(crate) mod session;

pub use package::{Meta, Package, PackageError};
pub use session::{Session, SessionError};
