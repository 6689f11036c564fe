//! A comparison as one page: HTML with its style and drawings inside, nothing from elsewhere, light or dark as the
//! reader's system is.

use super::{
    plot,
    text::{self, TOTALS, living, time},
};
use regard::{
    compare::{
        Comparison,
        lines::{Line, lines},
    },
    units::bytes,
};
use regard_ir::graph::Graph;
use std::{collections::BTreeSet, fmt::Write};

const STYLE: &str = "
:root { color-scheme: light dark; --back: #fcfcfa; --text: #22252a; --soft: #6b7078; --line: #d8dade; --one: #2563a8; --two: #d9822b; --key: #8b3fa8; --name: #22703c; }
@media (prefers-color-scheme: dark) { :root { --back: #17191d; --text: #dfe2e7; --soft: #969ca6; --line: #363a42; --one: #7fb4f0; --two: #e89b4b; --key: #c99be0; --name: #86c99a; } }
body { background: var(--back); color: var(--text); font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
h1, h2 { font-weight: 600; line-height: 1.2; } h2 { margin-top: 2.2rem; }
p, caption { color: var(--soft); max-width: 48rem; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .22rem .6rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child, td.left, th.left { text-align: left; }
tr.other td { color: var(--soft); }
.wide { overflow-x: auto; } .full { margin-left: calc(50% - 48vw); width: 96vw; } .full table { font-size: 12px; margin: 0 auto; }
.full th, .full td { padding: .22rem .35rem; vertical-align: top; } .full td:nth-child(3) { min-width: 8rem; white-space: normal; } td.long { min-width: 10rem; text-align: left; white-space: normal; }
.pair { display: grid; gap: 1.2rem; grid-template-columns: repeat(auto-fit, minmax(30rem, 1fr)); }
pre { border: 1px solid var(--line); border-radius: 6px; font: 12px/1.4 ui-monospace, monospace; margin: 0; max-height: 44rem; overflow: auto; padding: .8rem; }
pre b { color: var(--key); font-weight: 500; } pre i { color: var(--name); font-style: normal; } u { color: var(--two); font-weight: 600; text-decoration: none; }
svg { height: auto; max-width: 60rem; width: 100%; } svg text { fill: var(--text); font: 12px system-ui, sans-serif; } svg text.name { fill: var(--soft); }
.grid { stroke: var(--line); } .roof { fill: none; stroke: var(--soft); stroke-width: 1.5; } .link { stroke: var(--two); }
circle.estimate, rect.estimate { fill: none; stroke: var(--one); stroke-width: 1.6; } circle.measured, rect.measured { fill: var(--two); }
.key { display: inline-block; height: .75em; width: 1.4em; } .key.estimate { border: 2px solid var(--one); } .key.measured { background: var(--two); border: 2px solid var(--two); }
";

/// The whole page.
pub(crate) fn page(comparison: &Comparison) -> String {
    let lines = lines(comparison);
    let (model, target) = (escape(&comparison.graph().name), comparison.target().name);
    let title = format!("{model} for {target}");
    let measured = comparison.entries()[0].measured().is_some();
    let legend = match measured {
        true => {
            "<p><span class=\"key estimate\"></span> estimated <span class=\"key measured\"></span> measured, the least of many runs</p>"
        }
        false => "<p><span class=\"key estimate\"></span> estimated; <code>--measure</code> adds measurements</p>",
    };
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n\
         <p>Schedules side by side, on one core. Bytes are those that cross the border in front of each level.</p>\n"
    );
    html += &totals(comparison);
    let first = escape(&comparison.entries()[0].title);
    let _ = write!(
        html,
        "<h2>Kernels against the roofs of the machine</h2>\n{legend}\n{}",
        plot::roofline(&lines, comparison.target())
    );
    let _ = write!(html, "<h2>Time by kernel: {first}</h2>\n{legend}\n{}", plot::bars(comparison, &lines));
    html += &kernels(comparison, &lines);
    html += &graphs(comparison);
    html + "</body></html>\n"
}

/// Text that is safe in elements and attributes.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn cell(text: &str) -> String {
    format!("<td>{}</td>", escape(text))
}

fn totals(comparison: &Comparison) -> String {
    let heads: String = TOTALS.iter().map(|column| format!("<th>{}", column.head())).collect();
    let row = |cells: &Vec<String>| format!("<tr>{}</tr>\n", cells.iter().map(|c| cell(c)).collect::<String>());
    let rows: String = text::totals(comparison).iter().map(row).collect();
    format!("<div class=\"wide\"><table><tr>{heads}</tr>\n{rows}</table></div>\n")
}

/// The title of a schedule without the kind of kernel that it changes, which the row says.
fn short(title: &str) -> &str {
    title.split_once(": ").map_or(title, |(_, rest)| rest)
}

fn kernels(comparison: &Comparison, lines: &[Line]) -> String {
    let mut html = String::from(
        "<h2>Kernel by kernel</h2>\n<div class=\"wide full\"><table><tr><th>kernel<th class=\"left\">schedule<th class=\"left\">tiles<th>×<th>MFLOP<th>L1<th>L2<th>L3<th>memory<th>estimate<th>measured<th>ratio<th class=\"left\">where intermediates live</tr>\n",
    );
    for line in lines {
        let mut seen = Vec::new();
        for (e, part) in line.parts.iter().enumerate() {
            if seen.contains(&part.tiles) {
                continue;
            }
            seen.push(part.tiles);
            let estimate = &part.estimate;
            let times = line.launches() as u64;
            let class = if e == 0 { "" } else { " class=\"other\"" };
            let left = |text: &str| format!("<td class=\"left\">{}</td>", escape(text));
            let name = if e == 0 { part.kernel.as_str() } else { "" };
            let mut row = cell(name) + &left(short(&comparison.entries()[e].title)) + &left(&part.tiles.to_string());
            row += &cell(&times.to_string());
            row += &cell(&format!("{:.1}", (estimate.flops * times) as f64 / 1e6));
            for crossing in estimate.bytes {
                row += &cell(&bytes(crossing * times));
            }
            row += &cell(&time(Some(line.estimate(e))));
            row += &cell(&time(line.measured[e]));
            row += &cell(&line.measured[e].map_or("–".into(), |ns| format!("{:.2}", line.estimate(e) / ns)));
            let lives = if e == 0 { living(&part.living) } else { String::new() };
            let _ = write!(row, "<td class=\"long\">{}</td>", escape(&lives));
            let _ = writeln!(html, "<tr{class}>{row}</tr>");
        }
    }
    html + "</table></div>\n"
}

fn graphs(comparison: &Comparison) -> String {
    let roots: BTreeSet<String> =
        comparison.plan().groups.iter().map(|g| comparison.plan().graph.text_name(g.root)).collect();
    let (before, after) =
        (colored(&comparison.graph().named(), &BTreeSet::new()), colored(&comparison.plan().graph, &roots));
    format!(
        "<h2>The graph</h2>\n<p>Before: as written. After: rewritten and grouped; each <u>marked</u> value is what one kernel \
         writes to memory, all others live in registers and scratch of the kernel that needs them.</p>\n\
         <div class=\"pair\"><div><h3>Before</h3><pre>{before}</pre></div><div><h3>After</h3><pre>{after}</pre></div></div>\n"
    )
}

/// A graph as text: names and ops coloured, roots of groups marked.
fn colored(graph: &Graph, roots: &BTreeSet<String>) -> String {
    let mut html = String::new();
    for line in graph.to_string().lines() {
        let indent = line.len() - line.trim_start().len();
        match line.trim_start().split_once(" = ") {
            Some((name, rest)) if name.starts_with('%') => {
                let (op, operands) = rest.split_once(' ').unwrap_or((rest, ""));
                let tag = if roots.contains(name[1..].trim_matches('"')) { "u" } else { "i" };
                let _ = writeln!(
                    html,
                    "{}<{tag}>{}</{tag}> = <b>{}</b> {}",
                    " ".repeat(indent),
                    escape(name),
                    escape(op),
                    escape(operands)
                );
            }
            _ => {
                let _ = writeln!(html, "{}", escape(line));
            }
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escape("<a b=\"c\">&"), "&lt;a b=&quot;c&quot;&gt;&amp;");
    }
}
