//! What long work is doing, on standard error, where that is a terminal; elsewhere nothing.

use crate::threads;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::{self, IsTerminal},
    time::Duration,
};

/// How often the line is redrawn.
const TICK: Duration = Duration::from_millis(120);

/// One line that says what is being done; it vanishes when dropped.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A line on standard error, or nothing where that is not a terminal or no thread is to be had.
    pub(crate) fn stderr() -> Progress {
        // The line has a thread of its own.
        if !io::stderr().is_terminal() || threads::are_refused() {
            return Progress::hidden();
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is constant"));
        Progress { bar }
    }
    /// Nothing.
    pub fn hidden() -> Progress {
        Progress { bar: ProgressBar::hidden() }
    }
    /// Says what is being done now.
    pub(crate) fn say(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
        if !self.bar.is_hidden() {
            self.bar.enable_steady_tick(TICK);
        }
    }
    /// Removes the line, before something else is printed.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
