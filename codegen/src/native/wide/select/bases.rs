//! Pointers to buffers, loaded near their use.
//!
//! A kernel may touch more buffers than there are registers, but a loop touches few. So a pointer is not
//! one long-lived register: an innermost loop loads what it needs right before it starts, and code between
//! loops loads at first use and forgets at the next loop. What the allocator sees are short ranges, and
//! instead of spilling a pointer inside a loop it finds it free again after the loop.

use super::{Arg, Select};
use crate::native::wide::inst::{Mem, Reg, View};
use iced_x86::Code;
use regard_ir::{
    id::Id,
    kernel::{Body, Buf},
};
use std::collections::{BTreeMap, BTreeSet};

/// Where pointers come from, and those at hand.
#[derive(Clone, Debug, Default)]
pub(super) struct Bases {
    /// The function's arguments: the array of parameters, the scratch.
    source: Option<(Reg, Reg)>,
    /// Byte offset of each scratch buffer in the scratch.
    offsets: BTreeMap<Buf, i64>,
    /// Parameters by buffer, scratch as nothing.
    at_hand: BTreeMap<Option<Buf>, Reg>,
}

impl Select<'_> {
    /// Remembers the function's arguments.
    pub(super) fn set_bases(&mut self, buffers: Reg, scratch: Reg) {
        let (offsets, _) = self.kernel.scratch_layout();
        self.bases = Bases {
            source: Some((buffers, scratch)),
            offsets: offsets.into_iter().map(|(buf, at)| (buf, at as i64)).collect(),
            at_hand: BTreeMap::new(),
        };
    }
    /// A pointer and how many bytes after it the buffer starts.
    pub(super) fn base(&mut self, buf: Buf) -> (Reg, i64) {
        let (key, start) = match self.bases.offsets.get(&buf) {
            Some(&start) => (None, start),
            None => (Some(buf), 0),
        };
        if let Some(&pointer) = self.bases.at_hand.get(&key) {
            return (pointer, start);
        }
        let (buffers, scratch) = self.bases.source.expect("the function's arguments");
        let source = match key {
            Some(buf) => Arg::Mem(Mem::at(buffers, 8 * buf.index() as i32)),
            None => Arg::Any(scratch),
        };
        let pointer = self.def(Code::Mov_r64_rm64, View::R64, &[source]);
        self.bases.at_hand.insert(key, pointer);
        (pointer, start)
    }
    /// Before a loop: what an innermost one needs is loaded, any other starts with nothing at hand.
    pub(super) fn bases_for_loop(&mut self, body: &Body) {
        if body.has_loop() {
            self.forget_bases();
            return;
        }
        let used: BTreeSet<Buf> = body.walk().filter_map(|stmt| Some(stmt.inst.address()?.buf)).collect();
        for buf in used {
            self.base(buf);
        }
    }
    /// After a loop.
    pub(super) fn forget_bases(&mut self) {
        self.bases.at_hand.clear();
    }
    /// The pointers at hand before a branch, for [`restore_bases`](Self::restore_bases).
    pub(super) fn save_bases(&self) -> BTreeMap<Option<Buf>, Reg> {
        self.bases.at_hand.clone()
    }
    /// Pointers that one side of a branch loaded are not at hand in the other or after it.
    pub(super) fn restore_bases(&mut self, saved: &BTreeMap<Option<Buf>, Reg>) {
        self.bases.at_hand.clone_from(saved);
    }
}
