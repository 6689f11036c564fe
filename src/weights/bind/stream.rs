//! Constants that are one f32 weight, moved about.
//!
//! Element (row, column) of such a constant is element `firsts[row] + steps[column]` of the weight. A block of
//! the constant, a panel for example, then needs one span of the weight:
//!
//! ```text
//!   weight [n, k]   ░░░░████████░░░░░░░        constant [k, n]   panel p: columns 48p … 48p+47, all rows
//!                       span of panel p                          = rows 48p … 48p+47 of the weight
//! ```

use super::{Slot, Weights};
use crate::errors::Result;
use regard_ir::{
    graph::{Graph, NodeId},
    ops::Op,
    program::Layout,
    types::{DType, TensorType},
    view::View,
};
use std::ops::Range;

/// Elements of a block of a constant without panels.
const BLOCK: usize = 64 << 10;

/// A weight and where each element of the constant lies in it.
pub struct Movement {
    name: String,
    ty: TensorType,
    firsts: Vec<usize>,
    steps: Vec<usize>,
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
    pub fn of(folds: &Graph, root: NodeId) -> Option<Movement> {
        let mut node = root;
        let mut map = View::identity(&folds.ty(root).shape);
        while let [operand] = folds.node(node).operands[..] {
            map = View::of_op(&folds.node(node).op, folds.ty(operand))?.then(&map)?;
            node = operand;
        }
        let weight = folds.node(node);
        if !matches!(weight.op, Op::Weight(_)) || weight.ty.dtype != DType::F32 {
            return None;
        }
        let (firsts, steps) = map.separated()?;
        Some(Movement { name: folds.text_name(node), ty: weight.ty.clone(), firsts, steps })
    }

    /// Whether the slot holds this constant's rows and columns.
    pub fn suits(&self, slot: &Slot) -> bool {
        let shape = (self.firsts.len(), self.steps.len());
        slot.dtype == DType::F32
            && match slot.layout {
                Layout::Dense => true,
                Layout::Panels { rows, cols, .. } => (rows, cols) == shape,
            }
    }

    /// Fills a slot that [suits](Self::suits); padding stays zero.
    pub fn stream(&self, slot: Slot, weights: &dyn Weights) -> Result<()> {
        let blocks = self.blocks(slot.layout);
        let spans: Vec<Range<usize>> = blocks.iter().map(|block| self.span(block)).collect();
        let apart = spans.iter().map(|span| span.len()).sum::<usize>() <= 2 * self.ty.elements();
        if apart {
            for (block, span) in blocks.iter().zip(spans) {
                self.copy(block, &weights.floats(&self.name, &self.ty, span.clone())?, span.start, slot.bytes);
            }
        } else {
            let whole = weights.floats(&self.name, &self.ty, 0..self.ty.elements())?;
            blocks.iter().for_each(|block| self.copy(block, &whole, 0, slot.bytes));
        }
        Ok(())
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
        let steps = &self.steps[block.columns.clone()];
        let rows = self.firsts[block.rows.clone()].iter();
        for (&first, line) in rows.zip(bytes[4 * block.at..].chunks_mut(4 * block.pitch)) {
            for (&step, to) in steps.iter().zip(line.as_chunks_mut::<4>().0) {
                *to = span[first + step - start].to_le_bytes();
            }
        }
    }
}
