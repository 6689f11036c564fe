//! How results are printed: as text that fits the terminal, or as JSON for programs.
//!
//! ```text
//!   regard bench swin_tiny                 text, in lines of the terminal's width
//!   regard bench swin_tiny --json          JSON on standard output, and nothing else there
//!   regard bench swin_tiny --json=FILE     text on standard output, JSON in the file
//! ```
//!
//! JSON is one object on one line. Keys are words in snake case that say their unit (`median_ms`, `arena_bytes`, `estimate_ns`),
//! numbers are numbers, and what is not known is `null` or absent. Keys are only ever added. Errors go to standard error as
//! always, with the exit code.

use super::places::Places;
use crate::report::screen;
use clap::Args;
use regard::{errors::Result, files};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Whether and where JSON is wanted.
#[derive(Args, Clone, Default)]
pub(crate) struct JsonArgs {
    /// Print JSON instead of text; --json=FILE writes it to a file, along with text on standard output
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    json: Option<PathBuf>,
}

impl JsonArgs {
    /// What is written.
    pub(crate) fn places(&self) -> Places {
        Places::default().writes(self.path())
    }
    /// Whether standard output is for JSON alone.
    pub(crate) fn alone(&self) -> bool {
        self.json.as_deref() == Some(Path::new("-"))
    }
    /// Where it is written.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.json.as_deref()
    }
    /// Writes what was asked for; whether text is wanted, too.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn write(&self, value: impl FnOnce() -> Value) -> Result<bool> {
        if let Some(path) = &self.json {
            files::write(path, format!("{}\n", value()).as_bytes())?;
        }
        Ok(!self.alone())
    }
}

/// How wide tables are.
#[derive(Args, Clone, Copy, Default)]
pub(crate) struct WideArgs {
    /// Print all columns of tables, in lines of any length
    #[arg(long)]
    wide: bool,
}

impl WideArgs {
    /// Columns that a line may take.
    pub(crate) fn width(self) -> Option<usize> {
        screen::width(self.wide)
    }
}
