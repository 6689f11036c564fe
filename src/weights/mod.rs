//! Where a model's weights come from.
//!
//! ```text
//!   synth:0            a formula of name, shape, position and seed
//!   model.safetensors  a checkpoint, in the authors', timm's or torchvision's names
//!   model.pth          the same as PyTorch writes it
//! ```
//!
//! A weight of `i32` or `bool` is a constant: an index table, a mask. Integers must fit 32 bits. A float weight may hold
//! infinities, as masks do, where no matmul, convolution or norm takes it; NaN is refused.
//!
//! A source is first checked against the graph as a whole, so that one run names every missing, surplus,
//! misshapen or broken tensor; then tensors are asked for one at a time.

mod bind;
mod checkpoint;
mod finite;
mod synthetic;

pub use bind::{bind, leaf};
pub use checkpoint::Checkpoint;
pub use synthetic::Synthetic;

use crate::errors::{Error, Result};
use regard_ir::{graph::Graph, types::TensorType};
use regard_models::Shapes;
use std::{ffi::OsStr, fmt, ops::Range, path::Path};

/// A source of weights.
pub trait Weights: Send + Sync {
    /// For people: a file or a formula.
    fn describe(&self) -> String;
    /// The shapes of its tensors in the model's names, where it has shapes of its own.
    fn shapes(&self) -> Shapes {
        Shapes::new()
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
/// Where the seed is no number, or the file is no checkpoint.
pub fn open(source: Option<&OsStr>, allow_extra: bool) -> Result<Box<dyn Weights>> {
    let source = source.unwrap_or(OsStr::new("synth:0"));
    match source.to_str().and_then(|source| source.strip_prefix("synth:")) {
        Some(seed) => {
            let seed = seed.parse().map_err(|_| {
                Error::Usage(format!("the seed `{seed}` in `synth:{seed}` is no number, expected for example synth:0"))
            })?;
            Ok(Box::new(Synthetic { seed }))
        }
        None => Ok(Box::new(Checkpoint::open(Path::new(source), allow_extra)?)),
    }
}

/// Everything that is wrong with a source of weights.
#[derive(Debug)]
pub struct Faults {
    /// The source.
    pub source: String,
    /// At least one.
    pub faults: Vec<Fault>,
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
        write!(f, "{} does not fit the model: {n} {}", self.source, if n == 1 { "fault" } else { "faults" })?;
        self.faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))?;
        if self.faults.iter().any(|fault| matches!(fault, Fault::Surplus { .. })) {
            f.write_str("\n  (--allow-extra ignores surplus tensors)")?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Missing { name, expected } => write!(f, "missing    {name}: expected {expected}"),
            Fault::Surplus { name, found } => write!(f, "surplus    {name}: found {found}, expected no such tensor"),
            Fault::Shape { name, expected, found } => {
                write!(f, "misshapen  {name}: found {found}, expected {expected}")
            }
            Fault::Type { name, found, expected } => {
                write!(f, "mistyped   {name}: found {found}, expected {expected}")
            }
            Fault::Range { name, value, position, expected, count } => {
                write!(
                    f,
                    "too large  {name}: found {value} at position {position}, expected {expected} ({count} such values)"
                )
            }
            Fault::NotFinite { name, value, position, count } => {
                write!(f, "not finite {name}: found {value} at position {position} ({count} such values)")
            }
        }
    }
}
