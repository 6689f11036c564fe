//! `regard compile`: an executable, an object for C, or text.

use super::{
    JsonArgs, TargetArgs, WorkArgs, pictures::PictureArgs, places::Places, read_labels, run::milliseconds, show,
};
use crate::report::{classes::Labels, screen, status::Status};
use clap::{Args, ValueEnum};
use regard::{
    errors::{Error, Result},
    files,
    images::Preparation,
    pipeline::{self, CompileOptions, Trace},
    units,
    weights::Weights,
};
use regard_codegen::native::object;
use regard_ir::{graph::Graph, program::Code, program::Program};
use regard_runtime::{Meta, memory::Constants, package};
use serde_json::json;
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// Compile a model to an executable that runs on a machine without Regard
#[derive(Args)]
#[command(after_help = "Examples:
  regard compile swin_tiny --weights swin.safetensors --labels imagenet.txt -o swin
  ./swin photo.jpg
  regard compile swin_tiny --emit obj -o swin.o      swin.o, swin.h and swin.weights, for C")]
pub(crate) struct Compile {
    /// A model or a .rg file
    #[arg(value_name = "MODEL|FILE.rg")]
    model: std::ffi::OsString,
    /// Where it is written, - for standard output; the model's name by default
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// What to write
    #[arg(long, value_enum, default_value_t = Emit::Exe)]
    emit: Emit,
    /// Names of the classes, one per line, to put into the executable
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    #[command(flatten)]
    pictures: PictureArgs,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Emit {
    /// An executable: a program that runs the model, with the model appended
    Exe,
    /// A relocatable object, a C header and the packed weights
    Obj,
    /// The graph as text
    Rg,
    /// Cranelift IR of every kernel, as text
    Clif,
}

impl Emit {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
    fn extension(self) -> &'static str {
        match self {
            Emit::Exe => "",
            Emit::Obj => ".o",
            Emit::Rg => ".rg",
            Emit::Clif => ".clif",
        }
    }
}

impl Compile {
    pub(crate) fn places(&self) -> Places {
        self.places_at(self.output.as_deref())
    }
    /// The same where the output is `path`. An executable is also made of its host.
    fn places_at(&self, path: Option<&Path>) -> Places {
        let places = self.work.places(&self.model).reads(&self.labels).writes(path).writes(self.json.path());
        match self.emit {
            // A name that is refused later may be that of its own header.
            Emit::Obj if path.is_none_or(|path| object_path(path).is_err()) => places,
            Emit::Obj => {
                places.writes(path.into_iter().flat_map(|path| ["h", "weights"].map(|e| path.with_extension(e))))
            }
            Emit::Exe => places.reads(package::host().map(|host| host.path)),
            Emit::Rg | Emit::Clif => places,
        }
    }
}

/// Compiles and writes.
pub(crate) fn run(args: &Compile, out: &mut dyn Write) -> Result<()> {
    let carried = args.labels.is_some().then_some("--labels").or(args.pictures.given());
    if let (Some(flag), true) = (carried, args.emit != Emit::Exe) {
        return Err(Error::Usage(format!(
            "{flag} goes into an executable, which --emit {} does not write",
            args.emit.name()
        )));
    }
    if let (Emit::Rg, Some(flag)) = (args.emit, args.work.compile_options.given().or(args.target.given())) {
        let why = "--emit rg writes the graph as it is before it is optimised";
        return Err(Error::Usage(format!("{flag} has no effect: {why}")));
    }
    let target = args.target.known()?;
    let compile_options = args.work.compile_options.open(target)?;
    let (graph, weights) = args.work.open(&args.model)?;
    let path = args.output.clone().unwrap_or_else(|| default_path(&graph.name, args.emit));
    if args.emit == Emit::Obj {
        object_path(&path)?;
    }
    args.places_at(Some(&path)).check()?;
    let mut trace = Trace::new().telling(Status::stderr());
    let written = match args.emit {
        Emit::Rg => text(&path, &graph.to_string())?,
        Emit::Clif => {
            let kernels = pipeline::lower_to_kernels(&graph, compile_options, &mut trace)?;
            text(&path, &show::clif(&kernels, target)?)?
        }
        Emit::Exe => executable(args, (&graph, &*weights), compile_options, &path, &mut trace)?,
        Emit::Obj => object((&graph, &*weights), compile_options, &path, &mut trace)?,
    };
    trace.progress().clear();
    let text = args.json.write(|| {
        let file = |(path, bytes): &(PathBuf, u64)| json!({"path": path.to_string_lossy(), "bytes": bytes});
        json!({
            "model": graph.name,
            "emit": args.emit.name(),
            "target": target.name,
            "weights": weights.describe(),
            "compile_ms": milliseconds(trace.total()),
            "files": written.iter().map(file).collect::<Vec<_>>(),
        })
    })?;
    if !text {
        return Ok(());
    }
    for (path, bytes) in &written {
        screen::say(out, &format!("{}  {}", path.display(), units::bytes(*bytes)))?;
    }
    if matches!(args.emit, Emit::Exe | Emit::Obj) {
        let weights = args.work.weights.note(&*weights);
        let took = units::duration(trace.total());
        screen::say(out, &format!("{}: compiled for {} in {took}\n{weights}", graph.name, target.name))?;
    }
    if args.emit == Emit::Exe && !package::host()?.is_runner {
        let why = format!("no {} of this version lies beside this program", package::RUNNER);
        screen::say(out, &format!("the executable carries all of regard, since {why}"))?;
    }
    Ok(())
}

/// A file in the current directory, named after the graph whatever characters its name has.
fn default_path(name: &str, emit: Emit) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let stem: String = name.chars().map(plain).collect();
    PathBuf::from(stem + emit.extension())
}

/// Paths that were written, with their sizes.
type Written = Vec<(PathBuf, u64)>;

fn text(path: &Path, text: &str) -> Result<Written> {
    files::write(path, text.as_bytes())?;
    Ok(vec![(path.to_owned(), text.len() as u64)])
}

/// A graph and its weights.
type Work<'a> = (&'a Graph, &'a dyn Weights);

/// Code and constants of a graph.
fn build(
    (graph, weights): Work,
    compile_options: CompileOptions,
    trace: &mut Trace,
) -> Result<(Program<Code>, Constants)> {
    pipeline::check_leaves(graph, weights, trace)?;
    let target = compile_options.target;
    let kernels = pipeline::lower_to_kernels(graph, compile_options, trace)?;
    let constants = pipeline::bind_constants(&kernels, weights, trace)?;
    Ok((pipeline::emit_code(kernels, target, trace)?, constants))
}

fn executable(
    args: &Compile,
    work: Work,
    compile_options: CompileOptions,
    path: &Path,
    trace: &mut Trace,
) -> Result<Written> {
    let ((graph, weights), target) = (work, compile_options.target);
    if Some(target.arch) != regard_ir::target::Arch::HERE {
        let (target, here) = (target.name, std::env::consts::ARCH);
        return Err(Error::Usage(format!(
            "an executable for {target} cannot be made by this program, which is for {here}"
        )));
    }
    let host = package::host()?;
    let labels = read_labels(args.labels.as_deref())?;
    let classes = graph.outputs.first().and_then(|&o| graph.ty(o).shape.last().copied()).unwrap_or(0);
    Labels::new(labels.clone(), classes)?;
    let (code, constants) = build(work, compile_options, trace)?;
    let preparation = args.pictures.preparation().or(Preparation::of(&graph.name, weights.style()));
    if let [_, .., height, width] = graph.inputs().first().map_or(&[][..], |&input| &graph.ty(input).shape) {
        preparation.fits((*height, *width)).map_err(Error::Usage)?;
    }
    let mut facts = preparation.facts();
    facts.insert("weights".to_owned(), args.work.weights.note(weights));
    let meta = Meta { model: graph.name.clone(), target: target.name.to_owned(), labels, facts };
    let size = trace.stage("write", || Ok(package::write(&host.path, &code, constants.bytes(), &meta, path)?))?;
    Ok(vec![(path.to_owned(), size)])
}

/// Checks that an object of that name can have a header and weights beside it.
fn object_path(path: &Path) -> Result<()> {
    let own = ["h", "weights"].into_iter().find(|own| path.extension().is_some_and(|found| found == *own));
    if let Some(own) = own {
        let (header, object) = (path.display(), path.with_extension("o"));
        let what = if own == "h" { "C header" } else { "file of weights" };
        return Err(Error::Usage(format!(
            "{header} is where the {what} of this object goes, expected the name of the object, for example {}",
            object.display()
        )));
    }
    if !files::is_regular(path) && !path.is_dir() {
        return Err(Error::Usage(format!(
            "an object is written with a header and weights beside it, expected the name of a file, found {}",
            path.display()
        )));
    }
    Ok(())
}

fn object(work: Work, compile_options: CompileOptions, path: &Path, trace: &mut Trace) -> Result<Written> {
    let target = compile_options.target;
    let (code, constants) = build(work, compile_options, trace)?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let bytes = object::object(&code, &name, target, constants.bytes())?;
    let header = object::header(&code, &name, target)?;
    let seal = object::seal(constants.bytes());
    let (header_path, weights_path) = (path.with_extension("h"), path.with_extension("weights"));
    files::write_set(&[
        (path, vec![&bytes]),
        (&header_path, vec![header.as_bytes()]),
        (&weights_path, vec![constants.bytes(), &seal]),
    ])?;
    let sizes = [bytes.len(), header.len(), constants.bytes().len() + seal.len()].map(|n| n as u64);
    Ok([path.to_owned(), header_path, weights_path].into_iter().zip(sizes).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graphs_name_never_leaves_the_directory() {
        assert_eq!(default_path("swin_tiny", Emit::Exe), Path::new("swin_tiny"));
        assert_eq!(default_path("../etc/a b.c", Emit::Rg), Path::new("___etc_a_b_c.rg"));
    }
}
