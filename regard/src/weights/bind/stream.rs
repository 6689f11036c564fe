//! Constants that are one f32 weight, moved about, and perhaps scaled by another.
//!
//! Element (row, column) of such a constant is element `firsts[row] + steps[column]` of the weight. A block of
//! the constant, a panel for example, then needs one span of the weight:
//!
//! ```text
//!   weight [n, k]   ░░░░████████░░░░░░░        constant [k, n]   panel p: columns 48p … 48p+47, all rows
//!                       span of panel p                          = rows 48p … 48p+47 of the weight
//! ```
//!
//! A factor, the γ of a layer norm for example, is read whole and multiplied in place. The product of two f32
//! rounded to f32 is what the interpreter's f64 product rounds to, so both ways give the same bits.

use super::{Slot, Weights};
use crate::errors::Result;
use regard_ir::{
    graph::Graph,
    program::{Block, Layout, MovedWeight},
    types::TensorType,
};
use std::{borrow::Cow, ops::Range};

/// Elements of a block of a dense constant, or of a matrix that is multiplied by a row.
const BLOCK: usize = 64 << 10;

/// Fills a slot with a weight, times `factor`; padding stays zero.
pub(crate) fn copy(
    graph: &Graph,
    weight: &MovedWeight,
    factor: Option<&MovedWeight>,
    slot: Slot,
    weights: &dyn Weights,
) -> Result<()> {
    let weight = Movement::new(graph, weight);
    let factor = match factor.map(|factor| Movement::new(graph, factor)) {
        Some(factor) => Some((factor.read(factor.all(), weights)?, factor)),
        None => None,
    };
    let Slot { layout, bytes, .. } = slot;
    let height = if layout.is_dense() { (BLOCK / layout.cols).max(1) } else { layout.rows };
    let spans = layout.blocks(height).map(|block| weight.span(&block).len());
    let whole = match spans.sum::<usize>() <= 2 * weight.ty.elements() {
        true => None,
        false => Some(weight.read(weight.all(), weights)?),
    };
    for block in layout.blocks(height) {
        let span = weight.span(&block);
        let elements = match &whole {
            Some(whole) => Cow::Borrowed(&whole[span.clone()]),
            None => Cow::Owned(weight.read(span.clone(), weights)?),
        };
        layout.for_rows(&block, 4, bytes, |row, line| {
            weight.visit(row, &block, line, |at, to| *to = elements[at - span.start].to_le_bytes());
            if let Some((values, factor)) = &factor {
                factor.visit(row, &block, line, |at, to| *to = (f32::from_le_bytes(*to) * values[at]).to_le_bytes());
            }
        });
    }
    Ok(())
}

/// `row · matrix` in f64, where the matrix is a moved weight of as many rows as `row` has elements: it is read a few
/// columns at a time and never held as f64.
pub(crate) fn row_product(graph: &Graph, row: &[f64], matrix: &MovedWeight, weights: &dyn Weights) -> Result<Vec<f64>> {
    let layout = Layout { width: (BLOCK / row.len()).max(1), ..Layout::dense(&matrix.view.shape) };
    let matrix = Movement::new(graph, matrix);
    let mut sums = Vec::with_capacity(layout.cols);
    for block in layout.blocks(layout.rows) {
        let span = matrix.span(&block);
        let elements = matrix.read(span.clone(), weights)?;
        for &step in &matrix.steps[block.columns] {
            let terms = matrix.firsts.iter().zip(row);
            sums.push(terms.map(|(first, x)| x * f64::from(elements[first + step - span.start])).sum());
        }
    }
    Ok(sums)
}

/// A weight and where each element of the constant lies in it.
struct Movement<'a> {
    name: String,
    ty: &'a TensorType,
    firsts: Vec<usize>,
    steps: Vec<usize>,
}

impl<'a> Movement<'a> {
    fn new(graph: &'a Graph, moved: &MovedWeight) -> Self {
        let (firsts, steps) = moved.view.separated().expect("views of moved weights are separable");
        Self { name: graph.text_name(moved.weight), ty: graph.ty(moved.weight), firsts, steps }
    }

    fn all(&self) -> Range<usize> {
        0..self.ty.elements()
    }

    /// The part of the weight that a block needs.
    fn span(&self, block: &Block) -> Range<usize> {
        let (firsts, steps) = (&self.firsts[block.rows.clone()], &self.steps[block.columns.clone()]);
        let least = |values: &[usize]| values.iter().min().copied().unwrap_or(0);
        let greatest = |values: &[usize]| values.iter().max().copied().unwrap_or(0);
        least(firsts) + least(steps)..greatest(firsts) + greatest(steps) + 1
    }

    fn read(&self, span: Range<usize>, weights: &dyn Weights) -> Result<Vec<f32>> {
        weights.floats(&self.name, self.ty, span)
    }

    /// Calls `put` for each element of a row of a block: where it lies in the weight, and its bytes.
    fn visit(&self, row: usize, block: &Block, line: &mut [u8], put: impl Fn(usize, &mut [u8; 4])) {
        let (first, steps) = (self.firsts[row], &self.steps[block.columns.clone()]);
        for (step, to) in steps.iter().zip(line.as_chunks_mut::<4>().0) {
            put(first + step, to);
        }
    }
}
