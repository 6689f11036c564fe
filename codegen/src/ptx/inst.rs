//! One kernel instruction, one or a few PTX instructions; the whole list is here.

use super::function::{Class, Emitter, Operand, Reg};
use regard_ir::kernel::{ApproxOp, BinOp, CastOp, CmpOp, Const, IdAxis, Inst, Stmt, UnOp, Val};

impl Emitter<'_> {
    pub(super) fn inst(&mut self, stmt: &Stmt) {
        let result = stmt.results.first().copied();
        let define = |e: &mut Self, r: Reg| e.set(result.expect("one result"), Operand::Reg(r));
        match &stmt.inst {
            Inst::Const(c) => self.set(stmt.results[0], Operand::Constant(*c)),
            Inst::Splat(a) => self.set(stmt.results[0], self.operand(*a)),
            Inst::Id(axis) => {
                let r = self.grid_id(*axis);
                define(self, r);
            }
            Inst::Lane => {
                let r = self.lane();
                define(self, r);
            }
            Inst::Barrier if self.kernel.units == 1 => self.warp_barrier(),
            Inst::Barrier => {
                self.put("bar.sync 0");
                self.hazards.clear();
            }
            Inst::Bin(op, a, b) => {
                let r = self.bin(*op, *a, *b);
                define(self, r);
            }
            Inst::Un(op, a) => {
                let r = self.un(*op, *a);
                define(self, r);
            }
            Inst::Fma(a, b, c) => {
                let (a, b, c) = (self.operand(*a), self.operand(*b), self.operand(*c));
                let r = self.compute(Class::Float, "fma.rn.f32", format_args!("{a}, {b}, {c}"));
                define(self, r);
            }
            Inst::Cmp(op, a, b) => {
                let r = self.cmp(*op, *a, *b);
                define(self, r);
            }
            Inst::Select(cond, a, b) => {
                let r = self.select(*cond, *a, *b);
                define(self, r);
            }
            Inst::Cast(op, a) => {
                let r = self.cast(*op, *a);
                define(self, r);
            }
            Inst::Approx(op, a) => {
                let a = self.reg(*a);
                let r = self.compute(Class::Float, approx_name(*op), a);
                define(self, r);
            }
            Inst::Reduce(op, a) => self.reduce(stmt.results[0], *op, *a),
            Inst::Extract(a, lane) => self.extract(stmt.results[0], *a, *lane),
            Inst::Shuffle(a, perm) => self.shuffle(stmt.results[0], *a, perm),
            Inst::Transpose(rows) => self.transpose(stmt, rows),
            Inst::Load { .. }
            | Inst::Bcast(_)
            | Inst::LoadScalar(_)
            | Inst::Gather { .. }
            | Inst::Store { .. }
            | Inst::StoreScalar { .. } => self.memory(stmt),
            Inst::For { .. } | Inst::If { .. } => unreachable!("control flow is emitted by its function"),
            Inst::TileZero { .. } | Inst::TileLoad { .. } | Inst::TileStore { .. } | Inst::TileMma { .. } => {
                unreachable!("kernels with tiles are refused before")
            }
        }
    }

    fn grid_id(&mut self, axis: IdAxis) -> Reg {
        let narrow = match axis {
            IdAxis::G0 => self.compute_at_top(Class::Int, "mov.u32", "%ctaid.z"),
            IdAxis::G1 => self.compute_at_top(Class::Int, "mov.u32", "%ctaid.y"),
            IdAxis::G2 => self.compute_at_top(Class::Int, "mov.u32", "%ctaid.x"),
            IdAxis::Unit => {
                let thread = self.thread();
                self.compute_at_top(Class::Int, "shr.u32", &format!("{thread}, 5"))
            }
        };
        self.compute_at_top(Class::Index, "cvt.u64.u32", &narrow.to_string())
    }

    fn bin(&mut self, op: BinOp, a: Val, b: Val) -> Reg {
        let class = self.class(a);
        match (class, op) {
            (Class::Index | Class::Int, BinOp::Div | BinOp::Rem) => self.divide(op, a, b),
            (Class::Float, BinOp::Min) => self.extremum("lt", a, b),
            (Class::Float, BinOp::Max) => self.extremum("gt", a, b),
            (Class::Index, BinOp::Shl | BinOp::Shr) if self.constant(b).is_none() => {
                let (a, b) = (self.operand(a), self.reg(b));
                let amount = self.compute(Class::Int, "cvt.u32.u64", b);
                self.compute(class, bin_name(class, op), format_args!("{a}, {amount}"))
            }
            _ => {
                let (a, b) = if class == Class::Pred {
                    (Operand::Reg(self.reg(a)), Operand::Reg(self.reg(b)))
                } else {
                    (self.operand(a), self.operand(b))
                };
                self.compute(class, bin_name(class, op), format_args!("{a}, {b}"))
            }
        }
    }
    /// `a < b ? a : b` or `a > b ? a : b`: which operand comes out matters for −0 and NaN.
    fn extremum(&mut self, order: &str, a: Val, b: Val) -> Reg {
        let (a, b) = (self.operand(a), self.operand(b));
        let keep = self.compute(Class::Pred, format_args!("setp.{order}.f32"), format_args!("{a}, {b}"));
        self.compute(Class::Float, "selp.f32", format_args!("{a}, {b}, {keep}"))
    }
    /// Quotient or remainder towards minus infinity by a positive divisor.
    fn divide(&mut self, op: BinOp, a: Val, b: Val) -> Reg {
        let class = self.class(a);
        let divisor = match self.constant(b) {
            Some(Const::I64(d)) => Some(d),
            Some(Const::I32(d)) => Some(i64::from(d)),
            _ => None,
        };
        let (a, b) = (self.operand(a), self.operand(b));
        let width = if class == Class::Index { 64 } else { 32 };
        if let Some(d) = divisor.filter(|d| d.count_ones() == 1) {
            return match op {
                BinOp::Div => self.compute(class, format!("shr.s{width}"), format!("{a}, {}", d.trailing_zeros())),
                _ => self.compute(class, format!("and.b{width}"), format!("{a}, {}", d - 1)),
            };
        }
        let quotient = self.compute(class, format!("div.s{width}"), format!("{a}, {b}"));
        let product = self.compute(class, format!("mul.lo.s{width}"), format!("{quotient}, {b}"));
        let rest = self.compute(class, format!("sub.s{width}"), format!("{a}, {product}"));
        let below = self.compute(Class::Pred, format!("setp.lt.s{width}"), format!("{rest}, 0"));
        let (value, by) = match op {
            BinOp::Div => (quotient, "-1".to_string()),
            _ => (rest, b.to_string()),
        };
        let corrected = self.compute(class, format!("add.s{width}"), format!("{value}, {by}"));
        self.compute(class, format!("selp.b{width}"), format!("{corrected}, {value}, {below}"))
    }

    fn un(&mut self, op: UnOp, a: Val) -> Reg {
        let class = self.class(a);
        let a = self.reg(a);
        let name = match (op, class) {
            (UnOp::Neg, Class::Index) => "neg.s64",
            (UnOp::Neg, Class::Int) => "neg.s32",
            (UnOp::Neg, _) => "neg.f32",
            (UnOp::Abs, Class::Index) => "abs.s64",
            (UnOp::Abs, Class::Int) => "abs.s32",
            (UnOp::Abs, _) => "abs.f32",
            (UnOp::Sqrt, _) => "sqrt.rn.f32",
            (UnOp::Floor, _) => "cvt.rmi.f32.f32",
            (UnOp::Round, _) => "cvt.rni.f32.f32",
            (UnOp::Not, _) => "not.pred",
        };
        self.compute(class, name, a)
    }

    fn cmp(&mut self, op: CmpOp, a: Val, b: Val) -> Reg {
        let class = self.class(a);
        if class == Class::Pred {
            return self.cmp_truth(op, a, b);
        }
        let (name, ty) = match (op, class) {
            (CmpOp::Ne, Class::Float) => ("neu", "f32"),
            (op, Class::Float) => (cmp_name(op), "f32"),
            (op, Class::Index) => (cmp_name(op), "s64"),
            (op, _) => (cmp_name(op), "s32"),
        };
        let (a, b) = (self.reg(a), self.operand(b));
        self.compute(Class::Pred, format_args!("setp.{name}.{ty}"), format_args!("{a}, {b}"))
    }
    fn cmp_truth(&mut self, op: CmpOp, a: Val, b: Val) -> Reg {
        let (a, b) = (self.reg(a), self.reg(b));
        match op {
            CmpOp::Ne => self.compute(Class::Pred, "xor.pred", format_args!("{a}, {b}")),
            CmpOp::Eq => {
                let differ = self.compute(Class::Pred, "xor.pred", format_args!("{a}, {b}"));
                self.compute(Class::Pred, "not.pred", differ)
            }
            CmpOp::Lt | CmpOp::Le => {
                let not = self.compute(Class::Pred, "not.pred", a);
                let name = if op == CmpOp::Lt { "and.pred" } else { "or.pred" };
                self.compute(Class::Pred, name, format_args!("{not}, {b}"))
            }
        }
    }
    fn select(&mut self, cond: Val, a: Val, b: Val) -> Reg {
        let class = self.class(a);
        let cond = self.reg(cond);
        if class != Class::Pred {
            let (a, b) = (self.operand(a), self.operand(b));
            let ty = class.ty();
            return self.compute(class, format_args!("selp.{ty}"), format_args!("{a}, {b}, {cond}"));
        }
        let (a, b) = (self.reg(a), self.reg(b));
        let taken = self.compute(Class::Pred, "and.pred", format_args!("{cond}, {a}"));
        let not = self.compute(Class::Pred, "not.pred", cond);
        let other = self.compute(Class::Pred, "and.pred", format_args!("{not}, {b}"));
        self.compute(Class::Pred, "or.pred", format_args!("{taken}, {other}"))
    }
    fn cast(&mut self, op: CastOp, a: Val) -> Reg {
        let a = self.reg(a);
        match op {
            CastOp::I32ToF32 => self.compute(Class::Float, "cvt.rn.f32.s32", a),
            CastOp::F32ToI32 => self.compute(Class::Int, "cvt.rzi.s32.f32", a),
            CastOp::I32ToI64 => self.compute(Class::Index, "cvt.s64.s32", a),
            CastOp::I64ToI32 => self.compute(Class::Int, "cvt.u32.u64", a),
            CastOp::F32Bits => self.compute(Class::Int, "mov.b32", a),
            CastOp::BitsF32 => self.compute(Class::Float, "mov.b32", a),
            CastOp::BoolToI32 => self.compute(Class::Int, "selp.b32", format_args!("1, 0, {a}")),
        }
    }
}

/// The opcode of an operator that is one instruction. `.rn` keeps a product and a sum two roundings.
fn bin_name(class: Class, op: BinOp) -> &'static str {
    match (class, op) {
        (Class::Float, BinOp::Add) => "add.rn.f32",
        (Class::Float, BinOp::Sub) => "sub.rn.f32",
        (Class::Float, BinOp::Mul) => "mul.rn.f32",
        (Class::Float, BinOp::Div) => "div.rn.f32",
        (Class::Int, BinOp::Add) => "add.s32",
        (Class::Int, BinOp::Sub) => "sub.s32",
        (Class::Int, BinOp::Mul) => "mul.lo.s32",
        (Class::Int, BinOp::Min) => "min.s32",
        (Class::Int, BinOp::Max) => "max.s32",
        (Class::Int, BinOp::And) => "and.b32",
        (Class::Int, BinOp::Or) => "or.b32",
        (Class::Int, BinOp::Xor) => "xor.b32",
        (Class::Int, BinOp::Shl) => "shl.b32",
        (Class::Int, BinOp::Shr) => "shr.s32",
        (Class::Index, BinOp::Add) => "add.s64",
        (Class::Index, BinOp::Sub) => "sub.s64",
        (Class::Index, BinOp::Mul) => "mul.lo.s64",
        (Class::Index, BinOp::Min) => "min.s64",
        (Class::Index, BinOp::Max) => "max.s64",
        (Class::Index, BinOp::Shl) => "shl.b64",
        (Class::Index, BinOp::Shr) => "shr.s64",
        (Class::Pred, BinOp::And) => "and.pred",
        (Class::Pred, BinOp::Or) => "or.pred",
        (Class::Pred, BinOp::Xor) => "xor.pred",
        (class, op) => unreachable!("{op:?} does not exist for {class:?}"),
    }
}

fn cmp_name(op: CmpOp) -> &'static str {
    match op {
        CmpOp::Eq => "eq",
        CmpOp::Ne => "ne",
        CmpOp::Lt => "lt",
        CmpOp::Le => "le",
    }
}

fn approx_name(op: ApproxOp) -> &'static str {
    match op {
        ApproxOp::Exp2 => "ex2.approx.f32",
        ApproxOp::Rcp => "rcp.approx.f32",
        ApproxOp::Rsqrt => "rsqrt.approx.f32",
    }
}
