//! Attention whose keys are the neighbourhood of their query: a window that slides over a map.
//!
//! ```text
//!   batch = (image and head, i, j)     keys = (a, b)        key(i, j, a, b) = map(i + a, j + b)
//! ```
//!
//! Neighbouring pixels then share all their keys but one column, and a kernel may walk along pixels where it would
//! walk along keys. Nothing says so in the graph: it is read off the views, one digit against the other.

use super::{
    Attend,
    expr::{Expr, FusedExpr},
};
use regard_ir::view::{Coord, View};

/// Extents of a map and of the windows that slide over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbourhood {
    /// Rows and columns of the map of queries.
    pub map: [usize; 2],
    /// Rows and columns of a window.
    pub size: [usize; 2],
}

impl Neighbourhood {
    /// The neighbourhood that keys and values are, where they are one and each query has its own.
    pub fn of(attend: &Attend) -> Option<Self> {
        let values = attend.values.as_ref().filter(|_| attend.queries == 1 && attend.inverse_values.is_none())?;
        let found = values.loads().find_map(|(_, view)| Self::seen(view, attend))?;
        let keys = attend.products.as_ref().map(|products| &products.keys);
        let slides = [Some(values), keys].into_iter().flatten().all(|fused| found.carries(fused));
        slides.then_some(found)
    }

    /// Images and heads.
    pub(crate) fn maps(&self, attend: &Attend) -> usize {
        attend.batch / (self.map[0] * self.map[1])
    }

    /// Extents as the digits of a view tell them: those of columns are the finest of either axis.
    fn seen(view: &View, attend: &Attend) -> Option<Self> {
        let digit = |axis: usize, div: usize| {
            let mut digits = view.coords.iter().flat_map(|coord| &coord.digits);
            digits.find(|d| d.axis == axis && d.div == div).map(|d| d.extent)
        };
        let (width, columns) = (digit(0, 1)?, digit(1, 1)?);
        let (height, rows) = (digit(0, width)?, digit(1, columns)?);
        let whole = rows * columns == attend.keys && attend.batch.is_multiple_of(width * height);
        whole.then_some(Self { map: [height, width], size: [rows, columns] })
    }

    /// Whether an expression at pixel (i, j) and key (a, b) depends on i + a and j + b alone.
    fn carries(&self, fused: &FusedExpr) -> bool {
        fused.terms.values().all(|term| match &term.expr {
            Expr::Load { view, .. } | Expr::Position(view) => view.coords.iter().all(|coord| self.slides(coord)),
            Expr::Gather { .. } | Expr::Reduce { .. } => false,
            _ => true,
        })
    }

    fn slides(&self, coord: &Coord) -> bool {
        let ([height, width], [rows, columns]) = (self.map, self.size);
        let (pixel, key) = ([(1, width), (width, height)], [(1, columns), (columns, rows)]);
        let factor = |axis: usize, (div, extent): (usize, usize)| -> i64 {
            let same = coord.digits.iter().filter(|d| (d.axis, d.div, d.extent) == (axis, div, extent));
            same.map(|d| d.mul).sum()
        };
        let known = coord.digits.iter().all(|d| match d.axis {
            0 => d.div >= width * height || pixel.contains(&(d.div, d.extent)),
            1 => key.contains(&(d.div, d.extent)),
            _ => true,
        });
        known && pixel.into_iter().zip(key).all(|(pixel, key)| factor(0, pixel) == factor(1, key))
    }
}
