//! What several test files share.

#![allow(dead_code)] // each test file uses a part

use regard_ir::{
    kernel::{BinOp, Inst, Kernel, Stmt, eval},
    target::{Backend, Target},
};
use regard_runtime::cpu::{self, code::run_once};
use regard_testkit::kernels;

/// Whether this machine can execute code for `target`.
pub(crate) fn runs_here(target: &Target) -> bool {
    cpu::supports(target.name)
}

/// The targets of the Cranelift back end that this machine can execute.
pub(crate) fn cranelift_targets() -> Vec<Target> {
    Target::ROWS.into_iter().filter(|t| t.backend == Backend::Cranelift && runs_here(t)).collect()
}

/// Runs `kernel` in the interpreter and as the machine code `code` on the inputs of `seed`; `Err` says
/// where the bits differ.
pub(crate) fn agree(kernel: &Kernel, code: &[u8], seed: u64) -> Result<(), String> {
    agree_on(kernel, code, kernels::inputs(kernel, seed))
}

/// [`agree`] on given inputs, one per parameter.
pub(crate) fn agree_on(kernel: &Kernel, code: &[u8], inputs: Vec<Vec<u8>>) -> Result<(), String> {
    let (mut expected, mut found) = (inputs.clone(), inputs);
    eval::run(kernel, &mut expected).map_err(|fault| fault.to_string())?;
    // SAFETY: callers pass what a back end has just emitted for the kernel and a target that this machine executes.
    unsafe { run_once(kernel, code, &mut found) }.map_err(|e| e.to_string())?;
    for ((_, buffer), (expected, found)) in kernel.params().zip(expected.iter().zip(&found)) {
        let size = buffer.dtype.bytes();
        let mut elements = expected.chunks(size).zip(found.chunks(size)).enumerate();
        if let Some((i, (e, f))) = elements.find(|(_, (e, f))| e != f) {
            let name = &buffer.name;
            return Err(format!("kernel {}: {name}[{i}] is {f:02x?} but must be {e:02x?}", kernel.name));
        }
    }
    Ok(())
}

/// The kernel with every fused multiply-add split in two, for targets that have none.
pub(crate) fn without_fma(mut kernel: Kernel) -> Kernel {
    let mut types = std::mem::take(&mut kernel.types);
    kernel.body.walk_bodies_mut(&mut |body| {
        for Stmt { results, inst } in std::mem::take(&mut body.stmts) {
            let inst = match inst {
                Inst::Fma(a, b, c) => {
                    let product = types.push(types[results[0]]);
                    body.stmts.push(Stmt { results: vec![product], inst: Inst::Bin(BinOp::Mul, a, b) });
                    Inst::Bin(BinOp::Add, product, c)
                }
                other => other,
            };
            body.stmts.push(Stmt { results, inst });
        }
    });
    kernel.types = types;
    kernel
}
