//! `regard completions` and `regard man`: what shells and `man` read, made from the command line's own description.

use super::Cli;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use regard::errors::{Error, Result};
use std::io::Write;

/// Print a script that completes commands and options in a shell
#[derive(Args)]
#[command(after_help = "Examples:
  regard completions bash > ~/.local/share/bash-completion/completions/regard
  regard completions zsh > ~/.zfunc/_regard
  regard completions fish > ~/.config/fish/completions/regard.fish")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Print a manual page
#[derive(Args)]
#[command(after_help = "Examples:
  regard man > ~/.local/share/man/man1/regard.1
  regard man run | man -l -")]
pub(crate) struct Manual {
    /// The page of this command; that of the program by default
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

/// Prints the script.
pub(crate) fn completions(args: &Completions, out: &mut dyn Write) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "regard", &mut script);
    Ok(out.write_all(&script)?)
}

/// Prints the page.
pub(crate) fn manual(args: &Manual, out: &mut dyn Write) -> Result<()> {
    let mut cli = Cli::command();
    cli.build();
    let page = match &args.command {
        None => Man::new(cli),
        Some(name) => {
            let found = cli.find_subcommand(name).cloned();
            let found = found.ok_or_else(|| Error::Usage(format!("there is no command called `{name}`")))?;
            Man::new(found).title(format!("regard-{name}"))
        }
    };
    let mut text = Vec::new();
    page.render(&mut text)?;
    Ok(out.write_all(&text)?)
}
