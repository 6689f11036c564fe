//! Preparation: how a picture becomes a model's input.
//!
//! ```text
//!   picture ─ resize ─▶ short side s ─ crop the middle ─▶ H × W ─ (x/255 − mean)/deviation ─▶ [3, H, W]
//! ```
//!
//! | weights | s for a side of 224 | interpolation |
//! |---|---|---|
//! | the authors' of all transformers | 256 | bicubic |
//! | timm's of Swin and LeViT | 248: a crop of 0.9 | bicubic |
//! | torchvision's of Swin | 232 | bicubic |
//! | torchvision's of ResNet-50 | 256 | bilinear |
//!
//! Mean and deviation are ImageNet's. For another size s grows alike. What the command line says counts first, then what
//! an executable carries, then this table; weights that name no library are the authors'.

use super::{
    Picture,
    resize::{Interpolation, Window, resized},
};
use regard_models::names::Style;
use std::{collections::BTreeMap, fmt};

/// Mean of ImageNet's channels, of 1.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of ImageNet's channels, of 1.
const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];
/// The largest side that a picture is resized to, in pixels.
const MAX_SIDE: usize = 1 << 14;

/// What a picture is resized to before its middle is cropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// The short side has so many pixels, the long one follows.
    Short(usize),
    /// Height and width.
    Exact(usize, usize),
}

/// The middle of the resized picture that a model sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Crop {
    /// This part of its sides.
    Part(f64),
    /// Height and width in pixels, which are those of the model.
    Pixels(usize, usize),
}

/// What is known about preparing pictures; the rest is as usual.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preparation {
    /// Mean of the channels, of 1.
    pub mean: Option<[f32; 3]>,
    /// Standard deviation of the channels, of 1.
    pub deviation: Option<[f32; 3]>,
    /// What the picture is resized to.
    pub resize: Option<Size>,
    /// What is cropped.
    pub crop: Option<Crop>,
    /// How it is resized.
    pub interpolation: Option<Interpolation>,
}

impl Preparation {
    /// What the weights of a model were trained with, where that is not the usual.
    pub fn of(model: &str, style: Style) -> Preparation {
        let part = match style {
            Style::Timm if model.starts_with("swin") || model.starts_with("levit") => Some(0.9),
            Style::Torchvision if model.starts_with("swin") => Some(224.0 / 232.0),
            _ => None,
        };
        let interpolation = (model == "resnet50").then_some(Interpolation::Bilinear);
        Preparation { crop: part.map(Crop::Part), interpolation, ..Preparation::default() }
    }
    /// This, and where it says nothing, the other. Resizing and cropping are taken together.
    pub fn or(self, other: Preparation) -> Preparation {
        let placed = self.resize.is_some() || self.crop.is_some();
        let (resize, crop) = if placed { (self.resize, self.crop) } else { (other.resize, other.crop) };
        Preparation {
            mean: self.mean.or(other.mean),
            deviation: self.deviation.or(other.deviation),
            resize,
            crop,
            interpolation: self.interpolation.or(other.interpolation),
        }
    }
    /// Compares with the size of a model's input; the error is a sentence about options.
    pub fn fits(&self, (height, width): (usize, usize)) -> Result<(), String> {
        let model = format!("the model takes {height}x{width}");
        match (self.resize, self.crop) {
            (Some(_), Some(Crop::Part(_))) => {
                Err("--crop PART says how much larger --resize is; one of them is enough".into())
            }
            (_, Some(Crop::Pixels(h, w))) if (h, w) != (height, width) => {
                Err(format!("--crop is {h}x{w}, but {model}"))
            }
            (Some(Size::Short(side)), _) if side < height.min(width) => Err(format!("--resize is {side}, but {model}")),
            (Some(Size::Exact(h, w)), _) if h < height || w < width => Err(format!("--resize is {h}x{w}, but {model}")),
            _ => Ok(()),
        }
    }
    /// The picture resized and cropped to `height` × `width`, which [fit](Preparation::fits).
    pub fn cropped(&self, picture: &Picture, height: usize, width: usize) -> Picture {
        let (size, window) = self.placement((picture.height, picture.width), (height, width));
        resized(picture, self.interpolation.unwrap_or(Interpolation::Bicubic), size, window)
    }
    /// The input of a model that takes images of `height` × `width` pixels, which fit:
    /// `[3, height, width]`, row-major.
    pub fn prepared(&self, picture: &Picture, height: usize, width: usize) -> Vec<f32> {
        self.normalised(&self.cropped(picture, height, width))
    }
    /// A picture channel by channel, `[3, height, width]`.
    pub(crate) fn normalised(&self, picture: &Picture) -> Vec<f32> {
        let (mean, deviation) = (self.mean.unwrap_or(MEAN), self.deviation.unwrap_or(DEVIATION));
        let channel = |c: usize| {
            let bytes = picture.rgb.iter().skip(c).step_by(3);
            bytes.map(move |&byte| (f32::from(byte) / 255.0 - mean[c]) / deviation[c])
        };
        (0..3).flat_map(channel).collect()
    }

    /// Heights and widths that an image is resized to, and the window cut out of that, for a wanted size.
    pub(super) fn placement(&self, image: (usize, usize), wanted: (usize, usize)) -> ((usize, usize), Window) {
        let frame = |side: usize| match (self.resize, self.crop) {
            (Some(Size::Short(short)), _) => short,
            // Libraries round downwards; the small number is for parts that are not binary fractions.
            (_, Some(Crop::Part(part))) => (side as f64 / part + 1e-6) as usize,
            _ => (side * 256 + 112) / 224,
        };
        let (down, across) = (frame(wanted.0), frame(wanted.1));
        // The side that needs the larger factor gets its length exactly, the other follows.
        let tall = down * image.1 >= across * image.0;
        let (height, width) = match self.resize {
            Some(Size::Exact(height, width)) => (height, width),
            _ if tall => (down, down * image.1 / image.0),
            _ => (across * image.0 / image.1, across),
        };
        let (height, width) = (height.max(wanted.0), width.max(wanted.1));
        let window = Window {
            top: middle(height - wanted.0),
            left: middle(width - wanted.1),
            height: wanted.0,
            width: wanted.1,
        };
        ((height, width), window)
    }

    /// As facts that an executable carries.
    pub fn facts(&self) -> BTreeMap<String, String> {
        let channels = |c: [f32; 3]| c.map(|x| x.to_string()).join(",");
        let facts = [
            ("mean", self.mean.map(channels)),
            ("std", self.deviation.map(channels)),
            ("resize", self.resize.map(|size| size.to_string())),
            ("crop", self.crop.map(|crop| crop.to_string())),
            ("interpolation", self.interpolation.map(|by| by.name().to_owned())),
        ];
        facts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
    /// The inverse of [`facts`](Preparation::facts), among other facts.
    pub fn from_facts(facts: &BTreeMap<String, String>) -> Result<Preparation, String> {
        fn read<T>(
            facts: &BTreeMap<String, String>,
            key: &str,
            parse: fn(&str) -> Result<T, String>,
        ) -> Result<Option<T>, String> {
            facts
                .get(key)
                .map(|text| parse(text).map_err(|why| format!("its fact {key} is `{text}`: {why}")))
                .transpose()
        }
        Ok(Preparation {
            mean: read(facts, "mean", mean)?,
            deviation: read(facts, "std", deviation)?,
            resize: read(facts, "resize", size)?,
            crop: read(facts, "crop", crop)?,
            interpolation: read(facts, "interpolation", interpolation)?,
        })
    }
}

/// Half of an excess, halves to even.
fn middle(excess: usize) -> usize {
    let half = excess / 2;
    half + usize::from(excess % 2 == 1 && half % 2 == 1)
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Size::Short(side) => write!(f, "{side}"),
            Size::Exact(height, width) => write!(f, "{height}x{width}"),
        }
    }
}

impl fmt::Display for Crop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Crop::Part(part) => write!(f, "{part:?}"),
            Crop::Pixels(height, width) => write!(f, "{height}x{width}"),
        }
    }
}

/// What differs from the usual, for a line of output; empty where nothing does.
impl fmt::Display for Preparation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts: Vec<String> = self.facts().iter().map(|(key, value)| format!("{key} {value}")).collect();
        f.write_str(&facts.join(", "))
    }
}

fn channels(text: &str, right: fn(f32) -> bool, expected: &str) -> Result<[f32; 3], String> {
    let wrong = || Err(format!("expected one number or three, separated by commas, {expected}"));
    let numbers: Result<Vec<f32>, _> = text.split(',').map(|part| part.trim().parse::<f32>()).collect();
    match numbers.as_deref() {
        Ok(&[all]) if right(all) => Ok([all; 3]),
        Ok(&[r, g, b]) if [r, g, b].into_iter().all(right) => Ok([r, g, b]),
        _ => wrong(),
    }
}

/// Reads means, for example `0.485,0.456,0.406`; one number stands for all channels.
pub fn mean(text: &str) -> Result<[f32; 3], String> {
    channels(text, |x| (0.0..=1.0).contains(&x), "from 0 to 1: pixels are divided by 255 before")
}

/// Reads standard deviations, for example `0.229,0.224,0.225`; one number stands for all channels.
pub fn deviation(text: &str) -> Result<[f32; 3], String> {
    channels(text, |x| x > 0.0 && x <= 1.0, "above 0 and at most 1: pixels are divided by 255 before")
}

fn sides(text: &str) -> Option<(usize, Option<usize>)> {
    let side = |text: &str| text.parse().ok().filter(|side| (1..=MAX_SIDE).contains(side));
    match text.split_once(['x', '×']) {
        Some((height, width)) => Some((side(height)?, Some(side(width)?))),
        None => Some((side(text)?, None)),
    }
}

/// Reads `256`, a short side, or `256x320`.
pub fn size(text: &str) -> Result<Size, String> {
    match sides(text) {
        Some((short, None)) => Ok(Size::Short(short)),
        Some((height, Some(width))) => Ok(Size::Exact(height, width)),
        None => Err(format!("expected pixels of the short side, or HEIGHTxWIDTH, of at most {MAX_SIDE}")),
    }
}

/// Reads `0.875`, a part, or `224` or `224x320`, pixels.
pub fn crop(text: &str) -> Result<Crop, String> {
    let part = text.parse::<f64>().ok().filter(|part| (0.01..=1.0).contains(part));
    match (sides(text), part) {
        (Some((side, None)), _) if side > 1 => Ok(Crop::Pixels(side, side)),
        (Some((height, Some(width))), _) => Ok(Crop::Pixels(height, width)),
        (_, Some(part)) => Ok(Crop::Part(part)),
        _ => Err("expected a part from 0.01 to 1, or pixels such as 224 or 224x320".into()),
    }
}

/// Reads the name of an interpolation.
pub fn interpolation(text: &str) -> Result<Interpolation, String> {
    let found = Interpolation::ALL.into_iter().find(|(_, name)| *name == text);
    found.map(|(by, _)| by).ok_or_else(|| "expected bicubic, bilinear or nearest".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_read_back_and_only_what_is_said_is_carried() {
        let said = Preparation {
            mean: Some([0.5, 0.25, 0.1]),
            deviation: Some([0.5; 3]),
            resize: Some(Size::Exact(256, 320)),
            crop: Some(Crop::Pixels(224, 224)),
            interpolation: Some(Interpolation::Nearest),
        };
        for preparation in [said, Preparation::of("swin_tiny", Style::Torchvision), Preparation::default()] {
            assert_eq!(Preparation::from_facts(&preparation.facts()), Ok(preparation));
        }
        assert_eq!(Preparation::default().to_string(), "");
        assert_eq!(Preparation::of("swin_tiny", Style::Timm).to_string(), "crop 0.9");
        let broken = BTreeMap::from([("crop".to_owned(), "7.5".to_owned())]);
        assert!(Preparation::from_facts(&broken).unwrap_err().contains("its fact crop is `7.5`"));
    }

    #[test]
    fn published_weights_are_fed_as_they_were_measured() {
        let short = |model: &str, style: Style, side: usize| {
            Preparation::of(model, style).placement((500, 500), (side, side)).0.0
        };
        assert_eq!(short("swin_tiny", Style::Authors, 224), 256);
        assert_eq!(short("swin_tiny", Style::Timm, 224), 248);
        assert_eq!(short("levit_128s", Style::Timm, 224), 248);
        assert_eq!(short("swin_tiny", Style::Torchvision, 224), 232);
        assert_eq!(short("swin_tiny", Style::Torchvision, 448), 464);
        assert_eq!(short("resnet50", Style::Torchvision, 224), 256);
        assert_eq!(Preparation::of("resnet50", Style::Authors).interpolation, Some(Interpolation::Bilinear));
    }

    #[test]
    fn options_are_read_and_held_against_the_model() {
        assert_eq!(mean("0.5"), Ok([0.5; 3]));
        assert_eq!(deviation("0.2, 0.3,0.4"), Ok([0.2, 0.3, 0.4]));
        assert!(mean("123.675,116.28,103.53").unwrap_err().contains("divided by 255"));
        assert!(mean("0.1,0.2").is_err() && deviation("0").is_err() && deviation("nan").is_err());
        assert_eq!((size("256"), size("20x30")), (Ok(Size::Short(256)), Ok(Size::Exact(20, 30))));
        assert!(size("0").is_err() && size("20x").is_err() && size("99999").is_err());
        assert_eq!(
            (crop("1"), crop("1.0"), crop("224")),
            (Ok(Crop::Part(1.0)), Ok(Crop::Part(1.0)), Ok(Crop::Pixels(224, 224)))
        );
        assert!(crop("0").is_err() && crop("1.5").is_err() && interpolation("cubic").is_err());
        let with = |resize: &str, crop_text: Option<&str>| {
            let crop = crop_text.map(|text| crop(text).unwrap());
            Preparation { resize: Some(size(resize).unwrap()), crop, ..Preparation::default() }.fits((224, 224))
        };
        assert!(with("256", Some("224")).is_ok() && with("224", None).is_ok());
        assert!(with("256", Some("0.9")).unwrap_err().contains("one of them is enough"));
        assert!(with("256", Some("200")).unwrap_err().contains("--crop is 200x200, but the model takes 224x224"));
        assert!(with("200", None).unwrap_err().contains("--resize is 200"));
        assert!(with("256x200", None).unwrap_err().contains("--resize is 256x200"));
    }

    #[test]
    fn what_is_said_first_counts() {
        let weights = Preparation::of("swin_tiny", Style::Timm);
        let said = Preparation { resize: Some(Size::Short(300)), ..Preparation::default() };
        let both = said.clone().or(weights.clone());
        assert_eq!((both.resize, both.crop), (Some(Size::Short(300)), None));
        assert_eq!(Preparation::default().or(weights.clone()), weights);
        let ((height, width), window) = both.placement((480, 640), (224, 224));
        assert_eq!((height, width, window.top, window.left), (300, 400, 38, 88));
    }
}
