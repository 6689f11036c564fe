//! From bytes to numbers: sessions, the devices that they run on, and executables.
//!
//! ```text
//!   Program<Code> + constants ──package::write──▶ executable ──package::open──▶ Program<Code> + mapped constants
//!          └──────────────────────────▶ Session ◀──────────────────────────────────────┘
//!                       inputs ──▶ arena, kernels on a Device ──▶ outputs
//! ```
//!
//! This is the crate with `unsafe` code: where bytes become functions and where memory is mapped. One
//! trust runs through it. A kernel's machine code is believed to touch nothing but its buffers and its
//! scratch. The compiler that emitted it promises that, the kernel interpreter tests it, and a checksum
//! carries it through a file. Nobody can verify machine code, so nothing here pretends to: what turns bytes into
//! functions ([`Session::new`], [`Package::session`], [`cpu::code::run_once`]) is unsafe, and its caller vouches for them.

pub(crate) mod session;

pub mod cpu;
pub mod device;
mod interpreter;

pub mod files;
pub mod memory;
pub mod package;

pub use device::Device;
pub use interpreter::Interpreter;
pub use package::{Meta, Package, PackageError};
pub use session::{Session, SessionError};
