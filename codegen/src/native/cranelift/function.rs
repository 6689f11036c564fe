//! The frame of a kernel's function: parameters, the loop over blocks, and what is known of each value.
//!
//! ```text
//!   entry:  load base pointers; if first < end → block(first) else → done
//!   block(n):  g0, g1, g2 = digits of n; body; n + 1 < end → block(n + 1) else → done
//! ```

use super::{address::Index, is_x86, memory::Span, rematerialize, scope::Scope};
use crate::EmitError;
use cranelift_codegen::{
    ir::{
        AbiParam, BlockArg, Function, InstBuilder, MemFlagsData, Signature, StackSlotData, StackSlotKind,
        Type as ClifType, UserFuncName, Value, condcodes::IntCC, types,
    },
    isa::{CallConv, TargetIsa},
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use regard_ir::{
    id::{Id, IdVec},
    kernel::{BinOp, Buf, Const, Elem, Kernel, Space, Type, Val},
    target::Target,
};

/// The Cranelift function of `kernel`.
pub(super) fn build(kernel: &Kernel, target: &Target, isa: &dyn TargetIsa) -> Result<Function, EmitError> {
    let refuse = |reason: String| Err(EmitError::new(&kernel.name, reason));
    if kernel.lanes < 4 || !kernel.lanes.is_power_of_two() {
        return refuse(format!("{} lanes are not a power of two from four on", kernel.lanes));
    }
    if kernel.units != 1 {
        return refuse(format!("{} units per block need a GPU", kernel.units));
    }
    let mut function = Function::with_name_signature(UserFuncName::testcase(&kernel.name), signature());
    let mut context = FunctionBuilderContext::new();
    let mut emitter = Emitter::new(kernel, target, FunctionBuilder::new(&mut function, &mut context));
    emitter.function().map_err(|reason| EmitError::new(&kernel.name, reason))?;
    emitter.b.seal_all_blocks();
    emitter.b.finalize(isa.frontend_config());
    Ok(function)
}

/// `(buffers, first, end, scratch)`, all 64 bits wide.
pub(in crate::native) fn signature() -> Signature {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.extend([AbiParam::new(types::I64); 4]);
    signature
}

/// Memory accesses stay in bounds, but a vector access need not be aligned to its size.
pub(super) const ACCESS: MemFlagsData = MemFlagsData::new().with_notrap();

/// What emission knows of a kernel value.
#[derive(Clone, Debug, Default)]
pub(super) struct Bound {
    /// One value per scalar, one per four lanes of a vector; empty where another field says all.
    pub values: Vec<Value>,
    /// An i64 scalar as a sum of multiples.
    pub index: Index,
    /// The value, or the value of every lane, where it is a constant.
    pub constant: Option<Const>,
    /// The scalar that all lanes of a vector equal.
    pub uniform: Option<Value>,
    /// The element to broadcast anew at each use.
    pub again: Option<Span>,
}

/// Writes one kernel.
pub(super) struct Emitter<'k, 'f> {
    pub kernel: &'k Kernel,
    pub target: &'k Target,
    pub b: FunctionBuilder<'f>,
    /// Loops around the current place, the loop over blocks included.
    pub depth: u32,
    /// Base address of each buffer.
    pub bases: IdVec<Buf, Value>,
    /// Coordinates of the current block.
    pub grid: [Index; 3],
    /// Address of a zero element that masked lanes read instead.
    pub zero: Option<Value>,
    /// Address of an element that masked lanes write instead.
    pub sink: Option<Value>,
    /// Open scopes, outermost first.
    pub scopes: Vec<Scope>,
    /// Broadcasts to repeat at each use.
    pub repeated: Vec<bool>,
    bound: Vec<Bound>,
}

impl<'k, 'f> Emitter<'k, 'f> {
    fn new(kernel: &'k Kernel, target: &'k Target, b: FunctionBuilder<'f>) -> Self {
        let bound = vec![Bound::default(); kernel.types.len()];
        let repeated = if is_x86(target) && target.fma {
            rematerialize::repeated(kernel)
        } else {
            vec![false; kernel.types.len()]
        };
        Self {
            kernel,
            target,
            b,
            depth: 0,
            bases: IdVec::new(),
            grid: [const { Index::constant(0) }; 3],
            zero: None,
            sink: None,
            scopes: Vec::new(),
            repeated,
            bound,
        }
    }

    fn function(&mut self) -> Result<(), String> {
        let entry = self.b.create_block();
        let block = self.b.create_block();
        let done = self.b.create_block();
        self.b.append_block_params_for_function_params(entry);
        let number = self.b.append_block_param(block, types::I64);
        self.b.switch_to_block(entry);
        let &[buffers, first, end, scratch] = self.b.block_params(entry) else { unreachable!("four parameters") };
        self.find_buffers(buffers, scratch);
        self.make_stand_ins();
        let some = self.b.ins().icmp(IntCC::UnsignedLessThan, first, end);
        let enter = self.b.ins().brif(some, block, &[BlockArg::from(first)], done, &[]);

        self.b.switch_to_block(block);
        self.depth = 1;
        self.scopes.push(Scope::body(enter, !self.kernel.body.has_loop()));
        self.grid = self.coordinates(number);
        self.body(&self.kernel.body)?;
        self.depth = 0;
        self.scopes.pop();
        let next = self.b.ins().iadd_imm_s(number, 1);
        let more = self.b.ins().icmp(IntCC::UnsignedLessThan, next, end);
        self.b.ins().brif(more, block, &[BlockArg::from(next)], done, &[]);

        self.b.switch_to_block(done);
        self.b.ins().return_(&[]);
        Ok(())
    }

    fn find_buffers(&mut self, buffers: Value, scratch: Value) {
        let (layout, _) = self.kernel.scratch_layout();
        let mut offsets = layout.into_iter();
        for (id, buffer) in self.kernel.buffers.iter() {
            let base = match buffer.space {
                Space::Global => self.b.ins().load(types::I64, ACCESS, buffers, id.index() as i32 * 8),
                Space::Scratch => {
                    let (_, offset) = offsets.next().expect("every scratch buffer has a place");
                    self.b.ins().iadd_imm_s(scratch, offset as i64)
                }
            };
            self.bases.push(base);
        }
    }

    /// Two places on the stack, made only where a masked access may want them.
    fn make_stand_ins(&mut self) {
        if !super::memory::needs_stand_ins(&self.kernel.body) {
            return;
        }
        let mut slot = || {
            let slot = self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 8, 3));
            self.b.ins().stack_addr(types::I64, slot, 0)
        };
        let (zero, sink) = (slot(), slot());
        let nothing = self.b.ins().iconst(types::I64, 0);
        self.b.ins().store(ACCESS, nothing, zero, 0);
        (self.zero, self.sink) = (Some(zero), Some(sink));
    }

    /// Grid coordinates of block `number` = (g0·n1 + g1)·n2 + g2.
    fn coordinates(&mut self, number: Value) -> [Index; 3] {
        let mut grid = [const { Index::constant(0) }; 3];
        let mut rest = number;
        for axis in [2, 1] {
            let n = self.kernel.grid[axis];
            if n > 1 {
                let quotient = self.quotient(rest, n as i64);
                let digit = self.finish(BinOp::Rem, rest, quotient, n as i64);
                grid[axis] = Index::atom((self.depth, digit));
                rest = quotient;
            }
        }
        if self.kernel.grid[0] > 1 {
            grid[0] = Index::atom((self.depth, rest));
        }
        grid
    }

    /// What is known of `v`.
    pub(crate) fn get(&self, v: Val) -> &Bound {
        &self.bound[v.index()]
    }
    /// Defines `v`.
    pub(crate) fn bind(&mut self, v: Val, bound: Bound) {
        self.bound[v.index()] = bound;
    }
    /// The values of `v`.
    pub(crate) fn values(&mut self, v: Val) -> Vec<Value> {
        let bound = self.get(v).clone();
        if let Some(span) = bound.again {
            return (0..self.pieces()).map(|_| self.broadcast(span)).collect();
        }
        match (self.kernel.ty(v), bound.constant) {
            (Type::Scalar(Elem::I64), _) => vec![self.index_value(&bound.index)],
            (Type::Scalar(_), Some(c)) => vec![self.scalar_const(c)],
            (_, Some(c)) => vec![self.vector_const(c); self.pieces()],
            _ => bound.values,
        }
    }
    /// The value of a scalar.
    pub(crate) fn scalar(&mut self, v: Val) -> Value {
        self.values(v)[0]
    }
    /// Values of four lanes per vector.
    pub(crate) fn pieces(&self) -> usize {
        self.kernel.lanes as usize / 4
    }
    /// Whether the code is for x86-64.
    pub(crate) fn x86(&self) -> bool {
        is_x86(self.target)
    }
    /// Cranelift's types of a kernel value, one per piece.
    pub(crate) fn clif_types(&self, v: Val) -> Result<Vec<ClifType>, String> {
        match self.kernel.ty(v) {
            Type::Scalar(elem) => Ok(vec![scalar_type(elem)]),
            Type::Vector(elem) => Ok(vec![vector_type(elem); self.pieces()]),
            Type::Tile { .. } => Err(format!("{v} is a tile, and Cranelift has no matrix unit")),
        }
    }
    /// `value` reinterpreted; nothing where it has that type already.
    pub(crate) fn cast(&mut self, ty: ClifType, value: Value) -> Value {
        if self.b.func.dfg.value_type(value) == ty {
            return value;
        }
        let little = MemFlagsData::new().with_endianness(cranelift_codegen::ir::Endianness::Little);
        self.b.ins().bitcast(ty, little, value)
    }
    /// Four equal i32 lanes.
    pub(crate) fn i32x4(&mut self, lane: u32) -> Value {
        self.lanes_const(types::I32X4, [lane; 4])
    }
}

/// Cranelift's type of a scalar.
pub(super) fn scalar_type(elem: Elem) -> ClifType {
    match elem {
        Elem::I64 => types::I64,
        Elem::I32 => types::I32,
        Elem::F32 => types::F32,
        Elem::Bool => types::I8,
    }
}

/// Cranelift's type of four lanes.
pub(super) fn vector_type(elem: Elem) -> ClifType {
    if elem == Elem::F32 { types::F32X4 } else { types::I32X4 }
}
