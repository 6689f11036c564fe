//! Timing, progress, text and checks of stages.

use super::Artifact;
use crate::{
    errors::{Error, Result},
    progress::{Progress, Silent},
};
use regard_ir::count::{agree, counted};
use std::time::{Duration, Instant};

/// What happened in each stage.
#[derive(Debug)]
pub struct Trace {
    progress: Box<dyn Progress>,
    times: Vec<(&'static str, Duration)>,
    wanted: Option<String>,
    text: Option<String>,
}

impl Default for Trace {
    fn default() -> Trace {
        Trace::new()
    }
}

impl Trace {
    /// Times stages, and tells nobody which one runs.
    pub fn new() -> Trace {
        Trace { progress: Box::new(Silent), times: Vec::new(), wanted: None, text: None }
    }
    /// Tells which stage runs.
    pub fn telling(self, progress: impl Progress + 'static) -> Trace {
        Trace { progress: Box::new(progress), ..self }
    }
    /// Also keeps the text of what stage `name` makes.
    pub fn keeping(self, name: &str) -> Trace {
        Trace { wanted: Some(name.to_owned()), ..self }
    }
    /// Runs a stage.
    ///
    /// # Errors
    /// Those of the stage; and, in builds with debug assertions, where its result breaks an invariant.
    pub fn stage<T: Artifact>(&mut self, name: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.progress.say(&format!("compiling: {name}"));
        let start = Instant::now();
        let made = work()?;
        self.times.push((name, start.elapsed()));
        if self.wanted.as_deref() == Some(name) {
            self.text = Some(made.text());
        }
        let faults = if cfg!(debug_assertions) { made.faults() } else { Vec::new() };
        match faults.first() {
            None => Ok(made),
            Some(first) => Err(Error::Failed(format!(
                "internal error: after stage {name} {} {} not hold, first: {first}",
                counted(faults.len(), "invariant"),
                agree(faults.len(), "does", "do")
            ))),
        }
    }
    /// How long each stage took, in the order they ran.
    pub(crate) fn times(&self) -> &[(&'static str, Duration)] {
        &self.times
    }
    /// All stages together.
    pub fn total(&self) -> Duration {
        self.times.iter().map(|t| t.1).sum()
    }
    /// The text that was to be kept, once its stage has run.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }
    /// What is told.
    pub fn progress(&self) -> &dyn Progress {
        &*self.progress
    }
}
