//! `regard table`: the papers' tables beside ours.

use crate::{errors::Result, table};
use clap::Args;
use std::io::Write;

/// Compare parameters and operations with the papers' tables
#[derive(Args)]
#[command(after_help = "Example:\n  regard table --paper sasa --json")]
pub struct Table {
    /// Only this paper: bisa, debiformer or sasa
    #[arg(long, value_name = "NAME")]
    paper: Option<String>,
    /// A JSON array of objects instead of text
    #[arg(long)]
    json: bool,
}

/// Computes and prints.
pub fn run(args: &Table, out: &mut dyn Write) -> Result<()> {
    let lines = table::lines(args.paper.as_deref())?;
    out.write_all(if args.json { table::json(&lines) } else { table::text(&lines) }.as_bytes())?;
    Ok(())
}
