//! Attention: one head at a time, scores never leave the core.
//!
//! ```text
//!   block (head, queries q0…q0+R)
//!     pack   keysᵀ[d, j], values[j, c]
//!     for tile of `mr` queries:
//!       pack   q[r, d]
//!       s[r, j]  = Σ_d q[r, d] · keysᵀ[d, j]            mr × nv vectors of keys
//!       s[r, j]  ← scale, bias, mask;  m[r] = max_j s     keys past the end are −∞
//!       p[r, j]  = exp(s[r, j] − m[r]);  w[r] = 1 / Σ_j p
//!       y[r, c]  = w[r] · Σ_j p[r, j] · values[j, c];  root ← epilogue(y)
//! ```
//!
//! Where a softmax over queries takes part, the block goes on as `bidirectional.rs` says; where a mask of positions
//! excludes tiles of keys, as `seen.rs` says. A fully masked row has m = −∞; it is raised to the smallest finite
//! number, every p is then 0 and so is w, so the row is zeros and never NaN.

mod bidirectional;
mod cost;
mod emit;
mod seen;

use super::{
    Instance, Parameters, Pricing, Sizes, Template,
    cost::CostContext,
    expression::Context,
    parts,
    register_tile::{check_registers, fits_registers},
    tile_sizes,
};
use crate::plan::{Attend, Body};
use regard_ir::{
    kernel::Builder,
    target::{Target, UnitKind},
};

tile_sizes! {
    /// How attention is tiled.
    AttendTiles {
        /// Queries per block.
        queries,
        /// Queries per register tile.
        mr,
        /// Vectors of keys per register tile.
        keys,
        /// Vectors of a value per register tile.
        values,
    }
}

impl AttendTiles {
    /// Blocks along heads and query tiles.
    fn grid(&self, attend: &Attend) -> [u64; 3] {
        [attend.batch as u64, attend.queries.div_ceil(self.queries) as u64, 1]
    }
}

/// The template.
pub(super) const TEMPLATE: Template =
    Template { name: "attend", sizes: AttendTiles::WORDS, register_tile: 1..4, unit: UnitKind::Vector, fit };

fn fit<'a>(body: &'a Body, target: &'a Target) -> Option<Box<dyn Instance<'a> + 'a>> {
    let Body::Attend(attend) = body else { return None };
    Some(Box::new(Heads { attend, target }))
}

struct Heads<'a> {
    attend: &'a Attend,
    target: &'a Target,
}

impl<'a> Instance<'a> for Heads<'a> {
    fn kernel(&self, sizes: Sizes) -> (String, [u64; 3]) {
        let a = self.attend;
        let name = format!("{}_{}x{}x{}x{}", a.name(), a.batch, a.queries, a.keys, a.value_dim);
        (name, AttendTiles::from(sizes).grid(a))
    }

    fn limits(&self) -> Sizes {
        let registers = self.target.vector_registers as usize;
        let queries = self.attend.queries + registers;
        AttendTiles { queries, mr: registers, keys: registers, values: registers }.into()
    }

    fn check(&self, sizes: Sizes) -> Result<(), String> {
        let tiles = AttendTiles::from(sizes);
        let (found, all) = (tiles.queries, self.attend.queries);
        if self.attend.inverse_values.is_some() && found < all {
            return Err(format!("queries {found} splits columns that are normalised as a whole, expected {all}"));
        }
        check_registers(tiles.mr, tiles.keys.max(tiles.values), self.target)?;
        if !found.is_multiple_of(tiles.mr) {
            return Err(format!("queries {found} is not a multiple of mr {}", tiles.mr));
        }
        Ok(())
    }

    fn search(&self, found: &mut dyn FnMut(Sizes)) {
        let (attend, lanes) = (self.attend, self.target.lanes as usize);
        let vectors = |extent: usize, mr: usize| {
            (1..=extent.div_ceil(lanes).min(4)).filter(move |&nv| fits_registers(mr, nv, self.target))
        };
        for mr in 1..=attend.queries.clamp(1, 14) {
            let row_tiles = attend.queries.div_ceil(mr);
            // A softmax over queries needs all of them in one block.
            let cuts = if attend.inverse_values.is_some() { vec![row_tiles] } else { parts(row_tiles) };
            for keys in vectors(attend.keys, mr) {
                for values in vectors(attend.value_dim, mr) {
                    for tiles in &cuts {
                        found(AttendTiles { queries: tiles * mr, mr, keys, values }.into());
                    }
                }
            }
        }
    }

    fn pricing(&self, setting: &CostContext<'a>) -> Box<dyn Pricing + 'a> {
        Box::new(cost::AttendCost::new(self.attend, setting))
    }

    fn emit(&self, context: &Context, b: &mut Builder, parameters: Parameters, sizes: Sizes) {
        emit::emit(context, b, self.attend, parameters.output, sizes.into());
    }
}
