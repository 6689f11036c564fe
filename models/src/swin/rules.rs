//! Where windows do not fit the map: whose rules apply.
//!
//! ```text
//!   block on a map H×W       authors         torchvision     transformers    OpenMMLab       timm
//!   image not ÷4             refused         cut off         padded          refused         refused
//!   map not ÷7               refused         padded, then    padded, then    padded, then    rolled, then
//!                                            rolled          rolled          rolled          padded
//!   not rolled where         min ≤ 7         padded side ≤ 7 min ≤ 7         min = 7         side ≤ 7
//!                            both axes       that axis       both axes       both axes       that axis
//!   map smaller than 7       refused         padded          refused         refused         refused
//! ```
//!
//! At multiples of 224 a square image has maps of 56, 28, 14 and 7, or multiples, where all libraries compute the same.
//! Elsewhere weights were trained, or are run, by the rules of one of them, which the names of a checkpoint tell. Windows
//! always have 7×7 tokens here. Where a library would shrink them it resizes its tables of score terms, or fails; such sizes
//! are refused.
//!
//! timm plans windows and masks on sides that are halved and rounded *down*, while its maps are rounded up. Where both
//! differ in windows it fails, and so do we.

use super::{PATCH, WINDOW};
use crate::{Config, ModelOption, Shapes, names::Style};

/// The option that names the rules.
pub(crate) const OPTION: ModelOption = ModelOption {
    name: "rules",
    values: "authors, timm, torchvision, transformers, openmmlab: who pads and shifts where windows do not fit the map; the checkpoint's library by default",
};

/// Whose rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rules {
    /// Windows divide every map.
    Authors,
    /// timm.
    Timm,
    /// torchvision.
    Torchvision,
    /// transformers.
    Transformers,
    /// OpenMMLab's classifiers.
    OpenMmlab,
    /// Backbones of dense heads: everything is padded, every second block is rolled.
    Dense,
}

/// How a block cuts its map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Rows and columns by which the map is rolled.
    pub shift: [usize; 2],
    /// Whether it is padded after it was rolled, not before.
    pub pad_last: bool,
}

/// The rules that a checkpoint's names tell, where the user has not said others.
pub(crate) fn fit(config: &Config, _: &Shapes, style: Style) -> Config {
    let word = match style {
        Style::Authors => return config.clone(),
        Style::Timm => "timm",
        Style::Torchvision => "torchvision",
        Style::Transformers | Style::Transformers5 => "transformers",
        Style::OpenMmlab => "openmmlab",
    };
    let mut config = config.clone();
    config.options.entry(OPTION.name.to_owned()).or_insert(word.to_owned());
    config
}

impl Rules {
    /// The rules that the option names.
    ///
    /// # Errors
    /// Where it names none.
    pub(crate) fn of(config: &Config) -> Result<Rules, String> {
        let words = ["authors", "timm", "torchvision", "transformers", "openmmlab"];
        Ok(match config.word(OPTION.name, &words)? {
            "timm" => Rules::Timm,
            "torchvision" => Rules::Torchvision,
            "transformers" => Rules::Transformers,
            "openmmlab" => Rules::OpenMmlab,
            _ => Rules::Authors,
        })
    }
    /// For users.
    fn library(self) -> &'static str {
        match self {
            Rules::Authors | Rules::Dense => "the authors' code",
            Rules::Timm => "timm",
            Rules::Torchvision => "torchvision",
            Rules::Transformers => "transformers",
            Rules::OpenMmlab => "OpenMMLab",
        }
    }
    /// Height and width of an image that these rules take.
    ///
    /// # Errors
    /// Where they take no such image.
    pub(crate) fn size(self, model: &str, config: &Config, default: (usize, usize)) -> Result<[usize; 2], String> {
        let size = match self {
            Rules::Authors => {
                let why = "patches of 4, three mergings by 2 and windows of 7 must divide";
                config.divided_size(model, default, (PATCH << 3) * WINDOW, why)?
            }
            Rules::Timm | Rules::OpenMmlab => config.divided_size(
                model,
                default,
                PATCH,
                &format!("patches of 4 must divide in {}", self.library()),
            )?,
            _ => config.any_size(model, default)?,
        };
        match self == Rules::Torchvision && size.iter().any(|&side| side < PATCH) {
            true => {
                Err(format!("{model} cannot take images of {}x{}: torchvision needs patches of 4", size[0], size[1]))
            }
            false => Ok(size),
        }
    }
    /// Whether an image that patches do not divide is padded, not cut off.
    pub(crate) fn pads_image(self) -> bool {
        self != Rules::Torchvision
    }
    /// How a block cuts its map; `rolled` where it is one that is, `planned` the sides rounded down.
    ///
    /// # Errors
    /// Where the library would have other windows, or fails.
    pub(crate) fn cut(self, rolled: bool, map: [usize; 2], planned: [usize; 2]) -> Result<Cut, String> {
        let [height, width] = map;
        let least = height.min(width);
        let small = |least: usize| {
            let library = self.library();
            Err(format!(
                "a map of {height}x{width} is smaller than a window of 7, for which {library} has other tables or none ({least} rows or columns)"
            ))
        };
        let both = |rolls: bool| if rolled && rolls { [WINDOW / 2; 2] } else { [0; 2] };
        let each = |rolls: [bool; 2]| rolls.map(|rolls| if rolled && rolls { WINDOW / 2 } else { 0 });
        let shift = match self {
            Rules::Dense => both(true),
            Rules::Authors => both(least > WINDOW),
            Rules::Torchvision => each(map.map(|side| side.next_multiple_of(WINDOW) > WINDOW)),
            Rules::Transformers | Rules::OpenMmlab if least < WINDOW => return small(least),
            Rules::Transformers | Rules::OpenMmlab => both(least > WINDOW),
            Rules::Timm => {
                let least = planned[0].min(planned[1]);
                if least < WINDOW {
                    return small(least);
                }
                let shift = each(planned.map(|side| side > WINDOW));
                let windows = |map: [usize; 2]| map.map(|side| side.div_ceil(WINDOW));
                if shift != [0; 2] && windows(map) != windows(planned) {
                    let [h, w] = planned;
                    return Err(format!("timm fails on a map of {height}x{width}, whose masks it plans for {h}x{w}"));
                }
                shift
            }
        };
        Ok(Cut { shift, pad_last: self == Rules::Timm })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rules_are_one_where_windows_divide() {
        let rules = [Rules::Authors, Rules::Timm, Rules::Torchvision, Rules::Transformers, Rules::OpenMmlab];
        for side in [56, 28, 14, 7] {
            let shifts: Vec<[usize; 2]> =
                rules.iter().map(|rules| rules.cut(true, [side; 2], [side; 2]).unwrap().shift).collect();
            assert!(shifts.iter().all(|shift| *shift == shifts[0]), "{side}");
            assert_eq!(rules[0].cut(false, [side; 2], [side; 2]).unwrap().shift, [0; 2]);
        }
    }

    #[test]
    fn rules_differ_where_one_side_is_a_window() {
        let shift = |rules: Rules, map| rules.cut(true, map, map).map(|cut| cut.shift);
        assert_eq!(shift(Rules::Authors, [7, 14]), Ok([0, 0]));
        assert_eq!(shift(Rules::Transformers, [7, 14]), Ok([0, 0]));
        assert_eq!(shift(Rules::Torchvision, [7, 14]), Ok([0, 3]));
        assert_eq!(shift(Rules::Torchvision, [5, 8]), Ok([0, 3]));
        assert_eq!(shift(Rules::Timm, [14, 7]), Ok([3, 0]));
        assert_eq!(shift(Rules::Dense, [7, 7]), Ok([3, 3]));
        assert!(shift(Rules::Timm, [5, 14]).unwrap_err().contains("smaller than a window"));
        assert!(shift(Rules::OpenMmlab, [5, 14]).is_err());
        assert!(Rules::Timm.cut(true, [15, 20], [14, 20]).unwrap_err().contains("timm fails on a map of 15x20"));
    }

    #[test]
    fn a_checkpoint_tells_the_rules() {
        let fitted = |config: &Config, style| fit(config, &Shapes::new(), style).options.get("rules").cloned();
        assert_eq!(fitted(&Config::default(), Style::Authors), None);
        assert_eq!(fitted(&Config::default(), Style::Torchvision).as_deref(), Some("torchvision"));
        assert_eq!(fitted(&Config::default().with("rules", "timm"), Style::Torchvision).as_deref(), Some("timm"));
    }
}
