//! One step after the other: the loop that executes flat code for a unit.

use super::{
    arith::{Float, Number, Outcome, approximated, compare, map1, reduce, truncated},
    code::{At, Code, File, Grid, MOST_LANES, Op, Slot},
    machine::{Place, Unit},
    memory::{Bank, Cells, Who},
};
use crate::kernel::{CastOp, IdAxis};

/// Why a unit stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Barrier,
    End,
}

/// Runs a generic expression on the file of that name.
macro_rules! on_file {
    ($unit:ident, $file:expr, |$f:ident| $body:expr) => {
        match $file {
            File::Float => {
                let $f = &mut $unit.floats;
                $body
            }
            File::Int => {
                let $f = &mut $unit.ints;
                $body
            }
            File::Long => {
                let $f = &mut $unit.longs;
                $body
            }
            File::Truth => {
                let $f = &mut $unit.truths;
                $body
            }
        }
    };
}

/// Runs a generic expression on the elements of a buffer and the file that they are loaded into.
macro_rules! on_cells {
    ($unit:ident, $cells:expr, |$f:ident, $c:ident| $body:expr) => {
        match $cells {
            Cells::Float($c) => {
                let $f = &mut $unit.floats;
                $body
            }
            Cells::Int($c) => {
                let $f = &mut $unit.ints;
                $body
            }
            Cells::Truth($c) => {
                let $f = &mut $unit.truths;
                $body
            }
        }
    };
}

fn lanes<T>(file: &[T], slot: Slot, n: usize) -> &[T] {
    &file[slot as usize..][..n]
}

/// The destination, and all registers in front of it.
fn split<T>(file: &mut [T], d: Slot, n: usize) -> (&[T], &mut [T]) {
    let (front, back) = file.split_at_mut(d as usize);
    (front, &mut back[..n])
}

impl<F: Float> Unit<F> {
    /// Runs to the next barrier or the end. After a fault `at` is the op that failed.
    pub(super) fn run(&mut self, code: &Code, banks: &mut [Bank<F>], place: Place) -> Outcome<Stop> {
        while let Some(&op) = code.ops.get(self.at) {
            match op {
                Op::LoopStart { index, lo, hi, exit } => {
                    let lo = self.longs[lo as usize];
                    self.longs[index as usize] = lo;
                    if lo >= self.longs[hi as usize] {
                        self.at = exit as usize;
                        continue;
                    }
                }
                Op::LoopNext { index, step, hi, body } => {
                    let next = self.longs[index as usize].checked_add(step);
                    if let Some(next) = next.filter(|&next| next < self.longs[hi as usize]) {
                        self.longs[index as usize] = next;
                        self.at = body as usize;
                        continue;
                    }
                }
                Op::Branch { cond, otherwise } => {
                    if !self.truths[cond as usize] {
                        self.at = otherwise as usize;
                        continue;
                    }
                }
                Op::Jump { to } => {
                    self.at = to as usize;
                    continue;
                }
                Op::Barrier => {
                    self.at += 1;
                    return Ok(Stop::Barrier);
                }
                Op::Load { .. } | Op::Read { .. } | Op::Gather { .. } | Op::Store { .. } | Op::Write { .. } => {
                    self.access(op, code.lanes, banks, place.who)?
                }
                Op::TileLoad { d, at, grid } => self.tile_load(d, at, grid, banks, place.who)?,
                Op::TileStore { a, at, grid } => self.tile_store(a, at, grid, banks, place.who)?,
                Op::Mma { d, acc, a, b, rows, cols, depth } => {
                    self.mma(d, [acc, a, b], [rows, cols, depth].map(|n| n as usize))
                }
                Op::Id { axis, d } => {
                    self.longs[d as usize] = match axis {
                        IdAxis::G0 => place.coordinates[0] as i64,
                        IdAxis::G1 => place.coordinates[1] as i64,
                        IdAxis::G2 => place.coordinates[2] as i64,
                        IdAxis::Unit => place.who.unit.into(),
                    }
                }
                _ => self.compute(op, code)?,
            }
            self.at += 1;
        }
        Ok(Stop::End)
    }

    /// An op that touches registers only.
    fn compute(&mut self, op: Op, code: &Code) -> Outcome {
        match op {
            Op::Bin { file, op, d, a, b, n } => {
                let n = n as usize;
                return on_file!(self, file, |f| {
                    let (front, d) = split(f, d, n);
                    Number::bin(op, d, lanes(front, a, n), lanes(front, b, n))
                });
            }
            Op::Un { file, op, d, a, n } => {
                return on_file!(self, file, |f| {
                    let (front, d) = split(f, d, n as usize);
                    Number::un(op, d, lanes(front, a, n as usize))
                });
            }
            Op::Fma { d, a, b, c, n } => self.fma(d, [a, b, c], n as usize),
            Op::Cmp { file, op, d, a, b, n } => {
                let n = n as usize;
                let truths = &mut self.truths[d as usize..][..n];
                match file {
                    File::Float => compare(op, truths, lanes(&self.floats, a, n), lanes(&self.floats, b, n)),
                    File::Int => compare(op, truths, lanes(&self.ints, a, n), lanes(&self.ints, b, n)),
                    File::Long => compare(op, truths, lanes(&self.longs, a, n), lanes(&self.longs, b, n)),
                    File::Truth => return Err("truth values are not compared".into()),
                }
            }
            Op::Select { file, d, cond, a, b, n } => self.select(file, d, [cond, a, b], n as usize),
            Op::Cast { op, d, a, n } => return self.cast(op, d, a, n as usize),
            Op::Approx { op, d, a, n } => {
                let (front, d) = split(&mut self.floats, d, n as usize);
                map1(d, lanes(front, a, n as usize), |a| approximated(op, a));
            }
            Op::Move { file, d, a, n } => on_file!(self, file, |f| {
                f.copy_within(a as usize..a as usize + n as usize, d as usize);
            }),
            Op::Splat { file, d, a } => on_file!(self, file, |f| {
                let value = f[a as usize];
                f[d as usize..][..code.lanes].fill(value);
            }),
            Op::Reduce { file, op, d, a } => on_file!(self, file, |f| {
                let mut values = [Default::default(); MOST_LANES];
                values[..code.lanes].copy_from_slice(lanes(f, a, code.lanes));
                f[d as usize] = reduce(op, &mut values[..code.lanes]);
            }),
            Op::Shuffle { file, d, a, lanes: from } => on_file!(self, file, |f| {
                let (front, d) = split(f, d, code.lanes);
                map1(d, &code.lists[from as usize], |lane| front[(a + lane) as usize]);
            }),
            Op::Transpose { file, d, rows } => on_file!(self, file, |f| {
                let rows = &code.lists[rows as usize];
                let (front, d) = split(f, d, rows.len() * rows.len());
                for (row, d) in d.chunks_exact_mut(rows.len()).enumerate() {
                    map1(d, rows, |slot| front[slot as usize + row]);
                }
            }),
            Op::Zero { d, n } => self.floats[d as usize..][..n as usize].fill(F::default()),
            other => unreachable!("{other:?} is executed elsewhere"),
        }
        Ok(())
    }

    fn fma(&mut self, d: Slot, operands: [Slot; 3], n: usize) {
        let (front, d) = split(&mut self.floats, d, n);
        let [a, b, c] = operands.map(|slot| lanes(front, slot, n));
        for (((d, &a), &b), &c) in d.iter_mut().zip(a).zip(b).zip(c) {
            *d = a.fused(b, c);
        }
    }

    fn select(&mut self, file: File, d: Slot, [cond, a, b]: [Slot; 3], n: usize) {
        fn pick<T: Copy>(d: &mut [T], cond: &[bool], a: &[T], b: &[T]) {
            for (((d, &cond), &a), &b) in d.iter_mut().zip(cond).zip(a).zip(b) {
                *d = if cond { a } else { b };
            }
        }
        if file == File::Truth {
            let (front, d) = split(&mut self.truths, d, n);
            return pick(d, lanes(front, cond, n), lanes(front, a, n), lanes(front, b, n));
        }
        let cond = &self.truths[cond as usize..][..n];
        match file {
            File::Float => {
                let (front, d) = split(&mut self.floats, d, n);
                pick(d, cond, lanes(front, a, n), lanes(front, b, n))
            }
            File::Int => {
                let (front, d) = split(&mut self.ints, d, n);
                pick(d, cond, lanes(front, a, n), lanes(front, b, n))
            }
            _ => {
                let (front, d) = split(&mut self.longs, d, n);
                pick(d, cond, lanes(front, a, n), lanes(front, b, n))
            }
        }
    }

    fn cast(&mut self, op: CastOp, d: Slot, a: Slot, n: usize) -> Outcome {
        let d = d as usize;
        match op {
            CastOp::I32ToF32 => map1(&mut self.floats[d..][..n], lanes(&self.ints, a, n), F::from_i32),
            CastOp::BitsF32 => map1(&mut self.floats[d..][..n], lanes(&self.ints, a, n), F::from_bits),
            CastOp::F32Bits => map1(&mut self.ints[d..][..n], lanes(&self.floats, a, n), F::bits),
            CastOp::F32ToI32 => {
                for (d, &a) in self.ints[d..][..n].iter_mut().zip(lanes(&self.floats, a, n)) {
                    *d = truncated(a)?;
                }
            }
            CastOp::BoolToI32 => map1(&mut self.ints[d..][..n], lanes(&self.truths, a, n), i32::from),
            CastOp::I32ToI64 => map1(&mut self.longs[d..][..n], lanes(&self.ints, a, n), i64::from),
            CastOp::I64ToI32 => map1(&mut self.ints[d..][..n], lanes(&self.longs, a, n), |v| v as i32),
        }
        Ok(())
    }

    fn start(&self, at: At) -> Outcome<i64> {
        let index = self.long_or(at.index, 0);
        index.checked_add(at.offset).ok_or_else(|| format!("the address {index} + {} overflows", at.offset))
    }

    /// Loads and stores of vectors and scalars.
    fn access(&mut self, op: Op, count: usize, banks: &mut [Bank<F>], who: Who) -> Outcome {
        let tail = |active: i64| active.clamp(0, count as i64) as usize;
        match op {
            Op::Load { d, at, active, stride } => {
                let (start, n) = (self.start(at)?, tail(self.long_or(active, count as i64)));
                let bank = &mut banks[at.buffer as usize];
                let start = bank.reading(start, stride, n, who)?;
                on_cells!(self, &bank.cells, |f, c| {
                    let (d, rest) = f[d as usize..][..count].split_at_mut(n);
                    rest.fill(Default::default());
                    match stride {
                        1 => d.copy_from_slice(&c[start..][..n]),
                        _ => (0..n).for_each(|l| d[l] = c[(start as i64 + l as i64 * stride) as usize]),
                    }
                });
            }
            Op::Read { d, at, n } => {
                let start = self.start(at)?;
                let bank = &mut banks[at.buffer as usize];
                let start = bank.reading(start, 1, 1, who)?;
                on_cells!(self, &bank.cells, |f, c| f[d as usize..][..n as usize].fill(c[start]));
            }
            Op::Gather { d, at, idx, mask } => {
                let start = self.start(at)?;
                let bank = &mut banks[at.buffer as usize];
                for lane in 0..count {
                    let to = d as usize + lane;
                    if !self.truths[mask as usize + lane] {
                        on_cells!(self, &bank.cells, |f, _c| f[to] = Default::default());
                        continue;
                    }
                    let start = start.saturating_add(self.ints[idx as usize + lane].into());
                    let start = bank.reading(start, 1, 1, who)?;
                    on_cells!(self, &bank.cells, |f, c| f[to] = c[start]);
                }
            }
            Op::Store { a, at, active, stride } => {
                let (start, n) = (self.start(at)?, tail(self.long_or(active, count as i64)));
                self.put(a, n, start, stride, &mut banks[at.buffer as usize], who)?;
            }
            Op::Write { a, at } => {
                let start = self.start(at)?;
                self.put(a, 1, start, 1, &mut banks[at.buffer as usize], who)?;
            }
            other => unreachable!("{other:?} does not access memory"),
        }
        Ok(())
    }

    fn put(&mut self, a: Slot, n: usize, start: i64, stride: i64, bank: &mut Bank<F>, who: Who) -> Outcome {
        let start = bank.writing(start, stride, n, who)? as i64;
        let dtype = bank.dtype;
        let place = |l: usize| (start + l as i64 * stride) as usize;
        match &mut bank.cells {
            Cells::Float(c) => (0..n).for_each(|l| c[place(l)] = self.floats[a as usize + l].stored(dtype)),
            Cells::Int(c) => (0..n).for_each(|l| c[place(l)] = self.ints[a as usize + l]),
            Cells::Truth(c) => (0..n).for_each(|l| c[place(l)] = self.truths[a as usize + l]),
        }
        Ok(())
    }

    fn tile_load(&mut self, d: Slot, at: At, grid: Grid, banks: &mut [Bank<F>], who: Who) -> Outcome {
        let start = self.start(at)?;
        let bank = &mut banks[at.buffer as usize];
        for row in 0..grid.rows as usize {
            let line = start.saturating_add(grid.row.saturating_mul(row as i64));
            let line = bank.reading(line, grid.col, grid.cols as usize, who)? as i64;
            let d = &mut self.floats[d as usize + row * grid.cols as usize..][..grid.cols as usize];
            let Cells::Float(cells) = &bank.cells else { return Err("tiles are of floats".into()) };
            (d.iter_mut().enumerate()).for_each(|(c, d)| *d = cells[(line + c as i64 * grid.col) as usize]);
        }
        Ok(())
    }

    fn tile_store(&mut self, a: Slot, at: At, grid: Grid, banks: &mut [Bank<F>], who: Who) -> Outcome {
        let start = self.start(at)?;
        for row in 0..grid.rows as usize {
            let line = start.saturating_add(grid.row.saturating_mul(row as i64));
            let a = a + (row as u32) * grid.cols;
            self.put(a, grid.cols as usize, line, grid.col, &mut banks[at.buffer as usize], who)?;
        }
        Ok(())
    }

    /// acc + a·b, summed along the reduction axis in order.
    fn mma(&mut self, d: Slot, operands: [Slot; 3], [rows, cols, depth]: [usize; 3]) {
        let (front, d) = split(&mut self.floats, d, rows * cols);
        let [acc, a, b] = operands.map(|slot| &front[slot as usize..]);
        d.copy_from_slice(&acc[..rows * cols]);
        for (row, d) in d.chunks_exact_mut(cols).enumerate() {
            for k in 0..depth {
                let a = a[row * depth + k];
                d.iter_mut().zip(&b[k * cols..][..cols]).for_each(|(d, &b)| *d = a.fused(b, *d));
            }
        }
    }
}
