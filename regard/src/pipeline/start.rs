//! Where machine code that was just emitted becomes a session.
//!
//! ```text
//!   graph ─ lower, emit ─▶ Program<Code> ─ start ─▶ Session
//! ```
//!
//! Nobody can verify machine code, so `Session::new` is unsafe: its caller says where the code is from.

use crate::errors::{Error, Result};
use regard_ir::{
    program::{Code, Program},
    target::Target,
};
use regard_runtime::{Session, cpu, memory::Constants};

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
