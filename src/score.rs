//! Segmentation scores: predicted label maps against the truth.
//!
//! ```text
//!   per class c, over all counted pixels of all images:   I = both say c     P = predicted c     G = truly c
//!
//!   aAcc = ΣI / ΣG        mAcc = mean of I/G        mIoU = mean of I / (P + G − I)        classes of 0/0 are left out
//! ```
//!
//! Counted are pixels whose truth is not ignored. For the boundary they must also lie in the *band* of width r
//! around the true boundary:
//!
//! ```text
//!   truth  a a a a b b b b      edge: a pixel with a neighbour (above, below, left, right) of another label,
//!          . . . E E . . .            neither of them ignored
//!     r=1  . . B B B B . .      band: pixels at most r rows and r columns away from an edge pixel
//! ```
//!
//! Sums are over the whole set, not means of images, so order and grouping of images do not matter.

use crate::{
    errors::{Error, Result},
    images::LabelMap,
};
use rayon::prelude::*;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// How maps are compared.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Number of classes; labels from there on are errors. Without, as many as occur.
    pub classes: Option<usize>,
    /// The label of true pixels that do not count.
    pub ignore: u8,
    /// Whether true labels count from 1, with 0 for what is ignored.
    pub from_one: bool,
    /// Width of the band around boundaries, in pixels.
    pub boundary: Option<usize>,
}

/// Counts of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// Pixels that both maps give to the class.
    pub both: u64,
    /// Pixels that the prediction gives to it.
    pub predicted: u64,
    /// Pixels that truly belong to it.
    pub truth: u64,
}

impl Class {
    /// Intersection over union; nothing where neither map has the class.
    pub fn iou(&self) -> Option<f64> {
        ratio(self.both, self.predicted + self.truth - self.both)
    }
    /// The part of its pixels that was found; nothing where there are none.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.both, self.truth)
    }
}

/// Counts of all classes over a set of pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts(pub Vec<Class>);

impl Default for Counts {
    fn default() -> Counts {
        Counts(vec![Class::default(); 256])
    }
}

impl Counts {
    /// How many pixels were counted.
    pub fn pixels(&self) -> u64 {
        self.0.iter().map(|class| class.truth).sum()
    }
    /// The part of pixels whose class was found.
    pub fn all_accuracy(&self) -> Option<f64> {
        ratio(self.0.iter().map(|class| class.both).sum(), self.pixels())
    }
    /// The mean of the classes' accuracies.
    pub fn mean_accuracy(&self) -> Option<f64> {
        mean(self.0.iter().filter_map(Class::accuracy))
    }
    /// The mean of the classes' intersections over unions.
    pub fn mean_iou(&self) -> Option<f64> {
        mean(self.0.iter().filter_map(Class::iou))
    }
    fn add(&mut self, predicted: u8, truth: u8) {
        let (predicted, truth) = (usize::from(predicted), usize::from(truth));
        self.0[predicted].predicted += 1;
        self.0[truth].truth += 1;
        self.0[truth].both += u64::from(predicted == truth);
    }
    fn merged(mut self, other: &Counts) -> Counts {
        for (to, from) in self.0.iter_mut().zip(&other.0) {
            *to = Class {
                both: to.both + from.both,
                predicted: to.predicted + from.predicted,
                truth: to.truth + from.truth,
            };
        }
        self
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Pairs of maps.
    pub images: usize,
    /// Over all pixels that count.
    pub all: Counts,
    /// Over those in the band, where one was asked for.
    pub boundary: Option<Counts>,
}

/// Compares the maps of two directories by name.
///
/// # Errors
/// Where a directory cannot be read, holds no PNG files, a map has no counterpart, or two maps cannot be compared.
pub fn directories(predicted: &Path, truth: &Path, rules: &Rules) -> Result<Score> {
    let (found, expected) = (names(predicted)?, names(truth)?);
    let lacks = |dir: &Path, name: &PathBuf| {
        Err(Error::Failed(format!("{} has no map {}, which the other directory has", dir.display(), name.display())))
    };
    if let Some(name) = expected.iter().find(|name| found.binary_search(name).is_err()) {
        return lacks(predicted, name);
    }
    if let Some(name) = found.iter().find(|name| expected.binary_search(name).is_err()) {
        return lacks(truth, name);
    }
    let one = |name: &PathBuf| -> Result<Score> {
        let (path, truth) = (predicted.join(name), truth.join(name));
        pair(&LabelMap::open(&path)?, &LabelMap::open(&truth)?, rules)
            .map_err(|what| Error::Image { path: if what.in_truth { truth } else { path }, what: what.sentence })
    };
    let scores = expected.par_iter().map(one).collect::<Result<Vec<_>>>()?;
    let none = Score { boundary: rules.boundary.map(|_| Counts::default()), ..Score::default() };
    let score = scores.into_iter().fold(none, |sum, next| Score {
        images: sum.images + 1,
        all: sum.all.merged(&next.all),
        boundary: sum.boundary.map(|band| band.merged(&next.boundary.unwrap_or_default())),
    });
    match score.all.pixels() {
        0 => Err(Error::Failed(format!("no pixel counts: all of {} are ignored", truth.display()))),
        _ => Ok(score),
    }
}

/// Names of the PNG files in a directory, in order.
fn names(dir: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |source| Error::Read { path: dir.to_owned(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let name = PathBuf::from(entry.map_err(unreadable)?.file_name());
        if name.extension().is_some_and(|e| e.eq_ignore_ascii_case("png")) {
            names.push(name);
        }
    }
    names.sort();
    match names.is_empty() {
        true => Err(Error::Failed(format!("{} holds no PNG files, expected label maps", dir.display()))),
        false => Ok(names),
    }
}

/// Why two maps cannot be compared.
#[derive(Debug)]
pub struct Mismatch {
    /// Whether it is the true map's fault.
    pub in_truth: bool,
    /// What was found and expected.
    pub sentence: String,
}

/// Compares one pair of maps.
///
/// # Errors
/// Where their sizes differ, or a label that counts is out of range.
pub fn pair(predicted: &LabelMap, truth: &LabelMap, rules: &Rules) -> std::result::Result<Score, Mismatch> {
    let (width, height) = (truth.width, truth.height);
    if (predicted.width, predicted.height) != (width, height) {
        let (w, h) = (predicted.width, predicted.height);
        let sentence = format!("the map is {w}x{h} pixels, expected {width}x{height} as the truth has");
        return Err(Mismatch { in_truth: false, sentence });
    }
    let labels: Vec<Option<u8>> = truth.classes.iter().map(|&label| rules.label(label)).collect();
    let band = rules.boundary.map(|r| dilated(&edges(&labels, width), width, r));
    let mut score = Score { images: 1, all: Counts::default(), boundary: band.as_ref().map(|_| Counts::default()) };
    for (at, (&predicted, label)) in predicted.classes.iter().zip(&labels).enumerate() {
        let Some(label) = *label else { continue };
        for (label, in_truth) in [(label, true), (predicted, false)] {
            if let Some(classes) = rules.classes.filter(|&classes| usize::from(label) >= classes) {
                let (x, y) = (at % width, at / width);
                let sentence = format!("label {label} at column {x}, row {y}, expected at most {}", classes - 1);
                return Err(Mismatch { in_truth, sentence });
            }
        }
        score.all.add(predicted, label);
        if let (Some(counts), Some(band)) = (&mut score.boundary, &band)
            && band[at]
        {
            counts.add(predicted, label);
        }
    }
    Ok(score)
}

impl Rules {
    /// The class of a true label; nothing for pixels that do not count.
    fn label(&self, label: u8) -> Option<u8> {
        match (label == self.ignore, self.from_one) {
            (true, _) => None,
            (false, true) => label.checked_sub(1),
            (false, false) => Some(label),
        }
    }
}

/// Pixels with a neighbour of another label, both counted.
fn edges(labels: &[Option<u8>], width: usize) -> Vec<bool> {
    let differ = |a: usize, b: usize| labels[a].is_some() && labels[b].is_some() && labels[a] != labels[b];
    let mut edges = vec![false; labels.len()];
    for at in 0..labels.len() {
        let right = (at % width + 1 < width).then_some(at + 1);
        let below = (at + width < labels.len()).then_some(at + width);
        for other in [right, below].into_iter().flatten().filter(|&other| differ(at, other)) {
            (edges[at], edges[other]) = (true, true);
        }
    }
    edges
}

/// Pixels at most `r` rows and `r` columns away from a marked one: along rows, then along columns.
fn dilated(mask: &[bool], width: usize, r: usize) -> Vec<bool> {
    let height = mask.len() / width;
    let across = spread(mask, width, height, (width, 1), r);
    spread(&across, height, width, (1, width), r)
}

/// Marks what lies within `r` of a mark along lines of `length` pixels; `steps` lead from line to line and along one.
fn spread(mask: &[bool], length: usize, lines: usize, steps: (usize, usize), r: usize) -> Vec<bool> {
    let mut out = vec![false; mask.len()];
    let mut before = vec![0usize; length + 1];
    for line in 0..lines {
        let place = |i: usize| line * steps.0 + i * steps.1;
        (0..length).for_each(|i| before[i + 1] = before[i] + usize::from(mask[place(i)]));
        for i in 0..length {
            let (from, to) = (i.saturating_sub(r), i.saturating_add(r).saturating_add(1).min(length));
            out[place(i)] = before[to] > before[from];
        }
    }
    out
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests;
