//! The papers' tables beside ours: parameters and operations of every row, and how far they are apart.
//!
//! ```text
//!   row of the paper ─▶ model ─▶ graph ─┬─▶ parameters
//!                                       └─▶ multiply-adds of its products: composites count as their definitions
//! ```
//!
//! What the residual networks' paper counts is not a property of a graph; those rows come from
//! [`regard_models::flops`].

use crate::errors::{Error, Result};
use regard_ir::{graph::Graph, ops::Op};
use regard_models::{
    Config,
    flops::flops,
    papers::{Counting, PAPERS, Row, rows},
    resnet,
};
use regard_passes::canonical::inline;
use std::collections::BTreeMap;

/// A row with our numbers; one per convention.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What the paper says.
    pub row: &'static Row,
    /// How operations are counted.
    pub counting: Counting,
    /// Our parameters.
    pub params: u64,
    /// Our operations.
    pub flops: u64,
}

/// The lines of one paper, or of all.
///
/// # Errors
/// Where there is no such paper, or a model cannot be built.
pub fn lines(paper: Option<&str>) -> Result<Vec<Line>> {
    if let Some(unknown) = paper.filter(|name| !PAPERS.contains(name)) {
        return Err(Error::Usage(format!("there is no paper called `{unknown}`, expected {}", PAPERS.join(", "))));
    }
    let mut known: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut lines = Vec::new();
    for row in rows().filter(|row| paper.is_none_or(|name| row.paper == name)) {
        let mut config = Config { classes: Some(row.classes), ..Config::default() };
        row.options.iter().for_each(|(name, value)| config = config.clone().with(name, value));
        let key = format!("{} {:?} {}", row.model, row.options, row.classes);
        let (params, products) = match known.get(&key) {
            Some(&both) => both,
            None => {
                let graph = regard_models::build(row.model, &config)
                    .map_err(|error| Error::Failed(format!("{}: {error}", row.model)))?;
                let both = (graph.parameters(), multiply_adds(&graph)?);
                known.insert(key, both);
                both
            }
        };
        for counting in row.countings() {
            let flops = match counting {
                Counting::Products => products,
                Counting::Residual(convention) => {
                    let layout = resnet::layout_of(row.model, &config).map_err(Error::Failed)?;
                    flops(&layout, row.classes as u64, convention)
                }
            };
            lines.push(Line { row, counting, params, flops });
        }
    }
    Ok(lines)
}

/// Multiply-adds of a graph's products that depend on an input.
///
/// # Errors
/// Where a definition is broken.
fn multiply_adds(graph: &Graph) -> Result<u64> {
    let keep = |op: &Op| matches!(op, Op::MatMul(_) | Op::Scores(_) | Op::Conv2d(_));
    let flat = inline(graph, &|id| keep(&graph.nodes[id].op), &keep)?.graph;
    let constant = flat.constants();
    let products = flat.nodes.iter().filter(|(id, node)| keep(&node.op) && !constant[*id]);
    Ok(products.map(|(id, node)| node.op.flops(&flat.operand_types(id), &node.ty) / 2).sum())
}

/// The number that a paper prints, such as `4.5 G`, and what its last digit is worth.
fn printed(text: &str) -> Option<(f64, f64)> {
    let (number, unit) = text.split_once(' ')?;
    let unit = match unit {
        "M" => 1e6,
        "G" | "B" => 1e9,
        _ => return None,
    };
    let digits = number.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    Some((number.parse::<f64>().ok()? * unit, unit / 10f64.powi(digits as i32)))
}

/// Deviation from what is printed in percent; nothing where nothing is printed.
pub fn deviation(ours: u64, text: Option<&str>) -> Option<f64> {
    let (number, _) = printed(text?)?;
    Some(100.0 * (ours as f64 / number - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use regard_models::flops::Convention;

    /// Whether our number, rounded as the paper rounds, is the one printed.
    fn rounds_to(ours: u64, text: &str) -> bool {
        printed(text)
            .is_some_and(|(number, digit)| ((ours as f64 / digit).round() - (number / digit).round()).abs() < 0.5)
    }

    #[test]
    fn printed_numbers_are_read_and_rounded_to() {
        assert_eq!(printed("4.5 G"), Some((4.5e9, 1e8)));
        assert!(rounds_to(4_549_999_999, "4.5 G") && !rounds_to(4_551_000_000, "4.5 G"));
        assert!(rounds_to(305_600_000, "306 M"));
        assert_eq!(deviation(110, None), None);
    }

    /// The fitted convention gives every number of the paper.
    #[test]
    fn the_fitted_convention_rounds_to_every_printed_number() {
        let lines = lines(Some("sasa")).unwrap();
        let fitted = lines.iter().filter(|line| line.counting == Counting::Residual(Convention::Fit));
        let mut count = 0;
        for line in fitted {
            let text = line.row.flops.expect("all rows have operations");
            assert!(rounds_to(line.flops, text), "{}: {} for {text}", line.row.row, line.flops);
            count += 1;
        }
        assert_eq!(count, 30);
    }

    #[test]
    fn products_of_composites_are_those_of_their_definitions() {
        let lines = lines(Some("bisa")).unwrap();
        for line in &lines {
            let text = line.row.flops.expect("all rows have operations");
            let off = deviation(line.flops, Some(text)).expect("a number is printed");
            // LeViT's two heads are one product here, and 4.5 G has two digits.
            assert!(off.abs() < 1.5, "{}: {} for {text}", line.row.row, line.flops);
            let text = line.row.params.expect("all rows have parameters");
            assert!(rounds_to(line.params, text), "{}: {} for {text}", line.row.row, line.params);
        }
    }
}
