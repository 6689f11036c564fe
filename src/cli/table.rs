//! `regard table`: the papers' tables beside ours.

use super::{JsonArgs, WideArgs};
use crate::report;
use clap::Args;
use regard::{errors::Result, papers};
use std::io::Write;

/// Compare parameters and operations with the papers' tables
#[derive(Args)]
#[command(
    after_help = "JSON is an object whose `rows` are those of the table.\n\nExample:\n  regard table --paper sasa --json"
)]
pub(crate) struct Table {
    /// Only this paper: bisa, debiformer or sasa
    #[arg(long, value_name = "NAME")]
    paper: Option<String>,
    #[command(flatten)]
    wide: WideArgs,
    #[command(flatten)]
    pub json: JsonArgs,
}

/// Computes and prints.
pub(crate) fn run(args: &Table, out: &mut dyn Write) -> Result<()> {
    let lines = papers::lines(args.paper.as_deref())?;
    match args.json.write(|| report::papers::json(&lines))? {
        true => Ok(write!(out, "{}", report::papers::text(&lines, args.wide.width()))?),
        false => Ok(()),
    }
}
