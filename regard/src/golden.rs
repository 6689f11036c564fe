//! Golden files: outputs of the authors' own code, recomputed and compared.
//!
//! ```text
//!   logits              the whole output
//!   sample.M, index.M   values of module M's output at flat positions
//!   norm.M              L2 norm of that output
//!   argmax_histogram    pixels of each class, where the model gives a class per pixel
//! ```
//!
//! Model, seed, input shape and options are in the file's metadata; weights and image follow from the seed. The
//! program that users get keeps no inner modules, so `logits` is checked on that one and the modules on a
//! *tapped* program, the same graph with the modules as further outputs.
//!
//! The class is compared first. Where the reference itself hardly prefers one class to another, a different
//! choice is not an error but a near tie. The same holds for `crate::choices`: where a program chose other regions
//! and the reference hardly preferred its own, the rest is compared with the reference on the program's choice.

use crate::{
    archive::Archive,
    check::{self, Device, TOLERANCE},
    errors::Result,
    memory,
    pipeline::{self, CompileOptions, Trace},
    tie_breaks::{self, TieReport},
    values,
    weights::Synthetic,
};
use regard_ir::{
    count::counted,
    graph::{Graph, NodeId},
    ops::ResizeMode,
    types::{DType, ShapeText},
};
use regard_models::{Config, synthetic};
use std::{collections::BTreeMap, path::Path};

/// What the names of tensors about modules begin with.
const ABOUT: [&str; 3] = ["sample.", "index.", "norm."];
/// The tensor that counts pixels.
const HISTOGRAM: &str = "argmax_histogram";

/// What a golden file says and holds.
#[derive(Debug)]
pub struct Golden {
    /// Name of the model.
    pub model: String,
    /// Seed of weights and image.
    pub seed: u64,
    /// Batch, channels, height, width.
    pub input_shape: [usize; 4],
    /// Options of the model.
    options: BTreeMap<String, String>,
    /// Shape of each module's whole output.
    feature_shapes: BTreeMap<String, Vec<usize>>,
    archive: Archive,
}

/// Which program a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The one that users get.
    Shipped,
    /// The one with inner modules as outputs.
    Tapped,
    /// No program: the graph in f64.
    Graph,
}

/// One tensor of the file, compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its name in the file.
    pub tensor: String,
    /// Where the value was computed.
    pub program: Program,
    /// Relative error.
    pub error: f64,
    /// For logits, whether the same class is chosen for each image.
    pub choice: Option<Choice>,
}

/// Which class is chosen, against the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Choice {
    /// The reference's.
    Same(usize),
    /// Another one, which the reference finds as good to 1e-5 of the largest logit.
    NearTie {
        /// The class found.
        found: usize,
        /// The class expected.
        expected: usize,
    },
    /// Not a class: regions were chosen that the reference finds as good, and it followed.
    NearChoices(usize),
    /// Another one.
    Different {
        /// The class found.
        found: usize,
        /// The class expected.
        expected: usize,
    },
}

impl Line {
    /// Whether the contract holds.
    pub fn holds(&self) -> bool {
        self.error < TOLERANCE && !matches!(self.choice, Some(Choice::Different { .. }))
    }
}

impl Golden {
    /// Reads a golden file.
    ///
    /// # Errors
    /// Where it is not a safetensors file, or its metadata lack something.
    pub fn open(path: &Path) -> Result<Golden> {
        let archive = Archive::open(path)?;
        let metadata = |key: &str| {
            archive
                .metadata(key)
                .ok_or_else(|| archive.error(format!("not a golden file: its metadata have no `{key}`")))
        };
        let wrong = |key: &str, found: &str| archive.error(format!("its metadata have `{key}` = `{found}`"));
        let (seed, shape) = (metadata("seed")?, metadata("input_shape")?);
        let features = archive.metadata("feature_shapes").unwrap_or("{}");
        let input_shape: [usize; 4] = serde_json::from_str(shape).map_err(|_| wrong("input_shape", shape))?;
        if input_shape.iter().try_fold(1usize, |n, &extent| n.checked_mul(extent)).is_none_or(|n| n == 0) {
            return Err(wrong("input_shape", shape));
        }
        compares_something(&archive)?;
        let options = archive.metadata("options").unwrap_or("{}");
        Ok(Golden {
            options: serde_json::from_str(options).map_err(|_| wrong("options", options))?,
            model: metadata("model")?.to_owned(),
            seed: seed.parse().map_err(|_| wrong("seed", seed))?,
            input_shape,
            feature_shapes: serde_json::from_str(features).map_err(|_| wrong("feature_shapes", features))?,
            archive,
        })
    }
    /// The model that the file is about.
    ///
    /// # Errors
    /// Where there is no such model.
    pub fn graph(&self) -> Result<Graph> {
        let [batch, _, height, width] = self.input_shape;
        let classes = self.archive.stored("logits").ok().and_then(|stored| stored.shape.last().copied());
        let config = Config { batch, size: Some((height, width)), classes, options: self.options.clone() };
        let graph =
            regard_models::build(&self.model, &config).map_err(|error| self.archive.error(error.to_string()))?;
        let found = graph.inputs().first().map_or(&[][..], |&input| &graph.ty(input).shape);
        match found == self.input_shape {
            true => Ok(graph),
            false => {
                let (found, expected) = (ShapeText(&self.input_shape), ShapeText(found));
                Err(self
                    .archive
                    .error(format!("its metadata have `input_shape` = {found}, {} takes {expected}", self.model)))
            }
        }
    }
    /// Names of the modules that the file has samples of.
    pub fn modules(&self) -> Vec<&str> {
        self.archive.tensors().keys().filter_map(|name| name.strip_prefix("sample.")).collect()
    }

    /// The nodes that are those modules' outputs, in the same order and shape.
    fn taps(&self, graph: &Graph) -> Result<Vec<NodeId>> {
        let tap = |module: &&str| {
            let missing = || self.archive.error(format!("{} has no module {module}", self.model));
            let node = graph.labelled(module).ok_or_else(missing)?;
            let (found, expected) = (&graph.ty(node).shape, self.feature_shapes.get(*module));
            match expected {
                Some(expected) if expected != found => {
                    let (found, expected) = (ShapeText(found), ShapeText(expected));
                    Err(self.archive.error(format!("module {module} is {found} in the graph, {expected} in the file")))
                }
                _ => Ok(node),
            }
        };
        self.modules().iter().map(tap).collect()
    }

    /// Recomputes and compares every tensor, logits first.
    ///
    /// # Errors
    /// Where the model cannot be built, compiled or run.
    pub fn check<'a>(
        &self,
        device: Device,
        compile_options: impl Into<CompileOptions<'a>>,
        threads: usize,
        trace: &mut Trace,
    ) -> Result<Vec<Line>> {
        let compile_options = compile_options.into();
        let graph = self.graph()?;
        memory::afford(&graph)?;
        let weights = Synthetic::new(self.seed);
        let image: Vec<f64> =
            synthetic::image(self.input_shape.iter().product(), self.seed).into_iter().map(f64::from).collect();
        let taps = self.taps(&graph)?;
        let mut tapped = graph.clone();
        tapped.outputs.extend(&taps);
        let (logits, modules, programs) = match device {
            Device::Interpreter => {
                trace.progress().say("evaluating the graph in f64");
                let mut all = check::reference(&tapped, &weights, std::slice::from_ref(&image))?;
                let modules = all.split_off(graph.outputs.len());
                (all, modules, [Program::Graph; 2])
            }
            Device::Cpu => {
                let run = |graph: &Graph, trace: &mut Trace| -> Result<Vec<Vec<f64>>> {
                    let options =
                        pipeline::SessionOptions { compile: compile_options.clone(), weights: &weights, threads };
                    let (session, _) = pipeline::session(graph, &options, trace)?;
                    let outputs = check::run_session(&session, &[values::encode(DType::F32, &image)])?;
                    let ports = outputs.iter().zip(&session.program().outputs);
                    Ok(ports.map(|(bytes, port)| values::decode(port.ty.dtype, bytes)).collect())
                };
                let logits = run(&graph, trace)?;
                let modules = run(&tapped, trace)?.split_off(graph.outputs.len());
                (logits, modules, [Program::Shipped, Program::Tapped])
            }
        };
        trace.progress().clear();
        let mut lines = Vec::new();
        if self.archive.stored("logits").is_ok() {
            lines.push(self.logits_line(&logits[0], programs[0])?);
        }
        if self.archive.stored(HISTOGRAM).is_ok() {
            let ([maps, classes, ..], [ty, ..]) =
                (&logits[..], &graph.outputs.iter().map(|&o| graph.ty(o)).collect::<Vec<_>>()[..])
            else {
                return Err(self.archive.error(format!("{} gives no class per pixel", self.model)));
            };
            lines.push(self.histogram_line(classes, (maps, &ty.shape), programs[0])?);
        }
        for (module, values) in self.modules().iter().zip(&modules) {
            lines.extend(self.module_lines(module, values, programs[1])?);
        }
        if device == Device::Cpu && !lines.iter().all(Line::holds) {
            let job = check::Job { graph: &tapped, weights: &weights, compile_options, device, threads };
            // Nothing is made of the classes of pixels, whose histogram counts its own ties.
            if let Some(ties) = check::rerun_with_choices(&job, tie_breaks::is_route, &[image], trace)?
                && ties.is_near()
            {
                return Ok(self.settled_lines(&ties, graph.outputs.len()));
            }
        }
        Ok(lines)
    }

    /// Every tensor against the reference on the choices that the program made.
    fn settled_lines(&self, ties: &TieReport, outputs: usize) -> Vec<Line> {
        let errors = tie_breaks::errors(ties);
        let line = |tensor: String, error: f64| {
            let choice = Some(Choice::NearChoices(ties.others.len()));
            Line { tensor, program: Program::Tapped, error, choice }
        };
        let logits = self.archive.stored("logits").is_ok().then(|| line("logits".into(), errors[0]));
        let modules = self.modules().into_iter().zip(&errors[outputs..]);
        let modules = modules.map(|(module, &error)| line(format!("sample.{module}"), error));
        logits.into_iter().chain(modules).collect()
    }

    fn logits_line(&self, found: &[f64], program: Program) -> Result<Line> {
        let expected: Vec<f64> = self.archive.floats("logits")?.into_iter().map(f64::from).collect();
        self.same_length("logits", found.len(), expected.len())?;
        let per_image = expected.len() / self.input_shape[0].max(1);
        let choices = found.chunks(per_image).zip(expected.chunks(per_image)).map(|(f, e)| choice(f, e));
        let choice = choices.reduce(|worst, next| if severity(&next) > severity(&worst) { next } else { worst });
        Ok(Line { tensor: "logits".into(), program, error: values::relative_error(found, &expected), choice })
    }

    /// Pixels that change their class are no error as far as the logits hardly prefer one class to another there.
    fn histogram_line(&self, classes: &[f64], maps: (&[f64], &[usize]), program: Program) -> Result<Line> {
        let expected = self.archive.integers(HISTOGRAM)?;
        let mut found = vec![0i64; expected.len()];
        for &class in classes {
            match found.get_mut(class as usize) {
                Some(count) => *count += 1,
                None => return Err(self.archive.error(format!("{HISTOGRAM} has no class {class}"))),
            }
        }
        let moved = found.iter().zip(&expected).map(|(f, e)| f.abs_diff(*e)).sum::<u64>() / 2;
        let ties = near_ties(maps, [self.input_shape[2], self.input_shape[3]]);
        let error = moved.saturating_sub(ties) as f64 / classes.len() as f64;
        Ok(Line { tensor: HISTOGRAM.into(), program, error, choice: None })
    }

    fn module_lines(&self, module: &str, values: &[f64], program: Program) -> Result<Vec<Line>> {
        let floats =
            |name: &str| -> Result<Vec<f64>> { Ok(self.archive.floats(name)?.into_iter().map(f64::from).collect()) };
        let (sample, index, norm) = (format!("sample.{module}"), format!("index.{module}"), format!("norm.{module}"));
        let mut lines = Vec::new();
        let (expected, positions) = (floats(&sample)?, self.archive.integers(&index)?);
        self.same_length(&index, positions.len(), expected.len())?;
        let at = |&position: &i64| usize::try_from(position).ok().and_then(|p| values.get(p)).copied();
        let found: Option<Vec<f64>> = positions.iter().map(at).collect();
        let outside =
            || self.archive.error(format!("{index} points outside the module's {}", counted(values.len(), "value")));
        let error = values::relative_error(&found.ok_or_else(outside)?, &expected);
        lines.push(Line { tensor: sample, program, error, choice: None });
        if self.archive.stored(&norm).is_ok() {
            let expected = floats(&norm)?;
            self.same_length(&norm, 1, expected.len())?;
            let error = values::relative_error(&[values::norm(values)], &expected);
            lines.push(Line { tensor: norm, program, error, choice: None });
        }
        Ok(lines)
    }

    fn same_length(&self, tensor: &str, found: usize, expected: usize) -> Result<()> {
        match found == expected {
            true => Ok(()),
            false => {
                Err(self.archive.error(format!("{tensor} has {}, computed were {found}", counted(expected, "value"))))
            }
        }
    }
}

/// Every tensor of a golden file is one that is compared, and there is at least one.
fn compares_something(archive: &Archive) -> Result<()> {
    let mut compared = 0;
    for (name, stored) in archive.tensors() {
        let about = ABOUT.iter().find_map(|about| name.strip_prefix(about));
        match about {
            None if name != "logits" && name != HISTOGRAM => {
                let known = format!("logits, {HISTOGRAM}, sample.MODULE, index.MODULE, norm.MODULE");
                return Err(archive.error(format!("its tensor {name} is compared with nothing, expected {known}")));
            }
            Some(module) if !archive.tensors().contains_key(&format!("sample.{module}")) => {
                return Err(archive.error(format!("its tensor {name} has no sample.{module} beside it")));
            }
            _ if stored.elements() == 0 => return Err(archive.error(format!("its tensor {name} is empty"))),
            _ => compared += 1,
        }
    }
    match compared {
        0 => Err(archive.error("it has neither logits nor samples of modules, so there is nothing to compare")),
        _ => Ok(()),
    }
}

/// Pixels of the resized maps `[B, C, h, w]` whose best class is hardly better than the next.
fn near_ties((maps, shape): (&[f64], &[usize]), size: [usize; 2]) -> u64 {
    let [_, classes, height, width] = shape[..] else { return 0 };
    let scale = maps.iter().fold(0.0f64, |scale, v| scale.max(v.abs()));
    let source = |t, extent, size| ResizeMode::Bilinear.source(t, extent, size);
    let mut ties = 0;
    for image in maps.chunks(classes * height * width) {
        for (low, high, share) in (0..size[0]).map(|t| source(t, height, size[0])) {
            for (i, j, part) in (0..size[1]).map(|t| source(t, width, size[1])) {
                let mut best = [f64::NEG_INFINITY; 2];
                for map in image.chunks(height * width) {
                    let line = |row: usize| map[row * width + i] * (1.0 - part) + map[row * width + j] * part;
                    let value = line(low) * (1.0 - share) + line(high) * share;
                    if value > best[0] {
                        best = [value, best[0]];
                    } else if value > best[1] {
                        best[1] = value;
                    }
                }
                ties += u64::from(best[0] - best[1] < TOLERANCE * scale);
            }
        }
    }
    ties
}

/// Compares which class is largest.
pub(crate) fn choice(found: &[f64], expected: &[f64]) -> Choice {
    let (f, e) = (argmax(found), argmax(expected));
    let scale = expected.iter().fold(0.0f64, |scale, v| scale.max(v.abs()));
    match f == e {
        true => Choice::Same(e),
        false if expected[e] - expected[f] < TOLERANCE * scale => Choice::NearTie { found: f, expected: e },
        false => Choice::Different { found: f, expected: e },
    }
}

/// The first of the largest values.
fn argmax(values: &[f64]) -> usize {
    (0..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

fn severity(choice: &Choice) -> u8 {
    match choice {
        Choice::Same(_) => 0,
        Choice::NearTie { .. } | Choice::NearChoices(_) => 1,
        Choice::Different { .. } => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_between_two_equal_classes_are_near_ties() {
        let maps = [0.0, 4.0, 4.0, 0.0];
        assert_eq!(near_ties((&maps, &[1, 2, 1, 2]), [1, 3]), 1);
        assert_eq!(near_ties((&maps, &[1, 2, 1, 2]), [3, 4]), 0);
    }

    #[test]
    fn choices_that_the_reference_finds_equal_are_near_ties() {
        assert_eq!(choice(&[1.0, 2.0, 0.0], &[1.0, 2.0, 0.0]), Choice::Same(1));
        assert_eq!(choice(&[2.0, 2.0 - 1e-9], &[2.0 - 1e-9, 2.0]), Choice::NearTie { found: 0, expected: 1 });
        assert_eq!(choice(&[2.0, 1.0], &[1.0, 2.0]), Choice::Different { found: 0, expected: 1 });
        let line = |error, choice| Line { tensor: "logits".into(), program: Program::Shipped, error, choice };
        assert!(line(9e-6, Some(Choice::NearTie { found: 0, expected: 1 })).holds());
        assert!(!line(1e-5, None).holds());
        assert!(!line(f64::NAN, None).holds());
        assert!(!line(0.0, Some(Choice::Different { found: 0, expected: 1 })).holds());
    }
}
