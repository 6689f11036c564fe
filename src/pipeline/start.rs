//! Where machine code becomes a session: the one place outside the runtime that vouches for code.
//!
//! ```text
//!   graph ─ lower, emit ─▶ Program<Code> ─ start ─▶ Session
//!   package ─ open ──────────────────────── open ─▶ Session
//! ```
//!
//! Nobody can verify machine code, so `Session::new` is unsafe: its caller says where the code is from.

use crate::errors::Result;
use regard_ir::program::{Code, Program};
use regard_runtime::{Package, Session, memory::Constants};

/// A session of a program that this compiler has just emitted.
pub(crate) fn start(program: Program<Code>, constants: Constants, threads: usize) -> Result<Session> {
    // SAFETY: only this crate calls this, with programs that `lower` made and `emit` turned into code, unchanged; what
    // they access stays within buffers, as the verifier and the kernel interpreter hold, and commands choose targets
    // that this processor executes.
    Ok(unsafe { Session::new(program, constants, threads) }?)
}

/// A session of a package: of this very program's own, or of one that is executable and that this program wrote.
///
/// # Errors
/// Where the system refuses memory.
pub(crate) fn open(package: Package, threads: usize) -> Result<Session> {
    // SAFETY: packages come from `Package::own` and `Package::open_to_run` alone. The former is the program that the user
    // has started, the latter one that its owner lets be executed: running its code is what was asked for.
    Ok(unsafe { package.session(threads) }?)
}
