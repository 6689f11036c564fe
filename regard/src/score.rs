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

mod band;

use crate::{
    errors::{Error, Result},
    images::{LabelMap, LabelReader},
};
use band::Band;
use rayon::prelude::*;
use std::{
    collections::VecDeque,
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
        compare(&mut LabelReader::open(&path)?, &mut LabelReader::open(&truth)?, rules)
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
    compare(&mut predicted.clone().into(), &mut truth.clone().into(), rules)
}

/// Compares one pair of maps, row by row: as many rows are held as the band of the boundary is wide.
///
/// # Errors
/// As [`pair`], and where a map is damaged.
pub fn compare(
    predicted: &mut LabelReader,
    truth: &mut LabelReader,
    rules: &Rules,
) -> std::result::Result<Score, Mismatch> {
    let (width, height) = (truth.width, truth.height);
    if (predicted.width, predicted.height) != (width, height) {
        let (w, h) = (predicted.width, predicted.height);
        let sentence = format!("the map is {w}x{h} pixels, expected {width}x{height} as the truth has");
        return Err(Mismatch { in_truth: false, sentence });
    }
    let labels: Vec<Option<u8>> = (0..=255).map(|label| rules.label(label)).collect();
    let mut band = rules.boundary.map(|r| Band::new((height, width), r));
    let mut score = Score { images: 1, all: Counts::default(), boundary: band.as_ref().map(|_| Counts::default()) };
    let (mut found, mut line) = (Vec::new(), Vec::new());
    // Rows that were read and whose place in the band is not known yet.
    let mut waiting: VecDeque<Vec<(u8, Option<u8>)>> = VecDeque::new();
    for row in 0..height {
        predicted.next(&mut found).map_err(|sentence| Mismatch { in_truth: false, sentence })?;
        truth.next(&mut line).map_err(|sentence| Mismatch { in_truth: true, sentence })?;
        let pairs = || found.iter().zip(&line).map(|(&predicted, &label)| (predicted, labels[usize::from(label)]));
        for (column, (predicted, label)) in pairs().enumerate() {
            let Some(label) = label else { continue };
            for (label, in_truth) in [(label, true), (predicted, false)] {
                if let Some(classes) = rules.classes.filter(|&classes| usize::from(label) >= classes) {
                    let expected = classes - 1;
                    let sentence = format!("label {label} at column {column}, row {row}, expected at most {expected}");
                    return Err(Mismatch { in_truth, sentence });
                }
            }
            score.all.add(predicted, label);
        }
        if let (Some(band), Some(counts)) = (&mut band, &mut score.boundary) {
            band.push(pairs().map(|(_, label)| label).collect());
            waiting.push_back(pairs().collect());
            band.count(row + 1 == height, &mut waiting, counts);
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

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests;
