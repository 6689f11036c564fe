//! `regard models`: the zoo.

use crate::{
    errors::{Error, Result},
    report, source,
};
use clap::Args;
use regard_models::{Config, ZOO};
use std::io::Write;

/// List the models that can be compiled by name
#[derive(Args)]
#[command(after_help = "Example:\n  regard models")]
pub struct Models {
    /// Only this model, with its options
    #[arg(value_name = "MODEL")]
    model: Option<String>,
}

/// Prints a row per model.
pub fn run(args: &Models, out: &mut dyn Write) -> Result<()> {
    let wanted = match &args.model {
        Some(name) => vec![regard_models::find(name).ok_or_else(|| source::unknown(name))?],
        None => ZOO.iter().collect(),
    };
    let row = |entry: &regard_models::Entry| -> Result<Vec<String>> {
        let graph = regard_models::build(entry.name, &Config::default())
            .map_err(|error| Error::Failed(format!("{}: {error}", entry.name)))?;
        let input = format!("3x{}x{}", entry.size.0, entry.size.1);
        // Two operations per multiply-add.
        let gmac = graph.flops() as f64 / 2e9;
        let parameters = format!("{:.1} M", graph.parameters() as f64 / 1e6);
        let also: Vec<String> = entry.aliases.iter().map(|alias| format!(", also `{alias}`")).collect();
        let what = format!("{}{}", entry.summary, also.concat());
        let words = [entry.name.to_owned(), parameters, format!("{gmac:.2}"), input, what];
        Ok(words.into_iter().chain([entry.source.to_owned()]).collect())
    };
    let rows = wanted.iter().copied().map(row).collect::<Result<Vec<_>>>()?;
    let head = ["model", "parameters", "GMAC", "input", "what", "source"];
    write!(out, "{}", report::table(&head, &[false, true, true, false, false, false], &rows))?;
    if args.model.is_some() {
        let options = wanted.iter().flat_map(|entry| entry.options);
        let rows: Vec<Vec<String>> =
            options.map(|option| vec![option.name.to_owned(), option.values.to_owned()]).collect();
        match rows.is_empty() {
            true => writeln!(out, "\nno options")?,
            false => {
                write!(out, "\n{}", report::table(&["option", "values, the first by default"], &[false; 2], &rows))?
            }
        }
    }
    Ok(())
}
