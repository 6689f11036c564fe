//! Checkpoint names: the same tensors as other libraries call them.
//!
//! The graph's names are those of the authors. Which library named a checkpoint is decided once for the whole of it
//! ([`Mapping`]), never name by name: timm's `layers.1.downsample` is another tensor than Microsoft's.
//!
//! | library | Swin, UPerNet | LeViT | ResNet |
//! |---|---|---|---|
//! | timm | `swin` | `levit` | as torchvision, whose names are the graph's |
//! | torchvision | `swin` | – | the graph's |
//! | transformers, before and since 5 | `swin` | `levit` | `resnet` |
//! | OpenMMLab, new backbones | `swin` | – | `resnet` |

mod levit;
mod mapping;
mod resnet;
mod swin;

pub use mapping::Mapping;

/// Who named the tensors of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As in the model's own graph.
    Authors,
    /// timm.
    Timm,
    /// torchvision.
    Torchvision,
    /// Hugging Face transformers, as its files have been since the beginning.
    Transformers,
    /// Hugging Face transformers since version 5, as its models have them in memory.
    Transformers5,
    /// OpenMMLab: mmseg and mmpretrain, with their own backbones.
    OpenMmlab,
}

/// Where a library keeps a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its parts, one after the other along the first axis.
    pub parts: Vec<String>,
    /// How the last axis is ordered.
    pub order: Order,
}

/// How an axis over the channels of merged 2×2 patches is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As in the graph.
    Same,
    /// Channel by channel: element c·4 + 2·row + column, where the graph has (row + 2·column)·C + c.
    Unfolded,
}

impl From<String> for Origin {
    fn from(name: String) -> Origin {
        Origin { parts: vec![name], order: Order::Same }
    }
}

impl Style {
    /// All, the likeliest first.
    pub const ALL: [Style; 6] =
        [Style::Authors, Style::Timm, Style::Torchvision, Style::Transformers, Style::Transformers5, Style::OpenMmlab];

    /// For users; nothing for the authors' names.
    pub fn library(self) -> Option<&'static str> {
        match self {
            Style::Authors => None,
            Style::Timm => Some("timm"),
            Style::Torchvision => Some("torchvision"),
            Style::Transformers | Style::Transformers5 => Some("transformers"),
            Style::OpenMmlab => Some("OpenMMLab"),
        }
    }

    /// Where this library keeps the tensor that the graph calls `name`.
    pub fn origin(self, name: &str) -> Origin {
        match self {
            Style::Authors => name.to_string().into(),
            Style::Timm => levit::timm(name).unwrap_or_else(|| swin::timm(name)).into(),
            Style::Torchvision => swin::torchvision(name).into(),
            Style::Transformers | Style::Transformers5 => {
                let later = self == Style::Transformers5;
                let other = || levit::transformers(name).or_else(|| resnet::transformers(name));
                other().map_or_else(|| swin::transformers(name, later), Origin::from)
            }
            Style::OpenMmlab => resnet::open_mmlab(name).map_or_else(|| swin::open_mmlab(name), Origin::from),
        }
    }
}

/// Tensors in checkpoints that are functions of the configuration, and therefore not parameters, and those that their own
/// library never reads: transformers keeps the norm of a classifier in backbones, too.
pub fn is_derived(name: &str) -> bool {
    if name.contains("backbone.") && name.contains("swin.layernorm.") {
        return true;
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    matches!(last, "relative_position_index" | "attn_mask" | "num_batches_tracked" | "attention_bias_idxs")
}
