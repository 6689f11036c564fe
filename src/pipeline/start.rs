//! Where machine code becomes a session: the one place outside the runtime that vouches for code.
//!
//! ```text
//!   graph ─ lower, emit ─▶ Program<Code> ─ start ─▶ Session
//!   package ─ open ──────────────────────── open ─▶ Session
//! ```
//!
//! Nobody can verify machine code, so `Session::new` is unsafe: its caller says where the code is from.

use crate::errors::{Error, Result};
use regard_ir::{
    program::{Code, Program},
    target::Target,
};
use regard_runtime::{Package, Session, cpu, memory::Constants};

/// A session of a program that this compiler has just emitted for `target`.
///
/// # Errors
/// Where this processor cannot execute it, or the system refuses memory.
pub(crate) fn start(program: Program<Code>, constants: Constants, target: &Target, threads: usize) -> Result<Session> {
    if Target::named(target.name) != Some(target) {
        return Err(Error::Usage(format!(
            "{} is not the target of this name, so nobody knows what executes it",
            target.name
        )));
    }
    if !cpu::supports(target.name) {
        return Err(Error::Usage(format!("this processor cannot execute {} code", target.name)));
    }
    // SAFETY: only this crate calls this, with programs that `lower` made and `emit` turned into code, unchanged; what
    // they access stays within buffers, as the verifier and the kernel interpreter hold, and this processor executes it.
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
