//! Whose names a checkpoint has, and what stands before all of them.
//!
//! ```text
//!   graph  head.weight ─ timm ─▶ head.fc.weight ─ prefix ─▶ model.head.fc.weight  is in the checkpoint
//! ```
//!
//! Every style is tried with every prefix under which some of its names occur, and the pair wins under which most tensors
//! are found; one of the right shape counts twice. A tensor that is not there under the prefix may be there without it,
//! as heads are beside a `backbone.`.

use super::{Origin, Style};
use crate::Shapes;
use std::{cmp::Reverse, collections::BTreeMap};

/// Names by which prefixes are looked for, of each style.
const PROBES: usize = 6;
/// Prefixes that are tried, of each style.
const MOST: usize = 12;

/// How the graph's names become those of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Whose names they are.
    pub style: Style,
    /// What stands before them.
    pub prefix: String,
    /// How many of the graph's tensors were found.
    pub found: usize,
    /// Another prefix under which as many were found.
    pub other: Option<String>,
}

impl Default for Mapping {
    fn default() -> Self {
        Mapping { style: Style::Authors, prefix: String::new(), found: 0, other: None }
    }
}

impl Mapping {
    /// The mapping from tensors of a graph to those of a checkpoint under which most are found.
    pub fn find(wanted: &Shapes, stored: &Shapes) -> Mapping {
        let mut best: Option<(usize, Mapping)> = None;
        for style in Style::ALL {
            let origins: Vec<(Origin, &[usize])> =
                wanted.iter().map(|(name, shape)| (style.origin(name), &shape[..])).collect();
            for prefix in prefixes(&origins, stored) {
                let (mut found, mut score) = (0, 0);
                for (origin, shape) in &origins {
                    let here = |part: &String| stored.get(&format!("{prefix}{part}"));
                    if origin.parts.iter().all(|part| here(part).is_some()) {
                        found += 1;
                        let rows: Option<usize> = origin.parts.iter().map(|part| here(part)?.first().copied()).sum();
                        score += 1 + usize::from(rows == shape.first().copied());
                    }
                }
                let mapping = Mapping { style, prefix: prefix.to_owned(), found, other: None };
                match &mut best {
                    Some((most, same)) if *most == score && same.style == style && score > 0 => {
                        same.other.get_or_insert(mapping.prefix);
                    }
                    Some((most, _)) if *most >= score => {}
                    _ => best = Some((score, mapping)),
                }
            }
        }
        best.map_or_else(Mapping::default, |(_, mapping)| mapping)
    }

    /// Where a checkpoint with these tensors keeps what the graph calls `name`.
    pub fn origin<T>(&self, name: &str, stored: &BTreeMap<String, T>) -> Origin {
        let mut origin = self.style.origin(name);
        for part in &mut origin.parts {
            let prefixed = format!("{}{part}", self.prefix);
            if stored.contains_key(&prefixed) || !stored.contains_key(part) {
                *part = prefixed;
            }
        }
        origin
    }

    /// The tensors of a checkpoint that are after the prefix, without it, and those that are there without it.
    pub fn stripped(&self, stored: &Shapes) -> Shapes {
        let rest = |name: &str| name.strip_prefix(&self.prefix).unwrap_or(name).to_owned();
        let mut all: Shapes = stored.iter().map(|(name, shape)| (rest(name), shape.clone())).collect();
        for (name, shape) in stored {
            if let Some(rest) = name.strip_prefix(&self.prefix) {
                all.insert(rest.to_owned(), shape.clone());
            }
        }
        all
    }
}

/// What stands before names of a style in a checkpoint: nothing, and what occurs most often, the shortest first but for averages.
fn prefixes<'a>(origins: &[(Origin, &[usize])], stored: &'a Shapes) -> Vec<&'a str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    // Names with many parts are the least likely to occur by chance.
    let mut probes: Vec<&str> =
        origins.iter().filter_map(|(origin, _)| origin.parts.first().map(String::as_str)).collect();
    probes.sort_by_key(|name| (Reverse(name.matches('.').count()), *name));
    for probe in probes.into_iter().take(PROBES) {
        for name in stored.keys() {
            let before = name.strip_suffix(probe).filter(|before| before.ends_with(['.', '/', ':']));
            before.into_iter().for_each(|before| *counts.entry(before).or_default() += 1);
        }
    }
    let mut frequent: Vec<(&str, usize)> = counts.into_iter().collect();
    frequent.sort_by_key(|&(prefix, count)| (Reverse(count), prefix.len(), prefix));
    frequent.truncate(MOST);
    let mut prefixes: Vec<&str> = frequent.into_iter().map(|(prefix, _)| prefix).collect();
    // Of two copies, the one that was trained goes before one that was averaged.
    let averaged = |prefix: &str| ["ema", "teacher", "swa", "averag"].iter().any(|word| prefix.contains(word));
    prefixes.sort_by_key(|prefix| (averaged(prefix), prefix.len(), *prefix));
    prefixes.insert(0, "");
    prefixes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, build};

    fn wanted(model: &str) -> Shapes {
        let graph = build(model, &Config::default()).unwrap();
        graph.weights().iter().map(|&id| (graph.text_name(id), graph.ty(id).shape.clone())).collect()
    }
    /// The tensors of a model as a style names them.
    fn named(model: &str, style: Style, prefix: &str) -> Shapes {
        let mut named = Shapes::new();
        for (name, shape) in wanted(model) {
            let parts = style.origin(&name).parts;
            let count = parts.len();
            for part in parts {
                let shape: Vec<usize> =
                    shape.iter().enumerate().map(|(i, &n)| if i == 0 { n / count } else { n }).collect();
                assert!(named.insert(format!("{prefix}{part}"), shape).is_none(), "{part} is two tensors");
            }
        }
        named
    }

    #[test]
    fn style_and_prefix_of_every_family_are_found() {
        for (model, styles) in [
            ("swin_tiny", &Style::ALL[..]),
            ("swin_tiny_upernet", &[Style::Authors, Style::Transformers, Style::Transformers5, Style::OpenMmlab]),
            ("levit_128s", &[Style::Authors, Style::Timm, Style::Transformers]),
            ("resnet50", &[Style::Authors, Style::Transformers, Style::OpenMmlab]),
            ("biformer_tiny", &[Style::Authors]),
        ] {
            let wanted = wanted(model);
            for &style in styles {
                for prefix in ["", "model.", "model_ema.module.", "net/"] {
                    let mut stored = named(model, style, prefix);
                    stored.insert("criterion.weight".into(), vec![7]);
                    let found = Mapping::find(&wanted, &stored);
                    assert_eq!((found.style, &found.prefix[..], found.found), (style, prefix, wanted.len()), "{model}");
                    for name in wanted.keys() {
                        assert!(
                            found.origin(name, &stored).parts.iter().all(|part| stored.contains_key(part)),
                            "{name}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn heads_may_stand_beside_a_backbone() {
        let mut stored = named("swin_tiny", Style::Authors, "backbone.");
        let head = stored.remove("backbone.head.weight").unwrap();
        stored.insert("head.weight".into(), head);
        let found = Mapping::find(&wanted("swin_tiny"), &stored);
        assert_eq!(found.prefix, "backbone.");
        assert_eq!(found.origin("head.weight", &stored).parts, ["head.weight"]);
        assert_eq!(found.origin("head.bias", &stored).parts, ["backbone.head.bias"]);
    }

    #[test]
    fn of_two_copies_the_shorter_prefix_wins_and_the_other_is_known() {
        let mut stored = named("levit_128s", Style::Timm, "model.");
        stored.extend(named("levit_128s", Style::Timm, "ema_model."));
        let found = Mapping::find(&wanted("levit_128s"), &stored);
        assert_eq!((&found.prefix[..], found.other.as_deref()), ("model.", Some("ema_model.")));
    }
}
