//! One random step: an instruction, a loop or a branch.

use std::cell::RefCell;

use super::{Entry, Grow, TAME};
use regard_ir::kernel::{BinOp, Builder, CastOp, CmpOp, Elem, ReduceOp, Type, UnOp, Val};

/// A bounded float above this power of two is clamped before it is used again, so that products of two
/// such values stay finite.
const LARGE: i32 = 40;

impl Grow {
    /// Appends `count` steps at loop depth `depth`.
    pub(super) fn steps(&mut self, b: &mut Builder, count: u64, depth: u32) {
        for _ in 0..count {
            match self.rng.below(40) {
                0..3 if depth < 2 => self.for_loop(b, depth),
                3..6 if depth < 3 => self.branch(b, depth),
                6..12 => self.read(b),
                12..16 => self.write(b),
                16..22 => self.float(b),
                22..26 => self.integer(b),
                26..28 => self.index_arithmetic(b),
                28..30 => self.truth(b),
                30..33 => self.select_or_compare(b),
                33..36 => self.convert(b),
                36..39 => self.across_lanes(b),
                39 => b.barrier(),
                _ => self.float(b),
            }
        }
    }

    fn kind(&mut self, elem: Elem) -> Type {
        if self.rng.chance(1, 3) { Type::Scalar(elem) } else { Type::Vector(elem) }
    }

    fn any_type(&mut self) -> Type {
        match self.rng.below(8) {
            0 => Type::Scalar(Elem::I64),
            1 => self.kind(Elem::Bool),
            2 | 3 => self.kind(Elem::I32),
            _ => self.kind(Elem::F32),
        }
    }

    fn result(&mut self, b: &mut Builder, val: Val, exponent: i32, wild: bool) {
        let entry = Entry { val, exponent, wild };
        let entry = if !wild && exponent > LARGE { self.tame(b, entry, TAME) } else { entry };
        self.pool.push(entry);
    }

    fn float(&mut self, b: &mut Builder) {
        let ty = self.kind(Elem::F32);
        let [x, y, z] = [0; 3].map(|_| self.pick_float(b, ty));
        let wild = x.wild || y.wild;
        let larger = x.exponent.max(y.exponent);
        match self.rng.below(16) {
            0 | 1 => {
                let val = b.add(x.val, y.val);
                self.result(b, val, larger + 1, wild);
            }
            2 => {
                let val = b.sub(x.val, y.val);
                self.result(b, val, larger + 1, wild);
            }
            3 | 4 => {
                let val = b.mul(x.val, y.val);
                self.result(b, val, x.exponent + y.exponent, wild);
            }
            5..8 => {
                let val = b.fma(x.val, y.val, z.val);
                self.result(b, val, (x.exponent + y.exponent).max(z.exponent) + 1, wild || z.wild);
            }
            8 => self.divide(b, x, y),
            9 => self.root(b, x),
            10 => {
                let op = self.rng.pick(&[BinOp::Min, BinOp::Max]);
                let val = b.bin(op, x.val, y.val);
                self.result(b, val, larger, wild);
            }
            _ => {
                let op = self.rng.pick(&[UnOp::Neg, UnOp::Abs, UnOp::Floor, UnOp::Round]);
                let val = b.un(op, x.val);
                self.result(b, val, x.exponent.max(0) + 1, x.wild);
            }
        }
    }

    /// A quotient; three times in four the divisor is kept away from zero.
    fn divide(&mut self, b: &mut Builder, x: Entry, y: Entry) {
        if self.rng.chance(1, 4) {
            let val = b.bin(BinOp::Div, x.val, y.val);
            return self.push_float(val, LARGE, true);
        }
        let size = b.un(UnOp::Abs, y.val);
        let least = b.const_like(size, 0.0625);
        let size = b.bin(BinOp::Max, size, least);
        let val = b.bin(BinOp::Div, x.val, size);
        self.result(b, val, x.exponent + 4, x.wild || y.wild);
    }

    /// A square root; three times in four of a value that is not negative.
    fn root(&mut self, b: &mut Builder, x: Entry) {
        if self.rng.chance(1, 4) {
            let val = b.un(UnOp::Sqrt, x.val);
            return self.push_float(val, LARGE, true);
        }
        let size = b.un(UnOp::Abs, x.val);
        let val = b.un(UnOp::Sqrt, size);
        self.result(b, val, x.exponent.max(0), x.wild);
    }

    fn integer(&mut self, b: &mut Builder) {
        let ty = self.kind(Elem::I32);
        let (x, y) = (self.pick(b, ty).val, self.pick(b, ty).val);
        let val = match self.rng.below(12) {
            0..5 => {
                let op = self.rng.pick(&[BinOp::Add, BinOp::Sub, BinOp::Mul, BinOp::Min, BinOp::Max]);
                b.bin(op, x, y)
            }
            5..7 => {
                let op = self.rng.pick(&[BinOp::And, BinOp::Or, BinOp::Xor]);
                b.bin(op, x, y)
            }
            7 | 8 => {
                let op = self.rng.pick(&[BinOp::Shl, BinOp::Shr]);
                let shift = if self.rng.chance(1, 2) {
                    let shift = self.rng.below(32) as f64;
                    b.const_like(x, shift)
                } else {
                    let width = b.const_like(y, 31.0);
                    b.bin(BinOp::And, y, width)
                };
                b.bin(op, x, shift)
            }
            9 | 10 => self.by_constant(b, x),
            _ => {
                let op = self.rng.pick(&[UnOp::Neg, UnOp::Abs]);
                b.un(op, x)
            }
        };
        self.push(val);
    }

    fn by_constant(&mut self, b: &mut Builder, x: Val) -> Val {
        let op = self.rng.pick(&[BinOp::Div, BinOp::Rem]);
        let divisor = self.rng.pick(&[1.0, 2.0, 3.0, 5.0, 7.0, 8.0, 49.0, 64.0, 1000.0]);
        let divisor = b.const_like(x, divisor);
        b.bin(op, x, divisor)
    }

    fn index_arithmetic(&mut self, b: &mut Builder) {
        let ty = Type::Scalar(Elem::I64);
        let (x, y) = (self.pick(b, ty).val, self.pick(b, ty).val);
        let val = match self.rng.below(5) {
            0 => self.by_constant(b, x),
            1 => {
                let op = self.rng.pick(&[BinOp::Shl, BinOp::Shr]);
                let shift = self.rng.below(9) as f64;
                let shift = b.const_like(x, shift);
                b.bin(op, x, shift)
            }
            2 => {
                let op = self.rng.pick(&[UnOp::Neg, UnOp::Abs]);
                b.un(op, x)
            }
            _ => {
                let op = self.rng.pick(&[BinOp::Add, BinOp::Sub, BinOp::Mul, BinOp::Min, BinOp::Max]);
                b.bin(op, x, y)
            }
        };
        self.push(val);
    }

    fn truth(&mut self, b: &mut Builder) {
        let ty = self.kind(Elem::Bool);
        let (x, y) = (self.pick(b, ty).val, self.pick(b, ty).val);
        let val = match self.rng.below(4) {
            0 => b.un(UnOp::Not, x),
            _ => {
                let op = self.rng.pick(&[BinOp::And, BinOp::Or, BinOp::Xor]);
                b.bin(op, x, y)
            }
        };
        self.push(val);
    }

    fn select_or_compare(&mut self, b: &mut Builder) {
        if self.rng.chance(1, 2) {
            let ty = match self.rng.below(5) {
                0 => Type::Scalar(Elem::I64),
                1 | 2 => self.kind(Elem::I32),
                _ => self.kind(Elem::F32),
            };
            let (x, y) = (self.pick(b, ty).val, self.pick(b, ty).val);
            let op = self.rng.pick(&[CmpOp::Eq, CmpOp::Ne, CmpOp::Lt, CmpOp::Le]);
            let val = b.cmp(op, x, y);
            return self.push(val);
        }
        let ty = self.any_type();
        let mask = match ty {
            Type::Scalar(_) => Type::Scalar(Elem::Bool),
            _ => Type::Vector(Elem::Bool),
        };
        let (x, y, mask) = (self.pick(b, ty), self.pick(b, ty), self.pick(b, mask));
        let val = b.select(mask.val, x.val, y.val);
        self.push_float(val, x.exponent.max(y.exponent), x.wild || y.wild);
    }

    fn convert(&mut self, b: &mut Builder) {
        match self.rng.below(9) {
            0 | 1 => {
                let ty = self.kind(Elem::I32);
                let x = self.pick(b, ty).val;
                let val = b.cast(CastOp::I32ToF32, x);
                self.push_float(val, 31, false);
            }
            2 | 3 => {
                let ty = self.kind(Elem::F32);
                let x = self.pick(b, ty);
                let x = self.tame(b, x, 30);
                let val = b.cast(CastOp::F32ToI32, x.val);
                self.push(val);
            }
            4 => {
                let x = self.pick(b, Type::Scalar(Elem::I32)).val;
                let val = b.cast(CastOp::I32ToI64, x);
                self.push(val);
            }
            5 => {
                let x = self.pick(b, Type::Scalar(Elem::I64)).val;
                let val = b.cast(CastOp::I64ToI32, x);
                self.push(val);
            }
            6 => {
                let ty = self.kind(Elem::Bool);
                let x = self.pick(b, ty).val;
                let val = b.cast(CastOp::BoolToI32, x);
                self.push(val);
            }
            7 => {
                let ty = self.kind(Elem::F32);
                let x = self.pick(b, ty);
                let x = self.number(b, x);
                let val = b.cast(CastOp::F32Bits, x);
                self.push(val);
            }
            _ => self.float_from_bits(b),
        }
    }

    /// Usually a number in [1, 2) with random mantissa, else any bits at all.
    fn float_from_bits(&mut self, b: &mut Builder) {
        let ty = self.kind(Elem::I32);
        let x = self.pick(b, ty).val;
        if self.rng.chance(1, 4) {
            let val = b.cast(CastOp::BitsF32, x);
            return self.push_float(val, LARGE, true);
        }
        let (mantissa, one) = (b.const_like(x, f64::from(0x007f_ffff)), b.const_like(x, f64::from(0x3f80_0000)));
        let bits = b.bin(BinOp::And, x, mantissa);
        let bits = b.bin(BinOp::Or, bits, one);
        let val = b.cast(CastOp::BitsF32, bits);
        self.push_float(val, 1, false);
    }

    fn across_lanes(&mut self, b: &mut Builder) {
        let elem = self.rng.pick(&[Elem::F32, Elem::F32, Elem::I32, Elem::Bool]);
        let x = self.pick(b, Type::Vector(elem));
        match self.rng.below(6) {
            0 | 1 if elem != Elem::Bool => {
                let op = self.rng.pick(&[ReduceOp::Sum, ReduceOp::Max, ReduceOp::Min]);
                let val = b.reduce(op, x.val);
                self.result(b, val, x.exponent + 5, x.wild);
            }
            2 => {
                let lane = (self.rng.below(32) % self.lanes as u64) as u32;
                let val = b.extract(x.val, lane);
                self.push_float(val, x.exponent, x.wild);
            }
            3 if elem != Elem::Bool => self.transpose(b, elem),
            4 => {
                let x = self.pick(b, Type::Scalar(elem));
                let val = b.splat(x.val);
                self.push_float(val, x.exponent, x.wild);
            }
            _ => {
                let pattern = self.pattern();
                let val = b.shuffle(x.val, pattern);
                self.push_float(val, x.exponent, x.wild);
            }
        }
    }

    /// A butterfly, rotation, reversal, broadcast, interleaving, or any lanes at all.
    fn pattern(&mut self) -> Vec<u8> {
        let (kind, draw) = (self.rng.below(7), self.rng.next());
        let lanes = self.lanes as u64;
        let source = |lane: u64| match kind {
            0 => lane ^ (1 << (draw % u64::from(lanes.ilog2()))),
            1 => lane + draw % lanes,
            2 => lanes - 1 - lane,
            3 => draw % lanes,
            4 => lane / 2 + lane % 2 * (lanes / 2),
            5 => lane ^ (lanes / 2),
            _ => super::Rng::new(draw ^ (lane << 32)).next(),
        };
        (0..lanes).map(|lane| (source(lane) % lanes) as u8).collect()
    }

    /// Transposes L rows drawn from three vectors; a warp does it through scratch.
    fn transpose(&mut self, b: &mut Builder, elem: Elem) {
        let distinct = [0; 3].map(|_| self.pick(b, Type::Vector(elem)));
        let rows: Vec<Val> = (0..self.lanes as usize).map(|row| distinct[(row * row + row / 2) % 3].val).collect();
        let columns = match self.exchange {
            None => b.transpose(rows),
            Some((floats, integers)) => {
                let buf = if elem == Elem::F32 { floats } else { integers };
                b.barrier();
                for (row, &val) in rows.iter().enumerate() {
                    b.store(val, b.addr_off(buf, None, row as i64 * self.lanes));
                }
                b.barrier();
                (0..self.lanes).map(|column| b.load_with(b.addr_off(buf, None, column), None, self.lanes)).collect()
            }
        };
        let exponent = distinct.iter().map(|e| e.exponent).max().unwrap_or(0);
        let wild = distinct.iter().any(|e| e.wild);
        for row in [0, 1, 3, self.lanes as usize - 1] {
            self.push_float(columns[row], exponent, wild);
        }
    }

    /// A loop that runs at most seven times and carries up to three values.
    fn for_loop(&mut self, b: &mut Builder, depth: u32) {
        let step = self.rng.pick(&[1, 1, 2, 3, 7]);
        let unroll = self.rng.pick(&[1, 1, 2, 3, 4]);
        let low = self.rng.below(5) as i64 - 2;
        let lo = b.i64(low);
        let hi = if self.rng.chance(1, 2) {
            let trips = self.rng.below(7) as i64;
            b.i64(low + trips * step - i64::from(step > 1))
        } else {
            let span = self.index(b, 6 * step);
            b.add_const(span, low)
        };
        let types: Vec<Type> = (0..self.rng.below(4)).map(|_| self.any_type()).collect();
        let init: Vec<Entry> = types.iter().map(|&ty| self.pick(b, ty)).collect();
        let wild = self.rng.chance(1, 4);
        let init: Vec<Val> = init.into_iter().map(|entry| self.carried(b, entry, wild)).collect();
        let count = 2 + self.rng.below(7);
        let scope = self.pool.len();
        let results = b.for_loop((lo, hi), step, unroll, &init, |b, index, params| {
            self.push(index);
            params.iter().for_each(|&param| self.push_float(param, TAME, wild));
            self.steps(b, count, depth + 1);
            let next: Vec<Entry> = types.iter().map(|&ty| self.pick(b, ty)).collect();
            next.into_iter().map(|entry| self.carried(b, entry, wild)).collect()
        });
        self.pool.truncate(scope);
        results.into_iter().for_each(|val| self.push_float(val, TAME, wild));
    }

    /// A value fit to be carried: bounded, unless the loop carries wild floats.
    fn carried(&mut self, b: &mut Builder, entry: Entry, wild: bool) -> Val {
        if wild || self.elem(b, entry.val) != Elem::F32 { entry.val } else { self.tame(b, entry, TAME).val }
    }

    fn branch(&mut self, b: &mut Builder, depth: u32) {
        let cond = self.pick(b, Type::Scalar(Elem::Bool)).val;
        let types: Vec<Type> = (0..self.rng.below(4)).map(|_| self.any_type()).collect();
        let counts = [1 + self.rng.below(5), self.rng.below(4)];
        let this = RefCell::new((self, vec![(0, false); types.len()]));
        let side = |b: &mut Builder, count: u64| {
            let (grow, bounds) = &mut *this.borrow_mut();
            let scope = grow.pool.len();
            grow.steps(b, count, depth + 1);
            let yields: Vec<Entry> = types.iter().map(|&ty| grow.pick(b, ty)).collect();
            grow.pool.truncate(scope);
            for (bound, entry) in bounds.iter_mut().zip(&yields) {
                *bound = (bound.0.max(entry.exponent), bound.1 | entry.wild);
            }
            yields.into_iter().map(|entry| entry.val).collect()
        };
        let results = b.if_else(cond, |b| side(b, counts[0]), |b| side(b, counts[1]));
        let (grow, bounds) = this.into_inner();
        for (val, (exponent, wild)) in results.into_iter().zip(bounds) {
            grow.push_float(val, exponent, wild);
        }
    }
}
