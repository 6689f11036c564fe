//! `regard show`: every intermediate as text.

use super::{JsonArgs, ModelArgs, RecipeArgs, TargetArgs, WeightArgs, WideArgs};
use crate::{
    errors::Result,
    pipeline::{self, Trace},
    progress::Progress,
};
use clap::{Args, ValueEnum};
use regard_codegen::native;
use regard_ir::{kernel::Kernel, program::Program, target::Target};
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
    #[command(flatten)]
    config: ModelArgs,
    #[command(flatten)]
    weights: WeightArgs,
    #[command(flatten)]
    recipe: RecipeArgs,
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

impl Stage {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Prints the stage.
pub(crate) fn run(args: &Show, out: &mut dyn Write) -> Result<()> {
    let target = args.target.known()?;
    let recipe = args.recipe.open(target)?;
    let (graph, _) = args.weights.opened(&args.model, &args.config)?;
    let mut trace = Trace::keeping(&args.stage.name(), Progress::stderr());
    let kernels = pipeline::kernels(&graph, recipe, &mut trace);
    trace.progress().clear();
    // The table of buffers is for people, all other stages are languages.
    let width = if args.json.alone() { None } else { args.wide.width() };
    // A stage that came about is shown even where a later one fails.
    let text = match (trace.text(), args.stage) {
        (Some(text), _) => text.to_owned(),
        (None, Stage::Buffers) => pipeline::buffers_text(&kernels?, width),
        (None, _) => clif(&kernels?, target)?,
    };
    let (model, stage) = (&graph.name, args.stage.name());
    let value = || json!({"model": model, "target": target.name, "stage": stage, "text": text});
    match args.json.write(value)? {
        true => Ok(write!(out, "{text}")?),
        false => Ok(()),
    }
}

/// The Cranelift IR of all kernels, one after the other.
pub(crate) fn clif(program: &Program<Kernel>, target: &Target) -> Result<String> {
    let texts =
        program.kernels.values().map(|kernel| Ok(format!("; {}\n{}\n", kernel.name, native::clif(kernel, target)?)));
    texts.collect()
}
