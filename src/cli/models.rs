//! `regard models`: the zoo.

use crate::{
    errors::{Error, Result},
    report,
};
use clap::Args;
use regard_models::{Config, ZOO};
use std::io::Write;

/// List the models that can be compiled by name
#[derive(Args)]
#[command(after_help = "Example:\n  regard models")]
pub struct Models {}

/// Prints a row per model.
pub fn run(_: &Models, out: &mut dyn Write) -> Result<()> {
    let row = |entry: &regard_models::Entry| -> Result<Vec<String>> {
        let graph = regard_models::build(entry.name, &Config::default())
            .map_err(|error| Error::Failed(format!("{}: {error}", entry.name)))?;
        let input = format!("3x{}x{}", entry.size.0, entry.size.1);
        // Two operations per multiply-add.
        let gmac = graph.flops() as f64 / 2e9;
        let parameters = format!("{:.1} M", graph.parameters() as f64 / 1e6);
        let words = [entry.name.to_owned(), parameters, format!("{gmac:.2}"), input, entry.summary.to_owned()];
        Ok(words.into_iter().chain([entry.source.to_owned()]).collect())
    };
    let rows = ZOO.iter().map(row).collect::<Result<Vec<_>>>()?;
    let head = ["model", "parameters", "GMAC", "input", "what", "source"];
    write!(out, "{}", report::table(&head, &[false, true, true, false, false, false], &rows))?;
    Ok(())
}
