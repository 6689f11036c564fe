//! The executable that `regard compile` wrote, with a model after it.

use super::{
    parse,
    places::Places,
    read_labels, reporting,
    run::{How, execute},
    threads,
};
use crate::report::{errors::Failure, screen};
use clap::{Args, Command};
use regard::{
    errors::{Error, Result},
    images::Preparation,
};
use regard_runtime::{Package, Session, package};
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
pub(crate) fn main(package: Package) -> std::result::Result<(), Failure> {
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
    Ok(reporting(&places, |out| run(package, &args.images, &args.how, out))?)
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
    let session = open(package, threads)?;
    execute(&session, images, (labels, carried), how, None, out)
}

/// A session of a package: of this very program's own, or of one that is executable and that this program wrote.
///
/// # Errors
/// Where the system refuses memory.
pub(crate) fn open(package: Package, threads: usize) -> Result<Session> {
    // SAFETY: packages come from `Package::own` and `Package::open_to_run` alone. The former is the program that the user
    // has started, the latter one that its owner lets be executed: running its code is what was asked for.
    Ok(unsafe { package.session(threads) }?)
}
