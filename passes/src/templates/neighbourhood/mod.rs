//! Attention of every pixel to the window around it, lanes along the pixels of a row.
//!
//! ```text
//!   block (head, rows i0…i0+R of the map)
//!     pack   keys[d, y, x], values[c, y, x]             all that the windows of these rows see, what lies outside included
//!     for row i, for L of its pixels:
//!       pack   q[d, pixel]
//!       s[a, b, pixel] = Σ_d q[d, pixel] · keys[d, i + a, pixel + b]       the keys of L pixels lie side by side
//!       s ← scale, terms, mask;  m = max s;  p = exp(s − m);  w = 1 / Σ p        lane by lane
//!       y[c, pixel]    = w · Σ p[a, b, pixel] · values[c, i + a, pixel + b]
//!       root ← epilogue(yᵀ)                           pixel by pixel
//! ```
//!
//! A window of k × k pixels is read k² times from scratch and about 1 + k/R times from memory, no vector has idle lanes
//! however short a head is, and no reduction goes across lanes. Bias terms that depend only on the pixel and one
//! coordinate of the window, such as those of relative positions, are evaluated k times, not k².

mod cost;
mod emit;

use super::{
    Instance, Parameters, Pricing, Sizes, Template, cost::CostContext, expression::Context, parts, tile_sizes,
};
use crate::plan::{Attend, Body, neighbourhood::Neighbourhood};
use regard_ir::{
    kernel::Builder,
    target::{Target, UnitKind},
};

tile_sizes! {
    /// How sliding attention is tiled.
    SlideTiles {
        /// Rows of the map per block.
        rows,
        /// Channels of a value summed at once; divides their number.
        sums,
    }
}

/// What a channel of a block's windows takes in scratch.
#[derive(Clone, Copy, Debug)]
struct HaloTile {
    /// Rows that a block's windows see.
    rows: usize,
    /// Columns packed, whole vectors.
    columns: usize,
}

impl SlideTiles {
    /// Blocks along heads and rows of the map.
    fn grid(&self, attend: &Attend, window: &Neighbourhood) -> [u64; 3] {
        [window.maps(attend) as u64, window.map[0].div_ceil(self.rows) as u64, 1]
    }
    fn halo(&self, window: &Neighbourhood, lanes: usize) -> HaloTile {
        let columns = window.map[1].next_multiple_of(lanes) + window.size[1] - 1;
        HaloTile { rows: self.rows + window.size[0] - 1, columns: columns.next_multiple_of(lanes) }
    }
}

/// The template.
pub(super) const TEMPLATE: Template =
    Template { name: "slide", sizes: SlideTiles::WORDS, register_tile: 0..2, unit: UnitKind::Vector, fit };

fn fit<'a>(body: &'a Body, target: &'a Target) -> Option<Box<dyn Instance<'a> + 'a>> {
    let Body::Attend(attend) = body else { return None };
    Some(Box::new(Windows { attend, window: Neighbourhood::of(attend)?, target }))
}

struct Windows<'a> {
    attend: &'a Attend,
    window: Neighbourhood,
    target: &'a Target,
}

impl Windows<'_> {
    /// Accumulators that fit the registers beside a score and a value.
    fn most_sums(&self) -> usize {
        (self.target.vector_registers as usize - 2).min(self.attend.value_dim)
    }
}

impl<'a> Instance<'a> for Windows<'a> {
    fn kernel(&self, sizes: Sizes) -> (String, [u64; 3]) {
        let ([height, width], [rows, columns]) = (self.window.map, self.window.size);
        let (maps, dim) = (self.window.maps(self.attend), self.attend.value_dim);
        let name = format!("slide_{maps}x{height}x{width}x{rows}x{columns}x{dim}");
        (name, SlideTiles::from(sizes).grid(self.attend, &self.window))
    }

    fn limits(&self) -> Sizes {
        SlideTiles { rows: self.window.map[0], sums: self.most_sums() }.into()
    }

    /// Accumulators of one row of the windows, or of some channels, in registers; all that the windows of a block see in
    /// the cache.
    fn check(&self, sizes: Sizes) -> Result<(), String> {
        let (attend, window, tiles) = (self.attend, &self.window, SlideTiles::from(sizes));
        if !attend.value_dim.is_multiple_of(tiles.sums) {
            return Err(format!("sums {} does not divide the {} channels of a value", tiles.sums, attend.value_dim));
        }
        let (need, have) = (window.size[1] + 2, self.target.vector_registers as usize);
        if need > have {
            return Err(format!("{need} registers for a row of the windows, expected at most {have}"));
        }
        let halo = tiles.halo(window, self.target.lanes as usize);
        let channels = attend.value_dim + attend.products.as_ref().map_or(0, |products| products.dim);
        let (bytes, cache) = ((channels * halo.rows * halo.columns) as u64 * 4, self.target.block_bytes);
        if bytes > cache && tiles.rows > 1 {
            return Err(format!(
                "keys and values of a block take {bytes} bytes, expected at most {cache}, three quarters of the L2 cache"
            ));
        }
        Ok(())
    }

    fn search(&self, found: &mut dyn FnMut(Sizes)) {
        let heights = parts(self.window.map[0]);
        for sums in (1..=self.most_sums()).filter(|&sums| self.attend.value_dim.is_multiple_of(sums)) {
            for &rows in &heights {
                let sizes = SlideTiles { rows, sums }.into();
                if self.check(sizes).is_ok() {
                    found(sizes);
                }
            }
        }
    }

    fn pricing(&self, setting: &CostContext<'a>) -> Box<dyn Pricing + 'a> {
        Box::new(cost::SlideCost::new(self.attend, self.window, setting))
    }

    fn emit(&self, context: &Context, b: &mut Builder, parameters: Parameters, sizes: Sizes) {
        emit::emit(context, b, self.attend, self.window, parameters.output, sizes.into());
    }
}
