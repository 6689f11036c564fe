//! Swin, alone and under UPerNet.
//!
//! | here (Microsoft)            | timm                      | torchvision           | transformers                        | OpenMMLab |
//! |-----------------------------|---------------------------|-----------------------|-------------------------------------|-----------|
//! | `patch_embed.proj`          | the same                  | `features.0.0`        | `embeddings.patch_embeddings.projection` | `patch_embed.projection` |
//! | `patch_embed.norm`          | the same                  | `features.0.2`        | `embeddings.norm`                   | the same  |
//! | `layers.s.blocks.i`         | the same                  | `features.(2s+1).i`   | `encoder.layers.s.blocks.i`         | `stages.s.blocks.i` |
//! | `….norm1`, `.norm2`         | the same                  | the same              | `layernorm_before`, `_after`        | the same  |
//! | `….attn.qkv`                | the same                  | the same              | `attention.self.{query,key,value}`  | `attn.w_msa.qkv` |
//! | `….attn.proj`               | the same                  | the same              | `attention.output.dense`            | `attn.w_msa.proj` |
//! | `….mlp.fc1`, `.fc2`         | the same                  | `….mlp.0`, `….mlp.3`  | `intermediate.dense`, `output.dense` | `ffn.layers.0.0`, `ffn.layers.1` |
//! | `layers.s.downsample`       | `layers.(s+1).downsample` | `features.(2s+2)`     | `encoder.layers.s.downsample`       | `stages.s.downsample`, its columns unfolded |
//! | `norm`                      | the same                  | the same              | `layernorm`                         | `norm3`   |
//! | `head`                      | `head.fc`                 | the same              | `classifier`                        | `head.fc` |
//!
//! A classifier's names in transformers begin with `swin.`, but for `classifier`; those in OpenMMLab with `backbone.`, but for
//! `head`. Under UPerNet both begin with `backbone.`, and so do the graph's; transformers calls the norms of its outputs
//! `hidden_states_norms.stage1` … and a batch norm `batch_norm`. Version 5 of transformers has other names in memory:
//! `attention.{q,k,v,o}_proj`, `mlp.fc1`, and `backbone.swin.` under UPerNet.

use super::{Order, Origin};

fn stage_of(name: &str) -> Option<(usize, &str)> {
    let (stage, rest) = name.strip_prefix("layers.")?.split_once('.')?;
    Some((stage.parse().ok()?, rest))
}

/// Stage, block and the rest of a block's name.
fn block_of(name: &str) -> Option<(usize, &str, &str)> {
    let (stage, rest) = stage_of(name)?;
    let (block, rest) = rest.strip_prefix("blocks.")?.split_once('.')?;
    Some((stage, block, rest))
}

pub(crate) fn timm(name: &str) -> String {
    if let Some(rest) = name.strip_prefix("head.") {
        return format!("head.fc.{rest}");
    }
    match stage_of(name) {
        Some((stage, rest)) if rest.starts_with("downsample.") => format!("layers.{}.{rest}", stage + 1),
        _ => name.to_string(),
    }
}

pub(crate) fn torchvision(name: &str) -> String {
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

/// Names in transformers, before version 5 or as its models have them since.
pub(crate) fn transformers(name: &str, later: bool) -> Origin {
    if name.starts_with("decode_head.") || name.starts_with("auxiliary_head.") {
        return name.replace(".bn.", ".batch_norm.").replace(".conv_seg.", ".classifier.").into();
    }
    if let Some(inner) = name.strip_prefix("backbone.") {
        let stage = inner.strip_prefix("norm").and_then(|rest| rest.split_once('.'));
        return match stage.and_then(|(stage, leaf)| Some((stage.parse::<usize>().ok()?, leaf))) {
            Some((stage, leaf)) => format!("backbone.hidden_states_norms.stage{}.{leaf}", stage + 1).into(),
            None => in_encoder(inner, if later { "backbone.swin." } else { "backbone." }, later),
        };
    }
    match name.strip_prefix("head.") {
        Some(leaf) => format!("classifier.{leaf}").into(),
        None => in_encoder(name, "swin.", later),
    }
}

fn in_encoder(name: &str, prefix: &str, later: bool) -> Origin {
    for (here, there) in [
        ("patch_embed.proj.", "embeddings.patch_embeddings.projection."),
        ("patch_embed.norm.", "embeddings.norm."),
        ("norm.", "layernorm."),
    ] {
        if let Some(leaf) = name.strip_prefix(here) {
            return format!("{prefix}{there}{leaf}").into();
        }
    }
    let Some((stage, block, rest)) = block_of(name) else { return format!("{prefix}encoder.{name}").into() };
    let at = |inner: &str| format!("{prefix}encoder.layers.{stage}.blocks.{block}.{inner}");
    if let Some(leaf) = rest.strip_prefix("attn.qkv.") {
        let parts = match later {
            true => ["q_proj", "k_proj", "v_proj"].map(|part| at(&format!("attention.{part}.{leaf}"))),
            false => ["query", "key", "value"].map(|part| at(&format!("attention.self.{part}.{leaf}"))),
        };
        return Origin { parts: parts.into(), order: Order::Same };
    }
    let table = [
        ("norm1.", "layernorm_before.", "layernorm_before."),
        ("norm2.", "layernorm_after.", "layernorm_after."),
        ("attn.proj.", "attention.output.dense.", "attention.o_proj."),
        (
            "attn.relative_position_bias_table",
            "attention.self.relative_position_bias_table",
            "attention.relative_position_bias.relative_position_bias_table",
        ),
        ("mlp.fc1.", "intermediate.dense.", "mlp.fc1."),
        ("mlp.fc2.", "output.dense.", "mlp.fc2."),
    ];
    let known = table
        .iter()
        .find_map(|(here, before, since)| Some((rest.strip_prefix(here)?, if later { since } else { before })));
    known.map_or_else(|| at(rest), |(leaf, there)| at(&format!("{there}{leaf}"))).into()
}

/// Names of OpenMMLab's own Swin: mmseg and mmpretrain.
pub(crate) fn open_mmlab(name: &str) -> Origin {
    if name.starts_with("decode_head.") || name.starts_with("auxiliary_head.") {
        return name.to_string().into();
    }
    if let Some(leaf) = name.strip_prefix("head.") {
        return format!("head.fc.{leaf}").into();
    }
    let name = name.strip_prefix("backbone.").unwrap_or(name);
    if let Some(leaf) = name.strip_prefix("norm.") {
        return format!("backbone.norm3.{leaf}").into();
    }
    let name = name.replace("patch_embed.proj.", "patch_embed.projection.");
    let Some((stage, rest)) = stage_of(&name) else { return format!("backbone.{name}").into() };
    let rest = rest
        .replace(".attn.", ".attn.w_msa.")
        .replace(".mlp.fc1.", ".ffn.layers.0.0.")
        .replace(".mlp.fc2.", ".ffn.layers.1.");
    let order = if rest.starts_with("downsample.") { Order::Unfolded } else { Order::Same };
    Origin { parts: vec![format!("backbone.stages.{stage}.{rest}")], order }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Style;

    fn only(style: Style, name: &str) -> String {
        let origin = style.origin(name);
        assert_eq!(origin.parts.len(), 1, "{name}");
        origin.parts[0].clone()
    }

    #[test]
    fn timm_moves_the_downsampling_to_the_next_stage() {
        assert_eq!(only(Style::Timm, "layers.0.downsample.norm.weight"), "layers.1.downsample.norm.weight");
        assert_eq!(only(Style::Timm, "head.bias"), "head.fc.bias");
        assert_eq!(only(Style::Timm, "layers.2.blocks.5.mlp.fc1.bias"), "layers.2.blocks.5.mlp.fc1.bias");
    }

    #[test]
    fn torchvision_numbers_its_features() {
        assert_eq!(only(Style::Torchvision, "patch_embed.norm.bias"), "features.0.2.bias");
        assert_eq!(only(Style::Torchvision, "layers.2.blocks.5.mlp.fc2.bias"), "features.5.5.mlp.3.bias");
        assert_eq!(only(Style::Torchvision, "layers.1.downsample.reduction.weight"), "features.4.reduction.weight");
        assert_eq!(only(Style::Torchvision, "norm.weight"), "norm.weight");
    }

    #[test]
    fn transformers_keeps_queries_keys_and_values_apart() {
        let origin = Style::Transformers.origin("layers.0.blocks.1.attn.qkv.weight");
        let parts = ["query", "key", "value"]
            .map(|part| format!("swin.encoder.layers.0.blocks.1.attention.self.{part}.weight"));
        assert_eq!(origin.parts, parts);
        let origin = Style::Transformers5.origin("backbone.layers.0.blocks.1.attn.qkv.bias");
        assert_eq!(origin.parts[2], "backbone.swin.encoder.layers.0.blocks.1.attention.v_proj.bias");
        for (here, there) in [
            ("head.weight", "classifier.weight"),
            ("norm.bias", "swin.layernorm.bias"),
            ("layers.1.downsample.norm.weight", "swin.encoder.layers.1.downsample.norm.weight"),
            ("layers.1.blocks.0.mlp.fc2.bias", "swin.encoder.layers.1.blocks.0.output.dense.bias"),
            ("backbone.norm2.weight", "backbone.hidden_states_norms.stage3.weight"),
            ("decode_head.fpn_convs.0.bn.running_var", "decode_head.fpn_convs.0.batch_norm.running_var"),
            ("decode_head.conv_seg.bias", "decode_head.classifier.bias"),
        ] {
            assert_eq!(only(Style::Transformers, here), there);
        }
    }

    #[test]
    fn open_mmlab_unfolds_merged_patches() {
        for (here, there) in [
            ("layers.0.blocks.1.attn.qkv.weight", "backbone.stages.0.blocks.1.attn.w_msa.qkv.weight"),
            ("backbone.layers.3.blocks.1.mlp.fc1.weight", "backbone.stages.3.blocks.1.ffn.layers.0.0.weight"),
            ("backbone.patch_embed.proj.bias", "backbone.patch_embed.projection.bias"),
            ("backbone.norm0.bias", "backbone.norm0.bias"),
            ("norm.bias", "backbone.norm3.bias"),
            ("head.weight", "head.fc.weight"),
            ("decode_head.bottleneck.bn.weight", "decode_head.bottleneck.bn.weight"),
        ] {
            assert_eq!(only(Style::OpenMmlab, here), there);
        }
        assert_eq!(Style::OpenMmlab.origin("layers.0.downsample.norm.weight").order, Order::Unfolded);
        assert_eq!(Style::OpenMmlab.origin("layers.0.blocks.0.norm1.weight").order, Order::Same);
    }
}
