//! Emits attention to neighbourhoods.

use super::{HaloTile, SlideTiles};
use crate::{
    plan::{
        Attend,
        expr::{Expr, ExprId, FusedExpr},
        neighbourhood::Neighbourhood,
    },
    templates::{
        expression::{
            Context, Scope,
            index::{DigitAt, Point},
            rows::{Chunk, for_chunks, lane_extent, store_at},
        },
        register_tile::{active_lanes_at, multiply_add, vector_start},
    },
};
use regard_ir::{
    id::IdVec,
    kernel::{BinOp, Buf, Builder, CmpOp, IdAxis, Unit, Val, math},
    types::DType,
};

/// Which parts of a key's place a term depends on: row of the window, column of the window.
type Parts = [bool; 2];

struct Block<'a> {
    context: &'a Context,
    attend: &'a Attend,
    window: Neighbourhood,
    sums: usize,
    halo: HaloTile,
    head: Val,
    keys: Option<Buf>,
    queries: Option<Buf>,
    values: Buf,
    scores: Buf,
    /// Sums `[channel, pixel]`, whole vectors of channels, and the same transposed where a unit can do so.
    accumulators: Buf,
    transposed: Option<Buf>,
}

/// L pixels of one row.
struct Pixels {
    /// Row of the map.
    row: Val,
    /// The same, counted from the block's first.
    line: Val,
    /// First column.
    column: Val,
    /// How many, where not all lanes are used.
    active: Option<Val>,
}

/// Emits the body.
pub(super) fn emit(
    context: &Context,
    b: &mut Builder,
    attend: &Attend,
    window: Neighbourhood,
    output: Buf,
    tiles: SlideTiles,
) {
    let lanes = b.lanes() as usize;
    let halo = tiles.halo(&window, lanes);
    let mut scratch = |name: &str, len: usize| b.scratch(name, DType::F32, len as u64);
    let dim = attend.products.as_ref().map(|products| products.dim);
    let keys = dim.map(|dim| scratch("keys", dim * halo.rows * halo.columns));
    let queries = dim.map(|dim| scratch("queries", dim * lanes));
    let values = scratch("values", attend.value_dim * halo.rows * halo.columns);
    let scores = scratch("scores", attend.keys * lanes);
    let padded = attend.value_dim.next_multiple_of(lanes);
    let accumulators = scratch("summed", padded * lanes);
    let transposed = (b.unit() == Unit::Core).then(|| b.scratch("turned", DType::F32, (padded * lanes) as u64));
    let zero = b.vf32(0.0);
    for channel in attend.value_dim..padded {
        b.store(zero, b.addr_off(accumulators, None, (channel * lanes) as i64));
    }
    let (head, tile) = (b.id(IdAxis::G0), b.id(IdAxis::G1));
    let block = Block {
        context,
        attend,
        window,
        sums: tiles.sums,
        halo,
        head,
        keys,
        queries,
        values,
        scores,
        accumulators,
        transposed,
    };
    let top = b.mul_const(tile, tiles.rows as i64);
    if let (Some(keys), Some(products)) = (keys, &attend.products) {
        block.pack(b, &products.keys, products.dim, keys, top);
    }
    if let Some(fused) = &attend.values {
        block.pack(b, fused, attend.value_dim, values, top);
    }
    let [height, width] = window.map;
    let all = b.i64(height as i64);
    let (left, most, zero) = (b.sub(all, top), b.i64(tiles.rows as i64), b.i64(0));
    let count = b.bin(BinOp::Min, left, most);
    b.for_loop((zero, count), 1, 1, &[], |b, line, _| {
        let row = b.add(top, line);
        b.for_const(width as u64, lanes as i64, &[], |b, column, _| {
            let active = (!width.is_multiple_of(lanes)).then(|| {
                let (all, most) = (b.i64(width as i64), b.i64(lanes as i64));
                let left = b.sub(all, column);
                b.bin(BinOp::Min, left, most)
            });
            let pixels = Pixels { row, line, column, active };
            block.pack_queries(b, &pixels);
            let largest = block.score(b, &pixels);
            let weight = block.softmax(b, largest);
            block.apply(b, &pixels, weight);
            block.finish(b, &pixels, output);
            Vec::new()
        });
        Vec::new()
    });
}

impl Block<'_> {
    /// Elements of one channel.
    fn plane(&self) -> i64 {
        (self.halo.rows * self.halo.columns) as i64
    }

    /// A pixel of the map: the first axis of every fused expression's space.
    fn pixel(&self, row: Val, column: Val, lanes: bool) -> Vec<DigitAt> {
        let [height, width] = self.window.map;
        let digit = |div: usize, extent: usize, value: Val, lanes: bool| DigitAt { div, extent, value, lanes };
        let maps = self.window.maps(self.attend);
        vec![
            digit(1, width, column, lanes),
            digit(width, height, row, false),
            digit(width * height, maps, self.head, false),
        ]
    }

    /// A place of the window.
    fn key(&self, a: Val, b: Val) -> Vec<DigitAt> {
        let [rows, columns] = self.window.size;
        let digit = |div: usize, extent: usize, value: Val| DigitAt { div, extent, value, lanes: false };
        vec![digit(1, columns, b), digit(columns, rows, a)]
    }

    /// A pixel and a place of its window that meet at `at`.
    fn clamp_to_window(&self, b: &mut Builder, at: Val, axis: usize) -> (Val, Val) {
        let (last, widest) = (b.i64(self.window.map[axis] as i64 - 1), b.i64(self.window.size[axis] as i64 - 1));
        let pixel = b.bin(BinOp::Min, at, last);
        let over = b.sub(at, pixel);
        (pixel, b.bin(BinOp::Min, over, widest))
    }

    /// Channels of what the windows see, channel by channel: `to[c, y, x]`.
    fn pack(&self, b: &mut Builder, fused: &FusedExpr, channels: usize, to: Buf, top: Val) {
        let (step, columns, plane) = (self.width(b), self.halo.columns, self.plane());
        b.for_const(columns as u64, step, &[], |b, x, _| {
            let across: Vec<(Val, Val)> = (0..step)
                .map(|lane| {
                    let at = b.add_const(x, lane);
                    self.clamp_to_window(b, at, 1)
                })
                .collect();
            b.for_const(self.halo.rows as u64, 1, &[], |b, y, _| {
                let at = b.add(top, y);
                let (row, down) = self.clamp_to_window(b, at, 0);
                let points = across.iter().map(|&(column, over)| {
                    let (pixel, key) = (self.pixel(row, column, false), self.key(down, over));
                    Point { axes: vec![pixel, key], active: None }
                });
                let line = b.mul_const(y, columns as i64);
                let place = b.add(line, x);
                self.transpose_pack(b, fused, channels, points.collect(), (to, Some(place), plane));
                Vec::new()
            });
            Vec::new()
        });
    }

    /// Pixels transposed at once: as many as lanes where registers can be transposed.
    fn width(&self, b: &Builder) -> i64 {
        if b.unit() == Unit::Core { i64::from(b.lanes()) } else { 1 }
    }

    /// Channels of neighbouring pixels, read along channels and written along pixels, channels `plane` apart.
    fn transpose_pack(
        &self,
        b: &mut Builder,
        fused: &FusedExpr,
        channels: usize,
        points: Vec<Point>,
        to: (Buf, Option<Val>, i64),
    ) {
        let (to, place, plane) = to;
        let inner = lane_extent(fused, 2, channels);
        for_chunks(b, channels, inner, &[], &mut |b, chunk: Chunk, _| {
            let read = |point: &Point| {
                let point = point.with_axis(chunk.digits.clone(), chunk.active);
                self.context.root(b, &mut Scope::new(fused, point))
            };
            let pixels: Vec<Val> = points.iter().map(read).collect();
            let start = chunk.start(b);
            let line = b.mul_const(start, plane);
            let at = place.map_or(line, |place| b.add(line, place));
            if let [pixel] = pixels[..] {
                b.store_with(pixel, b.addr(to, at), chunk.active, plane);
            } else {
                let transposed = b.transpose(pixels);
                for (c, &channel) in transposed.iter().enumerate().take(chunk.count) {
                    b.store(channel, b.addr_off(to, Some(at), c as i64 * plane));
                }
            }
            Vec::new()
        });
    }

    /// `queries[d, pixel]`; pixels past the last one repeat it.
    fn pack_queries(&self, b: &mut Builder, at: &Pixels) {
        let (Some(products), Some(queries)) = (&self.attend.products, self.queries) else { return };
        let (lanes, step) = (i64::from(b.lanes()), self.width(b));
        let zero = b.i64(0);
        let pack = |b: &mut Builder, start: Option<Val>| {
            let points = (0..step).map(|lane| {
                let first = start.map_or(at.column, |start| b.add(at.column, start));
                let wanted = b.add_const(first, lane);
                let (column, _) = self.clamp_to_window(b, wanted, 1);
                Point { axes: vec![self.pixel(at.row, column, false), self.key(zero, zero)], active: None }
            });
            let points = points.collect();
            self.transpose_pack(b, &products.queries, products.dim, points, (queries, start, lanes));
        };
        if step == lanes {
            return pack(b, None);
        }
        b.for_const(lanes as u64, step, &[], |b, lane, _| {
            pack(b, Some(lane));
            Vec::new()
        });
    }

    /// Scores of a tile of pixels, finished; the largest of each pixel.
    fn score(&self, b: &mut Builder, at: &Pixels) -> Val {
        let [rows, columns] = self.window.size;
        let (fused, lanes) = (&self.attend.scores, i64::from(b.lanes()));
        let parts = self.parts(fused);
        let (one, lowest) = (b.i64(0), b.vf32(f64::NEG_INFINITY));
        let query = vec![DigitAt { div: 1, extent: 1, value: one, lanes: false }];
        let pixel = self.pixel(at.row, at.column, true);
        let place =
            |a: Val, t: Val| Point { axes: vec![pixel.clone(), query.clone(), self.key(a, t)], active: at.active };
        let mut scope = Scope::new(fused, place(one, one));
        self.precompute(b, &mut scope, &parts, [false, false]);
        let across: Vec<(Val, Scope)> = (0..columns)
            .map(|t| {
                let t = b.i64(t as i64);
                let mut column = scope.at(place(one, t));
                self.precompute(b, &mut column, &parts, [false, true]);
                (t, column)
            })
            .collect();
        let largest = b.for_const(rows as u64, 1, &[lowest], |b, a, carried| {
            let mut row = scope.at(place(a, one));
            self.precompute(b, &mut row, &parts, [true, false]);
            let sums = self.products(b, at, a);
            let to = b.mul_const(a, columns as i64 * lanes);
            let mut largest = carried[0];
            for (t, (column, known)) in across.iter().enumerate() {
                let mut here = row.at(place(a, *column));
                here.known.extend(&known.known);
                if let Some(sums) = &sums {
                    here = here.with_anchor(sums[t]);
                }
                let score = self.context.root(b, &mut here);
                b.store(score, b.addr_off(self.scores, Some(to), t as i64 * lanes));
                largest = b.bin(BinOp::Max, largest, score);
            }
            vec![largest]
        });
        largest[0]
    }

    /// q·k with the keys of one row of the windows.
    fn products(&self, b: &mut Builder, at: &Pixels, a: Val) -> Option<Vec<Val>> {
        let (dim, keys, queries) = (self.attend.products.as_ref()?.dim, self.keys?, self.queries?);
        let (start, lanes) = (self.place(b, at, a), i64::from(b.lanes()));
        let sums = vec![b.vf32(0.0); self.window.size[1]];
        let bounds = (b.i64(0), b.i64(dim as i64));
        let unroll = if dim.is_multiple_of(4) { 4 } else { 1 };
        Some(b.for_loop(bounds, 1, unroll, &sums, |b, d, sums| {
            let (from, line) = (b.mul_const(d, lanes), b.mul_const(d, self.plane()));
            let line = b.add(line, start);
            let query = b.load(b.addr(queries, from));
            let key = |(t, &sum): (usize, &Val)| {
                let key = b.load(b.addr_off(keys, Some(line), t as i64));
                multiply_add(b, self.context.fma, query, key, sum)
            };
            sums.iter().enumerate().map(key).collect()
        }))
    }

    /// Where row `a` of the first pixel's window begins in a packed channel.
    fn place(&self, b: &mut Builder, at: &Pixels, a: Val) -> Val {
        let row = b.add(at.line, a);
        let row = b.mul_const(row, self.halo.columns as i64);
        b.add(row, at.column)
    }

    /// Exponentials of all scores; the reciprocal of their sum.
    fn softmax(&self, b: &mut Builder, largest: Val) -> Val {
        let lanes = i64::from(b.lanes());
        let (finite, zero, one) = (b.vf32(f64::from(f32::MIN)), b.vf32(0.0), b.vf32(1.0));
        let largest = b.bin(BinOp::Max, largest, finite);
        let sum = b.for_const(self.attend.keys as u64, 1, &[zero], |b, key, carried| {
            let at = b.mul_const(key, lanes);
            let score = b.load(b.addr(self.scores, at));
            let below = b.sub(score, largest);
            let weight = math::exp(b, below, self.context.fma);
            b.store(weight, b.addr(self.scores, at));
            vec![b.add(carried[0], weight)]
        });
        let some = b.cmp(CmpOp::Lt, zero, sum[0]);
        let inverse = b.bin(BinOp::Div, one, sum[0]);
        b.select(some, inverse, zero)
    }

    /// Weighted sums of values, some channels at a time.
    fn apply(&self, b: &mut Builder, at: &Pixels, weight: Val) {
        let ([rows, columns], lanes, plane) = (self.window.size, i64::from(b.lanes()), self.plane());
        let (attend, zero) = (self.attend, b.vf32(0.0));
        b.for_const(attend.value_dim as u64, self.sums as i64, &[], |b, channel, _| {
            let base = b.mul_const(channel, plane);
            let sums = b.for_const(rows as u64, 1, &vec![zero; self.sums], |b, a, sums| {
                let mut sums = sums.to_vec();
                let place = self.place(b, at, a);
                let (from, scores) = (b.add(place, base), b.mul_const(a, columns as i64 * lanes));
                for t in 0..columns as i64 {
                    let score = b.load(b.addr_off(self.scores, Some(scores), t * lanes));
                    for (c, sum) in sums.iter_mut().enumerate() {
                        let value = b.load(b.addr_off(self.values, Some(from), c as i64 * plane + t));
                        *sum = multiply_add(b, self.context.fma, score, value, *sum);
                    }
                }
                sums
            });
            for (c, &sum) in sums.iter().enumerate() {
                let sum = b.mul(sum, weight);
                let to = b.mul_const(channel, lanes);
                b.store(sum, b.addr_off(self.accumulators, Some(to), c as i64 * lanes));
            }
            Vec::new()
        });
    }

    /// Pixel by pixel, channels side by side again: the epilogue.
    fn finish(&self, b: &mut Builder, at: &Pixels, output: Buf) {
        let (attend, lanes) = (self.attend, b.lanes() as usize);
        let (dim, padded) = (attend.value_dim, attend.value_dim.next_multiple_of(lanes));
        if let Some(transposed) = self.transposed {
            b.for_const(padded as u64, lanes as i64, &[], |b, channel, _| {
                let from = b.mul_const(channel, lanes as i64);
                let offsets = (0..lanes).map(|c| (c * lanes) as i64);
                let sums = offsets.map(|offset| b.load(b.addr_off(self.accumulators, Some(from), offset))).collect();
                for (pixel, &sums) in b.transpose(sums).iter().enumerate() {
                    b.store(sums, b.addr_off(transposed, Some(channel), (pixel * padded) as i64));
                }
                Vec::new()
            });
        }
        let count = at.active.unwrap_or_else(|| b.i64(lanes as i64));
        let zero = b.i64(0);
        b.for_loop((zero, count), 1, 1, &[], |b, pixel, _| {
            let column = b.add(at.column, pixel);
            let axes = vec![self.pixel(at.row, column, false)];
            let pixels = Point { axes, active: None }.with_scalar(zero, 1);
            b.for_const(padded as u64, lanes as i64, &[], |b, channel, _| {
                let active = active_lanes_at(b, channel, 0, dim, lanes);
                let base = vector_start(b, channel, 0, dim, lanes);
                let (row, line) = (b.mul_const(pixel, padded as i64), b.mul_const(channel, lanes as i64));
                let value = match self.transposed {
                    Some(transposed) => {
                        let from = b.add(row, channel);
                        b.load(b.addr(transposed, from))
                    }
                    None => {
                        let from = b.add(line, pixel);
                        b.load_with(b.addr(self.accumulators, from), None, lanes as i64)
                    }
                };
                let point = pixels.with_lanes(base, dim, active);
                let mut scope = Scope::new(&attend.epilogue, point.clone()).with_anchor(value);
                let value = self.context.root(b, &mut scope);
                store_at(b, output, &attend.store, &point, value);
                Vec::new()
            });
            Vec::new()
        });
    }

    /// Computes the terms that depend on exactly these parts of a key's place, and records them.
    fn precompute(&self, b: &mut Builder, scope: &mut Scope, parts: &IdVec<ExprId, Option<Parts>>, wanted: Parts) {
        let rank = scope.fused.space.len();
        for (id, term) in scope.fused.terms.iter() {
            let inside = term.axes >> rank != 0;
            if parts[id] == Some(wanted) && !inside && !matches!(term.expr, Expr::Const(_)) {
                self.context.value(b, scope, id);
            }
        }
    }

    /// The parts of a key's place that each term depends on; none is known of what is made of q·k.
    fn parts(&self, fused: &FusedExpr) -> IdVec<ExprId, Option<Parts>> {
        let columns = self.window.size[1];
        let mut all: IdVec<ExprId, Option<Parts>> = IdVec::new();
        for term in fused.terms.values() {
            let own = match &term.expr {
                Expr::Anchor => None,
                Expr::Load { view, .. } | Expr::Gather { inner: view, .. } | Expr::Position(view) => {
                    let digits = || view.coords.iter().flat_map(|c| &c.digits).filter(|d| d.axis == 2);
                    Some([digits().any(|d| d.div * d.extent > columns), digits().any(|d| d.div < columns)])
                }
                _ => Some([false; 2]),
            };
            let both = |x: Option<Parts>, y: Option<Parts>| x.zip(y).map(|([a, b], [c, d])| [a || c, b || d]);
            all.push(term.expr.operands().into_iter().fold(own, |parts, operand| both(parts, all[operand])));
        }
        all
    }
}
