//! What a machine can do, as plain data: passes read it, nothing else decides by machine.
//!
//! ```text
//!   core  ─ execution units    multiply-adds per second, by type of operands and shape of tile
//!         ─ vector registers   lanes
//!         ─ memory levels      L1 ── L2 ── L3 ── memory: bytes, and GB/s that one core reads
//! ```
//!
//! A row of [`Target::ROWS`] per CPU level, one of [`Target::GPUS`] per GPU generation, whose cores are its
//! multiprocessors. Sizes are those of one core's share. Peaks and bandwidths of CPUs are measured; those of GPUs are
//! from NVIDIA's architecture papers, and nothing is chosen by them yet.

use crate::types::DType;

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

/// The instruction set of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 64-bit ARM.
    Aarch64,
    /// NVIDIA GPUs.
    Nvidia,
}

impl Arch {
    /// The architecture that this program was built for, if any row is of it.
    pub const HERE: Option<Arch> = if cfg!(target_arch = "x86_64") {
        Some(Arch::X86_64)
    } else if cfg!(target_arch = "aarch64") {
        Some(Arch::Aarch64)
    } else {
        None
    };
}

/// How an execution unit takes its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitKind {
    /// From vector registers, an element per lane.
    Vector,
    /// From tiles of a matrix each.
    Matrix,
}

/// What executes multiply-adds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExecutionUnit {
    /// What it takes.
    pub kind: UnitKind,
    /// Type of the factors; sums are f32.
    pub dtype: DType,
    /// Rows, columns and depth of one instruction's product.
    pub tile: [u32; 3],
    /// Peak of one core in GFLOP/s, two per multiply-add.
    pub gflops: f64,
}

impl ExecutionUnit {
    const fn vector(lanes: u32, gflops: f64) -> Self {
        Self { kind: UnitKind::Vector, dtype: DType::F32, tile: [1, lanes, 1], gflops }
    }
}

/// A cache, the scratch of a GPU's block, or memory itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemoryLevel {
    /// As reports call it.
    pub name: &'static str,
    /// What it holds. Of a level that all cores share, all of it.
    pub bytes: u64,
    /// Whether all cores share it.
    pub shared: bool,
    /// GB/s that one core reads from it. On CPUs: sums over arrays of 24 KiB, 512 KiB, 8 MiB and 96 MiB with vectors of
    /// the target, the best of many.
    pub gbps: f64,
    /// Share of each transfer from it that neither prefetching nor reordering hides.
    pub exposed: f64,
}

/// The levels of a CPU: bytes of its caches, and bandwidths.
const fn levels(bytes: [u64; 3], gbps: [f64; 4]) -> [MemoryLevel; 4] {
    const fn level(name: &'static str, bytes: u64, shared: bool, gbps: f64, exposed: f64) -> MemoryLevel {
        MemoryLevel { name, bytes, shared, gbps, exposed }
    }
    [
        level("L1", bytes[0], false, gbps[0], 0.0),
        level("L2", bytes[1], false, gbps[1], 0.2),
        level("L3", bytes[2], true, gbps[2], 0.6),
        level("memory", u64::MAX, true, gbps[3], 1.0),
    ]
}

/// A machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// As given to `--target`.
    pub name: &'static str,
    /// Its instruction set.
    pub arch: Arch,
    /// Who emits code.
    pub backend: Backend,
    /// Lanes per vector of f32.
    pub lanes: u32,
    /// Vector registers a kernel may keep live in its innermost loop. On x86-64 Cranelift takes one more: its
    /// multiply-add overwrites a factor.
    pub vector_registers: u32,
    /// Whether `fma` is one instruction; where it is not, templates multiply and add.
    pub fma: bool,
    /// What executes multiply-adds: vectors of f32 first.
    pub units: &'static [ExecutionUnit],
    /// Where data lie, nearest first; the last is memory. A machine that has fewer levels repeats one.
    pub levels: [MemoryLevel; MOST_LEVELS],
    /// What a block may keep for itself, in bytes: three quarters of L2, or the shared memory of a GPU's block.
    pub block_bytes: u64,
    /// Cores that a choice of tiles is made for. It must not depend on the machine's own number.
    pub workers: u64,
    /// Memory bandwidth of the machine in GB/s for streams beyond the caches.
    pub memory_gbps: f64,
}

/// A server core of 2019 with AVX-512.
const X86_64: Target = Target {
    name: "x86-64-v4",
    arch: Arch::X86_64,
    backend: Backend::WideX86,
    lanes: 16,
    vector_registers: 32,
    fma: true,
    units: &[ExecutionUnit::vector(16, 215.0)],
    levels: levels([32 << 10, 1 << 20, 36 << 20], [230.0, 105.0, 27.0, 12.5]),
    block_bytes: 768 << 10,
    workers: 4,
    memory_gbps: 25.0,
};

/// Hopper: 132 multiprocessors.
const NVIDIA: Target = Target {
    name: "sm_90a",
    arch: Arch::Nvidia,
    backend: Backend::Ptx,
    lanes: 32,
    vector_registers: 255,
    fma: true,
    units: &[ExecutionUnit::vector(32, 507.0)],
    levels: levels([227 << 10, 50 << 20, 50 << 20], [225.0, 41.0, 41.0, 29.0]),
    block_bytes: 227 << 10,
    workers: 132,
    memory_gbps: 3350.0,
};

/// Levels of every target.
pub const MOST_LEVELS: usize = 4;

impl Target {
    /// The known CPUs, most capable first within an architecture.
    pub const ROWS: [Target; 5] = [
        X86_64,
        Target {
            name: "x86-64-v3",
            lanes: 8,
            vector_registers: 16,
            units: &[ExecutionUnit::vector(8, 107.0)],
            levels: levels([32 << 10, 1 << 20, 36 << 20], [200.0, 80.0, 25.0, 12.5]),
            ..X86_64
        },
        Target {
            name: "x86-64-v3-128",
            backend: Backend::Cranelift,
            lanes: 4,
            vector_registers: 15,
            units: &[ExecutionUnit::vector(4, 43.0)],
            levels: levels([32 << 10, 1 << 20, 36 << 20], [100.0, 55.0, 20.0, 12.5]),
            ..X86_64
        },
        Target {
            name: "x86-64-v2",
            backend: Backend::Cranelift,
            lanes: 4,
            vector_registers: 15,
            fma: false,
            units: &[ExecutionUnit::vector(4, 25.0)],
            levels: levels([32 << 10, 256 << 10, 36 << 20], [100.0, 55.0, 20.0, 12.5]),
            block_bytes: 192 << 10,
            ..X86_64
        },
        Target {
            name: "aarch64",
            arch: Arch::Aarch64,
            backend: Backend::Cranelift,
            lanes: 4,
            units: &[ExecutionUnit::vector(4, 40.0)],
            levels: levels([64 << 10, 512 << 10, 16 << 20], [80.0, 40.0, 20.0, 12.5]),
            block_bytes: 384 << 10,
            ..X86_64
        },
    ];

    /// The known GPUs.
    pub const GPUS: [Target; 2] = [
        NVIDIA,
        Target {
            name: "sm_80",
            units: &[ExecutionUnit::vector(32, 180.0)],
            levels: levels([163 << 10, 40 << 20, 40 << 20], [180.0, 35.0, 35.0, 13.0]),
            block_bytes: 163 << 10,
            workers: 108,
            memory_gbps: 1555.0,
            ..NVIDIA
        },
    ];

    /// The CPU target of that name.
    pub fn named(name: &str) -> Option<&'static Target> {
        static ROWS: [Target; 5] = Target::ROWS;
        ROWS.iter().find(|t| t.name == name)
    }

    /// The unit of a kind, the fastest where there are several.
    pub fn unit(&self, kind: UnitKind) -> Option<&ExecutionUnit> {
        let of_kind = self.units.iter().filter(|unit| unit.kind == kind);
        of_kind.max_by(|a, b| a.gflops.total_cmp(&b.gflops))
    }

    /// Peak of one core's vectors in GFLOP/s, f32.
    pub fn core_gflops(&self) -> f64 {
        self.units[0].gflops
    }

    /// Each level after the nearest `from`, by its place, with the bytes of the level before it: what exceeds them comes
    /// from there.
    pub fn levels_beyond(&self, from: usize) -> impl Iterator<Item = (usize, u64)> {
        let levels = self.levels;
        (from..levels.len()).map(move |level| (level, levels[level - 1].bytes))
    }

    /// Bytes of all caches that a weight may lie in: those of the last level before memory.
    pub fn cache_bytes(&self) -> u64 {
        self.levels[MOST_LEVELS - 2].bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_consistent() {
        for row in Target::ROWS.iter().chain(&Target::GPUS) {
            assert_eq!(row.units[0].kind, UnitKind::Vector, "{}", row.name);
            assert_eq!((row.units[0].dtype, row.units[0].tile[1]), (DType::F32, row.lanes), "{}", row.name);
            assert!(row.levels.is_sorted_by(|a, b| a.bytes <= b.bytes && a.gbps >= b.gbps), "{}", row.name);
            assert!(row.levels.is_sorted_by(|a, b| a.shared <= b.shared), "{}", row.name);
            assert!(row.unit(UnitKind::Matrix).is_none(), "{}", row.name);
        }
        let names: std::collections::BTreeSet<_> =
            Target::ROWS.iter().chain(&Target::GPUS).map(|row| row.name).collect();
        assert_eq!(names.len(), Target::ROWS.len() + Target::GPUS.len());
    }
}
