//! What long work tells about itself.
//!
//! ```text
//!   pipeline, check, bench ─ say("measuring") ─▶ Progress      a line on a terminal, a window, nothing
//! ```

use std::fmt;

/// Is told what is being done.
pub trait Progress: fmt::Debug {
    /// Work of this name begins.
    fn say(&self, what: &str);
    /// The work is done; something else may be printed.
    fn clear(&self) {}
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn say(&self, _: &str) {}
}
