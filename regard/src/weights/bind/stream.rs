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
    graph::{Graph, NodeId},
    ops::{Binary, BinaryOp, Op},
    program::Layout,
    types::{DType, TensorType},
    view::View,
};
use std::ops::Range;

/// Elements of a block of a constant without panels.
const BLOCK: usize = 64 << 10;

/// A weight and where each element of the constant lies in it.
pub(crate) struct Movement {
    name: String,
    ty: TensorType,
    firsts: Vec<usize>,
    steps: Vec<usize>,
    factor: Option<Box<Movement>>,
}

/// Rows and columns of a part of the constant, and where its first element lies in the slot.
struct Block {
    rows: Range<usize>,
    columns: Range<usize>,
    at: usize,
    /// Elements from one row to the next.
    pitch: usize,
}

impl Movement {
    /// The movement that makes `root`, where it is no more than that.
    pub(crate) fn of(graph: &Graph, root: NodeId) -> Option<Movement> {
        Self::through(graph, root, View::identity(&graph.ty(root).shape))
    }

    /// The movement that makes `node` read through `map`.
    fn through(graph: &Graph, mut node: NodeId, mut map: View) -> Option<Movement> {
        while let [operand] = graph.node(node).operands[..] {
            map = View::of_op(&graph.node(node).op, graph.ty(operand))?.then(&map)?;
            node = operand;
        }
        match &graph.node(node).op {
            Op::Weight(weight) if weight.ty.dtype == DType::F32 => {
                let (firsts, steps) = map.separated()?;
                Some(Movement { name: graph.text_name(node), ty: weight.ty.clone(), firsts, steps, factor: None })
            }
            Op::Binary(Binary { op: BinaryOp::Mul }) => {
                let [x, y] = graph.node(node).operands[..] else { return None };
                let widened = |operand: NodeId| {
                    let widen = View::expand(&graph.ty(operand).shape, &graph.ty(node).shape);
                    Self::through(graph, operand, widen.then(&map)?)
                };
                let (x, y) = (widened(x)?, widened(y)?);
                let (mut large, small) = if x.ty.elements() < y.ty.elements() { (y, x) } else { (x, y) };
                let simple = large.factor.is_none() && small.factor.is_none() && small.ty.elements() <= BLOCK;
                large.factor = Some(Box::new(small));
                simple.then_some(large)
            }
            _ => None,
        }
    }

    /// Whether the slot holds this constant's rows and columns.
    pub(crate) fn suits(&self, slot: &Slot) -> bool {
        let shape = (self.firsts.len(), self.steps.len());
        slot.dtype == DType::F32
            && match slot.layout {
                Layout::Dense => true,
                Layout::Panels { rows, cols, .. } => (rows, cols) == shape,
            }
    }

    /// Fills a slot that [suits](Self::suits); padding stays zero.
    pub(crate) fn stream(&self, slot: Slot, weights: &dyn Weights) -> Result<()> {
        let factor = match &self.factor {
            Some(factor) => Some((factor, weights.floats(&factor.name, &factor.ty, 0..factor.ty.elements())?)),
            None => None,
        };
        let scale = |block: &Block, bytes: &mut [u8]| {
            if let Some((factor, values)) = &factor {
                factor.scale(block, values, bytes);
            }
        };
        let blocks = self.blocks(slot.layout);
        let spans: Vec<Range<usize>> = blocks.iter().map(|block| self.span(block)).collect();
        let apart = spans.iter().map(|span| span.len()).sum::<usize>() <= 2 * self.ty.elements();
        if apart {
            for (block, span) in blocks.iter().zip(spans) {
                self.copy(block, &weights.floats(&self.name, &self.ty, span.clone())?, span.start, slot.bytes);
                scale(block, slot.bytes);
            }
        } else {
            let whole = weights.floats(&self.name, &self.ty, 0..self.ty.elements())?;
            for block in &blocks {
                self.copy(block, &whole, 0, slot.bytes);
                scale(block, slot.bytes);
            }
        }
        Ok(())
    }

    /// `row · constant` in f64, where the constant is a `[k, n]` matrix without a factor: the weight is read a
    /// few columns at a time and never held as f64.
    pub(crate) fn row_product(&self, row: &[f64], weights: &dyn Weights) -> Result<Vec<f64>> {
        let (rows, cols) = (self.firsts.len(), self.steps.len());
        let width = (BLOCK / rows.max(1)).max(1);
        let mut sums = Vec::with_capacity(cols);
        for block in self.blocks(Layout::Panels { rows, cols, width }) {
            let span = self.span(&block);
            let floats = weights.floats(&self.name, &self.ty, span.clone())?;
            for &step in &self.steps[block.columns] {
                let terms = self.firsts.iter().zip(row);
                sums.push(terms.map(|(first, x)| x * f64::from(floats[first + step - span.start])).sum());
            }
        }
        Ok(sums)
    }

    /// Whether [`row_product`](Self::row_product) can multiply a row of `k` by this constant.
    pub(crate) fn is_matrix(&self, k: usize) -> bool {
        self.factor.is_none() && self.firsts.len() == k
    }

    fn blocks(&self, layout: Layout) -> Vec<Block> {
        let (rows, cols) = (self.firsts.len(), self.steps.len());
        match layout {
            Layout::Dense => {
                let height = (BLOCK / cols.max(1)).max(1);
                let block = |top: usize| Block {
                    rows: top..(top + height).min(rows),
                    columns: 0..cols,
                    at: top * cols,
                    pitch: cols,
                };
                (0..rows).step_by(height).map(block).collect()
            }
            Layout::Panels { width, .. } => {
                let block = |left: usize| Block {
                    rows: 0..rows,
                    columns: left..(left + width).min(cols),
                    at: left * rows,
                    pitch: width,
                };
                (0..cols).step_by(width).map(block).collect()
            }
        }
    }

    /// The part of the weight that a block needs.
    fn span(&self, block: &Block) -> Range<usize> {
        let (firsts, steps) = (&self.firsts[block.rows.clone()], &self.steps[block.columns.clone()]);
        let least = |values: &[usize]| values.iter().min().copied().unwrap_or(0);
        let greatest = |values: &[usize]| values.iter().max().copied().unwrap_or(0);
        least(firsts) + least(steps)..greatest(firsts) + greatest(steps) + 1
    }

    /// Copies a block whose span begins at element `start` of the weight.
    fn copy(&self, block: &Block, span: &[f32], start: usize, bytes: &mut [u8]) {
        self.visit(block, bytes, |at, to| *to = span[at - start].to_le_bytes());
    }

    /// Multiplies a block by this weight, whose elements are `values`.
    fn scale(&self, block: &Block, values: &[f32], bytes: &mut [u8]) {
        self.visit(block, bytes, |at, to| *to = (f32::from_le_bytes(*to) * values[at]).to_le_bytes());
    }

    /// Calls `put` for each element of a block: where it lies in the weight, and its bytes.
    fn visit(&self, block: &Block, bytes: &mut [u8], put: impl Fn(usize, &mut [u8; 4])) {
        let steps = &self.steps[block.columns.clone()];
        let rows = self.firsts[block.rows.clone()].iter();
        for (&first, line) in rows.zip(bytes[4 * block.at..].chunks_mut(4 * block.pitch)) {
            for (&step, to) in steps.iter().zip(line.as_chunks_mut::<4>().0) {
                put(first + step, to);
            }
        }
    }
}
