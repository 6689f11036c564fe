//! What a machine can do, as plain data: passes read it, nothing else decides by machine.
//!
//! A row of [`Target::ROWS`] per CPU level or GPU generation. Sizes are those of one core's share; peaks
//! are measured, not from data sheets.

/// Which back end emits the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Cranelift; vectors are split into 128-bit pieces.
    Cranelift,
    /// The wide x86-64 emitter; 8 lanes need AVX2 and FMA, 16 lanes AVX-512F, DQ, BW and VL.
    WideX86,
    /// PTX text.
    Ptx,
}

/// A machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// As given to `--target`.
    pub name: &'static str,
    /// Who emits code.
    pub backend: Backend,
    /// Lanes per vector of f32.
    pub lanes: u32,
    /// Vector registers a kernel may keep live in its innermost loop. On x86-64 Cranelift takes one more: its
    /// multiply-add overwrites a factor.
    pub vector_registers: u32,
    /// Whether `fma` is one instruction; where it is not, templates multiply and add.
    pub fma: bool,
    /// Bytes of first-level data cache per core.
    pub l1_bytes: u64,
    /// Bytes of second-level cache per core.
    pub l2_bytes: u64,
    /// Bytes of third-level cache of the machine.
    pub l3_bytes: u64,
    /// GB/s that one core reads from its first-, second- and third-level cache and from memory: sums over arrays
    /// of 24 KiB, 512 KiB, 8 MiB and 96 MiB with vectors of the target, the best of many.
    pub level_gbps: [f64; 4],
    /// Peak of one core in GFLOP/s, f32.
    pub core_gflops: f64,
    /// Memory bandwidth of the machine in GB/s for streams beyond the caches.
    pub memory_gbps: f64,
}

impl Target {
    /// The known targets, most capable first within an architecture.
    pub const ROWS: [Target; 5] = [
        Target {
            name: "x86-64-v4",
            backend: Backend::WideX86,
            lanes: 16,
            vector_registers: 32,
            fma: true,
            l1_bytes: 32 << 10,
            l2_bytes: 1 << 20,
            l3_bytes: 36 << 20,
            level_gbps: [230.0, 105.0, 27.0, 12.5],
            core_gflops: 215.0,
            memory_gbps: 25.0,
        },
        Target {
            name: "x86-64-v3",
            backend: Backend::WideX86,
            lanes: 8,
            vector_registers: 16,
            fma: true,
            l1_bytes: 32 << 10,
            l2_bytes: 1 << 20,
            l3_bytes: 36 << 20,
            level_gbps: [200.0, 80.0, 25.0, 12.5],
            core_gflops: 107.0,
            memory_gbps: 25.0,
        },
        Target {
            name: "x86-64-v3-128",
            backend: Backend::Cranelift,
            lanes: 4,
            vector_registers: 15,
            fma: true,
            l1_bytes: 32 << 10,
            l2_bytes: 1 << 20,
            l3_bytes: 36 << 20,
            level_gbps: [100.0, 55.0, 20.0, 12.5],
            core_gflops: 43.0,
            memory_gbps: 25.0,
        },
        Target {
            name: "x86-64-v2",
            backend: Backend::Cranelift,
            lanes: 4,
            vector_registers: 15,
            fma: false,
            l1_bytes: 32 << 10,
            l2_bytes: 256 << 10,
            l3_bytes: 36 << 20,
            level_gbps: [100.0, 55.0, 20.0, 12.5],
            core_gflops: 25.0,
            memory_gbps: 25.0,
        },
        Target {
            name: "aarch64",
            backend: Backend::Cranelift,
            lanes: 4,
            vector_registers: 32,
            fma: true,
            l1_bytes: 64 << 10,
            l2_bytes: 512 << 10,
            l3_bytes: 16 << 20,
            level_gbps: [80.0, 40.0, 20.0, 12.5],
            core_gflops: 40.0,
            memory_gbps: 25.0,
        },
    ];
    /// The target of that name.
    pub fn named(name: &str) -> Option<&'static Target> {
        static ROWS: [Target; 5] = Target::ROWS;
        ROWS.iter().find(|t| t.name == name)
    }
}
