//! Constants of a program: where their values come from, and how they lie in memory.
//!
//! ```text
//!   moved      element i = weight[view(i)] · factor[view'(i)]     copied from f32 to f32; most have no factor
//!   computed   element i = output[i] of the constant graph        evaluated in f64
//!
//!   a matrix [rows, cols]  =  panel 0        panel 1        panel 2
//!                             [rows][width]  [rows][width]  [rows][width], the last one filled with zeros
//! ```
//!
//! Nearly all constants are weights in another order. Lowering says so once, with [`ConstantSource::moved`]; who binds
//! weights then needs no f64 and no more than the part of a weight at hand. A dense tensor is a matrix of one panel,
//! whose columns are its last axis, so there is one rule for where elements lie.

#[cfg(test)]
mod tests;

use super::{BufferId, Program, Storage};
use crate::{
    graph::{Graph, NodeId},
    ops::{Binary, BinaryOp, Op},
    types::DType,
    view::View,
};
use std::ops::Range;

/// What a constant buffer holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Constant {
    /// The buffer to fill.
    pub buffer: BufferId,
    /// Where its values come from.
    pub source: ConstantSource,
    /// How they are stored.
    pub layout: Layout,
}

/// Where the values of a constant come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConstantSource {
    /// The elements of a weight, each times that of the factor.
    Moved {
        /// Most of the elements.
        weight: MovedWeight,
        /// Of the same shape; its weight has at most [`MAX_FACTOR`] elements.
        factor: Option<MovedWeight>,
    },
    /// That output of [`Program::constant_graph`].
    Computed {
        /// From 0.
        output: usize,
    },
}

/// A weight of f32 in the program's constant graph, read through a [separable](View::is_separable) view.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MovedWeight {
    /// The weight.
    pub weight: NodeId,
    /// Where each element comes from.
    pub view: View,
}

/// The most elements of a factor's weight, which is held as a whole.
pub const MAX_FACTOR: usize = 64 << 10;

impl ConstantSource {
    /// The weights that a node of `graph`, read through `view`, only moves; `None` where it does more.
    pub fn moved(graph: &Graph, node: NodeId, view: View) -> Option<ConstantSource> {
        let (node, view) = below_movement(graph, node, view)?;
        if let Some(weight) = MovedWeight::of(graph, node, view.clone()) {
            return Some(ConstantSource::Moved { weight, factor: None });
        }
        let Op::Binary(Binary { op: BinaryOp::Mul }) = graph.node(node).op else { return None };
        let [x, y] = graph.node(node).operands[..] else { return None };
        let side = |operand: NodeId| {
            let widened = View::expand(&graph.ty(operand).shape, &graph.ty(node).shape).then(&view)?;
            let (node, view) = below_movement(graph, operand, widened)?;
            MovedWeight::of(graph, node, view)
        };
        let (x, y) = (side(x)?, side(y)?);
        let (weight, factor) = if x.view.len < y.view.len { (y, x) } else { (x, y) };
        (factor.view.len <= MAX_FACTOR).then_some(ConstantSource::Moved { weight, factor: Some(factor) })
    }
}

/// The first node below that does more than move, and the view through which it is read.
fn below_movement(graph: &Graph, mut node: NodeId, mut view: View) -> Option<(NodeId, View)> {
    while let [operand] = graph.node(node).operands[..] {
        view = View::of_op(&graph.node(node).op, graph.ty(operand))?.then(&view)?;
        node = operand;
    }
    Some((node, view))
}

impl MovedWeight {
    fn of(graph: &Graph, weight: NodeId, view: View) -> Option<MovedWeight> {
        let moved = MovedWeight { weight, view };
        moved.fits(graph).then_some(moved)
    }
    /// Whether the weight exists, is of f32, and has the elements that a separable view reads.
    fn fits(&self, graph: &Graph) -> bool {
        let Some(node) = graph.nodes.get(self.weight) else { return false };
        let float = matches!(node.op, Op::Weight(_)) && node.ty.dtype == DType::F32;
        float && self.view.len == node.ty.elements() && self.view.is_separable() && self.view.is_inside()
    }
    /// Rows and columns of the matrix that [`View::separated`] speaks of.
    fn matrix(&self) -> Option<(usize, usize)> {
        let (cols, outer) = self.view.shape.split_last()?;
        Some((outer.iter().product(), *cols))
    }
}

impl Constant {
    /// What is wrong with it, in one sentence.
    pub(super) fn fault<K>(&self, program: &Program<K>) -> Option<String> {
        let Constant { buffer: id, source, layout } = self;
        let buffer = program.buffers.get(*id).filter(|b| matches!(b.storage, Storage::Constant(_)));
        let Some(buffer) = buffer else {
            return Some(format!("a constant fills buffer {id}, which is none of the constants"));
        };
        let (graph, name, &Layout { rows, cols, width }) = (&program.constant_graph, &buffer.name, layout);
        if width == 0 || layout.checked_stored() != Some(buffer.len) {
            let len = buffer.len;
            return Some(format!("constant {id} ({name}) of {len} is not {rows}×{cols} in panels of {width}"));
        }
        let fits = match source {
            ConstantSource::Moved { weight, factor } => {
                let suits = |w: &MovedWeight| w.fits(graph) && w.matrix() == Some((rows, cols));
                let small = factor.as_ref().is_none_or(|f| suits(f) && f.view.len <= MAX_FACTOR);
                buffer.dtype == DType::F32 && suits(weight) && small
            }
            ConstantSource::Computed { output } => {
                let node = graph.outputs.get(*output).and_then(|&node| graph.nodes.get(node));
                node.is_some_and(|node| node.ty.elements() == rows * cols)
            }
        };
        let dtype = buffer.dtype;
        (!fits)
            .then(|| format!("constant {id} ({name}) of {rows}×{cols} {dtype} does not fit where its values come from"))
    }
}

/// How a matrix lies in memory: ⌈cols/width⌉ panels one after the other, so that a kernel streams a panel with unit
/// stride.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Rows; of a panel the reduction dimension of a product.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Columns per panel, at least 1.
    pub width: usize,
}

/// A part of a matrix: rows of one panel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its rows.
    pub rows: Range<usize>,
    /// Its columns, at most as many as a panel has.
    pub columns: Range<usize>,
}

impl Layout {
    /// Row-major.
    pub fn dense(shape: &[usize]) -> Layout {
        let cols = shape.last().copied().unwrap_or(1);
        Layout { rows: shape.iter().rev().skip(1).product(), cols, width: cols }
    }
    /// A matrix of that shape in panels of `width` columns.
    pub fn panels(shape: &[usize], width: usize) -> Layout {
        let &[rows, cols] = shape else { panic!("{shape:?} is not a matrix") };
        Layout { rows, cols, width }
    }
    /// Whether rows follow each other without a gap.
    pub fn is_dense(self) -> bool {
        self.width == self.cols
    }
    /// Elements that are stored, the filling of the last panel included.
    pub fn stored(self) -> usize {
        self.rows * self.cols.next_multiple_of(self.width)
    }
    fn checked_stored(self) -> Option<u64> {
        let cols = self.cols.checked_next_multiple_of(self.width)?;
        self.rows.checked_mul(cols).map(|stored| stored as u64)
    }
    /// The matrix in the order in which it is stored, in blocks of at most `height` rows.
    pub fn blocks(self, height: usize) -> impl Iterator<Item = Block> {
        let Layout { rows, cols, width } = self;
        (0..cols).step_by(width).flat_map(move |left| {
            let columns = left..(left + width).min(cols);
            (0..rows)
                .step_by(height)
                .map(move |top| Block { rows: top..(top + height).min(rows), columns: columns.clone() })
        })
    }
    /// Calls `put` for each row of a block, with its number and its elements in `stored`, each of which has `size` parts there.
    pub fn for_rows<T>(self, block: &Block, size: usize, stored: &mut [T], mut put: impl FnMut(usize, &mut [T])) {
        let at = block.columns.start * self.rows + block.rows.start * self.width;
        let lines = stored[at * size..].chunks_mut(self.width * size);
        for (row, line) in block.rows.clone().zip(lines) {
            put(row, &mut line[..block.columns.len() * size]);
        }
    }
    /// Calls `put` for each element of row-major `values`, with its `size` parts in `stored`.
    pub fn pack<T>(self, values: &[f64], size: usize, stored: &mut [T], mut put: impl FnMut(f64, &mut [T])) {
        for block in self.blocks(self.rows) {
            self.for_rows(&block, size, stored, |row, line| {
                let values = &values[row * self.cols..][block.columns.clone()];
                line.chunks_exact_mut(size).zip(values).for_each(|(to, &value)| put(value, to));
            });
        }
    }
}
