//! What a test file can ask for; one type per command, all in [`ALL`].
//!
//! | command | prints | fails by itself where |
//! |---|---|---|
//! | `error` | the error in the text, as the command line draws it | the text is a graph |
//! | `roundtrip` | the graph as the printer writes it | reading that back gives another graph |
//! | `eval` | type, first values and norm of each output | definitions give other values than their ops |
//! | `canonical` | the form that is planned | it has another value |
//! | `optimize` | the rules used, and the form after them | it has another value |
//! | `plan`, `schedule`, `buffers` | that stage | an invariant is broken |
//! | `raise` | the attend kernels that compute their own scores | there are not `sites=N` of them, or the value is another |
//! | `kernels` | launches, and what each kernel costs | an invariant is broken |
//! | `text` | the kernels themselves | one does not read back as itself |
//! | `check` | the outputs that hold the contract | one does not, on any device or target here |
//!
//! Stages take `target=NAME`; nothing printed depends on the machine that runs the test.

use crate::file::TestFile;
use regard::{
    check::{self, Device, Job, TOLERANCE},
    errors::Error,
    pipeline::{self, Artifact, Trace},
    values::relative_error,
    weights::Synthetic,
};
use regard_cli::report::{buffers, errors::draw};
use regard_ir::{
    graph::{Graph, Tensor, eval},
    kernel::{self, Kernel},
    program::Program,
    target::Target,
    text,
};
use regard_passes::{
    Canonical, Plan, Rules, canonical, optimize,
    plan::{self, Body, Group},
};
use regard_runtime::cpu;
use regard_testkit::graphs;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// A command: from a file and options to a text that must not change.
trait Command: Sync {
    /// As written after `; test`.
    fn name(&self) -> &'static str;
    /// The options that it takes.
    fn options(&self) -> &'static [&'static str] {
        &[]
    }
    /// What it prints, or why it fails.
    fn run(&self, file: &TestFile, options: &Options) -> Result<String, String>;
}

const ALL: [&dyn Command; 12] = [
    &ErrorText,
    &Roundtrip,
    &Eval,
    &CanonicalForm,
    &Optimize,
    &Raise,
    &Stage("plan"),
    &Stage("schedule"),
    &Kernels,
    &Text,
    &Buffers,
    &Check,
];

/// Runs a command line, for example `plan target=x86-64-v4`.
pub(crate) fn run(line: &str, file: &TestFile) -> Result<String, String> {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap_or_default();
    let command = ALL.into_iter().find(|c| c.name() == name).ok_or_else(|| {
        let all: Vec<String> = ALL.iter().map(|c| format!("`{}`", c.name())).collect();
        format!("there is no command `{name}`, expected {}", all.join(", "))
    })?;
    let pairs = words.map(|word| word.split_once('=').ok_or_else(|| format!("`{word}` is not an `option=value`")));
    let pairs = pairs.collect::<Result<BTreeMap<&str, &str>, String>>()?;
    match pairs.keys().find(|key| !command.options().contains(key)) {
        Some(key) => Err(format!("{name} has no option `{key}`, expected {:?}", command.options())),
        None => command.run(file, &Options(pairs)),
    }
}

/// The options of a command line.
struct Options<'a>(BTreeMap<&'a str, &'a str>);

impl Options<'_> {
    fn target(&self) -> Result<&'static Target, String> {
        let name = self.0.get("target").ok_or("expected target=NAME, for example target=x86-64-v4")?;
        Target::named(name).ok_or_else(|| format!("there is no target `{name}`"))
    }
    fn number(&self, key: &str) -> Result<usize, String> {
        let text = self.0.get(key).ok_or_else(|| format!("expected {key}=N"))?;
        text.parse().map_err(|_| format!("{key} is `{text}`, expected a number"))
    }
}

impl TestFile {
    /// The graph, verified.
    fn graph(&self) -> Result<Graph, String> {
        let graph = text::parse(&self.source).map_err(|e| e.render(&self.source, &self.name))?;
        sound(graph)
    }
    /// The kernels for a target; `text` is the text of that stage.
    fn kernels(&self, target: &Target, stage: &str) -> Result<(Program<Kernel>, String), String> {
        let mut trace = Trace::new().keeping(stage);
        let program = pipeline::lower_to_kernels(&self.graph()?, target, &mut trace).map_err(|e| e.to_string())?;
        Ok((sound(program)?, trace.text().unwrap_or_default().to_owned()))
    }
}

/// The artifact, unless an invariant is broken.
fn sound<T: Artifact>(artifact: T) -> Result<T, String> {
    match artifact.faults().first() {
        None => Ok(artifact),
        Some(fault) => Err(fault.clone()),
    }
}

struct ErrorText;
impl Command for ErrorText {
    fn name(&self) -> &'static str {
        "error"
    }
    fn run(&self, file: &TestFile, _: &Options) -> Result<String, String> {
        match regard::source::parse(&file.source, &file.name) {
            Err(Error::Text(error)) => Ok(draw(&error, false, None).trim_end().to_owned()),
            Err(error) => Err(error.to_string()),
            Ok(graph) => Err(format!("the text is a graph\n{graph}")),
        }
    }
}

struct Roundtrip;
impl Command for Roundtrip {
    fn name(&self) -> &'static str {
        "roundtrip"
    }
    fn run(&self, file: &TestFile, _: &Options) -> Result<String, String> {
        let graph = file.graph()?;
        let printed = graph.to_string();
        let again = text::parse(&printed).map_err(|e| e.render(&printed, "printed"))?;
        if again == graph { Ok(printed) } else { Err(format!("printed and read, the graph is another:\n{again}")) }
    }
}

/// The outputs in f64, on values that depend on the names of inputs and weights in `named` alone.
fn values(graph: &Graph, named: &Graph) -> Result<Vec<Tensor>, String> {
    let value = |_, node: &regard_ir::graph::Node| {
        let label = node.label.as_deref().expect("leaves have labels");
        let id = named.labelled(label).expect("passes keep the labels of leaves");
        Ok(graphs::leaf(0, id, &node.ty))
    };
    eval(graph, &mut { value }).map_err(|e| e.to_string())
}

/// Fails unless both graphs have the same outputs, up to rounding in f64.
fn same_value(form: &str, derived: &Graph, graph: &Graph) -> Result<(), String> {
    let (found, expected) = (values(derived, graph)?, values(graph, graph)?);
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        if found.ty != expected.ty {
            return Err(format!("output {i} of the {form} is {}, expected {}", found.ty, expected.ty));
        }
        let error = relative_error(&found.data, &expected.data);
        if error.is_nan() || error > 1e-12 {
            return Err(format!("output {i} of the {form} is off by {error:e}\n{derived}"));
        }
    }
    Ok(())
}

struct Eval;
impl Command for Eval {
    fn name(&self) -> &'static str {
        "eval"
    }
    fn run(&self, file: &TestFile, _: &Options) -> Result<String, String> {
        let graph = file.graph()?;
        let defined = canonical::inline(&graph, &|_| false, &|_| false).map_err(|e| e.to_string())?;
        same_value("definition", &sound(defined.graph)?, &graph)?;
        let mut out = format!("{} flops\n", graph.flops());
        for (&id, tensor) in graph.outputs.iter().zip(values(&graph, &graph)?) {
            let norm = tensor.data.iter().map(|x| x * x).sum::<f64>().sqrt();
            let first: Vec<String> = tensor.data.iter().take(6).map(|x| format!("{x:.5}")).collect();
            let _ = writeln!(out, "%{} : {} = {} … norm {norm:.5}", graph.text_name(id), tensor.ty, first.join(" "));
        }
        Ok(out)
    }
}

struct CanonicalForm;
impl Command for CanonicalForm {
    fn name(&self) -> &'static str {
        "canonical"
    }
    fn run(&self, file: &TestFile, _: &Options) -> Result<String, String> {
        let graph = file.graph()?;
        let form = Canonical::of(&graph).and_then(|canonical| canonical::for_kernels(&canonical));
        let form = sound(form.map_err(|e| e.to_string())?.0)?;
        same_value("canonical form", &form, &graph)?;
        Ok(form.to_string())
    }
}

struct Optimize;
impl Command for Optimize {
    fn name(&self) -> &'static str {
        "optimize"
    }
    fn options(&self) -> &'static [&'static str] {
        &["target"]
    }
    fn run(&self, file: &TestFile, options: &Options) -> Result<String, String> {
        let graph = file.graph()?;
        let optimized = sound(optimize(&graph, options.target()?, &Rules::default()).map_err(|e| e.to_string())?)?;
        same_value("optimized form", &optimized.graph, &graph)?;
        Ok(optimized.text())
    }
}

/// Attention found: groups of the plan that compute q·kᵀ, the softmax over keys and the product with the values.
/// Nodes that are attention but not computed at once are listed after, so that a file shows what it has instead.
struct Raise;
impl Command for Raise {
    fn name(&self) -> &'static str {
        "raise"
    }
    fn options(&self) -> &'static [&'static str] {
        &["sites"]
    }
    fn run(&self, file: &TestFile, options: &Options) -> Result<String, String> {
        let declared: usize = options.number("sites")?;
        let graph = file.graph()?;
        let mut texts = BTreeSet::new();
        for target in &Target::ROWS {
            let best = sound(optimize(&graph, target, &Rules::default()).map_err(|e| e.to_string())?)?.graph;
            same_value("optimized form", &best, &graph)?;
            let plan = plan::plan(&best, target).map_err(|e| e.to_string())?;
            let whole =
                |group: &&Group| matches!(&group.body, Body::Attend(a) if a.products.is_some() && a.values.is_some());
            let (found, parts) = (plan.groups.iter().filter(whole).count(), attention_in_parts(&plan));
            if found != declared {
                return Err(format!("{found} of {declared} sites are kernels on {}; {parts}\n{best}", target.name));
            }
            texts.insert(format!("{found} of {declared} sites are kernels; {parts}"));
        }
        Ok(Vec::from_iter(texts).join("\n"))
    }
}

/// The softmaxes and the attends that no kernel computes whole, by kind.
fn attention_in_parts(plan: &Plan) -> String {
    let apart = plan.groups.iter().filter(|g| matches!(&g.body, Body::Attend(a) if a.products.is_none())).count();
    let exponentials = plan.graph.nodes.values().filter(|n| n.op.name() == "exp").count();
    format!("{apart} apart from their scores, {exponentials} exponentials elsewhere")
}

/// The text of a stage of that name; of a plan, the groups without the graph, which `core` shows.
struct Stage(&'static str);
impl Command for Stage {
    fn name(&self) -> &'static str {
        self.0
    }
    fn options(&self) -> &'static [&'static str] {
        &["target"]
    }
    fn run(&self, file: &TestFile, options: &Options) -> Result<String, String> {
        let (_, text) = file.kernels(options.target()?, self.0)?;
        Ok(text.split("\n\n").next().unwrap_or_default().to_owned())
    }
}

struct Kernels;
impl Command for Kernels {
    fn name(&self) -> &'static str {
        "kernels"
    }
    fn options(&self) -> &'static [&'static str] {
        &["target"]
    }
    fn run(&self, file: &TestFile, options: &Options) -> Result<String, String> {
        let (program, text) = file.kernels(options.target()?, "kernels")?;
        let launches = text.lines().take_while(|line| !line.is_empty());
        let launches: String = launches.map(|line| format!("{}\n", line.trim_start_matches("// "))).collect();
        let cost = |k: &Kernel| kernel::stats::summary(k).rsplit_once(", hash").map(|(cost, _)| format!("{cost}\n"));
        Ok(launches + &program.kernels.values().filter_map(cost).collect::<String>())
    }
}

struct Text;
impl Command for Text {
    fn name(&self) -> &'static str {
        "text"
    }
    fn options(&self) -> &'static [&'static str] {
        &["target"]
    }
    fn run(&self, file: &TestFile, options: &Options) -> Result<String, String> {
        let (program, text) = file.kernels(options.target()?, "kernels")?;
        for kernel in program.kernels.values() {
            let printed = kernel.to_string();
            let again = kernel::text::parse(&printed).map_err(|e| e.render(&printed, &kernel.name))?;
            if again.to_string() != printed {
                return Err(format!("printed and read, the kernel is another:\n{again}"));
            }
        }
        Ok(text)
    }
}

struct Buffers;
impl Command for Buffers {
    fn name(&self) -> &'static str {
        "buffers"
    }
    fn options(&self) -> &'static [&'static str] {
        &["target"]
    }
    fn run(&self, file: &TestFile, options: &Options) -> Result<String, String> {
        let (program, _) = file.kernels(options.target()?, "kernels")?;
        Ok(buffers::text(&program, None))
    }
}

struct Check;
impl Command for Check {
    fn name(&self) -> &'static str {
        "check"
    }
    fn run(&self, file: &TestFile, _: &Options) -> Result<String, String> {
        let graph = file.graph()?;
        for target in &Target::ROWS {
            let devices = [Device::Interpreter, Device::Cpu];
            for device in devices.into_iter().filter(|d| *d == Device::Interpreter || cpu::supports(target.name)) {
                let job = Job {
                    graph: &graph,
                    weights: &Synthetic::of(0, &graph),
                    compile_options: target.into(),
                    device,
                    threads: 2,
                };
                let mut trace = Trace::new();
                let errors = check::check(&job, 2, &mut trace).map_err(|e| format!("{}: {e}", target.name))?;
                if let Some(broken) = errors.iter().find(|e| !e.holds()) {
                    return Err(format!(
                        "{} on {device:?}: %{} is off by {:e}",
                        target.name, broken.output, broken.error
                    ));
                }
            }
        }
        let names: Vec<String> = graph.outputs.iter().map(|&id| format!("%{}", graph.text_name(id))).collect();
        Ok(format!("{} within {TOLERANCE:e} of the reference", names.join(", ")))
    }
}
