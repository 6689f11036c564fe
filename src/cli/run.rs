//! `regard run`: compile in memory and run, on images or on raw tensors.

use super::source;
use super::{JsonArgs, TargetArgs, WorkArgs, pictures::PictureArgs, places::Places, read_labels, threads};
use crate::report::{
    self,
    classes::{self, Labels},
    screen,
    status::Status,
};
use clap::Args;
use regard::{
    check::{self, Reference},
    errors::{Error, Result},
    images::Preparation,
    inference::{self, Classifier, Output},
    memory,
    progress::Progress,
    units,
};
use regard_runtime::Session;
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

/// Compile a model in memory, or open a compiled one, and run it
#[derive(Args)]
#[command(after_help = "Examples:
  regard run swin_tiny                                     the picture that comes with the program
  regard run swin_tiny --check                             the same, and its error against the f64 reference
  regard run swin_tiny --weights swin.safetensors --labels imagenet.txt cat.jpg dog.png
  regard run block.rg --raw in.safetensors -o out.safetensors")]
pub(crate) struct Run {
    /// A model, a .rg file, or an executable that `regard compile` wrote
    #[arg(value_name = "MODEL|FILE.rg|EXECUTABLE")]
    model: std::ffi::OsString,
    /// PNG, JPEG, WebP or TIFF images; without any, the picture that comes with the program
    #[arg(value_name = "IMAGE")]
    images: Vec<PathBuf>,
    #[command(flatten)]
    how: How,
    /// Also evaluate the f64 reference and print the error against it; takes seconds
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    target: TargetArgs,
}

impl Run {
    pub(crate) fn places(&self) -> Places {
        self.how.places(self.work.places(&self.model), &self.images)
    }
}

/// What a run reads and prints, for `regard run` and for executables alike.
#[derive(Args)]
pub(crate) struct How {
    /// Print the K most probable classes; 5 by default
    #[arg(long, value_name = "K")]
    pub top: Option<usize>,
    /// Names of the classes, one per line
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Worker threads; all cores by default
    #[arg(long, value_name = "T")]
    pub threads: Option<usize>,
    /// Read the inputs from a safetensors file, by name, instead of an image
    #[arg(long, value_name = "IN.safetensors")]
    pub raw: Option<PathBuf>,
    /// Write the outputs to a safetensors file, by name; - for standard output
    #[arg(short, long, value_name = "OUT.safetensors")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub json: JsonArgs,
    #[command(flatten)]
    pub pictures: PictureArgs,
}

/// Classes that are printed where nobody says how many.
const TOP: usize = 5;

impl How {
    /// The option that only means something for classes of images, where one is given.
    fn about_classes(&self) -> Option<&'static str> {
        let given = [(self.top.is_some(), "--top"), (self.labels.is_some(), "--labels")];
        given.into_iter().find_map(|(given, flag)| given.then_some(flag)).or(self.pictures.given())
    }
    /// The files of a run on `images`, and those that are read besides.
    pub(crate) fn places(&self, besides: Places, images: &[PathBuf]) -> Places {
        besides.reads(images).reads(&self.raw).reads(&self.labels).writes(&self.output).writes(self.json.path())
    }
}

/// Compiles or opens, then runs.
pub(crate) fn run(args: &Run, out: &mut dyn Write) -> Result<()> {
    if let Some(package) = source::package(&args.model)? {
        if args.check {
            return Err(Error::Usage("--check needs the model, an executable holds no graph to evaluate".into()));
        }
        if let Some(flag) = args.work.given().or(args.target.given()) {
            return Err(Error::Usage(format!("{flag} needs the model, an executable is compiled already")));
        }
        return super::packaged::run(package, &args.images, &args.how, out);
    }
    let machine = (args.target.executable()?, threads(args.how.threads)?);
    let (graph, weights) = args.work.open(&args.model)?;
    let mut nowhere = io::sink();
    let text: &mut dyn Write = if args.how.json.alone() { &mut nowhere } else { &mut *out };
    let session = args.work.session(&graph, &*weights, machine, text)?;
    let labels = read_labels(args.how.labels.as_deref())?;
    let reference = |inputs: &[Vec<f64>]| {
        let progress = Status::stderr();
        progress.say("evaluating the reference in f64");
        check::reference(&graph, &*weights, inputs)
    };
    let reference: Option<&Reference> = if args.check { Some(&reference) } else { None };
    let carried = Preparation::of(&graph.name, weights.style());
    execute(&session, &args.images, (labels, carried), &args.how, reference, out)
}

/// Runs a session on what `how` and `images` say, with the labels and the preparation of pictures that come with it, and
/// prints text or JSON.
pub(crate) fn execute(
    session: &Session,
    images: &[PathBuf],
    carried: (Vec<String>, Preparation),
    how: &How,
    reference: Option<&Reference>,
    out: &mut dyn Write,
) -> Result<()> {
    memory::afford_ports(session.program())?;
    let mut nowhere = io::sink();
    let text: &mut dyn Write = if how.json.alone() { &mut nowhere } else { &mut *out };
    let mut value = executed(session, images, carried, how, reference, text)?;
    value["model"] = json!(session.program().name);
    value["threads"] = json!(session.threads());
    how.json.write(|| value)?;
    Ok(())
}

/// Runs a session, prints text and returns the same as JSON.
fn executed(
    session: &Session,
    images: &[PathBuf],
    (labels, carried): (Vec<String>, Preparation),
    how: &How,
    reference: Option<&Reference>,
    out: &mut dyn Write,
) -> Result<Value> {
    if let Some(raw) = &how.raw {
        if !images.is_empty() {
            return Err(Error::Usage("--raw takes the place of images".into()));
        }
        if let Some(flag) = how.about_classes() {
            return Err(Error::Usage(format!(
                "{flag} is about images and their classes, --raw reads and writes tensors"
            )));
        }
        let (time, outputs) = inference::raw(session, raw, how.output.as_deref(), reference)?;
        for output in &outputs {
            let Output { name, ty, error, .. } = output;
            match (error, &how.output) {
                (_, None) => screen::say(out, &output_text(output))?,
                (Some(error), _) => {
                    screen::say(out, &format!("{name} : {ty}  {}", against(*error)))?;
                }
                (None, _) => {}
            }
        }
        writeln!(out, "ran in {}", units::duration(time))?;
        return Ok(outputs_json(time, &outputs));
    }
    let preparation = how.pictures.preparation().or(carried);
    match Classifier::new(session, preparation.clone()) {
        Some(classifier) => {
            preparation.fits(classifier.size()).map_err(Error::Usage)?;
            if preparation != Preparation::default() {
                screen::say(out, &format!("pictures: {preparation}"))?;
            }
            let labels = Labels::new(labels, classifier.classes())?;
            classify(&classifier, images, &labels, how, reference, out)
        }
        None if images.is_empty() && how.about_classes().is_some() => {
            let flag = how.about_classes().unwrap_or_default();
            Err(Error::Usage(format!("{flag} is about images and their classes, which this program does not take")))
        }
        None if images.is_empty() => {
            let (time, outputs) = inference::synthetic(session, how.output.as_deref(), reference)?;
            outputs.iter().try_for_each(|output| screen::say(out, &output_text(output)))?;
            screen::say(out, &format!("ran on synthetic inputs of seed 0 in {}", units::duration(time)))?;
            Ok(outputs_json(time, &outputs))
        }
        None => {
            let inputs = session.program().inputs.iter().map(|p| format!("{} : {}", p.name, p.ty));
            let inputs = inputs.collect::<Vec<_>>().join(", ");
            Err(Error::Failed(format!("this program does not take images but ({inputs}); --raw gives it tensors")))
        }
    }
}

pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// An error that keeps the contract.
fn against(error: f64) -> String {
    format!("error {error:.1e} against the f64 reference (below 1e-5)")
}

/// An output's type, its norm and its first values; a second line tells the error.
fn output_text(Output { name, ty, norm, head, error }: &Output) -> String {
    let values: Vec<String> = head.iter().map(|v| format!("{v:.5}")).collect();
    let dots = if ty.elements() > head.len() { ", …" } else { "" };
    let error = error.map_or_else(String::new, |error| format!("\n  {}", against(error)));
    format!("{name} : {ty}  norm {norm:.6}  [{}{dots}]{error}", values.join(", "))
}

fn outputs_json(time: Duration, outputs: &[Output]) -> Value {
    let output = |Output { name, ty, norm, head, error }: &Output| json!({"name": name, "type": ty.dtype.name(), "shape": ty.shape, "norm": norm, "first": head, "error": error});
    json!({"ms": milliseconds(time), "outputs": outputs.iter().map(output).collect::<Vec<_>>()})
}

fn classify(
    classifier: &Classifier,
    images: &[PathBuf],
    labels: &Labels,
    how: &How,
    reference: Option<&Reference>,
    out: &mut dyn Write,
) -> Result<Value> {
    let (mut logits, mut found, mut runs) = (Vec::new(), Vec::new(), Vec::new());
    let (top, width) = (how.top.unwrap_or(TOP), screen::width(false));
    for batch in inference::batches(images, classifier.batch()) {
        let done = classifier.run(&batch)?;
        for (name, image_logits) in done.names.iter().zip(done.logits.chunks(classifier.classes())) {
            let name = report::printable(name);
            screen::say(out, &name)?;
            write!(out, "{}", classes::top_lines(image_logits, top, labels, width))?;
            logits.extend_from_slice(image_logits);
            let class = |(class, probability): (usize, f64)| json!({"class": class, "name": labels.name(class), "probability": probability});
            let classes: Vec<Value> = classes::top(image_logits, top).into_iter().map(class).collect();
            found.push(json!({"image": name, "classes": classes}));
        }
        let each = per_image(done.names.len(), done.time);
        screen::say(out, &format!("  in {}{each}", units::duration(done.time)))?;
        let mut run = json!({"ms": milliseconds(done.time), "images": done.names.len()});
        if let Some(reference) = reference {
            let agreement = inference::comparison(&done, reference)?;
            let class = if agreement.same_class { "same class" } else { "near tie" };
            screen::say(out, &format!("  {}, {class}", against(agreement.error)))?;
            run["error"] = json!(agreement.error);
            run["same_class"] = json!(agreement.same_class);
        }
        runs.push(run);
    }
    if let Some(path) = &how.output {
        classifier.write(path, &logits)?;
    }
    Ok(json!({"images": found, "runs": runs}))
}

/// For several images, the time of one.
fn per_image(images: usize, time: Duration) -> String {
    if images < 2 { String::new() } else { format!(", {} per image", units::duration(time / images as u32)) }
}
