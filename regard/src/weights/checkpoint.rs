//! Weights from a file: safetensors, or what PyTorch or NumPy writes.
//!
//! A checkpoint may use the graph's own names or another library's, all of them after a prefix. Both are decided once
//! for the whole file ([`Mapping`]), because one library's name can be another tensor's name in the next.

use super::{Fault, Faults, Weights, finite};
use crate::{
    archive::{
        Archive, Part, Stored,
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
    names::{Mapping, Order, Style, is_derived},
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
    mapping: OnceLock<Mapping>,
}

/// Where a weight of the graph lies: names in the file and tensors, one after the other along the first axis.
type Parts = Vec<(String, Stored)>;

impl Checkpoint {
    /// Opens a file, or a part of it, and reads its header.
    ///
    /// # Errors
    /// Where it is not a checkpoint, or a damaged one, or has no such part.
    pub fn open(path: &Path, part: Part, allow_extra: bool) -> Result<Checkpoint> {
        Ok(Checkpoint { archive: Archive::open_part(path, part)?, allow_extra, mapping: OnceLock::new() })
    }

    /// The names in the file of what the graph calls `name`.
    fn theirs(&self, name: &str) -> (Vec<String>, Order) {
        let identity = Mapping::default();
        let origin = self.mapping.get().unwrap_or(&identity).origin(name, self.archive.tensors());
        (origin.parts, origin.order)
    }
    /// The parts of a weight, their columns in the graph's order.
    fn parts(&self, name: &str) -> Result<Parts> {
        let (parts, order) = self.theirs(name);
        let part = |part: String| {
            let stored = self.archive.stored(&part)?;
            let columns = stored.shape.last().copied().unwrap_or(1);
            let stored = match order {
                Order::Unfolded if columns.is_multiple_of(4) => folded(stored, columns / 4),
                _ => stored.clone(),
            };
            Ok((part, stored))
        };
        parts.into_iter().map(part).collect()
    }

    /// Calls `each` for the parts of a weight in which `range` lies, with the range inside of each.
    fn each_part(
        &self,
        name: &str,
        ty: &TensorType,
        range: Range<usize>,
        mut each: impl FnMut(&str, &Stored, Range<usize>) -> Result<()>,
    ) -> Result<()> {
        let parts = self.parts(name)?;
        let elements: usize = parts.iter().map(|(_, stored)| stored.elements()).sum();
        if elements != ty.elements() {
            let name = parts.iter().map(|(name, _)| &name[..]).collect::<Vec<_>>().join(" + ");
            return Err(self.archive.error(format!("tensor {name} has {elements} elements, expected {ty}")));
        }
        let mut first = 0;
        for (name, stored) in &parts {
            let end = first + stored.elements();
            let part = range.start.max(first)..range.end.min(end);
            if part.start < part.end {
                each(name, stored, part.start - first..part.end - first)?;
            }
            first = end;
        }
        Ok(())
    }

    /// What is wrong with a weight but for its values.
    fn fault(&self, name: &str, ty: &TensorType) -> Option<Fault> {
        let (parts, _) = self.theirs(name);
        let list = parts.join(" + ");
        let expected = || match parts.len() {
            1 => ShapeText(&ty.shape).to_string(),
            n => format!("{} in {n} parts", ShapeText(&ty.shape)),
        };
        let mut shapes = Vec::new();
        for part in &parts {
            let Some(stored) = self.archive.tensors().get(part) else {
                if let Some(found) = self.archive.left_out().get(part) {
                    return Some(Fault::Type {
                        name: part.clone(),
                        found: found.clone(),
                        expected: "F32, F16, BF16 or F64",
                    });
                }
                let name = if name == part { name.to_owned() } else { format!("{name} (called {part} there)") };
                return Some(Fault::Missing { name, expected: ty.to_string() });
            };
            if let Some(expected) = mismatch(stored.dtype, ty.dtype) {
                return Some(Fault::Type { name: part.clone(), found: type_text(stored), expected });
            }
            shapes.push(&stored.shape[..]);
        }
        (!fits(&shapes, &ty.shape)).then(|| Fault::Shape {
            name: list,
            expected: expected(),
            found: shapes.iter().map(|shape| ShapeText(shape).to_string()).collect::<Vec<_>>().join(" + "),
            rows: rows(&shapes, &ty.shape),
        })
    }

    /// What is wrong with the values of a tensor whose type is right; `finite` where infinities are, too.
    fn value_fault(&self, name: &str, dtype: DType, finite: bool) -> Result<Option<Fault>> {
        let (mut first, mut count) = (None, 0);
        let stored = self.archive.stored(name)?;
        self.archive.each_value(name, stored, dtype, 0..stored.elements(), |position, value| {
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

    /// Tensors that the graph does not have. What stands outside a prefix is another part of the file.
    fn extra<'a>(&'a self, known: &'a BTreeSet<String>) -> impl Iterator<Item = Fault> + 'a {
        let prefix = self.mapping.get().map_or("", |mapping| &mapping.prefix[..]);
        self.archive
            .tensors()
            .iter()
            .filter(move |(name, _)| name.starts_with(prefix) && !known.contains(*name) && !is_derived(name))
            .map(|(name, stored)| Fault::Surplus { name: name.clone(), found: type_text(stored) })
    }
}

impl Weights for Checkpoint {
    fn describe(&self) -> String {
        self.archive.path().display().to_string()
    }

    fn details(&self) -> Option<String> {
        let mut said = Vec::new();
        let keys = self.archive.keys();
        if !keys.entered.is_empty() {
            said.push(format!("from its `{}`", keys.entered));
        }
        if !keys.others.is_empty() {
            let others: Vec<String> = keys.others.iter().take(3).map(|key| format!("`{key}`")).collect();
            said.push(format!("--key would take {}", others.join(" or ")));
        }
        let Some(mapping) = self.mapping.get() else { return (!said.is_empty()).then(|| said.join(", ")) };
        if let Some(library) = mapping.style.library() {
            said.push(format!("names of {library}"));
        }
        if !mapping.prefix.is_empty() {
            let names = self.archive.tensors().keys();
            let (all, behind) = (names.len(), names.filter(|name| name.starts_with(&mapping.prefix)).count());
            let prefix = &mapping.prefix;
            said.push(match behind == all {
                true => format!("all {all} begin with `{prefix}`"),
                false => format!("{behind} of {all} begin with `{prefix}`"),
            });
            if let Some(other) = &mapping.other {
                said.push(format!("--prefix {other} would take another copy"));
            }
        }
        (!said.is_empty()).then(|| said.join(", "))
    }

    fn shapes(&self) -> Shapes {
        self.archive.tensors().iter().map(|(name, stored)| (name.clone(), stored.shape.clone())).collect()
    }

    fn style(&self) -> Style {
        self.mapping.get().map_or(Style::Authors, |mapping| mapping.style)
    }

    fn check(&self, graph: &Graph) -> Result<()> {
        let wanted: Shapes =
            graph.weights().iter().map(|&id| (graph.text_name(id), graph.ty(id).shape.clone())).collect();
        self.mapping.get_or_init(|| Mapping::find(&wanted, &self.shapes()));
        let types: BTreeMap<String, &TensorType> =
            graph.weights().iter().map(|&id| (graph.text_name(id), graph.ty(id))).collect();
        let mut faults: Vec<Fault> = types.iter().filter_map(|(name, ty)| self.fault(name, ty)).collect();
        let known: BTreeSet<String> = types.keys().flat_map(|name| self.theirs(name).0).collect();
        if !self.allow_extra {
            faults.extend(self.extra(&known));
        }
        let multiplied = finite::multiplied(graph);
        let readable: Vec<(String, DType, bool)> = types
            .iter()
            .flat_map(|(name, ty)| {
                let finite = multiplied.contains(name);
                self.theirs(name).0.into_iter().map(move |part| (part, ty.dtype, finite))
            })
            .filter(|(part, dtype, _)| {
                self.archive.tensors().get(part).is_some_and(|stored| mismatch(stored.dtype, *dtype).is_none())
            })
            .collect();
        let fault = |(part, dtype, finite): &(String, DType, bool)| self.value_fault(part, *dtype, *finite);
        let values = readable.par_iter().map(fault).collect::<Result<Vec<_>>>()?;
        faults.extend(values.into_iter().flatten());
        match faults.is_empty() {
            true => Ok(()),
            false => {
                let hints = Faults::hints(graph, &faults, self.details());
                Err(Faults { source: self.describe(), faults, hints }.into())
            }
        }
    }

    fn floats(&self, name: &str, ty: &TensorType, range: Range<usize>) -> Result<Vec<f32>> {
        let mut floats = Vec::new();
        self.each_part(name, ty, range, |part, stored, range| {
            self.archive.append_floats(part, stored, range, &mut floats)
        })?;
        Ok(floats)
    }
    fn values(&self, name: &str, ty: &TensorType, range: Range<usize>) -> Result<Vec<f64>> {
        let mut values = Vec::new();
        self.each_part(name, ty, range, |part, stored, range| {
            self.archive.append_values(part, stored, ty.dtype, range, &mut values)
        })?;
        Ok(values)
    }
}

/// The columns of `channels` merged 2×2 patches in the graph's order: from channel, row, column to column, row, channel.
fn folded(stored: &Stored, channels: usize) -> Stored {
    let last = stored.shape.len() - 1;
    let mut order: Vec<usize> = (0..last).collect();
    order.extend([last + 2, last + 1, last]);
    stored.reordered(last, &[channels, 2, 2], &order)
}

/// Whether parts one after the other along the first axis are a tensor of that shape, up to unit axes at the end, as a product
/// and a 1×1 convolution differ: the elements are the same in the same order.
fn fits(parts: &[&[usize]], shape: &[usize]) -> bool {
    let rank = parts.iter().map(|part| part.len()).max().unwrap_or(0).max(shape.len());
    let padded =
        |shape: &[usize]| -> Vec<usize> { shape.iter().copied().chain(std::iter::repeat(1)).take(rank).collect() };
    match parts {
        [one] => padded(one) == padded(shape),
        _ => {
            let whole = padded(shape);
            let parts: Vec<Vec<usize>> = parts.iter().map(|part| padded(part)).collect();
            parts.iter().all(|part| part[1..] == whole[1..])
                && parts.iter().map(|part| part[0]).sum::<usize>() == whole[0]
        }
    }
}

/// Found and expected rows, where one tensor differs in those alone.
fn rows(parts: &[&[usize]], shape: &[usize]) -> Option<[usize; 2]> {
    match parts {
        [part] if part.len() == shape.len() && !shape.is_empty() && part[1..] == shape[1..] => {
            Some([part[0], shape[0]])
        }
        _ => None,
    }
}

fn type_text(stored: &Stored) -> String {
    format!("{}{}", stored.dtype, ShapeText(&stored.shape))
}
