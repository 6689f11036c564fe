//! A whole program as a relocatable object and a C header: no Regard library, no libm.
//!
//! ```text
//!   NAME.o        kernel k0 │ kernel k1 │ … │ NAME_run ── for each launch: pointers ▶ parallel_for ▶ kernel
//!   NAME.h        NAME_env, NAME_run, sizes and names of inputs and outputs
//!   NAME.weights  constants │ their digest, which NAME_run compares
//! ```
//!
//! The kernels are the bytes that a session would map. The driver walks the launch list; memory and threads
//! belong to the caller, so the object runs wherever a C compiler's output does.

mod digest;
mod driver;
mod guard;
mod header;
mod ready;

use super::cranelift;
use crate::{Code, EmitError};
use cranelift_codegen::{
    Context,
    ir::{Function, Signature, UserFuncName},
};
use cranelift_module::{FuncId, Linkage, Module, default_libcall_names};
use cranelift_object::{ObjectBuilder, ObjectModule};
use regard_ir::{
    id::IdVec,
    program::{KernelId, Program},
    target::{Backend, Target},
};

pub use digest::seal;
pub use header::header;

/// Byte alignment of a kernel's first instruction.
const CODE_ALIGN: u64 = 64;

/// A relocatable ELF object with the kernels of `program` and the function `NAME_run` that [`header()`]
/// declares. It accepts `constants`, in a file that [`seal`] ends, and no others. The same program and constants give the
/// same bytes.
///
/// Errors where `name` is not a C identifier, the program contradicts itself or has other constants, or the target is not a CPU
/// of this machine's architecture.
pub fn object(program: &Program<Code>, name: &str, target: &Target, constants: &[u8]) -> Result<Vec<u8>, EmitError> {
    let fail = |reason: String| EmitError::new(name, reason);
    check(program, name)?;
    if program.constant_bytes != constants.len() as u64 {
        let (needs, given) = (program.constant_bytes, constants.len());
        return Err(fail(format!("the program has {needs} bytes of constants but {given} were given")));
    }
    if target.backend == Backend::Ptx {
        return Err(fail(format!("target {} is not a CPU", target.name)));
    }
    let isa = cranelift::isa_for(target).map_err(fail)?;
    let builder = ObjectBuilder::new(isa, name, default_libcall_names()).map_err(|e| fail(e.to_string()))?;
    let mut object = Object { module: ObjectModule::new(builder), name };
    let mut kernels = IdVec::new();
    for (id, code) in program.kernels.iter() {
        kernels.push(object.bytes(&format!("{name}_{id}_{}", code.name), &cranelift::signature(), &code.bytes)?);
    }
    let ready = ready::define(&mut object, target, constants)?;
    driver::define(&mut object, program, (&kernels, target), &ready)?;
    object.module.finish().emit().map_err(|e| fail(format!("the object cannot be written: {e}")))
}

/// What an object or a header of the program needs.
fn check(program: &Program<Code>, name: &str) -> Result<(), EmitError> {
    let starts = |c: char| c.is_ascii_alphabetic() || c == '_';
    let identifier = name.starts_with(starts) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !identifier {
        return Err(EmitError::new(name, "the name must be a C identifier: letters, digits and underscores"));
    }
    match program.faults().into_iter().next() {
        Some(fault) => Err(EmitError::new(name, fault)),
        None => Ok(()),
    }
}

/// The functions of an object, by kernel.
type Kernels = IdVec<KernelId, FuncId>;

/// An object being written.
struct Object<'a> {
    module: ObjectModule,
    name: &'a str,
}

impl Object<'_> {
    fn fail(&self, error: impl std::fmt::Display) -> EmitError {
        EmitError::new(self.name, error.to_string())
    }
    /// A function that only this object sees, from its machine code.
    fn bytes(&mut self, symbol: &str, signature: &Signature, bytes: &[u8]) -> Result<FuncId, EmitError> {
        let id = self.module.declare_function(symbol, Linkage::Local, signature).map_err(|e| self.fail(e))?;
        self.module.define_function_bytes(id, CODE_ALIGN, bytes, &[]).map_err(|e| self.fail(e))?;
        Ok(id)
    }
    /// A function that `write` fills.
    fn function(
        &mut self,
        symbol: &str,
        linkage: Linkage,
        signature: Signature,
        write: impl FnOnce(&mut ObjectModule, &mut Function),
    ) -> Result<FuncId, EmitError> {
        let id = self.module.declare_function(symbol, linkage, &signature).map_err(|e| self.fail(e))?;
        let mut function = Function::with_name_signature(UserFuncName::user(0, id.as_u32()), signature);
        write(&mut self.module, &mut function);
        let mut context = Context::for_function(function);
        self.module.define_function(id, &mut context).map_err(|e| self.fail(format!("{symbol}: {e}")))?;
        Ok(id)
    }
}
