//! A program small enough to be assembled by hand: `y = (x + w) + (x + w)`, one element per block.
//!
//! ```text
//!   x ─┬─ add ─ t ─┬─ add ─ y        w: constant at byte 64, t: arena at byte 128
//!   w ─┘           │
//!   t ─────────────┘
//! ```

use regard_ir::{
    graph::Graph,
    id::{Id, IdVec},
    program::{BufferDecl, BufferId, Code, KernelId, Launch, Port, Program, Storage},
    types::{DType, TensorType},
};

/// For each block: scratch[0] = a[block] + b[block]; c[block] = scratch[0]. x86-64, System V.
const ADD: &[u8] = &[
    0x4C, 0x8B, 0x07, // mov r8, [rdi]
    0x4C, 0x8B, 0x4F, 0x08, // mov r9, [rdi + 8]
    0x4C, 0x8B, 0x57, 0x10, // mov r10, [rdi + 16]
    0x48, 0x39, 0xD6, // next: cmp rsi, rdx
    0x73, 0x1F, // jae done
    0xF3, 0x41, 0x0F, 0x10, 0x04, 0xB0, // movss xmm0, [r8 + 4·rsi]
    0xF3, 0x41, 0x0F, 0x58, 0x04, 0xB1, // addss xmm0, [r9 + 4·rsi]
    0xF3, 0x0F, 0x11, 0x01, // movss [rcx], xmm0
    0xF3, 0x0F, 0x10, 0x01, // movss xmm0, [rcx]
    0xF3, 0x41, 0x0F, 0x11, 0x04, 0xB2, // movss [r10 + 4·rsi], xmm0
    0x48, 0xFF, 0xC6, // inc rsi
    0xEB, 0xDC, // jmp next
    0xC3, // done: ret
];

/// The program for `n` elements.
pub(crate) fn program(n: usize) -> Program<Code> {
    let buffer = |name: &str, storage| BufferDecl { name: name.into(), dtype: DType::F32, len: n as u64, storage };
    let buffers: IdVec<BufferId, _> = [
        buffer("x", Storage::Input(0)),
        buffer("w", Storage::Constant(64)),
        buffer("t", Storage::Arena(128)),
        buffer("y", Storage::Output(0)),
    ]
    .into_iter()
    .collect();
    let [x, w, t, y] = [0, 1, 2, 3].map(BufferId::new);
    let launch = |buffers: [BufferId; 3]| Launch {
        kernel: KernelId::new(0),
        buffers: buffers.to_vec(),
        blocks: n as u64,
        scratch_bytes: 4,
    };
    let port = |name: &str, buffer| Port { name: name.into(), ty: TensorType::f32([n]), buffer };
    let code = Code { name: "add".into(), bytes: ADD.to_vec(), instructions: 14, spills: 0 };
    Program {
        name: "twice".into(),
        kernels: [code].into_iter().collect(),
        buffers,
        launches: vec![launch([x, w, t]), launch([t, t, y])],
        inputs: vec![port("x", x)],
        outputs: vec![port("y", y)],
        constant_graph: Graph::default(),
        constants: Vec::new(),
        arena_bytes: 128 + 4 * n as u64,
        constant_bytes: 64 + 4 * n as u64,
    }
}

/// w[i] = i / 4, after 64 bytes that are not its own.
pub(crate) fn constants(n: usize) -> Vec<u8> {
    let mut bytes = vec![0xEE; 64];
    bytes.extend((0..n).flat_map(|i| (i as f32 / 4.0).to_le_bytes()));
    bytes
}
