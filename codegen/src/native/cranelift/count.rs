//! Counts what was emitted: instructions, and spills inside innermost loops.
//!
//! A loop is a jump back and all blocks that lead to it. A spill is a load or store relative to the stack
//! pointer; in an innermost loop each costs every turn.

use cranelift_codegen::CompiledCode;
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};
use std::{collections::BTreeSet, ops::Range};

/// What a function consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Count {
    pub instructions: u32,
    pub spills: u32,
}

/// Counts the instructions of a compiled function.
pub(super) fn count(code: &CompiledCode, x86: bool) -> Count {
    let loops = innermost(&code.bb_starts, &code.bb_edges);
    let last = code.bb_starts.last().copied().unwrap_or(0);
    let mut count = Count::default();
    let mut add = |at: u32, uses_stack: bool| {
        count.instructions += 1;
        count.spills += u32::from(uses_stack && loops.iter().any(|l| l.contains(&at)));
    };
    if x86 {
        let mut decoder = Decoder::new(64, code.code_buffer(), DecoderOptions::NONE);
        while decoder.can_decode() {
            let at = decoder.position() as u32;
            let instruction = decoder.decode();
            add(at, reads_stack(&instruction));
            // Constants follow the last block, which ends in a return or a jump.
            let leaves = matches!(instruction.mnemonic(), Mnemonic::Ret | Mnemonic::Jmp);
            if leaves && at >= last {
                break;
            }
        }
    } else {
        for (word, at) in code.code_buffer().chunks_exact(4).zip((0..).step_by(4)) {
            let word = u32::from_le_bytes(word.try_into().expect("four bytes"));
            // Bits 27 and 25 mark loads and stores, bits 5 to 9 the base register, 31 the stack pointer.
            add(at, word >> 25 & 0b101 == 0b100 && word >> 5 & 31 == 31);
            if at >= last && (word == 0xd65f_03c0 || word >> 26 == 0b00_0101) {
                break;
            }
        }
    }
    count
}

fn reads_stack(instruction: &Instruction) -> bool {
    instruction.op_kinds().any(|kind| kind == OpKind::Memory) && instruction.memory_base() == Register::RSP
}

/// Byte ranges of the blocks of loops that contain no other loop.
fn innermost(starts: &[u32], edges: &[(u32, u32)]) -> Vec<Range<u32>> {
    let end_of = |start: u32| starts.iter().copied().find(|&s| s > start).unwrap_or(u32::MAX);
    // Blocks stand in an order in which only jumps to a loop's head go back.
    let back = edges.iter().filter(|(from, to)| to <= from);
    let loops: Vec<(u32, BTreeSet<u32>)> = back.map(|&(from, head)| (head, natural_loop(from, head, edges))).collect();
    let is_inner = |head: u32, blocks: &BTreeSet<u32>| !loops.iter().any(|(h, _)| *h != head && blocks.contains(h));
    let inner = loops.iter().filter(|(head, blocks)| is_inner(*head, blocks));
    inner.flat_map(|(_, blocks)| blocks.iter().map(|&start| start..end_of(start))).collect()
}

/// The blocks from which `from` is reached without passing `head`, and both.
fn natural_loop(from: u32, head: u32, edges: &[(u32, u32)]) -> BTreeSet<u32> {
    let mut blocks = BTreeSet::from([head]);
    let mut open = vec![from];
    while let Some(block) = open.pop() {
        if blocks.insert(block) {
            open.extend(edges.iter().filter(|(_, to)| *to == block).map(|(from, _)| *from));
        }
    }
    blocks
}
