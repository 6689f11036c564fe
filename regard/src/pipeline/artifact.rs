//! What stages make: its text, and what must hold of it.

use regard_ir::{
    count::counted,
    graph::{Graph, NodeId},
    kernel::{self, Kernel, Level},
    program::{Code, Program, Storage},
    verify,
};
use regard_passes::{
    Optimized, Plan, Schedule,
    plan::{Body, Group, Right, expr::Stage},
};
use regard_runtime::{Session, memory::Constants};
use std::fmt::Write;

/// A result that can be looked at and checked.
pub trait Artifact {
    /// As text, the same for equal results; empty where there is nothing to read.
    fn text(&self) -> String {
        String::new()
    }
    /// Every invariant that does not hold.
    fn faults(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Artifact for () {}
impl Artifact for u64 {}
impl Artifact for Constants {}
impl Artifact for Session {}

impl Artifact for Graph {
    fn text(&self) -> String {
        self.named().to_string()
    }
    fn faults(&self) -> Vec<String> {
        verify(self).iter().map(ToString::to_string).collect()
    }
}

impl Artifact for Optimized {
    fn text(&self) -> String {
        let reports = self.regions.iter().map(|region| format!("; {region}\n"));
        let last = self.snapshots.last().filter(|snapshot| !snapshot.steps.is_empty());
        let merged = last.map(|snapshot| format!("; {} ×{}\n", snapshot.steps[0].rule, snapshot.steps.len()));
        format!("{}{}", reports.chain(merged).collect::<String>(), self.graph.named())
    }
    fn faults(&self) -> Vec<String> {
        self.graph.faults()
    }
}

impl Artifact for Plan {
    fn text(&self) -> String {
        let groups = self.groups.iter().zip(&self.names);
        let lines = groups.map(|(group, name)| format!("  {}\n", group_text(&self.graph, group, name)));
        format!("plan {} {{\n{}}}\n\n{}", self.graph.name, lines.collect::<String>(), self.graph)
    }
    fn faults(&self) -> Vec<String> {
        self.graph.faults()
    }
}

/// One group: its anchor with extents, the tensors it reads, and what it writes where that is called otherwise.
fn group_text(graph: &Graph, group: &Group, called: &str) -> String {
    let anchor = match &group.body {
        Body::Row(fused) => format!("row {:?}", fused.space),
        Body::Matmul(p) => {
            let right = match &p.right {
                Right::Constant(node) => format!(", constant %{}", graph.text_name(*node)),
                Right::Computed(_) => String::new(),
            };
            format!("matmul [{}, {}, {}] by [{}, {}]{right}", p.batch, p.m, p.k, p.k, p.n)
        }
        Body::Attend(a) => {
            let extents = [a.batch, a.queries, a.keys];
            let seen = a.seen.map_or(String::new(), |seen| format!(", seeing {:.0} % of the keys", 100.0 * seen));
            format!("{} {extents:?} over {}{seen}", a.name(), counted(a.value_dim, "value"))
        }
    };
    let exprs = group.body.exprs();
    let name = |node: NodeId| format!("%{}", graph.text_name(node));
    let kept = |stage: &Stage| if stage.kept { " (also stored)" } else { "" };
    let stages =
        exprs.iter().flat_map(|fused| &fused.stages).map(|stage| format!("{}{}", name(stage.node), kept(stage)));
    let stages: Vec<String> = stages.collect();
    let fused = if stages.is_empty() { String::new() } else { format!(" fused producers {}", stages.join(", ")) };
    let mut reads: Vec<String> = Vec::new();
    for name in exprs.iter().flat_map(|fused| fused.reads()).map(name) {
        if !reads.contains(&name) {
            reads.push(name);
        }
    }
    let root = graph.text_name(group.root);
    let writes = if root == called { String::new() } else { format!(" writing %{root}") };
    format!("%{called} = {anchor}{fused} reading {}{writes}", reads.join(", "))
}

impl Artifact for Schedule {
    fn text(&self) -> String {
        self.to_string()
    }
}

impl Artifact for Program<Kernel> {
    fn text(&self) -> String {
        let mut text = launches_text(self);
        for kernel in self.kernels.values() {
            let counts = kernel::stats::stats(kernel);
            let _ = writeln!(
                text,
                "\n// {}, {} of scratch",
                counted(counts.instructions, "statement"),
                counted(counts.scratch_bytes, "byte")
            );
            let _ = write!(text, "{kernel}");
        }
        text
    }
    fn faults(&self) -> Vec<String> {
        let kernels = self.kernels.values().flat_map(|k| kernel::verify::verify(k, &[Level::Core]));
        self.faults().into_iter().chain(kernels.map(|finding| finding.to_string())).collect()
    }
}

impl Artifact for Program<Code> {
    fn faults(&self) -> Vec<String> {
        self.faults()
    }
}

/// One line per launch: kernel, blocks and buffers.
fn launches_text(program: &Program<Kernel>) -> String {
    let mut text = format!(
        "// program {}: {}, {}\n",
        program.name,
        counted(program.kernels.len(), "kernel"),
        counted(program.launches.len(), "launch")
    );
    for (i, launch) in program.launches.iter().enumerate() {
        let names: Vec<&str> = launch.buffers.iter().map(|&b| program.buffers[b].name.as_str()).collect();
        let kernel = &program.kernels[launch.kernel].name;
        let _ = writeln!(text, "// {i:3} {kernel} blocks {} ({})", launch.blocks, names.join(", "));
    }
    text
}

/// Sum of all intermediates' bytes: what they would take if each had memory of its own.
pub fn intermediate_bytes<K>(program: &Program<K>) -> u64 {
    program.buffers.values().filter(|b| matches!(b.storage, Storage::Arena(_))).map(|b| b.bytes()).sum()
}
