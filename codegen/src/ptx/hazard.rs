//! Where lanes of one warp must wait for each other.
//!
//! In kernel IR a unit is one thread of control: what one lane stores, another lane's next load sees. Lanes
//! of a warp give no such promise, so a `bar.warp.sync` separates two accesses to one element by different
//! lanes of which at least one writes. Two accesses are known to be apart if, from the same index, lane a
//! of one never meets lane b of the other:
//!
//! ```text
//!   offset₁ + a·stride ≠ offset₂ + b·stride   for all lanes a ≠ b
//! ```
//!
//! Accesses since the last barrier are remembered. A loop that writes what it has touched ends with a
//! barrier, so its first statement never meets its last ones.

use super::LANES;
use regard_ir::kernel::{Addr, Body, Buf, Kernel};
use std::collections::BTreeSet;

/// Accesses remembered per barrier; with more, the next one that could meet them waits.
const REMEMBERED: usize = 256;

/// How the lanes of an access spread from its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spread {
    /// Lane l touches element l·stride.
    Stride(i64),
    /// Any lane may touch any element.
    Anywhere,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Access {
    addr: Addr,
    spread: Spread,
    writes: bool,
}

/// Accesses to written buffers since the last barrier.
#[derive(Clone)]
pub(super) struct Hazards {
    written: BTreeSet<Buf>,
    pending: Vec<Access>,
}

impl Hazards {
    pub(crate) fn new(kernel: &Kernel) -> Self {
        Hazards { written: kernel.body.written(), pending: Vec::new() }
    }
    /// Whether the kernel only reads the buffer.
    pub(crate) fn is_read_only(&self, buf: Buf) -> bool {
        !self.written.contains(&buf)
    }
    pub(crate) fn clear(&mut self) {
        self.pending.clear();
    }
    /// Whether the access must wait for the pending ones.
    pub(crate) fn must_wait(&self, addr: Addr, spread: Spread, writes: bool) -> bool {
        let access = Access { addr, spread, writes };
        !self.is_read_only(addr.buf)
            && (self.pending.len() >= REMEMBERED || self.pending.iter().any(|earlier| meet(earlier, &access)))
    }
    pub(crate) fn add(&mut self, addr: Addr, spread: Spread, writes: bool) {
        let access = Access { addr, spread, writes };
        if !self.is_read_only(addr.buf) && !self.pending.contains(&access) {
            self.pending.push(access);
        }
    }
    /// Whether a barrier must stand at the end of a loop's body.
    pub(crate) fn before_repeating(&self, body: &Body) -> bool {
        let written = body.written();
        self.pending.iter().any(|access| written.contains(&access.addr.buf))
    }
    /// After two ways have met, either may have been taken.
    pub(crate) fn join(&mut self, other: Hazards) {
        for access in other.pending {
            if !self.pending.contains(&access) {
                self.pending.push(access);
            }
        }
    }
}

fn meet(a: &Access, b: &Access) -> bool {
    a.addr.buf == b.addr.buf && (a.writes || b.writes) && !apart(a, b)
}

fn apart(a: &Access, b: &Access) -> bool {
    match (a.spread, b.spread) {
        (Spread::Stride(s), Spread::Stride(t)) if s == t && s != 0 && a.addr.index == b.addr.index => {
            let distance = b.addr.offset.wrapping_sub(a.addr.offset);
            distance % s != 0 || distance == 0 || (distance / s).abs() >= i64::from(LANES)
        }
        _ => false,
    }
}
