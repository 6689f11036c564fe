//! Tables that fit the terminal.
//!
//! ```text
//!   every column as wide as its cells           fits: done
//!   ─▶ names lose their middle, prose wraps     fits: done
//!   ─▶ columns of the highest rank are left out, one after the other
//! ```
//!
//! comfy-table aligns and wraps; which columns are shown, and how wide, is decided here, because a table of twelve columns
//! that is squeezed into sixty characters can be printed but not read.

use super::screen::{columns, plain, shorten};
use comfy_table::{CellAlignment, ColumnConstraint, Table as Layout, Width};

/// Blanks between columns.
const GAP: usize = 2;
/// The most columns of a cell, even where lines have no limit.
const LONGEST: usize = 4096;
/// Narrower than this no column is made for the sake of the others.
const NARROWEST: usize = 6;

/// What becomes of a cell that is too wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// It stays whole.
    Whole,
    /// Its middle is left out, down to so many columns.
    Shorten(usize),
    /// It goes on in the next line, in at least so many columns.
    Wrap(usize),
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    head: &'static str,
    right: bool,
    fit: Fit,
    rank: u8,
}

impl Column {
    /// What stands above it.
    pub(crate) const fn head(&self) -> &'static str {
        self.head
    }
    /// Text, to the left.
    pub(crate) const fn left(head: &'static str) -> Column {
        Column { head, right: false, fit: Fit::Whole, rank: 0 }
    }
    /// Numbers, to the right.
    pub(crate) const fn right(head: &'static str) -> Column {
        Column { right: true, ..Column::left(head) }
    }
    /// Names whose middle may be left out, to the left; `least` columns stay.
    pub(crate) const fn name(head: &'static str, least: usize) -> Column {
        Column { fit: Fit::Shorten(least), ..Column::left(head) }
    }
    /// Words that may go on in the next line, to the left, in at least `least` columns.
    pub(crate) const fn prose(head: &'static str, least: usize) -> Column {
        Column { fit: Fit::Wrap(least), ..Column::left(head) }
    }
    /// The column may be left out; of several, the one with the highest rank first.
    pub(crate) const fn rank(self, rank: u8) -> Column {
        Column { rank, ..self }
    }
}

/// Rows under a head.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

/// A table as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fitted {
    /// The lines, each with a line end.
    pub text: String,
    /// Heads of the columns that were left out.
    pub left_out: Vec<&'static str>,
}

impl Fitted {
    /// A line that names what was left out; empty where nothing was.
    pub(crate) fn note(&self, width: Option<usize>) -> String {
        match self.left_out.is_empty() {
            true => String::new(),
            false => format!(
                "{}\n",
                super::screen::wrapped(&format!("(--wide also shows {})", self.left_out.join(", ")), width, " ")
            ),
        }
    }
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(columns: impl IntoIterator<Item = Column>) -> Table {
        Table { columns: columns.into_iter().collect(), rows: Vec::new() }
    }
    /// Adds a row, a cell for each column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().map(|cell| shorten(&plain(&cell), LONGEST).into_owned()).collect();
        assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        self.rows.push(cells);
    }
    /// The same, row after row.
    pub(crate) fn with(mut self, rows: impl IntoIterator<Item = Vec<String>>) -> Table {
        rows.into_iter().for_each(|row| self.row(row));
        self
    }
    /// The table in lines of at most `width` columns of the terminal, or of any length.
    pub(crate) fn fit(&self, width: Option<usize>) -> Fitted {
        let natural: Vec<usize> = (0..self.columns.len()).map(|column| self.natural(column)).collect();
        let (shown, widths) = chosen(&self.columns, &natural, width.unwrap_or(usize::MAX));
        let left_out = (0..self.columns.len()).filter(|column| !shown.contains(column));
        Fitted {
            text: self.laid_out(&shown, &widths),
            left_out: left_out.map(|column| self.columns[column].head).collect(),
        }
    }

    /// Columns that the head and all cells of a column take.
    fn natural(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| columns(&row[column]));
        cells.chain([columns(self.columns[column].head)]).max().unwrap_or(0)
    }

    fn laid_out(&self, shown: &[usize], widths: &[usize]) -> String {
        let mut layout = Layout::new();
        layout.load_style(comfy_table::presets::NOTHING);
        let cells = |cell: &dyn Fn(usize) -> String| -> Vec<String> {
            shown
                .iter()
                .zip(widths)
                .map(|(&column, &width)| {
                    let text = cell(column);
                    match self.columns[column].fit {
                        Fit::Wrap(_) => text,
                        _ => shorten(&text, width).into_owned(),
                    }
                })
                .collect()
        };
        layout.set_header(cells(&|column| self.columns[column].head.to_owned()));
        for row in &self.rows {
            layout.add_row(cells(&|column| row[column].clone()));
        }
        for (place, (&column, &width)) in shown.iter().zip(widths).enumerate() {
            let gap = if place + 1 == shown.len() { 0 } else { GAP as u16 };
            let of = layout.column_mut(place).expect("a column for each cell of the head");
            of.set_padding((0, gap));
            let width = u16::try_from(width.max(1)).unwrap_or(u16::MAX);
            of.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width + gap)));
            of.set_cell_alignment(if self.columns[column].right { CellAlignment::Right } else { CellAlignment::Left });
        }
        layout.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

/// Which columns are shown, and how wide each is.
fn chosen(all: &[Column], natural: &[usize], width: usize) -> (Vec<usize>, Vec<usize>) {
    let least = |column: usize| match all[column].fit {
        Fit::Whole => natural[column],
        Fit::Shorten(least) | Fit::Wrap(least) => natural[column].min(least.max(columns(all[column].head))),
    };
    let mut shown: Vec<usize> = (0..all.len()).collect();
    let total = |shown: &[usize], of: &dyn Fn(usize) -> usize| -> usize {
        shown.iter().map(|&column| of(column)).sum::<usize>() + GAP * shown.len().saturating_sub(1)
    };
    while total(&shown, &least) > width {
        let highest = shown.iter().map(|&column| all[column].rank).max().unwrap_or(0);
        if highest == 0 {
            break;
        }
        shown.retain(|&column| all[column].rank != highest);
    }
    let mut widths: Vec<usize> = shown.iter().map(|&column| least(column)).collect();
    let gaps = GAP * shown.len().saturating_sub(1);
    // What is left goes to the narrowest of those that want more, a column at a time.
    let mut left = width.saturating_sub(widths.iter().sum::<usize>() + gaps);
    let wants =
        |widths: &[usize]| (0..shown.len()).filter(|&i| widths[i] < natural[shown[i]]).min_by_key(|&i| (widths[i], i));
    while left > 0
        && let Some(at) = wants(&widths)
    {
        let step = if width == usize::MAX { natural[shown[at]] - widths[at] } else { 1 };
        widths[at] += step;
        left -= step;
    }
    // Where even that is too much, the widest give way.
    while widths.iter().sum::<usize>() + gaps > width {
        let Some(widest) = (0..widths.len()).filter(|&i| widths[i] > NARROWEST).max_by_key(|&i| widths[i]) else {
            break;
        };
        widths[widest] -= 1;
    }
    (shown, widths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table() -> Table {
        let columns = [
            Column::name("kernel", 12),
            Column::right("time"),
            Column::right("bytes").rank(2),
            Column::prose("what", 10).rank(1),
        ];
        Table::new(columns).with([
            ["layers.2.blocks.3.mlp.fc1".into(), "1.5 ms".into(), "12".into(), "one two three four five".into()]
                .to_vec(),
            ["head".into(), "20.0 µs".into(), "12345".into(), "six".into()].to_vec(),
        ])
    }

    #[test]
    fn what_fits_is_shown_as_it_is() {
        let all = "kernel                        time  bytes  what\nlayers.2.blocks.3.mlp.fc1   1.5 ms     12  one two three four five\nhead                       20.0 µs  12345  six\n";
        assert_eq!(table().fit(None), Fitted { text: all.into(), left_out: Vec::new() });
        assert_eq!(table().fit(Some(66)).text, all);
    }

    #[test]
    fn names_shrink_prose_wraps_and_then_columns_go() {
        let narrow = table().fit(Some(46));
        assert_eq!(
            narrow.text,
            "kernel             time  bytes  what\nlayers.…lp.fc1   1.5 ms     12  one two three\n                                four five\nhead            20.0 µs  12345  six\n"
        );
        assert!(narrow.left_out.is_empty() && narrow.note(Some(46)).is_empty());
        let narrower = table().fit(Some(36));
        assert_eq!(narrower.left_out, ["bytes"]);
        assert_eq!(narrower.note(None), "(--wide also shows bytes)\n");
        assert_eq!(table().fit(Some(25)).left_out, ["bytes", "what"]);
    }

    /// P2 of hostile input: a name longer than 16 bits can count.
    #[test]
    fn a_name_of_a_hundred_thousand_characters_is_shortened() {
        for name in [
            "x".repeat(100_000),
            "中".repeat(70_000),
            "e\u{301}".repeat(70_000),
            "\u{301}".repeat(70_000),
            "\u{1b}".repeat(70_000),
        ] {
            let table = Table::new([Column::name("name", 20), Column::right("n")]).with([vec![name, "1".into()]]);
            for width in [Some(60), Some(100), None] {
                let text = table.fit(width).text;
                assert!(text.lines().all(|line| columns(line) <= width.unwrap_or(LONGEST + 10)), "{width:?}");
                assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
            }
        }
    }

    proptest! {
        #[test]
        fn no_line_is_longer_than_the_terminal(cells in proptest::collection::vec("\\PC{0,60}", 8), width in 30usize..140) {
            let head = ["a", "bb", "ccc", "dddd"];
            let columns_of = [Column::name(head[0], 8), Column::right(head[1]), Column::prose(head[2], 8).rank(1), Column::left(head[3]).rank(2)];
            let text = Table::new(columns_of).with(cells.chunks(4).map(<[String]>::to_vec)).fit(Some(width)).text;
            prop_assert!(text.lines().all(|line| columns(line) <= width), "{text}");
        }
    }
}
