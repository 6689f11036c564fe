//! Segmentation: an image goes through a session, each of its pixels gets a class, classes become colours.
//!
//! ```text
//!   image h×w ─ bilinear ─▶ H×W ─ normalised ─▶ session ─┬─ logits [1, classes, H', W'] ─ bilinear ─▶ h×w ─ largest ─┐
//!                                                        └─ classes [1, H', W'] ───────── nearest ──▶ h×w ────────────┴▶ map
//! ```
//!
//! Logits are brought to the image's own size before the largest is looked for, as the authors of the
//! published scores do; of equal ones the first class counts. Rows are computed one by one, so the logits at full
//! size, hundreds of megabytes for 150 classes, never exist.

use crate::{
    check::run_session,
    errors::{Error, Result},
    images::{LabelMap, Picture, Preparation, Sampling, prepare::Size},
    values,
};
use rayon::prelude::*;
use regard_ir::{
    program::Port,
    types::{DType, ShapeText},
};
use regard_runtime::Session;
use std::time::{Duration, Instant};

/// The short side that images are resized to, in pixels.
const SHORT: f64 = 512.0;
/// The most that the long side then has.
const LONG: f64 = 2048.0;

/// Height and width at which an image is fed to a model that takes any size: what `resize` says, or else what the
/// authors of the published scores do.
pub fn fed_size(picture: &Picture, resize: Option<Size>) -> (usize, usize) {
    let (short, long) = (picture.width.min(picture.height) as f64, picture.width.max(picture.height) as f64);
    let factor = match resize {
        Some(Size::Exact(height, width)) => return (height, width),
        Some(Size::Short(side)) => side as f64 / short,
        None => (SHORT / short).min(LONG / long),
    };
    let side = |pixels: usize| ((pixels as f64 * factor + 0.5) as usize).max(1);
    (side(picture.height), side(picture.width))
}

/// A session that takes one image and returns a class, or a logit per class, for parts of it.
pub struct Segmenter<'a> {
    session: &'a Session,
    size: (usize, usize),
    output: usize,
    kind: Kind,
}

/// What the output holds per pixel of a map of that height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Logits { classes: usize, size: (usize, usize) },
    Classes { size: (usize, usize) },
}

impl<'a> Segmenter<'a> {
    /// The session as a segmenter. An output of logits, `f32[1, classes, h, w]`, counts before one of classes,
    /// `[1, h, w]`, `[1, 1, h, w]` or `[h, w]` of integers or under the name `argmax`.
    ///
    /// # Errors
    /// Where it takes anything but one image, or returns no map.
    pub fn new(session: &'a Session) -> Result<Segmenter<'a>> {
        let program = session.program();
        let described = |ports: &[Port]| {
            let ports: Vec<String> = ports.iter().map(|p| format!("{} : {}", p.name, p.ty)).collect();
            ports.join(", ")
        };
        let size = match &program.inputs[..] {
            [Port { ty, .. }] if ty.dtype == DType::F32 && ty.shape.len() == 4 && ty.shape[..2] == [1, 3] => {
                (ty.shape[2], ty.shape[3])
            }
            inputs => {
                let found = described(inputs);
                return Err(Error::Failed(format!("this program takes ({found}), expected one image f32[1, 3, h, w]")));
            }
        };
        let kinds: Vec<(usize, Kind)> =
            program.outputs.iter().enumerate().filter_map(|(i, port)| Some((i, Kind::of(port)?))).collect();
        let logits = kinds.iter().find(|(_, kind)| matches!(kind, Kind::Logits { .. }));
        match logits.or(kinds.first()) {
            Some(&(output, kind)) => Ok(Segmenter { session, size, output, kind }),
            None => {
                let found = described(&program.outputs);
                let expected = "expected logits f32[1, classes, h, w] of at most 256 classes, or classes i32[1, h, w]";
                Err(Error::Failed(format!("this program returns ({found}), {expected}")))
            }
        }
    }
    /// Height and width of the session's image.
    pub fn size(&self) -> (usize, usize) {
        self.size
    }
    /// The class of every pixel, and how long the run took. Of a preparation, mean, deviation and interpolation count:
    /// the whole picture is fed.
    ///
    /// # Errors
    /// Where the session fails or returns classes that are none.
    pub fn run(&self, picture: &Picture, preparation: &Preparation) -> Result<(LabelMap, Duration)> {
        let port = &self.session.program().inputs[0];
        let fed = picture.whole(preparation.interpolation, self.size.0, self.size.1);
        let input: Vec<f64> = preparation.normalised(&fed).into_iter().map(f64::from).collect();
        let start = Instant::now();
        let output = run_session(self.session, &[values::encode(port.ty.dtype, &input)])?.swap_remove(self.output);
        let time = start.elapsed();
        let values = values::decode(self.session.program().outputs[self.output].ty.dtype, &output);
        let to = (picture.height, picture.width);
        let classes = match self.kind {
            Kind::Logits { classes, size } => largest(&values, classes, size, to),
            Kind::Classes { size } => nearest(&values, size, to)?,
        };
        Ok((LabelMap { width: picture.width, height: picture.height, classes }, time))
    }
}

impl Kind {
    fn of(port: &Port) -> Option<Kind> {
        let (shape, dtype) = (&port.ty.shape[..], port.ty.dtype);
        let whole = dtype == DType::I32 || port.name == "argmax";
        match *shape {
            [1, classes @ 2..=256, h, w] if dtype.is_float() => Some(Kind::Logits { classes, size: (h, w) }),
            [1, 1, h, w] | [1, h, w] | [h, w] if whole => Some(Kind::Classes { size: (h, w) }),
            _ => None,
        }
    }
}

/// The class of the largest logit per pixel of a map of size `to`, interpolated.
fn largest(logits: &[f64], classes: usize, size: (usize, usize), to: (usize, usize)) -> Vec<u8> {
    let across: Vec<Sampling> = (0..to.1).map(|x| Sampling::bilinear(x, size.1, to.1)).collect();
    let mut map = vec![0; to.0 * to.1];
    map.par_chunks_mut(to.1).enumerate().for_each(|(y, line)| {
        let down = Sampling::bilinear(y, size.0, to.0);
        let mut best = vec![f64::NEG_INFINITY; to.1];
        for class in 0..classes {
            let row = |y: usize| &logits[(class * size.0 + y) * size.1..][..size.1];
            let (above, below) = (row(down.first), row(down.second));
            for ((best, place), at) in best.iter_mut().zip(line.iter_mut()).zip(&across) {
                let value = down.mix(at.of(above), at.of(below));
                if value > *best {
                    (*best, *place) = (value, class as u8);
                }
            }
        }
    });
    map
}

/// Classes at a map of size `to`, each of the pixel that lies nearest.
fn nearest(classes: &[f64], size: (usize, usize), to: (usize, usize)) -> Result<Vec<u8>> {
    let wrong = |class: &&f64| class.fract() != 0.0 || !(0.0..256.0).contains(*class);
    if let Some(class) = classes.iter().find(wrong) {
        let (h, w) = (size.0, size.1);
        return Err(Error::Failed(format!(
            "the output {} holds {class}, expected classes from 0 to 255",
            ShapeText(&[h, w])
        )));
    }
    let at = |i: usize, from: usize, to: usize| (2 * i + 1) * from / (2 * to);
    let pixel = |y: usize, x: usize| classes[at(y, size.0, to.0) * size.1 + at(x, size.1, to.1)] as u8;
    Ok((0..to.0).flat_map(|y| (0..to.1).map(move |x| (y, x))).map(|(y, x)| pixel(y, x)).collect())
}

/// The colour of a class: hues a golden section of the circle apart, so that neighbours in number differ, in
/// three strengths in turn.
pub(crate) fn color(class: u8) -> [u8; 3] {
    // 40503 / 65536 is the golden section; a sixth of the circle has 256 steps.
    let hue = (u32::from(class) * 40503 % 65536 * 1536 / 65536) as i32;
    let (light, dark) = [(255, 40), (190, 10), (255, 120)][usize::from(class) % 3];
    // Full within a sixth of its own hue, none beyond a third, linear between.
    let channel = |center: i32| {
        let away = (hue - center).abs().min(1536 - (hue - center).abs());
        let strength = (512 - away).clamp(0, 256);
        (dark + (light - dark) * strength / 256) as u8
    };
    [channel(0), channel(512), channel(1024)]
}

/// The picture with its classes' colours laid over it; `opacity` of them, from 0 to 1.
pub fn overlay(picture: &Picture, map: &LabelMap, opacity: f32) -> Picture {
    let mixed =
        |(&byte, color): (&u8, u8)| (f32::from(byte) * (1.0 - opacity) + f32::from(color) * opacity).round() as u8;
    let colors = map.classes.iter().flat_map(|&class| color(class));
    Picture { rgb: picture.rgb.iter().zip(colors).map(mixed).collect(), ..*picture }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn images_are_fed_as_published_scores_were_measured() {
        let size = |width, height| fed_size(&Picture { width, height, rgb: vec![] }, None);
        assert_eq!(size(683, 512), (512, 683));
        assert_eq!(size(500, 375), (512, 683));
        assert_eq!(size(3000, 400), (273, 2048));
        assert_eq!(size(1, 1), (512, 512));
        let picture = Picture { width: 600, height: 400, rgb: vec![] };
        assert_eq!(fed_size(&picture, Some(Size::Short(256))), (256, 384));
        assert_eq!(fed_size(&picture, Some(Size::Exact(64, 96))), (64, 96));
    }

    #[test]
    fn logits_are_interpolated_before_the_largest_is_taken() {
        // Two classes on a 1×2 map: 0 wins left by 3, 1 wins right by 1; between them the sum changes its sign.
        let logits = [3.0, 0.0, 0.0, 1.0];
        assert_eq!(largest(&logits, 2, (1, 2), (1, 2)), [0, 1]);
        // Differences at 8 pixels: 3, 3, 2.5, 1.5, 0.5, −0.5, −1, −1.
        assert_eq!(largest(&logits, 2, (1, 2), (1, 8)), [0, 0, 0, 0, 0, 1, 1, 1]);
        assert_eq!(largest(&[1.0, 1.0, 1.0], 3, (1, 1), (2, 2)), [0; 4]);
        assert_eq!(nearest(&[4.0, 7.0], (1, 2), (2, 5)).unwrap(), [4, 4, 7, 7, 7, 4, 4, 7, 7, 7]);
        assert!(nearest(&[0.5], (1, 1), (1, 1)).unwrap_err().to_string().contains("holds 0.5"));
        assert!(nearest(&[256.0], (1, 1), (1, 1)).is_err() && nearest(&[f64::NAN], (1, 1), (1, 1)).is_err());
    }

    #[test]
    fn colours_differ_and_stay_as_they_are() {
        let all: BTreeSet<[u8; 3]> = (0..=255).map(color).collect();
        assert_eq!(all.len(), 256);
        let apart = |a: [u8; 3], b: [u8; 3]| a.iter().zip(b).map(|(&a, b)| u32::from(a.abs_diff(b))).sum::<u32>();
        assert!((0..149).all(|class| apart(color(class), color(class + 1)) > 100));
        assert_eq!([color(0), color(1)], [[255, 40, 40], COLOR_OF_ONE]);
    }

    /// Written down once; pictures of different versions can be compared.
    const COLOR_OF_ONE: [u8; 3] = [10, 62, 190];

    #[test]
    fn overlays_mix() {
        let picture = Picture { width: 1, height: 1, rgb: vec![10, 20, 30] };
        let map = LabelMap { width: 1, height: 1, classes: vec![0] };
        assert_eq!(overlay(&picture, &map, 0.0), picture);
        assert_eq!(overlay(&picture, &map, 1.0).rgb, color(0));
        assert_eq!(overlay(&picture, &map, 0.5).rgb, [133, 30, 35]);
    }
}
