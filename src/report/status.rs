//! What long work is doing, on standard error, where that is a terminal; elsewhere nothing.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use regard::{progress::Progress, threads};
use std::{
    io::{self, IsTerminal},
    time::Duration,
};

/// How often the line is redrawn.
const TICK: Duration = Duration::from_millis(120);

/// One line that says what is being done; it vanishes when dropped.
#[derive(Debug)]
pub(crate) struct Status {
    bar: ProgressBar,
}

impl Status {
    /// A line on standard error, or nothing where that is not a terminal or no thread is to be had.
    pub(crate) fn stderr() -> Status {
        // The line has a thread of its own.
        if !io::stderr().is_terminal() || threads::are_refused() {
            return Status { bar: ProgressBar::hidden() };
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is constant"));
        Status { bar }
    }
}

impl Progress for Status {
    fn say(&self, what: &str) {
        self.bar.set_message(what.to_owned());
        if !self.bar.is_hidden() {
            self.bar.enable_steady_tick(TICK);
        }
    }
    fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
