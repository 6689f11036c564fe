//! The command line is read. Help and the version are results: they go to standard output, and where that takes nothing,
//! the program fails as any other command does.
//!
//! ```text
//!   arguments ─┬─▶ a command           run
//!              ├─▶ --help, --version   printed, exit code 0; 1 where they cannot be
//!              └─▶ a mistake           on standard error, exit code 2
//! ```

use super::about_output;
use crate::report::{errors::Failure, screen};
use clap::{Command, FromArgMatches};
use std::io::{self, Write};

/// What the command line asks for; `None` where that was printed already. Help has the terminal's width, and at most that
/// of a pipe.
///
/// # Errors
/// Where the command line cannot be read, or help cannot be printed.
pub(crate) fn parsed<T: FromArgMatches>(command: Command) -> Result<Option<T>, Failure> {
    let width = screen::width(false).unwrap_or(screen::PIPED).min(screen::PIPED);
    let parsed = command.term_width(width).try_get_matches().and_then(|matches| T::from_arg_matches(&matches));
    match parsed {
        Ok(parsed) => Ok(Some(parsed)),
        Err(error) if error.use_stderr() => Err(Failure::CommandLine(error)),
        Err(help) => {
            let mut out = io::stdout().lock();
            let text = help.render();
            let text = if screen::is_colored(&out) { text.ansi().to_string() } else { text.to_string() };
            let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            written.map_err(|error| about_output(error.into()))?;
            Ok(None)
        }
    }
}
