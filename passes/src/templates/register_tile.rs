//! A register tile: rows times columns of a matrix product, summed in registers. Shared by templates that multiply.
//!
//! ```text
//!   tile[mr][nv·L] = start + Σ_k left[r, k] · right[k, v·L]      one broadcast, nv loads, mr·nv fma per k
//! ```

use regard_ir::{
    kernel::{BinOp, Buf, Builder, Val},
    target::Target,
};

/// Whether a register tile fits: accumulators, columns and one broadcast.
pub(crate) fn fits_registers(mr: usize, nv: usize, target: &Target) -> bool {
    mr * nv + nv < target.vector_registers as usize
}

/// The same, refused with the inequality.
pub(crate) fn check_registers(mr: usize, nv: usize, target: &Target) -> Result<(), String> {
    if fits_registers(mr, nv, target) {
        return Ok(());
    }
    Err(format!("mr·nv + nv + 1 = {} registers, expected at most {}", mr * nv + nv + 1, target.vector_registers))
}

/// A tile product's operands in scratch or memory.
pub(crate) struct Operands {
    /// Rows to broadcast from.
    pub left: Buf,
    /// Distance of those rows.
    pub left_stride: usize,
    /// Columns to load.
    pub right: Buf,
    /// Distance of consecutive k.
    pub right_stride: usize,
    /// Length of the reduction.
    pub k: usize,
}

/// Where a register tile reads and writes, in elements from the start of each buffer.
#[derive(Clone, Copy, Default)]
pub(crate) struct Bases {
    /// First row, first k of the left operand.
    pub left: Option<Val>,
    /// First k of the panel.
    pub right: Option<Val>,
    /// The sums.
    pub tile: Option<Val>,
}

/// `tile[mr][nv·L] = start + Σ_k left[r, k] · right[k, v·L]`; `start` is the tile itself where `continues`.
pub(crate) fn multiply(
    b: &mut Builder,
    fma: bool,
    at: &Operands,
    bases: Bases,
    (mr, nv): (usize, usize),
    tile: Buf,
    continues: bool,
) {
    let lanes = b.lanes() as usize;
    let place = |i: usize| (i * lanes) as i64;
    let start: Vec<Val> = if continues {
        (0..mr * nv).map(|i| b.load(b.addr_off(tile, bases.tile, place(i)))).collect()
    } else {
        vec![b.vf32(0.0); mr * nv]
    };
    let bounds = (b.i64(0), b.i64(at.k as i64));
    let unroll = if at.k.is_multiple_of(4) { 4 } else { 1 };
    let sums = b.for_loop(bounds, 1, unroll, &start, |b, k, sums| {
        let mut sums = sums.to_vec();
        let line = b.mul_const(k, at.right_stride as i64);
        let line = bases.right.map_or(line, |base| b.add(base, line));
        let columns: Vec<Val> = (0..nv).map(|v| b.load(b.addr_off(at.right, Some(line), place(v)))).collect();
        let row = bases.left.map_or(k, |base| b.add(base, k));
        for r in 0..mr {
            let left = b.bcast(b.addr_off(at.left, Some(row), (r * at.left_stride) as i64));
            for (v, &column) in columns.iter().enumerate() {
                sums[r * nv + v] = multiply_add(b, fma, left, column, sums[r * nv + v]);
            }
        }
        sums
    });
    for (i, &sum) in sums.iter().enumerate() {
        b.store(sum, b.addr_off(tile, bases.tile, place(i)));
    }
}

/// x·y + z, fused where that is one instruction.
pub(crate) fn multiply_add(b: &mut Builder, fma: bool, x: Val, y: Val, z: Val) -> Val {
    if fma {
        return b.fma(x, y, z);
    }
    let product = b.mul(x, y);
    b.add(product, z)
}

/// Where the vector at `column + offset` begins. One past the last column has no active lanes, but
/// broadcast loads still execute, so its start is clamped to that of the last one.
pub(crate) fn vector_start(b: &mut Builder, column: Val, offset: usize, n: usize, width: usize) -> Val {
    let start = b.add_const(column, offset as i64);
    if n.is_multiple_of(width) {
        return start;
    }
    let lanes = b.lanes() as usize;
    let last = b.i64(((n - 1) / lanes * lanes) as i64);
    b.bin(BinOp::Min, start, last)
}

/// How many of the lanes at `column + offset` lie below `n`; nothing where panels of `width` divide `n`.
pub(crate) fn active_lanes_at(b: &mut Builder, column: Val, offset: usize, n: usize, width: usize) -> Option<Val> {
    if n.is_multiple_of(width) {
        return None;
    }
    let lanes = b.lanes() as i64;
    let from = b.add_const(column, offset as i64);
    let all = b.i64(n as i64);
    let left = b.sub(all, from);
    let (zero, most) = (b.i64(0), b.i64(lanes));
    let left = b.bin(BinOp::Min, left, most);
    Some(b.bin(BinOp::Max, left, zero))
}
