//! `regard show`: every intermediate as text.

use super::{CompileArgs, JsonArgs, ModelArgs, TargetArgs, WeightArgs, WideArgs};
use crate::report::{buffers, dot, status::Status};
use clap::{Args, ValueEnum};
use regard::{
    errors::{Error, Result},
    pipeline::{self, CompileOptions, Trace},
};
use regard_codegen::native;
use regard_ir::{graph::Graph, kernel::Kernel, program::Program, target::Target};
use serde_json::json;
use std::io::Write;

/// Print an intermediate of compilation; the same input gives the same text
#[derive(Args)]
#[command(after_help = "Example:\n  regard show block.rg --stage schedule")]
pub(crate) struct Show {
    /// A model or a .rg file
    #[arg(value_name = "MODEL|FILE.rg")]
    model: std::ffi::OsString,
    /// Which one
    #[arg(long, value_enum, default_value_t = Stage::Graph)]
    stage: Stage,
    /// Text, or a picture in the language of Graphviz: of graph, optimized and plan
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    config: ModelArgs,
    #[command(flatten)]
    weights: WeightArgs,
    #[command(flatten)]
    compile_options: CompileArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    wide: WideArgs,
    #[command(flatten)]
    pub json: JsonArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// The graph as it was written
    Graph,
    /// The graph after rewriting
    Optimized,
    /// Which kernel computes what
    Plan,
    /// How each kernel is cut
    Schedule,
    /// Kernel IR and the launch list
    Kernels,
    /// Cranelift IR of every kernel
    Clif,
    /// Where every tensor lies in memory, and when
    Buffers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// As every stage is read and compared
    Text,
    /// Boxes and arrows, for `dot -Tsvg`
    Dot,
}

impl Stage {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Prints the stage.
pub(crate) fn run(args: &Show, out: &mut dyn Write) -> Result<()> {
    let target = args.target.known()?;
    let compile_options = args.compile_options.open(target)?;
    let (graph, _) = args.weights.opened(&args.model, &args.config)?;
    // The table of buffers is for users, all other stages are languages.
    let width = if args.json.alone() { None } else { args.wide.width() };
    let text = match args.format {
        Format::Text => text(&graph, compile_options, args.stage, width)?,
        Format::Dot => picture(&graph, compile_options, args.stage)?,
    };
    let (model, stage) = (&graph.name, args.stage.name());
    let value = || json!({"model": model, "target": target.name, "stage": stage, "text": text});
    match args.json.write(value)? {
        true => Ok(write!(out, "{text}")?),
        false => Ok(()),
    }
}

fn text(graph: &Graph, compile_options: CompileOptions, stage: Stage, width: Option<usize>) -> Result<String> {
    let target = compile_options.target;
    let mut trace = Trace::new().telling(Status::stderr()).keeping(&stage.name());
    let kernels = pipeline::lower_to_kernels(graph, compile_options, &mut trace);
    trace.progress().clear();
    // A stage that came about is shown even where a later one fails.
    match (trace.text(), stage) {
        (Some(text), _) => Ok(text.to_owned()),
        (None, Stage::Buffers) => Ok(buffers::text(&kernels?, width)),
        (None, _) => clif(&kernels?, target),
    }
}

fn picture(graph: &Graph, compile_options: CompileOptions, stage: Stage) -> Result<String> {
    let mut trace = Trace::new().telling(Status::stderr());
    let drawn = match stage {
        Stage::Graph => Ok(dot::graph(graph)),
        Stage::Optimized => {
            pipeline::optimize_graph(graph, compile_options, &mut trace).map(|found| dot::graph(&found.graph))
        }
        Stage::Plan => pipeline::plan_graph(graph, compile_options, &mut trace).map(|plan| dot::plan(&plan)),
        other => {
            let name = other.name();
            Err(Error::Failed(format!("there is no picture of stage {name}, expected graph, optimized or plan")))
        }
    };
    trace.progress().clear();
    drawn
}

/// The Cranelift IR of all kernels, one after the other.
pub(crate) fn clif(program: &Program<Kernel>, target: &Target) -> Result<String> {
    let texts =
        program.kernels.values().map(|kernel| Ok(format!("; {}\n{}\n", kernel.name, native::clif(kernel, target)?)));
    texts.collect()
}
