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
//! LeViT:
//!
//! | here (Facebook)                             | timm                                                       |
//! |---------------------------------------------|------------------------------------------------------------|
//! | `patch_embed.{0,2,4,6}.{c,bn}`              | `stem.conv{1…4}.{linear,bn}`                               |
//! | `blocks.i.m.{qkv,proj.1}.{c,bn}`            | `stages.s.blocks.b.attn.{qkv,proj.ln}.{linear,bn}`         |
//! | `blocks.i.m.{0,2}.{c,bn}`                   | `stages.s.blocks.b.mlp.{ln1,ln2}.{linear,bn}`              |
//! | `blocks.{4,12}.{kv,q.1,proj.1}.{c,bn}`      | `stages.s.downsample.attn_downsample.{kv,q.ln,proj.ln}.…`  |
//! | `blocks.{5,13}.m.…`                         | `stages.s.downsample.mlp.…`                                |
//! | `head.l`, `head_dist.l`                     | `head.linear`, `head_dist.linear`                          |
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
        } else if any("stem.conv1.") || any("head.fc.") || any("layers.3.downsample.") {
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

/// Where timm keeps block `i` of LeViT-128S.
fn levit_block(i: usize) -> String {
    // First block of each stage that is no downsampling.
    const STAGES: [usize; 3] = [0, 6, 14];
    match i {
        4 | 12 => format!("stages.{}.downsample.attn_downsample", i / 4 - i / 12),
        5 | 13 => format!("stages.{}.downsample.mlp", i / 4 - i / 12),
        _ => {
            let stage = STAGES.iter().rposition(|&first| first <= i).unwrap_or(0);
            let (at, part) = ((i - STAGES[stage]) / 2, if i.is_multiple_of(2) { "attn" } else { "mlp" });
            format!("stages.{stage}.blocks.{at}.{part}")
        }
    }
}

/// What timm calls a tensor of LeViT; `None` where the name is none of LeViT's.
fn timm_levit(name: &str) -> Option<String> {
    let (module, leaf) = match name.split_once(".c.").or_else(|| name.split_once(".l.")) {
        Some((module, leaf)) => (module, format!(".linear.{leaf}")),
        None => match name.split_once(".bn.") {
            Some((module, leaf)) => (module, format!(".bn.{leaf}")),
            None => (name.strip_suffix(".attention_biases")?, ".attention_biases".to_string()),
        },
    };
    if let Some(place) = module.strip_prefix("patch_embed.") {
        return Some(format!("stem.conv{}{leaf}", place.parse::<usize>().ok()? / 2 + 1));
    }
    let Some(rest) = module.strip_prefix("blocks.") else {
        return matches!(module, "head" | "head_dist").then(|| format!("{module}{leaf}"));
    };
    let (block, inner) = rest.split_once('.').unwrap_or((rest, ""));
    let inner = match inner.strip_prefix("m.").unwrap_or(inner) {
        "" | "m" => "",
        "0" => ".ln1",
        "2" => ".ln2",
        "q.1" => ".q.ln",
        "proj.1" => ".proj.ln",
        "qkv" => ".qkv",
        "kv" => ".kv",
        _ => return None,
    };
    Some(format!("{}{inner}{leaf}", levit_block(block.parse().ok()?)))
}

fn timm(name: &str) -> String {
    if let Some(levit) = timm_levit(name) {
        return levit;
    }
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
    fn timm_names_the_layers_of_levit() {
        let pairs = [
            ("patch_embed.6.bn.running_var", "stem.conv4.bn.running_var"),
            ("blocks.2.m.attention_biases", "stages.0.blocks.1.attn.attention_biases"),
            ("blocks.3.m.2.c.weight", "stages.0.blocks.1.mlp.ln2.linear.weight"),
            ("blocks.4.attention_biases", "stages.1.downsample.attn_downsample.attention_biases"),
            ("blocks.4.q.1.c.weight", "stages.1.downsample.attn_downsample.q.ln.linear.weight"),
            ("blocks.5.m.0.bn.bias", "stages.1.downsample.mlp.ln1.bn.bias"),
            ("blocks.6.m.qkv.c.weight", "stages.1.blocks.0.attn.qkv.linear.weight"),
            ("blocks.12.kv.bn.weight", "stages.2.downsample.attn_downsample.kv.bn.weight"),
            ("blocks.13.m.2.bn.bias", "stages.2.downsample.mlp.ln2.bn.bias"),
            ("blocks.20.m.proj.1.c.weight", "stages.2.blocks.3.attn.proj.ln.linear.weight"),
            ("head_dist.l.bias", "head_dist.linear.bias"),
            ("head.bn.weight", "head.bn.weight"),
        ];
        for (here, there) in pairs {
            assert_eq!(Style::Timm.translate(here), there);
        }
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
