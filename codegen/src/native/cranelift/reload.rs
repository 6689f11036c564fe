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
    kernel::{Body, Buf, Inst, Kernel},
    types::DType,
};

/// For each value, whether it is a broadcast to repeat at each use.
pub(super) fn repeated(kernel: &Kernel) -> Vec<bool> {
    let count = kernel.types.len();
    let mut uses = Uses { all: vec![0; count], factors: vec![0; count], body_of: vec![0; count], bodies: 0 };
    uses.body(&kernel.body);
    let mut repeated = vec![false; count];
    mark(kernel, &kernel.body, &uses, &mut repeated);
    repeated
}

/// How often each value is used, and how often as one factor of a multiply-add beside its definition.
struct Uses {
    all: Vec<u32>,
    factors: Vec<u32>,
    /// Number of the body that defines each value.
    body_of: Vec<u32>,
    bodies: u32,
}

impl Uses {
    fn body(&mut self, body: &Body) {
        self.bodies += 1;
        let here = self.bodies;
        for stmt in &body.stmts {
            stmt.results.iter().for_each(|v| self.body_of[v.index()] = here);
            stmt.inst.for_each_operand(|v| self.all[v.index()] += 1);
            if let Inst::Fma(a, b, _) = stmt.inst
                && a != b
            {
                for v in [a, b] {
                    self.factors[v.index()] += u32::from(self.body_of[v.index()] == here);
                }
            }
            stmt.inst.bodies().into_iter().for_each(|body| self.body(body));
        }
        body.yields.iter().for_each(|v| self.all[v.index()] += 1);
    }
}

fn mark(kernel: &Kernel, body: &Body, uses: &Uses, repeated: &mut [bool]) {
    for stmt in &body.stmts {
        if let Inst::Bcast(addr) = &stmt.inst {
            let v = stmt.results[0].index();
            let f32 = kernel.buffers[addr.buf].dtype == DType::F32;
            repeated[v] = f32 && uses.all[v] == uses.factors[v] && !writes(body, addr.buf);
        }
        stmt.inst.bodies().into_iter().for_each(|body| mark(kernel, body, uses, repeated));
    }
}

fn writes(body: &Body, buf: Buf) -> bool {
    body.stmts.iter().any(|stmt| match &stmt.inst {
        Inst::Store { addr, .. } | Inst::StoreScalar { addr, .. } => addr.buf == buf,
        inst => inst.bodies().into_iter().any(|body| writes(body, buf)),
    })
}
