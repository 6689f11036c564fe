//! The replay table: what every kernel of every model compiles to, one line each.
//!
//! ```text
//!   model × target ─▶ kernels ─▶ code ─▶ hash, statements, scratch bytes | instructions, bytes, spills
//! ```
//!
//! A pure refactoring leaves `tests/golden/kernels.txt` as it is; a change of the compiler's output shows as a readable
//! difference. `BLESS=1 cargo test --release --test replay` rewrites the table. The columns left of the bar are facts
//! of the kernel's text, those right of it of its machine code; both are the same on every machine, but
//! code that goes through Cranelift can only be made on its own architecture, and elsewhere is `-` and counted.
//!
//! Two promises are kept here even when blessing: in wide code the loops in which products multiply never touch the
//! stack, and emitting a kernel twice gives the same bytes. Spills are those in all innermost loops, packing and
//! epilogues included.

mod loops;

use rayon::prelude::*;
use regard::pipeline::{self, Trace};
use regard_codegen::native;
use regard_ir::{
    kernel::{Kernel, stats::stats},
    program::Code,
    target::{Arch, Backend, Target},
};
use regard_models::Config;
use std::{fs, io::Write, path::Path};

/// One kernel for one target.
struct Row {
    model: &'static str,
    target: &'static Target,
    kernel: Kernel,
    /// Absent where this machine cannot make it.
    code: Option<Code>,
}

/// Models whose kernels are recorded; all others have the same ones in other sizes.
const RECORDED: [&str; 8] = [
    "debiformer_tiny",
    "levit_128s",
    "levit_128s_bisa",
    "sasa_resnet26",
    "swin_tiny",
    "swin_tiny_bisa",
    "swin_tiny_bisa_norm",
    "swin_tiny_upernet",
];

/// Titles of the columns, and how wide they are; text goes left, numbers go right.
const COLUMNS: [(&str, isize); 9] = [
    ("model", -10),
    ("target", -14),
    ("kernel", -28),
    ("hash", 16),
    ("statements", 10),
    ("scratch", 9),
    ("instructions", 14),
    ("bytes", 7),
    ("spills", 6),
];

impl Row {
    fn fields(&self) -> [String; 9] {
        let counts = stats(&self.kernel);
        let of_code = |value: fn(&Code) -> usize| self.code.as_ref().map_or("-".into(), |code| value(code).to_string());
        [
            self.model.to_owned(),
            self.target.name.to_owned(),
            self.kernel.name.clone(),
            format!("{:016x}", counts.hash),
            counts.instructions.to_string(),
            counts.scratch_bytes.to_string(),
            of_code(|code| code.instructions as usize),
            of_code(|code| code.bytes.len()),
            of_code(|code| code.spills as usize),
        ]
    }
}

/// A line of the table; the sixth column is followed by a bar.
fn line(fields: &[String]) -> String {
    let mut out = String::new();
    for (i, (field, (_, width))) in fields.iter().zip(COLUMNS).enumerate() {
        let width_of = width.unsigned_abs();
        out += &if width < 0 { format!("{field:<width_of$} ") } else { format!("{field:>width_of$} ") };
        out += if i == 5 { "| " } else { "" };
    }
    out.trim_end().to_owned()
}

/// The fields of a line, without the bar.
fn fields(line: &str) -> Vec<String> {
    line.split_whitespace().filter(|field| *field != "|").map(str::to_owned).collect()
}

/// Whether code for the target can be made on this machine.
fn can_emit(target: &Target) -> bool {
    target.backend == Backend::WideX86 || Some(target.arch) == Arch::HERE
}

/// Every kernel of a model for a target, with its code.
fn rows(model: &'static str, target: &'static Target) -> Vec<Row> {
    let graph = regard_models::build(model, &Config::default()).expect("the zoo's own sizes");
    let mut trace = Trace::new();
    let program = pipeline::lower_to_kernels(&graph, target, &mut trace).unwrap_or_else(|e| panic!("{model}: {e}"));
    let emit = |kernel: &Kernel| {
        let code = can_emit(target).then(|| native::emit(kernel, target).unwrap_or_else(|e| panic!("{model}: {e}")));
        Row { model, target, kernel: kernel.clone(), code }
    };
    program.kernels.values().collect::<Vec<_>>().into_par_iter().map(emit).collect()
}

/// Products of at most so many steps have no loop: they are unrolled.
const UNROLLED: usize = 4;

/// The k of a product called `product_MxKxN`, with what may stand before and after.
fn steps(name: &str) -> usize {
    let sizes: Vec<&str> = name.split(['_', 'x']).collect();
    let numbers: Vec<usize> = sizes.iter().filter_map(|size| size.parse().ok()).collect();
    numbers.len().checked_sub(2).map_or(usize::MAX, |at| numbers[at])
}

/// Panics where a loop of a product that multiplies touches the stack, or a product has no such loop.
fn none_spills(rows: &[Row]) {
    let wide = rows.iter().filter(|row| row.target.backend == Backend::WideX86);
    let fault = |row: &Row| {
        let loops = loops::multiplying(&row.code.as_ref()?.bytes);
        let spills = loops.iter().flatten().filter(|i| loops::touches_stack(i)).count();
        let faulty = spills > 0 || (loops.is_empty() && steps(&row.kernel.name) > UNROLLED);
        faulty.then(|| format!("{} loops multiply, {spills} spills in them: {}\n", loops.len(), line(&row.fields())))
    };
    let faults: Vec<String> = wide.filter(|row| row.kernel.name.starts_with("matmul_")).filter_map(fault).collect();
    assert!(faults.is_empty(), "{} matmuls\n{}", faults.len(), faults.concat());
}

/// Fills what this machine cannot know from the table there is.
fn merge(found: &mut [Vec<String>], expected: &[Vec<String>]) {
    for row in found.iter_mut() {
        if let Some(old) = expected.iter().find(|old| old.get(..6) == Some(&row[..6])) {
            row.iter_mut().zip(old).filter(|(new, _)| *new == "-").for_each(|(new, old)| new.clone_from(old));
        }
    }
}

#[test]
fn kernels_are_what_they_were() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/kernels.txt");
    let jobs = RECORDED.into_iter().flat_map(|model| Target::ROWS.iter().map(move |row| (model, row.name)));
    let rows: Vec<Row> = jobs.flat_map(|(model, target)| rows(model, Target::named(target).expect("a row"))).collect();
    none_spills(&rows);
    let unknown = rows.iter().filter(|row| row.code.is_none()).count();
    if unknown > 0 {
        let skipped = format!("skipped: code of {unknown} kernels for other architectures\n");
        std::io::stderr().write_all(skipped.as_bytes()).expect("stderr is open");
    }
    let mut found: Vec<Vec<String>> = rows.iter().map(|row| row.fields().to_vec()).collect();
    let table = fs::read_to_string(&path).unwrap_or_default();
    let expected: Vec<Vec<String>> = table.lines().skip(1).map(fields).collect();
    merge(&mut found, &expected);
    let lines = [COLUMNS.map(|(title, _)| title.to_owned()).to_vec()].into_iter().chain(found);
    let text: String = lines.map(|fields| line(&fields) + "\n").collect();
    if text == table {
        return;
    }
    if std::env::var_os("BLESS").is_some_and(|v| v == "1") {
        return fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
    let gone = table.lines().filter(|old| !text.lines().any(|new| new == *old)).map(|old| format!("- {old}\n"));
    let new = text.lines().filter(|new| !table.lines().any(|old| old == *new)).map(|new| format!("+ {new}\n"));
    panic!("the replay table has changed (BLESS=1 accepts it)\n{}", gone.chain(new).collect::<String>());
}

#[test]
fn the_same_kernel_gives_the_same_code() {
    for target in Target::ROWS.iter().filter(|target| can_emit(target)) {
        let graph = regard_models::build("swin_tiny", &Config::default()).expect("the zoo's own sizes");
        let kernels = || pipeline::lower_to_kernels(&graph, target, &mut Trace::new()).expect("kernels");
        let (once, twice) = (kernels(), kernels());
        let pairs = once.kernels.values().zip(twice.kernels.values()).take(6);
        for (a, b) in pairs {
            assert_eq!(a.to_string(), b.to_string());
            let code = |kernel| native::emit(kernel, target).expect("code").bytes;
            assert_eq!(code(a), code(b), "{} for {}", a.name, target.name);
        }
    }
}

#[test]
fn lines_read_back_as_their_fields() {
    let row: Vec<String> =
        ["m", "x86-64-v2", "matmul_1x2x3", "00ff", "12", "0", "-", "-", "-"].map(str::to_owned).into();
    assert_eq!(fields(&line(&row)), row);
    let mut found = vec![row.clone()];
    let mut known = row.clone();
    known[6..].clone_from_slice(&["5", "20", "0"].map(str::to_owned));
    merge(&mut found, &[known.clone()]);
    assert_eq!(found, [known]);
}
