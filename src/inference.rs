//! Running a session on images, on tensors from a file, or on synthetic numbers.

use crate::{
    archive::{self, Archive},
    check::{Reference, TOLERANCE, run_session},
    errors::{Error, Result},
    golden::{self, Choice},
    images::Picture,
    report, values,
};
use regard_ir::{
    program::Port,
    types::{DType, ShapeText},
};
use regard_models::synthetic;
use regard_runtime::Session;
use std::{
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// A session that takes images `[B, 3, H, W]` and returns logits `[B, classes]`.
pub struct Classifier<'a> {
    session: &'a Session,
    shape: [usize; 4],
    classes: usize,
}

/// What one run gave.
pub struct Done {
    /// Each image's name.
    pub names: Vec<String>,
    /// Logits of these images, one after the other.
    pub logits: Vec<f32>,
    /// How long the run took, without decoding.
    pub time: Duration,
    /// What the session was given.
    input: Vec<f32>,
}

impl<'a> Classifier<'a> {
    /// The session as a classifier of images, if it is one.
    pub fn new(session: &'a Session) -> Option<Classifier<'a>> {
        let program = session.program();
        let ([input], [output]) = (&program.inputs[..], &program.outputs[..]) else { return None };
        let shape: [usize; 4] = input.ty.shape.clone().try_into().ok()?;
        let [batch, classes] = output.ty.shape[..] else { return None };
        let floats = input.ty.dtype == DType::F32 && output.ty.dtype == DType::F32;
        (floats && shape[1] == 3 && shape[0] == batch).then_some(Classifier { session, shape, classes })
    }
    /// Images per run.
    pub fn batch(&self) -> usize {
        self.shape[0]
    }
    /// Logits per image.
    pub fn classes(&self) -> usize {
        self.classes
    }
    /// Runs one batch of images, none for the picture that comes with the program. A batch that is not full is
    /// filled with zeros.
    ///
    /// # Errors
    /// Where an image cannot be read.
    pub fn run(&self, images: &[PathBuf]) -> Result<Done> {
        let [batch, channels, height, width] = self.shape;
        let (mut names, mut input) = (Vec::new(), Vec::with_capacity(batch * channels * height * width));
        for image in images {
            input.extend(Picture::open(image)?.prepared(height, width));
            names.push(image.display().to_string());
        }
        if images.is_empty() {
            input.extend(Picture::default_picture().prepared(height, width));
            names.push("the picture that comes with the program".into());
        }
        input.resize(batch * channels * height * width, 0.0);
        let start = Instant::now();
        let mut outputs = self.session.run_f32(&[&input])?;
        let time = start.elapsed();
        let mut logits = outputs.swap_remove(0);
        logits.truncate(names.len() * self.classes);
        Ok(Done { names, logits, time, input })
    }
    /// Writes the logits of all images to a safetensors file.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, path: &Path, logits: &[f32]) -> Result<()> {
        let program = self.session.program();
        let shape = [logits.len() / self.classes, self.classes];
        archive::write(path, &[archive::Tensor::f32(&program.outputs[0].name, &shape, logits)], &program.name)
    }
}

/// Images in batches; one empty batch where there are none.
pub fn batches(images: &[PathBuf], batch: usize) -> Vec<Vec<PathBuf>> {
    if images.is_empty() { vec![Vec::new()] } else { images.chunks(batch).map(<[PathBuf]>::to_vec).collect() }
}

/// For several images, the time of one.
pub fn per_image(images: usize, time: Duration) -> String {
    if images < 2 { String::new() } else { format!(", {} per image", report::duration(time / images as u32)) }
}

/// One line: class and error of a run against the reference.
///
/// # Errors
/// Where the reference has no value, or the contract is broken.
pub fn comparison(done: &Done, reference: &Reference) -> Result<String> {
    let input: Vec<f64> = done.input.iter().map(|&v| f64::from(v)).collect();
    let expected = reference(&[input])?.swap_remove(0);
    let found: Vec<f64> = done.logits.iter().map(|&v| f64::from(v)).collect();
    let expected = &expected[..found.len()];
    let error = values::relative_error(&found, expected);
    let classes = found.len() / done.names.len();
    let choices = found.chunks(classes).zip(expected.chunks(classes)).map(|(f, e)| golden::choice(f, e));
    let same = choices.clone().all(|choice| matches!(choice, Choice::Same(_)));
    let wrong = choices.into_iter().any(|choice| matches!(choice, Choice::Different { .. }));
    let class = if same { "same class" } else { "near tie" };
    if wrong || error.is_nan() || error >= TOLERANCE {
        let class = if wrong { "another class" } else { class };
        return Err(Error::Failed(format!(
            "error {error:.1e} against the f64 reference, expected below 1e-5; {class}"
        )));
    }
    Ok(format!("error {error:.1e} against the f64 reference (below 1e-5), {class}"))
}

/// Runs a session on the tensors of a safetensors file and writes its outputs, in their own types, to another, after
/// they were compared with a reference where there is one.
///
/// # Errors
/// Where a file cannot be read or written, a tensor is missing, has another shape or type or a value that the input
/// does not hold, or the contract is broken.
pub fn raw(
    session: &Session,
    (input, output): (&Path, &Path),
    reference: Option<&Reference>,
    out: &mut dyn Write,
) -> Result<Duration> {
    let archive = Archive::open(input)?;
    let ports = &session.program().inputs;
    let inputs = ports.iter().map(|port| raw_input(&archive, port)).collect::<Result<Vec<_>>>()?;
    let (outputs, time) = timed(session, &inputs)?;
    if let Some(reference) = reference {
        let expected = reference(&inputs)?;
        for ((port, bytes), expected) in session.program().outputs.iter().zip(&outputs).zip(&expected) {
            let line = output_error(port, &values::decode(port.ty.dtype, bytes), expected)?;
            writeln!(out, "{} : {}  {line}", port.name, port.ty)?;
        }
    }
    write_outputs(session, output, &outputs)?;
    Ok(time)
}

/// The values of an input.
fn raw_input(archive: &Archive, port: &Port) -> Result<Vec<f64>> {
    let stored = archive.stored(&port.name)?;
    if stored.shape != port.ty.shape {
        let (found, expected) = (ShapeText(&stored.shape), ShapeText(&port.ty.shape));
        return Err(archive.error(format!("tensor {} is {found}, expected {expected}", port.name)));
    }
    archive.values(&port.name, port.ty.dtype, 0..stored.elements())
}

/// The bytes of a session's outputs for the values of its inputs, and how long the run took.
fn timed(session: &Session, inputs: &[Vec<f64>]) -> Result<(Vec<Vec<u8>>, Duration)> {
    let ports = inputs.iter().zip(&session.program().inputs);
    let bytes: Vec<Vec<u8>> = ports.map(|(values, port)| values::encode(port.ty.dtype, values)).collect();
    let start = Instant::now();
    let outputs = run_session(session, &bytes)?;
    Ok((outputs, start.elapsed()))
}

/// What an output is off the reference by, as text.
fn output_error(port: &Port, found: &[f64], expected: &[f64]) -> Result<String> {
    let error = values::output_error(port.ty.dtype, found, expected);
    match error < TOLERANCE {
        true => Ok(format!("error {error:.1e} against the f64 reference (below 1e-5)")),
        false => Err(Error::Failed(format!("error {error:.1e} against the f64 reference, expected below 1e-5"))),
    }
}

fn write_outputs(session: &Session, path: &Path, outputs: &[Vec<u8>]) -> Result<()> {
    let program = session.program();
    let ports = program.outputs.iter().zip(outputs);
    let tensors: Vec<archive::Tensor> = ports
        .map(|(Port { name, ty, .. }, bytes)| archive::Tensor { name, dtype: ty.dtype, shape: &ty.shape, bytes })
        .collect();
    archive::write(path, &tensors, &program.name)
}

/// Runs a session on synthetic inputs and prints each output's type, norm and first values.
///
/// # Errors
/// Where the outputs cannot be written, or the contract is broken.
pub fn synthetic(
    session: &Session,
    output: Option<&Path>,
    reference: Option<&Reference>,
    out: &mut dyn Write,
) -> Result<Duration> {
    let program = session.program();
    let input = |(i, port): (usize, &Port)| -> Vec<f64> {
        let floats = synthetic::image(port.ty.elements(), (i as u64) << 40);
        let dtype = port.ty.dtype;
        let value = |v: f32| if dtype.is_float() { dtype.round(f64::from(v)) } else { f64::from(u8::from(v > 0.0)) };
        floats.into_iter().map(value).collect()
    };
    let inputs: Vec<Vec<f64>> = program.inputs.iter().enumerate().map(input).collect();
    let (outputs, time) = timed(session, &inputs)?;
    let expected = reference.map(|reference| reference(&inputs)).transpose()?;
    for (i, (port, bytes)) in program.outputs.iter().zip(&outputs).enumerate() {
        let found = values::decode(port.ty.dtype, bytes);
        let head: Vec<String> = found.iter().take(4).map(|v| format!("{v:.5}")).collect();
        let dots = if found.len() > 4 { ", …" } else { "" };
        writeln!(out, "{} : {}  norm {:.6}  [{}{dots}]", port.name, port.ty, values::norm(&found), head.join(", "))?;
        if let Some(expected) = &expected {
            writeln!(out, "  {}", output_error(port, &found, &expected[i])?)?;
        }
    }
    match output {
        Some(path) => write_outputs(session, path, &outputs).map(|()| time),
        None => Ok(time),
    }
}
