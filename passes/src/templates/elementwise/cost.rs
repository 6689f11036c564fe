//! The work of a row program: an expression at every point, and reductions once per row or per vector.

use super::RowTiles;
use crate::{
    plan::expr::FusedExpr,
    templates::{
        Pricing, Sizes,
        cost::{CostContext, Event, L1, L2, Work, share},
        expression::price::{Price, Walk, price},
    },
};
use regard_ir::target::Target;

/// What the cost depends on apart from tiles.
pub(super) struct RowCost<'a> {
    fused: &'a FusedExpr,
    price: Price,
    target: &'a Target,
}

impl<'a> RowCost<'a> {
    pub(super) fn new(fused: &'a FusedExpr, setting: &CostContext<'a>) -> Self {
        Self { fused, price: price(fused, (1, fused.space[1]), Walk::Digits, setting), target: setting.target }
    }
}

impl Pricing for RowCost<'_> {
    fn work(&self, sizes: Sizes) -> Work {
        let (tiles, target) = (RowTiles::from(sizes), self.target);
        let [rows, inner] = self.fused.space[..] else { panic!("a row program's space has two axes") };
        let parts = inner.div_ceil(tiles.inner);
        let begun = (rows * parts) as f64;
        let vectors = rows as f64 * self.price.vectors;
        let Price { vector, row, .. } = self.price;
        let mut work = Work { blocks: (rows.div_ceil(tiles.rows) * parts) as u64, ..Work::default() };
        work.express(vector, vectors);
        work.express(row, begun);
        work.events[Event::Store] = vectors;
        work.events[Event::RowSetup] = begun;
        work.cross(L1, vectors * 4.0 * f64::from(target.lanes));
        let streamed = (rows * inner) as f64 * (4.0 + self.price.streamed) + rows as f64 * row.bytes;
        for (level, before) in target.levels_beyond(L2) {
            if streamed > share(before) {
                work.cross(level, streamed);
            }
        }
        work
    }
}
