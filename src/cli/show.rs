//! `regard show`: every intermediate as text.

use super::{ModelArgs, RecipeArgs, TargetArgs, WeightArgs};
use crate::{
    errors::Result,
    pipeline::{self, Trace},
    progress::Progress,
};
use clap::{Args, ValueEnum};
use regard_codegen::native;
use regard_ir::{kernel::Kernel, program::Program, target::Target};
use std::io::Write;

/// Print an intermediate of compilation; the same input gives the same text
#[derive(Args)]
#[command(after_help = "Example:\n  regard show block.rg --stage schedule")]
pub struct Show {
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
pub fn run(args: &Show, out: &mut dyn Write) -> Result<()> {
    let target = args.target.known()?;
    let recipe = args.recipe.open(target)?;
    let (graph, _) = args.weights.opened(&args.model, &args.config)?;
    let mut trace = Trace::keeping(&args.stage.name(), Progress::stderr());
    let kernels = pipeline::kernels(&graph, recipe, &mut trace);
    trace.progress().clear();
    // A stage that came about is shown even where a later one fails.
    if let Some(text) = trace.text() {
        write!(out, "{text}")?;
        return Ok(());
    }
    let kernels = kernels?;
    match args.stage {
        Stage::Buffers => write!(out, "{}", pipeline::buffers_text(&kernels))?,
        _ => write!(out, "{}", clif(&kernels, target)?)?,
    }
    Ok(())
}

/// The Cranelift IR of all kernels, one after the other.
pub fn clif(program: &Program<Kernel>, target: &Target) -> Result<String> {
    let texts =
        program.kernels.values().map(|kernel| Ok(format!("; {}\n{}\n", kernel.name, native::clif(kernel, target)?)));
    texts.collect()
}
