//! What happens to bytes that somebody hands to Regard: one function per way in.
//!
//! | target | bytes are | what must hold |
//! |---|---|---|
//! | `graph` | `.rg` text | `parse(print(x)) = x`; what is valid compiles for two targets or is refused |
//! | `kernel` | kernel text | `parse(print(x)) = x`; what passes the verifier is emitted by every back end or refused |
//! | `schedule` | schedule text | `parse(print(x)) = x`; what fits the plan is lowered |
//! | `archive` | safetensors, PyTorch checkpoint or any other archive of tensors | tensors lie inside the file and are read |
//! | `golden` | golden file | opened, or refused with a sentence |
//! | `package` | executable with a model; checksums are made right | opened, or refused |
//! | `picture`, `labels` | PNG, JPEG and what else is read | decoded, or refused |
//! | `options` | lines of options and tensor shapes for a model | a graph, or a sentence |
//! | `differential` | seed of a graph, rules, tiles and target | interpreter = kernels = machine code |
//!
//! For all: no panic, no run of more than ten seconds (libFuzzer's `-timeout`), and memory of at most 100 times the
//! input and 64 MiB where the input is only read. [`reading`] enforces the last by an allocator with a limit.

#[path = "../../tests/lowering/chain.rs"]
#[allow(dead_code)] // tests/lowering uses all of it
mod chain;
#[path = "../../tests/lowering/drawn.rs"]
mod drawn;

mod differential;
mod files;
mod models;
mod text;

use cap::Cap;
use std::{alloc::System, sync::OnceLock};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Bytes that reading may take whatever the input's size.
const ALWAYS: usize = 64 << 20;
/// Bytes that reading may take per byte of input.
const PER_BYTE: usize = 100;

/// A way in.
type Target = fn(&[u8]);

/// All targets by name.
const TARGETS: [(&str, Target); 10] = [
    ("archive", files::archive),
    ("differential", differential::chain),
    ("golden", files::golden),
    ("graph", text::graph),
    ("kernel", text::kernel),
    ("labels", files::labels),
    ("options", models::options),
    ("package", files::package),
    ("picture", files::picture),
    ("schedule", text::schedule),
];

/// The target that `REGARD_FUZZ` names.
fn chosen() -> Target {
    static CHOSEN: OnceLock<Target> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let name = std::env::var("REGARD_FUZZ").unwrap_or_default();
        let found = TARGETS.iter().find(|(target, _)| *target == name);
        let names = TARGETS.map(|(name, _)| name).join(", ");
        found.unwrap_or_else(|| panic!("REGARD_FUZZ is `{name}`, expected one of {names}")).1
    })
}

/// Does once what every run needs.
pub fn prepare() {
    chosen();
}

/// Hands an input to the target.
pub fn run(data: &[u8]) {
    chosen()(data);
}

/// Does `work` with the memory that reading `bytes` bytes of input may take; more of it aborts.
fn reading<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let limit = ALLOCATOR.allocated() + ALWAYS + PER_BYTE * bytes;
    ALLOCATOR.set_limit(limit).expect("the limit is above what is allocated");
    let result = work();
    ALLOCATOR.set_limit(usize::MAX).expect("every amount is below this limit");
    result
}
