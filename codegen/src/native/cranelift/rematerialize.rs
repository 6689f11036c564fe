//! Broadcasts that are cheaper to repeat than to keep.
//!
//! The x86-64 multiply-add that Cranelift emits overwrites its first factor. A broadcast factor of several
//! multiply-adds would be loaded, spread and then copied for each of them; `vbroadcastss` from memory gives
//! each its own in one instruction and keeps no register.
//!
//! ```text
//!   kept:      movss, vbroadcastss, n × (movaps, vfmadd213ps)
//!   repeated:  n × (vbroadcastss, vfmadd213ps)
//! ```
//!
//! That is right where nothing in the broadcast's body writes its buffer and all users are multiply-adds
//! of the same body.

use regard_ir::{
    id::Id,
    kernel::{Addr, Body, Inst, Kernel},
    types::DType,
};

/// For each value, whether it is a broadcast to repeat at each use.
pub(super) fn repeated(kernel: &Kernel) -> Vec<bool> {
    let count = kernel.types.len();
    let mut uses = Uses { all: vec![0; count], factors: vec![0; count], body_of: vec![0; count] };
    (1..).zip(kernel.body.walk_bodies()).for_each(|(number, body)| uses.body(number, body));
    let mut repeated = vec![false; count];
    for body in kernel.body.walk_bodies() {
        let written = body.written();
        for stmt in &body.stmts {
            if let Inst::Bcast(Addr { buf, .. }) = &stmt.inst {
                let v = stmt.results[0].index();
                let f32 = kernel.buffers[*buf].dtype == DType::F32;
                repeated[v] = f32 && uses.all[v] == uses.factors[v] && !written.contains(buf);
            }
        }
    }
    repeated
}

/// How often each value is used, and how often as one factor of a multiply-add beside its definition.
struct Uses {
    all: Vec<u32>,
    factors: Vec<u32>,
    /// Number of the body that defines each value.
    body_of: Vec<u32>,
}

impl Uses {
    fn body(&mut self, here: u32, body: &Body) {
        for stmt in &body.stmts {
            stmt.results.iter().for_each(|v| self.body_of[v.index()] = here);
            stmt.inst.operands().for_each(|v| self.all[v.index()] += 1);
            if let Inst::Fma(a, b, _) = stmt.inst
                && a != b
            {
                for v in [a, b] {
                    self.factors[v.index()] += u32::from(self.body_of[v.index()] == here);
                }
            }
        }
        body.yields.iter().for_each(|v| self.all[v.index()] += 1);
    }
}
