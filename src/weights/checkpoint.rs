//! Weights from a file: safetensors, or what PyTorch writes.
//!
//! A checkpoint may use the graph's own names, timm's or torchvision's. Which one is decided once for the
//! whole file, because one library's name can be another tensor's name in the next.

use super::{Fault, Faults, Weights, finite};
use crate::{
    archive::{
        Archive, Stored,
        elements::{OutOfRange, mismatch},
    },
    errors::Result,
};
use rayon::prelude::*;
use regard_ir::{
    graph::Graph,
    types::{DType, ShapeText, TensorType},
};
use regard_models::{
    Shapes,
    names::{Style, is_derived},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::Path,
    sync::OnceLock,
};

/// A checkpoint on disk.
#[derive(Debug)]
pub struct Checkpoint {
    archive: Archive,
    allow_extra: bool,
    style: OnceLock<Style>,
}

impl Checkpoint {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// Where it is no checkpoint, or a damaged one.
    pub fn open(path: &Path, allow_extra: bool) -> Result<Checkpoint> {
        Ok(Checkpoint { archive: Archive::open(path)?, allow_extra, style: OnceLock::new() })
    }

    /// The file's names are the graph's where they all exist; otherwise their look decides.
    fn style(&self, graph: &Graph) -> Style {
        let stored = self.archive.tensors();
        let own = graph.weights().iter().all(|&id| stored.contains_key(&graph.text_name(id)));
        if own { Style::Authors } else { self.detect() }
    }
    fn detect(&self) -> Style {
        Style::detect(&self.archive.tensors().keys().map(String::as_str).collect::<BTreeSet<_>>())
    }

    /// What the file calls a weight, which has its shape there.
    fn stored_name(&self, name: &str, ty: &TensorType) -> Result<String> {
        let theirs = self.style.get_or_init(|| self.detect()).translate(name);
        let stored = self.archive.stored(&theirs)?;
        if !alike(&stored.shape, &ty.shape) {
            let (found, expected) = (ShapeText(&stored.shape), ShapeText(&ty.shape));
            return Err(self.archive.error(format!("tensor {theirs} is {found}, expected {expected}")));
        }
        Ok(theirs)
    }

    fn shape_fault(&self, (name, (theirs, ty)): (&String, &(String, TensorType))) -> Option<Fault> {
        let Some(stored) = self.archive.tensors().get(theirs) else {
            let name = if name == theirs { name.clone() } else { format!("{name} (called {theirs} there)") };
            return Some(Fault::Missing { name, expected: ty.to_string() });
        };
        if let Some(expected) = mismatch(stored.dtype, ty.dtype) {
            return Some(Fault::Type { name: theirs.clone(), found: type_text(stored), expected });
        }
        (!alike(&stored.shape, &ty.shape)).then(|| Fault::Shape {
            name: theirs.clone(),
            expected: ShapeText(&ty.shape).to_string(),
            found: ShapeText(&stored.shape).to_string(),
        })
    }

    /// What is wrong with the values of a tensor whose type is right; `finite` where infinities are, too.
    fn value_fault(&self, name: &str, dtype: DType, finite: bool) -> Result<Option<Fault>> {
        let (mut first, mut count) = (None, 0);
        let all = 0..self.archive.stored(name)?.elements();
        self.archive.each_value(name, dtype, all, |position, value| {
            let wrong = match &value {
                Ok(value) => value.is_nan() || finite && value.is_infinite(),
                Err(_) => true,
            };
            if wrong {
                first.get_or_insert((position, value));
                count += 1;
            }
        })?;
        let name = name.to_owned();
        Ok(first.map(|(position, value)| match value {
            Ok(value) => Fault::NotFinite { name, value: value.to_string(), position, count },
            Err(OutOfRange { value, expected, .. }) => Fault::Range { name, value, position, expected, count },
        }))
    }
}

impl Weights for Checkpoint {
    fn describe(&self) -> String {
        self.archive.path().display().to_string()
    }

    fn shapes(&self) -> Shapes {
        self.archive.tensors().iter().map(|(name, stored)| (name.clone(), stored.shape.clone())).collect()
    }

    fn check(&self, graph: &Graph) -> Result<()> {
        let style = *self.style.get_or_init(|| self.style(graph));
        let wanted: BTreeMap<String, (String, TensorType)> = graph
            .weights()
            .iter()
            .map(|&id| {
                let name = graph.text_name(id);
                let theirs = style.translate(&name);
                (name, (theirs, graph.ty(id).clone()))
            })
            .collect();
        let mut faults: Vec<Fault> = wanted.iter().filter_map(|weight| self.shape_fault(weight)).collect();
        let known: BTreeSet<&str> = wanted.values().map(|(theirs, _)| theirs.as_str()).collect();
        let surplus = self
            .archive
            .tensors()
            .iter()
            .filter(|(name, _)| !self.allow_extra && !known.contains(name.as_str()) && !is_derived(name));
        faults.extend(surplus.map(|(name, stored)| Fault::Surplus { name: name.clone(), found: type_text(stored) }));
        let multiplied = finite::multiplied(graph);
        let readable: Vec<(&String, &(String, TensorType))> = wanted
            .iter()
            .filter(|(_, (theirs, ty))| {
                let stored = self.archive.tensors().get(theirs);
                stored.is_some_and(|stored| mismatch(stored.dtype, ty.dtype).is_none())
            })
            .collect();
        let fault = |(name, (theirs, ty)): &(&String, &(String, TensorType))| {
            self.value_fault(theirs, ty.dtype, multiplied.contains(*name))
        };
        let values = readable.par_iter().map(fault).collect::<Result<Vec<_>>>()?;
        faults.extend(values.into_iter().flatten());
        if faults.is_empty() { Ok(()) } else { Err(Faults { source: self.describe(), faults }.into()) }
    }

    fn floats(&self, name: &str, ty: &TensorType, range: Range<usize>) -> Result<Vec<f32>> {
        self.archive.floats_in(&self.stored_name(name, ty)?, range)
    }
    fn values(&self, name: &str, ty: &TensorType, range: Range<usize>) -> Result<Vec<f64>> {
        self.archive.values(&self.stored_name(name, ty)?, ty.dtype, range)
    }
}

/// Whether shapes are the same up to unit axes at the end, as a product and a 1×1 convolution differ: the elements are
/// the same in the same order.
fn alike(a: &[usize], b: &[usize]) -> bool {
    let rank = a.len().max(b.len());
    let padded =
        |shape: &[usize]| -> Vec<usize> { shape.iter().copied().chain(std::iter::repeat(1)).take(rank).collect() };
    padded(a) == padded(b)
}

fn type_text(stored: &Stored) -> String {
    format!("{}{}", stored.dtype, ShapeText(&stored.shape))
}
