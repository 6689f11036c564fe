//! `regard models`: the zoo.

use super::source;
use super::{JsonArgs, WideArgs};
use crate::report::{Column, Table};
use clap::Args;
use regard::errors::{Error, Result};
use regard_models::{Config, Entry, ZOO};
use serde_json::{Value, json};
use std::io::Write;

/// List the models that can be compiled by name
#[derive(Args)]
#[command(after_help = "Example:\n  regard models")]
pub(crate) struct Models {
    /// Only this model, with its options
    #[arg(value_name = "MODEL")]
    model: Option<String>,
    #[command(flatten)]
    wide: WideArgs,
    #[command(flatten)]
    pub json: JsonArgs,
}

/// A model with what its graph says.
struct Row {
    entry: &'static Entry,
    parameters: u64,
    flops: u64,
}

/// Prints a row per model.
pub(crate) fn run(args: &Models, out: &mut dyn Write) -> Result<()> {
    let wanted = match &args.model {
        Some(name) => vec![regard_models::find(name).ok_or_else(|| source::unknown(name))?],
        None => ZOO.iter().collect(),
    };
    let row = |entry: &&'static Entry| -> Result<Row> {
        let graph = regard_models::build(entry.name, &Config::default())
            .map_err(|error| Error::Failed(format!("{}: {error}", entry.name)))?;
        Ok(Row { entry, parameters: graph.parameters(), flops: graph.flops() })
    };
    let rows = wanted.iter().map(row).collect::<Result<Vec<_>>>()?;
    if !args.json.write(|| json!({"models": rows.iter().map(Row::json).collect::<Vec<_>>()}))? {
        return Ok(());
    }
    let width = args.wide.width();
    let columns = [
        Column::left("model"),
        Column::right("parameters").rank(1),
        Column::right("GMAC").rank(2),
        Column::left("input").rank(3),
        Column::prose("what", 24).rank(4),
        Column::name("source", 16).rank(5),
    ];
    let table = Table::new(columns).with(rows.iter().map(Row::cells)).fit(width);
    write!(out, "{}{}", table.text, table.note(width))?;
    if args.model.is_some() {
        let options = wanted.iter().flat_map(|entry| entry.options);
        let rows: Vec<Vec<String>> =
            options.map(|option| vec![option.name.to_owned(), option.values.to_owned()]).collect();
        let columns = [Column::left("option"), Column::prose("values, the first by default", 20)];
        match rows.is_empty() {
            true => writeln!(out, "\nthis model has no options")?,
            false => write!(out, "\n{}", Table::new(columns).with(rows).fit(width).text)?,
        }
    }
    Ok(())
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let Row { entry, parameters, flops } = self;
        // Two operations per multiply-add.
        let gmac = *flops as f64 / 2e9;
        let also: Vec<String> = entry.aliases.iter().map(|alias| format!(", also `{alias}`")).collect();
        vec![
            entry.name.to_owned(),
            format!("{:.1} M", *parameters as f64 / 1e6),
            format!("{gmac:.2}"),
            format!("3x{}x{}", entry.size.0, entry.size.1),
            format!("{}{}", entry.summary, also.concat()),
            entry.source.to_owned(),
        ]
    }
    fn json(&self) -> Value {
        let Row { entry, parameters, flops } = self;
        let options: Vec<Value> =
            entry.options.iter().map(|option| json!({"name": option.name, "values": option.values})).collect();
        json!({
            "name": entry.name,
            "aliases": entry.aliases,
            "summary": entry.summary,
            "source": entry.source,
            "parameters": parameters,
            "gmac": *flops as f64 / 2e9,
            "height": entry.size.0,
            "width": entry.size.1,
            "classes": entry.classes,
            "options": options,
        })
    }
}
