//! The work of a row program: an expression at every point, and reductions once per row or per vector.

use super::{
    Event, Level, Setting, Work,
    expression::{Price, Walk, price},
    share,
};
use crate::{lower::RowTiles, plan::expr::Cone};
use regard_ir::target::Target;

/// What the cost depends on apart from tiles.
pub(crate) struct Parts<'a> {
    cone: &'a Cone,
    price: Price,
}

impl<'a> Parts<'a> {
    pub(crate) fn new(cone: &'a Cone, setting: &Setting) -> Self {
        Self { cone, price: price(cone, (1, cone.space[1]), Walk::Digits, setting) }
    }

    pub(crate) fn work(&self, tiles: &RowTiles, target: &Target) -> Work {
        let [rows, inner] = self.cone.space[..] else { panic!("a row program's space has two axes") };
        let parts = inner.div_ceil(tiles.inner);
        let begun = (rows * parts) as f64;
        let vectors = rows as f64 * self.price.vectors;
        let Price { vector, row, .. } = self.price;
        let mut work = Work { blocks: (rows.div_ceil(tiles.rows) * parts) as u64, ..Work::default() };
        work.express(vector, vectors);
        work.express(row, begun);
        work.events[Event::Store] = vectors;
        work.events[Event::Begin] = begun;
        work.cross(Level::L1, vectors * 4.0 * f64::from(target.lanes));
        let streamed = (rows * inner) as f64 * (4.0 + self.price.streamed) + rows as f64 * row.bytes;
        let caches = [(Level::L2, target.l1_bytes), (Level::L3, target.l2_bytes), (Level::Memory, target.l3_bytes)];
        for (level, cache) in caches {
            if streamed > share(cache) {
                work.cross(level, streamed);
            }
        }
        work
    }
}
