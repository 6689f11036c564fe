//! The papers' tables beside ours, as text and as JSON.

use super::{Column, Table, screen::wrapped};
use regard::papers::{Line, deviation};

/// The lines as text, at most `width` columns each.
pub(crate) fn text(lines: &[Line], width: Option<usize>) -> String {
    let percent = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:+.1} %"));
    let words = |text: Option<&str>| text.unwrap_or("").to_owned();
    let row = |line: &Line| {
        let Line { row, params, flops, .. } = line;
        vec![
            format!("{} {}", row.paper, row.table),
            row.row.to_owned(),
            format!("{:.3} M", *params as f64 / 1e6),
            words(row.params),
            percent(deviation(*params, row.params)),
            format!("{:.3} G", *flops as f64 / 1e9),
            words(row.flops),
            percent(deviation(*flops, row.flops)),
            line.counting.name().to_owned(),
        ]
    };
    let columns = [
        Column::left("table"),
        Column::name("row", 20),
        Column::right("parameters"),
        Column::right("printed").rank(2),
        Column::right(""),
        Column::right("operations"),
        Column::right("printed").rank(3),
        Column::right(""),
        Column::prose("counted", 12).rank(1),
    ];
    let table = Table::new(columns).with(lines.iter().map(row)).fit(width);
    let mut out = table.text.clone() + &table.note(width);
    for line in lines.iter().filter(|line| line.row.note.is_some()) {
        let note = format!("{}: {}", line.row.row, line.row.note.unwrap_or_default());
        out += &format!("{}\n", wrapped(&note, width, "  "));
    }
    out
}

/// The lines as JSON: an object with an array of rows.
pub(crate) fn json(lines: &[Line]) -> serde_json::Value {
    let object = |line: &Line| {
        serde_json::json!({
            "paper": line.row.paper,
            "table": line.row.table,
            "row": line.row.row,
            "params": line.params,
            "params_paper": line.row.params,
            "flops": line.flops,
            "flops_paper": line.row.flops,
            "convention": line.counting.name(),
        })
    };
    serde_json::json!({"rows": lines.iter().map(object).collect::<Vec<_>>()})
}
