//! Row programs: maps and reductions. They compute every op by its definition, and are the kernel of all that is
//! neither a product nor attention.
//!
//! ```text
//!   for row in block {
//!     for each stage { its elements for this row go to scratch, in the same way }
//!     for each reduction that the row alone decides { lanes run along the reduced axis }
//!     for chunk of the inner axis {
//!       for each reduction that differs along the inner axis { a loop per chunk, lanes side by side }
//!       root ← expression
//!     }
//!   }
//! ```
//!
//! Layer norm, softmax and means are row programs with reductions; everything pointwise or moved is one
//! without. A block takes several rows, or a part of the inner axis where nothing is reduced along it.

mod cost;
mod emit;

use super::{
    Instance, Parameters, Pricing, Sizes, Template,
    cost::CostContext,
    expression::{Context, rows::lane_extent},
    ladder, parts, tile_sizes,
};
use crate::plan::{Body, expr::FusedExpr};
use regard_ir::{
    kernel::Builder,
    target::{Target, UnitKind},
};

tile_sizes! {
    /// How a row program is cut into blocks.
    RowTiles {
        /// Rows per block.
        rows,
        /// Elements of the inner axis per block; all of it where there are reductions.
        inner,
    }
}

/// The template.
pub(super) const TEMPLATE: Template =
    Template { name: "row", sizes: RowTiles::WORDS, register_tile: 0..2, unit: UnitKind::Vector, fit };

fn fit<'a>(body: &'a Body, target: &'a Target) -> Option<Box<dyn Instance<'a> + 'a>> {
    let Body::Row(fused) = body else { return None };
    let [rows, inner] = fused.space[..] else { panic!("a row program's space has two axes") };
    Some(Box::new(Rows { fused, rows, inner, target }))
}

struct Rows<'a> {
    fused: &'a FusedExpr,
    rows: usize,
    inner: usize,
    target: &'a Target,
}

impl Rows<'_> {
    /// Whether there are reductions along the inner axis, which then cannot be split.
    fn reduces(&self) -> bool {
        let fused = self.fused;
        !fused.stages.is_empty() || fused.reductions().iter().any(|&r| !fused.uses(r, 1))
    }

    /// What a part of the inner axis is a multiple of.
    fn unit(&self) -> usize {
        let digit = lane_extent(self.fused, 1, self.inner);
        if digit == self.inner { self.target.lanes as usize } else { digit }
    }
}

impl<'a> Instance<'a> for Rows<'a> {
    fn kernel(&self, sizes: Sizes) -> (String, [u64; 3]) {
        let (tiles, rows, inner) = (RowTiles::from(sizes), self.rows, self.inner);
        (format!("row_{rows}x{inner}"), [rows.div_ceil(tiles.rows) as u64, inner.div_ceil(tiles.inner) as u64, 1])
    }

    fn limits(&self) -> Sizes {
        RowTiles { rows: self.rows, inner: self.inner.next_multiple_of(self.target.lanes as usize) }.into()
    }

    fn check(&self, sizes: Sizes) -> Result<(), String> {
        let (found, unit) = (RowTiles::from(sizes).inner, self.unit());
        match found < self.inner {
            true if self.reduces() => {
                Err(format!("inner {found} splits a row that is reduced as a whole, expected {}", self.inner))
            }
            true if found % unit != 0 => Err(format!("inner {found} is not a multiple of {unit}")),
            _ => Ok(()),
        }
    }

    fn search(&self, found: &mut dyn FnMut(Sizes)) {
        for rows in parts(self.rows) {
            found(RowTiles { rows, inner: self.inner }.into());
        }
        if self.reduces() {
            return;
        }
        let unit = self.unit();
        for parts in ladder(self.inner.div_ceil(unit)).skip(1) {
            let inner = self.inner.div_ceil(parts).next_multiple_of(unit);
            found(RowTiles { rows: 1, inner }.into());
        }
    }

    fn pricing(&self, setting: &CostContext<'a>) -> Box<dyn Pricing + 'a> {
        Box::new(cost::RowCost::new(self.fused, setting))
    }

    fn emit(&self, context: &Context, b: &mut Builder, parameters: Parameters, sizes: Sizes) {
        emit::emit(context, b, self.fused, parameters.output, sizes.into());
    }
}
