//! Where a model's weights come from.
//!
//! ```text
//!   synth:0            a formula of name, shape, position and seed
//!   model.safetensors  a checkpoint, in the authors' names or another library's
//!   model.pth, .npz    the same as PyTorch and NumPy write it
//! ```
//!
//! A weight of `i32` or `bool` is a constant: an index table, a mask. Integers must fit 32 bits. A float weight may hold
//! infinities, as masks do, where no matmul, convolution or norm takes it; NaN is refused.
//!
//! A source is first checked against the graph as a whole, so that one run names every missing or unexpected tensor, every
//! mismatch of shapes or types and every broken value; then tensors are asked for one at a time.

mod bind;
mod checkpoint;
mod finite;
mod positive;
mod synthetic;

pub(crate) use bind::{bind, leaf};
pub use checkpoint::Checkpoint;
use regard_ir::count::counted;
pub use synthetic::Synthetic;

use crate::{
    archive::Part,
    errors::{Error, Result},
};
use regard_ir::{graph::Graph, types::TensorType};
use regard_models::{
    Config, Shapes,
    names::{Mapping, Style},
};
use std::{ffi::OsStr, fmt, ops::Range, path::Path};

/// A source of weights.
pub trait Weights: Send + Sync {
    /// For users: a file or a formula.
    fn describe(&self) -> String;
    /// For users: whose names its tensors have, and what else was found out about it; after a [check](Self::check).
    fn details(&self) -> Option<String> {
        None
    }
    /// The shapes of its tensors by its own names, where it has shapes of its own.
    fn shapes(&self) -> Shapes {
        Shapes::new()
    }
    /// Who named its tensors, as far as is known after [`check`](Weights::check).
    fn style(&self) -> Style {
        Style::Authors
    }
    /// Told of the graph that its tensors are for, before any is asked for: a formula gives each what the graph can use.
    fn prepare(&mut self, graph: &Graph) {
        let _ = graph;
    }
    /// Compares the source with all weights of a graph; the error lists everything that is wrong.
    fn check(&self, graph: &Graph) -> Result<()>;
    /// The values of one weight of floats at row-major positions `range`.
    fn floats(&self, name: &str, ty: &TensorType, range: Range<usize>) -> Result<Vec<f32>>;
    /// The values of one weight of any type at row-major positions `range`, as its type holds them.
    fn values(&self, name: &str, ty: &TensorType, range: Range<usize>) -> Result<Vec<f64>>;
}

/// The weights that `--weights` names; `synth:0` where it names none.
///
/// # Errors
/// Where the seed is not a number, or the file is not a checkpoint.
pub fn open(source: Option<&OsStr>, part: Part, allow_extra: bool) -> Result<Box<dyn Weights>> {
    let source = source.unwrap_or(OsStr::new("synth:0"));
    match source.to_str().and_then(|source| source.strip_prefix("synth:")) {
        Some(seed) => {
            let seed = seed.parse().map_err(|_| {
                Error::Usage(format!("the seed `{seed}` in `synth:{seed}` is not a number, expected an integer from 0, for example synth:0"))
            })?;
            Ok(Box::new(Synthetic::new(seed)))
        }
        None => Ok(Box::new(Checkpoint::open(Path::new(source), part, allow_extra)?)),
    }
}

/// The configuration of a model with what a source's tensors say of its structure. What `config` says goes first.
pub fn fitted(weights: &dyn Weights, model: &str, config: &Config) -> Config {
    let stored = weights.shapes();
    if stored.is_empty() {
        return config.clone();
    }
    let Ok(graph) = regard_models::build(model, &Config::default()) else { return config.clone() };
    let wanted = graph.weights().iter().map(|&id| (graph.text_name(id), graph.ty(id).shape.clone())).collect();
    let mapping = Mapping::find(&wanted, &stored);
    regard_models::fitted(model, config, &mapping.stripped(&stored), mapping.style)
}

/// Faults that are listed.
const LISTED: usize = 10;

/// Everything that is wrong with a source of weights.
#[derive(Debug)]
pub struct Faults {
    /// The source.
    pub source: String,
    /// At least one.
    pub faults: Vec<Fault>,
    /// What may help.
    pub hints: Vec<String>,
}

impl Faults {
    /// What may help against faults of the weights of a graph; `details` says how its names were understood.
    pub(crate) fn hints(graph: &Graph, faults: &[Fault], details: Option<String>) -> Vec<String> {
        let mut hints: Vec<String> = details.into_iter().map(|details| format!("understood as: {details}")).collect();
        let classes: Vec<usize> = graph.outputs.iter().filter_map(|&o| graph.ty(o).shape.get(1).copied()).collect();
        let heads: Vec<[usize; 2]> = faults
            .iter()
            .filter_map(|fault| match fault {
                Fault::Shape { rows: Some(rows), .. } if classes.contains(&rows[1]) => Some(*rows),
                _ => None,
            })
            .collect();
        if let [[found, expected], ..] = heads[..]
            && heads.iter().all(|rows| *rows == [found, expected])
            && regard_models::find(&graph.name).is_some()
        {
            hints.push(format!(
                "its head has {}, the model was built for {expected}: --classes {found}",
                counted(found, "class")
            ));
        }
        if faults.iter().any(|fault| matches!(fault, Fault::Surplus { .. })) {
            hints.push("--allow-extra ignores unexpected tensors".into());
        }
        hints
    }
}

/// One weight that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The model has it, the source does not.
    Missing {
        /// Its name in the model, and in the source's naming where that differs.
        name: String,
        /// Its type.
        expected: String,
    },
    /// The source has it, the model does not.
    Surplus {
        /// Its name.
        name: String,
        /// Its type.
        found: String,
    },
    /// The shapes differ.
    Shape {
        /// Its name.
        name: String,
        /// The shape in the model.
        expected: String,
        /// The shape in the source.
        found: String,
        /// Rows in the source and in the model, where the shapes differ in those alone.
        rows: Option<[usize; 2]>,
    },
    /// The element types differ.
    Type {
        /// Its name.
        name: String,
        /// The type in the source.
        found: String,
        /// Element types that would do.
        expected: &'static str,
    },
    /// A value that the weight's type does not hold.
    Range {
        /// Its name.
        name: String,
        /// The first such value.
        value: String,
        /// Its row-major position.
        position: usize,
        /// What would have been right.
        expected: String,
        /// How many there are.
        count: usize,
    },
    /// NaN among the values, or an infinity where it is multiplied.
    NotFinite {
        /// Its name.
        name: String,
        /// The first such value.
        value: String,
        /// Its row-major position.
        position: usize,
        /// How many there are.
        count: usize,
    },
}

impl std::error::Error for Faults {}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.faults.len();
        write!(f, "{} does not fit the model: {}", self.source, counted(n, "fault"))?;
        self.faults.iter().take(LISTED).try_for_each(|fault| write!(f, "\n  {fault}"))?;
        if n > LISTED {
            write!(f, "\n  and {} more", n - LISTED)?;
        }
        self.hints.iter().try_for_each(|hint| write!(f, "\n  ({hint})"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Missing { name, expected } => write!(f, "missing    {name}: expected {expected}"),
            Fault::Surplus { name, found } => write!(f, "unexpected {name}: found {found}, expected no such tensor"),
            Fault::Shape { name, expected, found, .. } => {
                write!(f, "shape mismatch {name}: found {found}, expected {expected}")
            }
            Fault::Type { name, found, expected } => {
                write!(f, "dtype mismatch {name}: found {found}, expected {expected}")
            }
            Fault::Range { name, value, position, expected, count } => {
                write!(
                    f,
                    "too large  {name}: found {value} at position {position}, expected {expected} ({})",
                    counted(*count, "such value")
                )
            }
            Fault::NotFinite { name, value, position, count } => {
                write!(f, "not finite {name}: found {value} at position {position} ({})", counted(*count, "such value"))
            }
        }
    }
}
