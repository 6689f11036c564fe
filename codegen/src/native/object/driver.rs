//! The driver of an object: three functions in Cranelift IR.
//!
//! ```text
//!   NAME_run(env, in, out)          checks processor, pointers, weights; for each launch fills a task and calls ▼
//!   NAME_launch(env, task, blocks)  parallel_for given ? parallel_for(ctx, NAME_blocks, task, blocks)
//!                                                      : NAME_blocks(task, 0, 0, blocks)
//!   NAME_blocks(task, worker, first, end)   NAME_call(task.buffers, first, end, task.scratch + worker·bytes, task.kernel)
//!
//!   env  { weights 0, arena 8, scratch 16, parallel_for 24, ctx 32 }       offsets in bytes
//!   task { kernel 0, scratch 8, buffers 16 … }                             on NAME_run's stack
//! ```
//!
//! A task lives until its launch returns, so `parallel_for` must not return before all its blocks are done.

use super::{
    Kernels, Object, guard,
    ready::{Ready, require},
};
use crate::{Code, EmitError, native::cranelift::signature};
use cranelift_codegen::ir::{
    AbiParam, Function, InstBuilder, MemFlagsData, Signature, StackSlot, StackSlotData, StackSlotKind, Value,
    condcodes::IntCC, types,
};
use cranelift_codegen::isa::TargetFrontendConfig;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_module::{FuncId, Linkage, Module};
use cranelift_object::ObjectModule;
use regard_ir::{
    kernel::SCRATCH_ALIGN,
    program::{BUFFER_ALIGN, BufferId, Launch, Program, Storage},
    target::Target,
};

const WEIGHTS: i32 = 0;
const ARENA: i32 = 8;
const SCRATCH: i32 = 16;
const PARALLEL_FOR: i32 = 24;
const CONTEXT: i32 = 32;

const TASK_KERNEL: i32 = 0;
const TASK_SCRATCH: i32 = 8;
const TASK_BUFFERS: i32 = 16;

const ACCESS: MemFlagsData = MemFlagsData::new().with_notrap();

/// What `NAME_run` returns for a missing pointer.
pub(super) const MISSING: i64 = 1;
/// What `NAME_run` returns for a pointer that is not aligned.
pub(super) const MISALIGNED: i64 = 2;

/// Scratch bytes of one worker.
pub(super) fn scratch_stride(program: &Program<Code>) -> u64 {
    program.scratch_bytes().next_multiple_of(SCRATCH_ALIGN)
}

/// Defines the three functions.
pub(super) fn define(
    object: &mut Object<'_>,
    program: &Program<Code>,
    (kernels, target): (&Kernels, &Target),
    ready: &Ready,
) -> Result<(), EmitError> {
    let name = object.name;
    let stride = scratch_stride(program);
    let call = object.bytes(&format!("{name}_call"), &pointers(5), &guard::call(target))?;
    let blocks = object.function(&format!("{name}_blocks"), Linkage::Local, pointers(4), |module, function| {
        build(module.target_config(), function, |b, arguments| blocks(b, module, arguments, (call, stride)));
    })?;
    let launch = object.function(&format!("{name}_launch"), Linkage::Local, pointers(3), |module, function| {
        build(module.target_config(), function, |b, arguments| launch(b, module, arguments, blocks));
    })?;
    let mut signature = pointers(3);
    signature.returns.push(AbiParam::new(types::I32));
    object.function(&format!("{name}_run"), Linkage::Export, signature, |module, function| {
        build(module.target_config(), function, |b, arguments| {
            Run { b, module, program, kernels, launch }.all(arguments, ready)
        });
    })?;
    Ok(())
}

/// `count` arguments of 64 bits and no result.
pub(super) fn pointers(count: usize) -> Signature {
    let mut out = signature();
    out.params = vec![AbiParam::new(types::I64); count];
    out
}

/// A function whose entry block is open when `write` gets the arguments.
pub(super) fn build(
    config: TargetFrontendConfig,
    function: &mut Function,
    write: impl FnOnce(&mut FunctionBuilder<'_>, &[Value]),
) {
    let mut context = FunctionBuilderContext::new();
    let mut b = FunctionBuilder::new(function, &mut context);
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    let arguments = b.block_params(entry).to_vec();
    write(&mut b, &arguments);
    b.seal_all_blocks();
    b.finalize(config);
}

fn blocks(b: &mut FunctionBuilder<'_>, module: &mut ObjectModule, arguments: &[Value], (call, stride): (FuncId, u64)) {
    let &[task, worker, first, end] = arguments else { unreachable!("four parameters") };
    let kernel = b.ins().load(types::I64, ACCESS, task, TASK_KERNEL);
    let scratch = b.ins().load(types::I64, ACCESS, task, TASK_SCRATCH);
    let offset = b.ins().imul_imm_u(worker, stride as i64);
    let scratch = b.ins().iadd(scratch, offset);
    let buffers = b.ins().iadd_imm_s(task, i64::from(TASK_BUFFERS));
    let call = module.declare_func_in_func(call, b.func);
    b.ins().call(call, &[buffers, first, end, scratch, kernel]);
    b.ins().return_(&[]);
}

fn launch(b: &mut FunctionBuilder<'_>, module: &mut ObjectModule, arguments: &[Value], blocks: FuncId) {
    let &[env, task, count] = arguments else { unreachable!("three parameters") };
    let blocks = module.declare_func_in_func(blocks, b.func);
    let parallel_for = b.ins().load(types::I64, ACCESS, env, PARALLEL_FOR);
    let (threads, alone) = (b.create_block(), b.create_block());
    b.ins().brif(parallel_for, threads, &[], alone, &[]);
    b.switch_to_block(threads);
    let context = b.ins().load(types::I64, ACCESS, env, CONTEXT);
    let body = b.ins().func_addr(types::I64, blocks);
    let parallel_for_type = b.import_signature(pointers(4));
    b.ins().call_indirect(parallel_for_type, parallel_for, &[context, body, task, count]);
    b.ins().return_(&[]);
    b.switch_to_block(alone);
    let zero = b.ins().iconst(types::I64, 0);
    b.ins().call(blocks, &[task, zero, zero, count]);
    b.ins().return_(&[]);
}

/// Writes `NAME_run`.
struct Run<'a, 'f> {
    b: &'a mut FunctionBuilder<'f>,
    module: &'a mut ObjectModule,
    program: &'a Program<Code>,
    kernels: &'a Kernels,
    launch: FuncId,
}

/// Pointers that `NAME_run` has at hand.
struct Memory {
    weights: Value,
    arena: Value,
    scratch: Value,
    inputs: Value,
    outputs: Value,
}

impl Run<'_, '_> {
    fn all(mut self, arguments: &[Value], ready: &Ready) {
        let &[env, inputs, outputs] = arguments else { unreachable!("three parameters") };
        self.ask(ready.processor, &[]);
        [env, inputs, outputs].into_iter().for_each(|p| self.present(p));
        let mut field = |offset| self.b.ins().load(types::I64, ACCESS, env, offset);
        let (weights, arena, scratch) = (field(WEIGHTS), field(ARENA), field(SCRATCH));
        let sizes = [self.program.constant_bytes, self.program.arena_bytes, self.program.scratch_bytes()];
        for (pointer, size) in [weights, arena, scratch].into_iter().zip(sizes) {
            if size > 0 {
                self.present(pointer);
                self.aligned(pointer, BUFFER_ALIGN);
            }
        }
        let ports = (self.program.inputs.len(), self.program.outputs.len());
        for (table, count) in [(inputs, ports.0), (outputs, ports.1)] {
            for at in 0..count {
                let pointer = self.b.ins().load(types::I64, ACCESS, table, at as i32 * 8);
                self.present(pointer);
            }
        }
        if let Some(compare) = ready.weights {
            self.ask(compare, &[weights]);
        }
        self.launches(env, &Memory { weights, arena, scratch, inputs, outputs });
        let done = self.b.ins().iconst(types::I32, 0);
        self.b.ins().return_(&[done]);
    }

    /// Calls a function and returns at once what it returns, where that is an error.
    fn ask(&mut self, function: FuncId, arguments: &[Value]) {
        let function = self.module.declare_func_in_func(function, self.b.func);
        let call = self.b.ins().call(function, arguments);
        let error = self.b.inst_results(call)[0];
        let (bad, good) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(bad);
        self.b.ins().brif(error, bad, &[], good, &[]);
        self.b.switch_to_block(bad);
        self.b.ins().return_(&[error]);
        self.b.switch_to_block(good);
    }
    /// Returns at once where `pointer` is null.
    fn present(&mut self, pointer: Value) {
        require(self.b, pointer, MISSING);
    }
    /// Returns at once where `pointer` is not a multiple of `align`.
    fn aligned(&mut self, pointer: Value, align: u64) {
        let rest = self.b.ins().band_imm_u(pointer, align as i64 - 1);
        let good = self.b.ins().icmp_imm_s(IntCC::Equal, rest, 0);
        require(self.b, good, MISALIGNED);
    }

    fn launches(&mut self, env: Value, memory: &Memory) {
        let most = self.program.launches.iter().map(|l| l.buffers.len()).max().unwrap_or(0);
        let bytes = TASK_BUFFERS as u32 + 8 * most as u32;
        let task = self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, 3));
        let launch = self.module.declare_func_in_func(self.launch, self.b.func);
        self.put(task, TASK_SCRATCH, memory.scratch);
        let program = self.program;
        for Launch { kernel, buffers, blocks, .. } in &program.launches {
            let kernel = self.module.declare_func_in_func(self.kernels[*kernel], self.b.func);
            let kernel = self.b.ins().func_addr(types::I64, kernel);
            self.put(task, TASK_KERNEL, kernel);
            for (at, &buffer) in buffers.iter().enumerate() {
                let pointer = self.pointer(buffer, memory);
                self.put(task, TASK_BUFFERS + 8 * at as i32, pointer);
            }
            let address = self.b.ins().stack_addr(types::I64, task, 0);
            let blocks = self.b.ins().iconst(types::I64, *blocks as i64);
            self.b.ins().call(launch, &[env, address, blocks]);
        }
    }

    fn put(&mut self, slot: StackSlot, offset: i32, value: Value) {
        let address = self.b.ins().stack_addr(types::I64, slot, offset);
        self.b.ins().store(ACCESS, value, address, 0);
    }
    fn pointer(&mut self, buffer: BufferId, memory: &Memory) -> Value {
        match self.program.buffers[buffer].storage {
            Storage::Input(i) => self.b.ins().load(types::I64, ACCESS, memory.inputs, i as i32 * 8),
            Storage::Output(i) => self.b.ins().load(types::I64, ACCESS, memory.outputs, i as i32 * 8),
            Storage::Constant(offset) => self.b.ins().iadd_imm_s(memory.weights, offset as i64),
            Storage::Arena(offset) => self.b.ins().iadd_imm_s(memory.arena, offset as i64),
        }
    }
}
