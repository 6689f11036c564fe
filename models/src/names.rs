//! Checkpoint names: the same tensors as other libraries call them.
//!
//! | here (Microsoft)            | timm                            | torchvision                    |
//! |-----------------------------|---------------------------------|--------------------------------|
//! | `patch_embed.proj`, `.norm` | the same                        | `features.0.0`, `features.0.2` |
//! | `layers.s.blocks.i`         | the same                        | `features.(2s+1).i`            |
//! | `….mlp.fc1`, `.fc2`         | the same                        | `….mlp.0`, `….mlp.3`           |
//! | `layers.s.downsample`       | `layers.(s+1).downsample`       | `features.(2s+2)`              |
//! | `head`                      | `head.fc`                       | `head`                         |
//!
//! Since timm's `layers.1.downsample` is another tensor than Microsoft's, the style is decided once for a
//! whole checkpoint, never name by name.

use std::collections::BTreeSet;

/// Who named the tensors of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As in the model's own graph.
    Authors,
    /// timm.
    Timm,
    /// torchvision.
    Torchvision,
}

impl Style {
    /// The style of a checkpoint with these names.
    pub fn detect(names: &BTreeSet<&str>) -> Style {
        let any = |prefix: &str| names.range(prefix..).next().is_some_and(|n| n.starts_with(prefix));
        if any("features.0.0.") {
            Style::Torchvision
        } else if any("head.fc.") || any("layers.3.downsample.") {
            Style::Timm
        } else {
            Style::Authors
        }
    }

    /// What this style calls the tensor that the graph calls `name`.
    pub fn translate(self, name: &str) -> String {
        match self {
            Style::Authors => name.to_string(),
            Style::Timm => timm(name),
            Style::Torchvision => torchvision(name),
        }
    }
}

/// Tensors in checkpoints that are functions of the configuration, and therefore not parameters.
pub fn is_derived(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    matches!(last, "relative_position_index" | "attn_mask" | "num_batches_tracked" | "attention_bias_idxs")
}

fn stage_of(name: &str) -> Option<(usize, &str)> {
    let (stage, rest) = name.strip_prefix("layers.")?.split_once('.')?;
    Some((stage.parse().ok()?, rest))
}

fn timm(name: &str) -> String {
    if let Some(rest) = name.strip_prefix("head.") {
        return format!("head.fc.{rest}");
    }
    match stage_of(name) {
        Some((stage, rest)) if rest.starts_with("downsample.") => format!("layers.{}.{rest}", stage + 1),
        _ => name.to_string(),
    }
}

fn torchvision(name: &str) -> String {
    if let Some(rest) = name.strip_prefix("patch_embed.proj.") {
        return format!("features.0.0.{rest}");
    }
    if let Some(rest) = name.strip_prefix("patch_embed.norm.") {
        return format!("features.0.2.{rest}");
    }
    match stage_of(name) {
        Some((stage, rest)) => {
            if let Some(rest) = rest.strip_prefix("downsample.") {
                return format!("features.{}.{rest}", 2 * stage + 2);
            }
            let rest = rest.strip_prefix("blocks.").unwrap_or(rest);
            let rest = rest.replace(".mlp.fc1.", ".mlp.0.").replace(".mlp.fc2.", ".mlp.3.");
            format!("features.{}.{rest}", 2 * stage + 1)
        }
        None => name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timm_moves_the_downsampling_to_the_next_stage() {
        assert_eq!(Style::Timm.translate("layers.0.downsample.norm.weight"), "layers.1.downsample.norm.weight");
        assert_eq!(Style::Timm.translate("head.bias"), "head.fc.bias");
        assert_eq!(Style::Timm.translate("layers.2.blocks.5.mlp.fc1.bias"), "layers.2.blocks.5.mlp.fc1.bias");
    }

    #[test]
    fn torchvision_numbers_its_features() {
        assert_eq!(Style::Torchvision.translate("patch_embed.norm.bias"), "features.0.2.bias");
        assert_eq!(Style::Torchvision.translate("layers.2.blocks.5.mlp.fc2.bias"), "features.5.5.mlp.3.bias");
        assert_eq!(Style::Torchvision.translate("layers.1.downsample.reduction.weight"), "features.4.reduction.weight");
        assert_eq!(Style::Torchvision.translate("norm.weight"), "norm.weight");
    }

    #[test]
    fn the_style_is_that_of_the_whole_checkpoint() {
        let timm = BTreeSet::from(["head.fc.weight", "layers.1.downsample.norm.weight"]);
        let ours = BTreeSet::from(["head.weight", "layers.1.downsample.norm.weight"]);
        let torchvision = BTreeSet::from(["features.0.0.weight", "head.weight"]);
        assert_eq!(Style::detect(&timm), Style::Timm);
        assert_eq!(Style::detect(&ours), Style::Authors);
        assert_eq!(Style::detect(&torchvision), Style::Torchvision);
    }
}
