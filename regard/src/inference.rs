//! Running a session on images, on tensors from a file, or on synthetic numbers.

use crate::{
    archive::{self, Archive},
    check::{Reference, TOLERANCE, run_session},
    errors::{Error, Result},
    golden::{self, Choice},
    images::{Picture, Preparation},
    values,
};
use regard_ir::{
    program::Port,
    types::{DType, ShapeText, TensorType},
};
use regard_models::synthetic;
use regard_runtime::Session;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// A session that takes images `[B, 3, H, W]` and returns logits `[B, classes]`.
pub struct Classifier<'a> {
    session: &'a Session,
    shape: [usize; 4],
    classes: usize,
    preparation: Preparation,
}

/// What one run gave.
pub struct Done {
    /// Each image's name, and what was done to set it upright.
    pub names: Vec<String>,
    /// Logits of these images, one after the other.
    pub logits: Vec<f32>,
    /// How long the run took, without decoding.
    pub time: Duration,
    /// What the session was given.
    input: Vec<f32>,
}

impl<'a> Classifier<'a> {
    /// The session as a classifier of images, if it is one; how pictures become its input.
    pub fn new(session: &'a Session, preparation: Preparation) -> Option<Classifier<'a>> {
        let program = session.program();
        let ([input], [output]) = (&program.inputs[..], &program.outputs[..]) else { return None };
        let shape: [usize; 4] = input.ty.shape.clone().try_into().ok()?;
        let [batch, classes] = output.ty.shape[..] else { return None };
        let floats = input.ty.dtype == DType::F32 && output.ty.dtype == DType::F32;
        (floats && shape[1] == 3 && shape[0] == batch).then_some(Classifier { session, shape, classes, preparation })
    }
    /// Images per run.
    pub fn batch(&self) -> usize {
        self.shape[0]
    }
    /// Height and width of its images.
    pub fn size(&self) -> (usize, usize) {
        (self.shape[2], self.shape[3])
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
            let opened = Picture::open_noting(image)?;
            input.extend(self.preparation.prepared(&opened.picture, height, width));
            let note = opened.note();
            let note = if note.is_empty() { note } else { format!(" ({note})") };
            names.push(format!("{}{note}", image.display()));
        }
        if images.is_empty() {
            input.extend(self.preparation.prepared(&Picture::default_picture(), height, width));
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

/// A run that agrees with the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// Relative error, below 1e-5.
    pub error: f64,
    /// Whether the classes are the reference's; otherwise the reference hardly prefers its own.
    pub same_class: bool,
}

/// Class and error of a run against the reference.
///
/// # Errors
/// Where the reference has no value, or the contract is broken.
pub fn comparison(done: &Done, reference: &Reference) -> Result<Agreement> {
    let input: Vec<f64> = done.input.iter().map(|&v| f64::from(v)).collect();
    let expected = reference(&[input])?.swap_remove(0);
    let found: Vec<f64> = done.logits.iter().map(|&v| f64::from(v)).collect();
    let expected = &expected[..found.len()];
    let error = values::relative_error(&found, expected);
    let classes = found.len() / done.names.len();
    let choices = found.chunks(classes).zip(expected.chunks(classes)).map(|(f, e)| golden::choice(f, e));
    let same_class = choices.clone().all(|choice| matches!(choice, Choice::Same(_)));
    let wrong = choices.into_iter().any(|choice| matches!(choice, Choice::Different { .. }));
    if wrong || error.is_nan() || error >= TOLERANCE {
        let class = match (wrong, same_class) {
            (true, _) => "another class",
            (false, true) => "same class",
            (false, false) => "near tie",
        };
        return Err(Error::Failed(format!(
            "error {error:.1e} against the f64 reference, expected below 1e-5; {class}"
        )));
    }
    Ok(Agreement { error, same_class })
}

/// An output of a run.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: TensorType,
    /// Its L2 norm.
    pub norm: f64,
    /// Its first four values.
    pub head: Vec<f64>,
    /// The relative error against the reference, below 1e-5, where there is one.
    pub error: Option<f64>,
}

/// Runs a session on the tensors of a safetensors file and, where a path is given, writes its outputs, in their own
/// types, to another, after they were compared with a reference where there is one.
///
/// # Errors
/// Where a file cannot be read or written, a tensor is missing, has another shape or type or a value that the input
/// does not hold, or the contract is broken.
pub fn raw(
    session: &Session,
    input: &Path,
    output: Option<&Path>,
    reference: Option<&Reference>,
) -> Result<(Duration, Vec<Output>)> {
    let archive = Archive::open(input)?;
    let ports = &session.program().inputs;
    let inputs = ports.iter().map(|port| raw_input(&archive, port)).collect::<Result<Vec<_>>>()?;
    let (outputs, time) = timed(session, &inputs)?;
    let described = described(session, &inputs, &outputs, reference)?;
    if let Some(path) = output {
        write_outputs(session, path, &outputs)?;
    }
    Ok((time, described))
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

/// The outputs of a run, compared with a reference where there is one.
fn described(
    session: &Session,
    inputs: &[Vec<f64>],
    outputs: &[Vec<u8>],
    reference: Option<&Reference>,
) -> Result<Vec<Output>> {
    let expected = reference.map(|reference| reference(inputs)).transpose()?;
    let describe = |(i, (port, bytes)): (usize, (&Port, &Vec<u8>))| {
        let found = values::decode(port.ty.dtype, bytes);
        let error = expected.as_ref().map(|all| values::output_error(port.ty.dtype, &found, &all[i]));
        if let Some(error) = error.filter(|error| error.is_nan() || *error >= TOLERANCE) {
            let name = &port.name;
            return Err(Error::Failed(format!(
                "output {name}: error {error:.1e} against the f64 reference, expected below 1e-5"
            )));
        }
        let head = found.iter().take(4).copied().collect();
        Ok(Output { name: port.name.clone(), ty: port.ty.clone(), norm: values::norm(&found), head, error })
    };
    session.program().outputs.iter().zip(outputs).enumerate().map(describe).collect()
}

fn write_outputs(session: &Session, path: &Path, outputs: &[Vec<u8>]) -> Result<()> {
    let program = session.program();
    let ports = program.outputs.iter().zip(outputs);
    let tensors: Vec<archive::Tensor> = ports
        .map(|(Port { name, ty, .. }, bytes)| archive::Tensor { name, dtype: ty.dtype, shape: &ty.shape, bytes })
        .collect();
    archive::write(path, &tensors, &program.name)
}

/// Runs a session on synthetic inputs and, where a path is given, writes its outputs.
///
/// # Errors
/// Where the outputs cannot be written, or the contract is broken.
pub fn synthetic(
    session: &Session,
    output: Option<&Path>,
    reference: Option<&Reference>,
) -> Result<(Duration, Vec<Output>)> {
    let program = session.program();
    let input = |(i, port): (usize, &Port)| -> Vec<f64> {
        let floats = synthetic::image(port.ty.elements(), (i as u64) << 40);
        let dtype = port.ty.dtype;
        let value = |v: f32| if dtype.is_float() { dtype.round(f64::from(v)) } else { f64::from(u8::from(v > 0.0)) };
        floats.into_iter().map(value).collect()
    };
    let inputs: Vec<Vec<f64>> = program.inputs.iter().enumerate().map(input).collect();
    let (outputs, time) = timed(session, &inputs)?;
    let described = described(session, &inputs, &outputs, reference)?;
    match output {
        Some(path) => write_outputs(session, path, &outputs).map(|()| (time, described)),
        None => Ok((time, described)),
    }
}
