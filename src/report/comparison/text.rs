//! A comparison as text: totals of each schedule, where the time goes, and other tiles that are worth a look.
//!
//! ```text
//!   totals         a line per schedule, those that take as long as the chosen one left out
//!   kernels        the ten that take most of the time, or all: share, time, module
//!   alternatives   tiles that other schedules give them, where that makes more than 2 % of a difference
//! ```
//!
//! Launches of one kernel with the same tiles are one line, named after all of its places: `layers.2.blocks.{0-5}.mlp.fc1`.

use crate::report::{Column, Table, pattern, screen::wrapped};
use regard::{
    compare::{
        Comparison, Entry, Living,
        lines::{Line, NOISE, by_time},
    },
    units::{bytes, duration},
};
use regard_ir::count::{agree, counted};
use std::time::Duration;

/// Kernels shown where not all are asked for.
const FIRST: usize = 10;

/// Everything, in lines of at most `width` columns; `all` kernels or those that take most of the time.
pub(crate) fn text(comparison: &Comparison, all: bool, width: Option<usize>) -> String {
    let (model, target) = (&comparison.graph().name, comparison.target().name);
    let lines = by_time(comparison);
    let shown = if all { lines.len() } else { lines.len().min(FIRST) };
    let head = format!("{model} for {target} on one core, {}", said(comparison));
    let mut text = wrapped(&head, width, "") + "\n\n";
    text += &schedules(comparison, width);
    let time = |lines: &[Line]| lines.iter().map(Line::time).sum::<f64>();
    let share = 100.0 * time(&lines[..shown]) / time(&lines).max(f64::MIN_POSITIVE);
    let sentence = match lines.len() - shown {
        0 => format!("Where the time goes, by kernel ({shown}):"),
        _ => format!(
            "Where the time goes: {shown} of {} {} {share:.1} %; --all shows the others.",
            counted(lines.len(), "kernel"),
            agree(shown, "takes", "take")
        ),
    };
    let table = kernels(comparison, &lines, shown).fit(width);
    text += &format!("\n{}\n{}", wrapped(&sentence, width, ""), table.text);
    text += &table.note(width);
    text += &alternatives(comparison, &lines[..shown], width);
    if !table.left_out.contains(&"L1") {
        text += "\nBytes cross the border in front of each level.\n";
    }
    text
}

/// The chosen schedules of several graphs, a line each; others are compared with the first.
pub(crate) fn side_by_side(comparisons: &[Comparison], width: Option<usize>) -> String {
    let first = &comparisons[0];
    let measured = first.entries()[0].measured().is_some();
    let rows = comparisons.iter().map(|comparison| {
        let mut cells = totals_of(&comparison.entries()[0], &first.entries()[0]);
        let parameters = format!("{:.1} M", comparison.graph().parameters() as f64 / 1e6);
        cells.splice(0..1, [comparison.graph().name.clone(), parameters]);
        cells
    });
    let columns = [Column::name("model", 16), Column::right("parameters").rank(2)];
    let table = totals_table(columns.into_iter().chain(TOTALS.into_iter().skip(1)), rows, measured).fit(width);
    let head =
        format!("{} for {} on one core, {}", counted(comparisons.len(), "model"), first.target().name, said(first));
    wrapped(&head, width, "") + "\n\n" + &table.text + &table.note(width)
}

fn said(comparison: &Comparison) -> &'static str {
    match comparison.entries()[0].measured() {
        Some(_) => "estimated and measured",
        None => "estimated; --measure also measures",
    }
}

/// What is told of a schedule as a whole.
pub(crate) const TOTALS: [Column; 12] = [
    Column::name("schedule", 16),
    Column::right("kernels").rank(6),
    Column::right("launches").rank(3),
    Column::right("GFLOP").rank(1),
    Column::right("L1").rank(11),
    Column::right("L2").rank(10),
    Column::right("L3").rank(9),
    Column::right("memory").rank(8),
    Column::right("arena").rank(4),
    Column::right("scratch").rank(5),
    Column::right("estimate"),
    Column::right("measured"),
];

/// A table of totals; measurements are its last column, where there are some.
fn totals_table(
    columns: impl Iterator<Item = Column>,
    rows: impl Iterator<Item = Vec<String>>,
    measured: bool,
) -> Table {
    let columns: Vec<Column> = columns.collect();
    let count = columns.len() - usize::from(!measured);
    Table::new(columns.into_iter().take(count)).with(rows.map(|row| row.into_iter().take(count).collect()))
}

/// A line per schedule; one of the next best tiles only where it takes another time.
fn schedules(comparison: &Comparison, width: Option<usize>) -> String {
    let first = &comparison.entries()[0];
    let (mut rows, mut alike) = (Vec::new(), Vec::new());
    for entry in comparison.entries() {
        match entry.is_next_best && !first.differs(entry) {
            true => alike.extend(
                entry.title.split(':').next().filter(|kind| !alike.contains(kind)).into_iter().collect::<Vec<_>>(),
            ),
            false => rows.push(totals_of(entry, first)),
        }
    }
    let table = totals_table(TOTALS.into_iter(), rows.into_iter(), first.measured().is_some()).fit(width);
    let mut text = table.text;
    if !alike.is_empty() {
        let percent = 100.0 * NOISE;
        let alike = format!("Next best tiles of {} take the same time within {percent:.0} %.", alike.join(", "));
        text += &format!("{}\n", wrapped(&alike, width, ""));
    }
    text
}

/// A time in nanoseconds, or nothing.
pub(crate) fn time(ns: Option<f64>) -> String {
    ns.map_or("–".into(), |ns| duration(Duration::from_nanos(ns as u64)))
}

/// A row of [`TOTALS`] for each schedule.
pub(crate) fn totals(comparison: &Comparison) -> Vec<Vec<String>> {
    comparison.entries().iter().map(|entry| totals_of(entry, &comparison.entries()[0])).collect()
}

/// Its title and totals; times also as multiples of the first's.
fn totals_of(entry: &Entry, first: &Entry) -> Vec<String> {
    let program = entry.program();
    let mut cells = vec![
        entry.title.clone(),
        program.kernels.len().to_string(),
        program.launches.len().to_string(),
        format!("{:.3}", entry.flops() as f64 / 1e9),
    ];
    cells.extend(entry.bytes().map(bytes));
    cells.extend([bytes(program.arena_bytes), bytes(program.scratch_bytes())]);
    let (ratio, measured) = (entry.estimate() / first.estimate(), entry.measured());
    cells.push(format!("{}{}", time(Some(entry.estimate())), multiple(ratio, entry, first)));
    let ratio = measured.unwrap_or(1.0) / first.measured().unwrap_or(1.0);
    cells.push(match measured {
        Some(_) => format!("{}{}", time(measured), multiple(ratio, entry, first)),
        None => "–".into(),
    });
    cells
}

fn multiple(ratio: f64, entry: &Entry, first: &Entry) -> String {
    if std::ptr::eq(entry, first) { String::new() } else { format!(" ({ratio:.2}×)") }
}

/// The first lines as a table.
fn kernels(comparison: &Comparison, lines: &[Line], shown: usize) -> Table {
    let total: f64 = lines.iter().map(Line::time).sum();
    let measured = comparison.entries()[0].measured().is_some();
    let mut columns = vec![Column::right("share"), Column::right("estimate")];
    if measured {
        columns.extend([Column::right("measured"), Column::right("ratio").rank(8)]);
    }
    columns.extend([Column::right("×"), Column::name("module", 20), Column::name("kernel", 18).rank(2)]);
    columns.extend([Column::right("GFLOP/s").rank(3), Column::left("tiles").rank(4), Column::right("MFLOP").rank(7)]);
    columns.extend(["L1", "L2", "L3", "memory"].map(|level| Column::right(level).rank(9)));
    columns.push(Column::left("where intermediates live").rank(10));
    let row = |line: &Line| {
        let (part, times) = (line.parts[0], line.launches() as u64);
        let flops = part.estimate.flops * times;
        let mut cells = vec![format!("{:.1} %", 100.0 * line.time() / total), time(Some(line.estimate(0)))];
        if measured {
            let ratio = line.measured[0].map_or("–".into(), |ns| format!("{:.2}", line.estimate(0) / ns));
            cells.extend([time(line.measured[0]), ratio]);
        }
        cells.extend([times.to_string(), pattern(&line.names), part.kernel.clone()]);
        cells.extend([format!("{:.1}", flops as f64 / line.time()), part.tiles.to_string()]);
        cells.push(format!("{:.1}", flops as f64 / 1e6));
        cells.extend(part.estimate.bytes.map(|crossing| bytes(crossing * times)));
        cells.push(living(&part.living));
        cells
    };
    Table::new(columns).with(lines[..shown].iter().map(row))
}

/// Tiles that other schedules give the kernels, where that makes a difference; all that differ where files are compared.
fn alternatives(comparison: &Comparison, lines: &[Line], width: Option<usize>) -> String {
    let measured = comparison.entries()[0].measured().is_some();
    let mut columns = vec![Column::name("module", 20), Column::left("tiles"), Column::right("estimate")];
    if measured {
        columns.push(Column::right("measured"));
    }
    let (mut table, mut found, mut same) = (Table::new(columns), false, 0);
    for line in lines {
        let others = (1..line.parts.len()).filter(|&e| line.parts[e].tiles != line.parts[0].tiles);
        let mut told = Vec::new();
        for e in others {
            let matters = !comparison.entries()[e].is_next_best || (line.ratio(e) - 1.0).abs() > NOISE;
            if matters && !told.iter().any(|&other: &usize| line.parts[other].tiles == line.parts[e].tiles) {
                told.push(e);
            }
        }
        same += usize::from(!line.differs());
        found |= !told.is_empty();
        let cells = |e: usize| {
            let name = if e == 0 { pattern(&line.names) } else { "  or".into() };
            let of = |ns: Option<f64>, first: Option<f64>| match (e, ns.zip(first)) {
                (0, _) | (_, None) => time(ns),
                (_, Some((ns, first))) => format!("{} ({:.2}×)", time(Some(ns)), ns / first),
            };
            let mut cells = vec![name, line.parts[e].tiles.to_string()];
            cells.push(of(Some(line.estimate(e)), Some(line.estimate(0))));
            if measured {
                cells.push(of(line.measured[e], line.measured[0]));
            }
            cells
        };
        if !told.is_empty() {
            [0].into_iter().chain(told).for_each(|e| table.row(cells(e)));
        }
    }
    let files = comparison.entries().iter().skip(1).any(|entry| !entry.is_next_best);
    let alike = format!("{} {}", counted(same, "kernel"), agree(same, "is", "are"));
    match (found, files) {
        (false, false) => String::new(),
        (false, true) => format!("\n{alike} cut alike everywhere.\n"),
        (true, false) => {
            format!("\nOther tiles, where they differ by more than {:.0} %:\n{}", 100.0 * NOISE, table.fit(width).text)
        }
        (true, true) => {
            format!("\nTiles that differ; {alike} cut alike everywhere:\n{}", table.fit(width).text)
        }
    }
}

/// In few words.
pub(crate) fn living(living: &Living) -> String {
    let mut words = Vec::new();
    if living.registers > 0 {
        words.push(format!("registers {}", living.registers));
    }
    if !living.scratch.is_empty() {
        let buffers = living.scratch.iter().map(|(name, size)| format!("{name} {}", bytes(*size)));
        words.push(format!("scratch {}", buffers.collect::<Vec<_>>().join(" + ")));
    }
    for (word, size) in [("constant", living.constants), ("caller", living.caller)] {
        if size > 0 {
            words.push(format!("{word} {}", bytes(size)));
        }
    }
    if living.read + living.written > 0 {
        words.push(format!("arena {} → {}", bytes(living.read), bytes(living.written)));
    }
    words.join("; ")
}
