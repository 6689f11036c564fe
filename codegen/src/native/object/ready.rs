//! What `NAME_run` finds out before it computes, and remembers.
//!
//! ```text
//!   NAME_state   { processor 0, weights 8 }      1 once the processor is known to do; the weights that were last compared
//!
//!   NAME_ready(weights) ─▶ 0      processor:  asked once
//!                          3, 4   weights:    magic and digest in their file at every call, all bytes once
//! ```
//!
//! The state is two words that any thread may write, always with the same meaning, so that nobody needs to wait.

use super::{Object, digest, driver, guard};
use crate::EmitError;
use cranelift_codegen::ir::{AbiParam, InstBuilder, MemFlagsData, Value, condcodes::IntCC, types};
use cranelift_frontend::{FunctionBuilder, Variable};
use cranelift_module::{DataDescription, DataId, FuncId, Linkage, Module};
use cranelift_object::ObjectModule;
use regard_ir::target::Target;

/// What `NAME_run` returns for weights that are not those of the object.
pub(super) const OTHER_WEIGHTS: i64 = 3;
/// What `NAME_run` returns on a processor without the instructions that the kernels use.
pub(super) const OTHER_PROCESSOR: i64 = 4;

const PROCESSOR: i32 = 0;
const WEIGHTS: i32 = 8;
const STATE_BYTES: usize = 16;

const ACCESS: MemFlagsData = MemFlagsData::new().with_notrap();

/// Functions that say whether a run may begin.
pub(super) struct Ready {
    /// `NAME_processor() ─▶ 0 or the error`.
    pub processor: FuncId,
    /// `NAME_weights(weights) ─▶ 0 or the error`; nothing where the program has none.
    pub weights: Option<FuncId>,
}

/// Defines them.
pub(super) fn define(object: &mut Object<'_>, target: &Target, constants: &[u8]) -> Result<Ready, EmitError> {
    let name = object.name;
    let mut zeros = DataDescription::new();
    zeros.define_zeroinit(STATE_BYTES);
    zeros.set_align(8);
    let state = object.module.declare_data(&format!("{name}_state"), Linkage::Local, true, false);
    let state = state.map_err(|e| object.fail(e))?;
    object.module.define_data(state, &zeros).map_err(|e| object.fail(e))?;
    let supports = guard::supports(target);
    let supports = supports.map(|code| object.bytes(&format!("{name}_supports"), &asking(0), &code)).transpose()?;
    let processor = object.function(&format!("{name}_processor"), Linkage::Local, asking(0), |module, function| {
        driver::build(module.target_config(), function, |b, _| processor(b, module, state, supports));
    })?;
    let weights = (!constants.is_empty()).then(|| {
        let (digest, words) = (digest::digest(constants), digest::padded(constants.len() as u64) / 8);
        let sum = object.function(&format!("{name}_digest"), Linkage::Local, summing(), |module, function| {
            driver::build(module.target_config(), function, |b, arguments| sum(b, arguments[0], words));
        })?;
        object.function(&format!("{name}_weights"), Linkage::Local, asking(1), |module, function| {
            driver::build(module.target_config(), function, |b, arguments| {
                weights(b, module, (state, sum), arguments[0], (digest, words));
            });
        })
    });
    Ok(Ready { processor, weights: weights.transpose()? })
}

/// `count` pointers to an error.
fn asking(count: usize) -> cranelift_codegen::ir::Signature {
    let mut signature = driver::pointers(count);
    signature.returns.push(AbiParam::new(types::I32));
    signature
}

fn summing() -> cranelift_codegen::ir::Signature {
    let mut signature = driver::pointers(1);
    signature.returns.push(AbiParam::new(types::I64));
    signature
}

/// Returns `code` where `condition` is zero.
pub(super) fn require(b: &mut FunctionBuilder<'_>, condition: Value, code: i64) {
    let (bad, good) = (b.create_block(), b.create_block());
    b.set_cold_block(bad);
    b.ins().brif(condition, good, &[], bad, &[]);
    b.switch_to_block(bad);
    let code = b.ins().iconst(types::I32, code);
    b.ins().return_(&[code]);
    b.switch_to_block(good);
}

/// Returns 0 where `condition` is not zero.
fn enough(b: &mut FunctionBuilder<'_>, condition: Value) {
    let no = b.ins().icmp_imm_u(IntCC::Equal, condition, 0);
    require(b, no, 0);
}

fn address(b: &mut FunctionBuilder<'_>, module: &mut ObjectModule, state: DataId) -> Value {
    let state = module.declare_data_in_func(state, b.func);
    b.ins().symbol_value(types::I64, state)
}

fn processor(b: &mut FunctionBuilder<'_>, module: &mut ObjectModule, state: DataId, supports: Option<FuncId>) {
    if let Some(supports) = supports {
        let state = address(b, module, state);
        let known = b.ins().load(types::I64, ACCESS, state, PROCESSOR);
        enough(b, known);
        let supports = module.declare_func_in_func(supports, b.func);
        let call = b.ins().call(supports, &[]);
        let supported = b.inst_results(call)[0];
        require(b, supported, OTHER_PROCESSOR);
        let known = b.ins().iconst(types::I64, 1);
        b.ins().store(ACCESS, known, state, PROCESSOR);
    }
    let fine = b.ins().iconst(types::I32, 0);
    b.ins().return_(&[fine]);
}

fn weights(
    b: &mut FunctionBuilder<'_>,
    module: &mut ObjectModule,
    (state, sum): (DataId, FuncId),
    weights: Value,
    (digest, words): (u64, u64),
) {
    let end = b.ins().iadd_imm_s(weights, 8 * words as i64);
    for (at, expected) in [digest::MAGIC, digest].into_iter().enumerate() {
        let found = b.ins().load(types::I64, ACCESS, end, 8 * at as i32);
        let expected = b.ins().iconst(types::I64, expected as i64);
        let same = b.ins().icmp(IntCC::Equal, found, expected);
        require(b, same, OTHER_WEIGHTS);
    }
    let state = address(b, module, state);
    let compared = b.ins().load(types::I64, ACCESS, state, WEIGHTS);
    let known = b.ins().icmp(IntCC::Equal, compared, weights);
    enough(b, known);
    let sum = module.declare_func_in_func(sum, b.func);
    let call = b.ins().call(sum, &[weights]);
    let found = b.inst_results(call)[0];
    let expected = b.ins().iconst(types::I64, digest as i64);
    let same = b.ins().icmp(IntCC::Equal, found, expected);
    require(b, same, OTHER_WEIGHTS);
    b.ins().store(ACCESS, weights, state, WEIGHTS);
    let fine = b.ins().iconst(types::I32, 0);
    b.ins().return_(&[fine]);
}

/// The digest of that many words, of which there is a multiple of the lanes.
fn sum(b: &mut FunctionBuilder<'_>, start: Value, words: u64) {
    let zero = b.ins().iconst(types::I64, 0);
    let lanes: Vec<Variable> = (0..digest::LANES).map(|_| b.declare_var(types::I64)).collect();
    let at = b.declare_var(types::I64);
    lanes.iter().for_each(|&lane| b.def_var(lane, zero));
    b.def_var(at, start);
    let end = b.ins().iadd_imm_s(start, 8 * words as i64);
    let multiplier = b.ins().iconst(types::I64, digest::MULTIPLIER as i64);
    let step = |b: &mut FunctionBuilder<'_>, hash: Value, word: Value| {
        let mixed = b.ins().bxor(hash, word);
        let product = b.ins().imul(mixed, multiplier);
        let high = b.ins().ushr_imm_u(product, 32);
        b.ins().bxor(product, high)
    };
    let (body, done) = (b.create_block(), b.create_block());
    b.ins().jump(body, &[]);
    b.switch_to_block(body);
    let pointer = b.use_var(at);
    for (j, &lane) in lanes.iter().enumerate() {
        let word = b.ins().load(types::I64, ACCESS, pointer, 8 * j as i32);
        let hash = b.use_var(lane);
        let next = step(b, hash, word);
        b.def_var(lane, next);
    }
    let next = b.ins().iadd_imm_s(pointer, 8 * digest::LANES as i64);
    b.def_var(at, next);
    let more = b.ins().icmp(IntCC::UnsignedLessThan, next, end);
    b.ins().brif(more, body, &[], done, &[]);
    b.switch_to_block(done);
    let mut all = zero;
    for lane in lanes {
        let lane = b.use_var(lane);
        all = step(b, all, lane);
    }
    b.ins().return_(&[all]);
}
