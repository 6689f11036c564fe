//! `regard segment`: an image with the classes of its pixels laid over it.

use super::source::{self, Source};
use super::{
    JsonArgs, MachineArgs, WorkArgs, packaged, pictures::PictureArgs, places::Places, read_labels, run::milliseconds,
};
use crate::report::{self, classes::Labels, screen};
use clap::Args;
use regard::{
    errors::{Error, Result},
    files,
    images::{LabelMap, Picture, Preparation},
    memory,
    segment::{self, Segmenter, fed_size},
    units,
    weights::Weights,
};
use regard_ir::{count::counted, graph::Graph};
use regard_runtime::{Package, Session};
use serde_json::json;
use std::{
    cmp::Reverse,
    io::Write,
    path::{Path, PathBuf},
};

/// Find the class of every pixel of an image, and colour it
#[derive(Args)]
#[command(
    after_help = "Models that take any size get the image as published scores are measured: short side 512, long side at most
2048 pixels, or what --resize says. Others, and --size, get it resized to their size. With --crop the middle of the
resized picture is segmented, and stands in the place of the picture. Every class has one colour, the same in all pictures.

Examples:
  regard segment swin_tiny_upernet street.jpg --weights upernet.pth -o overlay.png
  regard segment net.rg street.png -o overlay.png --map classes.png --top 10"
)]
pub(crate) struct Segment {
    /// A model, a .rg file, or an executable that `regard compile` wrote
    #[arg(value_name = "MODEL|FILE.rg|EXECUTABLE")]
    model: std::ffi::OsString,
    /// A PNG, JPEG, WebP or TIFF image
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// Where the picture with its classes' colours is written
    #[arg(short, long, value_name = "OUT.png", required_unless_present = "map")]
    output: Option<PathBuf>,
    /// Where the classes are written, as grey of 8 bits; `regard score` reads such maps
    #[arg(long, value_name = "OUT.png")]
    map: Option<PathBuf>,
    /// How much of the picture the colours hide, from 0 to 1; 0.5 by default
    #[arg(long, value_name = "PART", requires = "output")]
    opacity: Option<f32>,
    /// Print the K classes with the most pixels
    #[arg(long, value_name = "K", default_value_t = 5)]
    top: usize,
    /// Names of the classes, one per line
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    #[command(flatten)]
    pictures: PictureArgs,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    machine: MachineArgs,
    #[command(flatten)]
    json: JsonArgs,
}

impl Segment {
    pub(crate) fn places(&self) -> Places {
        let reads = self.work.places(&self.model).reads([&self.image]).reads(&self.labels);
        reads.writes(&self.map).writes(&self.output).writes(self.json.path())
    }
}

/// Compiles or opens, runs, writes and prints.
pub(crate) fn run(args: &Segment, out: &mut dyn Write) -> Result<()> {
    let opacity = args.opacity.unwrap_or(0.5);
    if !(0.0..=1.0).contains(&opacity) {
        return Err(Error::Usage(format!("--opacity is {opacity}, expected 0 to 1")));
    }
    let package = source::package(&args.model)?;
    if let (Some(_), Some(flag)) = (&package, args.work.given().or(args.machine.target.given())) {
        return Err(Error::Usage(format!("{flag} needs the model, an executable is compiled already")));
    }
    let mut nowhere = std::io::sink();
    let out: &mut dyn Write = if args.json.alone() { &mut nowhere } else { out };
    let opened = Picture::open_noting(&args.image)?;
    let (note, picture) = (opened.note(), opened.picture);
    let names = read_labels(args.labels.as_deref())?;
    let carried = package.as_ref().map(|package| Preparation::from_facts(&package.meta.facts));
    let preparation = args.pictures.preparation().or(carried.transpose().map_err(Error::Failed)?.unwrap_or_default());
    let session = session(args, package, (&picture, &preparation), out)?;
    memory::afford_ports(session.program())?;
    let segmenter = Segmenter::new(&session)?;
    let picture = placed(picture, &preparation, segmenter.size())?;
    let (map, time) = segmenter.run(&picture, &preparation)?;
    let note = if note.is_empty() { note } else { format!(" ({note})") };
    screen::say(out, &format!("{}{note}", report::printable(&args.image.display().to_string())))?;
    let shares = shares(&map, args.top, names)?;
    let line = |(_, name, share): &(usize, String, f64)| {
        screen::say(out, &format!("  {:6.2} %  {}", 100.0 * share, screen::plain(name)))
    };
    shares.iter().try_for_each(line)?;
    writeln!(out, "  in {}", units::duration(time))?;
    let mut both: Vec<(&Path, Vec<u8>)> = Vec::new();
    if let Some(path) = &args.map {
        both.push((path, map.png()?));
    }
    if let Some(path) = &args.output {
        both.push((path, segment::overlay(&picture, &map, opacity).png()?));
    }
    let set: Vec<(&Path, Vec<&[u8]>)> = both.iter().map(|(path, bytes)| (*path, vec![&bytes[..]])).collect();
    files::write_set(&set)?;
    args.json.write(|| {
        let class = |(class, name, share): &(usize, String, f64)| json!({"class": class, "name": name, "share": share});
        json!({
            "image": args.image.to_string_lossy(),
            "ms": milliseconds(time),
            "classes": shares.iter().map(class).collect::<Vec<_>>(),
        })
    })?;
    Ok(())
}

/// The picture, or the part that a crop leaves of it for a model of that size.
fn placed(picture: Picture, preparation: &Preparation, size: (usize, usize)) -> Result<Picture> {
    let (height, width) = size;
    match (preparation.crop, preparation.resize) {
        (Some(_), _) => {
            preparation.fits(size).map_err(Error::Usage)?;
            Ok(preparation.cropped(&picture, height, width))
        }
        (None, Some(_)) if fed_size(&picture, preparation.resize) != size => {
            Err(Error::Usage(format!("--resize is not the size of this model, {height}x{width}; --crop takes a part")))
        }
        _ => Ok(picture),
    }
}

fn session(
    args: &Segment,
    package: Option<Package>,
    picture: (&Picture, &Preparation),
    out: &mut dyn Write,
) -> Result<Session> {
    let threads = args.machine.threads()?;
    if let Some(package) = package {
        package.verify_constants()?;
        return packaged::open(package, threads);
    }
    let target = args.machine.target()?;
    let (graph, weights) = open(args, picture)?;
    args.work.session(&graph, &*weights, (target, threads), out)
}

/// The graph for the size that published scores are measured at, where the model has it; for its own otherwise.
fn open(args: &Segment, (picture, preparation): (&Picture, &Preparation)) -> Result<(Graph, Box<dyn Weights>)> {
    let fixed = preparation.crop.is_some()
        || args.work.config.size.is_some()
        || matches!(Source::named(&args.model)?, Source::File(_));
    let mut fed = args.work.clone();
    fed.config.size = Some(fed_size(picture, preparation.resize));
    match fed.open(&args.model) {
        Ok(opened) if !fixed => Ok(opened),
        _ => args.work.open(&args.model),
    }
}

/// The `top` classes with the most pixels: number, name and part of all pixels.
fn shares(map: &LabelMap, top: usize, names: Vec<String>) -> Result<Vec<(usize, String, f64)>> {
    let mut counts = [0usize; 256];
    map.classes.iter().for_each(|&class| counts[usize::from(class)] += 1);
    let last = counts.iter().rposition(|&n| n > 0).unwrap_or(0);
    if !names.is_empty() && names.len() <= last {
        return Err(Error::Failed(format!(
            "the labels have {}, but class {last} occurs",
            counted(names.len(), "line")
        )));
    }
    let classes = names.len();
    let labels = Labels::new(names, classes)?;
    let mut order: Vec<usize> = (0..counts.len()).filter(|&class| counts[class] > 0).collect();
    order.sort_by_key(|&class| (Reverse(counts[class]), class));
    let share = |&class: &usize| {
        let part = counts[class] as f64 / map.classes.len() as f64;
        (class, labels.name(class).to_string(), part)
    };
    Ok(order.iter().take(top).map(share).collect())
}
