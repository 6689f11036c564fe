//! The executable that `regard compile` wrote, with a model after it.

use super::{
    parse,
    places::Places,
    read_labels, reporting,
    run::{How, execute},
    threads,
};
use crate::{
    errors::{Error, Result},
    images::Preparation,
    pipeline,
    report::screen,
};
use clap::{Args, Command};
use regard_runtime::{Package, package};
use std::{io::Write, path::PathBuf};

/// What an executable can be asked.
#[derive(Args)]
struct Packaged {
    /// PNG, JPEG, WebP or TIFF images; without any, the picture that comes with the program
    #[arg(value_name = "IMAGE")]
    images: Vec<PathBuf>,
    #[command(flatten)]
    how: How,
}

/// Reads the command line and runs.
pub(crate) fn main(package: Package) -> Result<()> {
    let about = format!(
        "{}, compiled by regard {} for {}; {}",
        package.meta.model,
        package.version,
        package.meta.target,
        package.meta.facts.get("weights").map_or("", String::as_str),
    );
    let called = std::env::args_os().next();
    let name = called.map_or_else(|| package.meta.model.clone(), |name| name.to_string_lossy().into_owned());
    let examples = format!("Examples:\n  {name} photo.jpg\n  {name} --raw in.safetensors -o out.safetensors");
    let command = Packaged::augment_args(Command::new("model").bin_name(name));
    let command = command.about(about).after_help(examples).version(env!("CARGO_PKG_VERSION"));
    let Some(args) = parse::parsed::<Packaged>(command)? else { return Ok(()) };
    let places = args.how.places(Places::default().reads(package::own_program()), &args.images);
    reporting(&places, |out| run(package, &args.images, &args.how, out))
}

/// Runs a package; the checksum of its weights is compared first.
pub(crate) fn run(package: Package, images: &[PathBuf], how: &How, out: &mut dyn Write) -> Result<()> {
    let threads = threads(how.threads)?;
    package.verify_constants()?;
    let labels = match &how.labels {
        Some(path) => read_labels(Some(path))?,
        None => package.meta.labels.clone(),
    };
    if let Some(weights) = package.meta.facts.get("weights").filter(|weights| weights.contains("synth:"))
        && !how.json.alone()
    {
        screen::say(out, &format!("{}: {weights}", package.meta.model))?;
    }
    let carried = Preparation::from_facts(&package.meta.facts).map_err(Error::Failed)?;
    let session = pipeline::open(package, threads)?;
    execute(&session, images, (labels, carried), how, None, out)
}
