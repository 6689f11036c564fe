//! ResNet, whose names here are torchvision's and timm's.
//!
//! | here                     | transformers                                                   | OpenMMLab |
//! |--------------------------|----------------------------------------------------------------|-----------|
//! | `conv1`, `bn1`           | `resnet.embedder.embedder.{convolution,normalization}`         | `backbone.conv1`, `backbone.bn1` |
//! | `layer1.0.{conv2,bn2}`   | `resnet.encoder.stages.0.layers.0.layer.1.{convolution,normalization}` | `backbone.layer1.0.…` |
//! | `layer1.0.downsample.{0,1}` | `….shortcut.{convolution,normalization}`                    | `backbone.layer1.0.downsample.…` |
//! | `fc`                     | `classifier.1`                                                 | `head.fc` |

/// Group, block and the rest of a name, all counted from 0.
fn block_of(name: &str) -> Option<(usize, &str, &str)> {
    let (group, rest) = name.strip_prefix("layer")?.split_once('.')?;
    let (block, rest) = rest.split_once('.')?;
    block.parse::<usize>().ok()?;
    Some((group.parse::<usize>().ok()?.checked_sub(1)?, block, rest))
}

/// Whether a name is one of ResNet's stem.
fn is_stem(name: &str) -> bool {
    name.starts_with("conv1.") || name.starts_with("bn1.")
}

/// What transformers calls a tensor of ResNet; `None` where the name is not one of ResNet's.
pub(crate) fn transformers(name: &str) -> Option<String> {
    if let Some(leaf) = name.strip_prefix("fc.") {
        return Some(format!("classifier.1.{leaf}"));
    }
    let kind = |part: &str| if part.starts_with("conv") || part == "0" { "convolution" } else { "normalization" };
    if is_stem(name) {
        let (part, leaf) = name.split_once('.')?;
        return Some(format!("resnet.embedder.embedder.{}.{leaf}", kind(part)));
    }
    let (group, block, rest) = block_of(name)?;
    let at = format!("resnet.encoder.stages.{group}.layers.{block}");
    if let Some(rest) = rest.strip_prefix("downsample.") {
        let (part, leaf) = rest.split_once('.')?;
        return Some(format!("{at}.shortcut.{}.{leaf}", kind(part)));
    }
    let (part, leaf) = rest.split_once('.')?;
    let number = part.strip_prefix("conv").or_else(|| part.strip_prefix("bn"))?.parse::<usize>().ok()?;
    Some(format!("{at}.layer.{}.{}.{leaf}", number.checked_sub(1)?, kind(part)))
}

/// What OpenMMLab calls a tensor of ResNet; `None` where the name is not one of ResNet's.
pub(crate) fn open_mmlab(name: &str) -> Option<String> {
    match name.strip_prefix("fc.") {
        Some(leaf) => Some(format!("head.fc.{leaf}")),
        None => (is_stem(name) || block_of(name).is_some()).then(|| format!("backbone.{name}")),
    }
}

#[cfg(test)]
mod tests {
    use crate::names::Style;

    #[test]
    fn libraries_name_the_layers_of_resnet() {
        for (here, transformers, open_mmlab) in [
            ("bn1.running_mean", "resnet.embedder.embedder.normalization.running_mean", "backbone.bn1.running_mean"),
            (
                "layer1.0.conv2.weight",
                "resnet.encoder.stages.0.layers.0.layer.1.convolution.weight",
                "backbone.layer1.0.conv2.weight",
            ),
            (
                "layer4.2.bn3.bias",
                "resnet.encoder.stages.3.layers.2.layer.2.normalization.bias",
                "backbone.layer4.2.bn3.bias",
            ),
            (
                "layer2.0.downsample.0.weight",
                "resnet.encoder.stages.1.layers.0.shortcut.convolution.weight",
                "backbone.layer2.0.downsample.0.weight",
            ),
            (
                "layer2.0.downsample.1.bias",
                "resnet.encoder.stages.1.layers.0.shortcut.normalization.bias",
                "backbone.layer2.0.downsample.1.bias",
            ),
            ("fc.weight", "classifier.1.weight", "head.fc.weight"),
        ] {
            assert_eq!(Style::Transformers.origin(here).parts, [transformers]);
            assert_eq!(Style::OpenMmlab.origin(here).parts, [open_mmlab]);
        }
    }
}
