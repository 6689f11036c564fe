//! The text form of schedules: printing and reading back.

use super::{AttendTiles, ProductTiles, RowTiles, Schedule, Tiles};
use regard_ir::source::line_col;
use std::fmt;

impl fmt::Display for Tiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tiles::Row(t) => write!(f, "row rows {} inner {}", t.rows, t.inner),
            Tiles::Product(t) => write!(f, "product rows {} panels {} depth {} mr {} nv {}", t.rows, t.panels, t.depth, t.mr, t.nv),
            Tiles::Attend(t) => {
                write!(f, "attend queries {} mr {} keys {} values {}", t.queries, t.mr, t.key_vectors, t.value_vectors)
            }
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "schedule {} for {} {{", self.model, self.target)?;
        for (name, tiles) in &self.groups {
            writeln!(f, "  %{name} {tiles}")?;
        }
        writeln!(f, "}}")
    }
}

/// Reads a schedule; the error names line, what was found and what was expected.
pub fn parse(text: &str) -> Result<Schedule, String> {
    let mut lines = text.lines().enumerate().map(|(i, l)| (i + 1, l.trim())).filter(|(_, l)| !l.is_empty());
    let at = |line: usize, found: &str, expected: &str| format!("line {line}: found `{found}`, expected {expected}");
    let (n, head) = lines.next().ok_or_else(|| at(1, "", "`schedule MODEL for TARGET {`"))?;
    let ["schedule", model, "for", target, "{"] = head.split_whitespace().collect::<Vec<_>>()[..] else {
        return Err(at(n, head, "`schedule MODEL for TARGET {`"));
    };
    let mut groups = Vec::new();
    for (n, line) in lines {
        if line == "}" {
            return Ok(Schedule { model: model.into(), target: target.into(), groups });
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let name = words[0].strip_prefix('%').ok_or_else(|| at(n, words[0], "a node, for example `%12`"))?;
        let tiles = tiles(&words[1..]).ok_or_else(|| {
            at(
                n,
                line,
                "`row rows R inner I`, `product rows R panels P depth D mr M nv N` or `attend queries Q mr M keys K values V`",
            )
        })?;
        groups.push((name.to_string(), tiles));
    }
    let (last, _) = line_col(text, text.len());
    Err(at(last, "the end of the text", "`}`"))
}

fn tiles(words: &[&str]) -> Option<Tiles> {
    let number = |text: &str| text.parse::<usize>().ok().filter(|&n| n > 0);
    match words {
        ["row", "rows", rows, "inner", inner] => {
            Some(Tiles::Row(RowTiles { rows: number(rows)?, inner: number(inner)? }))
        }
        ["product", "rows", rows, "panels", panels, "depth", depth, "mr", mr, "nv", nv] => Some(Tiles::Product(ProductTiles {
            rows: number(rows)?,
            panels: number(panels)?,
            mr: number(mr)?,
            nv: number(nv)?,
            depth: number(depth)?,
        })),
        ["attend", "queries", queries, "mr", mr, "keys", keys, "values", values] => Some(Tiles::Attend(AttendTiles {
            queries: number(queries)?,
            mr: number(mr)?,
            key_vectors: number(keys)?,
            value_vectors: number(values)?,
        })),
        _ => None,
    }
}
